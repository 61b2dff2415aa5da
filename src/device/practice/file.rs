//! The file of a practice key: `<serial>.key`, JSON, always whole.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{SimulatedKey, Touch};
use crate::attestation::Serial;

/// The first line that a person sees in the file.
const NOTICE: &str = "This is a breakglass practice key: simulated, public, worth nothing. Never put a real secret \
                      under it.";

/// Ending of the file's name.
const EXTENSION: &str = "key";

/// What the file holds.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct State<K = SimulatedKey> {
    practice_key: String,
    pub(super) handling: Handling,
    pub(super) key: K,
}

impl<K> State<K> {
    pub(super) fn new(handling: Handling, key: K) -> Self {
        State { practice_key: NOTICE.to_owned(), handling, key }
    }
}

/// Whether and how a person uses the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Handling {
    /// Whether it is plugged in.
    pub(super) plugged_in: bool,
    /// How often it was plugged in; a connection ends with the insertion that it was made in.
    pub(super) insertions: u64,
    /// What the person does when it blinks.
    pub(super) touch: Touch,
    /// It is pulled out when so many further commands are done.
    pub(super) pulled_out_after: Option<u64>,
}

impl Handling {
    /// Plugged in, and touched whenever it blinks.
    pub(super) const READY: Handling =
        Handling { plugged_in: true, insertions: 1, touch: Touch::AT_ONCE, pulled_out_after: None };
}

/// Where one practice key is kept.
#[derive(Debug, Clone)]
pub(super) struct KeyFile {
    folder: PathBuf,
    serial: Serial,
}

impl KeyFile {
    pub(super) fn new(folder: &Path, serial: Serial) -> Self {
        KeyFile { folder: folder.to_owned(), serial }
    }

    pub(super) fn serial(&self) -> Serial {
        self.serial
    }

    pub(super) fn path(&self) -> PathBuf {
        self.folder.join(format!("{}.{EXTENSION}", self.serial))
    }

    /// The serials of every key file in the folder, in order.
    pub(super) fn all(folder: &Path) -> io::Result<Vec<KeyFile>> {
        let mut serials = Vec::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            let stem = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|extension| extension == EXTENSION)
                && let Some(serial) = stem.and_then(|stem| stem.parse().ok())
            {
                serials.push(serial);
            }
        }
        serials.sort();
        Ok(serials.into_iter().map(|serial| KeyFile::new(folder, serial)).collect())
    }

    /// Keeps every other process from the folder's keys while the lock lives.
    pub(super) fn lock(&self) -> io::Result<impl Drop + use<>> {
        Lock::on(&self.folder)
    }

    pub(super) fn load(&self) -> io::Result<(State, Vec<u8>)> {
        let bytes = std::fs::read(self.path())?;
        let state: State = serde_json::from_slice(&bytes)
            .map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))?;
        if state.key.serial != self.serial {
            let text = format!("it holds the key {}", state.key.serial);
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        Ok((state, bytes))
    }

    /// Writes the state if its bytes differ from `before`: whole under another name, synced, renamed, so that a process that
    /// is killed leaves the old state or the new one.
    pub(super) fn save(&self, state: &State<&SimulatedKey>, before: &[u8]) -> io::Result<()> {
        let mut bytes = serde_json::to_vec_pretty(state)?;
        bytes.push(b'\n');
        if bytes == before {
            return Ok(());
        }
        let scratch = self.folder.join(format!(".{}.{EXTENSION}.new", self.serial));
        let mut file = File::create(&scratch)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        std::fs::rename(&scratch, self.path())?;
        File::open(&self.folder)?.sync_all()
    }
}

/// An exclusive advisory lock, given back when dropped.
struct Lock(File);

impl Lock {
    fn on(folder: &Path) -> io::Result<Self> {
        let file = File::open(folder)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(Lock(file))
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Closing the file would give it back as well, but not while a child process still has it open.
        let _ = rustix::fs::flock(&self.0, rustix::fs::FlockOperation::Unlock);
    }
}
