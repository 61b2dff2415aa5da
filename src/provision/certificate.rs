//! The self-signed certificate in 82, in the form that age-plugin-yubikey 0.5.1 takes for its own: subject
//! `O=age-plugin-yubikey, OU=<version>, CN=<name>`, and the key's policies as two raw bytes in extension
//! 1.3.6.1.4.1.41482.3.8, not critical. It lets stock age find the key; nothing of ours trusts it.

use std::time::Duration;

use p256::PublicKey;
use p256::ecdsa::signature::Keypair;
use p256::ecdsa::signature::hazmat::PrehashVerifier;
use p256::ecdsa::{Signature, VerifyingKey};
use rand_core::CryptoRng;
use sha2::{Digest, Sha256};
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, Builder, CertificateBuilder};
use x509_cert::der::asn1::{Any, BitString, ObjectIdentifier, OctetString, Utf8StringRef};
use x509_cert::der::oid::db::{rfc4519, rfc5912};
use x509_cert::der::{Decode, Encode};
use x509_cert::ext::Extension;
use x509_cert::name::{Name, RdnSequence, RelativeDistinguishedName};
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{
    AlgorithmIdentifierOwned, DynSignatureAlgorithmIdentifier, SubjectPublicKeyInfoOwned,
    SubjectPublicKeyInfoRef,
};
use x509_cert::time::{Time, Validity};
use x509_cert::{Certificate, TbsCertificate};
use zeroize::Zeroizing;

use crate::attestation::Slot;
use crate::device::piv::tlv;

/// Certificate object of slot 82 (retired key 1; NIST SP 800-73-4 part 1, table 3).
pub const OBJECT: u32 = 0x5F_C10D;

/// The organization by which age-plugin-yubikey knows its certificates.
const ORGANIZATION: &str = "age-plugin-yubikey";
/// Policies of a key, as Yubico's attestations write them.
const POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.8");

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum CertificateError {
    /// Its parts do not fit together, such as a name that is too long or a time before 1970.
    #[error("the certificate for 82 cannot be put together")]
    Form(#[source] builder::Error),
    /// The signature does not verify with the certificate's own key.
    #[error("the certificate for 82 does not verify with the key that it names")]
    Signature,
}

/// A certificate that waits for its signature.
pub struct Unsigned {
    builder: CertificateBuilder<AgeForm>,
    holder: Holder,
    signed_part: Vec<u8>,
}

impl Unsigned {
    /// For the key in 82. `name` is what age-plugin-yubikey shows, `version` the tool's; `now` in seconds of Unix
    /// time, as the machine claims it. It never expires, as those of the plugin.
    ///
    /// # Errors
    /// [`CertificateError::Form`].
    pub fn new(
        sealing: &PublicKey,
        name: &str,
        version: &str,
        now: u64,
        random: &mut dyn CryptoRng,
    ) -> Result<Self, CertificateError> {
        let holder = Holder(VerifyingKey::from(sealing));
        let form = |error: builder::Error| CertificateError::Form(error);
        let spki = SubjectPublicKeyInfoOwned::from_key(sealing).map_err(|e| form(e.into()))?;
        let begin = x509_cert::der::DateTime::from_unix_duration(Duration::from_secs(now));
        let validity = Validity::new(Time::from(begin.map_err(|e| form(e.into()))?), Time::INFINITY);
        let mut number = [0; 16];
        random.fill_bytes(&mut number);
        number[0] = number[0] & 0x7F | 0x40; // positive, and always 16 bytes
        let number = SerialNumber::new(&number).map_err(|e| form(e.into()))?;
        let subject = subject(name, version).map_err(|e| form(e.into()))?;
        let mut builder =
            CertificateBuilder::new(AgeForm { subject }, number, validity, spki).map_err(form)?;
        let signed_part = builder.finalize(&holder).map_err(form)?;
        Ok(Unsigned { builder, holder, signed_part })
    }

    /// What the key signs: SHA-256 of the part that the signature covers.
    pub fn digest(&self) -> [u8; 32] {
        Sha256::digest(&self.signed_part).into()
    }

    /// DER of the certificate.
    ///
    /// # Errors
    /// [`CertificateError::Signature`] if `signature` is not one over [`Unsigned::digest`].
    pub fn sign(self, signature: &Signature) -> Result<Vec<u8>, CertificateError> {
        let Unsigned { builder, holder, signed_part } = self;
        let digest: [u8; 32] = Sha256::digest(&signed_part).into();
        holder.0.verify_prehash(&digest, signature).map_err(|_| CertificateError::Signature)?;
        let bits = BitString::from_bytes(signature.to_der().as_bytes());
        let form = |error: x509_cert::der::Error| CertificateError::Form(error.into());
        let certificate = builder.assemble(bits.map_err(form)?, &holder).map_err(CertificateError::Form)?;
        certificate.to_der().map_err(form)
    }
}

/// Content of object 5FC10D for this certificate: uncompressed, as PIV draws it.
pub fn object(certificate: &[u8]) -> Zeroizing<Vec<u8>> {
    let mut content = tlv::write(0x70, certificate);
    content.extend_from_slice(&[0x71, 0x01, 0x00, 0xFE, 0x00]);
    content
}

/// Whether this content of 5FC10D is a certificate as above for `sealing`, signed by it.
pub fn fits(content: &[u8], sealing: &PublicKey) -> bool {
    certificate_of(content, sealing).is_some()
}

fn certificate_of(content: &[u8], sealing: &PublicKey) -> Option<Certificate> {
    let der = tlv::find(&tlv::all(content).ok()?, 0x70)?;
    if object(der)[..] != *content {
        return None;
    }
    let certificate = Certificate::from_der(der).ok()?;
    let tbs = certificate.tbs_certificate();
    let ours = tbs.subject().organization().ok()??.value() == ORGANIZATION;
    let key = SubjectPublicKeyInfoOwned::from_key(sealing).ok()?;
    let policies = tbs.extensions()?.iter().any(|extension| *extension == policy_extension());
    let signature = Signature::from_der(certificate.signature().as_bytes()?).ok()?;
    let digest: [u8; 32] = Sha256::digest(tbs.to_der().ok()?).into();
    let algorithm = ecdsa_with_sha256();
    let named = *tbs.signature() == algorithm && *certificate.signature_algorithm() == algorithm;
    let signed = named && VerifyingKey::from(sealing).verify_prehash(&digest, &signature).is_ok();
    (ours && policies && signed && *tbs.subject_public_key_info() == key).then_some(certificate)
}

fn policy_extension() -> Extension {
    let (pin, touch) = Slot::Sealing.policy();
    let value = OctetString::new([pin as u8, touch as u8]).expect("two bytes are an octet string");
    Extension { extn_id: POLICIES, critical: false, extn_value: value }
}

/// O, OU, CN, in the order in which the plugin writes them.
fn subject(name: &str, version: &str) -> Result<Name, x509_cert::der::Error> {
    let mut sequence = RdnSequence::default();
    for (oid, text) in [(rfc4519::O, ORGANIZATION), (rfc4519::OU, version), (rfc4519::CN, name)] {
        let value = Any::encode_from(&Utf8StringRef::new(text)?)?;
        sequence.push(RelativeDistinguishedName::try_from(vec![x509_cert::attr::AttributeTypeAndValue {
            oid,
            value,
        }])?);
    }
    Name::from_der(&sequence.to_der()?)
}

/// Self-signed, with the policies as its one extension.
struct AgeForm {
    subject: Name,
}

impl BuilderProfile for AgeForm {
    fn get_issuer(&self, subject: &Name) -> Name {
        subject.clone()
    }
    fn get_subject(&self) -> Name {
        self.subject.clone()
    }
    fn build_extensions(
        &self,
        _subject_key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        Ok(vec![policy_extension()])
    }
}

/// The builder wants to know whose signature it gets; the private half is in the key.
struct Holder(VerifyingKey);

impl Keypair for Holder {
    type VerifyingKey = VerifyingKey;
    fn verifying_key(&self) -> VerifyingKey {
        self.0
    }
}

impl DynSignatureAlgorithmIdentifier for Holder {
    fn signature_algorithm_identifier(&self) -> x509_cert::spki::Result<AlgorithmIdentifierOwned> {
        Ok(ecdsa_with_sha256())
    }
}

fn ecdsa_with_sha256() -> AlgorithmIdentifierOwned {
    AlgorithmIdentifierOwned { oid: rfc5912::ECDSA_WITH_SHA_256, parameters: None }
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::hazmat::PrehashSigner;

    use super::*;

    /// 2026-11-01T00:00:00Z.
    const NOW: u64 = 1_793_491_200;

    struct Counting(u8);
    impl rand_core::TryRng for Counting {
        type Error = std::convert::Infallible;
        fn try_next_u32(&mut self) -> Result<u32, Self::Error> {
            Ok(0xFFFF_FFFF)
        }
        fn try_next_u64(&mut self) -> Result<u64, Self::Error> {
            Ok(u64::MAX)
        }
        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Self::Error> {
            bytes.fill(self.0);
            Ok(())
        }
    }
    impl rand_core::TryCryptoRng for Counting {}

    fn pair(byte: u8) -> (SigningKey, PublicKey) {
        let signing = SigningKey::from_slice(&[byte; 32]).unwrap();
        let public = PublicKey::from(signing.verifying_key());
        (signing, public)
    }

    fn made(name: &str) -> (Vec<u8>, PublicKey) {
        let (signing, public) = pair(7);
        let unsigned = Unsigned::new(&public, name, "0.1.0", NOW, &mut Counting(0xAB)).unwrap();
        let signature: Signature = signing.sign_prehash(&unsigned.digest()).unwrap();
        (unsigned.sign(&signature).unwrap(), public)
    }

    #[test]
    fn the_form_is_the_plugins() {
        let (der, public) = made("DC1 key 30877");
        let certificate = Certificate::from_der(&der).unwrap();
        let tbs = certificate.tbs_certificate();
        assert_eq!(tbs.subject().to_string(), "CN=DC1 key 30877,OU=0.1.0,O=age-plugin-yubikey");
        assert_eq!(tbs.subject(), tbs.issuer());
        assert_eq!(tbs.validity().not_before.to_unix_duration().as_secs(), NOW);
        let extensions = tbs.extensions().unwrap();
        assert_eq!(extensions.len(), 1);
        assert_eq!(extensions[0].extn_value.as_bytes(), [2, 2], "PIN once, touch always");
        assert!(fits(&object(&der), &public));
    }

    #[test]
    fn a_name_with_signs_of_x_500_is_only_a_name() {
        let (der, _) = made("a,O=other+CN=b\\");
        let certificate = Certificate::from_der(&der).unwrap();
        let subject = certificate.tbs_certificate().subject();
        assert_eq!(subject.iter_rdn().count(), 3);
        assert_eq!(subject.common_name().unwrap().unwrap().value(), "a,O=other+CN=b\\");
    }

    #[test]
    fn another_keys_signature_is_refused() {
        let (_, public) = pair(7);
        let (other, _) = pair(8);
        let unsigned = Unsigned::new(&public, "x", "1", NOW, &mut Counting(1)).unwrap();
        let signature: Signature = other.sign_prehash(&unsigned.digest()).unwrap();
        assert!(matches!(unsigned.sign(&signature), Err(CertificateError::Signature)));
    }

    #[test]
    fn any_other_content_does_not_fit() {
        let (der, public) = made("x");
        let good = object(&der).to_vec();
        assert!(!fits(&good, &pair(8).1), "another key");
        for index in 0..good.len() {
            let mut bad = good.clone();
            bad[index] ^= 1;
            assert!(!fits(&bad, &public), "byte {index} changed");
            assert!(!fits(&good[..index], &public), "cut at {index}");
        }
        let mut longer = good.clone();
        longer.push(0);
        assert!(!fits(&longer, &public));
    }
}
