//! Whether the records are all there, and as they were signed.

use std::collections::BTreeMap;

use super::count;
use crate::audit::assess::facts::{Bad, Break, Unmet};
use crate::audit::assess::{Case, Told};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::At;
use crate::kit::roster::Standing;

const BRING: &str = "import every other copy of the kit's journal: each stick, each earlier bundle";

fn wrong(rule: &'static str, severity: Severity, text: String) -> Finding {
    Finding::new(rule, Sort::Wrong, severity, text)
}

/// A record whose signature is not that of the key it names: it was changed after it was signed, or never signed.
pub(super) fn record_changed(case: &Case, _: &Told) -> Vec<Finding> {
    let changed = |bad: &Bad| {
        let text = format!(
            "record {}/{} ({}) is not as its key signed it: it was changed, or never signed",
            bad.chain, bad.seq, bad.event
        );
        wrong("RECORD-CHANGED", Severity::Critical, text)
            .on([bad.hash])
            .at(bad.iat)
            .then("breakglass-audit import   of another copy of that chain; keep this one as evidence")
    };
    case.bad.iter().map(changed).collect()
}

/// Records, by their chain.
fn by_chain(case: &Case, records: impl Iterator<Item = At>) -> impl Iterator<Item = Vec<At>> {
    let mut chains: BTreeMap<u32, Vec<At>> = BTreeMap::new();
    for at in records {
        chains.entry(case.records.chain[at as usize]).or_default().push(at);
    }
    chains.into_values()
}

/// Records of a key whose enrolment the ledger lacks: their signatures cannot be checked.
pub(super) fn record_unknown_key(case: &Case, _: &Told) -> Vec<Finding> {
    by_chain(case, case.all().filter(|at| !case.records.good[*at as usize]))
        .map(|records| {
            let text = format!(
                "{} of {} cannot be verified: the enrolment of that key is not in the ledger",
                count(records.len() as u64, "record"),
                case.chain(records[0]).name
            );
            Finding::new("RECORD-UNKNOWN-KEY", Sort::CannotCheck, Severity::High, text)
                .on(case.hashes(&records))
                .then("breakglass-audit import   of the bundle that begins with that key's enrolment")
        })
        .collect()
}

/// Records in a chain of this kit that name another kit.
pub(super) fn record_other_kit(case: &Case, _: &Told) -> Vec<Finding> {
    by_chain(case, case.other_kit.iter().copied())
        .map(|records| {
            let text = format!(
                "key {}: {}, from {} on, in which it names another kit; what they say does not count here",
                case.chain(records[0]).serial,
                count(records.len() as u64, "record"),
                case.named(records[0])
            );
            wrong("RECORD-OTHER-KIT", Severity::High, text)
                .on(case.hashes(&records))
                .at(case.claimed(records[0]))
        })
        .collect()
}

/// Places of a chain without a record, below one that the ledger has.
pub(super) fn chain_gap(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chain in &case.chains {
        for gap in &chain.breaks {
            let Break::Gap { from, to, before } = gap else { continue };
            if !case.records.good[*before as usize] {
                continue; // a number that nobody is known to have signed
            }
            let mut text = match from == to {
                true => format!("record {from} of {} was signed and is not in the ledger", chain.name),
                false => {
                    format!("records {from} to {to} of {} were signed and are not in the ledger", chain.name)
                }
            };
            let instead = |bad: &&Bad| bad.chain == chain.name && (*from..=*to).contains(&bad.seq);
            if case.bad.iter().any(|bad| instead(&bad)) {
                text.push_str("; what stands there was changed");
            }
            findings.push(
                wrong("CHAIN-GAP", Severity::High, text)
                    .on([case.hash(*before)])
                    .at(case.claimed(*before))
                    .then(BRING),
            );
        }
    }
    findings
}

/// Two records for one place: the key signed on two copies of its chain, or there are two of the key.
pub(super) fn chain_fork(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chain in &case.chains {
        for one in &chain.breaks {
            let (text, records) = match one {
                Break::Gap { .. } => continue,
                Break::Fork { seq, records } => (
                    format!(
                        "key {} signed {} for place {seq} of {}: it went on from an older copy of the kit, or there is a copy of the key",
                        chain.serial,
                        count(records.len() as u64, "record"),
                        chain.name
                    ),
                    &records[..],
                ),
                Break::Elsewhere(at) => (
                    format!(
                        "{} was signed on top of another record {} than the ledger holds: that branch of the chain is lacking",
                        case.named(*at),
                        case.seq(*at) - 1
                    ),
                    std::slice::from_ref(at),
                ),
            };
            if !records.iter().all(|at| case.records.good[*at as usize]) {
                continue;
            }
            findings.push(
                wrong("CHAIN-FORK", Severity::Critical, text)
                    .on(case.hashes(records))
                    .at(case.claimed(records[0]))
                    .then(BRING),
            );
        }
    }
    findings
}

/// Only keys that belong, or did, are believed: anybody may enrol a key and claim to have seen anything.
fn believed(case: &Case, unmet: &Unmet) -> bool {
    case.roster.is_err() || case.member(unmet.by).is_some_and(|member| member.standing != Standing::Enrolled)
}

/// Newer records of a chain, which others had seen or an export names, are not in the ledger.
pub(super) fn chain_lacks(case: &Case, _: &Told) -> Vec<Finding> {
    let mut ends: BTreeMap<&str, u64> = BTreeMap::new();
    for chain in &case.chains {
        let end = ends.entry(&chain.name).or_default();
        *end = (*end).max(case.seq(chain.last) + 1);
    }
    let end = |name: &str| ends.get(name).copied().unwrap_or_default();
    let mut lacking: BTreeMap<&str, &Unmet> = BTreeMap::new();
    for unmet in case.unmet.iter().filter(|unmet| !unmet.other && believed(case, unmet)) {
        if unmet.seq >= end(&unmet.chain) {
            let worst = lacking.entry(&unmet.chain).or_insert(unmet);
            if worst.seq < unmet.seq {
                *worst = unmet;
            }
        }
    }
    lacking
        .into_iter()
        .map(|(name, unmet)| {
            let what = match end(name) {
                from if from == unmet.seq => format!("record {from} of {name}"),
                from => format!("records {from} to {} of {name}", unmet.seq),
            };
            let text = format!("the ledger lacks {what}, which {} had seen", case.named(unmet.by));
            wrong("CHAIN-LACKS", Severity::High, text)
                .on([case.hash(unmet.by)])
                .at(case.claimed(unmet.by))
                .then(BRING)
        })
        .collect()
}

/// Another key had seen another record at a place than the ledger holds.
pub(super) fn chain_other(case: &Case, _: &Told) -> Vec<Finding> {
    let mut told: BTreeMap<(&str, u64), &Unmet> = BTreeMap::new();
    for unmet in case.unmet.iter().filter(|unmet| unmet.other && believed(case, unmet)) {
        told.entry((&unmet.chain, unmet.seq)).or_insert(unmet);
    }
    told.into_iter()
        .map(|((chain, seq), unmet)| {
            let text = format!(
                "{} had seen another record {chain}/{seq} than the ledger holds: the chain was forked",
                case.named(unmet.by)
            );
            wrong("CHAIN-OTHER", Severity::Critical, text)
                .on([case.hash(unmet.by)])
                .at(case.claimed(unmet.by))
                .then(BRING)
        })
        .collect()
}

/// A person went on without records that are lost.
pub(super) fn gap_accepted(case: &Case, _: &Told) -> Vec<Finding> {
    case.gaps_accepted
        .iter()
        .map(|(at, why)| {
            let text = format!("{}: a person went on without records that were lost: {why}", case.named(*at));
            Finding::new("GAP-ACCEPTED", Sort::Note, Severity::Medium, text)
                .on([case.hash(*at)])
                .at(case.claimed(*at))
        })
        .collect()
}
