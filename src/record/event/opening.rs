//! What records say of an opening: that it is about to be, and that it came to its end.

use serde::{Deserialize, Serialize};

use super::{Consent, Override};
use crate::record::hash::Hash;
use crate::record::strict;

/// Facts of `open.intent`. The record's `txn` is the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenIntent {
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    #[serde(deserialize_with = "strict::integer")]
    pub generation: u64,
    /// Hash of the record that sealed it.
    pub sealed: Hash,
    /// Which emergency of the policy.
    pub emergency: String,
    /// In the person's words, at most 256 bytes.
    pub reason: String,
    /// Who opens, by the name in the policy.
    pub operator: String,
    /// Whether 9E proved this key before the PIN was asked.
    pub presence: bool,
    /// PIN tries that were left before the PIN was asked.
    pub tries: u8,
    /// What was overridden to go on.
    #[serde(default, deserialize_with = "strict::objects", skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// What it rests on beside the operator's word; absent where that is all the policy asks for.
    #[serde(default, deserialize_with = "strict::present_object", skip_serializing_if = "Option::is_none")]
    pub consent: Option<Consent>,
}

/// Facts of `open.released`. The record's `txn` is the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OpenReleased {
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    #[serde(deserialize_with = "strict::integer")]
    pub generation: u64,
    /// Every `open.intent` that this opening rests on, by hash.
    pub intents: Vec<Hash>,
    /// How it is handed out: `terminal`, `fd`, `stdout`.
    pub output: String,
}
