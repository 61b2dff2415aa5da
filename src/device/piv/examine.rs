//! What inventory and doctor look at beside the capabilities: device information, certificate, attestation.

use super::apdu::Command;
use super::{Card, Session, StatusWord};
use crate::attestation::Slot;
use crate::device::{DeviceError, info};

/// Certificate object of slot 82.
const CERTIFICATE_OF_82: u32 = 0x5F_C10D;
/// The longest attestation that any firmware gives, and more: the certificate area holds 3,072 bytes.
const MOST_CERTIFICATE: usize = 3_072;

impl<C: Card> Session<C> {
    /// What the management application says of the whole device ([`info::read`]); `None` without that application.
    /// PIN and management state are lost.
    ///
    /// # Errors
    /// [`DeviceError::Malformed`], and what any command can end with.
    pub fn device_info(&mut self) -> Result<Option<info::DeviceInfo>, DeviceError> {
        self.managed = false;
        info::read(&mut self.channel)
    }

    /// Content of the certificate object of slot 82 as it lies on the key; `None` if absent.
    ///
    /// # Errors
    /// [`DeviceError::Malformed`], and what any command can end with.
    pub fn sealing_certificate(&mut self) -> Result<Option<Vec<u8>>, DeviceError> {
        let content = self.object("GET DATA of the certificate in 82", CERTIFICATE_OF_82)?;
        Ok(content.map(|content| content.to_vec()))
    }

    /// The attestation of a slot, DER as the key gives it: nothing of it is checked here.
    ///
    /// # Errors
    /// [`DeviceError::EmptySlot`]; [`DeviceError::Refused`], also for an imported key.
    pub fn attest(&mut self, slot: Slot) -> Result<Vec<u8>, DeviceError> {
        let command = Command::read("attestation", [0, 0xF9, slot.number(), 0], &[], MOST_CERTIFICATE);
        let answer = self.channel.exchange(&command)?;
        match answer.status {
            StatusWord::Done => Ok(answer.data.to_vec()),
            StatusWord::NoReference | StatusWord::NotFound => Err(DeviceError::EmptySlot(slot)),
            other => Err(command.refused(other)),
        }
    }
}
