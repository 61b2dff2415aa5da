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
/// `*.ndjson` and `*.jsonl`, and every `policy/*.toml`, in order of their paths. Links in folders are not followed.
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
        } else if path.extension().is_some_and(|end| end == "toml") {
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
        let end = inner.extension().and_then(|end| end.to_str()).unwrap_or_default();
        if kind.is_dir() {
            folder(&inner, found)?;
        } else if !kind.is_file() {
            continue;
        } else if RECORDS.contains(&end) {
            found.push(Source::Records(inner));
        } else if end == "toml" && path.file_name().is_some_and(|name| name == "policy") {
            found.push(Source::Policy(inner));
        }
    }
    Ok(())
}
