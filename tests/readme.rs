//! The session in the README is run and compared, so that it cannot rot.
//!
//! In a `console` block a line `$ …` is a command of bash (`> ` goes on with it), what follows is what it says, on both
//! outputs. A line `…` stands for any number of lines. Times, and the kit words that the session shows first, may differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// One command and the lines that the README promises.
struct Step {
    command: String,
    promised: Vec<String>,
}

fn session(readme: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        if line.starts_with("```") {
            inside = line == "```console";
        } else if let Some(command) = line.strip_prefix("$ ").filter(|_| inside) {
            steps.push(Step { command: command.to_owned(), promised: Vec::new() });
        } else if let Some(step) = steps.last_mut().filter(|_| inside) {
            match line.strip_prefix("> ") {
                Some(more) => step.command = format!("{}\n{more}", step.command),
                None => step.promised.push(line.to_owned()),
            }
        }
    }
    steps
}

/// A line with every date and time of it replaced.
fn timeless(line: &str) -> String {
    let clock = |word: &str| {
        let digits: String = word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        if digits == "0000-00-00" || digits.starts_with("00:00:00Z") || digits == "00:00Z" {
            digits
        } else {
            word.to_owned()
        }
    };
    line.trim_end().split(' ').map(clock).collect::<Vec<_>>().join(" ")
}

/// The six kit words of the first line that shows some.
fn kit_words<'a>(mut lines: impl Iterator<Item = &'a str>) -> Option<String> {
    let shown = lines.find_map(|line| line.split_once("words  "))?.1;
    Some(shown.split_whitespace().take(6).collect::<Vec<_>>().join(" "))
}

/// Whether `said` is what `promised` says, `…` standing for any number of lines.
fn matches(promised: &[String], said: &[String]) -> bool {
    match promised.split_first() {
        None => said.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=said.len()).any(|skipped| matches(rest, &said[skipped..]))
        }
        Some((first, rest)) => said.first() == Some(first) && matches(rest, &said[1..]),
    }
}

/// Runs bash with the program on its path, in `folder`.
fn run(command: &str, folder: &Path) -> String {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_breakglass"));
    let output = Command::new("bash")
        .args(["-c", &format!("PATH={}:$PATH\n{command}", program.parent().expect("a folder").display())])
        .current_dir(folder)
        .env_remove("BREAKGLASS_KIT")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("bash runs");
    // What the README shows says everything on stderr, and results in files: only `records verify` speaks on stdout,
    // after its talk.
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

#[test]
fn the_session_in_the_readme_is_what_happens() {
    let readme =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let steps = session(&readme);
    assert!(steps.len() >= 9, "the session has {} commands", steps.len());
    let promised_words = kit_words(readme.lines()).expect("the README shows kit words");

    let place = tempfile::tempdir().expect("a folder");
    let kit = place.path().join("kit");
    fs::create_dir(&kit).expect("a folder");
    let pins: String = [23112, 23115, 30877]
        .map(|serial| {
            format!("{serial} new-pin 48151623\n{serial} new-puk 97531864\n{serial} pin 48151623\n")
        })
        .concat();
    fs::write(place.path().join("pins"), pins).expect("written");

    let mut words = None;
    for step in steps {
        // The words of this kit, where a command names those that the README shows.
        let command = words.as_deref().map(|words: &str| step.command.replace(&promised_words, words));
        let said = run(command.as_deref().unwrap_or(&step.command), &kit);
        words = words.or_else(|| kit_words(said.lines()));
        let said = match &words {
            Some(words) => said.replace(words, &promised_words),
            None => said,
        };
        let said: Vec<String> = said.lines().map(timeless).collect();
        let promised: Vec<String> = step.promised.iter().map(|line| timeless(line)).collect();
        assert!(
            matches(&promised, &said),
            "$ {}\nthe README promises:\n{}\n\nit says:\n{}",
            step.command,
            promised.join("\n"),
            said.join("\n")
        );
    }
    let secret = fs::read_to_string(kit.join("secret")).expect("the session writes the secret");
    assert!(
        secret.len() == 20 && secret.chars().all(|c| c.is_ascii_alphanumeric()),
        "{} bytes",
        secret.len()
    );
}

#[test]
fn a_promise_is_held_line_by_line() {
    let lines = |text: &str| text.lines().map(timeless).collect::<Vec<_>>();
    let said = lines("found at 2026-11-21 21:06:37Z, by\nplan\n  open\ndone");
    for held in ["found at 2020-01-01 00:00:00Z, by\n…\ndone", "…", "…\nplan\n…", "…\ndone\n…"] {
        assert!(matches(&lines(held), &said), "{held}");
    }
    for broken in
        ["", "plan\n…", "…\nplan\ndone", "…\ndone\nplan\n…", "found at 2026-11-21, by\n…", "…\nDone"]
    {
        assert!(!matches(&lines(broken), &said), "{broken}");
    }
}
