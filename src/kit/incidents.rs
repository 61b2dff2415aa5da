//! Incidents: everything between the first opening or minting for one reason and its close, derived from the records.

use std::collections::BTreeMap;

use crate::attestation::Serial;
use crate::kit::{Kit, credentials};
use crate::record::event::{Event, IncidentClosed, IncidentReviewed, MintIntent, OpenIntent};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// One incident, as the records of keys that belong tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incident {
    /// How many intents name it.
    pub intents: usize,
    /// The credentials that were, or may have been, opened for it.
    pub credentials: Vec<String>,
    /// Who opened or minted something for it, by the names in the policy.
    pub operators: Vec<String>,
    /// Every opening, in order.
    pub openings: Vec<Opening>,
    /// Every minting, in order.
    pub mintings: Vec<Minting>,
    /// When its first record claims to be from, Unix seconds.
    pub since: i64,
    /// Its close. `None` again if something was opened or minted for it afterwards.
    pub closed: Option<Signed<IncidentClosed>>,
    /// Judgements of it, in order; those by its operators too, which count for nothing.
    pub reviews: Vec<Signed<IncidentReviewed>>,
}

/// What a record says, with the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed<F> {
    /// Its hash.
    pub record: Hash,
    /// The time that it claims, Unix seconds.
    pub at: i64,
    /// What it says.
    pub facts: F,
}

impl<F> Signed<F> {
    fn of(record: &Record, facts: F) -> Self {
        Signed { record: record.hash(), at: record.iat, facts }
    }
}

/// One opening, with one key or several.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// What the first key signed.
    pub intent: OpenIntent,
    /// The keys, in order.
    pub keys: Vec<Serial>,
    /// Its intents.
    pub records: Vec<Hash>,
    /// When the first of them claims to be from, Unix seconds.
    pub at: i64,
    /// How it was handed out. `None`: no record tells the end; it may have been disclosed.
    pub output: Option<String>,
}

/// One credential that was minted, or may have been.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Minting {
    /// What the key signed before.
    pub intent: MintIntent,
    /// The key.
    pub key: Serial,
    /// Its id.
    pub key_id: KeyId,
    /// The intent's hash.
    pub record: Hash,
    /// When it claims to be from, Unix seconds.
    pub at: i64,
    /// How it was handed out. `None`: no record tells the end; it may have been.
    pub output: Option<String>,
}

impl Opening {
    /// Whether that intent is another key of this opening, which has not come to its end.
    fn goes_on_with(&self, serial: Serial, facts: &OpenIntent) -> bool {
        let own = &self.intent;
        self.output.is_none()
            && !self.keys.contains(&serial)
            && (&own.credential, own.generation) == (&facts.credential, facts.generation)
            && (&own.operator, &own.reason) == (&facts.operator, &facts.reason)
            && own.consent == facts.consent
    }
}

/// Every incident by its name. In the order of the chains, and by the claimed times where these leave it open.
pub fn incidents(kit: &Kit) -> BTreeMap<String, Incident> {
    let mut found: BTreeMap<String, Incident> = BTreeMap::new();
    let Some(roster) = &kit.roster else { return found };
    let told = kit.journal.records().filter(|(_, record)| {
        let of_incidents = matches!(
            record.event,
            Event::OpenIntent(_)
                | Event::OpenReleased(_)
                | Event::MintIntent(_)
                | Event::MintIssued(_)
                | Event::IncidentClosed(_)
                | Event::IncidentReviewed(_)
        );
        of_incidents && credentials::belongs(roster, record)
    });
    for (_, record) in crate::kit::order::in_order(told, |record| record.iat) {
        let Some(name) = &record.txn else { continue };
        let incident = found
            .entry(name.clone())
            .or_insert_with(|| Incident { since: record.iat, ..Incident::default() });
        incident.take(record);
    }
    found.retain(|_, incident| incident.intents > 0);
    found
}

impl Incident {
    /// What was opened, then what was minted, each once.
    pub fn what(&self) -> Vec<String> {
        let mut what = self.credentials.clone();
        for rule in self.mintings.iter().map(|one| &one.intent.rule) {
            if !what.contains(rule) {
                what.push(rule.clone());
            }
        }
        what
    }

    fn take(&mut self, record: &Record) {
        match &record.event {
            Event::OpenIntent(facts) => {
                self.intents += 1;
                self.closed = None;
                for (list, one) in
                    [(&mut self.credentials, &facts.credential), (&mut self.operators, &facts.operator)]
                {
                    if !list.contains(one) {
                        list.push(one.clone());
                    }
                }
                match self.openings.last_mut().filter(|last| last.goes_on_with(record.serial, facts)) {
                    Some(last) => {
                        last.keys.push(record.serial);
                        last.records.push(record.hash());
                    }
                    None => self.openings.push(Opening {
                        intent: facts.clone(),
                        keys: vec![record.serial],
                        records: vec![record.hash()],
                        at: record.iat,
                        output: None,
                    }),
                }
            }
            Event::OpenReleased(facts) => {
                let named = |opening: &&mut Opening| {
                    opening.records.iter().any(|record| facts.intents.contains(record))
                };
                if let Some(opening) = self.openings.iter_mut().find(named) {
                    opening.output = Some(facts.output.clone());
                }
            }
            Event::MintIntent(facts) => {
                self.intents += 1;
                self.closed = None;
                if !self.operators.contains(&facts.operator) {
                    self.operators.push(facts.operator.clone());
                }
                self.mintings.push(Minting {
                    intent: facts.clone(),
                    key: record.serial,
                    key_id: record.kid,
                    record: record.hash(),
                    at: record.iat,
                    output: None,
                });
            }
            Event::MintIssued(facts) => {
                if let Some(minting) = self.mintings.iter_mut().find(|one| one.record == facts.intent) {
                    minting.output = Some(facts.output.clone());
                }
            }
            Event::IncidentClosed(facts) => self.closed = Some(Signed::of(record, facts.clone())),
            Event::IncidentReviewed(facts) => self.reviews.push(Signed::of(record, facts.clone())),
            _ => {}
        }
    }
}
