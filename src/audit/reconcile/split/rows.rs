//! Rows of CSV (RFC 4180): a line feed within quotes belongs to its row.

use std::io::{self, BufRead};

use super::{Lines, Piece, Pieces, add};

/// One row after the other. As whoever reads a row has it, a quote encloses a field only where it begins one: a stranger's name with a
/// quote in it, which its log did not enclose, takes no row with it.
pub(in super::super) struct Rows<'a> {
    lines: Lines<'a>,
    next: Vec<u8>,
    /// What may be between columns.
    delimiters: Vec<u8>,
}

/// Where in a row the next byte lies.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// At the beginning of a field.
    Start,
    /// In a field that no quotes enclose.
    Plain,
    /// Within quotes.
    Quoted,
    /// After a quote that ends them, or is the first of a doubled one.
    Closed,
}

impl<'a> Rows<'a> {
    pub(in super::super) fn of(input: &'a mut dyn BufRead, delimiters: &[u8]) -> Self {
        Rows { lines: Lines::of(input), next: Vec::new(), delimiters: delimiters.to_vec() }
    }

    /// Whether quotes are open after that line, if they were, or were not, before it.
    fn open_after(&self, line: &[u8], open: bool) -> bool {
        if memchr::memchr(b'"', line).is_none() {
            return open;
        }
        let place = line.iter().fold(if open { Place::Quoted } else { Place::Start }, |place, byte| {
            match (place, byte) {
                (Place::Start | Place::Closed, b'"') => Place::Quoted,
                (Place::Quoted, b'"') => Place::Closed,
                (Place::Quoted, _) => Place::Quoted,
                (_, byte) if self.delimiters.contains(byte) => Place::Start,
                _ => Place::Plain,
            }
        });
        place == Place::Quoted
    }
}

impl Pieces for Rows<'_> {
    fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Piece>> {
        let Some(mut piece) = self.lines.next(buffer)? else { return Ok(None) };
        let mut open = piece.whole && self.open_after(buffer, false);
        while open {
            let mut next = std::mem::take(&mut self.next);
            let Some(more) = self.lines.next(&mut next)? else {
                piece.whole = false; // a quote that nothing closes
                break;
            };
            open = self.open_after(&next, true);
            piece.whole = more.whole && add(buffer, b"\n") && add(buffer, &next);
            self.next = next;
            if !piece.whole {
                break; // the next line begins a row again
            }
        }
        Ok(Some(piece))
    }
}
