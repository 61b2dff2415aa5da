use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use proptest::prelude::*;

use super::*;
use crate::assertion::AssertionError;
use crate::device::fido2::wire::Secret;

const AAGUID: [u8; 16] = [0xA1; 16];
const EXTENSIONS: &[u8] = b"\xA2\x6BcredProtect\x03\x6Bhmac-secret\xF5";
const SALTS: ([u8; 32], [u8; 32]) = ([1; 32], [2; 32]);

fn key() -> SigningKey {
    SigningKey::from_slice(&[7; 32]).expect("a scalar")
}

fn enrolled() -> Credential {
    Credential { id: vec![9; 64], public: p256::PublicKey::from(key().verifying_key()) }
}

fn point() -> Vec<u8> {
    use p256::elliptic_curve::sec1::ToSec1Point;
    enrolled().public.to_sec1_point(false).as_bytes().to_vec()
}

/// Authenticator data of a new credential, of parts that can be replaced.
struct Made {
    party: &'static str,
    flags: u8,
    id: Vec<u8>,
    cose: Vec<u8>,
    extensions: Vec<u8>,
}

impl Made {
    fn good() -> Self {
        let point = point();
        let cose = [COSE_ES256[0], &point[1..33], COSE_ES256[1], &point[33..]].concat();
        Made { party: RELYING_PARTY, flags: 0xC5, id: vec![9; 64], cose, extensions: EXTENSIONS.to_vec() }
    }

    fn data(&self) -> Vec<u8> {
        let length = u16::try_from(self.id.len()).unwrap().to_be_bytes();
        let party = Sha256::digest(self.party.as_bytes());
        let counter = 5u32.to_be_bytes();
        [&party[..], &[self.flags], &counter, &AAGUID, &length, &self.id, &self.cose, &self.extensions]
            .concat()
    }

    fn raw(&self) -> RawCredential {
        RawCredential {
            aaguid: AAGUID.to_vec(),
            authenticator_data: self.data(),
            id: self.id.clone(),
            public: point(),
            counter: 5,
        }
    }
}

fn detail<T: std::fmt::Debug>(outcome: Result<T, Fido2Error>) -> String {
    match outcome {
        Err(Fido2Error::Malformed { detail, .. }) => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_credential_is_what_its_authenticator_data_say() {
    assert_eq!(credential(&Made::good().raw()).unwrap(), enrolled());
}

#[test]
fn each_wrong_credential_has_its_name() {
    let with = |change: fn(&mut Made)| {
        let mut made = Made::good();
        change(&mut made);
        made.raw()
    };
    for (raw, words) in [
        (with(|made| made.party = "example.com"), "another relying party"),
        (with(|made| made.flags = 0xC4), "without a touch"),
        (with(|made| made.flags = 0xC1), "without a PIN"),
        (with(|made| made.flags = 0x85), "carries no credential"),
        (with(|made| made.flags = 0x45), "extension flag"),
        (with(|made| made.extensions.clear()), "extension flag"),
        (with(|made| made.extensions.push(0)), "extensions cannot be read"),
        (with(|made| made.id.clear()), "credential id of 0 bytes"),
        (with(|made| made.id = vec![1; 1024]), "credential id of 1024 bytes"),
        (with(|made| made.cose[4] = 0x27), "no ES256 key"),
        (with(|made| made.cose.truncate(40)), "no ES256 key"),
        (with(|made| made.cose[10] ^= 1), "two public keys"),
        (with(|made| made.extensions = vec![0; 3000]), "too long"),
    ] {
        let detail = detail(credential(&raw));
        assert!(detail.contains(words), "{detail} / {words}");
    }
    let mut off_curve = with(|made| made.cose[10] ^= 1);
    off_curve.public[1] ^= 1;
    assert!(detail(credential(&off_curve)).contains("not a point"));
    let good = Made::good().raw();
    for (raw, words) in [
        (RawCredential { counter: 6, ..good.clone() }, "two counters"),
        (RawCredential { aaguid: vec![0; 16], ..good.clone() }, "another model"),
        (RawCredential { aaguid: vec![], ..good.clone() }, "another model"),
        (RawCredential { id: vec![8; 64], ..good.clone() }, "two credential ids"),
        (RawCredential { public: vec![], ..good.clone() }, "two public keys"),
    ] {
        assert!(detail(credential(&raw)).contains(words), "{words}");
    }
    for extensions in [&b"\xA1\x6BcredProtect\x03"[..], b"\xA2\x6BcredProtect\x03\x6Bhmac-secret\xF4"] {
        let raw = Made { extensions: extensions.to_vec(), ..Made::good() }.raw();
        assert!(
            matches!(credential(&raw), Err(Fido2Error::Unsupported(what)) if what.contains("hmac-secret"))
        );
    }
    for extensions in [&b"\xA1\x6Bhmac-secret\xF5"[..], b"\xA2\x6BcredProtect\x02\x6Bhmac-secret\xF5"] {
        let raw = Made { extensions: extensions.to_vec(), ..Made::good() }.raw();
        assert!(
            matches!(credential(&raw), Err(Fido2Error::Unsupported(what)) if what.contains("credProtect"))
        );
    }
    let no_extensions = Made { flags: 0x45, extensions: vec![], ..Made::good() }.raw();
    assert!(matches!(credential(&no_extensions), Err(Fido2Error::Unsupported(_))));
}

#[test]
fn cut_anywhere_a_credential_is_none() {
    let good = Made::good().raw();
    for cut in 0..good.authenticator_data.len() {
        let authenticator_data = good.authenticator_data[..cut].to_vec();
        assert!(credential(&RawCredential { authenticator_data, ..good.clone() }).is_err(), "{cut}");
    }
}

fn data(flags: u8, counter: u32) -> Vec<u8> {
    let party = Sha256::digest(RELYING_PARTY.as_bytes());
    [&party[..], &[flags], &counter.to_be_bytes(), b"\xA1\x6Bhmac-secret\x41\x00"].concat()
}

fn asserted(challenge: &[u8], secrets: &[[u8; 32]]) -> RawAssertion {
    let data = data(0x85, 17);
    let signature: Signature = key().sign(&[&data[..], &Sha256::digest(challenge)[..]].concat());
    RawAssertion {
        credential: vec![9; 64],
        authenticator_data: data,
        signature: signature.to_der().as_bytes().to_vec(),
        counter: 17,
        secrets: secrets.iter().map(|secret| Secret::new(secret.to_vec())).collect(),
    }
}

fn asked<'a>(credential: &'a Credential, next: bool) -> Question<'a> {
    Question { credential, challenge: b"a record", salt: SALTS.0, next: next.then_some(SALTS.1) }
}

#[test]
fn an_assertion_gives_its_counter_and_a_secret_for_each_salt() {
    let enrolled = enrolled();
    let one = answer(&asked(&enrolled, false), &[asserted(b"a record", &[[3; 32]])]).unwrap();
    assert_eq!((one.counter, one.secret.expose_bytes(), one.next.is_none()), (17, &[3; 32], true));
    let two = answer(&asked(&enrolled, true), &[asserted(b"a record", &[[3; 32], [4; 32]])]).unwrap();
    assert_eq!(two.next.unwrap().expose_bytes(), &[4; 32]);
    assert_eq!(two.authenticator_data, data(0x85, 17));
    let silent = RawAssertion { credential: vec![], ..asserted(b"a record", &[[3; 32]]) };
    assert!(answer(&asked(&enrolled, false), &[silent]).is_ok(), "an id may be left out");
}

#[test]
fn each_wrong_assertion_has_its_name() {
    let enrolled = enrolled();
    let good = || asserted(b"a record", &[[3; 32]]);
    let one = |raw: RawAssertion| answer(&asked(&enrolled, false), &[raw]);
    for (raw, words) in [
        (RawAssertion { credential: vec![8; 64], ..good() }, "another credential"),
        (RawAssertion { counter: 16, ..good() }, "two counters"),
        (RawAssertion { signature: vec![0x30; 73], ..good() }, "a signature of 73 bytes"),
        (RawAssertion { secrets: vec![], ..good() }, "0 secrets for 1 salts"),
        (RawAssertion { secrets: vec![Secret::new(vec![0; 31])], ..good() }, "not 32 bytes"),
        (asserted(b"a record", &[[3; 32], [4; 32]]), "2 secrets for 1 salts"),
    ] {
        let detail = detail(one(raw));
        assert!(detail.contains(words), "{detail} / {words}");
    }
    for raw in [&[][..], &[good(), good()]] {
        assert!(detail(answer(&asked(&enrolled, false), raw)).contains("instead of one"));
    }
    let twice = asserted(b"a record", &[[3; 32], [3; 32]]);
    assert!(detail(answer(&asked(&enrolled, true), &[twice])).contains("the same secret"));
    let same_salt = Question { next: Some(SALTS.0), ..asked(&enrolled, false) };
    assert!(answer(&same_salt, &[asserted(b"a record", &[[3; 32], [3; 32]])]).is_ok());
    for (raw, error) in [
        (asserted(b"another record", &[[3; 32]]), AssertionError::Signature),
        (RawAssertion { signature: vec![], ..good() }, AssertionError::Signature),
        (RawAssertion { authenticator_data: vec![0; 36], ..good() }, AssertionError::Length(36)),
        (RawAssertion { authenticator_data: data(0x84, 17), ..good() }, AssertionError::NotTouched),
        (RawAssertion { authenticator_data: data(0x81, 17), ..good() }, AssertionError::NotVerified),
        (RawAssertion { authenticator_data: data(0xC5, 17), ..good() }, AssertionError::CarriesCredential),
        (
            RawAssertion { authenticator_data: data(0x85, 18), counter: 18, ..good() },
            AssertionError::Signature,
        ),
        (RawAssertion { authenticator_data: data(0x85, 0), counter: 0, ..good() }, AssertionError::NoCounter),
    ] {
        assert!(matches!(one(raw), Err(Fido2Error::Assertion(found)) if found == error), "{error:?}");
    }
}

fn info() -> RawInfo {
    RawInfo {
        aaguid: AAGUID.to_vec(),
        firmware: 0x0005_0704,
        versions: vec!["U2F_V2".into(), "FIDO_2_1".into()],
        extensions: vec!["credProtect".into(), "hmac-secret".into()],
        client_pin: Some(true),
        force_pin_change: false,
        min_pin_length: 6,
        pin_protocols: vec![2, 1],
    }
}

#[test]
fn facts_are_what_the_key_says_within_reason() {
    let told = facts(&info()).unwrap();
    assert_eq!(
        (told.aaguid, told.firmware, told.pin_set, told.pin_length),
        (AAGUID, Some(0x0005_0704), true, 6)
    );
    assert_eq!((told.pin_protocols, told.hmac_secret, told.cred_protect), (vec![2, 1], true, true));
    let bare = RawInfo {
        firmware: 0,
        extensions: vec![],
        client_pin: None,
        min_pin_length: 0,
        pin_protocols: vec![],
        force_pin_change: true,
        ..info()
    };
    let told = facts(&bare).unwrap();
    assert_eq!((told.firmware, told.pin_set, told.pin_length, told.pin_must_change), (None, false, 4, true));
    assert!(!told.hmac_secret && !told.cred_protect);
    for (raw, words) in [
        (RawInfo { aaguid: vec![0; 15], ..info() }, "15 bytes"),
        (RawInfo { versions: vec!["x".repeat(65)], ..info() }, "list of names"),
        (RawInfo { extensions: vec!["\u{1b}[2J".into()], ..info() }, "list of names"),
        (RawInfo { extensions: vec!["x".into(); 65], ..info() }, "list of names"),
        (RawInfo { pin_protocols: vec![256], ..info() }, "beyond 255"),
        (RawInfo { pin_protocols: vec![1; 65], ..info() }, "too many"),
        (RawInfo { min_pin_length: 64, ..info() }, "at least 64"),
        (RawInfo { min_pin_length: 3, ..info() }, "at least 3"),
    ] {
        let detail = detail(facts(&raw));
        assert!(detail.contains(words), "{detail} / {words}");
    }
    let old = RawInfo { versions: vec!["U2F_V2".into()], ..info() };
    assert!(matches!(facts(&old), Err(Fido2Error::Unsupported("FIDO2"))));
    for (raw, left) in [(0, Some(0)), (8, Some(8)), (9, None), (-1, None), (i64::MIN, None)] {
        assert_eq!(tries(raw).ok(), left);
    }
}

proptest! {
    #[test]
    fn no_foreign_bytes_are_taken_for_a_credential(
        authenticator_data in proptest::collection::vec(any::<u8>(), 0..300),
        counter: u32,
    ) {
        let raw = RawCredential { authenticator_data, counter, ..Made::good().raw() };
        prop_assert!(credential(&raw).is_err());
    }

    #[test]
    fn no_changed_byte_gives_another_credential(at in 0usize..225, with in 1u8..) {
        let good = Made::good().raw();
        let mut authenticator_data = good.authenticator_data.clone();
        let at = at % authenticator_data.len();
        authenticator_data[at] ^= with;
        // Reserved flags and the order or company of extensions are the key's own affair.
        if let Ok(made) = credential(&RawCredential { authenticator_data, ..good }) {
            prop_assert!(made == enrolled() && at == 32);
        }
    }

    #[test]
    fn no_foreign_bytes_are_taken_for_an_assertion(
        authenticator_data in proptest::collection::vec(any::<u8>(), 0..200),
        signature in proptest::collection::vec(any::<u8>(), 0..80),
        changed in 0usize..48,
        with in 1u8..,
    ) {
        let enrolled = enrolled();
        let foreign = RawAssertion { authenticator_data, signature, ..asserted(b"a record", &[[3; 32]]) };
        prop_assert!(answer(&asked(&enrolled, false), &[foreign]).is_err());
        let mut edited = asserted(b"a record", &[[3; 32]]);
        edited.authenticator_data[changed] ^= with;
        prop_assert!(answer(&asked(&enrolled, false), &[edited]).is_err());
    }
}
