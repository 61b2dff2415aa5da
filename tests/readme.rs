//! The sessions in the README and in the pages for custodian, operator and auditor are run and compared, so that they cannot
//! rot.
//!
//! In a `console` block a line `$ …` is a command of bash (`> ` goes on with it), what follows is what it says, on both
//! outputs. A `terminal` block is the same at a terminal: what follows a question on its line is typed, stars are the PIN,
//! and the secret's own screen is left by a key. Commands in a comment make what the page begins with. A line `…` stands for any number of lines, and `…` in a line for anything.
//! Times, and the kit words that a page shows first, may differ.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

#[path = "support/terminal.rs"]
mod terminal;
#[path = "support/tools.rs"]
#[allow(dead_code)]
mod tools;

const PIN: &str = "48151623";

/// The port that a page names; it is run with one that is free.
const PORT: u16 = 18_443;

/// Where a command stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Block {
    Console,
    Terminal,
    /// In a comment: what it says is nobody's promise.
    Hidden,
}

/// One command and the lines that the page promises.
struct Step {
    block: Block,
    command: String,
    promised: Vec<String>,
}

fn session(page: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = None;
    for line in page.lines() {
        inside = match line {
            "```console" => Some(Block::Console),
            "```terminal" => Some(Block::Terminal),
            _ if line.starts_with("<!--") => Some(Block::Hidden),
            _ if line.starts_with("```") || line.starts_with("-->") => None,
            _ => inside,
        };
        let Some(block) = inside else { continue };
        if let Some(command) = line.strip_prefix("$ ") {
            let promised = if block == Block::Hidden { vec!["…".to_owned()] } else { Vec::new() };
            steps.push(Step { block, command: command.to_owned(), promised });
        } else if let (Some(step), false) =
            (steps.last_mut(), line.starts_with("```") || block == Block::Hidden)
        {
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

/// Whether `said` is what `promised` says, `…` standing for any number of lines, or for anything in a line.
fn matches(promised: &[String], said: &[String]) -> bool {
    match promised.split_first() {
        None => said.is_empty(),
        Some((first, rest)) if first == "…" => {
            (0..=said.len()).any(|skipped| matches(rest, &said[skipped..]))
        }
        Some((first, rest)) => {
            said.first().is_some_and(|said| fits(first, said)) && matches(rest, &said[1..])
        }
    }
}

fn fits(promised: &str, said: &str) -> bool {
    promised == said
        || promised.split_once('…').is_some_and(|(before, after)| {
            said.len() >= before.len() + after.len() && said.starts_with(before) && said.ends_with(after)
        })
}

/// A command line of bash with the programs on its path, and where what tests serve is found.
fn with_path(command: &str) -> String {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_breakglass"));
    let (path, source) = (program.parent().expect("a folder").display(), env!("CARGO_MANIFEST_DIR"));
    let node = tools::folder().join("node");
    format!("PATH={path}:$PATH SOURCE='{source}' NODE='{}'\n{command}", node.display())
}

/// Runs bash with the programs on its path, in `folder`.
fn run(command: &str, folder: &Path) -> String {
    let output = Command::new("bash")
        .args(["-c", &with_path(command)])
        .current_dir(folder)
        .env_remove("BREAKGLASS_KIT")
        .stdin(Stdio::null())
        .stderr(Stdio::piped())
        .output()
        .expect("bash runs");
    // Talk, then results: no page promises both in another order.
    format!("{}{}", String::from_utf8_lossy(&output.stderr), String::from_utf8_lossy(&output.stdout))
}

/// Runs it at a terminal, and answers as the page does.
fn at_terminal(step: &Step, folder: &Path) -> String {
    let mut script = Command::new(tools::debian("script", "bsdutils"));
    script.current_dir(folder).env_remove("BREAKGLASS_KIT");
    let mut person = terminal::Person::sit_down(script, &["bash", "-c", &with_path(&step.command)]);
    let mut answers = step.promised.iter();
    while let Some(shown) = person.until_it_waits() {
        let line = shown.lines().last().unwrap_or_default();
        let question = line.rsplit("\x1b[?1049l").next().unwrap_or(line).trim_end().to_owned();
        if question.contains("hides itself in") {
            person.keys("x");
            continue;
        }
        if !(shown.ends_with(": ") || shown.ends_with("? ")) {
            continue;
        }
        let answer = answers.find_map(|line| line.strip_prefix(&question));
        let answer =
            answer.unwrap_or_else(|| panic!("nothing is answered to {question:?}\n{}", person.shown()));
        match answer.trim() {
            stars if stars.starts_with("***") => person.line(PIN),
            answer => person.line(answer),
        }
    }
    let shown = person.end().1;
    // The secret's own screen leaves nothing behind.
    shown.split("\x1b[?1049l").map(|part| part.split("\x1b[?1049h").next().unwrap_or_default()).collect()
}

/// What a page leaves running is ended with it.
struct Place(tempfile::TempDir);

impl Drop for Place {
    fn drop(&mut self) {
        if let Ok(pid) = fs::read_to_string(self.0.path().join("receiver.pid")) {
            let _ = Command::new("kill").arg(pid.trim()).stderr(Stdio::null()).status();
        }
    }
}

/// A port that nobody listens on.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("it").port()
}

/// Runs a page from an empty folder `kit`, beside which there are the PINs; gives the place.
fn held(page: &str) -> Place {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page");
    let steps = session(&text);
    let promised_words = kit_words(text.lines()).expect("the page shows kit words");
    let place = Place(tempfile::tempdir().expect("a folder"));
    let kit = place.0.path().join("kit");
    fs::create_dir(&kit).expect("a folder");
    let pins: String = [23112, 23115, 30877]
        .map(|serial| format!("{serial} new-pin {PIN}\n{serial} new-puk 97531864\n{serial} pin {PIN}\n"))
        .concat();
    fs::write(place.0.path().join("pins"), pins).expect("written");
    let mut words = None;
    let port = free_port();
    for mut step in steps {
        step.command = step.command.replace(&format!(":{PORT}"), &format!(":{port}"));
        // The words of this kit, where a command names those that the page shows.
        if let Some(words) = words.as_deref() {
            step.command = step.command.replace(&promised_words, words);
        }
        let said = match step.block {
            Block::Terminal => at_terminal(&step, &kit),
            Block::Console | Block::Hidden => run(&step.command, &kit),
        };
        words = words.or_else(|| kit_words(said.lines()));
        let said = match &words {
            Some(words) => said.replace(words, &promised_words),
            None => said,
        };
        let said: Vec<String> = said.lines().map(timeless).collect();
        let promised: Vec<String> = step.promised.iter().map(|line| timeless(line)).collect();
        assert!(
            matches(&promised, &said),
            "$ {}\n{page} promises:\n{}\n\nit says:\n{}",
            step.command,
            promised.join("\n"),
            said.join("\n")
        );
    }
    place
}

#[test]
fn a_newcomer_opens_a_credential_on_practice_keys_with_the_commands_of_the_readme() {
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).expect("README.md");
    let section = text.split("## Three commands").nth(1).expect("a section").split("\n## ").next();
    let section = section.expect("a section");
    let typed = session(section).len() + section.lines().filter(|line| line.starts_with("    ")).count();
    assert_eq!(typed, 3, "the README counts three");
    held("README.md");
}

#[test]
fn what_the_page_for_custodians_says_is_what_happens() {
    held("doc/custodian.md");
}

#[test]
fn what_the_page_for_operators_says_is_what_happens() {
    let place = held("doc/operator.md");
    let secret = fs::read_to_string(place.0.path().join("kit/secret")).expect("the page writes the secret");
    let plain = secret.len() == 20 && secret.chars().all(|c| c.is_ascii_alphanumeric());
    assert!(plain, "{} bytes", secret.len());
}

#[cfg(feature = "audit")]
#[test]
fn what_the_page_for_auditors_says_is_what_happens() {
    let place = held("doc/auditor.md");
    let board = fs::read_to_string(place.0.path().join("board.html")).expect("the page writes a report");
    assert!(board.contains("<!DOCTYPE html>") || board.contains("<!doctype html>"));
}

/// Every command of ours that a page names in its text is one that the program has.
#[test]
fn commands_that_are_only_named_are_commands() {
    for page in ["README.md", "doc/custodian.md", "doc/operator.md", "doc/auditor.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).expect("the page");
        for named in text.split('`').skip(1).step_by(2).filter_map(|code| code.strip_prefix("breakglass ")) {
            let verbs: Vec<&str> = named
                .split(' ')
                .take_while(|word| {
                    word.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !word.starts_with('-')
                })
                .collect();
            let mut command = Command::new(env!("CARGO_BIN_EXE_breakglass"));
            let output = command.args(&verbs).arg("--help").output().expect("it runs");
            assert!(output.status.success(), "{page}: breakglass {named}");
        }
    }
}

#[test]
fn a_promise_is_held_line_by_line() {
    let lines = |text: &str| text.lines().map(timeless).collect::<Vec<_>>();
    let said = lines("found at 2026-11-21 21:06:37Z, by\nplan\n  open\ndone");
    assert!(fits("kept in …, seen", "kept in safe A, seen") && !fits("a…a", "a"));
    for held in ["found at 2020-01-01 00:00:00Z, by\n…\ndone", "…", "…\nplan\n…", "…\ndone\n…"] {
        assert!(matches(&lines(held), &said), "{held}");
    }
    for broken in
        ["", "plan\n…", "…\nplan\ndone", "…\ndone\nplan\n…", "found at 2026-11-21, by\n…", "…\nDone"]
    {
        assert!(!matches(&lines(broken), &said), "{broken}");
    }
}
