//! What a FIDO2 key, or the helper that speaks to it, may answer. The bytes are given the surroundings that get them past
//! each comparison, so that the fuzzer begins behind it: a good head, a good key, a good signature.
#![no_main]

use std::sync::OnceLock;

use breakglass::assertion::{self, RELYING_PARTY};
use breakglass::device::fido2::wire::{RawAssertion, RawCredential, RawInfo, Reply, Secret};
use breakglass::device::fido2::{Credential, Question, check};
use libfuzzer_sys::fuzz_target;
use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use p256::elliptic_curve::sec1::ToSec1Point;

fuzz_target!(|data: &[u8]| {
    let _ = serde_json::from_slice::<Reply>(data);
    info(data);
    credential(data, data);
    // A good beginning: relying party, flags, counter, model, id and key; the rest is foreign.
    let (good, point) = created();
    credential(&[good, data].concat(), point);
    let [flags, rest @ ..] = data else { return };
    let mut flagged = [good, rest].concat();
    flagged[32] = *flags;
    credential(&flagged, point);
    assertion(&[&good[..32], data].concat());
    assertion(data);
});

fn key() -> &'static SigningKey {
    static KEY: OnceLock<SigningKey> = OnceLock::new();
    KEY.get_or_init(|| SigningKey::from_slice(&[7; 32]).expect("a scalar"))
}

/// Authenticator data of a credential without extensions, and its public key.
fn created() -> &'static (Vec<u8>, Vec<u8>) {
    static CREATED: OnceLock<(Vec<u8>, Vec<u8>)> = OnceLock::new();
    CREATED.get_or_init(|| {
        let point = key().verifying_key().to_sec1_point(false).as_bytes().to_vec();
        let party = <sha2::Sha256 as sha2::Digest>::digest(RELYING_PARTY.as_bytes());
        let head = [&party[..], &[0xC5, 0, 0, 0, 5], &[0; 16], &[0, 32], &[9; 32]].concat();
        let cose = [&[0xA5, 1, 2, 3, 0x26, 0x20, 1, 0x21, 0x58, 32][..], &point[1..33]].concat();
        ([&head[..], &cose, &[0x22, 0x58, 32], &point[33..]].concat(), point)
    })
}

/// As the library would read it, so that only the bytes themselves can be wrong.
fn credential(authenticator_data: &[u8], public: &[u8]) {
    let at = |from: usize, to: usize| authenticator_data.get(from..to).unwrap_or_default().to_vec();
    let length = at(53, 55).try_into().map_or(0, |two| usize::from(u16::from_be_bytes(two)));
    let raw = RawCredential {
        aaguid: at(37, 53),
        authenticator_data: authenticator_data.to_vec(),
        id: at(55, 55 + length),
        public: public.to_vec(),
        counter: at(33, 37).try_into().map_or(0, u32::from_be_bytes),
    };
    if let Ok(made) = check::credential(&raw) {
        assert_eq!((made.id, authenticator_data[32] & 0xC5), (raw.id, 0xC5));
        assert_eq!(made.public.to_sec1_point(false).as_bytes(), public);
        assert!(authenticator_data.windows(12).any(|window| window == b"hmac-secret\xF5"));
        assert!(authenticator_data.windows(12).any(|window| window[..11] == *b"credProtect"));
    }
}

/// Signed by the credential itself: what stands then is only what it may say.
fn assertion(authenticator_data: &[u8]) {
    let enrolled = Credential { id: vec![9; 32], public: key().verifying_key().into() };
    let question = Question { credential: &enrolled, challenge: b"", salt: [1; 32], next: None };
    let hash = <sha2::Sha256 as sha2::Digest>::digest(b"");
    let signature: Signature = key().sign(&[authenticator_data, &hash[..]].concat());
    let counter = assertion::counter(authenticator_data);
    let raw = RawAssertion {
        credential: Vec::new(),
        authenticator_data: authenticator_data.to_vec(),
        signature: signature.to_der().as_bytes().to_vec(),
        counter: counter.unwrap_or(0),
        secrets: vec![Secret::new(vec![3; 32])],
    };
    let answer = check::answer(&question, &[raw]);
    assert_eq!(answer.ok().map(|answer| answer.counter), counter.ok());
}

fn info(data: &[u8]) {
    let Ok(raw) = serde_json::from_slice::<RawInfo>(data) else { return };
    if let Ok(facts) = check::facts(&raw) {
        assert!(facts.versions.iter().all(|name| name.is_ascii() && name.len() <= 64));
        assert!((4..=63).contains(&facts.pin_length));
    }
}
