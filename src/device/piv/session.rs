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
        match Session::connect_if(card, rng, |_| true)? {
            Some(session) => Ok(session),
            None => unreachable!("every serial number is wanted"),
        }
    }

    /// The same with the key only whose serial number is wanted: another is asked nothing more, and `None` is given.
    ///
    /// # Errors
    /// Those of [`Session::connect`].
    pub fn connect_if(
        card: C,
        rng: Box<dyn CryptoRng + Send>,
        wanted: impl FnOnce(Serial) -> bool,
    ) -> Result<Option<Self>, DeviceError> {
        let mut channel = Channel::new(card);
        select_management(&mut channel)?;
        select_piv(&mut channel)?;
        let serial = serial(&mut channel)?;
        if !wanted(serial) {
            return Ok(None);
        }
        let [major, minor, patch] = fixed(&mut channel, Command::read("VERSION", [0, 0xFD, 0, 0], &[], 256))?;
        let firmware = Firmware { major, minor, patch };
        Ok(Some(Session { channel, rng, serial, firmware, managed: false, doubted: false }))
    }

    /// Clears PIN and management state by selecting another application and coming back.
    pub(in crate::device) fn deauthenticate(&mut self) -> Result<(), DeviceError> {
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

/// The serial number alone, by the fewest commands: for listing. Leaves no state behind.
///
/// # Errors
/// Those of [`Session::connect`].
#[cfg(feature = "hardware")]
pub(super) fn identify<C: Card>(card: C) -> Result<Serial, DeviceError> {
    let mut channel = Channel::new(card);
    select_piv(&mut channel)?;
    serial(&mut channel)
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

fn serial<C: Card>(channel: &mut Channel<C>) -> Result<Serial, DeviceError> {
    fixed(channel, Command::read("SERIAL", [0, 0xF8, 0, 0], &[], 256)).map(u32::from_be_bytes).map(Serial)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::piv::CardError;
    use crate::device::piv::scripted::*;

    fn connect(steps: Vec<Step>) -> Result<Session<Scripted>, DeviceError> {
        Session::connect(Scripted::new(steps), Box::new(Fixed(0)))
    }

    #[test]
    fn connect_is_four_commands_the_first_of_which_ends_other_programs_state() {
        let session = connect(greeting()).expect("a good key");
        assert_eq!((session.serial(), session.firmware()), (SERIAL, Firmware::new(5, 7, 4)));
        assert_eq!(
            session.traffic(),
            Traffic { commands: 4, sent: 14 + 11 + 5 + 5, received: 32 + 21 + 6 + 5 }
        );
        let asked = ["00a4040008a00000052747111700", "00a4040005a00000030800", "00f8000000", "00fd000000"];
        assert_eq!(session.into_card().asked, asked.map(hex));
    }

    #[test]
    fn a_key_that_is_not_wanted_is_asked_nothing_more() {
        let mut steps = greeting();
        steps.truncate(3);
        let other = Session::connect_if(Scripted::new(steps), Box::new(Fixed(0)), |serial| serial != SERIAL);
        assert!(other.expect("nothing went wrong").is_none());
    }

    #[test]
    fn a_key_without_the_management_application_connects_too() {
        let mut steps = greeting();
        steps[0] = status(0x6A82);
        assert!(connect(steps).is_ok());
    }

    #[test]
    fn a_card_without_piv_is_named_by_its_reader() {
        for word in [0x6A82, 0x6A81, 0x6D00, 0x6E00, 0x6F00, 0x6999] {
            let outcome = error(connect(vec![status(word)]));
            assert!(matches!(outcome, DeviceError::NoPiv { reader } if reader == "scripted reader"));
        }
    }

    #[test]
    fn version_and_serial_have_their_lengths_and_nothing_else() {
        for (at, bad) in [
            (3, &[5][..]),
            (3, &[5, 7]),
            (3, &[5, 7, 4, 0]),
            (3, &[]),
            (2, &[1, 2, 3]),
            (2, &[1, 2, 3, 4, 5]),
            (2, &[]),
        ] {
            let mut steps = greeting();
            steps[at] = done(bad);
            assert!(matches!(error(connect(steps)), DeviceError::Malformed { .. }), "{at} {bad:?}");
        }
        let mut steps = greeting();
        steps[3] = status(0x6D00);
        assert!(matches!(error(connect(steps)), DeviceError::Refused { command: "VERSION", status: 0x6D00 }));
    }

    #[test]
    fn a_card_that_never_ends_or_goes_away_ends_connect() {
        for at in 0..4 {
            for step in [
                Err(CardError::Removed),
                Err(CardError::TimedOut(5)),
                status(0x6100),
                status(0x6C05),
                done(&[0; 5_000]),
            ] {
                let mut steps = greeting();
                steps.truncate(at);
                steps.push(step.clone());
                let outcome = connect(steps);
                let ended = outcome.is_err() || (at == 0 && step == status(0x6C05));
                assert!(ended, "{step:?} at {at}");
            }
        }
    }

    #[test]
    fn an_empty_slot_has_no_metadata() {
        for word in [0x6A88, 0x6A82] {
            assert_eq!(session(vec![status(word)]).metadata(Slot::Signing).expect("an answer"), None);
        }
        let outcome = error(session(vec![status(0x6D00)]).metadata(Slot::Signing));
        assert!(matches!(outcome, DeviceError::Refused { status: 0x6D00, .. }));
    }
}
