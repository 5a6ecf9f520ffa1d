//! Asks all that a stack names. What does not answer is a fact, too.

use std::{
    fs,
    path::Path,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::{
    primitives::{Address, B256, U64, U256},
    transports::http::reqwest,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use url::Url;

use super::{
    facts::{Account, Anchor, Claim, Disk, Fact, Head, L1Block, NewestGame, Pool, Questions, Status},
    posts::LastPost,
};
use crate::{
    games::{self, AnchorRoot, Game},
    object::Object,
    rpc::{CallError, Endpoint},
    stack::{Running, Stack},
};

const HEALTH_DEADLINE: Duration = Duration::from_secs(5);
/// So many of the newest games are looked into: their claims cost L1 four calls each.
const GAMES: u64 = 4;

#[derive(Debug, Deserialize)]
struct Peers {
    #[serde(rename = "totalConnected")]
    connected: u64,
}

/// A block as execution clients write it.
#[derive(Debug, Deserialize)]
struct Block {
    number: U64,
    hash: B256,
    timestamp: U64,
}

impl From<Block> for L1Block {
    fn from(block: Block) -> Self {
        Self { number: block.number.to(), hash: block.hash, timestamp: block.timestamp.to() }
    }
}

#[derive(Debug, Deserialize)]
struct PoolStatus {
    pending: U64,
    queued: U64,
}

#[derive(Debug, Deserialize)]
struct Output {
    #[serde(rename = "outputRoot")]
    root: B256,
}

/// An endpoint that counts what it is asked, and what it refuses.
struct Asked {
    endpoint: Option<Endpoint>,
    questions: Questions,
}

impl Asked {
    fn new(url: Option<&Url>) -> Self {
        let endpoint = url.map(Endpoint::new);
        let host = endpoint.as_ref().map(|endpoint| endpoint.host.clone()).unwrap_or_default();
        Self { endpoint, questions: Questions { host, ..Questions::default() } }
    }

    /// What the question is answered, by an endpoint if there is one.
    async fn with<T>(&mut self, question: impl AsyncFnOnce(&Endpoint) -> Result<T, CallError>) -> Fact<T> {
        let Some(endpoint) = &self.endpoint else { return Fact::NotAsked };
        let fact = Fact::from(question(endpoint).await);
        self.questions.asked += 1;
        self.questions.limited += u32::from(fact.silence().is_some_and(|silence| silence.is_limit));
        fact
    }

    async fn call<T>(&mut self, method: &str, params: impl Serialize) -> Fact<T>
    where
        T: DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        self.with(async |endpoint| endpoint.call(method, params).await).await
    }

    async fn block(&mut self, at: &str) -> Fact<Option<L1Block>> {
        self.call::<Option<Block>>("eth_getBlockByNumber", (at, false)).await.map(|block| block.map(L1Block::from))
    }

    /// Like [`Self::block`], but a client that has no such block may also say so by an error.
    async fn block_by_tag(&mut self, tag: &str) -> Fact<Option<L1Block>> {
        match self.block(tag).await {
            Fact::Unknown(silence) if silence.why.contains("not found") => Fact::Known(None),
            fact => fact,
        }
    }

    async fn block_at(&mut self, number: u64) -> Fact<Option<L1Block>> {
        self.block(&format!("{number:#x}")).await
    }
}

impl Status {
    /// Asks everything that the stack names. What was seen `before` tells how long something lasts.
    pub async fn gather(stack: &Stack, before: Option<&Self>) -> Self {
        let node = stack.get("op-node");
        let client = stack.execution();
        let mut ask_node = Asked::new(node.and_then(|node| node.listener("rpc")).as_ref());
        let mut ask_client = Asked::new(client.and_then(|client| client.listener("http")).as_ref());
        let mut l1 = Asked::new(stack.l1_urls().first());
        let unix_s = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
        let rollup = fs::read(&stack.files.rollup).ok().and_then(|text| serde_json::from_slice::<Object>(&text).ok());
        let chain_id = rollup.as_ref().and_then(|rollup| rollup.get(&["l2_chain_id"]));
        let mut status = Self { unix_s, chain_id, ..Self::default() };

        status.heads = ask_node.call("optimism_syncStatus", ()).await;
        if node.is_some_and(|node| node.is_on("rpc.enable-admin")) {
            status.sequencing = ask_node.call("admin_sequencerActive", ()).await;
        }
        if node.is_some_and(|node| !node.is_on("p2p.disable")) {
            status.peers = ask_node.call::<Peers>("opp2p_peers", [true]).await.map(|peers| peers.connected);
        }
        status.look_at_client(&mut ask_client, client).await;
        status.look_at_l1(&mut l1).await;
        status.accounts = accounts(stack, &mut l1, unix_s, before).await;
        status.look_at_games((stack, rollup.as_ref()), &mut l1, &mut ask_node).await;
        (status.services, status.unhealthy) = services(stack).await;
        status.disks = disks(stack);
        status.l1_questions = l1.questions;
        status
    }

    async fn look_at_client(&mut self, ask: &mut Asked, client: Option<Running<'_>>) {
        self.execution_head = ask.call::<U64>("eth_blockNumber", ()).await.map(|number| number.to());
        if let Some(heads) = self.heads.known() {
            self.execution_at_safe = ask.block_at(heads.safe.number).await.map(|block| block.map(|block| block.hash));
        }
        if client.is_some_and(|client| client.lists("http.api", "txpool")) {
            let pool = ask.call::<PoolStatus>("txpool_status", ()).await;
            self.pool = pool.map(|pool| Pool { pending: pool.pending.to(), queued: pool.queued.to() });
        }
    }

    async fn look_at_l1(&mut self, l1: &mut Asked) {
        let head = l1.call::<Block>("eth_getBlockByNumber", ("latest", false)).await.map(L1Block::from);
        self.l1_head = head.clone().map(|block| block.number);
        self.l1_head_age_s = head.map(|block| age_s(self.unix_s, block.timestamp));
        self.l1_finalized = l1.block_by_tag("finalized").await;
        let Some(heads) = self.heads.known().copied() else { return };
        // one that op-node does not know yet has none
        let mut seen = async |head: Head| match head.hash.is_zero() {
            true => Fact::NotAsked,
            false => l1.block_at(head.l1_origin.number).await,
        };
        self.origins.unsafe_head = seen(heads.unsafe_head).await;
        self.origins.safe = seen(heads.safe).await;
        self.origins.finalized = seen(heads.finalized).await;
        let origin = self.origins.unsafe_head.known().copied().flatten();
        let is_its = |block: &L1Block| block.hash == heads.unsafe_head.l1_origin.hash;
        self.l1_origin_age_s = origin.filter(is_its).map(|block| age_s(self.unix_s, block.timestamp));
    }

    async fn look_at_games(&mut self, (stack, rollup): (&Stack, Option<&Object>), l1: &mut Asked, node: &mut Asked) {
        let factory = match factory(stack, rollup, l1).await {
            Fact::Known(factory) => factory,
            Fact::NotAsked => return,
            Fact::Unknown(silence) => {
                self.game = Fact::Unknown(silence);
                return;
            }
        };
        let newest = l1.with(async |l1| Game::newest(l1, factory, GAMES).await).await;
        let (count, games) = match newest {
            Fact::Known(found) => found,
            Fact::NotAsked => return,
            Fact::Unknown(silence) => {
                self.game = Fact::Unknown(silence);
                return;
            }
        };
        self.game = Fact::Known(games.first().map(|game| NewestGame {
            count,
            game_type: game.game_type,
            age_s: age_s(self.unix_s, game.created),
            address: game.address,
            status: word(game.status),
        }));
        let places =
            Places { rollup, chain_id: self.chain_id, safe: self.heads.known().map(|heads| heads.safe.number) };
        for game in &games {
            let claim = claim(game, &places, l1, node).await;
            self.claims.push(claim);
        }
        if let Some(game) = games.first() {
            let (address, game_type) = (game.address, game.game_type);
            let anchor = l1.with(async |l1| games::anchor(l1, address, game_type).await).await;
            self.anchor = match anchor {
                Fact::Known(found) => {
                    let AnchorRoot { registry, position, root } = found;
                    let block = places.block(game_type, position);
                    let root = match games::is_super(game_type) {
                        false => Fact::Known(root),
                        true => places.anchored(registry, game_type, l1).await,
                    };
                    Fact::Known(Anchor {
                        registry,
                        position,
                        block,
                        age_s: places.time(game_type, position).map(|time| age_s(self.unix_s, time)),
                        ours: places.output(block.filter(|block| *block > 0 && root.known().is_some()), node).await,
                        root,
                        respected_game_type: l1.with(async |l1| games::respected_type(l1, registry).await).await,
                    })
                }
                Fact::NotAsked => Fact::NotAsked,
                Fact::Unknown(silence) => Fact::Unknown(silence),
            };
        }
    }
}

/// Where this chain stands in what games tell.
struct Places<'a> {
    rollup: Option<&'a Object>,
    chain_id: Option<u64>,
    /// The newest safe block.
    safe: Option<u64>,
}

impl Places<'_> {
    /// The block at a position of games of this type.
    fn block(&self, game_type: u32, position: u64) -> Option<u64> {
        if games::is_super(game_type) { block_at(self.rollup, position) } else { Some(position) }
    }

    /// The Unix time of such a position, in seconds.
    fn time(&self, game_type: u32, position: u64) -> Option<u64> {
        if games::is_super(game_type) { Some(position) } else { time_of(self.rollup, position) }
    }

    /// What a game of this type claims of this chain.
    async fn claimed(&self, game: Address, game_type: u32, l1: &mut Asked) -> Fact<B256> {
        let in_super = match (games::is_super(game_type), self.chain_id) {
            (false, _) => None,
            (true, None) => return Fact::NotAsked,
            (true, chain_id) => chain_id,
        };
        l1.with(async |l1| games::root_claim(l1, game, in_super).await).await
    }

    /// What the game that a registry has for the anchor, one of this type, claims of this chain.
    async fn anchored(&self, registry: Address, game_type: u32, l1: &mut Asked) -> Fact<B256> {
        match l1.with(async |l1| games::anchor_game(l1, registry).await).await {
            // what all began with is no game's claim
            Fact::Known(game) if game.is_zero() => Fact::NotAsked,
            Fact::Known(game) => self.claimed(game, game_type, l1).await,
            Fact::NotAsked => Fact::NotAsked,
            Fact::Unknown(silence) => Fact::Unknown(silence),
        }
    }

    /// The output root that the node has of a block, where that is safe.
    async fn output(&self, block: Option<u64>, node: &mut Asked) -> Fact<B256> {
        match block.filter(|block| self.safe.is_some_and(|safe| *block <= safe)) {
            Some(block) => {
                let output = node.call::<Output>("optimism_outputAtBlock", [format!("{block:#x}")]).await;
                output.map(|output| output.root)
            }
            None => Fact::NotAsked,
        }
    }
}

async fn claim(game: &Game, places: &Places<'_>, l1: &mut Asked, node: &mut Asked) -> Claim {
    let (address, game_type) = (game.address, game.game_type);
    let position = l1.with(async |l1| games::position(l1, address, games::is_super(game_type)).await).await;
    let claimed = places.claimed(address, game_type, l1).await;
    let claims = l1.with(async |l1| games::claims(l1, address).await).await;
    let block = position.known().and_then(|position| places.block(game_type, *position));
    let ours = places.output(block, node).await;
    Claim { address, game_type, status: word(game.status), position, block, claimed, ours, claims }
}

const fn word(status: u8) -> &'static str {
    match status {
        0 => "in progress",
        1 => "challenger wins",
        2 => "defender wins",
        _ => "unknown",
    }
}

/// Seconds from `then` until `now`; negative where that is still to come.
fn age_s(now: u64, then: u64) -> i64 {
    now.cast_signed().wrapping_sub(then.cast_signed())
}

/// When an L2 block was made, by the chain's configuration.
fn time_of(rollup: Option<&Object>, block: u64) -> Option<u64> {
    let rollup = rollup?;
    let since = block.checked_sub(rollup.get(&["genesis", "l2", "number"])?)?;
    rollup.get::<u64>(&["genesis", "l2_time"])?.checked_add(since.checked_mul(rollup.get(&["block_time"])?)?)
}

/// The newest L2 block at a time, by the chain's configuration.
fn block_at(rollup: Option<&Object>, unix_s: u64) -> Option<u64> {
    let rollup = rollup?;
    let since = unix_s.checked_sub(rollup.get(&["genesis", "l2_time"])?)?;
    rollup.get::<u64>(&["genesis", "l2", "number"])?.checked_add(since.checked_div(rollup.get(&["block_time"])?)?)
}

/// The services that have a health check, and those that do not answer it.
async fn services(stack: &Stack) -> (Vec<&'static str>, Vec<String>) {
    let (mut services, mut silent) = (Vec::new(), Vec::new());
    for name in ["op-batcher", "op-proposer"] {
        let Some(url) = stack.get(name).and_then(|service| health_url(service)) else { continue };
        let answer = tokio::time::timeout(HEALTH_DEADLINE, reqwest::get(url)).await;
        services.push(name);
        if !matches!(answer, Ok(Ok(response)) if response.status().is_success()) {
            silent.push(name.to_owned());
        }
    }
    (services, silent)
}

fn health_url(service: Running<'_>) -> Option<Url> {
    service.listener("rpc")?.join("healthz").ok()
}

async fn accounts(stack: &Stack, l1: &mut Asked, unix_s: u64, before: Option<&Status>) -> Vec<Account> {
    let mut accounts = Vec::new();
    for (role, address) in stack.accounts.named() {
        let balance = l1.call::<U256>("eth_getBalance", (address, "latest")).await;
        let nonce = l1.call::<U64>("eth_getTransactionCount", (address, "latest")).await.map(|nonce| nonce.to());
        let nonce_pending =
            l1.call::<U64>("eth_getTransactionCount", (address, "pending")).await.map(|nonce| nonce.to());
        let last_post = l1.with(async |l1| LastPost::find(l1, address).await).await;
        let mut account = Account {
            role,
            address,
            balance_wei: balance.map(|wei| wei.to_string()),
            nonce,
            nonce_pending,
            pending_since_unix_s: None,
            last_post: last_post.known().copied().unwrap_or(LastPost::Unknown),
        };
        let earlier = before.and_then(|before| before.accounts.iter().find(|earlier| earlier.address == address));
        account.pending_since_unix_s = pending_since(&account, earlier, unix_s);
        accounts.push(account);
    }
    accounts
}

/// Since when something waits: from the first look at which it did, as long as none of it gets into a block.
fn pending_since(account: &Account, earlier: Option<&Account>, unix_s: u64) -> Option<u64> {
    account.pending().filter(|pending| *pending > 0)?;
    let same = earlier.filter(|earlier| earlier.nonce == account.nonce);
    same.and_then(|earlier| earlier.pending_since_unix_s).or(Some(unix_s))
}

/// The factory that the proposer or challenger is told, or else the one that the chain's `SystemConfig` names: where the
/// address comes from a file, the stack does not hold it.
async fn factory(stack: &Stack, rollup: Option<&Object>, l1: &mut Asked) -> Fact<Address> {
    let Some(user) = stack.get("op-proposer").or_else(|| stack.get("op-challenger")) else { return Fact::NotAsked };
    if let Some(told) = user.value("game-factory-address").and_then(|told| told.parse().ok()) {
        return Fact::Known(told);
    }
    match rollup.and_then(|rollup| rollup.get(&["l1_system_config_address"])) {
        Some(config) => l1.with(async |l1| games::factory(l1, config).await).await,
        None => Fact::unknown(format!("{}: names no SystemConfig", stack.files.rollup.display())),
    }
}

/// The directories that grow, of components that write to this host's own disk.
fn disks(stack: &Stack) -> Vec<Disk> {
    let flags =
        [("op-geth", "datadir"), ("op-reth", "datadir"), ("op-node", "safedb.path"), ("op-challenger", "datadir")];
    let named = flags.into_iter().filter_map(|(name, flag)| {
        let running = stack.get(name).filter(|running| !running.component.contained)?;
        Some((name, running.value(flag)?))
    });
    let disk = |(name, path): (&str, String)| Disk { component: name.into(), free_bytes: free_bytes(&path), path };
    named.map(disk).collect()
}

/// What is left for ordinary users on the file system of a directory, or of the nearest one above it that is there.
fn free_bytes(path: &str) -> Fact<u64> {
    let there = Path::new(path).ancestors().find_map(|path| rustix::fs::statvfs(path).ok());
    match there {
        Some(space) => Fact::Known(space.f_bavail.saturating_mul(space.f_frsize)),
        None => Fact::unknown(format!("{path}: its file system cannot be looked at")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(nonce: u64, pending: u64, since: Option<u64>) -> Account {
        Account {
            role: "batcher",
            address: Address::ZERO,
            balance_wei: Fact::NotAsked,
            nonce: Fact::Known(nonce),
            nonce_pending: Fact::Known(pending),
            pending_since_unix_s: since,
            last_post: LastPost::Unknown,
        }
    }

    #[test]
    fn what_waits_is_timed_until_some_of_it_gets_into_a_block() {
        let now = account(7, 9, None);
        assert_eq!(pending_since(&now, None, 1000), Some(1000));
        assert_eq!(pending_since(&now, Some(&account(7, 8, Some(400))), 1000), Some(400));
        assert_eq!(pending_since(&now, Some(&account(6, 8, Some(400))), 1000), Some(1000));
        assert_eq!(pending_since(&account(9, 9, None), Some(&account(9, 10, Some(400))), 1000), None);
    }

    #[test]
    fn ages_of_what_is_to_come_are_negative() {
        assert_eq!([age_s(100, 40), age_s(40, 100)], [60, -60]);
    }

    #[test]
    fn a_blocks_time_is_the_chains() {
        let rollup =
            serde_json::from_str(r#"{"genesis": {"l2": {"number": 10}, "l2_time": 1000}, "block_time": 2}"#).unwrap();
        assert_eq!([10, 15].map(|block| time_of(Some(&rollup), block)), [Some(1000), Some(1010)]);
        assert_eq!([time_of(Some(&rollup), 9), time_of(None, 15)], [None, None]);
        assert_eq!([1000, 1001, 1002, 1011].map(|time| block_at(Some(&rollup), time)), [10, 10, 11, 15].map(Some));
        assert_eq!([block_at(Some(&rollup), 999), block_at(None, 1010)], [None, None]);
    }
}
