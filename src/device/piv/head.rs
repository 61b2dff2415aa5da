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
