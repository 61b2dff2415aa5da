//! The outer layer of a key's file: age to an envelope of its FIDO2 side, around age to its PIV key; and the text that
//! lies beside it, with which stock `fido2-assert` asks the key for what opens it.

use age::EncryptError;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::MAX_SHARE_FILE;
use super::envelope::{Dealer, Limits, decrypt};
use super::open::UnsealError;
use crate::assertion::RELYING_PARTY;
use crate::device::fido2::HmacSecret;
use crate::record::event::{AgeRecipient, CredentialId, Envelope, Random};

/// Most bytes of the text beside a nested file. A longer one is not read.
pub const MAX_SIDECAR_FILE: usize = 2 * 1024;

/// What the assertion of a recovery is made over; nobody checks it.
const CHALLENGE: &[u8] = b"breakglass recovery";

const NESTED: Limits = Limits { file: MAX_SHARE_FILE, content: MAX_SHARE_FILE };

/// The FIDO2 side of a key to seal to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outer {
    /// The envelope: salt and recipient.
    pub envelope: Envelope,
    /// The key's credential.
    pub credential: CredentialId,
}

/// Why the text beside a nested file is not what it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SidecarError {
    /// Not four lines of text, or longer than [`MAX_SIDECAR_FILE`].
    #[error("it is not four lines for fido2-assert")]
    Form,
    /// Another challenge or relying party.
    #[error("it is not for {RELYING_PARTY}")]
    RelyingParty,
    /// The credential of another key.
    #[error("it names another credential than the key was enrolled with")]
    Credential,
    /// The salt of another envelope.
    #[error("it has the salt of another envelope than the record names")]
    Salt,
}

/// Name of the text beside a nested file, by the key's name `<serial>-<kid8>`.
pub fn sidecar_name(key: &str) -> String {
    format!("{key}.fido2")
}

impl Outer {
    /// The text beside the nested file: what `fido2-assert -G -h -i FILE` reads, a line each: the SHA-256 of
    /// `breakglass recovery`, the relying party, the credential's id, the salt; all but the second in base64.
    pub fn sidecar(&self) -> String {
        let (challenge, credential, salt) = self.lines();
        format!("{challenge}\n{RELYING_PARTY}\n{credential}\n{salt}\n")
    }

    /// Whether a file's bytes are this text.
    ///
    /// # Errors
    /// [`SidecarError`] names the line that is another.
    pub fn check_sidecar(&self, bytes: &[u8]) -> Result<(), SidecarError> {
        if bytes.len() > MAX_SIDECAR_FILE {
            return Err(SidecarError::Form);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| SidecarError::Form)?;
        let lines: Vec<&str> = text.strip_suffix('\n').ok_or(SidecarError::Form)?.split('\n').collect();
        let [challenge, party, credential, salt] = lines[..] else { return Err(SidecarError::Form) };
        let expected = self.lines();
        if (challenge, party) != (expected.0.as_str(), RELYING_PARTY) {
            return Err(SidecarError::RelyingParty);
        }
        if credential != expected.1 {
            return Err(SidecarError::Credential);
        }
        (salt == expected.2).then_some(()).ok_or(SidecarError::Salt)
    }

    fn lines(&self) -> (String, String, String) {
        let Random(salt) = self.envelope.salt;
        let challenge = Sha256::digest(CHALLENGE);
        (STANDARD.encode(challenge), STANDARD.encode(self.credential.bytes()), STANDARD.encode(salt))
    }
}

/// The envelope that a key made of this salt: its recipient is the public half of the hmac-secret.
pub fn envelope_of(salt: [u8; 32], secret: &HmacSecret) -> Envelope {
    let recipient: AgeRecipient =
        secret.recipient().parse().expect("age writes recipients in their one form");
    Envelope { salt: Random(salt), recipient }
}

/// Opens the outer layer of a nested file by what the key answered to the envelope's salt. Gives the inner file, as
/// [`super::unwrap_share`] and [`super::open_by_file`] take it. Asks no key.
///
/// # Errors
/// [`UnsealError::OtherEnvelope`], where the answer is not that envelope's; whatever a malformed file is.
pub fn open_envelope(file: &[u8], secret: &HmacSecret) -> Result<Vec<u8>, UnsealError> {
    match decrypt(file, NESTED, &secret.identity()) {
        Ok(inner) => Ok(inner.to_vec()),
        Err(UnsealError::NotForThisKey) => Err(UnsealError::OtherEnvelope),
        Err(error) => Err(error),
    }
}

/// Puts the outer layer around a file; the dealer remembers what opens it again.
pub(super) fn wrap(inner: &[u8], to: &Outer, dealer: &mut Dealer) -> Result<Vec<u8>, EncryptError> {
    dealer.encrypt_outer(inner, &to.envelope.recipient)
}

/// The inner file, by what the dealer remembers.
pub(super) fn unwrap(file: &[u8], dealer: &Dealer) -> Result<Vec<u8>, UnsealError> {
    decrypt(file, NESTED, &dealer.lids()).map(|inner| inner.to_vec())
}

#[cfg(test)]
mod tests;
