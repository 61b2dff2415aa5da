//! PINs of keys with a FIDO2 side, through the program: one PIN for both sides where it can be, no try wasted where not.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::process::Output;

use breakglass::attestation::Serial;
use breakglass::device::Readers;
use breakglass::device::practice::{PracticeReaders, Surroundings};
use breakglass::secret::Fido2Pin;
use practice::{PIN, PUK, PracticeKit, done, keys_of};

const NEW: &str = "73625140";
const NEWER: &str = "60718293";
const OTHER: &str = "hunter2-hunter2";

fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn has(output: &Output, code: i32, expected: &[&str]) {
    let told = told(output);
    assert_eq!(output.status.code(), Some(code), "{told}");
    for text in expected {
        assert!(told.contains(text), "no {text:?} in\n{told}");
    }
}

fn fido2_pin(typed: &str) -> Fido2Pin {
    Fido2Pin::parse(typed.as_bytes()).expect("a FIDO2 PIN")
}

/// A practice kit, of which the key 23112 is used.
struct World {
    kit: PracticeKit,
}

impl World {
    fn new() -> Self {
        World { kit: PracticeKit::new() }
    }

    /// `key pin 23112 …`, with these lines about that key.
    fn pin(&self, words: &[&str], lines: &[(&str, &str)]) -> Output {
        let lines: Vec<String> = lines.iter().map(|(what, value)| format!("23112 {what} {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        self.kit.run(&[&["key", "pin", "23112"][..], words].concat(), &lines)
    }

    /// Opens the credential that one key opens.
    fn open(&self, lines: &[(&str, &str)]) -> Output {
        let lines: Vec<String> = lines.iter().map(|(what, value)| format!("23112 {what} {value}")).collect();
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let opening = PracticeKit::opening("core-fw/admin");
        self.kit.run(&[opening, vec!["--fd", "1", "--key", "23112"]].concat(), &lines)
    }

    fn readers(&self) -> PracticeReaders {
        PracticeReaders::new(&keys_of(self.kit.path()), Surroundings::of_this_machine())
    }

    fn fido2_tries(&self) -> u8 {
        self.readers().authenticator(Serial(23112)).unwrap().pin_tries().unwrap()
    }

    /// As another program does it.
    fn change_elsewhere(&self, from: &str, to: &str) -> bool {
        let mut side = self.readers().authenticator(Serial(23112)).unwrap();
        side.change_pin(&fido2_pin(from), &fido2_pin(to)).is_ok()
    }

    /// `what` of each change of a PIN of the key, in order.
    fn changes(&self) -> Vec<String> {
        let output = self.kit.run(&["--json", "records", "list"], &[]);
        done(&output);
        let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let records = json["records"].as_array().expect("records").iter();
        let changes = records.filter(|record| record["event"] == "key.pin-changed");
        changes.map(|record| record["what"].as_str().expect("what").to_owned()).collect()
    }
}

#[test]
fn one_pin_stays_one_pin() {
    let world = World::new();
    let output = world.pin(&[], &[("pin", PIN), ("new-pin", NEWER)]);
    has(&output, 0, &["the FIDO2 PIN: done, and on record as 23112/"]);
    let output = world.pin(&["--json"], &[("pin", NEWER), ("new-pin", NEW)]);
    done(&output);
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).expect("JSON");
    assert!(
        json["changed"] == "pin" && json["fido2"].is_string() && json["fido2"] != json["record"],
        "{json}"
    );
    assert_eq!(world.changes(), ["pin", "fido2", "pin", "fido2"]);
    done(&world.open(&[("pin", NEW)]));
    assert_eq!(world.fido2_tries(), 8);
}

#[test]
fn after_an_unblock_the_fido2_pin_is_asked_for_by_itself_until_it_is_set_anew() {
    let world = World::new();
    let output = world.pin(&["--what", "unblock"], &[("puk", PUK), ("new-pin", NEW)]);
    has(
        &output,
        0,
        &[
            "the FIDO2 PIN of 23112 is what it was; no PUK unblocks it.",
            "breakglass key pin 23112 --what fido2",
        ],
    );
    has(&world.open(&[("pin", NEW)]), 2, &["there is nobody to ask"]);
    assert_eq!(world.fido2_tries(), 8, "the new PIV PIN was not tried");
    done(&world.open(&[("pin", NEW), ("fido2-pin", PIN)]));
    let lines = [("pin", NEW), ("fido2-pin", PIN), ("new-fido2-pin", NEW)];
    let output = world.pin(&["--what", "fido2"], &lines);
    has(&output, 0, &["give the PIV PIN of 23112 as its new FIDO2 PIN"]);
    done(&world.open(&[("pin", NEW)]));
    let lines = [("pin", NEW), ("fido2-pin", NEW), ("new-fido2-pin", OTHER)];
    has(&world.pin(&["--what", "fido2"], &lines), 0, &["23112 asks for two PINs from now on"]);
    done(&world.open(&[("pin", NEW), ("fido2-pin", OTHER)]));
    assert_eq!(world.changes(), ["unblock", "fido2", "fido2-own"]);
    // The PIV PIN alone, because the other one is no longer the same.
    let output = world.pin(&[], &[("pin", NEW), ("new-pin", NEWER)]);
    has(&output, 0, &["the FIDO2 PIN of 23112 is what it was."]);
    done(&world.open(&[("pin", NEWER), ("fido2-pin", OTHER)]));
    assert_eq!(world.fido2_tries(), 8);
}

#[test]
fn what_stands_and_what_finishes_it_is_said_when_fido2_does_not_follow() {
    let world = World::new();
    assert!(world.change_elsewhere(PIN, OTHER));
    let output = world.pin(&[], &[("pin", PIN), ("new-pin", NEW)]);
    has(
        &output,
        4,
        &[
            "the PIN of key 23112 is changed and on record, but not its FIDO2 PIN: that FIDO2 PIN is wrong; 7 tries left.",
            "the PIV PIN is the new one; the FIDO2 PIN is what it was.",
            "one try was spent",
            "with the FIDO2 PIN that it has:  breakglass key pin 23112 --what fido2",
        ],
    );
    assert_eq!(world.changes(), ["pin"]);
    done(&world.pin(&["--what", "fido2"], &[("pin", NEW), ("fido2-pin", OTHER), ("new-fido2-pin", NEW)]));
    done(&world.open(&[("pin", NEW)]));
    assert_eq!(world.fido2_tries(), 8);
}

#[test]
fn a_blocked_fido2_pin_does_not_hold_the_piv_pin() {
    let world = World::new();
    let key = world.readers().key(Serial(23112)).unwrap();
    for wrong in 0..8 {
        if wrong % 3 == 0 {
            key.remove().unwrap();
            key.insert().unwrap();
        }
        assert!(!world.change_elsewhere(OTHER, NEW));
    }
    assert_eq!(world.fido2_tries(), 0);
    let lines = [("pin", PIN), ("new-pin", NEW)];
    has(&world.pin(&["--confirm", "both"], &lines), 1, &["the FIDO2 PIN is blocked", "nothing was changed."]);
    assert!(world.changes().is_empty());
    has(&world.pin(&["--what", "fido2"], &[("pin", PIN)]), 4, &["only a reset of its FIDO2 side helps"]);
    let output = world.pin(&["--confirm", "PIV alone"], &lines);
    has(&output, 0, &["the FIDO2 PIN of 23112 is what it was."]);
    assert_eq!(world.changes(), ["pin"]);
}

#[test]
fn a_key_without_fido2_has_no_fido2_pin() {
    let kit = tempfile::tempdir().expect("a folder");
    let run = |words: &[&str], lines: &[&str]| practice::run(kit.path(), words, lines);
    done(&run(&["init", "--practice"], &[]));
    done(&run(&["practice", "new", "--serial", "1", "--fido2", "none"], &[]));
    let new = [format!("1 new-pin {PIN}"), format!("1 new-puk {PUK}")];
    let provision = ["key", "provision", "--serial", "1", "--confirm", "1"];
    done(&run(&provision, &new.each_ref().map(|line| line.as_str())));
    has(
        &run(&["key", "pin", "1", "--what", "fido2"], &[]),
        1,
        &["key 1 has no FIDO2 side in this kit", "nothing was changed."],
    );
}
