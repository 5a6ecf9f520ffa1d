//! How settled entries stand in the file: keys that sort as their bytes, values of fixed length.

use alloy::primitives::{B256, keccak256};
use ec_observation::{ContentHash, EpochName, ObservationHash, SlotId};

use crate::{sessions::SessionCandidate, state::Final};

/// What an entry tells of. The numbers stand in the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A final observation, by sequence and slot.
    Final = 0,
    /// A candidate of a lane's session, by time and place.
    Candidate = 1,
    /// The time of a lane's final observation, by mark and index.
    FinalTime = 2,
}

/// A key or a value, in bytes.
pub(crate) trait Row: Sized {
    fn to_bytes(self) -> Vec<u8>;

    /// `None` where these are of no such thing.
    fn from_bytes(bytes: &[u8]) -> Option<Self>;
}

/// Takes fixed pieces off the front of bytes.
struct Pieces<'a>(&'a [u8]);

impl Pieces<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (piece, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*piece)
    }

    fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    fn hash(&mut self) -> Option<B256> {
        self.take().map(B256::new)
    }

    fn bool(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    fn end<T>(self, found: T) -> Option<T> {
        self.0.is_empty().then_some(found)
    }
}

impl Row for u64 {
    fn to_bytes(self) -> Vec<u8> {
        self.to_be_bytes().to_vec()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self::from_be_bytes)
    }
}

impl Row for (u64, u64) {
    fn to_bytes(self) -> Vec<u8> {
        [self.0.to_be_bytes(), self.1.to_be_bytes()].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(bytes);
        let found = (pieces.u64()?, pieces.u64()?);
        pieces.end(found)
    }
}

impl Row for (u64, SlotId) {
    fn to_bytes(self) -> Vec<u8> {
        [&self.0.to_be_bytes()[..], &self.1.0[..]].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(bytes);
        let found = (pieces.u64()?, SlotId(pieces.hash()?));
        pieces.end(found)
    }
}

impl Row for Final {
    fn to_bytes(self) -> Vec<u8> {
        let Self { hash, content, place, block, is_stray } = self;
        let numbers = [place, block].map(u64::to_be_bytes).concat();
        [&hash.0[..], &content.0[..], &numbers, &[u8::from(is_stray)]].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(bytes);
        let (hash, content) = (ObservationHash(pieces.hash()?), ContentHash(pieces.hash()?));
        let (place, block) = (pieces.u64()?, pieces.u64()?);
        let is_stray = pieces.bool()?;
        pieces.end(Self { hash, content, place, block, is_stray })
    }
}

impl Row for SessionCandidate {
    fn to_bytes(self) -> Vec<u8> {
        let Self { name: EpochName { mark, index }, data_root, timestamp_s, is_final } = self;
        let numbers = [mark, index, timestamp_s].map(u64::to_be_bytes).concat();
        [&numbers[..], &data_root[..], &[u8::from(is_final)]].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(bytes);
        let name = EpochName { mark: pieces.u64()?, index: pieces.u64()? };
        let (timestamp_s, data_root) = (pieces.u64()?, pieces.hash()?);
        let is_final = pieces.bool()?;
        pieces.end(Self { name, data_root, timestamp_s, is_final })
    }
}

/// What tells a row that a disk has changed: eight bytes of the hash of all that it stands for.
pub(super) fn sum(kind: i64, stream: i64, key: &[u8], value: &[u8]) -> [u8; 8] {
    let all = [&kind.to_be_bytes()[..], &stream.to_be_bytes(), key, value].concat();
    let mut sum = [0; 8];
    sum.copy_from_slice(&keccak256(all)[..8]);
    sum
}
