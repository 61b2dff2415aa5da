//! What keys can mint.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::attestation::Slot;

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
