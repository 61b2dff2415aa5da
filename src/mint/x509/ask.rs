//! A certificate request (PKCS #10, RFC 2986) for a key that was made here, to be certified on the other side of a gap.

use x509_cert::der::EncodePem;
use x509_cert::der::oid::db::rfc5280::ID_KP_CLIENT_AUTH;
use x509_cert::der::pem::LineEnding;
use x509_cert::ext::pkix::ExtendedKeyUsage;
use x509_cert::request::RequestBuilder;

use super::{COMMON, MintError, name, unsigned};
use crate::mint::SubjectKey;

/// The request in PEM. It names nobody: names come from the policy of whoever certifies.
///
/// # Errors
/// [`MintError::X509`].
pub fn request(key: &SubjectKey) -> Result<String, MintError> {
    let mut builder = RequestBuilder::new(name(&[(COMMON, "breakglass")])?)?;
    // Without an extension the list of them would be empty, which RFC 5280 section 4.1 does not allow.
    builder.add_extension(&ExtendedKeyUsage(vec![ID_KP_CLIENT_AUTH]))?;
    let unsigned = unsigned(builder, key.public(), |request| request)?;
    let signature = key.sign(&unsigned.digest());
    Ok(unsigned.finish(&signature)?.to_pem(LineEnding::LF)?)
}
