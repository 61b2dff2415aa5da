//! What the ledger as a whole shows.

use super::*;
use crate::record::bundle::Bundle;
use crate::record::chain::{Chain, Depth};

fn books(ledger: &mut Sqlite, rule: &str) -> Vec<Finding> {
    assert!(LEDGER.iter().any(|(id, _)| *id == rule), "{rule} is no rule");
    let findings = ledger_findings(ledger, NOW).unwrap();
    findings.into_iter().filter(|finding| finding.rule == rule).collect()
}

fn aside(line: u64, unknown_event: bool) -> SetAside {
    let why = if unknown_event { "event \"x\" is not known" } else { "not the three parts of a compact JWS" };
    SetAside {
        source: "bundle.jws".into(),
        line,
        bytes: format!("line {line}").into_bytes(),
        why: why.into(),
        unknown_event,
        received: NOON,
    }
}

fn import(source: &str, read: u64, known: u64, end: Option<BundleEnd>) -> Imported {
    let stored = read - known;
    Imported {
        source: source.into(),
        at: NOON,
        read,
        stored,
        known,
        set_aside: 0,
        bad: 0,
        unverified: 0,
        end,
        export: None,
    }
}

#[test]
fn line_unreadable_is_told_with_its_number_and_line_newer_apart_from_it() {
    let mut ledger = World::lived(1).ledger();
    assert_eq!(books(&mut ledger, "LINE-UNREADABLE"), []);
    assert_eq!(books(&mut ledger, "LINE-NEWER"), []);
    ledger.put_aside(&[aside(7, false), aside(8, true), aside(9, true)]).unwrap();
    let [unreadable] = &books(&mut ledger, "LINE-UNREADABLE")[..] else { panic!("one") };
    assert_eq!(unreadable.text, "line 7 of bundle.jws is no record: not the three parts of a compact JWS");
    assert_eq!((unreadable.sort, &unreadable.records[..]), (Sort::CannotRead, &[Hash::of(b"line 7")][..]));
    let [newer] = &books(&mut ledger, "LINE-NEWER")[..] else { panic!("one") };
    assert!(
        newer.text.starts_with("2 lines of bundle.jws a newer breakglass-audit is needed for"),
        "{}",
        newer.text
    );
}

#[test]
fn line_newer_is_no_damage() {
    let mut ledger = Sqlite::in_memory();
    ledger.put_aside(&[aside(8, true)]).unwrap();
    assert_eq!(books(&mut ledger, "LINE-UNREADABLE"), []);
    assert_eq!(books(&mut ledger, "LINE-NEWER").len(), 1);
}

#[test]
fn line_newer_is_not_hidden_by_any_number_of_bad_lines_and_these_are_counted() {
    let mut ledger = Sqlite::in_memory();
    ledger.put_aside(&[aside(1, true)]).unwrap();
    ledger.put_aside(&(2..=2_001).map(|line| aside(line, false)).collect::<Vec<_>>()).unwrap();
    let [newer] = &books(&mut ledger, "LINE-NEWER")[..] else { panic!("one") };
    assert!(newer.text.starts_with("1 line of bundle.jws a newer"), "{}", newer.text);
    let unreadable = books(&mut ledger, "LINE-UNREADABLE");
    assert_eq!(unreadable.len(), MOST_CASES);
    let text =
        "2000 lines that are no records were set aside: the 999 newest are told here, 1001 more are not";
    assert_eq!(unreadable[0].text, text);
    assert!(unreadable[1].text.starts_with("line 2001 of bundle.jws"), "{}", unreadable[1].text);
}

#[test]
fn line_newer_tells_how_many_lines_of_however_many_sources() {
    let mut ledger = Sqlite::in_memory();
    let lines = (1..=1_500).map(|line| SetAside { source: format!("{line}.jws"), ..aside(line, true) });
    ledger.put_aside(&lines.collect::<Vec<_>>()).unwrap();
    let newer = books(&mut ledger, "LINE-NEWER");
    assert_eq!(newer.len(), MOST_CASES);
    assert!(
        newer[0].text.starts_with("1500 lines a newer breakglass-audit is needed for"),
        "{}",
        newer[0].text
    );
    assert!(newer[0].text.ends_with("501 more are not"), "{}", newer[0].text);
}

/// An import whose signed export, which has that hash, is of these lines or of others.
fn exported(source: &str, read: u64, known: u64, end: BundleEnd, export: &[u8]) -> Imported {
    Imported { export: Some(Hash::of(export)), ..import(source, read, known, Some(end)) }
}

#[test]
fn bundle_end_of_other_lines_is_settled_by_those_lines_from_anywhere_and_by_nothing_else() {
    let mut ledger = Sqlite::in_memory();
    ledger.imported(&exported("/media/a/records.jws", 9, 0, BundleEnd::Other, b"export")).unwrap();
    // The station sends more of the same kit, as whole as it can make it: an older bundle, or one without an end.
    ledger.imported(&exported("/media/a/records.jws", 20, 20, BundleEnd::Whole, b"another")).unwrap();
    ledger.imported(&import("/media/a/records.jws", 20, 20, Some(BundleEnd::Open))).unwrap();
    ledger.imported(&exported("/media/a/records.jws", 20, 20, BundleEnd::Other, b"third")).unwrap();
    let wrong = |ledger: &mut Sqlite| {
        let findings = books(ledger, "BUNDLE-END");
        findings
            .iter()
            .filter(|finding| finding.sort == Sort::Wrong)
            .flat_map(|it| it.records.clone())
            .collect()
    };
    let found: Vec<Hash> = wrong(&mut ledger);
    assert_eq!(found, [Hash::of(b"export"), Hash::of(b"third")]);
    ledger.imported(&exported("-", 10, 9, BundleEnd::Whole, b"export")).unwrap();
    let found: Vec<Hash> = wrong(&mut ledger);
    assert_eq!(found, [Hash::of(b"third")]);
    // What is changed after that is a change all the same.
    ledger.imported(&exported("/media/b/records.jws", 9, 9, BundleEnd::Other, b"export")).unwrap();
    let found: Vec<Hash> = wrong(&mut ledger);
    assert_eq!(found, [Hash::of(b"third"), Hash::of(b"export")]);
}

#[test]
fn bundle_end_of_other_lines_is_settled_by_a_newer_bundle_of_the_source_once_every_line_of_it_is_here() {
    let (mut one, mut two) = (Writer::founder(1), Writer::new(2));
    let enrolment = two.enrolment();
    two.write(enrolment);
    two.kit = one.kit;
    two.open(2);
    let chains = [&one, &two].map(|writer| Chain::read(&writer.name(), &writer.journal(), Depth::Links));
    let bundle = Bundle::of(&chains);
    let export = one.write(Event::Exported(bundle.exported()));
    let mut records: Vec<(Record, Signature)> = [&one, &two]
        .into_iter()
        .flat_map(|writer| writer.records.iter().map(|record| (record.clone(), Signature::Good)))
        .collect();
    // The second opening of the second key is what was taken out.
    let taken_out = records.pop().unwrap();
    let mut ledger = Sqlite::in_memory();
    ledger.store(&records, NOON).unwrap();
    let source = "/media/stick/records.jws";
    let other = Imported { export: Some(export.hash()), ..import(source, 9, 0, Some(BundleEnd::Other)) };
    ledger.imported(&other).unwrap();
    ledger.imported(&exported(source, 12, 9, BundleEnd::Whole, b"newer")).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END").len(), 1, "a line of it is still nowhere");
    ledger.store(&[taken_out], NOON).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END"), []);
    // Every line of it is here, and somebody changes one on its way: that is told.
    ledger.imported(&other).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END").len(), 1);
    let forged = Imported { bad: 1, ..exported(source, 12, 9, BundleEnd::Whole, b"forged") };
    ledger.imported(&forged).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END").len(), 1, "whose end nobody has signed");
    ledger.imported(&exported(source, 12, 12, BundleEnd::Whole, b"newer")).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END"), []);
}

#[test]
fn bundle_end_accuses_nobody_of_a_code_that_the_camera_missed() {
    let mut ledger = Sqlite::in_memory();
    ledger.imported(&exported("codes of sheets, bundle 1", 29, 0, BundleEnd::Whole, b"before")).unwrap();
    ledger.imported(&exported("codes of sheets, bundle 1", 28, 0, BundleEnd::Open, b"export")).unwrap();
    let [finding] = &books(&mut ledger, "BUNDLE-END")[..] else { panic!("one") };
    assert_eq!((finding.sort, &finding.records[..]), (Sort::CannotCheck, &[Hash::of(b"export")][..]));
    let text = "codes of sheets, bundle 1: 28 records were photographed, and the signed export";
    assert!(finding.text.starts_with(text), "{}", finding.text);
    assert_eq!(books(&mut ledger, "IMPORT-SHRUNK"), []);
    // All of it, from another folder; and once it is here, what is missed later is missing nowhere.
    ledger.imported(&exported("codes of more, bundle 1", 29, 28, BundleEnd::Whole, b"export")).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END"), []);
    ledger.imported(&exported("codes of third, bundle 1", 3, 3, BundleEnd::Open, b"export")).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END"), []);
}

#[test]
fn bundle_end_tells_what_was_cut_and_what_may_have_been() {
    let mut ledger = Sqlite::in_memory();
    ledger.imported(&import("whole", 9, 0, Some(BundleEnd::Whole))).unwrap();
    ledger.imported(&import("journal", 9, 0, None)).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END"), []);
    for (source, end) in
        [("a", BundleEnd::Other), ("b", BundleEnd::Cut), ("c", BundleEnd::Open), ("d", BundleEnd::Open)]
    {
        ledger.imported(&import(source, 9, 0, Some(end))).unwrap();
    }
    let findings = books(&mut ledger, "BUNDLE-END");
    let sorts: Vec<Sort> = findings.iter().map(|finding| finding.sort).collect();
    assert_eq!(sorts, [Sort::Wrong, Sort::Wrong, Sort::NotChecked]);
    assert!(findings[2].text.contains("c and 1 more"), "{}", findings[2].text);
    // The whole of it was brought again.
    ledger.imported(&import("b", 12, 9, Some(BundleEnd::Whole))).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END").len(), 2);
}

#[test]
fn bundle_end_and_import_shrunk_are_not_settled_by_another_kit_at_the_same_place() {
    let mut ledger = Sqlite::in_memory();
    ledger.imported(&import("/media/stick/records.jws", 9, 0, Some(BundleEnd::Cut))).unwrap();
    ledger.imported(&import("/media/stick/records.jws", 5, 0, Some(BundleEnd::Whole))).unwrap();
    assert_eq!(books(&mut ledger, "IMPORT-SHRUNK"), []);
    let [finding] = &books(&mut ledger, "BUNDLE-END")[..] else { panic!("one") };
    assert!(finding.text.ends_with("ends in the middle of a line: it was cut"), "{}", finding.text);
    ledger.imported(&import("/media/stick/records.jws", 12, 9, Some(BundleEnd::Whole))).unwrap();
    assert_eq!(books(&mut ledger, "BUNDLE-END"), []);
}

#[test]
fn import_shrunk_is_possible_until_the_source_is_whole_again() {
    let mut ledger = Sqlite::in_memory();
    for (read, known) in [(9, 0), (12, 9), (12, 12)] {
        ledger.imported(&import("stick", read, known, None)).unwrap();
    }
    assert_eq!(books(&mut ledger, "IMPORT-SHRUNK"), []);
    ledger.imported(&import("stick", 10, 10, None)).unwrap();
    let [finding] = &books(&mut ledger, "IMPORT-SHRUNK")[..] else { panic!("one") };
    assert_eq!((finding.sort, finding.claim), (Sort::Wrong, Claim::Possible));
    assert!(finding.text.starts_with("stick brought 10 lines, and 12 lines before"), "{}", finding.text);
    ledger.imported(&import("stick", 13, 12, None)).unwrap();
    assert_eq!(books(&mut ledger, "IMPORT-SHRUNK"), []);
}

#[test]
fn import_shrunk_says_nothing_of_standard_input() {
    let mut ledger = Sqlite::in_memory();
    ledger.imported(&import("-", 12, 0, None)).unwrap();
    ledger.imported(&import("-", 2, 0, None)).unwrap();
    assert_eq!(books(&mut ledger, "IMPORT-SHRUNK"), []);
}

#[test]
fn records_known_are_counted_and_harmless() {
    let mut ledger = Sqlite::in_memory();
    ledger.imported(&import("a", 9, 0, None)).unwrap();
    assert_eq!(books(&mut ledger, "RECORDS-KNOWN"), []);
    ledger.imported(&import("b", 9, 9, None)).unwrap();
    let [finding] = &books(&mut ledger, "RECORDS-KNOWN")[..] else { panic!("one") };
    assert_eq!(
        (finding.text.as_str(), finding.sort),
        ("9 records came in more than once and are held once", Sort::Note)
    );
}

#[test]
fn key_homeless_cannot_be_judged() {
    let world = World::lived(1);
    let mut ledger = world.ledger();
    assert_eq!(books(&mut ledger, "KEY-HOMELESS"), []);
    let mut alone = Writer::new(9);
    let enrolment = alone.enrolment();
    let record = alone.write(enrolment);
    ledger.store(&[(record, Signature::Good)], NOON).unwrap();
    let [finding] = &books(&mut ledger, "KEY-HOMELESS")[..] else { panic!("one") };
    assert_eq!(finding.text, "1 record of key 20000009 belongs to no kit that is known");
}

#[test]
fn practice_among_real_is_told() {
    let practice = World::lived(1);
    let mut ledger = practice.ledger();
    assert_eq!(books(&mut ledger, "PRACTICE-AMONG-REAL"), []);
    let mut founder = Writer::new(5);
    let enrolment = founder.enrolment();
    founder.write(enrolment);
    let policy = Hash::of(template("real", KitKind::Real).as_bytes());
    founder.write(Event::KitFounded(KitFounded {
        name: "real".into(),
        kind: KitKind::Real,
        policy,
        attestation_root: None,
    }));
    let records: Vec<(Record, Signature)> =
        founder.records.iter().map(|record| (record.clone(), Signature::Good)).collect();
    ledger.store(&records, NOON).unwrap();
    assert_eq!(ledger.kits().unwrap().len(), 2);
    let [finding] = &books(&mut ledger, "PRACTICE-AMONG-REAL")[..] else { panic!("one") };
    assert_eq!((finding.sort, &finding.records[..]), (Sort::Note, &[practice.kit()][..]));
}
