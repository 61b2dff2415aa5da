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

#[cfg(test)]
mod tests {
    use super::in_order;
    use crate::record::sample::{Writer, intent};
    use crate::record::token::Record;

    /// Two keys, each with its enrolment and one opening; `later` had seen the other's opening.
    fn two(later: usize) -> [Writer; 2] {
        let mut keys = [1, 2].map(Writer::founder);
        let first = 1 - later;
        let seen = keys[first].write(intent());
        keys[later].seen = [(seen.chain_name(), (seen.link.seq, seen.hash()))].into();
        keys[later].write(intent());
        keys
    }

    fn ordered(keys: &[Writer], rank: fn(&Record) -> i64) -> Vec<(u32, u64)> {
        let names: Vec<String> = keys.iter().map(Writer::name).collect();
        let records =
            keys.iter().zip(&names).flat_map(|(key, name)| key.records.iter().map(|r| (name.as_str(), r)));
        in_order(records, rank).map(|(_, record)| (record.serial.0 % 10, record.link.seq)).collect()
    }

    #[test]
    fn what_was_seen_comes_first_whatever_the_rank() {
        for rank in [|_: &Record| 0, |record: &Record| record.iat, |record: &Record| -record.iat] {
            for later in [0, 1] {
                let order = ordered(&two(later), rank);
                let place = |key: usize| order.iter().position(|at| *at == (key as u32 + 1, 2)).unwrap();
                assert!(place(1 - later) < place(later), "{order:?}");
                assert_eq!(order.len(), 6);
            }
        }
    }

    #[test]
    fn rank_then_name_decide_among_those_that_are_free() {
        let keys = [1, 2].map(Writer::founder);
        assert_eq!(ordered(&keys, |_| 0), [(1, 0), (1, 1), (2, 0), (2, 1)]);
        assert_eq!(ordered(&keys, |record| record.iat), [(1, 0), (2, 0), (1, 1), (2, 1)]);
    }

    #[test]
    fn two_that_claim_to_have_seen_each_other_still_come_out() {
        let mut keys = [1, 2].map(Writer::founder);
        for (key, other) in [(0, 1), (1, 0)] {
            let seen = (keys[other].name(), (2, crate::record::hash::Hash([0; 32])));
            keys[key].seen = [seen].into();
            keys[key].write(intent());
        }
        assert_eq!(ordered(&keys, |_| 0).len(), 6);
    }
}
