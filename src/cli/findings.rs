//! Findings on the screen, and what they mean for the exit code.

use super::Outcome;
use super::desk::Desk;
use super::hint::Trouble;
use super::terminal::one_line;
use crate::kit::finding::{Finding, Weight};

/// Exit 6 if something is wrong, 1 if something is due or could not be checked, else 0.
pub(super) fn outcome(findings: &[Finding]) -> Outcome {
    match findings.iter().map(|finding| finding.weight).min() {
        Some(Weight::Wrong) => Outcome::Wrong,
        Some(Weight::NotChecked | Weight::Due) => Outcome::Due,
        Some(Weight::Note) | None => Outcome::Done,
    }
}

/// The same as a word for `--json`.
pub(super) fn verdict(findings: &[Finding]) -> &'static str {
    match outcome(findings) {
        Outcome::Wrong => "wrong",
        Outcome::Due => "not-all-checked",
        Outcome::Done => "intact",
    }
}

/// The gravest first, a line each, as results.
pub(super) fn print(desk: &mut Desk, findings: &[Finding]) -> Result<(), Trouble> {
    let text: String = findings.iter().map(|finding| format!("{}\n", line(finding))).collect();
    desk.text(&text)
}

/// The same, as talk.
pub(super) fn say(desk: &mut Desk, findings: &[Finding]) {
    for finding in findings {
        desk.terminal.say(&line(finding));
    }
}

/// As much as fits beside what is to be done.
const WIDTH: usize = 118;

/// Weight, sentence, since when; and what to do about it, on the same line where it fits.
fn line(finding: &Finding) -> String {
    let word = match finding.weight {
        Weight::Wrong => "wrong",
        Weight::NotChecked => "not checked",
        Weight::Due => "due",
        Weight::Note => "note",
    };
    let since = finding.since.map_or(String::new(), |time| match (super::desk::now() - time) / 86_400 {
        ..1 => String::new(),
        1 => "   since 1 day".into(),
        days => format!("   since {days} days"),
    });
    let rule = match finding.weight {
        Weight::Wrong | Weight::NotChecked => format!("   [{}]", finding.rule),
        Weight::Due | Weight::Note => String::new(),
    };
    // A sentence may quote what somebody signed.
    let line = format!("{word:<12} {}{rule}{since}", one_line(&finding.text));
    match finding.next.as_deref().map(one_line) {
        None => line,
        Some(next) if line.chars().count() + next.chars().count() + 6 <= WIDTH => {
            format!("{line}      {next}")
        }
        Some(next) => format!("{line}\n{:13}{next}", ""),
    }
}

/// `1 record`, `12 records`.
pub(super) fn counted(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
