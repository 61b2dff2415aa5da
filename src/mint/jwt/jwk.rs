//! A public key as JOSE has it (RFC 7517, RFC 7518 section 6.2): what we write, and what somebody brings over a gap, as a file
//! or typed by a scanner.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::VerifyingKey;
use serde::de::IgnoredAny;
use serde::{Deserialize, Serialize};

/// Longer than any key that is taken, certificates beside it included.
const LONGEST: usize = 8_192;

/// A public key, members in the order of RFC 7638.
#[derive(Debug, Clone, Serialize)]
pub struct PublicJwk {
    crv: &'static str,
    kty: &'static str,
    x: String,
    y: String,
}

impl PublicJwk {
    /// Of a key on P-256.
    pub fn of(key: &VerifyingKey) -> Self {
        let point = key.to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        PublicJwk { crv: "P-256", kty: "EC", x: URL_SAFE_NO_PAD.encode(x), y: URL_SAFE_NO_PAD.encode(y) }
    }

    /// One line without white space and without a line feed, for a file, a code or a person's keyboard.
    pub fn line(&self) -> String {
        serde_json::to_string(self).expect("text members always have a JSON form")
    }
}

/// Why there is no public key in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JwkError {
    /// Empty, or more than a key has.
    #[error("it has {0} bytes; a public key has 1 to 8,192")]
    Length(usize),
    /// A private key: it must not leave the machine where it was made.
    #[error(
        "it is a private key, which must not leave the machine it was made on; bring the public one, without \"d\""
    )]
    Private,
    /// Not one JWK.
    #[error(
        "it is no public key in JSON, such as {{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"…\",\"y\":\"…\"}}"
    )]
    Form,
    /// Another kind of key.
    #[error("its key is not on P-256, which is what DPoP proofs are made with here")]
    Key,
}

/// The key that a JWK names, white space around it allowed. Members that say nothing of the key itself are passed over (RFC 7517
/// section 4).
pub fn public_key(text: &[u8]) -> Result<VerifyingKey, JwkError> {
    #[derive(Deserialize)]
    struct Members {
        kty: String,
        crv: Option<String>,
        x: Option<String>,
        y: Option<String>,
        d: Option<IgnoredAny>,
        k: Option<IgnoredAny>,
    }
    if text.is_empty() || text.len() > LONGEST {
        return Err(JwkError::Length(text.len()));
    }
    if text.windows(12).any(|part| part == b"PRIVATE KEY-") {
        return Err(JwkError::Private);
    }
    let members: Members = serde_json::from_slice(text).map_err(|_| JwkError::Form)?;
    if members.d.is_some() || members.k.is_some() {
        return Err(JwkError::Private);
    }
    if members.kty != "EC" || members.crv.as_deref() != Some("P-256") {
        return Err(JwkError::Key);
    }
    let mut point = [4; 65]; // uncompressed (SEC 1 section 2.3.3)
    for (part, member) in point[1..].chunks_mut(32).zip([members.x, members.y]) {
        let bytes = URL_SAFE_NO_PAD.decode(member.ok_or(JwkError::Form)?).map_err(|_| JwkError::Form)?;
        if bytes.len() != part.len() {
            return Err(JwkError::Form); // RFC 7518 section 6.2.1.2: all octets of a coordinate
        }
        part.copy_from_slice(&bytes);
    }
    VerifyingKey::from_sec1_bytes(&point).map_err(|_| JwkError::Key)
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use proptest::prelude::*;

    use super::*;

    fn key() -> VerifyingKey {
        *SigningKey::from_slice(&[7; 32]).unwrap().verifying_key()
    }

    #[test]
    fn a_key_crosses_as_one_line() {
        let line = PublicJwk::of(&key()).line();
        assert!(line.len() < 150 && !line.contains([' ', '\n']), "{line}");
        for text in
            [line.clone(), format!(" {line}\r\n"), line.replacen('{', "{\"use\":\"sig\",\"kid\":\"1\",", 1)]
        {
            assert_eq!(public_key(text.as_bytes()), Ok(key()), "{text}");
        }
    }

    #[test]
    fn what_is_no_public_key_is_named() {
        let line = PublicJwk::of(&key()).line();
        let with = |old: &str, new: &str| line.replacen(old, new, 1);
        let off = {
            let x = &line[line.find("\"x\":\"").unwrap() + 5..][..43];
            with(x, &"A".repeat(43))
        };
        for (text, error) in [
            (String::new(), JwkError::Length(0)),
            (" ".repeat(LONGEST + 1), JwkError::Length(LONGEST + 1)),
            ("hello".into(), JwkError::Form),
            ("[]".into(), JwkError::Form),
            (with("{", "{\"d\":\"AAAA\","), JwkError::Private),
            ("{\"kty\":\"oct\",\"k\":\"AAAA\"}".into(), JwkError::Private),
            ("-----BEGIN PRIVATE KEY-----\nAAAA\n".into(), JwkError::Private),
            (with("P-256", "P-384"), JwkError::Key),
            (with("EC", "RSA"), JwkError::Key),
            (with("\"x\":\"", "\"x\":\"A"), JwkError::Form),
            (with("\"x\"", "\"z\""), JwkError::Form),
            (with("{", "{\"kty\":\"EC\","), JwkError::Form),
            (format!("{line}{line}"), JwkError::Form),
            (off, JwkError::Key),
        ] {
            assert_eq!(public_key(text.as_bytes()), Err(error), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = public_key(&bytes);
        }

        #[test]
        fn a_line_with_any_byte_changed(at in 0usize..126, byte: u8) {
            let mut line = PublicJwk::of(&key()).line().into_bytes();
            line[at] = byte;
            if let Ok(read) = public_key(&line) {
                prop_assert_eq!(public_key(PublicJwk::of(&read).line().as_bytes()), Ok(read));
            }
        }
    }
}
