//! What a person does wrong, or does not do: nothing comes of it that cannot be taken back.

use std::collections::BTreeMap;
use std::path::Path;

use crate::practice::{PIN, PracticeKit, SERIALS};
use crate::story::{LIST, at, choose, number};

/// Every file of a folder, with its bytes.
fn files(folder: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut all = BTreeMap::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            match path.is_dir() {
                true => folders.push(path),
                false => drop(all.insert(path.display().to_string(), std::fs::read(&path).expect("a file"))),
            }
        }
    }
    all
}

/// What is signed and sealed; the keys' own files say when they were last plugged in.
fn kept(kit: &Path) -> BTreeMap<String, Vec<u8>> {
    files(kit).into_iter().filter(|(path, _)| !path.contains("/practice/")).collect()
}

#[test]
fn return_pressed_all_the_way_changes_nothing() {
    let kit = PracticeKit::new();
    let before = kept(kit.path());
    let offered = {
        let mut person = at(kit.path(), &[]);
        let list = person.wait_for(LIST);
        person.line("");
        assert_eq!(person.end().0, Some(0));
        list.lines().filter(|line| line.starts_with("  ")).count()
    };
    assert!(offered >= 3, "{offered}");
    for choice in 1..=offered {
        let mut person = at(kit.path(), &[]);
        person.answer(LIST, &choice.to_string());
        // As often as the longest way has questions; then the person gives up.
        for _ in 0..40 {
            person.line("");
        }
        std::thread::sleep(std::time::Duration::from_millis(300));
        person.keys("\u{4}\u{4}\u{4}");
        let (code, shown) = person.end();
        assert_eq!(code, Some(0), "{shown}");
        assert!(!shown.contains("signed and on disk"), "{shown}");
        assert_eq!(kept(kit.path()), before, "choice {choice}\n{shown}");
    }
}

#[test]
fn wrong_answers_are_told_and_asked_again() {
    let kit = PracticeKit::new();
    let before = kept(kit.path());
    let mut person = at(kit.path(), &[]);
    for wrong in ["99", "0", "-1", "open", "1 2"] {
        person.answer(LIST, wrong);
        person.wait_for(&format!("{wrong} is not in the list"));
    }
    choose_again(&mut person);
    person.answer("which? ", "2");
    person.answer("lockout)? ", "lockout");
    person.answer("incident or ticket? ", "INC-1");
    person.answer("in a few words: ", "a test");
    person.answer("your name as in the policy: ", "ada");
    // Almost the word is not the word.
    person.answer("to go on: ", "open core-db");
    person.wait_for("not confirmed.");
    person.wait_for("nothing was changed.");
    person.answer(LIST, "q");
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(kept(kit.path()), before, "{shown}");
}

/// After a wrong answer the question alone comes again; the list was read before.
fn choose_again(person: &mut crate::terminal::Person) {
    person.wait_for(LIST);
    person.line("1");
}

#[test]
fn a_refusal_leads_back_to_the_list() {
    let kit = PracticeKit::new();
    for serial in SERIALS {
        crate::practice::done(&kit.run(&["practice", "touch", &serial.to_string(), "off"], &[]));
    }
    let mut person = at(kit.path(), &[]);
    choose(&mut person, "open a credential");
    person.answer("which? ", "2");
    person.answer("lockout)? ", "lockout");
    person.answer("incident or ticket? ", "INC-1");
    person.answer("in a few words: ", "a test");
    person.answer("your name as in the policy: ", "ada");
    person.answer("to go on: ", "open core-fw");
    person.answer("PIN for 23112 (3 of 3 tries left): ", "11111111");
    person.wait_for("that PIN is wrong");
    // Given up with the key that Ctrl-C is.
    person.wait_for("tries left): ");
    person.keys("\u{3}");
    person.wait_for("cancelled.");
    let list = person.wait_for(LIST);
    assert!(!list.contains("say how"), "nothing was opened\n{list}");
    person.line("");
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
}

#[test]
fn the_end_of_input_ends_it_cleanly_wherever_it_comes() {
    let kit = PracticeKit::new();
    let before = kept(kit.path());
    let mut person = at(kit.path(), &[]);
    person.wait_for(LIST);
    person.keys("\u{4}");
    assert_eq!(person.end().0, Some(0));
    // In the middle of questions it leads back to the list, and there out.
    let mut person = at(kit.path(), &[]);
    choose(&mut person, "open a credential");
    person.wait_for("which? ");
    person.keys("\u{4}");
    person.wait_for("cancelled.");
    person.wait_for(LIST);
    person.keys("\u{4}");
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
    assert_eq!(kept(kit.path()), before);
}

#[test]
fn a_closed_terminal_ends_the_program_and_what_was_signed_stands() {
    let kit = PracticeKit::of_piv_alone();
    let mut person = at(kit.path(), &[]);
    choose(&mut person, "open a credential");
    person.answer("which? ", "2");
    person.answer("lockout)? ", "lockout");
    person.answer("incident or ticket? ", "INC-1");
    person.answer("in a few words: ", "a test");
    person.answer("your name as in the policy: ", "ada");
    person.answer("to go on: ", "open core-fw");
    person.answer("PIN for 23112 (3 of 3 tries left): ", PIN);
    person.answer("press Enter to show it: ", "");
    person.wait_for("hides itself in");
    person.close_the_terminal();
    // Nobody holds the kit any more, and the opening is on record.
    let begun = std::time::Instant::now();
    let told = loop {
        let told = kit.run(
            &["close", "INC-1", "--verdict", "drill", "--outcome", "x", "--confirm", "close INC-1"],
            &["23112 pin 48151623"],
        );
        if told.status.code() != Some(7) || begun.elapsed().as_secs() > 20 {
            break told;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    // Three keys are plugged in, and nobody says which: it was looked, so the kit is free.
    assert_eq!(told.status.code(), Some(2), "{}", String::from_utf8_lossy(&told.stderr));
    let told = kit.run(&["incident", "show", "INC-1"], &[]);
    assert!(String::from_utf8_lossy(&told.stdout).contains("handed out to terminal"));
}

#[test]
fn of_several_kits_the_person_says_which() {
    let kit = PracticeKit::new();
    let below = kit.path().join("copy");
    std::fs::create_dir(&below).expect("a folder");
    std::fs::copy(kit.path().join("kit.toml"), below.join("kit.toml")).expect("a copy");
    let mut person = at(&below, &[]);
    let list = person.wait_for("which (Enter for none)? ");
    assert!(list.contains("kits that are here (compare the words with the bag)"), "{list}");
    assert!(list.contains("not founded"), "{list}");
    let whole = number(&list, "DC1 emergency kit   ");
    assert_eq!(whole, "2", "the nearest comes first, and the last line is the one above\n{list}");
    person.line(&whole);
    assert!(person.wait_for(LIST).contains(&format!("in {}", kit.path().display())));
    person.line("");
    assert_eq!(person.end().0, Some(0));
    // None of them is an answer, too; and a kit that is named is not asked about.
    let mut person = at(&below, &[]);
    person.answer("which (Enter for none)? ", "");
    assert_eq!(person.end().0, Some(0));
    let mut person = at(&below, &["--kit", ".."]);
    assert!(person.wait_for(LIST).contains("kit       DC1 emergency kit, in .."));
    person.line("");
    assert_eq!(person.end().0, Some(0));
}

#[test]
fn of_a_damaged_kit_the_damage_comes_first_and_opening_is_not_offered() {
    let kit = PracticeKit::new();
    let journal = std::fs::read_dir(kit.path().join("journal")).unwrap().next().unwrap().unwrap().path();
    let mut bytes = std::fs::read(&journal).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&journal, bytes).unwrap();
    let mut person = at(kit.path(), &[]);
    let list = choose(&mut person, "see what is wrong with this copy");
    assert!(list.contains("wrong     ") && !list.contains("open a credential"), "{list}");
    person.wait_for("breakglass open --accept-damage");
    person.answer(LIST, "");
    assert_eq!(person.end().0, Some(0));
}

#[test]
fn without_a_terminal_or_with_answers_of_a_script_a_verb_is_wanted() {
    let kit = PracticeKit::new();
    let output = kit.run(&[], &[]);
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("requires a subcommand") && told.contains("Usage: breakglass"), "{told}");
    for words in [&["--json"][..], &["--confirm", "open core-db"]] {
        let (code, shown) = at(kit.path(), words).end();
        assert_eq!(code, Some(2), "{shown}");
        assert!(shown.contains("without a verb a person is led"), "{shown}");
    }
}
