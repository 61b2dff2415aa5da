//! What records say of drills: that one was begun, and what came of it. Evidence that a key would open, without an opening.

use serde::{Deserialize, Serialize};

use crate::record::hash::Hash;
use crate::record::strict;

/// Facts of `drill.begun`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillBegun {
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    #[serde(deserialize_with = "strict::integer")]
    pub generation: u64,
    /// Hash of the record that sealed it.
    pub sealed: Hash,
    /// Who drills, by the name in the policy.
    pub operator: String,
    /// Who watched, by the name in the policy.
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub witness: Option<String>,
    /// Whether 9E proved this key before the PIN was asked.
    pub presence: bool,
    /// PIN tries that were left before the PIN was asked.
    pub tries: u8,
}

/// Facts of `drill.ended`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DrillEnded {
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    #[serde(deserialize_with = "strict::integer")]
    pub generation: u64,
    /// The `drill.begun` of the same chain, by hash.
    pub begun: Hash,
    /// Whether what the key holds was unwrapped.
    pub proven: bool,
    /// From the confirmed plan to the end, by the machine's clock; 0 if that went back.
    #[serde(deserialize_with = "strict::integer")]
    pub seconds: u64,
    /// Commands sent to the key until then, both sides.
    #[serde(deserialize_with = "strict::integer")]
    pub commands: u64,
    /// How often a touch was asked for.
    #[serde(deserialize_with = "strict::integer")]
    pub touches: u64,
    /// What failed, at most 256 bytes; only of a drill that proved nothing.
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub failed: Option<String>,
}
