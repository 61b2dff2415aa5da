//! The command line.

use std::path::PathBuf;

use breakglass::attestation::Serial;
use breakglass::device::practice::{Authority, CreateError, PracticeKey, PracticeReaders, Profile};

use crate::reader::Atr;

/// What was asked for.
pub(crate) struct Arguments {
    pub(crate) folder: PathBuf,
    pub(crate) keys: Vec<Wanted>,
    pub(crate) atr: Atr,
    root: Option<Authority>,
}

/// One `--key PORT:SERIAL:PROFILE`.
pub(crate) struct Wanted {
    pub(crate) port: u16,
    pub(crate) serial: Serial,
    profile: Profile,
    /// Whether it waits outside until it is inserted.
    pub(crate) out: bool,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut folder, mut keys, mut atr, mut root) = (None, Vec::new(), Atr::Usb, None);
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} wants a value"));
            match word.as_str() {
                "--folder" => folder = Some(PathBuf::from(value()?)),
                "--key" => keys.push(wanted(&value()?)?),
                "--atr" => atr = value()?.parse()?,
                "--root" => root = Some(read_root(&value()?, &value()?)?),
                _ => return Err(format!("{word} is not known")),
            }
        }
        let folder = folder.ok_or("--folder is missing")?;
        Ok(Arguments { folder, keys, atr, root })
    }

    /// A blank key as wanted.
    pub(crate) fn create(
        &self,
        readers: &mut PracticeReaders,
        wanted: &Wanted,
    ) -> Result<PracticeKey, CreateError> {
        match &self.root {
            Some(root) => readers.create_under(root, wanted.serial, wanted.profile),
            None => readers.create(wanted.serial, wanted.profile),
        }
    }
}

fn wanted(text: &str) -> Result<Wanted, String> {
    let explain = || format!("{text} is not PORT:SERIAL:PROFILE[:out], as in 40000:4000001:5.7.4");
    let (port, serial, profile, out) = match text.split(':').collect::<Vec<_>>()[..] {
        [port, serial, profile] => (port, serial, profile, false),
        [port, serial, profile, "out"] => (port, serial, profile, true),
        _ => return Err(explain()),
    };
    let port = port.parse().map_err(|_| explain())?;
    let serial = serial.parse().map_err(|_| explain())?;
    Ok(Wanted { port, serial, profile: profile.parse()?, out })
}

fn read_root(certificate: &str, key: &str) -> Result<Authority, String> {
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"));
    Authority::from_pem(&read(certificate)?, &read(key)?).map_err(|error| error.to_string())
}
