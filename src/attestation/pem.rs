//! A certificate from a file: PEM (RFC 7468) or DER.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// More than any file that holds one attestation certificate, with `openssl x509 -text` above it.
const FILE_LIMIT: usize = 64 * 1024;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";

/// Why a file is not one certificate.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InputError {
    /// Nothing in it.
    #[error("the file is empty")]
    Empty,
    /// Longer than is read.
    #[error("the file has {0} bytes, too many for one certificate")]
    TooLarge(usize),
    /// Neither DER nor a PEM block of a certificate.
    #[error("the file holds no certificate, neither PEM nor DER")]
    NoCertificate,
    /// A PEM block that does not end.
    #[error("the PEM certificate has no end line")]
    Unterminated,
    /// Several PEM certificates, so that it is not clear which one is meant.
    #[error("the file holds more than one certificate")]
    Several,
    /// Not base64 between the two lines.
    #[error("the PEM certificate is not base64")]
    NotBase64(#[source] base64::DecodeError),
}

/// The DER of the one certificate in `bytes`, which are DER already or PEM. Text before and after the PEM block is
/// let pass. What the DER holds is not looked at.
pub fn pem_or_der(bytes: &[u8]) -> Result<Vec<u8>, InputError> {
    if bytes.is_empty() {
        return Err(InputError::Empty);
    }
    if bytes.len() > FILE_LIMIT {
        return Err(InputError::TooLarge(bytes.len()));
    }
    // A certificate in DER is a SEQUENCE with a length of two bytes.
    if bytes.starts_with(&[0x30, 0x82]) {
        return Ok(bytes.to_vec());
    }
    let text = std::str::from_utf8(bytes).map_err(|_| InputError::NoCertificate)?;
    let (_, block) = text.split_once(BEGIN).ok_or(InputError::NoCertificate)?;
    let (body, rest) = block.split_once(END).ok_or(InputError::Unterminated)?;
    if rest.contains(BEGIN) || body.contains(BEGIN) {
        return Err(InputError::Several);
    }
    let digits: String = body.split_ascii_whitespace().collect();
    STANDARD.decode(digits).map_err(InputError::NotBase64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const DER: &[u8] = &[0x30, 0x82, 0x00, 0x00];

    #[test]
    fn der_passes_through() {
        assert_eq!(pem_or_der(DER).unwrap(), DER);
    }

    #[test]
    fn pem_with_text_around_and_any_line_ends() {
        for text in [
            format!("{BEGIN}\nMIIAAA==\n{END}\n"),
            format!("subject=x\r\n{BEGIN}\r\nMII\r\nAAA==\r\n{END}"),
            format!("{BEGIN} MIIAAA== {END} and a word after"),
        ] {
            assert_eq!(pem_or_der(text.as_bytes()).unwrap(), DER, "{text}");
        }
    }

    #[test]
    fn what_is_not_one_certificate_is_named() {
        let two = format!("{BEGIN}\nMIIAAA==\n{END}\n{BEGIN}\nMIIAAA==\n{END}\n");
        let nested = format!("{BEGIN}\n{BEGIN}\nMIIAAA==\n{END}\n");
        let cases: [(&[u8], InputError); 7] = [
            (b"", InputError::Empty),
            (b"hello", InputError::NoCertificate),
            (b"\xff\xfe", InputError::NoCertificate),
            (b"-----BEGIN PRIVATE KEY-----\nAA==\n-----END PRIVATE KEY-----", InputError::NoCertificate),
            (b"-----BEGIN CERTIFICATE-----\nAA==", InputError::Unterminated),
            (two.as_bytes(), InputError::Several),
            (nested.as_bytes(), InputError::Several),
        ];
        for (bytes, expected) in cases {
            assert_eq!(pem_or_der(bytes), Err(expected));
        }
        let bad = format!("{BEGIN}\n!!!!\n{END}");
        assert!(matches!(pem_or_der(bad.as_bytes()), Err(InputError::NotBase64(_))));
        assert_eq!(pem_or_der(&vec![b' '; FILE_LIMIT + 1]), Err(InputError::TooLarge(FILE_LIMIT + 1)));
    }
}
