//! What both engines keep of a record beside its bytes, and in which codes.

use std::collections::{HashMap, HashSet};

use p256::ecdsa::VerifyingKey;

use super::{BundleEnd, Signature, Trust};
use crate::attestation::Serial;
use crate::record::event::Event;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::Record;

/// More entries than this are not remembered between calls: whoever makes up a chain per record shall not fill memory.
const MOST_REMEMBERED: usize = 100_000;

/// A chain: a key under a serial number. The same key under two is two chains.
pub(super) type ChainKey = (KeyId, Serial);

/// What of the ledger is known without asking it. Numbers once given never change, so that other writers do not matter;
/// after a transaction that failed all of it is forgotten.
#[derive(Debug, Default)]
pub(super) struct Known {
    pub(super) chains: HashMap<ChainKey, i64>,
    pub(super) kits: HashMap<Hash, i64>,
    /// Which chain claims which kit, and whether a good signature backs it.
    pub(super) claims: HashMap<(i64, i64), bool>,
    pub(super) keys: HashMap<KeyId, VerifyingKey>,
    pub(super) credentials: HashSet<(i64, String)>,
}

impl Known {
    /// Forgets all where it is too much.
    pub(super) fn trim(&mut self) {
        let entries = self.chains.len()
            + self.kits.len()
            + self.claims.len()
            + self.keys.len()
            + self.credentials.len();
        if entries > MOST_REMEMBERED {
            *self = Known::default();
        }
    }
}

/// The kit that a record names, or makes.
pub(super) fn kit_of(record: &Record) -> Option<Hash> {
    match &record.event {
        Event::KitFounded(_) => Some(record.hash()),
        _ => record.link.kit,
    }
}

/// Another chain that a record says belongs to its kit.
pub(super) fn names(record: &Record) -> Option<ChainKey> {
    match &record.event {
        Event::KeyAdmitted(facts) => Some((facts.key, facts.serial)),
        Event::KeyRetired(facts) => Some((facts.key, facts.serial)),
        _ => None,
    }
}

/// The credential that a record says its kit holds.
pub(super) fn credential_of(record: &Record) -> Option<&str> {
    match &record.event {
        Event::CredentialSealed(facts) => Some(&facts.credential),
        Event::CredentialConfirmed(facts) => Some(&facts.credential),
        Event::OpenIntent(facts) => Some(&facts.credential),
        Event::DrillBegun(facts) => Some(&facts.credential),
        Event::DrillEnded(facts) => Some(&facts.credential),
        Event::OpenReleased(facts) => Some(&facts.credential),
        Event::RequestApproved(facts) => Some(&facts.credential),
        _ => None,
    }
}

/// Whether it is one of [`super::Which::Governance`].
pub(super) fn governs(event: &Event) -> bool {
    event.changes_the_kit() && !matches!(event, Event::OpenAsserted(_))
}

/// The keys that these records enrol. That the key has the id that the record names, its parser has checked.
pub(super) fn enrolled(records: &[(Record, Signature)]) -> impl Iterator<Item = (KeyId, VerifyingKey)> {
    records.iter().filter_map(|(record, _)| match &record.event {
        Event::KeyEnrolled(facts) => Some((record.kid, VerifyingKey::from(facts.signing.0))),
        _ => None,
    })
}

/// What comes of verifying a record by its key.
pub(super) fn verify(record: &Record, key: &VerifyingKey) -> Signature {
    match record.verify(key) {
        Ok(()) => Signature::Good,
        Err(_) => Signature::Bad,
    }
}

pub(super) const GOOD: i16 = 0;
pub(super) const BAD: i16 = 1;
pub(super) const UNKNOWN: i16 = 2;

pub(super) fn signature_code(signature: Signature) -> i16 {
    match signature {
        Signature::Good => GOOD,
        Signature::Bad => BAD,
        Signature::Unknown => UNKNOWN,
    }
}

pub(super) fn signature_of(code: i16) -> Option<Signature> {
    match code {
        GOOD => Some(Signature::Good),
        BAD => Some(Signature::Bad),
        UNKNOWN => Some(Signature::Unknown),
        _ => None,
    }
}

pub(super) fn end_code(end: BundleEnd) -> &'static str {
    match end {
        BundleEnd::Whole => "whole",
        BundleEnd::Other => "other",
        BundleEnd::Cut => "cut",
        BundleEnd::Open => "open",
    }
}

pub(super) fn end_of(code: &str) -> Option<BundleEnd> {
    match code {
        "whole" => Some(BundleEnd::Whole),
        "other" => Some(BundleEnd::Other),
        "cut" => Some(BundleEnd::Cut),
        "open" => Some(BundleEnd::Open),
        _ => None,
    }
}

/// 32 bytes from a column.
pub(super) fn hash_of(bytes: &[u8]) -> Option<Hash> {
    bytes.try_into().ok().map(Hash)
}

/// The record that a row says it holds, if its bytes are that.
pub(super) fn record_of(hash: &[u8], bytes: &[u8]) -> Result<Record, String> {
    let record = Record::parse(bytes)
        .map_err(|error| format!("the bytes of record {} cannot be read: {error}", hex::encode(hash)))?;
    match record.hash().0[..] == *hash {
        true => Ok(record),
        false => Err(format!("the bytes of record {} have another hash", hex::encode(hash))),
    }
}

/// How trust is written: a word, and the ids of pinned keys one after the other.
pub(super) fn trust_code(trust: &Trust) -> (&'static str, Option<Vec<u8>>) {
    match trust {
        Trust::Words => ("words", None),
        Trust::Pinned(keys) => ("pinned", Some(keys.iter().flat_map(|key| key.0.0).collect())),
    }
}

pub(super) fn trust_of(code: &str, pinned: Option<&[u8]>) -> Option<Trust> {
    match (code, pinned) {
        ("words", None) => Some(Trust::Words),
        ("pinned", Some(keys)) => {
            let keys = keys.chunks(32).map(|key| hash_of(key).map(KeyId));
            keys.collect::<Option<_>>().map(Trust::Pinned)
        }
        _ => None,
    }
}

/// The key of a row, if it is the one with that id.
pub(super) fn key_of(kid: &KeyId, point: &[u8]) -> Result<VerifyingKey, String> {
    match VerifyingKey::from_sec1_bytes(point) {
        Ok(key) if KeyId::of(&key) == *kid => Ok(key),
        _ => Err(format!("the public key of {kid} is another one")),
    }
}

/// Text as PostgreSQL takes it: it knows no NUL. Both engines write it so, that they hold the same.
pub(super) fn text(text: &str) -> String {
    text.replace('\0', "\u{FFFD}")
}
