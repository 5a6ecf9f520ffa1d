//! Looking: the only part of the doctor that reads files and calls endpoints.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::{
    primitives::{Address, B256, U64, U256},
    transports::http::reqwest,
};
use serde::Deserialize;
use url::Url;

use crate::{
    games::{self, GameRules},
    object::Object,
    prestate,
    rpc::{CallError, Endpoint},
    stack::{Running, Stack},
};

/// How often each L1 endpoint is asked: enough for a median and for a balancer to show a second node.
const SAMPLES: usize = 8;
const BEACON_DEADLINE: Duration = Duration::from_secs(10);

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
    /// The hash of the challenger's prestate; `None` if no file is configured.
    pub prestate: Option<Result<B256, String>>,
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
    /// What the beacon endpoint said; `None` if none is configured.
    pub beacon: Option<Result<String, String>>,
    /// The dispute games; `None` if no proposer and no challenger runs here, or L1 does not answer.
    pub games: Option<GameFacts>,
    /// Accounts by role.
    pub accounts: BTreeMap<&'static str, AccountFacts>,
    /// The engine's secret: the execution client's file and op-node's.
    pub jwt: Vec<(&'static str, SecretFacts)>,
    /// The release of op-deployer that wrote the state.
    pub deployer: Option<String>,
}

impl Facts {
    /// Looks at everything that the stack names.
    pub async fn gather(stack: &Stack) -> Self {
        let chain = ChainText { rollup: object(&stack.files.rollup), genesis: object(&stack.files.genesis) };
        let mut l1 = Vec::new();
        for url in stack.l1_urls() {
            l1.push(sample(&Endpoint::new(&url)).await);
        }
        let endpoint = stack.l1_urls().first().map(Endpoint::new);
        let mut accounts = BTreeMap::new();
        let mut games = None;
        if let Some(endpoint) = &endpoint {
            for (name, address) in stack.accounts.named() {
                let balance = endpoint.call::<U256>("eth_getBalance", (address, "latest")).await.ok();
                accounts.insert(name, AccountFacts { balance });
            }
            games = gather_games(stack, &chain, endpoint).await;
        }
        let beacon = match stack.get("op-node").and_then(|node| node.value("l1.beacon")) {
            Some(url) => Some(beacon(&url).await),
            None => None,
        };
        Self { chain, l1, beacon, games, accounts, jwt: jwt(stack), deployer: deployer(stack) }
    }
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

async fn beacon(url: &str) -> Result<String, String> {
    let base = url.parse::<Url>().map_err(|error| format!("l1.beacon is no URL: {error}"))?;
    let host = base.host_str().unwrap_or("?").to_owned();
    let ask = async {
        let path = format!("{}/eth/v1/node/version", url.trim_end_matches('/'));
        reqwest::get(path).await?.error_for_status()?.text().await
    };
    let answer = tokio::time::timeout(BEACON_DEADLINE, ask).await;
    // the URL may hold an API key
    let answer = answer.map(|answer| answer.map_err(|error| format!("{host}: {}", error.without_url())));
    answer.unwrap_or_else(|_| Err(format!("{host}: no answer in {} s", BEACON_DEADLINE.as_secs())))
}

async fn gather_games(stack: &Stack, chain: &ChainText, l1: &Endpoint) -> Option<GameFacts> {
    let user = stack.get("op-proposer").or_else(|| stack.get("op-challenger"))?;
    let system_config = chain.rollup.as_ref().ok()?.get::<Address>(&["l1_system_config_address"]);
    let (mut factory, mut signers) = (None, None);
    if let Some(system_config) = system_config {
        factory = games::factory(l1, system_config).await.ok();
        signers = games::signers(l1, system_config).await.ok();
    }
    let used = user.value("game-factory-address").and_then(|text| text.parse().ok()).or(factory)?;
    let rules = GameRules::read(l1, used, game_type(stack)).await.map_err(|error| error.to_string());
    Some(GameFacts { factory, rules, signers, prestate: stack.get("op-challenger").and_then(challenger_prestate) })
}

/// The proposer's game type; 0 is its default.
pub(super) fn game_type(stack: &Stack) -> u32 {
    let configured = stack.get("op-proposer").and_then(|proposer| proposer.value("game-type"));
    configured.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn challenger_prestate(challenger: Running<'_>) -> Option<Result<B256, String>> {
    let path = challenger.value("cannon-prestate")?;
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
