//! From the ledger to a [`Case`]: the few records that say what the kit is, then all of them once, as they stream by.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use super::case::{Case, Records};
use super::facts::{Drill, Intent, Release};
use super::governance::Governance;
use super::reader::{DrillEnd, Reader};
use crate::audit::ledger::{Evidence, KitRow, LedgerError, Which};
use crate::audit::time::{At, TOLERANCE};
use crate::kit::credentials;
use crate::kit::custody;
use crate::kit::policy::Policy;
use crate::kit::roster::Standing;
use crate::record::counter::Account;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// Reads everything of that kit.
///
/// # Errors
/// Those of the ledger; what is wrong with the records is for the rules.
pub(super) fn gather(evidence: &mut dyn Evidence, kit: &Hash, now: i64) -> Result<Case, LedgerError> {
    let row = evidence.kits()?.into_iter().find(|row| row.kit == *kit).unwrap_or(KitRow {
        kit: *kit,
        records: 0,
        trust: None,
        attestation_root: None,
    });
    let governance = Governance::read(evidence, kit)?;
    let policies = policies(evidence, governance.policies())?;
    let roster = governance.roster(kit, &policies);
    let sealings = governance.sealings();
    let mut reader = Reader::new(*kit, &sealings);
    evidence.records(kit, Which::All, &mut |held| {
        reader.take(held);
        ControlFlow::Continue(())
    })?;
    for chain in &mut reader.chains {
        chain.observations = chain.account.as_ref().map(Account::observe).unwrap_or_default();
    }
    let (mut anchors, mut strange_anchors) = (Vec::new(), Vec::new());
    for (at, checkpoint, origin) in std::mem::take(&mut reader.anchored) {
        match evidence.checkpoint_time(&checkpoint)? {
            Some(time) => anchors.push((at, time)),
            None => strange_anchors.push((at, origin)),
        }
    }
    let (logins, minted_logins) = (evidence.logins(kit)?, evidence.minted_logins()?);
    let (graph, known, unmet) = reader.claims.resolve(&reader.records, &reader.chains);
    let graph = reader.weave.graph(graph);
    let bounds = graph.bounds(&reader.records.received, &anchors);
    let doubtful = |at: usize| {
        reader.records.received[at].saturating_sub(now) > TOLERANCE
            || bounds.lower[at].is_some_and(|lower| lower.saturating_sub(bounds.upper[at]) > TOLERANCE)
    };
    let clock_in_doubt = (0..bounds.upper.len()).any(doubtful);
    let credentials = match &roster {
        Ok(roster) => credentials::derive(roster, governance.sealing_records()),
        Err(_) => BTreeMap::new(),
    };
    let founded = governance.founded(kit);
    let mut new_pins: HashMap<u32, Vec<At>> = HashMap::new();
    for (at, what) in &reader.pin_changes {
        if ["pin", "unblock"].contains(&what.as_str()) {
            new_pins.entry(reader.records.chain[*at as usize]).or_default().push(*at);
        }
    }
    let mut case = Case {
        kit: *kit,
        now,
        row,
        founded,
        roster,
        policies,
        chains: reader.chains,
        records: reader.records,
        bad: reader.bad,
        unmet,
        enrolments: reader.enrolments,
        credentials,
        sealed_at: reader.sealed_at,
        confirmed_at: HashMap::new(),
        retired_at: HashMap::new(),
        intents: reader.intents,
        releases: reader.releases,
        closes: reader.closes,
        reviews: reader.reviews,
        outside: Vec::new(),
        approvals: reader.approvals,
        discharges: reader.discharges,
        mints: reader.mints,
        handed: reader.handed,
        drills: reader.drills,
        pin_changes: reader.pin_changes,
        new_pins,
        gaps_accepted: reader.gaps_accepted,
        other_kit: reader.other_kit,
        strange_anchors,
        issuers: reader.issuers,
        names: reader.names,
        known,
        graph,
        bounds,
        clock_in_doubt,
        logins,
        minted_logins,
        moves: custody::Moves::new(),
        moved_at: reader.moved.iter().map(|(at, record)| (record.hash(), *at)).collect(),
    };
    case.moves = moves(&case, &reader.moved);
    case.only_own();
    case.confirmed_at = first_of(&case, reader.confirmed);
    case.retired_at = retired(&case, reader.retired);
    link_releases(&mut case.intents, &case.releases, &case.records);
    link_ends(&mut case.drills, &reader.drill_ends, &case.records);
    case.mints.link(&case.records);
    Ok(case)
}

/// Of each the first record, by a key that belongs, that says it.
fn first_of(case: &Case, said: Vec<(Hash, At)>) -> HashMap<Hash, At> {
    let mut first: HashMap<Hash, At> = HashMap::new();
    for (of, at) in said.into_iter().filter(|(_, at)| case.belongs(*at)) {
        let earliest = first.entry(of).or_insert(at);
        if (case.claimed(at), at) < (case.claimed(*earliest), *earliest) {
            *earliest = at;
        }
    }
    first
}

/// The last signature for the retirement of each key that is retired.
fn retired(case: &Case, said: Vec<(KeyId, At)>) -> HashMap<KeyId, At> {
    let mut last: HashMap<KeyId, At> = HashMap::new();
    let is_retired = |key: &KeyId| {
        let member = case.roster.as_ref().ok().and_then(|roster| roster.keys.get(key));
        member.is_some_and(|member| matches!(member.standing, Standing::Retired { .. }))
    };
    for (key, at) in said.into_iter().filter(|(_, at)| case.belongs(*at)) {
        if is_retired(&key) {
            let latest = last.entry(key).or_insert(at);
            if (case.claimed(at), at) > (case.claimed(*latest), *latest) {
                *latest = at;
            }
        }
    }
    last
}

/// Where keys were taken, and put away, by records of keys that belong.
fn moves(case: &Case, told: &[(At, Record)]) -> custody::Moves {
    let named: Vec<(String, &Record)> = told
        .iter()
        .filter(|(at, _)| case.belongs(*at))
        .map(|(_, record)| (record.chain_name(), record))
        .collect();
    let records = named.iter().map(|(chain, record)| (chain.as_str(), *record));
    custody::derive(records, &|hash| case.policies.get(hash).cloned())
}

/// Which outcome names each intent.
fn link_releases(intents: &mut [Intent], releases: &[Release], records: &Records) {
    let mut named: HashMap<Hash, u32> = HashMap::new();
    for (index, release) in releases.iter().enumerate() {
        for intent in &release.intents {
            named.entry(*intent).or_insert(index as u32);
        }
    }
    for intent in intents {
        intent.release = named.get(&records.hash[intent.at as usize]).copied();
    }
}

/// What each drill came to: the first end that its own key signed, of the same credential and generation.
fn link_ends(drills: &mut [Drill], ends: &[DrillEnd], records: &Records) {
    let mut by_begin: HashMap<(Hash, u32), Vec<&DrillEnd>> = HashMap::new();
    for end in ends {
        by_begin.entry((end.begun, records.chain[end.ended.at as usize])).or_default().push(end);
    }
    for drill in drills {
        let of = (records.hash[drill.at as usize], records.chain[drill.at as usize]);
        let mut ends = by_begin.get(&of).into_iter().flatten();
        let own = ends.find(|end| end.of == (drill.credential, drill.generation));
        drill.ended = own.map(|end| end.ended.clone());
    }
}

/// The policies whose bytes the ledger has.
fn policies(evidence: &mut dyn Evidence, hashes: Vec<Hash>) -> Result<BTreeMap<Hash, Policy>, LedgerError> {
    let mut policies = BTreeMap::new();
    for hash in hashes {
        let bytes = evidence.policy(&hash)?.filter(|bytes| Hash::of(bytes) == hash);
        policies.extend(bytes.and_then(|bytes| Policy::parse(&bytes).ok()).map(|policy| (hash, policy)));
    }
    Ok(policies)
}
