//! When an account sent its newest transaction.

use alloy::primitives::{Address, U64};
use serde::{Deserialize, Serialize};

use crate::rpc::{CallError, Endpoint};

/// How far back an ordinary node knows states, in blocks.
const HISTORY: u64 = 120;

/// The newest transaction of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LastPost {
    /// There was none ever.
    Never,
    /// It is older than the blocks whose state an ordinary node keeps; seconds at least.
    OlderThan(u64),
    /// Seconds since its block.
    Ago(u64),
    /// L1 does not tell.
    Unknown,
}

#[derive(Debug, Deserialize)]
struct Block {
    number: U64,
    timestamp: U64,
}

impl LastPost {
    /// Seconds since then, at least; `None` where there was none or nobody knows.
    pub const fn age_s(self) -> Option<u64> {
        match self {
            Self::OlderThan(seconds) | Self::Ago(seconds) => Some(seconds),
            Self::Never | Self::Unknown => None,
        }
    }

    /// Looks for the block at which the account's nonce grew last, by halving: about nine calls.
    pub async fn find(l1: &Endpoint, account: Address) -> Result<Self, CallError> {
        let latest = block(l1, "latest").await?;
        let head = latest.number.to::<u64>();
        let count = nonce(l1, account, head).await?;
        if count == 0 {
            return Ok(Self::Never);
        }
        // before `first` the nonce was smaller, if it ever was within reach
        let mut low = head.saturating_sub(HISTORY);
        let age = async |number: u64| {
            let found = block(l1, &format!("{number:#x}")).await?;
            Ok::<_, CallError>(latest.timestamp.to::<u64>().saturating_sub(found.timestamp.to()))
        };
        if nonce(l1, account, low).await? == count {
            return Ok(if low == 0 { Self::Never } else { Self::OlderThan(age(low).await?) });
        }
        let mut high = head;
        while high - low > 1 {
            let middle = low.midpoint(high);
            if nonce(l1, account, middle).await? == count { high = middle } else { low = middle }
        }
        Ok(Self::Ago(age(high).await?))
    }
}

async fn block(l1: &Endpoint, number: &str) -> Result<Block, CallError> {
    l1.call("eth_getBlockByNumber", (number, false)).await
}

async fn nonce(l1: &Endpoint, account: Address, block: u64) -> Result<u64, CallError> {
    l1.call::<U64>("eth_getTransactionCount", (account, format!("{block:#x}"))).await.map(|count| count.to())
}
