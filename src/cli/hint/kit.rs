//! Hints for what the kit's folder and journal do.

use super::{Advice, Code, NOT_OPENED, UNCHANGED, say};
use crate::kit::KitError;
use crate::kit::folder::FolderError;

pub(super) fn kit(error: &KitError) -> Advice {
    match error {
        KitError::Folder(error) => folder(error),
        KitError::NotAKit(_) => say(
            Code::Usage,
            UNCHANGED,
            "name the kit:  breakglass --kit DIR …   or make one:  breakglass init",
        ),
        KitError::Policy(_) => say(Code::Usage, UNCHANGED, "mend kit.toml, then:  breakglass policy check"),
        KitError::AdoptedPolicy(_) => say(
            Code::Integrity,
            NOT_OPENED,
            "bring another copy of the kit and run  breakglass kit merge DIR   or open without us: doc/recovery.md",
        ),
        KitError::Roster(_) => say(
            Code::Integrity,
            NOT_OPENED,
            "keep this stick as it is and use another copy of the kit, or open without us: doc/recovery.md",
        ),
        KitError::Founded => say(Code::Refused, UNCHANGED, ""),
        KitError::NotFounded => {
            say(Code::Refused, UNCHANGED, "found it with its first key:  breakglass key admit SERIAL")
        }
    }
}

fn folder(error: &FolderError) -> Advice {
    match error {
        FolderError::Disk { .. } => {
            say(Code::Disk, "what was acknowledged before is on disk.", "check the medium")
        }
        FolderError::ReadOnly { .. } | FolderError::Full { .. } => {
            say(Code::Disk, NOT_OPENED, "write the records elsewhere:  --journal DIR")
        }
        FolderError::KitItself(_) => {
            say(Code::Disk, UNCHANGED, "do it on a writable copy with room, then:  breakglass kit merge DIR")
        }
        FolderError::NotAFile { .. } => {
            say(Code::Integrity, NOT_OPENED, "nothing of a kit is a link or a device: use another copy of it")
        }
        FolderError::Busy { .. } => say(Code::Busy, UNCHANGED, "wait for it, or end it if it hangs"),
        FolderError::Changed { .. } => say(Code::Busy, "nothing was appended.", "run it again"),
    }
}
