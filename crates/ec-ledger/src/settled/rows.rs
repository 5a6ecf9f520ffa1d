//! How settled entries stand in the file: keys that sort as their bytes, values of fixed length.

use alloy::primitives::{B256, keccak256};
use ec_observation::SlotId;

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
pub(crate) struct Pieces<'a>(pub(crate) &'a [u8]);

impl Pieces<'_> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (piece, rest) = self.0.split_first_chunk::<N>()?;
        self.0 = rest;
        Some(*piece)
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        self.take().map(u64::from_be_bytes)
    }

    pub(crate) fn hash(&mut self) -> Option<B256> {
        self.take().map(B256::new)
    }

    pub(crate) fn bool(&mut self) -> Option<bool> {
        match self.take()? {
            [0] => Some(false),
            [1] => Some(true),
            _ => None,
        }
    }

    pub(crate) fn end<T>(self, found: T) -> Option<T> {
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

/// What tells a row that a disk has changed: eight bytes of the hash of all that it stands for.
pub(super) fn sum(kind: i64, stream: i64, key: &[u8], value: &[u8]) -> [u8; 8] {
    let all = [&kind.to_be_bytes()[..], &stream.to_be_bytes(), key, value].concat();
    let mut sum = [0; 8];
    sum.copy_from_slice(&keccak256(all)[..8]);
    sum
}
