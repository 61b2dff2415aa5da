//! JSON objects, however they are put together: one a line, one after the other, an array, or an array within one object
//! (`value` of Microsoft Graph, `records` of Azure Monitor). Only brackets and strings are looked at.

use std::io::{self, BufRead};

use super::{Piece, Pieces, add};

/// Members whose array holds what is looked for, where the log is one object around it.
const WRAPPERS: [&[u8]; 2] = [b"value", b"records"];

/// One object after the other.
pub(in super::super) struct Objects<'a> {
    input: &'a mut dyn BufRead,
    line: u64,
    place: Place,
    state: State,
}

/// Where the next byte lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Outside everything, or in an array of objects.
    Outside,
    /// In an object that may be a wrapper.
    Object,
    /// In a wrapper's array.
    Array,
    /// In an object of that array.
    Element,
    /// In a wrapper, after its array.
    Rest,
}

#[derive(Debug, Default)]
struct State {
    /// Brackets and braces that are open within the object; 0 outside.
    depth: u64,
    string: bool,
    escaped: bool,
    /// The last string at depth 1, and what has followed it: a wrapper's name, a colon, a bracket.
    name: Vec<u8>,
    colon: bool,
}

enum Step {
    More,
    /// The object is closed.
    Done,
    /// The object turned out to be around the array that counts.
    Wrapper,
    /// A line ends within a string, which JSON has nowhere: the object was cut off, and another begins on the next line.
    CutOff,
}

impl State {
    /// One byte within an object.
    fn step(&mut self, byte: u8, top: bool) -> Step {
        if self.string {
            match byte {
                b'\n' => {
                    *self = State::default();
                    return Step::CutOff;
                }
                _ if self.escaped => self.escaped = false,
                b'\\' => self.escaped = true,
                b'"' => self.string = false,
                _ if self.depth == 1 && self.name.len() < 16 => self.name.push(byte),
                _ => {}
            }
            return Step::More;
        }
        match byte {
            b'"' => {
                self.string = true;
                if self.depth == 1 {
                    self.name.clear();
                    self.colon = false;
                }
            }
            b':' => self.colon = true,
            b'[' if top && self.depth == 1 && self.colon && WRAPPERS.contains(&self.name.as_slice()) => {
                *self = State::default();
                return Step::Wrapper;
            }
            b'{' | b'[' => {
                self.depth += 1;
                self.colon = false;
            }
            b'}' | b']' => {
                self.depth -= 1;
                if self.depth == 0 {
                    *self = State::default();
                    return Step::Done;
                }
            }
            b',' => self.colon = false,
            _ => {}
        }
        Step::More
    }
}

impl<'a> Objects<'a> {
    pub(in super::super) fn of(input: &'a mut dyn BufRead) -> Self {
        Objects { input, line: 1, place: Place::Outside, state: State::default() }
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.input.fill_buf() {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(chunk) => {
                    let first = chunk.first().copied();
                    if first.is_some() {
                        self.input.consume(1);
                    }
                    return Ok(first);
                }
            }
        }
    }

    /// A byte between objects. `true`: the line ends, and the buffer holds something of it that is no object.
    fn between(&mut self, byte: u8, buffer: &mut Vec<u8>) -> bool {
        match byte {
            b'{' => {
                self.place = if self.place == Place::Array { Place::Element } else { Place::Object };
                (self.state, *buffer) = (State { depth: 1, ..State::default() }, vec![byte]);
            }
            b']' if self.place == Place::Array => {
                (self.place, self.state) = (Place::Rest, State { depth: 1, ..State::default() });
                buffer.clear();
            }
            b'\n' => {
                // evtx_dump writes such a line before each object.
                let stray = !buffer.is_empty() && !buffer.starts_with(b"Record ");
                if !stray {
                    buffer.clear();
                }
                return stray;
            }
            b' ' | b'\t' | b'\r' | b',' | b'[' | b']' | 0x1E if buffer.is_empty() => {}
            _ if buffer.len() < 256 => buffer.push(byte),
            _ => {}
        }
        false
    }
}

impl Pieces for Objects<'_> {
    fn next(&mut self, buffer: &mut Vec<u8>) -> io::Result<Option<Piece>> {
        buffer.clear();
        let (mut begins, mut whole) = (self.line, true);
        while let Some(byte) = self.byte()? {
            let line = self.line;
            self.line += u64::from(byte == b'\n');
            match self.place {
                Place::Outside | Place::Array => {
                    if self.between(byte, buffer) {
                        return Ok(Some(Piece { line, whole: true }));
                    }
                    (begins, whole) = (line, true);
                }
                Place::Rest => match self.state.step(byte, false) {
                    Step::Done => self.place = Place::Outside,
                    Step::CutOff => {
                        self.place = Place::Outside;
                        return Ok(Some(Piece { line, whole: false }));
                    }
                    Step::More | Step::Wrapper => {}
                },
                Place::Object | Place::Element => {
                    whole &= add(buffer, &[byte]);
                    match self.state.step(byte, self.place == Place::Object) {
                        Step::More => {}
                        Step::Wrapper => {
                            self.place = Place::Array;
                            buffer.clear();
                        }
                        Step::CutOff => {
                            let array = self.place == Place::Element;
                            self.place = if array { Place::Array } else { Place::Outside };
                            return Ok(Some(Piece { line: begins, whole: false }));
                        }
                        Step::Done => {
                            let array = self.place == Place::Element;
                            self.place = if array { Place::Array } else { Place::Outside };
                            return Ok(Some(Piece { line: begins, whole }));
                        }
                    }
                }
            }
        }
        // The end of the log, which may lie within something.
        match std::mem::replace(&mut self.place, Place::Outside) {
            Place::Outside if buffer.is_empty() || buffer.starts_with(b"Record ") => Ok(None),
            Place::Outside => Ok(Some(Piece { line: begins, whole: true })),
            _ => Ok(Some(Piece { line: begins, whole: false })),
        }
    }
}
