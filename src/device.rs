//! What the kit asks of a key: one trait per capability, one error type, find and connect.
//!
//! A key is a card that answers PIV commands ([`piv::Session`] over [`piv::Card`]): the real one through PC/SC, the
//! practice key in process. Nothing here prints, prompts or waits for a person: the flows do, through
//! [`crate::operator::Operator`].

use p256::ecdsa::{Signature, VerifyingKey};
use zeroize::Zeroizing;

use crate::attestation::{Firmware, Serial, Slot};
use crate::secret::{ManagementKey, Pin, SharedSecret};

pub mod fido2;
pub mod firmware;
pub mod info;
pub mod piv;
pub mod practice;
#[cfg(feature = "hardware")]
pub mod provisioning;

/// A key that is plugged in, as far as it says who it is; nothing is proven yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// What the key says its serial number is.
    pub serial: Serial,
    /// Reader name as PC/SC lists it, or the practice key's file.
    pub reader: String,
}

/// Where keys are found: PC/SC readers, or a folder of practice keys.
pub trait Readers {
    /// Every key that is plugged in now. Sends no PIN and changes nothing.
    fn attached(&mut self) -> Result<Vec<Attached>, DeviceError>;
    /// Connects to the key with that serial, alone on its reader until the connection is dropped.
    fn connect(&mut self, serial: Serial) -> Result<Box<dyn Key>, DeviceError>;
    /// Connects to the first of `wanted`, in that order, that is plugged in and answers; `None` if none is plugged in, the
    /// first error if none answers. Looks at each reader once.
    fn connect_first(&mut self, wanted: &[Serial]) -> Result<Option<Box<dyn Key>>, DeviceError> {
        let attached = self.attached()?;
        let mut failure = None;
        for serial in wanted.iter().filter(|serial| attached.iter().any(|key| key.serial == **serial)) {
            match self.connect(*serial) {
                Ok(key) => return Ok(Some(key)),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        failure.map_or(Ok(None), Err)
    }
    /// The provisioning side of the same key. Both connections may exist at once; PIN and management state is the
    /// card's and shared.
    fn administer(&mut self, serial: Serial) -> Result<Box<dyn Administer>, DeviceError>;
    /// The FIDO2 side of the same key. Any PIV connection to it may stay open.
    fn authenticator(&mut self, serial: Serial) -> Result<Box<dyn fido2::Authenticator>, fido2::Fido2Error> {
        let _ = serial;
        Err(fido2::Fido2Error::NoDevice)
    }
}

/// A connected key: everything that an emergency touches.
pub trait Key:
    Identity + Presence + PinTries + SignRecords + SignMinted + Agree + KeepHead + ChangePin
{
}
impl<T: Identity + Presence + PinTries + SignRecords + SignMinted + Agree + KeepHead + ChangePin> Key for T {}

/// Who the key says it is.
pub trait Identity {
    /// Serial number (PIV F8), asked at connect.
    fn serial(&self) -> Serial;
    /// Firmware (PIV FD), asked at connect.
    fn firmware(&self) -> Firmware;
    /// What GET METADATA says of a slot; `None` if the slot is empty. Unsigned: attestation is the truth.
    fn metadata(&mut self, slot: Slot) -> Result<Option<SlotMetadata>, DeviceError>;
    /// What has gone over the wire since connect, for measurements.
    fn traffic(&self) -> piv::Traffic;
}

/// Unsigned facts of a slot (GET METADATA, firmware 5.3 and later).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotMetadata {
    /// PIV algorithm identifier; 0x11 is P-256.
    pub algorithm: u8,
    /// PIN policy byte, touch policy byte.
    pub policy: (u8, u8),
    /// 1 generated on the key, 2 imported.
    pub origin: u8,
    /// The public key, if it is a point of P-256.
    pub public: Option<p256::PublicKey>,
}

/// Proof, before any PIN, that this is the enrolled key.
pub trait Presence {
    /// Signs SHA-256 of `nonce` with 9E and checks the signature against `expected`, the enrolled 9E key.
    ///
    /// # Errors
    /// [`DeviceError::NotGenuine`] if it answers but cannot prove it, [`DeviceError::EmptySlot`] if it says that 9E is
    /// empty; nothing secret has been sent, and this connection takes no PIN until a later proof succeeds. [`DeviceError::PresenceNeedsPin`] if 9E wants a PIN
    /// (FIPS from 5.7.1): nothing is proven, and whether that is to be expected only the enrolment can tell.
    fn prove_presence(&mut self, expected: &VerifyingKey, nonce: &[u8; 32]) -> Result<(), DeviceError>;
}

/// How many PIN tries are left, asked without spending one.
pub trait PinTries {
    /// GET METADATA of 80 (firmware 5.3), else the empty VERIFY after the PIN state was cleared.
    fn pin_tries(&mut self) -> Result<Tries, DeviceError>;
    /// The same for the PUK; `None` where the firmware cannot tell.
    fn puk_tries(&mut self) -> Result<Option<Tries>, DeviceError>;
}

/// What so many are called: `try` or `tries`.
pub fn try_word(number: u8) -> &'static str {
    if number == 1 { "try" } else { "tries" }
}

/// Tries left of a PIN or PUK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tries {
    /// Tries left; 0 is blocked.
    pub left: u8,
    /// Tries after a right entry, where the key tells.
    pub total: Option<u8>,
    /// Whether it is still the factory value, where the key tells.
    pub factory: Option<bool>,
}

/// Signs records with 9C.
pub trait SignRecords {
    /// VERIFY, then sign the 32-byte SHA-256 `digest`, nothing between. Needs a touch (cached 15 s). The signature is
    /// checked against `expected` before it is returned.
    ///
    /// # Errors
    /// [`DeviceError::WrongPin`] spends one try; no other error does. [`DeviceError::NotTouched`] leaves the PIN good.
    fn sign_record(
        &mut self,
        expected: &VerifyingKey,
        pin: &Pin,
        digest: &[u8; 32],
    ) -> Result<Signature, DeviceError>;
}

/// Signs what is minted, with 83, 84 or 85.
pub trait SignMinted {
    /// VERIFY, then sign the 32-byte SHA-256 `digest` with that slot (one of [`Slot::MINTING`]; any other panics), nothing
    /// between. Needs a touch each time. The signature is checked against `expected` before it is returned.
    ///
    /// # Errors
    /// As [`SignRecords::sign_record`].
    fn sign_minted(
        &mut self,
        slot: Slot,
        expected: &VerifyingKey,
        pin: &Pin,
        digest: &[u8; 32],
    ) -> Result<Signature, DeviceError>;
}

/// ECDH with 82.
pub trait Agree {
    /// The x coordinate of `peer` times the sealing key. The PIN must have been verified in this connection (by
    /// [`SignRecords::sign_record`]). Needs a touch each time.
    fn agree(&mut self, peer: &p256::PublicKey) -> Result<SharedSecret, DeviceError>;
}

/// The chain head kept on the key: two objects, written in turn.
pub trait KeepHead {
    /// Contents of 5FB600 and 5FB601, as found; `None` where absent. Needs no PIN.
    fn head_objects(&mut self) -> Result<[Option<Vec<u8>>; 2], DeviceError>;
    /// Writes object 0 or 1 (any other panics; at most 2,900 bytes) and reads it back. Needs a verified PIN: the management key is read
    /// from the PIN-protected object 5FC109 (ykman's convention) once per connection.
    fn put_head_object(&mut self, which: usize, content: &[u8]) -> Result<(), DeviceError>;
}

/// Changes of PIN and PUK.
pub trait ChangePin {
    /// CHANGE REFERENCE DATA of the PIN. A wrong `current` spends a try.
    fn change_pin(&mut self, current: &Pin, new: &Pin) -> Result<(), DeviceError>;
    /// CHANGE REFERENCE DATA of the PUK. A wrong `current` spends a PUK try.
    fn change_puk(&mut self, current: &Pin, new: &Pin) -> Result<(), DeviceError>;
    /// RESET RETRY COUNTER: a new PIN by the PUK. A wrong `puk` spends a PUK try.
    fn unblock_pin(&mut self, puk: &Pin, new: &Pin) -> Result<(), DeviceError>;
    /// VERIFY alone. A wrong PIN spends a try.
    fn verify_pin(&mut self, pin: &Pin) -> Result<(), DeviceError>;
}

/// The commands that only provisioning needs, in peace, on a key that has just answered well.
pub trait Administer {
    /// What the management application says of the key; `None` if the key has none. Ends a verified PIN and an
    /// authentication.
    fn device_info(&mut self) -> Result<Option<info::DeviceInfo>, DeviceError>;
    /// Algorithm of the present management key (GET METADATA of 9B) and whether it is the factory one.
    fn management_algorithm(&mut self) -> Result<(crate::secret::ManagementAlgorithm, bool), DeviceError>;
    /// Mutual authentication with the management key.
    fn authenticate(&mut self, key: &ManagementKey) -> Result<(), DeviceError>;
    /// Replaces the management key; must be authenticated.
    fn set_management_key(&mut self, key: &ManagementKey) -> Result<(), DeviceError>;
    /// Generates P-256 in the slot with [`Slot::policy`]; must be authenticated.
    fn generate(&mut self, slot: Slot) -> Result<p256::PublicKey, DeviceError>;
    /// DER of the attestation of that slot.
    fn attest(&mut self, slot: Slot) -> Result<Vec<u8>, DeviceError>;
    /// Content of an object, without its outer 53; `None` if absent. 5FC109 holds the management key and needs a
    /// verified PIN.
    fn object(&mut self, id: u32) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceError>;
    /// Writes an object (at most 2,900 bytes, without its outer 53); must be authenticated.
    fn put_object(&mut self, id: u32, content: &[u8]) -> Result<(), DeviceError>;
    /// Signs a SHA-256 digest with 82 for its certificate; the PIN must have been verified. Needs a touch.
    fn sign_certificate(&mut self, digest: &[u8; 32]) -> Result<Signature, DeviceError>;
}

/// What went wrong with a key or on the way to it. Every variant says what state the key is in.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// pcscd does not run.
    #[error("no key reader answers: pcscd is not running")]
    NoService,
    /// pcscd refuses this user (polkit).
    #[error("pcscd refuses this user")]
    AccessDenied,
    /// No reader, or no card in any.
    #[error("no key is plugged in")]
    NoKey,
    /// The wanted key is not there.
    #[error("key {0} is not plugged in")]
    Absent(Serial),
    /// Two cards claim the same serial.
    #[error("two readers show a key that says it is {0}; take one of them out")]
    TwoWithSerial(Serial),
    /// Another program holds the reader.
    #[error("the reader {reader} is held by another program")]
    Busy {
        /// Reader name.
        reader: String,
    },
    /// Pulled out, or reset by another program, between two commands.
    #[error("the key was taken out or reset by another program during {command}")]
    Removed {
        /// Which command.
        command: &'static str,
    },
    /// No answer within the limit.
    #[error("the key did not answer {command} within {seconds} s")]
    TimedOut {
        /// Which command.
        command: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// It answered something that is not an answer to that command.
    #[error("the key's answer to {command} is malformed: {detail}")]
    Malformed {
        /// Which command.
        command: &'static str,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// A status word that has no other variant.
    #[error("the key refused {command} with status {status:04X}")]
    Refused {
        /// Which command.
        command: &'static str,
        /// SW1 SW2.
        status: u16,
    },
    /// Refused, and the library between us and the key does not say why.
    #[error("the key refused {command}")]
    Unexplained {
        /// Which command.
        command: &'static str,
    },
    /// The key has no PIV application.
    #[error("the card in {reader} has no PIV application")]
    NoPiv {
        /// Reader name.
        reader: String,
    },
    /// The PIN was wrong; one try is spent.
    #[error("that PIN is wrong; {left} {} left", try_word(*left))]
    WrongPin {
        /// Tries left now.
        left: u8,
    },
    /// No PIN try is left.
    #[error("the PIN is blocked")]
    PinBlocked,
    /// The PUK was wrong; one try is spent.
    #[error("that PUK is wrong; {left} {} left", try_word(*left))]
    WrongPuk {
        /// Tries left now.
        left: u8,
    },
    /// No PUK try is left.
    #[error("the PUK is blocked")]
    PukBlocked,
    /// The key does not take this new PIN or PUK (length, or complexity).
    #[error("the key does not accept that new value as PIN or PUK")]
    PinNotAccepted,
    /// Nobody touched the key in time, or the PIN was not verified (the key answers both with 6982).
    #[error("the key was not touched in time")]
    NotTouched,
    /// The slot has no key.
    #[error("slot {0} is empty")]
    EmptySlot(Slot),
    /// The key could not prove with 9E that it is the enrolled one.
    #[error("this key says it is {0}, but it cannot prove it")]
    NotGenuine(Serial),
    /// 9E wants the PIN first, as on FIPS keys from 5.7.1, so that nothing could be proven before one is typed.
    #[error("key {0} wants its PIN before it proves anything with 9E")]
    PresenceNeedsPin(Serial),
    /// A signature of the key that does not verify.
    #[error("the key's signature with {0} does not verify")]
    BadSignature(Slot),
    /// A management key that is not the present one.
    #[error("the management key was not accepted")]
    ManagementKey,
    /// The key has no PIN-protected management key, so its head cannot be written.
    #[error("the key holds no PIN-protected management key")]
    NoProtectedManagementKey,
    /// More than the kit puts into one object; nothing was sent.
    #[error("object {object:06X} has no room for {length} bytes")]
    ObjectTooLarge {
        /// Object id.
        object: u32,
        /// Bytes that were to go in.
        length: usize,
    },
    /// What was read back differs from what was written.
    #[error("object {object:06X} reads back other than it was written")]
    WriteLost {
        /// Object id.
        object: u32,
    },
    /// Something on the computer's side of the reader.
    #[error("PC/SC: {0}")]
    Service(String),
    /// A practice key's file.
    #[error("practice key file {path}")]
    PracticeFile {
        /// Which file.
        path: std::path::PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
}

/// A machine without readers: the build without drivers.
pub struct NoReaders;

impl Readers for NoReaders {
    fn attached(&mut self) -> Result<Vec<Attached>, DeviceError> {
        Err(DeviceError::NoService)
    }
    fn connect(&mut self, serial: Serial) -> Result<Box<dyn Key>, DeviceError> {
        Err(DeviceError::Absent(serial))
    }
    fn administer(&mut self, serial: Serial) -> Result<Box<dyn Administer>, DeviceError> {
        Err(DeviceError::Absent(serial))
    }
}
