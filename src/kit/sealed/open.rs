//! Opening: one key opens a payload alone, or unwraps its share; shares together open a payload.

use std::io;
use std::str::FromStr;

use p256::PublicKey;
use zeroize::Zeroizing;

use super::envelope::{Limits, decrypt, decrypt_by_key};
use super::recipient::Tag;
use super::share::{Share, ShareSetError, ShareTextError, join};
use super::{MAX_PAYLOAD_FILE, MAX_PLAINTEXT, MAX_SHARE_FILE};
use crate::device::{Agree, DeviceError};
use crate::secret::Plaintext;

pub(super) const PAYLOAD: Limits = Limits { file: MAX_PAYLOAD_FILE, content: MAX_PLAINTEXT };
pub(super) const SHARE: Limits = Limits { file: MAX_SHARE_FILE, content: 1024 };

/// Why a sealed file does not open. None of these spends a PIN try.
#[derive(Debug, thiserror::Error)]
pub enum UnsealError {
    /// The key failed, was pulled out or not touched. Reported before anything that age says.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// No stanza has this key's tag: the file was sealed for other keys. The key was not asked.
    #[error("the file is not sealed for this key")]
    NotForThisKey,
    /// A stanza has this key's tag, and the key agreed, but the file key does not come out.
    #[error(
        "the stanza with this key's tag {tag} does not open: it is damaged, or for another key with the same tag"
    )]
    DoesNotOpen {
        /// The tag of the key that was tried.
        tag: Tag,
    },
    /// A file made to ask for touch after touch. The key was not asked.
    #[error("{stanzas} stanzas carry this key's tag {tag}, which chance does not make")]
    TooManyWithTag {
        /// The tag.
        tag: Tag,
        /// How many.
        stanzas: usize,
    },
    /// A `piv-p256` stanza that is not in the form that age-plugin-yubikey gives it. The key was not asked.
    #[error("a piv-p256 stanza of the file is malformed")]
    MalformedStanza,
    /// More than the kit ever seals.
    #[error("{bytes} bytes, where at most {limit} can be")]
    TooLarge {
        /// Bytes found, of the file or of what is in it.
        bytes: usize,
        /// Most bytes.
        limit: usize,
    },
    /// A header longer than that of a file for 255 keys.
    #[error("the header is longer than that of a file for 255 keys")]
    LongHeader,
    /// Not an age file, cut off within its header, or of a later version of age.
    #[error("not an age file that can be read")]
    NotAge(#[source] age::DecryptError),
    /// The file key came out, but the header is not the one it was made with.
    #[error("the header was changed after sealing")]
    ChangedHeader,
    /// The header is sound; the content is damaged, cut off or lengthened. Nothing of it is handed out.
    #[error("the content is damaged or cut off")]
    Damaged(#[source] io::Error),
    /// It opens, and holds nothing.
    #[error("the file opens and holds nothing")]
    Empty,
    /// A nested file, and the key's answer is not that of the envelope that it was sealed to.
    #[error("the outer layer does not open by what the key's FIDO2 side answered: it is of another envelope")]
    OtherEnvelope,
    /// The key's file opened, and what is in it is not an identity.
    #[error("the key's file opens, but holds no identity")]
    NoIdentity,
    /// It is one, and it does not open this payload.
    #[error("the identity in the key's file does not open this payload: it is of another sealing")]
    IdentityDoesNotFit,
    /// The share file opened, and what is in it is not a share.
    #[error("the file opens, but holds no share")]
    ShareText(#[from] ShareTextError),
    /// These shares cannot be put together.
    #[error("the shares cannot be put together")]
    ShareSet(#[from] ShareSetError),
    /// They can, but what comes out does not open this payload.
    #[error("the shares do not open this payload: they are of another sealing, or one of them is wrong")]
    SharesDoNotFit,
}

/// Opens a payload that `me` opens alone. `me` is the public key in slot 82 of the key behind `agree`, whose PIN has
/// been verified. Asks for one agreement, hence one touch.
///
/// # Errors
/// See [`UnsealError`]; nothing of the plaintext is handed out unless all of it is authentic.
pub fn open_single(payload: &[u8], me: &PublicKey, agree: &mut dyn Agree) -> Result<Plaintext, UnsealError> {
    decrypt_by_key(payload, PAYLOAD, me, agree).map(Plaintext::new)
}

/// Opens the share file of `me`. Asks for one agreement, hence one touch.
///
/// # Errors
/// See [`UnsealError`].
pub fn unwrap_share(file: &[u8], me: &PublicKey, agree: &mut dyn Agree) -> Result<Share, UnsealError> {
    Ok(Share::parse(&decrypt_by_key(file, SHARE, me, agree)?)?)
}

/// Opens a payload by the key's own file, which holds the payload's identity: one key is enough, FIDO2 is asked for too. For a
/// key with FIDO2 `file` is the inner layer, as [`super::open_envelope`] gives it. Asks for one agreement, hence one touch.
///
/// # Errors
/// See [`UnsealError`].
pub fn open_by_file(
    file: &[u8],
    payload: &[u8],
    me: &PublicKey,
    agree: &mut dyn Agree,
) -> Result<Plaintext, UnsealError> {
    let text = decrypt_by_key(file, SHARE, me, agree)?;
    let identity = identity(&text).ok_or(UnsealError::NoIdentity)?;
    match decrypt(payload, PAYLOAD, &identity) {
        Ok(plaintext) => Ok(Plaintext::new(plaintext)),
        Err(UnsealError::NotForThisKey) => Err(UnsealError::IdentityDoesNotFit),
        Err(error) => Err(error),
    }
}

/// Opens a payload by shares. As many as their threshold are used, in the order given; more do no harm.
///
/// # Errors
/// [`UnsealError::ShareSet`] before anything is tried; [`UnsealError::SharesDoNotFit`] if age's authentication tells
/// that the identity is not the payload's.
pub fn combine(shares: Vec<Share>, payload: &[u8]) -> Result<Plaintext, UnsealError> {
    combine_shares(&shares.iter().collect::<Vec<_>>(), payload)
}

pub(super) fn combine_shares(shares: &[&Share], payload: &[u8]) -> Result<Plaintext, UnsealError> {
    let text = join(shares)?;
    let identity = identity(&text).ok_or(UnsealError::SharesDoNotFit)?;
    match decrypt(payload, PAYLOAD, &identity) {
        Ok(plaintext) => Ok(Plaintext::new(plaintext)),
        Err(UnsealError::NotForThisKey) => Err(UnsealError::SharesDoNotFit),
        Err(error) => Err(error),
    }
}

pub(super) fn identity(text: &Zeroizing<Vec<u8>>) -> Option<age::x25519::Identity> {
    age::x25519::Identity::from_str(std::str::from_utf8(text).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::envelope::Dealer;
    use super::super::soft::{SeededRng, SoftKey};
    use super::super::{PivRecipient, SealTo, Sealed, seal};
    use super::*;

    const VECTOR: &[u8] = include_bytes!("../../../tests/vectors/piv-p256/one-key.age");

    fn sealed(secret: &[u8], count: u8, threshold: u8, seed: u64) -> Sealed {
        let name = |n| SealTo { name: format!("{n}-aa"), point: SoftKey::nth(n).public(), fido2: None };
        let keys: Vec<SealTo> = (1..=count).map(name).collect();
        let secret = Plaintext::new(Zeroizing::new(secret.to_vec()));
        seal(&secret, &keys, threshold, &mut SeededRng::new(seed)).unwrap()
    }

    fn age_file(content: &[u8], to: &[PublicKey]) -> Vec<u8> {
        let to: Vec<PivRecipient> = to.iter().map(|point| PivRecipient::new(*point)).collect();
        Dealer::new(&mut SeededRng::new(6)).encrypt(content, &to).unwrap()
    }

    /// What opening by that key gives, and how many agreements it cost.
    fn open(payload: &[u8], key: &mut SoftKey) -> (Result<Plaintext, UnsealError>, usize) {
        key.agreements = 0;
        let opened = open_single(payload, &key.public(), key);
        (opened, key.agreements)
    }

    fn with_header(change: impl Fn(&str) -> String) -> Vec<u8> {
        let end = VECTOR.windows(5).position(|window| window == b"\n--- ").unwrap() + 1;
        let header = std::str::from_utf8(&VECTOR[..end]).unwrap();
        [change(header).as_bytes(), &VECTOR[end..]].concat()
    }

    fn share_of(sealed: &Sealed, key: u8) -> Share {
        let mut soft = SoftKey::nth(key);
        unwrap_share(&sealed.files[usize::from(key)].bytes, &soft.public(), &mut soft).unwrap()
    }

    #[test]
    fn a_file_made_without_our_code_opens_by_one_agreement() {
        let (opened, agreements) = open(VECTOR, &mut SoftKey::new([0x11; 32]));
        assert_eq!(opened.unwrap().expose_bytes(), b"correct horse battery staple");
        assert_eq!(agreements, 1);
    }

    #[test]
    fn of_many_keys_each_opens_by_one_agreement() {
        let sealed = sealed(b"hunter2", 9, 1, 1);
        for number in 1..=9 {
            let (opened, agreements) = open(&sealed.files[0].bytes, &mut SoftKey::nth(number));
            assert_eq!((opened.unwrap().expose_bytes(), agreements), (&b"hunter2"[..], 1));
        }
    }

    #[test]
    fn a_key_of_another_file_is_not_asked() {
        let (opened, agreements) = open(VECTOR, &mut SoftKey::nth(1));
        assert!(matches!(opened, Err(UnsealError::NotForThisKey)));
        assert_eq!(agreements, 0);
    }

    #[test]
    fn two_keys_with_the_same_tag_both_open() {
        let [mut one, mut other] = keys_with_one_tag();
        let file = age_file(b"hunter2", &[one.public(), other.public()]);
        let (opened, agreements) = open(&file, &mut one);
        assert_eq!((opened.unwrap().expose_bytes(), agreements), (&b"hunter2"[..], 1));
        let (opened, agreements) = open(&file, &mut other);
        assert_eq!((opened.unwrap().expose_bytes(), agreements), (&b"hunter2"[..], 2));
    }

    #[test]
    fn a_stanza_for_another_key_with_the_same_tag_is_told_apart() {
        let [one, mut other] = keys_with_one_tag();
        let (opened, agreements) = open(&age_file(b"hunter2", &[one.public()]), &mut other);
        assert!(matches!(opened, Err(UnsealError::DoesNotOpen { tag: Tag([0x75, 0xff, 0x14, 0xb5]) })));
        assert_eq!(agreements, 1);
    }

    /// Two scalars found by tests/vectors/piv-p256/make.py.
    fn keys_with_one_tag() -> [SoftKey; 2] {
        let text = include_str!("../../../tests/vectors/piv-p256/same-tag.txt");
        let mut words = text.split_whitespace();
        [0, 1].map(|_| {
            let mut scalar = [0; 32];
            scalar[24..].copy_from_slice(&words.next().unwrap().parse::<u64>().unwrap().to_be_bytes());
            SoftKey::new(scalar)
        })
    }

    #[test]
    fn the_keys_own_failure_is_reported_first() {
        let mut key = SoftKey::new([0x11; 32]);
        key.touches = 0;
        let (opened, _) = open(VECTOR, &mut key);
        assert!(matches!(opened, Err(UnsealError::Device(DeviceError::NotTouched))));
    }

    #[test]
    fn a_file_that_asks_for_touch_after_touch_is_refused_unasked() {
        let flood = with_header(|header| {
            let (version, stanza) = header.split_once('\n').unwrap();
            format!("{version}\n{}", stanza.repeat(5))
        });
        let (opened, agreements) = open(&flood, &mut SoftKey::new([0x11; 32]));
        assert!(matches!(opened, Err(UnsealError::TooManyWithTag { stanzas: 5, .. })));
        assert_eq!(agreements, 0);
    }

    #[test]
    fn malformed_stanzas_are_refused_unasked() {
        let point = "A9Zak5d8qj0bCBhS/1ennkZfFmBXcwS66tUF3TpIWJzz";
        let off_curve = "A////////////////////////////////////////////";
        let body = "0VPC32UJzZICcndPsetZINKGhVKcZ9scQVnq5K1/Cts";
        let cases: [(&str, &str, &str); 7] = [
            ("point off the curve", point, off_curve),
            ("point not compressed", point, "BNZak5d8qj0bCBhS/1ennkZfFmBXcwS66tUF3TpIWJzz"),
            ("point too short", point, "A9Zak5d8qj0bCBhS/1ennkZfFmBXcwS66tUF3TpIWA"),
            ("tag too long", "vGCWGA", "vGCWGCA"),
            ("tag not canonical", "vGCWGA", "vGCWGB"),
            ("no point", " A9Zak5d8qj0bCBhS/1ennkZfFmBXcwS66tUF3TpIWJzz", ""),
            ("body too short", body, "0VPC32UJzZICcndPsetZINKGhVKcZ9scQVnq5K1/"),
        ];
        for (defect, from, to) in cases {
            let file = with_header(|header| header.replace(from, to));
            assert_ne!(file, VECTOR, "{defect}");
            // Also for a key with another tag: the whole header has to be sound.
            for mut key in [SoftKey::new([0x11; 32]), SoftKey::nth(1)] {
                let (opened, agreements) = open(&file, &mut key);
                assert!(matches!(opened, Err(UnsealError::MalformedStanza)), "{defect}: {opened:?}");
                assert_eq!(agreements, 0, "{defect}");
            }
        }
    }

    #[test]
    fn a_changed_header_is_noticed() {
        let added = with_header(|header| format!("{header}-> extra\n\n"));
        let (opened, _) = open(&added, &mut SoftKey::new([0x11; 32]));
        assert!(matches!(opened, Err(UnsealError::ChangedHeader)));
    }

    #[test]
    fn damaged_content_is_noticed() {
        let mut flipped = VECTOR.to_vec();
        *flipped.last_mut().unwrap() ^= 0x80;
        let cut = &VECTOR[..VECTOR.len() - 1];
        let longer = [VECTOR, b"x"].concat();
        for file in [&flipped[..], cut, &longer] {
            let (opened, _) = open(file, &mut SoftKey::new([0x11; 32]));
            assert!(matches!(opened, Err(UnsealError::Damaged(_))), "{opened:?}");
        }
    }

    #[test]
    fn sizes_are_capped() {
        let mut key = SoftKey::nth(1);
        let (opened, agreements) = open(&vec![b'a'; MAX_PAYLOAD_FILE + 1], &mut key);
        assert!(matches!(opened, Err(UnsealError::TooLarge { bytes: 131_073, limit: MAX_PAYLOAD_FILE })));
        assert_eq!(agreements, 0);

        let too_much = age_file(&[7; MAX_PLAINTEXT + 1], &[key.public()]);
        let (opened, _) = open(&too_much, &mut key);
        assert!(matches!(opened, Err(UnsealError::TooLarge { bytes: 65_537, limit: MAX_PLAINTEXT })));

        let most = age_file(&[7; MAX_PLAINTEXT], &[key.public()]);
        assert_eq!(open(&most, &mut key).0.unwrap().expose_bytes(), [7; MAX_PLAINTEXT]);

        let lines = with_header(|header| format!("{header}{}", "-> x\n\n".repeat(600)));
        let (opened, agreements) = open(&lines, &mut SoftKey::new([0x11; 32]));
        assert!(matches!(opened, Err(UnsealError::LongHeader)));
        assert_eq!(agreements, 0);

        let share = sealed(b"x", 2, 2, 1).files[1].bytes.clone();
        let padded = [share, vec![0; MAX_SHARE_FILE]].concat();
        assert!(matches!(unwrap_share(&padded, &key.public(), &mut key), Err(UnsealError::TooLarge { .. })));
    }

    #[test]
    fn an_empty_file_of_age_is_named() {
        let mut key = SoftKey::nth(1);
        let file = age_file(b"", &[key.public()]);
        assert!(matches!(open(&file, &mut key).0, Err(UnsealError::Empty)));
        assert!(matches!(open(b"", &mut key).0, Err(UnsealError::NotAge(_))));
    }

    #[test]
    fn a_payload_is_not_a_share() {
        let mut key = SoftKey::nth(1);
        let file = age_file(b"hunter2", &[key.public()]);
        let error = unwrap_share(&file, &key.public(), &mut key).unwrap_err();
        assert!(matches!(error, UnsealError::ShareText(ShareTextError::Form)));
    }

    #[test]
    fn shares_of_two_sealings_do_not_open() {
        let (first, second) = (sealed(b"hunter2", 3, 2, 1), sealed(b"hunter2", 3, 2, 2));
        let payload = &first.files[0].bytes;
        let opened = combine(vec![share_of(&first, 1), share_of(&first, 3)], payload).unwrap();
        assert_eq!(opened.expose_bytes(), b"hunter2");
        let mixed = combine(vec![share_of(&first, 1), share_of(&second, 3)], payload);
        assert!(matches!(mixed, Err(UnsealError::SharesDoNotFit)));
        let of_the_other = combine(vec![share_of(&second, 1), share_of(&second, 3)], payload);
        assert!(matches!(of_the_other, Err(UnsealError::SharesDoNotFit)));
        let twice = combine(vec![share_of(&first, 1), share_of(&first, 1)], payload);
        assert!(matches!(twice, Err(UnsealError::ShareSet(ShareSetError::Twice { number: 1 }))));
        let one = combine(vec![share_of(&first, 2)], payload);
        assert!(matches!(one, Err(UnsealError::ShareSet(ShareSetError::TooFew { have: 1, threshold: 2 }))));
        let more = combine((1..=3).map(|key| share_of(&first, key)).collect(), payload).unwrap();
        assert_eq!(more.expose_bytes(), b"hunter2");
    }

    #[test]
    fn shares_made_without_our_code_open_by_any_three() {
        let payload = include_bytes!("../../../tests/vectors/shares/payload.age");
        let shares = [
            &include_bytes!("../../../tests/vectors/shares/share-1.txt")[..],
            include_bytes!("../../../tests/vectors/shares/share-2.txt"),
            include_bytes!("../../../tests/vectors/shares/share-3.txt"),
            include_bytes!("../../../tests/vectors/shares/share-4.txt"),
            include_bytes!("../../../tests/vectors/shares/share-5.txt"),
        ];
        for subset in [[0, 1, 2], [4, 3, 2], [0, 2, 4], [1, 4, 0], [3, 1, 2]] {
            let shares = subset.map(|index| Share::parse(shares[index]).unwrap());
            let opened = combine(shares.into(), payload).unwrap();
            assert_eq!(opened.expose_bytes(), b"correct horse battery staple");
        }
        let two = [0, 3].map(|index| Share::parse(shares[index]).unwrap());
        let refused = combine(two.into(), payload);
        assert!(matches!(
            refused,
            Err(UnsealError::ShareSet(ShareSetError::TooFew { have: 2, threshold: 3 }))
        ));
    }

    #[test]
    fn nothing_secret_is_in_a_message() {
        let sealed = sealed(b"hunter2", 2, 2, 1);
        let share = share_of(&sealed, 1);
        let text = String::from_utf8(share.expose_text().to_vec()).unwrap();
        let hex = text.lines().last().unwrap().strip_prefix("share ").unwrap().to_owned();
        let error = combine(vec![share], &sealed.files[0].bytes).unwrap_err();
        assert!(!format!("{error} {error:?}").contains(&hex));
        let wrong = text.replacen("threshold 2", "threshold 1", 1);
        let error = UnsealError::from(Share::parse(wrong.as_bytes()).unwrap_err());
        assert!(!format!("{error} {error:?}").contains(&hex));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn sealed_is_opened_by_any_threshold_keys(
            secret in prop::collection::vec(any::<u8>(), 1..300),
            (count, threshold) in (1u8..7).prop_flat_map(|count| (Just(count), 1..=count)),
            seed: u64,
        ) {
            let sealed = sealed(&secret, count, threshold, seed);
            let mut order: Vec<u8> = (1..=count).collect();
            order.rotate_left(seed as usize % usize::from(count));
            let payload = &sealed.files[0].bytes;
            let opened = match threshold {
                1 => open(payload, &mut SoftKey::nth(order[0])).0,
                _ => combine(order.iter().take(threshold.into()).map(|key| share_of(&sealed, *key)).collect(), payload),
            };
            let opened = opened.unwrap();
            prop_assert_eq!(opened.expose_bytes(), &secret);
        }

        #[test]
        fn a_changed_byte_anywhere_opens_nothing(at: prop::sample::Index, change in 1u8..=255) {
            let mut file = VECTOR.to_vec();
            let at = at.index(file.len());
            file[at] ^= change;
            prop_assert!(open(&file, &mut SoftKey::new([0x11; 32])).0.is_err());
        }

        #[test]
        fn a_cut_file_opens_nothing(at: prop::sample::Index) {
            let cut = &VECTOR[..at.index(VECTOR.len())];
            prop_assert!(open(cut, &mut SoftKey::new([0x11; 32])).0.is_err());
        }

        #[test]
        fn any_bytes_are_refused(
            header in prop::option::of("(-> [ -~]{0,80}\n[A-Za-z0-9+/]{0,64}\n){0,9}--- [A-Za-z0-9+/]{43}\n"),
            bytes in prop::collection::vec(any::<u8>(), 0..300),
        ) {
            let header = header.map(|lines| format!("age-encryption.org/v1\n{lines}")).unwrap_or_default();
            let file = [header.as_bytes(), &bytes].concat();
            let mut key = SoftKey::nth(1);
            prop_assert!(open(&file, &mut key).0.is_err());
            prop_assert!(unwrap_share(&file, &key.public(), &mut key).is_err());
            prop_assert!(combine(vec![], &file).is_err());
        }
    }
}
