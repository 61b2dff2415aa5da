//! `practice`: simulated keys of a practice kit.

use super::Outcome;
use super::args::PracticeVerb;
use super::desk::Desk;
use super::hint::Trouble;
use crate::device::practice::{Profile, Touch};
use crate::record::event::KitKind;

pub(super) fn practice(desk: &mut Desk, verb: PracticeVerb) -> Result<Outcome, Trouble> {
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
        PracticeVerb::New { serial, firmware } => {
            let profile = match firmware.as_str() {
                "5.7.4" => Profile::Firmware574,
                "5.4.3" => Profile::Firmware543,
                other => {
                    return Err(Trouble::Usage(format!(
                        "there is no practice key with firmware {other}; 5.4.3 and 5.7.4 are"
                    )));
                }
            };
            keys.create(serial, profile)?;
            format!("made practice key {serial}, firmware {firmware}, blank and plugged in")
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
    };
    if desk.json {
        desk.json_result(&serde_json::json!({ "done": done }))?;
    }
    desk.terminal.say(&done);
    Ok(Outcome::Done)
}
