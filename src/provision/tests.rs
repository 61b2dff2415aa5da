//! Provisioning on the simulated key: the same session, bytes and state machine as in practice kits.

mod fido2;
mod hostile;
mod interrupted;
mod pin_change;
mod refused;
mod whole;

use std::cell::RefCell;
use std::collections::BTreeMap;

use super::*;
use crate::device::Tries;
use crate::device::piv::{Card, Session};
use crate::device::practice::{
    Authority, Counting, KeyReference, PracticeKey, Profile, SeededRandom, SimulatedKey, Surroundings,
};
use crate::operator::Operator;
use crate::record::event::Event;
use crate::secret::{Fido2Pin, Pin};

const SERIAL: Serial = Serial(30_877);
/// 2026-11-01T00:00:00Z.
const NOW: i64 = 1_793_491_200;
const PIN: &str = "280491";
const PUK: &str = "77310462";

/// A key, the kit's journal and what a person says.
struct World {
    key: PracticeKey,
    around: Surroundings,
    roots: Roots,
    journal: RefCell<Vec<Record>>,
    kit: Option<Hash>,
    overwrite: Option<Serial>,
    overrides: Vec<Override>,
    store_fails: bool,
    /// Slots that the policy wants beside those of every key.
    minting: Vec<Slot>,
}

impl World {
    /// A blank key, and a person who knows that firmware before 5.7 needs a word. That of 5.4.3 has no FIDO2.
    fn new(profile: Profile) -> Self {
        let (around, _) = Surroundings::seeded(11);
        let authority = Authority::practice().unwrap();
        let counting = (profile == Profile::Firmware574).then_some(Counting::Exact);
        let key = SimulatedKey::new(SERIAL, profile, authority, &around).unwrap().with_fido2(counting);
        World::of(key, around)
    }

    /// Its FIDO2 side, as practice readers give it.
    fn side(&self) -> Fido2Side {
        match self.model(|model| model.fido2().is_some()) {
            true => Ok(Box::new(self.key.authenticator())),
            false => Err(Fido2Error::NoDevice),
        }
    }

    fn of(model: SimulatedKey, around: Surroundings) -> Self {
        let profile = model.profile;
        let overrides = match profile {
            Profile::Firmware543 => {
                vec![Override {
                    rule: "YSA-2024-03".to_owned(),
                    why: "no other keys in the house".to_owned(),
                }]
            }
            Profile::Firmware574 => vec![],
        };
        World {
            key: PracticeKey::in_memory(model, around.clone()),
            around,
            roots: Roots::practice(&crate::device::practice::root_certificate().unwrap()).unwrap(),
            journal: RefCell::new(Vec::new()),
            kit: Some(Hash([7; 32])),
            overwrite: None,
            overrides,
            store_fails: false,
            minting: Vec::new(),
        }
    }

    fn session<C: Card>(&self, card: C) -> Result<Session<C>, ProvisionError> {
        Ok(Session::connect(card, self.around.random())?)
    }

    /// With what the kit says, over two connections to the same key.
    fn with<C: Card, T>(
        &self,
        card: impl Fn() -> C,
        act: impl FnOnce(&mut Session<C>, &mut Session<C>, &Circumstances<'_>) -> Result<T, ProvisionError>,
    ) -> Result<T, ProvisionError> {
        let enrolment = |kid| self.journal.borrow().iter().find(|record| record.kid == kid).cloned();
        let circumstances = Circumstances {
            roots: &self.roots,
            kit: self.kit,
            policy: None,
            seen: BTreeMap::new(),
            issuer: "https://dc1.example",
            tool: Hash([1; 32]),
            version: "0.1.0",
            name: "DC1 emergency kit",
            now: NOW,
            overwrite: self.overwrite,
            overrides: &self.overrides,
            enrolment: &enrolment,
        };
        let (mut key, mut admin) = (self.session(card())?, self.session(card())?);
        act(&mut key, &mut admin, &circumstances)
    }

    fn plan(&self) -> Result<Plan, ProvisionError> {
        let mut side = self.side();
        self.with(
            || self.key.card(),
            |key, admin, circumstances| plan(&survey(key, admin, &mut side, &self.minting)?, circumstances),
        )
    }

    /// Survey, plan and all steps, as one command of the CLI.
    fn provision(&self, person: &mut Person) -> Result<Enrolled, ProvisionError> {
        self.provision_over(|| self.key.card(), person)
    }

    fn provision_over<C: Card>(
        &self,
        card: impl Fn() -> C,
        person: &mut Person,
    ) -> Result<Enrolled, ProvisionError> {
        let store = &mut |record: &Record| {
            if self.store_fails {
                return Err("the stick is full".into());
            }
            self.journal.borrow_mut().push(record.clone());
            Ok(())
        };
        let mut random = SeededRandom::new(self.key.counters().commands);
        self.with(card, |key, admin, circumstances| {
            let mut side = self.side();
            let plan = plan(&survey(key, admin, &mut side, &self.minting)?, circumstances)?;
            let mut outside = Outside { random: &mut random, store, head: &head };
            carry_out(&plan, key, admin, &mut side, person, circumstances, &mut outside)
        })
    }

    fn model<T>(&self, look: impl FnOnce(&mut SimulatedKey) -> T) -> T {
        self.key.with_model(|key, _| look(key)).unwrap()
    }

    /// Public keys of our slots, straight from the model.
    fn slots(&self) -> BTreeMap<Slot, p256::PublicKey> {
        let at = |slot: Slot| KeyReference::new(slot.number()).unwrap();
        let public = |model: &SimulatedKey, slot| Some((slot, model.key(at(slot))?.public()));
        self.model(|model| Slot::EVERY.into_iter().filter_map(|slot| public(model, slot)).collect())
    }

    /// The one record of the journal.
    fn record(&self) -> Record {
        let [record] = &self.journal.borrow()[..] else { panic!("one record in the journal") };
        record.clone()
    }

    /// PIN and PUK tries left, straight from the model.
    fn tries(&self) -> (u8, u8) {
        use crate::device::practice::Which;
        self.model(|model| (model.reference(Which::Pin).left, model.reference(Which::Puk).left))
    }
}

/// Stands for the format of `kit::head`, which provisioning only carries.
fn head(record: &Record) -> Vec<u8> {
    format!("head {}", record.hash()).into_bytes()
}

/// Answers every question with the same values and notes what was asked.
struct Person {
    pin: &'static str,
    puk: &'static str,
    asked: Vec<(Ask, Option<u8>)>,
    /// FIDO2 PINs, typed one after the other, then always the PIV PIN; and how many tries were left each time.
    fido2_pins: Vec<&'static str>,
    fido2_asked: Vec<u8>,
    touches: usize,
    told: Vec<String>,
}

impl Person {
    fn new() -> Self {
        Person {
            pin: PIN,
            puk: PUK,
            asked: vec![],
            fido2_pins: vec![],
            fido2_asked: vec![],
            touches: 0,
            told: vec![],
        }
    }

    fn asks(&self) -> Vec<Ask> {
        self.asked.iter().map(|(ask, _)| *ask).collect()
    }
}

impl Operator for Person {
    fn pin(&mut self, ask: Ask, _serial: Serial, tries: Option<Tries>) -> Result<Pin, Unanswered> {
        self.asked.push((ask, tries.map(|tries| tries.left)));
        let typed = if matches!(ask, Ask::Pin | Ask::NewPin) { self.pin } else { self.puk };
        Ok(Pin::parse(typed.as_bytes()).unwrap())
    }
    fn fido2_pin(&mut self, _serial: Serial, left: u8) -> Result<Fido2Pin, Unanswered> {
        self.fido2_asked.push(left);
        let typed = self.fido2_pins.get(self.fido2_asked.len() - 1).unwrap_or(&self.pin);
        Ok(Fido2Pin::parse(typed.as_bytes()).unwrap())
    }
    fn touch(&mut self, _serial: Serial, _purpose: &str) {
        self.touches += 1;
    }
    fn confirm(&mut self, _text: &str, _word: &str) -> Result<bool, Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn swap(&mut self, _text: &str) -> Result<(), Unanswered> {
        Err(Unanswered::NobodyToAsk)
    }
    fn progress(&mut self, text: &str) {
        self.told.push(text.to_owned());
    }
}

fn facts(record: &Record) -> &crate::record::event::KeyEnrolled {
    match &record.event {
        Event::KeyEnrolled(facts) => facts,
        other => panic!("{} is no enrolment", other.name()),
    }
}
