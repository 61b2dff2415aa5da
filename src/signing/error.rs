//! Why a key did not sign.

use crate::attestation::Serial;
use crate::device::DeviceError;
use crate::device::fido2::Fido2Error;
use crate::kit::KitError;
use crate::operator::Unanswered;
use crate::record::token::RecordError;

/// Why a key did not sign. What was written before stands.
#[derive(Debug, thiserror::Error)]
pub enum SigningError {
    /// The key or the way to it.
    #[error("key {serial}: {cause}")]
    Device {
        /// Which key.
        serial: Serial,
        /// What happened.
        #[source]
        cause: DeviceError,
    },
    /// The key's FIDO2 side or the way to it.
    #[error("key {serial}: {cause}")]
    Fido2 {
        /// Which key.
        serial: Serial,
        /// What happened.
        #[source]
        cause: Fido2Error,
    },
    /// The kit's folder or journal.
    #[error(transparent)]
    Kit(#[from] KitError),
    /// The record cannot be written in that form.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// Nobody answered.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The serial is not in the journal.
    #[error("key {0} is not enrolled in this kit")]
    NotEnrolled(Serial),
    /// The key's head is of another kit.
    #[error("key {serial} belongs to another kit: {words}")]
    OtherKit {
        /// Which key.
        serial: Serial,
        /// Its words.
        words: String,
    },
    /// Its slots are empty: it was reset after it was enrolled.
    #[error("key {0} was reset since it was enrolled: its slots are empty")]
    WasReset(Serial),
    /// One try left, and no word for it.
    #[error("key {serial} has 1 PIN try left")]
    LastTry {
        /// Which key.
        serial: Serial,
    },
    /// One FIDO2 PIN try left, and no word for it.
    #[error("key {serial} has 1 try of its FIDO2 PIN left")]
    LastFido2Try {
        /// Which key.
        serial: Serial,
    },
    /// What was planned was planned without a record that only the key had. The journal has it now.
    #[error("record {seq} of key {serial} was only on the key: {what}")]
    Restored {
        /// Which key.
        serial: Serial,
        /// The record.
        seq: u64,
        /// Its event.
        what: &'static str,
    },
    /// The journal lacks records that the key has seen.
    #[error(
        "this copy of the kit is older than key {serial} remembers: it lacks records {from} to {to} of {serial}"
    )]
    Gap {
        /// Which key.
        serial: Serial,
        /// First record that is missing.
        from: u64,
        /// Last record that the key has seen.
        to: u64,
    },
    /// The journal holds another record than the key's head.
    #[error("record {seq} of key {serial} is another one in this copy than the key remembers")]
    Fork {
        /// Which key.
        serial: Serial,
        /// Sequence number of both.
        seq: u64,
    },
}
