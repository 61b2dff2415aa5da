//! Where each key is: what the records of its moves tell, and the policy where there is none.
//!
//! Two people take a key out of its bag and read its number and seal; two put it into a new bag. Nothing here is a lock:
//! it is what they signed. Pure: records in, moves out.

use std::collections::BTreeMap;

use crate::attestation::Serial;
use crate::kit::Kit;
use crate::kit::finding::Finding;
use crate::kit::order::in_order;
use crate::kit::policy::{KeyPlace, Policy};
use crate::kit::roster::Standing;
use crate::record::event::{Event, SealSeen};
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// The moves of every key, each in the order of the records.
pub type Moves = BTreeMap<KeyId, Vec<Move>>;

/// One move of a key, by two people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Move {
    /// The record.
    pub record: Hash,
    /// When its signer's machine said it was, in Unix seconds.
    pub at: i64,
    /// The key that was moved.
    pub serial: Serial,
    /// Who moved it, by the name in the policy.
    pub person: String,
    /// Who saw it.
    pub witness: String,
    /// Where from, or where to.
    pub what: What,
}

/// What was done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Taken out of its bag.
    Out {
        /// The number read on the bag.
        bag: String,
        /// How its seal was found.
        seal: SealSeen,
        /// Why it was taken out.
        why: String,
        /// The number that the bag should have had: by the last check-in, or by the policy that the record names where there
        /// is none. `None` where nothing says one.
        expected: Option<String>,
        /// Whether its PIN was changed afterwards, and it was put away again then: whoever had it and knew its PIN knows it
        /// no more, and the key is there.
        settled: bool,
    },
    /// Put into a bag, and that into its place.
    In {
        /// Where it lies.
        place: String,
        /// The number of the bag.
        bag: String,
    },
}

impl Move {
    /// What is wrong with the seal: it was broken, or a bag that should have had a number had none.
    pub fn seal_wrong(&self) -> Option<SealSeen> {
        match &self.what {
            What::Out { seal: SealSeen::Broken, .. } => Some(SealSeen::Broken),
            What::Out { seal: SealSeen::None, expected: Some(_), .. } => Some(SealSeen::None),
            _ => None,
        }
    }

    /// The number that was read, and the one that it should have been, where they differ.
    pub fn bag_wrong(&self) -> Option<(&str, &str)> {
        match &self.what {
            What::Out { bag, expected: Some(expected), .. } if bag != expected => Some((bag, expected)),
            _ => None,
        }
    }

    /// Whether what was wrong with it has been dealt with.
    pub fn settled(&self) -> bool {
        matches!(self.what, What::Out { settled: true, .. })
    }
}

/// The moves that these records tell. They are those of keys that belong; `policy_of` knows the policies they name.
pub fn derive<'a>(
    records: impl Iterator<Item = (&'a str, &'a Record)>,
    policy_of: &dyn Fn(&Hash) -> Option<Policy>,
) -> Moves {
    let told = records.filter(|(_, record)| is_told_by(&record.event));
    let mut moves: Moves = BTreeMap::new();
    // Of each key, the check-outs since which its PIN was changed.
    let mut changed: BTreeMap<KeyId, usize> = BTreeMap::new();
    for (_, record) in in_order(told, |record| record.iat) {
        let (key, serial, person, witness, what) = match &record.event {
            Event::KeyPinChanged(_) => {
                changed.insert(record.kid, moves.get(&record.kid).map_or(0, Vec::len));
                continue;
            }
            Event::KeyCheckedOut(facts) => {
                let expected = match moves.get(&facts.key).and_then(|before| before.last()) {
                    Some(Move { what: What::In { bag, .. }, .. }) => Some(bag.clone()),
                    Some(_) => None,
                    None => record
                        .link
                        .policy
                        .and_then(|hash| policy_of(&hash))
                        .and_then(|policy| policy.place(facts.serial).map(|place| place.bag.clone())),
                };
                let what = What::Out {
                    bag: facts.bag.clone(),
                    seal: facts.seal,
                    why: facts.why.clone(),
                    expected: expected.filter(|bag| !bag.is_empty()),
                    settled: false,
                };
                (facts.key, facts.serial, &facts.person, &facts.witness, what)
            }
            Event::KeyCheckedIn(facts) => {
                let until = changed.get(&facts.key).copied().unwrap_or_default();
                for before in moves.entry(facts.key).or_default().iter_mut().take(until) {
                    if let What::Out { settled, .. } = &mut before.what {
                        *settled = true;
                    }
                }
                let what = What::In { place: facts.place.clone(), bag: facts.bag.clone() };
                (facts.key, facts.serial, &facts.person, &facts.witness, what)
            }
            _ => continue,
        };
        moves.entry(key).or_default().push(Move {
            record: record.hash(),
            at: record.iat,
            serial,
            person: person.clone(),
            witness: witness.clone(),
            what,
        });
    }
    moves
}

/// Whether an event tells of a key's moves, or settles one: a new PIN, which only the key itself signs.
pub fn is_told_by(event: &Event) -> bool {
    match event {
        Event::KeyCheckedOut(_) | Event::KeyCheckedIn(_) => true,
        Event::KeyPinChanged(facts) => facts.what == "pin" || facts.what == "unblock",
        _ => false,
    }
}

/// Where a key is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Whereabouts {
    /// Where it lies, or lay before it was taken out: by the last check-in, else by the policy. Empty if neither says.
    pub place: String,
    /// The number of its bag there; empty if none is known.
    pub bag: String,
    /// When the last check-in claims to be from, if there is one.
    pub checked_in: Option<i64>,
    /// Who has it, if it is out.
    pub out: Option<Out>,
}

/// A key that is not in its bag.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Out {
    /// Since when, in Unix seconds as claimed.
    pub since: i64,
    /// Who took it.
    pub person: String,
    /// Why.
    pub why: String,
}

/// Where a key is, by its moves, else by what the policy in force says.
pub fn whereabouts(moves: &[Move], policy: Option<&KeyPlace>) -> Whereabouts {
    let by_check_in = moves.iter().rev().find_map(|one| match &one.what {
        What::In { place, bag } => {
            Some(Whereabouts { place: place.clone(), bag: bag.clone(), checked_in: Some(one.at), out: None })
        }
        What::Out { .. } => None,
    });
    let by_policy = || {
        let (place, bag) = policy.map(|policy| (policy.place.clone(), policy.bag.clone()))?;
        Some(Whereabouts { place, bag, ..Whereabouts::default() })
    };
    let mut there = by_check_in.or_else(by_policy).unwrap_or_default();
    there.out = moves.last().and_then(|last| match &last.what {
        What::Out { why, .. } => Some(Out { since: last.at, person: last.person.clone(), why: why.clone() }),
        What::In { .. } => None,
    });
    there
}

impl Kit {
    /// Where a key is, by its moves, else by the policy in force.
    pub fn whereabouts(&self, key: &KeyId, serial: Serial) -> Whereabouts {
        let moves = self.moves.get(key).map_or(&[][..], Vec::as_slice);
        whereabouts(moves, self.policy.place(serial))
    }
}

/// The command that puts a key away.
pub fn check_in(serial: Serial) -> String {
    format!("breakglass key checkin {serial} --place … --bag … --person … --witness …")
}

/// Seals and bags that were not as they should be, and keys that are out. Of a retired key nothing is told: it opens
/// nothing any more.
pub fn findings(kit: &Kit) -> Vec<Finding> {
    let mut findings = Vec::new();
    for key in kit.enrolled_keys() {
        if matches!(key.standing, Standing::Retired { .. }) {
            continue;
        }
        let serial = key.facts.serial;
        let settle = format!("breakglass key pin {serial}   then   {}", check_in(serial));
        for one in kit.moves.get(&key.id).into_iter().flatten().filter(|one| !one.settled()) {
            let who = format!("{} and {} found", one.person, one.witness);
            match one.seal_wrong() {
                Some(SealSeen::Broken) => findings.push(
                    Finding::wrong(
                        "CUSTODY-SEAL",
                        format!("{who} the seal of key {serial} broken: others may have had it"),
                    )
                    .then(settle.clone())
                    .since(one.at),
                ),
                Some(_) => findings.push(
                    Finding::not_checked(
                        "CUSTODY-SEAL",
                        format!(
                            "{who} no seal on the bag of key {serial}: whether others had it cannot be told"
                        ),
                    )
                    .then(settle.clone())
                    .since(one.at),
                ),
                None => {}
            }
            if let Some((read, expected)) = one.bag_wrong() {
                let read = if read.is_empty() { "no number".to_owned() } else { format!("number {read}") };
                let text =
                    format!("{who} {read} on the bag of key {serial}, which should have been {expected}");
                findings.push(Finding::wrong("CUSTODY-BAG", text).then(settle.clone()).since(one.at));
            }
        }
        if let Some(out) = kit.whereabouts(&key.id, serial).out {
            let text = format!("key {serial} is out of its bag, with {}: {}", out.person, out.why);
            findings.push(Finding::due("KEY-OUT", text, check_in(serial)).since(out.since));
        }
    }
    findings
}

#[cfg(test)]
mod tests;
