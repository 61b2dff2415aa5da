//! From `breakglass` to the secret and to what is left afterwards, on virtual YubiKeys over real PC/SC; and the way of
//! somebody who has never seen it, on practice keys.

use std::process::Command;

use crate::pcsc::{Settings, tools};
use crate::practice::{PIN, PracticeKit, SERIALS};
use crate::real::{KEYS, Life, ONE, PROGRAM, pin};
use crate::terminal::Person;

pub(crate) const LIST: &str = "number (Enter ends): ";

/// At a terminal of this machine, in a folder.
pub(crate) fn at(folder: &std::path::Path, words: &[&str]) -> Person {
    let mut script = Command::new(tools::debian("script", "bsdutils"));
    script.current_dir(folder).env_remove("BREAKGLASS_KIT");
    Person::sit_down(script, &[&[PROGRAM], words].concat())
}

/// At a terminal of the world in which the keys are plugged in.
fn in_world(life: &Life, line: &str) -> Person {
    let mut script = life.world.command(tools::debian("script", "bsdutils"));
    script.env_remove("BREAKGLASS_KIT");
    Person::sit_down(script, &["sh", "-euc", line])
}

/// The number under which something is offered.
pub(crate) fn number(list: &str, choice: &str) -> String {
    let line =
        list.lines().rev().find(|line| line.contains(choice)).unwrap_or_else(|| panic!("{choice}: {list}"));
    line.split_whitespace().next().expect("a number").to_owned()
}

/// Reads the list and chooses.
#[track_caller]
pub(crate) fn choose(person: &mut Person, choice: &str) -> String {
    let list = person.wait_for(LIST);
    let number = number(&list, choice);
    person.line(&number);
    list
}

#[test]
fn a_tired_person_comes_from_nothing_to_the_secret_and_to_the_end_of_the_incident() {
    let life = Life::with(&Settings::usual(&KEYS[..2]));
    // The stick is mounted where desktops mount it; the person stands elsewhere and names nothing.
    let line = format!(
        "mount -t tmpfs none /mnt; mkdir /mnt/stick; mount --bind '{}' /mnt/stick; cd /; exec '{PROGRAM}'",
        life.kit().display()
    );
    let mut person = in_world(&life, &line);
    let list = choose(&mut person, "open a credential");
    for shown in [
        "kit       DC1 emergency kit, in /mnt/stick",
        "(compare with the bag)",
        "keys      4000001, 4000002 plugged in; elsewhere: 4000003 (safe B, bag 0102)",
        "rehearse, in a practice kit",
    ] {
        assert!(list.contains(shown), "{shown}\n{list}");
    }
    assert!(!list.contains("ended") && !list.contains("left"), "no incident is under way\n{list}");
    person.answer("which? ", "core-fw/admin");
    person.answer("lockout)? ", "the PAM is down");
    person.wait_for("the PAM is down is none of: pam-outage, ");
    person.answer("lockout)? ", "pam-outage");
    person.answer("incident or ticket? ", "INC-4711");
    person.answer("in a few words: ", "PAM lost quorum");
    person.answer("your name as in the policy: ", "somebody");
    person.answer("your name as in the policy: ", "ada");
    person.answer("to go on: ", "open core-fw");
    person.answer("tries left): ", &pin(ONE));
    person.answer("press Enter to show it: ", "");
    person.wait_for("0OlI - 1-ad - min- - of-c - ore- - fw");
    person.keys("x");
    person.answer("q ends: ", "q");

    // The list is another one now.
    let list = choose(&mut person, "say how INC-4711 ended");
    for shown in ["open      INC-4711 since ", ": core-fw/admin, by ada", "do what incidents left: "] {
        assert!(list.contains(shown), "{shown}\n{list}");
    }
    person.answer("how did it end, in a few words? ", "PAM is back");
    person.answer("false-alarm)? ", "real");
    person.answer("put back (no, or what)? ", "no");
    person.answer("to go on: ", "close INC-4711");
    // Both keys are plugged in: which one signs is asked, not guessed.
    person.answer("which key signs (4000001, 4000002)? ", "4000001");
    person.answer("tries left): ", &pin(ONE));
    person.wait_for("closed INC-4711 on record.");

    // One of the debts: the key is back.
    choose(&mut person, "do what incidents left: ");
    let debts = person.wait_for("which (Enter for none)? ");
    person.line(&number(&debts, "return 4000001"));
    person.answer("your name as in the policy: ", "ada");
    person.answer("how was it done, in a few words: ", "in safe A, new bag");
    person.answer("to go on: ", "discharge return 4000001");
    person.answer("which key signs (4000001, 4000002)? ", "4000001");
    person.answer("tries left): ", &pin(ONE));
    person.wait_for("return 4000001 is on record as done.");

    let list = choose(&mut person, "look at the keys");
    assert!(!list.contains("say how"), "{list}");
    person.wait_for("genuine");
    person.answer(LIST, "");
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
    assert!(!shown.contains(&pin(ONE)), "a PIN is not echoed\n{shown}");
    let own: String =
        shown.split("\x1b[?1049l").map(|part| part.split("\x1b[?1049h").next().unwrap()).collect();
    assert!(!own.contains("0OlI"), "the secret is on its own screen alone\n{own}");
    assert_eq!(life.world.tries(ONE), (3, 3));
    life.run(&["records", "verify"], &[]).done();
}

#[test]
fn where_no_reader_answers_the_remedy_comes_first_and_nothing_is_offered_that_needs_a_key() {
    let life = Life::with(&Settings { service: false, ..Settings::usual(&KEYS[..1]) });
    let mut person = in_world(&life, &format!("cd '{}'; exec '{PROGRAM}'", life.kit().display()));
    let list = person.wait_for(LIST);
    assert!(
        list.contains("keys      no key reader answers: pcscd is not running: nothing can be opened"),
        "{list}"
    );
    assert_eq!(number(&list, "look at this machine"), "1", "{list}");
    for needs_a_key in ["open a credential", "look at the keys", "say how"] {
        assert!(!list.contains(needs_a_key), "{list}");
    }
    person.line("1");
    // Who comes back finds the same list: nothing has changed.
    person.wait_for("pcscd");
    person.answer(LIST, "");
    assert_eq!(person.end().0, Some(0));
}

#[test]
fn a_newcomer_rehearses_with_nothing_but_the_name_of_the_program() {
    let place = tempfile::tempdir().expect("a folder");
    let mut person = at(place.path(), &[]);
    let list = choose(&mut person, "rehearse, in a practice kit");
    assert!(list.contains("no kit was found.") && list.contains("/media/*/*"), "{list}");
    person.answer("a new folder for the practice kit (Enter for none): ", "rehearsal");
    person.wait_for("rehearsal is ready to rehearse in.");
    choose(&mut person, "open a credential");
    person.answer("which? ", "1");
    person.answer("lockout)? ", "lockout");
    person.answer("incident or ticket? ", "INC-1");
    person.answer("in a few words: ", "a rehearsal");
    person.answer("your name as in the policy: ", "ada");
    person.answer("to go on: ", "open core-db");
    person.answer("PIN for 23112 (3 of 3 tries left): ", PIN);
    person.answer("PIN for 23115 (3 of 3 tries left): ", PIN);
    person.answer("press Enter to show it: ", "");
    person.wait_for("psql -h db1 -U postgres");
    person.keys("x");
    person.answer("q ends: ", "q");
    // Back in the practice kit.
    let list = person.wait_for(LIST);
    assert!(list.contains("say how INC-1 ended"), "{list}");
    person.line("q");
    person.wait_for("INC-1 is still open. when it has ended:  breakglass --kit rehearsal close INC-1");
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
}

/// What an incident leaves, each by the guide, until nothing is left.
#[test]
fn everything_that_an_incident_left_is_done_from_the_list() {
    let kit = PracticeKit::of_piv_alone();
    let opened = kit.run(&PracticeKit::opening("core-fw/admin"), &[&format!("{} pin {PIN}", SERIALS[0])]);
    crate::practice::done(&opened);
    for serial in &SERIALS[1..] {
        crate::practice::done(&kit.run(&["practice", "remove", &serial.to_string()], &[]));
    }
    let mut person = at(kit.path(), &[]);
    choose(&mut person, "say how INC-4711 ended");
    person.answer("how did it end, in a few words? ", "PAM is back");
    person.answer("false-alarm)? ", "drill");
    person.answer("put back (no, or what)? ", "alerts of core-fw");
    person.answer("something else (no, or what)? ", "no");
    person.answer("to go on: ", "close INC-4711");
    person.answer("tries left): ", PIN);
    let said = "your name as in the policy: ";
    let mut pin = PIN.to_owned();
    for debt in ["rotate core-fw/admin", "rotate core-fw/admin", "change-pin 23112", "return 23112"]
        .into_iter()
        .chain(["account core-fw/admin", "restore alerts of core-fw", "review INC-4711", "upload"])
    {
        let list = person.wait_for(LIST);
        person.line(&number(&list, "left: "));
        let debts = person.wait_for("which (Enter for none)? ");
        person.line(&number(&debts, debt));
        let word = debt.split(' ').next().expect("a word");
        match word {
            "rotate" => {
                let (which, _) =
                    person.wait_for_any(&["type  seal core-fw  ", "type  confirm core-fw  "]).unwrap();
                person.answer("to go on: ", ["seal core-fw", "confirm core-fw"][which]);
            }
            "change-pin" => {
                person.answer("tries left): ", &pin);
                pin = "35297461".into();
                person.answer("new PIN for 23112: ", &pin);
                person.answer("new PIN for 23112 again: ", &pin);
                continue;
            }
            "upload" => person.answer("goes to the auditor: ", "for-the-auditor"),
            "review" => {
                person.answer("(not ada, who opened): ", "ada");
                person.answer("(not ada, who opened): ", "dana");
                person.answer("(agree, disagree)? ", "agree");
                person.answer("why, in a few words: ", "as it should be");
                person.answer("(Enter for nothing)? ", "");
                person.answer("to go on: ", "review INC-4711");
            }
            _ => {
                person.answer(said, "ada");
                person.answer("how was it done, in a few words: ", "as told");
                person.answer("to go on: ", &format!("discharge {debt}"));
            }
        }
        person.answer("tries left): ", &pin);
    }
    let list = person.wait_for(LIST);
    assert!(!list.contains("left: "), "{list}");
    person.line("q");
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
    let told = kit.run(&["incident", "show", "INC-4711"], &[]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(!told.contains("  due  "), "{told}");
}
