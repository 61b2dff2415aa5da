//! What a record says of a key that is moved: out of its bag, and back into one.

use serde::{Deserialize, Serialize};

use crate::attestation::Serial;
use crate::record::hash::KeyId;

/// Facts of `key.checked-out`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCheckedOut {
    /// Serial of the key that was taken out.
    pub serial: Serial,
    /// Its key id.
    pub key: KeyId,
    /// The number that was read on the bag; empty if it has none.
    pub bag: String,
    /// How its seal was found.
    pub seal: SealSeen,
    /// Who takes it, by the name in the policy.
    pub person: String,
    /// Who saw it; another person.
    pub witness: String,
    /// Why, at most 256 bytes.
    pub why: String,
}

/// Facts of `key.checked-in`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyCheckedIn {
    /// Serial of the key that was put away.
    pub serial: Serial,
    /// Its key id.
    pub key: KeyId,
    /// Where it lies from now on.
    pub place: String,
    /// The number of its new bag; empty if it has none.
    pub bag: String,
    /// Who puts it away, by the name in the policy.
    pub person: String,
    /// Who saw it; another person.
    pub witness: String,
}

/// How the seal of a bag was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase", try_from = "String")]
pub enum SealSeen {
    /// Whole.
    Intact,
    /// Broken, cut, or put on again.
    Broken,
    /// There was none.
    None,
}

impl SealSeen {
    /// How a seal can be found, by name.
    pub const NAMES: [(&str, SealSeen); 3] =
        [("intact", SealSeen::Intact), ("broken", SealSeen::Broken), ("none", SealSeen::None)];

    /// Its name.
    pub fn name(self) -> &'static str {
        SealSeen::NAMES.iter().find(|(_, seen)| *seen == self).map_or("", |(name, _)| name)
    }
}

// From text alone: derived, it would be read from `{"none":null}` too.
impl TryFrom<String> for SealSeen {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        let named = SealSeen::NAMES.iter().find(|(name, _)| *name == text);
        named.map(|(_, seen)| *seen).ok_or("a seal is intact, broken or none")
    }
}
