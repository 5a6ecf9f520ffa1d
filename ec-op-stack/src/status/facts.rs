//! What was seen of the chain at one moment: facts, without a judgement.

use alloy::primitives::{Address, B256};
use serde::{Deserialize, Serialize, Serializer};

use super::posts::LastPost;
use crate::rpc::CallError;

/// Something that was asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Fact<T> {
    /// The answer.
    Known(T),
    /// Nothing on this host can tell, or it does not concern what runs here.
    #[default]
    NotAsked,
    /// It was asked, and there was no answer.
    Unknown(Silence),
}

/// Why there was no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Silence {
    /// In words, with the endpoint's host.
    pub why: String,
    /// Whether the endpoint said that there were too many requests.
    pub is_limit: bool,
}

impl<T> Fact<T> {
    /// The answer, if there is one.
    pub const fn known(&self) -> Option<&T> {
        match self {
            Self::Known(value) => Some(value),
            Self::NotAsked | Self::Unknown(_) => None,
        }
    }

    /// Why there is none.
    pub const fn silence(&self) -> Option<&Silence> {
        match self {
            Self::Unknown(silence) => Some(silence),
            Self::NotAsked | Self::Known(_) => None,
        }
    }

    /// A fact that is not to be had for another reason than a call's.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self::Unknown(Silence { why: why.into(), is_limit: false })
    }

    /// Of the answer something else.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Fact<U> {
        match self {
            Self::Known(value) => Fact::Known(change(value)),
            Self::NotAsked => Fact::NotAsked,
            Self::Unknown(silence) => Fact::Unknown(silence),
        }
    }
}

impl<T> From<Result<T, CallError>> for Fact<T> {
    fn from(answer: Result<T, CallError>) -> Self {
        match answer {
            Ok(value) => Self::Known(value),
            Err(error) => Self::Unknown(Silence { is_limit: error.is_rate_limit(), why: error.to_string() }),
        }
    }
}

/// The answer, or null.
impl<T: Serialize> Serialize for Fact<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.known().serialize(serializer)
    }
}

/// A block of the L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its hash; zero where op-node does not know the block yet.
    pub hash: B256,
    /// Its Unix time, in seconds.
    pub timestamp: u64,
    /// The L1 block it was made from.
    #[serde(rename(deserialize = "l1origin"))]
    pub l1_origin: Origin,
}

/// A block of L1 by number and hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Origin {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
}

/// A block of L1 as op-node or L1 knows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct L1Block {
    /// Its number.
    pub number: u64,
    /// Its hash; zero where op-node does not know the block yet.
    pub hash: B256,
    /// Its Unix time, in seconds.
    pub timestamp: u64,
}

/// op-node's view of L1 and L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Heads {
    /// The newest block.
    #[serde(rename(deserialize = "unsafe_l2"))]
    pub unsafe_head: Head,
    /// The newest that was derived from L1.
    #[serde(rename(deserialize = "safe_l2"))]
    pub safe: Head,
    /// The newest that was derived from finalized L1 blocks.
    #[serde(rename(deserialize = "finalized_l2"))]
    pub finalized: Head,
    /// L1's newest block, as op-node sees it.
    #[serde(rename(deserialize = "head_l1", serialize = "l1_head"))]
    pub l1_head: L1Block,
    /// The L1 block up to which op-node has derived the chain.
    #[serde(rename(deserialize = "current_l1", serialize = "l1_derived"))]
    pub l1_derived: L1Block,
}

impl Heads {
    /// The three of the L2, by name.
    pub const fn named(&self) -> [(&'static str, Head); 3] {
        [("unsafe", self.unsafe_head), ("safe", self.safe), ("finalized", self.finalized)]
    }
}

/// L1's own block at the number of a head's origin; null where it has none there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Origins {
    /// Of the unsafe head.
    #[serde(rename = "unsafe")]
    pub unsafe_head: Fact<Option<L1Block>>,
    /// Of the safe head.
    pub safe: Fact<Option<L1Block>>,
    /// Of the finalized head.
    pub finalized: Fact<Option<L1Block>>,
}

/// One account that sends transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// batcher, proposer or challenger.
    pub role: &'static str,
    /// Its address.
    pub address: Address,
    /// Its balance on L1, in wei, as a decimal string; null if unknown.
    pub balance_wei: Fact<String>,
    /// Transactions that are in L1's newest block or before.
    pub nonce: Fact<u64>,
    /// The same with what L1's pool holds.
    pub nonce_pending: Fact<u64>,
    /// Since when transactions wait with the nonce as it is, as far as that was watched; Unix time, in seconds.
    pub pending_since_unix_s: Option<u64>,
    /// Its newest transaction on L1.
    pub last_post: LastPost,
}

impl Account {
    /// Transactions that wait in L1's pool.
    pub fn pending(&self) -> Option<u64> {
        Some(self.nonce_pending.known()?.saturating_sub(*self.nonce.known()?))
    }
}

/// The newest dispute game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewestGame {
    /// How many games there are.
    pub count: u64,
    /// Its type.
    pub game_type: u32,
    /// Seconds since its creation; negative by a clock that is slow.
    pub age_s: i64,
    /// Its contract.
    pub address: Address,
    /// `in progress`, `challenger wins` or `defender wins`.
    pub status: &'static str,
}

/// What a game claims, beside what this node has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Claim {
    /// The game's contract.
    pub address: Address,
    /// Its type.
    pub game_type: u32,
    /// `in progress`, `challenger wins` or `defender wins`.
    pub status: &'static str,
    /// The L2 block that the claim is about; of super roots a Unix time, in seconds.
    pub position: Fact<u64>,
    /// That block, of super roots the newest at that time; null where `rollup.json` does not tell.
    pub block: Option<u64>,
    /// The output root that it claims of this chain.
    pub claimed: Fact<B256>,
    /// The output root that this node has there.
    pub ours: Fact<B256>,
    /// How many claims were made in it; one when nobody disputes it.
    pub claims: Fact<u64>,
}

/// The root that all withdrawals and games start from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Anchor {
    /// The registry that holds it.
    pub registry: Address,
    /// The L2 block that it is of; of super roots a Unix time, in seconds.
    pub position: u64,
    /// That block, of super roots the newest at that time; null where `rollup.json` does not tell.
    pub block: Option<u64>,
    /// The output root of this chain; of super roots that of the game that made it the anchor.
    pub root: Fact<B256>,
    /// Seconds since that block's time; null where `rollup.json` does not tell.
    pub age_s: Option<i64>,
    /// The output root that this node has there.
    pub ours: Fact<B256>,
    /// The type of games that count for withdrawals.
    pub respected_game_type: Fact<u32>,
}

/// The execution client's pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Pool {
    /// Transactions that the next blocks can take.
    pub pending: u64,
    /// Transactions that wait for others.
    pub queued: u64,
}

/// A file system that a component writes to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Disk {
    /// Whose directory.
    pub component: String,
    /// The directory.
    pub path: String,
    /// What is left for it, in bytes.
    pub free_bytes: Fact<u64>,
}

/// Questions to L1.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Questions {
    /// The endpoint's host and port.
    pub host: String,
    /// How many were asked.
    pub asked: u32,
    /// How many of them it refused for their number.
    pub limited: u32,
}

/// All that was seen at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Unix time, in seconds.
    pub unix_s: u64,
    /// The chain's id, by `rollup.json`.
    pub chain_id: Option<u64>,
    /// op-node's heads; null if it does not answer.
    pub heads: Fact<Heads>,
    /// The execution client's newest block.
    pub execution_head: Fact<u64>,
    /// The hash of the execution client's block at the number of op-node's safe head; null where it has none.
    pub execution_at_safe: Fact<Option<B256>>,
    /// The execution client's pool.
    pub pool: Fact<Pool>,
    /// L1's newest block.
    pub l1_head: Fact<u64>,
    /// Seconds since L1's newest block; negative where that is in the future.
    pub l1_head_age_s: Fact<i64>,
    /// L1's finalized block; null where it has none yet.
    pub l1_finalized: Fact<Option<L1Block>>,
    /// Seconds since the L1 block that the unsafe head was made from.
    pub l1_origin_age_s: Option<i64>,
    /// L1's own blocks at the numbers of the heads' origins.
    pub origins: Origins,
    /// What was asked of L1.
    pub l1_questions: Questions,
    /// Whether op-node makes blocks; null where it has no admin API.
    pub sequencing: Fact<bool>,
    /// Connected peers; null where op-node's P2P is off.
    pub peers: Fact<u64>,
    /// Services with a health check.
    pub services: Vec<&'static str>,
    /// Those of them that do not answer it.
    pub unhealthy: Vec<String>,
    /// Who sends transactions.
    pub accounts: Vec<Account>,
    /// The newest game; null if there is none or no factory is named.
    pub game: Fact<Option<NewestGame>>,
    /// The newest games' claims, the newest first.
    pub claims: Vec<Claim>,
    /// The anchor.
    pub anchor: Fact<Anchor>,
    /// Where the components write.
    pub disks: Vec<Disk>,
}
