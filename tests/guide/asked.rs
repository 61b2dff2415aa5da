//! Verbs that ask at a terminal for what was not given, and what is said after sealing.

use crate::practice::{PIN, PracticeKit, add_to_policy, done};
use crate::story::{LIST, at, choose, number};

fn pin(serial: u32) -> String {
    format!("{serial} pin {PIN}")
}

/// A kit in which `core-fw/admin` was opened for INC-4711.
fn opened() -> PracticeKit {
    let kit = PracticeKit::of_piv_alone();
    let words = [&PracticeKit::opening("core-fw/admin")[..], &["--key", "23112"]].concat();
    done(&kit.run(&words, &[&pin(23112)]));
    kit
}

fn shown(kit: &PracticeKit) -> serde_json::Value {
    let told = kit.run(&["--json", "incident", "show", "INC-4711"], &[]);
    serde_json::from_slice(&told.stdout).expect("JSON")
}

#[test]
fn close_asks_what_it_was_not_told_until_it_can_be_signed() {
    let kit = opened();
    let mut person = at(kit.path(), &["close", "INC-4711", "--with", "23112"]);
    person.answer("how did it end, in a few words? ", "");
    person.line("PAM is back");
    person.answer("what was it (real, drill, misuse, false-alarm)? ", "finished");
    person.wait_for("false-alarm");
    person.answer("what was it (real, drill, misuse, false-alarm)? ", "real");
    person.answer("was something switched off for it, to be put back (no, or what)? ", "alerts of core-fw");
    person.answer("something else (no, or what)? ", "MFA of admin");
    person.answer("something else (no, or what)? ", "n");
    let plan = person.wait_for("to go on: ");
    for line in
        ["verdict   real", "outcome   PAM is back", "put back  alerts of core-fw", "put back  MFA of admin"]
    {
        assert!(plan.contains(line), "{plan}");
    }
    person.line("close INC-4711");
    person.answer("PIN for 23112 (3 of 3 tries left): ", PIN);
    let (code, text) = person.end();
    assert_eq!(code, Some(0), "{text}");
    assert!(
        text.contains("closed INC-4711 on record.") && text.contains("restore alerts of core-fw"),
        "{text}"
    );
    let closed = &shown(&kit)["closed"];
    assert_eq!(closed["verdict"], "real");
    assert_eq!(closed["outcome"], "PAM is back");
    assert_eq!(closed["switched_off"], serde_json::json!(["alerts of core-fw", "MFA of admin"]));
}

#[test]
fn close_asks_only_for_what_is_missing_and_signs_nothing_on_a_wrong_word() {
    let kit = opened();
    // All in words: nothing is asked but the exact word and the PIN.
    let given = ["close", "INC-4711", "--with", "23112", "--outcome", "x", "--verdict", "drill"];
    let mut person = at(kit.path(), &given);
    let plan = person.wait_for("to go on: ");
    assert!(!plan.contains("switched off"), "{plan}");
    person.line("close INC-4712");
    let (code, text) = person.end();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("not confirmed.") && !text.contains("PIN for"), "{text}");
    // What is too long for a record is refused before anything is confirmed.
    let mut person = at(kit.path(), &given[..6]);
    person.answer("false-alarm)? ", "drill");
    person.answer("put back (no, or what)? ", &"a".repeat(129));
    person.answer("something else (no, or what)? ", "no");
    let (code, text) = person.end();
    assert_eq!(code, Some(2), "{text}");
    assert!(text.contains("at most 6 texts of 1 to 128 bytes"), "{text}");
    // Given up in the middle.
    let mut person = at(kit.path(), &given[..4]);
    person.wait_for("in a few words? ");
    person.keys("\u{4}");
    let (code, text) = person.end();
    assert_eq!(code, Some(1), "{text}");
    assert!(text.contains("cancelled."), "{text}");
    assert!(shown(&kit)["closed"].is_null());
}

#[test]
fn after_sealing_the_checklist_of_the_platform_is_told() {
    let kit = PracticeKit::of_piv_alone();
    add_to_policy(
        kit.path(),
        "\n[[platform]]\nname = \"core-db\"\nbackup-waived = \"a test\"\n\
         checklist = [\"exempt from MFA\", \"an alert on login is set\"]\n",
    );
    let seal = |name: &str, word: &str, json: &[&str]| {
        let words = [json, &["seal", name, "--generate", "--with", "23112", "--confirm", word]].concat();
        let output = kit.run(&words, &[&pin(23112)]);
        done(&output);
        (String::from_utf8_lossy(&output.stderr).into_owned(), output.stdout)
    };
    let (told, _) = seal("core-db/backup", "seal core-db", &[]);
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text}\n{told}"));
    assert!(at("sealed core-db/backup") < at("exempt from MFA"), "{told}");
    assert!(at("exempt from MFA") < at("an alert on login is set"), "{told}");
    assert!(at("an alert on login is set") < at("write on the bags:"), "{told}");
    let (_, json) = seal("core-db/third", "seal core-db", &["--json"]);
    let json: serde_json::Value = serde_json::from_slice(&json).expect("JSON");
    let list = json["checklist"].as_array().expect("a list");
    assert_eq!(list.len(), 2, "{json}");
    // The next generation has to be checked as well; another platform has nothing to check.
    let rotate = ["rotate", "core-db/root", "--generate", "--with", "23112", "--confirm", "seal core-db"];
    let output = kit.run(&rotate, &[&pin(23112)]);
    done(&output);
    assert!(String::from_utf8_lossy(&output.stderr).contains("exempt from MFA"));
    let (told, _) = seal("core-sw/console", "seal core-sw", &[]);
    assert!(!told.contains("exempt from MFA"), "{told}");
}

#[test]
fn a_key_that_is_wanted_is_waited_for() {
    let kit = PracticeKit::of_piv_alone();
    done(&kit.run(&["practice", "remove", "30877"], &[]));
    let mut person = at(kit.path(), &["drill", "core-fw/admin", "--key", "30877", "--operator", "ada"]);
    person.answer("to go on: ", "drill core-fw");
    person.wait_for("insert 30877 (safe B, bag 0102)");
    done(&kit.run(&["practice", "insert", "30877"], &[]));
    person.answer("PIN for 30877 (3 of 3 tries left): ", PIN);
    let (code, text) = person.end();
    assert_eq!(code, Some(0), "{text}");
    assert!(text.contains("nothing was opened."), "{text}");
    // Without anybody to ask there is no waiting.
    done(&kit.run(&["practice", "remove", "30877"], &[]));
    let words =
        ["drill", "core-fw/admin", "--key", "30877", "--operator", "ada", "--confirm", "drill core-fw"];
    let output = kit.run(&words, &[&pin(30877)]);
    assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
    // Nor may a key that signs be missing: any admitted one does.
    let kit = opened();
    for serial in ["23112", "23115", "30877"] {
        done(&kit.run(&["practice", "remove", serial], &[]));
    }
    let mut person = at(kit.path(), &["close", "INC-4711", "--outcome", "x", "--verdict", "drill"]);
    person.answer("to go on: ", "close INC-4711");
    person.wait_for("insert the key that signs, one of: 23112 (safe A, bag 0417) · ");
    done(&kit.run(&["practice", "insert", "23115"], &[]));
    person.answer("PIN for 23115 (3 of 3 tries left): ", PIN);
    assert_eq!(person.end().0, Some(0));
}

#[test]
fn where_a_key_goes_back_to_is_what_the_last_check_in_says() {
    let kit = PracticeKit::of_piv_alone();
    crate::practice::add_person(kit.path(), "bob", "operator");
    let away = ["--place", "vault of the bank", "--bag", "0999", "--person", "ada", "--witness", "bob"];
    let words = [&["key", "checkin", "23112"][..], &away, &["--with", "23112", "--confirm", "checkin 23112"]]
        .concat();
    done(&kit.run(&words, &[&pin(23112)]));
    let words = [&PracticeKit::opening("core-fw/admin")[..], &["--key", "23112"]].concat();
    let output = kit.run(&words, &[&pin(23112)]);
    done(&output);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("any 1 of  23112 (vault of the bank, bag 0999)"), "{told}");
    assert!(told.contains("return 23112 to vault of the bank"), "{told}");
}

#[test]
fn key_list_names_who_keeps_each_key() {
    let kit = PracticeKit::of_piv_alone();
    add_to_policy(kit.path(), "\n[[person]]\nname = \"carol\"\nroles = [\"custodian\"]\nkeys = [23112]\n");
    let told = kit.run(&["key", "list"], &[]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    let line =
        |serial: &str| told.lines().find(|line| line.starts_with(serial)).unwrap_or_default().to_owned();
    assert!(line("23112").contains("kept by carol, PUK with carol"), "{told}");
    assert!(line("23115").contains("   PUK with carol") && !line("23115").contains("kept by"), "{told}");
    let told = kit.run(&["--json", "key", "list"], &[]);
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("JSON");
    assert_eq!(told["keys"][0]["keeper"], "carol");
    assert!(told["keys"][1]["keeper"].is_null());
}

#[test]
fn what_is_due_beside_incidents_is_offered_and_done() {
    let kit = PracticeKit::of_piv_alone();
    let rotate = ["rotate", "core-fw/admin", "--generate", "--with", "23112", "--confirm", "seal core-fw"];
    done(&kit.run(&rotate, &[&pin(23112)]));
    let out = ["key", "checkout", "30877", "--bag", "0102", "--seal", "intact", "--why", "drill"];
    crate::practice::add_person(kit.path(), "bob", "operator");
    let people = ["--person", "ada", "--witness", "bob", "--with", "30877", "--confirm", "checkout 30877"];
    done(&kit.run(&[&out[..], &people].concat(), &[&pin(30877)]));

    let mut person = at(kit.path(), &[]);
    let list = choose(&mut person, "do what else is due: 2 things");
    assert!(!list.contains("incidents left"), "{list}");
    let due = person.wait_for("which (Enter for none)? ");
    person.line(&number(&due, "core-fw/admin, generation 2, is sealed and not confirmed"));
    person.answer("to go on: ", "confirm core-fw");
    person.answer("which key signs (23112, 23115, 30877)? ", "23115");
    person.answer("tries left): ", PIN);
    person.wait_for("generation 2 of core-fw/admin is the current one now.");
    choose(&mut person, "do what is due: key 30877 is out of its bag, with ada: drill");
    person.answer("which (Enter for none)? ", "1");
    person.answer("where does it lie now? ", "safe B");
    person.answer("the number of its new bag (or none): ", "0103");
    person.answer("who puts it away, by the name in the policy: ", "ada");
    person.answer("who sees it, by the name in the policy: ", "bob");
    person.answer("to go on: ", "checkin 30877");
    person.answer("which key signs (23112, 23115, 30877)? ", "30877");
    person.answer("tries left): ", PIN);
    let list = person.wait_for(LIST);
    assert!(!list.contains("do what"), "{list}");
    person.line("");
    assert_eq!(person.end().0, Some(0));
}
