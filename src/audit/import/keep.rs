//! Stores what was found, in the order of the lines, some thousand records a transaction.

use std::sync::mpsc::Receiver;

use super::judge::{Judged, Keys};
use crate::attestation::Serial;
use crate::audit::ledger::{Fate, Ledger, LedgerError, SetAside, Signature};
use crate::record::hash::KeyId;
use crate::record::token::Record;

/// Records in one transaction.
const BATCH: usize = 4_000;

/// What was done.
#[derive(Default)]
pub(super) struct Kept {
    pub(super) stored: u64,
    pub(super) known: u64,
    pub(super) set_aside: u64,
    pub(super) bad: u64,
    pub(super) unverified: u64,
    /// The record of the last line, if that is one.
    pub(super) last: Option<Record>,
    /// Whether there were records of more than one chain.
    pub(super) several_chains: bool,
}

struct Keeper<'a> {
    ledger: &'a mut dyn Ledger,
    keys: &'a Keys,
    at: i64,
    kept: Kept,
    chain: Option<(KeyId, Serial)>,
    records: Vec<(Record, Signature)>,
    lines: Vec<SetAside>,
}

/// Stores the answers, each of which is waited for in its turn.
pub(super) fn work(
    ledger: &mut dyn Ledger,
    order: Receiver<Receiver<Vec<Judged>>>,
    keys: &Keys,
    at: i64,
    aside: &mut (dyn FnMut(&SetAside) + Send),
) -> Result<Kept, LedgerError> {
    let (records, lines) = (Vec::new(), Vec::new());
    let mut keeper = Keeper { ledger, keys, at, kept: Kept::default(), chain: None, records, lines };
    for answered in order {
        // No answer comes only where the reader was told to stop, and its piece was never judged.
        for judged in answered.recv().into_iter().flatten() {
            match judged {
                Judged::Record(record, signature) => {
                    let chain = (record.kid, record.serial);
                    keeper.kept.several_chains |= *keeper.chain.get_or_insert(chain) != chain;
                    keeper.kept.last = Some(record.clone());
                    keeper.records.push((record, signature));
                }
                Judged::Aside(line) => {
                    keeper.kept.last = None;
                    keeper.kept.set_aside += 1;
                    aside(&line);
                    keeper.lines.push(line);
                }
            }
            if keeper.records.len() + keeper.lines.len() >= BATCH {
                keeper.flush()?;
            }
        }
    }
    keeper.flush()?;
    Ok(keeper.kept)
}

impl Keeper<'_> {
    fn flush(&mut self) -> Result<(), LedgerError> {
        if !self.lines.is_empty() {
            self.ledger.put_aside(&self.lines)?;
            self.lines.clear();
        }
        if self.records.is_empty() {
            return Ok(());
        }
        let fates = self.ledger.store(&self.records, self.at)?;
        let mut told = None;
        for ((record, judged), fate) in self.records.iter().zip(fates) {
            let signature = match fate {
                Fate::Stored(signature) => {
                    self.kept.stored += 1;
                    signature
                }
                Fate::Known(signature) => {
                    self.kept.known += 1;
                    signature
                }
                Fate::SetAside => Signature::Unknown,
            };
            match signature {
                Signature::Good => {}
                Signature::Bad => self.kept.bad += 1,
                Signature::Unknown => self.kept.unverified += 1,
            }
            // The ledger knew a key that this import had not met: from now on the other threads know it too.
            let new = *judged == Signature::Unknown && signature != Signature::Unknown;
            if new && told != Some(record.kid) {
                if let Some(key) = self.ledger.key(&record.kid)? {
                    self.keys.put(record.kid, key);
                }
                told = Some(record.kid);
            }
        }
        self.records.clear();
        Ok(())
    }
}
