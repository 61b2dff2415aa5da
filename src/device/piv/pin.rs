//! PIN and PUK (NIST SP 800-73-4 part 2, sections 3.2.1 to 3.2.3). One try per call: nothing here sends a PIN twice.

use super::apdu::Command;
use super::{Card, Session, StatusWord, metadata};
use crate::device::firmware::behaviour;
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
        if behaviour(self.firmware()).metadata {
            self.metadata_tries("METADATA of the PIN", Reference::Pin)
        } else {
            self.ask_tries()
        }
    }

    fn puk_tries(&mut self) -> Result<Option<Tries>, DeviceError> {
        if behaviour(self.firmware()).metadata {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::SignRecords;
    use crate::device::piv::scripted::*;

    #[test]
    fn a_wrong_pin_says_how_many_tries_are_left_and_is_sent_once() {
        for (word, left) in [(0x63C2, 2), (0x63C1, 1), (0x63CF, 15)] {
            let mut session = session(vec![status(word)]);
            let outcome = error(session.sign_record(&public(), &pin(), &DIGEST));
            assert!(matches!(outcome, DeviceError::WrongPin { left: found } if found == left));
            assert_eq!(session.channel.card.instructions(), [0x20], "nothing follows a wrong PIN");
        }
        for word in [0x63C0, 0x6983] {
            let mut session = session(vec![status(word)]);
            assert!(matches!(error(session.verify_pin(&pin())), DeviceError::PinBlocked));
            assert_eq!(session.channel.card.instructions(), [0x20]);
        }
    }

    #[test]
    fn no_answer_to_a_pin_makes_it_go_out_again() {
        for word in [0x6C08, 0x6108, 0x6982, 0x6F00, 0x6700] {
            let mut session = session(vec![status(word), status(0x9000)]);
            let outcome = session.verify_pin(&pin());
            let verified = session.channel.card.instructions().iter().filter(|ins| **ins == 0x20).count();
            assert!(verified == 1 && (outcome.is_err() || word == 0x6108), "{word:04X}: {outcome:?}");
        }
    }

    #[test]
    fn changes_carry_both_values_and_name_whose_tries_they_spend() {
        let new = Pin::parse(b"20468135").expect("a PIN");
        let values = "373339313634ffff 3230343638313335";
        type Change = fn(&mut Session<Scripted>, &Pin, &Pin) -> Result<(), DeviceError>;
        let changes: [(&str, Change, Reference); 3] = [
            ("0024008010", |session, old, new| session.change_pin(old, new), Reference::Pin),
            ("0024008110", |session, old, new| session.change_puk(old, new), Reference::Puk),
            ("002c008010", |session, old, new| session.unblock_pin(old, new), Reference::Puk),
        ];
        for (header, change, spent) in changes {
            let mut good = session(vec![status(0x9000)]);
            change(&mut good, &pin(), &new).expect("9000");
            assert_eq!(good.channel.card.asked, [hex(&format!("{header} {values}"))]);
            let failing = |word| error(change(&mut session(vec![status(word)]), &pin(), &new));
            match spent {
                Reference::Pin => {
                    assert!(matches!(failing(0x63C2), DeviceError::WrongPin { left: 2 }));
                    assert!(matches!(failing(0x6983), DeviceError::PinBlocked));
                }
                Reference::Puk => {
                    assert!(matches!(failing(0x63C2), DeviceError::WrongPuk { left: 2 }));
                    assert!(matches!(failing(0x6983), DeviceError::PukBlocked));
                }
            }
            assert!(matches!(failing(0x6985), DeviceError::PinNotAccepted));
            assert!(matches!(failing(0x6F00), DeviceError::Refused { status: 0x6F00, .. }));
        }
    }

    #[test]
    fn tries_come_from_metadata_where_there_is_any() {
        let mut session =
            session(vec![done(&hex("0101FF 050100 06020302")), done(&hex("0101FF 050101 06020503"))]);
        assert_eq!(session.pin_tries().expect("tries").left, 2);
        let puk = session.puk_tries().expect("tries").expect("this firmware tells");
        assert_eq!(puk, Tries { left: 3, total: Some(5), factory: Some(true) });
        let asked = [hex("00f70080000000"), hex("00f70081000000")];
        assert_eq!(session.channel.card.asked, asked);
    }

    #[test]
    fn tries_of_old_firmware_come_from_the_empty_verify() {
        for (word, left) in [(0x63C3, 3), (0x63CF, 15), (0x6983, 0), (0x63C0, 0)] {
            let mut session = session_of([5, 2, 7], true, vec![status(word)]);
            assert_eq!(session.pin_tries().expect("tries"), Tries { left, total: None, factory: None });
            assert_eq!(session.channel.card.asked, [hex("00200080")]);
            assert_eq!(session.puk_tries().expect("nothing is sent"), None);
        }
    }

    #[test]
    fn a_verified_pin_is_forgotten_before_its_tries_are_asked() {
        let steps = vec![status(0x9000), status(0x9000), status(0x9000), status(0x63C3)];
        let mut session = session_of([5, 2, 7], true, steps);
        assert_eq!(session.pin_tries().expect("tries").left, 3);
        assert_eq!(session.channel.card.instructions(), [0x20, 0xA4, 0xA4, 0x20]);
        let mut stubborn = session_of([5, 2, 7], true, vec![status(0x9000)]);
        assert!(matches!(error(stubborn.pin_tries()), DeviceError::Malformed { .. }));
        assert_eq!(stubborn.channel.card.asked.len(), 4);
    }
}
