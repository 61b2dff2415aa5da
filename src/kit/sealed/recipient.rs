//! The text forms of a sealing key, as age-plugin-yubikey writes them: recipient and plugin identity.

use std::fmt;
use std::str::FromStr;

use bech32::primitives::decode::CheckedHrpstring;
use bech32::{Bech32, Hrp};
use p256::PublicKey;
use p256::elliptic_curve::sec1::ToSec1Point;
use sha2::{Digest, Sha256};

use crate::attestation::{Serial, Slot};

const RECIPIENT: Hrp = Hrp::parse_unchecked("age1yubikey");
const IDENTITY: Hrp = Hrp::parse_unchecked("age-plugin-yubikey-");

/// Length of a compressed point: 02 or 03, then the x coordinate.
pub(super) const POINT_BYTES: usize = 33;

/// Four bytes that say which key a stanza is for: the first of the SHA-256 of the compressed point. Not unique.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(pub [u8; 4]);

impl Tag {
    /// The tag of that sealing key.
    pub fn of(point: &PublicKey) -> Self {
        PivRecipient::new(*point).tag()
    }
}

impl fmt::Display for Tag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A key to seal to: the public key of slot 82. Its text is `age1yubikey1…` (Bech32 of the compressed point).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PivRecipient {
    point: PublicKey,
    compressed: [u8; POINT_BYTES],
}

impl PivRecipient {
    /// Of the public key in slot 82.
    pub fn new(point: PublicKey) -> Self {
        let encoded = point.to_sec1_point(true);
        let compressed = encoded.as_bytes().try_into().expect("a compressed point of P-256 has 33 bytes");
        PivRecipient { point, compressed }
    }

    /// The public key.
    pub fn point(&self) -> &PublicKey {
        &self.point
    }

    /// The public key as SEC 1 writes it compressed (section 2.3.3).
    pub fn compressed(&self) -> &[u8; POINT_BYTES] {
        &self.compressed
    }

    /// The tag of its stanzas.
    pub fn tag(&self) -> Tag {
        let digest = Sha256::digest(self.compressed);
        Tag(digest[..4].try_into().expect("four of 32 bytes"))
    }
}

/// A text that is not a recipient or a plugin identity of a YubiKey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyTextError {
    /// Mistyped, cut off, or something else altogether.
    #[error("not Bech32: mistyped or cut off")]
    Bech32,
    /// Sound Bech32 of another kind.
    #[error("it does not begin with {0}1")]
    Kind(&'static str),
    /// The right kind with the wrong content.
    #[error("{0}")]
    Content(&'static str),
}

impl fmt::Display for PivRecipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        bech32::encode_lower_to_fmt::<Bech32, _>(f, RECIPIENT, &self.compressed).map_err(|_| fmt::Error)
    }
}

impl FromStr for PivRecipient {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        let bytes = decoded(text, RECIPIENT, "age1yubikey")?;
        let compressed: [u8; POINT_BYTES] =
            bytes.try_into().map_err(|_| KeyTextError::Content("a recipient has 33 bytes"))?;
        let point = PublicKey::from_sec1_bytes(&compressed)
            .map_err(|_| KeyTextError::Content("its point is not on P-256"))?;
        Ok(PivRecipient { point, compressed })
    }
}

/// Where a sealing key is found: `AGE-PLUGIN-YUBIKEY-1…`, what stock `age` is given as an identity file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PluginIdentity {
    /// Serial number of the key.
    pub serial: Serial,
    /// PIV key reference; the kit's is 82.
    pub slot: u8,
    /// Which key must be in that slot.
    pub tag: Tag,
}

impl PluginIdentity {
    /// Of the kit's sealing slot.
    pub fn new(serial: Serial, point: &PublicKey) -> Self {
        PluginIdentity { serial, slot: Slot::Sealing.number(), tag: Tag::of(point) }
    }
}

impl fmt::Display for PluginIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = [0; 9];
        bytes[..4].copy_from_slice(&self.serial.0.to_le_bytes());
        bytes[4] = self.slot;
        bytes[5..].copy_from_slice(&self.tag.0);
        bech32::encode_upper_to_fmt::<Bech32, _>(f, IDENTITY, &bytes).map_err(|_| fmt::Error)
    }
}

impl FromStr for PluginIdentity {
    type Err = KeyTextError;

    fn from_str(text: &str) -> Result<Self, KeyTextError> {
        let bytes = decoded(text, IDENTITY, "AGE-PLUGIN-YUBIKEY-")?;
        let [a, b, c, d, slot, tag @ ..]: [u8; 9] =
            bytes.try_into().map_err(|_| KeyTextError::Content("an identity has 9 bytes"))?;
        Ok(PluginIdentity { serial: Serial(u32::from_le_bytes([a, b, c, d])), slot, tag: Tag(tag) })
    }
}

fn decoded(text: &str, kind: Hrp, name: &'static str) -> Result<Vec<u8>, KeyTextError> {
    let checked = CheckedHrpstring::new::<Bech32>(text).map_err(|_| KeyTextError::Bech32)?;
    if checked.hrp() != kind {
        return Err(KeyTextError::Kind(name));
    }
    Ok(checked.byte_iter().collect())
}

#[cfg(test)]
mod tests {
    use p256::SecretKey;
    use proptest::prelude::*;

    use super::*;

    fn point_of_11() -> PublicKey {
        SecretKey::from_slice(&[0x11; 32]).unwrap().public_key()
    }

    /// Both texts were made by age-plugin-yubikey 0.5.1's own encoder.
    #[test]
    fn the_texts_are_those_of_age_plugin_yubikey() {
        let recipient = PivRecipient::new(point_of_11());
        let text = "age1yubikey1qgpp0esh7zmygwfgy78edxv7dx3r5nevz54a7mtvmanwtwqzst2w6hwu5h4";
        assert_eq!(recipient.to_string(), text);
        assert_eq!(text.parse(), Ok(recipient));

        let identity = PluginIdentity::new(Serial(12345678), &point_of_11());
        let text = "AGE-PLUGIN-YUBIKEY-1FESMCQYZH3SFVXQWFHEJY";
        assert_eq!(identity.to_string(), text);
        assert_eq!(text.parse(), Ok(identity));
    }

    #[test]
    fn a_recipient_of_another_kind_is_named() {
        let of_age = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
        assert_eq!(of_age.parse::<PivRecipient>(), Err(KeyTextError::Kind("age1yubikey")));
        let identity = "AGE-PLUGIN-YUBIKEY-1FESMCQYZH3SFVXQWFHEJY";
        assert_eq!(identity.parse::<PivRecipient>(), Err(KeyTextError::Kind("age1yubikey")));
    }

    #[test]
    fn a_point_off_the_curve_is_refused() {
        let mut off = *PivRecipient::new(point_of_11()).compressed();
        // About every second x has no y; one of these steps must leave the curve.
        let text = loop {
            off[32] = off[32].wrapping_add(1);
            if PublicKey::from_sec1_bytes(&off).is_err() {
                break bech32::encode::<Bech32>(RECIPIENT, &off).unwrap();
            }
        };
        assert_eq!(text.parse::<PivRecipient>(), Err(KeyTextError::Content("its point is not on P-256")));
        let uncompressed = p256::PublicKey::to_sec1_point(&point_of_11(), false);
        let text = bech32::encode::<Bech32>(RECIPIENT, uncompressed.as_bytes()).unwrap();
        assert_eq!(text.parse::<PivRecipient>(), Err(KeyTextError::Content("a recipient has 33 bytes")));
    }

    proptest! {
        #[test]
        fn one_wrong_letter_is_noticed(at in 12usize..71, letter in "[a-z0-9]") {
            let text = PivRecipient::new(point_of_11()).to_string();
            let mut wrong = text.clone();
            wrong.replace_range(at..=at, &letter);
            prop_assert_eq!(wrong.parse::<PivRecipient>().is_ok(), wrong == text);
        }

        #[test]
        fn any_text_is_parsed_or_refused(text in ".{0,120}") {
            let _ = text.parse::<PivRecipient>();
            let _ = text.parse::<PluginIdentity>();
        }

        #[test]
        fn identities_survive_the_text(serial: u32, slot: u8, tag: [u8; 4]) {
            let identity = PluginIdentity { serial: Serial(serial), slot, tag: Tag(tag) };
            prop_assert_eq!(identity.to_string().parse(), Ok(identity));
        }
    }
}
