//! What records say of minting: that a key is about to sign a credential, exactly which, and that it was handed out.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Override;
use crate::attestation::Slot;
use crate::record::hash::Hash;
use crate::record::strict;

/// Facts of `mint.intent`. The record's `txn` is the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintIntent {
    /// What is minted.
    pub kind: MintKind,
    /// Which table of the policy allows it.
    pub rule: String,
    /// Emergency, by its name in the policy.
    pub emergency: String,
    /// Why, in the operator's words, at most 256 bytes.
    pub reason: String,
    /// Who asks, by the name in the policy.
    pub operator: String,
    /// As whom it lets somebody in: principals, or user and groups, or client and scopes.
    pub accounts: Vec<String>,
    /// How platforms will name it: the decimal serial number of an SSH certificate, the hexadecimal one of an X.509
    /// certificate, the `jti` of a token.
    pub number: String,
    /// Thumbprint of the key that gets it: SHA-256, over the OpenSSH key blob for SSH, else by RFC 7638.
    pub subject: Hash,
    /// SHA-256 of what the minting key will sign.
    pub digest: Hash,
    /// From when it holds, Unix seconds.
    #[serde(deserialize_with = "strict::time")]
    pub from: i64,
    /// Until when, Unix seconds.
    #[serde(deserialize_with = "strict::time")]
    pub until: i64,
    /// Whether 9E proved this key before the PIN was asked.
    pub presence: bool,
    /// PIN tries that were left before the PIN was asked.
    pub tries: u8,
    /// What was overridden to mint it.
    #[serde(default, deserialize_with = "strict::objects", skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
}

/// Facts of `mint.issued`. The record's `txn` is the incident.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintIssued {
    /// What was minted.
    pub kind: MintKind,
    /// The `mint.intent` of the same chain, by hash.
    pub intent: Hash,
    /// SHA-256 of the credential: the blob of an SSH certificate, the DER of an X.509 certificate, the text of a token.
    pub credential: Hash,
    /// How it is handed out: `agent`, `files`.
    pub output: String,
}

/// What keys can mint, each in a slot of its own: one trust store can be emptied without the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum MintKind {
    /// SSH certificates, 83.
    Ssh,
    /// X.509 client certificates, 84.
    X509,
    /// Tokens of OAuth 2.0, 85.
    Token,
}

impl MintKind {
    /// Each, in the order of the slots.
    pub const ALL: [MintKind; 3] = [MintKind::Ssh, MintKind::X509, MintKind::Token];

    /// Where its key lies.
    pub const fn slot(self) -> Slot {
        match self {
            MintKind::Ssh => Slot::SshAuthority,
            MintKind::X509 => Slot::X509Authority,
            MintKind::Token => Slot::Tokens,
        }
    }

    /// What it makes, for people.
    pub const fn plural(self) -> &'static str {
        match self {
            MintKind::Ssh => "SSH certificates",
            MintKind::X509 => "client certificates",
            MintKind::Token => "tokens",
        }
    }

    /// One of these, for people.
    pub const fn singular(self) -> &'static str {
        match self {
            MintKind::Ssh => "SSH certificate",
            MintKind::X509 => "client certificate",
            MintKind::Token => "token",
        }
    }

    /// As policy and records write it.
    pub const fn name(self) -> &'static str {
        match self {
            MintKind::Ssh => "ssh",
            MintKind::X509 => "x509",
            MintKind::Token => "token",
        }
    }
}

impl fmt::Display for MintKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

// From text alone: derived, it would be read from `{"ssh":null}` too.
impl TryFrom<String> for MintKind {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        MintKind::ALL.into_iter().find(|kind| kind.name() == text).ok_or("keys mint ssh, x509 or token")
    }
}
