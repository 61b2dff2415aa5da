//! ES256 signatures (RFC 7518 section 3.4), verified: the one place where the libraries that compute them are chosen.

#[cfg(feature = "audit")]
pub mod prepared;

use p256::ecdsa::{Signature, VerifyingKey};
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

/// Whether this is the key's signature over the input. Either spelling of `s` is good here: what a record may carry, its
/// parser says.
pub fn verify(key: &VerifyingKey, input: &[u8], signature: &Signature) -> bool {
    let point = key.to_sec1_point(false);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point.as_bytes())
        .verify(input, &signature.to_bytes())
        .is_ok()
}

#[cfg(test)]
mod tests {
    use p256::ecdsa::SigningKey;
    use p256::ecdsa::signature::{Signer, Verifier};
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// Whatever the scalar, the text and the flipped bit: the same verdict as by the library that signs.
        #[test]
        fn agrees_with_another_library(
            scalar in any::<[u8; 32]>(),
            text in proptest::collection::vec(any::<u8>(), 0..300),
            flip in proptest::option::of(0usize..512),
        ) {
            let Ok(key) = SigningKey::from_slice(&scalar) else { return Ok(()) };
            let signature: Signature = key.sign(&text);
            let mut bytes = signature.to_bytes();
            if let Some(bit) = flip {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
            let Ok(signature) = Signature::from_slice(&bytes) else { return Ok(()) };
            let theirs = key.verifying_key().verify(&text, &signature).is_ok();
            prop_assert_eq!(verify(key.verifying_key(), &text, &signature), theirs);
            prop_assert_eq!(theirs, flip.is_none());
        }
    }
}
