//! Lists of certificates that an authority takes back (RFC 5280 section 5).

use x509_cert::builder::CrlBuilder;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::der::oid::AssociatedOid;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::der::{Decode, Encode, EncodePem};
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::serial_number::SerialNumber;

use super::{Authority, MintError, Signed, Unsigned, signed_by, time, unsigned};

/// One certificate that is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when, in Unix seconds.
    pub since: u64,
}

/// Why it is no list of an authority.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAList {
    /// No DER of a list.
    #[error("it is no list of revoked certificates")]
    Form,
    /// Another authority's.
    #[error("it is a list of another authority")]
    Issuer,
    /// The authority did not sign it.
    #[error("its signature is not of the authority")]
    Signature,
    /// No number, or none of 1 to 8 bytes: which of two is newer could not be told.
    #[error("it has no number that tells which list is newer")]
    Number,
}

/// A list that an authority signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedList(CertificateList<Rfc5280>);

impl SignedList {
    /// From DER, if that authority signed it. When it ends is not looked at.
    ///
    /// # Errors
    /// [`NotAList`].
    pub fn of(der: &[u8], authority: &Authority) -> Result<Self, NotAList> {
        let list = CertificateList::<Rfc5280>::from_der(der).map_err(|_| NotAList::Form)?;
        let tbs = &list.tbs_cert_list;
        if tbs.issuer != authority.name {
            return Err(NotAList::Issuer);
        }
        let signed_part = tbs.to_der().map_err(|_| NotAList::Form)?;
        if !signed_by(&authority.key, &signed_part, &list.signature_algorithm, &list.signature) {
            return Err(NotAList::Signature);
        }
        number(&list).ok_or(NotAList::Number)?;
        Ok(SignedList(list))
    }

    /// DER.
    pub fn der(&self) -> Vec<u8> {
        self.0.to_der().expect("a list that was encoded to be signed")
    }

    /// PEM, with a line feed at the end.
    pub fn pem(&self) -> String {
        self.0.to_pem(LineEnding::LF).expect("a list that was encoded to be signed")
    }

    /// Its number: of two lists of an authority the higher is newer.
    pub fn number(&self) -> u64 {
        number(&self.0).unwrap_or(0) // there is one, or it had not been read or made
    }

    /// What it takes back.
    pub fn revoked(&self) -> Vec<RevokedCertificate> {
        let entry = |one: &RevokedCert<Rfc5280>| RevokedCertificate {
            serial: one.serial_number.as_bytes().to_vec(),
            since: one.revocation_date.to_unix_duration().as_secs(),
        };
        self.0.tbs_cert_list.revoked_certificates.iter().flatten().map(entry).collect()
    }

    /// When the next one has to be there, in Unix seconds: from then on servers refuse everybody.
    pub fn until(&self) -> Option<u64> {
        self.0.tbs_cert_list.next_update.map(|at| at.to_unix_duration().as_secs())
    }
}

/// RFC 5280 section 5.2.3.
fn number(list: &CertificateList<Rfc5280>) -> Option<u64> {
    let extensions = list.tbs_cert_list.crl_extensions.as_ref()?;
    let extension = extensions.iter().find(|extension| extension.extn_id == CrlNumber::OID)?;
    let number = CrlNumber::from_der(extension.extn_value.as_bytes()).ok()?;
    let mut bytes = [0; 8];
    let digits = number.0.as_bytes();
    bytes.get_mut(8_usize.checked_sub(digits.len())?..)?.copy_from_slice(digits);
    Some(u64::from_be_bytes(bytes))
}

/// Settles a list under the authority whose own certificate that is. `number` must grow from one to the next. `until` is
/// when the next one has to be there: from then on servers refuse everybody, so it is as late as the authority lasts, and
/// its own certificate's end where `None`.
pub fn revocation_list(
    authority: &Signed,
    revoked: &[RevokedCertificate],
    number: u64,
    now: u64,
    until: Option<u64>,
) -> Result<Unsigned<SignedList>, MintError> {
    let tbs = authority.0.tbs_certificate();
    let next = until.map_or_else(|| Ok(tbs.validity().not_after), time)?;
    let mut builder =
        CrlBuilder::<Rfc5280>::new_with_this_update(&authority.0, CrlNumber::try_from(number)?, time(now)?)?
            .with_next_update(Some(next));
    let mut entries = Vec::new();
    for one in revoked {
        entries.push(RevokedCert {
            serial_number: SerialNumber::new(&one.serial)?,
            revocation_date: time(one.since)?,
            crl_entry_extensions: None,
        });
    }
    if !entries.is_empty() {
        builder = builder.with_certificates(entries.into_iter()); // RFC 5280 section 5.1.2.6: absent rather than empty
    }
    let key = p256::PublicKey::try_from(tbs.subject_public_key_info().owned_to_ref())?;
    unsigned(builder, &key.into(), SignedList)
}
