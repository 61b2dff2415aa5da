//! Entries of `journalctl -o export`: fields one a line, an empty line after each entry. A field whose value is not plain
//! text is its name alone on a line, its length as 64 bits, little endian, and its bytes.
//! (<https://systemd.io/JOURNAL_EXPORT_FORMATS/>)

use std::io::{self, BufRead};

use super::{Lines, Piece, Pieces, add};

/// Fields that are kept; all others are passed over.
const KEPT: [&[u8]; 7] = [
    b"__REALTIME_TIMESTAMP",
    b"_SOURCE_REALTIME_TIMESTAMP",
    b"_HOSTNAME",
    b"SYSLOG_IDENTIFIER",
    b"_COMM",
    b"_UID",
    b"MESSAGE",
];

/// One entry after the other, as lines `NAME=value` of the fields that count. Line feeds within a value become spaces.
pub(in super::super) struct Entries<'a> {
    lines: Lines<'a>,
    field: Vec<u8>,
}

impl<'a> Entries<'a> {
    pub(in super::super) fn of(input: &'a mut dyn BufRead) -> Self {
        Entries { lines: Lines::of(input), field: Vec::new() }
    }

    /// The value of a binary field, whose name was read, with its line feed. `false`: there is no such value.
    fn binary(&mut self, name: &[u8], buffer: &mut Vec<u8>) -> io::Result<bool> {
        let mut length = [0; 8];
        if !exactly(self.lines.input, &mut length)? {
            return Ok(false);
        }
        let mut left = u64::from_le_bytes(length);
        let mut whole = !KEPT.contains(&name) || (add(buffer, name) && add(buffer, b"="));
        let mut chunk = [0; 4_096];
        while left > 0 {
            let most = usize::try_from(left).unwrap_or(usize::MAX).min(chunk.len());
            let count = self.lines.input.read(&mut chunk[..most])?;
            if count == 0 {
                return Ok(false);
            }
            left -= count as u64;
            let part = &mut chunk[..count];
            self.lines.line += memchr::memchr_iter(b'\n', part).count() as u64;
            part.iter_mut().filter(|byte| **byte == b'\n').for_each(|byte| *byte = b' ');
            if KEPT.contains(&name) {
                whole &= add(buffer, part);
            }
        }
        let mut feed = [0];
        let ended = exactly(self.lines.input, &mut feed)? && feed == *b"\n";
        if KEPT.contains(&name) {
            whole &= add(buffer, b"\n");
        }
        Ok(ended && whole)
    }
}

fn exactly(input: &mut dyn BufRead, bytes: &mut [u8]) -> io::Result<bool> {
    match input.read_exact(bytes) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error),
    }
}

impl Pieces for Entries<'_> {
    fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Piece>> {
        buffer.clear();
        let (mut begins, mut whole) = (None, true);
        let mut field = std::mem::take(&mut self.field);
        while let Some(piece) = self.lines.next(&mut field)? {
            if field.is_empty() && piece.whole {
                match begins {
                    Some(_) => break,
                    None => continue,
                }
            }
            begins.get_or_insert(piece.line);
            match memchr::memchr(b'=', &field) {
                _ if !piece.whole => whole = false,
                Some(at) if KEPT.contains(&&field[..at]) => {
                    whole &= add(buffer, &field) && add(buffer, b"\n");
                }
                Some(_) => {}
                None => {
                    let name = std::mem::take(&mut field);
                    // A name is upper case, digits and underscores; anything else is no entry of a journal.
                    let is_name =
                        name.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || *c == b'_');
                    whole &= is_name && name.len() <= 64 && self.binary(&name, buffer)?;
                    field = name;
                }
            }
        }
        self.field = field;
        Ok(begins.map(|line| Piece { line, whole }))
    }
}
