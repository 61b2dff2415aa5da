use std::ops::ControlFlow;

use super::*;
use crate::audit::ledger::sqlite::Sqlite;
use crate::audit::ledger::{Evidence, Held, Which};
use crate::record::bundle::Bundle;
use crate::record::chain::{Chain, Depth};
use crate::record::hash::Hash;
use crate::record::sample::{NOON, Writer};

fn take(ledger: &mut dyn Ledger, bytes: &[u8]) -> Imported {
    import(ledger, "test", &mut &bytes[..], NOON, &mut |_, _| {}).expect("imports")
}

fn held(ledger: &mut dyn Evidence, kit: &Hash) -> Vec<Held> {
    let mut held = Vec::new();
    ledger
        .records(kit, Which::All, &mut |one| {
            held.push(one);
            ControlFlow::Continue(())
        })
        .expect("reads");
    held
}

/// Two keys of one kit, and a bundle of both, ended by the first.
fn bundle() -> (Hash, Vec<u8>) {
    let mut founder = Writer::founder(1);
    let kit = founder.kit.expect("founded");
    founder.open(3);
    let mut other = Writer::new(2);
    let enrolment = other.enrolment();
    other.write(enrolment);
    other.kit = Some(kit);
    other.open(4);
    let chains = [&founder, &other].map(|one| Chain::read(&one.name(), &one.journal(), Depth::Every));
    let bundle = Bundle::of(&chains);
    let end = founder.write(Event::Exported(bundle.exported()));
    (kit, bundle.end(&end).expect("its end"))
}

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

#[test]
fn a_bundle_comes_in_once_whole_and_verified() {
    let (kit, bytes) = bundle();
    let mut ledger = Sqlite::in_memory();
    let first = take(&mut ledger, &bytes);
    assert_eq!((first.read, first.stored, first.known, first.set_aside), (11, 11, 0, 0));
    assert_eq!((first.bad, first.unverified, first.end), (0, 0, Some(BundleEnd::Whole)));
    let last = lines(&bytes).last().expect("a line").strip_suffix(b"\n").expect("a line feed");
    assert_eq!(first.export, Some(Hash::of(last)));
    let again = take(&mut ledger, &bytes);
    assert_eq!((again.read, again.stored, again.known), (11, 0, 11));
    let held = held(&mut ledger, &kit);
    assert_eq!(held.len(), 11);
    assert!(held.iter().all(|one| one.signature == Signature::Good && one.received == NOON));
    assert_eq!(ledger.imports().expect("reads"), [first, again]);
    assert_eq!(ledger.size().expect("reads"), 11);
}

#[test]
fn the_end_of_a_bundle_is_judged_as_by_the_kit() {
    let (_, bytes) = bundle();
    let mut shorter = lines(&bytes);
    shorter.remove(2);
    let mut open = lines(&bytes);
    open.pop();
    for bytes in [&bytes[..], &bytes[..bytes.len() - 1], &shorter.concat(), &open.concat()] {
        let whole = match crate::record::bundle::unbundle(bytes).end {
            crate::record::bundle::End::Whole(_) => BundleEnd::Whole,
            crate::record::bundle::End::Other(_) => BundleEnd::Other,
            crate::record::bundle::End::Cut => BundleEnd::Cut,
            crate::record::bundle::End::Open => BundleEnd::Open,
        };
        assert_eq!(take(&mut Sqlite::in_memory(), bytes).end, Some(whole));
    }
}

#[test]
fn one_chain_alone_is_a_journal_and_owes_no_end() {
    let mut writer = Writer::founder(1);
    writer.open(3);
    assert_eq!(take(&mut Sqlite::in_memory(), &writer.journal()).end, None);
    let cut = writer.journal();
    let taken = take(&mut Sqlite::in_memory(), &cut[..cut.len() - 30]);
    assert_eq!((taken.end, taken.stored, taken.set_aside), (Some(BundleEnd::Cut), 4, 1));
}

#[test]
fn an_enrolment_that_comes_late_verifies_what_came_before_it() {
    let (kit, bytes) = bundle();
    let mut lines = lines(&bytes);
    lines.reverse(); // both enrolments last of their chains
    let mut forged = lines[1].to_vec();
    let at = forged.len() - 40;
    forged[at] = if forged[at] == b'A' { b'B' } else { b'A' };
    let mut ledger = Sqlite::in_memory();
    let without = [&forged[..], &lines[1..4].concat()].concat();
    assert_eq!(take(&mut ledger, &without).unverified, 4);
    assert!(held(&mut ledger, &kit).iter().all(|one| one.signature == Signature::Unknown));
    take(&mut ledger, &lines.concat());
    let held = held(&mut ledger, &kit);
    let bad = held.iter().filter(|one| one.signature == Signature::Bad).count();
    assert_eq!((held.len(), bad), (12, 1));
    assert!(held.iter().all(|one| one.signature != Signature::Unknown));
}

/// More than a key is prepared after; of the last ones, each second is forged.
#[test]
fn a_forged_one_among_many_of_one_key_is_found() {
    let mut writer = Writer::founder(1);
    writer.open(2 * judge::MANY);
    let (kit, bytes) = (writer.kit.expect("founded"), writer.journal());
    let mut lines: Vec<Vec<u8>> = lines(&bytes).into_iter().map(<[u8]>::to_vec).collect();
    let forge = |line: &mut Vec<u8>| {
        let at = line.len() - 40;
        line[at] = if line[at] == b'A' { b'B' } else { b'A' };
    };
    lines.iter_mut().rev().take(100).step_by(2).for_each(forge);
    let mut ledger = Sqlite::in_memory();
    let taken = take(&mut ledger, &lines.concat());
    assert_eq!((taken.stored, taken.bad, taken.unverified), (lines.len() as u64, 50, 0));
    let verdicts: Vec<Signature> =
        held(&mut ledger, &kit).iter().rev().take(101).map(|one| one.signature).collect();
    let expected = [Signature::Bad, Signature::Good].into_iter().cycle().take(100).chain([Signature::Good]);
    assert_eq!(verdicts, expected.collect::<Vec<_>>());
}

#[test]
fn a_record_that_the_camera_missed_was_not_taken_out_and_one_that_was_changed_is_told_all_the_same() {
    let (_, bytes) = bundle();
    let all = lines(&bytes);
    let taken = |without: &[usize], photographed| {
        let kept = all.iter().enumerate().filter(|(at, _)| !without.contains(at));
        let bytes: Vec<u8> = kept.flat_map(|(_, line)| line.to_vec()).collect();
        let mut ledger = Sqlite::in_memory();
        let (progress, aside) = (&mut |_, _| {}, &mut |_: &SetAside| {});
        let job = Job { source: "test", at: NOON, photographed, threads: None, progress, aside };
        let imported = run(&mut ledger, &mut &bytes[..], job).expect("imports");
        (imported.end, imported.export.is_some())
    };
    assert_eq!(taken(&[], true), (Some(BundleEnd::Whole), true));
    assert_eq!(taken(&[3], true), (Some(BundleEnd::Open), true));
    assert_eq!(taken(&[3], false), (Some(BundleEnd::Other), true));
    assert_eq!(taken(&[all.len() - 1], true), (Some(BundleEnd::Open), false));
    // As many as it counts, and others.
    let mut changed = all.clone();
    changed.swap(2, 3);
    let mut ledger = Sqlite::in_memory();
    let (progress, aside) = (&mut |_, _| {}, &mut |_: &SetAside| {});
    let job = Job { source: "test", at: NOON, photographed: true, threads: None, progress, aside };
    let imported = run(&mut ledger, &mut &changed.concat()[..], job).expect("imports");
    assert_eq!(imported.end, Some(BundleEnd::Other));
}

#[test]
fn what_is_no_record_is_set_aside_with_its_line_and_the_rest_comes_in() {
    let (_, bytes) = bundle();
    let mut all = lines(&bytes).iter().map(|line| line.to_vec()).collect::<Vec<_>>();
    all.insert(3, b"not a record\n".to_vec());
    all.insert(5, b"\n".to_vec());
    all.insert(7, [vec![b'x'; 3 * READ_CAP], b"\n".to_vec()].concat());
    all.push(vec![b'y'; 1_000_000]);
    let mut told = Vec::new();
    let mut ledger = Sqlite::in_memory();
    let job = Job {
        source: "test",
        at: NOON,
        photographed: false,
        threads: std::num::NonZero::new(3),
        progress: &mut |_, _| {},
        aside: &mut |line| told.push(line.clone()),
    };
    let taken = run(&mut ledger, &mut &all.concat()[..], job).expect("imports");
    assert_eq!((taken.read, taken.stored, taken.set_aside), (15, 11, 4));
    assert_eq!(taken.end, Some(BundleEnd::Cut));
    let (mut kept, count) = ledger.set_aside(100).expect("reads");
    kept.reverse();
    assert_eq!((count, &kept), (4, &told));
    let places: Vec<_> = kept.iter().map(|line| (line.line, line.bytes.len())).collect();
    assert_eq!(places, [(4, 12), (6, 0), (8, READ_CAP), (15, READ_CAP)]);
    assert_eq!(kept[2].why, "record of 196608 bytes, more than 65536; its first 65536 bytes are kept");
    assert!(kept.iter().all(|line| !line.unknown_event));
}

#[test]
fn a_record_of_a_newer_version_is_no_damage() {
    use base64::Engine;
    let writer = Writer::founder(1);
    let line = String::from_utf8(writer.records[1].bytes().to_vec()).expect("text");
    let mut parts = line.split('.');
    let (header, payload, signature) = (parts.next(), parts.next(), parts.next());
    let engine = base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let payload = engine.decode(payload.expect("three parts")).expect("base64");
    let payload = String::from_utf8(payload).expect("text").replace("kit.founded", "kit.dissolved");
    let (header, signature) = (header.expect("three parts"), signature.expect("three parts"));
    let newer = format!("{header}.{}.{signature}", engine.encode(payload));
    let mut ledger = Sqlite::in_memory();
    let (fate, why) = super::line(&mut ledger, "here", 9, newer.as_bytes(), NOON).expect("stores");
    assert_eq!(fate, Fate::SetAside);
    assert!(matches!(why, Some(RecordError::UnknownEvent(_))));
    let (lines, _) = ledger.set_aside(1).expect("reads");
    assert!(lines[0].unknown_event && lines[0].line == 9 && lines[0].bytes == newer.as_bytes());
}

#[test]
fn a_single_record_is_verified_by_what_the_ledger_knows() {
    let mut writer = Writer::founder(1);
    writer.open(1);
    let mut ledger = Sqlite::in_memory();
    let mut line =
        |record: &Record| super::line(&mut ledger, "push", 1, record.bytes(), NOON).expect("stores").0;
    assert_eq!(line(&writer.records[2]), Fate::Stored(Signature::Unknown));
    assert_eq!(line(&writer.records[0]), Fate::Stored(Signature::Good));
    assert_eq!(line(&writer.records[1]), Fate::Stored(Signature::Good));
    assert_eq!(line(&writer.records[1]), Fate::Known(Signature::Good));
    let kit = writer.kit.expect("founded");
    assert!(held(&mut ledger, &kit).iter().all(|one| one.signature == Signature::Good));
}

#[test]
fn lines_are_found_wherever_the_pieces_are_cut() {
    let long = [vec![b'z'; 2 * READ_CAP], b"\n".to_vec()].concat();
    for lengths in
        [vec![1usize; 10], vec![70_000; 9], vec![256 * 1024 - 1; 4], vec![256 * 1024, 0, 3, 90_000]]
    {
        let mut bytes = Vec::new();
        for length in &lengths {
            bytes.extend(vec![b'a'; *length]);
            bytes.push(b'\n');
            bytes.extend(&long);
        }
        let mut seen = Vec::new();
        let read = pieces::read(&mut &bytes[..], &mut |piece| {
            assert_eq!(piece.lines_before, seen.len() as u64);
            match piece.content {
                pieces::Content::Lines(lines) => {
                    seen.extend(
                        lines.split_inclusive(|byte| *byte == b'\n').map(|line| line.len() as u64 - 1),
                    );
                }
                pieces::Content::Endless { length, .. } => seen.push(length),
            }
            true
        })
        .expect("reads");
        let expected: Vec<u64> =
            lengths.iter().flat_map(|one| [*one as u64, long.len() as u64 - 1]).collect();
        assert_eq!(seen, expected);
        assert_eq!((read.bytes, read.lines, read.cut), (bytes.len() as u64, seen.len() as u64, false));
        assert_eq!(read.before_last, Hash::of(&bytes[..bytes.len() - long.len()]));
    }
}

/// Gives no more than so many bytes at a time.
struct Trickle<'a>(&'a [u8], usize);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let most = buffer.len().min(self.1);
        self.0.read(&mut buffer[..most])
    }
}

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(64))]

    /// Lines taken out, doubled, changed and cut, however they arrive: the same as when all is looked at in one piece.
    #[test]
    fn in_pieces_as_in_one(
        acts in proptest::collection::vec((0usize..12, 0u8..5, proptest::prelude::any::<u16>()), 0..6),
        cut in 0usize..400,
        step in 1usize..5_000,
    ) {
        let (_, bytes) = bundle();
        let mut all: Vec<Vec<u8>> = lines(&bytes).iter().map(|line| line.to_vec()).collect();
        for (at, act, how) in acts {
            let at = at.min(all.len() - 1);
            match act {
                0 if all.len() > 1 => drop(all.remove(at)),
                1 => all.insert(at, all[at].clone()),
                2 => {
                    let place = usize::from(how) % all[at].len();
                    all[at][place] ^= 1 << (how % 7);
                }
                3 => all.insert(at, vec![b'\n'; 1 + usize::from(how) % 3]),
                _ => all.insert(at, [vec![b'q'; READ_CAP + usize::from(how)], b"\n".to_vec()].concat()),
            }
        }
        let mut bytes = all.concat();
        bytes.truncate(bytes.len() - if cut < 200 { cut.min(bytes.len()) } else { 0 });
        let whole = crate::record::bundle::unbundle(&bytes);
        let mut ledger = Sqlite::in_memory();
        let mut input = Trickle(&bytes, step);
        let taken = import(&mut ledger, "test", &mut input, NOON, &mut |_, _| {}).expect("imports");
        let torn = bytes.last().is_some_and(|byte| *byte != b'\n');
        let records: usize = whole.journals.values().map(|journal| lines(journal).len()).sum();
        let last = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        let whole_tail = torn && Record::parse(&bytes[last..]).is_ok();
        proptest::prop_assert_eq!((taken.stored + taken.known) as usize, records + usize::from(whole_tail));
        proptest::prop_assert_eq!(taken.set_aside as usize, whole.strays.len() + usize::from(torn && !whole_tail));
        let end = match whole.end {
            crate::record::bundle::End::Whole(record) => (Some(BundleEnd::Whole), Some(record.hash())),
            crate::record::bundle::End::Cut => (Some(BundleEnd::Cut), None),
            crate::record::bundle::End::Other(record) if whole.journals.len() > 1 => {
                (Some(BundleEnd::Other), Some(record.hash()))
            }
            _ => ((whole.journals.len() > 1).then_some(BundleEnd::Open), None),
        };
        proptest::prop_assert_eq!((taken.end, taken.export), end);
    }
}
