//! The chain head that a key carries, and how it and the journal are brought together.
//!
//! Crash recovery, not tamper evidence: whoever has key and PIN can rewrite it. Two objects are written in turn, so
//! that a torn write leaves the other. Layout in `doc/kit-format.md`, section "Head on the key".

use p256::ecdsa::VerifyingKey;

use crate::record::event::Event;
use crate::record::hash::Hash;
use crate::record::token::Record;

const MAGIC: &[u8; 4] = b"BGH1";

/// Longest record that is kept whole, in bytes; of longer ones only the hash.
pub const WHOLE: usize = 2_700;

/// What a key says its last record is.
#[derive(Debug, Clone)]
pub struct Head {
    /// Kit id; all zero before the key belongs to a kit.
    pub kit: Hash,
    /// Sequence number of the record.
    pub seq: u64,
    /// SHA-256 of the record's bytes.
    pub hash: Hash,
    /// The record itself, signature checked, where it fitted.
    pub record: Option<Box<Record>>,
}

/// The object that says `record` is the last one: magic, kit id (32), seq (8, big endian), then `R` and the record's
/// bytes or `H` and its hash (32). The founding record makes the kit that it is the head of.
pub fn encode(kit: Option<&Hash>, record: &Record) -> Vec<u8> {
    let kit = match record.event {
        Event::KitFounded(_) => record.hash(),
        _ => kit.copied().unwrap_or(Hash([0; 32])),
    };
    let mut object = Vec::with_capacity(45 + record.bytes().len().min(WHOLE));
    object.extend_from_slice(MAGIC);
    object.extend_from_slice(&kit.0);
    object.extend_from_slice(&record.link.seq.to_be_bytes());
    if record.bytes().len() <= WHOLE {
        object.push(b'R');
        object.extend_from_slice(record.bytes());
    } else {
        object.push(b'H');
        object.extend_from_slice(&record.hash().0);
    }
    object
}

/// Which of the two objects takes the head with this sequence number.
pub fn place(seq: u64) -> usize {
    (seq % 2) as usize
}

/// Reads one object; `None` if it is no head, or a record that does not verify under `key` or is not what it claims.
pub fn decode(object: &[u8], key: &VerifyingKey) -> Option<Head> {
    let (magic, rest) = object.split_first_chunk::<4>()?;
    let (kit, rest) = rest.split_first_chunk::<32>()?;
    let (seq, rest) = rest.split_first_chunk::<8>()?;
    let (kind, content) = rest.split_first()?;
    if magic != MAGIC {
        return None;
    }
    let (kit, seq) = (Hash(*kit), u64::from_be_bytes(*seq));
    match kind {
        // Nothing vouches for a bare hash. Only an enrolment, the first of its chain, is too long to be kept whole; a
        // higher one would only claim records that nobody has.
        b'H' if seq == 0 => Some(Head { kit, seq, hash: Hash(content.try_into().ok()?), record: None }),
        b'R' => {
            let record = Record::parse(content).ok()?;
            record.verify(key).ok()?;
            (record.link.seq == seq).then(|| Head {
                kit,
                seq,
                hash: record.hash(),
                record: Some(Box::new(record)),
            })
        }
        _ => None,
    }
}

/// The higher of the two heads that are in order.
pub fn highest(objects: &[Option<Vec<u8>>; 2], key: &VerifyingKey) -> Option<Head> {
    objects.iter().flatten().filter_map(|object| decode(object, key)).max_by_key(|head| head.seq)
}

/// How a key's head and the journal's chain of that key stand to each other.
#[derive(Debug, Clone)]
pub enum Standing {
    /// Both end at the same record.
    Agree,
    /// The key has no head: new, or its objects were wiped.
    NoHead,
    /// The journal holds the head and goes on: the last write to the key was cut short.
    JournalAhead,
    /// The key is one ahead and carries the record whole: it can be put back into the journal.
    Restorable(Box<Record>),
    /// The key has seen records that the journal lacks.
    Gap {
        /// First record that the journal lacks.
        from: u64,
        /// Last record that the key has seen.
        to: u64,
    },
    /// The journal holds another record where the key's head stands.
    Fork {
        /// Sequence number of both.
        seq: u64,
    },
    /// The head belongs to another kit.
    OtherKit(Hash),
}

/// Compares. `last` is the journal's last record of that key, `at` its record with a given sequence number.
pub fn compare(
    kit: Option<&Hash>,
    head: Option<&Head>,
    last: Option<u64>,
    at: &dyn Fn(u64) -> Option<Hash>,
) -> Standing {
    let Some(head) = head else { return Standing::NoHead };
    if head.kit != Hash([0; 32]) && kit.is_some_and(|kit| *kit != head.kit) {
        return Standing::OtherKit(head.kit);
    }
    let next = last.map_or(0, |seq| seq + 1);
    if head.seq >= next {
        let follows = |record: &Record| record.link.prev == next.checked_sub(1).and_then(at);
        return match &head.record {
            Some(record) if head.seq == next && follows(record) => Standing::Restorable(record.clone()),
            Some(record) if head.seq == next && !follows(record) => {
                Standing::Fork { seq: next.saturating_sub(1) }
            }
            _ => Standing::Gap { from: next, to: head.seq },
        };
    }
    match at(head.seq) {
        Some(hash) if hash != head.hash => Standing::Fork { seq: head.seq },
        _ if head.seq + 1 == next => Standing::Agree,
        _ => Standing::JournalAhead,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::sample::{Writer, intent};

    fn writer() -> Writer {
        let mut writer = Writer::founder(1);
        writer.open(4);
        writer
    }

    fn object(writer: &Writer, seq: usize) -> Option<Vec<u8>> {
        Some(encode(writer.kit.as_ref(), &writer.records[seq]))
    }

    fn stand(writer: &Writer, journal: usize, head: Option<usize>) -> Standing {
        let key = writer.verifying_key();
        let objects = [head.and_then(|seq| object(writer, seq)), None];
        let head = highest(&objects, &key);
        let at = |seq: u64| writer.records[..journal].get(seq as usize).map(Record::hash);
        compare(writer.kit.as_ref(), head.as_ref(), (journal as u64).checked_sub(1), &at)
    }

    #[test]
    fn every_way_that_journal_and_key_can_stand() {
        let writer = writer();
        assert!(matches!(stand(&writer, 4, Some(3)), Standing::Agree));
        assert!(matches!(stand(&writer, 4, None), Standing::NoHead));
        assert!(matches!(stand(&writer, 5, Some(3)), Standing::JournalAhead));
        assert!(matches!(stand(&writer, 3, Some(3)), Standing::Restorable(r) if r.link.seq == 3));
        assert!(matches!(stand(&writer, 2, Some(3)), Standing::Gap { from: 2, to: 3 }));
        let mut other = Writer::founder(1);
        other.write(intent());
        other.kit = Some(Hash([9; 32]));
        let head = highest(&[object(&other, 2), None], &other.verifying_key());
        let standing = compare(writer.kit.as_ref(), head.as_ref(), Some(3), &|_| None);
        assert!(matches!(standing, Standing::OtherKit(kit) if kit == Hash([9; 32])));
    }

    #[test]
    fn the_founder_knows_its_kit_from_the_founding_on() {
        let writer = writer();
        let founding = writer.records.iter().find(|record| matches!(record.event, Event::KitFounded(_)));
        let head = decode(&encode(None, founding.expect("a founder")), &writer.verifying_key());
        assert_eq!(Some(head.expect("a head").kit), writer.kit);
    }

    #[test]
    fn another_record_at_the_same_place_is_a_fork() {
        let writer = writer();
        let mut branch = Writer::founder(1);
        branch.seen.insert("20000009-00000000".into(), (1, Hash([1; 32])));
        branch.open(4);
        let key = writer.verifying_key();
        let at = |seq: u64| writer.records.get(seq as usize).map(Record::hash);
        for (seq, fork) in [(3, 3), (5, 5)] {
            let head = highest(&[object(&branch, seq), None], &key);
            let standing = compare(writer.kit.as_ref(), head.as_ref(), Some(5), &at);
            assert!(matches!(standing, Standing::Fork { seq } if seq == fork), "{standing:?}");
        }
        // One ahead, but not on top of ours.
        let head = highest(&[object(&branch, 5), None], &key);
        let standing = compare(writer.kit.as_ref(), head.as_ref(), Some(4), &at);
        assert!(matches!(standing, Standing::Fork { seq: 4 }), "{standing:?}");
    }

    #[test]
    fn the_higher_of_two_good_objects_counts_and_a_torn_one_does_not() {
        let writer = writer();
        let key = writer.verifying_key();
        let torn = object(&writer, 5).map(|mut bytes| {
            bytes.truncate(400);
            bytes
        });
        assert_eq!(highest(&[object(&writer, 4), object(&writer, 5)], &key).unwrap().seq, 5);
        assert_eq!(highest(&[object(&writer, 4), torn], &key).unwrap().seq, 4);
        assert!(highest(&[None, None], &key).is_none());
        // An enrolment does not fit and stands by its hash.
        let long = decode(&encode(None, &writer.records[0]), &key).unwrap();
        assert_eq!(long.hash, writer.records[0].hash());
    }

    #[test]
    fn bytes_of_anyone_else_are_no_head() {
        let writer = writer();
        let good = object(&writer, 4).unwrap();
        assert!(decode(&good, &Writer::new(2).verifying_key()).is_none());
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1;
            let read = decode(&bad, &writer.verifying_key());
            // The kit id is compared elsewhere; all else is covered by form or signature.
            assert!(read.is_none() || (4..36).contains(&at), "byte {at}");
        }
    }

    #[test]
    fn a_bare_hash_claims_no_record_after_the_enrolment() {
        let writer = writer();
        let key = writer.verifying_key();
        let mut claim = encode(writer.kit.as_ref(), &writer.records[0]);
        assert_eq!(highest(&[Some(claim.clone()), None], &key).unwrap().seq, 0);
        for seq in [1, 6, 1 << 53, u64::MAX] {
            claim[36..44].copy_from_slice(&seq.to_be_bytes());
            assert!(decode(&claim, &key).is_none(), "{seq}");
            assert_eq!(highest(&[Some(claim.clone()), object(&writer, 5)], &key).unwrap().seq, 5);
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_or_not(bytes: Vec<u8>) {
            let _ = decode(&bytes, &Writer::new(1).verifying_key());
        }
    }
}
