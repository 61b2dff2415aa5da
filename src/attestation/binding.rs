//! Is the attested key the one at hand?

use super::facts::{Firmware, PinPolicy, Serial, Slot, TouchPolicy};
use super::{AttestedKey, KeyFacts};

/// What the key at hand, or its enrolment record, is known to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expected {
    /// What the key itself says its serial number is (PIV F8).
    pub serial: Serial,
    /// What it says its firmware is (PIV FD).
    pub firmware: Firmware,
    /// The slot that was attested.
    pub slot: Slot,
    /// The public key that GENERATE gave, or that the record names.
    pub key: p256::PublicKey,
    /// The policy that the slot's key must have: [`Slot::policy`], but for 9E of FIPS keys.
    pub policy: (PinPolicy, TouchPolicy),
}

impl Expected {
    /// Of the key of `slot` with its usual policy.
    pub fn new(serial: Serial, firmware: Firmware, slot: Slot, key: p256::PublicKey) -> Self {
        Expected { serial, firmware, slot, key, policy: slot.policy() }
    }
}

/// In what the attested key differs from the one at hand.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BindError {
    /// The attestation does not tell the serial number (some keys with firmware 4).
    #[error("the attestation does not tell the key's serial number, so it cannot be enrolled")]
    NoSerial,
    /// Of another key.
    #[error("the attestation is of key {attested}, this is {expected}")]
    Serial {
        /// In the attestation.
        attested: Serial,
        /// What the key says.
        expected: Serial,
    },
    /// Of another firmware: the key misreports one of the two.
    #[error("the attestation is of firmware {attested}, the key says {expected}")]
    Firmware {
        /// In the attestation.
        attested: Firmware,
        /// What the key says.
        expected: Firmware,
    },
    /// Of another slot.
    #[error("the attestation is of slot {attested:02X}, not {expected}")]
    Slot {
        /// In the attestation.
        attested: u8,
        /// Where the key is used.
        expected: Slot,
    },
    /// Of another key in that slot, or not of P-256 at all.
    #[error("the attestation of slot {slot} is of another public key")]
    Key {
        /// Which slot.
        slot: Slot,
    },
    /// Made with other policies, which cannot be changed later.
    #[error(
        "the key in slot {slot} has PIN policy {} and touch policy {}, not {} and {}",
        attested.0, attested.1, expected.0, expected.1
    )]
    Policy {
        /// Which slot.
        slot: Slot,
        /// In the attestation.
        attested: (PinPolicy, TouchPolicy),
        /// What it must be.
        expected: (PinPolicy, TouchPolicy),
    },
}

/// Compares each attested fact with the key at hand: serial, firmware, slot, public key, policies. That the key was
/// generated on the device follows from there being [`KeyFacts`].
///
/// # Errors
/// The first fact that differs, in that order.
pub fn bind(facts: &KeyFacts, expected: &Expected) -> Result<(), BindError> {
    let slot = expected.slot;
    let attested = facts.serial.ok_or(BindError::NoSerial)?;
    if attested != expected.serial {
        return Err(BindError::Serial { attested, expected: expected.serial });
    }
    if facts.firmware != expected.firmware {
        return Err(BindError::Firmware { attested: facts.firmware, expected: expected.firmware });
    }
    if facts.slot != slot.number() {
        return Err(BindError::Slot { attested: facts.slot, expected: slot });
    }
    if facts.key != AttestedKey::P256(expected.key) {
        return Err(BindError::Key { slot });
    }
    let policy = (facts.pin_policy, facts.touch_policy);
    if policy != expected.policy {
        return Err(BindError::Policy { slot, attested: policy, expected: expected.policy });
    }
    Ok(())
}
