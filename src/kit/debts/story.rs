//! What the records tell that makes debts, or discharges them: one pass in the order of the chains.

use std::collections::{BTreeMap, BTreeSet};

use super::What;
use crate::attestation::Serial;
use crate::kit::credentials::belongs;
use crate::kit::order::in_order;
use crate::kit::roster::{Roster, Standing};
use crate::record::event::{Event, MintIntent, MintKind, MintRevoked, OpenIntent};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// One use of one key: an intent. Without an outcome, too, its PIN was typed and the secret may have been read.
pub(super) struct Use<'r> {
    /// Its place in the order.
    pub at: usize,
    /// The record.
    pub record: &'r Record,
    /// What it says.
    pub deed: Deed<'r>,
}

/// What a key was used for.
pub(super) enum Deed<'r> {
    /// To open a credential.
    Open(&'r OpenIntent),
    /// To mint one.
    Mint(&'r MintIntent),
}

impl<'r> Use<'r> {
    /// Who, by the name in the policy.
    pub(super) fn operator(&self) -> &'r str {
        match self.deed {
            Deed::Open(facts) => &facts.operator,
            Deed::Mint(facts) => &facts.operator,
        }
    }

    /// The opening, if it is one.
    pub(super) fn opening(&self) -> Option<&'r OpenIntent> {
        match self.deed {
            Deed::Open(facts) => Some(facts),
            Deed::Mint(_) => None,
        }
    }
}

/// What is told of one incident.
#[derive(Default)]
pub(super) struct Story<'r> {
    /// In order.
    pub uses: Vec<Use<'r>>,
    /// What was switched off, with the close that says so.
    pub switched_off: Vec<(usize, &'r Record, &'r str)>,
    /// The newest record of each chain that the auditor needs to know of it.
    told: BTreeMap<&'r str, u64>,
    last_told: usize,
    words: Vec<(usize, &'r Record, &'r str)>,
    reviews: Vec<(usize, &'r Record, &'r str)>,
}

/// What is told of all.
#[derive(Default)]
pub(super) struct Telling<'r> {
    /// By name.
    pub stories: BTreeMap<&'r str, Story<'r>>,
    /// Sealings, by their record.
    pub sealed: BTreeMap<Hash, (usize, &'r Record)>,
    /// Confirmations, by the record of the sealing.
    pub confirmed: BTreeMap<Hash, (usize, &'r Record)>,
    /// Keys that were retired, with the last signature for it.
    pub retired: BTreeMap<KeyId, &'r Record>,
    pins: Vec<&'r Record>,
    put_away: Vec<(usize, &'r Record, KeyId)>,
    /// Keys that are trusted no more, each for one kind.
    withdrawn: Vec<(usize, &'r Record, &'r MintRevoked)>,
    exports: Vec<&'r Record>,
    anchors: Vec<(usize, &'r Record)>,
}

impl<'r> Story<'r> {
    /// The first word after that place that this was done.
    pub(super) fn discharged(&self, what: &What, after: usize) -> Option<&'r Record> {
        let what = what.to_string();
        let said = self.words.iter().find(|(at, _, debt)| *at > after && *debt == what);
        said.map(|(_, record, _)| *record)
    }

    /// What that key minted.
    fn minted_by(&self, key: Serial) -> impl Iterator<Item = (&Use<'r>, &'r MintIntent)> {
        self.uses.iter().filter_map(move |one| match one.deed {
            Deed::Mint(facts) if one.record.serial == key => Some((one, facts)),
            _ => None,
        })
    }

    /// The last time that it did.
    pub(super) fn last_minted(&self, key: Serial) -> Option<&Use<'r>> {
        self.minted_by(key).last().map(|(one, _)| one)
    }

    /// The first review after the last use by someone who is not one of its operators.
    pub(super) fn reviewed(&self) -> Option<&'r Record> {
        let last = self.uses.last().map_or(0, |one| one.at);
        let other = |by: &str| self.uses.iter().all(|one| one.operator() != by);
        let review = self.reviews.iter().find(|(at, _, by)| *at > last && other(by));
        review.map(|(_, record, _)| *record)
    }
}

impl<'r> Telling<'r> {
    /// Of records of keys that belong.
    pub(super) fn of(roster: &Roster, records: impl Iterator<Item = (&'r str, &'r Record)>) -> Self {
        let mut telling = Telling::default();
        let belonging = records.filter(|(_, record)| belongs(roster, record));
        for (at, (chain, record)) in in_order(belonging, |record| record.iat).enumerate() {
            telling.take(roster, at, chain, record);
        }
        telling
    }

    fn take(&mut self, roster: &Roster, at: usize, chain: &'r str, record: &'r Record) {
        let story = record.txn.as_deref().map(|name| self.stories.entry(name).or_default());
        if let Some(story) = story {
            story.take(at, chain, record);
        }
        match &record.event {
            Event::CredentialSealed(_) => drop(self.sealed.insert(record.hash(), (at, record))),
            Event::CredentialConfirmed(facts) => {
                self.confirmed.entry(facts.sealed).or_insert((at, record));
            }
            Event::KeyPinChanged(facts) if ["pin", "unblock"].contains(&facts.what.as_str()) => {
                self.pins.push(record);
            }
            Event::KeyCheckedIn(facts) => self.put_away.push((at, record, facts.key)),
            Event::MintRevoked(facts) if facts.altogether => self.withdrawn.push((at, record, facts)),
            Event::Exported(_) => self.exports.push(record),
            Event::LedgerAnchored(_) => self.anchors.push((at, record)),
            Event::KeyRetired(facts) => {
                let standing = roster.keys.get(&facts.key).map(|member| member.standing);
                if matches!(standing, Some(Standing::Retired { .. })) {
                    self.retired.insert(facts.key, record);
                }
            }
            _ => {}
        }
    }

    /// The first change of that key's PIN after that record of it.
    pub(super) fn pin_changed(&self, after: &Record) -> Option<&'r Record> {
        let later = |record: &&&Record| record.kid == after.kid && record.link.seq > after.link.seq;
        self.pins.iter().find(later).copied()
    }

    /// The first time after that use that its key was put away by two people.
    pub(super) fn put_away(&self, after: &Use<'_>) -> Option<&'r Record> {
        let later = |(at, _, key): &&(usize, &Record, KeyId)| *key == after.record.kid && *at > after.at;
        self.put_away.iter().find(later).map(|(_, record, _)| *record)
    }

    /// The record after that use by which nothing is trusted any more of what its key minted for this incident.
    pub(super) fn withdrawn(&self, story: &Story<'r>, after: &Use<'_>) -> Option<&'r Record> {
        let key = after.record.serial;
        let kinds: BTreeSet<MintKind> = story.minted_by(key).map(|(_, facts)| facts.kind).collect();
        let of_kind = |kind: MintKind| {
            let mut later = self.withdrawn.iter().filter(|(at, _, facts)| *at > after.at && facts.key == key);
            later.find(|(.., facts)| facts.kind == kind).map(|(at, record, _)| (*at, *record))
        };
        let ended: Option<Vec<(usize, &Record)>> = kinds.into_iter().map(of_kind).collect();
        ended?.into_iter().max_by_key(|(at, _)| *at).map(|(_, record)| record)
    }

    /// The first bundle that has all that tells of it, or the first checkpoint of the auditor's ledger after all of it.
    pub(super) fn given(&self, story: &Story<'_>) -> Option<&'r Record> {
        let whole = |record: &Record| {
            let Event::Exported(facts) = &record.event else { return false };
            let has = |chain: &str, seq: &u64| facts.heads.get(chain).is_some_and(|(head, _)| head >= seq);
            story.told.iter().all(|(chain, seq)| has(chain, seq))
        };
        let export = self.exports.iter().find(|record| whole(record)).copied();
        let anchor = || self.anchors.iter().find(|(at, _)| *at > story.last_told).map(|(_, record)| *record);
        export.or_else(anchor)
    }
}

impl<'r> Story<'r> {
    fn take(&mut self, at: usize, chain: &'r str, record: &'r Record) {
        match &record.event {
            Event::OpenIntent(facts) => self.uses.push(Use { at, record, deed: Deed::Open(facts) }),
            Event::MintIntent(facts) => self.uses.push(Use { at, record, deed: Deed::Mint(facts) }),
            Event::OpenAsserted(_) | Event::OpenReleased(_) | Event::MintIssued(_) => {}
            Event::IncidentClosed(facts) => {
                self.switched_off.extend(facts.switched_off.iter().map(|what| (at, record, what.as_str())));
            }
            Event::DebtDischarged(facts) => return self.words.push((at, record, &facts.debt)),
            Event::IncidentReviewed(facts) => return self.reviews.push((at, record, &facts.by)),
            _ => return,
        }
        self.told.insert(chain, record.link.seq);
        self.last_told = at;
    }
}
