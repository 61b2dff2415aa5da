//! Claimed times against what is known of them.

use crate::audit::assess::case::ChainFacts;
use crate::audit::assess::{Case, Told};
use crate::audit::finding::{Finding, Severity, Sort};
use crate::audit::time::{At, Standing, TOLERANCE, minute, span, standing};

/// One finding for each chain of which records are so: how many, and the one that is furthest off.
fn of_chains(
    case: &Case,
    rule: &'static str,
    off: impl Fn(At) -> Option<i64>,
    text: impl Fn(&ChainFacts, usize, At, i64) -> String,
) -> Vec<Finding> {
    let mut findings = Vec::new();
    for chain in &case.chains {
        let mut records: Vec<At> = Vec::new();
        let mut worst: Option<(i64, At)> = None;
        for at in case.of_chain(chain).filter(|at| case.records.good[*at as usize]) {
            let Some(by) = off(at) else { continue };
            records.push(at);
            if worst.is_none_or(|(most, _)| by > most) {
                worst = Some((by, at));
            }
        }
        let Some((by, at)) = worst else { continue };
        findings.push(
            Finding::new(rule, Sort::Wrong, Severity::Low, text(chain, records.len(), at, by))
                .on(case.hashes(&records))
                .at(case.claimed(at))
                .possibly_if(case.clock_in_doubt),
        );
    }
    findings
}

fn of(case: &Case, at: At) -> Standing {
    standing(case.claimed(at), case.bounds.lower[at as usize], case.bounds.upper[at as usize])
}

fn so_many(records: usize) -> String {
    match records {
        1 => "a record claims".to_owned(),
        records => format!("{records} records claim"),
    }
}

/// Records that claim a later time than that at which the ledger held them, or something built on them.
pub(super) fn time_ahead(case: &Case, _: &Told) -> Vec<Finding> {
    let ahead = |at| match of(case, at) {
        Standing::Ahead(by) => Some(by),
        _ => None,
    };
    of_chains(case, "TIME-AHEAD", ahead, |chain, records, at, by| {
        format!(
            "key {}: {} a time after it was known, by up to {}: {} claims {}",
            chain.serial,
            so_many(records),
            span(by),
            case.named(at),
            minute(case.claimed(at))
        )
    })
}

/// Records that claim an earlier time than that of the checkpoint they are built on.
pub(super) fn time_behind(case: &Case, _: &Told) -> Vec<Finding> {
    let behind = |at| match of(case, at) {
        Standing::Behind(by) => Some(by),
        _ => None,
    };
    of_chains(case, "TIME-BEHIND", behind, |chain, records, at, by| {
        format!(
            "key {}: {} a time before the checkpoint that it is built on, by up to {}: {} claims {}",
            chain.serial,
            so_many(records),
            span(by),
            case.named(at),
            minute(case.claimed(at))
        )
    })
}

/// Records that claim an earlier time than one they were made after: one of the two clocks was wrong.
pub(super) fn time_backwards(case: &Case, _: &Told) -> Vec<Finding> {
    let earlier = |at: At, before: At| {
        let by = case.claimed(before).saturating_sub(case.claimed(at));
        (by > TOLERANCE).then_some(by)
    };
    let back = |at: At| {
        let before = case.graph.before[at as usize].and_then(|before| earlier(at, before));
        before.max(case.graph.seen_by(at).filter_map(|seen| earlier(at, seen)).max())
    };
    of_chains(case, "TIME-BACKWARDS", back, |chain, records, at, by| {
        format!(
            "key {}: {} an earlier time than one it was made after, by up to {}: {} claims {}; one of the two clocks was wrong",
            chain.serial,
            so_many(records),
            span(by),
            case.named(at),
            minute(case.claimed(at))
        )
    })
    .into_iter()
    .map(|finding| Finding { claim: crate::audit::finding::Claim::Certain, ..finding })
    .collect()
}

/// No record names a checkpoint of this ledger, so nothing says how early a record can be.
pub(super) fn time_unanchored(case: &Case, _: &Told) -> Vec<Finding> {
    let anchored = case.bounds.lower.iter().any(Option::is_some);
    if anchored || case.records.hash.is_empty() {
        return Vec::new();
    }
    let text = "no record names a checkpoint of this ledger: nothing but the machines' own clocks says how early anything was";
    vec![
        Finding::new("TIME-UNANCHORED", Sort::NotChecked, Severity::Info, text)
            .then("breakglass-audit checkpoint   and, at the kit,  breakglass records anchor FILE"),
    ]
}

/// A kit was given a checkpoint that this ledger has not made: another ledger's, or this one was set back since.
pub(super) fn anchor_unknown(case: &Case, _: &Told) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (at, origin) in &case.strange_anchors {
        let text = format!(
            "{} names a checkpoint of the ledger {} that this ledger has not made: it is another's, or this one was set back since",
            case.named(*at),
            case.names.get(*origin)
        );
        findings.push(
            Finding::new("ANCHOR-UNKNOWN", Sort::CannotCheck, Severity::High, text)
                .on([case.hash(*at)])
                .at(case.claimed(*at))
                .then("compare with the ledger that made it, and with the receipts that were given out"),
        );
    }
    findings
}

/// The ledger's own clock contradicts itself: what rests on it is possible at most.
pub(super) fn ledger_clock(case: &Case, _: &Told) -> Vec<Finding> {
    let text = "the ledger's own clock contradicts itself: records came in later than it is now, or before a checkpoint that they name was made; no time bound of this kit is certain";
    match case.clock_in_doubt {
        true => vec![Finding::new("LEDGER-CLOCK", Sort::CannotCheck, Severity::Medium, text)],
        false => Vec::new(),
    }
}
