//! One command APDU: header, data, how much answer it has room for (ISO 7816-4, section 5.1).

use super::Status;

/// A command as it came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    pub(super) class: u8,
    pub(super) instruction: u8,
    pub(super) p1: u8,
    pub(super) p2: u8,
    pub(super) data: &'a [u8],
    /// Longest answer data. Without an Le it is the most that the form of the command allows: ykman leaves Le out and
    /// waits for the answer all the same.
    pub(super) room: usize,
}

const SHORT: usize = 256;
const EXTENDED: usize = 65_536;

impl Frame<'_> {
    /// Short and extended forms of all four cases.
    pub(super) fn parse(bytes: &[u8]) -> Result<Frame<'_>, Status> {
        let (&[class, instruction, p1, p2], body) = bytes.split_first_chunk().ok_or(Status::LENGTH)?;
        let (data, room): (&[u8], usize) = match *body {
            [] => (&[], SHORT),
            [le] => (&[], room(usize::from(le), SHORT)),
            [0, high, low] => (&[], room(number(high, low), EXTENDED)),
            [0, high, low, ref rest @ ..] => split(rest, number(high, low), EXTENDED, 2)?,
            [lc, ref rest @ ..] => split(rest, usize::from(lc), SHORT, 1)?,
        };
        Ok(Frame { class, instruction, p1, p2, data, room })
    }
}

/// Data of `length` bytes, then nothing or an Le of `le_bytes` bytes.
fn split(rest: &[u8], length: usize, most: usize, le_bytes: usize) -> Result<(&[u8], usize), Status> {
    if length == 0 || rest.len() < length {
        return Err(Status::LENGTH);
    }
    let (data, le) = rest.split_at(length);
    match *le {
        [] => Ok((data, most)),
        [le] if le_bytes == 1 => Ok((data, room(usize::from(le), most))),
        [high, low] if le_bytes == 2 => Ok((data, room(number(high, low), most))),
        _ => Err(Status::LENGTH),
    }
}

fn room(le: usize, most: usize) -> usize {
    if le == 0 { most } else { le }
}

fn number(high: u8, low: u8) -> usize {
    usize::from(u16::from_be_bytes([high, low]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Result<(Vec<u8>, usize), Status> {
        let bytes = hex::decode(text.replace(' ', "")).unwrap();
        Frame::parse(&bytes).map(|frame| (frame.data.to_vec(), frame.room))
    }

    #[test]
    fn every_form_of_a_command_is_read() {
        assert_eq!(parsed("00F7009B"), Ok((vec![], 256)));
        assert_eq!(parsed("00FD0000 00"), Ok((vec![], 256)));
        assert_eq!(parsed("00FD0000 03"), Ok((vec![], 3)));
        assert_eq!(parsed("00F90000 000000"), Ok((vec![], 65_536)));
        assert_eq!(parsed("00F90000 000100"), Ok((vec![], 256)));
        assert_eq!(parsed("00A40400 05 A000000308"), Ok((vec![0xA0, 0, 0, 3, 8], 256)));
        assert_eq!(parsed("00A40400 05 A000000308 10"), Ok((vec![0xA0, 0, 0, 3, 8], 16)));
        assert_eq!(parsed("00470082 000005 AC03800111"), Ok((vec![0xAC, 3, 0x80, 1, 0x11], 65_536)));
        assert_eq!(parsed("00470082 000005 AC03800111 0000"), Ok((vec![0xAC, 3, 0x80, 1, 0x11], 65_536)));
    }

    #[test]
    fn lengths_that_do_not_fit_are_refused() {
        for text in
            ["", "00A404", "00A40400 05 A0", "00A40400 01 A0 0000", "00470082 000005 AC", "00470082 0000"]
        {
            assert_eq!(parsed(text), Err(Status::LENGTH), "{text}");
        }
    }
}
