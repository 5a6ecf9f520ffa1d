//! Inclusion proofs: one record of an epoch against an observation's data root (protocol §6).

use alloy_primitives::{Address, B256, keccak256};
use serde::{Deserialize, Serialize};

use crate::{
    header::{EpochHash, ObservationHeader, StreamHash},
    records::{EpochRecords, Position},
    stream::StreamRule,
    tree,
};

/// The only version there is.
pub const PROOF_VERSION: u8 = 1;

/// Why a record cannot be proven.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProveError {
    /// The track is not observed.
    #[error("track {0:?} is not one of the observed tracks")]
    Track(String),
    /// No such record in the epoch.
    #[error("the archive has no record of {track:?} with group_sequence {group_sequence}")]
    NoRecord {
        /// The track.
        track: String,
        /// The group.
        group_sequence: u64,
    },
}

/// Why a proof is not one.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ProofError {
    /// Another format.
    #[error("v is {0}, this program knows {PROOF_VERSION}")]
    Version(u8),
    /// The index is none of the leaves'.
    #[error("index {index} is not below leaf_count {leaf_count}")]
    Index {
        /// The index.
        index: u64,
        /// Leaves in the tree.
        leaf_count: u64,
    },
    /// Too many or too few siblings for the position.
    #[error("path has {0} hashes, which is not what index and leaf_count demand")]
    PathLength(usize),
    /// The path leads elsewhere.
    #[error("the path leads to data root {found}, the header has {expected}")]
    DataRoot {
        /// What the path leads to.
        found: B256,
        /// The header's.
        expected: B256,
    },
    /// A name of the origin is not the header's.
    #[error("{field} is {name:?}, which is not what the header's hash stands for")]
    Origin {
        /// Which name.
        field: &'static str,
        /// The name.
        name: String,
    },
}

/// What a header stands for in words, and on which ledger its maker found it final.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Origin {
    /// The stream: its hash is the header's.
    pub stream_id: String,
    /// The epoch: its hash is the header's.
    pub epoch_id: String,
    /// Where the header is final; `None` where that was not asked. Nothing proves it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub ledger: Option<OnLedger>,
}

/// A ledger on its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnLedger {
    /// The chain.
    pub chain_id: u64,
    /// The ledger.
    pub address: Address,
}

/// A record and the way from it to the header's data root.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Proof {
    /// [`PROOF_VERSION`].
    pub v: u8,
    /// The observation that holds the record.
    pub header: ObservationHeader,
    /// The record's track.
    pub track: String,
    /// The record's group.
    pub group_sequence: u64,
    /// BLAKE3 of the stored bytes: 64 hex digits without prefix, as in the index.
    #[serde(with = "alloy_primitives::hex::serde::no_prefix")]
    pub blake3: [u8; 32],
    /// Number of stored bytes.
    pub size_bytes: u64,
    /// The record's place among the leaves.
    pub index: u64,
    /// Leaves in the tree.
    pub leaf_count: u64,
    /// Siblings from the leaf to the root.
    pub path: Vec<B256>,
    /// What it is in words, where its maker said so.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub of: Option<Origin>,
}

impl Proof {
    /// Proves a record of an epoch under `header`, which is not checked against the records.
    ///
    /// # Errors
    ///
    /// The track is not observed, or the epoch has no such record.
    pub fn new(
        rule: &StreamRule,
        records: &EpochRecords,
        header: ObservationHeader,
        track: &str,
        group_sequence: u64,
    ) -> Result<Self, ProveError> {
        let tracks = rule.tracks.names();
        let number = tracks.iter().position(|name| name == track).ok_or_else(|| ProveError::Track(track.into()))?;
        let wanted = Position { track: number, group_sequence };
        let no_record = || ProveError::NoRecord { track: track.into(), group_sequence };
        let found = records.objects().enumerate().find(|(_, (position, _))| *position == wanted);
        let (index, (_, object)) = found.ok_or_else(no_record)?;
        let leaves = records.leaves(&rule.track_hashes());
        Ok(Self {
            v: PROOF_VERSION,
            header,
            track: track.to_owned(),
            group_sequence,
            blake3: object.blake3,
            size_bytes: object.size_bytes,
            index: index as u64,
            leaf_count: leaves.len() as u64,
            path: tree::path(&leaves, index).ok_or_else(no_record)?,
            of: None,
        })
    }

    /// The same proof with what it is in words.
    pub fn of(self, origin: Origin) -> Self {
        Self { of: Some(origin), ..self }
    }

    /// Checks that the record is the leaf at its place under the header's data root, and that the stream and the epoch that are
    /// named are the header's. Whether the header is final is the ledger's to say.
    ///
    /// # Errors
    ///
    /// It is not.
    pub fn check(&self) -> Result<(), ProofError> {
        let Self { v, index, leaf_count, .. } = *self;
        if v != PROOF_VERSION {
            return Err(ProofError::Version(v));
        }
        if index >= leaf_count {
            return Err(ProofError::Index { index, leaf_count });
        }
        let leaf = tree::leaf(keccak256(&self.track), self.group_sequence, &self.blake3, self.size_bytes);
        let root = tree::root_from_path(leaf, index, leaf_count, &self.path);
        let found = tree::data_root(leaf_count, root.ok_or(ProofError::PathLength(self.path.len()))?);
        let expected = self.header.data_root;
        if found != expected {
            return Err(ProofError::DataRoot { found, expected });
        }
        self.of.as_ref().map_or(Ok(()), |origin| origin.check(&self.header))
    }
}

impl Origin {
    fn check(&self, header: &ObservationHeader) -> Result<(), ProofError> {
        let wrong = |field, name: &String| Err(ProofError::Origin { field, name: name.clone() });
        if StreamHash::of(&self.stream_id) != header.stream_hash {
            return wrong("stream_id", &self.stream_id);
        }
        if EpochHash::of(&self.epoch_id) != header.epoch_hash {
            return wrong("epoch_id", &self.epoch_id);
        }
        Ok(())
    }
}
