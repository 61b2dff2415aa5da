use proptest::prelude::*;

use super::*;

/// RFC 6962 section 2.1 as it is written: the recursive definition.
fn mth(leaves: &[Node]) -> Node {
    match leaves.len() {
        0 => Sha256::digest([]).into(),
        1 => leaves[0],
        n => {
            let k = n.next_power_of_two() / 2;
            parent(&mth(&leaves[..k]), &mth(&leaves[k..]))
        }
    }
}

/// RFC 6962 section 2.1.1 as it is written.
fn path(m: usize, leaves: &[Node]) -> Vec<Node> {
    let n = leaves.len();
    if n == 1 {
        return Vec::new();
    }
    let k = n.next_power_of_two() / 2;
    if m < k {
        [path(m, &leaves[..k]), vec![mth(&leaves[k..])]].concat()
    } else {
        [path(m - k, &leaves[k..]), vec![mth(&leaves[..k])]].concat()
    }
}

fn records(n: u64) -> Vec<Hash> {
    (0..n).map(|i| Hash::of(&i.to_be_bytes())).collect()
}

fn node(hex: &str) -> Node {
    hex::decode(hex).unwrap().try_into().unwrap()
}

/// The tree that Certificate Transparency's own tests are about (`testdata` of its first implementation): eight entries.
#[test]
fn the_roots_of_certificate_transparency_come_out() {
    let entries: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    assert_eq!(
        Tree::new([]).root(),
        node("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")
    );
    let mut tree = Tree::new([]);
    for (entry, root) in entries.iter().zip(roots) {
        tree.push_subtree(1, leaf_of(entry));
        assert_eq!(tree.root(), node(root), "{} entries", tree.size());
    }
}

#[test]
fn every_leaf_of_every_tree_up_to_70_is_proven_and_no_other() {
    let records = records(71);
    let leaves: Vec<Node> = records.iter().map(leaf).collect();
    for size in 1..=70 {
        let mut tree = Tree::new(0..80);
        records[..size].iter().for_each(|record| tree.push(record));
        let (root, proofs) = tree.finish();
        assert_eq!(root, mth(&leaves[..size]));
        assert_eq!(root, super::root(records[..size].iter().copied()));
        assert!(proofs.keys().copied().eq(0..size as u64), "a leaf that is not there is not proven");
        for (index, proof) in &proofs {
            let at = *index as usize;
            assert_eq!(*proof, path(at, &leaves[..size]), "leaf {at} of {size}");
            assert_eq!(root_by(leaves[at], *index, size as u64, proof), Some(root));
            // Another leaf, place, or size, a longer and a shorter proof.
            assert_ne!(root_by(leaves[at + 1], *index, size as u64, proof), Some(root));
            for other in (0..=size as u64 + 1).filter(|other| other != index) {
                assert_ne!(
                    root_by(leaves[at], other, size as u64, proof),
                    Some(root),
                    "{at} of {size} as {other}"
                );
            }
            assert_eq!(root_by(leaves[at], *index, size as u64, &[&proof[..], &[leaves[0]]].concat()), None);
            if let Some((_, shorter)) = proof.split_last() {
                assert_eq!(root_by(leaves[at], *index, size as u64, shorter), None);
            }
        }
    }
}

#[test]
fn perfect_subtrees_stand_for_their_leaves() {
    let records = records(70);
    for block in [1, 2, 8, 32, 64] {
        let mut tree = Tree::new([66]);
        let whole = 70 / block * block;
        for chunk in records[..whole].chunks(block) {
            tree.push_subtree(block as u64, super::root(chunk.iter().copied()));
        }
        records[whole..].iter().for_each(|record| tree.push(record));
        let (root, proofs) = tree.finish();
        assert_eq!(root, super::root(records.iter().copied()));
        if whole <= 66 {
            assert_eq!(root_by(leaf(&records[66]), 66, 70, &proofs[&66]), Some(root));
        }
    }
}

proptest! {
    /// Where a tree is larger than the others of these tests, and with any leaf wanted.
    #[test]
    fn large_trees_agree_with_the_definition(size in 1usize..3000, at in any::<prop::sample::Index>()) {
        let records = records(size as u64);
        let leaves: Vec<Node> = records.iter().map(leaf).collect();
        let index = at.index(size);
        let mut tree = Tree::new([index as u64]);
        records.iter().for_each(|record| tree.push(record));
        let (root, proofs) = tree.finish();
        prop_assert_eq!(root, mth(&leaves));
        prop_assert_eq!(&proofs[&(index as u64)], &path(index, &leaves));
        prop_assert_eq!(root_by(leaves[index], index as u64, size as u64, &proofs[&(index as u64)]), Some(root));
    }

    /// Whatever is given as proof: an answer, no panic; and never one for another place.
    #[test]
    fn any_proof_is_answered(index: u64, size: u64, path in prop::collection::vec(any::<[u8; 32]>(), 0..70)) {
        let answer = root_by([0; 32], index, size, &path);
        prop_assert!(answer.is_none() || index < size);
    }
}
