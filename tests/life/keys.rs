//! Keys that are not the right ones, or cannot be reached: no PIN is sent to any of them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};

use crate::pcsc::{Settings, tools};
use crate::real::*;

const FIRST: [(u32, &str); 1] = [KEYS[0]];
const STRANGE: (u32, &str) = (STRANGER, "5.7.4");
const ALL: &str =
    "keys that would do: 4000001 (safe A, bag 0417), 4000002 (safe A, bag 0418), 4000003 (safe B, bag 0102)";
const OTHERS: &str = "other keys that would do: 4000002 (safe A, bag 0418), 4000003 (safe B, bag 0102)";

fn open(life: &Life) -> Said {
    life.open("core-fw/admin", &[ONE, TWO, THREE], &["--key", "4000001"])
}

/// An impostor with the serial of one of ours: it answers, and cannot prove itself.
#[test]
fn a_swapped_key_gets_no_pin_and_is_kept_as_evidence() {
    let life = Life::start();
    life.world.order("4000001 counterfeit 9E");
    open(&life).refused(
        3,
        &[
            "key 4000001: this key says it is 4000001, but it cannot prove it.",
            "no PIN was sent to it.",
            "it may have been swapped. keep it and its bag as evidence, and use another key",
            OTHERS,
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);
    life.open("core-db/root", &[ONE, TWO, THREE], &[]).gave(ROOT_SECRET).says(&[
        "key 4000001: this key says it is 4000001, but it cannot prove it\n",
        "4000002: genuine",
        "4000003: genuine",
    ]);
    assert_eq!(life.pins_sent(), [0, 1, 2]);
    let seal = ["seal", "a/b", "--with", "4000001", "--confirm", "seal a"];
    life.run_with(&seal, &[pin_line(ONE)], b"x").refused(
        3,
        &[
            "key 4000001: this key says it is 4000001, but it cannot prove it.",
            "no PIN was sent to it.",
            "it may have been swapped. keep it and its bag as evidence, and use another key",
        ],
    );
    life.run(&["key", "pin", "4000001"], &[pin_line(ONE), format!("{ONE} new-pin 31415926")]).is(3, &[]);
    assert_eq!(life.pins_sent(), [0, 0, 0]);
    let inspected = life.run(&["key", "inspect", "4000001"], &[]).is(6, &[]).text();
    assert!(inspected.contains("not the enrolled key"), "{inspected}");
    assert_eq!(life.pins_sent(), [0, 0, 0]);
}

/// `ykman piv reset` since it was enrolled.
#[test]
fn a_key_that_was_reset_is_told_from_an_impostor() {
    let life = Life::start();
    let ykman = tools::ykman();
    life.world.run(life.world.command(ykman).args(["--device", "4000001", "piv", "reset", "--force"]));
    life.pins_sent(); // a reset blocks the PIN first
    open(&life).refused(
        3,
        &[
            "key 4000001 was reset since it was enrolled: its slots are empty.",
            "nothing was changed.",
            "it opens nothing any more: retire it and provision it again, in peace",
            OTHERS,
        ],
    );
    let inspected = life.run(&["key", "inspect", "4000001"], &[]).is(6, &[]).text();
    assert!(inspected.contains("was reset"), "{inspected}");
    assert_eq!(life.pins_sent(), [0, 0, 0]);
}

#[test]
fn keys_of_no_kit_and_of_another_kit_are_told_apart() {
    let life = Life::with(&Settings::usual(&[KEYS[0], STRANGE]));
    life.world.remove(ONE);
    let open = || life.open("core-fw/admin", &[STRANGER], &[]);
    open().refused(3, &["key 4000004 is not enrolled in this kit.", "nothing was opened.", ALL]);

    // The stranger founds a kit of its own.
    let theirs = life.path("theirs");
    let kit = theirs.display().to_string();
    life.run(&["--kit", &kit, "init", "--name", "another kit"], &[]).done();
    complete(&theirs, &life.world);
    provision(&life, STRANGER, &["--kit", &kit]).done();
    let words = ["--kit", &kit, "key", "admit", "4000004", "--confirm", "found 4000004"];
    let said = life.run(&words, &[pin_line(STRANGER)]).done().stderr;
    let words = said.split_once("words  ").expect("kit words").1.lines().next().expect("a line").to_owned();
    life.pins_sent();
    let refusal = format!("key 4000004 belongs to another kit: {words}.");
    open().refused(3, &[&refusal, "nothing was opened.", ALL]);
    let inspected = life.run(&["key", "inspect", "4000004"], &[]).done().text();
    assert!(inspected.contains(&words), "{inspected}");

    // Ours in their kit; and what signs says it as well.
    life.world.remove(STRANGER);
    life.world.insert(ONE);
    let words = ["--kit", &kit, "seal", "a/b", "--confirm", "seal a"];
    life.run_with(&words, &[pin_line(ONE)], b"x").refused(
        3,
        &[
            "no admitted key of this kit is plugged in.",
            "nothing was changed.",
            "plug in an admitted key:  breakglass key list",
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0]);
}

#[test]
fn a_retired_key_is_told_to_be_retired() {
    let life = Life::start();
    for with in [ONE, TWO] {
        let name = with.to_string();
        let words = ["--why", "worn", "--confirm", "retire 4000003", "--with", &name];
        life.run(&[&["key", "retire", "4000003"], &words[..]].concat(), &[pin_line(with)]).done();
    }
    life.world.remove(ONE);
    life.world.remove(TWO);
    life.pins_sent();
    life.open("core-fw/admin", &[THREE], &[]).refused(
        3,
        &[
            "key 4000003 was retired.",
            "nothing was opened.",
            "keys that would do: 4000001 (safe A, bag 0417), 4000002 (safe A, bag 0418)",
        ],
    );
    let seal = ["seal", "a/b", "--with", "4000003", "--confirm", "seal a"];
    life.run_with(&seal, &[pin_line(THREE)], b"x").refused(
        3,
        &[
            "key 4000003 is not admitted to this kit.",
            "nothing was changed.",
            "plug in an admitted key:  breakglass key list",
        ],
    );
    assert_eq!(life.pins_sent(), [0, 0, 0]);
}

#[test]
fn without_a_service_a_reader_or_a_key_it_says_which() {
    let no_key = [
        "no key is plugged in.",
        "nothing was changed.",
        "plug one in        (breakglass doctor looks for more)",
        ALL,
    ];
    let life = Life::with(&Settings::usual(&[]));
    life.open("core-fw/admin", &[ONE], &[]).refused(3, &no_key);
    life.run(&["key", "pin"], &[pin_line(ONE)]).refused(3, &no_key[..3]);
    drop(life);

    let life = Life::with(&Settings { service: false, ..Settings::usual(&FIRST) });
    let no_service = [
        "no key reader answers: pcscd is not running.",
        "nothing was changed.",
        "start it:  sudo systemctl start pcscd        (breakglass doctor looks for more)",
    ];
    life.open("core-fw/admin", &[ONE], &[]).refused(3, &no_service);
    life.run(&["inventory"], &[]).refused(3, &no_service);
    let doctor = life.run(&["doctor"], &[]).is(1, &[]).text();
    assert!(doctor.contains("pcscd"), "{doctor}");
    drop(life);

    let life = Life::with(&Settings::usual(&FIRST));
    life.world.remove(ONE);
    life.open("core-fw/admin", &[ONE], &[]).refused(3, &no_key);
}

#[test]
fn a_reader_that_another_program_holds_is_waited_for_and_the_program_named() {
    let life = Life::with(&Settings::usual(&FIRST));
    let reader = life.world.reader(ONE).to_owned();
    let mut holder = hold(&life);
    let last = format!("the reader {reader} is held by another program.");
    let said = open(&life).is(7, &[]);
    let waited = format!("the reader {reader} is held by another program; waiting 10 s for it …");
    let named = format!("it may be python (pid {}):  end it, if the key is needed:  kill ", holder.id());
    let said = said.says(&[&waited, &last, "nothing was sent to it.", &named]);
    assert!(said.stdout.is_empty());
    let doctor = life.run(&["doctor"], &[]).is(1, &[]).text();
    assert!(
        doctor.contains(&format!("python (pid {}) runs, and may hold the reader", holder.id())),
        "{doctor}"
    );
    assert_eq!(life.pins_sent(), [0]);

    // It lets go while we wait.
    let words = [&opening("core-fw/admin")[..], &["--key", "4000001"]].concat();
    let said = life.attend(&words, &[pin_line(ONE)], |line| {
        if line.contains("waiting") {
            drop(holder.stdin.take());
        }
    });
    said.gave(ADMIN_SECRET);
    holder.wait().expect("it ends");
}

/// A Python program that connects to the only card alone, until its stdin ends.
fn hold(life: &Life) -> Child {
    const HOLD: &str = r#"
import sys
from smartcard.scard import *
result, context = SCardEstablishContext(SCARD_SCOPE_USER)
result, readers = SCardListReaders(context, [])
result, card, protocol = SCardConnect(context, readers[0], SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T1)
print(SCardGetErrorMessage(result), flush=True)
sys.stdin.read()
"#;
    let mut command = life.world.command(tools::python());
    let holder = command.args(["-c", HOLD]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let mut holder = holder.expect("python starts");
    let mut line = String::new();
    let stdout = holder.stdout.take().expect("piped");
    BufReader::new(stdout).read_line(&mut line).expect("a line");
    assert_eq!(line, "Command successful.\n");
    holder
}

/// A copy of a key, or a liar: neither is trusted.
#[test]
fn two_keys_with_one_serial_are_both_refused() {
    let life = Life::with(&Settings::usual(&[KEYS[0], KEYS[0]]));
    open(&life).refused(
        3,
        &[
            "key 4000001: two readers show a key that says it is 4000001; take one of them out.",
            "no PIN was sent to either.",
            "keep both, with their bags, as evidence",
            OTHERS,
        ],
    );
    life.run(&["key", "inspect", "4000001"], &[]).is(3, &[]);
    assert_eq!(life.pins_sent(), [0, 0]);
}

/// A practice kit takes no real key, and a real kit no practice key, whatever is brought into its journal.
#[test]
fn practice_and_real_stay_apart() {
    let life = Life::with(&Settings::usual(&FIRST));
    let rehearsal = life.path("rehearsal");
    let kit = rehearsal.display().to_string();
    let practice = |words: &[&str], pins: &[String]| life.run(&[&["--kit", &kit], words].concat(), pins);
    practice(&["init", "--practice"], &[]).done();
    practice(&["key", "provision", "--serial", "4000001", "--confirm", "4000001"], &[]).refused(
        3,
        &[
            "key 4000001 is not plugged in.",
            "nothing was changed.",
            "a practice kit knows practice keys only:  breakglass practice insert SERIAL   or  practice new --serial N",
            "plug it in",
        ],
    );
    practice(&["practice", "new", "--serial", "77"], &[]).done();
    let new = ["77 new-pin 48151600".to_owned(), "77 new-puk 97531800".to_owned()];
    practice(&["key", "provision", "--serial", "77", "--confirm", "77"], &new).done();

    // The enrolment of each is brought into the other kit.
    let journal = |kit: &std::path::Path, serial: u32| {
        let entries = std::fs::read_dir(kit.join("journal")).expect("a journal");
        let mut paths = entries.map(|entry| entry.expect("an entry").path());
        let name = format!("{serial}-");
        let has =
            |path: &std::path::Path| path.file_name().is_some_and(|n| n.to_string_lossy().starts_with(&name));
        paths.find(|path| has(path)).expect("its journal")
    };
    let bring = |from: &std::path::Path, to: &std::path::Path, serial: u32| {
        let from = journal(from, serial);
        std::fs::copy(&from, to.join("journal").join(from.file_name().expect("a name"))).expect("a copy");
    };
    bring(&rehearsal, &life.kit(), 77);
    life.run(&["key", "admit", "77", "--with", "4000001", "--confirm", "admit 77"], &[pin_line(ONE)]).refused(
        6,
        &[
            "key 77 is not what its enrolment says: the attestation of slot 9C is not accepted: the device certificate was issued by `CN=PRACTICE PIV attestation root,O=breakglass practice`, which is not accepted here.",
            "nothing was signed, nothing was sealed to it.",
            "do not use it: its enrolment is not borne out by its attestations",
        ],
    );
    let verified = life.run(&["records", "verify"], &[]).is(6, &[]).text();
    assert!(verified.contains("key 77: the attestation of slot 9C is not accepted"), "{verified}");
    life.run(&["practice", "new", "--serial", "78"], &[]).refused(
        1,
        &[
            "this is a real kit: it takes no practice keys.",
            "nothing was changed.",
            "rehearse in a kit of its own:  breakglass --kit DIR init --practice",
        ],
    );
    // A real key that was enrolled for its own kit, and one that was never admitted to any.
    let blank = life.path("blank");
    let blank_kit = blank.display().to_string();
    life.run(&["--kit", &blank_kit, "init", "--practice"], &[]).done();
    std::fs::create_dir(blank.join("journal")).expect("a folder");
    let enrolment = std::fs::read_to_string(journal(&life.kit(), ONE)).expect("its journal");
    let line = format!("{}\n", enrolment.lines().next().expect("its enrolment"));
    let name = journal(&life.kit(), ONE);
    std::fs::write(blank.join("journal").join(name.file_name().expect("a name")), line).expect("written");
    let words = ["--kit", &blank_kit, "key", "admit", "4000001", "--confirm", "found 4000001"];
    life.run(&words, &[pin_line(ONE)]).is(6, &[]).says(&["is not accepted", "nothing was signed"]);
    assert_eq!(life.pins_sent(), [0]);
}
