//! What an epoch is called on the ledger (protocol §3.7, §3.8), several epochs at once, so that their names are hashed side
//! by side.

use std::fmt::Write;

use alloy_primitives::B256;

use crate::{
    derive::DerivedEpoch,
    header::{Content, EpochHash, ObservationHash, ObservationHeader, SlotId, StreamHash},
    keccak::Level,
    stream::{EpochName, Locators, NameError, StreamRule, TimeError},
    tree::spans,
};

/// A derived epoch with its name: what must be agreed on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedEpoch {
    /// What the archive says.
    pub derived: DerivedEpoch,
    /// Its session's mark and its index there.
    pub name: EpochName,
    /// `mark + index`.
    pub sequence: u64,
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

/// What an epoch's name is hashed to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct NameHashes {
    /// The hash of its id.
    pub epoch: EpochHash,
    /// Its slot on the ledger.
    pub slot: SlotId,
    /// The hash of its locator.
    pub locator: B256,
}

/// Digits of an index, at most.
const INDEX_LEN: usize = 20;

/// Names the epochs of one stream.
#[derive(Debug)]
pub struct Namer<'a> {
    rule: &'a StreamRule,
    stream_hash: StreamHash,
    locators: Locators,
}

impl<'a> Namer<'a> {
    /// For the epochs of a stream with this rule.
    pub fn new(rule: &'a StreamRule) -> Self {
        Self { rule, stream_hash: rule.stream_hash(), locators: rule.locators() }
    }

    /// The stream's rule.
    pub fn rule(&self) -> &'a StreamRule {
        self.rule
    }

    /// What the names of these epochs in one session are hashed to, side by side.
    pub fn hash_each(&self, mark: u64, indices: impl ExactSizeIterator<Item = u64>) -> Vec<NameHashes> {
        let Locators { head, tail } = &self.locators;
        let head_of_id = self.rule.epochs.head_of_id(mark);
        // all in one piece of memory; an id is the middle of its locator
        let locator_len = head.len() + head_of_id.len() + INDEX_LEN + tail.len();
        let mut text = String::with_capacity(indices.len() * locator_len);
        let mut ends = Vec::with_capacity(indices.len());
        for index in indices {
            write!(text, "{head}{head_of_id}{index}{tail}").expect("a string takes all text");
            ends.push(text.len());
        }
        let locators: Vec<_> = spans(&ends).map(|span| &text[span]).collect();
        let ids: Vec<_> = locators.iter().map(|locator| &locator[head.len()..locator.len() - tail.len()]).collect();
        let level = Level::current();
        let (locators, epochs) = (level.hash_each(&locators), level.hash_each(&ids));
        let slots: Vec<_> = epochs.iter().map(|&hash| SlotId::preimage(self.stream_hash, EpochHash(hash))).collect();
        let slots = level.hash_each(&slots);
        let hashes = epochs.into_iter().zip(slots).zip(locators);
        hashes
            .map(|((epoch, slot), locator)| NameHashes { epoch: EpochHash(epoch), slot: SlotId(slot), locator })
            .collect()
    }

    /// An epoch with its name, by what that is hashed to.
    ///
    /// # Errors
    ///
    /// Mark and index add up to more than 2^64−1.
    pub fn named(&self, derived: DerivedEpoch, mark: u64, hashes: NameHashes) -> Result<NamedEpoch, NameError> {
        let name = EpochName { mark, index: derived.key.index };
        let sequence = name.sequence().ok_or_else(|| NameError { stream_id: self.rule.stream_id.clone(), name })?;
        let content = derived.data_root.map(|data_root| Content {
            stream_hash: self.stream_hash,
            epoch_hash: hashes.epoch,
            data_root,
            locator_hash: hashes.locator,
            sequence,
        });
        Ok(NamedEpoch { derived, name, sequence, slot: hashes.slot, content })
    }
}

impl StreamRule {
    /// Names a derived epoch by the mark of its session, which is 0 on the timeline.
    ///
    /// # Errors
    ///
    /// Mark and index add up to more than 2^64−1.
    pub fn name(&self, derived: DerivedEpoch, mark: u64) -> Result<NamedEpoch, NameError> {
        let namer = Namer::new(self);
        let hashes = namer.hash_each(mark, std::iter::once(derived.key.index));
        namer.named(derived, mark, hashes[0])
    }
}
