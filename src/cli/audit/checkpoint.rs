//! `checkpoint`: the ledger's signed promise, older promises held against it, and receipts for what a kit sent.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rand_core::Rng;
use serde::Serialize;
use zeroize::Zeroizing;

use super::desk::AuditDesk;
use super::import::grouped;
use super::trouble::{Transport, Trouble};
use crate::audit::checkpoint::note::{LedgerKey, LedgerPublic};
use crate::audit::checkpoint::receipt::{self, ReceiptError};
use crate::audit::checkpoint::survey::{issue, survey};
use crate::audit::checkpoint::{self, Checkpoint, CheckpointError, Consistency};
use crate::audit::push::queue::Queue;
use crate::cli::Outcome;

mod receipts;

use receipts::{receipt_of, verify, wanted};

/// More than any key, checkpoint or receipt for a few chains.
const FILE_CAP: u64 = 64 * 1024 * 1024;

/// What to sign, to compare, or to verify.
#[derive(Debug, clap::Args)]
#[command(group = clap::ArgGroup::new("what").required(true).multiple(true).args(["new_key", "key", "check", "receipt"]))]
pub(super) struct Options {
    /// Make the ledger's key in this file, and its public half in FILE.pub
    #[arg(long, value_name = "FILE", exclusive = true)]
    new_key: Option<PathBuf>,
    /// Sign a checkpoint with the ledger's key
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// Where to write what was signed; never over something that is there
    #[arg(long, value_name = "FILE", requires = "key")]
    out: Option<PathBuf>,
    /// Write a receipt that covers every record of these bundles which the ledger holds, instead of the bare checkpoint
    #[arg(long = "for", value_name = "BUNDLE", num_args = 1.., requires = "key")]
    bundles: Vec<PathBuf>,
    /// In the receipt, a proof for every record
    #[arg(long, requires = "bundles")]
    every_record: bool,
    /// Hold these older checkpoints, or receipts, against the ledger as it is now
    #[arg(long, value_name = "OLD", num_args = 1..)]
    check: Vec<PathBuf>,
    /// Verify a receipt; needs no ledger
    #[arg(long, value_name = "FILE", conflicts_with_all = ["key", "check"], requires = "public")]
    receipt: Option<PathBuf>,
    /// The ledger's public key (FILE.pub, or its one line), to verify signatures by
    #[arg(long, value_name = "FILE")]
    public: Option<PathBuf>,
    /// With --receipt: which of the records in these bundles it covers
    #[arg(value_name = "BUNDLE", requires = "receipt")]
    records: Vec<PathBuf>,
}

pub(super) fn checkpoint(desk: &mut AuditDesk, options: Options) -> Result<Outcome, Trouble> {
    if let Some(path) = &options.new_key {
        return new_key(desk, path);
    }
    let public = options.public.as_deref().map(public_key).transpose()?;
    match (&options.receipt, &public) {
        (Some(path), Some(public)) => verify(desk, path, public, &options.records),
        _ => sign_and_check(desk, &options, public),
    }
}

fn new_key(desk: &mut AuditDesk, path: &Path) -> Result<Outcome, Trouble> {
    let mut seed = Zeroizing::new([0; 32]);
    rand_core::UnwrapErr(getrandom::SysRng).fill_bytes(&mut seed[..]);
    let (key, pem) = LedgerKey::new(&seed);
    let public = beside(path, "pub");
    not_there(path)?;
    not_there(&public)?;
    write_new(path, pem.as_bytes(), 0o600)?;
    write_new(&public, key.public().to_pem().as_bytes(), 0o644).inspect_err(|_| {
        let _ = fs::remove_file(path); // half a pair is none: nobody has the public half of it
    })?;
    let line = key.public().to_line();
    if desk.json {
        desk.object(&serde_json::json!({
            "key": path, "public": public, "name": key.public().name(), "verifier": line,
        }))?;
    } else {
        desk.text(&format!(
            "wrote the key of {} to {}: it signs for this ledger, keep it where the ledger's other writers are not\n\
             wrote its public half to {}: give it to everybody who gets checkpoints\n{line}\n",
            key.public().name(),
            path.display(),
            public.display(),
        ))?;
    }
    Ok(Outcome::Done)
}

/// An older checkpoint that is held against the ledger.
struct Old {
    path: PathBuf,
    checkpoint: Checkpoint,
    /// Whether its signature verifies; `None`: no key to verify it by, or not signed by that one.
    signature: Option<bool>,
}

fn sign_and_check(
    desk: &mut AuditDesk,
    options: &Options,
    public: Option<LedgerPublic>,
) -> Result<Outcome, Trouble> {
    let key = options.key.as_deref().map(|path| private_key(desk, path)).transpose()?;
    let public = public.or_else(|| key.as_ref().map(|key| key.public().clone()));
    let old = options
        .check
        .iter()
        .map(|path| older(path, public.as_ref()))
        .collect::<Result<Vec<Old>, Trouble>>()?;
    let checkpoints: Vec<Checkpoint> = old.iter().map(|old| old.checkpoint.clone()).collect();
    let queue = Queue::of(&options.bundles)?;
    if let Some(out) = &options.out {
        not_there(out)?;
    }
    let mut ledger = desk.open()?;
    let (wanted, missing) = match options.bundles.is_empty() {
        true => (HashSet::new(), 0),
        false => wanted(&mut *ledger, &queue, options.every_record)?,
    };
    let (size, answers, signed) = match &key {
        None => {
            let survey = survey(&mut *ledger, &HashSet::new(), &checkpoints)?;
            (survey.size, survey.answers, None)
        }
        Some(key) => {
            let issued = issue(&mut *ledger, key, desk.now(), &wanted, &checkpoints)?;
            let text = match options.bundles.is_empty() {
                true => issued.signed.clone(),
                false => receipt_of(&issued)?,
            };
            if let Some(out) = &options.out {
                write_new(out, text.as_bytes(), 0o644)?;
            }
            (issued.checkpoint.size, issued.answers, Some((checkpoint::id(&issued.signed), text)))
        }
    };
    let outcome = judged(&old, &answers, missing);
    if desk.json {
        let checked: Vec<_> =
            old.iter().zip(&answers).map(|(old, answer)| Checked::of(old, answer)).collect();
        desk.object(&serde_json::json!({
            "size": size, "id": signed.as_ref().map(|(id, _)| id), "text": signed.as_ref().map(|(_, text)| text),
            "missing": missing, "checked": checked,
        }))?;
        return Ok(outcome);
    }
    for (old, answer) in old.iter().zip(&answers) {
        desk.text(&sentence(old, answer))?;
    }
    if missing > 0 {
        desk.terminal
            .say(&format!("{} of the records are not in the ledger: they have no proof", grouped(missing)));
    }
    match (signed, &options.out) {
        (Some((id, _)), Some(out)) => desk.terminal.say(&format!(
            "signed for {} records: {}, checkpoint {id}",
            grouped(size),
            out.display()
        )),
        (Some((_, text)), None) => desk.terminal.result(text.as_bytes())?,
        (None, _) => {}
    }
    Ok(outcome)
}

/// Wrong is what does not fit; due, what could not be checked.
fn judged(old: &[Old], answers: &[Consistency], missing: u64) -> Outcome {
    let forged = old.iter().any(|old| old.signature == Some(false));
    if forged || answers.iter().any(|answer| *answer != Consistency::Same) {
        Outcome::Wrong
    } else if missing > 0 || old.iter().any(|old| old.signature.is_none()) {
        Outcome::Due
    } else {
        Outcome::Done
    }
}

fn sentence(old: &Old, answer: &Consistency) -> String {
    let name = old.path.display();
    let size = grouped(old.checkpoint.size);
    let at = match old.checkpoint.at.and_then(|at| jiff::Timestamp::from_second(at).ok()) {
        Some(at) => format!(" of {at}"),
        None => String::new(),
    };
    let fits = match answer {
        Consistency::Same => {
            format!("{name}: its {size} records{at} are the first of this ledger, unchanged")
        }
        Consistency::Shorter { holds } => format!(
            "{name}: WRONG. It is over {size} records{at}; this ledger holds {}: some were taken away, or it is another ledger",
            grouped(*holds)
        ),
        Consistency::Other { .. } => format!(
            "{name}: WRONG. The first {size} records of this ledger are not those{at}: it was rewritten, or it is another ledger"
        ),
    };
    let signature = match old.signature {
        Some(true) => "",
        Some(false) => " · its signature does NOT verify: the file was changed",
        None => " · its signature was not checked: no key of its signer (--public)",
    };
    format!("{fits}{signature}\n")
}

#[derive(Serialize)]
struct Checked<'a> {
    file: &'a Path,
    size: u64,
    at: Option<i64>,
    answer: &'static str,
    signature: &'static str,
}

impl<'a> Checked<'a> {
    fn of(old: &'a Old, answer: &Consistency) -> Self {
        let answer = match answer {
            Consistency::Same => "same",
            Consistency::Shorter { .. } => "shorter",
            Consistency::Other { .. } => "other",
        };
        let signature = match old.signature {
            Some(true) => "good",
            Some(false) => "bad",
            None => "not-checked",
        };
        Checked { file: &old.path, size: old.checkpoint.size, at: old.checkpoint.at, answer, signature }
    }
}

/// Reads an older checkpoint, or the newest one of a receipt.
fn older(path: &Path, public: Option<&LedgerPublic>) -> Result<Old, Trouble> {
    let text = read(path)?;
    let signed = match receipt::newest_checkpoint(&text) {
        Ok(signed) => signed,
        // No receipt at all: a checkpoint, or nothing.
        Err(ReceiptError::Empty | ReceiptError::Form { number: 1, .. }) => &text,
        Err(cause) => return Err(Transport::Receipt { path: path.into(), cause }.into()),
    };
    let checkpoint =
        Checkpoint::believe(signed).map_err(|cause| Transport::Checkpoint { path: path.into(), cause })?;
    let signature = public.and_then(|public| match Checkpoint::verify(signed, public) {
        Ok(_) => Some(true),
        Err(CheckpointError::Note(checkpoint::note::NoteError::NotSigned { .. })) => None,
        Err(_) => Some(false),
    });
    Ok(Old { path: path.into(), checkpoint, signature })
}

/// The ledger's key. One that others may read is no secret of the ledger, and that is said.
pub(super) fn private_key(desk: &mut AuditDesk, path: &Path) -> Result<LedgerKey, Trouble> {
    use std::os::unix::fs::PermissionsExt;
    let text = Zeroizing::new(read(path)?);
    let mode = fs::metadata(path).map(|about| about.permissions().mode()).unwrap_or(0);
    if mode & 0o077 != 0 {
        desk.terminal.say(&format!("{} can be read by others than its owner: chmod 600", path.display()));
    }
    let key = LedgerKey::from_pem(&text);
    Ok(key.map_err(|cause| Transport::LedgerKey { path: path.into(), cause })?)
}

/// The public half.
pub(super) fn public_key(path: &Path) -> Result<LedgerPublic, Trouble> {
    let key = LedgerPublic::parse(&read(path)?);
    Ok(key.map_err(|cause| Transport::LedgerKey { path: path.into(), cause })?)
}

fn read(path: &Path) -> Result<String, Trouble> {
    use std::io::Read;
    let failed = |error| Trouble::File { path: path.into(), error };
    let mut text = String::new();
    let file = File::open(path).map_err(failed)?;
    file.take(FILE_CAP).read_to_string(&mut text).map_err(failed)?;
    Ok(text)
}

/// Nothing is written over: to know it before there is anything to write spares the work.
pub(super) fn not_there(path: &Path) -> Result<(), Trouble> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(Trouble::File { path: path.into(), error: io::ErrorKind::AlreadyExists.into() }),
        Err(_) => Ok(()),
    }
}

/// A new file, whole and durable, or none: half of one would be in the way of the next try.
pub(super) fn write_new(path: &Path, bytes: &[u8], mode: u32) -> Result<(), Trouble> {
    let failed = |error| Trouble::File { path: path.into(), error };
    let mut file = File::options().write(true).create_new(true).mode(mode).open(path).map_err(failed)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    written.map_err(|error| {
        let _ = fs::remove_file(path); // made here, and nobody else's
        failed(error)
    })
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".");
    name.push(end);
    name.into()
}
