//! PIN and PUK (NIST SP 800-73-4 part 2, sections 3.2.1 to 3.2.3). One try per call: nothing here sends a PIN twice.

use super::apdu::Command;
use super::{Card, Session, StatusWord, metadata};
use crate::attestation::Firmware;
use crate::device::{ChangePin, DeviceError, Identity, PinTries, Tries};
use crate::secret::Pin;

/// Which of the two.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Reference {
    Pin = 0x80,
    Puk = 0x81,
}

impl Reference {
    /// What a status word says about the value that was sent for this reference.
    fn judge(self, command: &Command, status: StatusWord) -> Result<(), DeviceError> {
        match (status, self) {
            (StatusWord::Done, _) => Ok(()),
            (StatusWord::TriesLeft(0) | StatusWord::Blocked, Reference::Pin) => Err(DeviceError::PinBlocked),
            (StatusWord::TriesLeft(0) | StatusWord::Blocked, Reference::Puk) => Err(DeviceError::PukBlocked),
            (StatusWord::TriesLeft(left), Reference::Pin) => Err(DeviceError::WrongPin { left }),
            (StatusWord::TriesLeft(left), Reference::Puk) => Err(DeviceError::WrongPuk { left }),
            (other, _) => Err(command.refused(other)),
        }
    }
}

impl<C: Card> Session<C> {
    /// VERIFY, once.
    pub(super) fn verify(&mut self, reference: Reference, pin: &Pin) -> Result<(), DeviceError> {
        let command = Command::act("VERIFY", [0, 0x20, 0, reference as u8], &[pin.expose_block()], 0);
        self.present(&command, reference)
    }

    /// CHANGE REFERENCE DATA or RESET RETRY COUNTER: an old value and a new one.
    fn replace(&mut self, command: &Command, reference: Reference) -> Result<(), DeviceError> {
        match self.present(command, reference) {
            Err(DeviceError::Refused { status: 0x6985 | 0x6A80 | 0x6700, .. }) => {
                Err(DeviceError::PinNotAccepted)
            }
            outcome => outcome,
        }
    }

    fn present(&mut self, command: &Command, reference: Reference) -> Result<(), DeviceError> {
        if self.doubted {
            return Err(DeviceError::NotGenuine(self.serial()));
        }
        let answer = self.channel.exchange(command)?;
        reference.judge(command, answer.status)
    }

    /// An empty VERIFY. It answers 9000 while the PIN is verified, so that state is cleared then and it is asked again.
    fn ask_tries(&mut self) -> Result<Tries, DeviceError> {
        let command = Command::act("empty VERIFY", [0, 0x20, 0, Reference::Pin as u8], &[], 0);
        let mut status = self.channel.exchange(&command)?.status;
        if status == StatusWord::Done {
            self.deauthenticate()?;
            status = self.channel.exchange(&command)?.status;
        }
        match status {
            StatusWord::TriesLeft(left) => Ok(Tries { left, total: None, factory: None }),
            StatusWord::Blocked => Ok(Tries { left: 0, total: None, factory: None }),
            StatusWord::Done => Err(command.malformed("it claims a verified PIN, and none was sent")),
            other => Err(command.refused(other)),
        }
    }

    fn metadata_tries(&mut self, name: &'static str, reference: Reference) -> Result<Tries, DeviceError> {
        let command = metadata::command(name, reference as u8);
        let answer = self.done(&command)?;
        metadata::tries(&command, &answer.data)
    }
}

impl<C: Card> PinTries for Session<C> {
    fn pin_tries(&mut self) -> Result<Tries, DeviceError> {
        if has_metadata(self.firmware()) {
            self.metadata_tries("METADATA of the PIN", Reference::Pin)
        } else {
            self.ask_tries()
        }
    }

    fn puk_tries(&mut self) -> Result<Option<Tries>, DeviceError> {
        if has_metadata(self.firmware()) {
            self.metadata_tries("METADATA of the PUK", Reference::Puk).map(Some)
        } else {
            Ok(None)
        }
    }
}

impl<C: Card> ChangePin for Session<C> {
    fn change_pin(&mut self, current: &Pin, new: &Pin) -> Result<(), DeviceError> {
        let values = [&current.expose_block()[..], new.expose_block()];
        self.replace(
            &Command::act("CHANGE REFERENCE DATA of the PIN", [0, 0x24, 0, 0x80], &values, 0),
            Reference::Pin,
        )
    }

    fn change_puk(&mut self, current: &Pin, new: &Pin) -> Result<(), DeviceError> {
        let values = [&current.expose_block()[..], new.expose_block()];
        self.replace(
            &Command::act("CHANGE REFERENCE DATA of the PUK", [0, 0x24, 0, 0x81], &values, 0),
            Reference::Puk,
        )
    }

    fn unblock_pin(&mut self, puk: &Pin, new: &Pin) -> Result<(), DeviceError> {
        let values = [&puk.expose_block()[..], new.expose_block()];
        self.replace(&Command::act("RESET RETRY COUNTER", [0, 0x2C, 0, 0x80], &values, 0), Reference::Puk)
    }

    fn verify_pin(&mut self, pin: &Pin) -> Result<(), DeviceError> {
        self.verify(Reference::Pin, pin)
    }
}

/// GET METADATA came with 5.3.0.
pub(super) fn has_metadata(firmware: Firmware) -> bool {
    (firmware.major, firmware.minor) >= (5, 3)
}
