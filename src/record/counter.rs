//! A key's signature counter as evidence: what its chain says was done with FIDO2, held against how far the counter moved.
//!
//! Each record of a use (`open.intent` or `drill.begun` of a credential that asks this key for FIDO2, `key.witness`) is the
//! challenge of one assertion, which the chain then holds (`open.asserted`). Between two assertions the counter has moved by what was
//! done in between, by whatever program. On a key that was measured to count by a fixed step, more than the journal
//! accounts for is certain, though not with which credential; on any other key it is possible at most. A counter that
//! does not rise is wrong on every key.
//!
//! Pure: records of one chain in, observations out. A crash between the assertion and its record leaves a use without
//! one, so each such use may have moved the counter once.

use std::collections::{HashMap, HashSet};

use super::event::{CounterProfile, Event, Fido2Enrolled, OpenAsserted, enrolment_challenge};
use super::hash::Hash;
use super::token::Record;
use crate::assertion::{AssertionError, verify, verify_digest};

/// Whether a record of this key is followed by an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// It is.
    Yes,
    /// Nothing of FIDO2 was to be done.
    No,
    /// What was sealed is not known, so neither is this.
    Unknown,
}

/// Something that the chain and the counter say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observation {
    /// Place of the record in the chain.
    pub seq: u64,
    /// What it is.
    pub what: Counted,
}

/// What the chain and the counter say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// The counter moved further than the journal accounts for.
    Jump {
        /// Uses more than the journal says; at least so many where certain, at most where possible.
        more: u32,
        /// What of it is known.
        claim: Claim,
    },
    /// The counter moved by more than one use, and uses without an assertion account for it.
    Explained {
        /// Uses beyond the one that is recorded.
        more: u32,
    },
    /// The counter did not move: a copy of the key, or an assertion twice.
    Standstill {
        /// Where it stands.
        at: u32,
    },
    /// The counter went back, or by less than one use: another key, a copy, or a restored state.
    Regress {
        /// What it was.
        from: u32,
        /// What it is.
        to: u32,
    },
    /// The assertion is not what it says to be.
    Invalid(Flaw),
    /// It names a record that this copy lacks; its signature is good.
    OverUnknown,
    /// A record that an assertion should follow, and none does.
    Missing,
}

/// How sure a claim is. Never surer than the key's counter allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// It happened.
    Certain,
    /// It may have happened; this key's counter cannot tell.
    Possible,
}

/// What is wrong with an assertion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Flaw {
    /// By itself.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// It is over a record that is no opening, no drill and no witness, or not before it.
    #[error("it is over a record that asks for none")]
    Over,
    /// The enrolment says nothing of FIDO2.
    #[error("the enrolment of its key names no FIDO2 credential")]
    NoCredential,
}

/// The counter that the enrolment's own assertion shows.
pub fn first(enrolled: &Fido2Enrolled, signing: &super::event::Point) -> Result<u32, AssertionError> {
    let proof = &enrolled.proof;
    let challenge = enrolment_challenge(signing);
    verify(&enrolled.public.0.into(), &challenge, proof.data.bytes(), proof.signature.bytes())
}

/// The counter that this assertion shows, if it is by that key's credential over the record that it names.
pub fn asserted(enrolled: &Fido2Enrolled, facts: &OpenAsserted) -> Result<u32, AssertionError> {
    let key = enrolled.public.0.into();
    verify_digest(&key, &facts.over.0, facts.data.bytes(), facts.signature.bytes())
}

/// Everything that the records of one chain, by rising `seq`, show of its key's counter. Nothing is said of a chain
/// without enrolment, or of a key without FIDO2, but that its assertions cannot be.
pub fn observe<'a>(
    mut records: impl Iterator<Item = &'a Record>,
    expected: &dyn Fn(&Record) -> Expected,
) -> Vec<Observation> {
    let Some(mut account) = records.next().and_then(Account::open) else { return Vec::new() };
    for record in records {
        account.note(record, expected(record));
    }
    account.observe()
}

/// What one chain says of its key's counter, without its records: a few words for each use and each assertion, so that
/// a chain of any length can be read past. Each assertion is verified once, when it is noted.
#[derive(Debug, Clone)]
pub struct Account {
    /// Of the enrolment.
    place: u64,
    fido2: Option<Side>,
    steps: Vec<(u64, Step)>,
    /// The newest place noted.
    before: u64,
}

#[derive(Debug, Clone)]
struct Side {
    facts: Fido2Enrolled,
    first: Result<u32, AssertionError>,
}

#[derive(Debug, Clone)]
enum Step {
    /// Records are lacking before this place.
    Gap,
    Use {
        record: Hash,
        expected: Expected,
    },
    Assertion {
        over: Hash,
        shown: Result<u32, AssertionError>,
    },
}

impl Account {
    /// Of the key that this record enrols; `None` if it enrols none.
    pub fn open(enrolment: &Record) -> Option<Self> {
        let Event::KeyEnrolled(facts) = &enrolment.event else { return None };
        let side = |fido2: &Fido2Enrolled| Side { facts: fido2.clone(), first: first(fido2, &facts.signing) };
        let place = enrolment.link.seq;
        Some(Account { place, fido2: facts.fido2.as_deref().map(side), steps: Vec::new(), before: place })
    }

    /// The next record of the chain, and whether an assertion should follow it.
    pub fn note(&mut self, record: &Record, expected: Expected) {
        let seq = record.link.seq;
        if seq != self.before + 1 {
            self.steps.push((seq, Step::Gap));
        }
        self.before = seq;
        let step = match &record.event {
            Event::OpenAsserted(facts) => {
                let shown = match &self.fido2 {
                    Some(side) => asserted(&side.facts, facts),
                    None => Err(AssertionError::Signature),
                };
                Step::Assertion { over: facts.over, shown }
            }
            // Without a counter there is nothing to account for.
            _ if self.fido2.is_none() => return,
            Event::OpenIntent(_) | Event::DrillBegun(_) if expected != Expected::No => {
                Step::Use { record: record.hash(), expected }
            }
            Event::KeyWitness(_) => Step::Use { record: record.hash(), expected },
            _ => return,
        };
        self.steps.push((seq, step));
    }

    /// How the key's counter moves; `None` where it has none.
    pub fn profile(&self) -> Option<CounterProfile> {
        Some(self.fido2.as_ref()?.facts.profile)
    }

    /// Each good assertion: its place, and the counter that it shows. That of the enrolment is the first.
    pub fn shown(&self) -> impl Iterator<Item = (u64, u32)> {
        let enrolled = self.fido2.as_ref().and_then(|side| side.first.ok()).map(|shown| (self.place, shown));
        enrolled.into_iter().chain(self.steps.iter().filter_map(|(seq, step)| match step {
            Step::Assertion { shown: Ok(shown), .. } if self.fido2.is_some() => Some((*seq, *shown)),
            _ => None,
        }))
    }

    /// What all of it shows.
    pub fn observe(&self) -> Vec<Observation> {
        let mut watch = Watch {
            observations: Vec::new(),
            last: None,
            uses: self.uses(),
            open: 0,
            gap: false,
            lacking: false,
        };
        let Some(Side { facts, first }) = &self.fido2 else {
            for (seq, _) in self.steps.iter().filter(|(_, step)| matches!(step, Step::Assertion { .. })) {
                watch.say(*seq, Counted::Invalid(Flaw::NoCredential));
            }
            return watch.observations;
        };
        match first {
            Ok(counter) => watch.last = Some(*counter),
            Err(error) => watch.say(self.place, Counted::Invalid((*error).into())),
        }
        let answered = self.answered();
        for (seq, step) in &self.steps {
            match step {
                Step::Gap => (watch.gap, watch.lacking) = (true, true),
                Step::Assertion { over, shown } => watch.assertion(facts.profile, *seq, over, *shown),
                Step::Use { record, .. } if answered.contains(record) => {}
                Step::Use { expected, .. } => {
                    watch.open += 1;
                    if *expected == Expected::Yes {
                        watch.say(*seq, Counted::Missing);
                    }
                }
            }
        }
        watch.observations
    }

    /// Records of uses by hash, with their places.
    fn uses(&self) -> HashMap<Hash, u64> {
        let used = |(seq, step): &(u64, Step)| match step {
            Step::Use { record, .. } => Some((*record, *seq)),
            _ => None,
        };
        self.steps.iter().filter_map(used).collect()
    }

    /// Hashes of the records that good assertions of this chain are over.
    fn answered(&self) -> HashSet<Hash> {
        let over = |(_, step): &(u64, Step)| match step {
            Step::Assertion { over, shown: Ok(_) } => Some(*over),
            _ => None,
        };
        self.steps.iter().filter_map(over).collect()
    }
}

struct Watch {
    observations: Vec<Observation>,
    /// The counter as of the last good assertion.
    last: Option<u32>,
    /// Records of uses by hash, with their places.
    uses: HashMap<Hash, u64>,
    /// Uses without an assertion since.
    open: u32,
    /// Whether records are lacking since: more uses may have been recorded than are known.
    gap: bool,
    /// Whether records are lacking anywhere before.
    lacking: bool,
}

impl Watch {
    fn say(&mut self, seq: u64, what: Counted) {
        self.observations.push(Observation { seq, what });
    }

    fn assertion(
        &mut self,
        profile: CounterProfile,
        seq: u64,
        over: &Hash,
        shown: Result<u32, AssertionError>,
    ) {
        let counter = match shown {
            Ok(counter) => counter,
            Err(error) => return self.say(seq, Counted::Invalid(error.into())),
        };
        match self.uses.get(over) {
            Some(at) if *at < seq => {}
            None if self.lacking => self.say(seq, Counted::OverUnknown),
            _ => self.say(seq, Counted::Invalid(Flaw::Over)),
        }
        if let Some(last) = self.last
            && let Some(what) = moved(profile, last, counter, self.open, self.gap)
        {
            self.say(seq, what);
        }
        (self.last, self.open, self.gap) = (Some(counter), 0, false);
    }
}

/// What it means that the counter went from `last` to `now`, with one use recorded and `open` uses without assertion.
/// With a gap, records that would account for more may be lacking.
pub fn moved(profile: CounterProfile, last: u32, now: u32, open: u32, gap: bool) -> Option<Counted> {
    let delta = match now.checked_sub(last) {
        None => return Some(Counted::Regress { from: last, to: now }),
        Some(0) => return Some(Counted::Standstill { at: now }),
        Some(delta) => delta,
    };
    let known = open.saturating_add(1);
    match profile {
        CounterProfile::Exact { step } if delta < step => Some(Counted::Regress { from: last, to: now }),
        CounterProfile::Exact { step } => {
            let accounted = step.saturating_mul(known);
            match delta {
                _ if delta == step => None,
                _ if delta <= accounted => Some(Counted::Explained { more: (delta - step).div_ceil(step) }),
                _ => {
                    let claim = if gap { Claim::Possible } else { Claim::Certain };
                    Some(Counted::Jump { more: ((delta - accounted) / step).max(1), claim })
                }
            }
        }
        CounterProfile::Monotonic if delta > known => {
            Some(Counted::Jump { more: delta - known, claim: Claim::Possible })
        }
        CounterProfile::Monotonic => None,
    }
}

#[cfg(test)]
mod tests;
