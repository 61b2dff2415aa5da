//! What is wrong with the enclosed records by themselves: signatures, links, places, assertions. `page/faults.js` derives the same
//! list in the reader's browser from the bytes alone; where the two lists differ, the file was changed after it was
//! made, or made to deceive.

use std::collections::{BTreeMap, BTreeSet};

use super::Enclosed;
use super::told::place;
use crate::audit::ledger::{Held, Signature};
use crate::record::counter;
use crate::record::event::{Event, KeyEnrolled};
use crate::record::hash::{Hash, KeyId};

/// Each as `kind place`, sorted:
///
/// | kind | place | meaning |
/// |---|---|---|
/// | `signature` | `chain/seq hash` | the record's signature is not its key's |
/// | `key` | `chain` | the enrolment is lacking, so nothing of the chain can be verified |
/// | `vouched` | `chain` | no key that the founder or its like admitted has signed for this key |
/// | `kit` | `chain/seq` | the record names another kit |
/// | `missing` | `chain/from..to` | places without a record |
/// | `fork` | `chain/seq` | more than one good record has this place |
/// | `link` | `chain/seq` | it does not name the record before |
/// | `lacks`, `other` | `chain/seq` | another record has seen this one, or another in its place |
/// | `assertion` | `chain/seq` | the FIDO2 signature is not over that record by that key |
/// | `over` | `chain/seq` | it is over a record that is no earlier use of this chain |
/// | `counter` | `chain/seq` | the counter did not rise |
pub fn faults(enclosed: &Enclosed, kits: &BTreeSet<Hash>) -> Vec<String> {
    let mut chains: BTreeMap<String, Vec<&Held>> = BTreeMap::new();
    for held in &enclosed.records {
        chains.entry(held.record.chain_name()).or_default().push(held);
    }
    let mut look = Look { faults: BTreeSet::new(), enclosed, kits, keys: BTreeMap::new() };
    for held in enclosed.records.iter().filter(|held| held.signature == Signature::Good) {
        if let Event::KeyEnrolled(facts) = &held.record.event {
            look.keys.entry(held.record.kid).or_insert((facts, held.record.hash()));
        }
    }
    let vouched = look.vouched();
    let good: BTreeMap<&str, Vec<&Held>> =
        chains.iter().map(|(chain, records)| (chain.as_str(), look.good(chain, records, &vouched))).collect();
    for (chain, records) in &good {
        look.links(chain, records, &chains[*chain]);
        look.assertions(chain, records);
    }
    look.seen(&good, &chains);
    look.faults.into_iter().collect()
}

struct Look<'a> {
    faults: BTreeSet<String>,
    enclosed: &'a Enclosed,
    kits: &'a BTreeSet<Hash>,
    keys: BTreeMap<KeyId, (&'a KeyEnrolled, Hash)>,
}

impl<'a> Look<'a> {
    fn say(&mut self, kind: &str, place: impl std::fmt::Display) {
        self.faults.insert(format!("{kind} {place}"));
    }

    /// Founders of these kits, and whom they and their like have signed for.
    fn vouched(&self) -> BTreeSet<KeyId> {
        let good = || {
            let good = self.enclosed.records.iter().filter(|held| held.signature == Signature::Good);
            good.map(|held| &held.record).filter(|record| self.keys.contains_key(&record.kid))
        };
        let mut vouched: BTreeSet<KeyId> =
            good().filter(|record| self.kits.contains(&record.hash())).map(|record| record.kid).collect();
        loop {
            let before = vouched.len();
            for record in good().filter(|record| vouched.contains(&record.kid)).collect::<Vec<_>>() {
                if let Event::KeyAdmitted(facts) = &record.event
                    && self.keys.get(&facts.key).is_some_and(|(_, enrolment)| *enrolment == facts.enrolment)
                {
                    vouched.insert(facts.key);
                }
            }
            if vouched.len() == before {
                return vouched;
            }
        }
    }

    /// The records of a chain that their key has signed.
    fn good(&mut self, chain: &str, records: &[&'a Held], vouched: &BTreeSet<KeyId>) -> Vec<&'a Held> {
        let Some(first) = records.first() else { return Vec::new() };
        if !self.keys.contains_key(&first.record.kid) {
            self.say("key", chain);
            return Vec::new();
        }
        if !vouched.contains(&first.record.kid) {
            self.say("vouched", chain);
        }
        let mut good = Vec::new();
        for held in records {
            match held.signature {
                Signature::Good => good.push(*held),
                _ => self.say("signature", format!("{} {}", place(&held.record), held.record.hash())),
            }
        }
        good
    }

    /// Places and links.
    fn links(&mut self, chain: &str, good: &[&Held], all: &[&Held]) {
        let mut at: BTreeMap<u64, Vec<&Held>> = BTreeMap::new();
        for held in good {
            at.entry(held.record.link.seq).or_default().push(held);
        }
        let taken: BTreeSet<u64> = all.iter().map(|held| held.record.link.seq).collect();
        let mut next = 0;
        for seq in &taken {
            self.missing(chain, next, *seq);
            next = seq + 1;
        }
        for (seq, here) in &at {
            if here.len() > 1 {
                self.say("fork", format_args!("{chain}/{seq}"));
            }
            let before = seq.checked_sub(1).and_then(|before| at.get(&before));
            for held in here {
                let link = &held.record.link;
                let named = |one: &&Held| Some(one.record.hash()) == link.prev;
                if before.is_some_and(|before| !before.iter().any(named)) {
                    self.say("link", format_args!("{chain}/{seq}"));
                }
                if link.kit.is_some_and(|kit| !self.kits.contains(&kit)) {
                    self.say("kit", format_args!("{chain}/{seq}"));
                }
            }
        }
    }

    /// Places from `from` to before `to` that the report does not know to be left out.
    fn missing(&mut self, chain: &str, from: u64, to: u64) {
        let mut next = from;
        let none = Vec::new();
        let omitted = self.enclosed.omitted.get(chain).unwrap_or(&none);
        for (first, last) in omitted.iter().filter(|(first, last)| *last >= from && *first < to) {
            self.run(chain, next, *first);
            next = last + 1;
        }
        self.run(chain, next, to);
    }

    fn run(&mut self, chain: &str, from: u64, to: u64) {
        if from < to {
            self.say("missing", format_args!("{chain}/{from}..{}", to - 1));
        }
    }

    fn is_omitted(&self, chain: &str, seq: u64) -> bool {
        let omitted = self.enclosed.omitted.get(chain);
        omitted.is_some_and(|all| all.iter().any(|(first, last)| (first..=last).contains(&&seq)))
    }

    /// What records have seen of other chains, or exported, against what is enclosed.
    fn seen(&mut self, good: &BTreeMap<&str, Vec<&Held>>, chains: &BTreeMap<String, Vec<&Held>>) {
        let mut lacking: BTreeMap<&str, u64> = BTreeMap::new();
        let mut other = BTreeSet::new();
        let vouched = self.vouched();
        let mut held: BTreeMap<&str, BTreeMap<u64, Vec<Hash>>> = BTreeMap::new();
        for (chain, records) in chains {
            let places = held.entry(chain).or_default();
            for one in records {
                places.entry(one.record.link.seq).or_default().push(one.record.hash());
            }
        }
        let believed = good.values().flatten().filter(|one| vouched.contains(&one.record.kid));
        for record in believed.map(|one| &one.record) {
            let exported = match &record.event {
                Event::Exported(facts) => Some(&facts.heads),
                _ => None,
            };
            for (chain, (seq, hash)) in record.link.seen.iter().chain(exported.into_iter().flatten()) {
                let places = held.get(chain.as_str());
                match places.and_then(|places| places.get(seq)) {
                    Some(hashes) if hashes.contains(hash) => {}
                    _ if self.is_omitted(chain, *seq) => {}
                    Some(_) => drop(other.insert(format!("{chain}/{seq}"))),
                    // A hole further in is told as missing.
                    None if places
                        .and_then(|places| places.last_key_value())
                        .is_some_and(|(last, _)| last > seq) => {}
                    None => {
                        let worst = lacking.entry(chain).or_default();
                        *worst = (*worst).max(*seq);
                    }
                }
            }
        }
        for (chain, seq) in lacking {
            self.say("lacks", format_args!("{chain}/{seq}"));
        }
        for place in other {
            self.say("other", place);
        }
    }

    /// FIDO2 assertions: by the right credential, over an earlier use, with a counter that rises.
    fn assertions(&mut self, chain: &str, good: &[&Held]) {
        let key = good.first().and_then(|held| self.keys.get(&held.record.kid)).copied();
        let Some((enrolled, _)) = key else { return };
        let mut last = None;
        if let Some(fido2) = &enrolled.fido2 {
            match counter::first(fido2, &enrolled.signing) {
                Ok(counter) => last = Some(counter),
                Err(_) => self.say("assertion", format_args!("{chain}/0")),
            }
        }
        let mut uses = BTreeSet::new();
        let whole = !self.enclosed.omitted.contains_key(chain);
        for held in good {
            let record = &held.record;
            if matches!(record.event, Event::OpenIntent(_) | Event::DrillBegun(_) | Event::KeyWitness(_)) {
                uses.insert(record.hash());
            }
            let Event::OpenAsserted(facts) = &record.event else { continue };
            let counter = enrolled.fido2.as_ref().and_then(|fido2| counter::asserted(fido2, facts).ok());
            let Some(counter) = counter else {
                self.say("assertion", place(record));
                continue;
            };
            if whole && !uses.contains(&facts.over) {
                self.say("over", place(record));
            }
            if last.is_some_and(|last| counter <= last) {
                self.say("counter", place(record));
            }
            last = Some(counter);
        }
    }
}
