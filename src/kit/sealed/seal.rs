//! Sealing, and the proof while the plaintext is at hand that what was sealed opens.

use age::EncryptError;
use age::secrecy::ExposeSecret;
use p256::PublicKey;
use rand_core::CryptoRng;

use super::envelope::{Dealer, encrypt};
use super::open::{UnsealError, combine_shares, open_by_file, open_single, unwrap_share};
use super::outer::{self, Outer, sidecar_name};
use super::recipient::PivRecipient;
use super::share::{Share, split};
use super::{MAX_KEYS, MAX_PLAINTEXT, PAYLOAD_NAME, share_name};
use crate::secret::Plaintext;

/// Beyond so many subsets not all are tried: every subset of up to seven keys is among them.
const MAX_SUBSETS: usize = 35;

/// A key to seal to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealTo {
    /// `<serial>-<kid8>`: names the key's share file. `[a-z0-9._-]{1,64}`.
    pub name: String,
    /// The public key in its slot 82.
    pub point: PublicKey,
    /// Its FIDO2 side, if opening is to ask for that too.
    pub fido2: Option<Outer>,
}

/// What sealing made: files for one folder, and what was shown of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// `payload.age` first. With a threshold of two or more, or FIDO2 for any key, then one file for each key, in the order
    /// given; then the text beside each nested file.
    pub files: Vec<SealedFile>,
    /// What was tried with them.
    pub proof: Proof,
}

/// A file to be written as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SealedFile {
    /// File name, without folder.
    pub name: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// What was shown at sealing: each of so many subsets of `threshold` keys opened the finished files to the same
/// plaintext, with the sealing side's half of each agreement in place of the key's, and the file key of each outer layer in
/// place of its identity. Arithmetic only: that a key answers, only opening by that key shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proof {
    /// Subsets tried.
    pub subsets: usize,
    /// Whether they were all there are. Otherwise they are each key with the next `threshold - 1` in the order given,
    /// the last followed by the first, so that each key is in `threshold` of them.
    pub all: bool,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// Nothing to seal.
    #[error("there is nothing to seal: the secret is empty")]
    Empty,
    /// Longer than [`MAX_PLAINTEXT`].
    #[error("the secret has {bytes} bytes; at most {MAX_PLAINTEXT} can be sealed")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// Not 1 <= threshold <= keys <= 255.
    #[error(
        "{threshold} of {keys} keys cannot be: between 1 and 255 keys, and a threshold between 1 and their number"
    )]
    Threshold {
        /// Keys needed to open.
        threshold: u8,
        /// Keys to seal to.
        keys: usize,
    },
    /// One key under two names, or one name or envelope for two keys: fewer keys than were counted.
    #[error("{one} and {other} are the same key, or have the same name or envelope")]
    Duplicate {
        /// Name of the first.
        one: String,
        /// Name of the second.
        other: String,
    },
    /// A name that cannot be a file's, or would be the payload's.
    #[error("{0:?} cannot name a share file")]
    Name(String),
    /// age refused.
    #[error("age does not encrypt")]
    Encrypt(#[from] EncryptError),
    /// The sharing refused.
    #[error("the identity cannot be shared: {0:?}")]
    Share(vsss_rs::Error),
    /// What was made does not open: the computer's memory or randomness fails.
    #[error("what was sealed does not open again by {keys}; nothing was kept")]
    Unopened {
        /// Names of the keys of that subset.
        keys: String,
        /// How it failed.
        #[source]
        cause: UnsealError,
    },
    /// What was made opens to something else: the computer's memory fails.
    #[error("what was sealed opens to something else by {keys}; nothing was kept")]
    Different {
        /// Names of the keys of that subset.
        keys: String,
    },
}

/// Seals `plaintext` so that any `threshold` of `recipients` open it.
///
/// 1. Checks names, keys and sizes.
/// 2. With a threshold of 1 and PIV alone: `payload.age` with one stanza for each key. Otherwise `payload.age` to a fresh
///    X25519 identity, whose text, or a share of it, is in a file for each key; for a key with FIDO2 nested in an outer layer.
/// 3. Opens the finished files again, by every subset ([`Proof`]).
///
/// Randomness is `rng`'s for stanzas and shares; file keys, nonces and the X25519 identity are drawn by age from the
/// operating system.
///
/// # Errors
/// [`SealError`]; nothing is kept then.
pub fn seal(
    plaintext: &Plaintext,
    recipients: &[SealTo],
    threshold: u8,
    rng: &mut dyn CryptoRng,
) -> Result<Sealed, SealError> {
    check(plaintext, recipients, threshold)?;
    let mut dealer = Dealer::new(rng);
    let files = match by_files(recipients, threshold) {
        false => vec![payload(dealer.encrypt(plaintext.expose_bytes(), &points(recipients))?)],
        true => seal_by_files(plaintext, recipients, threshold, &mut dealer)?,
    };
    let proof = prove(plaintext, recipients, threshold, &files, &mut dealer)?;
    Ok(Sealed { files, proof })
}

fn check(plaintext: &Plaintext, recipients: &[SealTo], threshold: u8) -> Result<(), SealError> {
    match plaintext.expose_bytes().len() {
        0 => return Err(SealError::Empty),
        bytes if bytes > MAX_PLAINTEXT => return Err(SealError::TooLong { bytes }),
        _ => {}
    }
    let keys = recipients.len();
    if !(1..=MAX_KEYS).contains(&keys) || !(1..=keys).contains(&threshold.into()) {
        return Err(SealError::Threshold { threshold, keys });
    }
    for (index, key) in recipients.iter().enumerate() {
        if !is_file_name(&key.name) || share_name(&key.name) == PAYLOAD_NAME {
            return Err(SealError::Name(key.name.clone()));
        }
        let recipient = |key: &SealTo| key.fido2.as_ref().map(|outer| outer.envelope.recipient.clone());
        let same = |earlier: &&SealTo| {
            earlier.point == key.point
                || earlier.name == key.name
                || recipient(key).is_some_and(|own| recipient(earlier) == Some(own))
        };
        if let Some(earlier) = recipients[..index].iter().find(same) {
            return Err(SealError::Duplicate { one: earlier.name.clone(), other: key.name.clone() });
        }
    }
    Ok(())
}

fn is_file_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"._-".contains(&byte);
    (1..=64).contains(&name.len()) && name.bytes().all(allowed) && !name.starts_with('.')
}

/// Whether each key has a file of its own.
fn by_files(recipients: &[SealTo], threshold: u8) -> bool {
    threshold > 1 || recipients.iter().any(|key| key.fido2.is_some())
}

fn seal_by_files(
    plaintext: &Plaintext,
    recipients: &[SealTo],
    threshold: u8,
    dealer: &mut Dealer,
) -> Result<Vec<SealedFile>, SealError> {
    let identity = age::x25519::Identity::generate();
    let to = identity.to_public();
    let mut files =
        vec![payload(encrypt(plaintext.expose_bytes(), std::iter::once(&to as &dyn age::Recipient))?)];
    let text = identity.to_string();
    let text = text.expose_secret().as_bytes();
    let shares = match threshold {
        1 => Vec::new(),
        _ => dealer.split(text, threshold, recipients.len())?,
    };
    let mut beside = Vec::new();
    for (index, key) in recipients.iter().enumerate() {
        let to = [PivRecipient::new(key.point)];
        let mut bytes = match shares.get(index) {
            Some(share) => dealer.encrypt(&share.expose_text(), &to)?,
            None => dealer.encrypt(text, &to)?,
        };
        if let Some(fido2) = &key.fido2 {
            bytes = outer::wrap(&bytes, fido2, dealer)?;
            let bytes = fido2.sidecar().into_bytes();
            beside.push(SealedFile { name: sidecar_name(&key.name), bytes });
        }
        files.push(SealedFile { name: share_name(&key.name), bytes });
    }
    files.extend(beside);
    Ok(files)
}

impl Dealer<'_> {
    fn split(&mut self, secret: &[u8], threshold: u8, count: usize) -> Result<Vec<Share>, SealError> {
        split(secret, threshold, count, self.randomness()).map_err(SealError::Share)
    }
}

/// Opens the files as they will be written, each stanza by the sealing side's half of its agreement.
fn prove(
    plaintext: &Plaintext,
    recipients: &[SealTo],
    threshold: u8,
    files: &[SealedFile],
    dealer: &mut Dealer,
) -> Result<Proof, SealError> {
    let names = |subset: &[usize]| {
        let names: Vec<&str> = subset.iter().map(|index| recipients[*index].name.as_str()).collect();
        names.join(", ")
    };
    let unopened = |subset: &[usize]| {
        let keys = names(subset);
        move |cause| SealError::Unopened { keys, cause }
    };
    let payload = &files[0].bytes;
    let mut inner = Vec::new();
    let mut shares = Vec::new();
    if by_files(recipients, threshold) {
        for (index, (key, file)) in recipients.iter().zip(&files[1..]).enumerate() {
            let file = match &key.fido2 {
                Some(_) => outer::unwrap(&file.bytes, dealer).map_err(unopened(&[index]))?,
                None => file.bytes.clone(),
            };
            if threshold > 1 {
                shares.push(unwrap_share(&file, &key.point, dealer).map_err(unopened(&[index]))?);
            }
            inner.push(file);
        }
    }
    let (subsets, all) = subsets(recipients.len(), threshold.into());
    for subset in &subsets {
        let opened = match subset[..] {
            [index] if inner.is_empty() => open_single(payload, &recipients[index].point, dealer),
            [index] => open_by_file(&inner[index], payload, &recipients[index].point, dealer),
            _ => combine_shares(&subset.iter().map(|index| &shares[*index]).collect::<Vec<_>>(), payload),
        };
        if !same(&opened.map_err(unopened(subset))?, plaintext) {
            return Err(SealError::Different { keys: names(subset) });
        }
    }
    Ok(Proof { subsets: subsets.len(), all })
}

/// Subsets of `size` out of `count`, and whether they are all.
fn subsets(count: usize, size: usize) -> (Vec<Vec<usize>>, bool) {
    let mut all = Vec::new();
    let mut next: Vec<usize> = (0..size).collect();
    while all.len() <= MAX_SUBSETS {
        all.push(next.clone());
        // The last place that can still move; those after it follow closely.
        let Some(place) = (0..size).rev().find(|place| next[*place] < count - size + place) else {
            return (all, true);
        };
        let start = next[place] + 1;
        next.splice(place.., start..start + size - place);
    }
    let runs = (0..count).map(|first| (first..first + size).map(|index| index % count).collect());
    (runs.collect(), false)
}

/// Whether both are the same, in constant time for one length.
fn same(one: &Plaintext, other: &Plaintext) -> bool {
    let (one, other) = (one.expose_bytes(), other.expose_bytes());
    one.len() == other.len() && one.iter().zip(other).fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

fn points(recipients: &[SealTo]) -> Vec<PivRecipient> {
    recipients.iter().map(|key| PivRecipient::new(key.point)).collect()
}

fn payload(bytes: Vec<u8>) -> SealedFile {
    SealedFile { name: PAYLOAD_NAME.to_owned(), bytes }
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::soft::{SeededRng, SoftKey};
    use super::super::{MAX_PAYLOAD_FILE, MAX_SHARE_FILE};
    use super::*;

    fn secret(bytes: &[u8]) -> Plaintext {
        Plaintext::new(Zeroizing::new(bytes.to_vec()))
    }

    fn keys(count: u8) -> Vec<SealTo> {
        (1..=count)
            .map(|n| SealTo { name: format!("{n}-aa"), point: SoftKey::nth(n).public(), fido2: None })
            .collect()
    }

    fn sealed(count: u8, threshold: u8) -> Sealed {
        seal(&secret(b"hunter2"), &keys(count), threshold, &mut SeededRng::new(3)).unwrap()
    }

    fn refusal(plaintext: &[u8], keys: &[SealTo], threshold: u8) -> String {
        seal(&secret(plaintext), keys, threshold, &mut SeededRng::new(3)).unwrap_err().to_string()
    }

    #[test]
    fn one_key_kind_is_one_file() {
        let sealed = sealed(3, 1);
        let names: Vec<&str> = sealed.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["payload.age"]);
        assert_eq!(sealed.proof, Proof { subsets: 3, all: true });
    }

    #[test]
    fn shared_kind_is_a_payload_and_a_file_for_each_key() {
        let sealed = sealed(3, 2);
        let names: Vec<&str> = sealed.files.iter().map(|file| file.name.as_str()).collect();
        assert_eq!(names, ["payload.age", "1-aa.age", "2-aa.age", "3-aa.age"]);
        assert_eq!(sealed.proof, Proof { subsets: 3, all: true });
    }

    #[test]
    fn every_subset_of_up_to_seven_keys_is_tried() {
        for (count, threshold, expected) in
            [(1, 1, 1), (2, 2, 1), (5, 3, 10), (7, 4, 35), (7, 7, 1), (7, 1, 7)]
        {
            assert_eq!(sealed(count, threshold).proof, Proof { subsets: expected, all: true });
        }
    }

    #[test]
    fn of_more_keys_each_is_in_as_many_runs_as_the_threshold() {
        assert_eq!(sealed(8, 4).proof, Proof { subsets: 8, all: false });
        let (runs, all) = subsets(255, 128);
        assert!(!all);
        for key in 0..255 {
            assert_eq!(runs.iter().filter(|run| run.contains(&key)).count(), 128);
        }
    }

    #[test]
    fn subsets_are_distinct_and_of_the_right_size() {
        for count in 1..=7 {
            for size in 1..=count {
                let (found, all) = subsets(count, size);
                let distinct: std::collections::BTreeSet<_> = found.iter().collect();
                let expected = (0..size).fold(1, |product, i| product * (count - i) / (i + 1));
                assert!(all);
                assert_eq!((found.len(), distinct.len()), (expected, expected));
                assert!(found.iter().all(|set| set.len() == size && set.is_sorted_by(|a, b| a < b)));
            }
        }
    }

    #[test]
    fn the_largest_sealing_stays_within_the_limits_of_opening() {
        let largest = secret(&[0xA5; MAX_PLAINTEXT]);
        let keys = keys(255);
        for threshold in [5, 255] {
            let sealed = seal(&largest, &keys, threshold, &mut SeededRng::new(4)).unwrap();
            assert!(sealed.files[0].bytes.len() <= MAX_PAYLOAD_FILE);
            assert!(sealed.files[1..].iter().all(|file| file.bytes.len() <= MAX_SHARE_FILE / 2));
        }
        // Not by `seal`, whose proof would read the long header 255 times.
        let mut rng = SeededRng::new(4);
        let mut dealer = Dealer::new(&mut rng);
        let file = dealer.encrypt(largest.expose_bytes(), &points(&keys)).unwrap();
        assert!(file.len() <= MAX_PAYLOAD_FILE * 3 / 4);
        assert!(same(&open_single(&file, &keys[254].point, &mut dealer).unwrap(), &largest));
    }

    #[test]
    fn what_cannot_be_sealed_is_refused() {
        let three = keys(3);
        assert!(refusal(b"", &three, 1).contains("empty"));
        assert!(refusal(&[1; MAX_PLAINTEXT + 1], &three, 1).contains("65537 bytes"));
        assert!(refusal(b"x", &[], 1).starts_with("1 of 0 keys"));
        assert!(refusal(b"x", &three, 0).starts_with("0 of 3 keys"));
        assert!(refusal(b"x", &three, 4).starts_with("4 of 3 keys"));
        let mut many = keys(255);
        many.push(SealTo { name: "256-aa".into(), point: SoftKey::new([0x17; 32]).public(), fido2: None });
        assert!(refusal(b"x", &many, 2).starts_with("2 of 256 keys"));

        let mut same_key = three.clone();
        same_key[2].point = same_key[0].point;
        assert_eq!(
            refusal(b"x", &same_key, 2),
            "1-aa and 3-aa are the same key, or have the same name or envelope"
        );
        let mut same_name = three.clone();
        same_name[1].name = "1-aa".into();
        assert_eq!(
            refusal(b"x", &same_name, 2),
            "1-aa and 1-aa are the same key, or have the same name or envelope"
        );
        for name in ["", "payload", "../x", "A", ".hidden", "a/b", "a b", &"x".repeat(65)] {
            let mut odd = three.clone();
            odd[1].name = name.into();
            assert_eq!(refusal(b"x", &odd, 2), format!("{name:?} cannot name a share file"));
        }
    }

    #[test]
    fn files_that_do_not_open_are_never_handed_out() {
        let keys = keys(3);
        let mut rng = SeededRng::new(5);
        let mut dealer = Dealer::new(&mut rng);
        let plaintext = secret(b"hunter2");
        let good = seal_by_files(&plaintext, &keys, 2, &mut dealer).unwrap();
        assert!(prove(&plaintext, &keys, 2, &good, &mut dealer).is_ok());

        let mut swapped = good.clone();
        swapped.swap(1, 2);
        let error = prove(&plaintext, &keys, 2, &swapped, &mut dealer).unwrap_err();
        assert_eq!(error.to_string(), "what was sealed does not open again by 1-aa; nothing was kept");

        let mut flipped = good.clone();
        *flipped[0].bytes.last_mut().unwrap() ^= 1;
        let error = prove(&plaintext, &keys, 2, &flipped, &mut dealer).unwrap_err();
        assert_eq!(error.to_string(), "what was sealed does not open again by 1-aa, 2-aa; nothing was kept");

        let other = seal_by_files(&plaintext, &keys, 2, &mut dealer).unwrap();
        let mixed = [&good[..3], &other[3..]].concat();
        let error = prove(&plaintext, &keys, 2, &mixed, &mut dealer).unwrap_err();
        assert_eq!(error.to_string(), "what was sealed does not open again by 1-aa, 3-aa; nothing was kept");

        let error = prove(&secret(b"hunter3"), &keys, 2, &good, &mut dealer).unwrap_err();
        assert_eq!(
            error.to_string(),
            "what was sealed opens to something else by 1-aa, 2-aa; nothing was kept"
        );
    }
}
