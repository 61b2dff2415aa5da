//! A public key that somebody brings: one line as in an `id_ed25519.pub`.

use ssh_key::public::KeyData;
use ssh_key::{Algorithm, EcdsaCurve, PublicKey};

use crate::record::hash::Hash;

/// Longer than any line that is taken, comment included.
const LONGEST: usize = 2_048;

/// Why there is no public key in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LineError {
    /// Empty, or more than a file with one public key has.
    #[error("it has {0} bytes; a file with one public key has 1 to 2,048")]
    Length(usize),
    /// A private key: it must not leave the machine where it was made.
    #[error(
        "it is a private key, which must not leave the machine it was made on; bring the file that ends in .pub"
    )]
    Private,
    /// Several lines.
    #[error("it has several lines; one public key is wanted")]
    Several,
    /// Not the form of OpenSSH.
    #[error("it is no public key of OpenSSH")]
    Form,
    /// A key that is not taken: RSA of any length, DSA, other curves, certificates.
    #[error("it is a key of {0}; ssh-ed25519, ecdsa-sha2-nistp256 and their sk- forms are taken")]
    Algorithm(String),
}

/// A public key for an SSH certificate. Its comment is dropped: nobody vouches for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicLine(KeyData);

impl PublicLine {
    /// From the bytes of a file, a line end allowed.
    pub fn parse(bytes: &[u8]) -> Result<Self, LineError> {
        if bytes.is_empty() || bytes.len() > LONGEST {
            return Err(LineError::Length(bytes.len()));
        }
        let text = std::str::from_utf8(bytes).map_err(|_| LineError::Form)?;
        if text.contains("PRIVATE KEY") {
            return Err(LineError::Private);
        }
        let line = text.trim_end_matches(['\r', '\n']);
        if line.contains(['\r', '\n']) {
            return Err(LineError::Several);
        }
        let name = line.split(' ').next().unwrap_or_default();
        if name.contains("-cert-v01@") {
            return Err(LineError::Algorithm(printable(name)));
        }
        let key = PublicKey::from_openssh(line).map_err(|_| LineError::Form)?;
        match key.algorithm() {
            Algorithm::Ed25519
            | Algorithm::SkEd25519
            | Algorithm::SkEcdsaSha2NistP256
            | Algorithm::Ecdsa { curve: EcdsaCurve::NistP256 } => {}
            other => return Err(LineError::Algorithm(printable(other.as_str()))),
        }
        let key = key.key_data().clone();
        if !is_on_its_curve(&key) {
            return Err(LineError::Form);
        }
        Ok(PublicLine(key))
    }

    /// The public half of a key that was made here.
    pub fn of(key: &p256::ecdsa::VerifyingKey) -> Self {
        PublicLine(KeyData::Ecdsa(ssh_key::public::EcdsaPublicKey::from(key)))
    }

    pub(super) fn key(&self) -> &KeyData {
        &self.0
    }

    /// `SHA256:` and base64, as `ssh-keygen -l` shows it.
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(ssh_key::HashAlg::Sha256).to_string()
    }

    /// SHA-256 of its blob: what the fingerprint shows.
    pub fn thumbprint(&self) -> Hash {
        let blob = PublicKey::from(self.0.clone()).to_bytes().expect("a key that was read");
        Hash::of(&blob)
    }

    /// The line again, without comment.
    pub fn line(&self) -> String {
        let mut line = PublicKey::new(self.0.clone(), "").to_openssh().expect("a key that was read");
        line.truncate(line.trim_end().len());
        line.push('\n');
        line
    }
}

fn printable(name: &str) -> String {
    name.chars().filter(char::is_ascii_graphic).take(64).collect()
}

/// Points of P-256 are checked here; of Ed25519, sshd and ssh take any 32 bytes, and a wrong one only fails to log in.
fn is_on_its_curve(key: &KeyData) -> bool {
    let bytes = match key {
        KeyData::Ecdsa(key) => key.as_sec1_bytes(),
        KeyData::SkEcdsaSha2NistP256(key) => key.ec_point().as_bytes(),
        _ => return true,
    };
    p256::PublicKey::from_sec1_bytes(bytes).is_ok()
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use proptest::prelude::*;

    use super::*;

    /// `ssh-keygen -t ed25519`.
    const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";

    #[test]
    fn a_key_is_read_and_its_comment_dropped() {
        let own = PublicLine::of(SigningKey::from_slice(&[7; 32]).unwrap().verifying_key());
        for line in [ED25519, own.line().trim_end()] {
            for end in ["", "\n", "\r\n", " ada@laptop\n"] {
                let read = PublicLine::parse(format!("{line}{end}").as_bytes()).unwrap();
                assert_eq!(read.line(), format!("{line}\n"));
            }
        }
        let digits =
            base64::Engine::encode(&base64::engine::general_purpose::STANDARD_NO_PAD, own.thumbprint().0);
        assert_eq!(own.fingerprint(), format!("SHA256:{digits}"));
    }

    #[test]
    fn what_is_no_public_key_is_named() {
        let long = format!("{ED25519} {}", "x".repeat(LONGEST));
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n";
        let certificate = "ssh-ed25519-cert-v01@openssh.com AAAA";
        for (text, error) in [
            ("", LineError::Length(0)),
            (long.as_str(), LineError::Length(long.len())),
            (private, LineError::Private),
            (&format!("{ED25519}\n{ED25519}\n"), LineError::Several),
            ("hello", LineError::Form),
            (&ED25519[..50], LineError::Form),
            (certificate, LineError::Algorithm("ssh-ed25519-cert-v01@openssh.com".into())),
        ] {
            assert_eq!(PublicLine::parse(text.as_bytes()), Err(error), "{text}");
        }
        assert_eq!(PublicLine::parse(&[0xFF, 0xFE]), Err(LineError::Form));
    }

    #[test]
    fn a_point_off_the_curve_is_no_key() {
        let good = PublicLine::of(SigningKey::from_slice(&[7; 32]).unwrap().verifying_key()).line();
        let (name, body) = good.trim_end().split_once(' ').unwrap();
        let mut bytes = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, body).unwrap();
        *bytes.last_mut().unwrap() ^= 1;
        let bad = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, bytes);
        assert_eq!(PublicLine::parse(format!("{name} {bad}\n").as_bytes()), Err(LineError::Form));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = PublicLine::parse(&bytes);
        }

        #[test]
        fn a_line_with_any_bytes_changed(at in 0usize..ED25519.len(), byte: u8) {
            let mut line = ED25519.as_bytes().to_vec();
            line[at] = byte;
            if let Ok(read) = PublicLine::parse(&line) {
                prop_assert_eq!(PublicLine::parse(read.line().as_bytes()), Ok(read));
            }
        }
    }
}
