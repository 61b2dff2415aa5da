//! The FIDO2 side through the trait that the flows use, on keys in files.

use std::path::Path;

use p256::ecdsa::VerifyingKey;

use super::*;
use crate::assertion::{self, AssertionError};
use crate::device::practice::{Counting, FaultPlan, PracticeKey, PracticeReaders, Profile, Touch, Which};
use crate::device::{DeviceError, Readers};
use crate::secret::Pin;

const SERIAL: Serial = Serial(4_000_001);

fn readers(folder: &Path) -> PracticeReaders {
    PracticeReaders::new(folder, Surroundings::seeded(31).0)
}

fn pin(typed: &str) -> Fido2Pin {
    Fido2Pin::parse(typed.as_bytes()).unwrap()
}

/// A key in a folder of its own, its FIDO2 PIN 4815 set, one credential made.
struct World {
    folder: tempfile::TempDir,
    readers: PracticeReaders,
    hand: PracticeKey,
    credential: Credential,
}

impl World {
    fn new(counting: Counting) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut readers = readers(folder.path());
        let hand = readers.create_counting(SERIAL, Profile::Firmware574, Some(counting)).unwrap();
        let mut key = readers.authenticator(SERIAL).unwrap();
        key.set_pin(&pin("4815")).unwrap();
        let credential = key.make_credential(&pin("4815"), b"breakglass").unwrap();
        hand.reset_counters();
        World { folder, readers, hand, credential }
    }

    fn assert(&mut self, typed: &str, next: Option<[u8; 32]>) -> Result<Answer, Fido2Error> {
        let question = Question { credential: &self.credential, challenge: b"a record", salt: [1; 32], next };
        self.readers.authenticator(SERIAL)?.assert(&pin(typed), &question)
    }

    fn counter(&self) -> u32 {
        self.hand.with_model(|model, _| model.fido2().unwrap().counter()).unwrap()
    }

    fn tries(&self) -> u8 {
        self.hand.with_model(|model, _| model.fido2().unwrap().pin_tries()).unwrap()
    }

    /// The counter that another process would read.
    fn counter_in_file(&self) -> u64 {
        let text = std::fs::read(self.folder.path().join(format!("{SERIAL}.key"))).unwrap();
        let file: serde_json::Value = serde_json::from_slice(&text).unwrap();
        file["key"]["fido2"]["counter"].as_u64().unwrap()
    }
}

#[test]
fn a_blank_key_gets_its_pin_and_its_credential_and_asserts() {
    let folder = tempfile::tempdir().unwrap();
    let mut readers = readers(folder.path());
    readers.create(SERIAL, Profile::Firmware543).unwrap();
    let mut key = readers.authenticator(SERIAL).unwrap();
    let facts = key.facts().unwrap();
    assert_eq!((facts.pin_set, facts.firmware, facts.pin_protocols), (false, Some(0x05_04_03), vec![2, 1]));
    assert!(facts.hmac_secret && facts.cred_protect && !facts.pin_must_change);
    assert!(matches!(key.make_credential(&pin("4815"), b"kit"), Err(Fido2Error::PinNotSet)));
    key.set_pin(&pin("4815")).unwrap();
    assert!(matches!(key.set_pin(&pin("1623")), Err(Fido2Error::PinIsSet)));
    assert!(key.facts().unwrap().pin_set);
    for user in [&b""[..], &[0; 65]] {
        assert!(matches!(key.make_credential(&pin("4815"), user), Err(Fido2Error::Service(_))));
    }
    let credential = key.make_credential(&pin("4815"), b"kit").unwrap();
    key.change_pin(&pin("4815"), &pin("1623")).unwrap();

    let before = key.traffic();
    let question =
        Question { credential: &credential, challenge: b"a record", salt: [1; 32], next: Some([2; 32]) };
    let answer = key.assert(&pin("1623"), &question).unwrap();
    let after = key.traffic();
    assert_eq!((after.requests - before.requests, after.touches - before.touches), (5, 1));
    let public = VerifyingKey::from(&credential.public);
    let counter =
        assertion::verify(&public, b"a record", &answer.authenticator_data, &answer.signature).unwrap();
    assert_eq!((counter, answer.counter), (3, 3));
    let again = key.assert(&pin("1623"), &Question { salt: [2; 32], next: None, ..question }).unwrap();
    assert_eq!(again.secret.expose_bytes(), answer.next.unwrap().expose_bytes());
    assert!(again.next.is_none() && again.counter == 4);
}

#[test]
fn a_key_without_fido2_and_one_that_is_not_there_are_told_apart_as_on_hid() {
    let folder = tempfile::tempdir().unwrap();
    let mut readers = readers(folder.path());
    let found = |readers: &mut PracticeReaders| readers.authenticator(SERIAL).map(|key| key.serial());
    assert!(matches!(found(&mut readers), Err(Fido2Error::NoDevice)));
    readers.create_counting(SERIAL, Profile::Firmware574, None).unwrap();
    assert!(matches!(found(&mut readers), Err(Fido2Error::NoDevice)));
    let other = readers.create(Serial(5), Profile::Firmware574).unwrap();
    assert!(matches!(found(&mut readers), Err(Fido2Error::Absent(SERIAL))));
    assert_eq!(readers.authenticator(Serial(5)).unwrap().serial(), Serial(5));
    other.remove().unwrap();
    assert!(matches!(readers.authenticator(Serial(5)).err(), Some(Fido2Error::NoDevice)));
}

#[test]
fn files_from_before_fido2_load_and_have_none() {
    let folder = tempfile::tempdir().unwrap();
    readers(folder.path()).create_counting(SERIAL, Profile::Firmware574, None).unwrap();
    let path = folder.path().join(format!("{SERIAL}.key"));
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(!text.contains("fido2"), "a key without it is written as it always was");
    let mut readers = readers(folder.path());
    assert!(matches!(readers.authenticator(SERIAL).err(), Some(Fido2Error::NoDevice)));
    readers.connect(SERIAL).unwrap().pin_tries().unwrap();
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn wrong_pins_are_counted_told_and_block_until_the_plug_whatever_the_process() {
    let mut world = World::new(Counting::Exact);
    assert!(matches!(world.assert("0000", None), Err(Fido2Error::WrongPin { left: 7 })));
    assert!(matches!(world.assert("0000", None), Err(Fido2Error::WrongPin { left: 6 })));
    // Other connections to the card come and go, and another process takes over: the key was not unplugged.
    drop(world.readers.connect(SERIAL).unwrap());
    world.readers = readers(world.folder.path());
    assert!(matches!(world.assert("0000", None), Err(Fido2Error::PinAuthBlocked)));
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::PinAuthBlocked)));
    assert_eq!(world.readers.authenticator(SERIAL).unwrap().pin_tries().unwrap(), 5);
    assert_eq!(world.counter(), 2, "nothing was asserted");

    // In and out by the hand of yet another process.
    let hand = readers(world.folder.path()).key(SERIAL).unwrap();
    hand.remove().unwrap();
    hand.insert().unwrap();
    assert!(matches!(world.assert("0000", None), Err(Fido2Error::WrongPin { left: 4 })));
    world.assert("4815", None).unwrap();
    assert_eq!(world.tries(), 8);
    for left in (0..8).rev() {
        let error = world.assert("0000", None).unwrap_err();
        if left % 3 == 2 && left > 0 {
            assert!(matches!(error, Fido2Error::PinAuthBlocked), "{left}: {error}");
            hand.remove().unwrap();
            hand.insert().unwrap();
        } else if left > 0 {
            assert!(matches!(error, Fido2Error::WrongPin { left: told } if told == left), "{left}: {error}");
        } else {
            assert!(matches!(error, Fido2Error::PinBlocked), "{left}: {error}");
        }
        assert_eq!(world.tries(), left);
    }
    hand.remove().unwrap();
    hand.insert().unwrap();
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::PinBlocked)));
    // PIV has a PIN of its own.
    let left = world.hand.with_model(|model, _| model.reference(Which::Pin).left).unwrap();
    assert_eq!(left, 3);
}

#[test]
fn secrets_outlive_the_plug_the_process_and_a_piv_reset() {
    let mut world = World::new(Counting::Random);
    let secret = *world.assert("4815", None).unwrap().secret.expose_bytes();
    world.hand.remove().unwrap();
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::NoDevice)));
    world.hand.insert().unwrap();
    assert_eq!(*world.assert("4815", None).unwrap().secret.expose_bytes(), secret);
    world.hand.with_model(|model, _| model.make_blank()).unwrap();
    world.readers = readers(world.folder.path());
    assert_eq!(*world.assert("4815", None).unwrap().secret.expose_bytes(), secret);
    world.hand.with_model(|model, _| model.fido2_mut().unwrap().reset()).unwrap();
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::PinNotSet)));
    world.readers.authenticator(SERIAL).unwrap().set_pin(&pin("4815")).unwrap();
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::NoCredential)));
}

#[test]
fn an_assertion_that_is_cut_off_has_counted_if_and_only_if_the_key_made_it() {
    for fault in
        [Fault::Remove, Fault::RemoveAfter, Fault::Reset, Fault::NeverAnswers(5), Fault::WithholdTouch]
    {
        for n in 1..=6 {
            let mut world = World::new(Counting::Exact);
            let before = u64::from(world.counter());
            let plan = FaultPlan::new().at(n, fault.clone());
            world.hand.set_faults(plan.clone());
            let result = world.assert("4815", None);
            let told = format!("{fault:?} at {n}: {result:?}");
            let made = match (&fault, n) {
                (Fault::RemoveAfter | Fault::NeverAnswers(_), 5) => true,
                (Fault::WithholdTouch, 5) => false,
                (_, 6) | (Fault::WithholdTouch, _) => true,
                _ => false,
            };
            assert_eq!(world.counter_in_file(), before + u64::from(made), "{told}");
            let steps = [INFO, AGREEMENT, AGREEMENT, TOKEN, ASSERT];
            match (&fault, result) {
                (_, Ok(_)) => assert!(n == 6 || (n < 5 && fault == Fault::WithholdTouch), "{told}"),
                (Fault::Remove | Fault::RemoveAfter, Err(Fido2Error::Removed { step }))
                | (Fault::Reset, Err(Fido2Error::Refused { step, status: 0x06 }))
                | (Fault::NeverAnswers(5), Err(Fido2Error::TimedOut { step, seconds: 5 })) => {
                    assert_eq!(step, steps[n - 1], "{told}");
                }
                (Fault::WithholdTouch, Err(Fido2Error::NotTouched)) => assert_eq!(n, 5),
                _ => panic!("{told}"),
            }
            assert_eq!(world.tries(), 8, "{told}");
            plan.clear();
            world.hand.insert().unwrap();
            world.assert("4815", None).unwrap();
        }
    }
}

#[test]
fn piv_commands_and_fido2_requests_are_numbered_together() {
    let mut world = World::new(Counting::Exact);
    let plan = FaultPlan::new().at(8, Fault::Remove);
    world.hand.set_faults(plan.clone());
    let mut card = world.readers.connect(SERIAL).unwrap(); // four commands
    card.pin_tries().unwrap(); // the fifth
    let mut fido2 = world.readers.authenticator(SERIAL).unwrap();
    fido2.pin_tries().unwrap(); // the sixth and seventh
    assert!(matches!(fido2.facts(), Err(Fido2Error::Removed { step: INFO })));
    assert!(matches!(card.pin_tries(), Err(DeviceError::Removed { .. })));
    assert_eq!(plan.commands_seen(), 8);
    world.hand.insert().unwrap();
    assert!(matches!(fido2.facts(), Err(Fido2Error::Removed { .. })), "the old connection stays dead");
    world.hand.pull_out_at(6).unwrap();
    world.readers.connect(SERIAL).unwrap().pin_tries().unwrap();
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::Removed { step: INFO })));
    assert!(!world.hand.plugged_in().unwrap());
}

#[test]
fn a_fido2_connection_leaves_the_card_as_it_is() {
    let mut world = World::new(Counting::Exact);
    let piv = Pin::parse(b"123456").unwrap();
    let fido2 = world.readers.authenticator(SERIAL).unwrap();
    let mut card = world.readers.connect(SERIAL).unwrap();
    card.verify_pin(&piv).unwrap();
    drop(fido2);
    world.assert("4815", None).unwrap();
    let verified = world.hand.with_model(|model, _| model.verified()).unwrap();
    assert_eq!(verified, Ok(()), "the PIV PIN is still good");
    let fido2 = world.readers.authenticator(SERIAL).unwrap();
    drop(card);
    let verified = world.hand.with_model(|model, _| model.verified()).unwrap();
    assert!(verified.is_err(), "and without a card connection it is not");
    drop(fido2);
}

#[test]
fn hostile_answers_are_errors_by_name_and_no_pin_is_sent_again() {
    let last = 5; // the request that asserts
    for (fault, expected) in [
        (Fault::Deceive(Deceit::OtherRelyingParty), "the assertion is for another relying party"),
        (Fault::Deceive(Deceit::NotTouched), "the assertion was made without a touch"),
        (Fault::Deceive(Deceit::NotVerified), "the assertion was made without a PIN"),
        (Fault::Deceive(Deceit::CarriesCredential), "the assertion carries a new credential"),
        (Fault::Deceive(Deceit::CounterIsZero), "the key counts nothing: its signature counter is 0"),
        (Fault::Deceive(Deceit::OtherKey), "the assertion's signature does not verify"),
        (Fault::Deceive(Deceit::BadSignature), "the assertion's signature does not verify"),
        (
            Fault::Deceive(Deceit::OtherCredential),
            "the key's answer to GET ASSERTION is malformed: it answers for another credential",
        ),
        (
            Fault::Deceive(Deceit::NoSecret),
            "the key's answer to GET ASSERTION is malformed: 0 secrets for 2 salts",
        ),
        (
            Fault::Deceive(Deceit::Refuse(0x2E)),
            "the key does not have the credential that it was enrolled with",
        ),
        (Fault::Deceive(Deceit::Refuse(0x7F)), "the key refused GET ASSERTION with CTAP status 0x7F"),
        (Fault::Truncate(36), "the authenticator data has 36 bytes"),
        (Fault::Truncate(37), "the assertion's extension flag and its length do not agree"),
        (Fault::Append(vec![0; 1000]), "the authenticator data has 1132 bytes"),
        (Fault::Append(vec![0]), "the assertion's signature does not verify"),
        (Fault::Flip { byte: 36, mask: 0x80 }, "the assertion's signature does not verify"),
        (Fault::Replace(vec![]), "the authenticator data has 0 bytes"),
    ] {
        let mut world = World::new(Counting::Exact);
        world.hand.set_faults(FaultPlan::new().at(last, fault.clone()));
        let error = world.assert("4815", Some([2; 32])).unwrap_err();
        assert_eq!(error.to_string(), expected, "{fault:?}");
        let counters = world.hand.counters();
        assert_eq!((counters.fido2_requests, counters.fido2_pins_sent), (5, 1), "{fault:?}");
        assert_eq!(world.tries(), 8, "{fault:?}");
    }

    // Elsewhere each damaged answer is malformed.
    for n in 1..last {
        for fault in [
            Fault::Truncate(0),
            Fault::Append(vec![0]),
            Fault::Flip { byte: 0, mask: 1 },
            Fault::Replace(vec![0x6F, 0x00]),
        ] {
            let mut world = World::new(Counting::Exact);
            world.hand.set_faults(FaultPlan::new().at(n, fault.clone()));
            let error = world.assert("4815", None).unwrap_err();
            assert!(matches!(error, Fido2Error::Malformed { .. }), "{n} {fault:?}: {error}");
            assert_eq!(world.counter(), 2, "{n} {fault:?}");
            assert!(world.hand.counters().fido2_pins_sent <= 1, "{n} {fault:?}");
        }
    }
}

#[test]
fn what_only_the_journal_can_see_passes_the_checks_of_the_connection() {
    let mut world = World::new(Counting::Exact);
    let first = world.assert("4815", None).unwrap();
    for (deceit, delta) in [(Deceit::CounterStandsStill, 0), (Deceit::CounterGoesBack, -1)] {
        world.hand.set_faults(FaultPlan::new().at(5, Fault::Deceive(deceit)));
        let answer = world.assert("4815", None).unwrap();
        assert_eq!(i64::from(answer.counter) - i64::from(first.counter), delta, "{deceit:?}");
        assert_eq!(answer.secret.expose_bytes(), first.secret.expose_bytes());
    }
    world.hand.set_faults(FaultPlan::new().at(5, Fault::Deceive(Deceit::OtherSecret)));
    let answer = world.assert("4815", None).unwrap();
    assert_ne!(answer.secret.expose_bytes(), first.secret.expose_bytes());

    let (before, after) = world
        .hand
        .with_model(|model, around| model.fido2_mut().unwrap().use_elsewhere(around))
        .unwrap()
        .unwrap();
    assert_eq!((before, after), (answer.counter, answer.counter + 1));
    assert_eq!(world.assert("4815", None).unwrap().counter, after + 1);
}

#[test]
fn a_key_that_counts_nothing_says_so_and_a_touch_withheld_is_waited_for() {
    let mut world = World::new(Counting::Never);
    let error = world.assert("4815", None).unwrap_err();
    assert!(matches!(error, Fido2Error::Assertion(AssertionError::NoCounter)), "{error}");
    let mut world = World::new(Counting::Exact);
    world.hand.set_touch(Touch::NEVER).unwrap();
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::NotTouched)));
    let waited = world.hand.with_model(|_, around| around.milliseconds()).unwrap();
    assert_eq!(waited, 15_000);
    assert_eq!((world.counter(), world.hand.counters().fido2_pins_sent), (2, 1));
}

#[test]
fn a_key_that_lacks_something_says_so_once() {
    let mut world = World::new(Counting::Exact);
    let mut key = world.readers.authenticator(SERIAL).unwrap();
    let whole = key.facts().unwrap();
    for (deceit, lacking) in [
        (Deceit::WithoutHmacSecret, AuthenticatorFacts { hmac_secret: false, ..whole.clone() }),
        (Deceit::WithoutCredProtect, AuthenticatorFacts { cred_protect: false, ..whole.clone() }),
        (Deceit::PinMustChange, AuthenticatorFacts { pin_must_change: true, ..whole.clone() }),
        (Deceit::LongPinsOnly, AuthenticatorFacts { pin_length: 12, ..whole.clone() }),
    ] {
        world.hand.set_faults(FaultPlan::new().at(1, Fault::Deceive(deceit)));
        assert_eq!(key.facts().unwrap(), lacking);
        assert_eq!(key.facts().unwrap(), whole);
    }
    world.hand.set_faults(FaultPlan::new().at(1, Fault::Deceive(Deceit::PinMustChange)));
    assert!(matches!(world.assert("4815", None), Err(Fido2Error::Unsupported(_))));
    assert_eq!(world.hand.counters().fido2_pins_sent, 0);
}

#[test]
fn a_credential_that_is_not_as_asked_for_is_not_taken() {
    for (fault, expected) in [
        (Fault::Deceive(Deceit::OtherRelyingParty), "malformed: the credential is for another relying party"),
        (Fault::Deceive(Deceit::NotTouched), "malformed: the credential was made without a touch"),
        (Fault::Deceive(Deceit::NotVerified), "malformed: the credential was made without a PIN"),
        (Fault::Deceive(Deceit::WithoutHmacSecret), "the key cannot do hmac-secret with that credential"),
        (Fault::Deceive(Deceit::WithoutCredProtect), "the key cannot do credProtect 3"),
        (Fault::Deceive(Deceit::CounterIsZero), "malformed: two counters in one answer"),
        (Fault::Truncate(100), "malformed: the authenticator data end after 100 bytes"),
        (Fault::Append(vec![0]), "malformed: its extensions cannot be read"),
        (Fault::Flip { byte: 40, mask: 1 }, "malformed: the credential names another model than GET INFO"),
        (Fault::Flip { byte: 60, mask: 1 }, "malformed: two credential ids in one answer"),
        (Fault::RemoveAfter, "the key was taken out during MAKE CREDENTIAL"),
        (Fault::WithholdTouch, "the key was not touched in time"),
        (Fault::Deceive(Deceit::Refuse(0x28)), "the key refused MAKE CREDENTIAL with CTAP status 0x28"),
    ] {
        let mut world = World::new(Counting::Exact);
        world.hand.set_faults(FaultPlan::new().at(4, fault.clone()));
        let made = world.readers.authenticator(SERIAL).unwrap().make_credential(&pin("4815"), b"kit");
        let error = made.unwrap_err().to_string();
        assert!(error.contains(expected), "{fault:?}: {error}");
        assert_eq!(world.hand.counters().fido2_pins_sent, 1, "{fault:?}");
    }
}
