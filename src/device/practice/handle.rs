//! A practice key in somebody's hand: plugged in or not, in memory or in a file, with faults on demand.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::faults::{Fault, FaultPlan};
use super::file::{Handling, KeyFile, State};
use super::{Counters, Front, PracticeAuthenticator, PracticeCard, SimulatedKey, Surroundings, Touch};
use crate::attestation::Serial;
use crate::device::piv::CardError;

/// Why a command did not reach the simulated key, or its effect could not be kept.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreached {
    /// As a reader would say it.
    #[error("{0:?}")]
    Card(CardError),
    /// The file of the key.
    #[error("practice key file {path}")]
    File {
        path: PathBuf,
        #[source]
        cause: io::Error,
    },
}

impl Unreached {
    /// As the way to a card says it.
    pub(super) fn into_card_error(self) -> CardError {
        match self {
            Unreached::Card(error) => error,
            Unreached::File { path, cause } => {
                CardError::Service(format!("practice key file {}: {cause}", path.display()))
            }
        }
    }
}

/// A practice key. Clones are the same key.
#[derive(Clone)]
pub struct PracticeKey {
    place: Arc<Mutex<Place>>,
    serial: Serial,
    name: Arc<str>,
}

struct Place {
    front: Front,
    around: Surroundings,
    plan: FaultPlan,
    handling: Handling,
    /// Open connections to the card; the reader takes the power away when the last one closes.
    connections: usize,
    file: Option<KeyFile>,
}

impl PracticeKey {
    /// A key that lives in memory, plugged in.
    pub fn in_memory(key: SimulatedKey, around: Surroundings) -> Self {
        PracticeKey::place(State::new(Handling::READY, key), around, None, "practice key in memory")
    }

    pub(super) fn in_file(file: KeyFile, around: Surroundings) -> io::Result<Self> {
        let (state, _) = file.load()?;
        let name = format!("practice key {}", file.path().display());
        Ok(PracticeKey::place(state, around, Some(file), &name))
    }

    fn place(state: State, around: Surroundings, file: Option<KeyFile>, name: &str) -> Self {
        let serial = state.key.serial;
        let place = Place {
            front: Front::new(state.key),
            around,
            plan: FaultPlan::new(),
            handling: state.handling,
            connections: 0,
            file,
        };
        PracticeKey { place: Arc::new(Mutex::new(place)), serial, name: name.into() }
    }

    /// Its serial number.
    pub fn serial(&self) -> Serial {
        self.serial
    }

    /// Its file; empty for a key in memory.
    pub fn path(&self) -> PathBuf {
        self.lock().file.as_ref().map(KeyFile::path).unwrap_or_default()
    }

    /// What stands for the reader's name in messages.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A connection to it as a card. Ends when the key is taken out.
    pub fn card(&self) -> PracticeCard {
        PracticeCard::new(self.connect(true))
    }

    /// A connection to its FIDO2 side, which has its own way to the computer: it neither gives power to the card nor
    /// takes it away. Ends when the key is taken out.
    pub fn authenticator(&self) -> PracticeAuthenticator {
        PracticeAuthenticator::new(self.connect(false))
    }

    /// Uses this plan of faults from now on.
    pub fn set_faults(&self, plan: FaultPlan) {
        self.lock().plan = plan;
    }

    /// What it has heard over all connections since it was opened or since [`PracticeKey::reset_counters`].
    pub fn counters(&self) -> Counters {
        self.lock().front.counters
    }

    /// Counts from nothing again.
    pub fn reset_counters(&self) {
        self.lock().front.counters = Counters::default();
    }

    /// Takes the key out: connections to it are at an end.
    pub fn remove(&self) -> io::Result<()> {
        self.change(Place::pull_out)
    }

    /// Plugs it in again, without any memory of PIN or touch.
    pub fn insert(&self) -> io::Result<()> {
        self.change(|place| {
            place.plan.insert();
            let handling = &mut place.handling;
            if !handling.plugged_in {
                handling.plugged_in = true;
                handling.insertions += 1;
                handling.pulled_out_after = None;
                place.front.power_cycle();
            }
        })
    }

    /// Whether it is plugged in.
    pub fn plugged_in(&self) -> io::Result<bool> {
        self.change(|place| place.handling.plugged_in)
    }

    /// What the person does when it blinks, from now on.
    pub fn set_touch(&self, touch: Touch) -> io::Result<()> {
        self.change(|place| place.handling.touch = touch)
    }

    /// It is pulled out before the n-th command from now (from 1), whichever process sends that.
    pub fn pull_out_at(&self, command: u64) -> io::Result<()> {
        self.change(|place| place.handling.pulled_out_after = Some(command.saturating_sub(1)))
    }

    /// Looks at the key, or does to it what no command can; the change is kept.
    pub fn with_model<T>(&self, act: impl FnOnce(&mut SimulatedKey, &Surroundings) -> T) -> io::Result<T> {
        self.change(|place| {
            let Place { front, around, handling, .. } = place;
            around.touch = handling.touch;
            act(&mut front.key, around)
        })
    }

    fn connect(&self, powers_card: bool) -> Connection {
        let mut place = self.lock();
        place.connections += usize::from(powers_card);
        Connection { key: self.clone(), insertion: place.handling.insertions, powers_card }
    }

    /// Acts on the newest state and keeps what becomes of it.
    fn change<T>(&self, act: impl FnOnce(&mut Place) -> T) -> io::Result<T> {
        let mut place = self.lock();
        let Some(file) = place.file.clone() else {
            return Ok(act(&mut place));
        };
        let _lock = file.lock()?;
        let (state, before) = file.load()?;
        place.take(state);
        let result = act(&mut place);
        file.save(&State::new(place.handling, &place.front.key), &before)?;
        Ok(result)
    }

    fn lock(&self) -> MutexGuard<'_, Place> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Takes over what another process may have written; what only lives with power stays ours.
    fn take(&mut self, state: State) {
        let mut key = state.key;
        key.session = std::mem::take(&mut self.front.key.session);
        self.front.key = key;
        if !state.handling.plugged_in || state.handling.insertions != self.handling.insertions {
            self.front.power_cycle();
        }
        self.handling = state.handling;
    }

    fn pull_out(&mut self) {
        self.handling.plugged_in = false;
        self.handling.pulled_out_after = None;
        self.front.unplugged();
    }

    /// One command, of PIV or FIDO2: is the key there, does it hear the command, what becomes of the answer.
    fn command<T>(
        &mut self,
        insertion: u64,
        act: impl FnOnce(&mut Front, &Surroundings, Option<&Fault>) -> T,
    ) -> Result<(T, Option<Fault>), CardError> {
        if !self.handling.plugged_in || self.handling.insertions != insertion {
            return Err(CardError::Removed);
        }
        match &mut self.handling.pulled_out_after {
            Some(0) => {
                self.pull_out();
                return Err(CardError::Removed);
            }
            Some(left) => *left -= 1,
            None => {}
        }
        let fault = self.plan.next();
        match fault.as_ref().and_then(Fault::before) {
            Some(CardError::Removed) => {
                self.pull_out();
                return Err(CardError::Removed);
            }
            Some(error) => {
                self.front.power_cycle();
                return Err(error);
            }
            None => {}
        }
        let mut around = self.around.clone();
        around.touch = if fault == Some(Fault::WithholdTouch) { Touch::NEVER } else { self.handling.touch };
        let result = act(&mut self.front, &around, fault.as_ref());
        if fault == Some(Fault::RemoveAfter) {
            self.pull_out();
        }
        Ok((result, fault))
    }
}

/// An open connection to a key, good for the insertion in which it was made.
pub(super) struct Connection {
    key: PracticeKey,
    insertion: u64,
    powers_card: bool,
}

impl Connection {
    pub(super) fn key(&self) -> &PracticeKey {
        &self.key
    }

    /// Sends one command; `act` is what the key does with it, and knows the fault that the command meets.
    pub(super) fn command<T>(
        &self,
        act: impl FnOnce(&mut Front, &Surroundings, Option<&Fault>) -> T,
    ) -> Result<(T, Option<Fault>), Unreached> {
        match self.key.change(|place| place.command(self.insertion, act)) {
            Ok(result) => result.map_err(Unreached::Card),
            Err(cause) => Err(Unreached::File { path: self.key.path(), cause }),
        }
    }
}

impl Connection {
    /// Power off and on. It is no command: no fault meets it.
    pub(super) fn power_cycle(&self) -> Result<(), Unreached> {
        let cycle = |place: &mut Place| {
            let present = place.handling.plugged_in && place.handling.insertions == self.insertion;
            place.front.power_cycle();
            if present { Ok(()) } else { Err(CardError::Removed) }
        };
        match self.key.change(cycle) {
            Ok(result) => result.map_err(Unreached::Card),
            Err(cause) => Err(Unreached::File { path: self.key.path(), cause }),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.powers_card {
            return;
        }
        let mut place = self.key.lock();
        place.connections -= 1;
        if place.connections == 0 {
            place.front.power_cycle();
        }
    }
}
