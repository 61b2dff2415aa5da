//! What the keys' FIDO2 counters show: the one trace of a use that nobody recorded.

use super::count;
use crate::audit::assess::case::ChainFacts;
use crate::audit::assess::{Case, Told};
use crate::audit::assessment::Use;
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::{At, day};
use crate::record::counter::{Claim, Counted, Observation};
use crate::record::event::CounterProfile;

/// Observations of all chains with the records they are about.
fn observed(case: &Case) -> impl Iterator<Item = (&ChainFacts, Option<At>, &Observation)> {
    case.chains.iter().flat_map(move |chain| {
        chain.observations.iter().map(move |one| (chain, case.record_at(chain, one.seq), one))
    })
}

fn finding(
    case: &Case,
    at: Option<At>,
    rule: &'static str,
    sort: Sort,
    severity: Severity,
    text: String,
) -> Finding {
    let finding = Finding::new(rule, sort, severity, text);
    match at {
        Some(at) => finding.on([case.hash(at)]).at(case.claimed(at)),
        None => finding,
    }
}

/// Of the newest assertion before that place: since when the counter was moved.
fn since(case: &Case, chain: &ChainFacts, seq: u64) -> Option<At> {
    let shown = chain.account.as_ref()?.shown().take_while(|(place, _)| *place < seq).last()?;
    case.record_at(chain, shown.0)
}

/// A counter that moved further than the records account for: the key was used without a record.
pub(super) fn counter_jump(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chain in &case.chains {
        let exact = matches!(
            chain.account.as_ref().and_then(|account| account.profile()),
            Some(CounterProfile::Exact { .. })
        );
        // On a key without fixed step every assertion leaves the same doubt: it is told once.
        let mut doubt = 0u64;
        for one in &chain.observations {
            let Counted::Jump { more, claim } = one.what else { continue };
            if !exact {
                doubt += u64::from(more);
                continue;
            }
            let at = case.record_at(chain, one.seq);
            let before = since(case, chain, one.seq);
            let when =
                before.map_or_else(String::new, |at| format!(" on or after {}", day(case.claimed(at))));
            let times = match more {
                1 => "once".to_owned(),
                more => format!("{more} times"),
            };
            let text = format!("key {} was used {times}{when} without a record", chain.serial);
            let (sort, text) = match claim {
                Claim::Certain => (Sort::Wrong, text),
                Claim::Possible => {
                    (Sort::CannotCheck, format!("{text}, or the records that are lacking tell of it"))
                }
            };
            findings.push(
                finding(case, at, "COUNTER-JUMP", sort, Severity::Critical, text)
                    .on(before.map(|at| case.hash(at)))
                    .possibly_if(claim == Claim::Possible)
                    .then("rotate what this key opens; find out who had it"),
            );
        }
        if doubt > 0 {
            let text = format!(
                "whether key {} was used without a record cannot be told: its counter moves by no fixed step, and moved by {doubt} more than there are uses on record",
                chain.serial
            );
            findings.push(
                finding(case, Some(chain.last), "COUNTER-JUMP", Sort::CannotCheck, Severity::Low, text)
                    .possibly(),
            );
        }
    }
    findings
}

/// A counter that did not move.
pub(super) fn counter_standstill(case: &Case, _: &Told) -> Vec<Finding> {
    observed(case)
        .filter_map(|(chain, at, one)| {
            let Counted::Standstill { at: counter } = one.what else { return None };
            let text = format!(
                "key {}, place {}: its counter stands at {counter} as before, which no use leaves it at: there is a copy of the key, or one assertion was recorded twice",
                chain.serial, one.seq
            );
            Some(finding(case, at, "COUNTER-STANDSTILL", Sort::Wrong, Severity::Critical, text).then(format!(
                "breakglass key retire {} --why …   and rotate what it opens",
                chain.serial
            )))
        })
        .collect()
}

/// A counter that went back.
pub(super) fn counter_regress(case: &Case, _: &Told) -> Vec<Finding> {
    observed(case)
        .filter_map(|(chain, at, one)| {
            let Counted::Regress { from, to } = one.what else { return None };
            let text = format!(
                "key {}, place {}: its counter went from {from} to {to}, which the enrolled key's does not: there is a copy of it, or another key",
                chain.serial, one.seq
            );
            Some(finding(case, at, "COUNTER-REGRESS", Sort::Wrong, Severity::Critical, text).then(format!(
                "breakglass key retire {} --why …   and rotate what it opens",
                chain.serial
            )))
        })
        .collect()
}

/// A counter that moved by more than one, and openings that stopped half way account for it.
pub(super) fn counter_explained(case: &Case, _: &Told) -> Vec<Finding> {
    observed(case)
        .filter_map(|(chain, at, one)| {
            let Counted::Explained { more } = one.what else { return None };
            let text = format!(
                "key {}, place {}: its counter moved {} more than there are assertions on record; openings that stopped in between account for it",
                chain.serial,
                one.seq,
                count(u64::from(more), "time")
            );
            Some(finding(case, at, "COUNTER-EXPLAINED", Sort::Note, Severity::Info, text))
        })
        .collect()
}

/// An assertion that is no evidence.
pub(super) fn assertion_invalid(case: &Case, _: &Told) -> Vec<Finding> {
    observed(case)
        .filter_map(|(chain, at, one)| {
            let (sort, severity, why) = match one.what {
                Counted::Invalid(flaw) => {
                    (Sort::Wrong, Severity::High, format!("is no good evidence: {flaw}"))
                }
                Counted::OverUnknown => {
                    (Sort::CannotCheck, Severity::Medium, "is over a record that the ledger lacks".to_owned())
                }
                _ => return None,
            };
            let text = format!("key {}, place {}: its assertion {why}", chain.serial, one.seq);
            Some(finding(case, at, "ASSERTION-INVALID", sort, severity, text))
        })
        .collect()
}

/// A record that an assertion should follow, and none does.
pub(super) fn assertion_missing(case: &Case, _: &Told) -> Vec<Finding> {
    observed(case)
        .filter(|(.., one)| one.what == Counted::Missing)
        .map(|(chain, at, one)| {
            let event = at.map_or("record", |at| case.records.event[at as usize]);
            let text = format!(
                "key {}, place {}: no assertion follows the {event}: it stopped in between, or the assertion was left out",
                chain.serial, one.seq
            );
            finding(case, at, "ASSERTION-MISSING", Sort::Note, Severity::Low, text)
        })
        .collect()
}

/// Keys whose silence proves nothing: they keep no count, or none that can be told apart.
pub(super) fn silence_unproven(case: &Case, told: &Told) -> Vec<Finding> {
    let counts = |key: &&crate::audit::assessment::KeyStatement| {
        key.periods.iter().any(|period| matches!(period.use_of_it, Use::ProvenUnused))
    };
    let belonging = told.keys.iter().filter(|key| matches!(key.standing, "admitted" | "frozen" | "retired"));
    belonging
        .filter(|key| !counts(key))
        .filter_map(|key| {
            let why = key.periods.iter().find_map(|period| match &period.use_of_it {
                Use::CannotBeProven(why) => Some(why),
                _ => None,
            })?;
            let text =
                format!("that key {} was not used without a record was never proven: {why}", key.serial);
            let records =
                case.chains.iter().filter(|chain| chain.name == key.chain).map(|chain| case.hash(chain.last));
            Some(Finding::new("SILENCE-UNPROVEN", Sort::NotChecked, Severity::Info, text).on(records))
        })
        .collect()
}
