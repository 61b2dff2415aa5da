//! GET METADATA (Yubico, firmware 5.3): what a key says of a slot, the PIN, the PUK or the management key. Unsigned.

use super::apdu::Command;
use super::tlv::{self, Tlv};
use crate::device::{DeviceError, SlotMetadata, Tries};
use crate::secret::ManagementAlgorithm;

/// PIV algorithm identifier of ECC on P-256.
pub(super) const P256: u8 = 0x11;

/// The longest answer is that of an RSA-4096 slot, about 530 bytes.
const MOST: usize = 1_024;

pub(super) fn command(name: &'static str, reference: u8) -> Command {
    Command::read(name, [0, 0xF7, 0, reference], &[], MOST)
}

pub(super) fn slot(command: &Command, data: &[u8]) -> Result<SlotMetadata, DeviceError> {
    let elements = elements(command, data)?;
    let algorithm = byte(command, &elements, 0x01)?;
    let policy = match tlv::find(&elements, 0x02) {
        Some([pin, touch]) => (*pin, *touch),
        _ => return Err(command.malformed("it has no policy of two bytes")),
    };
    let origin = byte(command, &elements, 0x03)?;
    let public = match tlv::find(&elements, 0x04) {
        Some(public) if algorithm == P256 => Some(point(command, public)?),
        _ => None,
    };
    Ok(SlotMetadata { algorithm, policy, origin, public })
}

pub(super) fn tries(command: &Command, data: &[u8]) -> Result<Tries, DeviceError> {
    let elements = elements(command, data)?;
    let factory = tlv::find(&elements, 0x05).and_then(|value| value.first()).map(|byte| *byte != 0);
    match tlv::find(&elements, 0x06) {
        Some([total, left]) if left <= total => Ok(Tries { left: *left, total: Some(*total), factory }),
        Some([_, _]) => Err(command.malformed("it has more tries left than there are")),
        _ => Err(command.malformed("it has no count of tries of two bytes")),
    }
}

pub(super) fn management_algorithm(
    command: &Command,
    data: &[u8],
) -> Result<ManagementAlgorithm, DeviceError> {
    let elements = elements(command, data)?;
    match tlv::find(&elements, 0x01) {
        None => Ok(ManagementAlgorithm::TripleDes),
        Some([identifier]) => ManagementAlgorithm::from_identifier(*identifier)
            .ok_or_else(|| command.malformed("its algorithm is not one of a management key")),
        Some(_) => Err(command.malformed("its algorithm is not one byte")),
    }
}

/// Whether PIN, PUK or management key is still the factory one (tag 05); required, as provisioning rests on it.
pub(super) fn factory(command: &Command, data: &[u8]) -> Result<bool, DeviceError> {
    byte(command, &elements(command, data)?, 0x05).map(|byte| byte != 0)
}

fn elements<'a>(command: &Command, data: &'a [u8]) -> Result<Vec<Tlv<'a>>, DeviceError> {
    tlv::all(data).map_err(|error| command.malformed(error.detail()))
}

fn byte(command: &Command, elements: &[Tlv<'_>], tag: u16) -> Result<u8, DeviceError> {
    match tlv::find(elements, tag) {
        Some([byte]) => Ok(*byte),
        _ => Err(command.malformed("an element of one byte is missing")),
    }
}

/// `86 41 04 X Y`; only the uncompressed form, only on the curve.
pub(super) fn point(command: &Command, value: &[u8]) -> Result<p256::PublicKey, DeviceError> {
    let point = tlv::only(value, 0x86).map_err(|error| command.malformed(error.detail()))?;
    if point.len() != 65 || point[0] != 4 {
        return Err(command.malformed("its public key is not an uncompressed point"));
    }
    p256::PublicKey::from_sec1_bytes(point)
        .map_err(|_| command.malformed("its public key is not on the curve"))
}
