//! Hints for what a key, or the way to it, does.

use super::{Advice, Code, Keys, NOT_OPENED, UNCHANGED, say, with};
use crate::attestation::Serial;
use crate::cli::doctor::likely_holders;
use crate::device::DeviceError;

pub(super) fn device(error: &DeviceError, serial: Option<Serial>, keys: &Keys) -> Advice {
    const MORE: &str = "(breakglass doctor looks for more)";
    match error {
        DeviceError::NoService => {
            say(Code::Key, UNCHANGED, &format!("start it:  sudo systemctl start pcscd        {MORE}"))
        }
        DeviceError::AccessDenied => {
            say(Code::Key, UNCHANGED, &format!("allow it: udev/README.md says how        {MORE}"))
        }
        DeviceError::NoKey => with(keys, say(Code::Key, UNCHANGED, &format!("plug one in        {MORE}"))),
        DeviceError::Absent(_) => with(keys, say(Code::Key, UNCHANGED, "plug it in")),
        DeviceError::TwoWithSerial(_) => with(
            keys,
            say(Code::Key, "no PIN was sent to either.", "keep both, with their bags, as evidence"),
        ),
        DeviceError::Busy { .. } => {
            let mut advice = say(Code::Busy, "nothing was sent to it.", "");
            let holders = likely_holders();
            advice.next.extend(holders.iter().map(|(name, free)| format!("it may be {name}:  {free}")));
            if holders.is_empty() {
                advice.next.push("end the program that holds it; another user's is seen by root only".into());
            }
            with(keys, advice)
        }
        DeviceError::Removed { .. } => with(
            keys,
            say(Code::Key, "no PIN is sent again by itself.", "plug it in and run the command again"),
        ),
        DeviceError::TimedOut { .. }
        | DeviceError::Malformed { .. }
        | DeviceError::Refused { .. }
        | DeviceError::Unexplained { .. } => {
            with(keys, say(Code::Key, "", "take it out and use another key; keep this one for examination"))
        }
        DeviceError::NoPiv { .. } => say(Code::Key, UNCHANGED, "it is no YubiKey with PIV: use another one"),
        DeviceError::WrongPin { .. } => {
            with(keys, say(Code::Pin, "each wrong PIN has spent a try.", "run it again with the right PIN"))
        }
        DeviceError::PinBlocked => {
            let unblock = format!(
                "unblock it with the PUK:  breakglass key pin {} --what unblock",
                serial.map_or("SERIAL".into(), |s| s.to_string())
            );
            let next = match serial.and_then(|serial| keys.puk_holder(serial)) {
                Some(name) => format!("{unblock}        {name} holds the PUK"),
                None => unblock,
            };
            with(keys, say(Code::Pin, NOT_OPENED, &next))
        }
        DeviceError::WrongPuk { .. } => {
            say(Code::Pin, "one PUK try was spent.", "run it again with the right PUK")
        }
        DeviceError::PukBlocked => {
            with(keys, say(Code::Pin, "", "only a reset helps this key; its shares are lost"))
        }
        DeviceError::PinNotAccepted => {
            say(Code::Pin, UNCHANGED, "choose another: 8 digits that are no pattern")
        }
        DeviceError::NotTouched => with(
            keys,
            say(
                Code::Key,
                "the PIN was right, no try was spent.",
                "run it again and touch the key when it blinks",
            ),
        ),
        DeviceError::EmptySlot(_) => {
            with(keys, say(Code::Key, UNCHANGED, "it was reset or never provisioned"))
        }
        DeviceError::PresenceNeedsPin(_) => with(keys, say(Code::Key, "no PIN was sent to it.", "")),
        DeviceError::NotGenuine(_) => with(
            keys,
            say(
                Code::Key,
                "no PIN was sent to it.",
                "it may have been swapped. keep it and its bag as evidence, and use another key",
            ),
        ),
        DeviceError::BadSignature(_) => {
            with(keys, say(Code::Integrity, NOT_OPENED, "keep this key as evidence, and use another one"))
        }
        DeviceError::ManagementKey | DeviceError::NoProtectedManagementKey => say(
            Code::Key,
            "",
            "its management key is not the one this tool set; breakglass key inspect tells more",
        ),
        DeviceError::WriteLost { .. } => say(Code::Key, "", "the key's storage fails: provision another one"),
        DeviceError::ObjectTooLarge { .. } => say(Code::Key, UNCHANGED, ""),
        DeviceError::Service(_) => say(Code::Key, UNCHANGED, MORE),
        DeviceError::PracticeFile { .. } => say(Code::Disk, UNCHANGED, "breakglass practice new --serial N"),
    }
}
