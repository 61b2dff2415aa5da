//! The management key: which algorithm, and how it lies on the key under the PIN (ykman's convention, so that
//! `ykman piv` works on the key with the PIN alone).
//!
//! 5FC109 holds `88 { 89 key }` and can only be read with the PIN; 5FFF00 holds `80 { 81 flags }`, flag 02 saying so.
//! While a key that is not the factory one is being replaced, 5FC109 holds `88 { 89 present, C1 next }`, so that
//! whichever of the two is in force after an interruption is known. Others read 89 alone.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::device::piv::tlv;
use crate::secret::{ManagementAlgorithm, ManagementKey};

/// PRINTED, readable with the PIN: where the management key lies.
pub const PROTECTED_OBJECT: u32 = 0x5F_C109;
/// ykman's admin data.
pub const ADMIN_OBJECT: u32 = 0x5F_FF00;

const PRESENT: u16 = 0x89;
const NEXT: u16 = 0xC1;
const FLAG_PUK_BLOCKED: u8 = 0x01;
const FLAG_PROTECTED: u8 = 0x02;

/// A random key.
pub fn generate(algorithm: ManagementAlgorithm, random: &mut dyn CryptoRng) -> ManagementKey {
    let mut bytes = Zeroizing::new(vec![0; algorithm.key_length()]);
    random.fill_bytes(&mut bytes);
    ManagementKey::new(algorithm, bytes).expect("the buffer has the algorithm's length")
}

/// Content of 5FC109 for this key, and while it is being replaced, for the next one.
pub fn protected_content(key: &ManagementKey, next: Option<&ManagementKey>) -> Zeroizing<Vec<u8>> {
    let mut inner = tlv::write(PRESENT, key.expose_key());
    if let Some(next) = next {
        // `concat` takes its whole room at once, so that no copy stays behind where a smaller buffer was.
        inner = Zeroizing::new([&inner[..], &tlv::write(NEXT, next.expose_key())].concat());
    }
    tlv::write(0x88, &inner)
}

/// The keys in this content of 5FC109 that can be one of `algorithm`, by their length; the present one first.
pub fn protected_keys(content: &[u8], algorithm: ManagementAlgorithm) -> Vec<ManagementKey> {
    let Ok(elements) = tlv::only(content, 0x88).and_then(tlv::all) else { return Vec::new() };
    let key = |tag| ManagementKey::new(algorithm, Zeroizing::new(tlv::find(&elements, tag)?.to_vec()));
    [PRESENT, NEXT].into_iter().filter_map(key).collect()
}

/// Content of 5FFF00 that says "the management key is protected by the PIN"; of `present` it keeps only "the PUK is
/// blocked", since a salt (82) would say that the key is derived from the PIN, and a time (83) be wrong.
pub fn admin_content(present: Option<&[u8]>) -> Vec<u8> {
    let flags = present.and_then(admin_flags).unwrap_or(0);
    tlv::write(0x80, &tlv::write(0x81, &[flags & FLAG_PUK_BLOCKED | FLAG_PROTECTED])).to_vec()
}

/// Whether this content of 5FFF00 says that the management key is protected by the PIN.
pub fn says_protected(content: &[u8]) -> bool {
    admin_flags(content).is_some_and(|flags| flags & FLAG_PROTECTED != 0)
}

fn admin_flags(content: &[u8]) -> Option<u8> {
    match tlv::find(&tlv::all(tlv::only(content, 0x80).ok()?).ok()?, 0x81)? {
        [flags] => Some(*flags),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: ManagementAlgorithm) -> ManagementKey {
        ManagementKey::new(algorithm, Zeroizing::new((0..algorithm.key_length() as u8).collect())).unwrap()
    }

    #[test]
    fn lies_on_the_key_as_ykman_writes_it() {
        let content = protected_content(&key(ManagementAlgorithm::Aes192), None);
        let expected = "881a8918000102030405060708090a0b0c0d0e0f1011121314151617";
        assert_eq!(hex::encode(&*content), expected);
        assert_eq!(hex::encode(admin_content(None)), "8003810102");
        assert!(says_protected(&admin_content(None)));
    }

    #[test]
    fn reads_back_by_length_only() {
        for algorithm in
            [ManagementAlgorithm::TripleDes, ManagementAlgorithm::Aes192, ManagementAlgorithm::Aes256]
        {
            let content = protected_content(&key(algorithm), None);
            let [read] = &protected_keys(&content, algorithm)[..] else { panic!("one key") };
            assert_eq!(read.expose_key(), key(algorithm).expose_key());
            assert!(protected_keys(&content, ManagementAlgorithm::Aes128).is_empty());
        }
        // libykpiv adds 81 (PUK not blocked) beside the key
        let with_flags =
            hex::decode("881d810101 8918 000102030405060708090a0b0c0d0e0f1011121314151617".replace(' ', ""));
        assert_eq!(protected_keys(&with_flags.unwrap(), ManagementAlgorithm::TripleDes).len(), 1);
        for damaged in [&b""[..], &[0x88], &[0x88, 0], &[0x89, 1, 0], &[0x88, 2, 0x89, 5]] {
            assert!(protected_keys(damaged, ManagementAlgorithm::Aes128).is_empty());
        }
    }

    #[test]
    fn while_it_is_replaced_both_keys_are_known() {
        let (present, next) = (key(ManagementAlgorithm::TripleDes), key(ManagementAlgorithm::Aes256));
        let content = protected_content(&present, Some(&next));
        let known = |algorithm| protected_keys(&content, algorithm).remove(0);
        assert_eq!(known(ManagementAlgorithm::TripleDes).expose_key(), present.expose_key());
        assert_eq!(known(ManagementAlgorithm::Aes256).expose_key(), next.expose_key());
        let content = protected_content(&next, Some(&next));
        assert_eq!(protected_keys(&content, ManagementAlgorithm::Aes256).len(), 2);
    }

    #[test]
    fn present_admin_data_keeps_the_blocked_puk_and_nothing_else() {
        // flags 01, a salt, a timestamp: as the deprecated PIN-derived mode leaves them
        let present = hex::decode("801b8101018210000102030405060708090a0b0c0d0e0f830400000001").unwrap();
        assert_eq!(hex::encode(admin_content(Some(&present))), "8003810103");
        assert!(!says_protected(&present));
        assert_eq!(hex::encode(admin_content(Some(b"\x01garbage"))), "8003810102");
    }
}
