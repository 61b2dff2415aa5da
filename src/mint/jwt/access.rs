//! Access tokens (RFC 9068) for resource servers that trust the emergency issuer by a key set on their own disk, so that they
//! work while the authorisation server does not. Bound to a key of their holder; there is none that works for its bearer.

use p256::ecdsa::VerifyingKey;
use serde::Serialize;
use x509_cert::Certificate;
use x509_cert::der::{Decode, pem};

use super::{Header, TokenId, Unsigned, Uri, unsigned};
use crate::mint::{KeyIdentity, Label, MintError, Window};
use crate::record::hash::Hash;

/// Who alone can use a token (`cnf`, RFC 7800).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Binding {
    /// Whoever proves with each request that they have the key with that thumbprint (RFC 9449 section 6.1).
    #[serde(rename = "jkt")]
    Proof(Hash),
    /// Whoever comes over TLS with that client certificate (RFC 8705 section 3.1).
    #[serde(rename = "x5t#S256")]
    Certificate(Hash),
}

impl Binding {
    /// Of the key or of the certificate.
    pub fn thumbprint(&self) -> Hash {
        match self {
            Binding::Proof(hash) | Binding::Certificate(hash) => *hash,
        }
    }

    /// To that certificate, PEM or DER. In PEM those of its authorities may follow, as in what TLS programs send. `None` if it is
    /// none.
    pub fn to_certificate(bytes: &[u8]) -> Option<Self> {
        let der = match bytes.first() {
            Some(0x30) => bytes.to_vec(),
            _ => first_of_chain(bytes.trim_ascii())?,
        };
        // Nothing behind it, and the hash is over the bytes as they came.
        Certificate::from_der(&der).ok()?;
        Some(Binding::Certificate(Hash::of(&der)))
    }
}

fn first_of_chain(pem: &[u8]) -> Option<Vec<u8>> {
    const END: &[u8] = b"-----END CERTIFICATE-----";
    let end = pem.windows(END.len()).position(|part| part == END)? + END.len();
    let (first, others) = pem.split_at(end);
    if !others.is_empty() {
        Certificate::load_pem_chain(others.trim_ascii_start()).ok()?;
    }
    match pem::decode_vec(first).ok()? {
        ("CERTIFICATE", der) => Some(der),
        _ => None,
    }
}

/// One access token to be.
#[derive(Debug, Clone)]
pub struct AccessToken {
    /// The emergency issuer that resource servers pin.
    pub issuer: Uri,
    /// The one resource that it is for.
    pub resource: Uri,
    /// The client that the holder uses.
    pub client: Label,
    /// What it allows, at least one.
    pub scopes: Vec<Label>,
    /// Incident, operator, key and record: the subject, and claims of our own.
    pub identity: KeyIdentity,
    /// Who alone can use it.
    pub binding: Binding,
    /// When.
    pub window: Window,
    /// Its identifier.
    pub id: TokenId,
}

impl AccessToken {
    /// Settles what `key` will sign.
    ///
    /// # Errors
    /// [`MintError::Nothing`] without a scope; [`MintError::ClientIsIssuer`].
    pub fn prepare(&self, key: &VerifyingKey) -> Result<Unsigned<String>, MintError> {
        #[derive(Serialize)]
        struct Claims<'a> {
            iss: &'a str,
            sub: String,
            aud: &'a str,
            client_id: &'a str,
            scope: String,
            jti: String,
            iat: u64,
            nbf: u64,
            exp: u64,
            cnf: Binding,
            incident: &'a str,
            record: String,
        }
        if self.scopes.is_empty() {
            return Err(MintError::Nothing("scope"));
        }
        if self.client.as_str() == self.issuer.as_str() {
            return Err(MintError::ClientIsIssuer(self.client.to_string()));
        }
        let KeyIdentity { incident, numbers, .. } = &self.identity;
        let claims = Claims {
            iss: self.issuer.as_str(),
            sub: self.identity.subject(),
            aud: self.resource.as_str(),
            client_id: self.client.as_str(),
            scope: self.scopes.iter().map(Label::as_str).collect::<Vec<_>>().join(" "),
            jti: self.id.to_string(),
            // Backdated too: a server whose clock is behind refuses a token that was issued later than now.
            iat: self.window.from(),
            nbf: self.window.from(),
            exp: self.window.until(),
            cnf: self.binding,
            incident: incident.as_str(),
            record: format!("{}/{}", numbers.key, numbers.record),
        };
        Ok(unsigned(key, &Header::of(key, "at+jwt"), &claims))
    }
}
