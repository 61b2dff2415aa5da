//! Which credentials a table of the policy is about: one, `core-db/root`, or all of a platform, `core-db/*`.

use std::fmt;

use serde::Deserialize;

use crate::kit::name::{CredentialName, Name};

/// One credential, or every one of a platform.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern {
    /// Of which platform.
    pub platform: Name,
    /// Which account; `None` for every one.
    pub account: Option<Name>,
}

/// Neither a credential nor all of a platform.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is neither platform/account nor platform/*, each name 1 to 64 of a-z 0-9 . _ -")]
pub struct NotAPattern(pub String);

impl Pattern {
    /// Whether it is about this credential.
    pub fn matches(&self, name: &CredentialName) -> bool {
        self.platform == name.platform && self.account.as_ref().is_none_or(|account| *account == name.account)
    }
}

impl TryFrom<String> for Pattern {
    type Error = NotAPattern;
    fn try_from(text: String) -> Result<Self, NotAPattern> {
        let wrong = || NotAPattern(text.clone());
        let (platform, account) = text.split_once('/').ok_or_else(wrong)?;
        Ok(Pattern {
            platform: platform.parse().map_err(|_| wrong())?,
            account: match account {
                "*" => None,
                account => Some(account.parse().map_err(|_| wrong())?),
            },
        })
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let account = self.account.as_ref().map_or("*", Name::as_str);
        write!(f, "{}/{account}", self.platform)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_or_all_of_a_platform() {
        let pattern = |text: &str| Pattern::try_from(text.to_owned());
        let root = "core-db/root".parse().unwrap();
        for (text, matches) in
            [("core-db/root", true), ("core-db/*", true), ("core-db/backup", false), ("core-fw/*", false)]
        {
            let pattern = pattern(text).unwrap();
            assert_eq!((pattern.matches(&root), pattern.to_string().as_str()), (matches, text));
        }
        for wrong in ["core-db", "*/*", "*/root", "core-db/r*", "core-db/", "core-db/root/x", "Core/root"] {
            assert!(pattern(wrong).is_err(), "{wrong}");
        }
    }
}
