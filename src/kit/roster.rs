//! Which keys and which policy a kit has, derived from its records and from nothing else.
//!
//! The first key founds the kit. While it is alone it may admit others; from two keys on a change takes effect once a
//! quorum of admitted keys has signed the same change hash, each on its own chain; where the policy names groups, some of
//! each among them. A key that is to be retired has no vote on it. Order comes from the chains and from what each record
//! says its signer had seen.

use std::collections::{BTreeMap, BTreeSet};

use crate::attestation::Serial;
use crate::kit::order::in_order;
use crate::kit::policy::{Policy, Quorum, Wanting};
use crate::record::event::{Event, KeyEnrolled, KitFounded, KitKind};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// What the records say a kit is.
#[derive(Debug, Clone)]
pub struct Roster {
    /// Kit id: the hash of the founding record.
    pub kit: Hash,
    /// The founding record's facts.
    pub founded: KitFounded,
    /// Every enrolled key, admitted or not.
    pub keys: BTreeMap<KeyId, Member>,
    /// Hash of the policy in force.
    pub policy: Hash,
    /// Every policy that came into force, that of the founding first, each with the chain and place of the record that
    /// put it there.
    pub policies: Vec<(Hash, (String, u64))>,
    /// Changes that lack signatures.
    pub pending: Vec<Pending>,
    /// Records of governance that had no right to be there.
    pub irregular: Vec<Irregular>,
}

/// One key of the roster.
#[derive(Debug, Clone)]
pub struct Member {
    /// Its chain: `<serial>-<kid8>`.
    pub chain: String,
    /// What its enrolment record says.
    pub enrolled: KeyEnrolled,
    /// Hash of its enrolment record.
    pub enrolment: Hash,
    /// Whether it belongs.
    pub standing: Standing,
}

/// Whether a key belongs to the kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// Provisioned, not (yet) admitted.
    Enrolled,
    /// Belongs.
    Admitted,
    /// Belongs no more; records after `last_seq` are findings.
    Retired {
        /// Its last record known when it was retired.
        last_seq: u64,
    },
    /// It and another key have retired each other: neither counts until the others decide.
    Frozen,
}

/// A change that some have signed and that lacks more signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// What is to change.
    pub change: Change,
    /// Who has signed, by key id.
    pub signers: BTreeSet<KeyId>,
    /// How many signatures it needs in all.
    pub needs: usize,
    /// Which of them are wanting.
    pub wanting: Wanting,
}

/// A change of keys or policy, as its signers mean it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Admit the key with this enrolment.
    Admit {
        /// Which key.
        key: KeyId,
        /// Hash of its enrolment record.
        enrolment: Hash,
    },
    /// Retire the key as of this record.
    Retire {
        /// Which key.
        key: KeyId,
        /// Its last record known.
        last_seq: u64,
    },
    /// Put this policy in force.
    Adopt {
        /// SHA-256 of its bytes.
        policy: Hash,
    },
}

impl Change {
    /// What every signer of the same change signs: SHA-256 of five lines of text (`doc/kit-format.md`).
    pub fn hash(&self, kit: &Hash) -> Hash {
        let what = match self {
            Change::Admit { key, enrolment } => format!("admit\n{key}\n{enrolment}"),
            Change::Retire { key, last_seq } => format!("retire\n{key}\n{last_seq}"),
            Change::Adopt { policy } => format!("adopt\n{policy}\n-"),
        };
        Hash::of(format!("breakglass change 1\n{kit}\n{what}\n").as_bytes())
    }
}

/// A record that a key had no right to sign.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Irregular {
    /// Chain and sequence number.
    pub at: (String, u64),
    /// What is wrong, as a sentence about it.
    pub what: &'static str,
}

impl Irregular {
    /// Whether nothing speaks against its signer, and only the enrolment that it admits is lacking.
    pub fn is_lacking(&self) -> bool {
        self.what == ENROLMENT_LACKING
    }
}

/// Why no roster can be derived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// No record founds the kit.
    #[error("this kit has no founding record yet")]
    NotFounded,
    /// More than one does: the chains that hold them.
    #[error("{} each claim to have founded this kit", .0.join(" and "))]
    FoundedTwice(Vec<String>),
    /// The bytes of a policy that was in force are not in the kit.
    #[error("the adopted policy {0} is not in the kit")]
    PolicyMissing(Hash),
}

/// Derives the roster. `records` are the intact records of every chain, each chain in order; `policy` gives the policy
/// with that hash, if the kit has its bytes.
pub fn derive<'a>(
    records: impl Iterator<Item = (&'a str, &'a Record)> + Clone,
    policy: &dyn Fn(&Hash) -> Option<Policy>,
) -> Result<Roster, RosterError> {
    let mut founding: BTreeMap<Hash, (&str, &Record, &KitFounded)> = BTreeMap::new();
    for (chain, record) in records.clone() {
        if let Event::KitFounded(facts) = &record.event {
            founding.insert(record.hash(), (chain, record, facts));
        }
    }
    let (founder, founded, home) = match founding.values().collect::<Vec<_>>()[..] {
        [] => return Err(RosterError::NotFounded),
        [(chain, record, facts)] => (*record, (*facts).clone(), (*chain).to_owned()),
        ref all => {
            let mut chains: Vec<String> = all.iter().map(|(chain, ..)| (*chain).to_owned()).collect();
            chains.sort();
            return Err(RosterError::FoundedTwice(chains));
        }
    };
    let mut roster = Roster {
        kit: founder.hash(),
        policy: founded.policy,
        policies: vec![(founded.policy, (home, founder.link.seq))],
        founded,
        keys: BTreeMap::new(),
        pending: Vec::new(),
        irregular: Vec::new(),
    };
    for (chain, record) in records.clone() {
        if let Event::KeyEnrolled(enrolled) = &record.event {
            roster.keys.insert(
                record.kid,
                Member {
                    chain: chain.to_owned(),
                    enrolled: enrolled.clone(),
                    enrolment: record.hash(),
                    standing: Standing::Enrolled,
                },
            );
        }
    }
    if let Some(first) = roster.keys.get_mut(&founder.kid) {
        first.standing = Standing::Admitted;
    }
    let mut quorum = policy(&roster.policy).ok_or(RosterError::PolicyMissing(roster.policy))?.quorum;
    let mut ballot = Ballot::default();
    let governance = records.filter(|(_, record)| change_of(&record.event).is_some());
    // No clock has a say in what the kit is: chains alone, and their names where these leave it open.
    for (chain, record) in in_order(governance, |_| ()) {
        let Some((change, claimed)) = change_of(&record.event) else { continue };
        let at = (chain.to_owned(), record.link.seq);
        if let Err(mut what) = roster.may_sign(record, &change, claimed, &ballot) {
            if what == MUTUAL
                && let Change::Retire { key, .. } = change
            {
                // A key that a quorum has retired undoes nothing by a vote that would not have been enough.
                match roster.decides(record.kid, &change, ballot.votes.get(&change), &quorum) {
                    true => roster.freeze(record.kid, key),
                    false => what = RETIRED,
                }
            }
            roster.irregular.push(Irregular { at, what });
            continue;
        }
        let signers = ballot.votes.entry(change.clone()).or_default();
        signers.insert(record.kid, at.clone());
        if roster.settled(&change) || !roster.wanting(&change, signers, &quorum).is_nothing() {
            continue;
        }
        match &change {
            Change::Admit { key, enrolment } => match roster.keys.get_mut(key) {
                Some(member) if member.enrolment == *enrolment => member.standing = Standing::Admitted,
                _ => {
                    let what = ENROLMENT_LACKING;
                    roster.irregular.push(Irregular { at, what });
                }
            },
            Change::Retire { key, last_seq } => {
                if let Some(member) = roster.keys.get_mut(key) {
                    member.standing = Standing::Retired { last_seq: *last_seq };
                }
            }
            Change::Adopt { policy: adopted } => {
                quorum = policy(adopted).ok_or(RosterError::PolicyMissing(*adopted))?.quorum;
                let before = std::mem::replace(&mut roster.policy, *adopted);
                roster.policies.push((*adopted, at.clone()));
                ballot.votes.remove(&Change::Adopt { policy: before });
            }
        }
        ballot.settle(change);
    }
    for (change, signers) in ballot.votes {
        if !roster.settled(&change) {
            let needs = roster.needs(&change, quorum.number);
            let wanting = roster.wanting(&change, &signers, &quorum);
            roster.pending.push(Pending { change, signers: signers.into_keys().collect(), needs, wanting });
        }
    }
    Ok(roster)
}

/// Who signed a change, each with the chain and place of the record.
type Signers = BTreeMap<KeyId, (String, u64)>;

/// Signatures so far: who signed which change, and in which record.
#[derive(Default)]
struct Ballot {
    votes: BTreeMap<Change, Signers>,
    /// Who retired whom, by the records that did.
    retirements: BTreeMap<KeyId, Signers>,
}

impl Ballot {
    /// A change took effect: what it undoes needs fresh signatures from now on.
    fn settle(&mut self, change: Change) {
        match change {
            Change::Admit { key, .. } => {
                self.votes.retain(|c, _| !matches!(c, Change::Retire { key: k, .. } if *k == key));
                self.retirements.remove(&key);
            }
            Change::Retire { key, .. } => {
                let signers = self.votes.get(&change).cloned().unwrap_or_default();
                self.retirements.insert(key, signers);
                self.votes.retain(|c, _| !matches!(c, Change::Admit { key: k, .. } if *k == key));
            }
            Change::Adopt { .. } => {}
        }
    }
}

/// Why a vote for an admission that has its quorum does not count: which key it admits cannot be told.
const ENROLMENT_LACKING: &str = "the enrolment it admits is not in the journal";

const RETIRED: &str = "its signer had been retired";
const MUTUAL: &str = "its signer and the key it retires have retired each other; both are frozen";

impl Roster {
    /// Whether this record may vote on this change.
    fn may_sign(
        &self,
        record: &Record,
        change: &Change,
        claimed: Hash,
        ballot: &Ballot,
    ) -> Result<(), &'static str> {
        if record.link.kit != Some(self.kit) {
            return Err("it belongs to another kit");
        }
        if change.hash(&self.kit) != claimed {
            return Err("its change hash does not fit what it says");
        }
        match self.keys.get(&record.kid).map(|member| member.standing) {
            Some(Standing::Admitted) => Ok(()),
            Some(Standing::Retired { .. }) => {
                // Did it retire one of those who retired it, without having seen that?
                let by = match (change, ballot.retirements.get(&record.kid)) {
                    (Change::Retire { key, .. }, Some(by)) => by.get(key),
                    _ => None,
                };
                match by {
                    Some((chain, seq)) if record.link.seen.get(chain).is_none_or(|(seen, _)| seen < seq) => {
                        Err(MUTUAL)
                    }
                    _ => Err(RETIRED),
                }
            }
            Some(Standing::Frozen) => Err("its signer is frozen: two keys have retired each other"),
            Some(Standing::Enrolled) | None => Err("its signer is not admitted"),
        }
    }
}

impl Roster {
    /// Practice or real.
    pub fn kind(&self) -> KitKind {
        self.founded.kind
    }

    /// Keys that belong now.
    pub fn admitted(&self) -> impl Iterator<Item = (&KeyId, &Member)> {
        self.keys.iter().filter(|(_, member)| member.standing == Standing::Admitted)
    }

    /// The enrolled key with this serial; the one that belongs, where a serial was enrolled twice.
    pub fn by_serial(&self, serial: Serial) -> Option<(&KeyId, &Member)> {
        let mut found: Vec<_> = self.keys.iter().filter(|(_, m)| m.enrolled.serial == serial).collect();
        found.sort_by_key(|(_, member)| member.standing != Standing::Admitted);
        found.into_iter().next()
    }

    /// How many signatures a change needs now: the quorum, or all who have a vote if they are fewer.
    pub fn needs(&self, change: &Change, quorum: usize) -> usize {
        quorum.min(self.voters(change).count()).max(1)
    }

    /// Keys that have a vote on the change now.
    fn voters<'r>(&'r self, change: &'r Change) -> impl Iterator<Item = (&'r KeyId, Serial)> {
        self.admitted()
            .filter(|(id, _)| !is_victim(change, id))
            .map(|(id, member)| (id, member.enrolled.serial))
    }

    /// What the change lacks. Signatures count of those who have a vote now.
    fn wanting(&self, change: &Change, signers: &Signers, quorum: &Quorum) -> Wanting {
        let voters: Vec<Serial> = self.voters(change).map(|(_, serial)| serial).collect();
        quorum.wanting(&voters, &self.counted(change, signers))
    }

    /// Whether the vote of one more key, now retired, would have put the change into effect.
    fn decides(&self, key: KeyId, change: &Change, signers: Option<&Signers>, quorum: &Quorum) -> bool {
        let own: Vec<Serial> = self.keys.get(&key).map(|member| member.enrolled.serial).into_iter().collect();
        let voters: Vec<Serial> =
            self.voters(change).map(|(_, serial)| serial).chain(own.iter().copied()).collect();
        let counted = signers.map_or(Vec::new(), |signers| self.counted(change, signers));
        quorum.wanting(&voters, &[counted, own].concat()).is_nothing()
    }

    fn counted(&self, change: &Change, signers: &Signers) -> Vec<Serial> {
        self.voters(change).filter(|(id, _)| signers.contains_key(*id)).map(|(_, serial)| serial).collect()
    }

    /// Whether the roster already is what the change asks for.
    fn settled(&self, change: &Change) -> bool {
        match change {
            Change::Admit { key, .. } => self.keys.get(key).is_some_and(|m| m.standing == Standing::Admitted),
            Change::Retire { key, .. } => {
                self.keys.get(key).is_some_and(|m| matches!(m.standing, Standing::Retired { .. }))
            }
            Change::Adopt { policy } => self.policy == *policy,
        }
    }

    fn freeze(&mut self, one: KeyId, other: KeyId) {
        for id in [one, other] {
            if let Some(member) = self.keys.get_mut(&id) {
                member.standing = Standing::Frozen;
            }
        }
    }
}

fn is_victim(change: &Change, id: &KeyId) -> bool {
    matches!(change, Change::Retire { key, .. } if key == id)
}

fn change_of(event: &Event) -> Option<(Change, Hash)> {
    match event {
        Event::KeyAdmitted(facts) => {
            Some((Change::Admit { key: facts.key, enrolment: facts.enrolment }, facts.change))
        }
        Event::KeyRetired(facts) => {
            Some((Change::Retire { key: facts.key, last_seq: facts.last_seq }, facts.change))
        }
        Event::PolicyAdopted(facts) => Some((Change::Adopt { policy: facts.policy }, facts.change)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
