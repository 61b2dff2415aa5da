//! A real practice kit, its bundle, and an upload station that does to it whatever a station can: drops, moves, repeats and
//! changes lines, brings an older bundle back, adds lines of its own. Each is found, by the rule that says so.

#[path = "support/postgres.rs"]
#[allow(dead_code, reason = "shared between test programs")]
mod postgres;
#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;
#[path = "../src/record/sample.rs"]
mod sample;

use std::process::Command;
use std::sync::OnceLock;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass::attestation;
use breakglass::audit::assess::{assess, ledger_findings};
use breakglass::audit::finding::{Claim, Finding, Sort};
use breakglass::audit::import::import;
use breakglass::audit::ledger::sqlite::Sqlite;
use breakglass::audit::ledger::{Ledger, Trust};
use breakglass::kit::words::kit_words;
use breakglass::record::event::Event;
use breakglass::record::hash::Hash;
use breakglass::record::token::Record;
use breakglass::record::{event, hash, token};
use practice::{PIN, PracticeKit, SERIALS, done};
use sample::Writer;

type Lines = Vec<Vec<u8>>;

/// A kit that was opened, with its bundle before and after.
struct Story {
    kit: PracticeKit,
    id: Hash,
    before: Lines,
    after: Lines,
    now: i64,
}

fn story() -> &'static Story {
    static STORY: OnceLock<Story> = OnceLock::new();
    STORY.get_or_init(|| {
        let kit = PracticeKit::new();
        let before = export(&kit, "before");
        let mut opening = PracticeKit::opening("core-db/root");
        opening.extend(["--key", "23115,30877"]);
        let pins = PracticeKit::pins(9);
        let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
        done(&kit.run(&opening, &pins));
        let close = ["close", "INC-4711", "--verdict", "real", "--outcome", "quorum restored"];
        let close = [&close[..], &["--with", "23112", "--confirm", "close INC-4711"]].concat();
        done(&kit.run(&close, &[&format!("23112 pin {PIN}")]));
        let after = export(&kit, "after");
        let founding = records(&after).find(|record| matches!(record.event, Event::KitFounded(_)));
        let now = records(&after).map(|record| record.iat).max().expect("records") + 60;
        Story { id: founding.expect("a founding").hash(), kit, before, after, now }
    })
}

/// The lines of a bundle that ends with a signed export.
fn export(kit: &PracticeKit, name: &str) -> Lines {
    let folder = tempfile::tempdir().expect("a folder");
    let to = folder.path().join(name);
    let to = to.to_str().expect("UTF-8");
    done(&kit.run(&["records", "export", to, "--with", "23112"], &[&format!("23112 pin {PIN}")]));
    let bytes = std::fs::read(folder.path().join(name).join("records.jws")).expect("the bundle");
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

fn records(lines: &Lines) -> impl Iterator<Item = Record> {
    lines.iter().filter_map(|line| Record::parse(line.strip_suffix(b"\n").unwrap_or(line)).ok())
}

/// Where the newest record of that event stands in a bundle.
fn newest(lines: &Lines, name: &str) -> usize {
    let is = |line: &Vec<u8>| {
        Record::parse(line.strip_suffix(b"\n").unwrap_or(line))
            .is_ok_and(|record| record.event.name() == name)
    };
    lines.iter().rposition(is).expect("one is there")
}

/// A ledger that trusts the kit, has its policy and the practice root, and was brought these bundles.
fn ledger(bundles: &[&Lines]) -> Sqlite {
    let mut ledger = Sqlite::in_memory();
    fill(&mut ledger, bundles);
    ledger
}

fn fill(ledger: &mut dyn Ledger, bundles: &[&Lines]) {
    let story = story();
    let root = breakglass::device::practice::root_certificate().expect("a root");
    for lines in bundles {
        import(ledger, "station", &mut &lines.concat()[..], story.now, &mut |_, _| {}).expect("imported");
    }
    for entry in std::fs::read_dir(story.kit.path().join("policy")).expect("policies") {
        ledger
            .put_policy(&std::fs::read(entry.expect("an entry").path()).expect("a policy"))
            .expect("stored");
    }
    ledger.put_trust(&story.id, &Trust::Words, Some(&root), story.now).expect("stored");
}

/// What is found of the kit and of the ledger.
fn found(bundles: &[&Lines]) -> Vec<Finding> {
    found_in(&mut ledger(bundles))
}

fn found_in(ledger: &mut dyn Ledger) -> Vec<Finding> {
    let mut findings = assess(ledger, &story().id, story().now).expect("judged").findings;
    findings.extend(ledger_findings(ledger, story().now).expect("judged"));
    findings
}

/// The rules by which something is wrong, cannot be read or cannot be checked.
fn rules(findings: &[Finding]) -> Vec<&str> {
    let grave = |sort: Sort| matches!(sort, Sort::Wrong | Sort::CannotRead | Sort::CannotCheck);
    let mut rules: Vec<&str> =
        findings.iter().filter(|finding| grave(finding.sort)).map(|finding| finding.rule).collect();
    rules.sort_unstable();
    rules.dedup();
    rules
}

#[track_caller]
fn is_found(lines: &Lines, expected: &[&str]) {
    assert_eq!(rules(&found(&[lines])), expected);
}

#[test]
fn an_honest_station_brings_a_kit_with_which_nothing_is_wrong() {
    let findings = found(&[&story().after]);
    assert_eq!(rules(&findings), Vec::<&str>::new(), "{findings:?}");
    let due: Vec<&str> =
        findings.iter().filter(|finding| finding.sort == Sort::Due).map(|finding| finding.rule).collect();
    let both = ["KEY-RETURN", "KEY-RETURN"];
    let expected = [
        &["ROTATE-USED", "ACCOUNT-RENEW"][..],
        &both,
        &["ROTATE-EXPOSED", "UNREVIEWED", "PIN-UNCHANGED", "PIN-UNCHANGED"],
    ];
    assert_eq!(due, expected.concat());
}

#[test]
fn key_attested_passes_where_the_certificates_bear_it_out() {
    let mut ledger = ledger(&[&story().after]);
    let assessment = assess(&mut ledger, &story().id, story().now).expect("judged");
    let keys: Vec<(u32, Result<&str, &str>)> = assessment
        .keys
        .iter()
        .map(|key| (key.serial.0, key.attested.as_deref().map_err(String::as_str)))
        .collect();
    assert_eq!(keys, SERIALS.map(|serial| (serial, Ok("practice"))));
    let [incident] = &assessment.incidents[..] else { panic!("{:?}", assessment.incidents) };
    assert_eq!(incident.closed.as_ref().map(|closed| closed.verdict.as_str()), Some("real"));
    assert_eq!(incident.openings[0].intents.len(), 2);
    assert!(incident.openings[0].released.is_some());
}

#[test]
fn a_dropped_line_is_a_gap_and_a_bundle_that_does_not_fit_its_end() {
    let mut lines = story().after.clone();
    lines.remove(newest(&lines, "open.intent"));
    let expected = ["ASSERTION-INVALID", "BUNDLE-END", "CHAIN-GAP", "OPEN-INTENT-LACKING"];
    is_found(&lines, &expected);
}

#[test]
fn every_single_line_that_is_dropped_is_found() {
    let lines = &story().after;
    for at in 0..lines.len() {
        let mut lines = lines.clone();
        lines.remove(at);
        let findings = found(&[&lines]);
        let end = findings.iter().any(|finding| finding.rule == "BUNDLE-END");
        assert!(end, "line {at} of {} is gone, and nothing says so", lines.len() + 1);
    }
}

#[test]
fn the_end_of_a_chain_that_was_dropped_is_missed_by_those_who_had_seen_it() {
    // With the export, so that no signature over the whole bundle is left.
    let mut lines = story().after.clone();
    lines.pop();
    let released = newest(&lines, "open.released");
    lines.remove(released);
    let findings = found(&[&lines]);
    let lacks = findings.iter().find(|finding| finding.rule == "CHAIN-LACKS").expect("somebody had seen it");
    assert_eq!((lacks.sort, lacks.claim), (Sort::Wrong, Claim::Certain));
}

#[test]
fn a_chain_that_was_dropped_whole_is_missed() {
    let mut lines = story().after.clone();
    lines.pop();
    lines.retain(|line| {
        Record::parse(line.strip_suffix(b"\n").unwrap_or(line))
            .is_ok_and(|record| record.serial.0 != SERIALS[1])
    });
    let findings = found(&[&lines]);
    let told = "the ledger lacks records 0 to";
    assert!(findings.iter().any(|it| it.rule == "CHAIN-LACKS" && it.text.starts_with(told)), "{findings:?}");
}

#[test]
fn an_export_that_was_dropped_leaves_open_whether_more_was() {
    let mut lines = story().after.clone();
    lines.pop();
    let findings = found(&[&lines]);
    let end = findings.iter().find(|finding| finding.rule == "BUNDLE-END").expect("told");
    assert_eq!(end.sort, Sort::NotChecked);
}

#[test]
fn lines_in_another_order_are_judged_the_same_and_the_move_is_told() {
    let mut lines = story().after.clone();
    let end = lines.len() - 1;
    lines[..end].reverse();
    is_found(&lines, &["BUNDLE-END"]);
    lines.reverse();
    // The export is first now: nothing ends the bundle.
    is_found(&lines, &[]);
}

#[test]
fn a_bundle_that_is_brought_again_changes_nothing() {
    let story = story();
    let findings = found(&[&story.after, &story.after]);
    assert_eq!(rules(&findings), Vec::<&str>::new());
    let known = findings.iter().find(|finding| finding.rule == "RECORDS-KNOWN").expect("counted");
    assert!(known.text.starts_with(&format!("{} records", story.after.len())), "{}", known.text);
}

#[test]
fn an_older_bundle_that_is_brought_back_takes_nothing_away_and_is_told() {
    let story = story();
    let findings = found(&[&story.after, &story.before]);
    assert_eq!(rules(&findings), ["IMPORT-SHRUNK"]);
    let shrunk = findings.iter().find(|finding| finding.rule == "IMPORT-SHRUNK").expect("told");
    assert_eq!(shrunk.claim, Claim::Possible);
    let mut ledger = ledger(&[&story.after, &story.before]);
    let assessment = assess(&mut ledger, &story.id, story.now).expect("judged");
    assert_eq!(assessment.incidents.len(), 1);
}

#[test]
fn a_line_that_was_edited_is_found_by_its_signature() {
    let mut lines = story().after.clone();
    let at = newest(&lines, "open.intent");
    let text = String::from_utf8(lines[at].clone()).expect("ASCII");
    let parts: Vec<&str> = text.trim_end().split('.').collect();
    let claims = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64url");
    let claims = String::from_utf8(claims).expect("UTF-8").replace("PAM lost quorum", "routine work");
    let claims = URL_SAFE_NO_PAD.encode(claims);
    lines[at] = format!("{}.{claims}.{}\n", parts[0], parts[2]).into_bytes();
    let rules_found = rules(&found(&[&lines])).join(" ");
    for expected in ["BUNDLE-END", "CHAIN-GAP", "RECORD-CHANGED"] {
        assert!(rules_found.contains(expected), "{expected} is not in {rules_found}");
    }
    // The right one from another copy mends it; the changed one stays a finding.
    let mended = found(&[&lines, &story().after]);
    assert_eq!(rules(&mended), ["RECORD-CHANGED"]);
}

#[test]
fn a_line_that_was_garbled_is_kept_and_named() {
    let mut lines = story().after.clone();
    let at = newest(&lines, "open.intent");
    lines[at].truncate(200);
    lines[at].push(b'\n');
    let findings = found(&[&lines]);
    let line = findings.iter().find(|finding| finding.rule == "LINE-UNREADABLE").expect("named");
    assert!(line.text.starts_with(&format!("line {} of station", at + 1)), "{}", line.text);
    assert!(rules(&findings).contains(&"CHAIN-GAP"));
}

#[test]
fn a_bundle_that_was_cut_in_a_line_says_so() {
    let mut lines = story().after.clone();
    let last = lines.last_mut().expect("lines");
    last.truncate(last.len() / 2);
    let findings = found(&[&lines]);
    let end = findings.iter().find(|finding| finding.rule == "BUNDLE-END").expect("told");
    assert!(end.text.contains("ends in the middle of a line"), "{}", end.text);
}

#[test]
fn lines_of_a_key_that_the_station_made_up_have_no_right_and_are_not_believed() {
    let story = story();
    let mut made_up = Writer::new(9);
    let enrolment = made_up.enrolment();
    made_up.write(enrolment);
    made_up.kit = Some(story.id);
    let other = records(&story.after).next().expect("a record").chain_name();
    made_up.seen = [(other, (9_000, Hash::of(b"never")))].into();
    made_up.write(sample::intent());
    let mut lines = story.after.clone();
    let own: Lines = made_up.records.iter().map(|record| [record.bytes(), b"\n"].concat()).collect();
    lines.splice(0..0, own);
    let findings = found(&[&lines]);
    let rules = rules(&findings);
    for expected in ["BUNDLE-END", "KEY-ATTESTED", "RECORD-NO-RIGHT"] {
        assert!(rules.contains(&expected), "{expected} is not in {rules:?}");
    }
    assert!(!rules.contains(&"CHAIN-LACKS"), "{rules:?}");
}

#[test]
fn a_kit_that_the_station_made_up_itself_is_not_trusted() {
    let story = story();
    let mut ledger = ledger(&[&story.after]);
    let mut founder = Writer::founder(9);
    founder.write(sample::intent());
    let bundle = founder.journal();
    import(&mut ledger, "station", &mut &bundle[..], story.now, &mut |_, _| {}).expect("imported");
    let made_up = founder.kit.expect("founded");
    let findings = assess(&mut ledger, &made_up, story.now).expect("judged").findings;
    let untrusted = findings.iter().find(|finding| finding.rule == "KIT-UNTRUSTED").expect("told");
    assert_eq!(untrusted.sort, Sort::CannotCheck);
}

#[test]
fn postgresql_is_judged_the_same() {
    let server = postgres::Server::start(None);
    let story = story();
    let mut lines = story.after.clone();
    let at = newest(&lines, "open.intent");
    lines[at].truncate(40);
    lines[at].push(b'\n');
    let stations: [&[&Lines]; 4] =
        [&[&story.after], &[&story.after, &story.before], &[&story.before], &[&lines]];
    for bundles in stations {
        let mut shared = breakglass::audit::ledger::open(&server.url(&server.database())).expect("a ledger");
        fill(&mut *shared, bundles);
        let there = found_in(&mut *shared);
        assert!(!there.is_empty());
        assert_eq!(there, found(bundles));
    }
}

#[test]
fn check_tells_it_as_lines_and_as_json_with_its_exit_code() {
    let story = story();
    let folder = tempfile::tempdir().expect("a folder");
    let bundle = folder.path().join("bundle.jws");
    let audit = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass-audit"));
        command.arg("--ledger").arg(folder.path().join("ledger.db")).args(arguments);
        command.output().expect("the program runs")
    };
    std::fs::write(&bundle, story.after.concat()).expect("written");
    let policies = story.kit.path().join("policy");
    let imported = audit(&["import", bundle.to_str().unwrap(), policies.to_str().unwrap()]);
    assert!(imported.status.success(), "{}", String::from_utf8_lossy(&imported.stderr));
    // Not trusted yet: what cannot be checked is not passed.
    let checked = audit(&["check"]);
    let text = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(1), "{text}");
    assert!(text.contains("NOT TRUSTED") && text.contains("cannot check  KIT-UNTRUSTED"), "{text}");
    let words = kit_words(&story.id);
    assert!(audit(&[&["trust"], &words[..]].concat()).status.success());
    let json = audit(&["--json", "check", "--kit", &words.join(" ")]);
    let object: serde_json::Value = serde_json::from_slice(&json.stdout).expect("one object");
    assert_eq!(object["kits"][0]["name"], "DC1 emergency kit");
    let findings = object["kits"][0]["findings"].as_array().expect("findings");
    assert!(findings.iter().any(|it| it["rule"] == "ROTATE-USED" && it["sort"] == "due"), "{object}");
    assert!(findings.iter().all(|it| it["rule"] != "KIT-UNTRUSTED"), "{object}");
    // One line gone: wrong.
    let mut lines = story.after.clone();
    lines.remove(newest(&lines, "open.intent"));
    std::fs::remove_file(folder.path().join("ledger.db")).expect("a new ledger");
    std::fs::write(&bundle, lines.concat()).expect("written");
    audit(&["import", bundle.to_str().unwrap(), policies.to_str().unwrap()]);
    let checked = audit(&["check"]);
    let text = String::from_utf8_lossy(&checked.stdout);
    assert_eq!(checked.status.code(), Some(6), "{text}");
    assert!(text.contains("wrong         CHAIN-GAP"), "{text}");
}
