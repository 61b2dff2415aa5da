//! `practice`: simulated keys of a practice kit.

use super::Outcome;
use super::args::PracticeVerb;
use super::desk::Desk;
use super::hint::Trouble;
use crate::device::practice::{Counting, CtapStatus, Profile, Touch};
use crate::record::event::KitKind;

mod start;

pub(super) use start::start;

pub(super) fn practice(desk: &mut Desk, verb: PracticeVerb) -> Result<Outcome, Trouble> {
    if let PracticeVerb::Start { folder } = &verb {
        return start(desk, folder);
    }
    let kit = desk.look()?;
    if kit.kind() != KitKind::Practice {
        return Err(Trouble::refused(
            "this is a real kit: it takes no practice keys",
            "rehearse in a kit of its own:  breakglass --kit DIR init --practice",
        ));
    }
    desk.practice_banner(&kit);
    let mut keys = desk.practice_keys();
    let failed = |serial, cause| crate::device::DeviceError::PracticeFile { path: serial, cause };
    let done = match verb {
        PracticeVerb::Start { .. } => unreachable!("it needs no kit, and was done above"),
        PracticeVerb::New { serial, firmware, fido2 } => {
            let profile = match firmware.as_str() {
                "5.7.4" => Profile::Firmware574,
                "5.4.3" => Profile::Firmware543,
                other => {
                    return Err(Trouble::Usage(format!(
                        "there is no practice key with firmware {other}; 5.4.3 and 5.7.4 are"
                    )));
                }
            };
            let (counting, without) = match fido2.as_str() {
                "none" => (None, ", without FIDO2"),
                "random" => (Some(Counting::Random), ""),
                "uncounted" => (Some(Counting::Never), ""),
                _ => (Some(Counting::Exact), ""),
            };
            keys.create_counting(serial, profile, counting)?;
            format!("made practice key {serial}, firmware {firmware}{without}, blank and plugged in")
        }
        PracticeVerb::Insert { serial } => {
            let key = keys.key(serial)?;
            key.insert().map_err(|cause| failed(key.path(), cause))?;
            format!("plugged in {serial}")
        }
        PracticeVerb::Remove { serial } => {
            let key = keys.key(serial)?;
            key.remove().map_err(|cause| failed(key.path(), cause))?;
            format!("took out {serial}")
        }
        PracticeVerb::Touch { serial, given } => {
            let key = keys.key(serial)?;
            let touch = if given == "on" { Touch::AT_ONCE } else { Touch::Withheld { for_ms: 2_000 } };
            key.set_touch(touch).map_err(|cause| failed(key.path(), cause))?;
            format!("{serial} is touched when it asks: {given}")
        }
        PracticeVerb::UseElsewhere { serial } => {
            let key = keys.key(serial)?;
            let used = key.with_model(|model, around| {
                model.fido2_mut().ok_or(CtapStatus::COMMAND)?.use_elsewhere(around)
            });
            let (before, after) = used.map_err(|cause| failed(key.path(), cause))?.map_err(|_| {
                Trouble::refused(
                    format!("practice key {serial} has no FIDO2 credential that could be used"),
                    format!("provision one with FIDO2:  breakglass key provision --serial {serial}"),
                )
            })?;
            format!(
                "another program used the FIDO2 credential of {serial}: its counter went from {before} to {after}"
            )
        }
    };
    if desk.json {
        desk.json_result(&serde_json::json!({ "done": done }))?;
    }
    desk.terminal.say(&done);
    Ok(Outcome::Done)
}
