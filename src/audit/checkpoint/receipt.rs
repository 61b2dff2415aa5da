//! A receipt: that a ledger held these records, in text that a kit can carry home. One or more proofs of the C2SP tlog-proof
//! format, one after the other, each for one record with the checkpoint it leads to. Before them may stand the newest of
//! these checkpoints and an empty line: what a kit anchors is there at the beginning.
//!
//! The record's hash is given as `extra`, so that people and programs find it; it is believed only where the proof bears
//! it out.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::note::LedgerPublic;
use super::tree::{self, Node};
use super::{Checkpoint, CheckpointError, decimal, node};
use crate::record::hash::Hash;

/// The first line of every proof.
const FIRST: &str = "c2sp.org/tlog-proof@v1";
/// A tree of 2^64 leaves is no higher.
const HIGHEST: usize = 64;

/// That one record is in a ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// The record.
    pub record: Hash,
    /// Its place in the order of arrival, from 0.
    pub index: u64,
    /// Siblings from its leaf up to below the root.
    pub path: Vec<Node>,
}

impl Proof {
    /// As text, with the signed checkpoint that it leads to.
    pub fn text(&self, checkpoint: &str) -> String {
        let mut text = format!("{FIRST}\nextra {}\nindex {}\n", STANDARD.encode(self.record.0), self.index);
        for node in &self.path {
            text.push_str(&STANDARD.encode(node));
            text.push('\n');
        }
        text + "\n" + checkpoint
    }

    /// Whether it leads to the root of that checkpoint.
    pub fn fits(&self, checkpoint: &Checkpoint) -> bool {
        let root = tree::root_by(tree::leaf(&self.record), self.index, checkpoint.size, &self.path);
        root == Some(checkpoint.root)
    }

    fn parse(text: &str) -> Result<(Self, &str), &'static str> {
        let (head, checkpoint) = text.split_once("\n\n").ok_or("it has no checkpoint")?;
        let mut lines = head.split('\n');
        if lines.next() != Some(FIRST) {
            return Err("it does not begin as a proof does");
        }
        let record = lines.next().and_then(|line| line.strip_prefix("extra ")).and_then(node);
        let index = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(decimal);
        let path: Option<Vec<Node>> = lines.map(node).take(HIGHEST + 1).collect();
        Ok((
            Proof {
                record: Hash(record.ok_or("it names no record")?),
                index: index.ok_or("it has no index")?,
                path: path.filter(|path| path.len() <= HIGHEST).ok_or("one of its lines is no hash")?,
            },
            checkpoint,
        ))
    }
}

/// A whole receipt of such proofs, which may lead to different checkpoints; the newest of these stands at its beginning.
///
/// # Errors
/// [`ReceiptError`], where one of them is none, or there is none.
pub fn of(proofs: &[String]) -> Result<String, ReceiptError> {
    let text = proofs.concat();
    Ok(format!("{}\n{text}", newest_checkpoint(&text)?))
}

/// One proof of a receipt that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The record and its place.
    pub proof: Proof,
    /// What the ledger signed.
    pub checkpoint: Checkpoint,
    /// The name of that checkpoint, [`super::id`].
    pub checkpoint_id: Hash,
}

/// Reads a receipt and verifies all of it: each proof, and the signature of each checkpoint.
///
/// # Errors
/// [`ReceiptError`], with which proof it is, counted from 1. A receipt holds as a whole or not at all.
pub fn verify(text: &str, key: &LedgerPublic) -> Result<Vec<Proven>, ReceiptError> {
    let mut checked: Option<(&str, Checkpoint)> = None;
    let mut proven = Vec::new();
    for (at, text) in cut(text)?.1.into_iter().enumerate() {
        let number = at + 1;
        let (proof, signed) = Proof::parse(text).map_err(|why| ReceiptError::Form { number, why })?;
        // Most proofs of a receipt lead to one checkpoint, whose signature need be verified once.
        let checkpoint = match &checked {
            Some((same, checkpoint)) if *same == signed => checkpoint.clone(),
            _ => {
                Checkpoint::verify(signed, key).map_err(|cause| ReceiptError::Checkpoint { number, cause })?
            }
        };
        if !proof.fits(&checkpoint) {
            return Err(ReceiptError::NotIncluded { number, record: proof.record });
        }
        proven.push(Proven { proof, checkpoint_id: super::id(signed), checkpoint: checkpoint.clone() });
        checked = Some((signed, checkpoint));
    }
    newest_checkpoint(text)?;
    Ok(proven)
}

/// The checkpoint in a receipt with most records, as text; what a kit remembers of it (`anchor`) is its [`super::id`]. A kit
/// takes it from the beginning of the receipt, so that what stands there has to be it. Believes the receipt: see [`verify`].
///
/// # Errors
/// [`ReceiptError::Form`], [`ReceiptError::Checkpoint`] and [`ReceiptError::Lead`].
pub fn newest_checkpoint(text: &str) -> Result<&str, ReceiptError> {
    let mut newest: Option<(u64, &str)> = None;
    let (lead, proofs) = cut(text)?;
    for (at, text) in proofs.into_iter().enumerate() {
        let number = at + 1;
        let (_, signed) = Proof::parse(text).map_err(|why| ReceiptError::Form { number, why })?;
        let size =
            Checkpoint::believe(signed).map_err(|cause| ReceiptError::Checkpoint { number, cause })?.size;
        if newest.is_none_or(|(most, _)| size > most) {
            newest = Some((size, signed));
        }
    }
    let newest = newest.map(|(_, signed)| signed).ok_or(ReceiptError::Empty)?;
    match lead.is_none_or(|lead| lead == newest) {
        true => Ok(newest),
        false => Err(ReceiptError::Lead),
    }
}

/// What stands before the proofs, and the proofs, at least one.
fn cut(text: &str) -> Result<(Option<&str>, Vec<&str>), ReceiptError> {
    if text.is_empty() {
        return Err(ReceiptError::Empty);
    }
    let first = format!("\n{FIRST}\n");
    let (lead, text) = match text.find(&first) {
        Some(at) if !text.starts_with(&first[1..]) => {
            let lead = text[..at + 1].strip_suffix('\n').ok_or(ReceiptError::Lead)?;
            (Some(lead), &text[at + 1..])
        }
        _ => (None, text),
    };
    let mut starts: Vec<usize> = vec![0];
    starts.extend(text.match_indices(&first).map(|(at, _)| at + 1));
    starts.push(text.len());
    Ok((lead, starts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect()))
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Nothing in it.
    #[error("the receipt is empty")]
    Empty,
    /// What stands before its proofs.
    #[error("what the receipt begins with is not the newest checkpoint of its proofs")]
    Lead,
    /// Not in the form of a proof.
    #[error("proof {number} of the receipt cannot be read: {why}")]
    Form {
        /// Which, from 1.
        number: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// Its checkpoint does not verify.
    #[error("proof {number} of the receipt: {cause}")]
    Checkpoint {
        /// Which, from 1.
        number: usize,
        /// Why.
        #[source]
        cause: CheckpointError,
    },
    /// The proof does not lead to the root.
    #[error("proof {number} of the receipt does not show that record {record} was in the ledger")]
    NotIncluded {
        /// Which, from 1.
        number: usize,
        /// The record that it names.
        record: Hash,
    },
}
