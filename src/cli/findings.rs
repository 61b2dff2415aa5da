//! Findings on the screen, and what they mean for the exit code.

use super::Outcome;
use super::desk::Desk;
use super::hint::Trouble;
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

fn line(finding: &Finding) -> String {
    let word = match finding.weight {
        Weight::Wrong => "wrong",
        Weight::NotChecked => "not checked",
        Weight::Due => "due",
        Weight::Note => "note",
    };
    let since = finding.since.map_or(String::new(), |time| {
        let days = (super::desk::now() - time) / 86_400;
        match days {
            ..1 => String::new(),
            1 => "   since 1 day".into(),
            _ => format!("   since {days} days"),
        }
    });
    let next = finding.next.as_ref().map_or(String::new(), |next| format!("\n{:13}{next}", ""));
    format!("{word:<12} {}   {}{since}{next}", finding.text, finding.rule)
}
