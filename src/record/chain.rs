//! A journal file: the records of one key, each holding the hash of the one before. Answers "is the chain intact?" and,
//! where it is not, which lines are to blame. Whether what happened was allowed is not judged here.
//!
//! # What is checked
//! 1. Each line is a record (or is named as unreadable, foreign, repeated, out of place).
//! 2. The first enrols the key (`seq` 0), is signed by the key it enrols, and fits the file's name.
//! 3. All others are of the same key, one `seq` after the other, each `prev` the hash of the whole line before.
//! 4. Signatures, to the [`Depth`] asked for.
//!
//! # Why links are enough
//! A signature covers its record's `prev`, that is the SHA-256 of the record before *with its signature*, which covers
//! the one before that, down to the first. So one good signature vouches for every byte of all lines below it: to change
//! one of them without breaking a link takes a collision of SHA-256 or the key. [`Depth::Links`] therefore hashes and
//! links every line, and verifies the newest signature of each unbroken run of lines, which in an intact file is that of
//! the head. Records that say what the kit *is* are verified singly as well: what they decide shall not rest on the
//! program that later signed on top of them having looked. Only [`Depth::Every`] tells that a record of an opening was
//! never rightly signed although the key later signed on top of it ([`Fault::NeverSigned`]).
//!
//! No check of the file alone can show that its newest lines were cut off whole. The key's own head shows that, what
//! others have `seen`, and bundles exported earlier.

mod line;
mod order;
mod report;

use p256::ecdsa::VerifyingKey;

use super::event::Event;
use super::hash::{Hash, KeyId};
use super::token::Record;

pub use line::{Damage, Fault, Verdict};
pub use report::{ChainDamage, Severity};

/// How many signatures are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Of the newest record of each unbroken run, and of each that changes what the kit is. See the module's text.
    Links,
    /// Of each record.
    Every,
}

/// The records of one key as a file holds them. Reading never fails: what is wrong stands with its line.
#[derive(Debug)]
pub struct Chain {
    name: String,
    key: Option<VerifyingKey>,
    belongs_to: Option<String>,
    lines: Vec<Verdict>,
    breaks: Vec<Break>,
    tail: Tail,
}

/// Where intact lines do not join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// Records are missing that no damaged line accounts for.
    Missing {
        /// The line that they should stand before.
        before: usize,
        /// First place without an intact record.
        from: u64,
        /// Last place without an intact record.
        to: u64,
        /// How many of them no line accounts for.
        count: u64,
    },
    /// The line was signed on top of another record than the one before it here: the key has signed two for one place.
    Fork {
        /// The line.
        line: usize,
        /// The place of the record that it does not follow.
        seq: u64,
    },
}

/// What stands after the last line feed.
#[derive(Debug)]
pub enum Tail {
    /// Nothing: the file ends as it should.
    None,
    /// The next record, whole and signed: only the line feed is missing.
    Complete(Record),
    /// A write that did not end, or anything else. Never acknowledged; kept aside.
    Torn(Box<[u8]>),
}

/// How the same chain in two files compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// Both end at the same record.
    Equal,
    /// This one goes on for so many records.
    Longer(u64),
    /// The other one goes on for so many records.
    Shorter(u64),
    /// They hold different records at this place; the first such.
    Fork {
        /// The place.
        at_seq: u64,
    },
}

impl Chain {
    /// Reads a journal file that is named `<name>.jws`, where `name` is [`super::token::chain_name`]'s.
    pub fn read(name: &str, bytes: &[u8], depth: Depth) -> Self {
        let mut lines = Vec::with_capacity(memchr::memchr_iter(b'\n', bytes).count());
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            lines.push(Verdict::of(lines.len() + 1, &bytes[start..end]));
            start = end + 1;
        }
        let rest = &bytes[start..];
        let enrolled = enrolment(name, lines.iter().filter_map(Verdict::intact));
        let mut chain =
            Chain { name: name.into(), key: None, belongs_to: None, lines, breaks: vec![], tail: Tail::None };
        match enrolled {
            Some((key, kid, belongs_to)) => {
                chain.key = Some(key);
                chain.turn_out_strangers(&key, &kid, &belongs_to);
                chain.belongs_to = Some(belongs_to);
                let unbroken = chain.verify_runs(&key, depth);
                if !unbroken {
                    chain.breaks = order::find(&mut chain.lines);
                }
            }
            None => {
                for (at, line) in chain.lines.iter_mut().enumerate() {
                    line.damage(at + 1, Fault::Unverifiable);
                }
            }
        }
        chain.tail = chain.judge_tail(rest);
        chain
    }

    /// The name it was read under.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The key that signs this chain, from its enrolment.
    pub fn key(&self) -> Option<&VerifyingKey> {
        self.key.as_ref()
    }

    /// What is known of each line, in the order of the file.
    pub fn lines(&self) -> &[Verdict] {
        &self.lines
    }

    /// Where intact lines do not join.
    pub fn breaks(&self) -> &[Break] {
        &self.breaks
    }

    /// What stands after the last line feed.
    pub fn tail(&self) -> &Tail {
        &self.tail
    }

    /// The intact records, by rising `seq`.
    pub fn records(&self) -> impl DoubleEndedIterator<Item = &Record> {
        self.lines.iter().filter_map(Verdict::intact)
    }

    /// The newest intact record.
    pub fn head(&self) -> Option<&Record> {
        self.records().next_back()
    }

    /// Whether all is as it was signed. An unterminated tail is no damage.
    ///
    /// # Errors
    /// [`ChainDamage`] names every line and gap.
    pub fn check(&self) -> Result<(), ChainDamage> {
        report::check(self)
    }

    /// Compares with another copy of the same chain, by intact records.
    pub fn compare(&self, other: &Chain) -> Relation {
        let mut theirs = other.records().peekable();
        for mine in self.records() {
            while theirs.next_if(|record| record.link.seq < mine.link.seq).is_some() {}
            if let Some(same) = theirs.next_if(|record| record.link.seq == mine.link.seq)
                && same.hash() != mine.hash()
            {
                return Relation::Fork { at_seq: mine.link.seq };
            }
        }
        let length = |chain: &Chain| chain.head().map_or(0, |head| head.link.seq + 1);
        let (mine, theirs) = (length(self), length(other));
        match mine.cmp(&theirs) {
            std::cmp::Ordering::Equal => Relation::Equal,
            std::cmp::Ordering::Greater => Relation::Longer(mine - theirs),
            std::cmp::Ordering::Less => Relation::Shorter(theirs - mine),
        }
    }

    /// Names what cannot belong here: records that name another key, lines that the key did not sign, lines that it did
    /// sign but that we cannot read.
    fn turn_out_strangers(&mut self, key: &VerifyingKey, kid: &KeyId, belongs_to: &str) {
        for at in 0..self.lines.len() {
            let (before, rest) = self.lines.split_at_mut(at);
            match &mut rest[0] {
                Verdict::Intact(record) if record.kid == *kid && record.chain_name() == belongs_to => {}
                Verdict::Intact(record) => {
                    // What holds the hash of the line before was of this chain before it was changed to name another.
                    let linked = before.last().is_some_and(|line| {
                        !line.is_foreign() && record.link.prev == Some(Hash::of(line.bytes()))
                    });
                    let why = match linked && record.verify(key).is_err() {
                        true => Fault::Changed,
                        false => Fault::Foreign(record.chain_name()),
                    };
                    rest[0].damage(at + 1, why);
                }
                Verdict::Damaged(damage) => damage.look_closer(key),
            }
        }
    }

    /// Verifies each unbroken run of lines from its newest good signature. Answers whether the whole file is one such
    /// run from the first record on.
    fn verify_runs(&mut self, key: &VerifyingKey, depth: Depth) -> bool {
        let mut runs = 0;
        let mut start = 0;
        while start < self.lines.len() {
            let mut end = start + 1;
            while end < self.lines.len() && self.lines[end].follows(&self.lines[end - 1]) {
                end += 1;
            }
            verify_run(&mut self.lines[start..end], start + 1, key, depth);
            runs += 1;
            start = end;
        }
        let first = self.lines.first().and_then(Verdict::intact);
        runs == 1
            && first.is_some_and(|record| record.link.seq == 0)
            && self.lines.iter().all(|line| line.intact().is_some())
    }

    /// What the bytes after the last line feed are.
    fn judge_tail(&self, rest: &[u8]) -> Tail {
        if rest.is_empty() {
            return Tail::None;
        }
        match Record::parse(rest) {
            Ok(record) if self.is_next(&record) => Tail::Complete(record),
            _ => Tail::Torn(rest.into()),
        }
    }

    /// Whether this is the record that the key signed next.
    fn is_next(&self, record: &Record) -> bool {
        let Some(head) = self.head() else {
            let own = enrolment(&self.name, std::iter::once(record));
            return self.lines.is_empty() && own.is_some_and(|(.., belongs_to)| belongs_to == self.name);
        };
        self.key.is_some_and(|key| record.verify(&key).is_ok())
            && record.chain_name() == head.chain_name()
            && record.link.seq == head.link.seq + 1
            && record.link.prev == Some(head.hash())
    }
}

/// Verifies lines of which each holds the hash of the one before, the first of them line `number` of the file.
fn verify_run(run: &mut [Verdict], number: usize, key: &VerifyingKey, depth: Depth) {
    let good = |line: &Verdict| line.intact().is_some_and(|record| record.verify(key).is_ok());
    let vouched = run.iter().rposition(good);
    for (at, line) in run.iter_mut().enumerate() {
        let Some(record) = line.intact() else { continue };
        match vouched {
            Some(newest) if at == newest => {}
            Some(newest) if at < newest => {
                let singly = depth == Depth::Every || record.event.changes_the_kit();
                if singly && !good(line) {
                    line.damage(number + at, Fault::NeverSigned);
                }
            }
            _ => line.damage(number + at, Fault::Changed),
        }
    }
}

/// The key that these records enrol, with its id and the chain's name: of the enrolment that fits the file's name; or, if
/// no record at all is of the chain that the file is named for, of the first. Only if the key that it enrols signed it.
fn enrolment<'a>(
    name: &str,
    records: impl Iterator<Item = &'a Record> + Clone,
) -> Option<(VerifyingKey, KeyId, String)> {
    let mut first = None;
    for record in records.clone() {
        let Event::KeyEnrolled(facts) = &record.event else { continue };
        let key = VerifyingKey::from(facts.signing.0);
        let belongs_to = record.chain_name();
        let fits = belongs_to == name;
        if (fits || first.is_none()) && record.verify(&key).is_ok() {
            first = Some((key, record.kid, belongs_to));
            if fits {
                return first;
            }
        }
    }
    first.filter(|_| records.into_iter().all(|record| record.chain_name() != name))
}

#[cfg(test)]
mod tests;
