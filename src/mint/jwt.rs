//! Tokens (RFC 7519) signed ES256 (RFC 7515): client assertions for an authorisation server that is up, access tokens for
//! resource servers when it is down, and the proofs that their holder makes. Kinds are kept apart by `typ`, issuer and key,
//! so that no token passes for one of another kind.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::VerifyingKey;
use serde::Serialize;

use super::{MintError, Unsigned};
use crate::record::hash::{Hash, KeyId};

pub use access::{AccessToken, Binding};
pub use assertion::{Audience, ClientAssertion};
pub use jwk::{JwkError, PublicJwk, public_key};
pub use proof::{Proof, bare_url};

mod access;
mod assertion;
mod jwk;
mod proof;

/// `jti`: 16 random bytes, 22 characters of base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct TokenId(pub [u8; 16]);

impl std::fmt::Display for TokenId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl std::str::FromStr for TokenId {
    type Err = MintError;
    fn from_str(text: &str) -> Result<Self, MintError> {
        let wrong =
            || MintError::Text { what: "the jti", text: text.to_owned(), why: "22 characters of base64url" };
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| wrong())?;
        bytes.try_into().map(TokenId).map_err(|_| wrong())
    }
}

/// The identifier of an issuer or a resource: an absolute URI, 1 to 512 printable characters of ASCII without white space,
/// compared as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Uri(String);

impl Uri {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::str::FromStr for Uri {
    type Err = MintError;
    fn from_str(text: &str) -> Result<Self, MintError> {
        let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
        let named = scheme.starts_with(|c: char| c.is_ascii_alphabetic())
            && scheme.bytes().all(|c| c.is_ascii_alphanumeric() || b"+.-".contains(&c));
        let fits = text.len() <= 512
            && text.len() > scheme.len() + 1
            && text.bytes().all(|c| c.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&c));
        if named && fits {
            return Ok(Uri(text.to_owned()));
        }
        Err(MintError::Text {
            what: "the URI",
            text: text.to_owned(),
            why: "such as https://as.example or urn:example:emergency",
        })
    }
}

/// A JWK Set (RFC 7517 section 5) of these keys, with a line feed: what a server pins in advance.
pub fn key_set(keys: &[VerifyingKey]) -> String {
    #[derive(Serialize)]
    struct Entry {
        #[serde(flatten)]
        key: PublicJwk,
        kid: KeyId,
        alg: &'static str,
        #[serde(rename = "use")]
        purpose: &'static str,
    }
    #[derive(Serialize)]
    struct Set {
        keys: Vec<Entry>,
    }
    let entry = |key| Entry { key: PublicJwk::of(key), kid: KeyId::of(key), alg: "ES256", purpose: "sig" };
    let set = Set { keys: keys.iter().map(entry).collect() };
    let mut text = serde_json::to_string_pretty(&set).expect("text members always have a JSON form");
    text.push('\n');
    text
}

/// A list of token ids that are not good any more, one a line, sorted: what a resource server reads beside its key set.
pub fn deny_list(ids: &[TokenId]) -> String {
    let mut lines: Vec<String> = ids.iter().map(|id| format!("{id}\n")).collect();
    lines.sort_unstable();
    lines.dedup();
    lines.concat()
}

/// `cnf.jkt` of whoever makes the proofs (RFC 9449 section 6): RFC 7638 thumbprint of their key.
pub fn thumbprint(key: &VerifyingKey) -> Hash {
    KeyId::of(key).0
}

/// Settles a token: header and claims as they will be signed (RFC 7515 section 3.1).
fn unsigned(key: &VerifyingKey, header: &impl Serialize, claims: &impl Serialize) -> Unsigned<String> {
    let part = |value: serde_json::Result<Vec<u8>>| {
        URL_SAFE_NO_PAD.encode(value.expect("text and number members always have a JSON form"))
    };
    let input = format!("{}.{}", part(serde_json::to_vec(header)), part(serde_json::to_vec(claims)));
    let signed = input.clone();
    Unsigned::new(key, input.into_bytes(), move |signature| {
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature.to_bytes())))
    })
}

/// Header of what a minting key signs.
#[derive(Serialize)]
struct Header {
    alg: &'static str,
    typ: &'static str,
    kid: KeyId,
}

impl Header {
    fn of(key: &VerifyingKey, typ: &'static str) -> Self {
        Header { alg: "ES256", typ, kid: KeyId::of(key) }
    }
}
