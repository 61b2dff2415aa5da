//! What a person does to get a credential: commands typed, questions answered, PINs, touches. Ours and rage's are counted at
//! a terminal and at the key while it happens; those of pivy-box and Vault are counted from the steps that their documents
//! order, each named below the table.
//!
//! `cargo bench --bench effort`

#![allow(clippy::print_stdout, reason = "a benchmark prints its table")]

#[path = "../tests/support/pcsc.rs"]
mod pcsc;
#[path = "../tests/support/practice.rs"]
#[allow(dead_code)]
mod practice;
#[path = "../tests/support/real.rs"]
mod real;
#[path = "../tests/support/terminal.rs"]
mod terminal;

use std::process::Command;

use pcsc::{Settings, tools};
use real::{KEYS, Life, ONE, PROGRAM, TWO, pin};
use terminal::Person;

/// What was done for one task.
#[derive(Default, Clone, Copy)]
struct Effort {
    commands: usize,
    /// Questions answered with a line, PINs not among them.
    prompts: usize,
    pins: usize,
    touches: usize,
}

/// How somebody answers: the end of a question, and the line for it. `None` is the key's PIN.
type Answers<'a> = &'a [(&'a str, Option<&'a str>)];

const OPEN: Answers = &[
    ("why (", Some("pam-outage")),
    ("incident or ticket? ", Some("INC-4711")),
    ("in a few words: ", Some("PAM lost quorum")),
    ("your name as in the policy: ", Some("ada")),
    ("  to go on: ", Some("open core-db")),
    ("tries left): ", None),
    ("press Enter to show it: ", Some("")),
];

fn main() {
    opened();
    from_nothing();
    sources();
}

/// A sealed credential, from the shell's prompt to the secret on the screen.
fn opened() {
    println!("a sealed credential is opened");
    head();
    let life = Life::with(&Settings::usual(&KEYS));
    row(
        "breakglass open, 1 key",
        Ok(open_real(&life, "core-fw/admin", &[ONE])),
        "counted; who and why are on record",
    );
    row("breakglass open, 2 of 3", Ok(open_real(&life, "core-db/root", &[ONE, TWO])), "counted; PIV");
    row(
        "breakglass open, 2 of 3, FIDO2",
        Ok(open_practice()),
        "counted; practice keys, touches as asked for",
    );
    row("rage, age-plugin-yubikey, 1 key", Ok(rage(&life)), "counted; no record");
    row(
        "rage, age-plugin-yubikey, 2 of 3",
        Err("any one of the recipients opens: k of n is not offered"),
        "a",
    );
    row("pivy-box, primary key", Ok(effort(1, 0, 1, 1)), "b");
    row("pivy-box, recovery, 2 of 3", Ok(effort(1, 6, 2, 2)), "c");
    row("Vault, unsealed, 1 share", Ok(vault(1, false)), "d; shares are typed, no key and no touch");
    row("Vault, unsealed, 2 of 3 shares", Ok(vault(2, false)), "d");
    row("Vault, sealed, 2 of 3 shares", Ok(vault(2, true)), "d, e");
    println!();
}

/// Somebody who has only the README, and what is installed: until a credential was opened once. On keys for practice, where
/// there are some; on a key of their own, where not.
fn from_nothing() {
    println!("from nothing to the first credential opened (programs installed)");
    head();
    row("breakglass, three practice keys", Ok(rehearsed()), "counted; README, \"Three commands\"");
    row(
        "age-plugin-yubikey, a blank key",
        Ok(effort(3, 6, 2, 2)),
        "f; at least, a PIN of its own set before",
    );
    row(
        "pivy-box, a blank key",
        Ok(effort(4, 0, 3, 1)),
        "g; at least: questions of the template not counted",
    );
    row("Vault, a new server, 1 share", Ok(effort(11, 4, 0, 0)), "h; the shares are kept on paper");
    println!();
}

fn sources() {
    println!(
        "a  README of age-plugin-yubikey: each recipient opens by itself\n\
         b  README of pivy, \"Eboxes and pivy-box\": one command; slot 9D asks for PIN and touch\n\
         c  the same, \"Recovery and challenge-response\", keys attached (l): configuration, for each part the part and how it\n\
            \x20  is used, r to begin; insertions not counted\n\
         d  Vault, \"Generate a root token\": -init, generate-root with a hidden share for each holder, -decode; then login\n\
            \x20  (asks for the token) and kv get. Holders sit at one terminal\n\
         e  Vault, \"operator unseal\": one command and one hidden share for each holder\n\
         f  README and issue 104 of age-plugin-yubikey: its text interface (key, slot, name, PIN policy, touch policy, yes; then\n\
            \x20  PIN, touch), rage -r, rage -d (PIN, touch)\n\
         g  README of pivy: pivy-tool setup, pivy-box tpl create, key generate, key unlock; setup\n\
            \x20  sets a PIN and a PUK, unlock asks for the PIN and a touch\n\
         h  Vault, \"operator init\", \"operator unseal\" and kv: server, init, unseal, login, secrets enable, kv put; then d\n\
         questions: lines typed at a prompt, Enter to show among them, PINs not; a share or token of Vault's is a question"
    );
}

fn effort(commands: usize, prompts: usize, pins: usize, touches: usize) -> Effort {
    Effort { commands, prompts, pins, touches }
}

/// With so many shares of the threshold: a root token, login, read.
fn vault(shares: usize, sealed: bool) -> Effort {
    let unseal = if sealed { shares } else { 0 };
    effort(unseal + 1 + shares + 1 + 1 + 1, unseal + shares + 1, 0, 0)
}

fn head() {
    println!("{:<34} {:>8} {:>9} {:>5} {:>8}   ", "", "commands", "questions", "PINs", "touches");
}

fn row(what: &str, effort: Result<Effort, &str>, note: &str) {
    match effort {
        Ok(Effort { commands, prompts, pins, touches }) => {
            println!("{what:<34} {commands:>8} {prompts:>9} {pins:>5} {touches:>8}   {note}");
        }
        Err(why) => println!("{what:<34} {why}   {note}"),
    }
}

/// One command at a terminal: each question is answered until the secret is shown.
fn done(person: &mut Person, answers: Answers, pin: impl Fn(&str) -> String) -> Effort {
    let mut effort = effort(1, 0, 0, 0);
    let questions: Vec<&str> =
        answers.iter().map(|(question, _)| *question).chain(["hides itself in"]).collect();
    loop {
        let (which, before) =
            person.wait_for_any(&questions).unwrap_or_else(|why| panic!("{why}\n{}", person.shown()));
        match answers.get(which) {
            None => return effort,
            Some((_, Some(line))) => {
                effort.prompts += 1;
                if questions[which] == "why (" {
                    person.wait_for("? ");
                }
                person.line(line);
            }
            Some((_, None)) => {
                effort.pins += 1;
                let asked = before.rsplit("PIN for ").next().unwrap_or_default().to_owned();
                person.line(&pin(asked.split(' ').next().unwrap_or_default()));
            }
        }
    }
}

fn open_real(life: &Life, credential: &str, keys: &[u32]) -> Effort {
    let touches = || -> u64 { KEYS.iter().map(|key| life.world.touches(key.0)).sum() };
    let (before, kit) = (touches(), life.kit().display().to_string());
    life.pins_sent();
    let named = keys.iter().map(u32::to_string).collect::<Vec<_>>().join(",");
    let script = life.world.command(tools::debian("script", "bsdutils"));
    let mut person = Person::sit_down(script, &[PROGRAM, "--kit", &kit, "open", credential, "--key", &named]);
    let word = format!("open {}", credential.split('/').next().unwrap_or_default());
    let answers: Vec<(&str, Option<&str>)> = OPEN
        .iter()
        .map(|(question, line)| {
            (*question, if *line == Some("open core-db") { Some(word.as_str()) } else { *line })
        })
        .collect();
    let mut effort =
        done(&mut person, &answers, |serial| pin(serial.parse().expect("a serial is asked for")));
    effort.touches = usize::try_from(touches() - before).expect("few");
    person.keys("x");
    person.answer("q ends: ", "q");
    assert_eq!(person.end().0, Some(0));
    assert!(life.pins_sent().iter().sum::<u64>() > 0, "the keys heard the PINs");
    effort
}

/// The same with FIDO2, which the virtual keys behind PC/SC do not have. What a practice key is touched for is on the screen.
fn open_practice() -> Effort {
    let kit = practice::PracticeKit::new();
    let mut person = at(kit.path(), &["open", "core-db/root"]);
    let mut effort = done(&mut person, OPEN, |_| practice::PIN.to_owned());
    effort.touches = touches_asked(&person.shown());
    effort
}

fn touches_asked(shown: &str) -> usize {
    shown.lines().filter(|line| line.starts_with("touch ") && line.contains(" now ")).count()
}

fn at(folder: &std::path::Path, words: &[&str]) -> Person {
    let mut script = Command::new(tools::debian("script", "bsdutils"));
    script.current_dir(folder).env_remove("BREAKGLASS_KIT");
    Person::sit_down(script, &[&[PROGRAM], words].concat())
}

/// `practice start`, and what the guide asks: the first credential, 2 of 3.
fn rehearsed() -> Effort {
    let place = tempfile::tempdir().expect("a folder");
    let (code, shown) = at(place.path(), &["practice", "start", "rehearsal"]).end();
    assert_eq!(code, Some(0), "{shown}");
    let mut person = at(place.path(), &["--kit", "rehearsal"]);
    let answers = [&[("number (Enter ends): ", Some("1")), ("which? ", Some("1"))], OPEN].concat();
    let mut effort = done(&mut person, &answers, |_| practice::PIN.to_owned());
    effort.commands += 1;
    effort.touches = touches_asked(&person.shown());
    effort
}

/// `rage -d` with the plugin's identity file, on the same virtual key and the same file.
fn rage(life: &Life) -> Effort {
    let mut list = life.world.command(tools::age_plugin_yubikey());
    let said = life.world.run(list.args(["--identity", "--serial", &ONE.to_string(), "--slot", "1"]));
    let line = said.lines().find(|line| line.starts_with("AGE-PLUGIN-YUBIKEY-")).expect("an identity");
    let identity = life.path("identity.txt");
    std::fs::write(&identity, line).expect("written");
    let generation = std::fs::read_dir(life.kit().join("sealed/core-fw/admin")).expect("sealed").next();
    let payload = generation.expect("a generation").expect("an entry").path().join("payload.age");
    life.world.remove(ONE);
    life.world.insert(ONE);
    let before = life.world.touches(ONE);
    let folder = tools::rage().parent().expect("a folder").to_path_buf();
    let mut script = life.world.command(tools::debian("script", "bsdutils"));
    script.env("PATH", format!("{}:/usr/bin:/bin", folder.display())).env("PINENTRY_PROGRAM", "none");
    let (identity, payload) = (identity.display().to_string(), payload.display().to_string());
    let mut person = Person::sit_down(script, &["rage", "-d", "-i", &identity, &payload]);
    let mut effort = effort(1, 0, 0, 0);
    while let Ok((0, _)) = person.wait_for_any(&["Enter PIN for YubiKey"]) {
        effort.pins += 1;
        person.wait_for(": ");
        person.line(&pin(ONE));
    }
    let (code, shown) = person.end();
    assert_eq!(code, Some(0), "{shown}");
    effort.touches = usize::try_from(life.world.touches(ONE) - before).expect("few");
    effort
}
