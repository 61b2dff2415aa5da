//! For the tests: a sealing key in software, and randomness from a seed.

use std::convert::Infallible;

use p256::{PublicKey, SecretKey};
use rand_core::{TryCryptoRng, TryRng};
use sha2::{Digest, Sha256};

use crate::device::{Agree, DeviceError};
use crate::secret::SharedSecret;

/// ECDH as slot 82 does it, counting; fails like a key that nobody touches once `touches` are used up.
pub(super) struct SoftKey {
    secret: SecretKey,
    pub(super) agreements: usize,
    pub(super) touches: usize,
}

impl SoftKey {
    pub(super) fn new(scalar: [u8; 32]) -> Self {
        let secret = SecretKey::from_slice(&scalar).expect("a scalar of P-256");
        SoftKey { secret, agreements: 0, touches: usize::MAX }
    }

    /// The `number`th of a row of keys.
    pub(super) fn nth(number: u8) -> Self {
        let mut scalar = [0x42; 32];
        scalar[31] = number;
        Self::new(scalar)
    }

    pub(super) fn public(&self) -> PublicKey {
        self.secret.public_key()
    }
}

impl Agree for SoftKey {
    fn agree(&mut self, peer: &PublicKey) -> Result<SharedSecret, DeviceError> {
        if self.agreements == self.touches {
            return Err(DeviceError::NotTouched);
        }
        self.agreements += 1;
        let agreed = self.secret.diffie_hellman(peer);
        Ok(SharedSecret::new((*agreed.raw_secret_bytes()).into()))
    }
}

/// SHA-256 of a seed and a counter, one word each.
pub(super) struct SeededRng {
    seed: u64,
    counter: u64,
}

impl SeededRng {
    pub(super) fn new(seed: u64) -> Self {
        SeededRng { seed, counter: 0 }
    }
}

impl TryRng for SeededRng {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        self.try_next_u64().map(|word| word as u32)
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        self.counter += 1;
        let digest = Sha256::digest([self.seed.to_le_bytes(), self.counter.to_le_bytes()].concat());
        Ok(u64::from_le_bytes(digest[..8].try_into().expect("8 of 32 bytes")))
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for chunk in bytes.chunks_mut(8) {
            let word = self.try_next_u64()?.to_le_bytes();
            chunk.copy_from_slice(&word[..chunk.len()]);
        }
        Ok(())
    }
}

impl TryCryptoRng for SeededRng {}
