//! The FIDO2 PIN of an enrolled key: changed after the PIV PIN, where both are the same, or by itself. The record of it
//! says whether one PIN serves for both from there on.

use super::{Ledger, PinError, Unrecorded, enough_tries, record};
use crate::attestation::Serial;
use crate::device::fido2::{Authenticator, Fido2Error};
use crate::device::{DeviceError, Key};
use crate::operator::{Ask, Operator};
use crate::record::event::KeyPinChanged;
use crate::record::token::Record;
use crate::secret::{Fido2Pin, Pin};

/// A FIDO2 side that can be asked to change its PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ready {
    /// Least characters of a new PIN.
    pub least: u8,
    /// Tries left.
    pub left: u8,
}

/// Looks at it before anything is typed: a PIN is set, and there are tries for it.
///
/// # Errors
/// [`PinError::Fido2`], [`PinError::LastFido2Try`].
pub fn ready(side: &mut dyn Authenticator, spend_last_try: bool) -> Result<Ready, PinError> {
    let serial = side.serial();
    let refused = |cause| PinError::Fido2 { serial, cause };
    let facts = side.facts().map_err(refused)?;
    if !facts.pin_set {
        return Err(refused(Fido2Error::PinNotSet));
    }
    match side.pin_tries().map_err(refused)? {
        0 => Err(refused(Fido2Error::PinBlocked)),
        1 if !spend_last_try => Err(PinError::LastFido2Try(serial)),
        left => Ok(Ready { least: facts.pin_length, left }),
    }
}

pub(super) fn long_enough(serial: Serial, pin: &Fido2Pin, least: u8) -> Result<(), PinError> {
    match pin.expose_typed().len() >= usize::from(least) {
        true => Ok(()),
        false => Err(PinError::ShortForFido2 { serial, least }),
    }
}

/// The FIDO2 PIN after the PIV PIN, from the same typed value to the same typed value: each is sent once.
///
/// # Errors
/// [`PinError::Fido2Behind`], with which the FIDO2 PIN is as it was unless the key did not answer;
/// [`PinError::Fido2Unrecorded`].
pub fn follow(
    key: &mut dyn Key,
    side: &mut dyn Authenticator,
    operator: &mut dyn Operator,
    before: &Pin,
    now: &Pin,
    ledger: Ledger<'_>,
) -> Result<Record, PinError> {
    let serial = key.serial();
    let (present, new) = (Fido2Pin::same_as_piv(before), Fido2Pin::same_as_piv(now));
    side.change_pin(&present, &new).map_err(|cause| PinError::Fido2Behind { serial, cause })?;
    put_on_record(KeyPinChanged::FIDO2_SHARED, key, operator, now, ledger)
}

/// The FIDO2 PIN by itself:
///
/// 1. 9E proves that this is the enrolled key. Tries of both PINs are looked at.
/// 2. The PIV PIN is asked for, which signs the record, and checked; then the present FIDO2 PIN and a new one.
/// 3. The key changes it. The present value is sent once.
/// 4. 9C signs `key.pin-changed`, which says whether the new one is the PIV PIN.
///
/// `shared_now`: the journal says that the FIDO2 PIN is the PIV PIN. Where it does not, the PIV PIN can be set again, so
/// that a change whose record was lost is put on record.
///
/// # Errors
/// [`PinError`]. Only [`PinError::Fido2Unrecorded`] means that the value is changed.
pub fn change(
    key: &mut dyn Key,
    side: &mut dyn Authenticator,
    operator: &mut dyn Operator,
    spend_last_try: bool,
    shared_now: bool,
    mut ledger: Ledger<'_>,
) -> Result<Record, PinError> {
    let serial = key.serial();
    prove(key, &mut ledger)?;
    let Ready { least, left } = ready(side, spend_last_try)?;
    let tries = enough_tries(key, Ask::Pin, spend_last_try)?;
    let pin = operator.pin(Ask::Pin, serial, tries)?;
    key.verify_pin(&pin)?;
    let present = operator.fido2_pin(serial, left)?;
    let new = operator.new_fido2_pin(serial, least)?;
    long_enough(serial, &new, least)?;
    let same_as_piv = new.same_as(&Fido2Pin::same_as_piv(&pin));
    if new.same_as(&present) && (shared_now || !same_as_piv) {
        return Err(PinError::Fido2Unchanged);
    }
    side.change_pin(&present, &new).map_err(|cause| PinError::Fido2 { serial, cause })?;
    let word = if same_as_piv { KeyPinChanged::FIDO2_SHARED } else { KeyPinChanged::FIDO2_OWN };
    put_on_record(word, key, operator, &pin, ledger)
}

fn put_on_record(
    word: &str,
    key: &mut dyn Key,
    operator: &mut dyn Operator,
    pin: &Pin,
    mut ledger: Ledger<'_>,
) -> Result<Record, PinError> {
    let serial = key.serial();
    // The PIN is sent once more, so the key proves itself once more.
    let proven = prove(key, &mut ledger).map_err(Unrecorded::from);
    let recorded = proven.and_then(|()| record(word, key, operator, pin, ledger));
    recorded.map_err(|cause| PinError::Fido2Unrecorded { serial, cause })
}

fn prove(key: &mut dyn Key, ledger: &mut Ledger<'_>) -> Result<(), DeviceError> {
    let Some(presence) = &ledger.presence else { return Ok(()) };
    key.prove_presence(presence, &(ledger.nonce)())
}
