//! One certificate: strict decoding within limits, and the check of one signature.

use p256::ecdsa::signature::hazmat::PrehashVerifier;
use rsa::pkcs1::DecodeRsaPublicKey;
use rsa::pkcs1v15::Pkcs1v15Sign;
use rsa::traits::PublicKeyParts;
use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::der::asn1::Null;
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::{self, Decode, Encode, Reader, SliceReader};
use x509_cert::ext::Extension;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage};
use x509_cert::name::Name;
use x509_cert::spki::{AlgorithmIdentifierOwned, ObjectIdentifier, SubjectPublicKeyInfoOwned};
use x509_cert::{Certificate as X509, Version};

use super::error::{AttestationError, Part};
use super::{oid, roca};

/// Real ones have less than 800 bytes; a PIV object, and so a device certificate of one's own, at most 3,052.
const CERTIFICATE_LIMIT: usize = 4096;
/// Real ones have at most five.
const EXTENSION_LIMIT: usize = 16;
/// Bits of the shortest RSA key that may sign certificates. Yubico's all have 2,048.
const SIGNER_BITS: u32 = 2048;

/// A decoded certificate and the very bytes that were signed.
#[derive(Debug, Clone)]
pub(super) struct Certificate {
    part: Part,
    signed: Vec<u8>,
    x509: X509,
}

/// A public key, checked: points are on their curve, moduli have 1,024 to 4,096 bits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PublicKey {
    P256(p256::PublicKey),
    P384(p384::PublicKey),
    Rsa(rsa::RsaPublicKey),
    Ed25519([u8; 32]),
    Other(ObjectIdentifier),
}

impl Certificate {
    /// Decodes DER. Refuses what is too long, not strictly DER, not version 3, or has an extension twice or one that is
    /// critical and unknown.
    pub(super) fn decode(part: Part, der: &[u8]) -> Result<Self, AttestationError> {
        if der.len() > CERTIFICATE_LIMIT {
            return Err(AttestationError::TooLarge { part, bytes: der.len(), limit: CERTIFICATE_LIMIT });
        }
        let not_certificate = |cause| AttestationError::NotCertificate { part, cause };
        let x509 = X509::from_der(der).map_err(not_certificate)?;
        let signed = signed_bytes(der).map_err(not_certificate)?;
        if x509.tbs_certificate().version() != Version::V3 {
            return Err(AttestationError::NotVersion3 { part });
        }
        // RFC 5280 section 4.1.1.2. The outer one is not signed.
        if x509.signature_algorithm() != x509.tbs_certificate().signature() {
            return Err(AttestationError::AlgorithmDiffers { part });
        }
        let certificate = Certificate { part, signed, x509 };
        certificate.check_extensions()?;
        Ok(certificate)
    }

    fn check_extensions(&self) -> Result<(), AttestationError> {
        let part = self.part;
        let extensions = self.extensions();
        if extensions.len() > EXTENSION_LIMIT {
            let (count, limit) = (extensions.len(), EXTENSION_LIMIT);
            return Err(AttestationError::TooManyExtensions { part, count, limit });
        }
        for (index, extension) in extensions.iter().enumerate() {
            let id = extension.extn_id;
            if extensions[..index].iter().any(|earlier| earlier.extn_id == id) {
                return Err(AttestationError::DuplicateExtension { part, extension: id });
            }
            if extension.critical
                && ![BasicConstraints::OID, KeyUsage::OID].contains(&id)
                && !oid::KNOWN.contains(&id)
            {
                return Err(AttestationError::CriticalExtension { part, extension: id });
            }
        }
        Ok(())
    }

    fn extensions(&self) -> &[Extension] {
        self.x509.tbs_certificate().extensions().map_or(&[], Vec::as_slice)
    }

    /// The content of that extension's OCTET STRING.
    pub(super) fn extension(&self, id: ObjectIdentifier) -> Option<&[u8]> {
        self.extensions().iter().find(|e| e.extn_id == id).map(|e| e.extn_value.as_bytes())
    }

    /// Basic constraints and key usage: `None` if it does not say that it is an authority, else how many authorities
    /// it allows below it (`Some(None)`: any number).
    pub(super) fn authority(&self) -> Result<Option<Option<u8>>, AttestationError> {
        let bad = |name| {
            move |_| AttestationError::BadExtension {
                part: self.part,
                name,
                detail: "not the DER of RFC 5280",
            }
        };
        let Some(value) = self.extension(BasicConstraints::OID) else { return Ok(None) };
        let basic = BasicConstraints::from_der(value).map_err(bad("basic constraints"))?;
        if let Some(value) = self.extension(KeyUsage::OID)
            && !KeyUsage::from_der(value).map_err(bad("key usage"))?.key_cert_sign()
        {
            return Ok(None);
        }
        Ok(basic.ca.then_some(basic.path_len_constraint))
    }

    /// Whether it has no basic constraints at all, as some device certificates.
    pub(super) fn lacks_constraints(&self) -> bool {
        self.extension(BasicConstraints::OID).is_none()
    }

    pub(super) fn subject(&self) -> &Name {
        self.x509.tbs_certificate().subject()
    }

    pub(super) fn issuer(&self) -> &Name {
        self.x509.tbs_certificate().issuer()
    }

    /// The key that it certifies.
    pub(super) fn public_key(&self) -> Result<PublicKey, AttestationError> {
        decode_key(self.x509.tbs_certificate().subject_public_key_info())
            .map_err(|detail| AttestationError::BadKey { part: self.part, detail })
    }

    /// Checks that the key of `issuer` signed this certificate. Names and constraints are the caller's.
    pub(super) fn check_signed_by(&self, issuer: &Certificate) -> Result<(), AttestationError> {
        let part = self.part;
        let algorithm = self.x509.signature_algorithm();
        let unknown = AttestationError::UnknownAlgorithm { part, algorithm: algorithm.oid };
        let key = issuer.public_key()?;
        let signature = self.x509.signature().as_bytes().unwrap_or_default();
        let good = match (&key, algorithm.oid) {
            (PublicKey::Rsa(key), oid::SHA256_WITH_RSA | oid::SHA384_WITH_RSA | oid::SHA512_WITH_RSA) => {
                check_parameters(part, algorithm, true)?;
                if key.n().bits() < SIGNER_BITS {
                    let detail = "an RSA key that signs certificates has at least 2,048 bits";
                    return Err(AttestationError::BadKey { part: issuer.part, detail });
                }
                if roca::has_fingerprint(&key.n().to_be_bytes()) {
                    return Err(AttestationError::RocaKey { part: issuer.part });
                }
                let (scheme, digest) = match algorithm.oid {
                    oid::SHA256_WITH_RSA => {
                        (Pkcs1v15Sign::new::<Sha256>(), Sha256::digest(&self.signed).to_vec())
                    }
                    oid::SHA384_WITH_RSA => {
                        (Pkcs1v15Sign::new::<Sha384>(), Sha384::digest(&self.signed).to_vec())
                    }
                    _ => (Pkcs1v15Sign::new::<Sha512>(), Sha512::digest(&self.signed).to_vec()),
                };
                key.verify(scheme, &digest, signature).is_ok()
            }
            (PublicKey::P256(_) | PublicKey::P384(_), oid::ECDSA_WITH_SHA256 | oid::ECDSA_WITH_SHA384) => {
                check_parameters(part, algorithm, false)?;
                let digest = match algorithm.oid {
                    oid::ECDSA_WITH_SHA256 => Sha256::digest(&self.signed).to_vec(),
                    _ => Sha384::digest(&self.signed).to_vec(),
                };
                ecdsa_good(&key, &digest, signature)
            }
            _ => return Err(unknown),
        };
        if good {
            return Ok(());
        }
        let (subject, issuer) = (readable(self.subject()), readable(issuer.subject()));
        Err(AttestationError::BadSignature { subject, issuer })
    }
}

fn ecdsa_good(key: &PublicKey, digest: &[u8], signature: &[u8]) -> bool {
    match key {
        PublicKey::P256(key) => p256::ecdsa::Signature::from_der(signature)
            .is_ok_and(|s| p256::ecdsa::VerifyingKey::from(key).verify_prehash(digest, &s).is_ok()),
        PublicKey::P384(key) => p384::ecdsa::Signature::from_der(signature)
            .is_ok_and(|s| p384::ecdsa::VerifyingKey::from(key).verify_prehash(digest, &s).is_ok()),
        _ => false,
    }
}

/// RSA carries NULL, or nothing as Yubico's PIV Attestation B2 1 does (RFC 4055 section 5 asks to accept both); ECDSA carries
/// nothing (RFC 5758 section 3.2).
fn check_parameters(
    part: Part,
    algorithm: &AlgorithmIdentifierOwned,
    null_allowed: bool,
) -> Result<(), AttestationError> {
    let as_expected = match &algorithm.parameters {
        Some(parameters) => null_allowed && parameters.decode_as::<Null>().is_ok(),
        None => true,
    };
    if as_expected { Ok(()) } else { Err(AttestationError::AlgorithmDiffers { part }) }
}

/// The `TBSCertificate` as it stands in the certificate: what was signed, not what we would encode.
fn signed_bytes(der: &[u8]) -> der::Result<Vec<u8>> {
    let mut reader = SliceReader::new(der)?;
    let signed = reader.sequence(|inner| {
        let signed = inner.tlv_bytes()?.to_vec();
        inner.drain(inner.remaining_len())?;
        Ok::<_, der::Error>(signed)
    })?;
    reader.finish()?;
    Ok(signed)
}

fn decode_key(info: &SubjectPublicKeyInfoOwned) -> Result<PublicKey, &'static str> {
    let bytes = info.subject_public_key.as_bytes().ok_or("its bits are not whole bytes")?;
    match info.algorithm.oid {
        oid::RSA => {
            let key = rsa::RsaPublicKey::from_pkcs1_der(bytes)
                .map_err(|_| "it is no RSA key of up to 4,096 bits")?;
            if key.n().bits() < 1024 {
                return Err("its RSA modulus has less than 1,024 bits");
            }
            Ok(PublicKey::Rsa(key))
        }
        oid::EC => {
            let curve =
                info.algorithm.parameters.as_ref().and_then(|p| p.decode_as::<ObjectIdentifier>().ok());
            // Uncompressed, the only form in which a YubiKey writes a point.
            if matches!(curve, Some(oid::P256 | oid::P384)) && bytes.first() != Some(&0x04) {
                return Err("its point is not written uncompressed");
            }
            match curve {
                Some(oid::P256) => p256::PublicKey::from_sec1_bytes(bytes)
                    .map(PublicKey::P256)
                    .map_err(|_| "its point is not on the curve P-256"),
                Some(oid::P384) => p384::PublicKey::from_sec1_bytes(bytes)
                    .map(PublicKey::P384)
                    .map_err(|_| "its point is not on the curve P-384"),
                _ => Err("its curve is neither P-256 nor P-384"),
            }
        }
        oid::ED25519 => bytes.try_into().map(PublicKey::Ed25519).map_err(|_| "an Ed25519 key has 32 bytes"),
        other => Ok(PublicKey::Other(other)),
    }
}

/// A name for people, as RFC 4514 writes it, cut after 120 characters; what could play tricks on a screen is escaped.
pub(super) fn readable(name: &Name) -> String {
    let mut text = String::new();
    for character in name.to_string().chars().take(120) {
        match character {
            ' '..='~' => text.push(character),
            other => text.extend(other.escape_unicode()),
        }
    }
    text
}

/// SHA-256 of the DER, in hexadecimal: how a root is named.
pub(super) fn fingerprint(der: &[u8]) -> String {
    hex::encode(Sha256::digest(der))
}

/// Whether two names are the same bytes. Yubico's are, so nothing is gained by RFC 5280's folding of case and space.
pub(super) fn same_name(a: &Name, b: &Name) -> bool {
    matches!((a.to_der(), b.to_der()), (Ok(a), Ok(b)) if a == b)
}
