//! Version range -> behaviour. Each row names its page in `firmware-notes/`.
//!
//! A key's firmware never changes, so what a row says holds for the key's whole life.

use crate::attestation::{Firmware, PinPolicy, Slot, TouchPolicy};
use crate::secret::ManagementAlgorithm;

mod advisory;

pub use advisory::{Advisory, Severity, advisories};

/// What keys do from one firmware version on, until the next row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// First version that behaves so.
    pub from: Firmware,
    /// The page about it, below `firmware-notes/`.
    pub page: &'static str,
    /// Takes extended-length APDUs over USB.
    pub extended_apdu: bool,
    /// Tells device information in the management application.
    pub device_info: bool,
    /// Attests keys, and knows the cached touch (15 s).
    pub attestation: bool,
    /// Tells its serial number in the PIV application (INS F8).
    pub serial: bool,
    /// GET METADATA (INS F7): tries, policies, origin, and whether a value is still the factory's.
    pub metadata: bool,
    /// The management key that it leaves the factory with; its bytes are always the same.
    pub factory_management_key: ManagementAlgorithm,
    /// The strongest management key that it takes.
    pub strongest_management_key: ManagementAlgorithm,
    /// How the verified PIN is taken back.
    pub forget_pin: ForgetPin,
    /// What the 6 to 8 of a PIN counts.
    pub pin_unit: PinUnit,
    /// May refuse PINs and PUKs that are too simple.
    pub pin_complexity: bool,
    /// How long the key cannot be reached after a switch between FIDO and PIV over USB.
    pub reclaim_seconds: u8,
    /// Moves and deletes keys (INS F6).
    pub move_key: bool,
    /// A FIPS key of this version can have a key that needs no PIN.
    pub fips_without_pin: bool,
}

/// How a verified PIN is taken back without taking the key out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ForgetPin {
    /// Only by selecting another application.
    SelectAnother,
    /// Also by VERIFY with P1 FF (`00 20 FF 80`).
    VerifyFf,
}

/// What the length of a PIN counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PinUnit {
    /// Bytes.
    Bytes,
    /// Unicode code points, within 8 bytes; a PUK is ASCII.
    CodePoints,
}

/// What keys with that firmware do. Versions before the first row have no row of their own and behave as it says;
/// versions after the last row are taken to behave as it says, and [`advisories`] warns of them.
pub fn behaviour(firmware: Firmware) -> &'static Row {
    ROWS.iter().rev().find(|row| row.from <= firmware).unwrap_or(&ROWS[0])
}

/// The policy that the key in `slot` is generated with: [`Slot::policy`], but for 9E of FIPS keys that refuse a key
/// without PIN. Such a key cannot prove its presence before a PIN, and every message says so.
pub fn policy(slot: Slot, firmware: Firmware, fips: bool) -> (PinPolicy, TouchPolicy) {
    match slot.policy() {
        (PinPolicy::Never, touch) if fips && !behaviour(firmware).fips_without_pin => {
            (PinPolicy::Once, touch)
        }
        usual => usual,
    }
}

const fn v(major: u8, minor: u8, patch: u8) -> Firmware {
    Firmware::new(major, minor, patch)
}

const NEO: Row = Row {
    from: v(0, 0, 0),
    page: "3.x.md",
    extended_apdu: false,
    device_info: false,
    attestation: false,
    serial: false,
    metadata: false,
    factory_management_key: ManagementAlgorithm::TripleDes,
    strongest_management_key: ManagementAlgorithm::TripleDes,
    forget_pin: ForgetPin::SelectAnother,
    pin_unit: PinUnit::Bytes,
    pin_complexity: false,
    reclaim_seconds: 3,
    move_key: false,
    fips_without_pin: true,
};
const FOUR: Row = Row { from: v(4, 0, 0), page: "4.x.md", extended_apdu: true, ..NEO };
const FOUR_ONE: Row = Row { from: v(4, 1, 0), device_info: true, ..FOUR };
const FOUR_THREE: Row = Row { from: v(4, 3, 0), attestation: true, ..FOUR_ONE };
const FOUR_FOUR: Row = Row { from: v(4, 4, 0), fips_without_pin: false, ..FOUR_THREE };
const FIVE: Row = Row { from: v(5, 0, 0), page: "5.0-5.2.md", fips_without_pin: true, ..FOUR_THREE };
const FIVE_0_3: Row = Row { from: v(5, 0, 3), serial: true, ..FIVE };
const FIVE_THREE: Row = Row { from: v(5, 3, 0), page: "5.3.md", metadata: true, ..FIVE_0_3 };
const FIVE_FOUR: Row = Row { from: v(5, 4, 0), page: "5.4.md", ..FIVE_THREE };
// ykman takes AES from 5.4.0, Yubico's SDK and documents from 5.4.2: the later one is safe.
const FIVE_4_2: Row =
    Row { from: v(5, 4, 2), strongest_management_key: ManagementAlgorithm::Aes256, ..FIVE_FOUR };
const FIVE_4_3: Row = Row { from: v(5, 4, 3), forget_pin: ForgetPin::VerifyFf, ..FIVE_4_2 };
const FIVE_FIVE: Row = Row { from: v(5, 5, 0), page: "5.5-5.6.md", ..FIVE_4_3 };
const FIVE_SIX: Row = Row { from: v(5, 6, 0), reclaim_seconds: 0, ..FIVE_FIVE };
const FIVE_SEVEN: Row = Row {
    from: v(5, 7, 0),
    page: "5.7.0-5.7.3.md",
    factory_management_key: ManagementAlgorithm::Aes192,
    pin_unit: PinUnit::CodePoints,
    pin_complexity: true,
    move_key: true,
    ..FIVE_SIX
};
const FIVE_7_1: Row = Row { from: v(5, 7, 1), fips_without_pin: false, ..FIVE_SEVEN };
const FIVE_7_4: Row = Row { from: v(5, 7, 4), page: "5.7.4.md", ..FIVE_7_1 };
const FIVE_EIGHT: Row = Row { from: v(5, 8, 0), page: "5.8.md", ..FIVE_7_4 };

/// Sorted by version; each row says only what changes.
const ROWS: [Row; 17] = [
    NEO, FOUR, FOUR_ONE, FOUR_THREE, FOUR_FOUR, FIVE, FIVE_0_3, FIVE_THREE, FIVE_FOUR, FIVE_4_2, FIVE_4_3,
    FIVE_FIVE, FIVE_SIX, FIVE_SEVEN, FIVE_7_1, FIVE_7_4, FIVE_EIGHT,
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn rows_are_sorted_and_cover_every_version() {
        assert!(ROWS.is_sorted_by(|a, b| a.from < b.from));
        assert_eq!(behaviour(v(0, 0, 0)).from, v(0, 0, 0));
        for row in &ROWS {
            assert_eq!(behaviour(row.from), row);
        }
        assert_eq!(behaviour(v(5, 7, 3)).from, v(5, 7, 1));
        assert_eq!(behaviour(v(255, 255, 255)).from, v(5, 8, 0));
    }

    #[test]
    fn each_row_has_its_page_and_each_page_its_row() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-notes");
        let named: BTreeSet<String> = ROWS.iter().map(|row| row.page.to_string()).collect();
        let there: BTreeSet<String> = std::fs::read_dir(folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name != "README.md")
            .collect();
        assert_eq!(named, there);
    }

    #[test]
    fn each_page_says_what_was_not_seen_on_a_real_key() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("firmware-notes");
        for page in ROWS.iter().map(|row| row.page).collect::<BTreeSet<_>>() {
            let text = std::fs::read_to_string(folder.join(page)).unwrap();
            for part in ["## What breakglass does", "## What is known", "## Not yet seen on a real key"] {
                assert_eq!(text.matches(part).count(), 1, "{page}: {part}");
            }
        }
    }

    #[test]
    fn what_changes_changes_at_its_version() {
        let last_without =
            |has: fn(&Row) -> bool| ROWS.iter().rev().find(|row| !has(row)).map(|row| row.from);
        let first_with = |has: fn(&Row) -> bool| ROWS.iter().find(|row| has(row)).map(|row| row.from);
        type Has = fn(&Row) -> bool;
        let since: [(Has, Firmware); 10] = [
            (|row| row.extended_apdu, v(4, 0, 0)),
            (|row| row.device_info, v(4, 1, 0)),
            (|row| row.attestation, v(4, 3, 0)),
            (|row| row.serial, v(5, 0, 3)),
            (|row| row.metadata, v(5, 3, 0)),
            (|row| row.strongest_management_key == ManagementAlgorithm::Aes256, v(5, 4, 2)),
            (|row| row.forget_pin == ForgetPin::VerifyFf, v(5, 4, 3)),
            (|row| row.reclaim_seconds == 0, v(5, 6, 0)),
            (|row| row.factory_management_key == ManagementAlgorithm::Aes192, v(5, 7, 0)),
            (|row| row.pin_unit == PinUnit::CodePoints && row.pin_complexity && row.move_key, v(5, 7, 0)),
        ];
        for (has, version) in since {
            assert_eq!(first_with(has), Some(version));
            assert!(last_without(has) < Some(version), "{version}: it never goes away again");
        }
    }

    #[test]
    fn a_fips_key_has_a_pin_on_9e_where_it_must() {
        let presence = |firmware, fips| policy(Slot::Presence, firmware, fips).0;
        for (firmware, expected) in [
            (v(4, 4, 5), PinPolicy::Once),
            (v(5, 4, 3), PinPolicy::Never),
            (v(5, 7, 0), PinPolicy::Never),
            (v(5, 7, 1), PinPolicy::Once),
            (v(5, 8, 0), PinPolicy::Once),
        ] {
            assert_eq!(presence(firmware, true), expected, "{firmware}");
            assert_eq!(presence(firmware, false), PinPolicy::Never, "{firmware}");
        }
        for slot in [Slot::Signing, Slot::Sealing] {
            assert_eq!(policy(slot, v(5, 7, 4), true), slot.policy());
        }
    }
}
