//! `export`: records and findings for other systems, one line each.

use std::ops::ControlFlow;

use super::desk::AuditDesk;
use super::trouble::Trouble;
use super::trust::find;
use crate::audit::assess::{assess, ledger_findings};
use crate::audit::ledger::Which;
use crate::audit::siem::{Format, SYSLOG_CAP, Writer};
use crate::cli::Outcome;
use crate::record::hash::Hash;

/// Lines are written out in lots of about this many bytes.
const LOT: usize = 64 * 1024;

/// What to write, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// In which language
    #[arg(long, value_enum)]
    format: Kind,
    /// Only this kit: its six words, or its id
    #[arg(long, value_name = "KIT")]
    kit: Option<String>,
    /// Only records that the ledger first held then or later: 2026-11-21, or 2026-11-21T12:00:00Z
    #[arg(long, value_name = "TIME")]
    since: Option<String>,
    /// Findings, too, after the records
    #[arg(long)]
    findings: bool,
    /// Leave the signed record out of lines that would be longer, in bytes; 0: never [default: 2048 for syslog, else 0]
    #[arg(long, value_name = "BYTES")]
    most: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Kind {
    /// Open Cybersecurity Schema Framework 1.4, JSON
    Ocsf,
    /// Elastic Common Schema 8.17, JSON
    Ecs,
    /// Common Event Format, without a syslog header
    Cef,
    /// RFC 5424
    Syslog,
}

impl From<Kind> for Format {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Ocsf => Format::Ocsf,
            Kind::Ecs => Format::Ecs,
            Kind::Cef => Format::Cef,
            Kind::Syslog => Format::Syslog,
        }
    }
}

pub(super) fn export(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    let since = options.since.as_deref().map(time).transpose()?;
    let default = if options.format == Kind::Syslog { SYSLOG_CAP } else { 0 };
    let most = Some(options.most.unwrap_or(default)).filter(|most| *most > 0);
    let writer = Writer { format: options.format.into(), most };
    let now = desk.now();
    let mut ledger = desk.open()?;
    let kits: Vec<Hash> = match &options.kit {
        Some(named) => vec![find(&mut *ledger, named)?],
        None => ledger.kits()?.into_iter().map(|row| row.kit).collect(),
    };
    let mut left_out = 0_u64;
    for kit in &kits {
        let mut lot = String::new();
        let mut failed = None;
        ledger.records(kit, Which::All, &mut |held| {
            if since.is_some_and(|since| held.received < since) {
                return ControlFlow::Continue(());
            }
            let line = writer.record(&held, Some(kit));
            left_out += u64::from(!line.whole);
            lot.push_str(&line.text);
            lot.push('\n');
            if lot.len() >= LOT {
                if let Err(error) = desk.terminal.result(lot.as_bytes()) {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
                lot.clear();
            }
            ControlFlow::Continue(())
        })?;
        match failed {
            Some(error) => return Err(error.into()),
            None => desk.terminal.result(lot.as_bytes())?,
        }
    }
    if options.findings {
        let mut findings = ledger_findings(&mut *ledger, now)?;
        for kit in &kits {
            findings.extend(assess(&mut *ledger, kit, now)?.findings);
        }
        let text: String = findings.iter().map(|finding| writer.finding(finding, now) + "\n").collect();
        desk.terminal.result(text.as_bytes())?;
    }
    if left_out > 0 {
        desk.terminal.say(&format!(
            "{left_out} lines without their signed record: they would be longer than {} bytes. --most 0 writes all in full",
            most.unwrap_or_default()
        ));
    }
    if options.kit.is_none() {
        let homeless: u64 = ledger.homeless()?.iter().map(|(_, _, records)| records).sum();
        if homeless > 0 {
            desk.terminal.say(&format!("not exported: {homeless} records of keys that no kit is known for"));
            return Ok(Outcome::Due);
        }
    }
    Ok(Outcome::Done)
}

/// A day in UTC, or a moment.
fn time(text: &str) -> Result<i64, Trouble> {
    let day = text.parse::<jiff::civil::Date>().ok().filter(|_| text.len() == 10);
    let moment = match day {
        Some(day) => day.to_zoned(jiff::tz::TimeZone::UTC).map(|zoned| zoned.timestamp()),
        None => text.parse::<jiff::Timestamp>(),
    };
    moment
        .map(|at| at.as_second())
        .map_err(|_| Trouble::Usage(format!("{text:?} is no time: 2026-11-21, or 2026-11-21T12:00:00Z")))
}
