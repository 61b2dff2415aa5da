//! Lists of certificates that an authority takes back (RFC 5280 section 5).

use x509_cert::builder::CrlBuilder;
use x509_cert::certificate::Rfc5280;
use x509_cert::crl::{CertificateList, RevokedCert};
use x509_cert::der::EncodePem;
use x509_cert::der::pem::LineEnding;
use x509_cert::der::referenced::OwnedToRef;
use x509_cert::ext::pkix::CrlNumber;
use x509_cert::serial_number::SerialNumber;

use super::{MintError, Signed, Unsigned, time, unsigned};

/// One certificate that is taken back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedCertificate {
    /// Its serial number, big-endian.
    pub serial: Vec<u8>,
    /// Since when, in Unix seconds.
    pub since: u64,
}

/// Settles a list under the authority whose own certificate that is, PEM when signed. `number` must grow from one to the
/// next. `until` is when the next one has to be there: from then on servers refuse everybody, so it is as late as the
/// authority lasts, and its own certificate's end where `None`.
pub fn revocation_list(
    authority: &Signed,
    revoked: &[RevokedCertificate],
    number: u64,
    now: u64,
    until: Option<u64>,
) -> Result<Unsigned<String>, MintError> {
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
    let pem = |list: CertificateList<Rfc5280>| {
        list.to_pem(LineEnding::LF).expect("a list that was encoded to be signed")
    };
    unsigned(builder, &key.into(), pem)
}
