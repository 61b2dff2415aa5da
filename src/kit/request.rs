//! A request: what somebody asks to open, why, and how they were known. A small file that crosses machines; an approver
//! signs its hash. It needs no key and has no effect.
//!
//! One JSON object on one line in exactly one spelling (`doc/kit-format.md`), so that everybody hashes the same bytes.

use serde::{Deserialize, Serialize};

use crate::kit::name::{CredentialName, Name};
use crate::kit::policy::Policy;
use crate::kit::words;
use crate::record::event::Random;
use crate::record::hash::Hash;

/// What a request begins with: its kind and version.
pub const KIND: &str = "request 1";

/// Nothing longer is read as a request.
pub const READ_CAP: usize = 2_048;

/// Longest reason, in bytes.
pub const REASON: usize = 256;

/// Longest incident, kind and number of a document, in bytes.
pub const SHORT: usize = 64;

/// What is asked for. Its texts have no control characters and are not empty, but for the number of the document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// [`KIND`].
    pub breakglass: String,
    /// Kit id.
    pub kit: Hash,
    /// SHA-256 of the policy in force.
    pub policy: Hash,
    /// `platform/account`.
    pub credential: String,
    /// Which generation.
    pub generation: u64,
    /// Which emergency of the policy.
    pub emergency: Name,
    /// Incident or ticket.
    pub incident: String,
    /// In the words of the one who asks.
    pub reason: String,
    /// Who asks, by the name in the policy.
    pub operator: Name,
    /// How they were known: the kind of document, or that they are known in person.
    pub document: String,
    /// Its number; may be empty. It is in no record.
    pub number: String,
    /// Who saw them, by the name in the policy.
    pub seen_by: Name,
    /// When it was made, Unix seconds as claimed.
    pub at: i64,
    /// Until when it may be used.
    pub until: i64,
    /// Makes it unlike any other, and its hash tell nothing of the number.
    pub nonce: Random,
}

/// A request with its exact bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// What it says.
    pub asked: Asked,
    bytes: Vec<u8>,
}

/// Why bytes are no request.
#[derive(Debug, thiserror::Error)]
pub enum NotARequest {
    /// More than [`READ_CAP`].
    #[error("longer than {READ_CAP} bytes")]
    TooLong,
    /// Not JSON of exactly these members.
    #[error("not a request: {0}")]
    Json(#[source] serde_json::Error),
    /// Of another kind or version.
    #[error("{0:?} is not a request that this version knows")]
    Kind(String),
    /// The same said with other bytes: spaces, another order, escapes that need not be.
    #[error("not in the one spelling of a request: it was written anew by something else")]
    Spelling,
    /// A text that is empty, too long, or has control characters.
    #[error("{member} is 1 to {most} bytes of text on one line")]
    Text {
        /// Which.
        member: &'static str,
        /// Longest, in bytes.
        most: usize,
    },
    /// Not `platform/account`.
    #[error("{0:?} is not the name of a credential")]
    Credential(String),
    /// It ends before it begins, or claims a time that no calendar holds.
    #[error("its times cannot be")]
    Times,
}

/// Why a request that can be read is not one to approve or to open by, now and in this kit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// Of another kit.
    #[error("the request is for another kit: {0}")]
    OtherKit(String),
    /// Made under another policy.
    #[error("the request was made under another policy than the one in force here")]
    OtherPolicy,
    /// Its time is over.
    #[error("the request has expired")]
    Expired,
    /// It would last longer than the policy grants an opening.
    #[error("the request lasts longer than the policy grants an opening, or a clock is wrong")]
    TooLong,
}

impl Request {
    /// From what is asked.
    ///
    /// # Errors
    /// What [`Request::parse`] would refuse.
    pub fn of(asked: Asked) -> Result<Self, NotARequest> {
        let bytes = serde_json::to_vec(&asked).map_err(NotARequest::Json)?;
        Self::parse(&bytes)
    }

    /// From a file's bytes. White space at the end does not count: editors and codes add it.
    ///
    /// # Errors
    /// See [`NotARequest`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NotARequest> {
        let bytes = bytes.trim_ascii_end();
        if bytes.len() > READ_CAP {
            return Err(NotARequest::TooLong);
        }
        let asked: Asked = serde_json::from_slice(bytes).map_err(NotARequest::Json)?;
        if asked.breakglass != KIND {
            return Err(NotARequest::Kind(asked.breakglass));
        }
        if serde_json::to_vec(&asked).map_err(NotARequest::Json)? != bytes {
            return Err(NotARequest::Spelling);
        }
        let texts = [
            ("incident", &asked.incident, SHORT),
            ("reason", &asked.reason, REASON),
            ("document", &asked.document, SHORT),
        ];
        for (member, text, most) in texts {
            if !is_line(text, most) || text.trim().is_empty() {
                return Err(NotARequest::Text { member, most });
            }
        }
        if !is_line(&asked.number, SHORT) {
            return Err(NotARequest::Text { member: "number", most: SHORT });
        }
        if asked.credential.parse::<CredentialName>().is_err() {
            return Err(NotARequest::Credential(asked.credential));
        }
        // Year 9999, beyond which nothing shows a date.
        if asked.at < 0 || asked.until < asked.at || asked.until > 253_402_300_799 {
            return Err(NotARequest::Times);
        }
        Ok(Request { asked, bytes: bytes.to_vec() })
    }

    /// The exact bytes, without a line feed.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// SHA-256 of the bytes: what an approval signs.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.bytes)
    }

    /// Four words of the hash, to compare by voice.
    pub fn words(&self) -> String {
        words::check_words(&self.hash()).join(" ")
    }

    /// `request-<first 8 hexadecimal digits of the hash>.json`.
    pub fn file_name(&self) -> String {
        format!("request-{}.json", self.hash().short())
    }

    /// What it asks to open.
    pub fn credential(&self) -> CredentialName {
        self.asked.credential.parse().expect("parse refuses what is no name")
    }

    /// Whether it may be approved or used in that kit, under that policy, at that time.
    ///
    /// # Errors
    /// See [`Unfit`].
    pub fn fits(&self, kit: &Hash, policy: &Policy, now: i64) -> Result<(), Unfit> {
        if self.asked.kit != *kit {
            return Err(Unfit::OtherKit(words::kit_words(&self.asked.kit).join(" ")));
        }
        if self.asked.policy != policy.hash {
            return Err(Unfit::OtherPolicy);
        }
        if now > self.asked.until {
            return Err(Unfit::Expired);
        }
        let grant = policy.terms(&self.credential()).grant.seconds();
        match self.asked.until.saturating_sub(now) > grant {
            true => Err(Unfit::TooLong),
            false => Ok(()),
        }
    }
}

fn is_line(text: &str, most: usize) -> bool {
    text.len() <= most && !text.chars().any(char::is_control)
}

#[cfg(test)]
pub(super) mod tests;
