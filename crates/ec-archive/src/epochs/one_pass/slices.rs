//! Gathers epochs from slices of records that ascend.

use alloy_primitives::B256;
use ec_observation::{
    EpochKey, EpochRule, Record,
    derive::{Batch, Gathered},
    tree::leaf_preimage,
};

/// Hands over the epochs of slices of ascending records, in order: each one's index and its slices.
pub(super) fn for_each_epoch(epochs: EpochRule, rest: &mut [&[Record]], mut visit: impl FnMut(u64, &[&[Record]])) {
    let mut slices = Vec::with_capacity(rest.len());
    while let Some(epoch) = rest.iter().filter_map(|slice| Some(epochs.index(slice.first()?.group_sequence))).min() {
        slices.clear();
        slices.extend(rest.iter_mut().map(|slice| {
            let leading;
            (leading, *slice) = slice.split_at(leading_len(slice, epoch, epochs));
            leading
        }));
        visit(epoch, &slices);
    }
}

/// The number of records at the beginning that are not after an epoch.
fn leading_len(records: &[Record], epoch: u64, epochs: EpochRule) -> usize {
    let end = epoch.checked_add(1).and_then(|next| next.checked_mul(epochs.groups_per_epoch.get()));
    let after = end.and_then(|end| records.iter().position(|record| record.group_sequence >= end));
    after.unwrap_or(records.len())
}

/// What is known of an epoch whose distinct records these are, and which has `full` where all are there.
pub(super) fn gathered(key: EpochKey, full: Option<u64>, slices: &[&[Record]], is_touched: bool) -> Gathered {
    let leaf_count = slices.iter().map(|slice| slice.len() as u64).sum();
    let times = slices.iter().copied().flatten().filter_map(|record| record.received_unix_ms);
    Gathered {
        key,
        leaf_count,
        complete: full == Some(leaf_count) && !is_touched,
        conflicting: false,
        first_received_unix_ms: times.min(),
    }
}

/// Adds an epoch to a batch, with the hash of the track of each slice.
pub(super) fn add<'a>(
    batch: &mut Batch<'_>,
    epoch: Gathered,
    slices: impl Iterator<Item = (&'a &'a [Record], &'a B256)>,
) {
    let leaves = slices.flat_map(|(slice, hash)| {
        slice.iter().map(|record| leaf_preimage(*hash, record.group_sequence, &record.blake3, record.size_bytes))
    });
    batch.add_gathered(epoch, leaves);
}
