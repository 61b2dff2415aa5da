//! Proofs without going through the whole ledger: the roots of its blocks, and eight bytes of each record's hash to find it by.
//! A million records take eight megabytes.

use crate::audit::checkpoint::receipt::Proof;
use crate::audit::checkpoint::tree::{self, Node, Tree};
use crate::audit::ledger::{Ledger, LedgerError};
use crate::record::hash::Hash;

/// Leaves of a block; a power of two.
const BLOCK: u64 = 1024;
/// So many hashes are read at a time.
const AT_ONCE: u64 = 16 * BLOCK;

/// What is known of the ledger's order of arrival.
#[derive(Debug, Default)]
pub struct Shelf {
    /// The root of each whole block.
    blocks: Vec<Node>,
    /// Hashes of the block that is not whole yet.
    rest: Vec<Hash>,
    /// The beginning of each record's hash, in order of arrival.
    beginnings: Vec<u64>,
}

impl Shelf {
    /// How many records.
    pub fn size(&self) -> u64 {
        self.beginnings.len() as u64
    }

    /// Reads what has arrived since.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn catch_up(&mut self, ledger: &mut dyn Ledger) -> Result<(), LedgerError> {
        let size = ledger.size()?;
        while self.size() < size {
            for hash in ledger.arrivals(self.size(), (self.size() + AT_ONCE).min(size))? {
                self.beginnings.push(beginning(&hash));
                self.rest.push(hash);
                if self.rest.len() as u64 == BLOCK {
                    self.blocks.push(tree::root(self.rest.drain(..)));
                }
            }
        }
        Ok(())
    }

    /// The root over all of it.
    pub fn root(&self) -> Node {
        let mut tree = Tree::new([]);
        self.blocks.iter().for_each(|block| tree.push_subtree(BLOCK, *block));
        self.rest.iter().for_each(|hash| tree.push(hash));
        tree.root()
    }

    /// That a record is among them; `None`: it is not.
    ///
    /// # Errors
    /// [`LedgerError`].
    pub fn prove(&self, ledger: &mut dyn Ledger, record: &Hash) -> Result<Option<Proof>, LedgerError> {
        let wanted = beginning(record);
        let alike = self.beginnings.iter().enumerate().filter(|(_, known)| **known == wanted);
        for index in alike.map(|(index, _)| index as u64) {
            let start = index / BLOCK * BLOCK;
            let block = match self.blocks.get((index / BLOCK) as usize) {
                Some(_) => ledger.arrivals(start, start + BLOCK)?,
                None => self.rest.clone(),
            };
            if block.get((index - start) as usize) == Some(record) {
                return Ok(Some(self.path(index, &block)));
            }
        }
        Ok(None)
    }

    /// The proof of one record of that block.
    fn path(&self, index: u64, block: &[Hash]) -> Proof {
        let mut tree = Tree::new([index]);
        for (at, root) in self.blocks.iter().enumerate() {
            if at as u64 == index / BLOCK {
                block.iter().for_each(|hash| tree.push(hash));
            } else {
                tree.push_subtree(BLOCK, *root);
            }
        }
        self.rest.iter().for_each(|hash| tree.push(hash));
        let (_, mut paths) = tree.finish();
        let at = (index % BLOCK) as usize;
        Proof { record: block[at], index, path: paths.remove(&index).unwrap_or_default() }
    }
}

fn beginning(hash: &Hash) -> u64 {
    u64::from_le_bytes(*hash.0.first_chunk().expect("32 bytes hold 8"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::checkpoint::survey::survey;
    use crate::audit::ledger::Signature;
    use crate::audit::ledger::sqlite::Sqlite;
    use crate::record::sample::{NOON, Writer};

    #[test]
    fn each_record_is_proven_as_by_going_through_all_of_them() {
        let mut writer = Writer::founder(1);
        writer.open(2 * BLOCK as usize + 40);
        let mut ledger = Sqlite::in_memory();
        let mut shelf = Shelf::default();
        for part in writer.records.chunks(700) {
            let records: Vec<_> = part.iter().map(|record| (record.clone(), Signature::Unknown)).collect();
            ledger.store(&records, NOON).unwrap();
            shelf.catch_up(&mut ledger).unwrap();
            let wanted: Vec<Hash> = [0, 5, part.len() - 1].map(|at| part[at].hash()).into();
            let all =
                survey(&mut ledger, &wanted.iter().copied().chain([writer.records[3].hash()]).collect(), &[])
                    .unwrap();
            assert_eq!((shelf.size(), shelf.root()), (all.size, all.root));
            for proof in all.proofs {
                assert_eq!(shelf.prove(&mut ledger, &proof.record).unwrap(), Some(proof));
            }
        }
        assert_eq!(shelf.blocks.len(), 2);
        assert_eq!(shelf.prove(&mut ledger, &Hash::of(b"never there")).unwrap(), None);
    }
}
