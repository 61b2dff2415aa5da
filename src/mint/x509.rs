//! X.509 client certificates (RFC 5280) under an authority of the key's own, for TLS: PostgreSQL, nginx, Kubernetes, AWS.

use std::time::Duration;

use p256::PublicKey;
use p256::ecdsa::signature::Keypair;
use p256::ecdsa::{Signature, VerifyingKey};
use x509_cert::Certificate;
use x509_cert::attr::AttributeTypeAndValue;
use x509_cert::builder::Builder;
use x509_cert::der::asn1::{Any, BitString, GeneralizedTime, ObjectIdentifier, UtcTime, Utf8StringRef};
use x509_cert::der::oid::db::{rfc4519, rfc5912};
use x509_cert::der::pem::LineEnding;
use x509_cert::der::{DateTime, Decode, Encode, EncodePem};
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::spki::{AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier};
use x509_cert::time::Time;

use super::{MintError, Unsigned};
use crate::es256;

pub use ask::request;
pub use authority::{Authority, LASTS, NotAnAuthority, authority};
pub use client::ClientCertificate;
pub use crl::{NotAList, RevokedCertificate, SignedList, revocation_list};
pub use hand_out::{aws_profile, curl_line, exec_credential, kubeconfig, names_of_serial, postgres_service};
pub use request::{RequestError, SigningRequest};

mod ask;
mod authority;
mod client;
mod crl;
mod hand_out;
mod request;

/// Most characters of each part of a name (RFC 5280 appendix A, upper bounds).
const LONGEST_PART: usize = 64;

/// A certificate that was signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed(Certificate);

impl Signed {
    /// Of a certificate that was signed before, from its DER.
    ///
    /// # Errors
    /// [`MintError::X509`] if it is none.
    pub fn from_der(der: &[u8]) -> Result<Self, MintError> {
        Ok(Signed(Certificate::from_der(der)?))
    }

    /// DER.
    pub fn der(&self) -> Vec<u8> {
        self.0.to_der().expect("a certificate that was encoded to be signed")
    }

    /// PEM, with a line feed at the end.
    pub fn pem(&self) -> String {
        self.0.to_pem(LineEnding::LF).expect("a certificate that was encoded to be signed")
    }

    /// Its serial number, big-endian, without sign.
    pub fn serial(&self) -> &[u8] {
        self.0.tbs_certificate().serial_number().as_bytes()
    }

    /// The first second in which it holds, in Unix seconds.
    pub fn from(&self) -> u64 {
        self.0.tbs_certificate().validity().not_before.to_unix_duration().as_secs()
    }

    /// The last second in which it holds.
    pub fn until(&self) -> u64 {
        self.0.tbs_certificate().validity().not_after.to_unix_duration().as_secs()
    }

    /// `x5t#S256` of RFC 8705 section 3.1: SHA-256 of the DER.
    pub fn thumbprint(&self) -> crate::record::hash::Hash {
        crate::record::hash::Hash::of(&self.der())
    }
}

/// What a builder of the library has come to: its signed part now, the whole with a signature.
fn unsigned<B, T>(
    mut builder: B,
    key: &VerifyingKey,
    done: impl FnOnce(B::Output) -> T + 'static,
) -> Result<Unsigned<T>, MintError>
where
    B: Builder + 'static,
{
    let holder = Holder(*key);
    let signed_part = builder.finalize(&holder)?;
    let finish = move |signature: &Signature| {
        let bits = BitString::from_bytes(signature.to_der().as_bytes())?;
        Ok(done(builder.assemble(bits, &holder)?))
    };
    Ok(Unsigned::new(key, signed_part, finish))
}

/// The library wants to know whose signature it gets; the private half is in the key.
struct Holder(VerifyingKey);

impl Keypair for Holder {
    type VerifyingKey = VerifyingKey;
    fn verifying_key(&self) -> VerifyingKey {
        self.0
    }
}

impl DynSignatureAlgorithmIdentifier for Holder {
    fn signature_algorithm_identifier(&self) -> x509_cert::spki::Result<AlgorithmIdentifierOwned> {
        Ok(AlgorithmIdentifierOwned { oid: rfc5912::ECDSA_WITH_SHA_256, parameters: None })
    }
}

/// Whether that key signed it, by ECDSA with SHA-256 (RFC 5758 section 3.2).
fn signed_by(
    key: &VerifyingKey,
    signed_part: &[u8],
    algorithm: &AlgorithmIdentifierOwned,
    bits: &BitString,
) -> bool {
    let signature = bits.as_bytes().and_then(|der| Signature::from_der(der).ok());
    algorithm.oid == rfc5912::ECDSA_WITH_SHA_256
        && signature.is_some_and(|signature| es256::verify(key, signed_part, &signature))
}

/// A name of those parts, in the order in which they are encoded: the most general first.
fn name(parts: &[(ObjectIdentifier, &str)]) -> Result<Name, MintError> {
    let mut sequence = RdnSequence::default();
    for (oid, text) in parts {
        let fits = (1..=LONGEST_PART).contains(&text.chars().count()) && !text.chars().any(char::is_control);
        if !fits {
            let why = "1 to 64 characters, none that steers a terminal";
            return Err(MintError::Text { what: "the name", text: (*text).to_owned(), why });
        }
        let value = Any::encode_from(&Utf8StringRef::new(text)?)?;
        sequence.push(RelativeDistinguishedName::try_from(vec![AttributeTypeAndValue { oid: *oid, value }])?);
    }
    Ok(Name::from_der(&sequence.to_der()?)?)
}

/// RFC 5280 section 4.1.2.5: UTCTime through 2049, GeneralizedTime from 2050.
fn time(seconds: u64) -> Result<Time, MintError> {
    let at = DateTime::from_unix_duration(Duration::from_secs(seconds))?;
    Ok(match at.year() {
        ..=2049 => Time::UtcTime(UtcTime::from_date_time(at)?),
        _ => Time::GeneralTime(GeneralizedTime::from_date_time(at)),
    })
}

fn public(key: &VerifyingKey) -> PublicKey {
    PublicKey::from(key)
}

const ORGANISATION: ObjectIdentifier = rfc4519::O;
const UNIT: ObjectIdentifier = rfc4519::OU;
const COMMON: ObjectIdentifier = rfc4519::CN;
