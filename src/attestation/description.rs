//! The facts in the form in which they are printed, and in which `--json` gives them.

use p256::elliptic_curve::sec1::ToSec1Point;

use super::{AttestedKey, Firmware, KeyFacts, Root, Serial};

/// [`KeyFacts`] for people and programs: stable field names, every value plain text or a number.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Description {
    /// Serial number, if told.
    pub serial: Option<Serial>,
    /// `major.minor.patch`
    pub firmware: Firmware,
    /// Two hexadecimal digits, upper case.
    pub slot: String,
    /// `P-256`, `P-384`, `RSA-2048`, `Ed25519`, or an object identifier.
    pub algorithm: String,
    /// The key in hexadecimal: an uncompressed point, or 32 bytes of Ed25519; none for other algorithms.
    pub public_key: Option<String>,
    /// Always true: no firmware attests an imported key.
    pub generated_on_key: bool,
    /// `never`, `once`, `always`, `match once`, `match always`.
    pub pin_policy: String,
    /// `never`, `always`, `cached`.
    pub touch_policy: String,
    /// In words, if told.
    pub form_factor: Option<String>,
    /// Sold as FIPS.
    pub fips: bool,
    /// Sold as CSPN.
    pub cspn: bool,
    /// `yubico`, `private` or `practice`.
    pub root: &'static str,
    /// Subject of Yubico's root; SHA-256 in hexadecimal of another one.
    pub root_name: String,
    /// Subjects from the device certificate up to the root.
    pub chain: Vec<String>,
}

impl From<&KeyFacts> for Description {
    fn from(facts: &KeyFacts) -> Self {
        let (algorithm, public_key) = match &facts.key {
            AttestedKey::P256(key) => {
                ("P-256".into(), Some(hex::encode(key.to_sec1_point(false).as_bytes())))
            }
            AttestedKey::P384(point) => ("P-384".into(), Some(hex::encode(point))),
            AttestedKey::Rsa { bits } => (format!("RSA-{bits}"), None),
            AttestedKey::Ed25519(bytes) => ("Ed25519".into(), Some(hex::encode(bytes))),
            AttestedKey::Other(id) => (id.to_string(), None),
        };
        let (root, root_name) = match &facts.root {
            Root::Yubico(name) => ("yubico", name),
            Root::Private(sha256) => ("private", sha256),
            Root::Practice(sha256) => ("practice", sha256),
        };
        Description {
            serial: facts.serial,
            firmware: facts.firmware,
            slot: format!("{:02X}", facts.slot),
            algorithm,
            public_key,
            generated_on_key: true,
            pin_policy: facts.pin_policy.to_string(),
            touch_policy: facts.touch_policy.to_string(),
            form_factor: facts.form_factor.map(|form| form.to_string()),
            fips: facts.fips,
            cspn: facts.cspn,
            root,
            root_name: root_name.clone(),
            chain: facts.chain.clone(),
        }
    }
}
