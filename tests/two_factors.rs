//! Openings that ask for PIV and FIDO2, on practice keys: what the key's counter tells of those who used it otherwise, and what
//! a crash at any step leaves. The same over real hidraw is in `tests/vm.rs`.

#[path = "support/practice.rs"]
#[allow(dead_code)]
mod practice;

use breakglass::attestation::Serial;
use breakglass::device::Readers;
use breakglass::device::practice::{Fault, FaultPlan, PracticeReaders, Surroundings};
use breakglass::kit::Kit;
use breakglass::kit::check::{self, Since};
use breakglass::kit::folder::Folder;
use breakglass::record::chain::Depth;
use breakglass::record::event::Event;
use practice::{Hand, PIN, PracticeKit, keys_of, open, wish};

const ONE: u32 = 23112;
const CREDENTIAL: &str = "core-fw/admin";

fn readers(kit: &PracticeKit) -> PracticeReaders {
    PracticeReaders::new(&keys_of(kit.path()), Surroundings::of_this_machine())
}

fn read(kit: &PracticeKit) -> Kit {
    Kit::read(Folder::at(kit.path(), None), Depth::Every).expect("the kit")
}

/// Rules of the findings about counters and assertions.
fn counted(kit: &PracticeKit) -> Vec<&'static str> {
    check::counters(&read(kit)).into_iter().map(|finding| finding.rule).collect()
}

fn chain(kit: &Kit) -> String {
    kit.enrolled(Serial(ONE)).expect("enrolled").chain
}

fn since(kit: &PracticeKit) -> Option<Since> {
    let kit = read(kit);
    check::since_last(&kit, &chain(&kit))
}

fn text(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn one_pin_and_one_touch_more_and_the_assertion_is_on_record() {
    let kit = PracticeKit::new();
    let mut readers = readers(&kit);
    let key = readers.key(Serial(ONE)).unwrap();
    key.reset_counters();
    let mut hand = Hand::knowing();
    let opened = open(&kit, &mut readers, &mut hand, wish(CREDENTIAL, &[ONE])).unwrap();
    assert_eq!(hand.asked, [ONE], "one PIN for both");
    assert_eq!(key.counters().fido2_pins_sent, 1);
    assert!(opened.unrecorded.is_empty());
    // To sign the intent, for FIDO2, to sign that, to unwrap, to sign the outcome: the first one is cached for two of them.
    assert_eq!(hand.touches.len(), 5);
    let now = read(&kit);
    let events: Vec<&str> =
        now.journal.records().filter(|(c, _)| *c == chain(&now)).map(|(_, r)| r.event.name()).collect();
    assert!(events.ends_with(&["open.intent", "open.asserted", "open.released"]), "{events:?}");
    let asserted = now.journal.records().filter_map(|(_, record)| match &record.event {
        Event::OpenAsserted(facts) => Some((facts.over, facts.next.is_some())),
        _ => None,
    });
    assert_eq!(asserted.collect::<Vec<_>>(), [(opened.intents[0], true)], "it made the next envelope");
    assert_eq!((counted(&kit), since(&kit)), (vec![], Some(Since::Unused)));
}

#[test]
fn an_opening_by_another_program_shows_in_the_next_record() {
    let kit = PracticeKit::new();
    let opening = [PracticeKit::opening(CREDENTIAL), vec!["--key", "23112"]].concat();
    let pin = format!("{ONE} pin {PIN}");
    practice::done(&kit.run(&opening, &[&pin]));
    practice::done(&kit.run(&["records", "verify"], &[]));
    practice::done(&kit.run(&["practice", "use-elsewhere", "23112"], &[]));
    // Nobody can know before the key is asked again.
    practice::done(&kit.run(&["records", "verify"], &[]));
    let opened = kit.run(&opening, &[&pin]);
    practice::done(&opened);
    assert!(text(&opened).contains(": not by the one use that is on record"), "{}", text(&opened));
    let verified = kit.run(&["records", "verify"], &[]);
    assert_eq!(verified.status.code(), Some(6), "{}", text(&verified));
    let expected = "1 time more than the journal says: FIDO2 was used outside this kit, with this or another credential; that is certain";
    assert!(text(&verified).contains(expected), "{}", text(&verified));
    assert_eq!((counted(&kit), since(&kit)), (vec!["COUNTER-JUMP"], Some(Since::Wrong)));
}

#[test]
fn a_visit_proves_that_nothing_else_used_the_key() {
    let kit = PracticeKit::new();
    let pins = PracticeKit::pins(1);
    let pins: Vec<&str> = pins.iter().map(String::as_str).collect();
    let visit = |code: i32| {
        let output = kit.run(&["inventory", "--witness"], &pins);
        assert_eq!(output.status.code(), Some(code), "{}", text(&output));
        text(&output)
    };
    let told = visit(0);
    let unused = "FIDO2 was used by nothing else since its last assertion on record";
    assert_eq!(told.matches(unused).count(), 3, "{told}");
    practice::done(&kit.run(&["practice", "use-elsewhere", "23115"], &[]));
    let told = visit(6);
    assert_eq!(told.matches(unused).count(), 2, "{told}");
    assert!(told.contains("its counter does not fit the record"), "{told}");
    practice::done(&kit.run(&["practice", "remove", "30877"], &[]));
    let told = visit(6);
    assert!(told.contains("key 30877 was not asked"), "{told}");
}

/// The key is pulled out at every command and request of an opening: what is left is told apart from use by others.
#[test]
fn a_crash_at_any_step_accuses_nobody() {
    let mut missing = 0;
    for fault in [Fault::Remove, Fault::RemoveAfter] {
        for n in 1.. {
            let kit = PracticeKit::new();
            let mut readers = readers(&kit);
            let plan = FaultPlan::new().at(n, fault.clone());
            let key = readers.key(Serial(ONE)).unwrap();
            key.set_faults(plan.clone());
            let result = open(&kit, &mut readers, &mut Hand::knowing(), wish(CREDENTIAL, &[ONE]));
            let finished = plan.commands_seen() < n;
            plan.clear();
            key.insert().unwrap();
            let after = counted(&kit);
            assert!(after.iter().all(|rule| *rule == "ASSERTION-MISSING"), "{fault:?} at {n}: {after:?}");
            missing += after.len();
            open(&kit, &mut readers, &mut Hand::knowing(), wish(CREDENTIAL, &[ONE])).unwrap();
            let then = counted(&kit);
            let fine = ["ASSERTION-MISSING", "COUNTER-EXPLAINED"];
            assert!(then.iter().all(|rule| fine.contains(rule)), "{fault:?} at {n}: {then:?}");
            if finished {
                assert!(result.is_ok());
                break;
            }
        }
    }
    assert!(missing > 4, "{missing} openings stopped between intent and assertion");
}

#[test]
fn a_pin_that_is_not_the_fido2_pin_any_more_is_sent_once() {
    let kit = PracticeKit::new();
    let mut readers = readers(&kit);
    let pin = |text: &str| breakglass::secret::Fido2Pin::parse(text.as_bytes()).unwrap();
    readers.authenticator(Serial(ONE)).unwrap().change_pin(&pin(PIN), &pin("another-one")).unwrap();
    let opening = [PracticeKit::opening(CREDENTIAL), vec!["--key", "23112"]].concat();
    let line = format!("{ONE} pin {PIN}");
    let output = kit.run(&opening, &[&line]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(
        text(&output).contains("that is not the FIDO2 PIN of 23112; it has 7 tries left"),
        "{}",
        text(&output)
    );
    assert_eq!(readers.authenticator(Serial(ONE)).unwrap().pin_tries().unwrap(), 7);
    let output = kit.run(&opening, &[&line, "23112 fido2-pin another-one"]);
    practice::done(&output);
    assert_eq!(readers.authenticator(Serial(ONE)).unwrap().pin_tries().unwrap(), 8);
}

#[test]
fn three_wrong_pins_in_a_row_are_explained() {
    let kit = PracticeKit::new();
    let mut readers = readers(&kit);
    let pin = |text: &str| breakglass::secret::Fido2Pin::parse(text.as_bytes()).unwrap();
    readers.authenticator(Serial(ONE)).unwrap().change_pin(&pin(PIN), &pin("another-one")).unwrap();
    let opening = [PracticeKit::opening(CREDENTIAL), vec!["--key", "23112"]].concat();
    let line = format!("{ONE} pin {PIN}");
    let wrong = "23112 fido2-pin not-this-one";
    let output = kit.run(&opening, &[&line, wrong, wrong, wrong]);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output));
    assert!(text(&output).contains("taken out and put in again"), "{}", text(&output));
    assert_eq!(readers.authenticator(Serial(ONE)).unwrap().pin_tries().unwrap(), 5);
    practice::done(&kit.run(&["practice", "remove", "23112"], &[]));
    practice::done(&kit.run(&["practice", "insert", "23112"], &[]));
    practice::done(&kit.run(&opening, &[&line, "23112 fido2-pin another-one"]));
}

/// Every envelope that a key has is sealed to once before any is again, and that is told.
#[test]
fn an_empty_pool_blocks_no_rotation() {
    let kit = PracticeKit::new();
    let pin = format!("{ONE} pin {PIN}");
    let id = read(&kit).enrolled(Serial(ONE)).unwrap().id;
    let unused = |kit: &PracticeKit| read(kit).fido2(&id).unwrap().unused();
    let mut left = unused(&kit);
    assert!(left >= 3, "{left} envelopes");
    let rotate = ["rotate", CREDENTIAL, "--generate", "--with", "23112", "--confirm", "seal core-fw"];
    let confirm =
        ["rotate", CREDENTIAL, "--confirm-pending", "--with", "23112", "--confirm", "confirm core-fw"];
    while left > 0 {
        practice::done(&kit.run(&rotate, &[&pin]));
        practice::done(&kit.run(&confirm, &[&pin]));
        assert_eq!(unused(&kit), left - 1);
        left -= 1;
    }
    let output = kit.run(&rotate, &[&pin]);
    practice::done(&output);
    assert!(text(&output).contains("again"), "{}", text(&output));
    practice::done(&kit.run(&confirm, &[&pin]));
    let told = text(&kit.run(&["records", "verify"], &[]));
    assert!(told.contains("key 23112: one FIDO2 envelope for core-fw/admin"), "{told}");
    // An opening brings the next one.
    let opening = [PracticeKit::opening(CREDENTIAL), vec!["--key", "23112"]].concat();
    practice::done(&kit.run(&opening, &[&pin]));
    assert_eq!(unused(&kit), 1);
}

/// Whoever has the bundle's enrolment and openssl can check what the FIDO2 side signed.
#[test]
fn openssl_verifies_the_record_and_the_assertion_in_it() {
    let kit = PracticeKit::new();
    let pin = format!("{ONE} pin {PIN}");
    practice::done(&kit.run(&[PracticeKit::opening(CREDENTIAL), vec!["--key", "23112"]].concat(), &[&pin]));
    let listed = kit.run(&["--json", "records", "list"], &[]);
    let listed: serde_json::Value = serde_json::from_slice(&listed.stdout).unwrap();
    let asserted = listed["records"].as_array().unwrap().iter().find(|one| one["event"] == "open.asserted");
    let n = asserted.expect("an assertion")["n"].to_string();
    let to = tempfile::tempdir().unwrap();
    let folder = to.path().display().to_string();
    practice::done(&kit.run(&["records", "export", &folder, "--openssl", &n], &[]));
    let files = std::fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().path());
    let command = files.into_iter().find(|path| path.extension().is_some_and(|e| e == "command")).unwrap();
    let run = |command: &std::path::Path| {
        let mut shell = std::process::Command::new("sh");
        text(&shell.arg(command).current_dir(to.path()).output().expect("a shell"))
    };
    assert_eq!(run(&command), "Verified OK\nVerified OK\n");
    // One byte of the authenticator data, and it is no evidence.
    let files = std::fs::read_dir(to.path()).unwrap().map(|entry| entry.unwrap().path());
    let input = files.into_iter().find(|path| path.to_string_lossy().ends_with("-assertion.input")).unwrap();
    let mut bytes = std::fs::read(&input).unwrap();
    bytes[36] ^= 1;
    std::fs::write(&input, bytes).unwrap();
    let said = run(&command);
    assert!(said.starts_with("Verified OK\n") && said.matches("Verified OK").count() == 1, "{said}");
}
