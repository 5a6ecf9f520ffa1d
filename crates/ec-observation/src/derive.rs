//! From an epoch's records to what must be agreed on of it (protocol §3), several epochs at once, so that their hashes
//! are computed side by side.

use alloy_primitives::B256;

use crate::{
    header::{Content, EpochHash, ObservationHash, ObservationHeader, SlotId, StreamHash},
    keccak::Level,
    records::EpochRecords,
    stream::{StreamRule, TimeError},
    tree::{Forest, LEAF_LEN, data_root_preimage},
};

/// What one witness's archive says of one epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DerivedEpoch {
    /// The epoch's index.
    pub sequence: u64,
    /// The epoch's id.
    pub epoch_id: String,
    /// Its slot on the ledger.
    pub slot: SlotId,
    /// Distinct records.
    pub leaf_count: u64,
    /// Every group of every track is there, and no bad line or conflict touches the epoch.
    pub complete: bool,
    /// What must be agreed on; `None` when records conflict.
    pub content: Option<Content>,
    /// `observedUnixMs` as this archive has it.
    pub time: Result<u64, TimeError>,
}

impl DerivedEpoch {
    /// Whether two records claim one (track, sequence) with different content.
    pub fn is_conflicting(&self) -> bool {
        self.content.is_none()
    }

    /// The header with a given parent; `None` for a conflicting epoch.
    ///
    /// # Errors
    ///
    /// The epoch has no observed time.
    pub fn header(&self, parent: ObservationHash) -> Result<Option<ObservationHeader>, TimeError> {
        match &self.content {
            Some(content) => Ok(Some(content.header(parent, self.time.clone()?))),
            None => Ok(None),
        }
    }
}

impl StreamRule {
    /// Derives what this epoch's records say. Pure: the same set of records gives the same answer in any order.
    pub fn derive(&self, epoch: u64, records: &EpochRecords) -> DerivedEpoch {
        let mut batch = Batch::new(self);
        batch.add(epoch, records);
        batch.derive().pop().expect("one epoch was added")
    }
}

/// Epochs of one stream that are derived together.
#[derive(Debug)]
pub struct Batch<'a> {
    rule: &'a StreamRule,
    track_hashes: Vec<B256>,
    stream_hash: StreamHash,
    epochs: Vec<Gathered>,
    forest: Forest,
}

/// What an epoch's records say beside their tree.
#[derive(Clone, Copy, Debug)]
pub struct Gathered {
    /// The epoch's index.
    pub sequence: u64,
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
        let (track_hashes, stream_hash) = (rule.track_hashes(), rule.stream_hash());
        Self { rule, track_hashes, stream_hash, epochs: Vec::new(), forest: Forest::default() }
    }

    /// `keccak256(track)` of each observed track, in order.
    pub fn track_hashes(&self) -> &[B256] {
        &self.track_hashes
    }

    /// Adds an epoch by its records.
    pub fn add(&mut self, epoch: u64, records: &EpochRecords) {
        let tracks = self.rule.tracks.names().len();
        self.epochs.push(Gathered {
            sequence: epoch,
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
        let (rule, stream_hash) = (self.rule, self.stream_hash);
        let epochs = std::mem::take(&mut self.epochs);
        let level = Level::current();
        let ids: Vec<_> = epochs.iter().map(|epoch| rule.epochs.id(epoch.sequence)).collect();
        let epoch_hashes = level.hash_each(&ids);
        let slots = level.hash_each(&each(&epoch_hashes, |&hash| SlotId::preimage(stream_hash, EpochHash(hash))));
        let locator_hashes = level.hash_each(&each(&epochs, |epoch| rule.locator(epoch.sequence)));
        let with_roots = epochs.iter().zip(self.forest.roots());
        let data_roots: Vec<_> =
            with_roots.map(|(epoch, root)| data_root_preimage(epoch.leaf_count, root.unwrap_or_default())).collect();
        let data_roots = level.hash_each(&data_roots);
        let derive = |(at, epoch_id): (usize, String)| {
            let epoch = epochs[at];
            let has_content = !epoch.conflicting && epoch.leaf_count > 0;
            DerivedEpoch {
                sequence: epoch.sequence,
                epoch_id,
                slot: SlotId(slots[at]),
                leaf_count: epoch.leaf_count,
                complete: epoch.complete,
                content: has_content.then(|| Content {
                    stream_hash,
                    epoch_hash: EpochHash(epoch_hashes[at]),
                    data_root: data_roots[at],
                    locator_hash: locator_hashes[at],
                    sequence: epoch.sequence,
                }),
                time: rule.observed_time(epoch.sequence, epoch.first_received_unix_ms),
            }
        };
        ids.into_iter().enumerate().map(derive).collect()
    }
}

fn each<T, U>(items: &[T], map: impl FnMut(&T) -> U) -> Vec<U> {
    items.iter().map(map).collect()
}
