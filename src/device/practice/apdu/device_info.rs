//! The management application: DeviceInfo, from which ykman knows what it has in hand (Yubico, "Management").

use super::tlv::element;
use crate::device::practice::{Profile, SimulatedKey};

/// Pages of DeviceInfo, each a length byte and TLVs. `None` beyond the last page.
pub(super) fn page(key: &SimulatedKey, page: u8) -> Option<Vec<u8>> {
    let body = match (key.profile, page) {
        (_, 0) => first(key),
        (Profile::Firmware574, 1) => second(key),
        _ => return None,
    };
    Some([&[body.len() as u8], &body[..]].concat())
}

/// What SELECT of the management application answers.
pub(super) fn greeting(key: &SimulatedKey) -> Vec<u8> {
    format!("Virtual mgr - FW version {}", key.profile.firmware()).into_bytes()
}

fn first(key: &SimulatedKey) -> Vec<u8> {
    let firmware = key.profile.firmware();
    let mut body = [
        element(0x01, &[0x02, 0x3F]),                // supported over USB
        element(0x02, &key.serial.0.to_be_bytes()),  //
        element(0x03, &[0x02, 0x3F]),                // enabled over USB
        element(0x04, &[key.profile.form_factor()]), //
        element(0x05, &[firmware.major, firmware.minor, firmware.patch]), //
        element(0x06, &[0, 0]),                      // auto-eject after
        element(0x07, &[0x0F]),                      // challenge-response timeout
        element(0x08, &[0]),                         // device flags
        element(0x0D, &[0x02, 0x3F]),                // supported over NFC
        element(0x0E, &[0x02, 0x3F]),                // enabled over NFC
        element(0x0A, &[0]),                         // not locked
        element(0x0F, &[0]),                         // no reboot pending
    ]
    .concat();
    if key.profile == Profile::Firmware574 {
        body.extend(element(0x10, &[1])); // there is another page
    }
    body
}

fn second(key: &SimulatedKey) -> Vec<u8> {
    [
        element(0x14, &[0, 0]),                     // FIPS capable
        element(0x15, &[0, 0]),                     // FIPS approved
        element(0x16, &[u8::from(key.complexity)]), // PIN complexity
        element(0x17, &[0]),                        // NFC restricted
        element(0x18, &[0, 0]),                     // reset blocked
    ]
    .concat()
}
