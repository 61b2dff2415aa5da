//! The management key: which algorithm, and how it lies on the key under the PIN (ykman's convention, so that
//! `ykman piv` works on the key with the PIN alone).
//!
//! 5FC109 holds `88 { 89 key }` and can only be read with the PIN; 5FFF00 holds `80 { 81 flags }`, flag 02 saying so.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::attestation::Firmware;
use crate::device::piv::tlv;
use crate::secret::{ManagementAlgorithm, ManagementKey};

/// PRINTED, readable with the PIN: where the management key lies.
pub const PROTECTED_OBJECT: u32 = 0x5F_C109;
/// ykman's admin data.
pub const ADMIN_OBJECT: u32 = 0x5F_FF00;

const FLAG_PUK_BLOCKED: u8 = 0x01;
const FLAG_PROTECTED: u8 = 0x02;

/// The strongest algorithm that the firmware takes: AES-256 from 5.4.2, else 3DES.
pub fn algorithm_for(firmware: Firmware) -> ManagementAlgorithm {
    if firmware >= Firmware::new(5, 4, 2) {
        ManagementAlgorithm::Aes256
    } else {
        ManagementAlgorithm::TripleDes
    }
}

/// A random key.
pub fn generate(algorithm: ManagementAlgorithm, random: &mut dyn CryptoRng) -> ManagementKey {
    let mut bytes = Zeroizing::new(vec![0; algorithm.key_length()]);
    random.fill_bytes(&mut bytes);
    ManagementKey::new(algorithm, bytes).expect("the buffer has the algorithm's length")
}

/// Content of 5FC109 for this key.
pub fn protected_content(key: &ManagementKey) -> Zeroizing<Vec<u8>> {
    tlv::write(0x88, &tlv::write(0x89, key.expose_key()))
}

/// The key in this content of 5FC109, as one of `algorithm`; `None` if there is none of that length.
pub fn protected_key(content: &[u8], algorithm: ManagementAlgorithm) -> Option<ManagementKey> {
    let inner = tlv::only(content, 0x88).ok()?;
    let bytes = tlv::find(&tlv::all(inner).ok()?, 0x89)?;
    ManagementKey::new(algorithm, Zeroizing::new(bytes.to_vec()))
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
        let content = protected_content(&key(ManagementAlgorithm::Aes192));
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
            let content = protected_content(&key(algorithm));
            assert_eq!(protected_key(&content, algorithm).unwrap().expose_key(), key(algorithm).expose_key());
            assert!(protected_key(&content, ManagementAlgorithm::Aes128).is_none());
        }
        // libykpiv adds 81 (PUK not blocked) beside the key
        let with_flags =
            hex::decode("881d810101 8918 000102030405060708090a0b0c0d0e0f1011121314151617".replace(' ', ""));
        assert!(protected_key(&with_flags.unwrap(), ManagementAlgorithm::TripleDes).is_some());
        for damaged in [&b""[..], &[0x88], &[0x88, 0], &[0x89, 1, 0], &[0x88, 2, 0x89, 5]] {
            assert!(protected_key(damaged, ManagementAlgorithm::Aes128).is_none());
        }
    }

    #[test]
    fn present_admin_data_keeps_the_blocked_puk_and_nothing_else() {
        // flags 01, a salt, a timestamp: as the deprecated PIN-derived mode leaves them
        let present = hex::decode("801b8101018210000102030405060708090a0b0c0d0e0f830400000001").unwrap();
        assert_eq!(hex::encode(admin_content(Some(&present))), "8003810103");
        assert!(!says_protected(&present));
        assert_eq!(hex::encode(admin_content(Some(b"\x01garbage"))), "8003810102");
    }

    #[test]
    fn old_firmware_gets_what_it_can() {
        assert_eq!(algorithm_for(Firmware::new(5, 3, 1)), ManagementAlgorithm::TripleDes);
        assert_eq!(algorithm_for(Firmware::new(5, 4, 1)), ManagementAlgorithm::TripleDes);
        assert_eq!(algorithm_for(Firmware::new(5, 4, 2)), ManagementAlgorithm::Aes256);
        assert_eq!(algorithm_for(Firmware::new(5, 7, 4)), ManagementAlgorithm::Aes256);
    }
}
