//! Which of the lines that the key signed stand in the wrong place, and where records are missing.

use std::collections::{BTreeSet, HashMap};

use super::{Break, Fault, Verdict};
use crate::record::hash::Hash;

/// A line that the key signed.
struct Signed {
    at: usize,
    seq: u64,
    hash: Hash,
    prev: Option<Hash>,
}

/// Marks repeated, misplaced and forked lines as damaged, and answers where those that remain do not join.
pub(super) fn find(lines: &mut [Verdict]) -> Vec<Break> {
    mark_repeated(lines);
    let signed: Vec<Signed> = lines
        .iter()
        .enumerate()
        .filter_map(|(at, line)| {
            let record = line.intact()?;
            Some(Signed { at, seq: record.link.seq, hash: record.hash(), prev: record.link.prev })
        })
        .collect();
    let kept = longest_rising(&signed);
    let mut misplaced = BTreeSet::new();
    let by_seq: HashMap<u64, usize> =
        kept.iter().map(|&index| (signed[index].seq, signed[index].at)).collect();
    let in_place: BTreeSet<usize> = kept.iter().map(|&index| signed[index].at).collect();
    for Signed { at, seq, .. } in signed.iter().filter(|line| !in_place.contains(&line.at)) {
        let why = match by_seq.get(seq) {
            Some(other) => Fault::SameSeq { seq: *seq, line: other + 1 },
            None => {
                misplaced.insert(*seq);
                Fault::OutOfOrder { seq: *seq }
            }
        };
        lines[*at].damage(at + 1, why);
    }
    let kept: Vec<&Signed> = kept.iter().map(|&index| &signed[index]).collect();
    breaks(lines, &kept, &misplaced)
}

/// A line equal to an earlier one adds nothing.
fn mark_repeated(lines: &mut [Verdict]) {
    let mut first_at = HashMap::new();
    for (at, line) in lines.iter_mut().enumerate() {
        let Some(record) = line.intact() else { continue };
        let first = *first_at.entry(record.hash()).or_insert(at);
        if first != at {
            line.damage(at + 1, Fault::Repeated(first + 1));
        }
    }
}

/// The longest selection of lines whose `seq` rises from line to line: leaves out as few as possible, so that one line
/// moved is one line blamed. Patience sorting.
fn longest_rising(signed: &[Signed]) -> Vec<usize> {
    let mut ends: Vec<usize> = Vec::new(); // ends[n] ends the best selection of n + 1 lines so far
    let mut before: Vec<Option<usize>> = Vec::with_capacity(signed.len());
    for (index, line) in signed.iter().enumerate() {
        let length = ends.partition_point(|&end| signed[end].seq < line.seq);
        before.push(length.checked_sub(1).map(|shorter| ends[shorter]));
        match ends.get_mut(length) {
            Some(end) => *end = index,
            None => ends.push(index),
        }
    }
    let mut selection: Vec<usize> =
        std::iter::successors(ends.last().copied(), |&index| before[index]).collect();
    selection.reverse();
    selection
}

/// Where neighbours do not join. A damaged line may be the record that is missing, so as many of them as stand between
/// two neighbours are not counted as missing.
fn breaks(lines: &[Verdict], kept: &[&Signed], misplaced: &BTreeSet<u64>) -> Vec<Break> {
    let mut breaks = Vec::new();
    let mut before: Option<&Signed> = None;
    for line in kept {
        let (from, after) = before.map_or((0, 0), |before| (before.seq + 1, before.at + 1));
        if line.seq > from {
            let unaccounted = line.seq - from - misplaced.range(from..line.seq).count() as u64;
            let damaged = lines[after..line.at].iter().filter(|line| may_be_any_record(line)).count() as u64;
            if unaccounted > damaged {
                let count = unaccounted - damaged;
                breaks.push(Break::Missing { before: line.at + 1, from, to: line.seq - 1, count });
            }
        } else if let Some(before) = before
            && line.prev != Some(before.hash)
        {
            breaks.push(Break::Fork { line: line.at + 1, seq: before.seq });
        }
        before = Some(line);
    }
    breaks
}

/// Whether this line may once have been the record that its place lacks.
fn may_be_any_record(line: &Verdict) -> bool {
    match line {
        Verdict::Intact(_) => false,
        Verdict::Damaged(damage) => match damage.why {
            Fault::NotARecord(_) | Fault::Unreadable(_) | Fault::Changed | Fault::NeverSigned => true,
            Fault::Unverifiable
            | Fault::Foreign(_)
            | Fault::Repeated(_)
            | Fault::OutOfOrder { .. }
            | Fault::SameSeq { .. } => false,
        },
    }
}
