//! An enrolment record held against its attestations: what a key says of itself counts only as far as they bear it out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::attestation::{AttestationError, BindError, Expected, Root, Roots, Slot, bind, verify};
use crate::record::event::Event;
use crate::record::token::Record;

/// Why an enrolment is not believed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// Not a `key.enrolled`, or one without certificates.
    #[error("the enrolment record carries no attestation of slot {0}")]
    Missing(Slot),
    /// A chain that does not end in an accepted root.
    #[error("the attestation of slot {slot} is not accepted")]
    Attestation {
        /// Which slot.
        slot: Slot,
        /// Why.
        #[source]
        cause: AttestationError,
    },
    /// An attestation of something else than the record says.
    #[error("the attestation of slot {slot} does not fit the record")]
    Binding {
        /// Which slot.
        slot: Slot,
        /// In what.
        #[source]
        cause: BindError,
    },
    /// The record names another root than its attestations end in.
    #[error("the record says its root is {said}, its attestations end in {found}")]
    Root {
        /// In the record.
        said: String,
        /// By the certificates.
        found: &'static str,
    },
}

/// Verifies the attestation of each slot and binds it to serial, firmware, slot, public key and policy of the record.
pub fn check(record: &Record, roots: &Roots) -> Result<(), EnrolmentError> {
    let missing = EnrolmentError::Missing;
    let Event::KeyEnrolled(facts) = &record.event else { return Err(missing(Slot::Signing)) };
    let [signing, device, ..] = &record.x5c[..] else { return Err(missing(Slot::Signing)) };
    for slot in Slot::ALL {
        let public = match slot {
            Slot::Signing => facts.signing.0,
            Slot::Sealing => facts.sealing.0,
            Slot::Presence => match facts.presence {
                Some(point) => point.0,
                // A key that can make no 9E without PIN: nothing is claimed, nothing is checked.
                None => continue,
            },
        };
        let leaf = match slot {
            Slot::Signing => signing.clone(),
            _ => {
                let text = facts.attestations.get(&slot.to_string()).ok_or(missing(slot))?;
                STANDARD.decode(text).map_err(|_| missing(slot))?
            }
        };
        let attested =
            verify(&leaf, device, roots).map_err(|cause| EnrolmentError::Attestation { slot, cause })?;
        let expected = Expected::new(facts.serial, facts.firmware, slot, public);
        bind(&attested, &expected).map_err(|cause| EnrolmentError::Binding { slot, cause })?;
        let found = match attested.root {
            Root::Yubico(_) => "yubico",
            Root::Private(_) => "private",
            Root::Practice(_) => "practice",
        };
        if found != facts.root {
            return Err(EnrolmentError::Root { said: facts.root.clone(), found });
        }
    }
    Ok(())
}
