//! The FIDO2 side: enrolled, refused, left out with a reason, PINs of its own.

use std::collections::BTreeSet;

use p256::ecdsa::VerifyingKey;

use super::*;
use crate::assertion;
use crate::device::fido2::{Credential, Question};
use crate::device::practice::{Deceit, Fault, FaultPlan, Touch};
use crate::record::event::{CounterProfile, Fido2Enrolled, Fido2PinKind, Point, enrolment_challenge};

/// A blank 5.7.4 whose counter moves like this.
fn world(counting: Counting) -> World {
    let world = World::new(Profile::Firmware574);
    world.model(|model| {
        let key = std::mem::replace(model, other_key());
        *model = key.with_fido2(Some(counting));
    });
    world
}

fn other_key() -> SimulatedKey {
    let (around, _) = Surroundings::seeded(1);
    SimulatedKey::new(Serial(1), Profile::Firmware574, Authority::practice().unwrap(), &around).unwrap()
}

/// A key whose FIDO2 PIN was set before, by somebody else.
fn with_own_pin(pin: &str) -> World {
    let world = World::new(Profile::Firmware574);
    world.side().unwrap().set_pin(&Fido2Pin::parse(pin.as_bytes()).unwrap()).unwrap();
    world
}

fn enrolled(record: &Record) -> (Point, Fido2Enrolled) {
    let facts = facts(record);
    (facts.signing, *facts.fido2.clone().expect("FIDO2 is enrolled"))
}

fn without_fido2(why: &str) -> Vec<Override> {
    vec![Override { rule: NO_FIDO2.to_owned(), why: why.to_owned() }]
}

fn cause(error: ProvisionError) -> Fido2Error {
    match error {
        ProvisionError::Fido2 { serial: SERIAL, cause } => cause,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_record_says_what_the_key_does() {
    for (counting, exact) in [(Counting::Exact, true), (Counting::Random, false)] {
        let world = world(counting);
        let mut person = Person::new();
        let record = world.provision(&mut person).unwrap().record;
        let record = Record::parse(record.bytes()).unwrap();
        let (signing, fido2) = enrolled(&record);
        let expected = if exact { CounterProfile::Exact { step: 1 } } else { CounterProfile::Monotonic };
        assert_eq!((fido2.profile, fido2.pin), (expected, Fido2PinKind::Shared));
        assert_eq!((person.fido2_asked.len(), person.touches), (0, 8));

        // An auditor has the record alone: the proof is over this key's 9C, and the chain counts from there.
        let challenge = enrolment_challenge(&signing);
        let key = VerifyingKey::from(fido2.public.0);
        let (data, signature) = (fido2.proof.data.bytes(), fido2.proof.signature.bytes());
        let counter = assertion::verify(&key, &challenge, data, signature).unwrap();
        assert_eq!(counter, world.model(|model| model.fido2().unwrap().counter()));

        // Each envelope opens with what the key answers to its salt.
        let salts: BTreeSet<[u8; 32]> = fido2.envelopes.iter().map(|envelope| envelope.salt.0).collect();
        assert_eq!((fido2.envelopes.len(), salts.len()), (9, 9));
        let mut side = world.side().unwrap();
        let credential = Credential { id: fido2.credential.bytes().to_vec(), public: fido2.public.0 };
        let pin = Fido2Pin::parse(PIN.as_bytes()).unwrap();
        for envelope in &fido2.envelopes {
            let salt = envelope.salt.0;
            let question = Question { credential: &credential, challenge: b"an opening", salt, next: None };
            let answer = side.assert(&pin, &question).unwrap();
            assert_eq!(answer.secret.recipient(), envelope.recipient.to_string());
        }
    }
}

#[test]
fn a_key_without_fido2_is_enrolled_with_piv_alone_and_the_plan_says_so() {
    let world = World::new(Profile::Firmware543);
    let planned = world.plan().unwrap();
    assert_eq!(planned.warnings.last().unwrap(), "no FIDO2 side: openings with other software will not show");
    assert_eq!(planned.touches(), 2);
    assert_eq!(facts(&world.provision(&mut Person::new()).unwrap().record).fido2, None);
    // The word is not on record where it was not needed.
    let mut world = World::new(Profile::Firmware543);
    world.overrides.extend(without_fido2("a habit"));
    let record = world.provision(&mut Person::new()).unwrap().record;
    assert_eq!(facts(&record).overrides.len(), 1);
}

#[test]
fn a_side_that_cannot_be_reached_is_refused_and_left_with_a_reason() {
    for error in [
        Fido2Error::AccessDenied { path: "/dev/hidraw0".into() },
        Fido2Error::Ambiguous { serial: SERIAL, count: 2 },
        Fido2Error::Service("the FIDO2 helper cannot be started".into()),
        Fido2Error::Unsupported("FIDO2"),
    ] {
        let mut world = World::new(Profile::Firmware574);
        let planned = |world: &World| {
            let mut side: Fido2Side = Err(error.clone());
            world.with(
                || world.key.card(),
                |key, admin, circumstances| plan(&survey(key, admin, &mut side, &[])?, circumstances),
            )
        };
        assert_eq!(cause(planned(&world).unwrap_err()), error);
        world.overrides = without_fido2("no udev rule on this machine");
        let plan = planned(&world).unwrap();
        assert_eq!((plan.touches(), &plan.overrides), (2, &world.overrides));
    }
}

#[test]
fn a_key_of_no_use_is_refused_before_anything_is_asked_or_changed() {
    let seen = {
        let world = World::new(Profile::Firmware574);
        let faults = FaultPlan::new();
        world.key.set_faults(faults.clone());
        world.plan().unwrap();
        faults.commands_seen()
    };
    for (deceit, text) in [
        (Deceit::WithoutHmacSecret, "the FIDO2 side of key 30877: the key cannot do hmac-secret"),
        (Deceit::WithoutCredProtect, "the FIDO2 side of key 30877: the key cannot do credProtect"),
        (
            Deceit::LongPinsOnly,
            "the FIDO2 side of key 30877 wants a PIN of at least 12 characters, and none is set",
        ),
        (Deceit::Refuse(0x7F), "the FIDO2 side of key 30877: the key refused GET INFO with CTAP status 0x7F"),
    ] {
        let world = World::new(Profile::Firmware574);
        // What is looked at first is asked last.
        world.key.set_faults(FaultPlan::new().from(seen, Fault::Deceive(deceit)));
        let mut person = Person::new();
        let error = world.provision(&mut person).unwrap_err();
        assert_eq!(error.to_string(), text);
        assert_eq!((person.asked.len(), world.slots().len()), (0, 0), "{text}");
        world.key.set_faults(FaultPlan::new());
        assert_eq!(world.plan().unwrap().verdict, Verdict::Blank, "{text}");
    }
}

#[test]
fn a_pin_shorter_than_the_fido2_side_takes_is_refused_before_anything_changes() {
    let facts = World::new(Profile::Firmware574).side().unwrap().facts().unwrap();
    let typed = Pin::parse(PIN.as_bytes()).unwrap();
    for (pin_length, pin_set, fits) in [(6, false, true), (7, false, false), (8, true, true)] {
        let facts = crate::device::fido2::AuthenticatorFacts { pin_length, pin_set, ..facts.clone() };
        let judged = super::super::fido2::fits(SERIAL, &facts, &typed);
        assert_eq!(judged.is_ok(), fits, "{judged:?}");
    }
}

#[test]
fn a_key_that_counts_nothing_is_refused_and_resumed_with_piv_alone() {
    let mut world = world(Counting::Never);
    let refused = cause(world.provision(&mut Person::new()).unwrap_err());
    assert_eq!(refused, Fido2Error::Assertion(assertion::AssertionError::NoCounter));
    assert_eq!(world.journal.borrow().len(), 0);
    world.overrides = without_fido2("it counts nothing");
    let mut person = Person::new();
    let record = world.provision(&mut person).unwrap().record;
    assert_eq!((&facts(&record).fido2, &facts(&record).overrides), (&None, &world.overrides));
    assert_eq!((person.fido2_asked.len(), person.asks()), (0, vec![Ask::Pin]));
}

/// The last request that heeds it answers like this; what comes of it.
fn deceived(deceit: Deceit) -> ProvisionError {
    let world = World::new(Profile::Firmware574);
    let faults = FaultPlan::new();
    world.key.set_faults(faults.clone());
    let counted = world.provision(&mut Person::new()).map(|_| faults.commands_seen()).unwrap();
    for n in (1..counted).rev() {
        let world = World::new(Profile::Firmware574);
        world.key.set_faults(FaultPlan::new().at(n, Fault::Deceive(deceit)));
        if let Err(error) = world.provision(&mut Person::new()) {
            assert_eq!(world.journal.borrow().len(), 0);
            return error;
        }
    }
    panic!("{deceit:?} went unnoticed")
}

#[test]
fn a_counter_that_does_not_rise_is_refused() {
    for (deceit, to) in [(Deceit::CounterStandsStill, 6), (Deceit::CounterGoesBack, 5)] {
        match deceived(deceit) {
            ProvisionError::Counter { serial: SERIAL, from: 6, to: found } => assert_eq!(found, to),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_secret_that_is_another_the_next_time_is_refused() {
    let error = deceived(Deceit::OtherSecret);
    assert!(
        matches!(error, ProvisionError::ReadsBackOtherwise { what: "the secret that opens an envelope", .. }),
        "{error:?}"
    );
}

#[test]
fn a_pin_of_its_own_is_asked_for_with_its_tries_and_named() {
    for (set, kind) in [("longer than eight", Fido2PinKind::Own), (PIN, Fido2PinKind::Shared)] {
        let world = with_own_pin(&set.replace(' ', "-"));
        let planned = world.plan().unwrap();
        assert!(planned.steps.contains(&Step::OwnFido2Pin) && !planned.steps.contains(&Step::Fido2Pin));
        let mut person = Person::new();
        person.fido2_pins = vec![if set == PIN { PIN } else { "longer-than-eight" }];
        let record = world.provision(&mut person).unwrap().record;
        assert_eq!((enrolled(&record).1.pin, person.fido2_asked), (kind, vec![8]));
        let sentences: Vec<String> = planned.steps.iter().map(ToString::to_string).collect();
        assert_eq!(person.told, sentences);
    }
}

#[test]
fn a_wrong_fido2_pin_is_asked_for_again_and_never_sent_again() {
    let world = with_own_pin("4815-1623");
    let mut person = Person::new();
    person.fido2_pins = vec!["mistaken", "mistyped", "4815-1623"];
    world.provision(&mut person).unwrap();
    assert_eq!(person.fido2_asked, [8, 7, 6]);
    assert_eq!(world.model(|model| model.fido2().unwrap().pin_tries()), 8);
    assert!(person.told.iter().any(|line| line == "that FIDO2 PIN is wrong; 6 tries left"));
}

#[test]
fn three_wrong_fido2_pins_in_a_row_stop_and_the_run_is_resumed_when_it_was_taken_out() {
    let world = with_own_pin("4815-1623");
    let mut person = Person::new();
    person.fido2_pins = vec!["mistaken"; 3];
    let stopped = cause(world.provision(&mut person).unwrap_err());
    assert_eq!((stopped, person.fido2_asked), (Fido2Error::PinAuthBlocked, vec![8, 7, 6]));
    world.key.remove().unwrap();
    world.key.insert().unwrap();
    let mut person = Person::new();
    person.fido2_pins = vec!["4815-1623"];
    world.provision(&mut person).unwrap();
    assert_eq!(person.fido2_asked, [5]);
}

#[test]
fn the_last_try_of_the_fido2_pin_is_not_spent() {
    let world = with_own_pin("4815-1623");
    let (mut left, mut asked) = (8, 0);
    while left > 1 {
        let mut person = Person::new();
        person.fido2_pins = vec!["mistaken"; 3];
        let _ = world.provision(&mut person).unwrap_err();
        asked += person.fido2_asked.len();
        left = world.model(|model| model.fido2().unwrap().pin_tries());
        world.key.remove().unwrap();
        world.key.insert().unwrap();
    }
    assert_eq!(asked, 7);
    let mut person = Person::new();
    let refused = world.provision(&mut person).unwrap_err();
    assert!(matches!(refused, ProvisionError::LastFido2Try(SERIAL)), "{refused:?}");
    assert_eq!((person.asked.len(), person.fido2_asked.len()), (0, 0));
}

#[test]
fn a_missed_touch_is_asked_for_again() {
    let world = World::new(Profile::Firmware574);
    let faults = FaultPlan::new();
    world.key.set_faults(faults.clone());
    world.provision(&mut Person::new()).unwrap();
    let commands = faults.commands_seen();
    let mut asked_again = 0;
    for n in 1..=commands {
        let world = World::new(Profile::Firmware574);
        world.key.set_faults(FaultPlan::new().at(n, Fault::WithholdTouch));
        let mut person = Person::new();
        if world.provision(&mut person).is_ok() && person.touches == 9 {
            assert!(person.told.contains(&"30877 was not touched in time; once more".to_owned()));
            asked_again += 1;
        }
    }
    assert_eq!(asked_again, 6, "the credential and five assertions");

    let world = half_touched();
    world.key.set_touch(Touch::AT_ONCE).unwrap();
    let mut person = Person::new();
    world.provision(&mut person).unwrap();
    assert_eq!((person.asks(), person.fido2_asked), (vec![Ask::Pin], vec![8]), "the PIN of the first run");
}

/// A key that nobody touches from its first FIDO2 request on, three times asked for.
fn half_touched() -> World {
    for n in 1.. {
        let world = World::new(Profile::Firmware574);
        world.key.set_faults(FaultPlan::new().from(n, Fault::WithholdTouch));
        let mut person = Person::new();
        let stopped = world.provision(&mut person).unwrap_err();
        if matches!(stopped, ProvisionError::Fido2 { cause: Fido2Error::NotTouched, .. }) {
            assert_eq!(person.touches, 4, "one of PIV, three of FIDO2");
            world.key.set_faults(FaultPlan::new());
            return world;
        }
    }
    unreachable!("a run without any touch ends")
}

#[test]
fn what_is_on_record_is_not_done_again() {
    let world = World::new(Profile::Firmware574);
    let faults = FaultPlan::new();
    world.key.set_faults(faults.clone());
    world.provision(&mut Person::new()).unwrap();
    for n in (1..=faults.commands_seen()).rev() {
        let world = World::new(Profile::Firmware574);
        world.key.set_faults(FaultPlan::new().at(n, Fault::Remove));
        world.provision(&mut Person::new()).unwrap_err();
        world.key.insert().unwrap();
        if world.journal.borrow().is_empty() {
            return;
        }
        let used =
            world.model(|model| (model.fido2().unwrap().counter(), model.fido2().unwrap().credentials()));
        let mut person = Person::new();
        match world.provision(&mut person) {
            Ok(_) => assert!(!person.told.iter().any(|line| line.contains("FIDO2"))),
            Err(error) => assert!(matches!(error, ProvisionError::AlreadyEnrolled(_)), "{error:?}"),
        }
        assert_eq!(person.fido2_asked.len(), 0);
        let after =
            world.model(|model| (model.fido2().unwrap().counter(), model.fido2().unwrap().credentials()));
        assert_eq!(after, used);
    }
    unreachable!("the first commands store nothing")
}
