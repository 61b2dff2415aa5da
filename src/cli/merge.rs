//! `kit merge DIR`: takes over what another copy of the kit has more.

use std::path::Path;

use super::Outcome;
use super::desk::Desk;
use super::findings::counted;
use super::hint::Trouble;
use crate::kit::folder::Folder;
use crate::kit::merge::merge as take_over;

pub(super) fn merge(desk: &mut Desk, other: &Path) -> Result<Outcome, Trouble> {
    let (mut kit, _lock) = desk.work()?;
    let merged = take_over(&mut kit, &Folder::at(other, None))?;
    let wrong = !merged.forks.is_empty() || !merged.damaged.is_empty();
    if desk.json {
        desk.json_result(&merged)?;
    } else {
        desk.line(&format!(
            "took over {} and {} from {}",
            counted(merged.records as usize, "record"),
            counted(merged.files as usize, "file"),
            other.display()
        ))?;
        for path in &merged.mended {
            desk.line(&format!("mended       {path}: it was damaged here and whole there"))?;
        }
        for chain in &merged.damaged {
            desk.line(&format!(
                "wrong        {chain} is damaged in the other copy: only what is intact there and follows ours was taken over"
            ))?;
        }
        for chain in &merged.forks {
            desk.line(&format!(
                "wrong        {chain}: the other copy holds another branch; it is kept beside ours, in journal/. its key signed twice, or a stick was used after a crash"
            ))?;
        }
    }
    Ok(if wrong { Outcome::Wrong } else { Outcome::Done })
}
