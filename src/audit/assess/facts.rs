//! What a case keeps of records, one by one: the few words that rules ask for.

use crate::audit::time::At;
use crate::record::event::{Consent, IncidentReviewed};
use crate::record::hash::Hash;

/// Where a chain is not whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Break {
    /// Places without a record.
    Gap {
        /// The first.
        from: u64,
        /// The last.
        to: u64,
        /// The record that comes after.
        before: At,
    },
    /// Several records of one place.
    Fork {
        /// The place.
        seq: u64,
        /// The records.
        records: Vec<At>,
    },
    /// A record that was signed on top of another than the ledger holds at the place before.
    Elsewhere(At),
}

/// A record whose signature does not verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bad {
    /// SHA-256.
    pub hash: Hash,
    /// Chain that it names.
    pub chain: String,
    /// Place that it names.
    pub seq: u64,
    /// Time that it claims.
    pub iat: i64,
    /// The event's name.
    pub event: &'static str,
}

/// A record says that its writer had seen another that the ledger does not hold at that place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmet {
    /// The record that says so.
    pub by: At,
    /// The chain of the other.
    pub chain: String,
    /// Its place.
    pub seq: u64,
    /// Its hash.
    pub hash: Hash,
    /// Whether the ledger holds another record at that place.
    pub other: bool,
}

/// `open.intent`, in short.
#[derive(Debug)]
pub struct Intent {
    /// The record.
    pub at: At,
    /// The credential, among the names of the case.
    pub credential: u32,
    /// Which generation.
    pub generation: u64,
    /// Hash of the record that sealed it.
    pub sealed: Hash,
    /// The emergency, among the names.
    pub emergency: u32,
    /// The operator, among the names.
    pub operator: u32,
    /// The incident, among the names.
    pub incident: u32,
    /// In the person's words.
    pub reason: Box<str>,
    /// Whether 9E proved the key.
    pub presence: bool,
    /// PIN tries before.
    pub tries: u8,
    /// Identifier and reason of each override.
    pub overrides: Box<[(String, String)]>,
    /// What it rests on beside the operator's word.
    pub consent: Option<Box<Consent>>,
    /// Which of the releases of the case names it.
    pub release: Option<u32>,
}

/// `open.released`, in short.
#[derive(Debug)]
pub struct Release {
    /// The record.
    pub at: At,
    /// The credential, among the names of the case.
    pub credential: u32,
    /// Which generation.
    pub generation: u64,
    /// The incident, among the names.
    pub incident: u32,
    /// Hashes of the intents that it names.
    pub intents: Box<[Hash]>,
    /// Where it went, among the names.
    pub output: u32,
}

/// The end of an incident, in short.
#[derive(Debug)]
pub struct Close {
    /// The record.
    pub at: At,
    /// The incident, among the names of the case.
    pub incident: u32,
    /// `real`, `drill`, `misuse`, `false-alarm`.
    pub verdict: String,
    /// In the person's words.
    pub outcome: String,
    /// What was switched off, to be put back.
    pub switched_off: Vec<String>,
}

/// Something of an incident that was signed by a key which did not belong, or no more, in short.
#[derive(Debug)]
pub struct Outside {
    /// The record.
    pub at: At,
    /// The incident, among the names of the case.
    pub incident: u32,
    /// The credential, or the table of the policy.
    pub what: Option<Box<str>>,
}

/// A judgement of an incident, in short.
#[derive(Debug)]
pub struct Review {
    /// The record.
    pub at: At,
    /// The incident, among the names of the case.
    pub incident: u32,
    /// Who judges, among the names.
    pub by: u32,
    /// What they say.
    pub facts: IncidentReviewed,
}

/// A word that something was done, in short.
#[derive(Debug)]
pub struct Discharge {
    /// The record.
    pub at: At,
    /// The incident, among the names of the case.
    pub incident: u32,
    /// What was done.
    pub debt: String,
}

/// `drill.begun`, and what came of it, in short.
#[derive(Debug)]
pub struct Drill {
    /// The record that began it.
    pub at: At,
    /// The credential, among the names of the case.
    pub credential: u32,
    /// Which generation.
    pub generation: u64,
    /// The `drill.ended` of the same chain that names it.
    pub ended: Option<Ended>,
}

/// `drill.ended`, in short.
#[derive(Debug, Clone)]
pub struct Ended {
    /// The record.
    pub at: At,
    /// Whether the key proved itself.
    pub proven: bool,
    /// What failed, if it did not.
    pub failed: Option<Box<str>>,
}

impl Drill {
    /// Whether it proved that the key would open that generation.
    pub fn proven(&self) -> bool {
        self.ended.as_ref().is_some_and(|ended| ended.proven)
    }
}
