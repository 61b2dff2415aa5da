//! `reconcile`: what the platforms say of logins, kept in the ledger and held against the openings on record.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{self, Read};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use super::desk::AuditDesk;
use super::import::grouped;
use super::trouble::Trouble;
use crate::audit::ledger::{Ledger, LedgerError, LogCover, Login};
use crate::audit::reconcile::{
    self, Accounts, Clock, Format, Mapping, NotCovered, Settings, Sighting, Summary,
};
use crate::cli::Outcome;
use crate::cli::terminal::Progress;
use crate::kit::name::CredentialName;

mod compare;

/// Logins are kept in the ledger in lots of this many.
const LOT: usize = 5_000;
/// How far it was read is shown every so many bytes.
const STEP: u64 = 4_000_000;

/// Which logs, and what they do not say themselves.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Logs, as they are or compressed by gzip; - reads standard input
    #[arg(required = true, value_name = "LOG")]
    logs: Vec<PathBuf>,
    /// What they are
    #[arg(long, value_enum)]
    format: Kind,
    /// A credential whose account these logs show, called as after its slash; may be repeated
    #[arg(long = "credential", value_name = "PLATFORM/ACCOUNT", required_unless_present_any = ["account_map", "minted"])]
    credentials: Vec<CredentialName>,
    /// TOML: which account of which log is which credential
    #[arg(long, value_name = "FILE")]
    account_map: Option<PathBuf>,
    /// They show minted credentials, too: hold their numbers against the records of minting
    #[arg(long)]
    minted: bool,
    /// What to call these logs together; give each platform's logs one name [default: each its path]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// TOML: which columns mean what, for --format csv
    #[arg(long, value_name = "FILE", required_if_eq("format", "csv"))]
    mapping: Option<PathBuf>,
    /// Zone of times that name none: UTC, +01:00 or Europe/Berlin; NAME=ZONE for a name that the log uses
    #[arg(long = "timezone", value_name = "ZONE")]
    timezones: Vec<String>,
    /// Year of the first line, where lines have none [default: by the date of the file]
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(i16).range(1970..=9999))]
    year: Option<i16>,
    /// How times are written, as of strptime, where it depends on a locale: %d/%m/%Y %H:%M:%S
    #[arg(long, value_name = "FORM")]
    time_format: Option<String>,
    /// How far the clocks of platform and kit may differ
    #[arg(long, value_name = "SECONDS", default_value_t = reconcile::TOLERANCE, value_parser = clap::value_parser!(i64).range(0..=86_400))]
    tolerance: i64,
    /// How long an opening accounts for logins where neither close nor rotation ends it
    #[arg(long, value_name = "HOURS", default_value_t = reconcile::SPAN / 3_600, value_parser = clap::value_parser!(i64).range(1..=8_760))]
    span: i64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Kind {
    /// OpenSSH and PAM in a syslog file
    Ssh,
    /// The same, from journalctl -o json or -o export
    Journal,
    /// PostgreSQL: stderr, csvlog or jsonlog
    Postgres,
    /// nginx, in the form that  trust export  gives it
    Nginx,
    /// Microsoft Entra sign-ins as JSON
    Entra,
    /// Windows security events as CSV or JSON
    Windows,
    /// Any CSV, with --mapping
    Csv,
}

impl From<Kind> for Format {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Ssh => Format::Ssh,
            Kind::Journal => Format::Journal,
            Kind::Postgres => Format::Postgres,
            Kind::Nginx => Format::Nginx,
            Kind::Entra => Format::Entra,
            Kind::Windows => Format::Windows,
            Kind::Csv => Format::Csv,
        }
    }
}

impl Kind {
    /// Which minted credentials such a log shows.
    fn minted(self) -> &'static str {
        match self {
            Kind::Ssh | Kind::Journal => "ssh",
            Kind::Postgres | Kind::Nginx => "x509",
            Kind::Entra | Kind::Windows | Kind::Csv => "any",
        }
    }
}

pub(super) fn reconcile(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    let accounts = accounts(&options)?;
    let mapping = options.mapping.as_deref().map(mapping).transpose()?;
    clock(&options)?; // what is wrong with it is said before anything is read
    let mut ledger = desk.open()?;
    let mut read = Vec::new();
    for path in &options.logs {
        let mut clock = clock(&options)?;
        let (mut input, name): (Box<dyn Read>, String) = if path.as_os_str() == "-" {
            clock.file_time = Some(desk.now());
            (Box::new(io::stdin().lock()), "-".to_owned())
        } else {
            let (file, written) = open(path).map_err(|error| Trouble::File { path: path.clone(), error })?;
            clock.file_time = written;
            (file, path.display().to_string())
        };
        let settings = Settings { clock, mapping: mapping.clone(), time_format: options.time_format.clone() };
        let log = options.name.clone().unwrap_or_else(|| name.clone());
        let minted = options.minted.then(|| options.format.minted());
        let looked_for = LookedFor { accounts: &accounts, minted };
        let kept = keep(desk, &mut *ledger, &log, looked_for, options.format.into(), settings, &mut *input);
        let Kept { summary, counts, minted, not_covered } = kept.map_err(|trouble| match trouble {
            Stopped::Ledger(error) => Trouble::Ledger(error),
            Stopped::Read(error) => Trouble::Read { source_name: name.clone(), error },
        })?;
        read.push(Shown { source: name, log, summary, counts, minted, not_covered });
    }
    let names: BTreeSet<String> =
        read.iter().flat_map(|shown| accounts.of_log(&shown.log)).map(str::to_owned).collect();
    let slack = reconcile::Slack { tolerance: options.tolerance, span: options.span * 3_600 };
    compare::tell(desk, &mut *ledger, &read, &names, options.minted, slack)
}

/// One log as it was read.
struct Shown {
    source: String,
    log: String,
    summary: Summary,
    counts: Counts,
    /// Logins with what may be a minted credential, where these were looked for: let in and not.
    minted: Option<(u64, u64)>,
    not_covered: Vec<NotCovered>,
}

/// Logins let in and not, by credential.
type Counts = BTreeMap<String, (u64, u64)>;

enum Stopped {
    Ledger(LedgerError),
    Read(io::Error),
}

/// What was read of a log: logins by credential, those with what may be a minted one, and what the log does not cover.
struct Kept {
    summary: Summary,
    counts: Counts,
    minted: Option<(u64, u64)>,
    not_covered: Vec<NotCovered>,
}

/// What of a log counts.
#[derive(Clone, Copy)]
struct LookedFor<'a> {
    accounts: &'a Accounts,
    /// Which kind of minted credentials the log shows, if these are looked for.
    minted: Option<&'static str>,
}

/// Reads one log, and keeps the logins of the accounts that count, and what the log covers.
fn keep(
    desk: &AuditDesk,
    ledger: &mut dyn Ledger,
    log: &str,
    LookedFor { accounts, minted }: LookedFor<'_>,
    format: Format,
    settings: Settings,
    input: &mut dyn Read,
) -> Result<Kept, Stopped> {
    let (mut counts, mut seen) = (Counts::new(), (0, 0));
    let mut lot: Vec<Login> = Vec::new();
    let mut failed = None;
    let mut input = Shows { input, bar: desk.terminal.progress_bar(None), log, read: 0 };
    let mut each = |sighting: Sighting| {
        let login = |credential: String| Login {
            log: log.to_owned(),
            credential,
            at: sighting.at,
            from: sighting.from.clone(),
            success: sighting.success,
            raw: sighting.raw.clone(),
        };
        let add = |(good, bad): &mut (u64, u64)| *(if sighting.success { good } else { bad }) += 1;
        for credential in accounts.credentials(log, &sighting) {
            add(counts.entry(credential.to_owned()).or_default());
            lot.push(login(credential.to_owned()));
        }
        if let Some(trace) = sighting.trace.as_ref().filter(|_| minted.is_some()) {
            add(&mut seen);
            lot.push(login(trace.to_string()));
        }
        if lot.len() >= LOT {
            match ledger.put_logins(&lot, &[]) {
                Ok(()) => lot.clear(),
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
        }
        ControlFlow::Continue(())
    };
    let hosts = accounts.hosts(log);
    let summary =
        reconcile::read_of(format, settings, &hosts, &mut input, &mut each).map_err(Stopped::Read)?;
    if let Some(error) = failed {
        return Err(Stopped::Ledger(error));
    }
    let cover = |credential: &str, from_to| LogCover {
        log: log.to_owned(),
        credential: credential.to_owned(),
        from_to,
        hash: summary.hash,
    };
    let (covered, mut not_covered) = summary.covered(format, accounts, log);
    let mut covers: Vec<LogCover> =
        covered.into_iter().map(|(credential, from_to)| cover(credential, from_to)).collect();
    not_covered.extend(accounts.none_in(log));
    if let Some(kind) = minted {
        match summary.whole(format) {
            Ok(from_to) => covers.push(cover(&format!("{}{kind}", reconcile::MINTED), from_to)),
            Err(why) => not_covered.push(NotCovered { what: "minted credentials".into(), why }),
        }
    }
    // Last, so that a log whose reading was cut off does not count as one that covers anything.
    ledger.put_logins(&lot, &covers).map_err(Stopped::Ledger)?;
    Ok(Kept { summary, counts, minted: minted.map(|_| seen), not_covered })
}

/// Shows how far a log was read.
struct Shows<'a> {
    input: &'a mut dyn Read,
    bar: Progress,
    log: &'a str,
    read: u64,
}

impl Read for Shows<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        let before = self.read / STEP;
        self.read += count as u64;
        if self.read / STEP != before {
            let rate = self.read as f64 / self.bar.elapsed().as_secs_f64().max(0.001);
            let mega = |bytes: u64| grouped(bytes / 1_000_000);
            self.bar
                .at(self.read, format!("{}: {} MB   {} MB/s", self.log, mega(self.read), mega(rate as u64)));
        }
        Ok(count)
    }
}

/// A log's bytes, unpacked where gzip packed them, and when it was last written to.
fn open(path: &Path) -> io::Result<(Box<dyn Read>, Option<i64>)> {
    let mut file = File::open(path)?;
    let written = file.metadata()?.modified().ok();
    let written = written.and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    let mut start = Vec::new();
    (&mut file).take(2).read_to_end(&mut start)?;
    let packed = start == [0x1F, 0x8B];
    let whole = io::Cursor::new(start).chain(file);
    let input: Box<dyn Read> =
        if packed { Box::new(flate2::read::MultiGzDecoder::new(whole)) } else { Box::new(whole) };
    Ok((input, written.and_then(|time| i64::try_from(time.as_secs()).ok())))
}

fn text(path: &Path) -> Result<String, Trouble> {
    fs::read_to_string(path).map_err(|error| Trouble::File { path: path.to_path_buf(), error })
}

fn usage(what: impl std::fmt::Display) -> Trouble {
    Trouble::Usage(what.to_string())
}

fn accounts(options: &Options) -> Result<Accounts, Trouble> {
    let mut accounts = match &options.account_map {
        None => Accounts::default(),
        Some(path) => {
            Accounts::parse(&text(path)?).map_err(|error| usage(format!("{}: {error}", path.display())))?
        }
    };
    options.credentials.iter().for_each(|credential| accounts.add(credential));
    if matches!(options.format, Kind::Entra | Kind::Windows) {
        accounts.ignore_case();
    }
    if accounts.is_empty() && !options.minted {
        return Err(usage("the account map names no account"));
    }
    Ok(accounts)
}

fn mapping(path: &Path) -> Result<Mapping, Trouble> {
    Mapping::parse(&text(path)?).map_err(|error| usage(format!("{}: {error}", path.display())))
}

/// Zones and year, as the options have them.
fn clock(options: &Options) -> Result<Clock, Trouble> {
    let mut clock = Clock::default();
    clock.year = options.year;
    for given in &options.timezones {
        match given.split_once('=') {
            Some((name, of)) => {
                clock.named.insert(name.to_owned(), zone(of)?);
            }
            None => clock.zone = Some(zone(given)?),
        }
    }
    Ok(clock)
}

/// A zone, by the system's zone files where it is a name.
fn zone(name: &str) -> Result<jiff::tz::TimeZone, Trouble> {
    // A name such as Europe/Berlin, and never a way out of the folder.
    let is_name = name.split('/').all(|part| {
        !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+'))
    }) && name.starts_with(|c: char| c.is_ascii_uppercase());
    let file = is_name.then(|| fs::read(Path::new("/usr/share/zoneinfo").join(name)).ok()).flatten();
    reconcile::zone(name, file.as_deref()).map_err(|error| usage(format!("--timezone: {error}")))
}
