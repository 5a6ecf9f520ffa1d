//! The newest block that enough endpoints hold.

use std::{sync::Arc, sync::PoisonError, time::Duration};

use alloy::{
    eips::BlockNumberOrTag,
    primitives::B256,
    providers::{DynProvider, Provider},
    rpc::types::Header,
    transports::{RpcError, TransportError},
};
use serde_json::Value;
use tokio::time::{Instant, timeout_at};

use super::{Endpoints, asking::Asking, member::Member};
use crate::{
    block::BlockRef,
    fault::{AskError, Fault},
};

/// How long an endpoint that is slower than enough others is waited for: it may have a newer block.
const SLOWER_BY: Duration = Duration::from_secs(1);

/// Block times of the three heads, Unix seconds; 0 where the chain has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct HeadTimes {
    /// Of the newest block.
    pub latest: u64,
    /// Of the newest safe block.
    pub safe: u64,
    /// Of the newest finalized block.
    pub finalized: u64,
}

/// The heads that enough endpoints hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AgreedHead {
    /// The newest block.
    pub latest: BlockRef,
    /// Its parent's hash.
    pub parent: B256,
    /// When the heads were made.
    pub times: HeadTimes,
    /// The number of the newest safe block; 0 while there is none.
    pub safe: u64,
    /// The newest finalized block; `None` while there is none.
    pub finalized: Option<BlockRef>,
}

/// One endpoint's heads.
#[derive(Clone, Debug)]
struct Tip {
    latest: Header,
    safe: Option<Header>,
    finalized: Option<Header>,
}

impl Endpoints {
    /// The newest block that enough endpoints hold, and of the safe and finalized heads of those that hold it the
    /// newest that enough have reached.
    ///
    /// # Errors
    ///
    /// Too few answer, are synced and are of the right chain; or they are on forks without a common newest block.
    pub async fn heads(&self) -> Result<AgreedHead, AskError> {
        let tips = self.tips().await?;
        for number in numbers(&tips, self.0.agree) {
            let held = held(&tips, number).await;
            if let Some(mut head) = agreed_head(&held, self.0.agree) {
                for (member, header, _) in &held {
                    if header.as_ref().is_some_and(|header| header.hash != head.latest.hash) {
                        member.dissents("eth_getBlockByNumber");
                    }
                }
                if let (Some(finalized), 2..) = (head.finalized, tips.len()) {
                    // that enough have finalized this number does not say that they have the same block there
                    head.finalized = self.block(finalized.number).await?;
                }
                *self.0.head.lock().unwrap_or_else(PoisonError::into_inner) = Some(head.latest);
                return Ok(head);
            }
        }
        let shown = |(member, tip): &(Arc<Member>, Tip)| {
            (member.name.clone(), format!("block {} {}", tip.latest.number, tip.latest.hash))
        };
        let answers = tips.iter().map(shown).collect();
        Err(AskError::Disagreement { request: "eth_getBlockByNumber", needed: self.0.agree, answers })
    }

    /// The chain's block at this number, as enough endpoints agree; `None` where it is shorter.
    ///
    /// # Errors
    ///
    /// Too few answers, or no agreement.
    pub async fn block(&self, number: u64) -> Result<Option<BlockRef>, AskError> {
        self.agreed("eth_getBlockByNumber", |provider| async move {
            let header = header_if_any(&provider, number.into()).await?;
            Ok::<_, TransportError>(header.map(|header| BlockRef { number, hash: header.hash }))
        })
        .await
    }

    /// The heads of every endpoint that gives them in time; of enough of them, else it is an error.
    async fn tips(&self) -> Result<Vec<(Arc<Member>, Tip)>, AskError> {
        let (request, needed, chain_id) = ("eth_getBlockByNumber", self.0.agree, self.0.chain_id);
        let members = self.available(request, needed)?;
        let mut asking = Asking::of(members, |member| async move {
            let tip = tip(&member.provider, chain_id).await;
            match &tip {
                Ok(tip) => member.state().0.head = Some(tip.latest.number),
                Err(Fault::WrongChain(found)) => member.shut_out(chain_id, *found),
                Err(_) => {}
            }
            tip
        });
        let (mut tips, mut faults) = (Vec::new(), Vec::new());
        let mut deadline = None;
        loop {
            let next = match deadline {
                None => asking.next().await,
                Some(deadline) => timeout_at(deadline, asking.next()).await.ok().flatten(),
            };
            match next {
                None => break,
                Some((member, Ok(tip))) => tips.push((member, tip)),
                Some((member, Err(fault))) => faults.push((member.name.clone(), fault)),
            }
            if tips.len() >= needed {
                deadline.get_or_insert(Instant::now() + SLOWER_BY);
            }
        }
        if tips.len() < needed {
            self.available(request, 0)?;
            return Err(AskError::Unanswered { request, needed, answered: tips.len(), faults });
        }
        Ok(tips)
    }
}

async fn tip(provider: &DynProvider, chain_id: u64) -> Result<Tip, Fault> {
    let (found, syncing, latest, safe, finalized) = tokio::try_join!(
        async { provider.get_chain_id().await },
        is_syncing(provider),
        header(provider, BlockNumberOrTag::Latest),
        header_if_any(provider, BlockNumberOrTag::Safe),
        header_if_any(provider, BlockNumberOrTag::Finalized),
    )?;
    if found != chain_id {
        return Err(Fault::WrongChain(found));
    }
    if syncing {
        return Err(Fault::Syncing);
    }
    let latest = latest.ok_or_else(|| Fault::Unusable("it has no latest block".into()))?;
    // they were asked for at the same time, so the others may be newer
    let no_newer = |header: Header| if header.number < latest.number { header } else { latest.clone() };
    Ok(Tip { safe: safe.map(no_newer), finalized: finalized.map(no_newer), latest })
}

/// Whether a node says that it is not up to date. One that does not know the question is judged by its heads.
async fn is_syncing(provider: &DynProvider) -> Result<bool, TransportError> {
    match provider.raw_request("eth_syncing".into(), ()).await {
        Ok(status) => Ok(says_syncing(&status)),
        Err(RpcError::ErrorResp(refusal)) if refusal.code == METHOD_NOT_FOUND => Ok(false),
        Err(error) => Err(error),
    }
}

/// No such method, by JSON-RPC.
const METHOD_NOT_FOUND: i64 = -32601;

/// What `eth_syncing` answers: `false`, or how far the node is. geth that only indexes transactions or states of old has every
/// block, and says so; reth calls its current block the highest one all the time.
fn says_syncing(status: &Value) -> bool {
    let number = |field: &str| match status.get(field)? {
        Value::String(hex) => u64::from_str_radix(hex.strip_prefix("0x")?, 16).ok(),
        number => number.as_u64(),
    };
    let remains = ["txIndexRemainingBlocks", "stateIndexRemaining"].into_iter().filter_map(number).max();
    let has_every_block =
        number("currentBlock").zip(number("highestBlock")).is_some_and(|(current, highest)| current >= highest);
    let only_indexes = remains > Some(0) && has_every_block;
    *status != Value::Bool(false) && !only_indexes
}

async fn header(provider: &DynProvider, at: BlockNumberOrTag) -> Result<Option<Header>, TransportError> {
    Ok(provider.get_block_by_number(at).await?.map(|block| block.header))
}

/// What clients say where a chain has no such block yet, in lower case: geth and op-geth `safe block not found`, reth `unknown
/// safe or finalized block` and `block not found: safe`, Erigon and Besu `unknown block`, Nethermind `could not be found`, Hardhat
/// `block tag is not allowed in pre-merge hardforks`, proxyd `block is out of range`. Others answer `null`.
const NONE_YET_WORDS: &[&str] = &[
    "not found",
    "unknown",
    "could not be found",
    "does not exist",
    "doesn't exist",
    "not allowed in pre-merge",
    "out of range",
];

/// Unknown block, by the execution APIs.
const UNKNOWN_BLOCK: i64 = -39001;

/// The block at a number or a tag that a chain may not have yet.
async fn header_if_any(provider: &DynProvider, at: BlockNumberOrTag) -> Result<Option<Header>, TransportError> {
    match header(provider, at).await {
        Err(RpcError::ErrorResp(refusal)) if is_none_yet(refusal.code, &refusal.message) => Ok(None),
        answer => answer,
    }
}

fn is_none_yet(code: i64, message: &str) -> bool {
    let message = message.to_lowercase();
    // a method that is not there is named, too, and its name has the word
    let is_of_block = ["block", "header", "finalized", "safe"].iter().any(|word| message.contains(word));
    let is_of_block = is_of_block && !message.contains("method");
    code == UNKNOWN_BLOCK || is_of_block && NONE_YET_WORDS.iter().any(|words| message.contains(words))
}

/// Where to look for the newest block that `needed` endpoints hold: at the `needed`th highest head, then at the lower
/// ones.
fn numbers(tips: &[(Arc<Member>, Tip)], needed: usize) -> Vec<u64> {
    let mut numbers: Vec<_> = tips.iter().map(|(_, tip)| tip.latest.number).collect();
    numbers.sort_unstable_by(|a, b| b.cmp(a));
    let mut numbers = numbers.split_off(needed - 1);
    numbers.dedup();
    numbers
}

type Held<'a> = (&'a Arc<Member>, Option<Header>, &'a Tip);

/// What each endpoint holds at this number.
async fn held(tips: &[(Arc<Member>, Tip)], number: u64) -> Vec<Held<'_>> {
    let mut held = Vec::new();
    for (member, tip) in tips {
        let header = match tip.latest.number {
            latest if latest == number => Some(tip.latest.clone()),
            latest if latest > number => member.ask(header(&member.provider, number.into())).await.ok().flatten(),
            _ => None,
        };
        held.push((member, header.filter(|header| header.number == number), tip));
    }
    held
}

/// The block that `needed` endpoints hold alike.
fn agreed_head(held: &[Held<'_>], needed: usize) -> Option<AgreedHead> {
    let holders = |hash: B256| {
        held.iter().filter(move |(_, header, _)| header.as_ref().is_some_and(|header| header.hash == hash))
    };
    let mut headers = held.iter().filter_map(|(_, header, _)| header.as_ref());
    let head = headers.find(|header| holders(header.hash).count() >= needed)?;
    let reached = |of: fn(&Tip) -> Option<&Header>| {
        let mut reached: Vec<_> = holders(head.hash).map(|(.., tip)| of(tip)).collect();
        reached.sort_unstable_by_key(|header| std::cmp::Reverse(header.map(|header| header.number)));
        reached[needed - 1].map(|header| if header.number < head.number { header } else { head })
    };
    let (safe, finalized) = (reached(|tip| tip.safe.as_ref()), reached(|tip| tip.finalized.as_ref()));
    let at = |header: &Header| BlockRef { number: header.number, hash: header.hash };
    let time = |header: Option<&Header>| header.map_or(0, |header| header.timestamp);
    Some(AgreedHead {
        latest: at(head),
        parent: head.parent_hash,
        times: HeadTimes { latest: head.timestamp, safe: time(safe), finalized: time(finalized) },
        safe: safe.map_or(0, |header| header.number),
        finalized: finalized.map(at),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_clients_words_for_none_yet_are_understood() {
        for (client, code, words, expected) in [
            ("geth", -32000, "finalized block not found", true),
            ("op-geth", -32000, "safe block not found", true),
            ("reth", -32001, "unknown safe or finalized block", true),
            ("erigon", -39001, "Unknown block", true),
            ("besu", -39001, "Unknown block", true),
            ("nethermind", -32001, "Finalized block could not be found", true),
            ("nethermind", -32001, "Finalized could not be found", true),
            ("reth", -32001, "block not found: finalized", true),
            ("besu", -32000, "Block not found", true),
            (
                "hardhat",
                -32602,
                "The 'safe' block tag is not allowed in pre-merge hardforks. You are using 'london'.",
                true,
            ),
            ("proxyd", -32019, "block is out of range", true),
            ("nitro", -32000, "safe block not found", true),
            ("a proxy", -32601, "the method eth_getBlockByNumber does not exist/is not available", false),
            ("geth", -32000, "missing trie node", false),
            ("any", -32603, "Internal error", false),
            ("proxyd", -32601, "rpc method is not whitelisted", false),
            ("reth", 4444, "pruned history unavailable", false),
            ("proxyd", -32018, "backend is currently not healthy to serve traffic", false),
        ] {
            assert_eq!(is_none_yet(code, words), expected, "{client}: {words}");
        }
    }

    #[test]
    fn a_node_is_syncing_that_says_so_and_not_one_that_only_indexes() {
        let at = |current: &str, highest: &str| json!({"currentBlock": current, "highestBlock": highest, "startingBlock": "0x0"});
        let with = |mut status: Value, field: &str, value: Value| {
            status[field] = value;
            status
        };
        for (client, status, expected) in [
            ("any", json!(false), false),
            ("any", json!(true), true),
            ("any", Value::Null, true),
            ("geth", at("0x5", "0x9"), true),
            ("geth, indexing", with(at("0x9", "0x9"), "txIndexRemainingBlocks", json!("0x7")), false),
            ("geth, indexing", with(at("0xa", "0x9"), "stateIndexRemaining", json!("0x7")), false),
            ("geth, indexing too", with(at("0x5", "0x9"), "txIndexRemainingBlocks", json!("0x7")), true),
            ("geth, healing", with(at("0x9", "0x9"), "txIndexRemainingBlocks", json!("0x0")), true),
            ("reth", with(at("0x5", "0x5"), "stages", json!([{"name": "Bodies", "block": "0x5"}])), true),
            ("nethermind", with(at("0x9", "0x9"), "syncMode", json!("FastReceipts")), true),
            ("erigon", with(json!({"currentBlock": "0x5"}), "stages", json!([])), true),
            ("numbers", json!({"currentBlock": 9, "highestBlock": 9, "txIndexRemainingBlocks": 7}), false),
        ] {
            assert_eq!(says_syncing(&status), expected, "{client}: {status}");
        }
    }
}
