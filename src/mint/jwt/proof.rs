//! DPoP proofs (RFC 9449 section 4): one for each request, made by whoever holds the token's key, so that curl can use it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::{PublicJwk, TokenId, unsigned};
use crate::mint::{MintError, SubjectKey};

/// One proof to be.
#[derive(Debug, Clone)]
pub struct Proof<'a> {
    /// Method of the request, `GET` as HTTP writes it.
    pub method: &'a str,
    /// URL of the request; query and fragment do not count and are left out.
    pub url: &'a str,
    /// The token that goes with it; none at a token endpoint.
    pub token: Option<&'a str>,
    /// What the server asked for in `DPoP-Nonce`.
    pub nonce: Option<&'a str>,
    /// The clock, in Unix seconds.
    pub now: u64,
    /// Its identifier.
    pub id: TokenId,
}

impl Proof<'_> {
    /// The proof, signed by the token's key.
    ///
    /// # Errors
    /// [`MintError::Text`] for a method or URL that is none.
    pub fn sign(&self, key: &SubjectKey) -> Result<String, MintError> {
        #[derive(Serialize)]
        struct Header {
            typ: &'static str,
            alg: &'static str,
            jwk: PublicJwk,
        }
        #[derive(Serialize)]
        struct Claims<'a> {
            jti: String,
            htm: &'a str,
            htu: &'a str,
            iat: u64,
            #[serde(skip_serializing_if = "Option::is_none")]
            ath: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            nonce: Option<&'a str>,
        }
        let is_method =
            (1..=32).contains(&self.method.len()) && self.method.bytes().all(|c| c.is_ascii_uppercase());
        if !is_method {
            let why = "a method of HTTP, in capitals";
            return Err(MintError::Text { what: "the method", text: self.method.to_owned(), why });
        }
        let header = Header { typ: "dpop+jwt", alg: "ES256", jwk: PublicJwk::of(key.public()) };
        let claims = Claims {
            jti: self.id.to_string(),
            htm: self.method,
            htu: bare_url(self.url)?,
            iat: self.now,
            ath: self.token.map(|token| URL_SAFE_NO_PAD.encode(Sha256::digest(token))),
            nonce: self.nonce,
        };
        let unsigned = unsigned(key.public(), &header, &claims);
        let signature = key.sign(&unsigned.digest());
        unsigned.finish(&signature)
    }
}

/// A URL of https, or of http on this machine, without query and fragment.
///
/// # Errors
/// [`MintError::Text`].
pub fn bare_url(url: &str) -> Result<&str, MintError> {
    let why = "https://host/path, printable ASCII without spaces";
    let wrong = || MintError::Text { what: "the URL", text: url.to_owned(), why };
    let bare = url.split(['?', '#']).next().unwrap_or_default();
    let host = bare.strip_prefix("https://").or_else(|| {
        let rest = bare.strip_prefix("http://")?;
        let authority = rest.split('/').next().unwrap_or_default();
        let host = match authority.rsplit_once(':') {
            Some((host, port)) if port.bytes().all(|c| c.is_ascii_digit()) => host,
            _ => authority,
        };
        ["127.0.0.1", "localhost", "[::1]"].contains(&host).then_some(rest)
    });
    let has_host = host.is_some_and(|host| !host.is_empty() && !host.starts_with('/'));
    let plain =
        url.len() <= 2_048 && url.bytes().all(|c| c.is_ascii_graphic() && !b"\"<>\\^`{|}".contains(&c));
    if has_host && plain { Ok(bare) } else { Err(wrong()) }
}
