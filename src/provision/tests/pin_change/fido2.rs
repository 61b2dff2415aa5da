//! The FIDO2 PIN: after the PIV PIN where both are the same, and by itself.

use super::*;
use crate::device::fido2::{Authenticator, Fido2Error};
use crate::device::practice::{Counting, Fault, FaultPlan, PracticeAuthenticator};
use crate::provision::pin::fido2::{self, Ready};

const NEW: &str = "600613";
const OTHER: &str = "nineteen";

fn own(typed: &str) -> Fido2Pin {
    Fido2Pin::parse(typed.as_bytes()).unwrap()
}

impl Desk {
    /// A key whose FIDO2 PIN is its PIV PIN.
    fn with_one_pin() -> Self {
        let (around, _) = Surroundings::seeded(12);
        let authority = Authority::practice().unwrap();
        let key = SimulatedKey::new(SERIAL, Profile::Firmware574, authority, &around).unwrap();
        let desk = Desk::of(World::of(key.with_fido2(Some(Counting::Exact)), around));
        let mut side = desk.side();
        if !side.facts().unwrap().pin_set {
            side.set_pin(&own(PIN)).unwrap();
        }
        assert!(desk.fido2_takes(PIN));
        desk
    }

    fn side(&self) -> PracticeAuthenticator {
        self.world.key.authenticator()
    }

    /// A right PIN gives all tries back.
    fn fido2_takes(&self, pin: &str) -> bool {
        self.side().change_pin(&own(pin), &own(pin)).is_ok()
    }

    fn fido2_sent(&self) -> u64 {
        self.world.key.counters().fido2_pins_sent
    }

    /// As `key pin` on a key with one PIN.
    fn both(&self, least: u8) -> Result<Record, PinError> {
        let typist = &mut Typist::of(&[(Ask::Pin, PIN), (Ask::NewPin, NEW)]);
        let changed = self.with_ledger(|ledger| {
            change(Change::Pin, &mut self.session(), typist, false, Some(least), ledger)
        })?;
        let before = changed.before.expect("the present PIN was typed");
        self.with_ledger(|ledger| {
            let (mut key, mut side) = (self.session(), self.side());
            fido2::follow(&mut key, &mut side, typist, &before, &changed.now, ledger)
        })
    }

    /// As `key pin --what fido2`.
    fn alone(&self, present: &'static str, new: &'static str, shared_now: bool) -> Result<Record, PinError> {
        let typist = &mut Typist { typed: vec![(Ask::Pin, PIN)], fido2: Some((present, new)) };
        self.with_ledger(|ledger| {
            let (mut key, mut side) = (self.session(), self.side());
            fido2::change(&mut key, &mut side, typist, self.spend_last_try, shared_now, ledger)
        })
    }

    /// What the records after the enrolment say, each of which verifies.
    fn words(&self) -> Vec<String> {
        let journal = self.world.journal.borrow();
        let words = journal[1..].iter().map(|record| {
            record.verify(&VerifyingKey::from(self.enrolled.signing)).unwrap();
            match &record.event {
                Event::KeyPinChanged(facts) => facts.what.clone(),
                other => panic!("{} is no change of a PIN", other.name()),
            }
        });
        words.collect()
    }

    fn waste(&self, tries: u8) {
        for _ in 0..tries {
            self.side().change_pin(&own(OTHER), &own(NEW)).unwrap_err();
        }
    }
}

#[test]
fn one_pin_is_changed_on_both_sides_and_sent_to_each_once() {
    let desk = Desk::with_one_pin();
    let sent = desk.fido2_sent();
    let record = desk.both(4).unwrap();
    assert_eq!(desk.fido2_sent(), sent + 1);
    assert_eq!(desk.words(), ["pin", "fido2"]);
    let journal = desk.world.journal.borrow().clone();
    assert_eq!((journal.last(), record.link.prev), (Some(&record), Some(journal[1].hash())));
    assert!(desk.verifies(NEW) && desk.fido2_takes(NEW));
    assert_eq!(desk.world.tries(), (3, 3));
}

#[test]
fn a_pin_too_short_for_fido2_changes_neither() {
    let desk = Desk::with_one_pin();
    let refused = desk.both(7).unwrap_err();
    assert_eq!(refused.to_string(), "the FIDO2 side of key 30877 takes no PIN of fewer than 7 characters");
    assert!(desk.words().is_empty());
    assert!(desk.verifies(PIN) && desk.fido2_takes(PIN));
}

#[test]
fn a_fido2_pin_that_was_changed_elsewhere_stays_and_costs_one_try() {
    let desk = Desk::with_one_pin();
    desk.side().change_pin(&own(PIN), &own(OTHER)).unwrap();
    let behind = desk.both(4).unwrap_err();
    assert!(
        matches!(behind, PinError::Fido2Behind { cause: Fido2Error::WrongPin { left: 7 }, .. }),
        "{behind:?}"
    );
    assert_eq!(desk.words(), ["pin"]);
    assert!(desk.verifies(NEW));
    assert_eq!(desk.side().pin_tries().unwrap(), 7);
    assert!(desk.fido2_takes(OTHER));
}

#[test]
fn the_record_says_whether_the_new_fido2_pin_is_the_piv_pin() {
    let desk = Desk::with_one_pin();
    desk.alone(PIN, OTHER, true).unwrap();
    assert!(desk.fido2_takes(OTHER));
    desk.alone(OTHER, PIN, false).unwrap();
    assert!(desk.fido2_takes(PIN));
    assert_eq!(desk.words(), ["fido2-own", "fido2"]);
}

#[test]
fn the_same_fido2_pin_is_no_change_unless_its_record_was_lost() {
    let desk = Desk::with_one_pin();
    let sent = desk.fido2_sent();
    for (present, shared_now) in [(PIN, true), (OTHER, false)] {
        let refused = desk.alone(present, present, shared_now);
        assert!(matches!(refused, Err(PinError::Fido2Unchanged)), "{refused:?}");
    }
    assert_eq!(desk.fido2_sent(), sent);
    desk.alone(PIN, PIN, false).unwrap();
    assert_eq!(desk.words(), ["fido2"]);
}

#[test]
fn tries_of_the_fido2_pin_are_looked_at_before_anything_is_typed() {
    let mut desk = Desk::with_one_pin();
    assert_eq!(fido2::ready(&mut desk.side(), false).unwrap(), Ready { least: 4, left: 8 });
    desk.waste(2);
    let wrong = desk.alone(OTHER, NEW, true).unwrap_err();
    assert!(matches!(wrong, PinError::Fido2 { cause: Fido2Error::PinAuthBlocked, .. }), "{wrong:?}");
    let still = desk.alone(PIN, NEW, true).unwrap_err();
    assert!(matches!(still, PinError::Fido2 { cause: Fido2Error::PinAuthBlocked, .. }), "{still:?}");
    let unplugged = || {
        desk.world.key.remove().unwrap();
        desk.world.key.insert().unwrap();
    };
    unplugged();
    desk.waste(2);
    unplugged();
    desk.waste(2);
    assert_eq!(desk.side().pin_tries().unwrap(), 1);
    unplugged();
    let sent = desk.fido2_sent();
    let last = desk.alone(PIN, NEW, true).unwrap_err();
    assert!(matches!(last, PinError::LastFido2Try(SERIAL)), "{last:?}");
    assert_eq!(desk.fido2_sent(), sent);
    desk.spend_last_try = true;
    let blocked = desk.alone(OTHER, NEW, true).unwrap_err();
    assert!(
        matches!(
            blocked,
            PinError::Fido2 { cause: Fido2Error::WrongPin { left: 0 } | Fido2Error::PinBlocked, .. }
        ),
        "{blocked:?}"
    );
    let refused = fido2::ready(&mut desk.side(), true).unwrap_err();
    assert!(matches!(refused, PinError::Fido2 { cause: Fido2Error::PinBlocked, .. }), "{refused:?}");
    assert!(desk.words().is_empty());
}

#[test]
fn a_wrong_piv_pin_changes_nothing() {
    let desk = Desk::with_one_pin();
    let typist = &mut Typist { typed: vec![(Ask::Pin, OTHER)], fido2: Some((PIN, NEW)) };
    let wrong = desk.with_ledger(|ledger| {
        fido2::change(&mut desk.session(), &mut desk.side(), typist, false, true, ledger)
    });
    assert!(matches!(wrong, Err(PinError::Device(DeviceError::WrongPin { left: 2 }))), "{wrong:?}");
    assert!(desk.fido2_takes(PIN));
}

#[test]
fn a_change_of_the_fido2_pin_without_its_record_is_said() {
    let mut desk = Desk::with_one_pin();
    desk.store_fails = true;
    let unrecorded = desk.alone(PIN, NEW, true).unwrap_err();
    assert_eq!(
        unrecorded.to_string(),
        "the FIDO2 PIN of key 30877 is changed, but the change is not on record"
    );
    assert!(desk.fido2_takes(NEW));
}

#[test]
fn a_counterfeit_is_asked_for_nothing() {
    let desk = Desk::with_one_pin();
    let (around, _) = Surroundings::seeded(1);
    desk.world.model(|model| model.counterfeit(KeyReference::new(0x9E).unwrap(), &around)).unwrap();
    let sent = desk.fido2_sent();
    let refused = desk.alone(PIN, NEW, true);
    assert!(matches!(refused, Err(PinError::Device(DeviceError::NotGenuine(SERIAL)))), "{refused:?}");
    assert_eq!(desk.fido2_sent(), sent);
}

#[test]
fn a_key_taken_out_while_fido2_follows_has_one_of_the_two_pins_and_the_journal_claims_no_more() {
    let mut ends = [0; 3];
    for n in 1.. {
        for fault in [Fault::Remove, Fault::RemoveAfter] {
            let desk = Desk::with_one_pin();
            let typist = &mut Typist::of(&[(Ask::Pin, PIN), (Ask::NewPin, NEW)]);
            desk.with_ledger(|ledger| {
                change(Change::Pin, &mut desk.session(), typist, false, Some(4), ledger)
            })
            .unwrap();
            let (mut key, sent) = (desk.session(), desk.fido2_sent());
            let faults = FaultPlan::new().at(n, fault.clone());
            desk.world.key.set_faults(faults.clone());
            let (before, now) = (Pin::parse(PIN.as_bytes()).unwrap(), Pin::parse(NEW.as_bytes()).unwrap());
            let followed = desk.with_ledger(|ledger| {
                fido2::follow(&mut key, &mut desk.side(), typist, &before, &now, ledger)
            });
            let seen = faults.commands_seen();
            desk.world.key.set_faults(FaultPlan::new());
            desk.world.key.insert().unwrap();
            assert!(desk.fido2_sent() <= sent + 1, "{n} {fault:?}");
            let (end, words, pins) = match followed {
                Err(PinError::Fido2Behind { cause: Fido2Error::Removed { .. }, .. }) => {
                    (0, &["pin"][..], &[PIN, NEW][..])
                }
                Err(PinError::Fido2Unrecorded { cause: Unrecorded::Signature(_), .. }) => {
                    (1, &["pin"][..], &[NEW][..])
                }
                Ok(_) => (2, &["pin", "fido2"][..], &[NEW][..]),
                Err(other) => panic!("{n} {fault:?}: {other:?}"),
            };
            ends[end] += 1;
            assert_eq!(desk.words(), words, "{n} {fault:?}");
            assert!(pins.iter().any(|pin| desk.fido2_takes(pin)), "{n} {fault:?}");
            if seen < n {
                assert!(ends[0] >= 4 && ends[1] >= 4, "each end was met: {ends:?}");
                return;
            }
        }
    }
}
