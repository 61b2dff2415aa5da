//! A certificate request that somebody brings (PKCS #10, RFC 2986). Of what is in it only the key counts: names and
//! extensions come from the policy.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::{Signature, VerifyingKey};
use x509_cert::der::oid::db::rfc5912::ECDSA_WITH_SHA_256;
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::der::{Decode, Encode};
use x509_cert::request::CertReq;

use crate::es256;

/// Longer than any request that is taken.
const LONGEST: usize = 16 * 1024;
const BEGINS: [&str; 2] = ["-----BEGIN CERTIFICATE REQUEST-----", "-----BEGIN NEW CERTIFICATE REQUEST-----"];

/// Why there is no key in it to certify.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Empty, or too long.
    #[error("it has {0} bytes; a certificate request has 1 to 16,384")]
    Length(usize),
    /// A private key: it must not leave the machine where it was made.
    #[error(
        "it is a private key, which must not leave the machine it was made on; bring the certificate request"
    )]
    Private,
    /// Neither PEM nor DER of a request.
    #[error("it is no certificate request, neither PEM nor DER")]
    Form,
    /// Another kind of key.
    #[error("its key is not on P-256; make one with  openssl ecparam -name prime256v1 -genkey")]
    Key,
    /// Not signed by the key that it is for: whoever made it may not have the private half.
    #[error("its signature is not of the key that it is for, by ECDSA with SHA-256")]
    Signature,
}

/// A request whose signature shows that its maker has the private key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SigningRequest {
    key: VerifyingKey,
}

impl SigningRequest {
    /// From the bytes of a file, PEM or DER.
    pub fn parse(bytes: &[u8]) -> Result<Self, RequestError> {
        if bytes.is_empty() || bytes.len() > LONGEST {
            return Err(RequestError::Length(bytes.len()));
        }
        let der = match bytes[0] {
            0x30 => bytes.to_vec(),
            _ => from_pem(bytes)?,
        };
        let request = CertReq::from_der(&der).map_err(|_| RequestError::Form)?;
        let key = p256::PublicKey::try_from(request.info.public_key.owned_to_ref());
        let key = VerifyingKey::from(key.map_err(|_| RequestError::Key)?);
        let signed = request.info.to_der().map_err(|_| RequestError::Form)?;
        let bits = request.signature.as_bytes().ok_or(RequestError::Signature)?;
        let signature = Signature::from_der(bits).map_err(|_| RequestError::Signature)?;
        if request.algorithm.oid != ECDSA_WITH_SHA_256 || !es256::verify(&key, &signed, &signature) {
            return Err(RequestError::Signature);
        }
        Ok(SigningRequest { key })
    }

    /// The key to certify.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }
}

fn from_pem(bytes: &[u8]) -> Result<Vec<u8>, RequestError> {
    let text = std::str::from_utf8(bytes).map_err(|_| RequestError::Form)?;
    if text.contains("PRIVATE KEY-----") {
        return Err(RequestError::Private);
    }
    let body = BEGINS.iter().find_map(|begin| text.split_once(begin)).ok_or(RequestError::Form)?.1;
    let (body, rest) = body.split_once("-----END ").ok_or(RequestError::Form)?;
    if rest.contains("-----BEGIN ") {
        return Err(RequestError::Form); // several: it is not clear which is meant
    }
    let digits: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(digits).map_err(|_| RequestError::Form)
}
