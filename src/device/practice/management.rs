//! The management key of a simulated key: mutual authentication and replacement (NIST SP 800-73-4 part 2, appendix
//! A.1; AES and the touch flag are Yubico's).

use aes::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use serde::{Deserialize, Serialize};

use super::model::SimulatedKey;
use super::status::Status;
use super::surroundings::Surroundings;
use crate::secret::{ManagementAlgorithm, ManagementKey};

/// The key, its algorithm, and whether it asks for a touch.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Management {
    /// PIV algorithm identifier.
    algorithm: u8,
    #[serde(with = "hex::serde")]
    key: Vec<u8>,
    /// Whether it is the factory key.
    pub factory: bool,
    /// Whether authentication needs a touch.
    pub touch: bool,
}

impl Management {
    pub(super) fn factory(algorithm: ManagementAlgorithm) -> Self {
        Management {
            algorithm: algorithm as u8,
            key: ManagementKey::factory(algorithm).expose_key().to_vec(),
            factory: true,
            touch: false,
        }
    }

    /// Its algorithm; `None` only in a file that was written by hand.
    pub fn algorithm(&self) -> Option<ManagementAlgorithm> {
        ManagementAlgorithm::from_identifier(self.algorithm)
            .filter(|algorithm| algorithm.key_length() == self.key.len())
    }

    /// Bytes of a challenge or witness: one block of the cipher.
    fn block_length(&self) -> Result<usize, Status> {
        match self.algorithm().ok_or(Status::INTERNAL)? {
            ManagementAlgorithm::TripleDes => Ok(8),
            _ => Ok(16),
        }
    }

    /// One block of ECB. `None` if the lengths do not fit.
    fn encrypt(&self, block: &[u8]) -> Option<Vec<u8>> {
        match self.algorithm()? {
            ManagementAlgorithm::TripleDes => one_block(TdesEde3::new_from_slice(&self.key).ok()?, block),
            ManagementAlgorithm::Aes128 => one_block(Aes128::new_from_slice(&self.key).ok()?, block),
            ManagementAlgorithm::Aes192 => one_block(Aes192::new_from_slice(&self.key).ok()?, block),
            ManagementAlgorithm::Aes256 => one_block(Aes256::new_from_slice(&self.key).ok()?, block),
        }
    }
}

fn one_block<C: BlockCipherEncrypt + BlockCipherDecrypt + BlockSizeUser>(
    cipher: C,
    block: &[u8],
) -> Option<Vec<u8>> {
    let mut block = Array::<u8, C::BlockSize>::try_from(block).ok()?;
    cipher.encrypt_block(&mut block);
    Some(block.to_vec())
}

/// What the key waits for in an authentication that has begun.
pub(super) enum Pending {
    /// The witness, decrypted (mutual authentication).
    Witness(Vec<u8>),
    /// The challenge, encrypted (host proves itself only).
    Challenge(Vec<u8>),
}

impl SimulatedKey {
    /// First half of mutual authentication: a fresh witness, encrypted.
    pub(super) fn witness(&mut self, algorithm: u8, around: &Surroundings) -> Result<Vec<u8>, Status> {
        let plain = self.new_block(algorithm, around)?;
        let encrypted = self.management.encrypt(&plain).ok_or(Status::INTERNAL)?;
        self.session.pending = Some(Pending::Witness(plain));
        Ok(encrypted)
    }

    /// First half of one-sided authentication: a fresh challenge, in clear.
    pub(super) fn challenge(&mut self, algorithm: u8, around: &Surroundings) -> Result<Vec<u8>, Status> {
        let plain = self.new_block(algorithm, around)?;
        self.session.pending = Some(Pending::Challenge(plain.clone()));
        Ok(plain)
    }

    fn new_block(&mut self, algorithm: u8, around: &Surroundings) -> Result<Vec<u8>, Status> {
        self.session.pending = None;
        if algorithm != self.management.algorithm {
            return Err(Status::DATA);
        }
        let mut block = vec![0; self.management.block_length()?];
        around.fill(&mut block);
        Ok(block)
    }

    /// Second half of mutual authentication: takes the decrypted witness, answers the host's challenge.
    pub(super) fn answer_witness(
        &mut self,
        algorithm: u8,
        witness: &[u8],
        challenge: &[u8],
        around: &Surroundings,
    ) -> Result<Vec<u8>, Status> {
        let Some(Pending::Witness(expected)) = self.session.pending.take() else {
            return Err(Status::SECURITY);
        };
        if algorithm != self.management.algorithm {
            return Err(Status::DATA);
        }
        if witness != expected {
            return Err(Status::SECURITY);
        }
        let response = self.management.encrypt(challenge).ok_or(Status::DATA)?;
        self.admit_management(around)?;
        Ok(response)
    }

    /// Second half of one-sided authentication: takes the encrypted challenge.
    pub(super) fn check_response(
        &mut self,
        algorithm: u8,
        response: &[u8],
        around: &Surroundings,
    ) -> Result<(), Status> {
        let Some(Pending::Challenge(challenge)) = self.session.pending.take() else {
            return Err(Status::SECURITY);
        };
        if algorithm != self.management.algorithm {
            return Err(Status::DATA);
        }
        if self.management.encrypt(&challenge).as_deref() != Some(response) {
            return Err(Status::SECURITY);
        }
        self.admit_management(around)
    }

    fn admit_management(&mut self, around: &Surroundings) -> Result<(), Status> {
        if self.management.touch {
            self.require_touch(crate::attestation::TouchPolicy::Always, around)?;
        }
        self.session.management_authenticated = true;
        Ok(())
    }

    /// Both halves at once, for who holds the key itself. A wrong key or algorithm is refused and changes nothing else.
    pub fn authenticate(&mut self, key: &ManagementKey, around: &Surroundings) -> Result<(), Status> {
        self.session.management_authenticated = false;
        if key.algorithm() as u8 != self.management.algorithm || key.expose_key() != self.management.key {
            return Err(Status::SECURITY);
        }
        self.admit_management(around)
    }

    /// SET MANAGEMENT KEY: algorithm, 9B, length, key.
    pub fn set_management_key(&mut self, data: &[u8], touch: bool) -> Result<(), Status> {
        self.require_management()?;
        let [algorithm, 0x9B, length, key @ ..] = data else {
            return Err(Status::DATA);
        };
        let known = ManagementAlgorithm::from_identifier(*algorithm).ok_or(Status::DATA)?;
        if key.len() != usize::from(*length) || key.len() != known.key_length() {
            return Err(Status::DATA);
        }
        self.management = Management {
            algorithm: *algorithm,
            key: key.to_vec(),
            factory: key == ManagementKey::factory(known).expose_key(),
            touch,
        };
        Ok(())
    }

    pub(super) fn require_management(&self) -> Result<(), Status> {
        if self.session.management_authenticated { Ok(()) } else { Err(Status::SECURITY) }
    }
}
