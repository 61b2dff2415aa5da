//! What records say of the keys of a kit: what they are, that they belong, that they belong no more.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Fido2Enrolled, Override, Point};
use crate::attestation::{Firmware, Serial};
use crate::record::hash::{Hash, KeyId};
use crate::record::strict;

/// Facts of `key.enrolled`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEnrolled {
    /// Serial number.
    pub serial: Serial,
    /// Firmware.
    pub firmware: Firmware,
    /// Public key of 9C, compressed SEC1, 33 bytes.
    pub signing: Point,
    /// Public key of 82.
    pub sealing: Point,
    /// Public key of 9E; absent where the key can make none without PIN (FIPS from 5.7.1).
    #[serde(default, deserialize_with = "strict::present", skip_serializing_if = "Option::is_none")]
    pub presence: Option<Point>,
    /// Public keys of the slots that mint, by slot (`83` SSH, `84` X.509, `85` tokens); none where the policy wanted none.
    #[serde(default, deserialize_with = "strict::map", skip_serializing_if = "BTreeMap::is_empty")]
    pub minting: BTreeMap<String, Point>,
    /// Which root the attestations end in: `yubico`, `private`, `practice`.
    pub root: String,
    /// DER of the attestations of the other slots, base64, by slot (`82`, `9E`). That of 9C leads the header's `x5c`.
    #[serde(deserialize_with = "strict::map")]
    pub attestations: BTreeMap<String, String>,
    /// What was overridden to enrol this key.
    #[serde(default, deserialize_with = "strict::objects", skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Its FIDO2 side; absent where it has none that the kit uses.
    #[serde(default, deserialize_with = "strict::present_object", skip_serializing_if = "Option::is_none")]
    pub fido2: Option<Box<Fido2Enrolled>>,
}

/// Facts of `key.admitted`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyAdmitted {
    /// The change that is signed; equal for all who sign the same.
    pub change: Hash,
    /// Serial of the key to admit.
    pub serial: Serial,
    /// Its key id.
    pub key: KeyId,
    /// Hash of its enrolment record.
    pub enrolment: Hash,
}

/// Facts of `key.retired`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyRetired {
    /// The change that is signed; equal for all who sign the same.
    pub change: Hash,
    /// Serial of the key to retire.
    pub serial: Serial,
    /// Its key id.
    pub key: KeyId,
    /// Its last record known when the retirement was signed; later ones are findings.
    #[serde(deserialize_with = "strict::integer")]
    pub last_seq: u64,
    /// Why: lost, stolen, left, worn; at most 256 bytes.
    pub why: String,
}

/// Facts of `key.pin-changed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyPinChanged {
    /// What was done: `pin` changed with the old PIN, `unblock` with the PUK, `puk` changed, `fido2` (the FIDO2 PIN is now
    /// the PIV PIN), `fido2-own` (the FIDO2 PIN is another one).
    pub what: String,
}

impl KeyPinChanged {
    /// `what`: the FIDO2 PIN is the PIV PIN from there on.
    pub const FIDO2_SHARED: &str = "fido2";

    /// `what`: the FIDO2 PIN is another one than the PIV PIN.
    pub const FIDO2_OWN: &str = "fido2-own";
}
