//! The well-signed records that say what a kit is, read before all others: who belongs, which policy, what is sealed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::ControlFlow;

use crate::audit::ledger::{Evidence, LedgerError, Signature, Which};
use crate::kit::policy::Policy;
use crate::kit::roster::{self, Roster, RosterError};
use crate::record::event::{CredentialSealed, Event, KitFounded};
use crate::record::hash::Hash;
use crate::record::token::Record;

/// Those records.
#[derive(Default)]
pub(super) struct Governance {
    roster: Vec<(String, Record)>,
    sealing: Vec<Record>,
}

impl Governance {
    pub(super) fn read(evidence: &mut dyn Evidence, kit: &Hash) -> Result<Self, LedgerError> {
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

    pub(super) fn policies(&self) -> Vec<Hash> {
        let named = self.roster.iter().filter_map(|(_, record)| match &record.event {
            Event::KitFounded(facts) => Some(facts.policy),
            Event::PolicyAdopted(facts) => Some(facts.policy),
            _ => None,
        });
        named.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Records that found this kit or none: anybody can sign the founding of another.
    pub(super) fn roster(
        &self,
        kit: &Hash,
        policies: &BTreeMap<Hash, Policy>,
    ) -> Result<Roster, RosterError> {
        let own = self
            .roster
            .iter()
            .filter(|(_, record)| !matches!(record.event, Event::KitFounded(_)) || record.hash() == *kit);
        let records = own.map(|(chain, record)| (chain.as_str(), record));
        roster::derive(records, &|hash| policies.get(hash).cloned())
    }

    pub(super) fn founded(&self, kit: &Hash) -> Option<KitFounded> {
        self.roster.iter().find_map(|(_, record)| match &record.event {
            Event::KitFounded(facts) if record.hash() == *kit => Some(facts.clone()),
            _ => None,
        })
    }

    pub(super) fn sealings(&self) -> HashMap<Hash, &CredentialSealed> {
        let sealed = self.sealing.iter().filter_map(|record| match &record.event {
            Event::CredentialSealed(facts) => Some((record.hash(), facts)),
            _ => None,
        });
        sealed.collect()
    }

    pub(super) fn sealing_records(&self) -> impl Iterator<Item = &Record> + Clone {
        self.sealing.iter()
    }
}
