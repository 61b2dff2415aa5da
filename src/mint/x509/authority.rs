//! The authority's own certificate, which platforms install in advance.

use p256::ecdsa::VerifyingKey;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, CertificateBuilder};
use x509_cert::der::Encode;
use x509_cert::ext::pkix::{BasicConstraints, KeyUsage, KeyUsages, SubjectKeyIdentifier};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

use super::{COMMON, MintError, ORGANISATION, Signed, Unsigned, name, public, signed_by, time, unsigned};
use crate::attestation::Serial;

/// Seconds that an authority lasts: ten years of 365 days. Platforms install it once, and the key does not last longer.
pub const LASTS: u64 = 10 * 365 * 86_400;

/// Why a certificate is not one of an authority for itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAnAuthority {
    /// It is no certificate, or one of another key.
    #[error("it is no certificate of that key")]
    Key,
    /// Somebody else's name is on it.
    #[error("it was not issued by the authority that it is for")]
    Issuer,
    /// The key did not sign it.
    #[error("its signature is not of the key that it is for")]
    Signature,
    /// Its extensions say something else.
    #[error("it is not made to sign certificates that sign none, and lists, and nothing else")]
    Purpose,
}

/// Who signs client certificates: its key and its name, from which everything about it follows.
#[derive(Debug, Clone, PartialEq, Eq)]
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

    /// The authority whose own certificate that is: of this key, signed by it, and made to sign client certificates and
    /// lists alone. Its name is the one in the certificate, which stands although the kit is called otherwise by now. When
    /// it ends is not looked at.
    ///
    /// # Errors
    /// [`NotAnAuthority`].
    pub fn of(certificate: &Signed, key: &VerifyingKey) -> Result<Self, NotAnAuthority> {
        let tbs = certificate.0.tbs_certificate();
        let own = SubjectPublicKeyInfoOwned::from_key(&public(key)).map_err(|_| NotAnAuthority::Key)?;
        if *tbs.subject_public_key_info() != own {
            return Err(NotAnAuthority::Key);
        }
        if tbs.issuer() != tbs.subject() {
            return Err(NotAnAuthority::Issuer);
        }
        let signed_part = tbs.to_der().map_err(|_| NotAnAuthority::Signature)?;
        if !signed_by(key, &signed_part, certificate.0.signature_algorithm(), certificate.0.signature()) {
            return Err(NotAnAuthority::Signature);
        }
        let constraints = tbs.get_extension::<BasicConstraints>();
        let usage = tbs.get_extension::<KeyUsage>();
        let (Ok(Some((true, constraints))), Ok(Some((true, usage)))) = (constraints, usage) else {
            return Err(NotAnAuthority::Purpose);
        };
        if constraints != CONSTRAINTS || usage.0 != KeyUsages::KeyCertSign | KeyUsages::CRLSign {
            return Err(NotAnAuthority::Purpose);
        }
        Ok(Authority { key: *key, name: tbs.subject().clone() })
    }
}

/// Its name, the most particular part first (RFC 4514).
impl std::fmt::Display for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.name.fmt(f)
    }
}

/// It signs certificates, and those sign none.
const CONSTRAINTS: BasicConstraints = BasicConstraints { ca: true, path_len_constraint: Some(0) };

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
        let usage = KeyUsage(KeyUsages::KeyCertSign | KeyUsages::CRLSign);
        Ok(vec![
            (true, &CONSTRAINTS).to_extension(&self.name, &[])?,
            (true, &usage).to_extension(&self.name, &[])?,
            SubjectKeyIdentifier::try_from(own_key)?.to_extension(&self.name, &[])?,
        ])
    }
}
