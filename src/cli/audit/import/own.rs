//! The files that an import itself writes: none of them is a source, whatever it is called.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use crate::audit::import::sources::Source;

/// The ledger's files and the file that says which lines were set aside. To read from the latter would make it grow as long
/// as there is room on the disk.
pub(super) struct Own(Vec<(PathBuf, &'static str)>);

impl Own {
    pub(super) fn of(ledger: &str, quarantine: &Path) -> Self {
        let mut own = vec![(quarantine.to_path_buf(), "the file that says which lines were set aside")];
        if !ledger.contains("://") {
            own.extend(
                ["", "-wal", "-shm"]
                    .map(|end| (format!("{ledger}{end}").into(), "a file of the ledger itself")),
            );
        }
        Own(own)
    }

    /// What of ours this source is: by what is there now, not by its name.
    pub(super) fn what(&self, source: &Source) -> Option<&'static str> {
        let file = |about: Metadata| (about.dev(), about.ino());
        let found = match source {
            Source::Policy(_) => return None,
            Source::Input => {
                let about = rustix::fs::fstat(io::stdin()).ok()?;
                (about.st_dev, about.st_ino)
            }
            Source::Records(path) => file(fs::metadata(path).ok()?),
        };
        let same = |path: &PathBuf| fs::metadata(path).is_ok_and(|about| file(about) == found);
        self.0.iter().find(|(path, _)| same(path)).map(|(_, what)| *what)
    }
}
