//! Object identifiers of a PIV attestation.

use x509_cert::spki::ObjectIdentifier;

const fn oid(text: &str) -> ObjectIdentifier {
    ObjectIdentifier::new_unwrap(text)
}

/// Firmware: three raw bytes, in leaf and device certificate.
pub const FIRMWARE: ObjectIdentifier = oid("1.3.6.1.4.1.41482.3.3");
/// Serial number: a DER INTEGER, in the leaf. Missing from some keys with firmware 4.
pub const SERIAL: ObjectIdentifier = oid("1.3.6.1.4.1.41482.3.7");
/// PIN policy and touch policy: two raw bytes, in the leaf. age-plugin-yubikey puts the same into its certificate.
pub const POLICY: ObjectIdentifier = oid("1.3.6.1.4.1.41482.3.8");
/// Form factor: one raw byte, in the leaf. Missing from keys with firmware 4.
pub const FORM_FACTOR: ObjectIdentifier = oid("1.3.6.1.4.1.41482.3.9");
/// FIPS mark: a DER INTEGER, in the device certificate.
pub const FIPS: ObjectIdentifier = oid("1.3.6.1.4.1.41482.3.10");
/// CSPN mark: a DER INTEGER, in the device certificate. In a signing request the same number carries a leaf.
pub const CSPN: ObjectIdentifier = oid("1.3.6.1.4.1.41482.3.11");

/// Those that may be critical without being unknown (none is on a real key).
pub(super) const KNOWN: [ObjectIdentifier; 6] = [FIRMWARE, SERIAL, POLICY, FORM_FACTOR, FIPS, CSPN];

pub(super) const RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.1");
pub(super) const EC: ObjectIdentifier = oid("1.2.840.10045.2.1");
pub(super) const ED25519: ObjectIdentifier = oid("1.3.101.112");
pub(super) const P256: ObjectIdentifier = oid("1.2.840.10045.3.1.7");
pub(super) const P384: ObjectIdentifier = oid("1.3.132.0.34");
pub(super) const SHA256_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.11");
pub(super) const SHA384_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.12");
pub(super) const SHA512_WITH_RSA: ObjectIdentifier = oid("1.2.840.113549.1.1.13");
pub(super) const ECDSA_WITH_SHA256: ObjectIdentifier = oid("1.2.840.10045.4.3.2");
pub(super) const ECDSA_WITH_SHA384: ObjectIdentifier = oid("1.2.840.10045.4.3.3");
