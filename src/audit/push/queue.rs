//! What there is to send: every line of the bundles, once each, by chain. Lines stay in their files; what is held of each is
//! where it stands and its hash.
//!
//! A line that cannot be read is sent all the same: it may be a record of a newer version, and if it is damage, the receiver keeps
//! it as evidence. Only a line that is too long for any receiver, and one that was cut off at the end of its file, stay here.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::record::hash::Hash;
use crate::record::token::{READ_CAP, Record};

/// One line to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// SHA-256 of its bytes.
    pub hash: Hash,
    /// Its place in its chain, where it can be read.
    pub seq: Option<u64>,
    /// The record that it names as the one before it.
    pub prev: Option<Hash>,
    /// What it is sorted by: its place, or that of the line before it in the same chain.
    order: u64,
    file: usize,
    offset: u64,
    length: usize,
}

/// All of them.
#[derive(Debug)]
pub struct Queue {
    files: Vec<(PathBuf, File)>,
    /// In the order in which the bundles name them.
    chains: Vec<(String, Vec<Item>)>,
    /// Lines that are not sent: where, and why.
    left_out: Vec<(String, &'static str)>,
    repeated: u64,
}

impl Queue {
    /// Reads the bundles once.
    ///
    /// # Errors
    /// [`QueueError::Io`], where one cannot be read; [`QueueError::NoFile`].
    pub fn of(bundles: &[PathBuf]) -> Result<Self, QueueError> {
        let mut queue = Queue { files: vec![], chains: vec![], left_out: vec![], repeated: 0 };
        let mut index = Index::default();
        for path in bundles {
            let io = |cause| QueueError::Io { path: path.clone(), cause };
            match std::fs::metadata(path) {
                Ok(about) if about.is_file() => {}
                Err(error) if path.as_os_str() != "-" => return Err(io(error)),
                _ => return Err(QueueError::NoFile { path: path.clone() }),
            }
            let file = File::open(path).map_err(io)?;
            let number = queue.files.len();
            let reader = BufReader::with_capacity(64 * 1024, file.try_clone().map_err(io)?);
            queue.files.push((path.clone(), file));
            lines(reader, &mut |line| queue.add(&mut index, number, path, line)).map_err(io)?;
        }
        for (_, items) in &mut queue.chains {
            items.sort_by_key(|item| item.order); // stable: a fork and what cannot be read stay as they stand
        }
        Ok(queue)
    }

    fn add(&mut self, index: &mut Index, file: usize, path: &Path, line: Line<'_>) {
        let here = || format!("line {} of {}", line.number, path.display());
        let Some(bytes) = line.bytes else {
            self.left_out.push((here(), "too long to be a record"));
            return;
        };
        if bytes.is_empty() {
            return;
        }
        let record = Record::parse(bytes);
        if !line.ended && record.is_err() {
            self.left_out.push((here(), "cut off in the middle"));
            return;
        }
        let hash = Hash::of(bytes);
        if !index.seen.insert(hash) {
            self.repeated += 1;
            return;
        }
        let (name, seq, prev) = match &record {
            Ok(record) => (record.chain_name(), Some(record.link.seq), record.link.prev),
            Err(_) => (index.chain_of(bytes).unwrap_or_else(here), None, None),
        };
        if let Ok(record) = &record {
            index.names.entry(record.kid.to_string()).or_insert_with(|| name.clone());
        }
        let chain = *index.chains.entry(name.clone()).or_insert_with(|| {
            self.chains.push((name, Vec::new()));
            self.chains.len() - 1
        });
        let items = &mut self.chains[chain].1;
        let order = seq.or_else(|| items.last().map(|item| item.order)).unwrap_or(0);
        items.push(Item { hash, seq, prev, order, file, offset: line.offset, length: bytes.len() });
    }

    /// How many lines there are to send.
    pub fn len(&self) -> u64 {
        self.chains.iter().map(|(_, items)| items.len() as u64).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }

    /// Each chain with its lines, in the order in which they are to be sent.
    pub fn chains(&self) -> impl Iterator<Item = (&str, &[Item])> {
        self.chains.iter().map(|(name, items)| (name.as_str(), items.as_slice()))
    }

    /// Of the records that count, those that none of them names as the one before it: together they vouch for all that they
    /// lead to. More than one of a chain where it forks, or where one between them does not count.
    pub fn heads(&self, counts: impl Fn(&Hash) -> bool) -> HashSet<Hash> {
        let mut heads = HashSet::new();
        for (_, items) in &self.chains {
            let counting = || items.iter().filter(|item| item.seq.is_some() && counts(&item.hash));
            let named: HashSet<Hash> = counting().filter_map(|item| item.prev).collect();
            heads.extend(counting().map(|item| item.hash).filter(|hash| !named.contains(hash)));
        }
        heads
    }

    /// What is proven, and what stands below it in its chain: a record vouches for the one that it names as its `prev`.
    pub fn covered(&self, proven: &HashSet<Hash>) -> HashSet<Hash> {
        let mut covered = HashSet::new();
        for (_, items) in &self.chains {
            let below: HashMap<Hash, Option<Hash>> =
                items.iter().map(|item| (item.hash, item.prev)).collect();
            for item in items.iter().filter(|item| proven.contains(&item.hash)) {
                let mut next = Some(item.hash);
                while let Some(hash) = next
                    && let Some(prev) = below.get(&hash)
                    && covered.insert(hash)
                {
                    next = *prev;
                }
            }
        }
        covered
    }

    /// Lines that are not sent: where they stand, and why.
    pub fn left_out(&self) -> &[(String, &'static str)] {
        &self.left_out
    }

    /// How many lines stand there more than once.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The bytes of a line.
    ///
    /// # Errors
    /// [`QueueError`], where the file cannot be read or is no longer what it was.
    pub fn read(&self, item: &Item) -> Result<Vec<u8>, QueueError> {
        let (path, file) = &self.files[item.file];
        let mut bytes = vec![0; item.length];
        match file.read_exact_at(&mut bytes, item.offset) {
            Ok(()) if Hash::of(&bytes) == item.hash => Ok(bytes),
            Err(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => {
                Err(QueueError::Io { path: path.clone(), cause })
            }
            _ => Err(QueueError::Changed { path: path.clone() }),
        }
    }
}

/// What helps to find the chain of a line.
#[derive(Default)]
struct Index {
    seen: HashSet<Hash>,
    chains: HashMap<String, usize>,
    /// Chain name by key id.
    names: HashMap<String, String>,
}

impl Index {
    /// The chain of a line that this version cannot read: by the key that its header names.
    fn chain_of(&self, bytes: &[u8]) -> Option<String> {
        #[derive(Deserialize)]
        struct Header {
            kid: String,
        }
        let header = bytes.split(|byte| *byte == b'.').next()?;
        let Header { kid } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        self.names.get(&kid).cloned().or_else(|| kid.parse::<Hash>().ok().map(|_| format!("key {kid}")))
    }
}

/// One line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line<'a> {
    /// From 1.
    number: u64,
    /// Where it begins.
    offset: u64,
    /// Without its line feed; `None` where it is longer than [`READ_CAP`].
    bytes: Option<&'a [u8]>,
    /// Whether a line feed ends it.
    ended: bool,
}

/// Goes through the lines and holds one of them, at most [`READ_CAP`] bytes.
fn lines(mut reader: impl BufRead, each: &mut dyn FnMut(Line<'_>)) -> io::Result<()> {
    let (mut number, mut offset, mut length) = (1, 0, 0);
    let mut held = Vec::new();
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.is_empty();
        let feed = memchr::memchr(b'\n', buffer);
        let part = &buffer[..feed.unwrap_or(buffer.len())];
        if held.len() + part.len() <= READ_CAP {
            held.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(feed.is_some());
        length += part.len();
        if feed.is_some() || (end && length > 0) {
            let bytes = (length <= READ_CAP).then_some(held.as_slice());
            each(Line { number, offset, bytes, ended: feed.is_some() });
            offset += (length + 1) as u64;
            (number, length) = (number + 1, 0);
            held.clear();
        }
        if end {
            return Ok(());
        }
        reader.consume(taken);
    }
}

/// Why a bundle cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Reading it failed.
    #[error("cannot read {}: {cause}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Somebody wrote into it meanwhile.
    #[error("{} was changed while it was being sent", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// A pipe, a folder, or `-`: lines are read when they are sent, and again where they have to be.
    #[error("{} is no file: records are sent from files", path.display())]
    NoFile {
        /// What was named.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests;
