//! Rows of CSV (RFC 4180): a line feed within quotes belongs to its row.

use std::io::{self, BufRead};

use super::{Lines, Piece, Pieces, add};

/// One row after the other. Quotes are only counted: doubled ones leave the count even.
pub(in super::super) struct Rows<'a> {
    lines: Lines<'a>,
    next: Vec<u8>,
}

impl<'a> Rows<'a> {
    pub(in super::super) fn of(input: &'a mut dyn BufRead) -> Self {
        Rows { lines: Lines::of(input), next: Vec::new() }
    }
}

fn odd(bytes: &[u8]) -> bool {
    memchr::memchr_iter(b'"', bytes).count() % 2 == 1
}

impl Pieces for Rows<'_> {
    fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Piece>> {
        let Some(mut piece) = self.lines.next(buffer)? else { return Ok(None) };
        let mut open = piece.whole && odd(buffer);
        while open {
            let Some(more) = self.lines.next(&mut self.next)? else {
                piece.whole = false; // a quote that nothing closes
                break;
            };
            open ^= odd(&self.next);
            piece.whole = more.whole && add(buffer, b"\n") && add(buffer, &self.next);
            if !piece.whole {
                break; // the next line begins a row again
            }
        }
        Ok(Some(piece))
    }
}
