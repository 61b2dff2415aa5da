//! What there is to send: every line of the bundles, once each, by chain. Lines stay in their files; what is held of each is
//! where it stands and its hash.
//!
//! A line that cannot be read is sent all the same: it may be a record of a newer version, and if it is damage, the receiver keeps
//! it as evidence. Only a line that is too long for any receiver, and one that was cut off at the end of its file, stay here.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;

use crate::record::hash::Hash;
use crate::record::token::{READ_CAP, Record};

/// One line to send.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Item {
    /// SHA-256 of its bytes.
    pub hash: Hash,
    /// Its place in its chain, where it can be read.
    pub seq: Option<u64>,
    /// The record that it names as the one before it.
    pub prev: Option<Hash>,
    /// What it is sorted by: its place, or that of the line before it in the same chain.
    order: u64,
    file: usize,
    offset: u64,
    length: usize,
}

/// All of them.
#[derive(Debug)]
pub struct Queue {
    files: Vec<(PathBuf, File)>,
    /// In the order in which the bundles name them.
    chains: Vec<(String, Vec<Item>)>,
    /// Lines that are not sent: where, and why.
    left_out: Vec<(String, &'static str)>,
    repeated: u64,
}

impl Queue {
    /// Reads the bundles once.
    ///
    /// # Errors
    /// [`QueueError::Io`], where one cannot be read; [`QueueError::NoFile`].
    pub fn of(bundles: &[PathBuf]) -> Result<Self, QueueError> {
        let mut queue = Queue { files: vec![], chains: vec![], left_out: vec![], repeated: 0 };
        let mut index = Index::default();
        for path in bundles {
            let io = |cause| QueueError::Io { path: path.clone(), cause };
            match std::fs::metadata(path) {
                Ok(about) if about.is_file() => {}
                Err(error) if path.as_os_str() != "-" => return Err(io(error)),
                _ => return Err(QueueError::NoFile { path: path.clone() }),
            }
            let file = File::open(path).map_err(io)?;
            let number = queue.files.len();
            let reader = BufReader::with_capacity(64 * 1024, file.try_clone().map_err(io)?);
            queue.files.push((path.clone(), file));
            lines(reader, &mut |line| queue.add(&mut index, number, path, line)).map_err(io)?;
        }
        for (_, items) in &mut queue.chains {
            items.sort_by_key(|item| item.order); // stable: a fork and what cannot be read stay as they stand
        }
        Ok(queue)
    }

    fn add(&mut self, index: &mut Index, file: usize, path: &Path, line: Line<'_>) {
        let here = || format!("line {} of {}", line.number, path.display());
        let Some(bytes) = line.bytes else {
            self.left_out.push((here(), "too long to be a record"));
            return;
        };
        if bytes.is_empty() {
            return;
        }
        let record = Record::parse(bytes);
        if !line.ended && record.is_err() {
            self.left_out.push((here(), "cut off in the middle"));
            return;
        }
        let hash = Hash::of(bytes);
        if !index.seen.insert(hash) {
            self.repeated += 1;
            return;
        }
        let (name, seq, prev) = match &record {
            Ok(record) => (record.chain_name(), Some(record.link.seq), record.link.prev),
            Err(_) => (index.chain_of(bytes).unwrap_or_else(here), None, None),
        };
        if let Ok(record) = &record {
            index.names.entry(record.kid.to_string()).or_insert_with(|| name.clone());
        }
        let chain = *index.chains.entry(name.clone()).or_insert_with(|| {
            self.chains.push((name, Vec::new()));
            self.chains.len() - 1
        });
        let items = &mut self.chains[chain].1;
        let order = seq.or_else(|| items.last().map(|item| item.order)).unwrap_or(0);
        items.push(Item { hash, seq, prev, order, file, offset: line.offset, length: bytes.len() });
    }

    /// How many lines there are to send.
    pub fn len(&self) -> u64 {
        self.chains.iter().map(|(_, items)| items.len() as u64).sum()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.chains.is_empty()
    }

    /// Each chain with its lines, in the order in which they are to be sent.
    pub fn chains(&self) -> impl Iterator<Item = (&str, &[Item])> {
        self.chains.iter().map(|(name, items)| (name.as_str(), items.as_slice()))
    }

    /// Of the records that count, those that none of them names as the one before it: together they vouch for all that they
    /// lead to. More than one of a chain where it forks, or where one between them does not count.
    pub fn heads(&self, counts: impl Fn(&Hash) -> bool) -> HashSet<Hash> {
        let mut heads = HashSet::new();
        for (_, items) in &self.chains {
            let counting = || items.iter().filter(|item| item.seq.is_some() && counts(&item.hash));
            let named: HashSet<Hash> = counting().filter_map(|item| item.prev).collect();
            heads.extend(counting().map(|item| item.hash).filter(|hash| !named.contains(hash)));
        }
        heads
    }

    /// What is proven, and what stands below it in its chain: a record vouches for the one that it names as its `prev`.
    pub fn covered(&self, proven: &HashSet<Hash>) -> HashSet<Hash> {
        let mut covered = HashSet::new();
        for (_, items) in &self.chains {
            let below: HashMap<Hash, Option<Hash>> =
                items.iter().map(|item| (item.hash, item.prev)).collect();
            for item in items.iter().filter(|item| proven.contains(&item.hash)) {
                let mut next = Some(item.hash);
                while let Some(hash) = next
                    && let Some(prev) = below.get(&hash)
                    && covered.insert(hash)
                {
                    next = *prev;
                }
            }
        }
        covered
    }

    /// Lines that are not sent: where they stand, and why.
    pub fn left_out(&self) -> &[(String, &'static str)] {
        &self.left_out
    }

    /// How many lines stand there more than once.
    pub fn repeated(&self) -> u64 {
        self.repeated
    }

    /// The bytes of a line.
    ///
    /// # Errors
    /// [`QueueError`], where the file cannot be read or is no longer what it was.
    pub fn read(&self, item: &Item) -> Result<Vec<u8>, QueueError> {
        let (path, file) = &self.files[item.file];
        let mut bytes = vec![0; item.length];
        match file.read_exact_at(&mut bytes, item.offset) {
            Ok(()) if Hash::of(&bytes) == item.hash => Ok(bytes),
            Err(cause) if cause.kind() != io::ErrorKind::UnexpectedEof => {
                Err(QueueError::Io { path: path.clone(), cause })
            }
            _ => Err(QueueError::Changed { path: path.clone() }),
        }
    }
}

/// What helps to find the chain of a line.
#[derive(Default)]
struct Index {
    seen: HashSet<Hash>,
    chains: HashMap<String, usize>,
    /// Chain name by key id.
    names: HashMap<String, String>,
}

impl Index {
    /// The chain of a line that this version cannot read: by the key that its header names.
    fn chain_of(&self, bytes: &[u8]) -> Option<String> {
        #[derive(Deserialize)]
        struct Header {
            kid: String,
        }
        let header = bytes.split(|byte| *byte == b'.').next()?;
        let Header { kid } = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        self.names.get(&kid).cloned().or_else(|| kid.parse::<Hash>().ok().map(|_| format!("key {kid}")))
    }
}

/// One line of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Line<'a> {
    /// From 1.
    number: u64,
    /// Where it begins.
    offset: u64,
    /// Without its line feed; `None` where it is longer than [`READ_CAP`].
    bytes: Option<&'a [u8]>,
    /// Whether a line feed ends it.
    ended: bool,
}

/// Goes through the lines and holds one of them, at most [`READ_CAP`] bytes.
fn lines(mut reader: impl BufRead, each: &mut dyn FnMut(Line<'_>)) -> io::Result<()> {
    let (mut number, mut offset, mut length) = (1, 0, 0);
    let mut held = Vec::new();
    loop {
        let buffer = reader.fill_buf()?;
        let end = buffer.is_empty();
        let feed = memchr::memchr(b'\n', buffer);
        let part = &buffer[..feed.unwrap_or(buffer.len())];
        if held.len() + part.len() <= READ_CAP {
            held.extend_from_slice(part);
        }
        let taken = part.len() + usize::from(feed.is_some());
        length += part.len();
        if feed.is_some() || (end && length > 0) {
            let bytes = (length <= READ_CAP).then_some(held.as_slice());
            each(Line { number, offset, bytes, ended: feed.is_some() });
            offset += (length + 1) as u64;
            (number, length) = (number + 1, 0);
            held.clear();
        }
        if end {
            return Ok(());
        }
        reader.consume(taken);
    }
}

/// Why a bundle cannot be sent.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// Reading it failed.
    #[error("cannot read {}: {cause}", path.display())]
    Io {
        /// Which.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// Somebody wrote into it meanwhile.
    #[error("{} was changed while it was being sent", path.display())]
    Changed {
        /// Which.
        path: PathBuf,
    },
    /// A pipe, a folder, or `-`: lines are read when they are sent, and again where they have to be.
    #[error("{} is no file: records are sent from files", path.display())]
    NoFile {
        /// What was named.
        path: PathBuf,
    },
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::record::sample::{Writer, journal};

    fn queue(files: &[&[u8]]) -> (tempfile::TempDir, Queue) {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = files
            .iter()
            .enumerate()
            .map(|(n, bytes)| {
                let path = folder.path().join(format!("{n}.jws"));
                std::fs::write(&path, bytes).unwrap();
                path
            })
            .collect();
        let queue = Queue::of(&paths).unwrap();
        (folder, queue)
    }

    fn bytes(queue: &Queue) -> Vec<Vec<u8>> {
        queue.chains().flat_map(|(_, items)| items).map(|item| queue.read(item).unwrap()).collect()
    }

    #[test]
    fn each_chain_is_sent_in_its_order_and_each_line_once() {
        let (mut a, mut b) = (Writer::founder(1), Writer::founder(2));
        a.open(4);
        b.open(2);
        let mixed: Vec<_> = [3, 0, 5, 1, 4, 2].map(|at| a.records[at].clone()).into();
        let (_folder, queue) = queue(&[&journal(&mixed), &journal(&b.records), &journal(&a.records)]);
        let expected: Vec<Vec<u8>> =
            a.records.iter().chain(&b.records).map(|record| record.bytes().to_vec()).collect();
        assert_eq!(bytes(&queue), expected);
        assert_eq!((queue.len(), queue.repeated()), (10, 6));
        assert_eq!(queue.chains().map(|(name, _)| name).collect::<Vec<_>>(), [a.name(), b.name()]);
        assert_eq!(queue.heads(|_| true), HashSet::from([a.records[5].hash(), b.records[3].hash()]));
    }

    #[test]
    fn what_cannot_be_read_is_sent_where_it_stands() {
        let mut a = Writer::founder(1);
        a.open(2);
        let lines: Vec<&[u8]> = a.records.iter().map(|record| record.bytes()).collect();
        let newer = [&lines[2][..lines[2].len() / 2], b"x"].concat(); // its header still names the key
        let file = [lines[0], lines[1], &newer, b"damage", lines[2], b"", lines[3]].join(&b'\n');
        let (_folder, queue) = queue(&[&file]);
        let chains: Vec<_> = queue.chains().map(|(name, items)| (name.to_owned(), items.len())).collect();
        assert_eq!(chains.len(), 2);
        assert_eq!(chains[0], (a.name(), 5));
        assert!(chains[1].0.starts_with("line 4 of ") && chains[1].1 == 1);
        assert_eq!(bytes(&queue), [lines[0], lines[1], &newer, lines[2], lines[3], b"damage"]);
        assert_eq!(queue.heads(|_| true).len(), 1, "what cannot be read vouches for nothing");
    }

    #[test]
    fn heads_lead_to_every_record_that_counts_and_to_no_other() {
        let mut a = Writer::founder(1);
        a.open(4);
        let hashes: Vec<Hash> = a.records.iter().map(|record| record.hash()).collect();
        // A record that says it is far ahead; and a fork at number 3.
        let alone = |seq: u64, at: usize| {
            let mut draft = a.draft(crate::record::sample::intent());
            draft.link = a.records[at].link.clone();
            draft.link.seq = seq;
            draft.iat += 1;
            a.sign(draft)
        };
        let (forged, fork) = (alone(1_000, 5), alone(3, 3));
        let (_folder, queue) = queue(&[&a.journal(), &journal(&[forged.clone(), fork.clone()])]);
        assert_eq!(queue.heads(|hash| *hash != forged.hash()), HashSet::from([hashes[5], fork.hash()]));
        let covered = queue.covered(&HashSet::from([hashes[5]]));
        assert_eq!(covered, hashes.iter().copied().collect());
        // One in the middle that does not count leaves two runs, each with its head.
        let heads = queue.heads(|hash| ![forged.hash(), fork.hash(), hashes[2]].contains(hash));
        assert_eq!(heads, HashSet::from([hashes[5], hashes[1]]));
        assert!(queue.heads(|_| false).is_empty());
    }

    #[test]
    fn what_is_no_file_is_named() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_path_buf(), "-".into(), "/dev/null".into()] {
            assert!(matches!(Queue::of(&[path]), Err(QueueError::NoFile { .. })));
        }
    }

    #[test]
    fn what_nobody_takes_stays_here_and_is_named() {
        let a = Writer::founder(1);
        let whole = a.records[1].bytes();
        let long = vec![b'a'; READ_CAP + 1];
        let file = [a.records[0].bytes(), &long, whole, &whole[..100]].join(&b'\n');
        let (_folder, queue) = queue(&[&file]);
        assert_eq!(queue.len(), 2);
        let left: Vec<_> = queue.left_out().iter().map(|(_, why)| *why).collect();
        assert_eq!(left, ["too long to be a record", "cut off in the middle"]);
        // A whole last record without its line feed is sent.
        let (_folder, queue) = self::queue(&[whole]);
        assert_eq!(bytes(&queue), [whole]);
    }

    #[test]
    fn a_bundle_that_changes_meanwhile_is_not_sent() {
        let a = Writer::founder(1);
        let (folder, queue) = queue(&[&a.journal()]);
        let item = queue.chains().next().unwrap().1[1];
        std::fs::write(folder.path().join("0.jws"), vec![b'x'; 5000]).unwrap();
        assert!(matches!(queue.read(&item), Err(QueueError::Changed { .. })));
        std::fs::write(folder.path().join("0.jws"), b"").unwrap();
        assert!(matches!(queue.read(&item), Err(QueueError::Changed { .. })));
    }

    proptest! {
        /// Lines are cut where `split` cuts them, whatever the size of the buffer.
        #[test]
        fn lines_are_lines(file in prop::collection::vec(prop_oneof![Just(b'\n'), any::<u8>()], 0..400), size in 1usize..50) {
            let mut found = Vec::new();
            lines(BufReader::with_capacity(size, &file[..]), &mut |line| {
                assert_eq!(line.number as usize, found.len() + 1);
                let bytes = line.bytes.expect("short");
                assert_eq!(&file[line.offset as usize..][..bytes.len()], bytes);
                found.push((bytes.to_vec(), line.ended));
            }).unwrap();
            let mut expected: Vec<(Vec<u8>, bool)> = file.split(|byte| *byte == b'\n').map(|line| (line.to_vec(), true)).collect();
            match expected.pop() {
                Some((last, _)) if !last.is_empty() => expected.push((last, false)),
                _ => {}
            }
            prop_assert_eq!(found, expected);
        }
    }
}
