//! The authority's own certificate, which platforms install in advance.

use p256::ecdsa::VerifyingKey;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, CertificateBuilder};
use x509_cert::der::Decode;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;
use x509_cert::{Certificate, TbsCertificate};

use super::{COMMON, MintError, ORGANISATION, Signed, Unsigned, name, public, time, unsigned};
use crate::attestation::Serial;

/// Who signs client certificates: its key and its name, from which everything about it follows.
#[derive(Debug, Clone)]
pub struct Authority {
    pub(super) key: VerifyingKey,
    pub(super) name: Name,
}

impl Authority {
    /// `O=<organisation>, CN=breakglass emergency CA <serial>`.
    ///
    /// # Errors
    /// [`MintError::Text`] for an organisation that is no part of a name.
    pub fn new(key: &VerifyingKey, organisation: &str, serial: Serial) -> Result<Self, MintError> {
        let common = format!("breakglass emergency CA {serial}");
        Ok(Authority { key: *key, name: name(&[(ORGANISATION, organisation), (COMMON, &common)])? })
    }

    /// Its key.
    pub fn key(&self) -> &VerifyingKey {
        &self.key
    }

    /// Whether that DER is a certificate of this authority for itself. Its signature is not looked at: platforms trust the
    /// bytes that they install.
    pub fn is_of(&self, der: &[u8]) -> bool {
        let own = SubjectPublicKeyInfoOwned::from_key(&public(&self.key)).ok();
        Certificate::from_der(der).is_ok_and(|certificate| {
            let tbs = certificate.tbs_certificate();
            Some(tbs.subject_public_key_info()) == own.as_ref()
                && *tbs.subject() == self.name
                && *tbs.issuer() == self.name
        })
    }
}

/// Settles the self-signed certificate of an authority, from `now` for `seconds`. It may sign certificates that sign none,
/// and lists of what it takes back.
pub fn authority(
    authority: &Authority,
    number: [u8; 17],
    now: u64,
    seconds: u64,
) -> Result<Unsigned<Signed>, MintError> {
    let validity = Validity::new(time(now)?, time(now.saturating_add(seconds))?);
    let spki = SubjectPublicKeyInfoOwned::from_key(&public(&authority.key))?;
    let form = OwnForm { name: authority.name.clone() };
    let builder = CertificateBuilder::new(form, SerialNumber::new(&number)?, validity, spki)?;
    unsigned(builder, &authority.key, Signed)
}

struct OwnForm {
    name: Name,
}

impl BuilderProfile for OwnForm {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.name.clone()
    }
    fn get_subject(&self) -> Name {
        self.name.clone()
    }
    fn build_extensions(
        &self,
        own_key: SubjectPublicKeyInfoRef<'_>,
        _issuer_key: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let constraints = BasicConstraints { ca: true, path_len_constraint: Some(0) };
        let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
        Ok(vec![
            (true, &constraints).to_extension(&self.name, &[])?,
            (true, &usage).to_extension(&self.name, &[])?,
            SubjectKeyIdentifier::try_from(own_key)?.to_extension(&self.name, &[])?,
        ])
    }
}
