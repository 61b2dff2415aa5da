//! Changing PIN and PUK of an enrolled key, and unblocking the PIN. Each change leaves a record, signed by the key.
//! The FIDO2 PIN is changed after the PIV PIN where both are the same, and by itself ([`fido2`]).

use p256::ecdsa::VerifyingKey;

use super::access::{factory_pin, factory_puk};
use super::{Cause, name};
use crate::attestation::Serial;
use crate::device::fido2::Fido2Error;
use crate::device::{DeviceError, Key, Tries};
use crate::operator::{Ask, Operator, Unanswered};
use crate::record::event::{Event, KeyPinChanged};
use crate::record::token::{Draft, Record, RecordError};
use crate::secret::{Fido2Pin, Pin};

pub mod fido2;

/// What to change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// The PIN, by the present PIN.
    Pin,
    /// The PIN, by the PUK; the PIN's tries are full again.
    Unblock,
    /// The PUK, by the present PUK; the PIN is asked for too, to sign the record.
    Puk,
}

impl Change {
    /// As the record `key.pin-changed` names it.
    pub fn word(self) -> &'static str {
        match self {
            Change::Pin => "pin",
            Change::Unblock => "unblock",
            Change::Puk => "puk",
        }
    }

    /// What must be typed to be allowed the change.
    fn present(self) -> Ask {
        if self == Change::Pin { Ask::Pin } else { Ask::Puk }
    }
}

/// What the kit knows of the key, and where the record goes.
pub struct Ledger<'a> {
    /// The enrolled 9C key.
    pub signing: VerifyingKey,
    /// The enrolled 9E key; without one, no proof is asked for before the PIN.
    pub presence: Option<VerifyingKey>,
    /// Fresh random bytes for each proof.
    pub nonce: &'a mut dyn FnMut() -> [u8; 32],
    /// Puts an event at the end of the key's chain.
    pub link: &'a mut dyn FnMut(Event) -> Result<Draft, Cause>,
    /// Makes the record durable, and puts the chain head on the key.
    pub store: &'a mut dyn FnMut(&Record) -> Result<(), Cause>,
}

/// Why nothing, or not all, was done.
#[derive(Debug, thiserror::Error)]
pub enum PinError {
    /// One try is left, and nobody said that it may be spent. Nothing was sent.
    #[error("one try of the {} of key {serial} is left; it is not spent without being told so", name(*.ask))]
    LastTry {
        /// Which key.
        serial: Serial,
        /// PIN or PUK.
        ask: Ask,
    },
    /// A new value that is the factory one. Nothing was sent.
    #[error("the new {} is the factory one", name(*.0))]
    FactoryValue(Ask),
    /// The new value is the present one. Nothing was sent.
    #[error("the new {} is the present one", name(*.0))]
    Unchanged(Ask),
    /// The operator's PIN and the custodian's PUK. Nothing was changed.
    #[error("PIN and PUK are the same; whoever knows the one would know the other")]
    PinIsPuk,
    /// The new value is too short for the key's FIDO2 side. Nothing was changed.
    #[error("the FIDO2 side of key {serial} takes no PIN of fewer than {least} characters")]
    ShortForFido2 {
        /// Which key.
        serial: Serial,
        /// Least characters.
        least: u8,
    },
    /// The new FIDO2 PIN is the present one. Nothing was changed.
    #[error("the new FIDO2 PIN is the present one")]
    Fido2Unchanged,
    /// One try of the FIDO2 PIN is left, and nobody said that it may be spent. Nothing was sent.
    #[error("one try of the FIDO2 PIN of key {0} is left; it is not spent without being told so")]
    LastFido2Try(Serial),
    /// The FIDO2 side, or the way to it. Nothing was changed, as far as it answered.
    #[error("the FIDO2 side of key {serial}: {cause}")]
    Fido2 {
        /// Which key.
        serial: Serial,
        /// What happened.
        #[source]
        cause: Fido2Error,
    },
    /// The PIV PIN is changed and on record, the FIDO2 PIN is not.
    #[error("the PIN of key {serial} is changed and on record, but not its FIDO2 PIN: {cause}")]
    Fido2Behind {
        /// Which key.
        serial: Serial,
        /// What happened.
        #[source]
        cause: Fido2Error,
    },
    /// The FIDO2 PIN is changed, its record is not there.
    #[error("the FIDO2 PIN of key {serial} is changed, but the change is not on record")]
    Fido2Unrecorded {
        /// Which key.
        serial: Serial,
        /// Why.
        #[source]
        cause: Unrecorded,
    },
    /// Nobody answered.
    #[error(transparent)]
    Unanswered(#[from] Unanswered),
    /// The key. Nothing was changed.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// The change is made, its record is not.
    #[error("the {} of key {serial} is changed, but the change is not on record", name(*.ask))]
    Unrecorded {
        /// Which key.
        serial: Serial,
        /// PIN or PUK.
        ask: Ask,
        /// Why.
        #[source]
        cause: Unrecorded,
    },
}

/// Why a change that was made is not on record.
#[derive(Debug, thiserror::Error)]
pub enum Unrecorded {
    /// The record could not be linked.
    #[error("the record cannot be put into the key's chain")]
    Link(#[source] Cause),
    /// The record cannot be made.
    #[error("the record cannot be made")]
    Record(#[from] RecordError),
    /// It could not be signed.
    #[error("the record is not signed")]
    Signature(#[from] DeviceError),
    /// It could not be stored.
    #[error("the record is not stored")]
    Store(#[source] Cause),
}

/// What was changed, and the PINs that were typed for it.
#[derive(Debug)]
pub struct Changed {
    /// The record of it.
    pub record: Record,
    /// The PIN before, where that was typed.
    pub before: Option<Pin>,
    /// The PIN in force.
    pub now: Pin,
}

/// Changes it:
///
/// 1. 9E proves that this is the enrolled key, before anything is typed.
/// 2. Tries are looked at: a blocked value ends it, and the last try is spent only with `spend_last_try`.
/// 3. The present value and the new one are asked for and compared with the factory ones and with each other.
/// 4. The key changes it. The present value is sent once.
/// 5. 9C signs `key.pin-changed` with the PIN that is in force now, and the record is stored.
///
/// `least` is how many characters the FIDO2 side wants, where its PIN is to be changed to the same value afterwards
/// ([`fido2::follow`]).
///
/// # Errors
/// [`PinError`]. Only [`PinError::Unrecorded`] means that the value is changed.
pub fn change(
    what: Change,
    key: &mut dyn Key,
    operator: &mut dyn Operator,
    spend_last_try: bool,
    least: Option<u8>,
    ledger: Ledger<'_>,
) -> Result<Changed, PinError> {
    let serial = key.serial();
    if let Some(presence) = &ledger.presence {
        key.prove_presence(presence, &(ledger.nonce)())?;
    }
    let tries = enough_tries(key, what.present(), spend_last_try)?;
    let (before, now) = match what {
        Change::Pin => {
            let present = operator.pin(Ask::Pin, serial, tries)?;
            let new = new_value(operator, Ask::NewPin, serial, &present)?;
            if let Some(least) = least {
                fido2::long_enough(serial, &Fido2Pin::same_as_piv(&new), least)?;
            }
            key.change_pin(&present, &new)?;
            (Some(present), new)
        }
        Change::Unblock => {
            let puk = operator.pin(Ask::Puk, serial, tries)?;
            let new = new_pin_by_puk(operator, serial, &puk)?;
            key.unblock_pin(&puk, &new)?;
            (None, new)
        }
        Change::Puk => {
            let pin_tries = enough_tries(key, Ask::Pin, spend_last_try)?;
            let pin = operator.pin(Ask::Pin, serial, pin_tries)?;
            key.verify_pin(&pin)?;
            let present = operator.pin(Ask::Puk, serial, tries)?;
            let new = new_value(operator, Ask::NewPuk, serial, &present)?;
            if new.same_as(&pin) {
                return Err(PinError::PinIsPuk);
            }
            key.change_puk(&present, &new)?;
            (None, pin)
        }
    };
    match record(what.word(), key, operator, &now, ledger) {
        Ok(record) => Ok(Changed { record, before, now }),
        Err(cause) => {
            let ask = if what == Change::Puk { Ask::Puk } else { Ask::Pin };
            Err(PinError::Unrecorded { serial, ask, cause })
        }
    }
}

/// The tries to show, if they are enough to go on.
fn enough_tries(key: &mut dyn Key, ask: Ask, spend_last_try: bool) -> Result<Option<Tries>, PinError> {
    let (tries, blocked) = match ask {
        Ask::Pin | Ask::NewPin => (Some(key.pin_tries()?), DeviceError::PinBlocked),
        Ask::Puk | Ask::NewPuk => (key.puk_tries()?, DeviceError::PukBlocked),
    };
    match tries.map(|tries| tries.left) {
        Some(0) => Err(blocked.into()),
        Some(1) if !spend_last_try => Err(PinError::LastTry { serial: key.serial(), ask }),
        _ => Ok(tries),
    }
}

fn new_value(operator: &mut dyn Operator, ask: Ask, serial: Serial, present: &Pin) -> Result<Pin, PinError> {
    let new = operator.pin(ask, serial, None)?;
    let factory = if ask == Ask::NewPuk { factory_puk() } else { factory_pin() };
    if new.same_as(&factory) {
        return Err(PinError::FactoryValue(ask));
    }
    if new.same_as(present) {
        return Err(PinError::Unchanged(ask));
    }
    Ok(new)
}

/// Here the present value is the PUK, so that "the same" has another meaning.
fn new_pin_by_puk(operator: &mut dyn Operator, serial: Serial, puk: &Pin) -> Result<Pin, PinError> {
    match new_value(operator, Ask::NewPin, serial, puk) {
        Err(PinError::Unchanged(_)) => Err(PinError::PinIsPuk),
        other => other,
    }
}

fn record(
    what: &str,
    key: &mut dyn Key,
    operator: &mut dyn Operator,
    pin: &Pin,
    ledger: Ledger<'_>,
) -> Result<Record, Unrecorded> {
    let event = Event::KeyPinChanged(KeyPinChanged { what: what.to_owned() });
    let input = (ledger.link)(event).map_err(Unrecorded::Link)?.signing_input()?;
    operator.touch(key.serial(), "to sign the record of the change");
    let signature = key.sign_record(&ledger.signing, pin, &input.digest())?;
    let record = input.finish(&signature);
    (ledger.store)(&record).map_err(Unrecorded::Store)?;
    Ok(record)
}
