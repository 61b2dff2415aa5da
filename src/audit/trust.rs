//! Why a kit is believed to be what it says: its founding record, which the kit words stand for, or keys that were given
//! from elsewhere.

mod key_set;

use std::collections::HashSet;
use std::ops::ControlFlow;

use super::ledger::{Evidence, LedgerError, Signature, Which};
use crate::attestation::{Firmware, Serial};
use crate::kit::words::kit_words;
use crate::record::event::{Event, KitFounded};
use crate::record::hash::{Hash, KeyId};

pub use key_set::{KeySetError, key_set};

/// Two ids that differ in no more bytes than this are one that was mistyped.
const FEW_BYTES: usize = 4;

/// What a kit says of itself, before anybody judges it.
#[derive(Debug, Clone)]
pub struct Profile {
    /// Its founding record, if that has come in, and what was found of its signature.
    pub founded: Option<(KitFounded, Signature)>,
    /// Every enrolment in its chains: serial, key id, firmware. By chain name.
    pub keys: Vec<(Serial, KeyId, Firmware)>,
}

/// What the chains of a kit say that it is.
///
/// # Errors
/// Those of the ledger.
pub fn profile(evidence: &mut dyn Evidence, kit: &Hash) -> Result<Profile, LedgerError> {
    let mut profile = Profile { founded: None, keys: Vec::new() };
    evidence.records(kit, Which::Governance, &mut |held| {
        match &held.record.event {
            Event::KitFounded(facts) if held.record.hash() == *kit => {
                profile.founded = Some((facts.clone(), held.signature));
            }
            Event::KeyEnrolled(facts) => {
                let key = (facts.serial, held.record.kid, facts.firmware);
                if !profile.keys.contains(&key) {
                    profile.keys.push(key);
                }
            }
            _ => {}
        }
        ControlFlow::Continue(())
    })?;
    Ok(profile)
}

/// The kits whose words these are. A founding record stands for its kit: of those there is none, or one, unless somebody has
/// spent 2^66 tries on another. Where there is none, those that records name, which whoever writes a record can make up. What
/// no record names, somebody mistyped.
///
/// # Errors
/// Those of the ledger.
pub fn by_words(evidence: &mut dyn Evidence, words: &str) -> Result<Vec<Hash>, LedgerError> {
    let words = words.to_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    let rows = evidence.kits()?.into_iter().filter(|row| row.records > 0);
    let named: Vec<Hash> = rows.map(|row| row.kit).filter(|kit| kit_words(kit)[..] == words[..]).collect();
    if named.len() < 2 {
        return Ok(named);
    }
    let mut founded = Vec::new();
    for kit in &named {
        if profile(evidence, kit)?.founded.is_some() {
            founded.push(*kit);
        }
    }
    Ok(if founded.is_empty() { named } else { founded })
}

/// A kit that records name and whose id is nearly this one: the same words, or all but a few bytes. Ids are hashes, so that
/// two kits never are as near by chance; one letter that was mistyped, or two that changed places, are.
///
/// # Errors
/// Those of the ledger.
pub fn similar(evidence: &mut dyn Evidence, kit: &Hash) -> Result<Option<Hash>, LedgerError> {
    let near = |other: &Hash| {
        let differing = kit.0.iter().zip(&other.0).filter(|(a, b)| a != b).count();
        *other != *kit && (differing <= FEW_BYTES || kit_words(other) == kit_words(kit))
    };
    let rows = evidence.kits()?.into_iter().filter(|row| row.records > 0);
    Ok(rows.map(|row| row.kit).find(near))
}

/// Of these keys, those that a record of the kit's chains is by, or that its governing records name.
///
/// # Errors
/// Those of the ledger.
pub fn in_chains(
    evidence: &mut dyn Evidence,
    kit: &Hash,
    keys: &[KeyId],
) -> Result<HashSet<KeyId>, LedgerError> {
    let mut found = HashSet::new();
    // Most often the few records that govern tell it, and no million others need to be read.
    for which in [Which::Governance, Which::All] {
        evidence.records(kit, which, &mut |held| {
            let named = match &held.record.event {
                Event::KeyAdmitted(facts) => Some(facts.key),
                _ => None,
            };
            found.extend(keys.iter().filter(|key| **key == held.record.kid || Some(**key) == named));
            if found.len() == keys.len() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if found.len() == keys.len() {
            break;
        }
    }
    Ok(found)
}

/// The kit id in text: base64url as records write it, or hexadecimal.
pub fn kit_id(text: &str) -> Option<Hash> {
    let hexadecimal = || hex::decode(text).ok()?.try_into().ok().map(Hash);
    text.parse().ok().or_else(hexadecimal)
}
