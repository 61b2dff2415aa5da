//! Signed notes (C2SP signed-note), by one Ed25519 key: text, an empty line, and a line of signature that names the key.
//!
//! Ed25519 because the note format, Go's `sumdb/note`, openssl, and Python's cryptography all have it, because equal notes get
//! equal bytes, and because it needs no randomness to sign. The private key is PKCS#8 as openssl writes it; the public one
//! is a SubjectPublicKeyInfo, or in one line a verifier key of the note format.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::record::hash::Hash;

/// RFC 8410 section 7: version 0, id-Ed25519, and the 32 bytes in an octet string in an octet string.
const PKCS8: [u8; 16] = *b"\x30\x2E\x02\x01\x00\x30\x05\x06\x03\x2B\x65\x70\x04\x22\x04\x20";
/// RFC 8410 section 4: id-Ed25519 and a bit string of 32 bytes.
const SPKI: [u8; 12] = *b"\x30\x2A\x30\x05\x06\x03\x2B\x65\x70\x03\x21\x00";
/// The signature type of the note format.
const TYPE: u8 = 1;
/// More than any file that holds one such key.
const FILE_CAP: usize = 16 * 1024;
/// Signatures of a note that are looked at (the format asks for at least 16).
const SIGNATURES: usize = 64;

/// The ledger's own key. Prints nothing of itself.
pub struct LedgerKey {
    pair: Ed25519KeyPair,
    public: LedgerPublic,
}

impl fmt::Debug for LedgerKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("LedgerKey").field(&self.public.name).finish()
    }
}

impl LedgerKey {
    /// A new key from 32 random bytes, and the PEM to keep it by.
    pub fn new(seed: &Zeroizing<[u8; 32]>) -> (Self, Zeroizing<String>) {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed[..]).expect("any 32 bytes are a seed");
        let der = Zeroizing::new([&PKCS8[..], &seed[..]].concat());
        let body = Zeroizing::new(STANDARD.encode(&der[..]));
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", *body);
        (LedgerKey::of(pair), Zeroizing::new(pem))
    }

    /// Reads the PEM of an Ed25519 key: ours, or what `openssl genpkey -algorithm ed25519` writes.
    ///
    /// # Errors
    /// [`KeyError`], where it is anything else.
    pub fn from_pem(pem: &str) -> Result<Self, KeyError> {
        let der = Zeroizing::new(block(pem, "PRIVATE KEY")?);
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| KeyError::NotEd25519)?;
        Ok(LedgerKey::of(pair))
    }

    fn of(pair: Ed25519KeyPair) -> Self {
        let public = pair.public_key().as_ref().try_into().expect("a public key has 32 bytes");
        LedgerKey { pair, public: LedgerPublic::of(public) }
    }

    /// Its public half.
    pub fn public(&self) -> &LedgerPublic {
        &self.public
    }

    /// The signed note with this text, which ends with a line feed.
    pub fn sign(&self, text: &str) -> String {
        let signature = [&self.public.id()[..], self.pair.sign(text.as_bytes()).as_ref()].concat();
        format!("{text}\n\u{2014} {} {}\n", self.public.name, STANDARD.encode(signature))
    }
}

/// The public half of a ledger's key, with its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerPublic {
    name: String,
    public: [u8; 32],
}

impl LedgerPublic {
    /// The name follows from the key, so that another key is another ledger, whatever it says.
    fn of(public: [u8; 32]) -> Self {
        LedgerPublic { name: format!("breakglass.example/ledger/{}", Hash::of(&public).short()), public }
    }

    /// Reads the PEM of a public key (RFC 8410), or a verifier key `<name>+<id>+<base64>` of the note format.
    ///
    /// # Errors
    /// [`KeyError`], where it is neither.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        if text.contains("-----BEGIN") {
            let der = block(text, "PUBLIC KEY")?;
            let public = der.strip_prefix(&SPKI).and_then(|key| key.try_into().ok());
            return public.map(LedgerPublic::of).ok_or(KeyError::NotEd25519);
        }
        let mut parts = text.trim_end().splitn(3, '+');
        let (Some(name), Some(id), Some(key)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(KeyError::NotAKey);
        };
        let key = STANDARD.decode(key).map_err(|_| KeyError::NotAKey)?;
        let public =
            key.strip_prefix(&[TYPE]).and_then(|key| key.try_into().ok()).ok_or(KeyError::NotEd25519)?;
        let read = LedgerPublic { name: name.into(), public };
        if !is_name(name) || hex::encode(read.id()) != id {
            return Err(KeyError::NotAKey);
        }
        Ok(read)
    }

    /// Its name: the origin of its checkpoints.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// SubjectPublicKeyInfo as PEM, for openssl.
    pub fn to_pem(&self) -> String {
        let der = [&SPKI[..], &self.public[..]].concat();
        format!("-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n", STANDARD.encode(der))
    }

    /// The verifier key of the note format, one line without line feed.
    pub fn to_line(&self) -> String {
        let key = [&[TYPE][..], &self.public[..]].concat();
        format!("{}+{}+{}", self.name, hex::encode(self.id()), STANDARD.encode(key))
    }

    /// The key id of the note format.
    fn id(&self) -> [u8; 4] {
        let digest = Sha256::new()
            .chain_update(&self.name)
            .chain_update([b'\n', TYPE])
            .chain_update(self.public)
            .finalize();
        *digest.first_chunk().expect("32 bytes hold 4")
    }

    /// The text of a note that this key has signed. Other signatures are let pass.
    ///
    /// # Errors
    /// [`NoteError`]: no note, not signed by this key, or a signature in its name that does not verify.
    pub fn verify<'a>(&self, note: &'a str) -> Result<&'a str, NoteError> {
        let (text, signatures) = split(note)?;
        let key = UnparsedPublicKey::new(&ED25519, self.public);
        let mut good = false;
        for (name, bytes) in signatures {
            let Some((id, signature)) = bytes.split_first_chunk::<4>() else {
                return Err(NoteError::Form("a signature is too short"));
            };
            if name == self.name && *id == self.id() {
                key.verify(text.as_bytes(), signature)
                    .map_err(|_| NoteError::BadSignature { key: self.name.clone() })?;
                good = true;
            }
        }
        if good { Ok(text) } else { Err(NoteError::NotSigned { key: self.name.clone() }) }
    }
}

/// Each signature of a note: name of the key, and what stands behind it.
type Signatures<'a> = Vec<(&'a str, Vec<u8>)>;

/// A note cut into its text (with its last line feed) and its signatures.
pub(super) fn split(note: &str) -> Result<(&str, Signatures<'_>), NoteError> {
    if note.len() > super::CHECKPOINT_CAP {
        return Err(NoteError::Form("it is too long"));
    }
    if note.chars().any(|c| c < ' ' && c != '\n') {
        return Err(NoteError::Form("it holds control characters"));
    }
    let end = note.rfind("\n\n").ok_or(NoteError::Form("it has no empty line before signatures"))?;
    let (text, rest) = (&note[..=end], &note[end + 2..]);
    let lines = rest.strip_suffix('\n').ok_or(NoteError::Form("its last line does not end"))?;
    let mut signatures = Vec::new();
    for line in lines.split('\n') {
        let parts = line.strip_prefix("\u{2014} ").and_then(|line| line.split_once(' '));
        let (name, signature) = parts.ok_or(NoteError::Form("a line after the text is no signature"))?;
        let bytes = STANDARD.decode(signature).map_err(|_| NoteError::Form("a signature is not base64"))?;
        if !is_name(name) || signatures.len() == SIGNATURES {
            return Err(NoteError::Form("a signature names no key, or there are too many"));
        }
        signatures.push((name, bytes));
    }
    Ok((text, signatures))
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.contains(|c: char| c.is_whitespace() || c.is_control() || c == '+')
}

/// The bytes of the one PEM block with that label (RFC 7468).
fn block(pem: &str, label: &str) -> Result<Vec<u8>, KeyError> {
    if pem.len() > FILE_CAP {
        return Err(KeyError::NotAKey);
    }
    let (begin, end) = (format!("-----BEGIN {label}-----"), format!("-----END {label}-----"));
    let (_, rest) = pem.split_once(&begin).ok_or(KeyError::NotAKey)?;
    let (body, _) = rest.split_once(&end).ok_or(KeyError::NotAKey)?;
    let body: Zeroizing<String> = Zeroizing::new(body.split_ascii_whitespace().collect());
    STANDARD.decode(body.as_bytes()).map_err(|_| KeyError::NotAKey)
}

/// Why text is no note that this key has signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not in the form of a signed note.
    #[error("this is no signed note: {0}")]
    Form(&'static str),
    /// No signature of this key.
    #[error("the note is not signed by {key}")]
    NotSigned {
        /// Its name.
        key: String,
    },
    /// A signature in the name of this key that is not its own over this text.
    #[error("the signature of {key} does not verify: the note was changed")]
    BadSignature {
        /// Its name.
        key: String,
    },
}

/// Why text is no key of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Neither PEM nor a verifier key of the note format.
    #[error("there is no key of a ledger in it")]
    NotAKey,
    /// A key for something else.
    #[error("it holds a key, but not one for Ed25519")]
    NotEd25519,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u8) -> LedgerKey {
        LedgerKey::new(&Zeroizing::new([n; 32])).0
    }

    #[test]
    fn the_example_of_the_note_format_verifies() {
        // C2SP signed-note, the verifier key from the tests of Go's sumdb/note: another implementation's signature.
        let line = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
        let public = LedgerPublic::parse(line).unwrap();
        assert_eq!(public.to_line(), line);
        let note = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n\
            \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        assert!(public.verify(note).unwrap().starts_with("If you think"));
        let changed = note.replace("problem is", "problem was");
        assert_eq!(public.verify(&changed), Err(NoteError::BadSignature { key: "PeterNeumann".into() }));
    }

    #[test]
    fn a_key_is_kept_and_read_again() {
        let (made, pem) = LedgerKey::new(&Zeroizing::new([7; 32]));
        let read = LedgerKey::from_pem(&pem).unwrap();
        assert_eq!(read.public(), made.public());
        assert_eq!(&LedgerPublic::parse(&made.public().to_pem()).unwrap(), made.public());
        assert_eq!(&LedgerPublic::parse(&(made.public().to_line() + "\n")).unwrap(), made.public());
        assert_eq!(format!("{made:?}"), format!("LedgerKey({:?})", made.public().name()));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let (_, pem) = LedgerKey::new(&Zeroizing::new([7; 32]));
        let line = key(7).public().to_line();
        for text in [
            "",
            "a+b",
            "-----BEGIN PUBLIC KEY-----",
            &pem.replace("MC4C", "MC4D"),
            &line.replacen('+', "+0", 1),
        ] {
            assert!(LedgerPublic::parse(text).is_err(), "{text}");
        }
        assert!(matches!(LedgerKey::from_pem(&key(7).public().to_pem()), Err(KeyError::NotAKey)));
        assert!(matches!(LedgerKey::from_pem(&pem.replace("MC4CAQ", "MC4CAg")), Err(KeyError::NotEd25519)));
    }

    #[test]
    fn a_note_is_only_its_own_keys() {
        let note = key(1).sign("one\ntwo\n");
        assert_eq!(key(1).public().verify(&note).unwrap(), "one\ntwo\n");
        assert_eq!(
            key(2).public().verify(&note),
            Err(NoteError::NotSigned { key: key(2).public().name().into() })
        );
        let both = format!("{note}{}", key(2).sign("one\ntwo\n").split_once("\n\n").unwrap().1);
        assert_eq!(key(1).public().verify(&both).unwrap(), "one\ntwo\n");
        assert_eq!(key(2).public().verify(&both).unwrap(), "one\ntwo\n");
    }

    #[test]
    fn every_changed_character_shows() {
        let note = key(1).sign("one\ntwo\n");
        for (at, c) in note.char_indices() {
            let other = if c == 'A' { "B" } else { "A" };
            let changed = format!("{}{other}{}", &note[..at], &note[at + c.len_utf8()..]);
            assert!(key(1).public().verify(&changed).is_err(), "{changed}");
        }
        for end in note.char_indices().map(|(at, _)| at) {
            assert!(key(1).public().verify(&note[..end]).is_err(), "{}", &note[..end]);
        }
    }
}
