//! The real way to a card: PC/SC (pcsc-lite on Linux).
//!
//! PC/SC has no limit on how long a card may take, so each connection lives in a thread of its own (`pcsc/worker.rs`), and
//! whoever waits for it waits a limited time. A thread whose card never answers is left behind: it touches nothing
//! else, ends as soon as its call returns, and ends with the process.

use std::sync::atomic::AtomicUsize;
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use ::pcsc::Error as PcscError;

use super::CardError;
use crate::device::DeviceError;

mod authenticator;
mod card;
mod readers;
mod worker;

pub use card::PcscCard;
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

impl Limits {
    /// How long that command may take. 9E never waits for anybody; GENERATE takes its time, too.
    fn of(&self, command: &[u8]) -> Duration {
        match command {
            [_, 0x87, _, 0x9E, ..] => self.plain,
            [_, 0x87 | 0x47, ..] => self.touch,
            _ => self.plain,
        }
    }
}

/// What every connection of one [`PcscReaders`] has in common.
struct Way {
    limits: Limits,
    /// How many other handles of ours work on cards; without any, a connection is alone on its card.
    beside: AtomicUsize,
    /// Threads whose card did not answer, by reader; each has its end of the link until it ends.
    left_behind: Mutex<Vec<(String, Weak<()>)>>,
}

impl Way {
    fn new(limits: Limits) -> Self {
        Way { limits, beside: AtomicUsize::new(0), left_behind: Mutex::default() }
    }

    fn left_behind(&self) -> MutexGuard<'_, Vec<(String, Weak<()>)>> {
        self.left_behind.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether a thread of ours still waits for the card in that reader.
    fn waits_for(&self, reader: &str) -> bool {
        let mut left_behind = self.left_behind();
        left_behind.retain(|(_, alive)| alive.strong_count() > 0);
        left_behind.iter().any(|(name, _)| name == reader)
    }
}

/// What errors call the time before the first command.
const CONNECT: &str = "the connection";

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_commands_that_may_wait_for_a_touch_are_waited_for_longer() {
        let limits = Limits::default();
        for (command, seconds) in [
            (&[0x00, 0x87, 0x11, 0x9C][..], 30),
            (&[0x00, 0x87, 0x11, 0x82], 30),
            (&[0x00, 0x87, 0x0C, 0x9B], 30),
            (&[0x00, 0x87, 0x11, 0x9E], 5),
            (&[0x00, 0x20, 0x00, 0x80], 5),
            (&[0x00, 0xA4], 5),
            (&[], 5),
        ] {
            assert_eq!(limits.of(command), Duration::from_secs(seconds), "{command:02X?}");
        }
    }

    #[test]
    fn each_failure_of_pcsc_has_its_name() {
        let named = |error| open_error("reader", error);
        assert!(matches!(named(PcscError::NoService), DeviceError::NoService));
        assert!(matches!(named(PcscError::SecurityViolation), DeviceError::AccessDenied));
        assert!(
            matches!(named(PcscError::SharingViolation), DeviceError::Busy { reader } if reader == "reader")
        );
        assert!(
            matches!(named(PcscError::ProtoMismatch), DeviceError::NoPiv { reader } if reader == "reader")
        );
        for gone in [PcscError::NoSmartcard, PcscError::RemovedCard, PcscError::UnknownReader] {
            assert!(matches!(named(gone), DeviceError::Removed { command: CONNECT }));
            assert_eq!(card_error(gone), CardError::Removed);
        }
        let dead = named(PcscError::UnresponsiveCard).to_string();
        assert!(dead.starts_with("PC/SC: reader: "), "{dead}");
        assert_eq!(card_error(PcscError::ResetCard), CardError::Reset);
        assert_eq!(card_error(PcscError::NotTransacted), CardError::Removed);
        assert_eq!(card_error(PcscError::InsufficientBuffer), CardError::TooLong);
        assert!(matches!(card_error(PcscError::InternalError), CardError::Service(_)));
    }
}
