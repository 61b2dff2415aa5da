//! The practice key as a card, in process: no reader, no service.

use zeroize::Zeroizing;

use super::handle::{Connection, Unreached};
use crate::device::piv::{Card, CardError};

/// A connection to a practice key. Speaks extended-length APDUs, as over USB.
pub struct PracticeCard {
    connection: Connection,
    extended_length: bool,
}

impl PracticeCard {
    pub(super) fn new(connection: Connection) -> Self {
        PracticeCard { connection, extended_length: true }
    }

    /// Power off and on: PIN and touch are forgotten, nothing is selected.
    pub fn reset(&mut self) -> Result<(), CardError> {
        self.connection.power_cycle().map_err(Unreached::into_card_error)
    }

    /// The same card as over NFC: short APDUs and chains.
    pub fn short_only(mut self) -> Self {
        self.extended_length = false;
        self
    }
}

impl Card for PracticeCard {
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
        answer.clear();
        let (mut bytes, fault) = self
            .connection
            .command(|front, around, _| Zeroizing::new(front.answer(command, around)))
            .map_err(Unreached::into_card_error)?;
        if let Some(fault) = fault {
            fault.after(&mut bytes)?;
        }
        *answer = bytes;
        Ok(())
    }

    fn extended_length(&self) -> bool {
        self.extended_length
    }

    fn reader(&self) -> &str {
        self.connection.key().name()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::attestation::Serial;
    use crate::device::practice::{
        Authority, Fault, FaultPlan, FaultyCard, PracticeKey, Profile, SimulatedKey, Surroundings,
    };

    const SELECT: [u8; 10] = [0, 0xA4, 4, 0, 5, 0xA0, 0, 0, 3, 8];
    const VERSION: [u8; 5] = [0, 0xFD, 0, 0, 0];
    const PIN_STATE: [u8; 5] = [0, 0x20, 0, 0x80, 0];
    const PIN: [u8; 13] = [0, 0x20, 0, 0x80, 8, b'1', b'2', b'3', b'4', b'5', b'6', 0xFF, 0xFF];

    fn key() -> PracticeKey {
        let (around, _) = Surroundings::seeded(3);
        let authority = Authority::practice().unwrap();
        let model = SimulatedKey::new(Serial(7), Profile::Firmware574, authority, &around).unwrap();
        PracticeKey::in_memory(model, around)
    }

    fn send(card: &mut dyn Card, command: &[u8]) -> Result<Vec<u8>, CardError> {
        let mut answer = Zeroizing::new(b"left over".to_vec());
        card.transmit(command, &mut answer)?;
        Ok(answer.to_vec())
    }

    #[test]
    fn connections_share_the_pin_until_the_last_one_closes() {
        let key = key();
        let (mut one, mut two) = (key.card(), key.card());
        send(&mut one, &SELECT).unwrap();
        assert_eq!(send(&mut one, &PIN), Ok(vec![0x90, 0]));
        assert_eq!(send(&mut two, &PIN_STATE), Ok(vec![0x90, 0]));
        drop(one);
        assert_eq!(send(&mut two, &PIN_STATE), Ok(vec![0x90, 0]));
        drop(two);
        let mut three = key.card();
        send(&mut three, &SELECT).unwrap();
        assert_eq!(send(&mut three, &PIN_STATE), Ok(vec![0x63, 0xC3]));
    }

    #[test]
    fn a_key_taken_out_ends_its_connections_even_when_it_comes_back() {
        let key = key();
        let mut card = key.card();
        send(&mut card, &SELECT).unwrap();
        key.remove().unwrap();
        assert_eq!(send(&mut card, &VERSION), Err(CardError::Removed));
        key.insert().unwrap();
        assert_eq!(send(&mut card, &VERSION), Err(CardError::Removed));
        assert_eq!(send(&mut key.card(), &SELECT).map(|answer| answer.len()), Ok(21));
    }

    #[test]
    fn each_fault_meets_its_command_and_no_other() {
        for wrapped in [false, true] {
            let key = key();
            let plan = FaultPlan::new()
                .at(2, Fault::Replace(vec![0x6F, 0x00]))
                .at(3, Fault::Truncate(1))
                .at(4, Fault::Append(vec![0xAA]))
                .at(5, Fault::Flip { byte: 5, mask: 0x01 })
                .at(6, Fault::NeverAnswers(30))
                .at(8, Fault::Reset)
                .at(10, Fault::Remove);
            let mut card: Box<dyn Card> = if wrapped {
                Box::new(FaultyCard::new(key.card(), plan.clone()))
            } else {
                key.set_faults(plan.clone());
                Box::new(key.card())
            };
            let mut card = |command: &[u8]| send(&mut *card, command);
            card(&SELECT).unwrap();
            assert_eq!(card(&VERSION), Ok(vec![0x6F, 0x00]));
            assert_eq!(card(&VERSION), Ok(vec![5]));
            assert_eq!(card(&VERSION), Ok(vec![5, 7, 4, 0x90, 0, 0xAA]));
            assert_eq!(card(&VERSION), Ok(vec![4, 7, 4, 0x90, 0]));
            assert_eq!(card(&VERSION), Err(CardError::TimedOut(30)));
            assert_eq!(card(&VERSION), Ok(vec![5, 7, 4, 0x90, 0]));
            assert_eq!(card(&VERSION), Err(CardError::Reset));
            assert_eq!(card(&VERSION).is_ok_and(|answer| answer.len() > 2), wrapped, "a reset deselects");
            assert_eq!(card(&VERSION), Err(CardError::Removed));
            assert_eq!(card(&VERSION), Err(CardError::Removed));
            assert_eq!(plan.commands_seen(), 10);
        }
    }

    #[test]
    fn a_key_pulled_out_after_a_command_has_done_it() {
        let key = key();
        let plan = FaultPlan::new().at(2, Fault::RemoveAfter);
        key.set_faults(plan);
        let mut card = key.card();
        send(&mut card, &SELECT).unwrap();
        let mut wrong = PIN;
        wrong[5] = b'9';
        assert_eq!(send(&mut card, &wrong), Err(CardError::Removed));
        assert_eq!(key.with_model(|model, _| model.reference(super::super::Which::Pin).left).unwrap(), 2);
        assert!(!key.plugged_in().unwrap());
    }

    #[test]
    fn a_lasting_fault_answers_more_data_for_ever() {
        let key = key();
        key.set_faults(FaultPlan::new().from(1, Fault::Replace(vec![0x61, 0x10])));
        let mut card = key.card();
        for _ in 0..100 {
            assert_eq!(send(&mut card, &VERSION), Ok(vec![0x61, 0x10]));
        }
        assert_eq!(key.counters().commands, 100);
    }
}
