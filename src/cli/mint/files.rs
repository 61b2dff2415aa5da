//! The files of a minted credential. All are made, and their room on the disk taken, before the key signs, so that afterwards
//! only writing remains. Files that were not filled in the end are taken away again.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use crate::cli::hint::Trouble;

/// Most bytes that are read of a file that somebody brings.
const INPUT: u64 = 64 * 1024;

/// A name below the folder, and how many bytes it will take at most.
pub(super) type Room = (&'static str, usize);

/// Files that wait to be filled, readable by their owner alone.
pub(super) struct Files {
    folder: PathBuf,
    /// Whether the folder was made for them.
    fresh: bool,
    made: Vec<(&'static str, File)>,
    kept: bool,
}

/// A new file with so much in it that what comes later finds its room.
fn taken(path: &Path, room: usize) -> io::Result<File> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(&vec![b'\n'; room])?;
    file.sync_all()?;
    Ok(file)
}

/// Whether nothing of that name is there yet: what was minted before is not written over.
pub(super) fn free(folder: &Path, names: &[&str]) -> Result<(), Trouble> {
    for name in names {
        if folder.join(name).symlink_metadata().is_ok() {
            let next = "take it away, or name another folder:  --out DIR";
            return Err(Trouble::refused(format!("{} is there already", folder.join(name).display()), next));
        }
    }
    Ok(())
}

impl Files {
    /// Makes the folder, where it is not there, and each file in it with so much room.
    pub(super) fn make(folder: &Path, rooms: &[Room]) -> Result<Self, Trouble> {
        let wrong = |cause| Trouble::File { path: folder.to_owned(), cause };
        let fresh = !folder.exists();
        DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(wrong)?;
        let folder = folder.canonicalize().map_err(wrong)?;
        let mut files = Files { folder, fresh, made: Vec::new(), kept: false };
        for (name, room) in rooms {
            let path = files.folder.join(name);
            match taken(&path, *room) {
                Ok(file) => files.made.push((name, file)),
                Err(cause) => {
                    if cause.kind() != io::ErrorKind::AlreadyExists {
                        let _ = fs::remove_file(&path); // the rest of one that did not get its room
                    }
                    return Err(Trouble::File { path, cause });
                }
            }
        }
        // The folder remembers them, or a power cut leaves files without names.
        File::open(&files.folder).and_then(|folder| folder.sync_all()).map_err(|cause| {
            let path = files.folder.clone();
            Trouble::File { path, cause }
        })?;
        Ok(files)
    }

    /// Where they are, from the root on.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Fills one of them.
    pub(super) fn fill(&mut self, name: &str, content: &[u8]) -> Result<(), Trouble> {
        let path = self.folder.join(name);
        let file = self.made.iter_mut().find(|(made, _)| *made == name).map(|(_, file)| file);
        let filled = file.ok_or_else(|| io::ErrorKind::NotFound.into()).and_then(|file| {
            file.rewind()?;
            file.write_all(content)?;
            file.set_len(u64::try_from(content.len()).map_err(io::Error::other)?)?;
            file.sync_all()
        });
        filled.map_err(|cause| Trouble::File { path, cause })
    }

    /// Leaves them where they are from now on, and says where that is.
    pub(super) fn keep(&mut self) -> Vec<PathBuf> {
        self.kept = true;
        self.made.iter().map(|(name, _)| self.folder.join(name)).collect()
    }
}

impl Drop for Files {
    fn drop(&mut self) {
        if self.kept {
            return;
        }
        for (name, _) in &self.made {
            let _ = fs::remove_file(self.folder.join(name));
        }
        if self.fresh {
            let _ = fs::remove_dir(&self.folder); // only if nothing else came into it
        }
    }
}

/// The same trouble, of a credential that was minted already.
pub(super) fn though_minted(trouble: Trouble) -> Trouble {
    match trouble {
        Trouble::File { path, cause } => Trouble::NotHandedOut { path, cause },
        other => other,
    }
}

/// A file that somebody brings, as far as it is read.
pub(super) fn input(path: &Path) -> Result<Vec<u8>, Trouble> {
    let wrong = |cause| Trouble::Input { path: path.to_owned(), cause };
    let mut bytes = Vec::new();
    File::open(path).map_err(wrong)?.take(INPUT).read_to_end(&mut bytes).map_err(wrong)?;
    Ok(bytes)
}
