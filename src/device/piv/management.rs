//! Mutual authentication with the management key (NIST SP 800-73-4 part 2, appendix A.1), read from where ykman keeps
//! it behind the PIN.

use aes::{Aes128, Aes192, Aes256};
use des::TdesEde3;
use des::cipher::{Array, BlockCipherDecrypt, BlockCipherEncrypt, BlockSizeUser, KeyInit};
use zeroize::Zeroizing;

use super::apdu::Command;
use super::pin::has_metadata;
use super::{Card, Session, StatusWord, metadata, tlv};
use crate::device::{DeviceError, Identity};
use crate::secret::{ManagementAlgorithm, ManagementKey};

/// Printed Information, which other software leaves to ykman's `88 { 89 key }`; readable with a verified PIN only.
const PROTECTED: u32 = 0x5F_C109;

impl<C: Card> Session<C> {
    /// Authenticates with the PIN-protected management key, unless this connection already has.
    ///
    /// # Errors
    /// [`DeviceError::NoProtectedManagementKey`]; [`DeviceError::ManagementKey`] if the stored one is not the present
    /// one; [`DeviceError::Refused`] with 6982 if no PIN was verified.
    pub(super) fn manage(&mut self) -> Result<(), DeviceError> {
        if self.managed {
            return Ok(());
        }
        let key = self.protected_key()?;
        self.authenticate_management(&key)
    }

    fn protected_key(&mut self) -> Result<ManagementKey, DeviceError> {
        let content = self
            .object("GET DATA of the management key", PROTECTED)?
            .ok_or(DeviceError::NoProtectedManagementKey)?;
        let bytes = stored_key(&content).ok_or(DeviceError::NoProtectedManagementKey)?;
        let algorithm = match bytes.len() {
            16 => ManagementAlgorithm::Aes128,
            32 => ManagementAlgorithm::Aes256,
            _ => self.algorithm_of_24_bytes()?,
        };
        ManagementKey::new(algorithm, bytes).ok_or(DeviceError::NoProtectedManagementKey)
    }

    /// Only 24 bytes leave it open which algorithm it is, and only firmware with metadata knows another than 3DES.
    fn algorithm_of_24_bytes(&mut self) -> Result<ManagementAlgorithm, DeviceError> {
        if !has_metadata(self.firmware()) {
            return Ok(ManagementAlgorithm::TripleDes);
        }
        let command = metadata::command("METADATA of the management key", 0x9B);
        let answer = self.done(&command)?;
        metadata::management_algorithm(&command, &answer.data)
    }

    /// The card proves that it knows the key, and so do we, by blocks of the key's cipher.
    pub(super) fn authenticate_management(&mut self, key: &ManagementKey) -> Result<(), DeviceError> {
        match key.algorithm() {
            ManagementAlgorithm::TripleDes => self.authenticate_with::<TdesEde3>(key),
            ManagementAlgorithm::Aes128 => self.authenticate_with::<Aes128>(key),
            ManagementAlgorithm::Aes192 => self.authenticate_with::<Aes192>(key),
            ManagementAlgorithm::Aes256 => self.authenticate_with::<Aes256>(key),
        }
    }

    fn authenticate_with<B>(&mut self, key: &ManagementKey) -> Result<(), DeviceError>
    where
        B: KeyInit + BlockSizeUser + BlockCipherEncrypt + BlockCipherDecrypt,
    {
        let cipher = B::new_from_slice(key.expose_key()).map_err(|_| DeviceError::ManagementKey)?;
        let length = B::block_size();
        let header = [0, 0x87, key.algorithm() as u8, 0x9B];

        let ask =
            Command::act("witness of the management key", header, &[&[0x7C, 0x02, 0x80, 0x00]], 4 + length);
        let answer = self.judged(&ask)?;
        let witness = part(&ask, &answer, 0x80, length)?;
        let mut block = Array::<u8, B::BlockSize>::try_from(witness).expect("part has the block's length");
        cipher.decrypt_block(&mut block);

        let mut challenge = Array::<u8, B::BlockSize>::default();
        self.rng.fill_bytes(&mut challenge);
        let inner = [&tlv::write(0x80, &block)[..], &tlv::write(0x81, &challenge)].concat();
        let respond = Command::act(
            "authentication with the management key",
            header,
            &[&tlv::write(0x7C, &inner)],
            4 + length,
        );
        let answer = self.judged(&respond)?;
        cipher.encrypt_block(&mut challenge);
        if part(&respond, &answer, 0x82, length)? != &challenge[..] {
            return Err(respond.malformed("the key does not prove that it knows its management key"));
        }
        self.managed = true;
        Ok(())
    }

    fn judged(&mut self, command: &Command) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let answer = self.channel.exchange(command)?;
        match answer.status {
            StatusWord::Done => Ok(answer.data),
            StatusWord::Unauthorised | StatusWord::Conditions | StatusWord::WrongData => {
                Err(DeviceError::ManagementKey)
            }
            other => Err(command.refused(other)),
        }
    }
}

/// The value of `7C { tag { … } }`, which must be one block.
fn part<'a>(command: &Command, data: &'a [u8], tag: u16, length: usize) -> Result<&'a [u8], DeviceError> {
    let value = tlv::only(data, 0x7C)
        .and_then(|inner| tlv::only(inner, tag))
        .map_err(|error| command.malformed(error.detail()))?;
    if value.len() == length {
        Ok(value)
    } else {
        Err(command.malformed("it is not one block of the cipher"))
    }
}

/// `88 { 89 key, … }`.
fn stored_key(content: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
    let inner = tlv::only(content, 0x88).ok()?;
    let key = tlv::find(&tlv::all(inner).ok()?, 0x89)?;
    Some(Zeroizing::new(key.to_vec()))
}
