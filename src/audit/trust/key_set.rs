//! A JWK Set (RFC 7517 section 5) that somebody gave the auditor: the public keys in it.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::VerifyingKey;
use serde::Deserialize;

use crate::record::hash::KeyId;

/// Why a file is no set of keys that records can be verified by.
#[derive(Debug, thiserror::Error)]
pub enum KeySetError {
    /// Not JSON of that form.
    #[error("it is no JWK Set: {0}")]
    Form(#[from] serde_json::Error),
    /// Nothing in it.
    #[error("it holds no key")]
    Empty,
    /// A key that signs no records.
    #[error("key {index} is no public key of P-256")]
    NotP256 {
        /// Which, from 1.
        index: usize,
    },
    /// The name in the file is that of another key.
    #[error("key {index} is named {named}, but is {is}")]
    Misnamed {
        /// Which, from 1.
        index: usize,
        /// By its `kid`.
        named: String,
        /// By its thumbprint.
        is: KeyId,
    },
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Jwk>,
}

/// RFC 7518 section 6.2.1. Other members may be there: `x5c`, `alg`, `use`.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    crv: Option<String>,
    x: Option<String>,
    y: Option<String>,
    kid: Option<String>,
}

impl Jwk {
    fn key(&self) -> Option<VerifyingKey> {
        if (self.kty.as_str(), self.crv.as_deref()) != ("EC", Some("P-256")) {
            return None;
        }
        let coordinate = |text: &Option<String>| -> Option<[u8; 32]> {
            URL_SAFE_NO_PAD.decode(text.as_ref()?).ok()?.try_into().ok()
        };
        let point = [&[4][..], &coordinate(&self.x)?, &coordinate(&self.y)?].concat();
        VerifyingKey::from_sec1_bytes(&point).ok()
    }
}

/// The keys of that file. One that cannot be used, or is named for another, spoils it: who pins keys means all of them.
///
/// # Errors
/// [`KeySetError`], with the key that spoils it.
pub fn key_set(bytes: &[u8]) -> Result<Vec<VerifyingKey>, KeySetError> {
    let set: Set = serde_json::from_slice(bytes)?;
    let mut keys = Vec::new();
    for (index, jwk) in set.keys.iter().enumerate() {
        let index = index + 1;
        let key = jwk.key().ok_or(KeySetError::NotP256 { index })?;
        let is = KeyId::of(&key);
        match &jwk.kid {
            Some(named) if *named != is.to_string() => {
                return Err(KeySetError::Misnamed { index, named: named.clone(), is });
            }
            _ => keys.push(key),
        }
    }
    match keys.is_empty() {
        true => Err(KeySetError::Empty),
        false => Ok(keys),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::chain::{Chain, Depth};
    use crate::record::interop::jwks;
    use crate::record::sample::Writer;

    #[test]
    fn the_set_that_a_kit_exports_is_read_and_no_key_passes_for_another() {
        let writer = Writer::founder(1);
        let chain = Chain::read(&writer.name(), &writer.journal(), Depth::Every);
        let text = jwks([&chain]);
        assert_eq!(key_set(text.as_bytes()).expect("a set"), [writer.verifying_key()]);
        let kid = KeyId::of(&writer.verifying_key()).to_string();
        let misnamed = text.replace(&kid, &KeyId::of(&Writer::new(2).verifying_key()).to_string());
        assert!(matches!(key_set(misnamed.as_bytes()), Err(KeySetError::Misnamed { index: 1, .. })));
        let other_curve = text.replace("P-256", "P-384");
        assert!(matches!(key_set(other_curve.as_bytes()), Err(KeySetError::NotP256 { index: 1 })));
        assert!(matches!(key_set(b"{\"keys\":[]}"), Err(KeySetError::Empty)));
        assert!(matches!(key_set(b"[]"), Err(KeySetError::Form(_))));
    }
}
