//! A certificate request that somebody brings (PKCS #10, RFC 2986). Of what is in it only the key counts: names and
//! extensions come from the policy.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::ecdsa::VerifyingKey;
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::der::{Decode, Encode};
use x509_cert::request::CertReq;

use super::signed_by;

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
        match signed_by(&key, &signed, &request.algorithm, &request.signature) {
            true => Ok(SigningRequest { key }),
            false => Err(RequestError::Signature),
        }
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
