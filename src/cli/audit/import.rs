//! `import`: bundles, journals and folders of them into the ledger.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;

use super::desk::AuditDesk;
use super::trouble::Trouble;
use crate::audit::import::sources::{self, POLICY_CAP, Source};
use crate::audit::import::{self, Job};
use crate::audit::ledger::{BundleEnd, Imported, Ledger, PATIENCE, SetAside};
use crate::audit::report::words::visible;
use crate::cli::Outcome;
use crate::record::codes::FromCodes;

mod pictures;

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
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZero<usize>>,
    /// How long to wait while others write to the ledger
    #[arg(long, value_name = "SECONDS", default_value_t = PATIENCE.as_secs())]
    wait: u64,
    /// The paths are pictures (PNG, JPEG) of the codes that breakglass records export --qr shows or prints
    #[arg(long)]
    qr: bool,
}

pub(super) fn import(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    let (found, shown) = match options.qr {
        true => (Vec::new(), pictures::bundles(desk, &options.paths)?),
        false => {
            let found =
                sources::find(&options.paths).map_err(|(path, error)| Trouble::File { path, error })?;
            if found.is_empty() {
                let named: Vec<String> =
                    options.paths.iter().map(|path| path.display().to_string()).collect();
                return Err(Trouble::Refused(format!(
                    "nothing to import in {}: no *.jws, *.ndjson or *.jsonl, and no policy/*.toml; the ledger is as it was. a file \
                     that is named differently is imported by its own path",
                    visible(&named.join(", "))
                )));
            }
            (found, FromCodes::default())
        }
    };
    let mut ledger = desk.open_waiting(Duration::from_secs(options.wait))?;
    let mut quarantine = Quarantine::new(options.quarantine.unwrap_or_else(|| beside(&desk.ledger)));
    let mut done = Vec::new();
    let mut policies = 0;
    for source in &found {
        match source {
            Source::Policy(path) => {
                ledger.put_policy(&policy(path)?)?;
                policies += 1;
            }
            Source::Input => {
                let mut input = io::stdin().lock();
                done.push(one(desk, &mut *ledger, "-", None, &mut input, options.threads, &mut quarantine)?);
            }
            Source::Records(path) => {
                let failed = |error| Trouble::File { path: path.clone(), error };
                let mut file = File::open(path).map_err(failed)?;
                let bytes = file.metadata().map_err(failed)?.len();
                let name = path.display().to_string();
                let threads = options.threads;
                done.push(one(desk, &mut *ledger, &name, Some(bytes), &mut file, threads, &mut quarantine)?);
            }
        }
    }
    for (index, bundle) in shown.bundles.iter().enumerate() {
        let threads = How {
            photographed: shown.together && index + 1 == shown.bundles.len(),
            ..options.threads.into()
        };
        let name = format!("codes of {}, bundle {}", options.paths[0].display(), index + 1);
        let bytes = Some(bundle.len() as u64);
        let mut input = &bundle[..];
        done.push(one(desk, &mut *ledger, &name, bytes, &mut input, threads, &mut quarantine)?);
    }
    let quarantine = quarantine.end()?;
    let outcome = tell(desk, &mut *ledger, &done, policies, quarantine.as_deref())?;
    let missing = !shown.complete() || (options.qr && done.is_empty());
    Ok(if missing && outcome == Outcome::Done { Outcome::Due } else { outcome })
}

/// How a source is taken in.
struct How {
    threads: Option<std::num::NonZero<usize>>,
    photographed: bool,
}

impl From<Option<std::num::NonZero<usize>>> for How {
    fn from(threads: Option<std::num::NonZero<usize>>) -> Self {
        How { threads, photographed: false }
    }
}

/// Imports one source, with a bar.
fn one(
    desk: &AuditDesk,
    ledger: &mut dyn Ledger,
    source: &str,
    bytes: Option<u64>,
    input: &mut dyn Read,
    how: impl Into<How>,
    quarantine: &mut Quarantine,
) -> Result<Imported, Trouble> {
    let bar = desk.terminal.progress_bar(bytes);
    let mut progress = |bytes, lines: u64| {
        let rate = lines as f64 / bar.elapsed().as_secs_f64().max(0.001);
        bar.at(bytes, format!("{} lines   {}/s", grouped(lines), grouped(rate as u64)));
    };
    let mut aside = |line: &SetAside| quarantine.put(line);
    let at = desk.now();
    let How { threads, photographed } = how.into();
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

fn tell(
    desk: &mut AuditDesk,
    ledger: &mut dyn Ledger,
    done: &[Imported],
    policies: u64,
    quarantine: Option<&Path>,
) -> Result<Outcome, Trouble> {
    let sum = |count: fn(&Imported) -> u64| done.iter().map(count).sum::<u64>();
    let (bad, set_aside, unverified) = (sum(|i| i.bad), sum(|i| i.set_aside), sum(|i| i.unverified));
    if desk.json {
        let imports = done.iter().map(Shown::of).collect();
        desk.object(&Report {
            imports,
            policies,
            quarantine: quarantine.map(|path| path.display().to_string()),
        })?;
    } else {
        let mut text = format!(
            "{} read · {} stored · {} known already · {} lines set aside",
            grouped(sum(|i| i.read)),
            grouped(sum(|i| i.stored)),
            grouped(sum(|i| i.known)),
            grouped(set_aside),
        );
        if let Some(path) = quarantine {
            text += &format!(" ({} says where and why)", path.display());
        }
        text.push('\n');
        if bad > 0 {
            text += &format!("{} with a signature that is not their key's: kept as evidence\n", grouped(bad));
        }
        if unverified > 0 {
            text += &format!(
                "{} of keys whose enrolment has not come in: not verified yet\n",
                grouped(unverified)
            );
        }
        for import in done {
            if let Some(what) = import.end.and_then(|end| ending(end, import.export.is_some())) {
                text += &format!("{}: {what}\n", visible(&import.source));
            }
        }
        if policies > 0 {
            text += &format!("{} of policies kept\n", grouped(policies));
        }
        desk.text(&text)?;
        say_untrusted(desk, ledger)?;
    }
    let other = done.iter().any(|import| import.end == Some(BundleEnd::Other));
    let cut = done.iter().any(|import| import.end == Some(BundleEnd::Cut));
    Ok(match () {
        () if bad > 0 || other => Outcome::Wrong,
        () if set_aside > 0 || unverified > 0 || cut => Outcome::Due,
        () => Outcome::Done,
    })
}

/// Kits that nobody has vouched for yet: nothing of what they say is proven until somebody compares their words.
fn say_untrusted(desk: &mut AuditDesk, ledger: &mut dyn Ledger) -> Result<(), Trouble> {
    for kit in ledger.kits()? {
        if kit.trust.is_none() {
            let words = crate::kit::words::kit_words(&kit.kit).join(" ");
            desk.terminal.say(&format!(
                "nobody has vouched for this kit yet. if these are the words on its bags:  breakglass-audit trust \"{words}\""
            ));
        }
    }
    Ok(())
}

/// What there is to say of how a bundle ended, with a signed export or without; nothing, if it is whole.
fn ending(end: BundleEnd, export: bool) -> Option<&'static str> {
    match end {
        BundleEnd::Whole => None,
        BundleEnd::Other => Some("the record that ends this bundle counts other lines than these"),
        BundleEnd::Cut => Some("ends in the middle of a line: it was cut"),
        BundleEnd::Open if export => Some("its signed end counts more records than were photographed"),
        BundleEnd::Open => Some("no signed end: lines may have been cut off"),
    }
}

/// The one object of `--json`.
#[derive(Serialize)]
struct Report<'a> {
    imports: Vec<Shown<'a>>,
    policies: u64,
    quarantine: Option<String>,
}

#[derive(Serialize)]
struct Shown<'a> {
    source: &'a str,
    read: u64,
    stored: u64,
    known: u64,
    set_aside: u64,
    bad: u64,
    unverified: u64,
    end: Option<&'static str>,
    export: Option<crate::record::hash::Hash>,
}

impl<'a> Shown<'a> {
    fn of(import: &'a Imported) -> Self {
        let Imported { source, read, stored, known, set_aside, bad, unverified, end, export, .. } = import;
        let end = end.map(|end| match end {
            BundleEnd::Whole => "whole",
            BundleEnd::Other => "other",
            BundleEnd::Cut => "cut",
            BundleEnd::Open => "open",
        });
        let (read, stored, known, set_aside) = (*read, *stored, *known, *set_aside);
        Shown {
            source,
            read,
            stored,
            known,
            set_aside,
            bad: *bad,
            unverified: *unverified,
            end,
            export: *export,
        }
    }
}

/// The text file that says which lines were set aside. The ledger holds their bytes.
struct Quarantine {
    path: PathBuf,
    file: Option<io::BufWriter<File>>,
    failed: Option<io::Error>,
}

impl Quarantine {
    fn new(path: PathBuf) -> Self {
        Quarantine { path, file: None, failed: None }
    }

    fn put(&mut self, line: &SetAside) {
        if self.failed.is_none()
            && let Err(error) = self.write(line)
        {
            self.failed = Some(error);
        }
    }

    fn write(&mut self, line: &SetAside) -> io::Result<()> {
        let file = match &mut self.file {
            Some(file) => file,
            none => {
                let file = File::options().create(true).append(true).open(&self.path)?;
                none.insert(io::BufWriter::new(file))
            }
        };
        let begins = String::from_utf8_lossy(&line.bytes[..line.bytes.len().min(100)]).replace('\n', "\\n");
        let text = format!("{}:{}: {}: {begins}", line.source, line.line, line.why);
        writeln!(file, "{}", visible(&text))
    }

    /// The file, if there was anything to say.
    fn end(mut self) -> Result<Option<PathBuf>, Trouble> {
        let flushed = self.file.as_mut().map_or(Ok(()), Write::flush);
        match self.failed.or(flushed.err()) {
            Some(error) => Err(Trouble::File { path: self.path, error }),
            None => Ok(self.file.is_some().then_some(self.path)),
        }
    }
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
