//! Reads lines, many at a time, and never holds one that has no end.

use std::io::{self, ErrorKind, Read as Input};

use sha2::{Digest, Sha256};

use crate::record::hash::Hash;
use crate::record::token::READ_CAP;

/// How much is read at a time: some two hundred records.
const PIECE: usize = 256 * 1024;

/// Some whole lines.
#[derive(Debug)]
pub(super) struct Piece {
    /// Lines before it.
    pub(super) lines_before: u64,
    /// Bytes read so far, this piece's among them.
    pub(super) bytes_so_far: u64,
    /// What it holds.
    pub(super) content: Content,
}

#[derive(Debug)]
pub(super) enum Content {
    /// Lines, each with its line feed but perhaps the very last.
    Lines(Vec<u8>),
    /// The beginning of one line that is longer than any record.
    Endless {
        /// Its first [`READ_CAP`] bytes.
        beginning: Vec<u8>,
        /// Its length, without the line feed.
        length: u64,
    },
}

/// What was read in all.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) bytes: u64,
    pub(super) lines: u64,
    /// SHA-256 over all bytes before the last line.
    pub(super) before_last: Hash,
    /// Whether it ended in the middle of a line.
    pub(super) cut: bool,
}

/// Reads to the end, or until `each` answers that it wants no more.
pub(super) fn read(input: &mut dyn Input, each: &mut dyn FnMut(Piece) -> bool) -> io::Result<Read> {
    let mut reader =
        Reader { input, rest: Vec::new(), bytes: 0, lines: 0, hash: Sha256::new(), last: vec![], cut: false };
    while let Some(content) = reader.next()? {
        let lines_before = reader.lines;
        reader.lines += match &content {
            Content::Lines(bytes) => memchr::memchr_iter(b'\n', bytes).count() as u64,
            Content::Endless { .. } => 1,
        };
        let piece = Piece { lines_before, bytes_so_far: reader.bytes, content };
        if !each(piece) {
            break;
        }
    }
    if !reader.rest.is_empty() {
        reader.cut = true;
        let content = Content::Lines(std::mem::take(&mut reader.rest));
        each(Piece { lines_before: reader.lines, bytes_so_far: reader.bytes, content });
        reader.lines += 1;
    }
    let before_last = Hash(reader.hash.finalize().into());
    Ok(Read { bytes: reader.bytes, lines: reader.lines, before_last, cut: reader.cut })
}

struct Reader<'a> {
    input: &'a mut dyn Input,
    /// The beginning of the next line.
    rest: Vec<u8>,
    bytes: u64,
    lines: u64,
    /// Over all but the last line so far.
    hash: Sha256,
    /// The last line so far, with its line feed; empty where it was hashed already, as it can be no record.
    last: Vec<u8>,
    cut: bool,
}

impl Reader<'_> {
    /// The next lines that end. What is left in `rest` then has no end.
    fn next(&mut self) -> io::Result<Option<Content>> {
        loop {
            let mut bytes = std::mem::take(&mut self.rest);
            let got = self.fill(&mut bytes)?;
            if let Some(end) = memchr::memrchr(b'\n', &bytes).map(|at| at + 1) {
                self.rest = bytes[end..].to_vec();
                bytes.truncate(end);
                self.hash_lines(&bytes);
                return Ok(Some(Content::Lines(bytes)));
            }
            if bytes.len() > READ_CAP {
                return self.endless(bytes).map(Some);
            }
            self.rest = bytes;
            if got == 0 {
                return Ok(None);
            }
        }
    }

    /// Reads until a line is complete, or a piece is full, or all is read; answers how much.
    fn fill(&mut self, bytes: &mut Vec<u8>) -> io::Result<usize> {
        let before = bytes.len();
        bytes.resize(before + PIECE, 0);
        let mut filled = before;
        while filled < bytes.len() {
            match self.input.read(&mut bytes[filled..]) {
                Ok(0) => break,
                Ok(got) => filled += got,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        bytes.truncate(filled);
        self.bytes += (filled - before) as u64;
        Ok(filled - before)
    }

    /// A line that is too long already: its beginning is kept, the rest read and forgotten.
    fn endless(&mut self, bytes: Vec<u8>) -> io::Result<Content> {
        self.hash.update(std::mem::take(&mut self.last));
        self.hash.update(&bytes);
        let mut length = bytes.len() as u64;
        let mut beginning = bytes;
        beginning.truncate(READ_CAP);
        let mut more = Vec::new();
        loop {
            more.clear();
            if self.fill(&mut more)? == 0 {
                self.cut = true;
                break;
            }
            if let Some(end) = memchr::memchr(b'\n', &more) {
                self.hash.update(&more[..=end]);
                self.rest = more.split_off(end + 1);
                length += end as u64;
                break;
            }
            self.hash.update(&more);
            length += more.len() as u64;
        }
        Ok(Content::Endless { beginning, length })
    }

    fn hash_lines(&mut self, bytes: &[u8]) {
        let last = memchr::memrchr(b'\n', &bytes[..bytes.len() - 1]).map_or(0, |at| at + 1);
        self.hash.update(&self.last);
        self.hash.update(&bytes[..last]);
        self.last.clear();
        self.last.extend_from_slice(&bytes[last..]);
    }
}
