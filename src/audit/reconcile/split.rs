//! A log cut into the pieces that its format has: lines, CSV rows, JSON objects, entries of a journal. Each knows the line
//! it begins on, and none is held beyond a cap: what is longer is passed over, and said to be so.

use std::io::{self, BufRead};

mod entries;
mod objects;
mod rows;

pub(super) use entries::Entries;
pub(super) use objects::Objects;
pub(super) use rows::Rows;

/// No piece is read beyond this, in bytes: 1 MiB.
pub const PIECE_CAP: usize = 1024 * 1024;

/// A piece that was put into the buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// The line it begins on, from 1.
    pub(super) line: u64,
    /// It is there as a whole.
    pub(super) whole: bool,
}

/// Cuts.
pub(super) trait Pieces {
    /// Puts the next piece into the buffer, or what is left of it where it is too long; `None` at the end.
    fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Piece>>;
}

/// Adds, up to the cap; whether all of it found room.
fn add(buffer: &mut Vec<u8>, bytes: &[u8]) -> bool {
    let room = PIECE_CAP - buffer.len().min(PIECE_CAP);
    buffer.extend_from_slice(&bytes[..bytes.len().min(room)]);
    bytes.len() <= room
}

/// One line after the other, without its line feed and carriage return.
pub(super) struct Lines<'a> {
    input: &'a mut dyn BufRead,
    line: u64,
}

impl<'a> Lines<'a> {
    pub(super) fn of(input: &'a mut dyn BufRead) -> Self {
        Lines { input, line: 0 }
    }
}

impl Pieces for Lines<'_> {
    fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Piece>> {
        buffer.clear();
        let (mut whole, mut any) = (true, false);
        loop {
            let chunk = match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            };
            if chunk.is_empty() {
                break;
            }
            any = true;
            let end = memchr::memchr(b'\n', chunk);
            whole &= add(buffer, &chunk[..end.unwrap_or(chunk.len())]);
            let used = end.map_or(chunk.len(), |end| end + 1);
            self.input.consume(used);
            if end.is_some() {
                break;
            }
        }
        if !any {
            return Ok(None);
        }
        if buffer.last() == Some(&b'\r') {
            buffer.pop();
        }
        self.line += 1;
        Ok(Some(Piece { line: self.line, whole }))
    }
}

#[cfg(test)]
mod tests;
