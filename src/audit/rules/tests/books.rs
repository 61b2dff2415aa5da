//! What the ledger as a whole shows.

use super::*;

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
