//! What a receiver has settled: a file of lines that only grows, so that a push that was cut off goes on where it was.
//!
//! The first line names the receiver. A line is written before the next record is sent; it may be lost with the power, and then
//! its record is sent again, which does no harm.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use crate::record::hash::Hash;

/// A line is forced to the disk after so many.
const FLUSH_AFTER: u32 = 64;
const VERSION: u32 = 1;

/// What the receiver said of a record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Known {
    /// It has it.
    Accepted,
    /// It does not want it.
    Refused {
        /// Code.
        err: String,
        /// In its words.
        description: String,
    },
}

/// A line of the file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Line {
    Push { version: u32, to: String },
    Accepted(Hash),
    Refused { record: Hash, err: String, description: String },
}

/// The state of one push, held by one process at a time.
#[derive(Debug)]
pub struct State {
    /// Without a file, what was settled is forgotten at the end.
    file: Option<(PathBuf, File)>,
    known: HashMap<Hash, Known>,
    unflushed: u32,
}

impl State {
    /// Remembered as long as the program runs.
    pub fn forgetful() -> Self {
        State { file: None, known: HashMap::new(), unflushed: 0 }
    }

    /// Opens the state of pushes to that receiver, or begins it.
    ///
    /// # Errors
    /// [`StateError`]. Nothing was changed then.
    pub fn open(path: &Path, to: &str) -> Result<Self, StateError> {
        let io = |cause| StateError::Io { path: path.to_owned(), cause };
        let mut file =
            File::options().read(true).append(true).create(true).truncate(false).open(path).map_err(io)?;
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|errno| match errno {
            rustix::io::Errno::WOULDBLOCK => StateError::Busy { path: path.to_owned() },
            errno => io(errno.into()),
        })?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(io)?;
        // What follows the last line feed was being written when the power went: it says nothing yet.
        let whole = memchr::memrchr(b'\n', &bytes).map_or(0, |at| at + 1);
        let first = line_bytes(&Line::Push { version: VERSION, to: to.into() });
        if whole == 0 && !first.starts_with(&bytes) {
            return Err(StateError::Damaged { path: path.to_owned(), line: 1 });
        }
        let known = read(path, &bytes[..whole], to)?;
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io)?;
        }
        let mut state = State { file: Some((path.to_owned(), file)), known, unflushed: 0 };
        if whole == 0 {
            state.write(&Line::Push { version: VERSION, to: to.into() })?;
            state.flush()?;
        }
        Ok(state)
    }

    /// What is known of a record.
    pub fn of(&self, hash: &Hash) -> Option<&Known> {
        self.known.get(hash)
    }

    /// The receiver has it.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn accepted(&mut self, record: Hash) -> Result<(), StateError> {
        self.write(&Line::Accepted(record))?;
        self.known.insert(record, Known::Accepted);
        Ok(())
    }

    /// The receiver does not want it.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn refused(&mut self, record: Hash, err: &str, description: &str) -> Result<(), StateError> {
        let (err, description) = (err.to_owned(), description.to_owned());
        self.write(&Line::Refused { record, err: err.clone(), description: description.clone() })?;
        self.known.insert(record, Known::Refused { err, description });
        Ok(())
    }

    /// Forces all of it to the disk.
    ///
    /// # Errors
    /// [`StateError::Io`].
    pub fn flush(&mut self) -> Result<(), StateError> {
        self.unflushed = 0;
        match &mut self.file {
            Some((path, file)) => {
                file.sync_data().map_err(|cause| StateError::Io { path: path.clone(), cause })
            }
            None => Ok(()),
        }
    }

    fn write(&mut self, line: &Line) -> Result<(), StateError> {
        let Some((path, file)) = &mut self.file else { return Ok(()) };
        file.write_all(&line_bytes(line)).map_err(|cause| StateError::Io { path: path.clone(), cause })?;
        self.unflushed += 1;
        if self.unflushed >= FLUSH_AFTER { self.flush() } else { Ok(()) }
    }
}

fn line_bytes(line: &Line) -> Vec<u8> {
    let mut bytes = serde_json::to_vec(line).expect("text and hashes always have a JSON form");
    bytes.push(b'\n');
    bytes
}

/// What whole lines say; the last word on a record counts.
fn read(path: &Path, bytes: &[u8], to: &str) -> Result<HashMap<Hash, Known>, StateError> {
    let mut known = HashMap::new();
    let lines = bytes.strip_suffix(b"\n").map(|bytes| bytes.split(|byte| *byte == b'\n'));
    for (at, line) in lines.into_iter().flatten().enumerate() {
        let damaged = || StateError::Damaged { path: path.to_owned(), line: at + 1 };
        match (at, serde_json::from_slice(line).map_err(|_| damaged())?) {
            (0, Line::Push { version: VERSION, to: other }) if other == to => {}
            (0, Line::Push { version: VERSION, to: other }) => {
                return Err(StateError::OtherReceiver { path: path.to_owned(), other });
            }
            (1.., Line::Accepted(record)) => {
                known.insert(record, Known::Accepted);
            }
            (1.., Line::Refused { record, err, description }) => {
                known.insert(record, Known::Refused { err, description });
            }
            _ => return Err(damaged()),
        }
    }
    Ok(known)
}

/// Why there is no state.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The disk.
    #[error("the state {}: {cause}", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Another push writes it.
    #[error("the state {} is in use by another push", path.display())]
    Busy {
        /// Which file.
        path: PathBuf,
    },
    /// It is of pushes to another receiver.
    #[error("the state {} is of pushes to {other}", path.display())]
    OtherReceiver {
        /// Which file.
        path: PathBuf,
        /// To whom.
        other: String,
    },
    /// A line that no push has written, or a newer version's.
    #[error("line {line} of {} is none of a push", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// From 1.
        line: usize,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    const TO: &str = "https://audit.example.org/";

    #[test]
    fn what_was_settled_is_known_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let (a, b, c) = (Hash::of(b"a"), Hash::of(b"b"), Hash::of(b"c"));
        let mut state = State::open(&path, TO).unwrap();
        state.accepted(a).unwrap();
        state.refused(b, "invalid_key", "line\nfeed").unwrap();
        drop(state);
        let mut state = State::open(&path, TO).unwrap();
        assert_eq!(state.of(&a), Some(&Known::Accepted));
        let refused = Known::Refused { err: "invalid_key".into(), description: "line\nfeed".into() };
        assert_eq!(state.of(&b), Some(&refused));
        assert_eq!(state.of(&c), None);
        state.accepted(b).unwrap();
        drop(state);
        assert_eq!(State::open(&path, TO).unwrap().of(&b), Some(&Known::Accepted), "the last word counts");
    }

    #[test]
    fn wherever_a_write_ended_the_lines_before_it_count() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let hashes: Vec<Hash> = (0..4u8).map(|n| Hash::of(&[n])).collect();
        let mut state = State::open(&path, TO).unwrap();
        hashes.iter().for_each(|hash| state.accepted(*hash).unwrap());
        drop(state);
        let whole = std::fs::read(&path).unwrap();
        for end in 0..whole.len() {
            std::fs::write(&path, &whole[..end]).unwrap();
            let lines = whole[..end].iter().filter(|byte| **byte == b'\n').count();
            let mut state = State::open(&path, TO).unwrap();
            let known = hashes.iter().filter(|hash| state.of(hash).is_some()).count();
            assert_eq!(known, lines.saturating_sub(1), "cut at {end}");
            // It goes on as if nothing had been.
            hashes[known..].iter().for_each(|hash| state.accepted(*hash).unwrap());
            drop(state);
            assert_eq!(std::fs::read(&path).unwrap(), whole, "cut at {end}");
        }
    }

    #[test]
    fn a_state_of_something_else_is_not_touched() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        drop(State::open(&path, TO).unwrap());
        let error = State::open(&path, "https://other.example.org/").unwrap_err();
        assert!(matches!(error, StateError::OtherReceiver { other, .. } if other == TO));
        for (text, line) in [
            ("no state\n", 1),
            ("no state", 1),
            ("{\"accepted\":\"x\"}\n", 1),
            ("{\"push\":{\"version\":2,\"to\":\"x\"}}\n", 1),
        ] {
            std::fs::write(&path, text).unwrap();
            let error = State::open(&path, TO).unwrap_err();
            assert!(matches!(error, StateError::Damaged { line: found, .. } if found == line), "{error}");
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
        }
    }

    #[test]
    fn two_pushes_do_not_share_a_state() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("state");
        let held = State::open(&path, TO).unwrap();
        assert!(matches!(State::open(&path, TO), Err(StateError::Busy { .. })));
        drop(held);
        assert!(State::open(&path, TO).is_ok());
    }
}
