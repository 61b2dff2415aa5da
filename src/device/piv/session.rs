//! One conversation with one card: who it says it is, and the state that the other files share.

use rand_core::CryptoRng;

use super::apdu::{Answer, Channel, Command, Traffic};
use super::{Card, StatusWord, metadata};
use crate::attestation::{Firmware, Serial, Slot};
use crate::device::{DeviceError, Identity, SlotMetadata};

/// PIV, NIST SP 800-73-4 part 1, section 2.2, without its version: every card takes the beginning.
const PIV: [u8; 5] = [0xA0, 0x00, 0x00, 0x03, 0x08];
/// Yubico's management application.
const MANAGEMENT: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// A conversation with the PIV application of one card, with every capability of [`crate::device::Key`].
///
/// The card keeps its own state (PIN verified, management key authenticated); a session ends with its card.
pub struct Session<C: Card> {
    pub(super) channel: Channel<C>,
    pub(super) rng: Box<dyn CryptoRng + Send>,
    serial: Serial,
    firmware: Firmware,
    /// The management key has been accepted in this connection.
    pub(super) managed: bool,
    /// The last proof of presence was begun and did not succeed: no PIN goes to this card.
    pub(super) doubted: bool,
}

impl<C: Card> Session<C> {
    /// Selects PIV and asks for version and serial number. Another program's PIN state is cleared first, by selecting
    /// another application: a YubiKey 5 keeps it when PIV alone is selected again. `rng` gives the challenges of
    /// management key authentication.
    ///
    /// # Errors
    /// [`DeviceError::NoPiv`]; [`DeviceError::Refused`] by a PIV card that has no version or serial number;
    /// [`DeviceError::Malformed`], [`DeviceError::Removed`], [`DeviceError::TimedOut`], [`DeviceError::Service`].
    pub fn connect(card: C, rng: Box<dyn CryptoRng + Send>) -> Result<Self, DeviceError> {
        let mut channel = Channel::new(card);
        select_management(&mut channel)?;
        select_piv(&mut channel)?;
        let [major, minor, patch] = fixed(&mut channel, Command::read("VERSION", [0, 0xFD, 0, 0], &[], 256))?;
        let serial = fixed(&mut channel, Command::read("SERIAL", [0, 0xF8, 0, 0], &[], 256))?;
        Ok(Session {
            channel,
            rng,
            serial: Serial(u32::from_be_bytes(serial)),
            firmware: Firmware { major, minor, patch },
            managed: false,
            doubted: false,
        })
    }

    /// Clears PIN and management state by selecting another application and coming back.
    pub(super) fn deauthenticate(&mut self) -> Result<(), DeviceError> {
        self.managed = false;
        select_management(&mut self.channel)?;
        select_piv(&mut self.channel)
    }

    /// Sends `command`; any status word but 9000 is [`DeviceError::Refused`].
    pub(super) fn done(&mut self, command: &Command) -> Result<Answer, DeviceError> {
        let answer = self.channel.exchange(command)?;
        match answer.status {
            StatusWord::Done => Ok(answer),
            other => Err(command.refused(other)),
        }
    }

    /// What has gone over the wire in this session.
    pub fn traffic(&self) -> Traffic {
        self.channel.traffic()
    }

    /// Reader name.
    pub fn reader(&self) -> &str {
        self.channel.card.reader()
    }

    /// The card, its state as it is.
    pub fn into_card(self) -> C {
        self.channel.card
    }
}

impl<C: Card> Identity for Session<C> {
    fn serial(&self) -> Serial {
        self.serial
    }

    fn firmware(&self) -> Firmware {
        self.firmware
    }

    fn metadata(&mut self, slot: Slot) -> Result<Option<SlotMetadata>, DeviceError> {
        let command = metadata::command("METADATA of a slot", slot.number());
        let answer = self.channel.exchange(&command)?;
        match answer.status {
            StatusWord::Done => metadata::slot(&command, &answer.data).map(Some),
            StatusWord::NoReference | StatusWord::NotFound => Ok(None),
            other => Err(command.refused(other)),
        }
    }

    fn traffic(&self) -> Traffic {
        self.channel.traffic()
    }
}

/// Not every card has this application, so that the status word says nothing; the answer differs by firmware.
fn select_management<C: Card>(channel: &mut Channel<C>) -> Result<(), DeviceError> {
    let command = Command::read("SELECT of the management application", [0, 0xA4, 4, 0], &MANAGEMENT, 256);
    channel.exchange(&command).map(|_| ())
}

fn select_piv<C: Card>(channel: &mut Channel<C>) -> Result<(), DeviceError> {
    match channel.exchange(&Command::read("SELECT of PIV", [0, 0xA4, 4, 0], &PIV, 256))?.status {
        StatusWord::Done => Ok(()),
        _ => Err(DeviceError::NoPiv { reader: channel.card.reader().to_owned() }),
    }
}

fn fixed<C: Card, const N: usize>(
    channel: &mut Channel<C>,
    command: Command,
) -> Result<[u8; N], DeviceError> {
    let answer = channel.exchange(&command)?;
    match answer.status {
        StatusWord::Done => {
            <[u8; N]>::try_from(&answer.data[..]).map_err(|_| command.malformed("its length is wrong"))
        }
        other => Err(command.refused(other)),
    }
}
