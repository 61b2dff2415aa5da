//! What two people signed of a key's bag when they took it out, and keys that are not in one.

use super::duties::overdue;
use crate::attestation::Serial;
use crate::audit::assess::{Case, Told};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::kit::custody::{Move, What, check_in};
use crate::kit::roster::Standing;
use crate::record::event::SealSeen;
use crate::record::hash::KeyId;

/// A key is to be back in a bag so long after it was taken out: a day.
const BACK_WITHIN: i64 = 24 * 3_600;

fn retired(case: &Case, key: &KeyId) -> bool {
    let member = case.roster.as_ref().ok().and_then(|roster| roster.keys.get(key));
    member.is_some_and(|member| matches!(member.standing, Standing::Retired { .. }))
}

/// Every move of every key, and whether what was wrong with it is over: settled, or the key retired.
fn moves(case: &Case) -> impl Iterator<Item = (&Move, bool)> {
    case.moves.iter().flat_map(|(key, moves)| {
        let retired = retired(case, key);
        moves.iter().map(move |one| (one, retired || one.settled()))
    })
}

/// As it is told while it is not over; as a note afterwards.
fn told(rule: &'static str, sort: Sort, severity: Severity, text: String, of: (&Move, bool)) -> Finding {
    let (one, over) = of;
    let finding = match over {
        true => Finding::new(rule, Sort::Note, Severity::Low, format!("{text}; settled since")),
        false => Finding::new(rule, sort, severity, text).then(settle(one.serial)),
    };
    finding.on([one.record]).at(one.at)
}

fn settle(serial: Serial) -> String {
    format!("breakglass key pin {serial}   then   {}", check_in(serial))
}

/// A seal that was broken, or that was not there on a bag with a number.
pub(super) fn custody_seal(case: &Case, _: &Told) -> Vec<Finding> {
    moves(case)
        .filter_map(|(one, over)| {
            let (person, witness, serial) = (&one.person, &one.witness, one.serial);
            let (sort, severity, text) = match one.seal_wrong()? {
                SealSeen::Broken => (
                    Sort::Wrong,
                    Severity::High,
                    format!("{person} and {witness} found the seal of key {serial} broken: others may have had it"),
                ),
                SealSeen::None | SealSeen::Intact => (
                    Sort::CannotCheck,
                    Severity::Medium,
                    format!(
                        "{person} and {witness} found no seal on the bag of key {serial}: whether others had it cannot be told"
                    ),
                ),
            };
            Some(told("CUSTODY-SEAL", sort, severity, text, (one, over)))
        })
        .collect()
}

/// A bag with another number than the last check-in, or the policy, says.
pub(super) fn custody_bag(case: &Case, _: &Told) -> Vec<Finding> {
    moves(case)
        .filter_map(|(one, over)| {
            let (read, expected) = one.bag_wrong()?;
            let read = if read.is_empty() { "no number".to_owned() } else { format!("number {read}") };
            let (person, witness, serial) = (&one.person, &one.witness, one.serial);
            let text = format!(
                "{person} and {witness} found {read} on the bag of key {serial}, which should have been {expected}"
            );
            Some(told("CUSTODY-BAG", Sort::Wrong, Severity::High, text, (one, over)))
        })
        .collect()
}

/// A key that was taken out of its bag and not put into one for too long.
pub(super) fn key_out(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (key, moves) in &case.moves {
        let Some(one) = moves.last().filter(|one| matches!(one.what, What::Out { .. })) else { continue };
        let Some(at) = case.moved_at.get(&one.record).filter(|_| !retired(case, key)) else { continue };
        let Some((age, certain)) = overdue(case, &case.place(*at).time, BACK_WITHIN) else { continue };
        let text = format!(
            "key {} has been out of its bag for {}, with {}",
            one.serial,
            crate::audit::time::span(age),
            one.person
        );
        findings.push(
            Finding::new("KEY-OUT", Sort::Due, Severity::Medium, text)
                .on([one.record])
                .at(one.at)
                .possibly_if(!certain)
                .then(check_in(one.serial)),
        );
    }
    findings
}
