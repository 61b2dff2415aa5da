//! Takes records as they stream by, and keeps of each what rules ask.

use std::collections::{BTreeMap, HashMap};

use super::case::{ChainFacts, Records};
use super::facts::{Bad, Close, Discharge, Drill, Ended, Intent, Release, Review};
use super::handed::Handed;
use super::mints::Mints;
use super::names::Names;
use super::weave::{Claims, Weave};
use crate::audit::ledger::{Held, Signature};
use crate::audit::time::At;
use crate::kit::check::expected;
use crate::kit::custody;
use crate::record::counter::{Account, Expected};
use crate::record::event::{CredentialSealed, DrillBegun, Event, OpenIntent};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// `drill.ended`: which drill it says it ends, and of which credential and generation.
pub(super) struct DrillEnd {
    pub(super) begun: Hash,
    pub(super) of: (u32, u64),
    pub(super) ended: Ended,
}

/// Takes records as they stream by, and keeps what rules ask.
pub(super) struct Reader<'a> {
    pub(super) kit: Hash,
    pub(super) sealings: &'a HashMap<Hash, &'a CredentialSealed>,
    pub(super) chains: Vec<ChainFacts>,
    pub(super) records: Records,
    pub(super) policies: HashMap<Hash, u32>,
    pub(super) weave: Weave,
    pub(super) claims: Claims,
    pub(super) bad: Vec<Bad>,
    pub(super) enrolments: Vec<(At, Record)>,
    pub(super) sealed_at: HashMap<Hash, At>,
    /// Sealings that were confirmed, with the record that says so.
    pub(super) confirmed: Vec<(Hash, At)>,
    /// Keys that were voted out, with the record that says so.
    pub(super) retired: Vec<(KeyId, At)>,
    pub(super) intents: Vec<Intent>,
    pub(super) releases: Vec<Release>,
    pub(super) closes: Vec<Close>,
    pub(super) reviews: Vec<Review>,
    pub(super) approvals: HashMap<Hash, (At, Record)>,
    pub(super) discharges: Vec<Discharge>,
    pub(super) mints: Mints,
    pub(super) handed: Handed,
    pub(super) drills: Vec<Drill>,
    pub(super) drill_ends: Vec<DrillEnd>,
    pub(super) pin_changes: Vec<(At, String)>,
    pub(super) gaps_accepted: Vec<(At, String)>,
    pub(super) other_kit: Vec<At>,
    pub(super) anchored: Vec<(At, Hash, u32)>,
    pub(super) issuers: BTreeMap<(u32, u32), (At, u64)>,
    pub(super) names: Names,
    pub(super) moved: Vec<(At, Record)>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(kit: Hash, sealings: &'a HashMap<Hash, &'a CredentialSealed>) -> Self {
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

    pub(super) fn take(&mut self, Held { record, signature, received }: Held) {
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
