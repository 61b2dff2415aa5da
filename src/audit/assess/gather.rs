//! From the ledger to a [`Case`]: the few records that say what the kit is, then all of them once, as they stream by.

use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;

use super::case::{
    Bad, Case, ChainFacts, Close, Discharge, Drill, Ended, Intent, Names, Records, Release, Review,
};
use super::handed::Handed;
use super::mints::Mints;
use super::weave::{Claims, Weave};
use crate::audit::ledger::{Evidence, Held, KitRow, LedgerError, Signature, Which};
use crate::audit::time::{At, TOLERANCE};
use crate::kit::check::expected;
use crate::kit::credentials;
use crate::kit::custody;
use crate::kit::policy::Policy;
use crate::kit::roster::{self, Roster, RosterError, Standing};
use crate::record::counter::{Account, Expected};
use crate::record::event::{CredentialSealed, DrillBegun, Event, OpenIntent};
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

/// `drill.ended`: which drill it says it ends, and of which credential and generation.
struct DrillEnd {
    begun: Hash,
    of: (u32, u64),
    ended: Ended,
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

/// The well-signed records that say what the kit is: who belongs, which policy, what is sealed.
#[derive(Default)]
struct Governance {
    roster: Vec<(String, Record)>,
    sealing: Vec<Record>,
}

impl Governance {
    fn read(evidence: &mut dyn Evidence, kit: &Hash) -> Result<Self, LedgerError> {
        let mut governance = Governance::default();
        evidence.records(kit, Which::Governance, &mut |held| {
            if held.signature == Signature::Good {
                governance.take(held.record);
            }
            ControlFlow::Continue(())
        })?;
        Ok(governance)
    }

    fn take(&mut self, record: Record) {
        match &record.event {
            Event::CredentialSealed(_) | Event::CredentialConfirmed(_) => self.sealing.push(record),
            Event::KeyEnrolled(_)
            | Event::KitFounded(_)
            | Event::KeyAdmitted(_)
            | Event::KeyRetired(_)
            | Event::PolicyAdopted(_) => self.roster.push((record.chain_name(), record)),
            _ => {}
        }
    }

    fn policies(&self) -> Vec<Hash> {
        let named = self.roster.iter().filter_map(|(_, record)| match &record.event {
            Event::KitFounded(facts) => Some(facts.policy),
            Event::PolicyAdopted(facts) => Some(facts.policy),
            _ => None,
        });
        named.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
    }

    /// Records that found this kit or none: anybody can sign the founding of another.
    fn roster(&self, kit: &Hash, policies: &BTreeMap<Hash, Policy>) -> Result<Roster, RosterError> {
        let own = self
            .roster
            .iter()
            .filter(|(_, record)| !matches!(record.event, Event::KitFounded(_)) || record.hash() == *kit);
        let records = own.map(|(chain, record)| (chain.as_str(), record));
        roster::derive(records, &|hash| policies.get(hash).cloned())
    }

    fn founded(&self, kit: &Hash) -> Option<crate::record::event::KitFounded> {
        self.roster.iter().find_map(|(_, record)| match &record.event {
            Event::KitFounded(facts) if record.hash() == *kit => Some(facts.clone()),
            _ => None,
        })
    }

    fn sealings(&self) -> HashMap<Hash, &CredentialSealed> {
        let sealed = self.sealing.iter().filter_map(|record| match &record.event {
            Event::CredentialSealed(facts) => Some((record.hash(), facts)),
            _ => None,
        });
        sealed.collect()
    }

    fn sealing_records(&self) -> impl Iterator<Item = &Record> + Clone {
        self.sealing.iter()
    }
}

/// Takes records as they stream by, and keeps what rules ask.
struct Reader<'a> {
    kit: Hash,
    sealings: &'a HashMap<Hash, &'a CredentialSealed>,
    chains: Vec<ChainFacts>,
    records: Records,
    policies: HashMap<Hash, u32>,
    weave: Weave,
    claims: Claims,
    bad: Vec<Bad>,
    enrolments: Vec<(At, Record)>,
    sealed_at: HashMap<Hash, At>,
    /// Sealings that were confirmed, with the record that says so.
    confirmed: Vec<(Hash, At)>,
    /// Keys that were voted out, with the record that says so.
    retired: Vec<(KeyId, At)>,
    intents: Vec<Intent>,
    releases: Vec<Release>,
    closes: Vec<Close>,
    reviews: Vec<Review>,
    approvals: HashMap<Hash, (At, Record)>,
    discharges: Vec<Discharge>,
    mints: Mints,
    handed: Handed,
    drills: Vec<Drill>,
    drill_ends: Vec<DrillEnd>,
    pin_changes: Vec<(At, String)>,
    gaps_accepted: Vec<(At, String)>,
    other_kit: Vec<At>,
    anchored: Vec<(At, Hash, u32)>,
    issuers: BTreeMap<(u32, u32), (At, u64)>,
    names: Names,
    moved: Vec<(At, Record)>,
}

impl<'a> Reader<'a> {
    fn new(kit: Hash, sealings: &'a HashMap<Hash, &'a CredentialSealed>) -> Self {
        Reader {
            kit,
            sealings,
            chains: Vec::new(),
            records: Records::default(),
            policies: HashMap::new(),
            weave: Weave::default(),
            claims: Claims::default(),
            bad: Vec::new(),
            enrolments: Vec::new(),
            sealed_at: HashMap::new(),
            confirmed: Vec::new(),
            retired: Vec::new(),
            intents: Vec::new(),
            releases: Vec::new(),
            closes: Vec::new(),
            reviews: Vec::new(),
            approvals: HashMap::new(),
            discharges: Vec::new(),
            mints: Mints::default(),
            handed: Handed::default(),
            drills: Vec::new(),
            drill_ends: Vec::new(),
            pin_changes: Vec::new(),
            gaps_accepted: Vec::new(),
            other_kit: Vec::new(),
            anchored: Vec::new(),
            issuers: BTreeMap::new(),
            names: Names::default(),
            moved: Vec::new(),
        }
    }

    fn take(&mut self, Held { record, signature, received }: Held) {
        if signature == Signature::Bad {
            self.bad.push(Bad {
                hash: record.hash(),
                chain: record.chain_name(),
                seq: record.link.seq,
                iat: record.iat,
                event: record.event.name(),
            });
            return;
        }
        let good = signature == Signature::Good;
        let at = self.records.hash.len() as At;
        let chain = self.weave.take(at, &record, &mut self.chains);
        self.columns(&record, chain, good, received);
        if !good {
            return;
        }
        self.claims.take(at, chain, &record);
        if record.link.kit.is_some_and(|kit| kit != self.kit) {
            self.other_kit.push(at);
            return;
        }
        let issuer = self.names.put(&record.iss);
        self.issuers.entry((chain, issuer)).or_insert((at, 0)).1 += 1;
        self.account(chain, &record);
        self.event(at, &record);
    }

    fn columns(&mut self, record: &Record, chain: u32, good: bool, received: i64) {
        let Reader { records, policies, .. } = self;
        let policy = record.link.policy.map(|policy| {
            *policies.entry(policy).or_insert_with(|| {
                records.policies.push(policy);
                records.policies.len() as u32 - 1
            })
        });
        records.hash.push(record.hash());
        records.chain.push(chain);
        records.seq.push(record.link.seq);
        records.iat.push(record.iat);
        records.received.push(received);
        records.event.push(record.event.name());
        records.policy.push(policy);
        records.good.push(good);
    }

    /// What the chain says of its key's counter.
    fn account(&mut self, chain: u32, record: &Record) {
        let account = &mut self.chains[chain as usize].account;
        let Some(account) = account else {
            *account = Account::open(record);
            return;
        };
        let asked = match &record.event {
            Event::OpenIntent(OpenIntent { sealed, .. }) | Event::DrillBegun(DrillBegun { sealed, .. }) => {
                expected(self.sealings.get(sealed).copied(), &record.kid)
            }
            Event::KeyWitness(_) => Expected::Yes,
            _ => Expected::No,
        };
        account.note(record, asked);
    }

    fn event(&mut self, at: At, record: &Record) {
        if custody::is_told_by(&record.event) {
            self.moved.push((at, record.clone()));
        }
        let names = &mut self.names;
        self.mints.take(at, record, names);
        self.handed.take(at, record, names);
        let incident = |names: &mut Names| names.put(record.txn.as_deref().unwrap_or_default());
        match &record.event {
            Event::KeyEnrolled(_) => self.enrolments.push((at, record.clone())),
            Event::CredentialSealed(_) => drop(self.sealed_at.insert(record.hash(), at)),
            Event::CredentialConfirmed(facts) => self.confirmed.push((facts.sealed, at)),
            Event::KeyRetired(facts) => self.retired.push((facts.key, at)),
            Event::KeyPinChanged(facts) => self.pin_changes.push((at, facts.what.clone())),
            Event::GapAccepted(facts) => self.gaps_accepted.push((at, facts.why.clone())),
            Event::LedgerAnchored(facts) => {
                self.anchored.push((at, facts.checkpoint, names.put(&facts.origin)));
            }
            Event::IncidentClosed(facts) => self.closes.push(Close {
                at,
                incident: incident(names),
                verdict: facts.verdict.name().to_owned(),
                outcome: facts.outcome.clone(),
                switched_off: facts.switched_off.clone(),
            }),
            Event::IncidentReviewed(facts) => self.reviews.push(Review {
                at,
                incident: incident(names),
                by: names.put(&facts.by),
                facts: facts.clone(),
            }),
            Event::DebtDischarged(facts) => {
                let (incident, debt) = (incident(names), facts.debt.clone());
                self.discharges.push(Discharge { at, incident, debt });
            }
            Event::OpenIntent(facts) => self.intents.push(Intent {
                at,
                credential: names.put(&facts.credential),
                generation: facts.generation,
                sealed: facts.sealed,
                emergency: names.put(&facts.emergency),
                operator: names.put(&facts.operator),
                incident: incident(names),
                reason: facts.reason.as_str().into(),
                presence: facts.presence,
                tries: facts.tries,
                overrides: facts.overrides.iter().map(|one| (one.rule.clone(), one.why.clone())).collect(),
                consent: facts.consent.clone().map(Box::new),
                release: None,
            }),
            Event::RequestApproved(_) => drop(self.approvals.insert(record.hash(), (at, record.clone()))),
            Event::DrillBegun(facts) => self.drills.push(Drill {
                at,
                credential: names.put(&facts.credential),
                generation: facts.generation,
                ended: None,
            }),
            Event::DrillEnded(facts) => {
                let failed = facts.failed.as_deref().map(Into::into);
                let ended = Ended { at, proven: facts.proven, failed };
                let of = (names.put(&facts.credential), facts.generation);
                self.drill_ends.push(DrillEnd { begun: facts.begun, of, ended });
            }
            Event::OpenReleased(facts) => self.releases.push(Release {
                at,
                credential: names.put(&facts.credential),
                generation: facts.generation,
                incident: incident(names),
                intents: facts.intents.as_slice().into(),
                output: names.put(&facts.output),
            }),
            _ => {}
        }
    }
}
