//! Data objects (NIST SP 800-73-4 part 2, sections 3.1.2 and 3.3.2), and the chain head kept in two of them.

use zeroize::Zeroizing;

use super::apdu::Command;
use super::{Card, Session, StatusWord, tlv};
use crate::device::{DeviceError, KeepHead};

/// The two objects of the chain head, outside every range that a standard or another program uses
/// (facts: 5FC124 to 5FFEFF and below 5FC100 are free).
pub const HEAD_OBJECTS: [u32; 2] = [0x5F_B600, 0x5F_B601];
/// Most bytes that we put into one object; keys hold 3,052 for certain.
pub const MOST_OBJECT_BYTES: usize = 2_900;
/// The longest object of any firmware with its outer 53, which others may have written.
const MOST_READ: usize = 3_072;

impl<C: Card> Session<C> {
    /// Content of an object without its outer 53; `None` where it is absent or empty.
    pub(super) fn object(
        &mut self,
        name: &'static str,
        id: u32,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceError> {
        let command =
            Command::read(name, [0, 0xCB, 0x3F, 0xFF], &tlv::write(0x5C, &id.to_be_bytes()[1..]), MOST_READ);
        let answer = self.channel.exchange(&command)?;
        match answer.status {
            StatusWord::NotFound => Ok(None),
            StatusWord::Done => {
                let content =
                    tlv::only(&answer.data, 0x53).map_err(|error| command.malformed(error.detail()))?;
                Ok((!content.is_empty()).then(|| Zeroizing::new(content.to_vec())))
            }
            other => Err(command.refused(other)),
        }
    }

    fn put_object(&mut self, id: u32, content: &[u8]) -> Result<(), DeviceError> {
        let parts = [&tlv::write(0x5C, &id.to_be_bytes()[1..])[..], &tlv::write(0x53, content)];
        self.done(&Command::act("PUT DATA of the chain head", [0, 0xDB, 0x3F, 0xFF], &parts, 0)).map(|_| ())
    }

    fn head_object(&mut self, which: usize) -> Result<Option<Zeroizing<Vec<u8>>>, DeviceError> {
        self.object("GET DATA of the chain head", HEAD_OBJECTS[which])
    }
}

impl<C: Card> KeepHead for Session<C> {
    fn head_objects(&mut self) -> Result<[Option<Vec<u8>>; 2], DeviceError> {
        let [first, second] = [self.head_object(0)?, self.head_object(1)?];
        Ok([first, second].map(|content| content.map(|content| content.to_vec())))
    }

    fn put_head_object(&mut self, which: usize, content: &[u8]) -> Result<(), DeviceError> {
        let object = HEAD_OBJECTS[which];
        if content.len() > MOST_OBJECT_BYTES {
            return Err(DeviceError::ObjectTooLarge { object, length: content.len() });
        }
        self.manage()?;
        self.put_object(object, content)?;
        let found = self.head_object(which)?;
        if found.as_ref().map_or(&[][..], |found| &found[..]) == content {
            Ok(())
        } else {
            Err(DeviceError::WriteLost { object })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::piv::scripted::*;

    #[test]
    fn absent_and_emptied_objects_are_none() {
        let mut session = session(vec![status(0x6A82), done(&hex("5300"))]);
        assert_eq!(session.head_objects().expect("two answers"), [None, None]);
        let asked = ["00cb3fff 000005 5c035fb600 0000", "00cb3fff 000005 5c035fb601 0000"].map(hex);
        assert_eq!(session.channel.card.asked, asked);
    }

    #[test]
    fn both_are_read_whole_also_over_a_short_way() {
        let content = [0xC3; MOST_OBJECT_BYTES];
        let object = tlv::write(0x53, &content);
        let mut pieces: Vec<Step> =
            object.chunks(256).map(|piece| Ok([piece, &[0x61, 0x00]].concat())).collect();
        let last = object.chunks(256).next_back().expect("it has pieces");
        *pieces.last_mut().expect("it has pieces") = done(last);
        pieces.push(status(0x6A82));
        let mut session = session_of([5, 7, 4], false, pieces);
        assert_eq!(session.head_objects().expect("two answers"), [Some(content.to_vec()), None]);
    }

    #[test]
    fn a_head_of_any_allowed_length_is_written_and_read_back() {
        for (extended, length) in
            [(true, 0), (true, 1), (true, MOST_OBJECT_BYTES), (false, 200), (false, 2_900)]
        {
            let content = vec![0xC3; length];
            let object = tlv::write(0x53, &content);
            let command = [&hex("5c035fb601")[..], &object].concat();
            let blocks = if extended { 1 } else { command.len().div_ceil(255) };
            let mut steps = vec![status(0x9000); blocks];
            match extended {
                true => steps.push(done(&object)),
                false => {
                    let mut pieces: Vec<Step> =
                        object.chunks(256).map(|piece| Ok([piece, &[0x61, 0x00]].concat())).collect();
                    *pieces.last_mut().expect("pieces") =
                        done(object.chunks(256).next_back().expect("pieces"));
                    steps.extend(pieces);
                }
            }
            let mut session = session_of([5, 7, 4], extended, steps);
            session.managed = true;
            session.put_head_object(1, &content).expect("what was written is read back");
            let sent: Vec<u8> = match extended {
                true => session.channel.card.asked[0][if command.len() > 255 { 7 } else { 5 }..].to_vec(),
                false => session.channel.card.asked[..blocks]
                    .iter()
                    .flat_map(|block| block[5..].to_vec())
                    .collect(),
            };
            assert_eq!(sent, command);
        }
    }

    #[test]
    fn what_reads_back_otherwise_is_lost() {
        for found in
            [status(0x6A82), done(&hex("5300")), done(&hex("53024845")), done(&hex("530548454144FF"))]
        {
            let mut session = session(vec![status(0x9000), found]);
            session.managed = true;
            let outcome = error(session.put_head_object(0, b"HEAD"));
            assert!(matches!(outcome, DeviceError::WriteLost { object: 0x5F_B600 }));
        }
    }

    #[test]
    fn too_large_a_head_is_refused_before_anything_is_sent() {
        let mut session = session(vec![status(0x9000)]);
        let outcome = error(session.put_head_object(0, &[0; MOST_OBJECT_BYTES + 1]));
        assert!(matches!(outcome, DeviceError::ObjectTooLarge { object: 0x5F_B600, length: 2_901 }));
        assert!(session.channel.card.asked.is_empty());
    }
}
