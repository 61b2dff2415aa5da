//! Names that become parts of paths: `[a-z0-9._-]{1,64}`, no dot at either end.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A name that is safe as a file name everywhere, FAT included.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// Not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a name: 1 to 64 of a-z 0-9 . _ -, no dot at either end")]
pub struct NotAName(pub String);

impl Name {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Name {
    type Err = NotAName;
    fn from_str(text: &str) -> Result<Self, NotAName> {
        let fits = (1..=64).contains(&text.len())
            && !text.starts_with('.')
            && !text.ends_with('.')
            && text.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || b"._-".contains(&c));
        if fits { Ok(Name(text.to_owned())) } else { Err(NotAName(text.to_owned())) }
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        text.parse()
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One account on one platform: `platform/account`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CredentialName {
    /// Where the account is.
    pub platform: Name,
    /// Which account.
    pub account: Name,
}

/// Not a credential's name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not platform/account, each 1 to 64 of a-z 0-9 . _ -")]
pub struct NotACredentialName(pub String);

impl std::str::FromStr for CredentialName {
    type Err = NotACredentialName;
    fn from_str(text: &str) -> Result<Self, NotACredentialName> {
        let wrong = || NotACredentialName(text.to_owned());
        let (platform, account) = text.split_once('/').ok_or_else(wrong)?;
        Ok(CredentialName {
            platform: platform.parse().map_err(|_| wrong())?,
            account: account.parse().map_err(|_| wrong())?,
        })
    }
}

impl fmt::Display for CredentialName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.platform, self.account)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_folder() {
        for bad in ["", ".", "..", ".hidden", "dot.", "a/b", "A", "ä", "a b", &"a".repeat(65), "a\0"] {
            assert!(bad.parse::<Name>().is_err(), "{bad:?}");
        }
        assert!("core-db_1.x".parse::<Name>().is_ok());
        assert_eq!("core-db/root".parse::<CredentialName>().unwrap().to_string(), "core-db/root");
        for bad in ["core-db", "a/b/c", "../x", "/x", "x/"] {
            assert!(bad.parse::<CredentialName>().is_err(), "{bad:?}");
        }
    }
}
