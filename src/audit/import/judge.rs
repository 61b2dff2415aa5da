//! Parses lines and verifies their signatures: the work that all cores share.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock};

use p256::ecdsa::VerifyingKey;

use super::pieces::{Content, Piece};
use super::set_aside;
use crate::audit::ledger::{SetAside, Signature};
use crate::es256::prepared::{Claim, Prepared, verify_all};
use crate::record::event::Event;
use crate::record::hash::{Hash, KeyId};
use crate::record::token::{READ_CAP, Record, RecordError};

/// So many signatures of a key are verified one by one before it is prepared, which takes as long as some of them.
pub(super) const MANY: usize = 128;
/// So many keys are prepared at the most, of which each takes memory.
const PREPARED_MOST: usize = 64;

/// A piece, and where to put what was found in it.
pub(super) struct Task {
    pub(super) piece: Piece,
    pub(super) answer: SyncSender<Vec<Judged>>,
}

/// What a line is.
pub(super) enum Judged {
    Record(Record, Signature),
    Aside(SetAside),
}

/// The keys that are known so far. A key is told by its own id, so that it does not matter who says it.
#[derive(Default)]
pub(super) struct Keys {
    known: RwLock<HashMap<KeyId, Arc<Known>>>,
    prepared: AtomicUsize,
}

struct Known {
    key: VerifyingKey,
    /// Signatures of it so far.
    met: AtomicUsize,
    prepared: OnceLock<Arc<Prepared>>,
}

impl Keys {
    fn get(&self, kid: &KeyId) -> Option<Arc<Known>> {
        self.known.read().unwrap_or_else(PoisonError::into_inner).get(kid).map(Arc::clone)
    }

    pub(super) fn put(&self, kid: KeyId, key: VerifyingKey) {
        let known = || Arc::new(Known { key, met: AtomicUsize::new(0), prepared: OnceLock::new() });
        self.known.write().unwrap_or_else(PoisonError::into_inner).entry(kid).or_insert_with(known);
    }

    /// What makes one more verification with that key fast, if there have been many.
    fn prepared<'a>(&self, known: &'a Known) -> Option<&'a Arc<Prepared>> {
        // Of all threads, one meets the number itself: it prepares, and the others go on meanwhile.
        if known.met.fetch_add(1, Ordering::Relaxed) == MANY
            && self.prepared.fetch_add(1, Ordering::Relaxed) < PREPARED_MOST
        {
            let _ = known.prepared.set(Arc::new(Prepared::new(&known.key)));
        }
        known.prepared.get()
    }
}

/// Works through the queue until nobody puts anything in any more.
pub(super) fn work(queue: &Mutex<Receiver<Task>>, keys: &Keys, source: &str, at: i64) {
    loop {
        let task = queue.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(Task { piece, answer }) = task else { return };
        // Nobody waits for it only where the ledger failed.
        let _ = answer.send(judge(piece, keys, source, at));
    }
}

fn judge(piece: Piece, keys: &Keys, source: &str, at: i64) -> Vec<Judged> {
    let mut number = piece.lines_before;
    let lines = match piece.content {
        Content::Lines(lines) => lines,
        Content::Endless { beginning, length } => {
            let bytes = usize::try_from(length).unwrap_or(usize::MAX);
            let error = RecordError::TooLong { bytes, cap: READ_CAP };
            return vec![Judged::Aside(set_aside(source, number + 1, &beginning, length, &error, at))];
        }
    };
    let mut judged = Vec::new();
    let mut rest = &lines[..];
    while !rest.is_empty() {
        number += 1;
        let feed = memchr::memchr(b'\n', rest);
        let line = &rest[..feed.unwrap_or(rest.len())];
        rest = feed.map_or(&[], |feed| &rest[feed + 1..]);
        judged.push(match Record::parse(line) {
            Ok(record) => Judged::Record(record, Signature::Unknown),
            Err(error) => Judged::Aside(set_aside(source, number, line, line.len() as u64, &error, at)),
        });
    }
    for one in &judged {
        if let Judged::Record(record, _) = one
            && let Event::KeyEnrolled(facts) = &record.event
        {
            keys.put(record.kid, VerifyingKey::from(facts.signing.0));
        }
    }
    verify(&mut judged, keys);
    judged
}

fn verify(judged: &mut [Judged], keys: &Keys) {
    let (mut verdicts, mut claims) = (Vec::new(), Vec::new());
    for one in judged {
        let Judged::Record(record, verdict) = one else { continue };
        let Some(known) = keys.get(&record.kid) else { continue };
        match keys.prepared(&known) {
            Some(prepared) => {
                let key = Arc::clone(prepared);
                let digest = Hash::of(record.signing_input()).0;
                claims.push(Claim { key, digest, signature: record.signature() });
                verdicts.push(verdict);
            }
            None => *verdict = Signature::from(record.verify(&known.key).is_ok()),
        }
    }
    for (verdict, good) in verdicts.into_iter().zip(verify_all(&claims)) {
        *verdict = Signature::from(good);
    }
}
