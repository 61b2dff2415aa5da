//! Records that crossed the gap as codes: the texts of these in, the lines of a bundle out. Any order, any code more than once, and
//! of the codes that follow each other on a screen some may be missing (BCR-2020-005).

use std::collections::HashSet;

use super::event::Event;
use super::packed::{PackedError, unpack};
use super::token::Record;

/// What a code that is a part of a bundle begins with, in small letters.
pub const PART: &str = "ur:bytes/";
/// A bundle in more codes than this is not read with a camera by anybody.
const MOST_PARTS: u64 = 20_000;

/// What was read so far.
#[derive(Default)]
pub struct Codes {
    /// Texts of codes that were seen already.
    seen: HashSet<Vec<u8>>,
    /// Records that came whole, a code each.
    lines: Vec<Vec<u8>>,
    messages: Vec<Message>,
    /// Codes that are neither a record nor a part of a bundle.
    strangers: usize,
}

/// One bundle that comes in parts.
struct Message {
    which: Which,
    decoder: ur::Decoder,
}

/// What all parts of one bundle say of it.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Which {
    parts: u64,
    bytes: u64,
    /// CRC-32.
    checksum: u64,
}

/// What the codes gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct FromCodes {
    /// Each a bundle: lines with their line feeds. Those that came as whole records are put in a bundle's order.
    pub bundles: Vec<Vec<u8>>,
    /// Bundles of which parts are missing: how many of how many could be told.
    pub incomplete: Vec<(usize, usize)>,
    /// Bundles that came whole and cannot be unpacked.
    pub damaged: Vec<PackedError>,
    /// Whether the last of the bundles was put together from records that came a code each, so that it lacks what was missed.
    pub together: bool,
    /// Whether a record of an export ends that bundle, so that what it lacks would show.
    pub ended: bool,
    /// How many records that bundle has, of how many by the record of its export, where that counts more.
    pub short: Option<(u64, u64)>,
    /// Codes of something else.
    pub strangers: usize,
    /// Pictures, and codes in them, that could not be read. Whoever reads the pictures counts these.
    pub unread: usize,
}

impl FromCodes {
    /// Whether nothing is known to be missing.
    pub fn complete(&self) -> bool {
        self.incomplete.is_empty() && self.damaged.is_empty() && self.short.is_none() && self.unread == 0
    }
}

impl Codes {
    /// Takes the text of one code. Whether it was not known yet.
    pub fn text(&mut self, text: Vec<u8>) -> bool {
        if !self.seen.insert(text.clone()) {
            return false;
        }
        match std::str::from_utf8(&text).map(str::to_lowercase) {
            Ok(part) if part.starts_with(PART) => self.part(&part),
            _ if Record::parse(&text).is_ok() => self.lines.push(text),
            _ => self.strangers += 1,
        }
        true
    }

    fn part(&mut self, part: &str) {
        let Some(which) = Which::of(part) else {
            self.strangers += 1;
            return;
        };
        if let Some(message) = self.messages.iter_mut().find(|message| message.which == which) {
            self.strangers += usize::from(message.decoder.receive(part).is_err());
            return;
        }
        let mut decoder = ur::Decoder::default();
        match decoder.receive(part) {
            Ok(()) => self.messages.push(Message { which, decoder }),
            Err(_) => self.strangers += 1,
        }
    }

    /// Of the bundle that is nearest to being whole: how many of its parts are known, of how many. Equal once it is whole.
    pub fn nearest(&self) -> Option<(usize, usize)> {
        let known = |message: &Message| {
            let of = message.which.parts as usize;
            let known = message.decoder.resolved_fragment_count().unwrap_or(0);
            (if message.decoder.complete() { of } else { known }, of)
        };
        self.messages.iter().map(known).min_by_key(|(known, of)| of.saturating_sub(*known))
    }

    /// Everything that can be made of what was read.
    pub fn finish(self) -> FromCodes {
        let mut from = FromCodes { strangers: self.strangers, ..FromCodes::default() };
        let mut lines = self.lines;
        for Message { which, decoder } in self.messages {
            match decoder.message() {
                Ok(Some(packed)) => match unpack(&packed) {
                    // A record that was too long for one printed code.
                    Ok(bundle) if bundle.iter().filter(|byte| **byte == b'\n').count() == 1 => {
                        lines.push(bundle.trim_ascii_end().to_vec());
                    }
                    Ok(bundle) => from.bundles.push(bundle),
                    Err(error) => from.damaged.push(error),
                },
                _ => from
                    .incomplete
                    .push((decoder.resolved_fragment_count().unwrap_or(0), which.parts as usize)),
            }
        }
        if !lines.is_empty() {
            let all = lines.len() as u64;
            let (bundle, counted) = in_order(lines);
            from.bundles.push(bundle);
            (from.together, from.ended) = (true, counted.is_some());
            from.short = counted.filter(|counted| *counted > all).map(|counted| (all, counted));
        }
        from
    }
}

impl Which {
    /// Of `ur:bytes/<n>-<of>/<bytewords>`, whose bytes are the CBOR array (RFC 8949) of n, of, length, checksum and data.
    fn of(part: &str) -> Option<Self> {
        let bytes = ur::bytewords::decode(part.split('/').nth(2)?, ur::bytewords::Style::Minimal).ok()?;
        let mut rest = bytes.strip_prefix(&[0x85])?;
        let [_, parts, bytes, checksum] = [(); 4].map(|()| unsigned(&mut rest));
        let (parts, bytes, checksum) = (parts?, bytes?, checksum?);
        (1..=MOST_PARTS).contains(&parts).then_some(Which { parts, bytes, checksum })
    }
}

/// The next CBOR item, if it is an unsigned integer.
fn unsigned(rest: &mut &[u8]) -> Option<u64> {
    let (first, after) = rest.split_first()?;
    let more = match first {
        0..=0x17 => 0,
        0x18..=0x1B => 1 << (first - 0x18),
        _ => return None,
    };
    let (number, after) = after.split_at_checked(more)?;
    *rest = after;
    match more {
        0 => Some(u64::from(*first)),
        _ => Some(number.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte))),
    }
}

/// Lines as a bundle has them: by chain and place, the record of its export last. That is the one that counts just these
/// lines; if none does, the one that counts most, if that is more. And how many lines there are by that one, itself among them.
fn in_order(lines: Vec<Vec<u8>>) -> (Vec<u8>, Option<u64>) {
    let mut records: Vec<_> = lines
        .into_iter()
        .map(|line| match Record::parse(&line) {
            Ok(record) => {
                let counts = match &record.event {
                    Event::Exported(facts) => Some(facts.count),
                    _ => None,
                };
                (Some((record.chain_name(), record.link.seq)), counts, line)
            }
            Err(_) => (None, None, line),
        })
        .collect();
    records.sort();
    let all = records.len() as u64;
    let counts = |of: &(_, Option<u64>, _)| of.1.filter(|count| *count >= all - 1);
    let ends = records.iter().enumerate().filter_map(|(at, record)| Some((counts(record)?, at)));
    // Of two that count the same, the later.
    let whole = ends.clone().filter(|(count, _)| *count == all - 1).max();
    let mut counted = None;
    if let Some((count, at)) = whole.or_else(|| ends.max()) {
        counted = Some(count.saturating_add(1));
        let last = records.remove(at);
        records.push(last);
    }
    let bundle = records.into_iter().flat_map(|(.., line): (_, _, Vec<u8>)| [&line[..], b"\n"].concat());
    (bundle.collect(), counted)
}

#[cfg(test)]
mod tests;
