//! From an epoch's records to what must be agreed on of it (protocol §3), several epochs at once, so that their hashes
//! are computed side by side.

use alloy_primitives::B256;

use crate::{
    header::{Content, EpochHash, ObservationHash, ObservationHeader, SlotId},
    keccak::Level,
    records::EpochRecords,
    stream::{EpochKey, EpochName, NameError, StreamRule, TimeError},
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

/// A derived epoch with its name: what must be agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEpoch {
    /// What the archive says.
    pub derived: DerivedEpoch,
    /// Its session's mark and its index there.
    pub name: EpochName,
    /// `mark + index`.
    pub sequence: u64,
    /// The epoch's id.
    pub epoch_id: String,
    /// Its slot on the ledger.
    pub slot: SlotId,
    /// What must be agreed on; `None` when records conflict.
    pub content: Option<Content>,
}

impl NamedEpoch {
    /// The header with a given parent; `None` for a conflicting epoch.
    ///
    /// # Errors
    ///
    /// The epoch has no observed time.
    pub fn header(&self, parent: ObservationHash) -> Result<Option<ObservationHeader>, TimeError> {
        match &self.content {
            Some(content) => Ok(Some(content.header(parent, self.derived.time.clone()?))),
            None => Ok(None),
        }
    }
}

impl StreamRule {
    /// Derives what this epoch's records say. Pure: the same set of records gives the same answer in any order.
    pub fn derive(&self, key: EpochKey, records: &EpochRecords) -> DerivedEpoch {
        let mut batch = Batch::new(self);
        batch.add(key, records);
        batch.derive().pop().expect("one epoch was added")
    }

    /// Names a derived epoch by the mark of its session, which is 0 on the timeline.
    ///
    /// # Errors
    ///
    /// Mark and index add up to more than 2^64−1.
    pub fn name(&self, derived: DerivedEpoch, mark: u64) -> Result<NamedEpoch, NameError> {
        Ok(self.name_each(vec![(derived, mark)])?.pop().expect("one epoch was named"))
    }

    /// Names epochs, each by the mark of its session, hashing their names side by side.
    ///
    /// # Errors
    ///
    /// As [`Self::name`].
    pub fn name_each(&self, epochs: Vec<(DerivedEpoch, u64)>) -> Result<Vec<NamedEpoch>, NameError> {
        let (level, stream_hash) = (Level::current(), self.stream_hash());
        let name = |(epoch, mark): &(DerivedEpoch, u64)| EpochName { mark: *mark, index: epoch.key.index };
        let ids: Vec<_> = epochs.iter().map(|epoch| self.epochs.id(name(epoch))).collect();
        let epoch_hashes = level.hash_each(&ids);
        let slots = level.hash_each(&each(&epoch_hashes, |&hash| SlotId::preimage(stream_hash, EpochHash(hash))));
        let locators = self.locators();
        let locator_hashes = level.hash_each(&each(&ids, |id| locators.of(id)));
        let named = |(at, (epoch, epoch_id)): (usize, ((DerivedEpoch, u64), String))| {
            let name = name(&epoch);
            let (derived, stream_id) = (epoch.0, &self.stream_id);
            let sequence = name.sequence().ok_or_else(|| NameError { stream_id: stream_id.clone(), name })?;
            let content = derived.data_root.map(|data_root| Content {
                stream_hash,
                epoch_hash: EpochHash(epoch_hashes[at]),
                data_root,
                locator_hash: locator_hashes[at],
                sequence,
            });
            Ok(NamedEpoch { derived, name, sequence, epoch_id, slot: SlotId(slots[at]), content })
        };
        epochs.into_iter().zip(ids).enumerate().map(named).collect()
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
        let epochs = std::mem::take(&mut self.epochs);
        let with_roots = epochs.iter().zip(self.forest.roots());
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
        epochs.into_iter().zip(data_roots).map(derive).collect()
    }
}

fn each<T, U>(items: &[T], map: impl FnMut(&T) -> U) -> Vec<U> {
    items.iter().map(map).collect()
}
