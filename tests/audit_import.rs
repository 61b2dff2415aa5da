//! Records come into the ledger through the program itself: whole, damaged, twice, at once, and killed in the middle.

use std::io::Write;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use breakglass::attestation;
use breakglass::audit::ledger::{self, BundleEnd, Signature, Which};
use breakglass::kit::words::kit_words;
use breakglass::record::bundle::Bundle;
use breakglass::record::chain::{Chain, Depth};
use breakglass::record::token::{READ_CAP, Record};
use breakglass::record::{event, hash, token};
use event::Event;
use hash::Hash;
use serde_json::Value;

#[path = "../src/record/sample.rs"]
mod sample;

use sample::Writer;

/// A folder with a ledger in it.
struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Self {
        Desk(tempfile::tempdir().expect("a folder"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, bytes).expect("writes");
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass-audit"));
        command.current_dir(self.0.path()).args(arguments).env_remove("BREAKGLASS_LEDGER");
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().expect("runs")
    }

    /// Runs with `--json`, ends with that code, and gives the object.
    fn json(&self, arguments: &[&str], code: i32) -> Value {
        let out = self.run(&[arguments, &["--json"]].concat());
        let said = String::from_utf8_lossy(&out.stderr);
        assert_eq!(out.status.code(), Some(code), "{arguments:?}: {said}");
        serde_json::from_slice(&out.stdout).expect("one object")
    }

    /// Hash and signature of each record of each kit, and that arrivals are dense and name each of them once.
    fn held(&self) -> Vec<(Hash, Signature)> {
        let mut ledger = ledger::open(&self.path("ledger.db").display().to_string()).expect("a ledger");
        let mut held = Vec::new();
        for kit in ledger.kits().expect("reads") {
            ledger
                .records(&kit.kit, Which::All, &mut |one| {
                    held.push((one.record.hash(), one.signature));
                    ControlFlow::Continue(())
                })
                .expect("reads");
        }
        let size = ledger.size().expect("reads");
        let mut arrivals = ledger.arrivals(0, size).expect("dense");
        let mut hashes: Vec<Hash> = held.iter().map(|(hash, _)| *hash).collect();
        arrivals.sort();
        hashes.sort();
        assert_eq!(arrivals, hashes);
        held
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn lines(bytes: &[u8]) -> Vec<Vec<u8>> {
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// A kit of two keys with so many openings each, and the bundle of it, ended by the first.
fn bundle(n: u8, openings: usize) -> (Hash, Vec<u8>) {
    let mut founder = Writer::founder(n);
    let kit = founder.kit.expect("founded");
    founder.open(openings);
    let mut other = Writer::new(n + 1);
    let enrolment = other.enrolment();
    other.write(enrolment);
    other.kit = Some(kit);
    other.open(openings);
    let chains = [&founder, &other].map(|one| Chain::read(&one.name(), &one.journal(), Depth::Links));
    let bundle = Bundle::of(&chains);
    let end = founder.write(Event::Exported(bundle.exported()));
    (kit, bundle.end(&end).expect("its end"))
}

fn words(kit: &Hash) -> String {
    kit_words(kit).join(" ")
}

#[test]
fn a_bundle_comes_in_and_the_kit_waits_for_somebody_to_vouch_for_it() {
    let desk = Desk::new();
    let (kit, bytes) = bundle(1, 20);
    desk.put("stick/records.jws", &bytes);
    let out = desk.run(&["import", "stick/records.jws"]);
    assert_eq!(out.status.code(), Some(0), "{}", text(&out.stderr));
    assert_eq!(text(&out.stdout), "44 read · 44 stored · 0 known already · 0 lines set aside\n");
    let asked = format!("breakglass-audit trust \"{}\"", words(&kit));
    assert!(text(&out.stderr).contains(&asked), "{}", text(&out.stderr));
    assert!(!desk.path("ledger.db.quarantine.txt").exists());
    let again = desk.run(&["import", "stick/records.jws"]);
    assert_eq!(text(&again.stdout), "44 read · 0 stored · 44 known already · 0 lines set aside\n");
    assert!(desk.held().iter().all(|(_, signature)| *signature == Signature::Good));

    let kits = desk.json(&["kits"], 0);
    assert_eq!(kits["kits"][0]["words"], words(&kit));
    assert_eq!(kits["kits"][0]["trust"], Value::Null);
    assert_eq!(kits["kits"][0]["records"], 44);
    assert_eq!(kits["kits"][0]["keys"], serde_json::json!([20_000_001, 20_000_002]));
    let wrong = desk.run(&["trust", "abandon abandon abandon abandon abandon abandon"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert!(text(&wrong.stderr).contains("no kit of this ledger has the words"), "{}", text(&wrong.stderr));
    // As a person reads them out: other case, other spaces, with or without quotes.
    let spoken = words(&kit).to_uppercase();
    let spoken: Vec<&str> = spoken.split(' ').collect();
    let trusted = desk.run(&[&["trust"], &spoken[..]].concat());
    assert_eq!(trusted.status.code(), Some(0), "{}", text(&trusted.stderr));
    assert!(text(&trusted.stdout).starts_with("harbour (practice)\n"), "{}", text(&trusted.stdout));
    assert_eq!(desk.json(&["kits"], 0)["kits"][0]["trust"], "words");
    let third = desk.run(&["import", "stick/records.jws"]);
    assert!(!text(&third.stderr).contains("vouched"));
}

#[test]
fn a_kits_folder_comes_in_with_its_journals_and_policies() {
    let desk = Desk::new();
    let (first, _) = bundle(1, 3);
    let mut writer = Writer::founder(1);
    writer.open(3);
    let mut other = Writer::founder(5);
    other.open(2);
    desk.put(&format!("kits/a/journal/{}.jws", writer.name()), &writer.journal());
    desk.put("kits/a/policy/0a1b.toml", b"quorum = 1\n");
    desk.put("kits/a/kit.toml", b"not adopted, so nobody's business\n");
    desk.put("kits/a/sealed/x/payload.age", b"age");
    desk.put("kits/b/deep/bundle.ndjson", &other.journal());
    #[cfg(unix)]
    std::os::unix::fs::symlink(desk.path("kits"), desk.path("kits/loop")).expect("a link");
    let report = desk.json(&["import", "kits"], 0);
    assert_eq!((&report["policies"], report["imports"].as_array().map(Vec::len)), (&Value::from(1), Some(2)));
    assert_eq!(report["imports"][0]["stored"], 5);
    assert_eq!(report["imports"][1]["stored"], 4);
    assert_eq!(desk.json(&["kits"], 0)["kits"].as_array().map(Vec::len), Some(2));
    let mut ledger = ledger::open(&desk.path("ledger.db").display().to_string()).expect("a ledger");
    let policy = ledger.policy(&Hash::of(b"quorum = 1\n")).expect("reads");
    assert_eq!(policy.as_deref(), Some(&b"quorum = 1\n"[..]));
    assert_eq!(writer.kit, Some(first), "samples are the same each time");
}

#[test]
fn standard_input_comes_in_and_a_path_that_is_not_there_brings_nothing_in() {
    let desk = Desk::new();
    let (_, bytes) = bundle(1, 5);
    let mut child = desk
        .command(&["import", "-", "--json"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("runs");
    let mut input = child.stdin.take().expect("a pipe");
    for piece in bytes.chunks(700) {
        input.write_all(piece).expect("writes");
    }
    drop(input);
    let out = child.wait_with_output().expect("ends");
    let report: Value = serde_json::from_slice(&out.stdout).expect("an object");
    assert_eq!(report["imports"][0]["source"], "-");
    assert_eq!(report["imports"][0]["stored"], 14);
    assert_eq!(report["imports"][0]["end"], "whole");

    desk.put("there.jws", &bundle(5, 1).1);
    let out = desk.run(&["import", "there.jws", "not-there.jws"]);
    assert_eq!(out.status.code(), Some(5));
    assert!(text(&out.stderr).contains("not-there.jws: No such file"), "{}", text(&out.stderr));
    assert_eq!(desk.held().len(), 14);
}

#[test]
fn a_folder_without_anything_to_import_is_not_taken_for_one_that_came_in() {
    let desk = Desk::new();
    desk.put("stick/records.txt", b"a bundle under another name");
    let out = desk.run(&["import", "stick"]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("nothing to import in stick"), "{}", text(&out.stderr));
    assert!(out.stdout.is_empty() && !desk.path("ledger.db").exists());
}

#[test]
fn many_malformed_lines_among_many_are_set_aside_and_all_others_come_in() {
    let desk = Desk::new();
    let (_, bytes) = bundle(1, 2_000);
    let mut broken = Vec::new();
    let mut expected = Vec::new();
    for (at, line) in lines(&bytes).into_iter().enumerate() {
        if at % 40 == 7 {
            let bad: Vec<u8> = match at / 40 % 5 {
                0 => b"\n".to_vec(),
                1 => line[..line.len() / 2].iter().copied().chain([b'\n']).collect(),
                2 => [b"\xff\x00\x1b[2J".as_slice(), &line].concat(),
                3 => [vec![b'a'; READ_CAP + 1], b"\n".to_vec()].concat(),
                _ => line.iter().rev().copied().skip(1).chain([b'\n']).collect(),
            };
            broken.push(bad);
            expected.push(broken.len() as u64);
        }
        broken.push(line);
    }
    desk.put("bundle.jws", &broken.concat());
    let out = desk.run(&["import", "bundle.jws"]);
    assert_eq!(out.status.code(), Some(6), "another bundle than its end says: {}", text(&out.stderr));
    let told = text(&out.stdout);
    let first = "4,104 read · 4,004 stored · 0 known already · 100 lines set aside (ledger.db.quarantine.txt says where and why)\n\
         bundle.jws: the record that ends this bundle counts other lines than these\n";
    assert_eq!(told, first);
    let quarantine = std::fs::read_to_string(desk.path("ledger.db.quarantine.txt")).expect("a file");
    let numbers: Vec<u64> = quarantine
        .lines()
        .skip(1) // says what the file is
        .map(|line| line.strip_prefix("bundle.jws:").and_then(|rest| rest.split(':').next()).expect(line))
        .map(|number| number.parse().expect("a number"))
        .collect();
    assert_eq!(numbers, expected);
    assert!(quarantine.chars().all(|c| c == '\n' || !c.is_control()), "a terminal would obey this file");
    let mut ledger = ledger::open(&desk.path("ledger.db").display().to_string()).expect("a ledger");
    let (mut aside, count) = ledger.set_aside(usize::MAX).expect("reads");
    aside.reverse();
    assert_eq!(count, 100);
    for one in aside {
        let line = &broken[one.line as usize - 1];
        let line = &line[..line.len() - 1];
        assert_eq!(one.bytes, &line[..line.len().min(READ_CAP)], "line {}", one.line);
    }
    assert_eq!(desk.held().len(), 4_004);
}

#[test]
fn an_event_of_a_newer_version_is_not_taken_for_damage() {
    let desk = Desk::new();
    let writer = Writer::founder(1);
    let line = text(writer.records[1].bytes());
    let parts: Vec<&str> = line.split('.').collect();
    let payload = URL_SAFE_NO_PAD.decode(parts[1]).expect("base64");
    let payload = text(&payload).replace("kit.founded", "kit.dissolved");
    let newer = format!("{}.{}.{}\n", parts[0], URL_SAFE_NO_PAD.encode(payload), parts[2]);
    desk.put("a.jws", &[text(writer.records[0].bytes()), "\n".into(), newer.clone()].concat().into_bytes());
    let report = desk.json(&["import", "a.jws", "--quarantine", "aside.txt"], 1);
    assert_eq!(report["imports"][0]["set_aside"], 1);
    assert_eq!(report["quarantine"], "aside.txt");
    let aside = std::fs::read_to_string(desk.path("aside.txt")).expect("a file");
    assert!(
        aside.contains("a.jws:2: event \"https://breakglass.example/event/v1/kit.dissolved\" is not known")
    );
    let mut ledger = ledger::open(&desk.path("ledger.db").display().to_string()).expect("a ledger");
    let (lines, _) = ledger.set_aside(1).expect("reads");
    assert!(lines[0].unknown_event && lines[0].bytes == newer.trim_end().as_bytes());
}

#[test]
fn a_bundle_that_was_cut_or_changed_says_so() {
    let (_, bytes) = bundle(1, 4);
    let all = lines(&bytes);
    let without = |skip: usize| {
        let kept = all.iter().enumerate().filter(|(at, _)| *at != skip);
        kept.flat_map(|(_, line)| line.clone()).collect::<Vec<u8>>()
    };
    let cases = [
        (bytes.clone(), "whole", 0),
        (without(all.len() - 1), "open", 0),
        (without(3), "other", 6),
        (bytes[..bytes.len() - 9].to_vec(), "cut", 1),
    ];
    for (bytes, end, code) in cases {
        let desk = Desk::new();
        desk.put("bundle.jws", &bytes);
        assert_eq!(desk.json(&["import", "bundle.jws"], code)["imports"][0]["end"], end);
    }
}

#[test]
fn a_forged_record_is_kept_and_told() {
    let desk = Desk::new();
    let (_, bytes) = bundle(1, 4);
    let mut all = lines(&bytes);
    let line = text(&all[3]);
    let (signed, signature) = line.trim_end().rsplit_once('.').expect("three parts");
    let (header, payload) = signed.split_once('.').expect("three parts");
    let payload = text(&URL_SAFE_NO_PAD.decode(payload).expect("base64")).replace("j.okafor", "m.miller");
    all[3] = format!("{header}.{}.{signature}\n", URL_SAFE_NO_PAD.encode(payload)).into_bytes();
    desk.put("bundle.jws", &all.concat());
    let report = desk.json(&["import", "bundle.jws"], 6);
    assert_eq!((&report["imports"][0]["bad"], &report["imports"][0]["stored"]), (&1.into(), &12.into()));
    let bad: Vec<_> = desk.held().into_iter().filter(|(_, signature)| *signature == Signature::Bad).collect();
    let forged = Record::parse(all[3].strip_suffix(b"\n").expect("a line feed")).expect("a record");
    assert_eq!(bad, [(forged.hash(), Signature::Bad)]);
    // The true one comes in beside it, whenever somebody brings it.
    desk.put("true.jws", &bytes);
    assert_eq!(desk.json(&["import", "true.jws"], 0)["imports"][0]["stored"], 1);
}

#[test]
fn pinned_keys_verify_records_without_their_enrolment() {
    let desk = Desk::new();
    let mut writer = Writer::founder(1);
    writer.open(5);
    desk.put("later.jws", &sample::journal(&writer.records[2..]));
    assert_eq!(desk.json(&["import", "later.jws"], 1)["imports"][0]["unverified"], 5);
    let chain = Chain::read(&writer.name(), &writer.journal(), Depth::Every);
    desk.put("jwks.json", breakglass::record::interop::jwks([&chain]).as_bytes());
    let kit = writer.kit.expect("founded");
    // The words fit a kit whose founding record is not here, so they prove nothing yet.
    let words = words(&kit);
    let early = desk.run(&["trust", &words]);
    assert_eq!(early.status.code(), Some(1));
    assert!(text(&early.stderr).contains("founding record has not come in"), "{}", text(&early.stderr));
    let pinned = desk.json(&["trust", "--jwks", "jwks.json", "--kit", &words], 0);
    assert_eq!((&pinned["trust"], pinned["pinned"].as_array().map(Vec::len)), (&"pinned".into(), Some(1)));
    assert!(desk.held().iter().all(|(_, signature)| *signature == Signature::Good));
    assert_eq!(desk.json(&["import", "later.jws"], 0)["imports"][0]["unverified"], 0);
    desk.put("bad.json", b"{\"keys\":[{\"kty\":\"RSA\",\"n\":\"AQ\",\"e\":\"AQAB\"}]}");
    let refused = desk.run(&["trust", "--jwks", "bad.json", "--kit", &kit.to_string()]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains("key 1 is no public key of P-256"), "{}", text(&refused.stderr));
}

/// The public keys of these journals, as somebody gives them to the auditor.
fn jwks<'a>(writers: impl IntoIterator<Item = &'a Writer>) -> Vec<u8> {
    let writers = writers.into_iter().map(|one| Chain::read(&one.name(), &one.journal(), Depth::Every));
    let chains: Vec<Chain> = writers.collect();
    breakglass::record::interop::jwks(&chains).into_bytes()
}

#[test]
fn a_mistyped_kit_is_not_pinned_and_what_no_record_names_hides_no_kit() {
    let desk = Desk::new();
    let writer = Writer::founder(1);
    let kit = writer.kit.expect("founded");
    desk.put("a.jws", &writer.journal());
    desk.json(&["import", "a.jws"], 0);
    desk.put("jwks.json", &jwks([&writer]));
    // The last letter only, so that the words are the same; then the first, so that they are others.
    let mut last = kit;
    last.0[31] ^= 4;
    let mut first = kit;
    first.0[0] ^= 4;
    for mistyped in [last, first] {
        let refused = desk.run(&["trust", "--jwks", "jwks.json", "--kit", &mistyped.to_string()]);
        assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
        let said = format!("no record of kit {mistyped} is here, and its id is nearly that of kit {kit}");
        assert!(text(&refused.stderr).contains(&said), "{}", text(&refused.stderr));
        assert_eq!(desk.json(&["kits"], 0)["kits"].as_array().map(Vec::len), Some(1));
    }
    // As it was once pinned by mistake: the words still say which kit.
    let path = desk.path("ledger.db").display().to_string();
    let mut ledger = ledger::open(&path).expect("a ledger");
    ledger.put_trust(&last, &ledger::Trust::Pinned(vec![]), None, 0).expect("puts");
    assert_eq!(desk.json(&["trust", &words(&kit)], 0)["kit"], kit.to_string());
    // A record that names such a kit is soon made up; a founding record that stands for it is not.
    let mut forger = Writer::new(9);
    forger.kit = Some(last);
    let enrolment = forger.enrolment();
    forger.write(enrolment);
    forger.open(1);
    desk.put("b.jws", &forger.journal());
    desk.run(&["import", "b.jws"]);
    let rows = ledger.kits().expect("reads");
    assert!(rows.iter().any(|row| row.kit == last && row.records > 0), "{rows:?}");
    assert_eq!(desk.json(&["trust", &words(&kit)], 0)["kit"], kit.to_string());
}

#[test]
fn a_kit_may_be_pinned_before_its_records_come_if_none_that_is_here_is_like_it() {
    let desk = Desk::new();
    let (here, awaited) = (Writer::founder(1), Writer::founder(3));
    desk.put("a.jws", &here.journal());
    desk.json(&["import", "a.jws"], 0);
    desk.put("jwks.json", &jwks([&awaited]));
    let kit = awaited.kit.expect("founded").to_string();
    let pinned = desk.run(&["trust", "--jwks", "jwks.json", "--kit", &kit]);
    assert_eq!(pinned.status.code(), Some(0), "{}", text(&pinned.stderr));
    let said = format!("no record of kit {kit} has come in yet");
    assert!(text(&pinned.stderr).contains(&said), "{}", text(&pinned.stderr));
}

#[test]
fn keys_of_another_kit_are_not_pinned_and_what_replaces_the_words_is_said() {
    let desk = Desk::new();
    let (writer, other) = (Writer::founder(1), Writer::founder(3));
    let kit = writer.kit.expect("founded");
    desk.put("a.jws", &writer.journal());
    desk.json(&["import", "a.jws"], 0);
    desk.json(&["trust", &words(&kit)], 0);
    desk.put("other.json", &jwks([&other]));
    let refused = desk.run(&["trust", "--jwks", "other.json", "--kit", &kit.to_string()]);
    assert_eq!(refused.status.code(), Some(1), "{}", text(&refused.stderr));
    let said = format!("no key of other.json is in the chains of kit {kit}");
    assert!(text(&refused.stderr).contains(&said), "{}", text(&refused.stderr));
    assert_eq!(desk.json(&["kits"], 0)["kits"][0]["trust"], "words");

    desk.put("both.json", &jwks([&writer, &other]));
    let pinned = desk.run(&["trust", "--jwks", "both.json", "--kit", &kit.to_string()]);
    assert_eq!(pinned.status.code(), Some(0), "{}", text(&pinned.stderr));
    for said in [
        "1 of the 2 keys of both.json are in no chain of this kit",
        "the kit was trusted as its words were compared; in place of that, 2 keys now stand for it",
    ] {
        assert!(text(&pinned.stderr).contains(said), "{}", text(&pinned.stderr));
    }
    assert!(text(&pinned.stdout).contains("trusted for 2 keys that came from elsewhere"), "{pinned:?}");
    let again = desk.run(&["trust", &words(&kit)]);
    assert!(text(&again.stderr).contains("in place of that, its words now stand for it"), "{again:?}");
}

#[test]
fn a_bundle_that_a_program_saved_as_text_is_set_aside_and_says_so() {
    let (_, bytes) = bundle(1, 2);
    let windows: Vec<u8> =
        lines(&bytes).iter().flat_map(|line| [&line[..line.len() - 1], b"\r\n"].concat()).collect();
    let marked = [b"\xEF\xBB\xBF".as_slice(), &bytes].concat();
    for (bytes, aside, why) in
        [(windows, 8, "a carriage return ends it"), (marked, 1, "a byte order mark is before it")]
    {
        let desk = Desk::new();
        desk.put("a.jws", &bytes);
        let report: Value =
            serde_json::from_slice(&desk.run(&["import", "a.jws", "--json"]).stdout).expect("an object");
        assert_eq!(report["imports"][0]["set_aside"], aside, "{report}");
        let told = std::fs::read_to_string(desk.path("ledger.db.quarantine.txt")).expect("a file");
        assert!(told.contains(why) && told.contains("get the file again, copied as binary"), "{told}");
        let mut ledger = ledger::open(&desk.path("ledger.db").display().to_string()).expect("a ledger");
        let (kept, _) = ledger.set_aside(usize::MAX).expect("reads");
        assert!(kept.iter().all(|line| bytes.windows(line.bytes.len()).any(|part| part == line.bytes)));
    }
}

#[test]
fn an_attestation_root_is_taken_only_if_the_founding_record_names_it() {
    let desk = Desk::new();
    let mut writer = Writer::new(1);
    let enrolment = writer.enrolment();
    writer.write(enrolment);
    let root = |name: &str| {
        let params = rcgen::CertificateParams::new(vec![name.into()]).expect("a name");
        let key = rcgen::KeyPair::generate().expect("a key");
        params.self_signed(&key).expect("a certificate").der().to_vec()
    };
    let (der, other) = (root("ours"), root("theirs"));
    let mut founding = sample::founding();
    if let Event::KitFounded(facts) = &mut founding {
        facts.attestation_root = Some(Hash::of(&der));
    }
    let kit = writer.write(founding).hash();
    desk.put("a.jws", &writer.journal());
    desk.json(&["import", "a.jws"], 0);
    desk.put("root.der", &der);
    desk.put("other.der", &other);
    let words = words(&kit);
    let other = desk.run(&["trust", &words, "--root", "other.der"]);
    assert_eq!(other.status.code(), Some(6), "{}", text(&other.stderr));
    assert_eq!(desk.json(&["kits"], 0)["kits"][0]["trust"], Value::Null);
    assert_eq!(desk.json(&["trust", &words, "--root", "root.der"], 0)["attestation_root"], true);
}

#[test]
fn killed_at_any_moment_and_begun_again_it_is_the_same_ledger() {
    let (_, bytes) = bundle(1, 6_000);
    let whole = Desk::new();
    whole.put("bundle.jws", &bytes);
    whole.json(&["import", "bundle.jws"], 0);
    let mut expected = whole.held();
    expected.sort_by_key(|(hash, _)| *hash);
    assert_eq!(expected.len(), 12_004);

    let desk = Desk::new();
    desk.put("bundle.jws", &bytes);
    let mut seen = Vec::new();
    for round in 0..12u64 {
        let mut child = desk
            .command(&["import", "bundle.jws", "--threads", "1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("runs");
        std::thread::sleep(Duration::from_millis(round * round * 20));
        let _ = child.kill();
        child.wait().expect("ends");
        if desk.path("ledger.db").exists() {
            let mut ledger = ledger::open(&desk.path("ledger.db").display().to_string()).expect("a ledger");
            seen.push(ledger.size().expect("reads"));
        }
    }
    assert!(seen.is_sorted(), "what was stored is never lost: {seen:?}");
    let last = desk.json(&["import", "bundle.jws"], 0);
    let stored = last["imports"][0]["stored"].as_u64().expect("a number");
    assert_eq!(stored + seen.last().expect("rounds"), 12_004);
    let mut held = desk.held();
    held.sort_by_key(|(hash, _)| *hash);
    assert_eq!(held, expected);
    let mut ledger = ledger::open(&desk.path("ledger.db").display().to_string()).expect("a ledger");
    let ended = ledger.imports().expect("reads");
    assert_eq!(ended.last().expect("the last").end, Some(BundleEnd::Whole));
}

#[test]
fn imports_at_the_same_time_store_everything_once() {
    let desk = Desk::new();
    let (_, bytes) = bundle(1, 800);
    let all = lines(&bytes);
    for (name, range) in [("a", 0..900), ("b", 600..1_604), ("c", 300..1_200), ("d", 0..1_604)] {
        desk.put(&format!("{name}.jws"), &all[range].concat());
    }
    let children: Vec<_> = ["a", "b", "c", "d"]
        .map(|name| {
            let file = format!("{name}.jws");
            let mut command = desk.command(&["import", &file, "--json"]);
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("runs")
        })
        .into();
    let mut stored = 0;
    for child in children {
        let out = child.wait_with_output().expect("ends");
        // Parts of a bundle: some without its end, one with an end that counts more, some of them before its keys.
        assert!(matches!(out.status.code(), Some(0 | 1 | 6)), "{}", text(&out.stderr));
        let report: Value = serde_json::from_slice(&out.stdout).expect("an object");
        stored += report["imports"][0]["stored"].as_u64().expect("a number");
    }
    assert_eq!(stored, 1_604);
    let held = desk.held();
    assert_eq!(held.len(), 1_604);
    assert!(held.iter().all(|(_, signature)| *signature == Signature::Good));
}

#[test]
fn a_ledger_that_others_hold_is_busy_and_a_file_of_another_program_is_not_touched() {
    let desk = Desk::new();
    desk.put("a.jws", &bundle(1, 1).1);
    desk.json(&["import", "a.jws"], 0);
    let other = rusqlite::Connection::open(desk.path("ledger.db")).expect("opens");
    other.execute_batch("BEGIN IMMEDIATE").expect("locks");
    let out = desk.run(&["import", "a.jws", "--wait", "1"]);
    assert_eq!(out.status.code(), Some(7), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("in use by another program"), "{}", text(&out.stderr));
    drop(other);

    let foreign = desk.put(
        "foreign.db",
        b"a text that is longer than the header of a database would have to be, to be one",
    );
    let before = std::fs::read(&foreign).expect("reads");
    let out = desk.run(&["import", "a.jws", "--ledger", "foreign.db"]);
    assert_eq!(out.status.code(), Some(5), "{}", text(&out.stderr));
    assert_eq!(std::fs::read(&foreign).expect("reads"), before);
    let missing = desk.run(&["kits", "--ledger", "not-there.db"]);
    assert_eq!(missing.status.code(), Some(5));
    assert!(!Path::new(&desk.path("not-there.db")).exists(), "to look makes no ledger");
}

#[test]
fn a_password_is_nowhere_in_what_is_said() {
    let desk = Desk::new();
    desk.put("a.jws", &bundle(1, 1).1);
    for url in ["postgres://ada:s3cret@127.0.0.1:1/records?sslmode=disable", "postgres://ada:x?s3cret@host/y"]
    {
        let out = desk.run(&["import", "a.jws", "--ledger", url]);
        assert_ne!(out.status.code(), Some(0));
        assert!(!text(&out.stderr).contains("s3cret"), "{}", text(&out.stderr));
        let help = desk.command(&["--help"]).env("BREAKGLASS_LEDGER", url).output().expect("runs");
        assert!(!text(&help.stdout).contains("s3cret"), "{}", text(&help.stdout));
    }
}

#[test]
fn the_ledgers_own_files_are_no_sources_and_nothing_is_added_to_a_bundle() {
    let desk = Desk::new();
    let (_, bytes) = bundle(1, 3);
    desk.put("a.jws", &[&bytes[..], b"damage\n"].concat());
    assert_eq!(desk.run(&["import", "a.jws"]).status.code(), Some(1));
    let aside = std::fs::read(desk.path("ledger.db.quarantine.txt")).expect("a file");
    // By name, by another name, and on standard input: it would grow as long as it is read.
    std::fs::hard_link(desk.path("ledger.db.quarantine.txt"), desk.path("other.jws")).expect("a link");
    for name in ["ledger.db.quarantine.txt", "other.jws", "ledger.db"] {
        let out = desk.run(&["import", name]);
        assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
        assert!(
            text(&out.stderr).contains(&format!("nothing to import: {name} is")),
            "{}",
            text(&out.stderr)
        );
    }
    let input = std::fs::File::open(desk.path("other.jws")).expect("opens");
    let out = desk.command(&["import", "-"]).stdin(input).output().expect("runs");
    assert!(text(&out.stderr).contains("standard input is the file"), "{}", text(&out.stderr));
    // Among others they are passed over: as by * in the ledger's folder.
    let out = desk.run(&["import", "a.jws", "ledger.db", "ledger.db.quarantine.txt"]);
    assert!(text(&out.stdout).starts_with("11 read · 0 stored · 10 known already"), "{}", text(&out.stdout));
    assert_eq!(text(&out.stderr).matches("it is passed over").count(), 2, "{}", text(&out.stderr));
    let grown = std::fs::read(desk.path("ledger.db.quarantine.txt")).expect("a file");
    let line = aside.split_inclusive(|byte| *byte == b'\n').nth(1).expect("the damage");
    assert_eq!(grown, [&aside, line].concat());
    // A file of another kind is not written to.
    desk.put("b.jws", &bytes);
    let out = desk.run(&["import", "a.jws", "--quarantine", "b.jws"]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    assert!(text(&out.stderr).contains("name another --quarantine"), "{}", text(&out.stderr));
    assert_eq!(std::fs::read(desk.path("b.jws")).expect("a file"), bytes);
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_taken_in() {
    let desk = Desk::new();
    let (_, bytes) = bundle(1, 3);
    desk.put("a.jws", &bytes);
    std::os::unix::fs::symlink("nowhere", desk.path("gone.jws")).expect("a link");
    let out = desk.run(&["import", "gone.jws", "a.jws"]);
    assert_eq!(out.status.code(), Some(5), "{}", text(&out.stderr));
    assert!(text(&out.stdout).starts_with("10 read · 10 stored"), "{}", text(&out.stdout));
    assert!(text(&out.stderr).contains("gone.jws: No such file"), "{}", text(&out.stderr));
    let report = desk.json(&["import", "gone.jws", "a.jws"], 5);
    assert_eq!(report["unread"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_bundle_of_which_nothing_is_left_is_not_taken_for_one() {
    let desk = Desk::new();
    desk.put("empty.jws", b"");
    let out = desk.run(&["import", "empty.jws"]);
    assert_eq!(out.status.code(), Some(1), "{}", text(&out.stderr));
    assert!(text(&out.stdout).contains("empty.jws: nothing is in it"), "{}", text(&out.stdout));
    assert_eq!(desk.run(&["import", "-"]).status.code(), Some(1));
}

#[test]
fn numbers_that_nobody_means_are_usage() {
    let desk = Desk::new();
    desk.put("a.jws", &bundle(1, 1).1);
    for [option, number] in [
        ["--wait", "1000000000"],
        ["--threads", "20000"],
        ["--threads", "18446744073709551615"],
        ["--threads", "0"],
    ] {
        let out = desk.run(&["import", "a.jws", option, number]);
        assert_eq!(out.status.code(), Some(2), "{option} {number}: {}", text(&out.stderr));
    }
}

#[test]
fn what_was_done_stands_where_only_its_output_is_lost() {
    let desk = Desk::new();
    desk.put("a.jws", &bundle(1, 1).1);
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("opens");
    let out = desk.command(&["import", "a.jws"]).stdin(Stdio::null()).stdout(full()).output().expect("runs");
    assert_eq!(out.status.code(), Some(5));
    assert!(text(&out.stderr).contains("what was done stands"), "{}", text(&out.stderr));
    assert_eq!(desk.held().len(), 6);
}
