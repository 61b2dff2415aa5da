//! Our own PIV session (NIST SP 800-73-4, with Yubico's extensions): the commands of an emergency, over any [`Card`].
//!
//! Nothing a card answers is trusted that can be checked: lengths and counts have caps ([`apdu`], [`tlv`]), signatures
//! are verified before they are used, points must lie on the curve, what is written is read back. A card that fails
//! its proof of presence is sent no PIN until it has given one.
//!
//! [`Session`] speaks the commands and has the capabilities of [`crate::device`]; `pcsc` (feature `hardware`) is the
//! way to real cards, with a limit on every wait.

use zeroize::Zeroizing;

mod administer;
pub mod apdu;
mod examine;
mod head;
mod keys;
mod management;
mod metadata;
#[cfg(feature = "hardware")]
pub mod pcsc;
mod pin;
mod session;
mod status;
pub mod tlv;

#[cfg(test)]
mod hostile;
#[cfg(test)]
mod practised;
#[cfg(test)]
mod scripted;

pub use apdu::Traffic;
pub use head::{HEAD_OBJECTS, MOST_OBJECT_BYTES};
pub use session::Session;
pub use status::StatusWord;

/// One card that takes command APDUs and gives response APDUs.
pub trait Card: Send {
    /// Sends one whole command APDU and puts the whole answer (data, then SW1 SW2) into `answer`, which is cleared
    /// first. Answers longer than 65,538 bytes are [`CardError::TooLong`]. Returns within a bounded time.
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError>;
    /// Whether the way to the card carries extended-length APDUs (USB does, NFC may not).
    fn extended_length(&self) -> bool;
    /// Reader name, for messages.
    fn reader(&self) -> &str;
}

/// What can happen on the way to a card.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CardError {
    /// Pulled out.
    Removed,
    /// Reset by another program; all state is lost.
    Reset,
    /// No answer within this many seconds.
    TimedOut(u64),
    /// Longer than any APDU.
    TooLong,
    /// PC/SC's own word.
    Service(String),
}
