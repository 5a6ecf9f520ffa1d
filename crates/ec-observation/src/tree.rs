//! The Merkle tree over an epoch's records (protocol §3).
//!
//! The shape is RFC 6962's (split at the largest power of two below n; nothing is duplicated or padded), nodes are
//! `keccak256(left ‖ right)`. A leaf is 128 bytes before hashing and a node 64, so one cannot pass for the other. The
//! data root binds the leaf count to the tree's root, so that a proof also proves position and count.

use std::ops::Range;

use alloy_primitives::{B256, keccak256};

use crate::{header::word, keccak::Level};

/// `keccak256` of a [`leaf_preimage`].
pub fn leaf(track_hash: B256, group_sequence: u64, blake3: &[u8; 32], size_bytes: u64) -> B256 {
    keccak256(leaf_preimage(track_hash, group_sequence, blake3, size_bytes))
}

/// Bytes that are hashed to a leaf.
pub const LEAF_LEN: usize = 128;

/// `abi.encode(bytes32 trackHash, uint64 groupSequence, bytes32 blake3, uint64 sizeBytes)`.
#[inline]
pub fn leaf_preimage(track_hash: B256, group_sequence: u64, blake3: &[u8; 32], size_bytes: u64) -> [u8; LEAF_LEN] {
    let mut bytes = [0; LEAF_LEN];
    bytes[..32].copy_from_slice(track_hash.as_slice());
    bytes[32..64].copy_from_slice(&word(group_sequence));
    bytes[64..96].copy_from_slice(blake3);
    bytes[96..].copy_from_slice(&word(size_bytes));
    bytes
}

/// `keccak256(abi.encode(uint256 leafCount, bytes32 treeRoot))`.
pub fn data_root(leaf_count: u64, tree_root: B256) -> B256 {
    keccak256(data_root_preimage(leaf_count, tree_root))
}

/// What is hashed to a [data root](data_root).
pub(crate) fn data_root_preimage(leaf_count: u64, tree_root: B256) -> [u8; 64] {
    node_preimage(B256::new(word(leaf_count)), tree_root)
}

fn node(left: B256, right: B256) -> B256 {
    keccak256(node_preimage(left, right))
}

/// What is hashed to a node.
fn node_preimage(left: B256, right: B256) -> [u8; 64] {
    let mut bytes = [0; 64];
    bytes[..32].copy_from_slice(left.as_slice());
    bytes[32..].copy_from_slice(right.as_slice());
    bytes
}

/// Leaves that are hashed at once: a batch fits the innermost cache.
const BATCH: usize = 128;

/// Trees side by side: all their nodes are hashed level by level, so that small trees too fill the vector units.
///
/// Pairs are joined from the left at each level, and a node without a partner rises unchanged: RFC 6962's shape.
#[derive(Debug, Default)]
pub struct Forest {
    unhashed: Vec<[u8; LEAF_LEN]>,
    /// The trees' leaves, one tree after the other.
    leaves: Vec<B256>,
    /// Where each tree ends in `leaves`.
    ends: Vec<usize>,
    /// What is hashed to the nodes of one level, and the nodes.
    pairs: Vec<[u8; 64]>,
    nodes: Vec<B256>,
}

impl Forest {
    /// Adds a tree over leaves of these [preimages](leaf_preimage).
    pub fn plant(&mut self, leaves: impl IntoIterator<Item = [u8; LEAF_LEN]>) {
        // not a loop: what is iterated over is put into this, and no leaf is moved about
        leaves.into_iter().for_each(|leaf| {
            self.unhashed.push(leaf);
            if self.unhashed.len() == BATCH {
                self.hash_leaves();
            }
        });
        self.ends.push(self.leaves.len() + self.unhashed.len());
    }

    fn hash_leaves(&mut self) {
        let start = self.leaves.len();
        self.leaves.resize(start + self.unhashed.len(), B256::ZERO);
        Level::current().hash_into(&self.unhashed, &mut self.leaves[start..]);
        self.unhashed.clear();
    }

    /// Each tree's root; `None` for one without leaves. No tree is left, but the room for others.
    pub fn roots(&mut self) -> Vec<Option<B256>> {
        self.hash_leaves();
        while spans(&self.ends).any(|span| span.len() > 1) {
            self.rise();
        }
        let roots = spans(&self.ends).map(|span| self.leaves[span].first().copied()).collect();
        self.leaves.clear();
        self.ends.clear();
        roots
    }

    /// Puts the next level in the place of the leaves: each tree's joined pairs, then its node without a partner.
    fn rise(&mut self) {
        let Self { leaves, ends, pairs, nodes, .. } = self;
        let trees = spans(ends).map(|span| &leaves[span]);
        pairs.clear();
        pairs.extend(trees.flat_map(|tree| tree.chunks_exact(2)).map(|pair| node_preimage(pair[0], pair[1])));
        nodes.resize(pairs.len(), B256::ZERO);
        Level::current().hash_into(pairs, nodes);
        // what is written is never behind what is still to be read
        let (mut nodes, mut start, mut len) = (nodes.as_slice(), 0, 0);
        for end in ends {
            let (below, joined) = (start..*end, (*end - start) / 2);
            let (tree, rest) = nodes.split_at(joined);
            leaves[len..len + joined].copy_from_slice(tree);
            len += joined;
            if below.len() % 2 == 1 {
                leaves[len] = leaves[below.end - 1];
                len += 1;
            }
            (nodes, start, *end) = (rest, below.end, len);
        }
        leaves.truncate(len);
    }
}

/// The leaves of these [preimages](leaf_preimage).
pub fn leaves(preimages: impl IntoIterator<Item = [u8; LEAF_LEN]>) -> Vec<B256> {
    let mut forest = Forest::default();
    forest.plant(preimages);
    forest.hash_leaves();
    forest.leaves
}

pub(crate) fn spans(ends: &[usize]) -> impl Iterator<Item = Range<usize>> + '_ {
    std::iter::once(&0).chain(ends).zip(ends).map(|(&start, &end)| start..end)
}

/// Where RFC 6962 splits `n` leaves: the largest power of two below `n`. `n` must be at least 2.
fn split(n: usize) -> usize {
    n.next_power_of_two() / 2
}

/// The root of a subtree; `None` when `leaves` is empty.
pub fn root(leaves: &[B256]) -> Option<B256> {
    Forest { leaves: leaves.to_vec(), ends: vec![leaves.len()], ..Forest::default() }.roots().pop().flatten()
}

/// The siblings of leaf `index`, from the leaf to the root; `None` when there is no such leaf.
pub fn path(leaves: &[B256], index: usize) -> Option<Vec<B256>> {
    if index >= leaves.len() {
        return None;
    }
    let mut path = Vec::new();
    let mut range = 0..leaves.len();
    while range.len() > 1 {
        let middle = range.start + split(range.len());
        let (inside, outside) = if index < middle {
            (range.start..middle, middle..range.end)
        } else {
            (middle..range.end, range.start..middle)
        };
        path.push(root(&leaves[outside])?);
        range = inside;
    }
    path.reverse();
    Some(path)
}

/// The root that `leaf` at `index` of `leaf_count` has with `path` (RFC 9162 §2.1.3.2); `None` when the index is out
/// of range or the path is not exactly as long as the position demands.
pub fn root_from_path(leaf: B256, index: u64, leaf_count: u64, path: &[B256]) -> Option<B256> {
    let mut position = index;
    let mut last = leaf_count.checked_sub(1)?;
    if position > last {
        return None;
    }
    let mut hash = leaf;
    let mut siblings = path.iter();
    while last > 0 {
        if position % 2 == 1 {
            hash = node(*siblings.next()?, hash);
        } else if position < last {
            hash = node(hash, *siblings.next()?);
        }
        position /= 2;
        last /= 2;
    }
    siblings.next().is_none().then_some(hash)
}

/// The first index at which two trees differ, found by descending from their roots, or `None` when they are equal.
/// Where one is a prefix of the other, that is the shorter one's length.
pub fn first_difference(left: &[B256], right: &[B256]) -> Option<usize> {
    let shared = left.len().min(right.len());
    descend(left, right, 0..shared).or((left.len() != right.len()).then_some(shared))
}

fn descend(left: &[B256], right: &[B256], range: Range<usize>) -> Option<usize> {
    if root(&left[range.clone()]) == root(&right[range.clone()]) {
        return None;
    }
    if range.len() == 1 {
        return Some(range.start);
    }
    let middle = range.start + split(range.len());
    descend(left, right, range.start..middle).or_else(|| descend(left, right, middle..range.end))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn leaves(n: usize) -> Vec<B256> {
        (0..n).map(|i| keccak256(i.to_be_bytes())).collect()
    }

    /// The definition, word for word.
    fn naive(leaves: &[B256]) -> B256 {
        match leaves {
            [only] => *only,
            _ => {
                let mut k = 1;
                while k * 2 < leaves.len() {
                    k *= 2;
                }
                node(naive(&leaves[..k]), naive(&leaves[k..]))
            }
        }
    }

    #[test]
    fn roots_match_the_definition() {
        for n in 1..=130 {
            assert_eq!(root(&leaves(n)), Some(naive(&leaves(n))), "{n} leaves");
        }
        assert_eq!(root(&[]), None);
    }

    #[test]
    fn every_leaf_proves_and_no_proof_fits_another_place() {
        for n in 1..=33u64 {
            let all = leaves(n as usize);
            let expected = data_root(n, root(&all).unwrap());
            for i in 0..n {
                let path = path(&all, i as usize).unwrap();
                for count in 0..=n + 2 {
                    for index in 0..=n + 2 {
                        let found =
                            root_from_path(all[i as usize], index, count, &path).map(|root| data_root(count, root));
                        assert_eq!(found == Some(expected), (index, count) == (i, n), "{i}/{n} as {index}/{count}");
                    }
                }
            }
            assert_eq!(path(&all, n as usize), None);
        }
    }

    proptest! {
        #[test]
        fn trees_side_by_side_are_as_each_alone(sizes in prop::collection::vec(0usize..70, 0..12)) {
            let preimages: Vec<_> = (0..sizes.iter().sum()).map(|i: usize| [i as u8; LEAF_LEN]).collect();
            let ends: Vec<_> = sizes.iter().scan(0, |end, size| { *end += size; Some(*end) }).collect();
            let hashes: Vec<_> = preimages.iter().map(keccak256).collect();
            let alone = |span: Range<usize>| (!span.is_empty()).then(|| naive(&hashes[span]));
            let expected: Vec<_> = spans(&ends).map(alone).collect();
            let mut forest = Forest::default();
            // of what stood there before, nothing is left
            for _ in 0..2 {
                spans(&ends).for_each(|span| forest.plant(preimages[span].iter().copied()));
                prop_assert_eq!(&forest.roots(), &expected);
            }
            prop_assert_eq!(super::leaves(preimages), hashes);
        }

        #[test]
        fn paths_of_wrong_length_or_content_fail(n in 1usize..300, i: prop::sample::Index, other: [u8; 32]) {
            let all = leaves(n);
            let i = i.index(n);
            let good = path(&all, i).unwrap();
            let check = |leaf, path: &[B256]| root_from_path(leaf, i as u64, n as u64, path) == root(&all);
            prop_assert!(check(all[i], &good));
            prop_assert!(!check(B256::new(other), &good));
            let longer = [good.clone(), vec![B256::new(other)]].concat();
            prop_assert!(!check(all[i], &longer));
            for cut in 0..good.len() {
                prop_assert!(!check(all[i], &good[..cut]));
                let mut changed = good.clone();
                changed[cut] = B256::new(other);
                prop_assert!(!check(all[i], &changed));
            }
        }

        #[test]
        fn the_first_difference_is_found(n in 1usize..200, i: prop::sample::Index, cut in 0usize..200) {
            let all = leaves(n);
            let mut changed = all.clone();
            changed[i.index(n)] = B256::ZERO;
            prop_assert_eq!(first_difference(&all, &changed), Some(i.index(n)));
            prop_assert_eq!(first_difference(&all, &all), None);
            let cut = cut.min(n);
            prop_assert_eq!(first_difference(&all, &all[..cut]), (cut < n).then_some(cut));
        }
    }
}
