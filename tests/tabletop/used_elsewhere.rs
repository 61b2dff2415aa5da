//! A key is used outside the kit. With FIDO2 its counter tells, at the next visit; with PIV alone nothing does, and nobody
//! claims so. The first half runs on practice keys, as the virtual YubiKeys behind pcscd have no FIDO2; `tests/vm.rs` shows
//! the counter over a real kernel's USB.

use std::fs;

use crate::auditor::{Auditor, Clock};
use crate::page::block;
use crate::people::People;
use crate::practice::{PIN, PracticeKit, done};
use crate::real::{ADMIN_SECRET, KEYS, ONE, pin};
use crate::terminal::at_terminal;

/// The auditor of a practice kit.
fn auditor(kit: &PracticeKit) -> Auditor {
    let status = kit.run(&["--json", "status"], &[]);
    let status: serde_json::Value = serde_json::from_slice(&status.stdout).expect("an object");
    Auditor::of(kit.path(), status["words"].as_str().expect("words"), None, Clock::Right)
}

#[test]
fn a_key_that_was_used_elsewhere_is_found_out_by_its_counter() {
    let kit = PracticeKit::new();
    let pins = PracticeKit::pins(2);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let visit = || kit.run(&["inventory", "--witness"], &pins);
    done(&visit());
    let auditor = auditor(&kit);
    auditor.finds(Clock::Right).is(&[]);

    // Somebody takes 23115 out of the safe for a night, uses it, and puts it back. Until it is asked, nobody knows.
    done(&kit.run(&["practice", "use-elsewhere", "23115"], &[]));
    done(&kit.run(&["records", "verify"], &[]));
    let visited = visit();
    assert_eq!(visited.status.code(), Some(6));
    auditor.import(Clock::Right);
    let found = auditor.finds(Clock::Right);
    found.is(&["wrong COUNTER-JUMP"]);
    found.says(&["key 23115"]);

    // It counts as stolen: what it opens alone first, then its retirement.
    let change = || {
        let told = kit.run(&["--json", "change", "--stolen", "23115"], &[]);
        let told: serde_json::Value = serde_json::from_slice(&told.stdout).expect("an object");
        let steps = told["steps"].as_array().expect("steps").iter();
        steps
            .map(|step| format!("{} {}", step["state"].as_str().unwrap(), step["step"].as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(
        change()[..4],
        ["next rotate core-fw/admin", "then retire 23115", "then rotate core-db/root", "waits look at 23112"]
    );
    for with in ["23112", "30877"] {
        let words =
            ["key", "retire", "23115", "--why", "stolen", "--with", with, "--confirm", "retire 23115"];
        done(&kit.run(&words, &[&format!("{with} pin {PIN}")]));
    }
    // The key beside it is asked too, and was not used.
    done(&kit.run(&["practice", "remove", "23115"], &[]));
    let visited = visit();
    let told = String::from_utf8_lossy(&visited.stdout).into_owned();
    assert!(told.contains("FIDO2 was used by nothing else since its last assertion on record"), "{told}");
    assert!(change().contains(&"done look at 23112".to_owned()), "{:#?}", change());
}

/// Stock tools open what is sealed, by the recovery page, and leave no trace that anybody could find.
#[test]
fn with_piv_alone_nothing_tells_and_nothing_is_claimed() {
    let people = People::with(&KEYS[..1]);
    let auditor = people.auditor(Clock::Right);
    auditor.finds(Clock::Right).is(&[]);

    let sealed = fs::read_dir(people.life.kit().join("sealed/core-fw/admin")).expect("sealed");
    let folder = sealed.map(|entry| entry.expect("an entry").path()).next().expect("a generation");
    let scratch = tempfile::tempdir().expect("a folder");
    let script = format!("SEALED={}\n{{\n{}}} > opened\n", folder.display(), block("sh one-key"));
    at_terminal(&people.life.world, scratch.path(), &script, &pin(ONE));
    assert_eq!(fs::read(scratch.path().join("opened")).expect("opened"), ADMIN_SECRET);

    people.run(&["records", "verify"]).done();
    auditor.import(Clock::Right);
    auditor.finds(Clock::Right).is(&[]);
    // The report says of each key that nothing is proven of it, and the command says the same of this one.
    let (_, told) = people.change(&["--stolen", "4000001"]);
    let looks: Vec<&str> = told["steps"]
        .as_array()
        .expect("steps")
        .iter()
        .filter(|step| step["step"].as_str().is_some_and(|step| step.starts_with("look at")))
        .filter_map(|step| step["why"].as_str())
        .collect();
    assert_eq!(
        looks,
        ["it lay in safe A too: by its bag and seal alone, as it has no counter that would tell"]
    );
}
