//! Against a receiver that PyJWT and Python's standard library make.

use std::process::Command;

use crate::site::{Running, Site, said};
use crate::tools::python;

fn strict_receiver(site: &Site) -> Running {
    site.write("jwks.json", site.key_set().as_bytes());
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/upload/strict_receiver.py");
    let mut command = Command::new(python());
    command.arg(script).arg(site.path("jwks.json")).arg(site.path("store.jws"));
    Running::start(command)
}

#[test]
fn a_strict_receiver_of_others_takes_every_record() {
    let site = Site::new(10);
    let receiver = strict_receiver(&site);
    let to = format!("http://127.0.0.1:{}/", receiver.url);
    let pushed = site.audit(&["push", "records.jws", "--to", &to, "--state", "state", "--json"]);
    assert_eq!(pushed.status.code(), Some(0), "{}", said(&pushed));
    let told: serde_json::Value = serde_json::from_slice(&pushed.stdout).unwrap();
    assert_eq!((&told["accepted"], &told["notes"]), (&24.into(), &serde_json::json!({})));
    assert_eq!(site.read("store.jws"), site.read("records.jws"), "the exact bytes, in their order");
}

#[test]
fn what_a_strict_receiver_refuses_is_told_and_holds_back_its_chain() {
    let site = Site::new(3);
    let receiver = strict_receiver(&site);
    let bundle = site.read("records.jws");
    let mut lines: Vec<String> = bundle.lines().map(str::to_owned).collect();
    // One character in the payload of the third record of the first chain: its signature is another's.
    let at = lines[2].find('.').unwrap() + 40;
    let other = if lines[2].as_bytes()[at] == b'A' { "B" } else { "A" };
    lines[2].replace_range(at..=at, other);
    site.write("records.jws", (lines.join("\n") + "\n").as_bytes());
    let to = format!("http://127.0.0.1:{}/", receiver.url);
    let pushed = site.audit(&["push", "records.jws", "--to", &to, "--state", "state"]);
    let told = said(&pushed);
    assert_eq!(pushed.status.code(), Some(6), "{told}");
    assert!(told.contains("refused: record") && told.contains("invalid_"), "{told}");
    assert!(told.contains("7 sent and accepted · 0 accepted before · 1 refused · 2 held back"), "{told}");
    // It is told again without being sent again.
    let again = site.audit(&["push", "records.jws", "--to", &to, "--state", "state"]);
    assert_eq!(again.status.code(), Some(6), "{}", said(&again));
    assert_eq!(site.read("store.jws").lines().count(), 7);
}
