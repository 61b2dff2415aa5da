//! One key's part of a credential that needs several: a Shamir share of the payload's identity, and its text.
//!
//! The share is one over GF(256) with the polynomial 0x11b, in the form that Vault uses: one y byte for each byte of
//! the secret, then the x byte. The secret is the text `AGE-SECRET-KEY-1…` of an X25519 identity. The share file holds
//!
//! ```text
//! breakglass share, version 1
//! threshold 2
//! share <hexadecimal, lower case>
//! ```

use std::fmt;
use std::io::Write;

use rand_core::CryptoRng;
use vsss_rs::Gf256;
use zeroize::Zeroizing;

const FIRST_LINE: &str = "breakglass share, version 1";

/// Most bytes of a secret that a share text is read for; an identity's text has 74.
const MAX_SECRET: usize = 256;

/// One key's share. Any `threshold` of them give the payload's identity; fewer tell nothing about it.
pub struct Share {
    threshold: u8,
    /// The x byte first, then the y bytes: as vsss-rs wants them.
    point: Zeroizing<Vec<u8>>,
}

/// Why a text is not a share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareTextError {
    /// Not the three lines, or another version.
    #[error("it is not a text of the form \"{FIRST_LINE}\"")]
    Form,
    /// Not a number from 2 to 255.
    #[error("its threshold is not a number from 2 to 255")]
    Threshold,
    /// Not hexadecimal, too short or long, or with the x byte zero, which would be the secret itself.
    #[error("its share is not a point in hexadecimal")]
    Point,
}

impl Share {
    /// How many shares are needed.
    pub fn threshold(&self) -> u8 {
        self.threshold
    }

    /// The x coordinate, 1 to 255: which share of its sealing this is.
    pub fn number(&self) -> u8 {
        self.point[0]
    }

    /// Reads the text of a share file, as decrypted.
    ///
    /// # Errors
    /// [`ShareTextError`] names the line that is wrong, never its content.
    pub fn parse(text: &[u8]) -> Result<Self, ShareTextError> {
        let text = std::str::from_utf8(text).map_err(|_| ShareTextError::Form)?;
        let lines = text.strip_suffix('\n').ok_or(ShareTextError::Form)?.split('\n');
        let [first, threshold, share] = three(lines).ok_or(ShareTextError::Form)?;
        let threshold = threshold.strip_prefix("threshold ").ok_or(ShareTextError::Form)?;
        let share = share.strip_prefix("share ").ok_or(ShareTextError::Form)?;
        if first != FIRST_LINE {
            return Err(ShareTextError::Form);
        }
        Ok(Share { threshold: parse_threshold(threshold)?, point: parse_point(share)? })
    }

    /// The text of the share file.
    pub fn expose_text(&self) -> Zeroizing<Vec<u8>> {
        let mut text = Zeroizing::new(Vec::with_capacity(64 + 2 * self.point.len()));
        let (x, y) = self.point.split_first().expect("a share has its x byte");
        let _ = write!(text, "{FIRST_LINE}\nthreshold {}\nshare ", self.threshold);
        for byte in y.iter().chain([x]) {
            let _ = write!(text, "{byte:02x}");
        }
        text.push(b'\n');
        text
    }

    fn secret_length(&self) -> usize {
        self.point.len() - 1
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Share")
    }
}

/// Why shares cannot be put together. Whether what they give is right, only the payload tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShareSetError {
    /// No share at all.
    #[error("there is no share")]
    None,
    /// Not as many as the shares themselves ask for.
    #[error("{have} of {threshold} shares")]
    TooFew {
        /// Shares given.
        have: usize,
        /// Shares needed.
        threshold: u8,
    },
    /// The same share twice, so it counts once.
    #[error("share number {number} is there twice")]
    Twice {
        /// Its x coordinate.
        number: u8,
    },
    /// Shares of different sealings.
    #[error("one share asks for {one} shares, another for {other}: they are of different sealings")]
    MixedThresholds {
        /// What the first asks for.
        one: u8,
        /// What another asks for.
        other: u8,
    },
    /// Shares of secrets of different length.
    #[error("the shares are of secrets of different length: they are of different sealings")]
    MixedLengths,
}

/// Splits `secret` for `count` keys; share `i` has the number `i + 1`.
///
/// # Errors
/// What vsss-rs says, if 2 <= threshold <= count <= 255 does not hold or the secret is empty.
pub(super) fn split(
    secret: &[u8],
    threshold: u8,
    count: usize,
    rng: &mut dyn CryptoRng,
) -> Result<Vec<Share>, vsss_rs::Error> {
    let points = Gf256::split_bytes(threshold.into(), count, secret, rng)?;
    Ok(points.into_iter().map(|point| Share { threshold, point: Zeroizing::new(point) }).collect())
}

/// Puts the first `threshold` of these shares together.
///
/// # Errors
/// [`ShareSetError`] if the shares cannot be of one sealing or are too few.
pub(super) fn join(shares: &[&Share]) -> Result<Zeroizing<Vec<u8>>, ShareSetError> {
    let first = shares.first().ok_or(ShareSetError::None)?;
    let threshold = first.threshold;
    for (index, share) in shares.iter().enumerate() {
        if share.threshold != threshold {
            return Err(ShareSetError::MixedThresholds { one: threshold, other: share.threshold });
        }
        if shares[..index].iter().any(|earlier| earlier.number() == share.number()) {
            return Err(ShareSetError::Twice { number: share.number() });
        }
        if share.secret_length() != first.secret_length() {
            return Err(ShareSetError::MixedLengths);
        }
    }
    let enough =
        shares.get(..threshold.into()).ok_or(ShareSetError::TooFew { have: shares.len(), threshold })?;
    let points: Zeroizing<Vec<Vec<u8>>> =
        Zeroizing::new(enough.iter().map(|share| share.point.to_vec()).collect());
    Ok(Zeroizing::new(
        Gf256::combine_bytes(&*points).expect("two or more points, distinct and not zero, of one length"),
    ))
}

fn three<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<[&'a str; 3]> {
    let three = [lines.next()?, lines.next()?, lines.next()?];
    lines.next().is_none().then_some(three)
}

fn parse_threshold(text: &str) -> Result<u8, ShareTextError> {
    let number = text.parse::<u8>().map_err(|_| ShareTextError::Threshold)?;
    // One spelling only: no sign, no leading zero.
    (number >= 2 && number.to_string() == text).then_some(number).ok_or(ShareTextError::Threshold)
}

fn parse_point(text: &str) -> Result<Zeroizing<Vec<u8>>, ShareTextError> {
    if text.len() > 2 * (MAX_SECRET + 1) || text.bytes().any(|digit| digit.is_ascii_uppercase()) {
        return Err(ShareTextError::Point);
    }
    let mut point = Zeroizing::new(hex::decode(text).map_err(|_| ShareTextError::Point)?);
    if point.len() < 2 || point.last() == Some(&0) {
        return Err(ShareTextError::Point);
    }
    point.rotate_right(1);
    Ok(point)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::soft::SeededRng;
    use super::*;

    fn shares(threshold: u8, count: usize) -> Vec<Share> {
        split(b"AGE-SECRET-KEY-1 for the test", threshold, count, &mut SeededRng::new(1)).unwrap()
    }

    #[test]
    fn the_text_is_as_documented() {
        let share = Share { threshold: 2, point: Zeroizing::new(vec![0x07, 0xAB, 0x01]) };
        assert_eq!(&*share.expose_text(), b"breakglass share, version 1\nthreshold 2\nshare ab0107\n");
        let read = Share::parse(&share.expose_text()).unwrap();
        assert_eq!((read.threshold(), read.number(), &read.point[1..]), (2, 7, &[0xAB, 0x01][..]));
        assert_eq!(format!("{read:?}"), "Share");
    }

    #[test]
    fn each_defect_of_a_text_is_named() {
        let cases: [(&str, ShareTextError); 14] = [
            ("", ShareTextError::Form),
            ("breakglass share, version 1\nthreshold 2\nshare ab07", ShareTextError::Form),
            ("breakglass share, version 2\nthreshold 2\nshare ab07\n", ShareTextError::Form),
            ("breakglass share, version 1\r\nthreshold 2\r\nshare ab07\r\n", ShareTextError::Form),
            ("breakglass share, version 1\nthreshold 2\nshare ab07\n\n", ShareTextError::Form),
            ("breakglass share, version 1\nshare ab07\nthreshold 2\n", ShareTextError::Form),
            ("breakglass share, version 1\nthreshold 1\nshare ab07\n", ShareTextError::Threshold),
            ("breakglass share, version 1\nthreshold 256\nshare ab07\n", ShareTextError::Threshold),
            ("breakglass share, version 1\nthreshold +2\nshare ab07\n", ShareTextError::Threshold),
            ("breakglass share, version 1\nthreshold 02\nshare ab07\n", ShareTextError::Threshold),
            ("breakglass share, version 1\nthreshold 2\nshare AB07\n", ShareTextError::Point),
            ("breakglass share, version 1\nthreshold 2\nshare ab0\n", ShareTextError::Point),
            ("breakglass share, version 1\nthreshold 2\nshare 07\n", ShareTextError::Point),
            ("breakglass share, version 1\nthreshold 2\nshare ab00\n", ShareTextError::Point),
        ];
        for (text, expected) in cases {
            assert_eq!(Share::parse(text.as_bytes()).unwrap_err(), expected, "{text:?}");
        }
        let long = format!("{FIRST_LINE}\nthreshold 2\nshare {}\n", "ab".repeat(MAX_SECRET + 2));
        assert_eq!(Share::parse(long.as_bytes()).unwrap_err(), ShareTextError::Point);
    }

    #[test]
    fn sets_that_cannot_be_one_sealing_are_named() {
        let (two, three) = (shares(2, 3), shares(3, 3));
        assert_eq!(join(&[]), Err(ShareSetError::None));
        assert_eq!(join(&[&two[0]]), Err(ShareSetError::TooFew { have: 1, threshold: 2 }));
        assert_eq!(join(&[&two[1], &two[1]]), Err(ShareSetError::Twice { number: 2 }));
        assert_eq!(join(&[&two[0], &three[1]]), Err(ShareSetError::MixedThresholds { one: 2, other: 3 }));
        let short = Share { threshold: 2, point: Zeroizing::new(vec![9, 1, 2]) };
        assert_eq!(join(&[&two[0], &short]), Err(ShareSetError::MixedLengths));
        assert!(join(&[&two[0], &two[2]]).is_ok());
    }

    /// Over many splittings of one byte each share value occurs: no bit of the coefficients is fixed (which it was
    /// before vsss-rs 5.4.0, and gave each holder one bit of every byte).
    #[test]
    fn a_single_share_takes_every_value() {
        let mut rng = SeededRng::new(7);
        let mut seen = [false; 256];
        for _ in 0..8000 {
            seen[usize::from(split(&[0x55], 2, 2, &mut rng).unwrap()[0].point[1])] = true;
        }
        assert_eq!(seen.iter().filter(|seen| **seen).count(), 256);
    }

    proptest! {
        #[test]
        fn any_threshold_shares_give_the_secret_back(
            secret in prop::collection::vec(any::<u8>(), 1..90),
            (count, threshold) in (2usize..9).prop_flat_map(|count| (Just(count), 2..=count)),
            order in any::<u64>(),
        ) {
            let mut rng = SeededRng::new(order);
            let mut all = split(&secret, threshold as u8, count, &mut rng).unwrap();
            all.rotate_left((order % count as u64) as usize);
            let through_text: Vec<Share> =
                all.iter().map(|share| Share::parse(&share.expose_text()).unwrap()).collect();
            let some: Vec<&Share> = through_text.iter().take(threshold).collect();
            prop_assert_eq!(&*join(&some).unwrap(), &secret);
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Share::parse(&bytes);
        }

        #[test]
        fn what_is_read_is_written_the_same(threshold in "[0-9]{1,3}", share in "[0-9a-f]{0,40}") {
            let text = format!("{FIRST_LINE}\nthreshold {threshold}\nshare {share}\n");
            if let Ok(read) = Share::parse(text.as_bytes()) {
                prop_assert_eq!(&*read.expose_text(), text.as_bytes());
            }
        }
    }
}
