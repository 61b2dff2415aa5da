//! The practice key: a simulated key in a file, a state machine with PIN counters, policies, touch and attestation.
//!
//! [`SimulatedKey`] is the model, [`Front`] puts its APDUs in front of it, and what stands behind the virtual YubiKey
//! of the tests is the same two. [`Fido2`] is its FIDO2 side, reached as one CTAP request after the other, without
//! their bytes. It is not a YubiKey: P-256 is its only algorithm, and no claim about hardware
//! follows from it. Practice keys are certified by the practice CA, whose private key is in the source for everybody.

mod apdu;
mod attest;
mod authority;
mod card;
mod faults;
mod fido2;
mod file;
mod handle;
mod management;
mod model;
mod objects;
mod pin;
mod profile;
mod readers;
mod slots;
mod status;
mod surroundings;

pub use apdu::{Counters, Front};
pub use attest::AttestationKey;
pub use authority::{Authority, AuthorityError};
pub use card::PracticeCard;
pub use faults::{Fault, FaultPlan, FaultyCard};
pub use fido2::{Assertion, Counting, CtapStatus, Deceit, Fido2, PinToken, PracticeAuthenticator};
pub use handle::PracticeKey;
pub use management::Management;
pub use model::{SimulatedKey, TOUCH_CACHE_MS};
pub use objects::{OBJECT_LIMIT, STORE_LIMIT};
pub use pin::{Reference, Which};
pub use profile::Profile;
pub use readers::{CreateError, PracticeReaders};
pub use slots::{KeyReference, Origin, PolicyBytes, SlotKey};
pub use status::Status;
pub use surroundings::{Clock, HandMovedClock, SeededRandom, Surroundings, TOUCH_WINDOW_MS, Touch};

/// DER of the practice CA's certificate: the only root that a practice kit accepts and the one that no real kit does.
pub fn root_certificate() -> Result<Vec<u8>, AuthorityError> {
    Authority::practice()?.certificate_der()
}
