//! Blank key -> enrolled key, by a plan that is shown first, resumable after any interruption.
//!
//! 1. [`survey`] looks at the key and changes nothing.
//! 2. [`plan`] judges what was found: blank, interrupted by us, or occupied. It refuses what must not be enrolled, and
//!    gives the steps as sentences, for a person to agree to.
//! 3. [`carry_out`] does them. Each step looks at the actual state of the key first, so that running it again after
//!    any interruption ends in the same enrolled key: what is done is kept, what was half done is done again, and a
//!    key whose attestation was accepted is never generated anew.
//!
//! What holds a resume together lies on the key itself: the [`marker`] says whose the half-provisioned key is, the
//! flags of its metadata tell which factory values are gone, and the new [`management`] key is kept behind the PIN
//! before it is put in force. Of the FIDO2 side an interrupted run leaves only its PIN. The last two steps make the key known: the enrolment record becomes durable first, then
//! the chain head replaces the marker.

pub mod certificate;
pub mod management;
pub mod marker;
pub mod pin;

mod access;
mod carry_out;
mod enrolment;
mod fido2;
mod keys;
mod plan;
mod survey;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use rand_core::CryptoRng;

use crate::attestation::{AttestationError, BindError, Firmware, Roots, Serial, Slot};
use crate::device::DeviceError;
use crate::device::fido2::Fido2Error;
use crate::device::firmware::Advisory;
use crate::operator::{Ask, Unanswered};
use crate::record::event::Override;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::{Record, RecordError};

pub use carry_out::{Enrolled, carry_out};
pub use fido2::{Fido2Found, Fido2Side};
pub use plan::{Plan, Step, Verdict, plan};
pub use survey::{Found, survey};

/// The rule to override to enrol a key without its FIDO2 side: openings of it that another program makes will not show.
pub const NO_FIDO2: &str = "no-fido2";

/// What the kit says to the flow: everything that is decided outside the key.
pub struct Circumstances<'a> {
    /// Who may vouch for the key.
    pub roots: &'a Roots,
    /// The kit's id; none while it is not founded.
    pub kit: Option<Hash>,
    /// SHA-256 of the adopted policy; none while there is none.
    pub policy: Option<Hash>,
    /// Heads of the other chains that this copy of the kit knows, for the record's `seen`.
    pub seen: BTreeMap<String, (u64, Hash)>,
    /// The organisation's issuer, an https URI.
    pub issuer: &'a str,
    /// SHA-256 of this program.
    pub tool: Hash,
    /// Version of this program, shown by age-plugin-yubikey.
    pub version: &'a str,
    /// What age-plugin-yubikey shows as the key's name, such as the kit's name.
    pub name: &'a str,
    /// The machine's claimed time, Unix seconds.
    pub now: i64,
    /// The serial number, typed out by a person who agrees to lose what is on that key.
    pub overwrite: Option<Serial>,
    /// What a person overrode, by identifier of the advisory or [`NO_FIDO2`], with the reason that goes on record.
    pub overrides: &'a [Override],
    /// The enrolment record of that key in the kit's journal, if it is there and the key not retired.
    pub enrolment: &'a dyn Fn(KeyId) -> Option<Record>,
}

/// What the flow changes outside the key, and what it draws from there.
pub struct Outside<'a> {
    /// Randomness for management key, certificate serial and nonces.
    pub random: &'a mut dyn CryptoRng,
    /// Makes the enrolment record durable in the journal. The key becomes known by this; the head is written after.
    pub store: &'a mut dyn FnMut(&Record) -> Result<(), Cause>,
    /// The chain head for that record, as it lies in the key's object 5FB600; at most 2,900 bytes.
    pub head: &'a dyn Fn(&Record) -> Vec<u8>,
}

/// An error of the caller's own.
pub type Cause = Box<dyn std::error::Error + Send + Sync>;

/// Why a key is not provisioned. Unless a variant says otherwise, the key is as it was before, or half provisioned and
/// to be resumed.
#[derive(Debug, thiserror::Error)]
pub enum ProvisionError {
    /// Before GET METADATA nothing can be seen beforehand.
    #[error(
        "key {serial} has firmware {firmware}; before 5.3 a key does not tell its state, so none is provisioned"
    )]
    FirmwareTooOld {
        /// Which key.
        serial: Serial,
        /// Its firmware.
        firmware: Firmware,
    },
    /// One PIN for PIV and FIDO, no PUK.
    #[error("key {0} is a YubiKey Bio, which has no PUK")]
    Bio(Serial),
    /// Something speaks against its firmware. The advisory's id is the word to override it with, unless its severity
    /// is never.
    #[error("key {serial} with firmware {firmware} is refused by {}: {}", .advisory.id, .advisory.sentence)]
    Advisory {
        /// Which key.
        serial: Serial,
        /// Its firmware.
        firmware: Firmware,
        /// What.
        advisory: Advisory,
    },
    /// There is something on the key that is not ours.
    #[error("key {serial} is not blank: {}", .what.join(", "))]
    Occupied {
        /// Which key.
        serial: Serial,
        /// What is there, each in a few words.
        what: Vec<String>,
    },
    /// The typed serial is not the key's.
    #[error("the serial typed to overwrite a key is {typed}, this key is {serial}")]
    OtherSerial {
        /// What was typed.
        typed: Serial,
        /// The key at hand.
        serial: Serial,
    },
    /// It is one of the kit's already.
    #[error("key {0} is enrolled in this kit already")]
    AlreadyEnrolled(Serial),
    /// A provisioning for another kit was interrupted on this key.
    #[error("the provisioning of key {serial} for another kit ({kit}) was interrupted")]
    InterruptedElsewhere {
        /// Which key.
        serial: Serial,
        /// That kit's id.
        kit: Hash,
    },
    /// Not the factory one, and not kept behind the PIN either.
    #[error(
        "the management key of key {0} is not the factory one, and the key does not hold it behind its PIN"
    )]
    ManagementKeyUnknown(Serial),
    /// One try is left, and a typing mistake would spend it.
    #[error("one try of the {} of key {serial} is left; it is not spent here", name(*.ask))]
    LastTry {
        /// Which key.
        serial: Serial,
        /// PIN or PUK.
        ask: Ask,
    },
    /// A new value that is the factory one.
    #[error("the new {} is the factory one", name(*.0))]
    FactoryValue(Ask),
    /// The operator's PIN and the custodian's PUK.
    #[error("PIN and PUK are the same; whoever knows the one would know the other")]
    PinIsPuk,
    /// The key that answers is another one, or its state has changed since it was looked at.
    #[error("key {serial} is not as it was when the plan for key {planned} was made")]
    PlanOutdated {
        /// In the plan.
        planned: Serial,
        /// What answers.
        serial: Serial,
    },
    /// The key gives no attestation certificate of its own (F9).
    #[error("key {0} holds no attestation certificate")]
    NoDeviceCertificate(Serial),
    /// An attestation that is not accepted. The slot's key is not used and not replaced.
    #[error("the attestation of slot {slot} of key {serial} is not accepted")]
    Attestation {
        /// Which key.
        serial: Serial,
        /// Which slot.
        slot: Slot,
        /// Why.
        #[source]
        cause: AttestationError,
    },
    /// An attestation of something else than what the key says.
    #[error("the attestation of slot {slot} of key {serial} does not fit the key")]
    Binding {
        /// Which key.
        serial: Serial,
        /// Which slot.
        slot: Slot,
        /// In what.
        #[source]
        cause: BindError,
    },
    /// The slot holds a key that the marker does not allow to replace and that is not of P-256.
    #[error("slot {slot} of key {serial} holds a key that was not made here")]
    ForeignKey {
        /// Which key.
        serial: Serial,
        /// Which slot.
        slot: Slot,
    },
    /// The key does not attest the slot: what is there was imported.
    #[error("key {serial} does not attest what is in slot {slot}")]
    Unattested {
        /// Which key.
        serial: Serial,
        /// Which slot.
        slot: Slot,
        /// What it answered.
        #[source]
        cause: DeviceError,
    },
    /// The certificate in 82.
    #[error(transparent)]
    Certificate(#[from] certificate::CertificateError),
    /// The enrolment record.
    #[error("the enrolment record cannot be made")]
    Record(#[from] RecordError),
    /// The journal.
    #[error(
        "the enrolment record could not be stored; the key is complete but for its head and not enrolled"
    )]
    Store(#[source] Cause),
    /// What is on the key in the end is not what was put there.
    #[error("key {serial} reads back other than it was written: {what}")]
    ReadsBackOtherwise {
        /// Which key.
        serial: Serial,
        /// What.
        what: &'static str,
    },
    /// The FIDO2 side, or the way to it; refused unless [`NO_FIDO2`] is overridden.
    #[error("the FIDO2 side of key {serial}: {cause}")]
    Fido2 {
        /// Which key.
        serial: Serial,
        /// What it was.
        #[source]
        cause: Fido2Error,
    },
    /// Its FIDO2 side does not say what model it is.
    #[error("the FIDO2 side of key {0} names no model: its AAGUID is zero")]
    NoModel(Serial),
    /// One try of the FIDO2 PIN is left, and a typing mistake would spend it.
    #[error("one try of the FIDO2 PIN of key {0} is left; it is not spent here")]
    LastFido2Try(Serial),
    /// The PIV PIN, of at most 8 characters, cannot be the FIDO2 PIN too.
    #[error("the FIDO2 side of key {serial} wants a PIN of at least {least} characters, and none is set")]
    ShortForFido2 {
        /// Which key.
        serial: Serial,
        /// Least characters.
        least: u8,
    },
    /// The counter does not rise, so it would witness nothing.
    #[error("the FIDO2 counter of key {serial} went from {from} to {to} with one use")]
    Counter {
        /// Which key.
        serial: Serial,
        /// Before.
        from: u32,
        /// After.
        to: u32,
    },
    /// Nobody answered.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The key, or the way to it.
    #[error(transparent)]
    Device(#[from] DeviceError),
}

fn name(ask: Ask) -> &'static str {
    match ask {
        Ask::Pin | Ask::NewPin => "PIN",
        Ask::Puk | Ask::NewPuk => "PUK",
    }
}
