//! `import`: bundles, journals and folders of them into the ledger.

use std::fs::{self, File};
use std::io::{self, Read};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::desk::AuditDesk;
use super::trouble::Trouble;
use crate::audit::import::sources::{self, POLICY_CAP, Source};
use crate::audit::import::{self, Job};
use crate::audit::ledger::{Imported, Ledger, PATIENCE, SetAside};
use crate::audit::report::words::visible;
use crate::cli::Outcome;
use crate::record::codes::FromCodes;

mod own;
mod pictures;
mod quarantine;
mod tell;

use own::Own;
use quarantine::Quarantine;
use tell::tell;

/// What to import.
#[derive(Debug, clap::Args)]
pub(super) struct Options {
    /// Bundles, journals, policies, and folders of them; - reads standard input
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Where to write which lines were set aside, and why [default: LEDGER.quarantine.txt]
    #[arg(long, value_name = "FILE")]
    quarantine: Option<PathBuf>,
    /// How many threads verify signatures [default: one per core]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=256))]
    threads: Option<u16>,
    /// How long to wait while others write to the ledger
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs(), value_parser = clap::value_parser!(u64).range(0..=86_400))]
    wait: u64,
    /// The paths are pictures (PNG, JPEG) of the codes that breakglass records export --qr shows or prints
    #[arg(long)]
    qr: bool,
}

pub(super) fn import(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    let mut quarantine = Quarantine::new(options.quarantine.clone().unwrap_or_else(|| beside(&desk.ledger)))?;
    let own = Own::of(&desk.ledger, quarantine.path());
    let mut unread = Vec::new();
    let (found, shown) = match options.qr {
        true => (Vec::new(), pictures::bundles(desk, &options.paths)?),
        false => (found(desk, &options, &own, &mut unread)?, FromCodes::default()),
    };
    let mut ledger = desk.open_waiting(Duration::from_secs(options.wait))?;
    let threads = options.threads.and_then(|threads| NonZero::new(usize::from(threads)));
    let how = How { threads, photographed: false };
    let mut done = Vec::new();
    let mut policies = 0;
    for source in &found {
        // The file that lines are set aside in may have been made since it was looked for.
        if let Some(what) = own.what(source) {
            desk.terminal.complain(&passed_over(source, what));
            continue;
        }
        let imported = match source {
            Source::Policy(path) => match policy(path) {
                Ok(bytes) => {
                    ledger.put_policy(&bytes)?;
                    policies += 1;
                    continue;
                }
                Err(trouble) => Err(trouble),
            },
            Source::Input => {
                let mut input = io::stdin().lock();
                one(desk, &mut *ledger, "-", None, &mut input, how, &mut quarantine)
            }
            Source::Records(path) => match opened(path) {
                Ok((mut file, bytes)) => {
                    let name = path.display().to_string();
                    one(desk, &mut *ledger, &name, Some(bytes), &mut file, how, &mut quarantine)
                }
                Err(trouble) => Err(trouble),
            },
        };
        match imported {
            Ok(imported) => done.push(imported),
            // The others are taken in all the same; this one is told at the end.
            Err(trouble @ (Trouble::File { .. } | Trouble::Read { .. })) => unread.push(trouble),
            Err(trouble) => return Err(trouble),
        }
    }
    for (index, bundle) in shown.bundles.iter().enumerate() {
        let photographed = shown.together && index + 1 == shown.bundles.len();
        let name = format!("codes of {}, bundle {}", options.paths[0].display(), index + 1);
        let bytes = Some(bundle.len() as u64);
        let mut input = &bundle[..];
        let how = How { threads, photographed };
        done.push(one(desk, &mut *ledger, &name, bytes, &mut input, how, &mut quarantine)?);
    }
    let quarantine = quarantine.end().unwrap_or_else(|trouble| {
        unread.push(trouble);
        None
    });
    let outcome = tell(desk, &mut *ledger, &done, policies, quarantine.as_deref(), &unread)?;
    let missing = !shown.complete() || (options.qr && done.is_empty());
    let last = unread.pop();
    for trouble in unread {
        desk.terminal.complain(&format!("breakglass-audit: {trouble}"));
    }
    match (last, outcome) {
        (Some(trouble), Outcome::Wrong) => {
            desk.terminal.complain(&format!("breakglass-audit: {trouble}"));
            Ok(Outcome::Wrong)
        }
        (Some(trouble), _) => Err(trouble),
        (None, Outcome::Done) if missing => Ok(Outcome::Due),
        (None, outcome) => Ok(outcome),
    }
}

/// What there is to import, without the ledger's own files; what cannot be looked at goes to `unread`.
fn found(
    desk: &mut AuditDesk,
    options: &Options,
    own: &Own,
    unread: &mut Vec<Trouble>,
) -> Result<Vec<Source>, Trouble> {
    let (found, failed) = sources::find(&options.paths);
    for (path, error) in failed {
        let is_there = fs::symlink_metadata(&path).is_ok();
        let trouble = Trouble::File { path, error };
        match is_there {
            true => unread.push(trouble),
            // A name that is nobody's is a slip of the hand: before anything is taken in, it is set right.
            false => return Err(trouble),
        }
    }
    let mut passed = Vec::new();
    let mut rest = Vec::new();
    for source in found {
        match own.what(&source) {
            Some(what) => passed.push(passed_over(&source, what)),
            None => rest.push(source),
        }
    }
    match (rest.is_empty(), unread.len(), passed.is_empty()) {
        (false, ..) | (true, 2.., _) => {}
        (true, 1, _) => return Err(unread.remove(0)),
        (true, 0, false) => {
            return Err(Trouble::Refused(format!("nothing to import: {}", passed.join("; "))));
        }
        (true, 0, true) => {
            let named: Vec<String> = options.paths.iter().map(|path| path.display().to_string()).collect();
            return Err(Trouble::Refused(format!(
                "nothing to import in {}: no *.jws, *.ndjson or *.jsonl, and no policy/*.toml; the ledger is as it was. a file \
                 that is named differently is imported by its own path",
                visible(&named.join(", "))
            )));
        }
    }
    passed.iter().for_each(|text| desk.terminal.complain(text));
    Ok(rest)
}

fn passed_over(source: &Source, what: &str) -> String {
    let name = match source {
        Source::Input => "standard input".into(),
        Source::Records(path) | Source::Policy(path) => visible(&path.display().to_string()),
    };
    format!("{name} is {what}, and no bundle: it is passed over")
}

/// A file of records, and how long it is.
fn opened(path: &Path) -> Result<(File, u64), Trouble> {
    let failed = |error| Trouble::File { path: path.to_path_buf(), error };
    let file = File::open(path).map_err(failed)?;
    let bytes = file.metadata().map_err(failed)?.len();
    Ok((file, bytes))
}

/// How a source is taken in.
#[derive(Clone, Copy)]
struct How {
    threads: Option<NonZero<usize>>,
    photographed: bool,
}

/// Imports one source, with a bar.
fn one(
    desk: &AuditDesk,
    ledger: &mut dyn Ledger,
    source: &str,
    bytes: Option<u64>,
    input: &mut dyn Read,
    how: How,
    quarantine: &mut Quarantine,
) -> Result<Imported, Trouble> {
    let bar = desk.terminal.progress_bar(bytes);
    let mut progress = |bytes, lines: u64| {
        let rate = lines as f64 / bar.elapsed().as_secs_f64().max(0.001);
        bar.at(bytes, format!("{} lines   {}/s", grouped(lines), grouped(rate as u64)));
    };
    let mut aside = |line: &SetAside| quarantine.put(line);
    let at = desk.now();
    let How { threads, photographed } = how;
    let job = Job { source, at, photographed, threads, progress: &mut progress, aside: &mut aside };
    Ok(import::run(ledger, input, job)?)
}

/// A policy's bytes.
fn policy(path: &Path) -> Result<Vec<u8>, Trouble> {
    let failed = |error| Trouble::File { path: path.to_path_buf(), error };
    if fs::metadata(path).map_err(failed)?.len() > POLICY_CAP {
        return Err(failed(io::Error::other("too long for a policy")));
    }
    fs::read(path).map_err(failed)
}

/// Beside a ledger in a file; in the working directory where the ledger is a server's.
fn beside(ledger: &str) -> PathBuf {
    match ledger.contains("://") {
        true => "quarantine.txt".into(),
        false => format!("{ledger}.quarantine.txt").into(),
    }
}

/// With a comma after each three digits.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
