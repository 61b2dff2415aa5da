//! Keys leave their bags and come back, by two people, through the program; and what is printed for bags, letters and the
//! vault says what the records say, asks for no PIN and prints none.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::path::Path;
use std::process::{Command, Output, Stdio};

use practice::{PIN, PUK, PracticeKit, done};
use serde_json::Value;

/// A practice kit whose policy knows a second person.
fn kit() -> PracticeKit {
    let kit = PracticeKit::new();
    practice::add_person(kit.path(), "bob", "custodian");
    kit
}

fn out<'a>(serial: &'a str, bag: &'a str, seal: &'a str, word: &'a str) -> Vec<&'a str> {
    let who = ["--person", "ada", "--witness", "bob", "--why", "INC-4711", "--with", "23115"];
    [&["key", "checkout", serial, "--bag", bag, "--seal", seal][..], &who, &["--confirm", word]].concat()
}

fn back<'a>(serial: &'a str, place: &'a str, bag: &'a str, word: &'a str) -> Vec<&'a str> {
    let who = ["--person", "ada", "--witness", "bob", "--with", "23115"];
    [&["key", "checkin", serial, "--place", place, "--bag", bag][..], &who, &["--confirm", word]].concat()
}

/// Runs with the PIN of the key that signs.
fn signed(kit: &PracticeKit, arguments: &[&str]) -> Output {
    kit.run(arguments, &[&format!("23115 pin {PIN}")])
}

/// Runs without PINs and without anybody to ask.
fn look(kit: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_breakglass"))
        .arg("--kit")
        .arg(kit)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .expect("the program runs")
}

fn json(kit: &Path, arguments: &[&str]) -> (i32, Value) {
    let output = look(kit, &[&["--json"], arguments].concat());
    let value = serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|e| panic!("{arguments:?}: {e}\n{}", String::from_utf8_lossy(&output.stderr)));
    (output.status.code().expect("an exit code"), value)
}

fn listed(kit: &PracticeKit, serial: u32) -> Value {
    let (_, value) = json(kit.path(), &["key", "list"]);
    let keys = value["keys"].as_array().unwrap();
    keys.iter().find(|key| key["serial"] == serial).unwrap().clone()
}

/// `weight RULE` of what `status` finds of custody.
fn status(kit: &PracticeKit) -> (i32, Vec<String>) {
    let (code, value) = json(kit.path(), &["status"]);
    let findings = value["findings"].as_array().unwrap().iter();
    let told =
        findings.map(|one| format!("{} {}", one["weight"].as_str().unwrap(), one["rule"].as_str().unwrap()));
    (code, told.filter(|one| one.contains("CUSTODY") || one.contains("KEY-OUT")).collect())
}

#[test]
fn a_key_leaves_its_bag_and_comes_back_into_another() {
    let kit = kit();
    assert_eq!(status(&kit).1, Vec::<String>::new());
    done(&signed(&kit, &out("23112", "0417", "intact", "checkout 23112")));
    let key = listed(&kit, 23112);
    assert_eq!((&key["out"]["person"], &key["out"]["why"]), (&"ada".into(), &"INC-4711".into()));
    assert_eq!(
        (&key["place"], &key["bag"], &key["checked_in"]),
        (&"safe A".into(), &"0417".into(), &Value::Null)
    );
    assert_eq!(status(&kit), (1, vec!["due KEY-OUT".to_owned()]));
    // Twice out is no move.
    let again = signed(&kit, &out("23112", "0417", "intact", "checkout 23112"));
    assert_eq!(again.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&again.stderr).contains("key 23112 is out already: out since"));

    done(&signed(&kit, &back("23112", "safe C", "0502", "checkin 23112")));
    let key = listed(&kit, 23112);
    assert_eq!((&key["place"], &key["bag"], &key["out"]), (&"safe C".into(), &"0502".into(), &Value::Null));
    assert!(key["checked_in"].is_i64());
    assert_eq!(status(&kit).1, Vec::<String>::new());
    let (_, coverage) = json(kit.path(), &["coverage"]);
    assert_eq!(coverage["keys"][0]["place"], "safe C");
    assert_eq!(coverage["credentials"][0]["dies_without"], serde_json::json!([]), "23112 lies elsewhere now");
    // The plan of an opening says where it lies, or who has it.
    let open = PracticeKit::opening("core-fw/admin");
    let plan = |kit: &PracticeKit| {
        let words = [&open[..open.len() - 1], &["not the word"]].concat();
        String::from_utf8(kit.run(&words, &[]).stderr).unwrap()
    };
    assert!(plan(&kit).contains("23112 (safe C, bag 0502)"), "{}", plan(&kit));
    done(&signed(&kit, &out("23112", "0502", "intact", "checkout 23112")));
    assert!(plan(&kit).contains("23112 (out, with ada)"), "{}", plan(&kit));
    assert_eq!(json(kit.path(), &["records", "verify"]).0, 0);
}

#[test]
fn a_broken_seal_and_another_number_stay_until_the_pin_is_new_and_the_key_is_back() {
    let kit = kit();
    let taken = signed(&kit, &out("30877", "0103", "broken", "checkout 30877"));
    done(&taken);
    let text = String::from_utf8_lossy(&taken.stderr);
    assert!(text.contains("it should be bag 0102: this becomes a finding"), "{text}");
    assert!(text.contains("ada and bob found the seal of key 30877 broken"), "{text}");
    let both = ["wrong CUSTODY-SEAL", "wrong CUSTODY-BAG"].map(String::from).to_vec();
    assert_eq!(status(&kit), (6, [&both[..], &["due KEY-OUT".to_owned()]].concat()));
    done(&signed(&kit, &back("30877", "safe B", "0503", "checkin 30877")));
    assert_eq!(status(&kit), (6, both.clone()), "that it is back settles nothing");
    assert_eq!(json(kit.path(), &["inventory"]).0, 6);

    done(&signed(&kit, &out("30877", "0503", "intact", "checkout 30877")));
    let change = [format!("30877 pin {PIN}"), "30877 new-pin 73625140".to_owned()];
    done(&kit.run(&["key", "pin", "30877"], &change.each_ref().map(|line| line.as_str())));
    done(&signed(&kit, &back("30877", "safe B", "0504", "checkin 30877")));
    assert_eq!(status(&kit).1, Vec::<String>::new());
}

#[test]
fn two_people_of_the_policy_move_a_key_that_belongs() {
    let kit = kit();
    let refused = |arguments: &[&str], words: &str| {
        let output = look(kit.path(), arguments);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{text}");
        assert!(text.contains(words), "{text}");
    };
    let with = |from: &str, to: &'static str| {
        let words = out("23112", "0417", "intact", "checkout 23112");
        words.into_iter().map(|word| if word == from { to } else { word }.to_owned()).collect::<Vec<_>>()
    };
    for (words, told) in [
        (with("bob", "ada"), "ada cannot be both people"),
        (with("bob", "mallory"), "mallory is not in the policy"),
        (with("ada", "mallory"), "people of the policy: ada, dana, bob"),
        (with("23112", "99"), "key 99 is not enrolled in this kit"),
    ] {
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        // A serial that is not there is another class of error: only the words are compared.
        let output = look(kit.path(), &words);
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && text.contains(told), "{text}");
    }
    refused(&out("23112", "0417", "intact", "no"), "not confirmed");
    done(&signed(&kit, &back("23112", "safe A", "0502", "checkin 23112")));
    refused(
        &back("23112", "safe A", "0503", "checkin 23112"),
        "key 23112 was put away already: safe A, bag 0502",
    );
    let usage = look(kit.path(), &out("23112", "0417", "cracked", "checkout 23112"));
    assert_eq!(usage.status.code(), Some(2));
}

/// What is printed without anybody to ask, as text and as a page.
fn printed(kit: &PracticeKit, arguments: &[&str]) -> (String, String) {
    let output = look(kit.path(), arguments);
    done(&output);
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.html");
    done(&look(kit.path(), &[arguments, &["--html", page.to_str().unwrap()]].concat()));
    let (text, page) = (String::from_utf8(output.stdout).unwrap(), std::fs::read_to_string(page).unwrap());
    for secret in [PIN, PUK] {
        assert!(!text.contains(secret) && !page.contains(secret));
    }
    assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("src="), "{page}");
    (text, page)
}

#[test]
fn labels_say_where_each_key_lies_and_what_it_opens() {
    let kit = kit();
    done(&signed(&kit, &back("23112", "safe <C>", "0502", "checkin 23112")));
    let (_, value) = json(kit.path(), &["status"]);
    let words = value["words"].as_str().unwrap().to_owned();
    let (text, page) = printed(&kit, &["label"]);
    assert_eq!(text.matches(&words).count(), 3, "{text}");
    assert!(
        text.contains("safe <C>\n") && text.contains("core-db/root (2 of 3)\n           core-fw/admin\n"),
        "{text}"
    );
    assert!(page.contains("<td>safe &lt;C&gt;</td>") && page.matches("<section>").count() == 3, "{page}");
    let (text, _) = printed(&kit, &["label", "30877"]);
    assert!(text.starts_with("30877\n") && !text.contains("23112"), "{text}");
}

#[test]
fn a_letter_has_room_for_a_pin_and_holds_none() {
    let kit = kit();
    let (text, page) = printed(&kit, &["letter", "30877"]);
    for words in [
        "PIN letter of key 30877",
        "PUK letter of key 30877",
        "PIN of 30877",
        "PUK of 30877",
        "____",
        "carol",
    ] {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(!text.contains("FIDO2 PIN "), "one PIN serves for both sides: {text}");
    assert!(page.matches("class=\"blank\"").count() >= 6, "{page}");
    assert_eq!(look(kit.path(), &["letter", "99"]).status.code(), Some(3));
}

#[test]
fn the_runbook_names_what_each_credential_needs_and_its_own_files() {
    let kit = kit();
    let (text, page) = printed(&kit, &["runbook"]);
    let folder = |credential: &str| {
        let mut generations = std::fs::read_dir(kit.path().join("sealed").join(credential)).unwrap();
        generations.next().unwrap().unwrap().file_name().into_string().unwrap()
    };
    for credential in ["core-db/root", "core-fw/admin"] {
        let folder = format!("SEALED=KIT/sealed/{credential}/{}", folder(credential));
        for words in [credential, &folder, &format!("breakglass open {credential}")] {
            assert!(text.contains(words), "{words}");
        }
    }
    // Every file that it names is there.
    let sealed = kit.path().join("sealed/core-db/root").join(folder("core-db/root"));
    let (_, own) = text.split_once("core-db/root without breakglass").unwrap();
    let (own, _) = own.split_once("core-fw/admin").unwrap();
    let named: Vec<&str> = own
        .split("\"$SEALED/")
        .skip(1)
        .filter_map(|rest| rest.split_once('"').map(|(file, _)| file))
        .collect();
    assert_eq!(named.len(), 8, "about, payload, and two files of each key: {named:?}");
    for file in named {
        assert!(sealed.join(file).exists(), "{file}");
    }
    for words in [
        "postgres",
        "Any 2 of these 3 keys",
        "envelope.py",
        "join.py",
        "If you judge afterwards",
        "PUK with carol",
    ] {
        assert!(text.contains(words), "{words}");
    }
    // First page, two for each credential, four roles, scripts.
    assert_eq!(page.matches("<section>").count(), 10);
}
