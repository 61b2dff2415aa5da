//! Provisioning over our own session: what the practice key is provisioned with, in process, by the same bytes as
//! every other command. Real keys are provisioned through `device::provisioning`.

use p256::PublicKey;
use p256::ecdsa::Signature;
use zeroize::Zeroizing;

use super::apdu::Command;
use super::metadata::{self, P256};
use super::{Card, Session, StatusWord, keys, tlv};
use crate::attestation::Slot;
use crate::device::info::DeviceInfo;
use crate::device::{Administer, DeviceError};
use crate::secret::{ManagementAlgorithm, ManagementKey};

/// `7F49 41+2 86 41 point`.
const MOST_PUBLIC_KEY: usize = 128;

impl<C: Card> Administer for Session<C> {
    fn device_info(&mut self) -> Result<Option<DeviceInfo>, DeviceError> {
        Session::device_info(self)
    }

    fn management_algorithm(&mut self) -> Result<(ManagementAlgorithm, bool), DeviceError> {
        let command = metadata::command("METADATA of the management key", 0x9B);
        let answer = self.done(&command)?;
        let algorithm = metadata::management_algorithm(&command, &answer.data)?;
        Ok((algorithm, metadata::factory(&command, &answer.data)?))
    }

    fn authenticate(&mut self, key: &ManagementKey) -> Result<(), DeviceError> {
        self.managed = false;
        self.authenticate_management(key)
    }

    fn set_management_key(&mut self, key: &ManagementKey) -> Result<(), DeviceError> {
        let value = key.expose_key();
        let header = [key.algorithm() as u8, 0x9B, value.len() as u8];
        let command = Command::act("SET MANAGEMENT KEY", [0, 0xFF, 0xFF, 0xFF], &[&header, value], 0);
        self.managed(&command).map(|_| ())
    }

    fn generate(&mut self, slot: Slot) -> Result<PublicKey, DeviceError> {
        let (pin, touch) = slot.policy();
        let template = [0xAC, 0x09, 0x80, 0x01, P256, 0xAA, 0x01, pin as u8, 0xAB, 0x01, touch as u8];
        let command = Command::act("GENERATE", [0, 0x47, 0, slot.number()], &[&template], MOST_PUBLIC_KEY);
        let data = self.managed(&command)?;
        let inner = tlv::only(&data, 0x7F49).map_err(|error| command.malformed(error.detail()))?;
        metadata::point(&command, inner)
    }

    fn attest(&mut self, slot: Slot) -> Result<Vec<u8>, DeviceError> {
        Session::attest(self, slot)
    }

    fn object(&mut self, id: u32) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceError> {
        Session::object(self, "GET DATA", id)
    }

    fn put_object(&mut self, id: u32, content: &[u8]) -> Result<(), DeviceError> {
        if content.len() > super::MOST_OBJECT_BYTES {
            return Err(DeviceError::ObjectTooLarge { object: id, length: content.len() });
        }
        let parts = [&tlv::write(0x5C, &id.to_be_bytes()[1..])[..], &tlv::write(0x53, content)];
        self.managed(&Command::act("PUT DATA", [0, 0xDB, 0x3F, 0xFF], &parts, 0)).map(|_| ())
    }

    fn sign_certificate(&mut self, digest: &[u8; 32]) -> Result<Signature, DeviceError> {
        let command = keys::sign("signature with 82", Slot::Sealing, digest);
        let answer = self.used(&command, Slot::Sealing)?;
        keys::signature(&answer.data).ok_or_else(|| command.malformed("it is not a signature"))
    }
}

impl<C: Card> Session<C> {
    /// A command that the management key must have been accepted for.
    fn managed(&mut self, command: &Command) -> Result<Zeroizing<Vec<u8>>, DeviceError> {
        let answer = self.channel.exchange(command)?;
        match answer.status {
            StatusWord::Done => Ok(answer.data),
            StatusWord::Unauthorised => Err(DeviceError::ManagementKey),
            other => Err(command.refused(other)),
        }
    }
}
