//! Which keys a sealed file is for, read from its header without any key.
//!
//! The header is authenticated only under the file key: what stands here is a claim until the file's hash is found in a
//! signed record, or a key has opened it.

use std::fmt;

use super::MAX_PAYLOAD_FILE;
use super::envelope::stanzas;
use super::open::UnsealError;
use super::recipient::Tag;
use super::stanza::PivStanza;

/// The stanzas of a sealed file.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inspection {
    /// Tags of the `piv-p256` stanzas, in their order.
    pub tags: Vec<Tag>,
    /// `X25519` stanzas, which do not say for whom they are.
    pub x25519: usize,
    /// Stanzas that age adds at random so that readers learn to skip unknown ones. One is normal; it cannot be told from
    /// one that hides a recipient, so whoever sealed the file has to be trusted for it.
    pub grease: usize,
    /// First words of all others, printable ASCII, cut at 32 characters.
    pub other: Vec<String>,
}

/// What a sealed file should be for.
#[derive(Debug, Clone, Copy)]
pub enum Expected<'a> {
    /// A payload that each of these keys opens alone, or the share file of one.
    Keys(&'a [Tag]),
    /// A payload to an identity that keys' files hold, or the outer layer of a nested file.
    Shares,
}

/// A stanza too many or too few.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// No stanza is for this key.
    Missing(Tag),
    /// A stanza is for a key that should not open this file.
    Extra(Tag),
    /// So many `X25519` stanzas, where there should be one (shares) or none (keys).
    X25519(usize),
    /// More than the one stanza that age adds at random.
    Grease(usize),
    /// A stanza of a kind that the kit does not make.
    Other(String),
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Difference::Missing(tag) => write!(f, "no stanza is for the key with tag {tag}"),
            Difference::Extra(tag) => {
                write!(f, "a stanza is for a key with tag {tag}, which is not expected")
            }
            Difference::X25519(count) => write!(f, "{count} stanzas are for X25519 identities"),
            Difference::Grease(count) => write!(f, "{count} stanzas are of a random kind; age adds one"),
            Difference::Other(kind) => write!(f, "a stanza is of the unexpected kind {kind}"),
        }
    }
}

/// Reads the header of `payload.age` or of a share file.
///
/// # Errors
/// [`UnsealError::NotAge`], [`UnsealError::TooLarge`] and [`UnsealError::LongHeader`]; an unexpected stanza is a
/// finding, not an error.
pub fn inspect(file: &[u8]) -> Result<Inspection, UnsealError> {
    let mut found = Inspection::default();
    stanzas(file, MAX_PAYLOAD_FILE, &mut |stanza| match (PivStanza::read(stanza), stanza.tag.as_str()) {
        (Some(Some(piv)), _) => found.tags.push(piv.tag),
        (Some(None), kind) => found.other.push(format!("{kind} (malformed)")),
        (None, "X25519") => found.x25519 += 1,
        (None, kind) if kind.ends_with("-grease") => found.grease += 1,
        (None, kind) => found.other.push(kind.chars().take(32).collect()),
    })?;
    Ok(found)
}

impl Inspection {
    /// Whether a key with that tag opens the file, as far as its header says.
    pub fn names(&self, tag: Tag) -> bool {
        self.tags.contains(&tag)
    }

    /// Every stanza too many or too few. Two keys may have the same tag, so tags are counted.
    pub fn differences(&self, expected: Expected) -> Vec<Difference> {
        let (keys, x25519): (&[Tag], usize) = match expected {
            Expected::Keys(tags) => (tags, 0),
            Expected::Shares => (&[], 1),
        };
        let mut extra = self.tags.clone();
        let mut differences = Vec::new();
        for tag in keys {
            match extra.iter().position(|found| found == tag) {
                Some(at) => drop(extra.remove(at)),
                None => differences.push(Difference::Missing(*tag)),
            }
        }
        differences.extend(extra.into_iter().map(Difference::Extra));
        if self.x25519 != x25519 {
            differences.push(Difference::X25519(self.x25519));
        }
        if self.grease > 1 {
            differences.push(Difference::Grease(self.grease));
        }
        differences.extend(self.other.iter().cloned().map(Difference::Other));
        differences
    }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::soft::{SeededRng, SoftKey};
    use super::super::{SealTo, seal};
    use super::*;
    use crate::secret::Plaintext;

    fn tags(count: u8) -> Vec<Tag> {
        (1..=count).map(|n| Tag::of(&SoftKey::nth(n).public())).collect()
    }

    fn files(count: u8, threshold: u8) -> Vec<Vec<u8>> {
        let name = |n| SealTo { name: format!("{n}-aa"), point: SoftKey::nth(n).public(), fido2: None };
        let keys: Vec<SealTo> = (1..=count).map(name).collect();
        let secret = Plaintext::new(Zeroizing::new(b"hunter2".to_vec()));
        let sealed = seal(&secret, &keys, threshold, &mut SeededRng::new(8)).unwrap();
        sealed.files.into_iter().map(|file| file.bytes).collect()
    }

    fn header(stanzas: &str) -> Vec<u8> {
        format!("age-encryption.org/v1\n{stanzas}--- {}\n{}", "A".repeat(43), "n".repeat(33)).into_bytes()
    }

    #[test]
    fn what_was_sealed_is_as_expected() {
        let single = inspect(&files(3, 1)[0]).unwrap();
        assert_eq!((&single.tags, single.x25519, single.grease), (&tags(3), 0, 1));
        assert_eq!(single.differences(Expected::Keys(&tags(3))), []);
        assert!(single.names(tags(3)[2]) && !single.names(tags(4)[3]));

        let shared = files(3, 2);
        let payload = inspect(&shared[0]).unwrap();
        assert_eq!((payload.tags.len(), payload.x25519, payload.grease), (0, 1, 1));
        assert_eq!(payload.differences(Expected::Shares), []);
        assert_eq!(inspect(&shared[2]).unwrap().differences(Expected::Keys(&tags(2)[1..])), []);
    }

    #[test]
    fn missing_and_extra_recipients_are_named() {
        let found = inspect(&files(3, 1)[0]).unwrap();
        let [one, two, three, four] = tags(4)[..] else { panic!("four tags") };
        assert_eq!(
            found.differences(Expected::Keys(&[one, three, four])),
            [Difference::Missing(four), Difference::Extra(two)]
        );
        // A tag that two keys share is expected twice.
        assert_eq!(found.differences(Expected::Keys(&[one, one, two, three])), [Difference::Missing(one)]);
        assert_eq!(found.differences(Expected::Shares).len(), 4);
    }

    #[test]
    fn unexpected_stanzas_are_named() {
        let file = header(
            "-> X25519 abc\n\n-> X25519 abc\n\n-> scrypt-like 1 2\n\n-> piv-p256 short\n\n-> a-grease\n\n-> b-grease\n\n",
        );
        let differences = inspect(&file).unwrap().differences(Expected::Shares);
        let texts: Vec<String> = differences.iter().map(Difference::to_string).collect();
        assert_eq!(
            texts,
            [
                "2 stanzas are for X25519 identities",
                "2 stanzas are of a random kind; age adds one",
                "a stanza is of the unexpected kind scrypt-like",
                "a stanza is of the unexpected kind piv-p256 (malformed)",
            ]
        );
    }

    #[test]
    fn what_is_not_age_is_an_error() {
        assert!(matches!(inspect(b"-----BEGIN AGE ENCRYPTED FILE-----\n"), Err(UnsealError::NotAge(_))));
        assert!(matches!(inspect(&header("")), Err(UnsealError::NotAge(_))));
        assert!(matches!(inspect(&header(&"-> x\n\n".repeat(600))), Err(UnsealError::LongHeader)));
        let password =
            header("-> scrypt AAAAAAAAAAAAAAAAAAAAAA 18\nAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n");
        assert_eq!(inspect(&password).unwrap().other, ["scrypt"]);
    }
}
