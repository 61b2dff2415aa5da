//! What a person names to be imported: files, and whole folders of them.

use std::io;
use std::path::{Path, PathBuf};

/// Something to import.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Standard input: `-`.
    Input,
    /// A bundle or a journal.
    Records(PathBuf),
    /// A policy of a kit.
    Policy(PathBuf),
}

/// What in a folder is taken for records.
const RECORDS: [&str; 3] = ["jws", "ndjson", "jsonl"];

/// More than any policy has.
pub const POLICY_CAP: u64 = 1024 * 1024;

/// What cannot be looked at, and why.
pub type Unread = Vec<(PathBuf, io::Error)>;

/// What these paths name. A file is taken for what it is named to be; of a folder, and the folders in it, every `*.jws`,
/// `*.ndjson` and `*.jsonl`, and every `policy/*.toml`, in order of their paths. Names are compared without regard to case,
/// as a FAT stick may have changed it. Links in folders are not followed. What cannot be looked at does not keep the rest
/// from being found.
pub fn find(paths: &[PathBuf]) -> (Vec<Source>, Unread) {
    let mut found = Vec::new();
    let mut unread = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            found.push(Source::Input);
            continue;
        }
        match std::fs::metadata(path) {
            Err(error) => unread.push((path.clone(), error)),
            Ok(about) if about.is_dir() => folder(path, &mut found, &mut unread),
            Ok(_) if ends_in(path, "toml") => found.push(Source::Policy(path.clone())),
            Ok(_) => found.push(Source::Records(path.clone())),
        }
    }
    (found, unread)
}

fn folder(path: &Path, found: &mut Vec<Source>, unread: &mut Unread) {
    let entries = std::fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let mut entries = match entries {
        Ok(entries) => entries,
        Err(error) => return unread.push((path.to_path_buf(), error)),
    };
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let inner = entry.path();
        let kind = match entry.file_type() {
            Ok(kind) => kind,
            Err(error) => {
                unread.push((inner, error));
                continue;
            }
        };
        if kind.is_dir() {
            folder(&inner, found, unread);
        } else if !kind.is_file() {
            continue;
        } else if RECORDS.iter().any(|end| ends_in(&inner, end)) {
            found.push(Source::Records(inner));
        } else if ends_in(&inner, "toml")
            && path.file_name().is_some_and(|name| name.eq_ignore_ascii_case("policy"))
        {
            found.push(Source::Policy(inner));
        }
    }
}

fn ends_in(path: &Path, end: &str) -> bool {
    path.extension().is_some_and(|of| of.eq_ignore_ascii_case(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stick_that_writes_capitals_hides_no_record() {
        let folder = tempfile::tempdir().expect("a folder");
        let make = |name: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(&path, "").expect("writes");
            path
        };
        let policy = Source::Policy(make("KIT/POLICY/1A.TOML"));
        let records = ["b/1.JWS", "b/2.NdJson", "b/3.jws"].map(|name| Source::Records(make(name)));
        make("b/notes.txt");
        make("b/kit.toml");
        let gone = folder.path().join("gone");
        let (found, unread) = find(&[gone.clone(), folder.path().to_path_buf()]);
        assert_eq!(unread.iter().map(|(path, _)| path).collect::<Vec<_>>(), [&gone]);
        assert_eq!(found, [&[policy][..], &records].concat());
    }
}
