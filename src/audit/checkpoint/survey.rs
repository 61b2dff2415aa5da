//! A ledger gone through once, from its first record to its last: its root, proofs, and what it is to older checkpoints.

use std::collections::HashSet;

use super::note::LedgerKey;
use super::receipt::Proof;
use super::tree::{Node, Tree};
use super::{Checkpoint, CheckpointError, Comparison, Consistency};
use crate::audit::ledger::{Ledger, LedgerError};
use crate::record::hash::Hash;

/// So many hashes are held at a time.
const AT_ONCE: u64 = 16 * 1024;

/// What was found.
#[derive(Debug, Clone)]
pub struct Survey {
    /// How many records.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Node,
    /// How it stands to each older checkpoint, in their order.
    pub answers: Vec<Consistency>,
    /// Of the wanted records that it holds, in order of arrival.
    pub proofs: Vec<Proof>,
}

/// Goes through the ledger. Holds in memory what it proves, and little else.
///
/// # Errors
/// [`LedgerError`].
pub fn survey(
    ledger: &mut dyn Ledger,
    wanted: &HashSet<Hash>,
    old: &[Checkpoint],
) -> Result<Survey, LedgerError> {
    let size = ledger.size()?; // what arrives from now on belongs to the next one
    let mut tree = Tree::new([]);
    let mut comparison = Comparison::new(old);
    let mut found = Vec::new();
    comparison.at(&tree);
    while tree.size() < size {
        for hash in ledger.arrivals(tree.size(), (tree.size() + AT_ONCE).min(size))? {
            if wanted.contains(&hash) {
                found.push((tree.size(), hash));
                tree.want_next();
            }
            tree.push(&hash);
            comparison.at(&tree);
        }
    }
    let answers = comparison.end(size);
    let (root, mut paths) = tree.finish();
    let proofs = found
        .into_iter()
        .map(|(index, record)| Proof { record, index, path: paths.remove(&index).unwrap_or_default() })
        .collect();
    Ok(Survey { size, root, answers, proofs })
}

/// Which of these records the ledger holds.
///
/// # Errors
/// [`LedgerError`].
pub fn held(ledger: &mut dyn Ledger, of: &HashSet<Hash>) -> Result<HashSet<Hash>, LedgerError> {
    let (size, mut from) = (ledger.size()?, 0);
    let mut held = HashSet::new();
    while from < size {
        let to = (from + AT_ONCE).min(size);
        held.extend(ledger.arrivals(from, to)?.into_iter().filter(|hash| of.contains(hash)));
        from = to;
    }
    Ok(held)
}

/// A checkpoint that was just signed, and kept in the ledger.
#[derive(Debug, Clone)]
pub struct Issued {
    /// What it says.
    pub checkpoint: Checkpoint,
    /// The whole of it, signed.
    pub signed: String,
    /// Proofs of the wanted records that it covers.
    pub proofs: Vec<Proof>,
    /// How the ledger stands to the checkpoints that were to be compared.
    pub answers: Vec<Consistency>,
}

/// Signs what the ledger holds now, unless it is not what it was when its newest checkpoint was signed: nobody signs two
/// checkpoints that contradict each other.
///
/// # Errors
/// [`IssueError`]. Nothing was signed then.
pub fn issue(
    ledger: &mut dyn Ledger,
    key: &LedgerKey,
    at: i64,
    wanted: &HashSet<Hash>,
    old: &[Checkpoint],
) -> Result<Issued, IssueError> {
    let newest = match ledger.newest_checkpoint()? {
        Some(text) => Some(Checkpoint::believe(&text).map_err(IssueError::Newest)?),
        None => None,
    };
    let all: Vec<Checkpoint> = old.iter().chain(&newest).cloned().collect();
    let Survey { size, root, mut answers, proofs } = survey(ledger, wanted, &all)?;
    if let Some(newest) = newest {
        match answers.pop() {
            Some(Consistency::Same) => {}
            answer => return Err(IssueError::Rewritten { size: newest.size, at: newest.at, answer }),
        }
    }
    let checkpoint = Checkpoint { origin: key.public().name().into(), size, root, at: Some(at) };
    let signed = checkpoint.sign(key);
    ledger.put_checkpoint(&signed, size, at)?;
    Ok(Issued { checkpoint, signed, proofs, answers })
}

/// Why no checkpoint was signed.
#[derive(Debug, thiserror::Error)]
pub enum IssueError {
    /// The ledger.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// The ledger's own newest checkpoint is none.
    #[error("the newest checkpoint that the ledger keeps cannot be read: {0}")]
    Newest(#[source] CheckpointError),
    /// Its first records are not those that it once signed for.
    #[error(
        "the ledger is not what it was: its newest checkpoint, over {size} records, does not fit any more"
    )]
    Rewritten {
        /// Records below that checkpoint.
        size: u64,
        /// Its time.
        at: Option<i64>,
        /// How the ledger stands to it.
        answer: Option<Consistency>,
    },
}

#[cfg(test)]
mod tests {
    use super::super::receipt::verify;
    use super::*;
    use crate::audit::checkpoint::id;
    use crate::audit::ledger::Signature;
    use crate::audit::ledger::sqlite::Sqlite;
    use crate::record::sample::{NOON, Writer};
    use zeroize::Zeroizing;

    fn key() -> LedgerKey {
        LedgerKey::new(&Zeroizing::new([1; 32])).0
    }

    fn ledger(writer: &Writer) -> Sqlite {
        let mut ledger = Sqlite::in_memory();
        let records: Vec<_> = writer.records.iter().map(|r| (r.clone(), Signature::Unknown)).collect();
        ledger.store(&records, NOON).unwrap();
        ledger
    }

    #[test]
    fn a_ledger_signs_for_what_it_holds_and_proves_it() {
        let mut writer = Writer::founder(1);
        writer.open(20);
        let mut ledger = ledger(&writer);
        let wanted =
            HashSet::from([writer.records[3].hash(), writer.records[21].hash(), Hash::of(b"unknown")]);
        let first = issue(&mut ledger, &key(), NOON, &wanted, &[]).unwrap();
        assert_eq!(first.checkpoint.size, 22);
        let receipt: String = first.proofs.iter().map(|proof| proof.text(&first.signed)).collect();
        let proven: Vec<Hash> =
            verify(&receipt, key().public()).unwrap().iter().map(|one| one.proof.record).collect();
        assert_eq!(proven, [3, 21].map(|at| writer.records[at].hash()));
        assert_eq!(ledger.newest_checkpoint().unwrap(), Some(first.signed.clone()));
        use crate::audit::ledger::Evidence;
        assert_eq!(ledger.checkpoint_time(&id(&first.signed)).unwrap(), Some(NOON));
        // It grows, and what was signed before still fits.
        let more = writer.write(crate::record::sample::intent());
        ledger.store(&[(more, Signature::Unknown)], NOON + 60).unwrap();
        let second =
            issue(&mut ledger, &key(), NOON + 60, &HashSet::new(), std::slice::from_ref(&first.checkpoint))
                .unwrap();
        assert_eq!((second.checkpoint.size, &second.answers[..]), (23, &[Consistency::Same][..]));
    }

    #[test]
    fn a_ledger_that_was_rewritten_signs_nothing_more() {
        let mut writer = Writer::founder(1);
        writer.open(3);
        let signed = issue(&mut ledger(&writer), &key(), NOON, &HashSet::new(), &[]).unwrap().signed;
        // The same records, the last of them never there; and that checkpoint still is.
        writer.records.pop();
        let mut rewritten = ledger(&writer);
        rewritten.put_checkpoint(&signed, 5, NOON).unwrap();
        let error = issue(&mut rewritten, &key(), NOON, &HashSet::new(), &[]).unwrap_err();
        assert!(matches!(
            error,
            IssueError::Rewritten { size: 5, answer: Some(Consistency::Shorter { holds: 4 }), .. }
        ));
        assert_eq!(rewritten.newest_checkpoint().unwrap(), Some(signed));
    }
}
