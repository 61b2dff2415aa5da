//! The FIDO2 side of a key: one credential whose hmac-secret is half of what opens, and whose assertions count.
//!
//! PIV counts nothing. No hmac-secret leaves a key without a touch and without moving its signature counter, so an
//! assertion over a record tells how often the key was used since the last one, by any software.

mod identity;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::assertion::AssertionError;
use crate::attestation::Serial;
use crate::secret::Fido2Pin;

pub mod check;
#[cfg(feature = "hardware")]
mod connected;
#[cfg(feature = "hardware")]
pub mod helper;
pub mod port;
#[cfg(feature = "hardware")]
pub mod supervisor;
pub mod wire;

#[cfg(feature = "hardware")]
pub use connected::HelperAuthenticator;

/// The FIDO2 side of one plugged in key.
pub trait Authenticator {
    /// The PIV serial of the key that this is a part of, as the connection was asked for.
    fn serial(&self) -> Serial;
    /// What it says of itself (authenticatorGetInfo). Unsigned.
    fn facts(&mut self) -> Result<AuthenticatorFacts, Fido2Error>;
    /// PIN tries left; spends none. 8 after a right PIN; three wrong ones in a row block it until it is plugged in anew.
    fn pin_tries(&mut self) -> Result<u8, Fido2Error>;
    /// Sets the first PIN. [`Fido2Error::PinIsSet`] if there is one.
    fn set_pin(&mut self, new: &Fido2Pin) -> Result<(), Fido2Error>;
    /// Changes the PIN. A wrong `current` spends a try.
    fn change_pin(&mut self, current: &Fido2Pin, new: &Fido2Pin) -> Result<(), Fido2Error>;
    /// Makes a credential for [`crate::assertion::RELYING_PARTY`]: ES256, hmac-secret, credProtect 3, not discoverable.
    /// `user` is a public handle of 1 to 64 bytes. Needs the PIN and a touch. Moves the counter.
    fn make_credential(&mut self, pin: &Fido2Pin, user: &[u8]) -> Result<Credential, Fido2Error>;
    /// One assertion over `question.challenge` with the hmac-secret of each salt. Needs the PIN and one touch. Everything
    /// that comes back is checked: the evidence verifies against the credential's public key.
    fn assert(&mut self, pin: &Fido2Pin, question: &Question) -> Result<Answer, Fido2Error>;
    /// CTAP requests sent and touches waited for since connect, for measurements.
    fn traffic(&self) -> Fido2Traffic;
}

/// What an authenticator says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthenticatorFacts {
    /// Model identifier, 16 bytes.
    pub aaguid: [u8; 16],
    /// firmwareVersion of getInfo, where it tells.
    pub firmware: Option<u64>,
    /// Versions, such as `FIDO_2_0`, `FIDO_2_1`, `U2F_V2`.
    pub versions: Vec<String>,
    /// Whether a PIN is set (option clientPin).
    pub pin_set: bool,
    /// Whether the PIN must be changed before it is good for anything.
    pub pin_must_change: bool,
    /// Least length of a PIN, in code points; 4 if it does not say.
    pub pin_length: u8,
    /// PIN/UV auth protocols, in its order of preference.
    pub pin_protocols: Vec<u8>,
    /// Extension hmac-secret.
    pub hmac_secret: bool,
    /// Extension credProtect.
    pub cred_protect: bool,
}

/// A credential on a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credential {
    /// Credential id, 1 to 1,023 bytes (YubiKeys: 64 or more).
    pub id: Vec<u8>,
    /// Its public key, ES256.
    pub public: p256::PublicKey,
}

/// What is asserted.
#[derive(Debug)]
pub struct Question<'a> {
    /// The credential; what it answers is checked against its public key.
    pub credential: &'a Credential,
    /// The exact bytes of a record. The key signs their SHA-256.
    pub challenge: &'a [u8],
    /// Salt of the envelope to open.
    pub salt: [u8; 32],
    /// Salt of the envelope to make, if one is to be made.
    pub next: Option<[u8; 32]>,
}

/// What an assertion gave.
#[derive(Debug)]
pub struct Answer {
    /// The raw authenticator data, as signed.
    pub authenticator_data: Vec<u8>,
    /// DER signature over the authenticator data and SHA-256 of the challenge.
    pub signature: Vec<u8>,
    /// The signature counter that the authenticator data carry.
    pub counter: u32,
    /// hmac-secret of [`Question::salt`].
    pub secret: HmacSecret,
    /// hmac-secret of [`Question::next`].
    pub next: Option<HmacSecret>,
}

/// Output of hmac-secret, 32 bytes (CTAP 2.1 section 12.5).
#[derive(Zeroize, ZeroizeOnDrop)]
pub struct HmacSecret([u8; 32]);

impl HmacSecret {
    /// Takes the 32 bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        HmacSecret(bytes)
    }

    /// The 32 bytes, for the envelope's identity.
    pub fn expose_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl std::fmt::Debug for HmacSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HmacSecret")
    }
}

/// What has gone over the wire since connect.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Fido2Traffic {
    /// CTAP requests.
    pub requests: u64,
    /// Requests that waited for a touch.
    pub touches: u64,
}

/// What went wrong with the FIDO2 side of a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Fido2Error {
    /// No FIDO2 device is plugged in, or this build knows none.
    #[error("no FIDO2 side of a key is plugged in")]
    NoDevice,
    /// There are some, and this user may not open them (hidraw permissions).
    #[error("this user may not open {path}")]
    AccessDenied {
        /// Device path.
        path: String,
    },
    /// None can be tied to the PIV serial, and there are several, or several PIV keys.
    #[error("which FIDO2 side belongs to key {serial} cannot be told ({count} plugged in)")]
    Ambiguous {
        /// Which key is wanted.
        serial: Serial,
        /// How many there are.
        count: usize,
    },
    /// Those that are there belong to other keys.
    #[error("the FIDO2 side of key {0} is not plugged in")]
    Absent(Serial),
    /// Pulled out, or it went away.
    #[error("the key was taken out during {step}")]
    Removed {
        /// What was going on.
        step: &'static str,
    },
    /// The wall-clock limit passed.
    #[error("the key did not finish {step} within {seconds} s")]
    TimedOut {
        /// What was going on.
        step: &'static str,
        /// The limit.
        seconds: u64,
    },
    /// Nobody touched it in time.
    #[error("the key was not touched in time")]
    NotTouched,
    /// A wrong PIN; a try is spent.
    #[error("that FIDO2 PIN is wrong; {left} {} left", super::try_word(*left))]
    WrongPin {
        /// Tries left now.
        left: u8,
    },
    /// Three wrong PINs in a row: it takes no PIN until it is taken out and put in again. No further try is spent.
    #[error("three wrong PINs in a row: the key takes no FIDO2 PIN until it is taken out and put in again")]
    PinAuthBlocked,
    /// No PIN try is left. Only a reset, which wipes the credential, helps.
    #[error("the FIDO2 PIN is blocked")]
    PinBlocked,
    /// No PIN is set.
    #[error("no FIDO2 PIN is set")]
    PinNotSet,
    /// A PIN is set already.
    #[error("a FIDO2 PIN is set already")]
    PinIsSet,
    /// The key does not take this new PIN (length or complexity).
    #[error("the key does not accept that new value as FIDO2 PIN")]
    PinNotAccepted,
    /// The key does not know the credential: it was reset, or is another key.
    #[error("the key does not have the credential that it was enrolled with")]
    NoCredential,
    /// The key lacks what the kit needs.
    #[error("the key cannot do {0}")]
    Unsupported(&'static str),
    /// It answered something that is not an answer to that request.
    #[error("the key's answer to {step} is malformed: {detail}")]
    Malformed {
        /// What was going on.
        step: &'static str,
        /// What is wrong with it.
        detail: String,
    },
    /// It made an assertion that does not stand.
    #[error(transparent)]
    Assertion(#[from] AssertionError),
    /// A CTAP status that has no other variant.
    #[error("the key refused {step} with CTAP status {status:#04X}")]
    Refused {
        /// What was going on.
        step: &'static str,
        /// CTAP 2.1 section 8.2.
        status: u8,
    },
    /// Something on the computer's side.
    #[error("FIDO2 on this machine: {0}")]
    Service(String),
}
