//! Records that are lost for good: the kit goes on once a person has signed that, and not a record further.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use std::path::PathBuf;

use practice::{PracticeKit, done};

fn chain(kit: &PracticeKit, serial: &str) -> PathBuf {
    let journal = std::fs::read_dir(kit.path().join("journal")).expect("a journal");
    let files = journal.map(|entry| entry.expect("an entry").path());
    files.into_iter().find(|path| path.to_string_lossy().contains(serial)).expect("a chain")
}

fn run(kit: &PracticeKit, arguments: &[&str]) -> std::process::Output {
    let pins = PracticeKit::pins(2);
    kit.run(arguments, &pins.iter().map(String::as_str).collect::<Vec<_>>())
}

const ROTATE: [&str; 7] =
    ["rotate", "core-fw/admin", "--generate", "--with", "23115", "--confirm", "seal core-fw"];
const ACCEPT: [&str; 8] =
    ["kit", "accept-gap", "--why", "the other stick burned", "--with", "23112", "--confirm", "accept gap"];

/// Two openings by 23112 that only the burned stick had; 23115 has seen them.
fn after_the_fire() -> PracticeKit {
    let kit = PracticeKit::new();
    let old = std::fs::read(chain(&kit, "23112")).expect("a journal");
    let opening = PracticeKit::opening("core-fw/admin");
    done(&run(&kit, &[&opening[..], &["--key", "23112"]].concat()));
    done(&run(&kit, &[&opening[..], &["--key", "23115"]].concat()));
    std::fs::write(chain(&kit, "23112"), old).expect("written");
    kit
}

#[test]
fn the_kit_goes_on_after_a_word_on_record_and_later_damage_is_refused_again() {
    let kit = after_the_fire();
    let refused = run(&kit, &ROTATE);
    assert_eq!(refused.status.code(), Some(6));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("lacks records") && said.contains("kit accept-gap --why"), "{said}");

    done(&run(&kit, &ACCEPT));
    assert_eq!(run(&kit, &ACCEPT).status.code(), Some(1), "it is accepted already");
    let rotated = run(&kit, &ROTATE);
    done(&rotated);
    assert!(String::from_utf8_lossy(&rotated.stderr).contains("note: accepted on record:"));
    // It stays visible.
    let verified = run(&kit, &["records", "verify"]);
    assert_eq!(verified.status.code(), Some(6));
    assert!(String::from_utf8_lossy(&verified.stdout).contains("missing before line"));

    // One more line is lost: that was not accepted.
    let path = chain(&kit, "23115");
    let journal = std::fs::read_to_string(&path).expect("a journal");
    let mut lines: Vec<&str> = journal.lines().collect();
    lines.remove(1);
    std::fs::write(&path, lines.join("\n") + "\n").expect("written");
    let confirm =
        ["rotate", "core-fw/admin", "--confirm-pending", "--with", "30877", "--confirm", "confirm core-fw"];
    assert_eq!(run(&kit, &confirm).status.code(), Some(6));
}

#[test]
fn nothing_is_accepted_where_nothing_is_missing() {
    let kit = PracticeKit::new();
    let refused = run(&kit, &ACCEPT);
    assert_eq!(refused.status.code(), Some(1));
    let before = std::fs::read(chain(&kit, "23112")).expect("a journal");
    assert!(!String::from_utf8_lossy(&before).contains("gap.accepted"));
}
