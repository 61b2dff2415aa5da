//! How the file is opened: to write, or where that cannot be, to read alone; and whether it is still the file of that name.

use std::fs::{self, Metadata};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags};
use rustix::fs::{Access, access};

use super::{Fault, Sqlite, schema};
use crate::audit::ledger::LedgerError;
use crate::audit::ledger::rows::Known;

/// A path, and the file that it named when it was opened.
#[derive(Debug)]
pub(super) struct Place {
    path: PathBuf,
    file: (u64, u64),
}

impl Place {
    /// `None` where the name is none of a file that can be looked at.
    fn of(path: &Path) -> Option<Self> {
        Some(Place { path: path.to_path_buf(), file: identity(&fs::metadata(path).ok()?) })
    }
}

fn identity(about: &Metadata) -> (u64, u64) {
    (about.dev(), about.ino())
}

/// What came of it, if the file is still the one of that name. SQLite goes on with a file that was deleted, or whose name
/// another file has now: nobody would find what is in it.
pub(super) fn in_its_place<T>(place: Option<&Place>, done: Result<T, Fault>) -> Result<T, Fault> {
    let same = |place: &Place| fs::metadata(&place.path).is_ok_and(|about| identity(&about) == place.file);
    if place.is_none_or(same) { done } else { Err(Fault::Moved) }
}

impl Sqlite {
    /// Opens that file, or makes it. Each call waits so long for others who are writing.
    ///
    /// # Errors
    /// [`LedgerError::NotALedger`], [`LedgerError::Newer`], [`LedgerError::Busy`], [`LedgerError::Engine`].
    pub fn open(path: &Path, patience: Duration) -> Result<Self, LedgerError> {
        let open = || -> Result<Connection, Fault> {
            let mut db = Connection::open(path)?;
            db.busy_timeout(patience)?;
            schema::prepare(&mut db, schema::STEPS)?;
            Ok(db)
        };
        let begun = Instant::now();
        loop {
            match open() {
                Ok(db) => return Ok(Sqlite::at(path, db)),
                // Of two that make the same file, SQLite turns one away without asking it to wait.
                Err(fault) if fault.is_busy() && begun.elapsed() < patience => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                Err(fault) => return Err(fault.of(&path.display().to_string())),
            }
        }
    }

    /// Opens a file that is there; to read alone, where neither it nor its folder may be written.
    ///
    /// # Errors
    /// As [`Sqlite::open`], and [`LedgerError::ReadOnly`].
    pub fn open_existing(path: &Path, patience: Duration) -> Result<Self, LedgerError> {
        match Sqlite::open(path, patience) {
            Err(LedgerError::Engine { .. }) if !may_write(path) => read_only(path, patience)
                .map(|db| Sqlite::at(path, db))
                .map_err(|fault| fault.of(&path.display().to_string())),
            opened => opened,
        }
    }

    fn at(path: &Path, db: Connection) -> Self {
        let name = path.display().to_string();
        Sqlite { db, name, known: Known::default(), place: Place::of(path) }
    }
}

/// Whether both the file and what stands beside it (`-wal`, `-shm`) may be written.
fn may_write(path: &Path) -> bool {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    [path, folder].iter().all(|path| access(*path, Access::WRITE_OK).is_ok())
}

/// With what others are writing, where the files beside it are there; without them as a file that nobody changes. Never
/// without the `-wal` that belongs to it: the newest records are there.
fn read_only(path: &Path, patience: Duration) -> Result<Connection, Fault> {
    let open = |more: &str| -> Result<Connection, Fault> {
        let flags =
            OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(uri(path, more), flags)?;
        db.busy_timeout(patience)?;
        schema::check(&mut db, schema::STEPS)?;
        Ok(db)
    };
    match open("mode=ro") {
        Err(Fault::Engine(_)) => {}
        settled => return settled,
    }
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if fs::metadata(&wal).is_ok_and(|about| about.len() > 0) {
        return Err(Fault::ReadOnly(format!("its newest records are in {}", Path::new(&wal).display())));
    }
    open("mode=ro&immutable=1")
}

/// <https://www.sqlite.org/uri.html>
fn uri(path: &Path, more: &str) -> String {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf());
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"/._-~".contains(&byte);
    let mut uri = String::from("file://");
    for byte in path.as_os_str().as_bytes() {
        match plain(*byte) {
            true => uri.push(char::from(*byte)),
            false => uri.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{uri}?{more}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::ledger::{Evidence, Ledger, Signature};
    use crate::record::sample::{NOON, Writer};

    const PATIENCE: Duration = Duration::from_secs(1);

    fn records(writer: &Writer) -> Vec<(crate::record::token::Record, Signature)> {
        writer.records.iter().map(|record| (record.clone(), Signature::Unknown)).collect()
    }

    #[test]
    fn nothing_is_stored_in_a_file_that_has_lost_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ledger.db");
        let records = records(&Writer::founder(1));
        let mut ledger = Sqlite::open(&path, PATIENCE).unwrap();
        ledger.store(&records[..1], NOON).unwrap();
        let aside = folder.path().join("aside.db");
        fs::rename(&path, &aside).unwrap();
        assert!(matches!(ledger.store(&records[1..], NOON), Err(LedgerError::Moved { .. })));
        assert!(matches!(ledger.size(), Err(LedgerError::Moved { .. })));
        // Another file of that name is not it.
        drop(Sqlite::open(&path, PATIENCE).unwrap());
        assert!(matches!(ledger.size(), Err(LedgerError::Moved { .. })));
    }

    #[test]
    fn a_file_that_may_only_be_read_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a ledger?.db");
        let mut ledger = Sqlite::open(&path, PATIENCE).unwrap();
        ledger.store(&records(&Writer::founder(1)), NOON).unwrap();
        let with_wal = folder.path().join("copy.db");
        fs::copy(&path, &with_wal).unwrap();
        fs::copy(folder.path().join("a ledger?.db-wal"), folder.path().join("copy.db-wal")).unwrap();
        drop(ledger);
        let mut read = Sqlite::at(&path, read_only(&path, PATIENCE).unwrap());
        assert_eq!(read.size().unwrap(), 2);
        assert_eq!(read.kits().unwrap().len(), 1);
        assert!(matches!(read.store(&[], NOON), Err(LedgerError::Engine { .. })));
        // An older format is not taken further here, and what is no ledger is none.
        fs::write(folder.path().join("empty.db"), b"").unwrap();
        let empty = read_only(&folder.path().join("empty.db"), PATIENCE);
        assert!(matches!(empty, Err(Fault::NotALedger(_))));
    }
}
