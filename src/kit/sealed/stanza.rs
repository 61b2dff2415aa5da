//! The `piv-p256` stanza: a file key wrapped to a sealing key, as age-plugin-yubikey does it.
//!
//! ```text
//! -> piv-p256 <tag, 4 bytes> <ephemeral point, compressed, 33 bytes>
//! <file key under ChaCha20-Poly1305, 16 + 16 bytes>
//! ```
//! All in base64 without padding. The wrapping key is HKDF-SHA256 of the ECDH's x coordinate, salt the ephemeral point
//! then the recipient's, both compressed, info `piv-p256`; the nonce is zero, for each wrapping key is used once.

use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::{aead_decrypt, aead_encrypt, hkdf};
use age_core::secrecy::ExposeSecret;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use p256::PublicKey;
use p256::ecdh::EphemeralSecret;
use p256::elliptic_curve::Generate;
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use super::recipient::{POINT_BYTES, PivRecipient, Tag};
use crate::secret::SharedSecret;

/// First word of the stanza, and HKDF's info.
pub(super) const NAME: &str = "piv-p256";

const BODY_BYTES: usize = FILE_KEY_BYTES + 16;

/// A stanza that was read and is sound in form; whether it opens is not known yet.
#[derive(Debug)]
pub(super) struct PivStanza {
    pub(super) tag: Tag,
    ephemeral: PivRecipient,
    body: [u8; BODY_BYTES],
}

/// What is left over on the sealing side: the ephemeral point and the secret it was agreed on.
pub(super) type Agreed = (PublicKey, SharedSecret);

impl PivStanza {
    /// `None` if it is of another kind, `Some(None)` if it calls itself piv-p256 and is not in that form.
    pub(super) fn read(stanza: &Stanza) -> Option<Option<Self>> {
        (stanza.tag == NAME).then(|| Self::read_parts(&stanza.args, &stanza.body))
    }

    fn read_parts(args: &[String], body: &[u8]) -> Option<Self> {
        let [tag, point] = args else { return None };
        let point: [u8; POINT_BYTES] = STANDARD_NO_PAD.decode(point).ok()?.try_into().ok()?;
        Some(PivStanza {
            tag: Tag(STANDARD_NO_PAD.decode(tag).ok()?.try_into().ok()?),
            ephemeral: PivRecipient::new(PublicKey::from_sec1_bytes(&point).ok()?),
            body: body.try_into().ok()?,
        })
    }

    /// Wraps `file_key` to that key with a fresh ephemeral key.
    pub(super) fn wrap(to: &PivRecipient, file_key: &FileKey, rng: &mut dyn CryptoRng) -> (Stanza, Agreed) {
        let secret = EphemeralSecret::generate_from_rng(rng);
        let mut x = [0; 32];
        x.copy_from_slice(secret.diffie_hellman(to.point()).raw_secret_bytes());
        let agreed = SharedSecret::new(x);
        x.zeroize();

        let ephemeral = PivRecipient::new(secret.public_key());
        let key = wrapping_key(&agreed, &ephemeral, to);
        let stanza = Stanza {
            tag: NAME.to_owned(),
            args: vec![STANDARD_NO_PAD.encode(to.tag().0), STANDARD_NO_PAD.encode(ephemeral.compressed())],
            body: aead_encrypt(&key, file_key.expose_secret()),
        };
        (stanza, (*ephemeral.point(), agreed))
    }

    /// The point that the key must agree with.
    pub(super) fn ephemeral(&self) -> &PublicKey {
        self.ephemeral.point()
    }

    /// The file key, if `agreed` is what this stanza was wrapped under for `me`.
    pub(super) fn unwrap(&self, me: &PivRecipient, agreed: &SharedSecret) -> Option<FileKey> {
        let key = wrapping_key(agreed, &self.ephemeral, me);
        let opened = Zeroizing::new(aead_decrypt(&key, FILE_KEY_BYTES, &self.body).ok()?);
        Some(FileKey::init_with_mut(|file_key| file_key.copy_from_slice(&opened)))
    }
}

fn wrapping_key(agreed: &SharedSecret, ephemeral: &PivRecipient, to: &PivRecipient) -> Zeroizing<[u8; 32]> {
    let mut salt = [0; 2 * POINT_BYTES];
    salt[..POINT_BYTES].copy_from_slice(ephemeral.compressed());
    salt[POINT_BYTES..].copy_from_slice(to.compressed());
    Zeroizing::new(hkdf(&salt, NAME.as_bytes(), agreed.expose_bytes()))
}
