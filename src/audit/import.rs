//! Records come in: bundles, journals, single records. Whatever is wrong with a line, its bytes are kept.
//!
//! 1. The calling thread reads pieces of whole lines, and hashes them for the check of the bundle's end (`pieces.rs`).
//! 2. A thread per core parses the lines and verifies their signatures (`judge.rs`).
//! 3. One thread stores what they found, in the order of the lines, some thousand records a transaction (`keep.rs`).
//!
//! The channels between them are short, so that memory does not grow with what is read. Killed at any moment, it is begun
//! again from the start: what was stored is known by its hash.

mod judge;
mod keep;
mod pieces;
pub mod sources;

use std::io::Read;
use std::num::NonZero;
use std::sync::Mutex;
use std::sync::mpsc::sync_channel;
use std::thread;

use super::ledger::{BundleEnd, Fate, Imported, Ledger, LedgerError, SetAside, Signature};
use crate::record::event::Event;
use crate::record::hash::Hash;
use crate::record::token::{READ_CAP, Record, RecordError};

use judge::Keys;

/// Why an import ended before its end. What was stored until then stands, and the same import may be run again.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What is to be imported cannot be read.
    #[error("{source_name}: {error}")]
    Read {
        /// Which.
        source_name: String,
        /// What the operating system says.
        #[source]
        error: std::io::Error,
    },
    /// The ledger did not take it.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
}

/// What is to be imported, and who is told how it goes.
pub struct Job<'a> {
    /// A path, `-`, or the name of a station.
    pub source: &'a str,
    /// Now, Unix seconds.
    pub at: i64,
    /// Whether these are records that were photographed one by one: what is missing was perhaps missed by the camera, and
    /// nobody took it out.
    pub photographed: bool,
    /// How many threads verify; `None`: one per core.
    pub threads: Option<NonZero<usize>>,
    /// Told so many bytes and lines have been read, now and then.
    pub progress: &'a mut dyn FnMut(u64, u64),
    /// Told each line that was set aside, in order.
    pub aside: &'a mut (dyn FnMut(&SetAside) + Send),
}

/// Imports a bundle or a journal, and notes it in the ledger when it is done.
///
/// # Errors
/// [`ImportError`].
pub fn import(
    ledger: &mut dyn Ledger,
    source: &str,
    input: &mut dyn Read,
    at: i64,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Imported, ImportError> {
    let aside = &mut |_: &SetAside| {};
    run(ledger, input, Job { source, at, photographed: false, threads: None, progress, aside })
}

/// The same, with all that may be chosen.
///
/// # Errors
/// [`ImportError`].
pub fn run(ledger: &mut dyn Ledger, input: &mut dyn Read, job: Job<'_>) -> Result<Imported, ImportError> {
    let Job { source, at, photographed, threads, progress, aside } = job;
    let threads = threads.or_else(|| thread::available_parallelism().ok()).map_or(1, NonZero::get);
    let keys = Keys::default();
    let depth = 2 * threads + 4;
    let (to_judges, queue) = sync_channel::<judge::Task>(depth);
    let (to_keeper, order) = sync_channel(depth);
    let queue = Mutex::new(queue);
    let (outcome, kept) = thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| judge::work(&queue, &keys, source, at));
        }
        let keeper = scope.spawn(|| keep::work(ledger, order, &keys, at, aside));
        let outcome = pieces::read(input, &mut |piece| {
            let (answer, answered) = sync_channel(1);
            progress(piece.bytes_so_far, piece.lines_before);
            // Either is gone only where the ledger failed: its error is told below.
            to_keeper.send(answered).is_ok() && to_judges.send(judge::Task { piece, answer }).is_ok()
        });
        drop((to_keeper, to_judges));
        let kept = keeper.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
        (outcome, kept)
    });
    let kept = kept?;
    let read = outcome.map_err(|error| ImportError::Read { source_name: source.into(), error })?;
    progress(read.bytes, read.lines);
    let (end, export) = end(&read, &kept, photographed);
    let imported = Imported {
        source: source.into(),
        at,
        read: read.lines,
        stored: kept.stored,
        known: kept.known,
        set_aside: kept.set_aside,
        bad: kept.bad,
        unverified: kept.unverified,
        end,
        export,
    };
    ledger.imported(&imported)?;
    Ok(imported)
}

/// How it ended, if it is a bundle: one chain alone is a journal, in which an export stands for what others hold too.
fn end(read: &pieces::Read, kept: &keep::Kept, photographed: bool) -> (Option<BundleEnd>, Option<Hash>) {
    if read.cut {
        return (Some(BundleEnd::Cut), None);
    }
    let Some(last) = &kept.last else {
        return (kept.several_chains.then_some(BundleEnd::Open), None);
    };
    match &last.event {
        Event::Exported(facts) if facts.count == read.lines - 1 && facts.bundle == read.before_last => {
            (Some(BundleEnd::Whole), Some(last.hash()))
        }
        Event::Exported(facts) if photographed && facts.count >= read.lines => {
            (Some(BundleEnd::Open), Some(last.hash()))
        }
        // Photographed, and of an export before: the record that ends the bundle is itself among those that were missed.
        Event::Exported(facts) if kept.several_chains && !(photographed && facts.count < read.lines - 1) => {
            (Some(BundleEnd::Other), Some(last.hash()))
        }
        _ => (kept.several_chains.then_some(BundleEnd::Open), None),
    }
}

/// Takes one record in, or sets its line aside. What it answers is durable.
///
/// # Errors
/// [`LedgerError`], and nothing was done.
pub fn line(
    ledger: &mut dyn Ledger,
    source: &str,
    number: u64,
    bytes: &[u8],
    at: i64,
) -> Result<(Fate, Option<RecordError>), LedgerError> {
    match Record::parse(bytes) {
        Ok(record) => {
            let fates = ledger.store(&[(record, Signature::Unknown)], at)?;
            Ok((fates[0], None))
        }
        Err(error) => {
            ledger.put_aside(&[set_aside(source, number, bytes, bytes.len() as u64, &error, at)])?;
            Ok((Fate::SetAside, Some(error)))
        }
    }
}

/// A line of so many bytes, of which at most [`READ_CAP`] are given and kept.
fn set_aside(source: &str, number: u64, bytes: &[u8], length: u64, error: &RecordError, at: i64) -> SetAside {
    let kept = &bytes[..bytes.len().min(READ_CAP)];
    let mut why = error.to_string();
    if kept.len() as u64 != length {
        why = format!("{why}; its first {} bytes are kept", kept.len());
    }
    SetAside {
        source: source.into(),
        line: number,
        bytes: kept.into(),
        why,
        unknown_event: matches!(error, RecordError::UnknownEvent(_)),
        received: at,
    }
}

#[cfg(test)]
mod tests;
