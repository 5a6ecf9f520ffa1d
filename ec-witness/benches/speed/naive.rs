//! Deriving as one writes it first: serde-jsonlines, a hash at a time, a tree of `Vec`s, all epochs in memory.

use std::collections::BTreeMap;

use alloy::primitives::{B256, keccak256};
use ec_archive::Broadcast;
use ec_observation::tree;
use serde::Deserialize;

use crate::archive::{GROUPS_PER_EPOCH, TRACKS};

/// What a naive reader decodes.
#[derive(Deserialize)]
pub(crate) struct NaiveRecord {
    track: String,
    group_sequence: u64,
    size_bytes: u64,
    blake3: String,
}

/// keccak256 as alloy does it by default, without the assembly.
pub(crate) fn portable_keccak(bytes: &[u8]) -> B256 {
    use tiny_keccak::{Hasher, Keccak};
    let (mut hasher, mut hash) = (Keccak::v256(), B256::ZERO);
    hasher.update(bytes);
    hasher.finalize(hash.as_mut_slice());
    hash
}

pub(crate) fn naive_root(leaves: &[B256], hash: fn(&[u8]) -> B256) -> B256 {
    match leaves {
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hash(&[naive_root(left, hash).0, naive_root(right, hash).0].concat())
        }
    }
}

/// The data roots of all epochs, as one writes it first: serde-jsonlines, a hash at a time, a tree of `Vec`s.
pub(crate) fn naive(broadcast: &Broadcast, hash: fn(&[u8]) -> B256) -> Vec<B256> {
    let mut epochs: BTreeMap<u64, BTreeMap<(String, u64), B256>> = BTreeMap::new();
    for track in TRACKS {
        for record in serde_jsonlines::json_lines::<NaiveRecord, _>(broadcast.track_file(track)).unwrap() {
            let NaiveRecord { track, group_sequence, size_bytes, blake3 } = record.unwrap();
            let blake3 = alloy::hex::decode_to_array(&blake3).unwrap();
            let leaf = tree::leaf_preimage(hash(track.as_bytes()), group_sequence, &blake3, size_bytes);
            let epoch = epochs.entry(group_sequence / GROUPS_PER_EPOCH).or_default();
            epoch.insert((track, group_sequence), hash(&leaf));
        }
    }
    let root = |leaves: BTreeMap<_, B256>| {
        let leaves: Vec<_> = leaves.into_values().collect();
        let mut preimage = [0; 64];
        preimage[24..32].copy_from_slice(&(leaves.len() as u64).to_be_bytes());
        preimage[32..].copy_from_slice(naive_root(&leaves, hash).as_slice());
        hash(&preimage)
    };
    epochs.into_values().map(root).collect()
}

pub(crate) fn keccak_asm(bytes: &[u8]) -> B256 {
    keccak256(bytes)
}
