//! The people of a story: they know their PINs, do what the program tells them to do next, word for word, and edit the
//! policy with an editor.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::auditor::{Auditor, Clock};
use crate::pcsc::Settings;
use crate::real::{Life, PROGRAM, Said, pin, puk};

/// A kit, its keys, and who works with them.
pub(crate) struct People {
    pub(crate) life: Life,
    pins: BTreeMap<u32, String>,
    puks: BTreeMap<u32, String>,
    secrets: u32,
}

impl People {
    pub(crate) fn with(keys: &[(u32, &str)]) -> Self {
        let of = |value: fn(u32) -> String| keys.iter().map(|key| (key.0, value(key.0))).collect();
        People { life: Life::with(&Settings::usual(keys)), pins: of(pin), puks: of(puk), secrets: 0 }
    }

    /// Runs the program, with whatever PINs it may ask for, as often as it asks.
    pub(crate) fn run(&self, words: &[&str]) -> Said {
        self.run_at(Clock::Right, words)
    }

    /// The same on a machine with that clock.
    pub(crate) fn run_at(&self, clock: Clock<'_>, words: &[&str]) -> Said {
        let pins: Vec<String> = self.pins.iter().map(|(serial, pin)| format!("{serial} pin {pin}")).collect();
        self.run_with(clock, words, &[&pins[..], &pins, &pins].concat(), b"")
    }

    fn run_with(&self, clock: Clock<'_>, words: &[&str], pins: &[String], stdin: &[u8]) -> Said {
        let (lines, number) = crate::real::pin_pipe(pins);
        let number = number.to_string();
        let before = clock.before();
        let programs: Vec<&str> = before.iter().map(String::as_str).chain([PROGRAM]).collect();
        let command = self.life.command_by(&programs, &[&["--pin-fd", &number], words].concat());
        let output = crate::real::start(command, stdin).wait_with_output().expect("it ends");
        drop(lines);
        Said::new(words, output)
    }

    /// What `change` says, as its object, and whether anything is left.
    pub(crate) fn change(&self, what: &[&str]) -> (i32, Value) {
        let said = self.run(&[&["--json", "change"], what].concat());
        (said.code.expect("an exit code"), said.json())
    }

    /// Does what `change` says is next until nothing is: each command as it is given. What takes an editor or a bag, and what
    /// waits for somebody, is `other`'s: it is told the step and whether it did something.
    pub(crate) fn led_through(
        &mut self,
        what: &[&str],
        mut other: impl FnMut(&mut Self, &str) -> bool,
    ) -> Vec<String> {
        let mut done = Vec::new();
        for _ in 0..40 {
            let (code, told) = self.change(what);
            let steps = told["steps"].as_array().expect("steps");
            let Some(step) = steps.iter().find(|step| step["state"] == "next") else {
                assert_eq!((code, &told["left"]), (0, &0.into()), "it leads no further: {told:#}");
                return done;
            };
            assert_eq!(code, 1);
            let name = step["step"].as_str().expect("text").to_owned();
            let command = step["command"].as_str().map(str::to_owned);
            done.push(name.clone());
            if other(self, &name) {
                continue;
            }
            self.does(&command.unwrap_or_else(|| panic!("nobody does it: {step:#}")));
        }
        panic!("forty steps did not end it: {done:#?}");
    }

    /// Types a command as it was given, the word that it asks for, and the PINs.
    pub(crate) fn does(&mut self, command: &str) {
        let words: Vec<&str> = command.split(' ').skip(1).collect();
        let with = words.iter().position(|word| *word == "--with").map(|at| words[at + 1]);
        let platform = || words[1].split('/').next().expect("a platform");
        let serial = || -> u32 { words[2].parse().expect("a serial") };
        let word = match words[..] {
            ["rotate", _, "--confirm-pending", ..] => format!("confirm {}", platform()),
            ["rotate", ..] => format!("seal {}", platform()),
            ["policy", "adopt", ..] => "adopt policy".to_owned(),
            ["key", "pin", ..] => String::new(),
            ["key", "provision", "--serial", serial] => serial.to_owned(),
            ["key", verb, serial, ..] => format!("{verb} {serial}"),
            _ => panic!("nobody said how: {command}"),
        };
        let mut lines: Vec<String> = with
            .iter()
            .map(|with| format!("{with} pin {}", self.pins[&with.parse().expect("a serial")]))
            .collect();
        match words[..] {
            ["key", "pin", .., "puk"] => {
                let new = format!("nEW-PuK{}", serial() % 10);
                lines = vec![
                    format!("{} puk {}", serial(), self.puks[&serial()]),
                    format!("{} new-puk {new}", serial()),
                    format!("{} pin {}", serial(), self.pins[&serial()]),
                ];
                self.puks.insert(serial(), new);
            }
            ["key", "pin", ..] => {
                let new = format!("nEW-PiN{}", serial() % 10);
                lines = vec![
                    format!("{} pin {}", serial(), self.pins[&serial()]),
                    format!("{} new-pin {new}", serial()),
                ];
                self.pins.insert(serial(), new);
            }
            ["key", "provision", _, serial] => {
                let of = |what: &str, value: String| format!("{serial} new-{what} {value}");
                let serial: u32 = serial.parse().expect("a serial");
                lines = vec![of("pin", pin(serial)), of("puk", puk(serial))];
            }
            _ => {}
        }
        self.secrets += 1;
        let secret = format!("secret number {} of the story", self.secrets);
        let confirm = if word.is_empty() { vec![] } else { vec!["--confirm", word.as_str()] };
        self.run_with(Clock::Right, &[&words[..], &confirm].concat(), &lines, secret.as_bytes()).done();
    }

    /// Edits `kit.toml`.
    pub(crate) fn edits(&self, edit: impl FnOnce(String) -> String) {
        let toml = self.life.kit().join("kit.toml");
        let text = std::fs::read_to_string(&toml).expect("kit.toml");
        std::fs::write(&toml, edit(text)).expect("kit.toml");
    }

    /// Edits `kit.toml`, and two keys put it in force.
    pub(crate) fn adopts(&mut self, edit: impl FnOnce(String) -> String) {
        self.edits(edit);
        for with in [crate::real::ONE, crate::real::TWO] {
            self.does(&format!("breakglass policy adopt --with {with}"));
        }
    }

    /// Two people put a key into a bag, and another key signs it.
    pub(crate) fn put_away(&self, serial: &str, bag: &str, who: [&str; 2], with: &str) {
        let [person, witness] = who;
        let words = ["--place", "safe B", "--bag", bag, "--person", person, "--witness", witness];
        let sign = ["--with", with, "--confirm"];
        let word = format!("checkin {serial}");
        self.run(&[&["key", "checkin", serial][..], &words, &sign, &[&word]].concat()).done();
    }

    /// An auditor who has this kit's records.
    pub(crate) fn auditor(&self, clock: Clock<'_>) -> Auditor {
        let words = self.run(&["--json", "status"]).json()["words"].as_str().expect("words").to_owned();
        Auditor::of(&self.life.kit(), &words, Some(&self.life.world.root_certificate()), clock)
    }

    /// Rules of what `status` finds due or wrong on a machine with that clock, each once, and its exit code.
    pub(crate) fn status(&self, clock: Clock<'_>) -> (i32, Vec<String>) {
        let said = self.run_at(clock, &["--json", "status"]);
        let told = said.json();
        let findings = told["findings"].as_array().expect("findings").iter();
        let mut rules: Vec<String> = findings
            .filter(|one| one["weight"] != "note")
            .map(|one| one["rule"].as_str().expect("a rule").to_owned())
            .collect();
        rules.dedup();
        (said.code.expect("an exit code"), rules)
    }
}

/// `kit.toml` without the table that begins with that line and says that.
pub(crate) fn without_table(text: &str, header: &str, says: &str) -> String {
    let mut tables = text.split("\n[[");
    let first = tables.next().expect("text").to_owned();
    let kept = tables.filter(|table| !(table.starts_with(&header[2..]) && table.contains(says)));
    kept.fold(first, |all, table| all + "\n[[" + table)
}
