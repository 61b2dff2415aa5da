//! Exports of which the ledger holds every line, whoever brought them.

use std::collections::HashSet;
use std::ops::ControlFlow;

use sha2::{Digest, Sha256};

use crate::audit::ledger::{Evidence, LedgerError, Signature, Which};
use crate::record::event::{Event, Exported};
use crate::record::hash::Hash;

/// Of more exports than this nobody asks at once.
const MOST: usize = 64;

/// One export, and the lines it counts as far as they were met.
struct Sum {
    record: Hash,
    facts: Exported,
    lines: u64,
    hash: Sha256,
}

/// Of these records of exports, those of which the ledger holds the very lines: put together again in the order of a bundle,
/// they have the hash that was signed. Reads the records of each kit that made one of them twice.
pub(super) fn held(
    evidence: &mut dyn Evidence,
    kits: &[Hash],
    wanted: &HashSet<Hash>,
) -> Result<HashSet<Hash>, LedgerError> {
    let mut held = HashSet::new();
    if wanted.is_empty() {
        return Ok(held);
    }
    for kit in kits {
        let mut sums: Vec<Sum> = Vec::new();
        evidence.records(kit, Which::All, &mut |one| {
            if let (Event::Exported(facts), Signature::Good) = (&one.record.event, one.signature)
                && wanted.contains(&one.record.hash())
                && sums.len() < MOST
            {
                let (record, facts) = (one.record.hash(), facts.clone());
                sums.push(Sum { record, facts, lines: 0, hash: Sha256::new() });
            }
            ControlFlow::Continue(())
        })?;
        if sums.is_empty() {
            continue;
        }
        // By chain and place: as a bundle has them.
        evidence.records(kit, Which::All, &mut |one| {
            let (chain, seq) = (one.record.chain_name(), one.record.link.seq);
            let counted = |sum: &&mut Sum| sum.facts.heads.get(&chain).is_some_and(|(head, _)| seq <= *head);
            if one.signature == Signature::Good {
                for sum in sums.iter_mut().filter(counted) {
                    sum.hash.update(one.record.bytes());
                    sum.hash.update(b"\n");
                    sum.lines += 1;
                }
            }
            ControlFlow::Continue(())
        })?;
        let whole = |sum: Sum| {
            let same = sum.lines == sum.facts.count && sum.hash.finalize()[..] == sum.facts.bundle.0[..];
            same.then_some(sum.record)
        };
        held.extend(sums.into_iter().filter_map(whole));
    }
    Ok(held)
}
