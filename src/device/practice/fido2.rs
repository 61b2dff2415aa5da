//! The FIDO2 side of a simulated key: PIN, credentials with hmac-secret, and one signature counter for all of them
//! (CTAP 2.1; WebAuthn level 2, section 6.1.1).
//!
//! A request is a method here; there is no CBOR and no PIN protocol between. What a key signs has the form of the real
//! thing, byte for byte.

mod assertion;
mod authenticator;
mod deceit;
mod evidence;
mod pin;
mod status;

use p256::SecretKey;
use serde::{Deserialize, Serialize};

use super::profile::Profile;
use super::slots::{random_secret, secret_key};
use super::surroundings::{Surroundings, Touch};
use crate::device::fido2::wire::{RawCredential, RawInfo};

pub use assertion::Assertion;
pub use authenticator::PracticeAuthenticator;
pub use deceit::Deceit;
pub use pin::PinToken;
pub use status::CtapStatus;

/// Model identifier of every practice key. No vendor has it.
const AAGUID: [u8; 16] = *b"practice key\0\0\0\x01";

/// The counter moves by 1 to this where it moves at random.
const LONGEST_STEP: u32 = 16;

/// How the signature counter moves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Counting {
    /// By 1 for each assertion, by 2 for each new credential (as fido-authenticator 0.3.0 does).
    Exact,
    /// By 1 to 16 for each of both (as newer firmware may, so that counters of several sites cannot be matched).
    Random,
    /// Never: it stays 0, which says that the key has none.
    Never,
}

/// The FIDO2 side. What is serialised survives power-off.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fido2 {
    counting: Counting,
    counter: u32,
    pin: pin::PinState,
    credentials: Vec<StoredCredential>,
}

/// A credential as it lies in the key. None of them is discoverable.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredCredential {
    #[serde(with = "hex::serde")]
    id: [u8; 64],
    #[serde(with = "secret_key")]
    secret: SecretKey,
    /// CredRandomWithUV (CTAP 2.1 section 12.5).
    #[serde(with = "hex::serde")]
    random_with_pin: [u8; 32],
    /// CredRandomWithoutUV.
    #[serde(with = "hex::serde")]
    random_without_pin: [u8; 32],
    /// credProtect: 1 optional, 2 optional with the credential's id, 3 only with the PIN.
    protection: u8,
}

impl Fido2 {
    pub(super) fn factory(counting: Counting) -> Self {
        Fido2 { counting, counter: 0, pin: pin::PinState::factory(), credentials: Vec::new() }
    }

    /// authenticatorGetInfo.
    pub(super) fn info(&self, profile: Profile) -> RawInfo {
        let firmware = profile.firmware();
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        RawInfo {
            aaguid: AAGUID.to_vec(),
            firmware: u32::from_be_bytes([0, firmware.major, firmware.minor, firmware.patch]).into(),
            versions: owned(profile.ctap_versions()),
            extensions: owned(&["credProtect", "hmac-secret"]),
            client_pin: Some(self.pin_is_set()),
            force_pin_change: false,
            min_pin_length: pin::LEAST.into(),
            pin_protocols: vec![2, 1],
        }
    }

    /// How its counter moves.
    pub fn counting(&self) -> Counting {
        self.counting
    }

    /// The signature counter: what the last assertion or new credential carried; 0 before.
    pub fn counter(&self) -> u32 {
        self.counter
    }

    /// Puts the counter where no request would: a clone, or a key that was rolled back.
    pub fn set_counter(&mut self, counter: u32) {
        self.counter = counter;
    }

    /// How many credentials it has.
    pub fn credentials(&self) -> usize {
        self.credentials.len()
    }

    /// authenticatorMakeCredential: ES256 and hmac-secret, with that level of credProtect. Needs the PIN if one is set,
    /// and a touch.
    pub fn make_credential(
        &mut self,
        protection: u8,
        token: Option<PinToken>,
        around: &Surroundings,
        deceit: Option<Deceit>,
    ) -> Result<RawCredential, CtapStatus> {
        if token.is_none() && self.pin_is_set() {
            return Err(CtapStatus::PIN_REQUIRED);
        }
        if !around.wait_for_touch() {
            return Err(CtapStatus::TOUCH_TIMEOUT);
        }
        let stored = StoredCredential {
            id: around.bytes(),
            secret: random_secret(around),
            random_with_pin: around.bytes(),
            random_without_pin: around.bytes(),
            protection,
        };
        self.count(2, around);
        let told = stored.told(token.is_some(), self.counter, deceit);
        self.credentials.push(stored);
        Ok(told)
    }

    /// authenticatorReset: PIN, credentials and counter are as from the factory.
    pub fn reset(&mut self) {
        *self = Fido2::factory(self.counting);
    }

    /// Somebody who knows the PIN uses the newest credential with another program; the counter before and after.
    ///
    /// # Errors
    /// [`CtapStatus::NO_CREDENTIALS`] if there is none.
    pub fn use_elsewhere(&mut self, around: &Surroundings) -> Result<(u32, u32), CtapStatus> {
        let newest = self.credentials.last().ok_or(CtapStatus::NO_CREDENTIALS)?.id;
        let around = around.with_touch(Touch::AT_ONCE);
        let before = self.counter;
        let assertion =
            Assertion { credential: &newest, client_data_hash: around.bytes(), salts: &[around.bytes()] };
        self.assert(&assertion, Some(PinToken::of_another_program()), &around, None)?;
        Ok((before, self.counter))
    }

    /// Moves the counter on by that many exact steps, or as its behaviour is.
    fn count(&mut self, exact: u32, around: &Surroundings) {
        let step = match self.counting {
            Counting::Exact => exact,
            Counting::Random => 1 + u32::from(around.bytes::<1>()[0]) % LONGEST_STEP,
            Counting::Never => 0,
        };
        self.counter = self.counter.saturating_add(step);
    }
}

#[cfg(test)]
mod tests;
