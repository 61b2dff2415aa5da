//! `key pin` on an enrolled key.

use p256::ecdsa::VerifyingKey;

use super::*;
use crate::device::ChangePin;
use crate::device::practice::PracticeCard;
use crate::provision::pin::{Change, Ledger, PinError, Unrecorded, change};
use crate::record::token::{Draft, Link};

mod fido2;

/// Answers each question from a list.
struct Typist {
    typed: Vec<(Ask, &'static str)>,
    /// The present FIDO2 PIN and the new one.
    fido2: Option<(&'static str, &'static str)>,
}

impl Typist {
    fn of(typed: &[(Ask, &'static str)]) -> Self {
        Typist { typed: typed.to_vec(), fido2: None }
    }
}

impl Operator for Typist {
    fn pin(&mut self, ask: Ask, _serial: Serial, tries: Option<Tries>) -> Result<Pin, Unanswered> {
        let shown = matches!(ask, Ask::Pin | Ask::Puk);
        assert_eq!(tries.is_some(), shown, "tries are shown with {ask:?} and only there");
        let at = self.typed.iter().position(|(asked, _)| *asked == ask).ok_or(Unanswered::NobodyToAsk)?;
        Ok(Pin::parse(self.typed.remove(at).1.as_bytes()).unwrap())
    }
    fn fido2_pin(&mut self, _serial: Serial, _left: u8) -> Result<Fido2Pin, Unanswered> {
        let (present, _) = self.fido2.ok_or(Unanswered::NobodyToAsk)?;
        Ok(Fido2Pin::parse(present.as_bytes()).unwrap())
    }
    fn new_fido2_pin(&mut self, _serial: Serial, _least: u8) -> Result<Fido2Pin, Unanswered> {
        let (_, new) = self.fido2.take().ok_or(Unanswered::NobodyToAsk)?;
        Ok(Fido2Pin::parse(new.as_bytes()).unwrap())
    }
    fn touch(&mut self, _serial: Serial, _purpose: &str) {}
    fn confirm(&mut self, _text: &str, _word: &str) -> Result<bool, Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn swap(&mut self, _text: &str) -> Result<(), Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn progress(&mut self, _text: &str) {}
}

struct Desk {
    world: World,
    enrolled: Enrolled,
    spend_last_try: bool,
    store_fails: bool,
}

impl Desk {
    fn new() -> Self {
        Desk::of(World::new(Profile::Firmware574))
    }

    fn of(world: World) -> Self {
        let enrolled = world.provision(&mut Person::new()).unwrap();
        Desk { world, enrolled, spend_last_try: false, store_fails: false }
    }

    fn session(&self) -> Session<PracticeCard> {
        self.world.session(self.world.key.card()).unwrap()
    }

    fn change(&self, what: Change, typed: &[(Ask, &'static str)]) -> Result<Record, PinError> {
        let typist = &mut Typist::of(typed);
        self.with_ledger(|ledger| {
            let changed = change(what, &mut self.session(), typist, self.spend_last_try, None, ledger)?;
            Ok(changed.record)
        })
    }

    /// Runs a change whose record follows the last one of the journal.
    fn with_ledger<T>(&self, change: impl FnOnce(Ledger<'_>) -> Result<T, PinError>) -> Result<T, PinError> {
        let enrolment = &self.enrolled.record;
        let link = &mut |event| {
            let journal = self.world.journal.borrow();
            let prev = journal.last().map(Record::hash);
            let link = Link { seq: journal.len() as u64, prev, ..enrolment.link.clone() };
            Ok(Draft { x5c: vec![], link, event, ..Draft::clone(enrolment) })
        };
        let store = &mut |record: &Record| {
            if self.store_fails {
                return Err("the stick is full".into());
            }
            self.world.journal.borrow_mut().push(record.clone());
            Ok(())
        };
        let ledger = Ledger {
            signing: VerifyingKey::from(self.enrolled.signing),
            presence: self.enrolled.presence.map(VerifyingKey::from),
            nonce: &mut || [4; 32],
            link,
            store,
        };
        change(ledger)
    }

    fn verifies(&self, pin: &str) -> bool {
        self.session().verify_pin(&Pin::parse(pin.as_bytes()).unwrap()).is_ok()
    }

    fn spend(&self, tries: u8) {
        let mut session = self.session();
        for _ in 0..tries {
            session.verify_pin(&Pin::parse(b"000000").unwrap()).unwrap_err();
        }
    }
}

#[test]
fn each_change_is_made_and_recorded() {
    for (what, typed, pin, word) in [
        (Change::Pin, &[(Ask::Pin, PIN), (Ask::NewPin, "600613")][..], "600613", "pin"),
        (Change::Unblock, &[(Ask::Puk, PUK), (Ask::NewPin, "600613")], "600613", "unblock"),
        (Change::Puk, &[(Ask::Pin, PIN), (Ask::Puk, PUK), (Ask::NewPuk, "90909090")], PIN, "puk"),
    ] {
        let desk = Desk::new();
        if what == Change::Unblock {
            desk.spend(3);
        }
        let record = desk.change(what, typed).unwrap();
        record.verify(&VerifyingKey::from(desk.enrolled.signing)).unwrap();
        assert!(matches!(&record.event, Event::KeyPinChanged(facts) if facts.what == word));
        assert_eq!(desk.world.journal.borrow().last(), Some(&record));
        assert_eq!(desk.world.tries(), (3, 3));
        assert!(desk.verifies(pin));
    }
}

#[test]
fn the_last_try_needs_to_be_told() {
    let mut desk = Desk::new();
    desk.spend(2);
    let typed = [(Ask::Pin, PIN), (Ask::NewPin, "600613")];
    let refused = desk.change(Change::Pin, &typed);
    assert!(matches!(refused, Err(PinError::LastTry { ask: Ask::Pin, .. })), "{refused:?}");
    assert_eq!(desk.world.tries(), (1, 3));
    desk.spend_last_try = true;
    desk.change(Change::Pin, &typed).unwrap();
}

#[test]
fn a_blocked_pin_is_said_before_anything_is_typed() {
    let desk = Desk::new();
    desk.spend(3);
    let blocked = desk.change(Change::Pin, &[]);
    assert!(matches!(blocked, Err(PinError::Device(DeviceError::PinBlocked))), "{blocked:?}");
}

#[test]
fn values_that_must_differ_do() {
    let desk = Desk::new();
    for (what, typed, expected) in [
        (Change::Pin, &[(Ask::Pin, PIN), (Ask::NewPin, PIN)][..], "the new PIN is the present one"),
        (Change::Pin, &[(Ask::Pin, PIN), (Ask::NewPin, "123456")], "the new PIN is the factory one"),
        (
            Change::Puk,
            &[(Ask::Pin, PIN), (Ask::Puk, PUK), (Ask::NewPuk, "12345678")],
            "the new PUK is the factory one",
        ),
    ] {
        assert_eq!(desk.change(what, typed).unwrap_err().to_string(), expected);
    }
    let same = desk.change(Change::Unblock, &[(Ask::Puk, PUK), (Ask::NewPin, PUK)]);
    assert!(matches!(same, Err(PinError::PinIsPuk)));
    let same = desk.change(Change::Puk, &[(Ask::Pin, PIN), (Ask::Puk, PUK), (Ask::NewPuk, PIN)]);
    assert!(matches!(same, Err(PinError::PinIsPuk)));
    assert_eq!(desk.world.tries(), (3, 3), "none of them was sent");
    assert!(desk.verifies(PIN));
}

#[test]
fn a_counterfeit_is_sent_nothing() {
    let desk = Desk::new();
    let (around, _) = Surroundings::seeded(1);
    desk.world.model(|model| model.counterfeit(KeyReference::new(0x9E).unwrap(), &around)).unwrap();
    let sent = desk.world.key.counters().pins_sent;
    let refused = desk.change(Change::Pin, &[(Ask::Pin, PIN), (Ask::NewPin, "600613")]);
    assert!(matches!(refused, Err(PinError::Device(DeviceError::NotGenuine(SERIAL)))), "{refused:?}");
    assert_eq!(desk.world.key.counters().pins_sent, sent);
}

#[test]
fn a_change_without_its_record_is_said() {
    let mut desk = Desk::new();
    desk.store_fails = true;
    let unrecorded = desk.change(Change::Pin, &[(Ask::Pin, PIN), (Ask::NewPin, "600613")]).unwrap_err();
    assert_eq!(unrecorded.to_string(), "the PIN of key 30877 is changed, but the change is not on record");
    assert!(matches!(unrecorded, PinError::Unrecorded { cause: Unrecorded::Store(_), .. }));
    assert!(desk.verifies("600613"));
}
