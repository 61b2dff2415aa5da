//! The one thread that has the ledger. Requests wait in a short line; what it answers is durable.

use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::{io, thread};

use tokio::sync::oneshot;

use super::answer::{Code, Judged, Refusal, SIGNS_NOTHING, UNKNOWN_RECORD, of_fate};
use super::shelf::Shelf;
use super::{News, Tally};
use crate::audit::checkpoint::Checkpoint;
use crate::audit::checkpoint::note::LedgerKey;
use crate::audit::checkpoint::survey::{IssueError, issue};
use crate::audit::import;
use crate::audit::ledger::{Fate, Ledger, LedgerError, SetAside};
use crate::record::hash::Hash;

/// So many requests may wait.
const LINE: usize = 256;
/// A checkpoint that is older is signed anew, though nothing came: it says that nothing came.
const FRESH: i64 = 60;

/// Opens the ledger, each time it is needed again.
pub type Open = Box<dyn FnMut() -> Result<Box<dyn Ledger>, LedgerError> + Send>;

/// What the thread works with.
pub struct Clerk {
    /// Opens the ledger again after an error: a server may have come back.
    pub open: Open,
    /// Signs checkpoints; without one there are no receipts.
    pub key: Option<LedgerKey>,
    /// Unix seconds.
    pub now: Box<dyn Fn() -> i64 + Send>,
    /// Told what is to be known.
    pub news: News,
}

/// What is asked of it.
enum Task {
    Take { from: String, judged: Judged, bytes: Vec<u8>, answer: oneshot::Sender<Result<(), No>> },
    Checkpoint { answer: oneshot::Sender<Result<String, No>> },
    Receipt { record: Hash, answer: oneshot::Sender<Result<String, No>> },
}

/// Why the answer is not yes.
#[derive(Debug)]
pub enum No {
    /// The record is not taken.
    Refused(Refusal),
    /// There is no such thing.
    Nothing(&'static str),
    /// Not now.
    Later(String),
}

/// The way to the thread.
#[derive(Clone)]
pub struct Line(SyncSender<Task>);

impl Line {
    /// Keeps what was judged so.
    ///
    /// # Errors
    /// [`No`].
    pub async fn take(&self, from: String, judged: Judged, bytes: Vec<u8>) -> Result<(), No> {
        self.ask(|answer| Task::Take { from, judged, bytes, answer }).await
    }

    /// A checkpoint of the ledger as it is.
    ///
    /// # Errors
    /// [`No`].
    pub async fn checkpoint(&self) -> Result<String, No> {
        self.ask(|answer| Task::Checkpoint { answer }).await
    }

    /// A proof for a record, with such a checkpoint.
    ///
    /// # Errors
    /// [`No`].
    pub async fn receipt(&self, record: Hash) -> Result<String, No> {
        self.ask(|answer| Task::Receipt { record, answer }).await
    }

    async fn ask<T>(&self, task: impl FnOnce(oneshot::Sender<Result<T, No>>) -> Task) -> Result<T, No> {
        let (answer, answered) = oneshot::channel();
        match self.0.try_send(task(answer)) {
            Ok(()) => answered.await.unwrap_or_else(|_| Err(No::Later("the receiver is ending".into()))),
            Err(TrySendError::Full(_)) => Err(No::Later("too many requests wait".into())),
            Err(TrySendError::Disconnected(_)) => Err(No::Later("the receiver is ending".into())),
        }
    }
}

/// Starts the thread, with the ledger as it was opened first. It ends when the last [`Line`] is gone.
///
/// # Errors
/// Where the system gives no thread.
pub fn start(clerk: Clerk, ledger: Box<dyn Ledger>) -> io::Result<(Line, JoinHandle<Tally>)> {
    let (tasks, line) = sync_channel(LINE);
    let at_work = AtWork { clerk, ledger: Some(ledger), shelf: None, signed: None, tally: Tally::default() };
    let thread = thread::Builder::new().name("ledger".into()).spawn(|| at_work.run(line))?;
    Ok((Line(tasks), thread))
}

struct AtWork {
    clerk: Clerk,
    ledger: Option<Box<dyn Ledger>>,
    shelf: Option<Shelf>,
    /// The newest checkpoint of ours, over what the shelf holds then.
    signed: Option<(Checkpoint, String)>,
    tally: Tally,
}

impl AtWork {
    fn run(mut self, line: Receiver<Task>) -> Tally {
        for task in line {
            // Nobody waits any more where the connection was cut; what was done stays done.
            match task {
                Task::Take { from, judged, bytes, answer } => {
                    let _ = answer.send(self.take(&from, judged, &bytes));
                }
                Task::Checkpoint { answer } => {
                    let _ = answer.send(self.checkpoint());
                }
                Task::Receipt { record, answer } => {
                    let _ = answer.send(self.receipt(&record));
                }
            }
        }
        self.tally
    }

    fn take(&mut self, from: &str, judged: Judged, bytes: &[u8]) -> Result<(), No> {
        let at = (self.clerk.now)();
        let source = format!("push:{from}");
        let outcome = match judged {
            Judged::Nothing(refusal) => Err(refusal),
            Judged::Aside(refusal) => {
                let line = SetAside {
                    source,
                    line: 0,
                    bytes: bytes.into(),
                    why: refusal.description.clone(),
                    unknown_event: false,
                    received: at,
                };
                self.with_ledger(|ledger| ledger.put_aside(&[line]))?;
                Err(refusal)
            }
            Judged::Line => {
                let (fate, error) = self.with_ledger(|ledger| import::line(ledger, &source, 0, bytes, at))?;
                match fate {
                    Fate::Stored(_) => self.tally.stored += 1,
                    Fate::Known(_) => self.tally.known += 1,
                    Fate::SetAside => self.tally.set_aside += 1,
                }
                of_fate(fate, error.as_ref())
            }
        };
        outcome.map_err(|refusal| {
            self.refused(from, &refusal);
            No::Refused(refusal)
        })
    }

    fn refused(&mut self, from: &str, refusal: &Refusal) {
        self.tally.refused += 1;
        let code = serde_json::to_string(&refusal.err).unwrap_or_default();
        (self.clerk.news)(format!(
            "refused from {from}: {}: {}",
            code.trim_matches('"'),
            refusal.description
        ));
    }

    fn checkpoint(&mut self) -> Result<String, No> {
        Ok(self.signed()?.1)
    }

    fn receipt(&mut self, record: &Hash) -> Result<String, No> {
        let (checkpoint, text) = self.signed()?;
        let shelf = self.shelf.take().unwrap_or_default();
        let proof = self.with_ledger(|ledger| shelf.prove(ledger, record));
        let proof = proof?;
        self.shelf = Some(shelf);
        let proof = proof.ok_or(No::Nothing(UNKNOWN_RECORD))?;
        if !proof.fits(&checkpoint) {
            // The block that was read is not the one that was signed for.
            self.shelf = None;
            (self.clerk.news)(format!(
                "the ledger is not what it was: record {record} does not fit its checkpoint. no receipt was given"
            ));
            return Err(No::Later("the ledger cannot prove it".into()));
        }
        Ok(proof.text(&text))
    }

    /// A checkpoint over what the ledger holds now.
    fn signed(&mut self) -> Result<(Checkpoint, String), No> {
        let at = (self.clerk.now)();
        let key = self.clerk.key.take().ok_or(No::Nothing(SIGNS_NOTHING))?;
        let signed = self.sign(&key, at);
        self.clerk.key = Some(key);
        signed
    }

    fn sign(&mut self, key: &LedgerKey, at: i64) -> Result<(Checkpoint, String), No> {
        if self.shelf.is_none() {
            // Once, the whole ledger is held against the newest checkpoint that it keeps.
            self.signed = None;
            self.with_ledger(|ledger| match issue(ledger, key, at, &Default::default(), &[]) {
                Ok(_) => Ok(Ok(())),
                Err(IssueError::Ledger(error)) => Err(error),
                Err(error) => Ok(Err(error.to_string())),
            })?
            .map_err(|text| {
                (self.clerk.news)(format!("{text}. nothing is signed"));
                No::Later("the ledger cannot sign".into())
            })?;
        }
        let mut shelf = self.shelf.take().unwrap_or_default();
        let caught_up = self.with_ledger(|ledger| shelf.catch_up(ledger));
        let (size, root) = (shelf.size(), shelf.root());
        caught_up?;
        self.shelf = Some(shelf);
        if let Some((checkpoint, text)) = &self.signed
            && checkpoint.size == size
            && checkpoint.at.is_some_and(|then| (then..then + FRESH).contains(&at))
        {
            return Ok((checkpoint.clone(), text.clone()));
        }
        let checkpoint = Checkpoint { origin: key.public().name().into(), size, root, at: Some(at) };
        let text = checkpoint.sign(key);
        self.with_ledger(|ledger| ledger.put_checkpoint(&text, size, at))?;
        self.signed = Some((checkpoint.clone(), text.clone()));
        Ok((checkpoint, text))
    }

    /// With the ledger, opened again if it failed before.
    fn with_ledger<T>(
        &mut self,
        act: impl FnOnce(&mut dyn Ledger) -> Result<T, LedgerError>,
    ) -> Result<T, No> {
        let opened = match self.ledger.take() {
            Some(ledger) => Ok(ledger),
            None => (self.clerk.open)(),
        };
        let outcome = opened.and_then(|mut ledger| {
            let outcome = act(&mut *ledger);
            // After any error but a busy one, what is held open may be gone.
            if matches!(outcome, Ok(_) | Err(LedgerError::Busy { .. })) {
                self.ledger = Some(ledger);
            }
            outcome
        });
        outcome.map_err(|error| {
            self.tally.failed += 1;
            if self.ledger.is_none() {
                // What is opened next may be another ledger: nothing that was learnt of this one counts for it.
                (self.shelf, self.signed) = (None, None);
            }
            (self.clerk.news)(match error {
                LedgerError::Moved { .. } => {
                    format!("{error}: nothing is taken until there is one that opens")
                }
                error => error.to_string(),
            });
            // What the engine says is not for strangers.
            No::Later("the ledger does not take it now".into())
        })
    }
}

/// A refusal before anything reaches the ledger.
pub fn denied(err: Code, text: &str) -> No {
    No::Refused(Refusal::new(err, text))
}
