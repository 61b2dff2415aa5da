//! Records of several chains in one order: each after what its signer had seen.

use std::collections::{BTreeMap, VecDeque};

use crate::record::token::Record;

/// Records so that each comes after those before it on its chain and after what its signer had seen. Among those that
/// are free to come next the lowest `rank` goes first, then the first chain by name. A `seen` that nothing can satisfy
/// (a record that is not among these) holds nothing back. Each chain must come in order.
pub fn in_order<'a, R: Ord>(
    records: impl Iterator<Item = (&'a str, &'a Record)>,
    rank: impl Fn(&Record) -> R,
) -> impl Iterator<Item = (&'a str, &'a Record)> {
    let mut queues: BTreeMap<&str, VecDeque<&Record>> = BTreeMap::new();
    for (chain, record) in records {
        queues.entry(chain).or_default().push_back(record);
    }
    std::iter::from_fn(move || {
        let waits = |record: &Record| {
            record.link.seen.iter().any(|(chain, (seq, _))| {
                queues.get(chain.as_str()).and_then(|q| q.front()).is_some_and(|first| first.link.seq <= *seq)
            })
        };
        let next = queues
            .iter()
            .filter_map(|(chain, queue)| Some((*chain, *queue.front()?)))
            // Two records that both claim to come after the other cannot both be right: rank and name decide then.
            .min_by_key(|(chain, record)| (waits(record), rank(record), *chain))?
            .0;
        Some((next, queues.get_mut(next)?.pop_front()?))
    })
}
