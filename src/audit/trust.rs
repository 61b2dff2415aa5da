//! Why a kit is believed to be what it says: its founding record, which the kit words stand for, or keys that were given
//! from elsewhere.

mod key_set;

use std::ops::ControlFlow;

use super::ledger::{Evidence, LedgerError, Signature, Which};
use crate::attestation::{Firmware, Serial};
use crate::kit::words::kit_words;
use crate::record::event::{Event, KitFounded};
use crate::record::hash::{Hash, KeyId};

pub use key_set::{KeySetError, key_set};

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

/// The kits whose words these are: none, or one, unless somebody has spent 2^66 tries on another.
///
/// # Errors
/// Those of the ledger.
pub fn by_words(evidence: &mut dyn Evidence, words: &str) -> Result<Vec<Hash>, LedgerError> {
    let words = words.to_lowercase();
    let words: Vec<&str> = words.split_whitespace().collect();
    let kits = evidence.kits()?.into_iter().map(|row| row.kit);
    Ok(kits.filter(|kit| kit_words(kit)[..] == words[..]).collect())
}

/// The kit id in text: base64url as records write it, or hexadecimal.
pub fn kit_id(text: &str) -> Option<Hash> {
    let hexadecimal = || hex::decode(text).ok()?.try_into().ok().map(Hash);
    text.parse().ok().or_else(hexadecimal)
}
