//! The state machine by itself, without a connection.

use p256::ecdsa::VerifyingKey;
use sha2::{Digest, Sha256};

use super::*;
use crate::assertion::{self, AssertionError};
use crate::device::fido2::wire::RawAssertion;
use crate::device::fido2::{Credential, check};
use crate::secret::Fido2Pin;

fn pin(typed: &str) -> Fido2Pin {
    Fido2Pin::parse(typed.as_bytes()).unwrap()
}

fn around() -> Surroundings {
    Surroundings::seeded(21).0
}

/// A FIDO2 side with a PIN, and one credential for the kit.
fn ready(counting: Counting) -> (Fido2, Credential) {
    let (around, _) = Surroundings::seeded(20);
    let mut fido2 = Fido2::factory(counting);
    fido2.set_pin(&pin("4815"), false, &around).unwrap();
    let token = fido2.pin_token(&pin("4815")).unwrap();
    let credential = made(&mut fido2, 3, token, &around);
    (fido2, credential)
}

/// A new credential with that level of credProtect, read from its authenticator data where the kit would take it.
fn made(fido2: &mut Fido2, protection: u8, token: PinToken, around: &Surroundings) -> Credential {
    let raw = fido2.make_credential(protection, Some(token), around, None).unwrap();
    let public = p256::PublicKey::from_sec1_bytes(&raw.public).unwrap();
    assert_eq!(raw.counter, fido2.counter());
    let credential = Credential { id: raw.id.clone(), public };
    match check::credential(&raw) {
        Ok(checked) => assert_eq!((protection, checked), (3, credential.clone())),
        Err(error) => assert!(protection < 3 && error.to_string().contains("credProtect 3"), "{error}"),
    }
    credential
}

fn assert(
    fido2: &mut Fido2,
    credential: &Credential,
    salts: &[[u8; 32]],
    around: &Surroundings,
    deceit: Option<Deceit>,
) -> Result<RawAssertion, CtapStatus> {
    let token = fido2.pin_token(&pin("4815"))?;
    let asked =
        Assertion { credential: &credential.id, client_data_hash: Sha256::digest(b"a record").into(), salts };
    fido2.assert(&asked, Some(token), around, deceit)
}

fn verified(credential: &Credential, asserted: &RawAssertion) -> Result<u32, AssertionError> {
    let public = VerifyingKey::from(&credential.public);
    assertion::verify(&public, b"a record", &asserted.authenticator_data, &asserted.signature)
}

#[derive(Debug, Clone, Copy)]
enum Act {
    Set(&'static str),
    Change(&'static str, &'static str),
    Token(&'static str),
    Replug,
}

/// Does each act in turn; after each, the status it gave and the tries left.
fn story(complexity: bool, acts: &[(Act, Option<CtapStatus>, u8)]) {
    let mut fido2 = Fido2::factory(Counting::Exact);
    for (number, &(act, expected, left)) in acts.iter().enumerate() {
        let result = match act {
            Act::Set(new) => fido2.set_pin(&pin(new), complexity, &around()),
            Act::Change(old, new) => fido2.change_pin(&pin(old), &pin(new), complexity, &around()),
            Act::Token(typed) => fido2.pin_token(&pin(typed)).map(drop),
            Act::Replug => {
                fido2.power_off();
                Ok(())
            }
        };
        assert_eq!((result.err(), fido2.pin_tries()), (expected, left), "{number}: {act:?}");
    }
}

#[test]
fn the_pin_is_none_then_set_then_changed() {
    use Act::*;
    story(
        false,
        &[
            (Token("4815"), Some(CtapStatus::PIN_NOT_SET), 8),
            (Change("4815", "1623"), Some(CtapStatus::PIN_NOT_SET), 8),
            (Set("4815"), None, 8),
            (Set("1623"), Some(CtapStatus::PIN_AUTH_INVALID), 8),
            (Token("4815"), None, 8),
            (Change("9999", "1623"), Some(CtapStatus::PIN_INVALID), 7),
            (Change("4815", "1623"), None, 8),
            (Token("4815"), Some(CtapStatus::PIN_INVALID), 7),
            (Token("1623"), None, 8),
        ],
    );
    story(true, &[(Set("7777"), Some(CtapStatus::PIN_POLICY), 8), (Set("4815"), None, 8)]);
    story(true, &[(Set("4815"), None, 8), (Change("4815", "123456"), Some(CtapStatus::PIN_POLICY), 8)]);
}

#[test]
fn three_wrong_in_a_row_wait_for_the_plug_and_eight_are_the_end() {
    use Act::*;
    let (wrong, block, end) =
        (Some(CtapStatus::PIN_INVALID), Some(CtapStatus::PIN_AUTH_BLOCKED), Some(CtapStatus::PIN_BLOCKED));
    story(
        false,
        &[
            (Set("4815"), None, 8),
            (Token("0000"), wrong, 7),
            (Token("0000"), wrong, 6),
            (Token("4815"), None, 8), // a right one in between starts the count again
            (Token("0000"), wrong, 7),
            (Token("0000"), wrong, 6),
            (Token("0000"), block, 5),
            (Token("4815"), block, 5), // not even the right one, and no try is spent
            (Token("0000"), block, 5),
            (Change("4815", "1623"), block, 5),
            (Replug, None, 5),
            (Token("4815"), None, 8),
            (Token("0000"), wrong, 7),
            (Token("0000"), wrong, 6),
            (Token("0000"), block, 5),
            (Replug, None, 5),
            (Token("0000"), wrong, 4),
            (Token("0000"), wrong, 3),
            (Token("0000"), block, 2),
            (Replug, None, 2),
            (Token("0000"), wrong, 1),
            (Token("0000"), end, 0),
            (Token("4815"), end, 0),
            (Replug, None, 0),
            (Token("4815"), end, 0),
            (Set("1623"), Some(CtapStatus::PIN_AUTH_INVALID), 0),
        ],
    );
}

#[test]
fn the_counter_moves_as_its_behaviour_is_and_only_for_what_was_done() {
    for counting in [Counting::Exact, Counting::Random, Counting::Never] {
        let around = around();
        let (mut fido2, credential) = ready(counting);
        let mut seen = vec![fido2.counter()];
        for _ in 0..200 {
            let asserted = assert(&mut fido2, &credential, &[[1; 32]], &around, None).unwrap();
            match verified(&credential, &asserted) {
                Ok(counter) => assert_eq!(counter, fido2.counter()),
                Err(error) => {
                    assert_eq!((counting, error), (Counting::Never, AssertionError::NoCounter));
                }
            }
            seen.push(fido2.counter());
        }
        let steps: Vec<u32> = seen.windows(2).map(|pair| pair[1] - pair[0]).collect();
        match counting {
            Counting::Exact => assert!(seen[0] == 2 && steps.iter().all(|step| *step == 1)),
            Counting::Never => assert!(seen.iter().all(|counter| *counter == 0)),
            Counting::Random => {
                assert!(steps.iter().all(|step| (1..=16).contains(step)), "{steps:?}");
                assert!((1..=16).all(|step| steps.contains(&step)), "{steps:?}");
            }
        }

        // Refused or not touched: nothing is counted.
        let before = fido2.counter();
        let other = Credential { id: vec![1; 64], public: credential.public };
        let never = around.with_touch(Touch::Withheld { for_ms: 0 });
        let refused = [
            assert(&mut fido2, &other, &[[1; 32]], &around, None).err(),
            assert(&mut fido2, &credential, &[[1; 32]; 3], &around, None).err(),
            assert(&mut fido2, &credential, &[[1; 32]], &never, None).err(),
            fido2.make_credential(3, None, &around, None).err(),
        ];
        assert_eq!(
            refused,
            [
                CtapStatus::NO_CREDENTIALS,
                CtapStatus::LENGTH,
                CtapStatus::TOUCH_TIMEOUT,
                CtapStatus::PIN_REQUIRED
            ]
            .map(Some)
        );
        let token = fido2.pin_token(&pin("4815")).unwrap();
        assert_eq!(
            fido2.make_credential(3, Some(token), &never, None).err(),
            Some(CtapStatus::TOUCH_TIMEOUT)
        );
        assert_eq!((fido2.counter(), fido2.credentials()), (before, 1));
    }
}

#[test]
fn one_counter_serves_all_credentials() {
    let around = around();
    let (mut fido2, first) = ready(Counting::Exact);
    let token = fido2.pin_token(&pin("4815")).unwrap();
    let second = made(&mut fido2, 3, token, &around);
    assert_ne!((&first.id, first.public), (&second.id, second.public));
    let mut counters = Vec::new();
    for credential in [&first, &second, &first] {
        let asserted = assert(&mut fido2, credential, &[[1; 32]], &around, None).unwrap();
        counters.push(verified(credential, &asserted).unwrap());
    }
    assert_eq!(counters, [5, 6, 7]);
}

#[test]
fn hmac_secret_is_hmac_of_the_salt_and_differs_without_the_pin() {
    let around = around();
    let (mut fido2, _) = ready(Counting::Exact);
    let token = fido2.pin_token(&pin("4815")).unwrap();
    let loose = made(&mut fido2, 2, token, &around);
    let outputs = |fido2: &mut Fido2, salts: &[[u8; 32]]| -> Vec<Vec<u8>> {
        let asserted = assert(fido2, &loose, salts, &around, None).unwrap();
        asserted.secrets.iter().map(|secret| secret.expose_bytes().to_vec()).collect()
    };
    let one = outputs(&mut fido2, &[[1; 32]]);
    let two = outputs(&mut fido2, &[[2; 32]]);
    assert_eq!(outputs(&mut fido2, &[[1; 32], [2; 32]]), [one[0].clone(), two[0].clone()]);
    assert_ne!(one, two);

    // RFC 2104 written out, from what the file keeps.
    let random = fido2.credentials.last().unwrap().random_with_pin;
    let pad = |byte: u8| -> Vec<u8> {
        let key = random.iter().copied().chain(std::iter::repeat(0)).take(64);
        key.map(|key| key ^ byte).collect()
    };
    let inner = Sha256::digest([&pad(0x36)[..], &[1; 32]].concat());
    assert_eq!(one[0][..], Sha256::digest([&pad(0x5C)[..], &inner[..]].concat())[..]);

    let asked = Assertion { credential: &loose.id, client_data_hash: [0; 32], salts: &[[1; 32]] };
    let without = fido2.assert(&asked, None, &around, None).unwrap();
    assert_ne!(without.secrets[0].expose_bytes(), one[0]);
    assert_eq!(without.authenticator_data[32], 0x81, "touched, not verified, with extensions");
}

#[test]
fn a_credential_of_level_3_is_not_there_without_the_pin() {
    let (mut fido2, credential) = ready(Counting::Exact);
    let asked = Assertion { credential: &credential.id, client_data_hash: [0; 32], salts: &[] };
    assert_eq!(fido2.assert(&asked, None, &around(), None).err(), Some(CtapStatus::NO_CREDENTIALS));
    assert_eq!(fido2.counter(), 2);
}

#[test]
fn authenticator_data_have_the_form_of_a_real_keys() {
    let around = around();
    let (mut fido2, credential) = ready(Counting::Exact);
    for (salts, length) in [(0, 37), (1, 37 + 15 + 48), (2, 37 + 15 + 80)] {
        let salts: Vec<[u8; 32]> = (0..salts).map(|salt| [salt; 32]).collect();
        let asserted = assert(&mut fido2, &credential, &salts, &around, None).unwrap();
        let data = &asserted.authenticator_data;
        assert_eq!(data.len(), length);
        assert_eq!(data[..32], Sha256::digest(b"breakglass.example")[..]);
        assert_eq!(data[32], if salts.is_empty() { 0x05 } else { 0x85 });
        assert_eq!(data[33..37], fido2.counter().to_be_bytes());
        if !salts.is_empty() {
            assert_eq!(data[37..50], *b"\xA1\x6Bhmac-secret"); // a map of one: text of 11 bytes
            assert_eq!(data[50..52], [0x58, (length - 52) as u8]); // a byte string of that length
        }
        assert_eq!(verified(&credential, &asserted), Ok(fido2.counter()));
    }
}

#[test]
fn each_deceit_is_what_it_says() {
    let around = around();
    let (mut fido2, credential) = ready(Counting::Exact);
    assert(&mut fido2, &credential, &[[1; 32]], &around, None).unwrap();
    let mut told = |deceit| {
        let before = fido2.counter();
        let asserted = assert(&mut fido2, &credential, &[[1; 32]], &around, Some(deceit)).unwrap();
        let counter = verified(&credential, &asserted).map(|counter| i64::from(counter) - i64::from(before));
        (counter, asserted.credential == credential.id, asserted.secrets.len())
    };
    for (deceit, result) in [
        (Deceit::OtherRelyingParty, Err(AssertionError::RelyingParty)),
        (Deceit::NotTouched, Err(AssertionError::NotTouched)),
        (Deceit::NotVerified, Err(AssertionError::NotVerified)),
        (Deceit::CarriesCredential, Err(AssertionError::CarriesCredential)),
        (Deceit::CounterStandsStill, Ok(0)),
        (Deceit::CounterGoesBack, Ok(-1)),
        (Deceit::CounterIsZero, Err(AssertionError::NoCounter)),
        (Deceit::OtherKey, Err(AssertionError::Signature)),
        (Deceit::BadSignature, Err(AssertionError::Signature)),
    ] {
        assert_eq!(told(deceit), (result, true, 1), "{deceit:?}");
    }
    assert_eq!(told(Deceit::OtherCredential), (Err(AssertionError::Signature), false, 1));
    assert_eq!(told(Deceit::NoSecret), (Ok(1), true, 0));
}

#[test]
fn another_program_moves_the_counter_and_a_reset_takes_everything() {
    for (counting, most) in [(Counting::Exact, 1), (Counting::Random, 16), (Counting::Never, 0)] {
        let (mut fido2, credential) = ready(counting);
        let never = around().with_touch(Touch::Withheld { for_ms: 0 });
        let (before, after) = fido2.use_elsewhere(&never).unwrap();
        assert!(after - before <= most && (after > before || most == 0), "{counting:?}: {before} {after}");
        assert_eq!(after, fido2.counter());
        fido2.reset();
        assert_eq!((fido2.counter(), fido2.credentials(), fido2.pin_is_set()), (0, 0, false));
        assert_eq!(fido2.use_elsewhere(&around()), Err(CtapStatus::NO_CREDENTIALS));
        fido2.set_pin(&pin("4815"), false, &around()).unwrap();
        let gone = assert(&mut fido2, &credential, &[], &around(), None).err();
        assert_eq!(gone, Some(CtapStatus::NO_CREDENTIALS));
    }
}

#[test]
fn what_the_file_keeps_gives_the_same_secrets() {
    let around = around();
    let (mut fido2, credential) = ready(Counting::Random);
    let first = assert(&mut fido2, &credential, &[[5; 32]], &around, None).unwrap();
    let text = serde_json::to_string(&fido2).unwrap();
    assert!(!text.contains("4815") && !text.contains(&hex::encode("4815")), "no PIN in clear");
    let mut read: Fido2 = serde_json::from_str(&text).unwrap();
    read.power_off();
    let second = assert(&mut read, &credential, &[[5; 32]], &around, None).unwrap();
    assert_eq!(first.secrets[0].expose_bytes(), second.secrets[0].expose_bytes());
    assert!(verified(&credential, &second).unwrap() > verified(&credential, &first).unwrap());
    assert!(serde_json::from_str::<Fido2>(&text.replacen('{', "{\"more\":1,", 1)).is_err());
}
