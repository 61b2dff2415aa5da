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
        None if algorithm == P256 => return Err(command.malformed("its public key is missing")),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::piv::scripted::{error, hex, public};

    const SLOT: &str = "010111 02020302 030101 0443 8641";

    fn point_of(bytes: &[u8]) -> Result<SlotMetadata, DeviceError> {
        slot(&command("METADATA", 0x9C), &[&hex(SLOT)[..], bytes].concat())
    }

    #[test]
    fn a_slot_is_read_as_yubico_documents_it() {
        let found = point_of(&public().to_sec1_bytes()).expect("a good slot");
        assert_eq!((found.algorithm, found.policy, found.origin), (0x11, (3, 2), 1));
        assert_eq!(found.public, Some(public().into()));
        let rsa =
            slot(&command("METADATA", 0x9A), &hex("010107 02020201 030102 0405 8101038200")).expect("RSA");
        assert_eq!((rsa.algorithm, rsa.public), (0x07, None));
    }

    #[test]
    fn only_a_point_of_the_curve_is_a_public_key() {
        let good = public().to_sec1_bytes().to_vec();
        let mut off_curve = good.clone();
        off_curve[64] ^= 1;
        let mut hybrid = good.clone();
        hybrid[0] = 6;
        for (bad, detail) in [
            (off_curve, "its public key is not on the curve"),
            (hybrid, "its public key is not an uncompressed point"),
            ([&[4][..], &[0; 64]].concat(), "its public key is not on the curve"),
            ([&[4][..], &[0xFF; 64]].concat(), "its public key is not on the curve"),
        ] {
            assert!(matches!(error(point_of(&bad)), DeviceError::Malformed { detail: d, .. } if d == detail));
        }
        let compressed = [&hex("010111 02020302 030101 0423 8621")[..], &[2], &good[1..33]].concat();
        assert!(slot(&command("METADATA", 0x9C), &compressed).is_err());
        assert!(slot(&command("METADATA", 0x9C), &hex("010111 02020302 030101 0402 8600")).is_err());
        assert!(slot(&command("METADATA", 0x9C), &hex("010111 02020302 030101")).is_err());
    }

    #[test]
    fn tries_are_those_left_of_those_there_are() {
        let read = |text| tries(&command("METADATA", 0x80), &hex(text));
        let found = read("0101FF 050101 06020302").expect("good tries");
        assert_eq!(found, Tries { left: 2, total: Some(3), factory: Some(true) });
        assert_eq!(read("0602FFFF").expect("255 tries").left, 255);
        assert_eq!(read("06020300").expect("a blocked PIN").left, 0);
        for bad in ["0101FF 050101", "060103", "0603030303", "06020304", "06020303 06020303"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_management_key_is_3des_where_nothing_is_said() {
        let read = |text| management_algorithm(&command("METADATA", 0x9B), &hex(text));
        assert_eq!(read("01010A 02020001 050101").expect("AES-192"), ManagementAlgorithm::Aes192);
        assert_eq!(read("050101").expect("no algorithm"), ManagementAlgorithm::TripleDes);
        assert!(read("010111").is_err() && read("0102030A").is_err() && read("0100").is_err());
    }
}
