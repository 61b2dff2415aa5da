//! Receipts that the ledger's keeper makes of bundles, and receipts verified without a ledger.

use std::collections::{HashMap, HashSet};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::read;
use crate::audit::checkpoint::note::LedgerPublic;
use crate::audit::checkpoint::receipt;
use crate::audit::checkpoint::survey::{Issued, held};
use crate::audit::ledger::Ledger;
use crate::audit::push::queue::{Item, Queue};
use crate::cli::Outcome;
use crate::cli::audit::desk::AuditDesk;
use crate::cli::audit::import::grouped;
use crate::cli::audit::trouble::{Transport, Trouble};
use crate::record::hash::Hash;
use crate::record::token::Record;

/// The receipt; the ledger held its records just now.
pub(super) fn receipt_of(issued: &Issued) -> Result<String, Trouble> {
    let proofs: Vec<String> = issued.proofs.iter().map(|proof| proof.text(&issued.signed)).collect();
    receipt::of(&proofs).map_err(|_| Trouble::Refused("none of these records is in the ledger".into()))
}

/// The hashes that a receipt is for, and how many of the queue the ledger does not hold: every record that it holds, or those
/// that lead to all of these. A line that it never got does not stand for others, nor does one that was forged.
pub(super) fn wanted(
    ledger: &mut dyn Ledger,
    queue: &Queue,
    every: bool,
) -> Result<(HashSet<Hash>, u64), Trouble> {
    let all: HashSet<Hash> =
        queue.chains().flat_map(|(_, items)| items.iter().map(|item| item.hash)).collect();
    let held = held(ledger, &all)?;
    let missing = (all.len() - held.len()) as u64;
    let wanted = match every {
        true => held,
        false => below_forged(ledger, queue, &held, queue.heads(|record| held.contains(record)))?,
    };
    match wanted.is_empty() {
        true => Err(Trouble::Refused("none of these records is in the ledger: nothing was signed".into())),
        false => Ok((wanted, missing)),
    }
}

/// These, and what forged ones among them name as the record before: who has a copy without the forged line needs a proof of
/// that one.
fn below_forged(
    ledger: &mut dyn Ledger,
    queue: &Queue,
    held: &HashSet<Hash>,
    mut heads: HashSet<Hash>,
) -> Result<HashSet<Hash>, Trouble> {
    let items: HashMap<Hash, &Item> =
        queue.chains().flat_map(|(_, items)| items.iter().map(|item| (item.hash, item))).collect();
    let mut to_look_at: Vec<Hash> = heads.iter().copied().collect();
    while let Some(head) = to_look_at.pop() {
        let item = items[&head];
        let Some(prev) = item.prev.filter(|prev| held.contains(prev) && items.contains_key(prev)) else {
            continue;
        };
        let Ok(record) = Record::parse(&queue.read(item)?) else { continue };
        let forged = ledger.key(&record.kid)?.is_some_and(|key| record.verify(&key).is_err());
        if forged && heads.insert(prev) {
            to_look_at.push(prev);
        }
    }
    Ok(heads)
}

/// `--receipt`: what it proves, and which records of the bundles it covers.
pub(super) fn verify(
    desk: &mut AuditDesk,
    path: &Path,
    public: &LedgerPublic,
    bundles: &[PathBuf],
) -> Result<Outcome, Trouble> {
    let proven = receipt::verify(&read(path)?, public)
        .map_err(|cause| Transport::Receipt { path: path.into(), cause })?;
    let queue = Queue::of(bundles)?;
    let open = uncovered(&queue, &proven.iter().map(|one| one.proof.record).collect());
    let outcome = if open.is_empty() { Outcome::Done } else { Outcome::Due };
    if desk.json {
        let proofs: Vec<_> = proven
            .iter()
            .map(|one| {
                let (size, at) = (one.checkpoint.size, one.checkpoint.at);
                serde_json::json!({
                    "record": one.proof.record, "index": one.proof.index, "checkpoint": one.checkpoint_id,
                    "size": size, "at": at,
                })
            })
            .collect();
        desk.object(&serde_json::json!({
            "ledger": public.name(), "proofs": proofs, "records": queue.len(), "not_covered": open,
        }))?;
        return Ok(outcome);
    }
    let mut text = String::new();
    for one in &proven {
        let at = one.checkpoint.at.and_then(|at| jiff::Timestamp::from_second(at).ok());
        let at = at.map_or("a time that is not given".into(), |at| at.to_string());
        text += &format!(
            "record {} was number {} of {} in {} at {at}\n",
            one.proof.record,
            grouped(one.proof.index + 1),
            grouped(one.checkpoint.size),
            public.name(),
        );
    }
    if !bundles.is_empty() {
        let covered = queue.len() - open.iter().map(|chain| chain.records).sum::<u64>();
        text += &format!("{} of {} records are covered\n", grouped(covered), grouped(queue.len()));
    }
    for Uncovered { chain, records, from } in &open {
        let from = from.map_or(String::new(), |seq| format!(", from number {seq} on"));
        text += &format!("NOT COVERED: {} of {chain}{from}\n", grouped(*records));
    }
    desk.text(&text)?;
    Ok(outcome)
}

/// Records of one chain that a receipt says nothing of.
#[derive(Serialize)]
struct Uncovered {
    chain: String,
    records: u64,
    from: Option<u64>,
}

/// What neither is proven itself nor stands below something proven.
fn uncovered(queue: &Queue, proven: &HashSet<Hash>) -> Vec<Uncovered> {
    let covered = queue.covered(proven);
    let mut open = Vec::new();
    for (chain, items) in queue.chains() {
        let rest: Vec<_> = items.iter().filter(|item| !covered.contains(&item.hash)).collect();
        if let Some(first) = rest.first() {
            open.push(Uncovered { chain: chain.into(), records: rest.len() as u64, from: first.seq });
        }
    }
    open
}
