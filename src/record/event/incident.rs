//! What records say of incidents: how one ended, what was done of what it left, and what others think of it.

use serde::{Deserialize, Serialize};

use crate::record::strict;

/// Facts of `incident.closed`. The record's `txn` is the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentClosed {
    /// What it was.
    pub verdict: Verdict,
    /// How it ended, in the person's words, at most 256 bytes.
    pub outcome: String,
    /// What was switched off for the emergency and has to be put back, each at most 256 bytes.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub switched_off: Vec<String>,
}

/// What an incident turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Verdict {
    /// An emergency.
    Real,
    /// A rehearsal.
    Drill,
    /// Opened without need or right.
    Misuse,
    /// There was no emergency after all.
    FalseAlarm,
}

impl Verdict {
    /// Every verdict, by its name.
    pub const NAMES: [(&str, Verdict); 4] = [
        ("real", Verdict::Real),
        ("drill", Verdict::Drill),
        ("misuse", Verdict::Misuse),
        ("false-alarm", Verdict::FalseAlarm),
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        Verdict::NAMES.iter().find(|(_, verdict)| *verdict == self).map_or("", |(name, _)| name)
    }
}

impl TryFrom<String> for Verdict {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let named = Verdict::NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, verdict)| *verdict).ok_or("a verdict is real, drill, misuse or false-alarm")
    }
}

/// Facts of `debt.discharged`. The record's `txn` is the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DebtDischarged {
    /// What was to be done: `return SERIAL`, `account PLATFORM/ACCOUNT`, `sessions NAME`, `trust SERIAL`, `restore WHAT`,
    /// `notify NAME`.
    pub debt: String,
    /// Who says so, by the name in the policy.
    pub by: String,
    /// How it was done, in the person's words, at most 256 bytes.
    pub how: String,
}

/// Facts of `incident.reviewed`. The record's `txn` is the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IncidentReviewed {
    /// Who judges, by the name in the policy.
    pub by: String,
    /// Whether the incident was handled as it should have been.
    pub judgement: Judgement,
    /// Why, in the person's words, at most 256 bytes.
    pub text: String,
    /// What the policy should learn from it, at most 256 bytes.
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub lesson: Option<String>,
}

/// What a reviewer thinks of an incident.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", try_from = "String")]
pub enum Judgement {
    /// Opening, handling and close were right.
    Agree,
    /// They were not.
    Disagree,
}

impl Judgement {
    /// Every judgement, by its name.
    pub const NAMES: [(&str, Judgement); 2] =
        [("agree", Judgement::Agree), ("disagree", Judgement::Disagree)];

    /// Its name.
    pub fn name(self) -> &'static str {
        Judgement::NAMES.iter().find(|(_, judgement)| *judgement == self).map_or("", |(name, _)| name)
    }
}

impl TryFrom<String> for Judgement {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let named = Judgement::NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, judgement)| *judgement).ok_or("a judgement is agree or disagree")
    }
}
