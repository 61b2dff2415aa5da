//! What Yubico's extensions say, byte for byte as keys write them.

use x509_cert::der::Decode;
use x509_cert::spki::ObjectIdentifier;

use super::certificate::{Certificate, readable};
use super::error::{AttestationError, Part};
use super::facts::{Firmware, FormFactor, PinPolicy, Serial, TouchPolicy};
use super::oid;

/// What the leaf says beside its key.
pub(super) struct LeafClaims {
    pub(super) serial: Option<Serial>,
    pub(super) firmware: Firmware,
    pub(super) slot: u8,
    pub(super) pin_policy: PinPolicy,
    pub(super) touch_policy: TouchPolicy,
    pub(super) form_factor: Option<FormFactor>,
    pub(super) fips: bool,
}

/// What the device certificate says.
pub(super) struct DeviceMarks {
    pub(super) fips: bool,
    pub(super) cspn: bool,
}

pub(super) fn leaf_claims(leaf: &Certificate) -> Result<LeafClaims, AttestationError> {
    let firmware = firmware(leaf, Part::Leaf)?.ok_or_else(|| missing("firmware", oid::FIRMWARE))?;
    let serial =
        leaf.extension(oid::SERIAL).map(|value| integer(Part::Leaf, "serial number", value)).transpose()?;
    let policy = leaf.extension(oid::POLICY).ok_or_else(|| missing("policies", oid::POLICY))?;
    let [pin, touch] = exactly(Part::Leaf, "policy", policy)?;
    let unknown = |detail| AttestationError::BadExtension { part: Part::Leaf, name: "policy", detail };
    let form = leaf.extension(oid::FORM_FACTOR).map(|v| exactly(Part::Leaf, "form factor", v)).transpose()?;
    Ok(LeafClaims {
        serial: serial.map(Serial),
        firmware,
        slot: slot(leaf)?,
        pin_policy: PinPolicy::from_byte(pin)
            .ok_or_else(|| unknown("its PIN policy is none that is known"))?,
        touch_policy: TouchPolicy::from_byte(touch)
            .ok_or_else(|| unknown("its touch policy is none that is known"))?,
        form_factor: form.map(|[byte]| FormFactor::from_byte(byte)),
        fips: form.is_some_and(|[byte]: [u8; 1]| byte & 0x80 != 0),
    })
}

pub(super) fn device_marks(device: &Certificate) -> Result<DeviceMarks, AttestationError> {
    firmware(device, Part::Device)?;
    let mark = |id, name| match device.extension(id) {
        Some(value) => integer(Part::Device, name, value).map(|_| true),
        None => Ok(false),
    };
    Ok(DeviceMarks { fips: mark(oid::FIPS, "FIPS mark")?, cspn: mark(oid::CSPN, "CSPN mark")? })
}

/// The slot of `CN=YubiKey PIV Attestation 9c`.
fn slot(leaf: &Certificate) -> Result<u8, AttestationError> {
    let subject = readable(leaf.subject());
    let digits = subject.strip_prefix("CN=YubiKey PIV Attestation ").unwrap_or_default();
    let hex = digits.len() == 2 && digits.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
    match u8::from_str_radix(digits, 16) {
        Ok(slot) if hex && matches!(slot, 0x9A | 0x9C | 0x9D | 0x9E | 0x82..=0x95) => Ok(slot),
        _ => Err(AttestationError::NoSlot { subject }),
    }
}

fn firmware(certificate: &Certificate, part: Part) -> Result<Option<Firmware>, AttestationError> {
    let value = certificate.extension(oid::FIRMWARE);
    let bytes = value.map(|value| exactly(part, "firmware", value)).transpose()?;
    Ok(bytes.map(|[major, minor, patch]| Firmware::new(major, minor, patch)))
}

fn missing(name: &'static str, extension: ObjectIdentifier) -> AttestationError {
    AttestationError::MissingExtension { part: Part::Leaf, name, extension }
}

/// Raw bytes, of one length only: a value that is wrapped in DER is longer, and no key writes it.
fn exactly<const N: usize>(
    part: Part,
    name: &'static str,
    value: &[u8],
) -> Result<[u8; N], AttestationError> {
    let detail = "it has another length than a key writes";
    value.try_into().map_err(|_| AttestationError::BadExtension { part, name, detail })
}

/// A DER INTEGER from 0 to 2^32 - 1, in the fewest bytes.
fn integer(part: Part, name: &'static str, value: &[u8]) -> Result<u32, AttestationError> {
    let detail = "it is not a DER INTEGER of up to 32 bits";
    u32::from_der(value).map_err(|_| AttestationError::BadExtension { part, name, detail })
}
