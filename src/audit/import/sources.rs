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

/// What these paths name. A file is taken for what it is named to be; of a folder, and the folders in it, every `*.jws`,
/// `*.ndjson` and `*.jsonl`, and every `policy/*.toml`, in order of their paths. Names are compared without regard to case,
/// as a FAT stick may have changed it. Links in folders are not followed.
///
/// # Errors
/// With the path that cannot be read.
pub fn find(paths: &[PathBuf]) -> Result<Vec<Source>, (PathBuf, io::Error)> {
    let mut found = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" {
            found.push(Source::Input);
        } else if std::fs::metadata(path).map_err(|error| (path.clone(), error))?.is_dir() {
            folder(path, &mut found)?;
        } else if ends_in(path, "toml") {
            found.push(Source::Policy(path.clone()));
        } else {
            found.push(Source::Records(path.clone()));
        }
    }
    Ok(found)
}

fn folder(path: &Path, found: &mut Vec<Source>) -> Result<(), (PathBuf, io::Error)> {
    let failed = |error| (path.to_path_buf(), error);
    let entries: io::Result<Vec<_>> = std::fs::read_dir(path).map_err(failed)?.collect();
    let mut entries = entries.map_err(failed)?;
    entries.sort_by_key(std::fs::DirEntry::path);
    for entry in entries {
        let (kind, inner) = (entry.file_type().map_err(failed)?, entry.path());
        if kind.is_dir() {
            folder(&inner, found)?;
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
    Ok(())
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
        let found = find(&[folder.path().to_path_buf()]).expect("reads");
        assert_eq!(found, [&[policy][..], &records].concat());
    }
}
