//! From an epoch's records to what must be agreed on of it (protocol §3), several epochs at once, so that their hashes
//! are computed side by side.

use alloy_primitives::B256;

use crate::{
    keccak::Level,
    records::EpochRecords,
    stream::{EpochKey, StreamRule, TimeError},
    tree::{Forest, LEAF_LEN, data_root_preimage},
};

/// What one witness's archive says of one epoch: all but what it is called on the ledger.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedEpoch {
    /// Where it stands in the archive.
    pub key: EpochKey,
    /// Distinct records.
    pub leaf_count: u64,
    /// Every group of every track is there, and no bad line or conflict touches the epoch.
    pub complete: bool,
    /// Root over the records; `None` when they conflict.
    pub data_root: Option<B256>,
    /// `observedUnixMs` as this archive has it.
    pub time: Result<u64, TimeError>,
}

impl DerivedEpoch {
    /// Whether two records claim one (track, sequence) with different content.
    pub fn is_conflicting(&self) -> bool {
        self.data_root.is_none()
    }
}

impl StreamRule {
    /// Derives what this epoch's records say. Pure: the same set of records gives the same answer in any order.
    pub fn derive(&self, key: EpochKey, records: &EpochRecords) -> DerivedEpoch {
        let mut batch = Batch::new(self);
        batch.add(key, records);
        batch.derive().pop().expect("one epoch was added")
    }
}

/// Epochs of one stream that are derived together.
#[derive(Debug)]
pub struct Batch<'a> {
    rule: &'a StreamRule,
    track_hashes: Vec<B256>,
    epochs: Vec<Gathered>,
    forest: Forest,
}

/// What an epoch's records say beside their tree.
#[derive(Clone, Copy, Debug)]
pub struct Gathered {
    /// Where it stands in the archive.
    pub key: EpochKey,
    /// Distinct records.
    pub leaf_count: u64,
    /// See [`DerivedEpoch::complete`].
    pub complete: bool,
    /// Whether two records claim one position with different content.
    pub conflicting: bool,
    /// The smallest receive time.
    pub first_received_unix_ms: Option<u64>,
}

impl<'a> Batch<'a> {
    /// No epochs yet.
    pub fn new(rule: &'a StreamRule) -> Self {
        Self { rule, track_hashes: rule.track_hashes(), epochs: Vec::new(), forest: Forest::default() }
    }

    /// `keccak256(track)` of each observed track, in order.
    pub fn track_hashes(&self) -> &[B256] {
        &self.track_hashes
    }

    /// Adds an epoch by its records.
    pub fn add(&mut self, key: EpochKey, records: &EpochRecords) {
        let tracks = self.rule.tracks.names().len();
        self.epochs.push(Gathered {
            key,
            leaf_count: records.len() as u64,
            complete: records.is_complete(self.rule.epochs.groups_per_epoch, tracks),
            conflicting: records.is_conflicting(),
            first_received_unix_ms: records.first_received_unix_ms(),
        });
        self.forest.plant(records.leaf_preimages(&self.track_hashes));
    }

    /// Adds an epoch by what is known of it and the preimages of its leaves, in order.
    pub fn add_gathered(&mut self, epoch: Gathered, leaves: impl Iterator<Item = [u8; LEAF_LEN]>) {
        self.epochs.push(epoch);
        self.forest.plant(leaves);
    }

    /// Epochs that are not derived yet.
    pub fn underived(&self) -> usize {
        self.epochs.len()
    }

    /// Derives the epochs, in the order in which they were added; none are left.
    pub fn derive(&mut self) -> Vec<DerivedEpoch> {
        let rule = self.rule;
        let with_roots = self.epochs.iter().zip(self.forest.roots());
        let data_roots: Vec<_> =
            with_roots.map(|(epoch, root)| data_root_preimage(epoch.leaf_count, root.unwrap_or_default())).collect();
        let data_roots = Level::current().hash_each(&data_roots);
        let derive = |(epoch, data_root): (Gathered, B256)| {
            let has_content = !epoch.conflicting && epoch.leaf_count > 0;
            DerivedEpoch {
                key: epoch.key,
                leaf_count: epoch.leaf_count,
                complete: epoch.complete,
                data_root: has_content.then_some(data_root),
                time: rule.observed_time(epoch.key.index, epoch.first_received_unix_ms),
            }
        };
        self.epochs.drain(..).zip(data_roots).map(derive).collect()
    }
}
