//! Why an attestation is not accepted.

use std::fmt;

use x509_cert::der;
use x509_cert::spki::ObjectIdentifier;

use super::facts::Firmware;

/// One of the certificates that an attestation consists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// What ATTEST made for the key in question.
    Leaf,
    /// F9, the device's own attestation certificate.
    Device,
    /// The root that a kit names.
    Root,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Leaf => "the key's certificate",
            Part::Device => "the device certificate",
            Part::Root => "the attestation root",
        })
    }
}

/// Why an attestation is not accepted. Names in it come from foreign bytes and are escaped.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AttestationError {
    /// Longer than any such certificate.
    #[error("{part} has {bytes} bytes, more than the {limit} that one can have")]
    TooLarge {
        /// Which certificate.
        part: Part,
        /// Its length.
        bytes: usize,
        /// The most that is read.
        limit: usize,
    },
    /// Not the DER of one X.509 certificate.
    #[error("{part} is not an X.509 certificate in DER")]
    NotCertificate {
        /// Which certificate.
        part: Part,
        /// Where the decoder stopped.
        #[source]
        cause: der::Error,
    },
    /// X.509 version 1 or 2, which cannot carry the extensions.
    #[error("{part} is not X.509 version 3")]
    NotVersion3 {
        /// Which certificate.
        part: Part,
    },
    /// The algorithm beside the signature is not the one that was signed, or its parameters are wrong.
    #[error("{part} names its signature algorithm in two ways or with wrong parameters")]
    AlgorithmDiffers {
        /// Which certificate.
        part: Part,
    },
    /// A signature algorithm that attestation does not use.
    #[error("{part} is signed with {algorithm}, which is not checked here")]
    UnknownAlgorithm {
        /// Which certificate.
        part: Part,
        /// Object identifier of the algorithm.
        algorithm: ObjectIdentifier,
    },
    /// The public key cannot be decoded, is not on its curve, or is too short to sign certificates.
    #[error("{part} has a public key that cannot be used: {detail}")]
    BadKey {
        /// Which certificate.
        part: Part,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// More extensions than are looked at.
    #[error("{part} has {count} extensions, more than {limit}")]
    TooManyExtensions {
        /// Which certificate.
        part: Part,
        /// How many.
        count: usize,
        /// The most that is looked at.
        limit: usize,
    },
    /// The same extension twice (RFC 5280 section 4.2 forbids it).
    #[error("{part} has extension {extension} twice")]
    DuplicateExtension {
        /// Which certificate.
        part: Part,
        /// Object identifier of the extension.
        extension: ObjectIdentifier,
    },
    /// A critical extension that this tool does not know (RFC 5280 section 4.2 asks to refuse it).
    #[error("{part} has the unknown critical extension {extension}")]
    CriticalExtension {
        /// Which certificate.
        part: Part,
        /// Object identifier of the extension.
        extension: ObjectIdentifier,
    },
    /// An extension that must be there is not.
    #[error("{part} does not tell the {name} (extension {extension})")]
    MissingExtension {
        /// Which certificate.
        part: Part,
        /// What it would tell.
        name: &'static str,
        /// Object identifier of the extension.
        extension: ObjectIdentifier,
    },
    /// An extension has other bytes than a YubiKey writes.
    #[error("{part} has a malformed {name}: {detail}")]
    BadExtension {
        /// Which certificate.
        part: Part,
        /// What it would tell.
        name: &'static str,
        /// What is wrong with it.
        detail: &'static str,
    },
    /// The subject does not name a slot as a YubiKey does.
    #[error("the key's certificate is for `{subject}`, which names no PIV slot")]
    NoSlot {
        /// Its subject.
        subject: String,
    },
    /// Leaf and device certificate do not belong together.
    #[error("the key's certificate was issued by `{issuer}`, the device certificate is of `{subject}`")]
    IssuerDiffers {
        /// Issuer that the leaf names.
        issuer: String,
        /// Subject of the device certificate.
        subject: String,
    },
    /// No accepted root or intermediate has that name.
    #[error("the device certificate was issued by `{issuer}`, which is not accepted here")]
    UnknownIssuer {
        /// Issuer that it names.
        issuer: String,
    },
    /// A signature does not verify: the certificates are not of one device, or one was changed.
    #[error("the signature on the certificate `{subject}` was not made by `{issuer}`")]
    BadSignature {
        /// Whose certificate.
        subject: String,
        /// Who should have signed it.
        issuer: String,
    },
    /// A certificate that signs others must be allowed to.
    #[error("the certificate `{subject}` is not one of an authority")]
    NotAuthority {
        /// Whose certificate.
        subject: String,
    },
    /// The path below a certificate is longer than it allows.
    #[error("the certificate `{subject}` does not allow {below} authorities below it")]
    PathTooLong {
        /// Whose certificate.
        subject: String,
        /// How many there are.
        below: u8,
    },
    /// Issued by Yubico, but not as a PIV attestation certificate of a device.
    #[error("the certificate `{subject}` is Yubico's, but not of a device's PIV attestation")]
    NotPivDevice {
        /// Its subject.
        subject: String,
    },
    /// The RSA modulus has the form of CVE-2017-15361 (ROCA): its factors can be computed.
    #[error("{part} has an RSA key of the broken form YSA-2017-01 (ROCA)")]
    RocaKey {
        /// Which certificate.
        part: Part,
    },
    /// An RSA key generated by firmware that made broken ones.
    #[error("the RSA key was generated by firmware {firmware}, in the range of YSA-2017-01 (ROCA)")]
    RocaFirmware {
        /// Which firmware.
        firmware: Firmware,
    },
    /// A kit's own root must not bear the name of one of Yubico's.
    #[error("the attestation root calls itself `{subject}`, a name of Yubico's")]
    RootName {
        /// Its subject.
        subject: String,
    },
}
