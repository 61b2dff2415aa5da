//! Incidents: everything between the first opening for one reason and its close, derived from the records.

use std::collections::BTreeMap;

use crate::kit::{Kit, credentials};
use crate::record::event::{Event, Verdict};
use crate::record::hash::Hash;

/// One incident, as the records of keys that belong tell it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Incident {
    /// How many intents name it.
    pub intents: usize,
    /// The credentials that were, or may have been, opened for it.
    pub credentials: Vec<String>,
    /// When its first record claims to be from, Unix seconds.
    pub since: i64,
    /// Its close: the record and the verdict. `None` again if something was opened for it afterwards.
    pub closed: Option<(Hash, Verdict)>,
}

/// Every incident by its name. In the order of the chains, and by the claimed times where these leave it open.
pub fn incidents(kit: &Kit) -> BTreeMap<String, Incident> {
    let mut found: BTreeMap<String, Incident> = BTreeMap::new();
    let Some(roster) = &kit.roster else { return found };
    let told = kit.journal.records().filter(|(_, record)| {
        matches!(record.event, Event::OpenIntent(_) | Event::IncidentClosed(_))
            && credentials::belongs(roster, record)
    });
    for (_, record) in crate::kit::order::in_order(told, |record| record.iat) {
        let Some(name) = &record.txn else { continue };
        let incident = found
            .entry(name.clone())
            .or_insert_with(|| Incident { since: record.iat, ..Incident::default() });
        match &record.event {
            Event::OpenIntent(facts) => {
                incident.intents += 1;
                incident.closed = None;
                if !incident.credentials.contains(&facts.credential) {
                    incident.credentials.push(facts.credential.clone());
                }
            }
            Event::IncidentClosed(facts) => incident.closed = Some((record.hash(), facts.verdict)),
            _ => {}
        }
    }
    found.retain(|_, incident| incident.intents > 0);
    found
}
