//! What an audit found: sorted, weighed, and resting on records that are named.

use serde::Serialize;

use crate::record::hash::Hash;

pub use crate::record::counter::Claim;

/// Whether something was checked, and what came of it. In the order in which reports tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sort {
    /// Checked, and it is wrong.
    Wrong,
    /// Something has to be done.
    Due,
    /// Bytes that cannot be read as what they should be.
    CannotRead,
    /// What it takes to check it is not at hand.
    CannotCheck,
    /// Nobody asked for it to be checked.
    NotChecked,
    /// Good to know; nothing is wrong.
    Note,
}

/// How grave it is, if it is so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// A secret may be in the wrong hands, or evidence was destroyed.
    Critical,
    /// A rule that protects a secret was broken.
    High,
    /// A duty was not done.
    Medium,
    /// Untidy.
    Low,
    /// No fault.
    Info,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Identifier, such as `COUNTER-JUMP`. `doc/audit-rules.md` tells each.
    pub rule: &'static str,
    /// Whether it was checked, and what came of it.
    pub sort: Sort,
    /// How grave.
    pub severity: Severity,
    /// How sure.
    #[serde(serialize_with = "claim")]
    pub claim: Claim,
    /// One sentence for people, which names the object.
    pub text: String,
    /// The kit, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kit: Option<Hash>,
    /// The incident, if it is about one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// The records that it rests on, by hash. At most [`MOST_RECORDS`] of them.
    pub records: Vec<Hash>,
    /// When, in Unix seconds, as far as a record claims it or the ledger knows it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<i64>,
    /// The command or the act that does something about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A finding names no more records than this; its text says how many there are.
pub const MOST_RECORDS: usize = 100;

fn claim<S: serde::Serializer>(claim: &Claim, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(match claim {
        Claim::Certain => "certain",
        Claim::Possible => "possible",
    })
}

impl Finding {
    /// A certain finding, about nothing in particular yet.
    pub fn new(rule: &'static str, sort: Sort, severity: Severity, text: impl Into<String>) -> Self {
        Finding {
            rule,
            sort,
            severity,
            claim: Claim::Certain,
            text: text.into(),
            kit: None,
            incident: None,
            records: Vec::new(),
            at: None,
            next: None,
        }
    }

    /// Possible, not certain.
    #[must_use]
    pub fn possibly(self) -> Self {
        Finding { claim: Claim::Possible, ..self }
    }

    /// With this sentence instead.
    #[must_use]
    pub fn saying(self, text: impl Into<String>) -> Self {
        Finding { text: text.into(), ..self }
    }

    /// Possible where that is so, certain elsewhere.
    #[must_use]
    pub fn possibly_if(self, possible: bool) -> Self {
        if possible { self.possibly() } else { self }
    }

    /// About that kit.
    #[must_use]
    pub fn of(self, kit: Hash) -> Self {
        Finding { kit: Some(kit), ..self }
    }

    /// About that incident.
    #[must_use]
    pub fn in_incident(self, incident: impl Into<String>) -> Self {
        Finding { incident: Some(incident.into()), ..self }
    }

    /// Resting on these records.
    #[must_use]
    pub fn on(mut self, records: impl IntoIterator<Item = Hash>) -> Self {
        self.records.extend(records);
        self.records.truncate(MOST_RECORDS);
        self
    }

    /// At that time.
    #[must_use]
    pub fn at(self, time: i64) -> Self {
        Finding { at: Some(time), ..self }
    }

    /// With what to do about it.
    #[must_use]
    pub fn then(self, next: impl Into<String>) -> Self {
        Finding { next: Some(next.into()), ..self }
    }
}
