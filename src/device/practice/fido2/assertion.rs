//! What a simulated key asserts: authenticator data with the hmac-secret extension, signed.

use hmac::{Hmac, KeyInit, Mac};
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{DerSignature, SigningKey};
use sha2::{Digest, Sha256};

use super::{CtapStatus, Deceit, Fido2, PinToken, StoredCredential};
use crate::assertion::RELYING_PARTY;
use crate::device::fido2::HmacSecret;
use crate::device::practice::slots::random_secret;
use crate::device::practice::surroundings::Surroundings;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CREDENTIAL_DATA: u8 = 0x40;
const EXTENSION_DATA: u8 = 0x80;

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

/// What it answers.
pub struct Asserted {
    /// Id of the credential that signed.
    pub credential: Vec<u8>,
    /// Authenticator data.
    pub authenticator_data: Vec<u8>,
    /// DER.
    pub signature: Vec<u8>,
    /// hmac-secret of each salt, as the platform decrypts them.
    pub outputs: Vec<HmacSecret>,
}

impl Fido2 {
    /// authenticatorGetAssertion. The counter has moved when this returns an answer, and only then.
    pub fn assert(
        &mut self,
        asked: &Assertion<'_>,
        token: Option<PinToken>,
        around: &Surroundings,
        deceit: Option<Deceit>,
    ) -> Result<Asserted, CtapStatus> {
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
        let last = self.counter;
        if !matches!(deceit, Some(Deceit::CounterStandsStill | Deceit::CounterGoesBack)) {
            self.count(1, around);
        }
        let counter = match deceit {
            Some(Deceit::CounterGoesBack) => last.saturating_sub(1),
            Some(Deceit::CounterIsZero) => 0,
            _ => self.counter,
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
    ) -> Asserted {
        let party =
            if deceit == Some(Deceit::OtherRelyingParty) { "elsewhere.example" } else { RELYING_PARTY };
        let extensions = sealed_outputs(asked.salts.len(), around);
        let mut flags = USER_PRESENT;
        flags |= if verified { USER_VERIFIED } else { 0 };
        flags |= if extensions.is_empty() { 0 } else { EXTENSION_DATA };
        match deceit {
            Some(Deceit::NotTouched) => flags &= !USER_PRESENT,
            Some(Deceit::NotVerified) => flags &= !USER_VERIFIED,
            Some(Deceit::CarriesCredential) => flags |= CREDENTIAL_DATA,
            _ => {}
        }
        let authenticator_data =
            [&Sha256::digest(party.as_bytes())[..], &[flags], &counter.to_be_bytes(), &extensions].concat();

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
        Asserted {
            credential: id.to_vec(),
            authenticator_data,
            signature: signature.as_bytes().to_vec(),
            outputs: if deceit == Some(Deceit::NoSecret) { Vec::new() } else { outputs.collect() },
        }
    }

    /// hmac-secret of a salt: HMAC-SHA-256 under the random of the credential that goes with or without the PIN.
    fn output(&self, verified: bool, salt: &[u8; 32]) -> HmacSecret {
        let random = if verified { &self.random_with_pin } else { &self.random_without_pin };
        let mut mac = Hmac::<Sha256>::new_from_slice(random).expect("HMAC takes a key of any length");
        mac.update(salt);
        HmacSecret::new(mac.finalize().into_bytes().into())
    }
}

/// The extension's CBOR: `{"hmac-secret": bytes}`, an IV and a block of 32 for each salt (PIN protocol 2). What stands
/// there on a real key is encrypted for the platform under a key that neither keeps; to everyone else it is random.
fn sealed_outputs(salts: usize, around: &Surroundings) -> Vec<u8> {
    let sealed = match salts {
        0 => return Vec::new(),
        1 => around.bytes::<48>().to_vec(),
        _ => around.bytes::<80>().to_vec(),
    };
    let mut map = vec![0xA1, 0x6B];
    map.extend(b"hmac-secret");
    map.extend([0x58, sealed.len() as u8]);
    map.extend(sealed);
    map
}
