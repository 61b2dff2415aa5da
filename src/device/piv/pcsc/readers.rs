//! Every key in every reader: listing, and connecting by serial number.

use std::ffi::{CStr, CString};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::pcsc::{Context, Error as PcscError, ReaderState, Scope, State};
use rand_core::UnwrapErr;

use super::worker::Order;
use super::{Limits, PcscCard, Way, open_error};
use crate::attestation::Serial;
use crate::device::piv::Session;
use crate::device::piv::session::identify;
use crate::device::{Administer, Attached, DeviceError, Identity, Key, Readers};

/// How long a reader is waited for at first, so that a free one behind it is not kept waiting.
const GLANCE: Duration = Duration::from_millis(500);

/// Opens the provisioning side of the key in [`Beside::reader`], with a handle of its own.
pub type OpenAdministration = fn(Beside) -> Result<Box<dyn Administer>, DeviceError>;

/// The keys that pcscd shows. Readers without a card, and cards that are no YubiKey, are passed over.
pub struct PcscReaders {
    limits: Limits,
    administration: OpenAdministration,
    /// Connections that may hold a transaction.
    alone: Vec<Held>,
    beside: Arc<AtomicUsize>,
}

/// A connection that was handed out.
struct Held {
    serial: Serial,
    reader: String,
    orders: Weak<Sender<Order>>,
}

/// Leave to work on a card with another handle: while one exists, no connection of the same [`PcscReaders`] keeps
/// others off a card, or resets one at its end. Hold it for as long as the other handle lives; let that handle end with
/// `LeaveCard` where a connection to the same key is still needed, and with a reset otherwise.
pub struct Beside {
    /// Reader name, as PC/SC lists it.
    pub reader: String,
    /// Which key it showed a moment ago.
    pub serial: Serial,
    count: Arc<AtomicUsize>,
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One reader, for a diagnosis.
#[derive(Debug)]
pub struct Surveyed {
    /// Its name.
    pub reader: String,
    /// What its card says its serial number is, or why it does not; `None` without a card.
    pub serial: Option<Result<Serial, DeviceError>>,
}

/// What one reader shows.
enum Seen<T> {
    Wanted(T),
    Other,
}

impl PcscReaders {
    /// Asks nothing yet. `administration` opens the provisioning side of a key.
    pub fn new(limits: Limits, administration: OpenAdministration) -> Self {
        PcscReaders { limits, administration, alone: Vec::new(), beside: Arc::default() }
    }

    /// Looks at every card with `look`: at each for a moment first, then, if none was wanted, longer at those that
    /// another program held. All that are wanted; else why a card could not be looked at; else none.
    fn search<T>(
        &self,
        mut look: impl FnMut(&CStr, Duration) -> Result<Seen<T>, DeviceError>,
    ) -> Result<Vec<T>, DeviceError> {
        let deadline = Instant::now() + self.limits.held;
        let (mut wanted, mut busy, mut failure) = (Vec::new(), Vec::new(), None);
        for reader in cards()? {
            match look(&reader, GLANCE.min(self.limits.held)) {
                Ok(Seen::Wanted(found)) => wanted.push(found),
                Ok(Seen::Other) | Err(DeviceError::NoPiv { .. }) => {}
                Err(DeviceError::Busy { .. }) => busy.push(reader),
                Err(error @ (DeviceError::NoService | DeviceError::AccessDenied)) => return Err(error),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if wanted.is_empty() {
            for reader in busy {
                match look(&reader, deadline.saturating_duration_since(Instant::now())) {
                    Ok(Seen::Wanted(found)) => wanted.push(found),
                    Ok(Seen::Other) | Err(DeviceError::NoPiv { .. }) => {}
                    Err(error) => failure = failure.or(Some(error)),
                }
            }
        }
        match failure {
            Some(error) if wanted.is_empty() => Err(error),
            _ => Ok(wanted),
        }
    }

    fn way(&self) -> Way {
        Way { limits: self.limits, beside: Arc::clone(&self.beside) }
    }

    fn session(&self, reader: &CStr, patience: Duration) -> Result<Session<PcscCard>, DeviceError> {
        let card = PcscCard::open(reader, self.way(), patience)?;
        let mut session = Session::connect(card, Box::new(UnwrapErr(getrandom::SysRng)))?;
        session.channel.card.known();
        Ok(session)
    }

    /// The one key with that serial number, connected.
    fn find(&mut self, serial: Serial) -> Result<Session<PcscCard>, DeviceError> {
        let mut found = self.search(|reader, patience| {
            let session = self.session(reader, patience)?;
            Ok(if session.serial() == serial { Seen::Wanted(session) } else { Seen::Other })
        })?;
        match (found.pop(), found.is_empty()) {
            (Some(session), true) => Ok(session),
            (Some(_), false) => Err(DeviceError::TwoWithSerial(serial)),
            (None, _) if cards()?.is_empty() => Err(DeviceError::NoKey),
            (None, _) => Err(DeviceError::Absent(serial)),
        }
    }

    /// Gives leave to work beside the connections of this value on the key with that serial number: the one that is
    /// connected to it, if any, ends its transaction and keeps its card's state.
    fn leave(&mut self, serial: Serial) -> Result<Beside, DeviceError> {
        self.alone.retain(|held| held.orders.strong_count() > 0);
        let mut known = None;
        for held in self.alone.iter().filter(|held| held.serial == serial) {
            let Some(orders) = held.orders.upgrade() else { continue };
            let (tell, shared) = channel();
            if orders.send(Order::Share(tell)).is_ok() && shared.recv_timeout(self.limits.plain).is_ok() {
                known = Some(held.reader.clone());
            }
        }
        self.beside.fetch_add(1, Ordering::SeqCst);
        let mut leave = Beside { reader: String::new(), serial, count: Arc::clone(&self.beside) };
        leave.reader = match known {
            Some(reader) => reader,
            None => self.find(serial)?.reader().to_owned(),
        };
        Ok(leave)
    }

    /// Every reader with what it shows, for a diagnosis.
    ///
    /// # Errors
    /// [`DeviceError::NoService`], [`DeviceError::AccessDenied`], [`DeviceError::Service`]. What is wrong with one
    /// reader's card stands beside that reader.
    pub fn survey(&self) -> Result<Vec<Surveyed>, DeviceError> {
        let surveyed = |(reader, present): (CString, bool)| Surveyed {
            serial: present.then(|| self.identify(&reader, GLANCE)),
            reader: reader.to_string_lossy().into_owned(),
        };
        Ok(readers()?.into_iter().map(surveyed).collect())
    }

    fn identify(&self, reader: &CStr, patience: Duration) -> Result<Serial, DeviceError> {
        identify(PcscCard::open(reader, self.way(), patience)?)
    }
}

impl Readers for PcscReaders {
    fn attached(&mut self) -> Result<Vec<Attached>, DeviceError> {
        self.search(|reader, patience| {
            let serial = self.identify(reader, patience)?;
            Ok(Seen::Wanted(Attached { serial, reader: reader.to_string_lossy().into_owned() }))
        })
    }

    fn connect(&mut self, serial: Serial) -> Result<Box<dyn Key>, DeviceError> {
        let session = self.find(serial)?;
        self.alone.retain(|held| held.orders.strong_count() > 0);
        if let Some(orders) = session.channel.card.orders() {
            self.alone.push(Held { serial, reader: session.reader().to_owned(), orders });
        }
        Ok(Box::new(session))
    }

    fn administer(&mut self, serial: Serial) -> Result<Box<dyn Administer>, DeviceError> {
        (self.administration)(self.leave(serial)?)
    }
}

/// Every reader, and whether it has a card.
fn readers() -> Result<Vec<(CString, bool)>, DeviceError> {
    let failed = |error| open_error("PC/SC", error);
    let context = Context::establish(Scope::User).map_err(failed)?;
    let names = context.list_readers_owned().map_err(failed)?;
    let mut states: Vec<_> = names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
    match context.get_status_change(Duration::ZERO, &mut states) {
        Ok(()) | Err(PcscError::Timeout) => {}
        Err(error) if states.is_empty() || error == PcscError::UnknownReader => {}
        Err(error) => return Err(failed(error)),
    }
    Ok(states
        .iter()
        .map(|state| (state.name().to_owned(), state.event_state().contains(State::PRESENT)))
        .collect())
}

/// The readers that have a card.
fn cards() -> Result<Vec<CString>, DeviceError> {
    Ok(readers()?.into_iter().filter_map(|(reader, present)| present.then_some(reader)).collect())
}
