//! The plain facts that name a key everywhere: serial number, firmware, slot, policies.

use std::fmt;

/// Serial number printed on the key, as in extension 1.3.6.1.4.1.41482.3.7 and the PIV command F8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct Serial(pub u32);

impl fmt::Display for Serial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl std::str::FromStr for Serial {
    type Err = std::num::ParseIntError;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse().map(Serial)
    }
}

/// Firmware version, three bytes, as in extension 1.3.6.1.4.1.41482.3.3 and the PIV command FD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Firmware {
    /// First number.
    pub major: u8,
    /// Second number.
    pub minor: u8,
    /// Third number.
    pub patch: u8,
}

impl Firmware {
    /// `major.minor.patch`
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Firmware { major, minor, patch }
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

impl std::str::FromStr for Firmware {
    type Err = &'static str;
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut parts = text.split('.').map(str::parse::<u8>);
        match (parts.next(), parts.next(), parts.next(), parts.next()) {
            (Some(Ok(major)), Some(Ok(minor)), Some(Ok(patch)), None) => Ok(Firmware { major, minor, patch }),
            _ => Err("a firmware version is three numbers, as in 5.7.4"),
        }
    }
}

impl serde::Serialize for Firmware {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> serde::Deserialize<'de> for Firmware {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

/// The slots that the kit uses: three keys with three duties on every key, and three more that mint where the policy
/// wants it, one for each kind of trust store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Slot {
    /// 9C: signs records. PIN always, touch cached.
    Signing,
    /// 82: unwraps sealed files by ECDH. PIN once, touch always.
    Sealing,
    /// 9E: signs a nonce before anyone types a PIN. No PIN, no touch.
    Presence,
    /// 83: signs SSH certificates. PIN always, touch always.
    SshAuthority,
    /// 84: signs X.509 client certificates. PIN always, touch always.
    X509Authority,
    /// 85: signs tokens. PIN always, touch always.
    Tokens,
}

impl Slot {
    /// The slots of every key, in the order in which they are provisioned.
    pub const CORE: [Slot; 3] = [Slot::Signing, Slot::Sealing, Slot::Presence];
    /// The slots that mint, in the order in which they are provisioned.
    pub const MINTING: [Slot; 3] = [Slot::SshAuthority, Slot::X509Authority, Slot::Tokens];
    /// All of them.
    pub const EVERY: [Slot; 6] =
        [Slot::Signing, Slot::Sealing, Slot::Presence, Slot::SshAuthority, Slot::X509Authority, Slot::Tokens];

    /// PIV key reference, one byte.
    pub const fn number(self) -> u8 {
        match self {
            Slot::Signing => 0x9C,
            Slot::Sealing => 0x82,
            Slot::Presence => 0x9E,
            Slot::SshAuthority => 0x83,
            Slot::X509Authority => 0x84,
            Slot::Tokens => 0x85,
        }
    }

    /// The PIN and touch policy that this slot's key is generated with.
    pub const fn policy(self) -> (PinPolicy, TouchPolicy) {
        match self {
            Slot::Signing => (PinPolicy::Always, TouchPolicy::Cached),
            Slot::Sealing => (PinPolicy::Once, TouchPolicy::Always),
            Slot::Presence => (PinPolicy::Never, TouchPolicy::Never),
            Slot::SshAuthority | Slot::X509Authority | Slot::Tokens => {
                (PinPolicy::Always, TouchPolicy::Always)
            }
        }
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02X}", self.number())
    }
}

/// When a key asks for the PIN; first byte of extension 1.3.6.1.4.1.41482.3.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum PinPolicy {
    /// Not at all.
    Never = 1,
    /// Once per session.
    Once = 2,
    /// Directly before each use.
    Always = 3,
    /// Fingerprint or PIN once (Bio).
    MatchOnce = 4,
    /// Fingerprint or PIN always (Bio).
    MatchAlways = 5,
}

/// When a key asks for a touch; second byte of extension 1.3.6.1.4.1.41482.3.8.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum TouchPolicy {
    /// Not at all.
    Never = 1,
    /// For each use.
    Always = 2,
    /// For each use, but 15 seconds apart at least.
    Cached = 3,
}

impl PinPolicy {
    /// The policy of that byte, if it is one.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => PinPolicy::Never,
            2 => PinPolicy::Once,
            3 => PinPolicy::Always,
            4 => PinPolicy::MatchOnce,
            5 => PinPolicy::MatchAlways,
            _ => return None,
        })
    }
}

impl fmt::Display for PinPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            PinPolicy::Never => "never",
            PinPolicy::Once => "once",
            PinPolicy::Always => "always",
            PinPolicy::MatchOnce => "match once",
            PinPolicy::MatchAlways => "match always",
        })
    }
}

impl TouchPolicy {
    /// The policy of that byte, if it is one.
    pub const fn from_byte(byte: u8) -> Option<Self> {
        Some(match byte {
            1 => TouchPolicy::Never,
            2 => TouchPolicy::Always,
            3 => TouchPolicy::Cached,
            _ => return None,
        })
    }
}

impl fmt::Display for TouchPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            TouchPolicy::Never => "never",
            TouchPolicy::Always => "always",
            TouchPolicy::Cached => "cached",
        })
    }
}

/// Shape of a key; extension 1.3.6.1.4.1.41482.3.9 without its mark bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FormFactor {
    /// 01
    UsbAKeychain,
    /// 02
    UsbANano,
    /// 03
    UsbCKeychain,
    /// 04
    UsbCNano,
    /// 05
    UsbCLightning,
    /// 06
    UsbABio,
    /// 07
    UsbCBio,
    /// A shape that came after this tool.
    Unknown(u8),
}

impl FormFactor {
    /// The shape that the low six bits of the byte name.
    pub const fn from_byte(byte: u8) -> Self {
        match byte & 0x3F {
            1 => FormFactor::UsbAKeychain,
            2 => FormFactor::UsbANano,
            3 => FormFactor::UsbCKeychain,
            4 => FormFactor::UsbCNano,
            5 => FormFactor::UsbCLightning,
            6 => FormFactor::UsbABio,
            7 => FormFactor::UsbCBio,
            other => FormFactor::Unknown(other),
        }
    }
}

impl fmt::Display for FormFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FormFactor::UsbAKeychain => "USB-A keychain",
            FormFactor::UsbANano => "USB-A nano",
            FormFactor::UsbCKeychain => "USB-C keychain",
            FormFactor::UsbCNano => "USB-C nano",
            FormFactor::UsbCLightning => "USB-C and Lightning",
            FormFactor::UsbABio => "USB-A with fingerprint reader",
            FormFactor::UsbCBio => "USB-C with fingerprint reader",
            FormFactor::Unknown(byte) => return write!(f, "unknown form {byte:02X}"),
        })
    }
}
