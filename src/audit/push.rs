//! Sends records to a receiver (RFC 8935), one each, the exact bytes, each chain in its order.
//!
//! A station between kit and ledger needs no key and no trust: it can drop and delay, but not change. Whatever it sends twice
//! is stored once, so that after a cut the same is simply run again; a [`state`] file spares it what was accepted before.
//!
//! 1. [`queue`]: what is there to send, by chain.
//! 2. For each record: send it; [`answer`] says what the answer means; [`pace`] how long to wait before it is tried again.
//! 3. What a receiver refuses stands in the state with its reason, and holds back the records that come after it in its chain.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::record::hash::Hash;

pub mod answer;
pub mod http;
pub mod pace;
pub mod queue;
pub mod state;

use answer::{Answer, Verdict};
use pace::Pace;
use queue::{Item, Queue};
use state::{Known, State, StateError};

/// How a record gets to the receiver.
pub trait Post {
    /// Sends one record and waits for the answer. Each call is complete in itself: it may be repeated whenever it fails,
    /// also where the record had arrived and only the answer was lost.
    ///
    /// # Errors
    /// [`Cut`], where there is no answer.
    fn post(&mut self, record: &[u8]) -> Result<Answer, Cut>;
}

/// There was no answer: nobody knows whether the record arrived.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct Cut {
    /// What happened.
    pub text: String,
    /// Whether to try again may help. It does not where TLS certificates do not fit.
    pub again: bool,
}

/// What the person wants.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// Send what comes after a refused record of the same chain.
    pub go_on: bool,
    /// Send again what was refused before.
    pub refused_too: bool,
    /// Give up after this long without any answer that helps.
    pub patience: Duration,
}

/// What goes on, to be shown.
#[derive(Debug)]
pub enum Told<'a> {
    /// So many of all are settled.
    Progress {
        /// Accepted, refused or held back; now or before.
        settled: u64,
        /// All.
        of: u64,
    },
    /// Nothing got through; it is tried again after this long.
    Waiting {
        /// What happened.
        why: &'a str,
        /// Until the next try.
        wait: Duration,
    },
    /// A record was refused.
    Refused(&'a Refused),
}

/// A record that the receiver does not want.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// Its chain, or where it stands.
    pub chain: String,
    /// Its place there, where that is known.
    pub seq: Option<u64>,
    /// SHA-256 of it.
    pub hash: Hash,
    /// The code (RFC 8935 section 2.4), or what came instead.
    pub err: String,
    /// What the receiver says.
    pub description: String,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// With the last record.
    Whole,
    /// Nothing got through for as long as the settings allow.
    GaveUp {
        /// What happened last.
        why: String,
    },
    /// To try again helps nobody before something is set right.
    Stopped {
        /// What the receiver, or the connection, says.
        why: String,
    },
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Accepted now.
    pub accepted: u64,
    /// Accepted before, by the state.
    pub before: u64,
    /// Refused, now or before.
    pub refused: Vec<Refused>,
    /// Not sent, because a record before them in their chain was refused.
    pub held_back: u64,
    /// Not sent, because it ended before.
    pub left: u64,
    /// Where the receiver departs from RFC 8935, and how often.
    pub notes: BTreeMap<String, u64>,
    /// How it ended.
    pub ended: Ended,
}

/// Sends what the state does not know as settled. Chain after chain, each in its order. `random` spreads the waits; it need not
/// be unpredictable.
///
/// # Errors
/// [`PushError`]: bundles cannot be read any more, or the state cannot be written. What was accepted before stands.
pub fn push(
    queue: &Queue,
    state: &mut State,
    post: &mut dyn Post,
    settings: Settings,
    pace: &mut dyn Pace,
    random: &mut dyn FnMut() -> u64,
    tell: &mut dyn FnMut(Told<'_>),
) -> Result<Summary, PushError> {
    let mut run = Run {
        settings,
        post,
        pace,
        random,
        tell,
        summary: Summary {
            accepted: 0,
            before: 0,
            refused: Vec::new(),
            held_back: 0,
            left: 0,
            notes: BTreeMap::new(),
            ended: Ended::Whole,
        },
    };
    let all = queue.len();
    for (chain, items) in queue.chains() {
        let mut held = false;
        for item in items {
            if run.summary.ended != Ended::Whole {
                run.summary.left += 1;
                continue;
            }
            if held {
                run.summary.held_back += 1;
                continue;
            }
            let refused = run.one(queue, chain, item, state)?;
            held = refused && !settings.go_on;
            let settled = run.summary.settled();
            (run.tell)(Told::Progress { settled, of: all });
        }
    }
    state.flush()?;
    Ok(run.summary)
}

impl Summary {
    fn settled(&self) -> u64 {
        self.accepted + self.before + self.held_back + self.refused.len() as u64
    }
}

/// What [`push`] has in its hands.
struct Run<'a> {
    settings: Settings,
    post: &'a mut dyn Post,
    pace: &'a mut dyn Pace,
    random: &'a mut dyn FnMut() -> u64,
    tell: &'a mut dyn FnMut(Told<'_>),
    summary: Summary,
}

impl Run<'_> {
    /// One record, until it is settled or it all ends. Whether it was refused, now or before.
    fn one(&mut self, queue: &Queue, chain: &str, item: &Item, state: &mut State) -> Result<bool, PushError> {
        let refusal = |err: &str, description: &str| Refused {
            chain: chain.into(),
            seq: item.seq,
            hash: item.hash,
            err: err.into(),
            description: description.into(),
        };
        match state.of(&item.hash) {
            Some(Known::Accepted) => {
                self.summary.before += 1;
                return Ok(false);
            }
            Some(Known::Refused { err, description }) if !self.settings.refused_too => {
                self.summary.refused.push(refusal(err, description));
                return Ok(true);
            }
            _ => {}
        }
        let bytes = queue.read(item)?;
        match self.deliver(&bytes) {
            Ok(Verdict::Refused { err, description }) => {
                state.refused(item.hash, &err, &description)?;
                let refused = refusal(&err, &description);
                (self.tell)(Told::Refused(&refused));
                self.summary.refused.push(refused);
                Ok(true)
            }
            Ok(_) => {
                state.accepted(item.hash)?;
                self.summary.accepted += 1;
                Ok(false)
            }
            Err(ended) => {
                self.summary.ended = ended;
                self.summary.left += 1;
                Ok(false)
            }
        }
    }

    /// Sends until somebody says yes or no.
    fn deliver(&mut self, bytes: &[u8]) -> Result<Verdict, Ended> {
        let began = self.pace.now();
        for attempt in 0.. {
            let (why, after) = match self.post.post(bytes) {
                Ok(answer) => {
                    let (verdict, notes) = answer::judge(&answer, self.pace.wall_clock());
                    for note in notes {
                        *self.summary.notes.entry(note).or_default() += 1;
                    }
                    match verdict {
                        Verdict::Later { why, after } => (why, after),
                        Verdict::Stop { why } => return Err(Ended::Stopped { why }),
                        settled => return Ok(settled),
                    }
                }
                Err(cut) if !cut.again => return Err(Ended::Stopped { why: cut.text }),
                Err(cut) => (cut.text, None),
            };
            let spent = self.pace.now().saturating_sub(began);
            let wait = pace::wait(attempt, after, (self.random)());
            if spent + wait > self.settings.patience {
                return Err(Ended::GaveUp { why });
            }
            (self.tell)(Told::Waiting { why: &why, wait });
            self.pace.sleep(wait);
        }
        unreachable!("attempts do not run out before patience does")
    }
}

/// Why a push cannot go on, whatever the receiver says.
#[derive(Debug, thiserror::Error)]
pub enum PushError {
    /// A bundle.
    #[error(transparent)]
    Queue(#[from] queue::QueueError),
    /// The state file.
    #[error(transparent)]
    State(#[from] StateError),
}

#[cfg(test)]
mod tests;
