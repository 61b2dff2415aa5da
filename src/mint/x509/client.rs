//! One client certificate.

use p256::ecdsa::VerifyingKey;
use x509_cert::TbsCertificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{self, CertificateBuilder};
use x509_cert::der::oid::db::rfc5280::ID_KP_CLIENT_AUTH;
use x509_cert::ext::pkix::{
    AuthorityKeyIdentifier, BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectKeyIdentifier,
};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfoOwned, SubjectPublicKeyInfoRef};
use x509_cert::time::Validity;

use super::authority::Authority;
use super::{COMMON, MintError, ORGANISATION, Signed, UNIT, Unsigned, name, public, time, unsigned};
use crate::mint::{Label, Window};

/// The group that passes every check of a Kubernetes cluster and that no binding takes back.
const MASTERS: &str = "system:masters";

/// One client certificate to be. Its subject is `CN=<user>, OU=<incident>, O=<group>…` as RFC 4514 writes it.
#[derive(Debug, Clone)]
pub struct ClientCertificate {
    /// The key that gets it.
    pub subject: VerifyingKey,
    /// As whom: user of Kubernetes, role of PostgreSQL, source identity of AWS.
    pub user: Label,
    /// For which incident; so that the platform's own log names it.
    pub incident: Label,
    /// Groups of Kubernetes, or the organisation; at least one.
    pub groups: Vec<Label>,
    /// Whether `system:masters` may be among them.
    pub masters: bool,
    /// When.
    pub window: Window,
    /// Serial number, as [`crate::mint::Numbers::x509`] makes it.
    pub number: [u8; 17],
}

impl ClientCertificate {
    /// Settles what `authority` will sign.
    ///
    /// # Errors
    /// [`MintError::Nothing`] without a group; [`MintError::Masters`]; [`MintError::X509`].
    pub fn prepare(&self, authority: &Authority) -> Result<Unsigned<Signed>, MintError> {
        if self.groups.is_empty() {
            return Err(MintError::Nothing("group or organisation"));
        }
        if !self.masters && self.groups.iter().any(|group| group.as_str().eq_ignore_ascii_case(MASTERS)) {
            return Err(MintError::Masters);
        }
        let mut parts: Vec<_> = self.groups.iter().map(|group| (ORGANISATION, group.as_str())).collect();
        parts.extend([(UNIT, self.incident.as_str()), (COMMON, self.user.as_str())]);
        // X.509 counts the last second in.
        let validity = Validity::new(time(self.window.from())?, time(self.window.until() - 1)?);
        let spki = SubjectPublicKeyInfoOwned::from_key(&public(&self.subject))?;
        let form = ClientForm { issuer: authority.name.clone(), subject: name(&parts)? };
        let builder = CertificateBuilder::new(form, SerialNumber::new(&self.number)?, validity, spki)?;
        unsigned(builder, &authority.key, Signed)
    }
}

struct ClientForm {
    issuer: Name,
    subject: Name,
}

impl BuilderProfile for ClientForm {
    fn get_issuer(&self, _subject: &Name) -> Name {
        self.issuer.clone()
    }
    fn get_subject(&self) -> Name {
        self.subject.clone()
    }
    fn build_extensions(
        &self,
        own_key: SubjectPublicKeyInfoRef<'_>,
        issuer_key: SubjectPublicKeyInfoRef<'_>,
        _tbs: &TbsCertificate,
    ) -> builder::Result<Vec<Extension>> {
        let constraints = BasicConstraints { ca: false, path_len_constraint: None };
        let usage = KeyUsage(KeyUsages::DigitalSignature.into());
        let purpose = ExtendedKeyUsage(vec![ID_KP_CLIENT_AUTH]);
        let issuer = AuthorityKeyIdentifier::try_from(issuer_key)?;
        let own = SubjectKeyIdentifier::try_from(own_key)?;
        Ok(vec![
            (true, &constraints).to_extension(&self.subject, &[])?,
            (true, &usage).to_extension(&self.subject, &[])?,
            purpose.to_extension(&self.subject, &[])?,
            own.to_extension(&self.subject, &[])?,
            issuer.to_extension(&self.subject, &[])?,
        ])
    }
}
