//! The verbs that make practice keys and use them behind the kit's back.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::process::Output;

use breakglass::attestation::Serial;
use breakglass::device::Readers;
use breakglass::device::fido2::{Credential, Fido2Error, Question};
use breakglass::device::practice::{Counting, PracticeReaders, Surroundings};
use breakglass::secret::Fido2Pin;
use practice::{done, keys_of, run};

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// An empty practice kit.
fn kit() -> tempfile::TempDir {
    let kit = tempfile::tempdir().expect("a folder");
    done(&run(kit.path(), &["init", "--practice"], &[]));
    kit
}

fn readers(kit: &tempfile::TempDir) -> PracticeReaders {
    PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine())
}

fn pin() -> Fido2Pin {
    Fido2Pin::parse(b"48151623").expect("a PIN")
}

#[test]
fn each_sort_of_counter_is_made_by_its_name() {
    let kit = kit();
    for (serial, words, expected) in [
        ("1", &[][..], Some(Counting::Exact)),
        ("2", &["--fido2", "exact"], Some(Counting::Exact)),
        ("3", &["--fido2", "random"], Some(Counting::Random)),
        ("4", &["--fido2", "uncounted"], Some(Counting::Never)),
        ("5", &["--fido2", "none"], None),
    ] {
        let output = run(kit.path(), &[&["practice", "new", "--serial", serial][..], words].concat(), &[]);
        done(&output);
        assert_eq!(text(&output).contains("without FIDO2"), expected.is_none(), "{}", text(&output));
        let key = readers(&kit).key(serial.parse().unwrap()).unwrap();
        let counting = key.with_model(|model, _| model.fido2().map(|fido2| fido2.counting())).unwrap();
        assert_eq!(counting, expected, "{serial}");
    }
    let output = run(kit.path(), &["practice", "new", "--serial", "6", "--fido2", "backwards"], &[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(!keys_of(kit.path()).join("6.key").exists());
}

#[test]
fn another_program_leaves_nothing_but_the_counter() {
    let kit = kit();
    for (serial, fido2) in [("1", "exact"), ("2", "none")] {
        done(&run(kit.path(), &["practice", "new", "--serial", serial, "--fido2", fido2], &[]));
    }
    // None of them has a credential.
    for serial in ["1", "2"] {
        let output = run(kit.path(), &["practice", "use-elsewhere", serial], &[]);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        let expected = format!("practice key {serial} has no FIDO2 credential that could be used");
        assert!(text(&output).contains(&expected), "{}", text(&output));
    }
    let output = run(kit.path(), &["practice", "use-elsewhere", "3"], &[]);
    assert_eq!(output.status.code(), Some(3), "{}", text(&output));

    let mut readers = readers(&kit);
    let mut key = readers.authenticator(Serial(1)).unwrap();
    key.set_pin(&pin()).unwrap();
    let credential = key.make_credential(&pin(), b"kit").unwrap();
    let mut counter = |credential: &Credential| -> Result<u32, Fido2Error> {
        let question = Question { credential, challenge: b"a record", salt: [1; 32], next: None };
        Ok(key.assert(&pin(), &question)?.counter)
    };
    assert_eq!(counter(&credential).unwrap(), 3);
    // Nobody touches it here; whoever uses it elsewhere does.
    done(&run(kit.path(), &["practice", "touch", "1", "off"], &[]));
    let output = run(kit.path(), &["practice", "use-elsewhere", "1"], &[]);
    done(&output);
    let said = text(&output);
    assert!(
        said.contains("another program used the FIDO2 credential of 1: its counter went from 3 to 4"),
        "{said}"
    );
    let output = run(kit.path(), &["--json", "practice", "use-elsewhere", "1"], &[]);
    done(&output);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(json["done"].as_str().unwrap().ends_with("from 4 to 5"), "{json}");
    done(&run(kit.path(), &["practice", "touch", "1", "on"], &[]));
    assert_eq!(counter(&credential).unwrap(), 6);
    assert!(std::fs::read_dir(kit.path().join("journal")).map_or(0, Iterator::count) == 0, "no record of it");
}

#[test]
fn a_real_kit_has_no_key_to_use_elsewhere() {
    let kit = tempfile::tempdir().expect("a folder");
    done(&run(kit.path(), &["init"], &[]));
    let output = run(kit.path(), &["practice", "use-elsewhere", "1"], &[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output).contains("this is a real kit"), "{}", text(&output));
}

#[test]
fn a_counter_is_calibrated_on_a_key_of_no_kit() {
    let kit = kit();
    let mut readers = readers(&kit);
    for (serial, fido2, code, says) in [
        ("1", "exact", 0, "profile   exact: by 1 each time"),
        ("2", "random", 0, "profile   monotonic: upwards, by no fixed step"),
        ("3", "uncounted", 6, "it has no signature counter"),
        ("4", "none", 3, "no FIDO2 side"),
    ] {
        done(&run(kit.path(), &["practice", "new", "--serial", serial, "--fido2", fido2], &[]));
        if fido2 != "none" {
            readers.authenticator(serial.parse().unwrap()).unwrap().set_pin(&pin()).unwrap();
        }
        let typed = format!("{serial} fido2-pin 48151623");
        let output = run(kit.path(), &["key", "calibrate", serial, "--times", "12"], &[&typed]);
        let told = String::from_utf8_lossy(&output.stdout).into_owned() + &text(&output);
        assert_eq!(output.status.code(), Some(code), "{told}");
        assert!(code != 0 || told.contains(says), "{told}");
    }
    let output =
        run(kit.path(), &["--json", "key", "calibrate", "1", "--times", "3"], &["1 fido2-pin 48151623"]);
    done(&output);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut members: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    members.sort_unstable();
    assert_eq!(members, ["aaguid", "counters", "firmware", "profile", "serial"]);
    assert_eq!(json["profile"], serde_json::json!({"kind": "exact", "step": 1}));
    assert_eq!(json["counters"].as_array().unwrap().len(), 3);
}

#[test]
fn a_practice_kit_mints_everything_at_once_with_each_of_its_keys() {
    let kit = tempfile::tempdir().expect("a folder");
    let begun = run(kit.path(), &["practice", "start", &kit.path().display().to_string()], &[]);
    done(&begun);
    assert!(begun.stdout.is_empty(), "all of it is talk");
    let told = text(&begun);
    assert_eq!(run(kit.path(), &["status"], &[]).status.code(), Some(0));
    for key in ["23112", "23115", "30877"] {
        for (kind, rule) in
            [("ssh", "jump-hosts"), ("x509", "cluster"), ("token", "payments"), ("assertion", "log-in")]
        {
            assert!(told.contains(&format!("{rule} (")), "{rule}: {told}");
            let out = kit.path().join(format!("{rule}-{key}")).display().to_string();
            let why =
                ["--emergency", "pam-outage", "--incident", "INC-4711", "--reason", "x", "--operator", "ada"];
            let word = format!("mint {rule}");
            let words = [&["mint", kind, rule][..], &why, &["--key", key, "--out", &out, "--confirm", &word]];
            let minted = run(kit.path(), &words.concat(), &[&format!("{key} pin 48151623")]);
            done(&minted);
            assert!(text(&minted).contains(&format!("minted {rule}:")), "{}", text(&minted));
        }
    }
    done(&run(kit.path(), &["records", "verify"], &[]));
}
