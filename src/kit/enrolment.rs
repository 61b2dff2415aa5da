//! An enrolment record held against its attestations and its FIDO2 assertion: what a key says of itself counts only as
//! far as they bear it out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::assertion::AssertionError;
use crate::attestation::{AttestationError, BindError, Expected, Root, Roots, Serial, Slot, bind, verify};
use crate::kit::{Enrolled, Kit};
use crate::record::counter;
use crate::record::event::{Event, KeyEnrolled};
use crate::record::hash::KeyId;
use crate::record::token::Record;

/// Why an enrolment is not believed.
#[derive(Debug, thiserror::Error)]
pub enum EnrolmentError {
    /// Not a `key.enrolled`, or one without certificates.
    #[error("the enrolment record carries no attestation of slot {0}")]
    Missing(Slot),
    /// It names a slot that mints nothing.
    #[error("the enrolment record says that slot {0:?} mints; 83, 84 and 85 do")]
    NoMintingSlot(String),
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
    /// The assertion over the enrolment is not by the credential that the record names, or not over this enrolment.
    #[error("the assertion of its FIDO2 side does not stand")]
    Proof(#[source] AssertionError),
    /// No model has this.
    #[error("its FIDO2 side names no model: its AAGUID is zero")]
    NoModel,
    /// Two keys cannot have the same credential.
    #[error("its FIDO2 credential is that of key {0}")]
    SharedCredential(Serial),
}

/// Verifies the attestation of each slot and binds it to serial, firmware, slot, public key and policy of the record; then
/// the assertion of the FIDO2 side over it, where there is one. The FIDO2 side itself has no attestation.
pub fn check(record: &Record, roots: &Roots) -> Result<(), EnrolmentError> {
    let missing = EnrolmentError::Missing;
    let Event::KeyEnrolled(facts) = &record.event else { return Err(missing(Slot::Signing)) };
    let [signing, device, ..] = &record.x5c[..] else { return Err(missing(Slot::Signing)) };
    let known = |slot: &String| Slot::MINTING.iter().any(|minting| minting.to_string() == *slot);
    if let Some(slot) = facts.minting.keys().find(|slot| !known(slot)) {
        return Err(EnrolmentError::NoMintingSlot(slot.clone()));
    }
    for slot in Slot::EVERY {
        let public = match slot {
            Slot::Signing => facts.signing.0,
            Slot::Sealing => facts.sealing.0,
            Slot::Presence => match facts.presence {
                Some(point) => point.0,
                // A key that can make no 9E without PIN: nothing is claimed, nothing is checked.
                None => continue,
            },
            Slot::SshAuthority | Slot::X509Authority | Slot::Tokens => {
                match facts.minting.get(&slot.to_string()) {
                    Some(point) => point.0,
                    None => continue,
                }
            }
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
    if let Some(fido2) = &facts.fido2 {
        if fido2.aaguid.0 == [0; 16] {
            return Err(EnrolmentError::NoModel);
        }
        counter::first(fido2, &facts.signing).map_err(EnrolmentError::Proof)?;
    }
    Ok(())
}

/// Whether its FIDO2 credential is no other key's. One that another key only claims, without an assertion that bears it
/// out, is not that key's.
///
/// # Errors
/// [`EnrolmentError::SharedCredential`] names the other key.
pub fn check_alone(kit: &Kit, key: &Enrolled) -> Result<(), EnrolmentError> {
    let keys = kit.enrolled_keys();
    alone(&key.id, &key.facts, keys.iter().map(|other| (&other.id, &other.facts)))
}

/// The same of a key and all that are enrolled.
///
/// # Errors
/// [`EnrolmentError::SharedCredential`] names the other key.
pub fn alone<'a>(
    id: &KeyId,
    key: &KeyEnrolled,
    mut all: impl Iterator<Item = (&'a KeyId, &'a KeyEnrolled)>,
) -> Result<(), EnrolmentError> {
    let Some(fido2) = &key.fido2 else { return Ok(()) };
    let same = |(other, facts): &(&KeyId, &KeyEnrolled)| {
        *other != id
            && facts
                .fido2
                .as_ref()
                .is_some_and(|its| its.public == fido2.public && counter::first(its, &facts.signing).is_ok())
    };
    match all.find(same) {
        Some((_, other)) => Err(EnrolmentError::SharedCredential(other.serial)),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
