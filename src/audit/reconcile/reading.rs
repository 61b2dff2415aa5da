//! From the bytes of a log to the logins in it: one pass, a piece at a time, and no piece larger than a cap. Nothing that a
//! log says can make it fail: what cannot be read is counted, and the first are named with their lines.

use std::collections::BTreeMap;
use std::io::{self, BufReader, Read};
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use super::clock::Clock;
use super::split::{Entries, Lines, Objects, PIECE_CAP, Piece, Pieces, Rows};
use super::table::Mapping;
use super::trace::Trace;
use super::{entra, journal, nginx, postgres, syslog, table, windows};
use crate::record::hash::Hash;

mod report;
mod utf16;

pub use report::Stretch;
pub(super) use report::{Found, Report};

/// Lines that cannot be read are named up to this many; the rest are counted.
pub const MOST_UNREADABLE: usize = 100;

/// Which kind of log. Variants of one kind are told apart by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// OpenSSH and PAM in a syslog file.
    Ssh,
    /// The same from `journalctl -o json` or `-o export`.
    Journal,
    /// PostgreSQL: stderr, csvlog or jsonlog.
    Postgres,
    /// nginx, in the form that `trust export` gives it.
    Nginx,
    /// Microsoft Entra sign-ins as JSON.
    Entra,
    /// Windows security events as CSV or JSON.
    Windows,
    /// Any CSV, by a [`Mapping`].
    Csv,
}

/// What a log does not say itself.
#[derive(Debug, Default)]
pub struct Settings {
    /// Time zone and year.
    pub clock: Clock,
    /// Which columns mean what, for [`Format::Csv`].
    pub mapping: Option<Mapping>,
    /// How times are written, as of strptime, where a format leaves that to its locale.
    pub time_format: Option<String>,
}

/// A login that a log tells of, before it is known whose credential it used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sighting {
    /// Which line it begins on, from 1.
    pub line: u64,
    /// When, Unix seconds.
    pub at: i64,
    /// The account, as the log spells it; empty where it shows a minted credential and no account.
    pub account: String,
    /// The machine that says so, if the log names it.
    pub host: Option<String>,
    /// From where.
    pub from: Option<String>,
    /// Whether it was let in.
    pub success: bool,
    /// The line or object, shortened.
    pub raw: String,
    /// The minted credential, or what may be one.
    pub trace: Option<Trace>,
}

/// A line that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unreadable {
    /// Which, from 1.
    pub line: u64,
    /// Why.
    pub why: String,
}

/// What was read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Lines, rows, entries or objects.
    pub pieces: u64,
    /// The earliest and the latest time that any of them has, login or not.
    pub from_to: Option<(i64, i64)>,
    /// Whether anything in it shows that it would show a login.
    pub shows_logins: bool,
    /// The same of the lines of each machine that was asked for, by its name in lower case.
    pub hosts: BTreeMap<String, Stretch>,
    /// How many could not be read.
    pub unreadable: u64,
    /// The first of them.
    pub first_unreadable: Vec<Unreadable>,
    /// SHA-256 of the bytes.
    pub hash: Hash,
    /// What was assumed.
    pub notes: Vec<String>,
}

/// One format's reader: one piece after another.
pub(super) trait Reader {
    /// A piece that begins on that line.
    fn piece(&mut self, line: u64, bytes: &[u8], clock: &mut Clock, report: &mut Report<'_>);

    /// There are no more.
    fn end(&mut self, _: &mut Report<'_>) {}
}

/// Reads a log to its end, or until `each` breaks off. UTF-16 with a byte order mark is read as its text.
///
/// # Errors
/// Of reading the bytes themselves; of nothing that they say.
pub fn read(
    format: Format,
    settings: Settings,
    input: &mut dyn Read,
    each: &mut dyn FnMut(Sighting) -> ControlFlow<()>,
) -> io::Result<Summary> {
    read_of(format, settings, &[], input, each)
}

/// [`read`], and what the log shows of these machines.
///
/// # Errors
/// Of reading the bytes themselves.
pub fn read_of(
    format: Format,
    mut settings: Settings,
    hosts: &[&str],
    input: &mut dyn Read,
    each: &mut dyn FnMut(Sighting) -> ControlFlow<()>,
) -> io::Result<Summary> {
    let mut hashed = Hashed { input, digest: Sha256::new() };
    let mut report = Report::to(each, hosts);
    let pieces = {
        let mut start = Vec::new();
        (&mut hashed).take(4_096).read_to_end(&mut start)?;
        let sniffed = utf16::text_of(&start);
        let whole = io::Cursor::new(start).chain(&mut hashed);
        let mut input = BufReader::with_capacity(64 * 1024, utf16::Utf8::new(whole));
        let (mut pieces, mut reader) = choose(format, &mut settings, sniffed.trim_start(), &mut input);
        drive(&mut *pieces, &mut *reader, &mut settings.clock, &mut report)?
    };
    let (Stretch { from_to, shows_logins }, hosts) = (report.whole, report.hosts);
    let (unreadable, first_unreadable) = (report.unreadable, report.first_unreadable);
    let hash = Hash(hashed.digest.finalize().into());
    let notes = settings.clock.notes();
    Ok(Summary { pieces, from_to, shows_logins, hosts, unreadable, first_unreadable, hash, notes })
}

/// How the log is cut, and who reads the pieces.
fn choose<'a>(
    format: Format,
    settings: &mut Settings,
    start: &str,
    input: &'a mut dyn io::BufRead,
) -> (Box<dyn Pieces + 'a>, Box<dyn Reader>) {
    let json = start.starts_with(['{', '[']) || start.starts_with("Record ");
    let time_format = settings.time_format.take();
    match format {
        Format::Ssh => (Box::new(Lines::of(input)), Box::new(syslog::Syslog)),
        Format::Journal if json => (Box::new(Objects::of(input)), Box::new(journal::Json)),
        Format::Journal => (Box::new(Entries::of(input)), Box::new(journal::Export)),
        Format::Postgres if json => (Box::new(Objects::of(input)), Box::new(postgres::Json)),
        Format::Postgres if postgres::looks_like_csv(start) => {
            (Box::new(Rows::of(input, b",")), Box::new(postgres::Csv))
        }
        Format::Postgres => (Box::new(Lines::of(input)), Box::new(postgres::Stderr::default())),
        Format::Nginx => (Box::new(Lines::of(input)), Box::new(nginx::Access)),
        Format::Entra => (Box::new(Objects::of(input)), Box::new(entra::Entra)),
        Format::Windows if json => (Box::new(Objects::of(input)), Box::new(windows::Json::new(time_format))),
        Format::Windows => {
            (Box::new(Rows::of(input, &windows::DELIMITERS)), Box::new(windows::Csv::new(time_format)))
        }
        Format::Csv => {
            let mapping = settings.mapping.take().unwrap_or_default();
            let delimiter = mapping.delimiter.map_or(b',', |delimiter| delimiter as u8);
            (Box::new(Rows::of(input, &[delimiter])), Box::new(table::Table::new(mapping)))
        }
    }
}

fn drive(
    pieces: &mut dyn Pieces,
    reader: &mut dyn Reader,
    clock: &mut Clock,
    report: &mut Report<'_>,
) -> io::Result<u64> {
    let (mut buffer, mut count) = (Vec::new(), 0);
    while !report.stopped {
        let Some(Piece { line, whole }) = pieces.next(&mut buffer)? else { break };
        if whole && buffer.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        count += 1;
        if whole {
            reader.piece(line, &buffer, clock, report);
        } else {
            report.unreadable(line, format!("longer than {PIECE_CAP} bytes, or not closed"));
        }
    }
    if !report.stopped {
        reader.end(report);
    }
    Ok(count)
}

/// For a message: a few characters of what was there.
pub(super) fn brief(text: &str) -> String {
    text.chars().take(40).collect()
}

struct Hashed<'a> {
    input: &'a mut dyn Read,
    digest: Sha256,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.digest.update(&buffer[..count]);
        Ok(count)
    }
}

#[cfg(test)]
pub(super) mod tests;
