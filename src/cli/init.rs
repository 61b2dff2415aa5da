//! `init`: a folder with a commented kit.toml.

use super::Outcome;
use super::args::Init;
use super::desk::Desk;
use super::hint::Trouble;
use crate::kit::KitError;
use crate::kit::policy::{Policy, template};
use crate::record::event::KitKind;

pub(super) fn init(desk: &mut Desk, options: &Init) -> Result<Outcome, Trouble> {
    let folder = desk.folder();
    let kind = if options.practice { KitKind::Practice } else { KitKind::Real };
    let text = template(&options.name, kind);
    Policy::parse(text.as_bytes())?;
    crate::kit::folder::make_folder(desk.kit_path()).map_err(KitError::from)?;
    let _lock = folder.lock().map_err(KitError::from)?;
    if folder.read("kit.toml").map_err(KitError::from)?.is_some() {
        let path = desk.kit_path().join("kit.toml");
        return Err(Trouble::refused(
            format!("{} is there already", path.display()),
            "name another folder with --kit, or go on with this one:  breakglass key provision",
        ));
    }
    folder.write_new("kit.toml", text.as_bytes()).map_err(KitError::from)?;
    let path = desk.kit_path().join("kit.toml");
    if desk.json {
        desk.json_result(&serde_json::json!({ "kit_toml": path, "kind": kind }))?;
    }
    desk.terminal.say(&format!("wrote {}. it has no effect before the kit is founded.", path.display()));
    desk.terminal.say("fill in names, emergencies and places. then:  breakglass key provision");
    Ok(Outcome::Done)
}
