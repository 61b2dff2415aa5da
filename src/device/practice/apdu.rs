//! The APDU front: command bytes in, answer bytes out, as a YubiKey 5 speaks (NIST SP 800-73-4 part 2, ISO 7816-4,
//! Yubico's PIV extensions).

mod device_info;
mod frame;
mod piv;
mod tlv;

use frame::Frame;

use super::{SimulatedKey, Status, Surroundings};

/// AID of PIV without its version; SELECT may name this much of it or more.
const PIV: [u8; 5] = [0xA0, 0x00, 0x00, 0x03, 0x08];
const PIV_WHOLE: [u8; 11] = [0xA0, 0x00, 0x00, 0x03, 0x08, 0x00, 0x00, 0x10, 0x00, 0x01, 0x00];
const MANAGEMENT: [u8; 8] = [0xA0, 0x00, 0x00, 0x05, 0x27, 0x47, 0x11, 0x17];

/// Most bytes that a chain of commands may carry: the longest object with its header, generously.
const CHAIN_LIMIT: usize = 4096;

/// What was heard since it was counted last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// Command APDUs, links of a chain and GET RESPONSE among them.
    pub commands: u64,
    /// Bytes of command APDUs.
    pub bytes_in: u64,
    /// Bytes of answers, status words among them.
    pub bytes_out: u64,
    /// VERIFY commands that carried a PIN.
    pub pins_sent: u64,
    /// CTAP requests to the FIDO2 side, which are none of the commands above.
    pub fido2_requests: u64,
    /// Those that carried a PIN to be checked.
    pub fido2_pins_sent: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Application {
    Nothing,
    Piv,
    Management,
}

/// A simulated key behind its APDU interface.
pub struct Front {
    /// The key itself.
    pub key: SimulatedKey,
    /// What was heard so far.
    pub counters: Counters,
    selected: Application,
    /// Data of a chain that is not finished, and the instruction and parameters it belongs to.
    chain: Option<([u8; 3], Vec<u8>)>,
    /// What is left of an answer for GET RESPONSE.
    rest: Vec<u8>,
}

impl Front {
    /// Puts the front before a key, as if it were just plugged in.
    pub fn new(key: SimulatedKey) -> Self {
        let counters = Counters::default();
        Front { key, counters, selected: Application::Nothing, chain: None, rest: Vec::new() }
    }

    /// Power off and on.
    pub fn power_cycle(&mut self) {
        self.key.power_cycle();
        (self.selected, self.chain) = (Application::Nothing, None);
        self.rest.clear();
    }

    /// Taken out of the computer.
    pub(super) fn unplugged(&mut self) {
        self.power_cycle();
        self.key.unplugged();
    }

    /// Answers one command APDU: data, then SW1 SW2. Waits as long as the key would for a touch.
    pub fn answer(&mut self, command: &[u8], around: &Surroundings) -> Vec<u8> {
        let (data, status) = match self.respond(command, around) {
            Ok((data, status)) => (data, status),
            Err(status) => (Vec::new(), status),
        };
        let mut answer = data;
        answer.extend(status.0.to_be_bytes());
        self.counters.commands += 1;
        self.counters.bytes_in += command.len() as u64;
        self.counters.bytes_out += answer.len() as u64;
        answer
    }

    fn respond(&mut self, command: &[u8], around: &Surroundings) -> Result<(Vec<u8>, Status), Status> {
        let frame = Frame::parse(command)?;
        if frame.class & !0x10 != 0 {
            return Err(Status::CLASS);
        }
        if frame.instruction == 0xC0 && self.selected != Application::Nothing {
            if self.rest.is_empty() {
                return Err(Status::CONDITIONS);
            }
            return Ok(self.next_part(frame.room));
        }
        self.rest.clear();

        let header = [frame.instruction, frame.p1, frame.p2];
        let mut data = match self.chain.take() {
            Some((begun, data)) if begun == header => data,
            _ => Vec::new(),
        };
        data.extend(frame.data);
        if data.len() > CHAIN_LIMIT {
            return Err(Status::LENGTH);
        }
        if frame.class & 0x10 != 0 {
            self.chain = Some((header, data));
            return Ok((Vec::new(), Status::DONE));
        }
        self.key.begin_command();
        self.rest = self.dispatch(&Frame { data: &data, ..frame }, around)?;
        Ok(self.next_part(frame.room))
    }

    /// As much of the answer as there is room for; 61xx says how much is left.
    fn next_part(&mut self, room: usize) -> (Vec<u8>, Status) {
        let after = self.rest.split_off(room.min(self.rest.len()));
        let part = std::mem::replace(&mut self.rest, after);
        match self.rest.len() {
            0 => (part, Status::DONE),
            // 6100 says 256 or more.
            left => (
                part,
                Status(0x6100 | u16::try_from(left).map_or(0, |left| if left > 0xFF { 0 } else { left })),
            ),
        }
    }

    fn dispatch(&mut self, frame: &Frame<'_>, around: &Surroundings) -> Result<Vec<u8>, Status> {
        match (self.selected, frame.instruction) {
            (_, 0xA4) => self.select(frame),
            (Application::Piv, instruction) => {
                if instruction == 0x20 && !frame.data.is_empty() {
                    self.counters.pins_sent += 1;
                }
                piv::answer(&mut self.key, frame, around)
            }
            (Application::Management, 0x1D) => {
                device_info::page(&self.key, frame.p1).ok_or(Status::PARAMETERS)
            }
            _ => Err(Status::INSTRUCTION),
        }
    }

    /// Selecting PIV again changes nothing; selecting another application ends what the PIN allowed; asking for one
    /// that is not there leaves the present one selected.
    fn select(&mut self, frame: &Frame<'_>) -> Result<Vec<u8>, Status> {
        let aid = frame.data;
        if frame.p1 != 0x04 {
            return Err(Status::PARAMETERS);
        }
        if aid.len() >= PIV.len() && PIV_WHOLE.starts_with(aid) {
            self.selected = Application::Piv;
            Ok(piv::GREETING.to_vec())
        } else if aid == MANAGEMENT {
            self.selected = Application::Management;
            self.key.deselected();
            Ok(device_info::greeting(&self.key))
        } else {
            Err(Status::NOT_FOUND)
        }
    }
}

#[cfg(test)]
mod tests;
