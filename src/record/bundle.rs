//! A bundle: the journals of all keys in one file, one record a line, in order of chain name. What travels to an auditor.
//!
//! Lines go in as they are, damaged ones too: damage is evidence. Where a key is at hand the last line is its record of
//! the export itself, which counts and hashes all before it, so that a bundle that was cut shows it.

use std::collections::BTreeMap;

use super::chain::Chain;
use super::event::{Event, Exported};
use super::hash::Hash;
use super::token::{Record, RecordError};

/// A bundle that is being written.
#[derive(Debug, Clone)]
pub struct Bundle {
    bytes: Vec<u8>,
    count: u64,
    heads: BTreeMap<String, (u64, Hash)>,
}

impl Bundle {
    /// Every terminated line of these chains.
    pub fn of<'a>(chains: impl IntoIterator<Item = &'a Chain>) -> Self {
        let mut sorted: Vec<&Chain> = chains.into_iter().collect();
        sorted.sort_by_key(|chain| chain.name());
        let mut bundle = Bundle { bytes: vec![], count: 0, heads: BTreeMap::new() };
        for chain in sorted {
            for line in chain.lines() {
                bundle.bytes.extend_from_slice(line.bytes());
                bundle.bytes.push(b'\n');
                bundle.count += 1;
            }
            if let Some(head) = chain.head() {
                bundle.heads.insert(chain.name().into(), (head.link.seq, head.hash()));
            }
        }
        bundle
    }

    /// What the record that ends this bundle says.
    pub fn exported(&self) -> Exported {
        Exported { count: self.count, bundle: Hash::of(&self.bytes), heads: self.heads.clone() }
    }

    /// The bundle without a record of the export.
    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The bundle ended by the record of its export.
    ///
    /// # Errors
    /// [`NotOfThisBundle`], where that record is of another event or another bundle.
    pub fn end(mut self, record: &Record) -> Result<Vec<u8>, NotOfThisBundle> {
        match &record.event {
            Event::Exported(facts) if *facts == self.exported() => {
                self.bytes.extend_from_slice(record.bytes());
                self.bytes.push(b'\n');
                Ok(self.bytes)
            }
            _ => Err(NotOfThisBundle { seq: record.link.seq }),
        }
    }
}

/// The record does not say what this bundle holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} does not end this bundle")]
pub struct NotOfThisBundle {
    /// Its place in its chain.
    pub seq: u64,
}

/// A bundle taken apart: journal files again, each to be read as a [`Chain`].
#[derive(Debug)]
pub struct Unbundled {
    /// The lines of each chain, in the order of the bundle, by chain name.
    pub journals: BTreeMap<String, Vec<u8>>,
    /// Lines that cannot be read as records, so that no chain can be named for them.
    pub strays: Vec<Stray>,
    /// How the bundle ends.
    pub end: End,
}

/// A line that is no record.
#[derive(Debug)]
pub struct Stray {
    /// Which line of the bundle, from 1.
    pub line: usize,
    /// Its bytes.
    pub bytes: Box<[u8]>,
    /// Why it is none.
    pub why: RecordError,
}

/// How a bundle ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With the record of its export, which fits what is before it. Only its chain tells whether it is rightly signed.
    Whole(Record),
    /// With the record of an export, but of other bytes: lines were added, changed or taken out.
    Other(Record),
    /// In the middle of a line: it was cut.
    Cut,
    /// With anything else: it was cut at a line, or written without a key at hand.
    Open,
}

/// Takes a bundle apart. Never fails; a line that is no record stands in `strays`.
pub fn unbundle(bytes: &[u8]) -> Unbundled {
    let mut unbundled = Unbundled { journals: BTreeMap::new(), strays: vec![], end: End::Open };
    let mut start = 0;
    let mut last = None;
    for (index, feed) in memchr::memchr_iter(b'\n', bytes).enumerate() {
        let line = &bytes[start..feed];
        last = match Record::parse(line) {
            Ok(record) => {
                let journal = unbundled.journals.entry(record.chain_name()).or_default();
                journal.extend_from_slice(&bytes[start..=feed]);
                Some((record, index as u64, start))
            }
            Err(why) => {
                unbundled.strays.push(Stray { line: index + 1, bytes: line.into(), why });
                None
            }
        };
        start = feed + 1;
    }
    if start < bytes.len() {
        unbundled.end = End::Cut;
    } else if let Some((record, count, start)) = last
        && let Event::Exported(facts) = &record.event
    {
        let fits = facts.count == count && facts.bundle == Hash::of(&bytes[..start]);
        unbundled.end = if fits { End::Whole(record) } else { End::Other(record) };
    }
    unbundled
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::chain::Depth;
    use crate::record::sample::{self, Writer};

    fn chain(writer: &Writer) -> Chain {
        Chain::read(&writer.name(), &writer.journal(), Depth::Links)
    }

    /// Two chains, the bundle of them, and that ended by the first one's record of the export.
    fn two() -> (Writer, Writer, Vec<u8>) {
        let (mut one, mut two) = (Writer::founder(1), Writer::founder(2));
        one.open(3);
        two.open(1);
        let bundle = Bundle::of([&chain(&two), &chain(&one)]);
        assert_eq!(bundle.clone().into_bytes(), [one.journal(), two.journal()].concat());
        let record = one.write(Event::Exported(bundle.exported()));
        let bytes = bundle.end(&record).unwrap();
        (one, two, bytes)
    }

    #[test]
    fn a_bundle_comes_apart_into_the_journals_it_was_made_of() {
        let (one, two, bytes) = two();
        let unbundled = unbundle(&bytes);
        let journals = BTreeMap::from([(one.name(), one.journal()), (two.name(), two.journal())]);
        assert_eq!(unbundled.journals, journals);
        assert!(unbundled.strays.is_empty());
        assert_eq!(unbundled.end, End::Whole(one.records[5].clone()));
        let Event::Exported(facts) = &one.records[5].event else { panic!() };
        assert_eq!(facts.count, 8);
        assert_eq!(facts.heads[&two.name()], (2, two.records[2].hash()));
        assert_eq!(facts.heads[&one.name()], (4, one.records[4].hash()));
    }

    #[test]
    fn every_cut_and_every_missing_line_shows() {
        let (_, _, bytes) = two();
        for end in 0..bytes.len() {
            let found = unbundle(&bytes[..end]).end;
            let at_a_line = end == 0 || bytes[end - 1] == b'\n';
            assert_eq!(found, if at_a_line { End::Open } else { End::Cut });
        }
        let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
        for missing in 0..lines.len() - 1 {
            let rest: Vec<u8> = lines
                .iter()
                .enumerate()
                .filter(|(at, _)| *at != missing)
                .flat_map(|(_, line)| line.to_vec())
                .collect();
            assert!(matches!(unbundle(&rest).end, End::Other(_)));
        }
        let swapped = [lines[1], lines[0], &lines[2..].concat()].concat();
        assert!(matches!(unbundle(&swapped).end, End::Other(_)));
    }

    #[test]
    fn another_record_does_not_end_it() {
        let (mut one, two, _) = two();
        let bundle = Bundle::of([&chain(&two)]);
        bundle.clone().end(&one.records[5]).unwrap_err();
        let opening = one.write(sample::intent());
        assert_eq!(bundle.end(&opening).unwrap_err().to_string(), "record 6 does not end this bundle");
    }

    #[test]
    fn damaged_lines_travel_too() {
        let (one, _, _) = two();
        let mut journal = one.journal();
        let second = journal.iter().position(|byte| *byte == b'\n').unwrap() + 1;
        journal.splice(second..second, *b"scratched\n");
        let chain = Chain::read(&one.name(), &journal, Depth::Links);
        chain.check().unwrap_err();
        let bytes = Bundle::of([&chain]).into_bytes();
        assert_eq!(bytes, journal);
        let unbundled = unbundle(&bytes);
        assert_eq!((unbundled.strays[0].line, &*unbundled.strays[0].bytes), (2, b"scratched".as_slice()));
        assert_eq!(unbundled.journals[&one.name()], one.journal());
    }

    proptest::proptest! {
        #[test]
        fn random_bytes_are_strays(bytes: Vec<u8>) {
            let unbundled = unbundle(&bytes);
            proptest::prop_assert!(unbundled.journals.is_empty());
            proptest::prop_assert_eq!(unbundled.strays.len(), bytes.iter().filter(|byte| **byte == b'\n').count());
        }
    }
}
