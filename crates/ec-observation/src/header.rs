//! The observation header and the hashes made from it (protocol §3).
//!
//! All hashes are keccak256, `abi.encode` is Solidity's, strings are hashed as UTF-8.

use std::{fmt, str::FromStr};

use alloy_primitives::{B256, keccak256};
use serde::{Deserialize, Serialize};

/// A 32-byte hash of one kind, so that one kind cannot stand for another. Shown and parsed as `0x` and lower-case hex.
macro_rules! hash_type {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub B256);

        impl $name {
            /// All bits zero: none.
            pub const ZERO: Self = Self(B256::ZERO);
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:#x}", self.0)
            }
        }

        impl FromStr for $name {
            type Err = alloy_primitives::hex::FromHexError;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    };
}

hash_type!(
    /// `keccak256(stream_id)`.
    StreamHash
);
hash_type!(
    /// `keccak256(epoch_id)`.
    EpochHash
);
hash_type!(
    /// `keccak256(abi.encode(streamHash, epochHash))`: the place on the ledger that one (stream, epoch) competes for.
    SlotId
);
hash_type!(
    /// `keccak256(abi.encode(header))`.
    ObservationHash
);
hash_type!(
    /// Digest of a header's [`Content`]. Never leaves this program: two headers agree on what was broadcast exactly
    /// when their content hashes are equal.
    ContentHash
);

impl StreamHash {
    /// The hash of a stream's id.
    pub fn of(stream_id: &str) -> Self {
        Self(keccak256(stream_id))
    }
}

impl EpochHash {
    /// The hash of an epoch's id.
    pub fn of(epoch_id: &str) -> Self {
        Self(keccak256(epoch_id))
    }
}

impl SlotId {
    /// The slot of (stream, epoch).
    pub fn of(stream: StreamHash, epoch: EpochHash) -> Self {
        Self(keccak256(Self::preimage(stream, epoch)))
    }

    /// What is hashed to the slot.
    pub(crate) fn preimage(stream: StreamHash, epoch: EpochHash) -> [u8; 64] {
        let mut bytes = [0; 64];
        bytes[..32].copy_from_slice(stream.0.as_slice());
        bytes[32..].copy_from_slice(epoch.0.as_slice());
        bytes
    }
}

/// What an observer states of one (stream, epoch). Serialized with Solidity's field names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ObservationHeader {
    /// The stream.
    pub stream_hash: StreamHash,
    /// The epoch.
    pub epoch_hash: EpochHash,
    /// The observation of the same stream this one follows, or zero. Chosen by the proposer.
    pub parent_observation_hash: ObservationHash,
    /// Root over the epoch's records, see [`crate::tree`].
    pub data_root: B256,
    /// Hash of the canonical JSON that says where the epoch's objects are.
    pub locator_hash: B256,
    /// Unix milliseconds of the epoch's first record. Chosen by the proposer.
    pub observed_unix_ms: u64,
    /// The epoch's index.
    pub sequence: u64,
}

/// A header without the two fields its proposer chooses: what witnesses must derive alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Content {
    /// The stream.
    pub stream_hash: StreamHash,
    /// The epoch.
    pub epoch_hash: EpochHash,
    /// Root over the epoch's records.
    pub data_root: B256,
    /// Hash of the canonical locator.
    pub locator_hash: B256,
    /// The epoch's index.
    pub sequence: u64,
}

/// The two fields of a header that its proposer chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    /// The observation of the same stream that the header follows, or zero.
    pub parent_observation_hash: ObservationHash,
    /// Unix milliseconds of the epoch's first record.
    pub observed_unix_ms: u64,
}

/// Length of an ABI-encoded header, bytes.
pub const HEADER_LEN: usize = 7 * 32;

impl ObservationHeader {
    /// `abi.encode(header)`.
    pub fn abi_encode(&self) -> [u8; HEADER_LEN] {
        let words = [
            self.stream_hash.0.0,
            self.epoch_hash.0.0,
            self.parent_observation_hash.0.0,
            self.data_root.0,
            self.locator_hash.0,
            word(self.observed_unix_ms),
            word(self.sequence),
        ];
        let mut bytes = [0; HEADER_LEN];
        for (chunk, word) in bytes.chunks_exact_mut(32).zip(words) {
            chunk.copy_from_slice(&word);
        }
        bytes
    }

    /// The inverse of [`Self::abi_encode`]; `None` when a `uint64` word does not fit.
    pub fn abi_decode(bytes: &[u8; HEADER_LEN]) -> Option<Self> {
        let at = |i: usize| B256::from_slice(&bytes[i * 32..(i + 1) * 32]);
        Some(Self {
            stream_hash: StreamHash(at(0)),
            epoch_hash: EpochHash(at(1)),
            parent_observation_hash: ObservationHash(at(2)),
            data_root: at(3),
            locator_hash: at(4),
            observed_unix_ms: unword(at(5))?,
            sequence: unword(at(6))?,
        })
    }

    /// The observation's hash.
    pub fn hash(&self) -> ObservationHash {
        ObservationHash(keccak256(self.abi_encode()))
    }

    /// The slot this header competes for.
    pub fn slot(&self) -> SlotId {
        SlotId::of(self.stream_hash, self.epoch_hash)
    }

    /// The part that is not the proposer's choice.
    pub fn content(&self) -> Content {
        Content {
            stream_hash: self.stream_hash,
            epoch_hash: self.epoch_hash,
            data_root: self.data_root,
            locator_hash: self.locator_hash,
            sequence: self.sequence,
        }
    }

    /// The part that is.
    pub fn choice(&self) -> Choice {
        Choice { parent_observation_hash: self.parent_observation_hash, observed_unix_ms: self.observed_unix_ms }
    }

    /// The header of the same content that another choice makes.
    pub fn with(self, Choice { parent_observation_hash, observed_unix_ms }: Choice) -> Self {
        Self { parent_observation_hash, observed_unix_ms, ..self }
    }
}

impl Content {
    /// Completes the content to a header with a proposer's choices.
    pub fn header(&self, parent: ObservationHash, observed_unix_ms: u64) -> ObservationHeader {
        ObservationHeader {
            stream_hash: self.stream_hash,
            epoch_hash: self.epoch_hash,
            parent_observation_hash: parent,
            data_root: self.data_root,
            locator_hash: self.locator_hash,
            observed_unix_ms,
            sequence: self.sequence,
        }
    }

    /// The digest by which contents are compared and kept.
    pub fn hash(&self) -> ContentHash {
        ContentHash(self.header(ObservationHash::ZERO, 0).hash().0)
    }
}

/// A `uint64` as an ABI word.
pub(crate) fn word(value: u64) -> [u8; 32] {
    let mut word = [0; 32];
    word[24..].copy_from_slice(&value.to_be_bytes());
    word
}

fn unword(word: B256) -> Option<u64> {
    let (high, low) = word.0.split_at(24);
    let low: [u8; 8] = low.try_into().ok()?;
    high.iter().all(|&byte| byte == 0).then(|| u64::from_be_bytes(low))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> ObservationHeader {
        ObservationHeader {
            stream_hash: StreamHash::of("la-nbc"),
            epoch_hash: EpochHash::of("ec/epoch/v1/g3/295470780"),
            parent_observation_hash: ObservationHash::ZERO,
            data_root: B256::repeat_byte(3),
            locator_hash: B256::repeat_byte(4),
            observed_unix_ms: u64::MAX,
            sequence: 295_470_780,
        }
    }

    #[test]
    fn abi_encoding_round_trips() {
        assert_eq!(ObservationHeader::abi_decode(&header().abi_encode()), Some(header()));
    }

    #[test]
    fn abi_decoding_refuses_a_wide_integer() {
        let mut bytes = header().abi_encode();
        bytes[5 * 32] = 1;
        assert_eq!(ObservationHeader::abi_decode(&bytes), None);
    }

    #[test]
    fn content_hash_ignores_the_proposers_choices_and_nothing_else() {
        let base = header();
        let chosen = ObservationHeader {
            parent_observation_hash: ObservationHash(B256::repeat_byte(9)),
            observed_unix_ms: 1,
            ..base
        };
        assert_eq!(base.content().hash(), chosen.content().hash());
        assert_ne!(base.hash(), chosen.hash());
        for other in [
            ObservationHeader { data_root: B256::ZERO, ..base },
            ObservationHeader { locator_hash: B256::ZERO, ..base },
            ObservationHeader { sequence: 0, ..base },
            ObservationHeader { stream_hash: StreamHash::ZERO, ..base },
            ObservationHeader { epoch_hash: EpochHash::ZERO, ..base },
        ] {
            assert_ne!(base.content().hash(), other.content().hash());
        }
    }
}
