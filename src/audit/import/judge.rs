//! Parses lines and verifies their signatures: the work that all cores share.

use std::collections::HashMap;
use std::sync::mpsc::{Receiver, SyncSender};
use std::sync::{Mutex, PoisonError, RwLock};

use p256::ecdsa::VerifyingKey;

use super::pieces::{Content, Piece};
use super::set_aside;
use crate::audit::ledger::{SetAside, Signature};
use crate::record::event::Event;
use crate::record::hash::KeyId;
use crate::record::token::{READ_CAP, Record, RecordError};

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
pub(super) struct Keys(RwLock<HashMap<KeyId, VerifyingKey>>);

impl Keys {
    fn get(&self, kid: &KeyId) -> Option<VerifyingKey> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(kid).copied()
    }

    pub(super) fn put(&self, kid: KeyId, key: VerifyingKey) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).insert(kid, key);
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
    for one in &mut judged {
        if let Judged::Record(record, signature) = one
            && let Some(key) = keys.get(&record.kid)
        {
            *signature = if record.verify(&key).is_ok() { Signature::Good } else { Signature::Bad };
        }
    }
    judged
}
