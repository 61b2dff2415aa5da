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
    /// Codes of something else.
    pub strangers: usize,
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
            from.bundles.push(in_order(lines));
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

/// Lines as a bundle has them: by chain and place, the record of its export last.
fn in_order(lines: Vec<Vec<u8>>) -> Vec<u8> {
    let mut records: Vec<_> = lines
        .into_iter()
        .map(|line| match Record::parse(&line) {
            Ok(record) => {
                let ends = matches!(record.event, Event::Exported(_));
                (Some((record.chain_name(), record.link.seq)), ends, line)
            }
            Err(_) => (None, false, line),
        })
        .collect();
    records.sort();
    let others = records.len() as u64 - 1;
    let end = records.iter().rposition(|(_, ends, line)| {
        *ends
            && Record::parse(line).is_ok_and(|record| match &record.event {
                Event::Exported(facts) => facts.count == others,
                _ => false,
            })
    });
    if let Some(end) = end {
        let last = records.remove(end);
        records.push(last);
    }
    records.into_iter().flat_map(|(.., line): (_, _, Vec<u8>)| [&line[..], b"\n"].concat()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::bundle::{Bundle, End, unbundle};
    use crate::record::chain::{Chain, Depth};
    use crate::record::packed::pack;
    use crate::record::sample::Writer;

    /// A bundle of two keys, ended by a record of its export.
    fn bundle() -> Vec<u8> {
        let (mut one, mut two) = (Writer::founder(1), Writer::founder(2));
        one.open(3);
        two.open(2);
        let chain = |writer: &Writer| Chain::read(&writer.name(), &writer.journal(), Depth::Links);
        let bundle = Bundle::of([&chain(&one), &chain(&two)]);
        let record = one.write(Event::Exported(bundle.exported()));
        bundle.end(&record).unwrap()
    }

    fn parts(bytes: &[u8], count: usize) -> Vec<Vec<u8>> {
        let mut encoder = ur::Encoder::bytes(&pack(bytes), 200).unwrap();
        (0..count).map(|_| encoder.next_part().unwrap().to_uppercase().into_bytes()).collect()
    }

    #[test]
    fn a_bundle_comes_whole_though_a_third_of_the_codes_was_missed() {
        let bundle = bundle();
        let all = parts(&bundle, 120);
        let mut codes = Codes::default();
        for (index, part) in all.iter().enumerate().filter(|(index, _)| index % 3 != 1) {
            assert!(codes.text(part.clone()), "{index}");
            assert!(!codes.text(part.clone()));
        }
        assert!(codes.nearest().is_some_and(|(known, of)| known == of));
        assert_eq!(codes.finish(), FromCodes { bundles: vec![bundle], ..FromCodes::default() });
    }

    #[test]
    fn two_bundles_at_once_are_kept_apart() {
        let one = bundle();
        let mut writer = Writer::founder(7);
        writer.open(4);
        let two = writer.journal();
        let mut codes = Codes::default();
        for (a, b) in parts(&one, 60).into_iter().zip(parts(&two, 60)) {
            codes.text(a);
            codes.text(b);
        }
        let mut from = codes.finish();
        from.bundles.sort();
        let mut expected = vec![one, two];
        expected.sort();
        assert_eq!(from, FromCodes { bundles: expected, ..FromCodes::default() });
    }

    #[test]
    fn what_is_missing_is_told() {
        let mut codes = Codes::default();
        assert_eq!(codes.nearest(), None);
        for part in parts(&bundle(), 3) {
            codes.text(part);
        }
        assert!(matches!(codes.nearest(), Some((3, of)) if of > 5), "{:?}", codes.nearest());
        codes.text(b"https://example.org/menu".to_vec());
        codes.text(b"UR:BYTES/1-999999999/AEADAOLAZMJENDEOTI".to_vec());
        let from = codes.finish();
        assert!(from.bundles.is_empty());
        assert!(matches!(from.incomplete[..], [(3, of)] if of > 5), "{from:?}");
        assert_eq!(from.strangers, 2);
    }

    #[test]
    fn printed_records_make_the_bundle_again_in_whatever_order_they_were_read() {
        let bundle = bundle();
        let mut codes = Codes::default();
        for line in bundle.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()).rev() {
            codes.text(line.to_vec());
        }
        let from = codes.finish();
        assert_eq!(from.bundles, [bundle]);
        assert!(matches!(unbundle(&from.bundles[0]).end, End::Whole(_)));
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(bytes: Vec<u8>, text: String) {
            let mut codes = Codes::default();
            codes.text(bytes);
            codes.text(format!("ur:bytes/{text}").into_bytes());
            let _ = codes.finish();
        }
    }
}
