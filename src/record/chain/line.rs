//! One line of a journal file: intact, or damaged and how.

use p256::ecdsa::VerifyingKey;

use crate::es256;
use crate::record::token::{Parts, Record, RecordError};

/// What is known of one line, without its line feed.
#[derive(Debug)]
pub enum Verdict {
    /// As the key signed it, and in its place.
    Intact(Record),
    /// Not so.
    Damaged(Box<Damage>),
}

/// A line that is not an intact record of this chain in its place.
#[derive(Debug)]
pub struct Damage {
    /// Which line of the file, from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: Fault,
    /// Its bytes: damage is evidence, and is kept.
    pub bytes: Box<[u8]>,
    /// The record, where the line can be read as one. Only for [`Fault::Repeated`], [`Fault::OutOfOrder`] and
    /// [`Fault::SameSeq`] is it known to be signed by this key.
    pub record: Option<Record>,
}

/// What is wrong with a line.
#[derive(Debug)]
pub enum Fault {
    /// It has not the form of a record at all.
    NotARecord(RecordError),
    /// Signed by this key, but not understood: most often by a newer version.
    Unreadable(RecordError),
    /// It cannot be checked, because the enrolment that holds the key is missing or damaged.
    Unverifiable,
    /// Its signature does not verify, nor does one on top of it.
    Changed,
    /// Its signature does not verify, but the key later signed on top of just these bytes.
    NeverSigned,
    /// A record of another chain, as it says itself.
    Foreign(String),
    /// The same as this line before it.
    Repeated(usize),
    /// A good record that stands in the wrong place of the file.
    OutOfOrder {
        /// Its place in the chain.
        seq: u64,
    },
    /// The key signed another record for the same place: a fork.
    SameSeq {
        /// The place in the chain.
        seq: u64,
        /// The line that holds the other one.
        line: usize,
    },
}

impl Damage {
    /// Of a line that is not a record: whether the key has signed it all the same, or may have before it was changed.
    pub(super) fn look_closer(&mut self, key: &VerifyingKey) {
        let Ok(parts) = Parts::split(&self.bytes) else { return };
        let signed = parts.signature().is_ok_and(|signature| es256::verify(key, parts.signed, &signature));
        match std::mem::replace(&mut self.why, Fault::Changed) {
            Fault::NotARecord(error) if signed => self.why = Fault::Unreadable(error),
            _ => {}
        }
    }
}

impl Verdict {
    /// The first look: is it a record?
    pub(super) fn of(line: usize, bytes: &[u8]) -> Self {
        match Record::parse(bytes) {
            Ok(record) => Verdict::Intact(record),
            Err(error) => Verdict::Damaged(Box::new(Damage {
                line,
                why: Fault::NotARecord(error),
                bytes: bytes.into(),
                record: None,
            })),
        }
    }

    /// The record, if the line is intact.
    pub fn intact(&self) -> Option<&Record> {
        match self {
            Verdict::Intact(record) => Some(record),
            Verdict::Damaged(_) => None,
        }
    }

    /// The line's bytes, whatever they are.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Verdict::Intact(record) => record.bytes(),
            Verdict::Damaged(damage) => &damage.bytes,
        }
    }

    pub(super) fn is_foreign(&self) -> bool {
        matches!(self, Verdict::Damaged(damage) if matches!(damage.why, Fault::Foreign(_)))
    }

    /// Whether both are records and this one was signed on top of `before`.
    pub(super) fn follows(&self, before: &Verdict) -> bool {
        match (before, self) {
            (Verdict::Intact(before), Verdict::Intact(record)) => {
                record.link.seq == before.link.seq + 1 && record.link.prev == Some(before.hash())
            }
            _ => false,
        }
    }

    /// Takes an intact line for damaged.
    pub(super) fn damage(&mut self, line: usize, why: Fault) {
        if let Verdict::Intact(record) = self {
            let record = record.clone();
            let bytes = record.bytes().into();
            *self = Verdict::Damaged(Box::new(Damage { line, why, bytes, record: Some(record) }));
        }
    }
}
