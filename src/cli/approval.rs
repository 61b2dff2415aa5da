//! Approvals at an opening: files that are read, verified and taken into the journal, and the line of the plan.

use std::path::{Path, PathBuf};

use super::brought::read;
use super::desk::Desk;
use super::hint::Trouble;
use crate::kit::Kit;
use crate::kit::approval::{Approval, MOST_RECORDS, NotTaken, READ_CAP, Taken};
use crate::kit::policy::Approval as Asked;
use crate::unlock::PlannedConsent;

/// Reads these files, verifies what is signed in them, and puts the records into the journal. Each counts once.
pub(super) fn take_in(desk: &mut Desk, kit: &mut Kit, files: &[PathBuf]) -> Result<Vec<Approval>, Trouble> {
    let mut approvals: Vec<Approval> = Vec::new();
    let mut apart: Vec<(&PathBuf, Approval)> = Vec::new();
    for path in files {
        // The request, and the records.
        let bytes = read(desk, path, READ_CAP, 1 + MOST_RECORDS, "the approval")?;
        let approval = Approval::parse(&bytes).map_err(|error| {
            let next = "the file that breakglass approve wrote:  --approval FILE   or its codes, scanned:  --approval -";
            Trouble::refused(format!("{}: {error}", path.display()), next)
        })?;
        apart.push((path, approval));
    }
    // One of them may rest on another: so often as there are files, whatever their order.
    for _ in files {
        let mut still = Vec::new();
        for (path, approval) in apart {
            match approval.take_into(kit).map_err(|cause| not_taken(cause, path))? {
                Taken::Known | Taken::Appended(_) if approvals.contains(&approval) => {}
                Taken::Known | Taken::Appended(_) => approvals.push(approval),
                Taken::Apart(_) => still.push((path, approval)),
            }
        }
        apart = still;
    }
    for (path, approval) in apart {
        if let Taken::Apart(lacks) = approval.take_into(kit).map_err(|cause| not_taken(cause, path))? {
            desk.terminal.say(&format!(
                "note: this copy lacks {lacks}. the approval of {} counts, and is not put into its journal; bring the copies together later:  breakglass kit merge DIR",
                approval.facts().approver
            ));
        }
        if !approvals.contains(&approval) {
            approvals.push(approval);
        }
    }
    Ok(approvals)
}

fn not_taken(cause: NotTaken, path: &Path) -> Trouble {
    let what = format!("{}: {cause}", path.display());
    let next = match cause {
        NotTaken::Kit(error) => return error.into(),
        NotTaken::UnknownKey(_) => "bring both copies of the kit together:  breakglass kit merge DIR",
        NotTaken::NoRight { .. } => {
            "have somebody else approve it, with an admitted key:  breakglass key list"
        }
        NotTaken::OtherKit => "compare the words with the bags",
        NotTaken::BadSignature { .. } => "have it written again:  breakglass approve FILE",
        NotTaken::Fork { .. } => "bring the other stick and run  breakglass kit merge DIR",
    };
    Trouble::refused(what, next)
}

/// `  approval  …`, where anything is asked for or given.
pub(super) fn line(consent: &PlannedConsent, approvals: &[Approval]) -> Option<String> {
    let words = approvals.first().map_or(String::new(), |one| format!("     words  {}", one.request.words()));
    let others = consent.others.join(", ");
    let others = if others.is_empty() { "nobody" } else { &others };
    let given = match consent.approved.is_empty() {
        true => "none given".to_owned(),
        false => format!("by {}", consent.approved.join(", ")),
    };
    let skips = consent.record.as_ref().is_some_and(|record| !record.skipped.is_empty());
    let text = match (consent.asked, skips) {
        (_, true) => format!(
            "{given}; the policy lets you go on, and the record will name who was not asked: {others}{words}"
        ),
        (Asked::Notify, false) => format!("none is asked for; to be told afterwards: {others}{words}"),
        (Asked::Number(_), false) if consent.approved.is_empty() => {
            "none given; the policy lets you go on, and names nobody who could be asked".to_owned()
        }
        (Asked::None, false) if consent.approved.is_empty() => return None,
        (Asked::None | Asked::Number(_), false) => format!("{given}{words}"),
    };
    Some(format!("  approval  {text}"))
}
