use std::path::Path;
use std::time::Duration;

use p256::ecdsa::signature::Signer;
use p256::ecdsa::{Signature, SigningKey};
use sha2::{Digest, Sha256};

use super::*;
use crate::device::fido2::supervisor::Limits;

/// A key whose helper is a shell that notes each time it is started, and says `outcome`.
struct World {
    folder: tempfile::TempDir,
}

impl World {
    fn new() -> Self {
        World { folder: tempfile::tempdir().unwrap() }
    }

    fn key(&self, then: &str) -> HelperAuthenticator {
        let script = format!(
            r#"id=$(sed 's/.*"id":\([0-9]*\).*/\1/'); echo started >> '{}'; {then}"#,
            self.note().display()
        );
        let limit = Duration::from_secs(20);
        let helper = Helper::new("sh", ["-c", &script], Limits { plain: limit, touch: limit });
        HelperAuthenticator::new(Serial(5), "/dev/hidraw7".into(), helper)
    }

    fn saying(&self, outcome: &str) -> HelperAuthenticator {
        self.key(&format!(r#"printf '{{"id":%s,"requests":4,"touches":1,"outcome":%s}}' "$id" '{outcome}'"#))
    }

    fn note(&self) -> std::path::PathBuf {
        self.folder.path().join("starts")
    }

    fn starts(&self) -> usize {
        std::fs::read_to_string(self.note()).unwrap_or_default().lines().count()
    }
}

/// Whether it is the error that is expected.
type Is = fn(&Fido2Error) -> bool;

fn pin() -> Fido2Pin {
    Fido2Pin::parse(b"73920485").unwrap()
}

#[test]
fn every_failure_has_its_name_and_nothing_is_sent_twice() {
    let failures: [(&str, Is); 23] = [
        (r#""denied""#, |e| matches!(e, Fido2Error::AccessDenied { path } if path == "/dev/hidraw7")),
        (r#""gone""#, |e| matches!(e, Fido2Error::Removed { step: "CHANGE PIN" })),
        (r#"{"not-opened":"busy"}"#, |e| matches!(e, Fido2Error::Service(text) if text.contains("hidraw7"))),
        (r#"{"wrong-pin":5}"#, |e| matches!(e, Fido2Error::WrongPin { left: 5 })),
        (r#"{"wrong-pin":0}"#, |e| matches!(e, Fido2Error::WrongPin { left: 0 })),
        (r#"{"wrong-pin":null}"#, |e| e.to_string().contains("the PIN was wrong")),
        (r#"{"wrong-pin":77}"#, |e| e.to_string().contains("the PIN was wrong")),
        (r#"{"status":50}"#, |e| matches!(e, Fido2Error::PinBlocked)),
        (r#"{"status":52}"#, |e| matches!(e, Fido2Error::PinAuthBlocked)),
        (r#"{"status":53}"#, |e| matches!(e, Fido2Error::PinNotSet)),
        (r#"{"status":55}"#, |e| matches!(e, Fido2Error::PinNotAccepted)),
        (r#"{"status":46}"#, |e| matches!(e, Fido2Error::NoCredential)),
        (r#"{"status":47}"#, |e| matches!(e, Fido2Error::NotTouched)),
        (r#"{"status":58}"#, |e| matches!(e, Fido2Error::NotTouched)),
        (r#"{"status":39}"#, |e| matches!(e, Fido2Error::NotTouched)),
        (r#"{"status":6}"#, |e| matches!(e, Fido2Error::Refused { status: 6, .. })),
        (r#"{"still-waiting":true}"#, |e| matches!(e, Fido2Error::NotTouched)),
        (r#"{"still-waiting":false}"#, |e| matches!(e, Fido2Error::TimedOut { seconds: 50, .. })),
        (r#""no-pin-option""#, |e| matches!(e, Fido2Error::Unsupported("PINs"))),
        (r#""pin-not-set""#, |e| matches!(e, Fido2Error::PinNotSet)),
        (r#""pin-is-set""#, |e| matches!(e, Fido2Error::PinIsSet)),
        (r#""pin-must-change""#, |e| matches!(e, Fido2Error::Unsupported(_))),
        (r#"{"other":"odd"}"#, |e| matches!(e, Fido2Error::Malformed { detail, .. } if detail == "odd")),
    ];
    for (failure, is) in failures {
        let world = World::new();
        let mut key = world.saying(&format!(r#"{{"failed":{failure}}}"#));
        let error = key.change_pin(&pin(), &pin()).expect_err(failure);
        assert!(is(&error), "{failure}: {error:?}");
        assert_eq!(world.starts(), 1, "{failure}");
    }
}

#[test]
fn a_helper_that_fails_is_asked_once() {
    for (then, is) in [
        (
            "kill -ABRT $$",
            (|e| matches!(e, Fido2Error::Malformed { step: "GET PIN RETRIES", .. }))
                as fn(&Fido2Error) -> bool,
        ),
        ("kill -KILL $$", |e| matches!(e, Fido2Error::Service(_))),
        ("echo nonsense", |e| matches!(e, Fido2Error::Service(_))),
    ] {
        let world = World::new();
        let mut key = world.key(then);
        let error = key.pin_tries().expect_err(then);
        assert!(is(&error), "{then}: {error:?}");
        // Nobody knows how far it came.
        assert_eq!((world.starts(), key.traffic()), (1, Fido2Traffic { requests: 2, touches: 0 }));
    }
    let hanging =
        Helper::new("sleep", ["1000"], Limits { plain: Duration::from_millis(200), ..Limits::default() });
    let mut key = HelperAuthenticator::new(Serial(5), "/dev/hidraw7".into(), hanging);
    assert!(matches!(key.facts(), Err(Fido2Error::TimedOut { step: "GET INFO", seconds: 0 })));
}

#[test]
fn the_answer_to_another_operation_is_none() {
    let world = World::new();
    let mut done = world.saying(r#""done""#);
    let credential = Credential {
        id: vec![1; 64],
        public: SigningKey::from_slice(&[7; 32]).unwrap().verifying_key().into(),
    };
    let question = Question { credential: &credential, challenge: b"a record", salt: [1; 32], next: None };
    for outcome in [
        done.facts().err(),
        done.pin_tries().err(),
        done.make_credential(&pin(), b"user").err(),
        done.assert(&pin(), &question).err(),
        world.saying(r#"{"tries":8}"#).set_pin(&pin()).err(),
        world.saying(r#"{"tries":8}"#).change_pin(&pin(), &pin()).err(),
    ] {
        assert!(matches!(&outcome, Some(Fido2Error::Service(_))), "{outcome:?}");
    }
    assert_eq!(done.traffic(), Fido2Traffic { requests: 16, touches: 4 });
    let starts = world.starts();
    for user in [&[][..], &[1; 65]] {
        assert!(done.make_credential(&pin(), user).is_err());
    }
    assert_eq!(world.starts(), starts, "nothing was sent");
}

#[test]
fn an_assertion_comes_through_the_pipe_and_is_checked() {
    let signer = SigningKey::from_slice(&[7; 32]).unwrap();
    let credential = Credential { id: vec![9; 64], public: signer.verifying_key().into() };
    let party = Sha256::digest(crate::assertion::RELYING_PARTY.as_bytes());
    let data = [&party[..], &[0x05, 0, 0, 0, 9]].concat();
    let signature: Signature = signer.sign(&[&data[..], &Sha256::digest(b"a record")[..]].concat());
    let outcome = format!(
        r#"{{"asserted":[{{"credential":"","authenticator_data":"{}","signature":"{}","counter":9,"secrets":["{}"]}}]}}"#,
        hex::encode(&data),
        hex::encode(signature.to_der().as_bytes()),
        hex::encode([0x5A; 32]),
    );
    let world = World::new();
    let mut key = world.saying(&outcome);
    let question = Question { credential: &credential, challenge: b"a record", salt: [1; 32], next: None };
    let answer = key.assert(&pin(), &question).unwrap();
    assert_eq!((answer.counter, answer.secret.expose_bytes()), (9, &[0x5A; 32]));
    assert_eq!(key.traffic(), Fido2Traffic { requests: 4, touches: 1 });
    let other = Question { challenge: b"another record", ..question };
    assert!(matches!(key.assert(&pin(), &other), Err(Fido2Error::Assertion(_))));
    assert_eq!((key.serial(), key.node.as_path()), (Serial(5), Path::new("/dev/hidraw7")));
}
