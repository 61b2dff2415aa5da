//! The Merkle tree of RFC 6962 section 2.1, built from left to right in memory that grows with its height.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::record::hash::Hash;

/// A node of the tree: SHA-256.
pub type Node = [u8; 32];

/// The leaf of a record: SHA-256 of a zero byte and the record's hash (RFC 6962 section 2.1: `d(0)` is that hash).
pub fn leaf(record: &Hash) -> Node {
    leaf_of(&record.0)
}

fn leaf_of(entry: &[u8]) -> Node {
    Sha256::new().chain_update([0]).chain_update(entry).finalize().into()
}

fn parent(left: &Node, right: &Node) -> Node {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root over these records, in this order.
pub fn root(records: impl IntoIterator<Item = Hash>) -> Node {
    let mut tree = Tree::new([]);
    for record in records {
        tree.push(&record);
    }
    tree.root()
}

/// A tree that grows. It remembers the roots of its perfect subtrees, one a level, and the proofs it was asked for.
#[derive(Debug, Clone)]
pub struct Tree {
    size: u64,
    /// From left to right, each larger than the next: start, leaves (a power of two), root.
    subtrees: Vec<(u64, u64, Node)>,
    /// The siblings of each leaf that somebody wants a proof for, from the leaf upwards.
    proofs: BTreeMap<u64, Vec<Node>>,
}

impl Tree {
    /// An empty tree that will prove the leaves at these places (from 0).
    pub fn new(wanted: impl IntoIterator<Item = u64>) -> Self {
        let proofs = wanted.into_iter().map(|at| (at, Vec::new())).collect();
        Tree { size: 0, subtrees: Vec::new(), proofs }
    }

    /// Will prove the leaf that is added next.
    pub fn want_next(&mut self) {
        self.proofs.insert(self.size, Vec::new());
    }

    /// Adds a record.
    pub fn push(&mut self, record: &Hash) {
        self.push_subtree(1, leaf(record));
    }

    /// Adds the root of a perfect tree of so many leaves, a power of two. None of these leaves can be proven, and there must
    /// be room: the size so far has to be a multiple of `leaves`.
    pub fn push_subtree(&mut self, leaves: u64, node: Node) {
        assert!(
            leaves.is_power_of_two() && self.size.is_multiple_of(leaves),
            "a subtree stands at its own place"
        );
        let (mut start, mut count, mut node) = (self.size, leaves, node);
        self.size += leaves;
        while let Some((left_start, _, left)) =
            self.subtrees.pop_if(|(_, left_count, _)| *left_count == count)
        {
            remember(&mut self.proofs, (left_start, start, start + count), &left, &node);
            node = parent(&left, &node);
            (start, count) = (left_start, 2 * count);
        }
        self.subtrees.push((start, count, node));
    }

    /// How many leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root. That of an empty tree is the SHA-256 of nothing.
    pub fn root(&self) -> Node {
        self.clone().finish().0
    }

    /// The root, and the inclusion proof (RFC 6962 section 2.1.1) of each wanted leaf that is there, by place: siblings from
    /// the leaf up to below the root.
    pub fn finish(mut self) -> (Node, BTreeMap<u64, Vec<Node>>) {
        let Some((mut start, count, mut node)) = self.subtrees.pop() else {
            return (Sha256::digest([]).into(), BTreeMap::new());
        };
        let end = start + count;
        while let Some((left_start, _, left)) = self.subtrees.pop() {
            remember(&mut self.proofs, (left_start, start, end), &left, &node);
            node = parent(&left, &node);
            start = left_start;
        }
        self.proofs.retain(|at, _| *at < end);
        (node, self.proofs)
    }
}

/// Two neighbours, from `from` up to before `middle` and up to before `to`, become one: each is a step of the proof of every leaf
/// below the other.
fn remember(
    proofs: &mut BTreeMap<u64, Vec<Node>>,
    (from, middle, to): (u64, u64, u64),
    left: &Node,
    right: &Node,
) {
    for (at, proof) in proofs.range_mut(from..to) {
        proof.push(if *at < middle { *right } else { *left });
    }
}

/// The root that this proof leads to from the leaf at `index` of a tree of `size` leaves (RFC 9162 section 2.1.3.2); `None`
/// where the proof has another length than such a leaf's.
pub fn root_by(leaf: Node, index: u64, size: u64, proof: &[Node]) -> Option<Node> {
    if index >= size {
        return None;
    }
    let (mut at, mut last, mut node) = (index, size - 1, leaf);
    for sibling in proof {
        if last == 0 {
            return None;
        }
        if at & 1 == 1 || at == last {
            node = parent(sibling, &node);
            // A node without right neighbour goes up until it is a right one.
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            node = parent(&node, sibling);
        }
        at >>= 1;
        last >>= 1;
    }
    (last == 0).then_some(node)
}

#[cfg(test)]
mod tests;
