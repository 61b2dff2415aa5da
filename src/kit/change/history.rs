//! The records of a kit in one order, to ask of each what came before what.

use std::collections::HashMap;

use crate::kit::Kit;
use crate::kit::credentials::{Generation, belongs};
use crate::kit::debts::Done;
use crate::kit::order::in_order;
use crate::kit::policy::Policy;
use crate::record::event::{Event, KeyPinChanged};
use crate::record::hash::KeyId;
use crate::record::token::Record;

/// Records of keys that belong, in the order of the chains, and by the claimed times where these leave it open.
pub(super) struct History<'k> {
    records: Vec<&'k Record>,
    /// Every policy that came in force, with its place; without those whose bytes are not in the kit.
    policies: Vec<(usize, Policy)>,
}

impl<'k> History<'k> {
    pub(super) fn of(kit: &'k Kit) -> Self {
        let Some(roster) = &kit.roster else {
            return History { records: Vec::new(), policies: Vec::new() };
        };
        let belonging = kit.journal.records().filter(|(_, record)| belongs(roster, record));
        let ordered: Vec<(&str, &Record)> = in_order(belonging, |record| record.iat).collect();
        let places: HashMap<(&str, u64), usize> =
            ordered.iter().enumerate().map(|(at, (chain, record))| ((*chain, record.link.seq), at)).collect();
        let in_force = roster.policies.iter().enumerate().filter_map(|(index, (hash, (chain, seq)))| {
            // The founding itself names no kit, and comes before all that does.
            let place = if index == 0 { 0 } else { *places.get(&(chain.as_str(), *seq))? };
            Some((place, kit.adopted(hash)?))
        });
        let policies = in_force.collect();
        History { records: ordered.into_iter().map(|(_, record)| record).collect(), policies }
    }

    /// Every record, with its place.
    pub(super) fn all(&self) -> impl Iterator<Item = (usize, &'k Record)> + '_ {
        self.records.iter().copied().enumerate()
    }

    /// The record at a place.
    pub(super) fn done(&self, at: usize) -> Option<Done> {
        self.records.get(at).map(|record| Done::of(record))
    }

    /// Policies that were in force, the first one first.
    pub(super) fn policies(&self) -> impl DoubleEndedIterator<Item = &Policy> {
        self.policies.iter().map(|(_, policy)| policy)
    }

    /// Where the first policy came in force after the last of which that was so; `None` while it is so of the one in force.
    pub(super) fn ended(&self, so: impl Fn(&Policy) -> bool) -> Result<Option<usize>, NeverSo> {
        let last = self.policies.iter().rposition(|(_, policy)| so(policy)).ok_or(NeverSo)?;
        Ok(self.policies.get(last + 1).map(|(at, _)| *at))
    }

    /// Where a generation was sealed, and where it came in force: at its confirmation, or at its sealing.
    pub(super) fn sealed(&self, generation: &Generation) -> Option<(usize, usize)> {
        let sealed = self.all().find(|(_, record)| record.hash() == generation.record)?.0;
        let confirms = |(_, record): &(usize, &Record)| matches!(&record.event, Event::CredentialConfirmed(facts) if facts.sealed == generation.record);
        Some((sealed, self.all().find(confirms).map_or(sealed, |(at, _)| at)))
    }

    /// The first change of that of a key after a place.
    pub(super) fn changed(&self, key: &KeyId, known: Known, after: usize) -> Option<usize> {
        let changes = |record: &Record| {
            let is = |facts: &KeyPinChanged| known.records().contains(&facts.what.as_str());
            record.kid == *key && matches!(&record.event, Event::KeyPinChanged(facts) if is(facts))
        };
        self.all().find(|(at, record)| *at > after && changes(record)).map(|(at, _)| at)
    }
}

/// What somebody knows of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// Its PIN.
    Pin,
    /// Its FIDO2 PIN.
    Fido2Pin,
    /// Its PUK.
    Puk,
}

impl Known {
    /// What a record of a change of it says.
    fn records(self) -> &'static [&'static str] {
        match self {
            Known::Pin => &["pin", "unblock"],
            Known::Fido2Pin => &[KeyPinChanged::FIDO2_SHARED, KeyPinChanged::FIDO2_OWN],
            Known::Puk => &["puk"],
        }
    }
}

/// It was so of no policy that was in force.
pub(super) struct NeverSo;
