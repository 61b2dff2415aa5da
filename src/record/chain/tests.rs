use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use p256::ecdsa::Signature;
use p256::ecdsa::signature::hazmat::PrehashSigner;
use proptest::prelude::*;

use super::*;
use crate::record::event::EVENT_BASE;
use crate::record::hash::Hash;
use crate::record::sample::{self, Writer, journal};

const BOTH: [Depth; 2] = [Depth::Links, Depth::Every];

/// A founder with so many records in all.
fn writer(records: usize) -> Writer {
    let mut writer = Writer::founder(1);
    writer.open(records - 2);
    writer
}

/// The lines of a journal, without line feeds.
fn lines_of(writer: &Writer) -> Vec<Vec<u8>> {
    writer.records.iter().map(|record| record.bytes().to_vec()).collect()
}

fn file(lines: &[Vec<u8>]) -> Vec<u8> {
    lines.iter().flat_map(|line| [line.as_slice(), b"\n"].concat()).collect()
}

/// What both depths say of this file; it must be the same.
fn said(writer: &Writer, file: &[u8]) -> String {
    let [links, every] = BOTH.map(|depth| match Chain::read(&writer.name(), file, depth).check() {
        Ok(()) => "intact".into(),
        Err(damage) => damage.to_string(),
    });
    assert_eq!(links, every);
    links.trim_start_matches(&format!("journal {}: ", writer.name())).into()
}

/// Another character of base64url in this place, so that the line keeps its form.
fn change(line: &mut [u8], at: usize) {
    assert_ne!(line[at], b'.');
    line[at] = if line[at] == b'A' { b'B' } else { b'A' };
}

#[test]
fn an_intact_chain() {
    let writer = writer(18);
    for depth in BOTH {
        let chain = Chain::read(&writer.name(), &writer.journal(), depth);
        chain.check().unwrap();
        assert!(chain.records().eq(writer.records.iter()));
        assert_eq!(chain.head(), writer.records.last());
        assert_eq!(chain.key(), Some(&writer.verifying_key()));
        assert_eq!(chain.name(), writer.name());
        assert!(matches!(chain.tail(), Tail::None) && chain.breaks().is_empty());
    }
}

#[test]
fn an_empty_file_is_an_empty_chain() {
    for depth in BOTH {
        let chain = Chain::read("1-00000000", b"", depth);
        chain.check().unwrap();
        assert!(chain.head().is_none() && chain.key().is_none() && chain.lines().is_empty());
    }
}

#[test]
fn a_changed_line_is_blamed_and_no_other() {
    let writer = writer(18);
    let mut lines = lines_of(&writer);
    let half = lines[13].len() / 2;
    change(&mut lines[13], half);
    assert_eq!(
        said(&writer, &file(&lines)),
        "line 14 was changed after it was signed; lines 1 to 13 and 15 to 18 are intact"
    );
    change(&mut lines[14], half);
    change(&mut lines[17], half);
    assert_eq!(
        said(&writer, &file(&lines)),
        "lines 14 to 15 were changed after they were signed; line 18 was changed after it was signed; \
         lines 1 to 13 and 16 to 17 are intact"
    );
}

#[test]
fn whoever_mends_the_links_after_a_change_changes_those_lines_too() {
    let writer = writer(6);
    let mut lines = lines_of(&writer);
    let mut prev = writer.records[2].hash();
    for (line, record) in lines.iter_mut().zip(&writer.records).skip(3) {
        let mut draft = (**record).clone();
        (draft.iat, draft.link.prev) = (draft.iat + 1, Some(prev));
        // The forger has no key: the signature stays that of the record as it was.
        let forged = draft.signing_input().unwrap().finish(record.signature());
        prev = forged.hash();
        *line = forged.bytes().to_vec();
    }
    assert_eq!(
        said(&writer, &file(&lines)),
        "lines 4 to 6 were changed after they were signed; lines 1 to 3 are intact"
    );
}

#[test]
fn a_missing_line_is_a_gap() {
    let writer = writer(9);
    let without = |range: std::ops::Range<usize>| {
        let mut lines = lines_of(&writer);
        lines.drain(range);
        said(&writer, &file(&lines))
    };
    assert_eq!(without(4..5), "record 4 is missing before line 5; lines 1 to 8 are intact");
    assert_eq!(without(4..7), "records 4 to 6 are missing before line 5; lines 1 to 6 are intact");
    assert_eq!(without(8..9), "intact", "no file shows that its end was cut off");
    assert_eq!(
        without(0..1),
        "lines 1 to 8 cannot be checked without the enrolment of the key; no line is intact"
    );
    let chain = Chain::read(&writer.name(), &journal(&writer.records[1..]), Depth::Links);
    assert_eq!(chain.check().unwrap_err().severity, Severity::CannotCheck);
    let mut lines = lines_of(&writer);
    lines.drain(4..6);
    let half = lines[4].len() / 2;
    change(&mut lines[4], half);
    assert_eq!(
        said(&writer, &file(&lines)),
        "line 5 was changed after it was signed; 2 of the records 4 to 6 are missing before line 6; \
         lines 1 to 4 and 6 to 7 are intact"
    );
}

#[test]
fn repeated_and_misplaced_lines() {
    let writer = writer(9);
    let mut lines = lines_of(&writer);
    lines.insert(6, lines[2].clone());
    assert_eq!(
        said(&writer, &file(&lines)),
        "line 7 is the same as line 3; lines 1 to 6 and 8 to 10 are intact"
    );
    let mut lines = lines_of(&writer);
    lines.swap(5, 6);
    assert_eq!(
        said(&writer, &file(&lines)),
        "line 6 is out of order, as record 6 of the chain; lines 1 to 5 and 7 to 9 are intact"
    );
    let mut lines = lines_of(&writer);
    let last = lines.pop().unwrap();
    lines.insert(0, last);
    assert_eq!(
        said(&writer, &file(&lines)),
        "line 1 is out of order, as record 8 of the chain; lines 2 to 9 are intact"
    );
    let mut lines = lines_of(&writer);
    let first = lines.remove(0);
    lines.push(first);
    assert_eq!(
        said(&writer, &file(&lines)),
        "line 9 is out of order, as record 0 of the chain; lines 1 to 8 are intact"
    );
}

#[test]
fn lines_that_never_belonged_here() {
    let writer = writer(5);
    let mut other = Writer::founder(2);
    other.open(1);
    let mut lines = lines_of(&writer);
    lines.insert(3, other.records[2].bytes().to_vec());
    assert_eq!(
        said(&writer, &file(&lines)),
        format!("line 4 is of another chain, {}; lines 1 to 3 and 5 to 6 are intact", other.name())
    );
    lines[3] = vec![];
    assert_eq!(
        said(&writer, &file(&lines)),
        "line 4 has not the form of a record: not the three parts of a compact JWS, but 1; \
         lines 1 to 3 and 5 to 6 are intact"
    );
    lines[3] = b"hello\r".to_vec();
    assert!(said(&writer, &file(&lines)).starts_with("line 4 has not the form of a record"));
    let damage = Chain::read(&writer.name(), &file(&lines), Depth::Links).check().unwrap_err();
    assert_eq!((damage.lines, damage.severity), (vec![4], Severity::Wrong));
}

#[test]
fn damage_is_kept() {
    let writer = writer(5);
    let mut lines = lines_of(&writer);
    lines[2] = b"\xFF.\0.scratched".to_vec();
    let half = lines[3].len() / 2;
    change(&mut lines[3], half);
    let bytes = file(&lines);
    let chain = Chain::read(&writer.name(), &bytes, Depth::Links);
    let again: Vec<u8> = chain.lines().iter().flat_map(|line| [line.bytes(), b"\n"].concat()).collect();
    assert_eq!(again, bytes);
}

#[test]
fn a_fork_in_one_file_and_between_two() {
    let mut one = writer(5);
    let mut two = writer(5);
    two.kit = one.kit;
    one.open(2);
    two.write(sample::every_event().remove(4));
    two.open(3);
    let mut lines = lines_of(&one);
    lines.insert(5, two.records[5].bytes().to_vec());
    assert_eq!(
        said(&one, &file(&lines)),
        "line 6 and line 7 are both signed as record 5; lines 1 to 5 and 7 to 8 are intact"
    );
    lines.swap(5, 6);
    let text = said(&one, &file(&lines));
    assert!(text.starts_with("line 6 and line 7 are both signed as record 5"), "{text}");
    // A branch continued from the other side's record.
    let mut lines = lines_of(&one);
    lines[5] = two.records[5].bytes().to_vec();
    assert_eq!(
        said(&one, &file(&lines)),
        "line 7 follows another record 5 than the one before it; lines 1 to 7 are intact"
    );

    let read = |writer: &Writer, records| {
        Chain::read(&writer.name(), &journal(&writer.records[..records]), Depth::Links)
    };
    assert_eq!(read(&one, 7).compare(&read(&two, 9)), Relation::Fork { at_seq: 5 });
    assert_eq!(read(&one, 5).compare(&read(&two, 5)), Relation::Equal);
    assert_eq!(read(&one, 7).compare(&read(&one, 4)), Relation::Longer(3));
    assert_eq!(read(&one, 5).compare(&read(&two, 9)), Relation::Shorter(4));
    assert_eq!(read(&one, 0).compare(&read(&one, 1)), Relation::Shorter(1));
    assert_eq!(read(&one, 3).compare(&read(&Writer::founder(2), 2)), Relation::Fork { at_seq: 0 });
    let mut damaged = lines_of(&one);
    damaged[3][300] ^= 1;
    let damaged = Chain::read(&one.name(), &file(&damaged), Depth::Links);
    assert_eq!(read(&one, 6).compare(&damaged), Relation::Shorter(1));
}

/// A signature that is well formed and of another key.
fn unsigned(writer: &mut Writer, event: Event) {
    let stranger = Writer::new(9);
    let input = writer.draft(event).signing_input().unwrap();
    let signature: Signature = stranger.key.sign_prehash(&input.digest()).unwrap();
    writer.records.push(input.finish(&signature));
}

#[test]
fn a_record_never_signed_is_found_by_every_signature_or_where_it_says_what_the_kit_is() {
    let mut opening = writer(4);
    unsigned(&mut opening, sample::intent());
    opening.open(2);
    let read = |writer: &Writer, depth| Chain::read(&writer.name(), &writer.journal(), depth);
    read(&opening, Depth::Links).check().unwrap();
    let damage = read(&opening, Depth::Every).check().unwrap_err().to_string();
    assert!(
        damage
            .ends_with("line 5 has a signature that never was the key's; lines 1 to 4 and 6 to 7 are intact"),
        "{damage}"
    );
    let mut sealing = writer(4);
    unsigned(&mut sealing, sample::every_event().remove(5));
    sealing.open(2);
    assert_eq!(
        said(&sealing, &sealing.journal()),
        "line 5 has a signature that never was the key's; lines 1 to 4 and 6 to 7 are intact"
    );
    let mut head = writer(4);
    unsigned(&mut head, sample::intent());
    assert_eq!(
        said(&head, &head.journal()),
        "line 5 was changed after it was signed; lines 1 to 4 are intact"
    );
}

#[test]
fn a_record_of_a_newer_version_is_not_an_accusation() {
    let mut writer = writer(5);
    let parts: Vec<String> =
        std::str::from_utf8(writer.records[3].bytes()).unwrap().split('.').map(String::from).collect();
    let payload = String::from_utf8(URL_SAFE_NO_PAD.decode(&parts[1]).unwrap()).unwrap();
    let newer = payload.replacen("v1/open.intent", "v1/open.closed", 1);
    let input = format!("{}.{}", parts[0], URL_SAFE_NO_PAD.encode(newer));
    let signature: Signature = writer.key.sign_prehash(&Hash::of(input.as_bytes()).0).unwrap();
    let line = format!("{input}.{}", URL_SAFE_NO_PAD.encode(signature.normalize_s().to_bytes()));
    writer.records.truncate(3);
    let mut lines = lines_of(&writer);
    lines.push(line.clone().into_bytes());
    // The newer version went on from its record.
    let mut draft = writer.draft(sample::intent());
    (draft.link.seq, draft.link.prev) = (4, Some(Hash::of(line.as_bytes())));
    lines.push(writer.sign(draft).bytes().to_vec());
    assert_eq!(
        said(&writer, &file(&lines)),
        format!(
            "line 4 was signed by the key but cannot be read: event \"{EVENT_BASE}open.closed\" is not known to this \
             version: a newer one is needed; lines 1 to 3 and 5 are intact"
        )
    );
    let damage = Chain::read(&writer.name(), &file(&lines), Depth::Links).check().unwrap_err();
    assert_eq!(damage.severity, Severity::CannotRead);
}

#[test]
fn a_file_under_another_name() {
    let writer = writer(3);
    for depth in BOTH {
        let chain = Chain::read("20000002-0a1b2c3d", &writer.journal(), depth);
        assert_eq!(
            chain.check().unwrap_err().to_string(),
            format!(
                "journal 20000002-0a1b2c3d: the file holds the records of {}; lines 1 to 3 are intact",
                writer.name()
            )
        );
    }
}

#[test]
fn of_two_enrolments_the_one_that_fits_the_name_counts() {
    let (mine, other) = (writer(3), Writer::founder(2));
    let both = [other.journal(), mine.journal()].concat();
    assert_eq!(
        said(&mine, &both),
        format!("lines 1 to 2 are of another chain, {}; lines 3 to 5 are intact", other.name())
    );
}

#[test]
fn another_enrolment_does_not_take_over_a_chain_that_lost_its_own() {
    let (mine, other) = (writer(4), Writer::founder(2));
    let file = [other.journal(), journal(&mine.records[1..])].concat();
    assert_eq!(
        said(&mine, &file),
        "lines 1 to 5 cannot be checked without the enrolment of the key; no line is intact"
    );
}

#[test]
fn a_torn_tail_is_kept_aside() {
    let writer = writer(5);
    let whole = writer.journal();
    let before = journal(&writer.records[..4]);
    for end in before.len() + 1..whole.len() {
        let chain = Chain::read(&writer.name(), &whole[..end], Depth::Links);
        chain.check().unwrap();
        assert_eq!(chain.head(), Some(&writer.records[3]));
        match chain.tail() {
            Tail::Complete(record) => assert_eq!((record, end), (&writer.records[4], whole.len() - 1)),
            Tail::Torn(bytes) => assert_eq!(&**bytes, &whole[before.len()..end]),
            Tail::None => panic!("{end}"),
        }
    }
    let torn = |bytes: Vec<u8>| match Chain::read(&writer.name(), &bytes, Depth::Links).tail() {
        Tail::Torn(_) => (),
        tail => panic!("{tail:?}"),
    };
    let other = Writer::founder(2);
    torn([before.as_slice(), other.records[1].bytes()].concat());
    torn([before.as_slice(), writer.records[3].bytes()].concat());
    torn([&journal(&writer.records[..3]), writer.records[4].bytes()].concat());
    let mut unsigned_next = Writer { records: writer.records[..4].to_vec(), ..Writer::founder(1) };
    unsigned(&mut unsigned_next, sample::intent());
    torn([before.as_slice(), unsigned_next.records[4].bytes()].concat());
}

#[test]
fn the_first_line_of_all_may_lack_its_line_feed() {
    let writer = Writer::founder(1);
    let first = writer.records[0].bytes();
    assert!(matches!(Chain::read(&writer.name(), first, Depth::Links).tail(), Tail::Complete(_)));
    assert!(matches!(Chain::read("1-00000000", first, Depth::Links).tail(), Tail::Torn(_)));
    let cut = &first[..first.len() - 1];
    assert!(matches!(Chain::read(&writer.name(), cut, Depth::Links).tail(), Tail::Torn(_)));
}

#[test]
fn a_long_list_of_faults_is_cut() {
    let writer = writer(60);
    let mut lines = lines_of(&writer);
    for line in lines.iter_mut().skip(2).step_by(2) {
        change(line, 200);
    }
    let text = said(&writer, &file(&lines));
    assert!(text.ends_with("; and 17 more; 31 other lines are intact"), "{text}");
    assert!(text.len() < 1_000);
}

/// An edit of a file by lines.
#[derive(Debug, Clone)]
enum Edit {
    Change(prop::sample::Index, prop::sample::Index),
    Remove(prop::sample::Index),
    Repeat(prop::sample::Index, prop::sample::Index),
    Swap(prop::sample::Index, prop::sample::Index),
    Foreign(prop::sample::Index),
    Garbage(prop::sample::Index, Vec<u8>),
}

fn edits() -> impl Strategy<Value = Vec<Edit>> {
    let index = any::<prop::sample::Index>;
    let edit = prop_oneof![
        (index(), index()).prop_map(|(line, at)| Edit::Change(line, at)),
        index().prop_map(Edit::Remove),
        (index(), index()).prop_map(|(line, to)| Edit::Repeat(line, to)),
        (index(), index()).prop_map(|(one, two)| Edit::Swap(one, two)),
        index().prop_map(Edit::Foreign),
        (index(), any::<Vec<u8>>()).prop_map(|(line, bytes)| Edit::Garbage(line, bytes)),
    ];
    prop::collection::vec(edit, 1..5)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn one_changed_byte_blames_one_line(line in 1usize..12, at: prop::sample::Index, byte: u8) {
        let writer = writer(12);
        let mut lines = lines_of(&writer);
        let at = at.index(lines[line].len());
        prop_assume!(lines[line][at] != byte && byte != b'\n');
        lines[line][at] = byte;
        for depth in BOTH {
            let chain = Chain::read(&writer.name(), &file(&lines), depth);
            prop_assert_eq!(chain.check().unwrap_err().lines, vec![line + 1]);
            prop_assert!(chain.breaks().is_empty());
        }
    }

    #[test]
    fn after_any_edits_what_is_called_intact_is_what_was_signed(edits in edits()) {
        let writer = writer(8);
        let mut lines = lines_of(&writer);
        for edit in edits {
            let count = lines.len();
            if count == 0 {
                break;
            }
            match edit {
                Edit::Change(line, at) => {
                    let line = &mut lines[line.index(count)];
                    if !line.is_empty() {
                        let at = at.index(line.len());
                        line[at] = if line[at] == b'A' { b'B' } else { b'A' };
                    }
                }
                Edit::Remove(line) => drop(lines.remove(line.index(count))),
                Edit::Repeat(line, to) => lines.insert(to.index(count), lines[line.index(count)].clone()),
                Edit::Swap(one, two) => lines.swap(one.index(count), two.index(count)),
                Edit::Foreign(line) => {
                    lines.insert(line.index(count), Writer::founder(2).records[1].bytes().to_vec());
                }
                Edit::Garbage(line, bytes) => {
                    lines.insert(line.index(count), bytes.into_iter().filter(|byte| *byte != b'\n').collect());
                }
            }
        }
        let bytes = file(&lines);
        let text = said(&writer, &bytes); // the same at both depths
        let chain = Chain::read(&writer.name(), &bytes, Depth::Links);
        let seqs: Vec<u64> = chain.records().map(|record| record.link.seq).collect();
        prop_assert!(seqs.is_sorted_by(|a, b| a < b));
        prop_assert!(chain.records().all(|record| writer.records.contains(record)));
        let as_signed = writer.journal().starts_with(&bytes);
        prop_assert_eq!(text == "intact", as_signed, "{}", text);
    }

    #[test]
    fn random_bytes_never_panic(bytes: Vec<u8>, name in "\\PC{0,20}") {
        let chain = Chain::read(&name, &bytes, Depth::Links);
        prop_assert_eq!(chain.head(), None);
        prop_assert_eq!(chain.check().is_err(), !chain.lines().is_empty());
    }
}
