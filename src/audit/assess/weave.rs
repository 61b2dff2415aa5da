//! How records hang together: which chain each is of, what it was signed on top of, and what it says it had seen.

use std::collections::{BTreeMap, HashMap};

use super::case::{ChainFacts, Known, Records};
use super::facts::{Break, Unmet};
use crate::audit::time::{At, Graph};
use crate::record::event::Event;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// Follows the chains as their records come by rising place.
#[derive(Default)]
pub(super) struct Weave {
    /// Name of the chains that are being followed. Two keys can have the same: 8 digits of their ids are in it.
    name: String,
    followed: Vec<(KeyId, u32, Ends)>,
    before: Vec<Option<At>>,
}

/// The records of the newest place of a chain, and those of the place before.
#[derive(Default)]
struct Ends {
    last: Option<(u64, Vec<End>)>,
    before: Option<(u64, Vec<End>)>,
}

/// A record, and the one that it was signed on top of.
struct End {
    at: At,
    hash: Hash,
    prev: Option<Hash>,
}

impl Weave {
    /// The next record; answers which chain it is of.
    pub(super) fn take(&mut self, at: At, record: &Record, chains: &mut Vec<ChainFacts>) -> u32 {
        let name = record.chain_name();
        if self.name != name {
            (self.name, self.followed) = (name, Vec::new());
        }
        let place = match self.followed.iter().position(|(key, ..)| *key == record.kid) {
            Some(place) => place,
            None => {
                chains.push(ChainFacts {
                    name: self.name.clone(),
                    serial: record.serial,
                    key: record.kid,
                    first: at,
                    last: at,
                    count: 0,
                    enrolment: None,
                    account: None,
                    observations: Vec::new(),
                    breaks: Vec::new(),
                });
                self.followed.push((record.kid, chains.len() as u32 - 1, Ends::default()));
                self.followed.len() - 1
            }
        };
        let (_, index, ends) = &mut self.followed[place];
        let chain = &mut chains[*index as usize];
        chain.last = at;
        chain.count += 1;
        if matches!(record.event, Event::KeyEnrolled(_)) && chain.enrolment.is_none() {
            chain.enrolment = Some(at);
        }
        self.before.push(ends.join(at, record, &mut chain.breaks));
        *index
    }

    /// What every record is built on, with what they say they had seen.
    pub(super) fn graph(self, seen: Vec<(At, At)>) -> Graph {
        Graph { before: self.before, seen }
    }
}

impl Ends {
    /// Joins a record to the chain; answers the record that it was signed on top of, if the ledger has that.
    fn join(&mut self, at: At, record: &Record, breaks: &mut Vec<Break>) -> Option<At> {
        let (seq, prev) = (record.link.seq, record.link.prev);
        let end = End { at, hash: record.hash(), prev };
        match &mut self.last {
            Some((place, records)) if *place == seq => records.push(end),
            last => {
                let ended = last.replace((seq, vec![end]));
                let next = ended.as_ref().map_or(0, |(place, _)| place + 1);
                if seq > next {
                    breaks.push(Break::Gap { from: next, to: seq - 1, before: at });
                }
                self.before = ended.filter(|(place, _)| place + 1 == seq);
            }
        }
        let below = self.before.as_ref().map_or(&[][..], |(_, records)| records);
        let on = below.iter().find(|end| prev == Some(end.hash)).map(|end| end.at);
        if on.is_none() && !below.is_empty() {
            breaks.push(Break::Elsewhere(at));
        }
        // Branches that go on after a fork are no further forks, unless one of them forks again.
        if let Some((_, records)) = &self.last
            && records.len() > 1
            && (below.len() < 2 || records.iter().filter(|end| end.prev == prev).count() > 1)
        {
            match breaks.last_mut() {
                Some(Break::Fork { seq: forked, records }) if *forked == seq => records.push(at),
                _ => breaks.push(Break::Fork { seq, records: records.iter().map(|end| end.at).collect() }),
            }
        }
        on
    }
}

/// What records say of the chains of others, until all records are known.
#[derive(Default)]
pub(super) struct Claims {
    claims: Vec<Claim>,
    names: Vec<String>,
    by_name: HashMap<String, u32>,
    /// What the chain that is being read said last, so that only what is new is kept.
    last: (u32, BTreeMap<String, (u64, Hash)>),
}

struct Claim {
    by: At,
    chain: u32,
    name: u32,
    seq: u64,
    hash: Hash,
}

impl Claims {
    /// The claims of the next record, which is of that chain.
    pub(super) fn take(&mut self, at: At, chain: u32, record: &Record) {
        if self.last.0 != chain {
            self.last = (chain, BTreeMap::new());
        }
        for (name, head) in &record.link.seen {
            if self.last.1.get(name) != Some(head) {
                self.put(at, chain, name, *head);
                self.last.1.insert(name.clone(), *head);
            }
        }
        if let Event::Exported(facts) = &record.event {
            for (name, head) in &facts.heads {
                self.put(at, chain, name, *head);
            }
        }
    }

    fn put(&mut self, by: At, chain: u32, name: &str, (seq, hash): (u64, Hash)) {
        let name = match self.by_name.get(name) {
            Some(index) => *index,
            None => {
                self.names.push(name.to_owned());
                self.by_name.insert(name.to_owned(), self.names.len() as u32 - 1);
                self.names.len() as u32 - 1
            }
        };
        self.claims.push(Claim { by, chain, name, seq, hash });
    }

    /// Against all records: what each record had seen of them, the same by chains, and what the ledger does not hold.
    pub(super) fn resolve(
        self,
        records: &Records,
        chains: &[ChainFacts],
    ) -> (Vec<(At, At)>, Known, Vec<Unmet>) {
        let held = Places::of(chains);
        let (mut seen, mut known, mut unmet) = (Vec::new(), Known::default(), Vec::new());
        for claim in self.claims {
            let name = &self.names[claim.name as usize];
            let at = held.at(name, claim.seq, records);
            match at.iter().copied().find(|at| records.hash[*at as usize] == claim.hash) {
                Some(found) => {
                    seen.push((claim.by, found));
                    let chain = records.chain[found as usize];
                    let pair = known.0.entry((claim.chain, chain)).or_default();
                    let most = pair.last().map_or(0, |(_, most)| *most).max(claim.seq);
                    pair.push((records.seq[claim.by as usize], most));
                }
                None => unmet.push(Unmet {
                    by: claim.by,
                    chain: name.clone(),
                    seq: claim.seq,
                    hash: claim.hash,
                    other: !at.is_empty(),
                }),
            }
        }
        (seen, known, unmet)
    }
}

/// Where the records of the chains of each name stand.
struct Places<'a>(HashMap<&'a str, Vec<(At, At)>>);

impl<'a> Places<'a> {
    fn of(chains: &'a [ChainFacts]) -> Self {
        let mut places: HashMap<&str, Vec<(At, At)>> = HashMap::new();
        for chain in chains {
            places.entry(&chain.name).or_default().push((chain.first, chain.last));
        }
        Places(places)
    }

    /// The records of that place.
    fn at(&self, name: &str, seq: u64, records: &Records) -> Vec<At> {
        let mut found = Vec::new();
        for (from, to) in self.0.get(name).into_iter().flatten() {
            let (from, to) = (*from as usize, *to as usize + 1);
            let places = &records.seq[from..to];
            let first = from + places.partition_point(|place| *place < seq);
            let end = from + places.partition_point(|place| *place <= seq);
            found.extend(first as At..end as At);
        }
        found
    }
}
