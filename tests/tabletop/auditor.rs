//! The auditor of a story: a ledger of their own, on a machine whose clock can be set.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::pcsc::tools;

/// A machine's clock: right, or set to a time from which it goes on.
#[derive(Clone, Copy)]
pub(crate) enum Clock<'a> {
    Right,
    /// `2019-03-01 03:12:00`, in UTC.
    At(&'a str),
}

impl Clock<'_> {
    /// What runs a program with that clock, in front of its name. Timers go on as they are.
    pub(crate) fn before(&self) -> Vec<String> {
        let Clock::At(time) = self else { return Vec::new() };
        let faketime = tools::debian("faketime", "faketime").display().to_string();
        let env = |word: &str| word.to_owned();
        let set = ["env", "TZ=UTC", "FAKETIME_DONT_FAKE_MONOTONIC=1", "DONT_FAKE_MONOTONIC=1"].map(env);
        [set.to_vec(), vec![faketime, "-f".to_owned(), format!("@{time}")]].concat()
    }
}

/// `2026-11-29 12:00:00`, in UTC: a clock that is so many days from now.
#[allow(clippy::disallowed_methods, reason = "a story goes on from the time at which its kit was made")]
pub(crate) fn in_days(days: i64) -> String {
    let now = jiff::Timestamp::now().as_second() + days * 86_400;
    jiff::Timestamp::from_second(now).expect("a time").strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A ledger that trusts one kit by its words.
pub(crate) struct Auditor {
    folder: tempfile::TempDir,
    kit: PathBuf,
}

impl Auditor {
    /// Takes in the records of a kit, and compares its words with the bags; `root` vouches for its keys.
    pub(crate) fn of(kit: &Path, words: &str, root: Option<&Path>, clock: Clock<'_>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let auditor = Auditor { folder, kit: kit.to_owned() };
        auditor.import(clock);
        let root = root.map(|root| root.display().to_string());
        let mut all = vec!["trust", words];
        all.extend(root.iter().flat_map(|root| ["--root", root]));
        let out = auditor.run(&all, clock);
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        auditor
    }

    /// Takes in what is new.
    pub(crate) fn import(&self, clock: Clock<'_>) {
        self.import_from(&self.kit, clock);
    }

    /// Takes in what another copy of the kit has.
    pub(crate) fn import_from(&self, kit: &Path, clock: Clock<'_>) {
        let part = |name: &str| kit.join(name).display().to_string();
        let out = self.run(&["import", &part("journal"), &part("policy")], clock);
        let told = String::from_utf8_lossy(&out.stderr);
        assert!(matches!(out.status.code(), Some(0 | 1)), "{:?}: {told}", out.status);
    }

    /// What is found: `sort RULE` or, of what is possible and not certain, `sort RULE possible`; and the sentences. What is
    /// no fault, or was not asked for, is left out.
    pub(crate) fn finds(&self, clock: Clock<'_>) -> Found {
        let out = self.run(&["check", "--json", "--brief"], clock);
        let told: Value = serde_json::from_slice(&out.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&out.stderr)));
        let of_kits = told["kits"].as_array().expect("kits").iter();
        let all = of_kits.flat_map(|kit| kit["findings"].as_array().expect("findings"));
        let all = all.chain(told["ledger"].as_array().expect("findings"));
        let mut found = Found::default();
        for one in all.filter(|one| one["sort"] != "not-checked") {
            let text = |field: &str| one[field].as_str().unwrap_or_default().to_owned();
            let possible = if one["claim"] == "possible" { " possible" } else { "" };
            found.rules.push(format!("{} {}{possible}", text("sort"), text("rule")));
            found.texts.push(text("text"));
        }
        found.code = out.status.code();
        found
    }

    fn run(&self, words: &[&str], clock: Clock<'_>) -> Output {
        let program = env!("CARGO_BIN_EXE_breakglass-audit").to_owned();
        let all = [clock.before(), vec![program, "--ledger".to_owned()]].concat();
        let mut command = Command::new(&all[0]);
        command.args(&all[1..]).arg(self.folder.path().join("ledger.db")).args(words);
        command.env_remove("BREAKGLASS_LEDGER").output().expect("the program runs")
    }
}

/// What the auditor found.
#[derive(Default, Debug)]
pub(crate) struct Found {
    pub(crate) rules: Vec<String>,
    pub(crate) texts: Vec<String>,
    pub(crate) code: Option<i32>,
}

impl Found {
    /// These, and nothing else.
    #[track_caller]
    pub(crate) fn is(&self, rules: &[&str]) {
        assert_eq!(self.rules, rules, "{self:#?}");
    }

    /// Each of these words is in some finding.
    #[track_caller]
    pub(crate) fn says(&self, parts: &[&str]) {
        for part in parts {
            assert!(self.texts.iter().any(|text| text.contains(part)), "not found: {part}\n{self:#?}");
        }
    }
}
