//! What records say of credentials: what was sealed, to whom, and which generation is the current one.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{EnvelopeId, envelope_ids};
use crate::record::hash::{Hash, KeyId};
use crate::record::strict;

/// Facts of `credential.sealed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialSealed {
    /// `platform/account`.
    pub credential: String,
    /// Which sealing of it, from 1.
    #[serde(deserialize_with = "strict::integer")]
    pub generation: u64,
    /// Made by `rotate`, current only once confirmed.
    pub pending: bool,
    /// How many keys are needed.
    pub threshold: u8,
    /// What it is sealed by: `piv`, or `piv` and `fido2`.
    pub factors: Vec<String>,
    /// Folder below `sealed/platform/account/`.
    pub folder: String,
    /// Key ids of the recipients. Empty where `list` is given.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub recipients: Vec<KeyId>,
    /// The envelope of each recipient, in their order; `None` for a key without FIDO2. Empty where `factors` has no
    /// `fido2`, or `list` is given.
    #[serde(default, with = "envelope_ids", skip_serializing_if = "Vec::is_empty")]
    pub envelopes: Vec<Option<EnvelopeId>>,
    /// SHA-256 of each file in the folder, by name. Holds only `list.json` where that is given.
    #[serde(deserialize_with = "strict::map")]
    pub files: BTreeMap<String, Hash>,
    /// SHA-256 of `list.json`, which holds recipients and files where they are too long for a record.
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub list: Option<Hash>,
}

/// Facts of `credential.confirmed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CredentialConfirmed {
    /// `platform/account`.
    pub credential: String,
    /// The generation that is current from now on.
    #[serde(deserialize_with = "strict::integer")]
    pub generation: u64,
    /// Hash of the record that sealed it.
    pub sealed: Hash,
}
