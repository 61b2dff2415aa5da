//! What programs of others need to verify records: a key set for JOSE libraries, and three files for openssl.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use p256::ecdsa::VerifyingKey;
use p256::pkcs8::{EncodePublicKey, LineEnding};
use serde::Serialize;

use super::chain::Chain;
use super::event::OpenAsserted;
use super::hash::KeyId;
use super::token::Record;

/// A JWK Set (RFC 7517 section 5) with a line feed: the signing key of each chain whose enrolment is intact.
pub fn jwks<'a>(chains: impl IntoIterator<Item = &'a Chain>) -> String {
    #[derive(Serialize)]
    struct Set<'a> {
        keys: Vec<Jwk<'a>>,
    }
    let mut keys: Vec<Jwk<'_>> = chains.into_iter().filter_map(Jwk::of).collect();
    keys.sort_by_key(|key| key.kid);
    let mut text = serde_json::to_string_pretty(&Set { keys }).expect("text members always have a JSON form");
    text.push('\n');
    text
}

/// RFC 7517 section 4 and RFC 7518 section 6.2. Libraries choose the key by `kid`, and want `alg`.
#[derive(Serialize)]
struct Jwk<'a> {
    kty: &'a str,
    crv: &'a str,
    x: String,
    y: String,
    kid: KeyId,
    alg: &'a str,
    #[serde(rename = "use")]
    purpose: &'a str,
    /// The attestation of the key and what certifies that, in base64 with padding (RFC 7517 section 4.7).
    x5c: Vec<String>,
}

impl Jwk<'_> {
    fn of(chain: &Chain) -> Option<Self> {
        let enrolment = chain.records().next().filter(|record| record.link.seq == 0)?;
        let point = chain.key()?.to_sec1_point(false);
        let (x, y) = point.as_bytes()[1..].split_at(32);
        Some(Jwk {
            kty: "EC",
            crv: "P-256",
            x: URL_SAFE_NO_PAD.encode(x),
            y: URL_SAFE_NO_PAD.encode(y),
            kid: enrolment.kid,
            alg: "ES256",
            purpose: "sig",
            x5c: enrolment.x5c.iter().map(|der| STANDARD.encode(der)).collect(),
        })
    }
}

/// One record for openssl, which reads no JWS: what was signed, the signature as it wants it, and the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForOpenssl {
    /// Three files to write side by side: name and content.
    pub files: [(String, Vec<u8>); 3],
    /// The command to run beside them. Answers `Verified OK`.
    pub command: String,
}

/// The record as openssl can verify it. Files are named `<serial>-<kid8>-<seq>`, with `.input` (header, dot, payload),
/// `.sig` (DER, RFC 3279 section 2.2.3) and `.pem` (SubjectPublicKeyInfo, RFC 5480).
pub fn for_openssl(record: &Record, key: &VerifyingKey) -> ForOpenssl {
    let name = format!("{}-{}", record.chain_name(), record.link.seq);
    parts(&name, record.signing_input().to_vec(), record.signature().to_der().as_bytes().to_vec(), key)
}

/// The assertion that a record of `open.asserted` carries, as openssl can verify it: signed were the authenticator data and the
/// hash of the record that it is over. Files are named `<serial>-<kid8>-<seq>-assertion`.
pub fn assertion_for_openssl(record: &Record, facts: &OpenAsserted, credential: &VerifyingKey) -> ForOpenssl {
    let name = format!("{}-{}-assertion", record.chain_name(), record.link.seq);
    let signed = [facts.data.bytes(), &facts.over.0].concat();
    parts(&name, signed, facts.signature.bytes().to_vec(), credential)
}

fn parts(name: &str, input: Vec<u8>, signature: Vec<u8>, key: &VerifyingKey) -> ForOpenssl {
    let pem =
        key.to_public_key_pem(LineEnding::LF).expect("a point of P-256 always has a SubjectPublicKeyInfo");
    let command = format!("openssl dgst -sha256 -verify {name}.pem -signature {name}.sig {name}.input");
    let files = [
        (format!("{name}.input"), input),
        (format!("{name}.sig"), signature),
        (format!("{name}.pem"), pem.into_bytes()),
    ];
    ForOpenssl { files, command }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::es256;
    use crate::record::chain::Depth;
    use crate::record::sample::Writer;

    #[test]
    fn the_key_set_holds_each_enrolled_key_by_its_thumbprint() {
        let chains = [2, 1].map(|n| {
            let writer = Writer::founder(n);
            Chain::read(&writer.name(), &writer.journal(), Depth::Links)
        });
        let headless = Writer::founder(3);
        let headless = Chain::read(
            &headless.name(),
            &crate::record::sample::journal(&headless.records[1..]),
            Depth::Links,
        );
        let text = jwks(chains.iter().chain([&headless]));
        let set: serde_json::Value = serde_json::from_str(&text).unwrap();
        let keys = set["keys"].as_array().unwrap();
        assert_eq!(keys.len(), 2);
        for (n, key) in [1u8, 2].map(|n| {
            (n, keys.iter().find(|key| key["x5c"][0] == STANDARD.encode([0x30, 3, 2, 1, n])).unwrap())
        }) {
            let point = Writer::new(n).verifying_key().to_sec1_point(false);
            assert_eq!(key["x"], URL_SAFE_NO_PAD.encode(&point.as_bytes()[1..33]));
            assert_eq!(key["y"], URL_SAFE_NO_PAD.encode(&point.as_bytes()[33..]));
            assert_eq!(key["kid"], KeyId::of(&Writer::new(n).verifying_key()).to_string());
            assert_eq!(
                (&key["kty"], &key["crv"], &key["alg"], &key["use"]),
                (&"EC".into(), &"P-256".into(), &"ES256".into(), &"sig".into())
            );
        }
    }

    #[test]
    fn the_files_for_openssl_hold_what_was_signed() {
        let writer = Writer::founder(1);
        let record = &writer.records[1];
        let ForOpenssl { files, command } = for_openssl(record, &writer.verifying_key());
        let name = format!("{}-1", writer.name());
        assert_eq!(
            files.each_ref().map(|(name, _)| name.clone()),
            ["input", "sig", "pem"].map(|end| format!("{name}.{end}"))
        );
        for (name, _) in &files {
            assert!(command.contains(name.as_str()));
        }
        assert!(record.bytes().starts_with(&files[0].1));
        let signature = p256::ecdsa::Signature::from_der(&files[1].1).unwrap();
        assert!(es256::verify(&writer.verifying_key(), &files[0].1, &signature));
        assert!(files[2].1.starts_with(b"-----BEGIN PUBLIC KEY-----\n"));
    }
}
