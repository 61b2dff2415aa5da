//! The kit's folder on a medium that may be pulled, full, read-only or FAT.
//!
//! No modes, links or renames are relied on. New files are written whole under their final name and fsynced before
//! any record names them; the journal only grows, a line and its LF in one write, fsynced before anyone acts on it.
//! Nothing below the folder is followed through a symbolic link.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, Mode, OFlags, ResolveFlags};

/// Largest file that is read whole, in bytes: a journal of about 800,000 records.
const LARGEST: u64 = 1 << 30;

/// Room that is taken and given back to see that the medium takes a record, in bytes.
const RESERVE: usize = 64 * 1024;

/// The folder of a kit, and where its new records go.
#[derive(Debug)]
pub struct Folder {
    root: PathBuf,
    elsewhere: Option<PathBuf>,
}

/// What a medium does.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A call of the operating system failed.
    #[error("cannot {doing} {}", path.display())]
    Disk {
        /// What was tried.
        doing: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The medium takes no writes.
    #[error("{} is read-only", path.display())]
    ReadOnly {
        /// Where a record would go.
        path: PathBuf,
    },
    /// The medium is full.
    #[error("{} has no room for a record", path.display())]
    Full {
        /// Where a record would go.
        path: PathBuf,
    },
    /// The kit's own medium takes nothing; records may go elsewhere, this may not.
    #[error("{}, and sealed credentials and policies lie in the kit itself", .0)]
    KitItself(Box<FolderError>),
    /// A link, device or pipe where a file should be, or a file beyond the limit.
    #[error("{} is not a regular file of at most 1 GiB", path.display())]
    NotAFile {
        /// Which file.
        path: PathBuf,
    },
    /// Another breakglass works in this kit.
    #[error("another breakglass works in this kit{}", pid.map(|p| format!(" (pid {p})")).unwrap_or_default())]
    Busy {
        /// Its process id, where the system tells.
        pid: Option<u32>,
    },
    /// A journal grew or shrank while it was worked on.
    #[error("{} was changed by something else while it was worked on", path.display())]
    Changed {
        /// Which file.
        path: PathBuf,
    },
}

/// Held while a kit is written; let go when dropped, or by the system when the process dies.
#[derive(Debug)]
pub struct Lock(#[allow(dead_code)] Vec<File>);

impl Folder {
    /// The kit at `root`; new records go to `journal` if given, else into the kit.
    pub fn at(root: &Path, journal: Option<&Path>) -> Self {
        Folder { root: root.to_owned(), elsewhere: journal.map(Path::to_owned) }
    }

    /// The kit's own folder.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where new records go.
    pub fn journal(&self) -> PathBuf {
        self.elsewhere.clone().unwrap_or_else(|| self.root.join("journal"))
    }

    /// One breakglass at a time: `flock` on the kit's folder, and on the other journal folder, which is made if need be.
    pub fn lock(&self) -> Result<Lock, FolderError> {
        self.elsewhere.as_deref().map_or(Ok(()), make_folder)?;
        let folders = [Some(&self.root), self.elsewhere.as_ref()];
        let mut held = Vec::new();
        for folder in folders.into_iter().flatten() {
            let file = File::open(folder).map_err(disk("open", folder))?;
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => held.push(file),
                Err(rustix::io::Errno::WOULDBLOCK) => return Err(FolderError::Busy { pid: holder(&file) }),
                Err(cause) => return Err(disk("lock", folder)(cause.into())),
            }
        }
        Ok(Lock(held))
    }

    /// Whether the medium takes a record now: 64 KiB are written, fsynced and removed.
    pub fn reserve(&self) -> Result<(), FolderError> {
        reserve_in(&self.journal())
    }

    /// Whether the kit's own medium takes what only it can take: sealed files and policies.
    pub fn reserve_in_kit(&self) -> Result<(), FolderError> {
        reserve_in(&self.root.join("journal")).map_err(|cause| FolderError::KitItself(Box::new(cause)))
    }

    /// Reads a file below the kit's folder; `None` if there is none of that name.
    pub fn read(&self, relative: &str) -> Result<Option<Vec<u8>>, FolderError> {
        read_below(&self.root, relative)
    }

    /// Names in a folder below the kit's, sorted; empty if there is no such folder.
    pub fn names(&self, relative: &str) -> Result<Vec<String>, FolderError> {
        names_in(&self.root.join(relative))
    }

    /// Every journal file by name without `.jws`: those of the kit, then those of the other journal folder.
    pub fn journal_files(&self) -> Result<Vec<(String, Vec<u8>)>, FolderError> {
        let own = self.root.join("journal");
        let mut found = Vec::new();
        for folder in [Some(own), self.elsewhere.clone()].into_iter().flatten() {
            for name in names_in(&folder)? {
                if let Some(stem) = name.strip_suffix(".jws")
                    && let Some(bytes) = read_below(&folder, &name)?
                {
                    found.push((stem.to_owned(), bytes));
                }
            }
        }
        Ok(found)
    }

    /// Writes a new file whole under its final name and fsyncs it and its folder. What a crash left under that name is
    /// written over: only content-named files that no record names yet come here.
    pub fn write_new(&self, relative: &str, bytes: &[u8]) -> Result<(), FolderError> {
        let path = self.root.join(relative);
        if Path::new(relative).components().any(|part| !matches!(part, std::path::Component::Normal(_))) {
            return Err(FolderError::NotAFile { path });
        }
        if let Some(parent) = path.parent() {
            make_folder(parent)?;
        }
        write_whole(&path, bytes)
    }

    /// Length of a key's journal where new records go, in bytes; `None` if it is not there.
    pub fn length(&self, chain: &str) -> Result<Option<u64>, FolderError> {
        let path = self.journal().join(format!("{chain}.jws"));
        match path.symlink_metadata() {
            Ok(metadata) => Ok(Some(metadata.len())),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(cause) => Err(disk("read", &path)(cause)),
        }
    }

    /// Appends one record to a key's journal, fsyncs, and returns the new length. `known` is the length that this run
    /// knows: if the file has another, nothing is written.
    pub fn append(&self, chain: &str, known: Option<u64>, record: &[u8]) -> Result<u64, FolderError> {
        let journal = self.journal();
        make_folder(&journal)?;
        let path = journal.join(format!("{chain}.jws"));
        let known = match known {
            Some(known) => known,
            None => self.begin(chain, &path)?,
        };
        let mut file =
            no_link(File::options().append(true)).open(&path).map_err(|e| written("open", &path, e))?;
        if file.metadata().map_err(disk("read", &path))?.len() != known {
            return Err(FolderError::Changed { path });
        }
        let mut line = Vec::with_capacity(record.len() + 1);
        line.extend_from_slice(record);
        line.push(b'\n');
        if let Err(cause) = file.write_all(&line).and_then(|()| file.sync_all()) {
            // Best effort: a partial line would be a torn tail, which the next run sets aside anyway.
            let _ = file.set_len(known);
            return Err(written("append to", &path, cause));
        }
        Ok(known + line.len() as u64)
    }

    /// A new journal file; kept elsewhere, it begins as a copy of what the kit has, so that it is whole by itself.
    fn begin(&self, chain: &str, path: &Path) -> Result<u64, FolderError> {
        let copy = match self.elsewhere {
            Some(_) => read_below(&self.root, &format!("journal/{chain}.jws"))?.unwrap_or_default(),
            None => Vec::new(),
        };
        write_whole(path, &copy)?;
        Ok(copy.len() as u64)
    }

    /// Moves an unterminated last line out of a journal into a file of its own beside it, and returns that file's name.
    pub fn set_tail_aside(&self, chain: &str, whole: u64, tail: &[u8]) -> Result<String, FolderError> {
        let journal = self.journal();
        let name = format!("{chain}.torn-{}", crate::record::hash::Hash::of(tail).short());
        write_whole(&journal.join(&name), tail)?;
        let path = journal.join(format!("{chain}.jws"));
        let file = no_link(File::options().write(true)).open(&path).map_err(|e| written("open", &path, e))?;
        file.set_len(whole).and_then(|()| file.sync_all()).map_err(|e| written("mend", &path, e))?;
        Ok(name)
    }

    /// Gives an unterminated last line that is a whole record the LF it lacks.
    pub fn complete_tail(&self, chain: &str) -> Result<(), FolderError> {
        let path = self.journal().join(format!("{chain}.jws"));
        let mut file =
            no_link(File::options().append(true)).open(&path).map_err(|e| written("open", &path, e))?;
        file.write_all(b"\n").and_then(|()| file.sync_all()).map_err(|e| written("mend", &path, e))
    }
}

/// Creates a folder with its parents and makes the new entries durable.
pub fn make_folder(path: &Path) -> Result<(), FolderError> {
    if path.is_dir() {
        return Ok(());
    }
    make_folder(lying_in(path))?;
    match std::fs::create_dir(path) {
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {}
        other => other.map_err(|e| written("create", path, e))?,
    }
    sync_parent(path)
}

/// Writes a file whole under its final name, fsynced with its folder.
pub fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), FolderError> {
    let mut file = no_link(File::options().write(true).create(true).truncate(true))
        .open(path)
        .map_err(|e| written("create", path, e))?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(|e| written("write", path, e))?;
    sync_parent(path)
}

/// A file to write is never reached through a link that somebody left on the medium.
fn no_link(options: &mut std::fs::OpenOptions) -> &mut std::fs::OpenOptions {
    use std::os::unix::fs::OpenOptionsExt;
    options.custom_flags(OFlags::NOFOLLOW.bits() as i32)
}

fn sync_parent(path: &Path) -> Result<(), FolderError> {
    let parent = lying_in(path);
    File::open(parent).and_then(|folder| folder.sync_all()).map_err(disk("make durable", parent))
}

/// The folder that an entry lies in: for a bare name the working folder.
fn lying_in(path: &Path) -> &Path {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    }
}

fn reserve_in(journal: &Path) -> Result<(), FolderError> {
    make_folder(journal)?;
    let path = journal.join(".reserve");
    let tried = no_link(File::options().write(true).create(true)).open(&path).and_then(|mut file| {
        // Blocks that the file system promises need not be written; FAT and others promise none.
        match rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE as u64) {
            Err(rustix::io::Errno::OPNOTSUPP) => {
                file.write_all(&[0x20; RESERVE])?;
                file.sync_all()
            }
            promised => promised.map_err(io::Error::from),
        }
    });
    let removed = std::fs::remove_file(&path);
    tried.and(removed).map_err(|cause| written("write to", journal, cause))
}

fn read_below(folder: &Path, relative: &str) -> Result<Option<Vec<u8>>, FolderError> {
    let path = folder.join(relative);
    let parent = match File::open(folder) {
        Ok(parent) => parent,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(cause) => return Err(disk("open", folder)(cause)),
    };
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK | OFlags::NOCTTY;
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS;
    let file = match rustix::fs::openat2(&parent, relative, flags, Mode::empty(), resolve) {
        Ok(file) => File::from(file),
        Err(rustix::io::Errno::NOENT) => return Ok(None),
        Err(rustix::io::Errno::LOOP | rustix::io::Errno::XDEV) => return Err(FolderError::NotAFile { path }),
        Err(cause) => return Err(disk("open", &path)(cause.into())),
    };
    let metadata = file.metadata().map_err(disk("read", &path))?;
    if !metadata.is_file() || metadata.len() > LARGEST {
        return Err(FolderError::NotAFile { path });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize + 1);
    file.take(LARGEST + 1).read_to_end(&mut bytes).map_err(disk("read", &path))?;
    Ok(Some(bytes))
}

fn names_in(folder: &Path) -> Result<Vec<String>, FolderError> {
    let entries = match std::fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(cause) => return Err(disk("list", folder)(cause)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(disk("list", folder))?;
        // A name that is not text cannot be ours.
        if let Ok(name) = entry.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

fn disk(doing: &'static str, path: &Path) -> impl Fn(io::Error) -> FolderError {
    move |cause| FolderError::Disk { doing, path: path.to_owned(), cause }
}

/// Sorts out the two failures of a write that a person can do something about.
fn written(doing: &'static str, path: &Path, cause: io::Error) -> FolderError {
    let path = path.to_owned();
    match cause.kind() {
        io::ErrorKind::ReadOnlyFilesystem | io::ErrorKind::PermissionDenied => FolderError::ReadOnly { path },
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => FolderError::Full { path },
        _ => FolderError::Disk { doing, path, cause },
    }
}

/// Who holds the lock on this file, from the kernel's list: no pid file that could go stale.
fn holder(file: &File) -> Option<u32> {
    use std::os::unix::fs::MetadataExt;
    let metadata = file.metadata().ok()?;
    let inode = format!(":{}", metadata.ino());
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let line =
        locks.lines().find(|l| l.contains("FLOCK") && l.split_whitespace().any(|w| w.ends_with(&inode)))?;
    line.split_whitespace().nth(4)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::at(dir.path(), None);
        (dir, folder)
    }

    #[test]
    fn a_second_lock_names_the_holder() {
        let (_dir, folder) = folder();
        let held = folder.lock().unwrap();
        let error = folder.lock().unwrap_err();
        assert!(
            matches!(error, FolderError::Busy { pid: Some(pid) } if pid == std::process::id()),
            "{error}"
        );
        drop(held);
        folder.lock().unwrap();
    }

    #[test]
    fn a_bare_name_lies_in_the_working_folder() {
        assert_eq!(lying_in(Path::new("kit")), Path::new("."));
        assert_eq!(lying_in(Path::new("media/kit")), Path::new("media"));
        assert_eq!(lying_in(Path::new("/kit")), Path::new("/"));
    }

    #[test]
    fn links_out_of_the_kit_are_not_followed() {
        let (dir, folder) = folder();
        std::os::unix::fs::symlink("/etc/passwd", dir.path().join("kit.toml")).unwrap();
        assert!(matches!(folder.read("kit.toml"), Err(FolderError::NotAFile { .. })));
        assert!(matches!(folder.read("../outside"), Err(FolderError::NotAFile { .. })));
        std::fs::create_dir(dir.path().join("policy")).unwrap();
        assert!(matches!(folder.read("policy"), Err(FolderError::NotAFile { .. })));
        assert!(folder.read("absent").unwrap().is_none());
    }

    #[test]
    fn nothing_is_written_outside_the_folder_that_was_named() {
        let (dir, folder) = folder();
        for outside in ["../x", "sealed/a/../../journal/1-a.jws", "/tmp/x", "sealed/./x/.."] {
            assert!(
                matches!(folder.write_new(outside, b"x"), Err(FolderError::NotAFile { .. })),
                "{outside}"
            );
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        folder.write_new("sealed/a/b/x", b"x").unwrap();
    }

    #[test]
    fn a_journal_that_changed_meanwhile_is_not_appended_to() {
        let (_dir, folder) = folder();
        assert_eq!(folder.append("1-a", None, b"one").unwrap(), 4);
        folder.append("1-a", Some(4), b"two").unwrap();
        assert!(matches!(folder.append("1-a", Some(4), b"three"), Err(FolderError::Changed { .. })));
        assert_eq!(folder.journal_files().unwrap(), [("1-a".to_owned(), b"one\ntwo\n".to_vec())]);
    }

    #[test]
    fn a_journal_elsewhere_is_whole_by_itself() {
        let (dir, folder) = folder();
        folder.append("1-a", None, b"one").unwrap();
        let other = dir.path().join("not/there/yet");
        let elsewhere = Folder::at(dir.path(), Some(&other));
        drop(elsewhere.lock().unwrap());
        elsewhere.append("1-a", None, b"two").unwrap();
        assert_eq!(std::fs::read(other.join("1-a.jws")).unwrap(), b"one\ntwo\n");
        assert_eq!(std::fs::read(dir.path().join("journal/1-a.jws")).unwrap(), b"one\n");
    }

    #[test]
    fn a_torn_tail_is_kept_beside_the_journal() {
        let (dir, folder) = folder();
        make_folder(&folder.journal()).unwrap();
        std::fs::write(dir.path().join("journal/1-a.jws"), b"one\ntw").unwrap();
        let name = folder.set_tail_aside("1-a", 4, b"tw").unwrap();
        assert_eq!(std::fs::read(dir.path().join("journal/1-a.jws")).unwrap(), b"one\n");
        assert_eq!(std::fs::read(dir.path().join("journal").join(name)).unwrap(), b"tw");
    }
}
