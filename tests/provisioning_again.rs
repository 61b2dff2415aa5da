//! A key that has been provisioned once meets `key provision` again, by the program itself.

#[path = "support/practice.rs"]
#[allow(dead_code, reason = "each test uses its part")]
mod practice;

use std::process::Output;

use practice::{PIN, PUK, PracticeKit, done};

const KEY: &str = "30877";

fn provision(kit: &PracticeKit, more: &[&str]) -> Output {
    let typed =
        [("pin", PIN), ("puk", PUK), ("fido2-pin", PIN)].map(|(what, value)| format!("{KEY} {what} {value}"));
    let arguments = [&["key", "provision", "--serial", KEY, "--confirm", KEY], more].concat();
    kit.run(&arguments, &typed.each_ref().map(String::as_str))
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_key_of_the_kit_is_left_alone_even_with_its_serial_typed() {
    let kit = PracticeKit::new();
    let before = std::fs::read(kit.path().join(format!("practice/{KEY}.key"))).expect("the key's file");
    for more in [&[][..], &["--overwrite", KEY]] {
        let refused = provision(&kit, more);
        assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
        assert!(said(&refused).contains("key 30877 is enrolled in this kit already"), "{}", said(&refused));
    }
    let after = std::fs::read(kit.path().join(format!("practice/{KEY}.key"))).expect("the key's file");
    assert!(before == after, "something was written to the key");
}

#[test]
fn a_retired_key_begins_anew_with_its_serial_typed() {
    let kit = PracticeKit::new();
    for with in ["23112", "23115"] {
        let pin = format!("{with} pin {PIN}");
        let word = format!("retire {KEY}");
        done(&kit.run(&["key", "retire", KEY, "--why", "worn", "--with", with, "--confirm", &word], &[&pin]));
    }
    let refused = provision(&kit, &[]);
    assert_eq!(refused.status.code(), Some(1), "{}", said(&refused));
    assert!(said(&refused).contains("key 30877 is not blank: a key in 9C"), "{}", said(&refused));
    done(&provision(&kit, &["--overwrite", KEY]));

    // The new 9C begins a chain of its own beside the old one; the same command again finds it enrolled.
    let journal = std::fs::read_dir(kit.path().join("journal")).expect("the journal");
    let chains = journal.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    assert_eq!(chains.filter(|name| name.starts_with(KEY)).count(), 2);
    let again = provision(&kit, &["--overwrite", KEY]);
    assert!(said(&again).contains("is enrolled in this kit already"), "{}", said(&again));
}
