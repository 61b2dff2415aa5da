//! Authenticator data, byte for byte as a real key makes them (WebAuthn level 2, section 6.1; CTAP 2.1, section 12).

use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::{Digest, Sha256};

use super::{AAGUID, Deceit, StoredCredential};
use crate::assertion::RELYING_PARTY;
use crate::device::fido2::wire::RawCredential;
use crate::device::practice::surroundings::Surroundings;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CREDENTIAL_DATA: u8 = 0x40;
const EXTENSION_DATA: u8 = 0x80;

/// What stands before the extensions and the credential, and these.
fn data(verified: bool, flags: u8, counter: u32, rest: &[u8], deceit: Option<Deceit>) -> Vec<u8> {
    let party = if deceit == Some(Deceit::OtherRelyingParty) { "elsewhere.example" } else { RELYING_PARTY };
    let mut flags = flags | USER_PRESENT | if verified { USER_VERIFIED } else { 0 };
    match deceit {
        Some(Deceit::NotTouched) => flags &= !USER_PRESENT,
        Some(Deceit::NotVerified) => flags &= !USER_VERIFIED,
        Some(Deceit::CarriesCredential) => flags |= CREDENTIAL_DATA,
        _ => {}
    }
    let counter = if deceit == Some(Deceit::CounterIsZero) { 0 } else { counter };
    [&Sha256::digest(party.as_bytes())[..], &[flags], &counter.to_be_bytes(), rest].concat()
}

/// Those of an assertion with that many salts. The extension is `{"hmac-secret": bytes}`, an IV and a block of 32 for
/// each salt (PIN protocol 2). What stands there on a real key is encrypted for the platform under a key that neither
/// keeps; to everyone else it is random.
pub(super) fn of_assertion(
    verified: bool,
    counter: u32,
    salts: usize,
    around: &Surroundings,
    deceit: Option<Deceit>,
) -> Vec<u8> {
    let sealed = match salts {
        0 => return data(verified, 0, counter, &[], deceit),
        1 => around.bytes::<48>().to_vec(),
        _ => around.bytes::<80>().to_vec(),
    };
    let map = [&[0xA1], &name("hmac-secret")[..], &[0x58, sealed.len() as u8], &sealed].concat();
    data(verified, EXTENSION_DATA, counter, &map, deceit)
}

impl StoredCredential {
    /// The answer to the request that made it.
    pub(super) fn told(&self, verified: bool, counter: u32, deceit: Option<Deceit>) -> RawCredential {
        let public = self.secret.public_key().to_sec1_point(false).as_bytes().to_vec();
        let (x, y) = public[1..].split_at(32);
        // COSE: kty EC2, alg ES256, crv P-256, x, y.
        let key = [&[0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32], x, &[0x22, 0x58, 32], y].concat();
        let hmac_secret = if deceit == Some(Deceit::WithoutHmacSecret) { 0xF4 } else { 0xF5 };
        let level = if deceit == Some(Deceit::WithoutCredProtect) { 1 } else { self.protection };
        let extensions =
            [&[0xA2], &name("credProtect")[..], &[level], &name("hmac-secret"), &[hmac_secret]].concat();
        let rest = [&AAGUID[..], &[0, self.id.len() as u8], &self.id, &key, &extensions].concat();
        RawCredential {
            aaguid: AAGUID.to_vec(),
            authenticator_data: data(verified, CREDENTIAL_DATA | EXTENSION_DATA, counter, &rest, deceit),
            id: self.id.to_vec(),
            public,
            counter,
        }
    }
}

/// A short text of CBOR.
fn name(text: &str) -> Vec<u8> {
    [&[0x60 | text.len() as u8], text.as_bytes()].concat()
}
