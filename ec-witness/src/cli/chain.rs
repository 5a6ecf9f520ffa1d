//! The `[chain]` settings.

use std::{num::NonZeroU64, time::Duration};

use alloy::primitives::Address;
use clap::Args;
use ec_rpc::{Endpoint, majority};
use eyre::{OptionExt, ensure};
use serde::{Deserialize, Serialize};
use url::Url;

use crate::cli::{address, defaults::with_default};

/// Milliseconds a single RPC request may take where nothing else is configured.
const DEFAULT_RPC_TIMEOUT_MS: u64 = 10_000;

/// Milliseconds for which the finalized head may stand still where nothing else is configured: an OP Stack chain on
/// Sepolia moves it every 6 to 20 minutes.
const DEFAULT_FINALITY_STALE_MS: u64 = 1_800_000;

/// Where the ledger's log begins where nothing is configured: at the chain's first block.
const DEFAULT_DEPLOY_BLOCK: u64 = 0;

/// Blocks that one `eth_getLogs` asks for at most where nothing else is configured: what most providers take.
const DEFAULT_LOG_PAGE_BLOCKS: NonZeroU64 = NonZeroU64::new(10_000).expect("10 000 is not zero");

/// Which chain, and which contracts on it.
#[derive(Clone, Default, Args, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
#[command(next_help_heading = "Chain")]
pub(crate) struct ChainArgs {
    /// URLs of the chain's JSON-RPC endpoints, http or https; several do not trust a single one.
    #[arg(long, env = "EC_WITNESS_RPC", value_name = "URL", hide_env_values = true, value_delimiter = ',')]
    #[serde(with = "one_or_many")]
    pub(crate) rpc: Option<Vec<Url>>,

    /// Endpoints that must give the same answer to whatever a vote rests on [default: the smallest majority].
    #[arg(long, env = "EC_WITNESS_RPC_AGREE", value_name = "K")]
    pub(crate) rpc_agree: Option<usize>,

    /// The chain's id; an endpoint of another chain is refused.
    #[arg(long, env = "EC_WITNESS_CHAIN_ID", value_name = "ID")]
    pub(crate) chain_id: Option<u64>,

    /// Address of the observation ledger.
    #[arg(long, env = "EC_WITNESS_LEDGER", value_name = "ADDRESS", value_parser = address::parse)]
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) ledger: Option<Address>,

    /// Address of the witness registry [default: the ledger's].
    #[arg(long, env = "EC_WITNESS_REGISTRY", value_name = "ADDRESS", value_parser = address::parse)]
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) registry: Option<Address>,

    /// Address of the rail.
    #[arg(long, env = "EC_WITNESS_RAIL", value_name = "ADDRESS", value_parser = address::parse)]
    #[serde(deserialize_with = "address::deserialize")]
    pub(crate) rail: Option<Address>,

    #[arg(help = with_default("The block in which the contracts were deployed; no event is older", DEFAULT_DEPLOY_BLOCK))]
    #[arg(long, env = "EC_WITNESS_DEPLOY_BLOCK", value_name = "NUMBER")]
    pub(crate) deploy_block: Option<u64>,

    #[arg(help = with_default("Blocks that one request for logs asks for at most", DEFAULT_LOG_PAGE_BLOCKS))]
    #[arg(long, env = "EC_WITNESS_LOG_PAGE_BLOCKS", value_name = "N")]
    pub(crate) log_page_blocks: Option<NonZeroU64>,

    /// Milliseconds between blocks; set it only where blocks come at regular times.
    #[arg(long, env = "EC_WITNESS_BLOCK_TIME_MS", value_name = "MS")]
    pub(crate) block_time_ms: Option<u64>,

    #[arg(help = with_default(
        "Milliseconds for which the finalized head may stand still before that is complained about",
        DEFAULT_FINALITY_STALE_MS
    ))]
    #[arg(long, env = "EC_WITNESS_FINALITY_STALE_MS", value_name = "MS")]
    pub(crate) finality_stale_ms: Option<u64>,

    #[arg(help = with_default("Milliseconds that one RPC request may take", DEFAULT_RPC_TIMEOUT_MS))]
    #[arg(long, env = "EC_WITNESS_RPC_TIMEOUT_MS", value_name = "MS")]
    pub(crate) rpc_timeout_ms: Option<u64>,
}

/// The URL's path and query may be secret; see [`Endpoint::name`].
impl std::fmt::Debug for ChainArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainArgs")
            .field("chain_id", &self.chain_id)
            .field("ledger", &self.ledger)
            .finish_non_exhaustive()
    }
}

impl ChainArgs {
    /// These settings, and the file's where these say nothing.
    pub(crate) fn or(self, file: Self) -> Self {
        Self {
            rpc: self.rpc.or(file.rpc),
            rpc_agree: self.rpc_agree.or(file.rpc_agree),
            chain_id: self.chain_id.or(file.chain_id),
            ledger: self.ledger.or(file.ledger),
            registry: self.registry.or(file.registry),
            rail: self.rail.or(file.rail),
            deploy_block: self.deploy_block.or(file.deploy_block),
            log_page_blocks: self.log_page_blocks.or(file.log_page_blocks),
            block_time_ms: self.block_time_ms.or(file.block_time_ms),
            finality_stale_ms: self.finality_stale_ms.or(file.finality_stale_ms),
            rpc_timeout_ms: self.rpc_timeout_ms.or(file.rpc_timeout_ms),
        }
    }

    /// The settings, checked as far as that can be done without asking anyone.
    pub(crate) fn settings(self) -> eyre::Result<ChainSettings> {
        let unset = "rpc is not set: give --rpc URL, EC_WITNESS_RPC, or rpc in [chain]";
        let rpc = self.rpc.filter(|rpc| !rpc.is_empty()).ok_or_eyre(unset)?;
        let chain_id = self
            .chain_id
            .ok_or_eyre("chain_id is not set: give --chain-id ID, EC_WITNESS_CHAIN_ID, or chain_id in [chain]")?;
        let timeout_ms = self.rpc_timeout_ms.unwrap_or(DEFAULT_RPC_TIMEOUT_MS);
        ensure!(timeout_ms > 0, "rpc_timeout_ms is 0: no answer is that fast; leave it out or give milliseconds");
        let timeout = Duration::from_millis(timeout_ms);
        Ok(ChainSettings {
            chain_id,
            agree: self.rpc_agree.unwrap_or(majority(rpc.len())),
            endpoints: rpc.into_iter().map(|rpc| Endpoint { rpc, timeout }).collect(),
            ledger: self.ledger,
            registry: self.registry,
            rail: self.rail,
            deploy_block: self.deploy_block.unwrap_or(DEFAULT_DEPLOY_BLOCK),
            log_page_blocks: self.log_page_blocks.unwrap_or(DEFAULT_LOG_PAGE_BLOCKS),
            block_time: self.block_time_ms.map(Duration::from_millis),
            finality_stale: Duration::from_millis(self.finality_stale_ms.unwrap_or(DEFAULT_FINALITY_STALE_MS)),
        })
    }
}

/// The configured chain, and which contracts on it.
#[derive(Clone, Debug)]
pub(crate) struct ChainSettings {
    pub(crate) chain_id: u64,
    pub(crate) endpoints: Vec<Endpoint>,
    /// How many of them must answer alike.
    pub(crate) agree: usize,
    pub(crate) ledger: Option<Address>,
    pub(crate) registry: Option<Address>,
    pub(crate) rail: Option<Address>,
    pub(crate) deploy_block: u64,
    pub(crate) log_page_blocks: NonZeroU64,
    pub(crate) block_time: Option<Duration>,
    pub(crate) finality_stale: Duration,
}

/// A setting that is one value or a list.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};
    use url::Url;

    use crate::cli::endpoint_url;

    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a URL or a list of URLs, such as \"http://127.0.0.1:8545\"")]
    enum OneOrMany {
        One(String),
        Many(Vec<String>),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Url>>, D::Error> {
        let urls = match OneOrMany::deserialize(from)? {
            OneOrMany::One(url) => vec![url],
            OneOrMany::Many(urls) => urls,
        };
        let urls: Result<_, _> = urls.iter().map(|url| endpoint_url::parse("rpc", url)).collect();
        urls.map(Some).map_err(D::Error::custom)
    }

    pub(super) fn serialize<S: Serializer>(urls: &Option<Vec<Url>>, to: S) -> Result<S::Ok, S::Error> {
        match urls.as_deref() {
            Some([url]) => url.serialize(to),
            urls => urls.serialize(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Command {
        #[command(flatten)]
        chain: ChainArgs,
    }

    /// The settings of these flags over this `[chain]` section.
    fn settings(flags: &str, section: &str) -> eyre::Result<ChainSettings> {
        let flags = Command::parse_from(["test"].into_iter().chain(flags.split_whitespace())).chain;
        flags.or(toml::from_str(section).unwrap()).settings()
    }

    #[test]
    fn an_unset_number_of_agreeing_endpoints_is_the_smallest_majority() {
        let of = |flags: &str| {
            let chain = settings(flags, "chain_id = 1").unwrap();
            (chain.endpoints.len(), chain.agree)
        };
        assert_eq!(of("--rpc http://a"), (1, 1));
        assert_eq!(of("--rpc http://a,http://b,http://c"), (3, 2));
        assert_eq!(of("--rpc http://a,http://b,http://c --rpc-agree 3"), (3, 3));
    }

    #[test]
    fn the_file_names_one_endpoint_or_several_and_flags_come_before_it() {
        let names = |flags: &str, section: &str| {
            let chain = settings(flags, section).unwrap();
            Vec::from_iter(chain.endpoints.iter().map(Endpoint::name))
        };
        assert_eq!(names("", "chain_id = 1\nrpc = 'http://a'"), ["http://a"]);
        assert_eq!(names("", "chain_id = 1\nrpc = ['http://a', 'http://b']"), ["http://a", "http://b"]);
        assert_eq!(names("--rpc http://c", "chain_id = 1\nrpc = ['http://a', 'http://b']"), ["http://c"]);
    }

    #[test]
    fn what_must_be_set_is_named() {
        let refused = |flags: &str, section: &str| settings(flags, section).unwrap_err().to_string();
        assert!(refused("--chain-id 1", "").contains("rpc is not set"));
        assert!(refused("--chain-id 1", "rpc = []").contains("rpc is not set"));
        assert!(refused("--rpc http://a", "").contains("chain_id is not set"));
        assert!(refused("--rpc http://a --chain-id 1", "rpc_timeout_ms = 0").contains("rpc_timeout_ms is 0"));
    }

    #[test]
    fn what_is_no_endpoints_url_is_named_and_nothing_behind_its_host() {
        let of_file = |rpc: &str| {
            let error = toml::from_str::<ChainArgs>(&format!("rpc = {rpc}")).unwrap_err();
            error.message().to_owned()
        };
        for (rpc, shown) in [
            ("'127.0.0.1:18545'", "\"127.0.0.1:18545\""),
            ("''", "\"\""),
            ("['http://a', 'localhost:8545/v3/secret']", "\"localhost:8545\""),
            ("'ws://secret@host/secret?secret'", "\"ws://host\""),
        ] {
            let error = of_file(rpc);
            assert!(error.contains(&format!("rpc: {shown} is not the URL")) && !error.contains("secret"), "{error}");
        }
        assert!(of_file("8545").contains("a URL or a list of URLs"), "{}", of_file("8545"));
    }
}
