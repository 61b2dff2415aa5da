//! Windows writes UTF-16 with a byte order mark where its user did not ask for anything else. Everything else passes as it
//! is; a mark of UTF-8 is left out.

use std::io::{self, Read};

/// The text that these first bytes begin, for looking at.
pub(super) fn text_of(start: &[u8]) -> String {
    let mut text = Vec::new();
    // A slice cannot fail.
    let _ = Utf8::new(start).read_to_end(&mut text);
    String::from_utf8_lossy(&text).into_owned()
}

#[derive(Clone, Copy)]
enum Encoding {
    Unknown,
    AsIs,
    Little,
    Big,
}

/// UTF-8 of whatever is inside.
pub(super) struct Utf8<R> {
    input: R,
    encoding: Encoding,
    /// Bytes that are not units yet.
    raw: Vec<u8>,
    /// The first half of a pair.
    high: Option<u16>,
    /// What waits to be read.
    ready: Vec<u8>,
    taken: usize,
}

impl<R: Read> Utf8<R> {
    pub(super) fn new(input: R) -> Self {
        Utf8 { input, encoding: Encoding::Unknown, raw: vec![], high: None, ready: vec![], taken: 0 }
    }

    /// Fills `ready`; `false` at the end.
    fn fill(&mut self) -> io::Result<bool> {
        let mut chunk = [0; 16 * 1024];
        let count = self.input.read(&mut chunk)?;
        self.raw.extend_from_slice(&chunk[..count]);
        if matches!(self.encoding, Encoding::Unknown) {
            if self.raw.len() < 3 && count > 0 {
                return Ok(true);
            }
            let (encoding, mark) = match self.raw.as_slice() {
                [0xEF, 0xBB, 0xBF, ..] => (Encoding::AsIs, 3),
                [0xFF, 0xFE, ..] => (Encoding::Little, 2),
                [0xFE, 0xFF, ..] => (Encoding::Big, 2),
                _ => (Encoding::AsIs, 0),
            };
            self.encoding = encoding;
            self.raw.drain(..mark);
        }
        self.ready.clear();
        self.taken = 0;
        let unit: fn([u8; 2]) -> u16 = match self.encoding {
            Encoding::Little => u16::from_le_bytes,
            Encoding::Big => u16::from_be_bytes,
            Encoding::AsIs | Encoding::Unknown => {
                std::mem::swap(&mut self.ready, &mut self.raw);
                return Ok(count > 0);
            }
        };
        let units: Vec<u16> = self
            .high
            .take()
            .into_iter()
            .chain(self.raw.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])))
            .collect();
        self.raw.drain(..self.raw.len() / 2 * 2);
        let mut units = units.as_slice();
        if count > 0
            && let [rest @ .., last @ 0xD800..=0xDBFF] = units
        {
            (self.high, units) = (Some(*last), rest);
        }
        for decoded in char::decode_utf16(units.iter().copied()) {
            let mut bytes = [0; 4];
            let text = decoded.unwrap_or(char::REPLACEMENT_CHARACTER).encode_utf8(&mut bytes);
            self.ready.extend_from_slice(text.as_bytes());
        }
        Ok(count > 0)
    }
}

impl<R: Read> Read for Utf8<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut more = true;
        while self.taken == self.ready.len() && more {
            more = self.fill()?;
        }
        let count = buffer.len().min(self.ready.len() - self.taken);
        buffer[..count].copy_from_slice(&self.ready[self.taken..self.taken + count]);
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_orders_and_marks_are_read() {
        let text = "\"größe\" \u{1F525}\r\nzwei";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(text_of(&[&[0xFF, 0xFE], &little[..]].concat()), text);
        assert_eq!(text_of(&[&[0xFE, 0xFF], &big[..]].concat()), text);
        assert_eq!(text_of(&[&[0xEF, 0xBB, 0xBF], text.as_bytes()].concat()), text);
        assert_eq!(text_of(text.as_bytes()), text);
        assert_eq!((text_of(b""), text_of(b"a")), (String::new(), "a".to_owned()));
    }

    /// One byte at a time.
    struct Slow<'a>(&'a [u8]);
    impl Read for Slow<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
            (buffer[0], self.0) = (*first, rest);
            Ok(1)
        }
    }

    proptest::proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_arrive(mark in 0..3usize, bytes: Vec<u8>) {
            let marks: [&[u8]; 3] = [&[0xFF, 0xFE], &[0xFE, 0xFF], &[]];
            let bytes = [marks[mark], &bytes[..]].concat();
            let mut slowly = Vec::new();
            Utf8::new(Slow(&bytes)).read_to_end(&mut slowly).unwrap();
            let mut at_once = Vec::new();
            Utf8::new(&bytes[..]).read_to_end(&mut at_once).unwrap();
            proptest::prop_assert_eq!(slowly, at_once);
        }
    }
}
