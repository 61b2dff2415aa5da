//! `report`: what the records show, for people: as text, as JSON, or as one HTML file that verifies itself.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::desk::AuditDesk;
use super::trouble::Trouble;
use super::trust::find;
use crate::audit::assess::{assess, ledger_findings};
use crate::audit::finding::Sort;
use crate::audit::report::{self, MOST_EMBEDDED, Report};
use crate::cli::Outcome;
use crate::record::hash::Hash;

/// What to tell, and how.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Only what happened from that day on, and what is still wrong or due: 2026-10-01
    #[arg(long, value_name = "DATE", value_parser = begin_of)]
    since: Option<i64>,
    /// Only this kit: its six words, or its id
    #[arg(long, value_name = "KIT")]
    kit: Option<String>,
    /// Write one HTML file, with the records in it, that verifies itself in the reader's browser
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Only print the hash of the script in every HTML report of this version
    #[arg(long, exclusive = true)]
    script_hash: bool,
}

pub(super) fn report(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    if options.script_hash {
        desk.text(&format!("{}\n", report::script_hash()))?;
        return Ok(Outcome::Done);
    }
    let now = desk.now();
    let mut ledger = desk.open()?;
    let kits: Vec<Hash> = match &options.kit {
        Some(named) => vec![find(&mut *ledger, named)?],
        None => ledger.kits()?.into_iter().map(|row| row.kit).collect(),
    };
    let mut assessed = Vec::new();
    for kit in kits {
        assessed.push(assess(&mut *ledger, &kit, now)?);
    }
    let told = Report::new(assessed, ledger_findings(&mut *ledger, now)?, options.since, now);
    match &options.html {
        Some(path) => {
            let enclosed = told.enclose(&mut *ledger, MOST_EMBEDDED)?;
            let page = report::page(&told, &enclosed);
            write(path, page.html.as_bytes())?;
            let written = Written {
                file: path.display().to_string(),
                sha256: hex::encode(Hash::of(page.html.as_bytes()).0),
                script: page.script,
                records: enclosed.records.len(),
                of: enclosed.of,
            };
            match desk.json {
                true => desk.object(&written)?,
                false => desk.text(&written.text())?,
            }
        }
        None if desk.json => desk.object(&told)?,
        None => desk.text(&report::text(&told))?,
    }
    Ok(match told.findings().first().map(|finding| finding.sort) {
        Some(Sort::Wrong) => Outcome::Wrong,
        Some(Sort::Due | Sort::CannotRead | Sort::CannotCheck) => Outcome::Due,
        Some(Sort::NotChecked | Sort::Note) | None => Outcome::Done,
    })
}

/// What became of `--html`.
#[derive(Serialize)]
struct Written {
    file: String,
    /// Of the file, hexadecimal, as `sha256sum` prints it.
    sha256: String,
    /// Of its script, as the content security policy names it.
    script: String,
    records: usize,
    of: u64,
}

impl Written {
    fn text(&self) -> String {
        let Written { file, sha256, script, records, of } = self;
        format!(
            "wrote {file} with {records} of {of} records\nfile    sha256 {sha256}\nscript  {script}, as every report of this version\n"
        )
    }
}

/// The beginning of a day, in UTC.
fn begin_of(day: &str) -> Result<i64, String> {
    let time: Result<jiff::Timestamp, _> = format!("{day}T00:00:00Z").parse();
    time.map(jiff::Timestamp::as_second).map_err(|_| "a day is written as 2026-10-01".into())
}

/// A new file, whole or not at all; one that is there is not written over.
fn write(path: &Path, bytes: &[u8]) -> Result<(), Trouble> {
    let trouble = |error| Trouble::File { path: path.to_owned(), error };
    let mut file = File::create_new(path).map_err(trouble)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = std::fs::remove_file(path);
        trouble(error)
    })
}
