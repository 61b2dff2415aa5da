//! What records say of minting: that a key is about to sign credentials, exactly which, and that they were handed out; under
//! which certificate an authority is trusted, and what is taken back.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Override;
use crate::attestation::{Serial, Slot};
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
    /// How platforms will name each: the decimal serial number of an SSH certificate, the hexadecimal one of an X.509
    /// certificate, the `jti` of a token. One, but for tokens that are good once and are minted several at a time.
    pub numbers: Vec<String>,
    /// Thumbprint of the key that gets it: SHA-256, over the OpenSSH key blob for SSH, else by RFC 7638.
    pub subject: Hash,
    /// SHA-256 of what the minting key will sign, of each in the order of `numbers`.
    pub digests: Vec<Hash>,
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
    /// SHA-256 of each credential: the blob of an SSH certificate, the DER of an X.509 certificate, the text of a token. Fewer
    /// than the intent has numbers if the key was pulled before it signed all.
    pub credentials: Vec<Hash>,
    /// How it is handed out: `agent`, `files`.
    pub output: String,
}

/// Facts of `mint.authority`: the certificate by which platforms trust slot 84 of the key that signs this.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintAuthority {
    /// The certificate of the authority for itself, DER in base64.
    pub certificate: String,
    /// Its list of revoked certificates, nothing on it, DER in base64.
    pub list: String,
}

/// Facts of `mint.revoked`. The record's `txn` is the incident, where it is of one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MintRevoked {
    /// What was minted, or can be.
    pub kind: MintKind,
    /// The key that minted it, by its serial. Of X.509 certificates it signs this record too, since it alone signs its list.
    pub key: Serial,
    /// What is taken back, as `mint.intent` numbers it. None where all is.
    pub numbers: Vec<String>,
    /// Whether the key is not trusted to mint this any more.
    pub altogether: bool,
    /// Why, at most 256 bytes.
    pub why: String,
    /// The new list of revoked certificates, with all that was on the one before: DER in base64. Of X.509 certificates only.
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub list: Option<String>,
}

impl MintRevoked {
    /// Whether it takes back something, and a list goes with certificates that have one.
    pub fn is_whole(&self) -> bool {
        self.numbers.is_empty() == self.altogether && (self.list.is_none() || self.kind == MintKind::X509)
    }
}

/// What keys can mint, each in a slot of its own: one trust store can be emptied without the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum MintKind {
    /// SSH certificates, 83.
    Ssh,
    /// X.509 client certificates, 84.
    X509,
    /// Access tokens of OAuth 2.0, 85.
    Token,
    /// Client assertions of OAuth 2.0, 85 as well: authorisation servers know the client by the key set of tokens.
    Assertion,
}

impl MintKind {
    /// Each, in the order of the slots.
    pub const ALL: [MintKind; 4] = [MintKind::Ssh, MintKind::X509, MintKind::Token, MintKind::Assertion];

    /// Where its key lies.
    pub const fn slot(self) -> Slot {
        match self {
            MintKind::Ssh => Slot::SshAuthority,
            MintKind::X509 => Slot::X509Authority,
            MintKind::Token | MintKind::Assertion => Slot::Tokens,
        }
    }

    /// What it makes, for people.
    pub const fn plural(self) -> &'static str {
        match self {
            MintKind::Ssh => "SSH certificates",
            MintKind::X509 => "client certificates",
            MintKind::Token => "tokens",
            MintKind::Assertion => "client assertions",
        }
    }

    /// One of these, for people.
    pub const fn singular(self) -> &'static str {
        match self {
            MintKind::Ssh => "SSH certificate",
            MintKind::X509 => "client certificate",
            MintKind::Token => "token",
            MintKind::Assertion => "client assertion",
        }
    }

    /// As policy and records write it.
    pub const fn name(self) -> &'static str {
        match self {
            MintKind::Ssh => "ssh",
            MintKind::X509 => "x509",
            MintKind::Token => "token",
            MintKind::Assertion => "assertion",
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
        MintKind::ALL
            .into_iter()
            .find(|kind| kind.name() == text)
            .ok_or("keys mint ssh, x509, token or assertion")
    }
}
