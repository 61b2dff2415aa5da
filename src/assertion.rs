//! A FIDO2 assertion as evidence: checked from bytes alone, by whoever has the credential's public key.
//!
//! The key signs `authenticator data || SHA-256(challenge)` (WebAuthn level 2, section 6.3.3); the kit's challenge is the
//! exact bytes of a record. The authenticator data carry the key's signature counter, so that each assertion tells how
//! often the key was used before it, by whatever program.

use p256::ecdsa::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};

use crate::es256;

/// The relying party of every credential that the kit makes.
pub const RELYING_PARTY: &str = "breakglass.example";

/// Most bytes of authenticator data that are read: 37, and a few hundred of extensions.
pub const MAX_AUTHENTICATOR_DATA: usize = 1024;

/// Most bytes of a DER signature on P-256.
pub const MAX_SIGNATURE: usize = 72;

const USER_PRESENT: u8 = 0x01;
const USER_VERIFIED: u8 = 0x04;
const CREDENTIAL_DATA: u8 = 0x40;
const EXTENSION_DATA: u8 = 0x80;

/// Why bytes are no assertion, or not this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AssertionError {
    /// Fewer than 37 bytes, or more than [`MAX_AUTHENTICATOR_DATA`].
    #[error("the authenticator data has {0} bytes")]
    Length(usize),
    /// Made for another relying party.
    #[error("the assertion is for another relying party")]
    RelyingParty,
    /// The key was not touched for it.
    #[error("the assertion was made without a touch")]
    NotTouched,
    /// No PIN was given for it.
    #[error("the assertion was made without a PIN")]
    NotVerified,
    /// It says that it carries a new credential, which an assertion does not.
    #[error("the assertion carries a new credential")]
    CarriesCredential,
    /// The extension flag and the length say different things.
    #[error("the assertion's extension flag and its length do not agree")]
    Extensions,
    /// A counter of 0: the key has none, so it witnesses nothing.
    #[error("the key counts nothing: its signature counter is 0")]
    NoCounter,
    /// Not a DER signature, or not by that credential over that challenge.
    #[error("the assertion's signature does not verify")]
    Signature,
}

/// Checks an assertion of the kit's kind over `challenge` and gives its signature counter: at least 1.
///
/// `authenticator_data` are the raw bytes: SHA-256 of the relying party (32), flags (1), counter (4, big endian), and the
/// CBOR of the extensions; `signature` is DER. The touch and the PIN are required.
pub fn verify(
    credential: &VerifyingKey,
    challenge: &[u8],
    authenticator_data: &[u8],
    signature: &[u8],
) -> Result<u32, AssertionError> {
    verify_digest(credential, &Sha256::digest(challenge).into(), authenticator_data, signature)
}

/// The same, for a challenge of which only the SHA-256 is at hand, such as a record that another names by its hash.
pub fn verify_digest(
    credential: &VerifyingKey,
    challenge: &[u8; 32],
    authenticator_data: &[u8],
    signature: &[u8],
) -> Result<u32, AssertionError> {
    let counter = counter(authenticator_data)?;
    let signature = Signature::from_der(signature).map_err(|_| AssertionError::Signature)?;
    let signed = [authenticator_data, &challenge[..]].concat();
    match es256::verify(credential, &signed, &signature) {
        true => Ok(counter),
        false => Err(AssertionError::Signature),
    }
}

/// What well-formed authenticator data of the kit's kind say of the counter; nothing is proven yet.
pub fn counter(authenticator_data: &[u8]) -> Result<u32, AssertionError> {
    let length = authenticator_data.len();
    let Some((fixed, extensions)) = authenticator_data.split_first_chunk::<37>() else {
        return Err(AssertionError::Length(length));
    };
    if length > MAX_AUTHENTICATOR_DATA {
        return Err(AssertionError::Length(length));
    }
    if fixed[..32] != Sha256::digest(RELYING_PARTY.as_bytes())[..] {
        return Err(AssertionError::RelyingParty);
    }
    let flags = fixed[32];
    if flags & USER_PRESENT == 0 {
        return Err(AssertionError::NotTouched);
    }
    if flags & USER_VERIFIED == 0 {
        return Err(AssertionError::NotVerified);
    }
    if flags & CREDENTIAL_DATA != 0 {
        return Err(AssertionError::CarriesCredential);
    }
    if (flags & EXTENSION_DATA != 0) == extensions.is_empty() {
        return Err(AssertionError::Extensions);
    }
    match u32::from_be_bytes([fixed[33], fixed[34], fixed[35], fixed[36]]) {
        0 => Err(AssertionError::NoCounter),
        counter => Ok(counter),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::Signer;
    use proptest::prelude::*;

    fn data(flags: u8, counter: u32, extensions: &[u8]) -> Vec<u8> {
        let party = Sha256::digest(RELYING_PARTY.as_bytes());
        [&party[..], &[flags], &counter.to_be_bytes(), extensions].concat()
    }

    fn signed(challenge: &[u8], data: &[u8]) -> (VerifyingKey, Vec<u8>) {
        let key = SigningKey::from_slice(&[7; 32]).expect("a scalar");
        let signature: Signature = key.sign(&[data, &Sha256::digest(challenge)[..]].concat());
        (*key.verifying_key(), signature.to_der().as_bytes().to_vec())
    }

    #[test]
    fn an_assertion_over_these_bytes_gives_its_counter() {
        for data in [data(0x05, 17, &[]), data(0x85, 17, &[0xA0])] {
            let (key, signature) = signed(b"a record", &data);
            assert_eq!(verify(&key, b"a record", &data, &signature), Ok(17));
            assert_eq!(verify(&key, b"another", &data, &signature), Err(AssertionError::Signature));
            let mut other = data.clone();
            other[36] ^= 1;
            assert_eq!(verify(&key, b"a record", &other, &signature), Err(AssertionError::Signature));
        }
    }

    #[test]
    fn each_thing_that_makes_it_worthless_has_its_name() {
        let mut foreign = data(0x05, 1, &[]);
        foreign[0] ^= 1;
        for (data, error) in [
            (data(0x05, 1, &[])[..36].to_vec(), AssertionError::Length(36)),
            (data(0x85, 1, &[0; 1000]), AssertionError::Length(1037)),
            (foreign, AssertionError::RelyingParty),
            (data(0x04, 1, &[]), AssertionError::NotTouched),
            (data(0x01, 1, &[]), AssertionError::NotVerified),
            (data(0x45, 1, &[0; 60]), AssertionError::CarriesCredential),
            (data(0x85, 1, &[]), AssertionError::Extensions),
            (data(0x05, 1, &[0xA0]), AssertionError::Extensions),
            (data(0x05, 0, &[]), AssertionError::NoCounter),
        ] {
            assert_eq!(counter(&data), Err(error));
            let (key, signature) = signed(b"", &data);
            assert_eq!(verify(&key, b"", &data, &signature), Err(error), "a good signature changes nothing");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_error_or_a_counter(
            data in proptest::collection::vec(any::<u8>(), 0..200),
            signature in proptest::collection::vec(any::<u8>(), 0..100),
        ) {
            let (key, _) = signed(b"", b"");
            prop_assert!(verify(&key, b"", &data, &signature).is_err());
        }
    }
}
