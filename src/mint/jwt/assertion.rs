//! Client assertions (`private_key_jwt`, RFC 7523 section 2.2 as RFC 10070 updates it): with one, the emergency client gets
//! a token from an authorisation server that is up. Each is good once; even a request that fails uses it up.

use p256::ecdsa::VerifyingKey;
use serde::Serialize;

use super::{Header, TokenId, Unsigned, Uri, unsigned};
use crate::mint::{Label, MintError, Window};

/// For whom an assertion is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Audience {
    /// The issuer identifier of the server, alone: what RFC 10070 section 4 wants.
    Issuer(Uri),
    /// The token endpoint, with the `typ` of old: for servers that know RFC 7523 only.
    TokenEndpoint(Uri),
}

/// One assertion to be.
#[derive(Debug, Clone)]
pub struct ClientAssertion {
    /// The client that the server knows by this key.
    pub client: Label,
    /// Which server.
    pub audience: Audience,
    /// The issuers of our access tokens: a client may never be named so.
    pub emergency_issuers: Vec<Uri>,
    /// When. Some servers take one for a minute after `iat` only, whatever `exp` says.
    pub window: Window,
    /// Its identifier.
    pub id: TokenId,
}

impl ClientAssertion {
    /// Settles what `key` will sign.
    ///
    /// # Errors
    /// [`MintError::ClientIsIssuer`].
    pub fn prepare(&self, key: &VerifyingKey) -> Result<Unsigned<String>, MintError> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            sub: &'a str,
            aud: &'a str,
            jti: String,
            iat: u64,
            exp: u64,
        }
        let client = self.client.as_str();
        if self.emergency_issuers.iter().any(|issuer| issuer.as_str() == client) {
            return Err(MintError::ClientIsIssuer(client.to_owned()));
        }
        let (aud, typ) = match &self.audience {
            Audience::Issuer(issuer) => (issuer, "client-authentication+jwt"),
            Audience::TokenEndpoint(endpoint) => (endpoint, "JWT"),
        };
        // `iat` is not backdated: servers count from it how old an assertion may be.
        let claims = Claims {
            iss: client,
            sub: client,
            aud: aud.as_str(),
            jti: self.id.to_string(),
            iat: self.window.issued(),
            exp: self.window.until(),
        };
        Ok(unsigned(key, &Header::of(key, typ), &claims))
    }
}
