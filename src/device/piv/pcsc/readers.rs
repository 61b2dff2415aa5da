//! Every key in every reader: listing, and connecting by serial number.

use std::ffi::CString;
use std::panic::resume_unwind;
use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::ScopedJoinHandle;
use std::time::{Duration, Instant};

use ::pcsc::{Context, Error as PcscError, ReaderState, Scope, State};
use rand_core::UnwrapErr;

use super::worker::Order;
use super::{Limits, PcscCard, Way, open_error};
use crate::attestation::Serial;
use crate::device::fido2::port::{self, UsbDevice};
use crate::device::fido2::supervisor::Helper;
use crate::device::fido2::{Authenticator, Fido2Error};
use crate::device::piv::Session;
use crate::device::piv::session::identify;
use crate::device::{Administer, Attached, DeviceError, Identity, Key, Readers};

/// How long a reader is waited for at first, so that a free one behind it is not kept waiting.
const GLANCE: Duration = Duration::from_millis(500);

/// Opens the provisioning side of the key in [`Beside::reader`], with a handle of its own.
pub type OpenAdministration = fn(Beside) -> Result<Box<dyn Administer>, DeviceError>;

/// The keys that pcscd shows. Readers without a card, and cards that are no YubiKey, are passed over.
pub struct PcscReaders {
    pub(super) way: Arc<Way>,
    administration: OpenAdministration,
    pub(super) held: Vec<Held>,
    tell: fn(&str),
    /// Where FIDO2 devices are looked for, and what speaks to them.
    pub(super) fido2: (PathBuf, Helper),
}

/// A connection that was handed out, as long as it lives.
pub(super) struct Held {
    pub(super) serial: Serial,
    reader: String,
    pub(super) orders: Weak<Sender<Order>>,
}

/// Leave to work on a card with another handle: while one exists, no connection of the same [`PcscReaders`] keeps
/// others off a card, or resets one at its end. Hold it for as long as the other handle lives; let that handle end with
/// `LeaveCard` where a connection to the same key is still needed, and with a reset otherwise.
pub struct Beside {
    /// Reader name, as PC/SC lists it.
    pub reader: String,
    /// Which key it showed a moment ago.
    pub serial: Serial,
    way: Arc<Way>,
}

impl Beside {
    /// One more connection of ours to that key, beside the others: what the other handle is about to meet can be looked
    /// at through it first, with every limit. Ends a verified PIN, as every new connection does.
    ///
    /// # Errors
    /// Those of [`Session::connect`]; [`DeviceError::Absent`] if another key is in the reader by now.
    pub fn session(&self) -> Result<Session<PcscCard>, DeviceError> {
        let reader = CString::new(self.reader.as_str()).map_err(|_| DeviceError::Absent(self.serial))?;
        let shown = Shown { reader, present: true, in_use: true, context: Mutex::default() };
        let session = session(&shown, &self.way, self.way.limits.held, |serial| serial == self.serial)?;
        session.ok_or(DeviceError::Absent(self.serial))
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        self.way.beside.fetch_sub(1, Ordering::SeqCst);
    }
}

/// One reader, for a diagnosis.
#[derive(Debug)]
pub struct Surveyed {
    /// Its name.
    pub reader: String,
    /// What its card says its serial number is, or why it does not; `None` without a card.
    pub serial: Option<Result<Serial, DeviceError>>,
    /// The USB device that the reader is a part of, where there is a card and the driver tells it.
    pub usb: Option<UsbDevice>,
}

/// One reader, as pcscd shows it.
pub(super) struct Shown {
    pub(super) reader: CString,
    /// There is a card in it.
    present: bool,
    /// Some program is connected to it.
    pub(super) in_use: bool,
    /// What listed it and is done, for the first connection: pcscd makes each new one a thread.
    context: Mutex<Option<Context>>,
}

impl Shown {
    pub(super) fn name(&self) -> String {
        self.reader.to_string_lossy().into_owned()
    }

    /// A context that nothing else uses, if there is one.
    pub(super) fn context(&self) -> Option<Context> {
        self.context.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// What a look at one reader gave.
enum Seen<T> {
    Wanted(T),
    Other,
}

impl PcscReaders {
    /// Asks nothing yet. `administration` opens the provisioning side of a key.
    pub fn new(limits: Limits, administration: OpenAdministration) -> Self {
        let fido2 = (port::SYSFS.into(), Helper::this_program());
        PcscReaders { way: Arc::new(Way::new(limits)), administration, held: Vec::new(), tell: |_| {}, fido2 }
    }

    /// Looks for FIDO2 devices below that sysfs, and speaks to them through that helper.
    pub fn with_fido2(self, sysfs: PathBuf, helper: Helper) -> Self {
        PcscReaders { fido2: (sysfs, helper), ..self }
    }

    /// Says with `tell` when a person has to wait for another program to let go of a reader.
    pub fn telling(self, tell: fn(&str)) -> Self {
        PcscReaders { tell, ..self }
    }

    /// Every reader with what it shows, for a diagnosis.
    ///
    /// # Errors
    /// [`DeviceError::NoService`], [`DeviceError::AccessDenied`], [`DeviceError::Service`]. What is wrong with one
    /// reader's card stands beside that reader.
    pub fn survey(&self) -> Result<Vec<Surveyed>, DeviceError> {
        let surveyed = |shown: Shown| {
            let mut usb = None;
            let serial = shown.present.then(|| {
                let card = PcscCard::open(&shown, &self.way, GLANCE)?;
                usb = card.usb();
                identify(card)
            });
            Surveyed { reader: shown.name(), serial, usb }
        };
        Ok(readers()?.into_iter().map(surveyed).collect())
    }

    /// Looks at every card with `look`: at all together for a moment first, then, if none was wanted, longer at those that
    /// another program held. All that are wanted, in the order of the readers, and how many cards there are; else
    /// why a card could not be looked at.
    fn search<T: Send>(
        &self,
        look: impl Fn(&Shown, Duration) -> Result<Seen<T>, DeviceError> + Sync,
    ) -> Result<(Vec<T>, usize), DeviceError> {
        let deadline = Instant::now() + self.way.limits.held;
        let (mut wanted, mut busy, mut failure) = (Vec::new(), Vec::new(), None);
        let shown: Vec<Shown> = readers()?.into_iter().filter(|shown| shown.present).collect();
        let cards = shown.len();
        let glance = |shown: &Shown| look(shown, GLANCE.min(self.way.limits.held));
        for (shown, seen) in shown.iter().zip(at_once(&shown, glance)) {
            match seen {
                Ok(Seen::Wanted(found)) => wanted.push(found),
                Ok(Seen::Other) | Err(DeviceError::NoPiv { .. }) => {}
                Err(DeviceError::Busy { .. }) => busy.push(shown),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        if !wanted.is_empty() {
            return Ok((wanted, cards));
        }
        for shown in busy {
            let left = deadline.saturating_duration_since(Instant::now());
            (self.tell)(&format!(
                "the reader {} is held by another program; waiting {} s for it …",
                shown.name(),
                left.as_secs_f64().ceil()
            ));
            match look(shown, deadline.saturating_duration_since(Instant::now())) {
                Ok(Seen::Wanted(found)) => wanted.push(found),
                Ok(Seen::Other) | Err(DeviceError::NoPiv { .. }) => {}
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        match failure {
            Some(error) if wanted.is_empty() => Err(error),
            _ => Ok((wanted, cards)),
        }
    }

    /// The living connection that was handed out to the card in that reader.
    fn ours(&self, shown: &Shown) -> Option<&Held> {
        let name = shown.name();
        self.held.iter().find(|held| held.reader == name && held.orders.strong_count() > 0)
    }

    fn identify(&self, shown: &Shown, patience: Duration) -> Result<Serial, DeviceError> {
        match self.ours(shown) {
            Some(held) => Ok(held.serial),
            None => identify(PcscCard::open(shown, &self.way, patience)?),
        }
    }

    /// The first of these keys that is plugged in, connected, if any is; and how many cards there are.
    fn first(&self, wanted: &[Serial]) -> Result<(Option<Session<PcscCard>>, usize), DeviceError> {
        let (mut found, cards) = self.search(|shown, patience| {
            if self.ours(shown).is_some_and(|held| !wanted.contains(&held.serial)) {
                return Ok(Seen::Other);
            }
            let session = session(shown, &self.way, patience, |serial| wanted.contains(&serial))?;
            Ok(session.map_or(Seen::Other, Seen::Wanted))
        })?;
        for serial in wanted {
            let of_it = |session: &Session<PcscCard>| session.serial() == *serial;
            if let Some(index) = found.iter().position(of_it) {
                let session = found.swap_remove(index);
                return match found.iter().any(of_it) {
                    true => Err(DeviceError::TwoWithSerial(*serial)),
                    false => Ok((Some(session), cards)),
                };
            }
        }
        Ok((None, cards))
    }

    /// The one key with that serial number, connected.
    pub(super) fn find(&self, serial: Serial) -> Result<Session<PcscCard>, DeviceError> {
        match self.first(&[serial])? {
            (Some(session), _) => Ok(session),
            (None, 0) => Err(DeviceError::NoKey),
            (None, _) => Err(DeviceError::Absent(serial)),
        }
    }

    /// Remembers a connection that is handed out.
    fn hand_out(&mut self, session: Session<PcscCard>) -> Box<dyn Key> {
        self.held.retain(|held| held.orders.strong_count() > 0);
        if let Some(orders) = session.channel.card.orders() {
            let (serial, reader) = (session.serial(), session.reader().to_owned());
            self.held.push(Held { serial, reader, orders });
        }
        Box::new(session)
    }

    /// Gives leave to work beside the connections of this value on the key with that serial number: the one that is
    /// connected to it, if any, ends its transaction and keeps its card's state.
    fn leave(&mut self, serial: Serial) -> Result<Beside, DeviceError> {
        self.way.beside.fetch_add(1, Ordering::SeqCst);
        let mut leave = Beside { reader: String::new(), serial, way: Arc::clone(&self.way) };
        let shares = |held: &&Held| {
            let (tell, shared) = channel();
            held.orders.upgrade().is_some_and(|orders| orders.send(Order::Share(tell)).is_ok())
                && shared.recv_timeout(self.way.limits.plain).is_ok()
        };
        let known = self.held.iter().filter(|held| held.serial == serial).find(shares);
        leave.reader = match known {
            Some(held) => held.reader.clone(),
            None => self.find(serial)?.reader().to_owned(),
        };
        Ok(leave)
    }
}

impl Readers for PcscReaders {
    fn attached(&mut self) -> Result<Vec<Attached>, DeviceError> {
        self.search(|shown, patience| {
            let serial = self.identify(shown, patience)?;
            Ok(Seen::Wanted(Attached { serial, reader: shown.name() }))
        })
        .map(|(attached, _)| attached)
    }

    fn connect(&mut self, serial: Serial) -> Result<Box<dyn Key>, DeviceError> {
        let session = self.find(serial)?;
        Ok(self.hand_out(session))
    }

    fn connect_first(&mut self, wanted: &[Serial]) -> Result<Option<Box<dyn Key>>, DeviceError> {
        match self.first(wanted)? {
            (Some(session), _) => Ok(Some(self.hand_out(session))),
            (None, 0) => Err(DeviceError::NoKey),
            (None, _) => Ok(None),
        }
    }

    fn administer(&mut self, serial: Serial) -> Result<Box<dyn Administer>, DeviceError> {
        (self.administration)(self.leave(serial)?)
    }

    fn authenticator(&mut self, serial: Serial) -> Result<Box<dyn Authenticator>, Fido2Error> {
        self.fido2_side(serial)
    }
}

/// What `look` gives of each, looked at side by side: a card takes its time to answer.
fn at_once<T: Send>(all: &[Shown], look: impl Fn(&Shown) -> T + Sync) -> Vec<T> {
    let look = &look;
    std::thread::scope(|scope| {
        let threads: Vec<_> = all.iter().map(|shown| scope.spawn(move || look(shown))).collect();
        // A thread that panicked is this thread's panic.
        let seen =
            |thread: ScopedJoinHandle<'_, T>| thread.join().unwrap_or_else(|panic| resume_unwind(panic));
        threads.into_iter().map(seen).collect()
    })
}

/// Connects to the card in that reader, if its serial number is wanted.
fn session(
    shown: &Shown,
    way: &Arc<Way>,
    patience: Duration,
    wanted: impl FnOnce(Serial) -> bool,
) -> Result<Option<Session<PcscCard>>, DeviceError> {
    let card = PcscCard::open(shown, way, patience)?;
    let mut session = Session::connect_if(card, Box::new(UnwrapErr(getrandom::SysRng)), wanted)?;
    if let Some(session) = &mut session {
        session.channel.card.known();
    }
    Ok(session)
}

fn readers() -> Result<Vec<Shown>, DeviceError> {
    let failed = |error| open_error("PC/SC", error);
    let context = Context::establish(Scope::User).map_err(failed)?;
    let names = context.list_readers_owned().map_err(failed)?;
    let mut states: Vec<_> = names.into_iter().map(|name| ReaderState::new(name, State::UNAWARE)).collect();
    match context.get_status_change(Duration::ZERO, &mut states) {
        // A reader that was pulled out since it was listed shows no card.
        Ok(()) | Err(PcscError::Timeout | PcscError::UnknownReader) => {}
        Err(error) => return Err(failed(error)),
    }
    let mut spare = Some(context);
    let shown = |state: &ReaderState| {
        let present = state.event_state().contains(State::PRESENT);
        let in_use = state.event_state().intersects(State::INUSE | State::EXCLUSIVE);
        let context = Mutex::new(spare.take_if(|_| present));
        Shown { reader: state.name().to_owned(), present, in_use, context }
    };
    Ok(states.iter().map(shown).collect())
}
