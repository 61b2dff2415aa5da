//! What the ledger promises to others: at this time it held so many records, in this order, and none of them changed.
//!
//! A *checkpoint* is the root of a Merkle tree (RFC 6962 section 2.1) over the hashes of all records in the order in which
//! they arrived, as a C2SP tlog-checkpoint: a signed note of a few lines of text. A [`receipt`] proves with a few more
//! hashes that one record is below such a root. Whoever kept an older checkpoint finds out whether the ledger was
//! rewritten since: the root at its size must still be the same. `doc/upload.md` is the specification.
//!
//! Everything here works on hashes and text; what it says is of an order, never of what the records mean.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::Timestamp;

use crate::record::hash::Hash;

pub mod note;
pub mod receipt;
pub mod survey;
pub mod tree;

use note::{LedgerKey, LedgerPublic, NoteError};
use tree::Node;

/// Nothing longer is read as a checkpoint: 16 signatures (of which a post-quantum one has 5 kB) fit.
pub const CHECKPOINT_CAP: usize = 128 * 1024;

/// What a checkpoint says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose it is: the name of the ledger's key.
    pub origin: String,
    /// How many records.
    pub size: u64,
    /// Root of the tree over them.
    pub root: Node,
    /// When, by the clock of the ledger, Unix seconds. `None` in a checkpoint of other programs.
    pub at: Option<i64>,
}

impl Checkpoint {
    /// The note's text, with its last line feed: origin, size, root, and the line `time 2026-11-21T12:00:00Z`.
    pub fn text(&self) -> String {
        let mut text = format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root));
        if let Some(at) = self.at.and_then(|at| Timestamp::from_second(at).ok()) {
            text.push_str(&format!("time {at}\n"));
        }
        text
    }

    /// Signs it: the whole checkpoint as it is kept and handed out. Equal contents have equal bytes (RFC 8032).
    pub fn sign(&self, key: &LedgerKey) -> String {
        key.sign(&self.text())
    }

    /// Reads a checkpoint whose signature by that key verifies. Signatures of others are let pass (they may be
    /// witnesses).
    ///
    /// # Errors
    /// [`CheckpointError::Note`] where it is no note, or this key has not signed it; the others where the note says something
    /// else.
    pub fn verify(signed: &str, key: &LedgerPublic) -> Result<Self, CheckpointError> {
        let text = key.verify(signed)?;
        let checkpoint = Checkpoint::parse(text)?;
        if checkpoint.origin != key.name() {
            return Err(CheckpointError::Origin { found: checkpoint.origin, key: key.name().into() });
        }
        Ok(checkpoint)
    }

    /// Reads what a checkpoint says, and believes it: no signature is looked at.
    ///
    /// # Errors
    /// As [`Checkpoint::verify`], but for the signature.
    pub fn believe(signed: &str) -> Result<Self, CheckpointError> {
        Checkpoint::parse(note::split(signed)?.0)
    }

    fn parse(text: &str) -> Result<Self, CheckpointError> {
        let wrong = CheckpointError::Text;
        let mut lines = text.strip_suffix('\n').ok_or(wrong("it does not end with a line feed"))?.split('\n');
        let origin = lines.next().filter(|line| !line.is_empty()).ok_or(wrong("it has no origin"))?;
        let size = lines.next().and_then(decimal).ok_or(wrong("its second line is no size"))?;
        let root = lines.next().and_then(node).ok_or(wrong("its third line is no root"))?;
        let mut at = None;
        for line in lines {
            if line.is_empty() {
                return Err(wrong("one of its lines is empty"));
            }
            if let Some(time) = line.strip_prefix("time ") {
                let read: Timestamp = time.parse().map_err(|_| wrong("its time is none"))?;
                if at.is_some() || format!("{read}") != time || read.subsec_nanosecond() != 0 {
                    return Err(wrong("its time is not one time in whole seconds of UTC"));
                }
                at = Some(read.as_second());
            }
        }
        Ok(Checkpoint { origin: origin.into(), size, root, at })
    }
}

/// The name of a checkpoint in records (`anchor`) and in the ledger: SHA-256 of the whole signed text.
pub fn id(signed: &str) -> Hash {
    Hash::of(signed.as_bytes())
}

/// How a ledger stands to a checkpoint that was made of it earlier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Consistency {
    /// Its first records are those, in that order.
    Same,
    /// It holds fewer: records were taken away, or it is another ledger.
    Shorter {
        /// How many it holds.
        holds: u64,
    },
    /// Its first records are others, or in another order: it was rewritten, or it is another ledger.
    Other {
        /// The root that it has at that size.
        root: Node,
    },
}

/// Compares checkpoints with a ledger, given its hashes in the order of arrival, one after the other. Answers in the order
/// of `old`.
pub fn compare(old: &[Checkpoint], hashes: impl IntoIterator<Item = Hash>) -> Vec<Consistency> {
    let mut tree = tree::Tree::new([]);
    let mut comparison = Comparison::new(old);
    comparison.at(&tree);
    for hash in hashes {
        tree.push(&hash);
        comparison.at(&tree);
    }
    comparison.end(tree.size())
}

/// A comparison that is going on while a tree grows.
struct Comparison<'a> {
    old: &'a [Checkpoint],
    answers: Vec<Option<Consistency>>,
    /// Which of them come next: by size, the largest first.
    coming: Vec<usize>,
}

impl<'a> Comparison<'a> {
    fn new(old: &'a [Checkpoint]) -> Self {
        let mut coming: Vec<usize> = (0..old.len()).collect();
        coming.sort_by_key(|at| std::cmp::Reverse(old[*at].size));
        Comparison { old, answers: vec![None; old.len()], coming }
    }

    /// The tree as it is now. To be told of each size, from 0.
    fn at(&mut self, tree: &tree::Tree) {
        while let Some(next) = self.coming.pop_if(|next| self.old[*next].size == tree.size()) {
            let root = tree.root();
            let same = root == self.old[next].root;
            self.answers[next] = Some(if same { Consistency::Same } else { Consistency::Other { root } });
        }
    }

    fn end(self, holds: u64) -> Vec<Consistency> {
        self.answers.into_iter().map(|answer| answer.unwrap_or(Consistency::Shorter { holds })).collect()
    }
}

/// A decimal without sign and leading zeros.
fn decimal(text: &str) -> Option<u64> {
    let number: u64 = text.parse().ok()?;
    (number.to_string() == text).then_some(number)
}

/// 32 bytes in base64, in their one spelling.
fn node(text: &str) -> Option<Node> {
    STANDARD.decode(text).ok()?.try_into().ok()
}

/// Why text is no checkpoint to rely on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// No signed note, or not signed by this key.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// A note that says something else.
    #[error("the note is no checkpoint: {0}")]
    Text(&'static str),
    /// Signed by this key, but in the name of another ledger.
    #[error("the checkpoint is of {found}, and the key is that of {key}")]
    Origin {
        /// Its first line.
        found: String,
        /// The name of the key.
        key: String,
    },
}

#[cfg(test)]
mod tests;
