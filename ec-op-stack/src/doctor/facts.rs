//! Looking: the only part of the doctor that reads files and calls endpoints.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use alloy::primitives::{Address, B256, U64, U256};
use serde::Deserialize;
use url::Url;

use super::beacon;
use crate::{
    games::{self, GameRules},
    object::Object,
    prestate,
    programs::arguments::{self, Host},
    rpc::{CallError, Endpoint},
    stack::{Running, Stack},
};

/// How often each L1 endpoint is asked: enough for a median and for a balancer to show a second node.
const SAMPLES: usize = 8;

/// The chain's two files.
#[derive(Clone, Debug)]
pub struct ChainText {
    /// `rollup.json`, or why it cannot be read.
    pub rollup: Result<Object, String>,
    /// `genesis.json`, or why it cannot be read.
    pub genesis: Result<Object, String>,
}

/// One L1 endpoint, asked several times.
#[derive(Clone, Debug, Default)]
pub struct L1Facts {
    /// Host and port.
    pub host: String,
    /// The components that use it.
    pub users: Vec<&'static str>,
    /// Why it was not asked, where a program can use what this one cannot ask.
    pub unasked: Option<String>,
    /// Its chain id, or why it gave none.
    pub chain_id: Option<u64>,
    /// How long each answer took, in milliseconds, sorted.
    pub latencies_ms: Vec<u128>,
    /// The newest block, as told each time.
    pub heads: Vec<u64>,
    /// How many of these blocks it did not know by hash a moment later.
    pub unknown_blocks: usize,
    /// How many calls were refused for their rate.
    pub rate_limited: usize,
    /// The first other error.
    pub error: Option<String>,
}

/// The dispute games' contracts.
#[derive(Clone, Debug)]
pub struct GameFacts {
    /// The factory that the chain's `SystemConfig` names, if it answers.
    pub factory: Option<Address>,
    /// The rules of the proposer's game type, on the factory that the proposer uses.
    pub rules: Result<GameRules, String>,
    /// Who may sign blocks and who may post batches, by the `SystemConfig`.
    pub signers: Option<(Address, Address)>,
    /// The games that the challenger plays.
    pub challenged: Vec<ChallengedGame>,
}

/// A type of games that the challenger plays.
#[derive(Clone, Debug)]
pub struct ChallengedGame {
    /// As op-challenger calls it.
    pub name: &'static str,
    /// The flag that names its prestate's file.
    pub flag: &'static str,
    /// What the chain demands of it, on the factory that the challenger uses.
    pub rules: Result<GameRules, String>,
    /// The hash of the prestate that the challenger holds; `None` if no file is configured.
    pub held: Option<Result<B256, String>>,
}

/// A file with a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretFacts {
    /// The file.
    pub path: PathBuf,
    /// Its content as lower-case hex without `0x`, or what is wrong. Never shown.
    pub secret: Result<String, String>,
    /// Its permission bits.
    pub mode: u32,
}

/// What sends transactions.
#[derive(Clone, Debug)]
pub struct AccountFacts {
    /// Its balance on L1, in wei.
    pub balance: Option<U256>,
}

/// All that was seen.
#[derive(Clone, Debug)]
pub struct Facts {
    /// The chain's files.
    pub chain: ChainText,
    /// Each L1 endpoint.
    pub l1: Vec<L1Facts>,
    /// The block of L1 that the rollup starts after, as L1 has it; `None` if that was not asked.
    pub l1_origin: Option<Result<Option<B256>, String>>,
    /// The chain config of L1 that op-node is given; `None` if it is given none.
    pub l1_config: Option<Result<Object, String>>,
    /// What the beacon endpoint said; `None` if none is configured.
    pub beacon: Option<Result<String, String>>,
    /// Whether it gives the blobs of a recent slot; `None` if that was not asked.
    pub blobs: Option<Result<(), String>>,
    /// What each fallback for blobs said.
    pub beacon_fallbacks: Vec<Result<String, String>>,
    /// From which block to which op-reth has proofs, if it runs already; `None` if that was not asked.
    pub proofs: Option<Result<(u64, u64), String>>,
    /// The dispute games; `None` if no proposer and no challenger runs here, or L1 does not answer.
    pub games: Option<GameFacts>,
    /// Accounts by role.
    pub accounts: BTreeMap<&'static str, AccountFacts>,
    /// The engine's secret: the execution client's file and op-node's.
    pub jwt: Vec<(&'static str, SecretFacts)>,
    /// The release of op-deployer that wrote the state.
    pub deployer: Option<String>,
    /// Files that components are told to use and that are not there.
    pub missing: BTreeSet<PathBuf>,
    /// Programs that are looked for in a component's own container, and so not here.
    pub elsewhere: BTreeSet<PathBuf>,
}

impl Host for Facts {
    fn has(&self, path: &Path) -> Option<bool> {
        (!self.elsewhere.contains(path)).then(|| !self.missing.contains(path))
    }
}

impl Facts {
    /// Looks at everything that the stack names.
    pub async fn gather(stack: &Stack) -> Self {
        let chain = ChainText { rollup: object(&stack.files.rollup), genesis: object(&stack.files.genesis) };
        let mut l1 = Vec::<L1Facts>::new();
        let mut asked = BTreeMap::<String, usize>::new();
        for (user, text) in stack.l1_texts() {
            match asked.get(&text) {
                Some(place) => l1[*place].users.push(user),
                None => {
                    let facts = endpoint(&text).await;
                    asked.insert(text, l1.len());
                    l1.push(L1Facts { users: vec![user], ..facts });
                }
            }
        }
        let endpoint = stack.l1_urls().first().map(Endpoint::new);
        let mut accounts = BTreeMap::new();
        let (mut games, mut l1_origin) = (None, None);
        if let Some(endpoint) = &endpoint {
            for (name, address) in stack.accounts.named() {
                let balance = endpoint.call::<U256>("eth_getBalance", (address, "latest")).await.ok();
                accounts.insert(name, AccountFacts { balance });
            }
            games = gather_games(stack, &chain, endpoint).await;
            l1_origin = origin(&chain, endpoint).await;
        }
        let node = stack.get("op-node");
        let told = |flag: &str| node.and_then(|node| node.value(flag)).filter(|text| !text.is_empty());
        let header = told("l1.beacon-header");
        let (mut beacon, mut blobs) = (None, None);
        if let Some(url) = told("l1.beacon") {
            let version = beacon::version(&url, header.as_deref()).await;
            if version.is_ok() {
                blobs = Some(beacon::blobs(&url, header.as_deref()).await);
            }
            beacon = Some(version);
        }
        let mut beacon_fallbacks = Vec::new();
        let fallbacks = told("l1.beacon-fallbacks").or_else(|| told("l1.beacon-archiver")).unwrap_or_default();
        for url in fallbacks.split(',').filter(|url| !url.is_empty()) {
            // op-node sends the header to the first endpoint alone
            beacon_fallbacks.push(beacon::version(url, None).await);
        }
        let l1_config = told("rollup.l1-chain-config").map(|path| object(Path::new(&path)));
        let (missing, elsewhere) = files(stack);
        Self {
            chain,
            l1,
            l1_origin,
            l1_config,
            beacon,
            blobs,
            beacon_fallbacks,
            proofs: proofs(stack).await,
            games,
            accounts,
            jwt: jwt(stack),
            deployer: deployer(stack),
            missing,
            elsewhere,
        }
    }
}

/// The endpoint of this text, asked if it can be.
async fn endpoint(text: &str) -> L1Facts {
    let url = match text.parse::<Url>() {
        Ok(url) if url.has_host() => url,
        // the text may hold a key
        _ => {
            return L1Facts {
                host: "a URL that is none".to_owned(),
                error: Some("an L1 endpoint is no URL: give http://… or ws://…".to_owned()),
                ..L1Facts::default()
            };
        }
    };
    let host = Endpoint::new(&url).host;
    match url.scheme() {
        "http" | "https" => sample(&Endpoint::new(&url)).await,
        "ws" | "wss" => {
            L1Facts { host, unasked: Some("only http:// and https:// are asked here".to_owned()), ..L1Facts::default() }
        }
        other => L1Facts {
            error: Some(format!("{host}: {other}:// is nothing that the programs can ask")),
            host,
            ..L1Facts::default()
        },
    }
}

/// The hash of L1's block that the rollup starts after.
async fn origin(chain: &ChainText, l1: &Endpoint) -> Option<Result<Option<B256>, String>> {
    let number = chain.rollup.as_ref().ok()?.get::<u64>(&["genesis", "l1", "number"])?;
    let block = l1.call::<Option<Head>>("eth_getBlockByNumber", (U64::from(number), false)).await;
    Some(block.map(|block| block.map(|block| block.hash)).map_err(|error| error.to_string()))
}

/// What op-reth says of its proofs, where it is to keep them and answers.
async fn proofs(stack: &Stack) -> Option<Result<(u64, u64), String>> {
    let reth = stack.get("op-reth").filter(|reth| reth.is_on("proofs-history"))?;
    let client = Endpoint::new(&reth.listener("http")?);
    // before the first start nobody answers, and nothing is wrong
    client.call::<U64>("eth_blockNumber", ()).await.ok()?;
    let reach = client.call::<ProofsReach>("debug_proofsSyncStatus", ()).await;
    Some(match reach {
        Ok(ProofsReach { earliest: Some(earliest), latest: Some(latest) }) => Ok((earliest, latest)),
        Ok(_) => Err("its store is empty".to_owned()),
        Err(error) => Err(error.to_string()),
    })
}

#[derive(Debug, Deserialize)]
struct ProofsReach {
    earliest: Option<u64>,
    latest: Option<u64>,
}

/// The files that rules ask for: those that are missing here, and those that are not of this host.
fn files(stack: &Stack) -> (BTreeSet<PathBuf>, BTreeSet<PathBuf>) {
    let asked = [
        ("op-node", "rollup.config", false),
        ("op-challenger", "cannon-bin", true),
        ("op-challenger", "cannon-server", true),
        ("op-challenger", "cannon-kona-server", true),
    ];
    let (mut missing, mut elsewhere) = (BTreeSet::new(), BTreeSet::new());
    for (name, flag, is_program) in asked {
        let Some(running) = stack.get(name) else { continue };
        let Some(path) = running.value(flag).map(PathBuf::from) else { continue };
        if is_program && running.component.contained {
            elsewhere.insert(path);
        } else if !path.exists() {
            missing.insert(path);
        }
    }
    (missing, elsewhere)
}

fn object(path: &Path) -> Result<Object, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    serde_json::from_str(&text).map_err(|error| format!("{}: {error}", path.display()))
}

fn deployer(stack: &Stack) -> Option<String> {
    object(stack.files.state.as_ref()?).ok()?.get(&["opDeployerVersion"])
}

#[derive(Debug, Deserialize)]
struct Head {
    number: U64,
    hash: B256,
}

async fn sample(endpoint: &Endpoint) -> L1Facts {
    let mut facts = L1Facts { host: endpoint.host.clone(), ..L1Facts::default() };
    match endpoint.call::<U64>("eth_chainId", ()).await {
        Ok(id) => facts.chain_id = Some(id.to()),
        Err(error) => {
            facts.note(&error);
            return facts;
        }
    }
    for _ in 0..SAMPLES {
        let (head, took) = endpoint.timed::<Option<Head>>("eth_getBlockByNumber", ("latest", false)).await;
        match head {
            Ok(Some(head)) => {
                facts.latencies_ms.push(took.as_millis());
                facts.heads.push(head.number.to());
                let again = endpoint.call::<Option<Head>>("eth_getBlockByHash", (head.hash, false)).await;
                facts.unknown_blocks += usize::from(matches!(again, Ok(None)));
            }
            Ok(None) => facts.error = Some(format!("{}: no latest block", endpoint.host)),
            Err(error) => facts.note(&error),
        }
    }
    facts.latencies_ms.sort_unstable();
    facts
}

impl L1Facts {
    fn note(&mut self, error: &CallError) {
        if error.is_rate_limit() {
            self.rate_limited += 1;
        } else {
            self.error.get_or_insert_with(|| error.to_string());
        }
    }
}

async fn gather_games(stack: &Stack, chain: &ChainText, l1: &Endpoint) -> Option<GameFacts> {
    let user = stack.get("op-proposer").or_else(|| stack.get("op-challenger"))?;
    let system_config = chain.rollup.as_ref().ok()?.get::<Address>(&["l1_system_config_address"]);
    let (mut factory, mut signers) = (None, None);
    if let Some(system_config) = system_config {
        factory = games::factory(l1, system_config).await.ok();
        signers = games::signers(l1, system_config).await.ok();
    }
    let of = |user: Running<'_>| user.value("game-factory-address").and_then(|text| text.parse().ok()).or(factory);
    let rules = GameRules::read(l1, of(user)?, game_type(stack)).await.map_err(|error| error.to_string());
    let mut challenged = Vec::new();
    if let Some(challenger) = stack.get("op-challenger") {
        for (name, kind, vm) in arguments::played(&challenger.parsed()) {
            let Some(flag) = vm.prestate_flag() else { continue };
            let rules = match of(challenger) {
                Some(factory) => GameRules::read(l1, factory, kind).await.map_err(|error| error.to_string()),
                None => Err("the factory is not known".to_owned()),
            };
            challenged.push(ChallengedGame { name, flag, rules, held: challenger_prestate(challenger, flag) });
        }
    }
    Some(GameFacts { factory, rules, signers, challenged })
}

/// The proposer's game type; 0 is its default.
pub(super) fn game_type(stack: &Stack) -> u32 {
    let configured = stack.get("op-proposer").and_then(|proposer| proposer.parsed().int("game-type"));
    configured.and_then(|kind| kind.try_into().ok()).unwrap_or(0)
}

fn challenger_prestate(challenger: Running<'_>, flag: &str) -> Option<Result<B256, String>> {
    let path = challenger.value(flag).filter(|path| !path.is_empty())?;
    let cannon = challenger.value("cannon-bin").map(PathBuf::from);
    Some(prestate::hash(Path::new(&path), cannon.as_deref()).map_err(|error| error.to_string()))
}

fn jwt(stack: &Stack) -> Vec<(&'static str, SecretFacts)> {
    let engine = stack.execution().and_then(|client| client.value("authrpc.jwtsecret"));
    let node = stack.get("op-node").and_then(|node| node.value("l2.jwt-secret"));
    let paths = [("authrpc.jwtsecret", engine), ("l2.jwt-secret", node)];
    paths.into_iter().filter_map(|(flag, path)| Some((flag, secret(Path::new(&path?))))).collect()
}

fn secret(path: &Path) -> SecretFacts {
    let mode = fs::metadata(path).map(|metadata| metadata.permissions().mode() & 0o777).unwrap_or(0);
    let secret = fs::read_to_string(path).map_err(|error| error.to_string()).and_then(|text| {
        let digits = text.trim().trim_start_matches("0x").to_ascii_lowercase();
        let well_formed = digits.len() == 64 && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
        well_formed.then_some(digits).ok_or_else(|| "not 64 hex digits".to_owned())
    });
    SecretFacts { path: path.to_owned(), secret, mode }
}
