//! The two firmware lines that a simulated key can have.

use serde::{Deserialize, Serialize};

use crate::attestation::Firmware;
use crate::secret::ManagementAlgorithm;

/// A firmware line: what differs between keys of the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Profile {
    /// 5.4.3: management key 3DES by default, no MOVE or DELETE KEY.
    #[serde(rename = "5.4.3")]
    Firmware543,
    /// 5.7.4: management key AES-192 by default, MOVE and DELETE KEY, PUK bytes below 80.
    #[serde(rename = "5.7.4")]
    Firmware574,
}

impl Profile {
    /// The version that the key says it has.
    pub const fn firmware(self) -> Firmware {
        match self {
            Profile::Firmware543 => Firmware::new(5, 4, 3),
            Profile::Firmware574 => Firmware::new(5, 7, 4),
        }
    }

    /// Algorithm of the factory management key.
    pub const fn factory_management(self) -> ManagementAlgorithm {
        match self {
            Profile::Firmware543 => ManagementAlgorithm::TripleDes,
            Profile::Firmware574 => ManagementAlgorithm::Aes192,
        }
    }

    /// Whether it knows MOVE KEY and DELETE KEY (5.7 and later).
    pub const fn moves_keys(self) -> bool {
        matches!(self, Profile::Firmware574)
    }

    /// Whether bytes from 80 on are refused in a PUK (5.7 and later).
    pub const fn ascii_puk(self) -> bool {
        matches!(self, Profile::Firmware574)
    }

    /// CTAP versions that getInfo tells.
    pub(super) const fn ctap_versions(self) -> &'static [&'static str] {
        match self {
            Profile::Firmware543 => &["U2F_V2", "FIDO_2_0", "FIDO_2_1_PRE"],
            Profile::Firmware574 => &["U2F_V2", "FIDO_2_0", "FIDO_2_1_PRE", "FIDO_2_1"],
        }
    }

    /// Subject of the attestation certificate F9, as on a real key of that line.
    pub(super) const fn device_subject(self) -> &'static str {
        match self {
            Profile::Firmware543 => "CN=Yubico PIV Attestation",
            Profile::Firmware574 => "CN=YubiKey PIV Attestation",
        }
    }

    /// Form factor byte of DeviceInfo and of attestation: 01 is USB-A, 03 USB-C.
    pub(super) const fn form_factor(self) -> u8 {
        match self {
            Profile::Firmware543 => 0x01,
            Profile::Firmware574 => 0x03,
        }
    }
}

impl std::str::FromStr for Profile {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "5.4.3" => Ok(Profile::Firmware543),
            "5.7.4" => Ok(Profile::Firmware574),
            _ => Err("a simulated key has firmware 5.4.3 or 5.7.4"),
        }
    }
}
