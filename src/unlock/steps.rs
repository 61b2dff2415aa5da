//! What is done with one key, whether it helps to open or is drilled: made ready, asked for its FIDO2 half, touched.

use std::borrow::Cow;

use p256::PublicKey;

use super::Fido2Asked;
use crate::device::fido2::HmacSecret;
use crate::device::{Agree, DeviceError, Key};
use crate::kit::Kit;
use crate::kit::sealed::{self, UnsealError};
use crate::record::token::Record;
use crate::signing::{Caution, Signer, SigningError, Station, TOUCHES};

/// Proves the key, brings its head and the journal together, and sees that its FIDO2 side can be asked where it is to be.
/// No PIN yet.
pub(super) fn ready(
    key: Box<dyn Key>,
    station: &mut Station,
    kit: &mut Kit,
    caution: &Caution,
    asked: Option<&Fido2Asked>,
) -> Result<Signer, SigningError> {
    let mut signer = Signer::ready_on(key, station, kit, caution)?;
    if let Some(asked) = asked {
        signer.ready_fido2(station, kit, &asked.enrolled)?;
    }
    Ok(signer)
}

/// What the FIDO2 side of a key gave.
pub(super) struct Half {
    /// Opens the outer layer of the key's file.
    pub(super) secret: HmacSecret,
    /// Why its assertion is not on record, if it is not.
    pub(super) unrecorded: Option<SigningError>,
}

/// One assertion over a durable record of that key, recorded, with the half that it gives; `None` where FIDO2 is not asked.
pub(super) fn half(
    signer: &mut Signer,
    station: &mut Station,
    kit: &mut Kit,
    record: &Record,
    asked: Option<&Fido2Asked>,
    purpose: &str,
) -> Result<Option<Half>, SigningError> {
    let Some(asked) = asked else { return Ok(None) };
    let asserted = signer.assert_over(station, kit, record, asked.salt, purpose)?;
    let movement = asserted.movement;
    let unrecorded = asserted.recorded.err();
    station.operator.progress(&match &unrecorded {
        None => format!("counted and on disk: {movement}"),
        Some(cause) => format!("{movement}; not on record: {cause}"),
    });
    Ok(Some(Half { secret: asserted.secret, unrecorded }))
}

/// A key's own file without its outer layer, where it has one.
pub(super) fn inner<'f>(file: &'f [u8], half: Option<&Half>) -> Result<Cow<'f, [u8]>, UnsealError> {
    Ok(match half {
        Some(half) => Cow::Owned(sealed::open_envelope(file, &half.secret)?),
        None => Cow::Borrowed(file),
    })
}

/// Has the key unwrap something, and asks for the touch again where it was missed: the PIN stays good for 82.
pub(super) fn touched<T>(
    signer: &mut Signer,
    station: &mut Station,
    purpose: &str,
    unwrap: impl Fn(&PublicKey, &mut dyn Agree) -> Result<T, UnsealError>,
) -> Result<T, UnsealError> {
    let serial = signer.serial;
    let mut missed = 0;
    loop {
        signer.touches += 1;
        station.operator.touch(serial, purpose);
        match unwrap(&signer.sealing, signer.key.as_mut()) {
            Err(UnsealError::Device(DeviceError::NotTouched)) if missed + 1 < TOUCHES => {
                missed += 1;
                station.operator.progress(&format!("{serial} was not touched in time; once more"));
            }
            outcome => return outcome,
        }
    }
}
