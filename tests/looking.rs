//! What went wrong with a kit is found and named by the verbs that look, each with its exit code; none asks for a PIN.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use practice::{PIN, PracticeKit, copy, done, keys_of, run};
use serde_json::Value;

/// Runs a verb without anybody to ask and without PINs; exit code and the JSON object.
fn look(kit: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = bare(kit, arguments);
    let code = output.status.code().expect("an exit code");
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{}", String::from_utf8_lossy(&output.stderr)));
    (code, value)
}

fn bare(kit: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_breakglass"))
        .arg("--kit")
        .arg(kit)
        .arg("--json")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

/// `weight RULE` of every finding but notes, in order.
fn found(value: &Value) -> Vec<String> {
    let findings = value["findings"].as_array().expect("findings");
    findings
        .iter()
        .filter(|finding| finding["weight"] != "note")
        .map(|finding| {
            format!("{} {}", finding["weight"].as_str().unwrap(), finding["rule"].as_str().unwrap())
        })
        .collect()
}

fn texts(value: &Value) -> String {
    let findings = value["findings"].as_array().expect("findings");
    findings.iter().map(|finding| format!("{}\n", finding["text"].as_str().unwrap())).collect()
}

/// Asserts exit code and findings of `records verify`, and gives their texts.
fn verify(kit: &Path, code: i32, expected: &[&str]) -> String {
    let (got, value) = look(kit, &["records", "verify"]);
    assert_eq!((got, found(&value)), (code, expected.iter().map(ToString::to_string).collect()), "{value:#}");
    texts(&value)
}

fn journal(kit: &Path, serial: u32) -> PathBuf {
    let names = std::fs::read_dir(kit.join("journal")).expect("a journal");
    let starts = format!("{serial}-");
    names
        .map(|entry| entry.expect("an entry").path())
        .find(|path| path.file_name().unwrap().to_string_lossy().starts_with(&starts))
        .expect("a chain of that key")
}

fn lines(path: &Path) -> Vec<Vec<u8>> {
    let bytes = std::fs::read(path).expect("a journal");
    bytes.split_inclusive(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect()
}

/// Every file below a folder with that name.
fn files(folder: &Path, name: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten() {
        let path = entry.expect("an entry").path();
        match path.is_dir() {
            true => found.extend(files(&path, name)),
            false if path.file_name().is_some_and(|n| n.to_string_lossy() == name) => found.push(path),
            false => {}
        }
    }
    found.sort();
    found
}

fn open(kit: &PracticeKit, credential: &str, more: &[&str], pins: &[String]) -> Output {
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    kit.run(&[PracticeKit::opening(credential), more.to_vec()].concat(), &pins)
}

#[test]
fn a_whole_kit_is_intact() {
    let kit = PracticeKit::new();
    verify(kit.path(), 0, &[]);
    let (code, value) = look(kit.path(), &["inventory", "--all"]);
    assert_eq!((code, found(&value)), (0, vec![]), "{value:#}");
    for key in value["keys"].as_array().unwrap() {
        assert_eq!(
            (&key["presence"], &key["head"], &key["standing"]),
            (&"proven".into(), &"agrees".into(), &"admitted".into())
        );
        assert_eq!((&key["pin"]["left"], &key["pin"]["factory"]), (&3.into(), &false.into()));
        assert_eq!(key["opens"], serde_json::json!(["core-db/root", "core-fw/admin"]));
    }
    let (code, value) = look(kit.path(), &["status"]);
    assert_eq!((code, found(&value)), (1, vec!["due COVERAGE-PLACE".to_owned()]));
    assert!(texts(&value).starts_with("core-db/root would die with safe A\n"), "{}", texts(&value));
}

#[test]
fn coverage_says_what_dies_with_which_place() {
    let kit = PracticeKit::new();
    let (code, value) = look(kit.path(), &["coverage"]);
    assert_eq!(code, 1);
    let row = |n: usize| &value["credentials"][n];
    assert_eq!(row(0)["credential"], "core-db/root");
    assert_eq!(row(0)["dies_without"], serde_json::json!(["safe A"]));
    assert_eq!(
        row(0)["keys"],
        serde_json::json!({"23112": "not-yet", "23115": "not-yet", "30877": "not-yet"})
    );
    assert_eq!(
        (row(1)["credential"].as_str(), row(1)["dies_without"].as_array().unwrap().len()),
        (Some("core-fw/admin"), 0)
    );
    done(&open(&kit, "core-fw/admin", &["--key", "30877"], &PracticeKit::pins(1)));
    let (_, value) = look(kit.path(), &["coverage"]);
    assert_eq!(value["credentials"][1]["keys"]["30877"], "proven");
}

#[test]
fn a_changed_record_is_named_with_its_line() {
    let kit = PracticeKit::new();
    let path = journal(kit.path(), 23112);
    let mut changed = lines(&path);
    let at = changed[3].len() / 2;
    changed[3][at] = if changed[3][at] == b'A' { b'B' } else { b'A' };
    std::fs::write(&path, changed.concat()).unwrap();
    let (code, value) = look(kit.path(), &["records", "verify"]);
    assert_eq!(code, 6);
    assert!(found(&value).contains(&"wrong JOURNAL-DAMAGED".to_owned()), "{value:#}");
    assert!(texts(&value).contains("line 4 was changed after it was signed"), "{value:#}");
    for verb in [&["status"][..], &["records", "list"]] {
        assert_eq!(look(kit.path(), verb).0, 6, "{verb:?}");
    }
}

#[test]
fn records_that_others_have_seen_are_missed() {
    let kit = PracticeKit::new();
    done(&open(&kit, "core-db/root", &["--key", "23112,23115"], &PracticeKit::pins(2)));
    let path = journal(kit.path(), 23112);
    let all = lines(&path);
    let last = all.len() - 1;
    std::fs::write(&path, all[..last].concat()).unwrap();
    let text = verify(kit.path(), 6, &["wrong JOURNAL-LACKS"]);
    assert!(text.contains(&format!("lacks record {last} of 23112-")), "{text}");
    // The sealing of core-fw/admin as well: its files are named by nothing any more.
    std::fs::write(&path, all[..last - 2].concat()).unwrap();
    let strays = ["not-checked FILE-STRAY"; 8];
    let text = verify(kit.path(), 6, &[&["wrong JOURNAL-LACKS"][..], &strays].concat());
    assert!(text.contains(&format!("lacks records {} to {last} of 23112-", last - 2)), "{text}");
    assert_eq!(look(kit.path(), &["status"]).0, 6);
}

#[test]
fn an_old_copy_is_found_by_what_its_keys_remember() {
    let kit = PracticeKit::new();
    let old = tempfile::tempdir().unwrap();
    copy(kit.path(), old.path());
    let seal = ["seal", "core-lb/root", "--generate", "-k", "1", "--user", "root", "--with", "23112"];
    done(&kit.run(&[&seal[..], &["--confirm", "seal core-lb"]].concat(), &[&format!("23112 pin {PIN}")]));
    done(&open(&kit, "core-db/root", &["--key", "23115,30877"], &PracticeKit::pins(3)));
    copy(&keys_of(kit.path()), &keys_of(old.path()));
    verify(old.path(), 0, &[]);
    let (code, value) = look(old.path(), &["inventory"]);
    // 23112 signed one record since, 23115 two, 30877 three.
    let expected = ["wrong KEY-HEAD", "wrong KEY-HEAD", "due KEY-HEAD"].map(String::from);
    assert_eq!((code, found(&value)), (6, expected.to_vec()), "{value:#}");
    assert!(texts(&value).contains("this copy of the kit is older than key 23115 remembers"), "{value:#}");
    let heads: Vec<&Value> = value["keys"].as_array().unwrap().iter().map(|key| &key["head"]).collect();
    assert_eq!(heads, ["key-ahead", "gap", "gap"]);

    let (code, merged) = look(old.path(), &["kit", "merge", &kit.path().display().to_string()]);
    assert_eq!((code, &merged["records"], &merged["forks"]), (0, &6.into(), &serde_json::json!([])));
    let (code, value) = look(old.path(), &["inventory"]);
    assert_eq!((code, found(&value)), (0, vec![]), "{value:#}");
    let (code, again) = look(old.path(), &["kit", "merge", &kit.path().display().to_string()]);
    assert_eq!((code, &again["records"], &again["files"]), (0, &0.into(), &0.into()));
}

#[test]
fn two_sticks_that_were_both_used_are_a_fork() {
    let kit = PracticeKit::new();
    let other = tempfile::tempdir().unwrap();
    copy(kit.path(), other.path());
    let pin = format!("23112 pin {PIN}");
    let new = format!("23112 new-pin {PIN}9");
    let change = ["key", "pin", "23112"];
    done(&kit.run(&change, &[&pin, &new.replace(&format!("{PIN}9"), "73625140")]));
    done(&run(other.path(), &change, &[&pin, &new.replace(&format!("{PIN}9"), "84736251")]));
    let (code, merged) = look(kit.path(), &["kit", "merge", &other.path().display().to_string()]);
    assert_eq!(code, 6);
    assert_eq!(merged["forks"].as_array().unwrap().len(), 1, "{merged:#}");
    let text = verify(kit.path(), 6, &["wrong JOURNAL-FORK"]);
    assert!(text.contains("its key signed twice"), "{text}");
}

#[test]
fn sealed_files_that_were_swapped_or_lost_are_named() {
    let kit = PracticeKit::new();
    let [db, fw] = &files(&kit.path().join("sealed"), "payload.age")[..] else { panic!("two payloads") };
    std::fs::copy(db, fw).unwrap();
    let share = std::fs::read_dir(db.parent().unwrap()).unwrap();
    let share = share.map(|e| e.unwrap().path()).find(|p| p.to_string_lossy().contains("/23115-")).unwrap();
    std::fs::remove_file(&share).unwrap();
    std::fs::write(db.with_file_name("more.age"), "x").unwrap();
    let text =
        verify(kit.path(), 6, &["wrong SEALED-MISSING", "wrong SEALED-CHANGED", "not-checked FILE-STRAY"]);
    let below = |path: &Path| path.strip_prefix(kit.path()).unwrap().display().to_string();
    assert!(text.contains(&format!("{} is missing (core-db/root, generation 1)", below(&share))), "{text}");
    assert!(
        text.contains(&format!("{} is not the file that was sealed (core-fw/admin", below(fw))),
        "{text}"
    );
    assert!(text.contains("more.age is named by no record"), "{text}");
    assert_eq!(look(kit.path(), &["status"]).0, 6);
}

#[test]
fn a_sealed_file_that_is_a_link_is_no_sealed_file() {
    let kit = PracticeKit::new();
    let payload = &files(&kit.path().join("sealed"), "payload.age")[0];
    let elsewhere = kit.path().join("elsewhere");
    std::fs::rename(payload, &elsewhere).unwrap();
    std::os::unix::fs::symlink(&elsewhere, payload).unwrap();
    verify(kit.path(), 6, &["wrong SEALED-CHANGED"]);
}

#[test]
fn a_stray_sealing_alone_is_only_not_checked() {
    let kit = PracticeKit::new();
    let folder = kit.path().join("sealed/core-db/root/2-00000000");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("payload.age"), "half").unwrap();
    verify(kit.path(), 1, &["not-checked FILE-STRAY"]);
}

#[test]
fn an_edited_kit_toml_is_named_and_has_no_effect() {
    let kit = PracticeKit::new();
    let toml = kit.path().join("kit.toml");
    let text = std::fs::read_to_string(&toml).unwrap();
    for (new, what) in [
        (Some(text.replace("safe B", "safe C")), "it was edited"),
        (Some("name = 5".into()), "cannot be read as a policy"),
        (None, "kit.toml is missing"),
    ] {
        match &new {
            Some(new) => std::fs::write(&toml, new).unwrap(),
            None => std::fs::remove_file(&toml).unwrap(),
        }
        let (code, value) = look(kit.path(), &["status"]);
        assert_eq!((code, found(&value)[0].as_str()), (1, "due POLICY-DRAFT"), "{value:#}");
        assert!(texts(&value).contains(what), "{value:#}");
        let (_, keys) = look(kit.path(), &["key", "list"]);
        assert_eq!(keys["keys"][2]["place"], "safe B");
    }
}

#[test]
fn a_changed_policy_is_an_integrity_error() {
    let kit = PracticeKit::new();
    let [policy] =
        &std::fs::read_dir(kit.path().join("policy")).unwrap().map(|e| e.unwrap().path()).collect::<Vec<_>>()
            [..]
    else {
        panic!("one policy")
    };
    let text = std::fs::read_to_string(policy).unwrap();
    std::fs::write(policy, text.replace("safe B", "safe C")).unwrap();
    let output = bare(kit.path(), &["records", "verify"]);
    assert_eq!(output.status.code(), Some(6));
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("is missing or was changed"), "{text}");
}

#[test]
fn an_intent_without_an_outcome_may_have_been_disclosed() {
    let kit = PracticeKit::new();
    done(&kit.run(&["practice", "remove", "23115"], &[]));
    let output = open(&kit, "core-db/root", &["--key", "23112,23115"], &PracticeKit::pins(1));
    assert_eq!(output.status.code(), Some(3));
    let text = verify(kit.path(), 1, &["due OPEN-NO-OUTCOME"]);
    assert!(text.contains("ada began to open it with 23112 for INC-4711"), "{text}");
    let (code, value) = look(kit.path(), &["status"]);
    assert_eq!(code, 1);
    assert!(found(&value).contains(&"due OPEN-NO-OUTCOME".to_owned()), "{value:#}");
}

#[test]
fn a_use_is_due_until_its_rotation_is_confirmed() {
    let kit = PracticeKit::new();
    done(&open(&kit, "core-fw/admin", &["--key", "23112"], &PracticeKit::pins(1)));
    let due = |kit: &PracticeKit| {
        let (_, value) = look(kit.path(), &["status"]);
        found(&value).into_iter().filter(|finding| finding.contains("ROTATE")).collect::<Vec<_>>()
    };
    assert_eq!(due(&kit), ["due ROTATE-USED"]);
    let pin = format!("23112 pin {PIN}");
    let rotate = ["rotate", "core-fw/admin", "--generate", "--with", "23112", "--confirm", "seal core-fw"];
    done(&kit.run(&rotate, &[&pin]));
    assert_eq!(due(&kit), ["due ROTATE-USED", "due ROTATE-PENDING"]);
    let confirm =
        ["rotate", "core-fw/admin", "--confirm-pending", "--with", "23112", "--confirm", "confirm core-fw"];
    done(&kit.run(&confirm, &[&pin]));
    assert_eq!(due(&kit), [""; 0]);
}

#[test]
fn a_retired_key_leaves_rotations_due() {
    let kit = PracticeKit::new();
    let retire =
        |with: &str| {
            let word = "retire 30877";
            let pin = format!("{with} pin {PIN}");
            done(&kit.run(
                &["key", "retire", "30877", "--why", "lost", "--with", with, "--confirm", word],
                &[&pin],
            ));
        };
    retire("23112");
    let (_, value) = look(kit.path(), &["status"]);
    assert!(texts(&value).contains("retire 30877: 1 of 2 signatures (23112)"), "{value:#}");
    retire("23115");
    let (code, value) = look(kit.path(), &["status"]);
    let rules = found(&value);
    assert_eq!(
        (code, rules.iter().filter(|rule| *rule == "due ROTATE-RETIRED").count()),
        (1, 2),
        "{value:#}"
    );
    let (_, value) = look(kit.path(), &["inventory"]);
    let standings: Vec<&Value> =
        value["keys"].as_array().unwrap().iter().map(|key| &key["standing"]).collect();
    assert_eq!(standings, ["admitted", "admitted", "retired"]);
}

#[test]
fn inventory_sees_wrong_pins_resets_swaps_and_absence() {
    let kit = PracticeKit::new();
    let wrong = open(&kit, "core-fw/admin", &["--key", "23115"], &["23115 pin 11111111".to_owned()]);
    assert_eq!(wrong.status.code(), Some(4));
    // Another key with that serial: provisioned elsewhere, and a blank one.
    let other = PracticeKit::new();
    let blank = tempfile::tempdir().unwrap();
    done(&run(blank.path(), &["init", "--practice"], &[]));
    for serial in ["23112", "30877"] {
        done(&run(blank.path(), &["practice", "new", "--serial", serial], &[]));
    }
    std::fs::copy(keys_of(blank.path()).join("30877.key"), keys_of(kit.path()).join("30877.key")).unwrap();
    done(&run(
        blank.path(),
        &["key", "provision", "--serial", "23112", "--confirm", "23112"],
        &[&format!("23112 new-pin {PIN}"), "23112 new-puk 97531864"],
    ));
    std::fs::copy(keys_of(blank.path()).join("23112.key"), keys_of(kit.path()).join("23112.key")).unwrap();
    let (code, value) = look(kit.path(), &["inventory"]);
    assert_eq!(code, 6);
    let presences: Vec<&Value> =
        value["keys"].as_array().unwrap().iter().map(|key| &key["presence"]).collect();
    assert_eq!(presences, ["failed", "proven", "was-reset"], "{value:#}");
    let text = texts(&value);
    for sentence in [
        "this key says it is 23112, but it cannot prove it",
        "the slots of key 30877 are empty: it was reset since it was enrolled",
        "key 23115 has 2 of 3 PIN tries left",
        "key 30877 has the factory PIN",
    ] {
        assert!(text.contains(sentence), "{sentence}\n{text}");
    }

    done(&other.run(&["practice", "remove", "30877"], &[]));
    let (code, value) = look(other.path(), &["inventory"]);
    assert_eq!((code, &value["not_seen"]), (0, &serde_json::json!([30877])));
    let (code, value) = look(other.path(), &["inventory", "--all"]);
    assert_eq!((code, found(&value)), (1, vec!["not-checked KEY-SEEN".to_owned()]));
    assert!(texts(&value).contains("key 30877 was not seen: safe B, bag 0102"), "{value:#}");
}

#[test]
fn a_key_of_another_kit_is_told_by_its_head() {
    let (kit, other) = (PracticeKit::new(), tempfile::tempdir().unwrap());
    done(&run(other.path(), &["init", "--practice"], &[]));
    done(&run(other.path(), &["practice", "new", "--serial", "4711"], &[]));
    std::fs::copy(keys_of(other.path()).join("4711.key"), keys_of(kit.path()).join("4711.key")).unwrap();
    let (code, value) = look(kit.path(), &["key", "inspect", "4711"]);
    assert_eq!((code, &value["standing"], &value["words"]), (0, &"unknown".into(), &Value::Null));

    std::fs::copy(keys_of(kit.path()).join("23112.key"), keys_of(other.path()).join("23112.key")).unwrap();
    let (_, value) = look(other.path(), &["key", "inspect", "23112"]);
    let (_, status) = look(kit.path(), &["status"]);
    assert_eq!((&value["standing"], &value["words"]), (&"other-kit".into(), &status["words"]), "{value:#}");
    assert_eq!(value["model"], "YubiKey 5C NFC");
    assert_eq!(value["slots"].as_array().unwrap().len(), 3);
}

#[test]
fn the_numbers_of_the_list_are_those_of_the_whole_kit() {
    let kit = PracticeKit::new();
    done(&open(&kit, "core-db/root", &["--key", "23112,30877"], &PracticeKit::pins(2)));
    let (_, all) = look(kit.path(), &["records", "list"]);
    let (_, some) = look(kit.path(), &["records", "list", "--incident", "INC-4711"]);
    let numbers = |value: &Value| -> Vec<u64> {
        value["records"].as_array().unwrap().iter().map(|record| record["n"].as_u64().unwrap()).collect()
    };
    let count = numbers(&all).len() as u64;
    assert_eq!(numbers(&all), (1..=count).collect::<Vec<_>>());
    assert_eq!(numbers(&some), (count - 4..=count).collect::<Vec<_>>());
    let (_, of_key) = look(kit.path(), &["records", "list", "--serial", "30877"]);
    assert!(of_key["records"].as_array().unwrap().iter().all(|record| record["serial"] == 30877));
    // What a signer had seen comes before what it signed.
    let events: Vec<&str> =
        all["records"].as_array().unwrap().iter().map(|record| record["event"].as_str().unwrap()).collect();
    let opening = ["open.intent", "open.asserted", "open.intent", "open.asserted", "open.released"];
    assert_eq!(events[events.len() - 5..], opening);
}
