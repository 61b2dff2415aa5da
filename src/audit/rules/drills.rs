//! What drills came to.

use crate::audit::assess::{Case, Told};
use crate::audit::assessment::Drill;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::kit::debts::quoted;

/// A drill in which the key did not prove that it would open, or that came to no end. Due until the same key proves itself
/// for that credential, or another generation is in force.
pub(super) fn drill_failed(case: &Case, told: &Told) -> Vec<Finding> {
    told.drills
        .iter()
        .filter(|drill| !drill.proven)
        .map(|drill| {
            let Drill { credential, generation, begun, .. } = drill;
            let what = match (&drill.failed, &drill.ended) {
                (Some(failed), _) => format!("failed: {failed}"),
                (None, Some(_)) => "failed".to_owned(),
                (None, None) => "was begun, and no record tells the end".to_owned(),
            };
            let text = format!(
                "the drill of {credential}, generation {generation}, with key {} {what}",
                begun.serial
            );
            let due = drill.ended.is_some() && in_force(case, drill) && !proven_since(told, drill);
            let (sort, severity) =
                if due { (Sort::Due, Severity::Medium) } else { (Sort::Note, Severity::Low) };
            let finding = Finding::new("DRILL-FAILED", sort, severity, text)
                .on([begun.hash])
                .on(drill.ended.as_ref().map(|ended| ended.hash))
                .at(begun.time.claimed);
            match due {
                true => {
                    finding.then(format!("breakglass drill {} --key {}", quoted(credential), begun.serial))
                }
                false => finding,
            }
        })
        .collect()
}

/// Whether no other generation has replaced the one that was drilled.
fn in_force(case: &Case, drill: &Drill) -> bool {
    let named = case.credentials.iter().find(|(name, _)| name.to_string() == drill.credential);
    named.and_then(|(_, credential)| credential.current()).is_none_or(|now| now.number <= drill.generation)
}

/// Whether the same key proved itself for the same generation further on in its chain.
fn proven_since(told: &Told, failed: &Drill) -> bool {
    told.drills.iter().any(|drill| {
        drill.proven
            && (&drill.credential, drill.generation) == (&failed.credential, failed.generation)
            && drill.begun.chain == failed.begun.chain
            && drill.begun.seq > failed.begun.seq
    })
}
