//! Live: where the chain stands on this host, and what is wrong with it.
//!
//! [`Status::gather`] asks; [`Status::problems`] judges, and is pure.

mod posts;

use std::{
    fs,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{
    primitives::{Address, B256, U64, U256, utils::format_ether},
    transports::http::reqwest,
};
use jiff::fmt::friendly::SpanParser;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::{
    games::{self, Game},
    object::Object,
    rpc::Endpoint,
    stack::{LOW_BALANCE_WEI, Role, Running, Stack},
};

pub use posts::LastPost;

/// An unsafe head older than this stands still, in seconds.
const STALE_UNSAFE_S: u64 = 30;
/// A safe head this far behind the unsafe one means that batches are missing, in seconds. The sequencing window is 12 h.
const SAFE_LAG_S: u64 = 1800;
/// An L1 origin older than this: the sequencer may drift 1800 s at most (Fjord), in seconds.
const OLD_ORIGIN_S: u64 = 600;
/// An L1 head older than this, about five slots, stands still: the chain or the endpoint, in seconds.
const STALE_L1_S: u64 = 60;
/// op-proposer's default proposal interval, in seconds.
const PROPOSAL_INTERVAL_S: u64 = 3600;
const HEALTH_DEADLINE: Duration = Duration::from_secs(5);

/// A block of the L2.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Head {
    /// Its number.
    pub number: u64,
    /// Its Unix time, in seconds.
    pub timestamp: u64,
    /// The L1 block it was made from.
    #[serde(rename(deserialize = "l1origin"))]
    pub l1_origin: Origin,
}

/// A block of L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
pub struct Origin {
    /// Its number.
    pub number: u64,
    /// Its hash.
    pub hash: B256,
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
}

/// One account that sends transactions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Account {
    /// batcher, proposer or challenger.
    pub role: &'static str,
    /// Its address.
    pub address: Address,
    /// Its balance on L1, in wei, as a decimal string; null if unknown.
    pub balance_wei: Option<String>,
    /// Its newest transaction on L1.
    pub last_post: LastPost,
}

/// The newest dispute game.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewestGame {
    /// How many games there are.
    pub count: u64,
    /// Its type.
    pub game_type: u32,
    /// Seconds since its creation.
    pub age_s: u64,
    /// Its contract.
    pub address: Address,
    /// `in progress`, `challenger wins` or `defender wins`.
    pub status: &'static str,
}

/// All that was seen at one moment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Status {
    /// Unix time, in seconds.
    pub unix_s: u64,
    /// op-node's heads; null if it does not answer.
    pub heads: Option<Heads>,
    /// The execution client's newest block.
    pub execution_head: Option<u64>,
    /// L1's newest block.
    pub l1_head: Option<u64>,
    /// Seconds since L1's newest block.
    pub l1_head_age_s: Option<u64>,
    /// Seconds since the L1 block that the unsafe head was made from.
    pub l1_origin_age_s: Option<u64>,
    /// Whether op-node makes blocks; null where it has no admin API.
    pub sequencing: Option<bool>,
    /// Connected peers; null where op-node's P2P is off.
    pub peers: Option<u64>,
    /// Services that do not answer their health check.
    pub unhealthy: Vec<String>,
    /// Who sends transactions.
    pub accounts: Vec<Account>,
    /// The newest game; null if there is none or no factory is named.
    pub game: Option<NewestGame>,
}

#[derive(Debug, Deserialize)]
struct Peers {
    #[serde(rename = "totalConnected")]
    connected: u64,
}

#[derive(Debug, Deserialize)]
struct L1Block {
    number: U64,
    timestamp: U64,
}

impl Status {
    /// Asks everything that the stack names. What does not answer is null.
    pub async fn gather(stack: &Stack) -> Self {
        let node = stack.get("op-node").and_then(|node| node.listener("rpc")).map(|url| Endpoint::new(&url));
        let client = stack.execution().and_then(|client| client.listener("http")).map(|url| Endpoint::new(&url));
        let l1 = stack.l1_urls().first().map(Endpoint::new);
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());

        let heads = ask::<Heads>(node.as_ref(), "optimism_syncStatus", ()).await;
        let origin = match heads {
            Some(heads) => {
                ask::<Option<L1Block>>(l1.as_ref(), "eth_getBlockByHash", (heads.unsafe_head.l1_origin.hash, false))
                    .await
                    .flatten()
            }
            None => None,
        };
        let l1_head = ask::<L1Block>(l1.as_ref(), "eth_getBlockByNumber", ("latest", false)).await;
        let age = |block: &L1Block| unix_s.saturating_sub(block.timestamp.to());
        Self {
            unix_s,
            heads,
            execution_head: ask::<U64>(client.as_ref(), "eth_blockNumber", ()).await.map(|number| number.to()),
            l1_head: l1_head.as_ref().map(|block| block.number.to()),
            l1_head_age_s: l1_head.as_ref().map(age),
            l1_origin_age_s: origin.as_ref().map(age),
            sequencing: ask(node.as_ref(), "admin_sequencerActive", ()).await,
            peers: ask::<Peers>(node.as_ref(), "opp2p_peers", [true]).await.map(|peers| peers.connected),
            unhealthy: unhealthy(stack).await,
            accounts: accounts(stack, l1.as_ref()).await,
            game: game(stack, l1.as_ref(), unix_s).await,
        }
    }

    /// What is wrong, each in a sentence with what to look at.
    pub fn problems(&self, stack: &Stack) -> Vec<String> {
        let mut problems = Vec::from_iter(self.l1_problem());
        problems.extend(match self.heads {
            Some(heads) => self.head_problems(&heads),
            None => vec![
                "op-node does not answer: journalctl -u podman-op-node (or op-node, with native services)".to_owned(),
            ],
        });
        problems.extend(
            self.unhealthy.iter().map(|service| format!("{service} does not answer its health check: is it running?")),
        );
        if stack.role == Role::Sequencer && self.sequencing == Some(false) {
            problems.push("the sequencer is stopped: admin_startSequencer with the hash of the unsafe head".to_owned());
        }
        if stack.role == Role::Verifier && self.peers == Some(0) {
            problems.push("no peers: blocks come from L1 only; check --p2p.static and the firewall".to_owned());
        }
        problems.extend(self.accounts.iter().filter_map(account_problem));
        problems.extend(self.game_problem(stack));
        problems
    }

    fn l1_problem(&self) -> Option<String> {
        match (self.l1_head, self.l1_head_age_s) {
            (Some(head), Some(age)) if age > STALE_L1_S => Some(format!(
                "L1 stands still at block {head}, {age} s old: the endpoint does not follow, or L1 has halted"
            )),
            (None, _) => Some("L1 does not answer: see op-node's --l1".to_owned()),
            _ => None,
        }
    }

    fn head_problems(&self, heads: &Heads) -> Vec<String> {
        let mut problems = Vec::new();
        let age = self.unix_s.saturating_sub(heads.unsafe_head.timestamp);
        if age > STALE_UNSAFE_S {
            problems.push(format!(
                "the unsafe head is {age} s old: the sequencer has halted, or this node does not hear of its blocks"
            ));
        }
        let lag = heads.unsafe_head.timestamp.saturating_sub(heads.safe.timestamp);
        if lag > SAFE_LAG_S {
            problems.push(format!("the safe head lags {lag} s: batches are not posted (see op-batcher) or cannot be read (see the beacon endpoint)"));
        }
        if let Some(age) = self.l1_origin_age_s.filter(|age| *age > OLD_ORIGIN_S) {
            problems.push(format!(
                "the L1 origin is {age} s old: the L1 endpoint lags; at 1800 s the sequencer makes empty blocks only"
            ));
        }
        if let Some(head) = self.execution_head.filter(|head| head.abs_diff(heads.unsafe_head.number) > 5) {
            problems.push(format!("the execution client is at {head}, op-node at {}: the engine API fails (secret, versions), or it syncs", heads.unsafe_head.number));
        }
        problems
    }

    fn game_problem(&self, stack: &Stack) -> Option<String> {
        let proposer = stack.get("op-proposer")?;
        let interval =
            proposer.value("proposal-interval").and_then(|text| seconds(&text)).unwrap_or(PROPOSAL_INTERVAL_S);
        let limit = interval.saturating_mul(2).saturating_add(120);
        match &self.game {
            None => Some("there is no dispute game yet: see op-proposer's log".to_owned()),
            Some(game) if game.age_s > limit => Some(format!(
                "the newest game is {} s old, the interval is {interval} s: see op-proposer's log",
                game.age_s
            )),
            Some(_) => None,
        }
    }
}

fn account_problem(account: &Account) -> Option<String> {
    let wei = account.balance_wei.as_ref()?.parse::<U256>().ok()?;
    (wei < LOW_BALANCE_WEI).then(|| {
        format!("the {} has only {} ETH on L1: send ETH to {}", account.role, format_ether(wei), account.address)
    })
}

/// A duration as Go writes it, such as `1h30m`, `300ms` or `1.5h`, in whole seconds.
///
/// jiff's format has more than Go's: days and longer units, words, signs, spaces, `1:30:00`. No text of those consists of the
/// letters of Go's units alone. It also has less: Go takes units in any order and repeatedly, and prints none so.
fn seconds(text: &str) -> Option<u64> {
    let is_go = text.chars().all(|letter| letter.is_ascii_digit() || ".hmsunµ".contains(letter));
    let duration = is_go.then(|| SpanParser::new().parse_unsigned_duration(text))?.ok()?;
    Some(duration.as_secs())
}

async fn ask<T>(endpoint: Option<&Endpoint>, method: &str, params: impl Serialize) -> Option<T>
where
    T: serde::de::DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
{
    endpoint?.call(method, params).await.ok()
}

async fn unhealthy(stack: &Stack) -> Vec<String> {
    let mut silent = Vec::new();
    for name in ["op-batcher", "op-proposer"] {
        let Some(url) = stack.get(name).and_then(|service| health_url(service)) else { continue };
        let answer = tokio::time::timeout(HEALTH_DEADLINE, reqwest::get(url)).await;
        if !matches!(answer, Ok(Ok(response)) if response.status().is_success()) {
            silent.push(name.to_owned());
        }
    }
    silent
}

fn health_url(service: Running<'_>) -> Option<Url> {
    service.listener("rpc")?.join("healthz").ok()
}

async fn accounts(stack: &Stack, l1: Option<&Endpoint>) -> Vec<Account> {
    let mut accounts = Vec::new();
    for (role, address) in stack.accounts.named() {
        let balance = ask::<U256>(l1, "eth_getBalance", (address, "latest")).await;
        let last_post = match l1 {
            Some(l1) => LastPost::find(l1, address).await,
            None => LastPost::Unknown,
        };
        accounts.push(Account { role, address, balance_wei: balance.map(|wei| wei.to_string()), last_post });
    }
    accounts
}

async fn game(stack: &Stack, l1: Option<&Endpoint>, unix_s: u64) -> Option<NewestGame> {
    let factory = factory(stack, l1?).await?;
    let game = Game::newest(l1?, factory).await.ok()??;
    let status =
        ["in progress", "challenger wins", "defender wins"].get(usize::from(game.status)).copied().unwrap_or("unknown");
    let age_s = unix_s.saturating_sub(game.created);
    Some(NewestGame { count: game.count, game_type: game.game_type, age_s, address: game.address, status })
}

/// The factory that the proposer or challenger is told, or else the one that the chain's `SystemConfig` names: where the
/// address comes from a file, the stack does not hold it.
async fn factory(stack: &Stack, l1: &Endpoint) -> Option<Address> {
    let user = stack.get("op-proposer").or_else(|| stack.get("op-challenger"))?;
    if let Some(told) = user.value("game-factory-address") {
        return told.parse().ok();
    }
    let rollup = serde_json::from_slice::<Object>(&fs::read(&stack.files.rollup).ok()?).ok()?;
    games::factory(l1, rollup.get(&["l1_system_config_address"])?).await.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_as_go_writes_them() {
        let read = ["20s", "1h30m0s", "12m", "5", "1d"].map(seconds);
        assert_eq!(read, [Some(20), Some(5400), Some(720), None, None]);
        let read = ["1h30m", "1.5h", "90m", "0s", "300ms", "1500ms", "1s5us", "7µs"].map(seconds);
        assert_eq!(read, [Some(5400), Some(5400), Some(5400), Some(0), Some(0), Some(1), Some(1), Some(0)]);
    }

    #[test]
    fn what_is_no_duration_of_go_is_none() {
        // jiff's own
        for text in
            ["1w", "1mo", "1y", "1 h", "1h 30m", "1h,30m", "1,5h", "1hr", "90 secs", "1h ago", "1:30:00", "PT1H"]
        {
            assert_eq!(seconds(text), None, "{text}");
        }
        for text in ["h", "1", "1.5", "h1", "1h30", "+1h", "-1h", "1H", "30s1x"] {
            assert_eq!(seconds(text), None, "{text}");
        }
        // which Go reads, and never writes
        for text in ["30m1h", "1h1h"] {
            assert_eq!(seconds(text), None, "{text}");
        }
    }
}
