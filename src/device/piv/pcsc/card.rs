//! A card in a reader, spoken to through its thread.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::pcsc::Error as PcscError;
use zeroize::Zeroizing;

use super::readers::Shown;
use super::worker::{self, Opened, Order};
use super::{CONNECT, Way, card_error, open_error};
use crate::device::DeviceError;
use crate::device::fido2::port::UsbDevice;
use crate::device::piv::{Card, CardError};

/// An open without patience waits that long, as a transaction takes a moment even if nobody else has one.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(50);

/// A card in a reader. When it is dropped the card is reset if its PIN or management state may have changed.
pub struct PcscCard {
    reader: String,
    extended: bool,
    way: Arc<Way>,
    /// `None` once a command went unanswered.
    orders: Option<Arc<Sender<Order>>>,
    answers: Receiver<Result<Zeroizing<Vec<u8>>, PcscError>>,
    thread: Weak<()>,
    unanswered: u64,
    /// Until when it must have said who it is: a card that answers each command just in time is not waited for longer.
    unknown: Option<Instant>,
}

impl PcscCard {
    /// Connects to the card in a reader, waiting at most `patience` for other programs.
    pub(super) fn open(shown: &Shown, way: &Arc<Way>, patience: Duration) -> Result<Self, DeviceError> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(20);
        loop {
            match PcscCard::open_once(shown, way, deadline) {
                Err(DeviceError::Busy { .. }) if Instant::now() + pause < deadline => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                outcome => return outcome,
            }
        }
    }

    fn open_once(shown: &Shown, way: &Arc<Way>, deadline: Instant) -> Result<Self, DeviceError> {
        let reader = shown.name();
        let limits = way.limits;
        let late = DeviceError::TimedOut { command: CONNECT, seconds: limits.plain.as_secs() };
        if way.waits_for(&reader) {
            return Err(late);
        }
        let (orders, todo) = channel();
        let (done, answers) = channel();
        let (tell, opened) = channel();
        let link = Arc::new(());
        let thread = Arc::downgrade(&link);
        let (target, common, context) = (shown.reader.clone(), Arc::clone(way), shown.context());
        std::thread::Builder::new()
            .name("card".to_owned())
            .spawn(move || {
                let _link = link;
                worker::serve(context, &target, &common.beside, &tell, &todo, &done);
            })
            .map_err(|error| DeviceError::Service(error.to_string()))?;

        // pcscd lets a connection wait, too, while another program has a transaction.
        let patience = || deadline.saturating_duration_since(Instant::now()).max(SHORTEST_PATIENCE);
        let powered = opened.recv_timeout(if shown.in_use { patience() } else { limits.plain });
        let connected = powered.is_ok();
        let ready = match powered {
            Ok(Ok(Opened::Connected)) => opened.recv_timeout(patience()),
            other => other,
        };
        match ready {
            Ok(Ok(step)) => {
                let extended = matches!(step, Opened::Ready { extended: true });
                let unknown = Some(Instant::now() + limits.plain * 2);
                let (way, orders) = (Arc::clone(way), Some(Arc::new(orders)));
                Ok(PcscCard { reader, extended, way, orders, answers, thread, unanswered: 0, unknown })
            }
            Ok(Err(error)) => Err(open_error(&reader, error)),
            Err(_) if shown.in_use || connected => Err(DeviceError::Busy { reader }),
            Err(_) => {
                way.left_behind().push((reader, thread));
                Err(late)
            }
        }
    }

    /// Ends the time in which the card must have said who it is.
    pub(super) fn known(&mut self) {
        self.unknown = None;
    }

    /// For telling the thread something from elsewhere, as long as the connection lives.
    pub(super) fn orders(&self) -> Option<Weak<Sender<Order>>> {
        self.orders.as_ref().map(Arc::downgrade)
    }

    /// The USB device that the reader is a part of, where the driver tells it.
    pub(super) fn usb(&self) -> Option<UsbDevice> {
        self.orders.as_ref().and_then(|orders| usb(orders, &self.way))
    }

    fn limit(&self, command: &[u8]) -> Duration {
        let limit = self.way.limits.of(command);
        self.unknown.map_or(limit, |end| limit.min(end.saturating_duration_since(Instant::now())))
    }
}

/// What the thread of a connection says of its reader's channel.
pub(super) fn usb(orders: &Sender<Order>, way: &Way) -> Option<UsbDevice> {
    let (tell, told) = channel();
    orders.send(Order::Channel(tell)).ok()?;
    told.recv_timeout(way.limits.plain).ok()?
}

impl Card for PcscCard {
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
        answer.clear();
        let orders = self.orders.as_ref().ok_or(CardError::TimedOut(self.unanswered))?;
        let gone = |_| CardError::Service("the connection to the card has ended".to_owned());
        orders.send(Order::Transmit(Zeroizing::new(command.to_vec()))).map_err(gone)?;
        let limit = self.limit(command);
        match self.answers.recv_timeout(limit) {
            // No card answers with less than a status word: a reader does, whose card went away meanwhile (vpcd).
            Ok(Ok(bytes)) if bytes.is_empty() => Err(CardError::Removed),
            Ok(Ok(bytes)) => {
                answer.extend_from_slice(&bytes);
                Ok(())
            }
            Ok(Err(error)) => Err(card_error(error)),
            Err(RecvTimeoutError::Timeout) => {
                self.unanswered = limit.as_secs().max(1);
                self.orders = None;
                self.way.left_behind().push((self.reader.clone(), Weak::clone(&self.thread)));
                Err(CardError::TimedOut(self.unanswered))
            }
            Err(RecvTimeoutError::Disconnected) => {
                Err(CardError::Service("the connection to the card has ended".to_owned()))
            }
        }
    }

    fn extended_length(&self) -> bool {
        self.extended
    }

    fn reader(&self) -> &str {
        &self.reader
    }
}

impl Drop for PcscCard {
    /// Waits for the reset, so that the next connection does not meet this one.
    fn drop(&mut self) {
        if self.orders.take().is_some() {
            let _ = self.answers.recv_timeout(self.way.limits.plain);
        }
    }
}
