//! What was found out about a kit: sorted for the reader, each with an identifier that one search finds everywhere.

use serde::Serialize;

/// How much a finding weighs. Only `Wrong` is an accusation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Weight {
    /// Checked, and it is wrong.
    Wrong,
    /// It could not be checked.
    NotChecked,
    /// Something has to be done.
    Due,
    /// Good to know; nothing is wrong.
    Note,
}

/// One finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Identifier, such as `RECORD-CHANGED`.
    pub rule: &'static str,
    /// How much it weighs.
    pub weight: Weight,
    /// One sentence that names the object.
    pub text: String,
    /// The command that does something about it, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// Since when, in Unix seconds as some machine claimed them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<i64>,
}

impl Finding {
    /// Checked, and it is wrong.
    pub fn wrong(rule: &'static str, text: String) -> Self {
        Finding { rule, weight: Weight::Wrong, text, next: None, since: None }
    }

    /// It could not be checked.
    pub fn not_checked(rule: &'static str, text: String) -> Self {
        Finding { rule, weight: Weight::NotChecked, text, next: None, since: None }
    }

    /// Something has to be done, by this command.
    pub fn due(rule: &'static str, text: String, next: String) -> Self {
        Finding { rule, weight: Weight::Due, text, next: Some(next), since: None }
    }

    /// Good to know.
    pub fn note(rule: &'static str, text: String) -> Self {
        Finding { rule, weight: Weight::Note, text, next: None, since: None }
    }

    /// With the command that does something about it.
    #[must_use]
    pub fn then(self, next: impl Into<String>) -> Self {
        Finding { next: Some(next.into()), ..self }
    }

    /// With the time since when, in Unix seconds.
    #[must_use]
    pub fn since(self, time: i64) -> Self {
        Finding { since: Some(time), ..self }
    }
}
