//! What every minted credential says of itself, so that the log of a platform leads to the record of its minting.

use super::{Label, Numbers};

/// Incident, operator, key and record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyIdentity {
    /// The incident.
    pub incident: Label,
    /// Who asked.
    pub operator: Label,
    /// Whose record, and which.
    pub numbers: Numbers,
}

impl KeyIdentity {
    /// `bg|inc=INC-4711|op=ada|rec=23112/18`: the key id of an SSH certificate. No label holds `|`, `=` or `/`.
    pub fn text(&self) -> String {
        let KeyIdentity { incident, operator, numbers } = self;
        format!("bg|inc={incident}|op={operator}|rec={}/{}", numbers.key, numbers.record)
    }

    /// `ada@INC-4711`: the subject of a token.
    pub fn subject(&self) -> String {
        format!("{}@{}", self.operator, self.incident)
    }
}
