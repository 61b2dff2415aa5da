//! The kit's records: a chain for each key, read from the kit and from where new records go.

use std::collections::BTreeMap;

use crate::kit::finding::Finding;
use crate::kit::folder::{Folder, FolderError};
use crate::record::chain::{Chain, Depth, Relation, Severity, Tail};
use crate::record::hash::Hash;
use crate::record::token::Record;

/// What stands in a file name between a chain's name and the hash of the branch that lost.
pub(crate) const FORK: &str = ".fork-";

/// What stands in a file name between a chain's name and the hash of its journal as it was before a merge mended it.
pub(crate) const DAMAGED: &str = ".damaged-";

/// Every chain of a kit, and what was appended since it was read.
#[derive(Debug, Default)]
pub struct Journal {
    chains: BTreeMap<String, Held>,
    /// The losing branches that a merge kept.
    forks: Vec<(String, Chain)>,
    /// Chains of which the kit and the other journal folder hold different branches.
    split: Vec<String>,
    /// Files that hold the records of a chain which has a file of its own.
    copies: Vec<(Chain, String)>,
}

#[derive(Debug)]
struct Held {
    chain: Chain,
    added: Vec<Record>,
    /// Length of the file that is appended to, in bytes; `None` if it does not exist yet.
    length: Option<u64>,
}

impl Held {
    fn records(&self) -> impl DoubleEndedIterator<Item = &Record> + Clone {
        let chain: Vec<&Record> = self.chain.records().collect();
        chain.into_iter().chain(self.added.iter())
    }

    fn last(&self) -> Option<&Record> {
        self.added.last().or_else(|| self.chain.head())
    }
}

impl Journal {
    /// Reads every chain. Never fails for what is in a file: damage is held with its line.
    pub fn read(folder: &Folder, depth: Depth) -> Result<Self, FolderError> {
        let mut journal = Journal::default();
        for (name, bytes) in folder.journal_files()? {
            let chain = Chain::read(name.split(FORK).next().unwrap_or(&name), &bytes, depth);
            if name.contains(FORK) {
                journal.forks.push((name, chain));
                continue;
            }
            let length = folder.length(&name)?;
            let better = match journal.chains.get(&name).map(|held| chain.compare(&held.chain)) {
                None => true,
                Some(Relation::Longer(_) | Relation::Equal) => true,
                Some(Relation::Shorter(_)) => false,
                Some(Relation::Fork { .. }) => {
                    journal.split.push(name.clone());
                    true
                }
            };
            if better {
                journal.chains.insert(name, Held { chain, added: Vec::new(), length });
            }
        }
        journal.set_copies_aside();
        Ok(journal)
    }

    /// A file of another name than its records is not read as a second journal of the same key.
    fn set_copies_aside(&mut self) {
        let of = |held: &Held| held.chain.head().map(Record::chain_name);
        let copies: Vec<(String, String)> = self
            .chains
            .iter()
            .filter_map(|(name, held)| Some((name.clone(), of(held)?)))
            .filter(|(name, of)| name != of && self.chains.contains_key(of))
            .collect();
        for (name, of) in copies {
            self.copies.extend(self.chains.remove(&name).map(|held| (held.chain, of)));
        }
    }

    /// Copies that hold something which the journal of their key lacks.
    fn more_than_ours(&self) -> impl Iterator<Item = String> {
        self.copies.iter().filter_map(|(copy, of)| {
            let ours = &self.chains.get(of)?.chain;
            let less = matches!(copy.compare(ours), Relation::Equal | Relation::Shorter(_));
            (!less).then(|| format!("journal {} holds records of {of} that journal {of} lacks", copy.name()))
        })
    }

    /// Sets unterminated last lines aside, or gives them the line feed that they lack. Says what it did. The lock must
    /// be held.
    pub fn mend(&self, folder: &Folder) -> Result<Vec<Finding>, FolderError> {
        let mut done = Vec::new();
        for (name, held) in self.chains.iter().filter(|(_, held)| held.length.is_some()) {
            match held.chain.tail() {
                Tail::None => {}
                Tail::Complete(record) => {
                    folder.complete_tail(name)?;
                    let text = format!(
                        "journal {name}: its last record, {}, lacked its line feed; it has it now",
                        record.link.seq
                    );
                    done.push(Finding::note("JOURNAL-TORN", text));
                }
                Tail::Torn(tail) => {
                    let whole = held.length.unwrap_or(0).saturating_sub(tail.len() as u64);
                    let aside = folder.set_tail_aside(name, whole, tail)?;
                    let text = format!(
                        "journal {name}: {} bytes of a write that did not end are kept in {aside}",
                        tail.len()
                    );
                    done.push(Finding::note("JOURNAL-TORN", text));
                }
            }
        }
        Ok(done)
    }

    /// Whether some file ends in an unterminated line.
    pub fn is_torn(&self) -> bool {
        self.chains.values().any(|held| held.length.is_some() && !matches!(held.chain.tail(), Tail::None))
    }

    /// Whether there is no journal at all.
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }

    /// Every intact record with its chain's name, chain by chain, each in order.
    pub fn records(&self) -> impl Iterator<Item = (&str, &Record)> + Clone {
        self.chains.iter().flat_map(|(name, held)| held.records().map(move |record| (name.as_str(), record)))
    }

    /// Every chain as it was read.
    pub fn chains(&self) -> impl Iterator<Item = &Chain> {
        self.chains.values().map(|held| &held.chain)
    }

    /// Sequence number and hash of the last intact record of a chain.
    pub fn last(&self, chain: &str) -> Option<(u64, Hash)> {
        self.chains.get(chain)?.last().map(|record| (record.link.seq, record.hash()))
    }

    /// Hash of the record at a place of a chain.
    pub fn hash_at(&self, chain: &str, seq: u64) -> Option<Hash> {
        let held = self.chains.get(chain)?;
        held.records().rev().find(|record| record.link.seq == seq).map(Record::hash)
    }

    /// Heads of the other chains, for a record's `seen`: those that are newest by their own claim, if they are many.
    pub fn seen(&self, except: &str) -> BTreeMap<String, (u64, Hash)> {
        let mut heads: Vec<(i64, &String, &Record)> = self
            .chains
            .iter()
            .filter(|(name, _)| *name != except)
            .filter_map(|(name, held)| held.last().map(|record| (record.iat, name, record)))
            .collect();
        heads.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(b.1)));
        heads.truncate(crate::record::token::SEEN_MAX);
        heads.into_iter().map(|(_, name, record)| (name.clone(), (record.link.seq, record.hash()))).collect()
    }

    /// How many records there are.
    pub fn count(&self) -> usize {
        self.chains.values().map(|held| held.chain.records().count() + held.added.len()).sum()
    }

    /// Makes a record durable at the end of its chain.
    pub fn append(&mut self, folder: &Folder, chain: &str, record: &Record) -> Result<(), FolderError> {
        let length = self.chains.get(chain).and_then(|held| held.length);
        let now = folder.append(chain, length, record.bytes())?;
        let held = self.chains.entry(chain.to_owned()).or_insert_with(|| Held {
            chain: Chain::read(chain, b"", Depth::Links),
            added: Vec::new(),
            length: None,
        });
        held.length = Some(now);
        held.added.push(record.clone());
        Ok(())
    }

    /// What is wrong with the journal, as one sentence, or nothing.
    pub fn damage(&self) -> Option<String> {
        let all: Vec<String> = self
            .chains()
            .filter_map(|chain| chain.check().err())
            .map(|damage| damage.to_string())
            .chain(self.more_than_ours())
            .collect();
        (!all.is_empty()).then(|| all.join("; "))
    }

    /// Everything that was found about the chains.
    pub fn findings(&self) -> Vec<Finding> {
        let damage =
            self.chains().filter_map(|chain| chain.check().err()).map(|damage| match damage.severity {
                // Signed by the key, in words of a newer version: nothing is wrong with it.
                Severity::CannotRead => Finding::not_checked("JOURNAL-UNREADABLE", damage.to_string()),
                Severity::CannotCheck | Severity::Wrong => {
                    Finding::wrong("JOURNAL-DAMAGED", damage.to_string())
                }
            });
        let torn = self.chains.iter().filter_map(|(name, held)| match held.chain.tail() {
            Tail::None => None,
            Tail::Complete(_) => Some((name, "a whole record without its line feed".to_owned())),
            Tail::Torn(tail) => Some((name, format!("{} bytes of a write that did not end", tail.len()))),
        });
        let torn = torn.map(|(name, what)| {
            let text = format!("journal {name} ends in {what}; the next command that writes sets it right");
            Finding::note("JOURNAL-TORN", text)
        });
        let forks = self.forks.iter().map(|(name, branch)| {
            let text = match ends_at_intent(branch) {
                true => format!(
                    "journal {name} is a branch that ends with an intent: possibly a crash while another stick was used"
                ),
                false => format!("journal {name} is another branch of the same chain: its key signed twice"),
            };
            Finding::wrong("JOURNAL-FORK", text)
        });
        let split = self.split.iter().map(|name| {
            let text =
                format!("journal {name} has another branch in the kit than in the other journal folder");
            Finding::wrong("JOURNAL-FORK", text)
        });
        let copies = self.copies.iter().map(|(copy, of)| {
            let text = format!("journal {} is a copy of journal {of}; nothing is read from it", copy.name());
            Finding::note("JOURNAL-COPY", text)
        });
        let more = self.more_than_ours().map(|text| Finding::wrong("JOURNAL-COPY", text));
        damage.chain(torn).chain(forks).chain(split).chain(copies).chain(more).collect()
    }
}

fn ends_at_intent(branch: &Chain) -> bool {
    use crate::record::event::Event;
    branch.head().is_some_and(|record| matches!(record.event, Event::OpenIntent(_)))
}
