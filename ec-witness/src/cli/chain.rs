//! The `[chain]` settings, and the connection made of them.

use std::{future::Future, time::Duration};

use alloy::{primitives::Address, providers::DynProvider};
use clap::Args;
use ec_ledger::identity;
use ec_rpc::{Endpoint, Endpoints, majority};
use eyre::OptionExt;
use serde::{Deserialize, Serialize};
use url::Url;

use super::{address, key::KeyArgs, output::JsonArg, settings::ConfigArg};

/// Milliseconds a single RPC request may take where nothing else is configured.
const DEFAULT_RPC_TIMEOUT_MS: u64 = 10_000;

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

    /// The block in which the contracts were deployed; no event is older.
    #[arg(long, env = "EC_WITNESS_DEPLOY_BLOCK", value_name = "NUMBER")]
    pub(crate) deploy_block: Option<u64>,

    /// Milliseconds between blocks; set it only where blocks come at regular times.
    #[arg(long, env = "EC_WITNESS_BLOCK_TIME_MS", value_name = "MS")]
    pub(crate) block_time_ms: Option<u64>,

    /// Milliseconds for which the finalized head may stand still before that is complained about [default: 1800000].
    #[arg(long, env = "EC_WITNESS_FINALITY_STALE_MS", value_name = "MS")]
    pub(crate) finality_stale_ms: Option<u64>,

    /// Milliseconds that one RPC request may take [default: 10000].
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
            block_time_ms: self.block_time_ms.or(file.block_time_ms),
            finality_stale_ms: self.finality_stale_ms.or(file.finality_stale_ms),
            rpc_timeout_ms: self.rpc_timeout_ms.or(file.rpc_timeout_ms),
        }
    }

    /// The endpoints and how many of them must agree, of settings that must be there.
    fn endpoints(&self) -> eyre::Result<(Vec<Endpoint>, usize)> {
        let unset = "rpc is not set: give --rpc URL, EC_WITNESS_RPC, or rpc in [chain]";
        let rpc = self.rpc.clone().filter(|rpc| !rpc.is_empty()).ok_or_eyre(unset)?;
        let chain_id = self
            .chain_id
            .ok_or_eyre("chain_id is not set: give --chain-id ID, EC_WITNESS_CHAIN_ID, or chain_id in [chain]")?;
        let timeout_ms = self.rpc_timeout_ms.unwrap_or(DEFAULT_RPC_TIMEOUT_MS);
        eyre::ensure!(timeout_ms > 0, "rpc_timeout_ms is 0: no answer is that fast; leave it out or give milliseconds");
        let timeout = Duration::from_millis(timeout_ms);
        let agree = self.rpc_agree.unwrap_or(majority(rpc.len()));
        Ok((rpc.into_iter().map(|rpc| Endpoint { rpc, chain_id, timeout }).collect(), agree))
    }

    /// Connects, and checks the endpoints, the chain and that there is code at each address that is set.
    pub(crate) async fn connect(self) -> eyre::Result<Connection> {
        let (endpoints, agree) = self.endpoints()?;
        let (endpoints, endpoint, provider) = Endpoints::connect(&endpoints, agree).await?;
        for (field, address) in [("ledger", self.ledger), ("registry", self.registry), ("rail", self.rail)] {
            if let Some(address) = address {
                identity::require_code(&endpoints, field, address).await?;
            }
        }
        Ok(Connection { chain: self, endpoints, endpoint, provider })
    }
}

/// A setting that is one value or a list.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use url::Url;

    #[derive(Deserialize, Serialize)]
    #[serde(untagged)]
    enum OneOrMany {
        One(Url),
        Many(Vec<Url>),
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<Url>>, D::Error> {
        Ok(Some(match OneOrMany::deserialize(from)? {
            OneOrMany::One(url) => vec![url],
            OneOrMany::Many(urls) => urls,
        }))
    }

    pub(super) fn serialize<S: Serializer>(urls: &Option<Vec<Url>>, to: S) -> Result<S::Ok, S::Error> {
        match urls.as_deref() {
            Some([url]) => url.serialize(to),
            urls => urls.serialize(to),
        }
    }
}

/// The right chain, reached.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) chain: ChainArgs,
    /// All of them.
    pub(crate) endpoints: Endpoints,
    /// The first that answered, for what needs no agreement.
    pub(crate) endpoint: Endpoint,
    pub(crate) provider: DynProvider,
}

impl Connection {
    /// The registry that is set, else the ledger's; where both are set, they must belong together.
    pub(crate) async fn registry(&self) -> eyre::Result<Address> {
        match (self.chain.ledger, self.chain.registry) {
            (Some(ledger), registry) => Ok(identity::registry_of(&self.endpoints, ledger, registry).await?),
            (None, Some(registry)) => Ok(registry),
            (None, None) => Err(eyre::eyre!(
                "neither registry nor ledger is set: give --registry or --ledger ADDRESS, or set it in [chain]"
            )),
        }
    }

    /// The rail that is set; where a ledger is set too, they must belong together.
    pub(crate) async fn rail(&self) -> eyre::Result<(Address, Address)> {
        let rail =
            self.chain.rail.ok_or_eyre("rail is not set: give --rail ADDRESS, EC_WITNESS_RAIL, or rail in [chain]")?;
        let ledger = identity::ledger_of(&self.endpoints, rail, self.chain.ledger).await?;
        Ok((rail, ledger))
    }
}

/// What every command needs that reads the chain once.
#[derive(Clone, Debug, Args)]
pub(crate) struct ReadArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    pub(crate) json: JsonArg,

    #[command(flatten)]
    chain: ChainArgs,
}

impl ReadArgs {
    /// The settings with those of the file beneath them.
    pub(crate) fn with_file(&self, key: KeyArgs) -> eyre::Result<(ChainArgs, KeyArgs)> {
        let file = self.config.read()?;
        Ok((self.chain.clone().or(file.chain), key.or(file.key)))
    }

    /// Connects for reading; no key is looked at.
    pub(crate) async fn connect(&self) -> eyre::Result<Connection> {
        self.with_file(KeyArgs::default())?.0.connect().await
    }
}

/// Runs a command that talks to the chain.
pub(crate) fn block_on<T>(command: impl Future<Output = eyre::Result<T>>) -> eyre::Result<T> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}
