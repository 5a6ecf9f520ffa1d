//! One epoch's records, written out for another witness to compare with.

use serde::{Deserialize, Serialize};

use crate::{
    naming::NamedEpoch,
    records::{EpochRecords, Record},
    stream::{EpochName, StreamRule},
};

/// The only version there is.
pub const LISTING_VERSION: u8 = 1;

/// Why a listing cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ListingError {
    /// Another format.
    #[error("v is {0}, this program knows {LISTING_VERSION}")]
    Version(u8),
    /// A record of a track that is not observed.
    #[error("it lists a record of track {0:?}, which is not one of the observed tracks")]
    Track(String),
    /// A record of another epoch.
    #[error("it lists group {group_sequence}, which is not of epoch {sequence}")]
    Epoch {
        /// The record's group.
        group_sequence: u64,
        /// The listing's epoch.
        sequence: u64,
    },
}

/// The records of one epoch, in the tree's order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Listing {
    /// [`LISTING_VERSION`].
    pub v: u8,
    /// The stream.
    pub stream_id: String,
    /// `mark + index`: the epoch's index on the timeline.
    pub sequence: u64,
    /// The mark of the epoch's session; none on the timeline.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<u64>,
    /// The records.
    pub records: Vec<ListedRecord>,
}

/// What a record adds to the tree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ListedRecord {
    /// The track.
    pub track: String,
    /// The group's number.
    pub group_sequence: u64,
    /// BLAKE3 of the stored bytes: 64 hex digits without prefix, as in the index.
    #[serde(with = "alloy_primitives::hex::serde::no_prefix")]
    pub blake3: [u8; 32],
    /// Number of stored bytes.
    pub size_bytes: u64,
}

impl ListedRecord {
    /// The records of an epoch, in the tree's order.
    pub fn all<'a>(rule: &'a StreamRule, records: &'a EpochRecords) -> impl Iterator<Item = Self> + 'a {
        records.objects().map(|(position, object)| Self {
            track: rule.tracks.names()[position.track].clone(),
            group_sequence: position.group_sequence,
            blake3: object.blake3,
            size_bytes: object.size_bytes,
        })
    }
}

impl Listing {
    /// Writes an epoch's records out.
    pub fn new(rule: &StreamRule, epoch: &NamedEpoch, records: &EpochRecords) -> Self {
        Self {
            v: LISTING_VERSION,
            stream_id: rule.stream_id.clone(),
            sequence: epoch.sequence,
            mark: rule.is_lane().then_some(epoch.name.mark),
            records: ListedRecord::all(rule, records).collect(),
        }
    }

    /// What the epoch is called on the ledger; `None` where `mark` is above `sequence`.
    pub fn name(&self) -> Option<EpochName> {
        let mark = self.mark.unwrap_or_default();
        Some(EpochName { mark, index: self.sequence.checked_sub(mark)? })
    }

    /// The records as a set. Whether they are anyone's is not checked.
    ///
    /// # Errors
    ///
    /// A record that cannot be of this stream and epoch.
    pub fn records(&self, rule: &StreamRule) -> Result<EpochRecords, ListingError> {
        if self.v != LISTING_VERSION {
            return Err(ListingError::Version(self.v));
        }
        let mut set = EpochRecords::default();
        for ListedRecord { track, group_sequence, blake3, size_bytes } in &self.records {
            let (group_sequence, sequence) = (*group_sequence, self.sequence);
            let place = rule.tracks.names().iter().position(|name| name == track);
            let place = place.ok_or_else(|| ListingError::Track(track.clone()))?;
            if self.name().is_none_or(|name| rule.epochs.index(group_sequence) != name.index) {
                return Err(ListingError::Epoch { group_sequence, sequence });
            }
            let record = Record { group_sequence, blake3: *blake3, size_bytes: *size_bytes, received_unix_ms: None };
            set.add(place, &record);
        }
        Ok(set)
    }
}
