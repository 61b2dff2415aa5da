//! A folder of practice keys in the place of PC/SC readers.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use super::file::{Handling, KeyFile, State};
use super::{
    Authority, AuthorityError, Counting, PracticeCard, PracticeKey, Profile, SimulatedKey, Surroundings,
};
use crate::attestation::Serial;
use crate::device::fido2::{Authenticator, Fido2Error};
use crate::device::piv::Session;
use crate::device::{Administer, Attached, DeviceError, Key, Readers};

/// The keys of a folder. Each `<serial>.key` in it is a key, plugged in unless its file says otherwise.
pub struct PracticeReaders {
    folder: PathBuf,
    around: Surroundings,
    open: BTreeMap<Serial, PracticeKey>,
}

/// Why a practice key could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A key with that serial is there.
    #[error("{0} exists already")]
    Exists(PathBuf),
    /// The folder or the file.
    #[error("cannot write {path}")]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Its attestation certificate.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
}

impl PracticeReaders {
    /// Keys are looked for in `folder`, which need not exist yet.
    pub fn new(folder: &Path, around: Surroundings) -> Self {
        PracticeReaders { folder: folder.to_owned(), around, open: BTreeMap::new() }
    }

    /// Makes a blank practice key and plugs it in. It has FIDO2, whose counter moves by 1.
    pub fn create(&mut self, serial: Serial, profile: Profile) -> Result<PracticeKey, CreateError> {
        self.create_counting(serial, profile, Some(Counting::Exact))
    }

    /// The same with another counter, or without FIDO2.
    pub fn create_counting(
        &mut self,
        serial: Serial,
        profile: Profile,
        fido2: Option<Counting>,
    ) -> Result<PracticeKey, CreateError> {
        self.create_file(Authority::practice()?, serial, profile, fido2)
    }

    /// Makes a blank key whose attestation ends at another root, which then decides what it may be taken for: the
    /// tests' virtual YubiKeys come from here. It has no FIDO2.
    pub fn create_under(
        &mut self,
        authority: &Authority,
        serial: Serial,
        profile: Profile,
    ) -> Result<PracticeKey, CreateError> {
        self.create_file(authority, serial, profile, None)
    }

    fn create_file(
        &mut self,
        authority: &Authority,
        serial: Serial,
        profile: Profile,
        fido2: Option<Counting>,
    ) -> Result<PracticeKey, CreateError> {
        let file = KeyFile::new(&self.folder, serial);
        let failed = |cause| CreateError::File { path: file.path(), cause };
        std::fs::create_dir_all(&self.folder).map_err(failed)?;
        let _lock = file.lock().map_err(failed)?;
        if file.path().exists() {
            return Err(CreateError::Exists(file.path()));
        }
        let key = SimulatedKey::new(serial, profile, authority, &self.around)?.with_fido2(fido2);
        file.save(&State::new(Handling::READY, &key), &[]).map_err(failed)?;
        self.open(&file).map_err(failed)
    }

    /// Every key of the folder, plugged in or not, in order of serials.
    pub fn keys(&mut self) -> Result<Vec<PracticeKey>, DeviceError> {
        let files = match KeyFile::all(&self.folder) {
            Ok(files) => files,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Vec::new(),
            Err(cause) => return Err(DeviceError::PracticeFile { path: self.folder.clone(), cause }),
        };
        files
            .iter()
            .map(|file| {
                self.open(file).map_err(|cause| DeviceError::PracticeFile { path: file.path(), cause })
            })
            .collect()
    }

    /// The key with that serial, plugged in or not.
    pub fn key(&mut self, serial: Serial) -> Result<PracticeKey, DeviceError> {
        let file = KeyFile::new(&self.folder, serial);
        match self.open(&file) {
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => Err(DeviceError::Absent(serial)),
            other => other.map_err(|cause| DeviceError::PracticeFile { path: file.path(), cause }),
        }
    }

    /// One handle per key, so that all connections share what the PIN has allowed.
    fn open(&mut self, file: &KeyFile) -> io::Result<PracticeKey> {
        if let Some(key) = self.open.get(&file.serial()) {
            return Ok(key.clone());
        }
        let key = PracticeKey::in_file(file.clone(), self.around.clone())?;
        self.open.insert(file.serial(), key.clone());
        Ok(key)
    }

    /// A session with the key, if it is plugged in.
    fn session(&mut self, serial: Serial) -> Result<Session<PracticeCard>, DeviceError> {
        let key = self.key(serial)?;
        if !is_plugged_in(&key)? {
            return Err(DeviceError::Absent(serial));
        }
        Session::connect(key.card(), self.around.random())
    }
}

impl Readers for PracticeReaders {
    fn attached(&mut self) -> Result<Vec<Attached>, DeviceError> {
        let mut attached = Vec::new();
        for key in self.keys()? {
            if is_plugged_in(&key)? {
                attached.push(Attached { serial: key.serial(), reader: key.name().to_owned() });
            }
        }
        Ok(attached)
    }

    fn connect(&mut self, serial: Serial) -> Result<Box<dyn Key>, DeviceError> {
        Ok(Box::new(self.session(serial)?))
    }

    fn administer(&mut self, serial: Serial) -> Result<Box<dyn Administer>, DeviceError> {
        Ok(Box::new(self.session(serial)?))
    }

    fn authenticator(&mut self, serial: Serial) -> Result<Box<dyn Authenticator>, Fido2Error> {
        let mut others = false;
        for key in self.keys().map_err(service)? {
            if !is_plugged_in(&key).map_err(service)? || !has_fido2(&key).map_err(service)? {
                continue;
            }
            if key.serial() == serial {
                return Ok(Box::new(key.authenticator()));
            }
            others = true;
        }
        Err(if others { Fido2Error::Absent(serial) } else { Fido2Error::NoDevice })
    }
}

fn has_fido2(key: &PracticeKey) -> Result<bool, DeviceError> {
    key.with_model(|model, _| model.fido2().is_some())
        .map_err(|cause| DeviceError::PracticeFile { path: key.path(), cause })
}

/// What keeps the FIDO2 side from being looked for, in one sentence.
fn service(error: DeviceError) -> Fido2Error {
    Fido2Error::Service(match std::error::Error::source(&error) {
        Some(cause) => format!("{error}: {cause}"),
        None => error.to_string(),
    })
}

fn is_plugged_in(key: &PracticeKey) -> Result<bool, DeviceError> {
    key.plugged_in().map_err(|cause| DeviceError::PracticeFile { path: key.path(), cause })
}

#[cfg(test)]
mod tests;
