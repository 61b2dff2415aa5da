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
