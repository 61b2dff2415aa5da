//! Who certifies the attestation keys of simulated keys: the practice CA, or a CA of the tests.

use std::sync::OnceLock;
use std::time::Duration;

use p256::SecretKey;
use p256::ecdsa::{DerSignature, SigningKey};
use p256::pkcs8::{DecodePrivateKey, EncodePrivateKey, LineEnding};
use sha2::{Digest, Sha256};
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::OctetString;
use x509_cert::der::oid::ObjectIdentifier;
use x509_cert::der::{DateTime, Decode, DecodePem, Encode, EncodePem};
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{EncodePublicKey, SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};
use zeroize::Zeroizing;

use super::surroundings::Surroundings;

/// 2024-12-01T00:00:00Z, as Yubico's own Attestation Root 1 begins.
const NOT_BEFORE: u64 = 1_733_011_200;

/// What the practice CA's private key is the hash of. Everybody may know it: the practice CA says "this is a practice
/// key" and nothing else, and a kit that is real takes no practice key.
const PRACTICE_SEED: &[u8] = b"breakglass practice CA: public on purpose, worth nothing";

/// Why a certificate could not be made or read.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The file is not what its name promises.
    #[error("the CA's {0} is not readable PEM")]
    Unreadable(&'static str),
    /// Key and certificate are of two CAs.
    #[error("the CA's private key does not belong to its certificate")]
    Mismatch,
    /// Encoding or signing.
    #[error("a certificate could not be made: {0}")]
    Certificate(String),
}

/// An attestation root: signs F9 certificates.
pub struct Authority {
    key: SigningKey,
    certificate: Certificate,
}

impl Authority {
    /// The practice CA: always the same, its private key is public.
    pub fn practice() -> Result<&'static Authority, AuthorityError> {
        static PRACTICE: OnceLock<Authority> = OnceLock::new();
        if let Some(authority) = PRACTICE.get() {
            return Ok(authority);
        }
        let key = SecretKey::from_slice(&Sha256::digest(PRACTICE_SEED))
            .map_err(|_| AuthorityError::Unreadable("private key"))?;
        let made =
            Authority::self_signed("CN=PRACTICE PIV attestation root,O=breakglass practice", key, [1; 16])?;
        Ok(PRACTICE.get_or_init(|| made))
    }

    /// A fresh CA for tests: a private attestation root that a kit can name.
    pub fn new(common_name: &str, around: &Surroundings) -> Result<Authority, AuthorityError> {
        Authority::self_signed(
            &format!("CN={common_name}"),
            super::slots::random_secret(around),
            around.bytes(),
        )
    }

    fn self_signed(name: &str, key: SecretKey, serial: [u8; 16]) -> Result<Authority, AuthorityError> {
        let key = SigningKey::from(key);
        let name = parse_name(name)?;
        let parts = Parts {
            issuer: name.clone(),
            subject: name,
            serial,
            validity: validity()?,
            extensions: vec![ca(1)?, certificate_signing()?],
        };
        let certificate = parts.sign(key.verifying_key(), &key)?;
        Ok(Authority { key, certificate })
    }

    /// From the two PEM files that [`Authority::to_pem`] makes.
    pub fn from_pem(certificate: &str, key: &str) -> Result<Authority, AuthorityError> {
        let certificate =
            Certificate::from_pem(certificate).map_err(|_| AuthorityError::Unreadable("certificate"))?;
        let key = SecretKey::from_pkcs8_pem(key).map_err(|_| AuthorityError::Unreadable("private key"))?;
        let key = SigningKey::from(key);
        let info = SubjectPublicKeyInfoOwned::from_key(key.verifying_key()).map_err(made)?;
        if &info != certificate.tbs_certificate().subject_public_key_info() {
            return Err(AuthorityError::Mismatch);
        }
        Ok(Authority { key, certificate })
    }

    /// Certificate and private key (PKCS #8) as PEM.
    pub fn to_pem(&self) -> Result<(String, Zeroizing<String>), AuthorityError> {
        let certificate = self.certificate.to_pem(LineEnding::LF).map_err(made)?;
        let key = SecretKey::from(&self.key).to_pkcs8_pem(LineEnding::LF).map_err(made)?;
        Ok((certificate, key))
    }

    /// DER of the CA's certificate.
    pub fn certificate_der(&self) -> Result<Vec<u8>, AuthorityError> {
        self.certificate.to_der().map_err(made)
    }

    /// Certifies the attestation key of one device: a CA of path length 0.
    pub(super) fn certify_device(
        &self,
        subject: &str,
        public: &impl EncodePublicKey,
        mut extensions: Vec<Extension>,
        around: &Surroundings,
    ) -> Result<Certificate, AuthorityError> {
        extensions.insert(0, ca(0)?);
        let parts = Parts {
            issuer: self.certificate.tbs_certificate().subject().clone(),
            subject: parse_name(subject)?,
            serial: serial(around),
            validity: validity()?,
            extensions,
        };
        parts.sign(public, &self.key)
    }
}

/// What differs between the three kinds of certificates made here.
pub(super) struct Parts {
    pub(super) issuer: Name,
    pub(super) subject: Name,
    pub(super) serial: [u8; 16],
    pub(super) validity: Validity,
    pub(super) extensions: Vec<Extension>,
}

impl Parts {
    pub(super) fn sign(
        self,
        public: &impl EncodePublicKey,
        key: &SigningKey,
    ) -> Result<Certificate, AuthorityError> {
        let serial = SerialNumber::new(&self.serial).map_err(made)?;
        let info = SubjectPublicKeyInfoOwned::from_key(public).map_err(made)?;
        let validity = self.validity;
        let builder = CertificateBuilder::new(self, serial, validity, info).map_err(made)?;
        builder.build::<_, DerSignature>(key).map_err(made)
    }
}

impl BuilderProfile for Parts {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _subject_key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        _certificate: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        Ok(self.extensions.clone())
    }
}

/// An extension whose value is these bytes as they are, not critical: Yubico's are not all DER.
pub(super) fn raw_extension(
    identifier: ObjectIdentifier,
    value: impl Into<Vec<u8>>,
) -> Result<Extension, AuthorityError> {
    Ok(Extension {
        extn_id: identifier,
        critical: false,
        extn_value: OctetString::new(value.into()).map_err(made)?,
    })
}

/// 16 bytes, the first 01, as YubiKeys do.
pub(super) fn serial(around: &Surroundings) -> [u8; 16] {
    let mut serial = around.bytes::<16>();
    serial[0] = 1;
    serial
}

pub(super) fn parse_name(text: &str) -> Result<Name, AuthorityError> {
    text.parse().map_err(made)
}

fn ca(path_length: u8) -> Result<Extension, AuthorityError> {
    let constraints = BasicConstraints { ca: true, path_len_constraint: Some(path_length) };
    constraints.to_extension(&Name::default(), &[]).map_err(made)
}

fn certificate_signing() -> Result<Extension, AuthorityError> {
    KeyUsage(KeyUsages::KeyCertSign.into()).to_extension(&Name::default(), &[]).map_err(made)
}

/// From [`NOT_BEFORE`] to the end of 9999, as in Yubico's attestation chain of 2024.
fn validity() -> Result<Validity, AuthorityError> {
    let from = DateTime::from_unix_duration(Duration::from_secs(NOT_BEFORE)).map_err(made)?;
    Ok(Validity::new(Time::from(from), Time::INFINITY))
}

/// The certificate in DER, read back.
pub(super) fn read(der: &[u8]) -> Result<Certificate, AuthorityError> {
    Certificate::from_der(der).map_err(made)
}

pub(super) fn made(error: impl std::fmt::Display) -> AuthorityError {
    AuthorityError::Certificate(error.to_string())
}
