//! The attestation key F9 and what it attests (Yubico, "PIV attestation").

use p256::SecretKey;
use p256::ecdsa::{SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use x509_cert::der::Encode;
use x509_cert::der::oid::ObjectIdentifier;

use super::authority::{Authority, AuthorityError, Parts, made, parse_name, raw_extension, read, serial};
use super::model::SimulatedKey;
use super::profile::Profile;
use super::slots::{KeyReference, Origin, random_secret, secret_key};
use super::status::Status;
use super::surroundings::Surroundings;
use crate::attestation::Firmware;

const FIRMWARE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.3");
const SERIAL: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.7");
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.8");
const FORM_FACTOR: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.41482.3.9");

/// F9: key and certificate. P-256, where a real key has RSA-2048: this project holds no RSA private key anywhere.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AttestationKey {
    #[serde(with = "secret_key")]
    secret: SecretKey,
    /// DER.
    #[serde(with = "hex::serde")]
    certificate: Vec<u8>,
}

impl AttestationKey {
    pub(super) fn new(
        profile: Profile,
        authority: &Authority,
        around: &Surroundings,
    ) -> Result<Self, AuthorityError> {
        let secret = random_secret(around);
        let certificate = authority.certify_device(
            profile.device_subject(),
            &VerifyingKey::from(secret.public_key()),
            vec![raw_extension(FIRMWARE, firmware_bytes(profile.firmware()))?],
            around,
        )?;
        Ok(AttestationKey { secret, certificate: certificate.to_der().map_err(made)? })
    }

    /// Its public key.
    pub fn public(&self) -> p256::PublicKey {
        self.secret.public_key()
    }

    /// DER of the F9 certificate.
    pub fn certificate(&self) -> &[u8] {
        &self.certificate
    }

    /// The certificate as object 5FFF01 has it, without the outer 53: `70 certificate, 71 00, FE`.
    pub(super) fn object(&self) -> Vec<u8> {
        let length = u16::try_from(self.certificate.len()).unwrap_or(u16::MAX).to_be_bytes();
        [&[0x70, 0x82], &length[..], &self.certificate, &[0x71, 1, 0, 0xFE, 0]].concat()
    }
}

impl SimulatedKey {
    /// The attestation key.
    pub fn attestation(&self) -> &AttestationKey {
        &self.attestation
    }

    /// ATTEST: DER of a certificate over the key in that slot, which must have been generated here.
    pub fn attest(&self, reference: KeyReference, around: &Surroundings) -> Result<Vec<u8>, Status> {
        let key = self.keys.get(&reference).filter(|key| key.origin == Origin::Generated);
        let key = key.ok_or(Status::DATA)?;
        let (pin, touch) = key.policy();
        self.leaf(reference, &VerifyingKey::from(key.public()), [pin, touch], around)
            .map_err(|_| Status::INTERNAL)
    }

    fn leaf(
        &self,
        reference: KeyReference,
        public: &VerifyingKey,
        policy: [u8; 2],
        around: &Surroundings,
    ) -> Result<Vec<u8>, AuthorityError> {
        let issuer = read(&self.attestation.certificate)?;
        let parts = Parts {
            issuer: issuer.tbs_certificate().subject().clone(),
            subject: parse_name(&format!("CN=YubiKey PIV Attestation {:02x}", reference.number()))?,
            serial: serial(around),
            // A real leaf copies the dates of F9.
            validity: *issuer.tbs_certificate().validity(),
            extensions: vec![
                raw_extension(FIRMWARE, firmware_bytes(self.profile.firmware()))?,
                raw_extension(SERIAL, self.serial.0.to_der().map_err(made)?)?,
                raw_extension(POLICY, policy)?,
                raw_extension(FORM_FACTOR, [self.profile.form_factor()])?,
            ],
        };
        parts.sign(public, &SigningKey::from(&self.attestation.secret))?.to_der().map_err(made)
    }
}

fn firmware_bytes(firmware: Firmware) -> [u8; 3] {
    [firmware.major, firmware.minor, firmware.patch]
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::DerSignature;
    use p256::ecdsa::signature::Verifier;
    use x509_cert::Certificate;
    use x509_cert::ext::pkix::BasicConstraints;

    use super::*;
    use crate::attestation::{Serial, Slot};
    use crate::device::practice::{PolicyBytes, root_certificate};
    use crate::secret::ManagementKey;

    /// Checks the signature of `certificate` with the key of `issuer`, and that the names meet.
    fn signed_by(certificate: &Certificate, issuer: &Certificate) {
        let info = issuer.tbs_certificate().subject_public_key_info().to_der().unwrap();
        let key = <VerifyingKey as p256::pkcs8::DecodePublicKey>::from_public_key_der(&info).unwrap();
        let signature = DerSignature::try_from(certificate.signature().raw_bytes()).unwrap();
        key.verify(&certificate.tbs_certificate().to_der().unwrap(), &signature).unwrap();
        assert_eq!(certificate.tbs_certificate().issuer(), issuer.tbs_certificate().subject());
    }

    fn extension(certificate: &Certificate, identifier: ObjectIdentifier) -> Vec<u8> {
        let extensions = certificate.tbs_certificate().extensions().unwrap();
        extensions.iter().find(|e| e.extn_id == identifier).unwrap().extn_value.as_bytes().to_vec()
    }

    #[test]
    fn leaf_device_and_root_are_one_chain_with_the_facts_of_the_key() {
        let (around, _) = Surroundings::seeded(5);
        let authority = Authority::practice().unwrap();
        let mut key =
            SimulatedKey::new(Serial(33_162_554), Profile::Firmware574, authority, &around).unwrap();
        key.authenticate(&ManagementKey::factory(Profile::Firmware574.factory_management()), &around)
            .unwrap();
        let slot = KeyReference::from(Slot::Sealing);
        let policy = PolicyBytes { pin: Some(2), touch: Some(2) };
        let public = key.generate(slot, 0x11, policy, &around).unwrap();

        let leaf = read(&key.attest(slot, &around).unwrap()).unwrap();
        let device = read(key.attestation().certificate()).unwrap();
        let root = read(&root_certificate().unwrap()).unwrap();
        signed_by(&leaf, &device);
        signed_by(&device, &root);
        signed_by(&root, &root);

        let facts = leaf.tbs_certificate();
        assert_eq!(facts.subject().to_string(), "CN=YubiKey PIV Attestation 82");
        assert_eq!(facts.validity(), device.tbs_certificate().validity());
        assert_eq!(facts.serial_number().as_bytes().len(), 16);
        assert_eq!(
            facts.subject_public_key_info().subject_public_key.raw_bytes(),
            public.to_sec1_bytes().as_ref()
        );
        assert_eq!(extension(&leaf, FIRMWARE), [5, 7, 4]);
        assert_eq!(extension(&leaf, SERIAL), [0x02, 0x04, 0x01, 0xFA, 0x05, 0x3A]);
        assert_eq!(extension(&leaf, POLICY), [2, 2]);
        assert_eq!(extension(&leaf, FORM_FACTOR), [3]);
        let extensions = leaf.tbs_certificate().extensions().unwrap();
        assert!(extensions.len() == 4 && extensions.iter().all(|extension| !extension.critical));
        let (_, constraints): (_, BasicConstraints) =
            device.tbs_certificate().get_extension().unwrap().unwrap();
        assert_eq!(constraints, BasicConstraints { ca: true, path_len_constraint: Some(0) });
    }

    #[test]
    fn a_ca_survives_its_pem_and_the_practice_ca_is_always_the_same() {
        let (around, _) = Surroundings::seeded(6);
        let made = Authority::new("test attestation root", &around).unwrap();
        let (certificate, key) = made.to_pem().unwrap();
        let read = Authority::from_pem(&certificate, &key).unwrap();
        assert_eq!(read.certificate_der().unwrap(), made.certificate_der().unwrap());
        let (_, other) = Authority::new("another", &around).unwrap().to_pem().unwrap();
        assert!(matches!(Authority::from_pem(&certificate, &other), Err(AuthorityError::Mismatch)));
        // A change here would make every practice kit in the field unreadable.
        let digest = <sha2::Sha256 as sha2::Digest>::digest(root_certificate().unwrap());
        assert_eq!(hex::encode(digest), "6dab1e0b69393068c2314d0c8a97c580e1d2ac50eeb3fa66b12b9398536e9e04");
    }
}
