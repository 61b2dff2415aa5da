//! What was read, and what it shows beside the openings on record: told as text or as JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde::Serialize;

use super::Shown;
use crate::audit::assess::{assess, ledger_findings};
use crate::audit::finding::{Finding, Sort};
use crate::audit::ledger::Ledger;
use crate::audit::reconcile::{OF_MINTED, Slack, findings_with};
use crate::audit::report::words::visible;
use crate::cli::Outcome;
use crate::cli::audit::check::lines;
use crate::cli::audit::desk::AuditDesk;
use crate::cli::audit::import::grouped;
use crate::cli::audit::trouble::Trouble;
use crate::record::hash::Hash;

/// Lines that cannot be read are shown up to this many; `--json` has more.
const SHOWN: usize = 5;

/// The object of `--json`.
#[derive(Serialize)]
struct Told<'a> {
    logs: Vec<Log<'a>>,
    /// Credentials that no kit of this ledger holds.
    unknown: Vec<&'a str>,
    /// Credentials that several kits of this ledger hold under one name, and how many do.
    shared: BTreeMap<&'a str, usize>,
    findings: Vec<Finding>,
}

#[derive(Serialize)]
struct Log<'a> {
    source: &'a str,
    log: &'a str,
    read: u64,
    /// Unix seconds of the first and the last line.
    from_to: Option<(i64, i64)>,
    hash: Hash,
    unreadable: u64,
    first_unreadable: Vec<Line<'a>>,
    notes: &'a [String],
    credentials: Vec<Counted<'a>>,
    /// Logins with what may be a minted credential, where these were looked for.
    minted: Option<Seen>,
    /// What was looked for, and would not show in it.
    not_covered: Vec<Uncovered<'a>>,
}

#[derive(Serialize)]
struct Uncovered<'a> {
    what: &'a str,
    why: &'a str,
}

#[derive(Serialize)]
struct Seen {
    logins: u64,
    failed: u64,
}

#[derive(Serialize)]
struct Line<'a> {
    line: u64,
    why: &'a str,
}

#[derive(Serialize)]
struct Counted<'a> {
    credential: &'a str,
    logins: u64,
    failed: u64,
}

/// Compares, and tells.
pub(super) fn tell(
    desk: &mut AuditDesk,
    ledger: &mut dyn Ledger,
    read: &[Shown],
    names: &BTreeSet<String>,
    minted: bool,
    slack: Slack,
) -> Result<Outcome, Trouble> {
    let now = desk.now();
    let mut holders: BTreeMap<&str, usize> = names.iter().map(|name| (name.as_str(), 0)).collect();
    let mut findings = Vec::new();
    for row in ledger.kits()? {
        let mut assessment = assess(ledger, &row.kit, now)?;
        assessment.credentials.iter().for_each(|credential| {
            if let Some(holders) = holders.get_mut(credential.name.as_str()) {
                *holders += 1;
            }
        });
        let (mut logins, mut covers) = ledger.logins(&row.kit)?;
        // Only what was asked about.
        logins.retain(|login| names.contains(&login.credential));
        covers.retain(|cover| names.contains(&cover.credential));
        for incident in &mut assessment.incidents {
            incident.openings.retain(|opening| names.contains(&opening.credential));
        }
        findings.extend(findings_with(slack, &row.kit, &assessment.incidents, &logins, &covers));
        findings
            .extend(assessment.findings.into_iter().filter(|one| minted && OF_MINTED.contains(&one.rule)));
    }
    if minted {
        let of_no_kit = ledger_findings(ledger, now)?.into_iter();
        findings.extend(of_no_kit.filter(|one| OF_MINTED.contains(&one.rule)));
    }
    findings.sort_by_key(|finding| (finding.sort, finding.severity, finding.at));
    let told = Told {
        logs: read.iter().map(Log::of).collect(),
        unknown: holders.iter().filter(|(_, kits)| **kits == 0).map(|(name, _)| *name).collect(),
        shared: holders.into_iter().filter(|(_, kits)| *kits > 1).collect(),
        findings,
    };
    match desk.json {
        true => desk.object(&told)?,
        false => desk.text(&told.text())?,
    }
    Ok(told.outcome())
}

impl<'a> Log<'a> {
    fn of(shown: &'a Shown) -> Self {
        let summary = &shown.summary;
        let line = |one: &'a crate::audit::reconcile::Unreadable| Line { line: one.line, why: &one.why };
        let counted = |(credential, (logins, failed)): (&'a String, &(u64, u64))| Counted {
            credential,
            logins: *logins,
            failed: *failed,
        };
        Log {
            source: &shown.source,
            log: &shown.log,
            read: summary.pieces,
            from_to: summary.from_to,
            hash: summary.hash,
            unreadable: summary.unreadable,
            first_unreadable: summary.first_unreadable.iter().map(line).collect(),
            notes: &summary.notes,
            credentials: shown.counts.iter().map(counted).collect(),
            minted: shown.minted.map(|(logins, failed)| Seen { logins, failed }),
            not_covered: shown
                .not_covered
                .iter()
                .map(|one| Uncovered { what: &one.what, why: &one.why })
                .collect(),
        }
    }

    fn text(&self) -> String {
        let mut text = format!("{}: {} read", visible(self.source), grouped(self.read));
        if self.source != self.log {
            let _ = write!(text, " as {}", visible(self.log));
        }
        match self.from_to {
            Some((from, to)) => {
                let time = |at| {
                    jiff::Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string())
                };
                let _ = writeln!(text, ", {} to {}", time(from), time(to));
            }
            None => text.push_str(", and no time in any of it: it covers nothing\n"),
        }
        for counted in &self.credentials {
            let Counted { credential, logins, failed } = counted;
            let _ =
                writeln!(text, "  {credential}: {} logins, {} failed", grouped(*logins), grouped(*failed));
        }
        if let Some(Seen { logins, failed }) = &self.minted {
            let (logins, failed) = (grouped(*logins), grouped(*failed));
            let _ = writeln!(text, "  with what may be minted: {logins} logins, {failed} failed");
        }
        if self.credentials.is_empty() && self.minted.is_none() && self.not_covered.is_empty() {
            text.push_str("  no login of the accounts that were asked for\n");
        }
        // Without any time, the first line has said it.
        for one in self.not_covered.iter().filter(|_| self.from_to.is_some()) {
            let _ = writeln!(text, "  not covered: {}: {}", visible(one.what), visible(one.why));
        }
        for note in self.notes {
            let _ = writeln!(text, "  {note}");
        }
        if self.unreadable > 0 {
            let _ = writeln!(text, "  {} cannot be read", grouped(self.unreadable));
            for one in self.first_unreadable.iter().take(SHOWN) {
                let _ = writeln!(text, "    line {}: {}", one.line, visible(one.why));
            }
        }
        text
    }
}

impl Told<'_> {
    fn text(&self) -> String {
        let mut text: String = self.logs.iter().map(Log::text).collect();
        for name in &self.unknown {
            let _ = writeln!(
                text,
                "no kit of this ledger holds {name}: its logins are kept, and compared once its records are imported"
            );
        }
        for (name, kits) in &self.shared {
            let _ = writeln!(
                text,
                "{kits} kits of this ledger hold {name}, and a log does not say which: its logins are held against each of them, \
                 and it counts as a log of each. keep a ledger for each, or give their platforms names of their own"
            );
        }
        let looked_at = self.unknown.is_empty() && self.logs.iter().all(|log| log.not_covered.is_empty());
        if !self.findings.is_empty() || looked_at {
            text.push_str(&lines(&self.findings));
        }
        text
    }

    fn outcome(&self) -> Outcome {
        let is_whole =
            |log: &Log<'_>| log.unreadable == 0 && log.from_to.is_some() && log.not_covered.is_empty();
        let unreadable = !self.logs.iter().all(is_whole);
        let incomplete = unreadable || !self.unknown.is_empty() || !self.shared.is_empty();
        match self.findings.iter().map(|finding| finding.sort).min() {
            Some(Sort::Wrong) => Outcome::Wrong,
            Some(Sort::Due | Sort::CannotRead | Sort::CannotCheck | Sort::NotChecked) => Outcome::Due,
            Some(Sort::Note) | None if incomplete => Outcome::Due,
            Some(Sort::Note) | None => Outcome::Done,
        }
    }
}
