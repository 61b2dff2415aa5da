//! The real way to a card: PC/SC (pcsc-lite on Linux).
//!
//! PC/SC has no limit on how long a card may take, so each connection lives in a thread of its own ([`worker`]), and
//! whoever waits for it waits a limited time. A thread whose card never answers is left behind: it touches nothing
//! else, ends as soon as its call returns, and ends with the process.

use std::ffi::CStr;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant};

use ::pcsc::Error as PcscError;
use zeroize::Zeroizing;

use self::worker::{Opened, Order};
use super::{Card, CardError};
use crate::device::DeviceError;

mod readers;
mod worker;

pub use readers::{Beside, OpenAdministration, PcscReaders, Surveyed};

/// How long to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// For a command that needs nobody, and for the card to be powered.
    pub plain: Duration,
    /// For a command that may wait for a touch; a key gives up by itself after about 15 seconds.
    pub touch: Duration,
    /// For another program to let go of the reader.
    pub held: Duration,
}

impl Default for Limits {
    /// 5, 30 and 10 seconds.
    fn default() -> Self {
        let [plain, touch, held] = [5, 30, 10].map(Duration::from_secs);
        Limits { plain, touch, held }
    }
}

/// A card in a reader. When it is dropped the card is reset if its PIN or management state may have changed.
pub struct PcscCard {
    reader: String,
    extended: bool,
    limits: Limits,
    /// `None` once a command went unanswered.
    orders: Option<Arc<Sender<Order>>>,
    answers: Receiver<Result<Zeroizing<Vec<u8>>, PcscError>>,
    unanswered: u64,
    /// Until when it must have said who it is: a card that answers each command just in time is not waited for longer.
    unknown: Option<Instant>,
}

/// What every connection of one [`PcscReaders`] has in common.
struct Way {
    limits: Limits,
    /// How many other handles of ours work on cards; without any, a connection is alone on its card.
    beside: Arc<AtomicUsize>,
}

impl PcscCard {
    /// Connects to the card in `reader`, waiting at most `patience` for other programs.
    fn open(reader: &CStr, way: Way, patience: Duration) -> Result<Self, DeviceError> {
        let deadline = Instant::now() + patience;
        let mut pause = Duration::from_millis(20);
        loop {
            match PcscCard::open_once(reader, &way, deadline) {
                Err(DeviceError::Busy { .. }) if Instant::now() + pause < deadline => {
                    std::thread::sleep(pause);
                    pause = (pause * 2).min(Duration::from_secs(1));
                }
                outcome => return outcome,
            }
        }
    }

    fn open_once(reader: &CStr, way: &Way, deadline: Instant) -> Result<Self, DeviceError> {
        let name = reader.to_string_lossy().into_owned();
        let (orders, todo) = channel();
        let (done, answers) = channel();
        let (tell, opened) = channel();
        let (target, beside, limits) = (reader.to_owned(), Arc::clone(&way.beside), way.limits);
        std::thread::Builder::new()
            .name("card".to_owned())
            .spawn(move || worker::serve(&target, &beside, &tell, &todo, &done))
            .map_err(|error| DeviceError::Service(error.to_string()))?;

        let failed = |error| open_error(&name, error);
        let late = || DeviceError::TimedOut { command: CONNECT, seconds: limits.plain.as_secs() };
        let mut extended = false;
        if let Opened::Powered { extended: can } =
            opened.recv_timeout(limits.plain).map_err(|_| late())?.map_err(failed)?
        {
            extended = can;
            let patience = deadline.saturating_duration_since(Instant::now()).max(SHORTEST_PATIENCE);
            let busy = |_| DeviceError::Busy { reader: name.clone() };
            opened.recv_timeout(patience).map_err(busy)?.map_err(failed)?;
        }
        let unknown = Some(Instant::now() + limits.plain * 2);
        let orders = Some(Arc::new(orders));
        Ok(PcscCard { reader: name, extended, limits, orders, answers, unanswered: 0, unknown })
    }

    /// Ends the time in which the card must have said who it is.
    fn known(&mut self) {
        self.unknown = None;
    }

    /// For telling the thread something from elsewhere, as long as the connection lives.
    fn orders(&self) -> Option<Weak<Sender<Order>>> {
        self.orders.as_ref().map(Arc::downgrade)
    }

    fn limit(&self, command: &[u8]) -> Duration {
        let limit = match command {
            // GENERAL AUTHENTICATE with 9E never waits for anybody; GENERATE takes its time, too.
            [_, 0x87, _, 0x9E, ..] => self.limits.plain,
            [_, 0x87 | 0x47, ..] => self.limits.touch,
            _ => self.limits.plain,
        };
        self.unknown.map_or(limit, |end| limit.min(end.saturating_duration_since(Instant::now())))
    }
}

impl Card for PcscCard {
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
        answer.clear();
        let orders = self.orders.as_ref().ok_or(CardError::TimedOut(self.unanswered))?;
        let gone = |_| CardError::Service("the connection to the card has ended".to_owned());
        orders.send(Order::Transmit(Zeroizing::new(command.to_vec()))).map_err(gone)?;
        let limit = self.limit(command);
        match self.answers.recv_timeout(limit) {
            Ok(Ok(bytes)) => {
                answer.extend_from_slice(&bytes);
                Ok(())
            }
            Ok(Err(error)) => Err(card_error(error)),
            Err(RecvTimeoutError::Timeout) => {
                self.unanswered = limit.as_secs().max(1);
                self.orders = None;
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
            let _ = self.answers.recv_timeout(self.limits.plain);
        }
    }
}

const CONNECT: &str = "the connection";

/// An open without patience waits that long, as a transaction takes a moment even if nobody else has one.
const SHORTEST_PATIENCE: Duration = Duration::from_millis(50);

/// Why PC/SC itself, or a connection to a card, cannot be had.
fn open_error(reader: &str, error: PcscError) -> DeviceError {
    match error {
        PcscError::NoService | PcscError::ServiceStopped => DeviceError::NoService,
        PcscError::SecurityViolation | PcscError::NoAccess => DeviceError::AccessDenied,
        PcscError::SharingViolation => DeviceError::Busy { reader: reader.to_owned() },
        // A card that does not speak T=1 is not one of ours.
        PcscError::ProtoMismatch => DeviceError::NoPiv { reader: reader.to_owned() },
        error => match card_error(error) {
            CardError::Service(text) => DeviceError::Service(format!("{reader}: {text}")),
            _ => DeviceError::Removed { command: CONNECT },
        },
    }
}

/// What a failed transmission says of the card.
fn card_error(error: PcscError) -> CardError {
    match error {
        PcscError::ResetCard => CardError::Reset,
        PcscError::RemovedCard
        | PcscError::NoSmartcard
        | PcscError::UnknownReader
        | PcscError::ReaderUnavailable
        // A card that is pulled out while it works ends the transmission first.
        | PcscError::NotTransacted
        | PcscError::CommError => CardError::Removed,
        PcscError::InsufficientBuffer => CardError::TooLong,
        error => CardError::Service(error.to_string()),
    }
}
