//! Whether the kit is the one it says, and a real one: nothing of it is proven before somebody outside has said so.

use crate::audit::assess::{Case, Told};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::ledger::Trust;
use crate::kit::roster::Standing;
use crate::kit::words::kit_words;
use crate::record::event::KitKind;

/// Nobody has confirmed that this founding record is the right one, so that all of it may be made up.
pub(super) fn kit_untrusted(case: &Case, _: &Told) -> Vec<Finding> {
    let words = kit_words(&case.kit).join(" ");
    let untrusted = |text: String| {
        let next = format!("compare with the bags, then  breakglass-audit trust {words}");
        Finding::new("KIT-UNTRUSTED", Sort::CannotCheck, Severity::High, text).on([case.kit]).then(next)
    };
    match &case.row.trust {
        None => vec![untrusted(format!(
            "nobody has confirmed the kit whose words are {words}: whoever made it up could have signed all of it"
        ))],
        Some((Trust::Pinned(keys), _)) => {
            let founder = case.all().find(|at| case.hash(*at) == case.kit).map(|at| case.chain(at).key);
            match founder.is_some_and(|founder| keys.contains(&founder)) {
                true => Vec::new(),
                false => vec![untrusted(
                    "the keys that were given for the kit do not include the one that founded it".to_owned(),
                )],
            }
        }
        Some((Trust::Words, _)) => Vec::new(),
    }
}

/// The record that founded the kit is not in the ledger.
pub(super) fn kit_founding(case: &Case, _: &Told) -> Vec<Finding> {
    if case.founded.is_some() {
        return Vec::new();
    }
    let text = "the record that founded the kit is not in the ledger: who belongs to it, and what its policy is, cannot be told";
    let finding = Finding::new("KIT-FOUNDING", Sort::CannotCheck, Severity::High, text);
    vec![finding.then("breakglass-audit import   of a bundle of the whole kit")]
}

/// The kit is for rehearsal.
pub(super) fn kit_practice(case: &Case, _: &Told) -> Vec<Finding> {
    let practice = case.founded.as_ref().is_some_and(|founded| founded.kind == KitKind::Practice);
    let text =
        "this is a practice kit: its keys are simulated, and nothing in it shows anything about a real one";
    match practice {
        true => vec![Finding::new("KIT-PRACTICE", Sort::Note, Severity::Info, text).on([case.kit])],
        false => Vec::new(),
    }
}

/// A key of the kit that is not among those that the auditor was given.
pub(super) fn key_not_pinned(case: &Case, told: &Told) -> Vec<Finding> {
    let Some((Trust::Pinned(pinned), _)) = &case.row.trust else { return Vec::new() };
    let Ok(roster) = &case.roster else { return Vec::new() };
    let belongs = |key: &_| roster.keys.get(key).is_some_and(|member| member.standing != Standing::Enrolled);
    told.keys
        .iter()
        .filter(|key| belongs(&key.key) && !pinned.contains(&key.key))
        .map(|key| {
            let text =
                format!("key {} belongs to the kit and is not among the keys that were given", key.serial);
            Finding::new("KEY-NOT-PINNED", Sort::CannotCheck, Severity::Medium, text)
                .on(roster.keys.get(&key.key).map(|member| member.enrolment))
        })
        .collect()
}
