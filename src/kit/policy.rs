//! `kit.toml`: who the people are and which keys they keep, which emergencies justify which opening, who must sign a change.
//!
//! Written by people; it has effect only once adopted (its exact bytes are then kept as `policy/<sha256>.toml`).

use serde::Deserialize;

use crate::attestation::{Serial, Slot};
use crate::kit::fido2::{FIDO2, PIV};
use crate::kit::name::Name;
use crate::record::event::KitKind;
use crate::record::hash::Hash;

pub use approval::Approval;
pub use decide::{CredentialRule, Refusal, Rotation, Terms};
pub use length::Length;
pub use mint_rule::{MintRule, Says};
pub use mints::Kind;
pub use pattern::Pattern;
pub use quorum::{Group, Quorum, Wanting};
pub use template::template;

mod approval;
mod changes;
mod decide;
mod describe;
mod idle;
mod length;
mod mint_rule;
mod mints;
mod pattern;
mod quorum;
mod template;
mod written;

pub use changes::changes;
pub use describe::{checklist, describe};
pub use idle::idle;

/// A policy that was read and is whole; nothing half-valid exists.
#[derive(Debug, Clone)]
pub struct Policy {
    /// SHA-256 of the exact bytes.
    pub hash: Hash,
    /// The kit's name, for people.
    pub name: String,
    /// Real or practice; must agree with the founding record.
    pub kind: KitKind,
    /// `iss` of every record: the organisation's https URL.
    pub issuer: String,
    /// Who must sign a change of keys or policy.
    pub quorum: Quorum,
    /// What opening asks of each key, where the policy fixes it.
    pub factors: Option<Factors>,
    /// What keys are made to mint when they are provisioned, in the order of the slots.
    pub mints: Vec<Kind>,
    /// What may be minted.
    pub mint_rules: Vec<MintRule>,
    /// DER of a private attestation root, accepted beside Yubico's.
    pub attestation_root: Option<Vec<u8>>,
    /// Emergencies that justify an opening, of what no table names otherwise.
    pub emergencies: Vec<Name>,
    /// How long an opening is granted.
    pub grant: Length,
    /// How old a sealing may be before somebody reviews it.
    pub review_every: Length,
    /// Whether a credential is rotated after use.
    pub rotation: Rotation,
    /// Who is asked before an opening, or told after it.
    pub approval: Approval,
    /// Whether an operator may go on where too few have approved; the record then names who was not asked.
    pub open_unapproved: bool,
    /// In how many days each key is drilled at least once.
    pub drill_days: u32,
    /// What differs for some credentials; what holds for one is [`Policy::terms`].
    pub credentials: Vec<CredentialRule>,
    /// What is known of platforms.
    pub platforms: Vec<Platform>,
    /// Whether what was opened for an incident that nobody else has reviewed opens again only with a word on record.
    pub review_before_reopen: bool,
    /// Who may do what.
    pub people: Vec<Person>,
    /// Where each key lies.
    pub keys: Vec<KeyPlace>,
}

/// What the opening of a credential asks of each key that it is sealed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Factors {
    /// What each key has: FIDO2 beside PIV of those that have it.
    Held,
    /// PIV of every key.
    Piv,
    /// PIV and FIDO2 of every key.
    Both,
}

impl Factors {
    /// From their names: `piv`, or `piv` and `fido2`.
    pub fn of(names: &[String]) -> Option<Self> {
        match names.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [PIV] => Some(Factors::Piv),
            [PIV, FIDO2] => Some(Factors::Both),
            _ => None,
        }
    }
}

/// One platform of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Platform {
    /// The first half of its credentials' names.
    pub name: Name,
    /// Why it needs no backup credential, if it needs none.
    pub backup_waived: Option<String>,
    /// What to check on the platform after sealing.
    pub checklist: Vec<String>,
}

/// One person of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Short name, as typed at an opening.
    pub name: Name,
    /// What they may do.
    pub roles: Vec<Role>,
    /// How to reach them, for people.
    pub contact: String,
    /// The keys that they keep.
    pub keys: Vec<Serial>,
}

/// What a person may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Keeps keys, provisions, seals.
    Custodian,
    /// Opens.
    Operator,
    /// Signs a request before it is opened.
    Approver,
    /// Imports and judges records.
    Auditor,
}

/// Where a key lies and who can help with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPlace {
    /// Which key.
    pub serial: Serial,
    /// Safe, building, shelf.
    pub place: String,
    /// Number of the bag or seal.
    pub bag: String,
    /// Who holds its PUK.
    pub puk: Option<Name>,
}

/// Why a `kit.toml` is refused.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// Not TOML, or a key that is unknown, missing or of the wrong type; the message names line and key.
    #[error("{0}")]
    Syntax(String),
    /// A value that cannot be.
    #[error("line {line}, {key}: {what}")]
    Value {
        /// Where it is, from 1.
        line: usize,
        /// Which key of the file.
        key: String,
        /// What is wrong with its value.
        what: String,
    },
}

impl Policy {
    /// Reads the exact bytes of a `kit.toml`.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        written::parse(bytes)
    }

    /// The slots that a key of this kit has beside those of every key.
    pub fn minting_slots(&self) -> Vec<Slot> {
        self.mints.iter().map(|kind| kind.slot()).collect()
    }

    /// The person of that name, if they have that role.
    pub fn person(&self, name: &str, role: Role) -> Option<&Person> {
        self.people.iter().find(|p| p.name.as_str() == name && p.roles.contains(&role))
    }

    /// Where a key lies, as far as the policy knows.
    pub fn place(&self, serial: Serial) -> Option<&KeyPlace> {
        self.keys.iter().find(|k| k.serial == serial)
    }

    /// Who keeps a key, as far as the policy knows.
    pub fn keeper(&self, serial: Serial) -> Option<&Person> {
        self.people.iter().find(|person| person.keys.contains(&serial))
    }

    /// Names of everyone with that role.
    pub fn with_role(&self, role: Role) -> Vec<&str> {
        self.people.iter().filter(|p| p.roles.contains(&role)).map(|p| p.name.as_str()).collect()
    }

    /// The approver who keeps that key, if its keeper is one.
    pub fn approver(&self, serial: Serial) -> Option<&Person> {
        self.keeper(serial).filter(|person| person.roles.contains(&Role::Approver))
    }

    /// Everybody but the operator who may approve: who is asked, told, or passed over.
    pub fn approvers_beside(&self, operator: &str) -> Vec<&Person> {
        let others = self.people.iter().filter(|person| person.name.as_str() != operator);
        others.filter(|person| person.roles.contains(&Role::Approver)).collect()
    }

    /// What the policy knows of a platform.
    pub fn platform(&self, name: &Name) -> Option<&Platform> {
        self.platforms.iter().find(|platform| platform.name == *name)
    }
}

#[cfg(test)]
mod tests;
