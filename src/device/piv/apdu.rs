//! Command and answer APDUs (ISO/IEC 7816-4, sections 5.1 and 5.3), and the exchange of one command with a card that
//! may answer anything: every length and every count has a cap.

use zeroize::{Zeroize, Zeroizing};

use super::{Card, CardError, StatusWord};
use crate::device::DeviceError;

/// Most data bytes of a short command.
const SHORT: usize = 255;
/// Room for the longest answer that holds anything of ours, so that the buffer is not moved while a secret is in it.
const ROOM: usize = 4_096;
/// A card that sends its answer in pieces fills each but the last; the smallest pieces seen are 128 bytes.
const SMALLEST_PIECE: usize = 128;

/// One command, and what is known of its answer beforehand.
pub struct Command {
    name: &'static str,
    header: [u8; 4],
    data: Zeroizing<Vec<u8>>,
    most: usize,
    repeatable: bool,
}

impl Command {
    /// A command that only reads: it may be sent once more if the card names another length (`6Cxx`). `header` is CLA
    /// INS P1 P2; the answer has at most `most` bytes of data.
    pub fn read(name: &'static str, header: [u8; 4], data: &[u8], most: usize) -> Self {
        Command { name, header, data: Zeroizing::new(data.to_vec()), most, repeatable: true }
    }

    /// A command that spends a try, uses a key or writes: never sent twice, whatever the card says. The parts of the
    /// data are copied once, into a buffer of their exact size that is wiped.
    pub fn act(name: &'static str, header: [u8; 4], parts: &[&[u8]], most: usize) -> Self {
        let mut data = Zeroizing::new(Vec::with_capacity(parts.iter().map(|part| part.len()).sum()));
        parts.iter().for_each(|part| data.extend_from_slice(part));
        Command { name, header, data, most, repeatable: false }
    }

    /// What errors call it.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The error for an answer that is not one to this command.
    pub fn malformed(&self, detail: &'static str) -> DeviceError {
        DeviceError::Malformed { command: self.name, detail }
    }

    /// The error for a status word that has no meaning of its own here.
    pub fn refused(&self, status: StatusWord) -> DeviceError {
        DeviceError::Refused { command: self.name, status: status.word() }
    }

    fn failed(&self, error: CardError) -> DeviceError {
        let command = self.name;
        match error {
            CardError::Removed | CardError::Reset => DeviceError::Removed { command },
            CardError::TimedOut(seconds) => DeviceError::TimedOut { command, seconds },
            CardError::TooLong => self.malformed("it is longer than any answer"),
            CardError::Service(text) => DeviceError::Service(text),
        }
    }

    /// `length` is what the answer may hold (Le), none if there is no data to come.
    fn encode(
        &self,
        chained: bool,
        data: &[u8],
        length: Option<usize>,
        extended: bool,
    ) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(data.len() + 9));
        out.push(if chained { self.header[0] | 0x10 } else { self.header[0] });
        out.extend_from_slice(&self.header[1..]);
        if extended {
            out.push(0);
            if !data.is_empty() {
                let length = u16::try_from(data.len()).expect("commands carry one object at most");
                out.extend_from_slice(&length.to_be_bytes());
            }
        } else if !data.is_empty() {
            out.push(u8::try_from(data.len()).expect("longer data is chained or extended"));
        }
        out.extend_from_slice(data);
        if let Some(length) = length {
            // The low bytes of 256 and of 65,536 are the zeros that stand for them.
            match extended {
                true => out.extend_from_slice(&(length as u16).to_be_bytes()),
                false => out.push(length as u8),
            }
        }
        out
    }
}

/// What a card answered in the end: all data together and the last status word.
pub struct Answer {
    /// At most the command's `most` bytes.
    pub data: Zeroizing<Vec<u8>>,
    /// Never `61xx`.
    pub status: StatusWord,
}

/// How much went over the wire.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Command APDUs, those for the rest of an answer and the links of a chain included.
    pub commands: u64,
    /// Bytes of all commands.
    pub sent: u64,
    /// Bytes of all answers.
    pub received: u64,
}

/// A card with its buffer and its counts.
pub struct Channel<C: Card> {
    /// The card itself.
    pub card: C,
    buffer: Zeroizing<Vec<u8>>,
    traffic: Traffic,
}

impl<C: Card> Channel<C> {
    /// Sends nothing yet.
    pub fn new(card: C) -> Self {
        Channel { card, buffer: Zeroizing::new(Vec::with_capacity(ROOM)), traffic: Traffic::default() }
    }

    /// So far.
    pub fn traffic(&self) -> Traffic {
        self.traffic
    }

    /// Sends `command` and gathers its whole answer.
    ///
    /// # Errors
    /// [`DeviceError::Removed`], [`DeviceError::TimedOut`], [`DeviceError::Service`] from the way to the card;
    /// [`DeviceError::Malformed`] if it sends more, or in more pieces, than the answer can have. A status word other
    /// than 9000 is no error here.
    pub fn exchange(&mut self, command: &Command) -> Result<Answer, DeviceError> {
        let mut data = Zeroizing::new(Vec::with_capacity(command.most));
        let mut status = self.send_whole(command, &mut data)?;
        if let (StatusWord::OtherLength(length), true) = (status, command.repeatable) {
            let again = command.encode(false, &command.data, Some(length), self.extended(command));
            status = self.send(command, &again, &mut data)?;
        }
        let mut pieces = 0;
        while let StatusWord::More(length) = status {
            pieces += 1;
            if pieces > command.most / SMALLEST_PIECE + 1 {
                return Err(command.malformed("it comes in more pieces than it can have"));
            }
            let before = data.len();
            let rest = Command { header: [0, 0xC0, 0, 0], data: Zeroizing::default(), ..*command };
            status = self.send(command, &rest.encode(false, &[], Some(length), false), &mut data)?;
            if data.len() == before && matches!(status, StatusWord::More(_)) {
                return Err(command.malformed("it announces more and sends nothing"));
            }
        }
        Ok(Answer { data, status })
    }

    fn extended(&self, command: &Command) -> bool {
        self.card.extended_length() && (command.data.len() > SHORT || command.most > 256)
    }

    fn send_whole(
        &mut self,
        command: &Command,
        data: &mut Zeroizing<Vec<u8>>,
    ) -> Result<StatusWord, DeviceError> {
        let extended = self.extended(command);
        let length = (command.most > 0).then_some(if extended { 65_536 } else { 256 });
        if extended || command.data.len() <= SHORT {
            return self.send(command, &command.encode(false, &command.data, length, extended), data);
        }
        let mut blocks = command.data.chunks(SHORT).peekable();
        loop {
            let block = blocks.next().expect("a long command has blocks");
            if blocks.peek().is_none() {
                return self.send(command, &command.encode(false, block, length, false), data);
            }
            let status = self.send(command, &command.encode(true, block, None, false), data)?;
            if status != StatusWord::Done {
                return Ok(status);
            }
        }
    }

    fn send(
        &mut self,
        command: &Command,
        bytes: &[u8],
        data: &mut Zeroizing<Vec<u8>>,
    ) -> Result<StatusWord, DeviceError> {
        let Channel { card, buffer, traffic } = self;
        let taken =
            transmit(card, traffic, bytes, buffer).map_err(|error| command.failed(error)).and_then(|()| {
                let Some((more, &status)) = buffer.split_last_chunk::<2>() else {
                    return Err(command.malformed("it has no status word"));
                };
                if data.len() + more.len() > command.most {
                    return Err(command.malformed("it is longer than it can be"));
                }
                data.extend_from_slice(more);
                Ok(StatusWord::from(u16::from_be_bytes(status)))
            });
        buffer.as_mut_slice().zeroize();
        buffer.clear();
        taken
    }
}

/// The card itself with the counting, for readers of other applications.
impl<C: Card> Card for Channel<C> {
    fn transmit(&mut self, command: &[u8], answer: &mut Zeroizing<Vec<u8>>) -> Result<(), CardError> {
        transmit(&mut self.card, &mut self.traffic, command, answer)
    }

    fn extended_length(&self) -> bool {
        self.card.extended_length()
    }

    fn reader(&self) -> &str {
        self.card.reader()
    }
}

fn transmit<C: Card>(
    card: &mut C,
    traffic: &mut Traffic,
    command: &[u8],
    answer: &mut Zeroizing<Vec<u8>>,
) -> Result<(), CardError> {
    traffic.commands += 1;
    traffic.sent += command.len() as u64;
    card.transmit(command, answer)?;
    traffic.received += answer.len() as u64;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::piv::scripted::{Scripted, Step, done, error, hex, status};

    fn channel(extended: bool, steps: Vec<Step>) -> Channel<Scripted> {
        Channel::new(Scripted::new(steps).with_extended_length(extended))
    }

    fn asked(channel: &Channel<Scripted>) -> Vec<String> {
        channel.card.asked.iter().map(hex::encode).collect()
    }

    #[test]
    fn the_four_cases_of_iso_7816_are_encoded_as_drawn_there() {
        for (extended, command, bytes) in [
            (false, Command::act("1", [0, 1, 2, 3], &[], 0), "00010203"),
            (false, Command::read("2", [0, 1, 2, 3], &[], 256), "0001020300"),
            (false, Command::act("3", [0, 1, 2, 3], &[&[9, 8], &[7]], 0), "0001020303090807"),
            (false, Command::read("4", [0, 1, 2, 3], &[9], 3_000), "00010203010900"),
            (true, Command::read("2 extended", [0, 1, 2, 3], &[], 3_000), "00010203000000"),
            (true, Command::read("4 extended", [0, 1, 2, 3], &[9], 3_000), "00010203000001090000"),
            (true, Command::read("4 short", [0, 1, 2, 3], &[9], 256), "00010203010900"),
        ] {
            let mut channel = channel(extended, vec![status(0x9000)]);
            channel.exchange(&command).expect("9000");
            assert_eq!(asked(&channel), [bytes], "{}", command.name());
        }
        let mut channel = channel(true, vec![status(0x9000)]);
        channel.exchange(&Command::act("3 extended", [0, 1, 2, 3], &[&[7; 300]], 0)).expect("9000");
        assert_eq!(asked(&channel), [format!("0001020300012c{}", "07".repeat(300))]);
    }

    #[test]
    fn long_data_is_chained_where_the_way_is_short() {
        let mut channel = channel(false, vec![status(0x9000)]);
        channel.exchange(&Command::act("PUT", [0, 0xDB, 1, 2], &[&[7; 600]], 0)).expect("9000");
        let block = |cla: &str, length: usize| format!("{cla}db0102{length:02x}{}", "07".repeat(length));
        assert_eq!(asked(&channel), [block("10", 255), block("10", 255), block("00", 90)]);
        assert_eq!(channel.traffic(), Traffic { commands: 3, sent: 615, received: 6 });
    }

    #[test]
    fn a_chain_that_is_refused_is_not_gone_on_with() {
        let mut channel = channel(false, vec![status(0x9000), status(0x6A84)]);
        let answer =
            channel.exchange(&Command::act("PUT", [0, 0xDB, 1, 2], &[&[7; 900]], 0)).expect("an answer");
        assert_eq!((answer.status, channel.card.asked.len()), (StatusWord::NoSpace, 2));
    }

    #[test]
    fn an_answer_in_pieces_is_put_together() {
        let steps = vec![
            Ok([&[1; 256][..], &[0x61, 0x00]].concat()),
            Ok([&[2; 256][..], &[0x61, 0x03]].concat()),
            done(&[3; 3]),
        ];
        let mut channel = channel(false, steps);
        let answer = channel.exchange(&Command::read("GET", [0, 0xCB, 1, 2], &[], 3_000)).expect("an answer");
        assert_eq!(answer.data[..], [&[1; 256][..], &[2; 256], &[3; 3]].concat()[..]);
        assert_eq!(asked(&channel)[1..], ["00c0000000", "00c0000003"]);
        assert_eq!(channel.traffic(), Traffic { commands: 3, sent: 15, received: 256 + 256 + 3 + 6 });
    }

    #[test]
    fn another_length_is_asked_for_once_and_never_of_a_command_that_acts() {
        let mut reading = channel(false, vec![status(0x6C03), done(&[1, 2, 3])]);
        let answer = reading.exchange(&Command::read("GET", [0, 0xFD, 0, 0], &[], 256)).expect("an answer");
        assert_eq!(
            (&answer.data[..], asked(&reading)),
            (&[1, 2, 3][..], vec!["00fd000000".into(), "00fd000003".into()])
        );
        let mut acting = channel(false, vec![status(0x6C03), done(&[1, 2, 3])]);
        let answer =
            acting.exchange(&Command::act("SIGN", [0, 0x87, 0x11, 0x9C], &[], 80)).expect("an answer");
        assert_eq!((answer.status.word(), acting.card.asked.len()), (0x6C03, 1));
    }

    #[test]
    fn an_answer_may_be_exactly_as_long_as_it_can_be() {
        let command = Command::read("GET", [0, 1, 2, 3], &[], 4);
        assert_eq!(channel(true, vec![done(&[1; 4])]).exchange(&command).expect("4 bytes").data.len(), 4);
        let five = error(channel(true, vec![done(&[1; 5])]).exchange(&command));
        assert!(matches!(
            five,
            DeviceError::Malformed { command: "GET", detail: "it is longer than it can be" }
        ));
        for short in [hex(""), hex("90")] {
            let none = error(channel(true, vec![Ok(short)]).exchange(&command));
            assert!(matches!(none, DeviceError::Malformed { detail: "it has no status word", .. }));
        }
    }

    #[test]
    fn nothing_of_an_answer_stays_in_the_buffer() {
        let mut channel = channel(true, vec![done(&[0xAA; 32])]);
        channel.exchange(&Command::read("GET", [0, 1, 2, 3], &[], 32)).expect("an answer");
        assert!(channel.buffer.is_empty() && channel.buffer.capacity() == ROOM);
    }
}
