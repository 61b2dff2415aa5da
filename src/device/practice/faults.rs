//! Faults on demand: what goes wrong at the n-th command. For tests, over any [`Card`], and over the FIDO2 side of a
//! practice key: APDUs and CTAP requests are counted together, as they come.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use zeroize::Zeroizing;

use super::fido2::Deceit;
use crate::device::piv::{Card, CardError};

/// One thing that goes wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Pulled out before the card hears the command. It stays out until [`FaultPlan::insert`].
    Remove,
    /// Pulled out after the card has done the command; the answer is lost.
    RemoveAfter,
    /// Another program resets the card; the command is not heard.
    Reset,
    /// The card does the command and never answers: reported at once as no answer within so many seconds.
    NeverAnswers(u64),
    /// The answer is delayed by so many milliseconds of real time.
    Delay(u64),
    /// The card does the command; this is answered in its place, status word included.
    Replace(Vec<u8>),
    /// Only the first bytes of the answer arrive.
    Truncate(usize),
    /// These bytes follow the answer.
    Append(Vec<u8>),
    /// The bit is turned over in this byte of the answer (counted round, so that each answer has such a byte).
    Flip {
        /// Which byte.
        byte: usize,
        /// Which bit, as a mask.
        mask: u8,
    },
    /// Nobody touches the key for this command.
    WithholdTouch,
    /// The FIDO2 side answers dishonestly. PIV commands do not heed it.
    Deceive(Deceit),
}

/// Which command meets which fault. Clones share one plan and one count of commands.
#[derive(Clone, Default)]
pub struct FaultPlan(Arc<Mutex<Plan>>);

#[derive(Default)]
struct Plan {
    seen: usize,
    at: BTreeMap<usize, Fault>,
    from: Option<(usize, Fault)>,
    removed: bool,
}

impl FaultPlan {
    /// No faults; counts commands.
    pub fn new() -> Self {
        FaultPlan::default()
    }

    /// The fault at the n-th command, from 1.
    pub fn at(self, command: usize, fault: Fault) -> Self {
        self.lock().at.insert(command, fault);
        self
    }

    /// The fault at the n-th command and each one after it.
    pub fn from(self, command: usize, fault: Fault) -> Self {
        self.lock().from = Some((command, fault));
        self
    }

    /// How many commands came by, those that met a fault among them.
    pub fn commands_seen(&self) -> usize {
        self.lock().seen
    }

    /// Puts a removed card back in. Faults and count stay as they are.
    pub fn insert(&self) {
        self.lock().removed = false;
    }

    /// Forgets faults and count, and puts a removed card back in.
    pub fn clear(&self) {
        *self.lock() = Plan::default();
    }

    /// Counts one command and says what happens to it. A card that was pulled out stays out.
    pub(super) fn next(&self) -> Option<Fault> {
        let mut plan = self.lock();
        if plan.removed {
            return Some(Fault::Remove);
        }
        plan.seen += 1;
        let lasting =
            plan.from.as_ref().filter(|(first, _)| plan.seen >= *first).map(|(_, fault)| fault.clone());
        let fault = plan.at.get(&plan.seen).cloned().or(lasting);
        plan.removed = matches!(fault, Some(Fault::Remove | Fault::RemoveAfter));
        fault
    }

    fn lock(&self) -> MutexGuard<'_, Plan> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Fault {
    /// What happens instead of the command; `None` if the card hears it.
    pub(super) fn before(&self) -> Option<CardError> {
        match self {
            Fault::Remove => Some(CardError::Removed),
            Fault::Reset => Some(CardError::Reset),
            _ => None,
        }
    }

    /// What becomes of the answer.
    pub(super) fn after(&self, answer: &mut Vec<u8>) -> Result<(), CardError> {
        match self {
            Fault::RemoveAfter => return Err(CardError::Removed),
            Fault::NeverAnswers(seconds) => return Err(CardError::TimedOut(*seconds)),
            Fault::Delay(milliseconds) => std::thread::sleep(Duration::from_millis(*milliseconds)),
            Fault::Replace(bytes) => bytes.clone_into(answer),
            Fault::Truncate(length) => answer.truncate(*length),
            Fault::Append(bytes) => answer.extend(bytes),
            Fault::Flip { byte, mask } => {
                let length = answer.len().max(1);
                if let Some(byte) = answer.get_mut(byte % length) {
                    *byte ^= mask;
                }
            }
            Fault::Remove | Fault::Reset | Fault::WithholdTouch | Fault::Deceive(_) => {}
        }
        Ok(())
    }
}

/// A card between which and the program a [`FaultPlan`] sits. It cannot hold back a finger, so that a withheld touch
/// is an answer of 6982 to a command that the card does not hear.
pub struct FaultyCard<C> {
    card: C,
    plan: FaultPlan,
}

impl<C: Card> FaultyCard<C> {
    /// Puts the plan before the card.
    pub fn new(card: C, plan: FaultPlan) -> Self {
        FaultyCard { card, plan }
    }
}

impl<C: Card> Card for FaultyCard<C> {
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
        let Some(fault) = self.plan.next() else {
            return self.card.transmit(command, answer);
        };
        answer.clear();
        if let Some(error) = fault.before() {
            return Err(error);
        }
        if fault == Fault::WithholdTouch {
            answer.extend([0x69, 0x82]);
            return Ok(());
        }
        self.card.transmit(command, answer)?;
        fault.after(answer)
    }

    fn extended_length(&self) -> bool {
        self.card.extended_length()
    }

    fn reader(&self) -> &str {
        self.card.reader()
    }
}
