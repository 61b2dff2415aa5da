//! Proving that a key would open a sealing, without opening it: each of these asks the key for one agreement, as opening
//! does, and hands out nothing. What comes out of the key is wiped before they return.
//!
//! A file key that comes out of a payload's header is held against the header's MAC, which nothing but the right one
//! satisfies; the content behind the header is never decrypted.

use p256::PublicKey;

use super::envelope::{decrypt_by_key, unwrap, unwrap_by_key};
use super::open::{PAYLOAD, SHARE, UnsealError, identity, unwrap_share};
use crate::device::Agree;

/// Proves that `me` would open that payload alone.
///
/// # Errors
/// See [`UnsealError`].
pub fn prove_single(payload: &[u8], me: &PublicKey, agree: &mut dyn Agree) -> Result<(), UnsealError> {
    unwrap_by_key(payload, PAYLOAD, me, agree)
}

/// Proves that the key's own file opens and holds the identity of that payload.
///
/// # Errors
/// See [`UnsealError`].
pub fn prove_by_file(
    file: &[u8],
    payload: &[u8],
    me: &PublicKey,
    agree: &mut dyn Agree,
) -> Result<(), UnsealError> {
    let text = decrypt_by_key(file, SHARE, me, agree)?;
    let identity = identity(&text).ok_or(UnsealError::NoIdentity)?;
    match unwrap(payload, PAYLOAD, &identity) {
        Err(UnsealError::NotForThisKey) => Err(UnsealError::IdentityDoesNotFit),
        outcome => outcome,
    }
}

/// Proves that the key's share file opens and holds a share. Whether the shares of several keys fit, sealing has shown: the
/// file is the one that was recorded then.
///
/// # Errors
/// See [`UnsealError`].
pub fn prove_share(file: &[u8], me: &PublicKey, agree: &mut dyn Agree) -> Result<(), UnsealError> {
    unwrap_share(file, me, agree).map(drop)
}

#[cfg(test)]
mod tests {
    use zeroize::Zeroizing;

    use super::super::soft::{SeededRng, SoftKey};
    use super::super::{SealTo, Sealed, seal};
    use super::*;
    use crate::device::DeviceError;
    use crate::secret::Plaintext;

    fn sealed(threshold: u8, seed: u64) -> Sealed {
        let name = |n| SealTo { name: format!("{n}-aa"), point: SoftKey::nth(n).public(), fido2: None };
        let keys: Vec<SealTo> = (1..=3).map(name).collect();
        let secret = Plaintext::new(Zeroizing::new(b"hunter2".to_vec()));
        seal(&secret, &keys, threshold, &mut SeededRng::new(seed)).unwrap()
    }

    #[test]
    fn each_key_of_a_payload_proves_itself_by_one_agreement() {
        let sealed = sealed(1, 1);
        for number in 1..=3 {
            let mut key = SoftKey::nth(number);
            prove_single(&sealed.files[0].bytes, &key.public(), &mut key).unwrap();
            assert_eq!(key.agreements, 1);
        }
        let mut other = SoftKey::nth(4);
        let outcome = prove_single(&sealed.files[0].bytes, &other.public(), &mut other);
        assert!(matches!(outcome, Err(UnsealError::NotForThisKey)));
        assert_eq!(other.agreements, 0);
    }

    #[test]
    fn a_changed_header_proves_nothing_and_a_payload_behind_it_is_not_looked_at() {
        let payload = &sealed(1, 1).files[0].bytes;
        let mut key = SoftKey::nth(1);
        let end = payload.windows(5).position(|window| window == b"\n--- ").unwrap() + 1;
        let added = [&payload[..end], b"-> extra\n\n", &payload[end..]].concat();
        let outcome = prove_single(&added, &key.public(), &mut key);
        assert!(matches!(outcome, Err(UnsealError::ChangedHeader)), "{outcome:?}");
        let mut damaged = payload.clone();
        *damaged.last_mut().unwrap() ^= 0x80;
        prove_single(&damaged, &key.public(), &mut key).unwrap();
    }

    #[test]
    fn each_share_proves_itself_and_no_touch_is_reported_first() {
        let sealed = sealed(2, 1);
        for number in 1..=3u8 {
            let mut key = SoftKey::nth(number);
            let file = &sealed.files[usize::from(number)].bytes;
            prove_share(file, &key.public(), &mut key).unwrap();
            assert_eq!(key.agreements, 1);
            key.touches = 1;
            let outcome = prove_share(file, &key.public(), &mut key);
            assert!(matches!(outcome, Err(UnsealError::Device(DeviceError::NotTouched))));
        }
    }

    #[test]
    fn a_share_holds_no_identity() {
        let (one, mut key) = (sealed(2, 1), SoftKey::nth(1));
        let outcome = prove_by_file(&one.files[1].bytes, &one.files[0].bytes, &key.public(), &mut key);
        assert!(matches!(outcome, Err(UnsealError::NoIdentity)), "{outcome:?}");
    }
}
