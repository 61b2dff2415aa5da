//! What a simulated key asserts: authenticator data with the hmac-secret extension, signed.

use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use sha2::Sha256;

use super::{CtapStatus, Deceit, Fido2, PinToken, StoredCredential, evidence};
use crate::device::fido2::wire::{RawAssertion, Secret};
use crate::device::practice::slots::random_secret;
use crate::device::practice::surroundings::Surroundings;

/// The only level of credProtect that hides a credential whose id is known.
const ONLY_WITH_PIN: u8 = 3;

/// What authenticatorGetAssertion is asked for: touched, with one credential named.
pub struct Assertion<'a> {
    /// The credential's id.
    pub credential: &'a [u8],
    /// clientDataHash.
    pub client_data_hash: [u8; 32],
    /// Salts of hmac-secret: none, one or two.
    pub salts: &'a [[u8; 32]],
}

impl Fido2 {
    /// authenticatorGetAssertion. The counter has moved when this returns an answer, and only then.
    pub fn assert(
        &mut self,
        asked: &Assertion<'_>,
        token: Option<PinToken>,
        around: &Surroundings,
        deceit: Option<Deceit>,
    ) -> Result<RawAssertion, CtapStatus> {
        let verified = token.is_some();
        let Some(index) = self.credentials.iter().position(|credential| {
            credential.id == asked.credential && (verified || credential.protection < ONLY_WITH_PIN)
        }) else {
            return Err(CtapStatus::NO_CREDENTIALS);
        };
        if asked.salts.len() > 2 {
            return Err(CtapStatus::LENGTH);
        }
        if !around.wait_for_touch() {
            return Err(CtapStatus::TOUCH_TIMEOUT);
        }
        let counter = match deceit {
            Some(Deceit::CounterStandsStill) => self.counter,
            Some(Deceit::CounterGoesBack) => self.counter.saturating_sub(1),
            _ => {
                self.count(1, around);
                self.counter
            }
        };
        Ok(self.credentials[index].answer(asked, verified, counter, around, deceit))
    }
}

impl StoredCredential {
    fn answer(
        &self,
        asked: &Assertion<'_>,
        verified: bool,
        counter: u32,
        around: &Surroundings,
        deceit: Option<Deceit>,
    ) -> RawAssertion {
        let authenticator_data = evidence::of_assertion(verified, counter, asked.salts.len(), around, deceit);
        let (mut id, mut key) = (self.id, SigningKey::from(&self.secret));
        if matches!(deceit, Some(Deceit::OtherCredential | Deceit::OtherKey)) {
            key = SigningKey::from(&random_secret(around));
        }
        if deceit == Some(Deceit::OtherCredential) {
            id = around.bytes();
        }
        let mut signed = [&authenticator_data[..], &asked.client_data_hash].concat();
        if deceit == Some(Deceit::BadSignature) {
            signed.push(0);
        }
        let signature: DerSignature = key.sign(&signed);

        let outputs = asked.salts.iter().map(|salt| match deceit {
            Some(Deceit::OtherSecret) => self.output(verified, &around.bytes()),
            _ => self.output(verified, salt),
        });
        RawAssertion {
            credential: id.to_vec(),
            // As a library reads it from there.
            counter: if deceit == Some(Deceit::CounterIsZero) { 0 } else { counter },
            authenticator_data,
            signature: signature.as_bytes().to_vec(),
            secrets: if deceit == Some(Deceit::NoSecret) { Vec::new() } else { outputs.collect() },
        }
    }

    /// hmac-secret of a salt: HMAC-SHA-256 under the random of the credential that goes with or without the PIN.
    fn output(&self, verified: bool, salt: &[u8; 32]) -> Secret {
        let random = if verified { &self.random_with_pin } else { &self.random_without_pin };
        let mut mac = Hmac::<Sha256>::new_from_slice(random).expect("HMAC takes a key of any length");
        mac.update(salt);
        Secret::new(mac.finalize().into_bytes().to_vec())
    }
}
