//! A block of a chain.

use alloy::primitives::B256;
use serde::{Deserialize, Serialize};

/// A block's place and identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct BlockRef {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}
