//! The connection to the configured chain.

use std::future::Future;

use alloy::{primitives::Address, providers::DynProvider};
use clap::Args;
use ec_ledger::identity;
use ec_rpc::{Endpoint, Endpoints};
use eyre::OptionExt;

use super::{
    chain::{ChainArgs, ChainSettings},
    config::ConfigArg,
    key::KeyArgs,
    output::JsonArg,
};

impl ChainArgs {
    /// Connects with these settings.
    pub(crate) async fn connect(self) -> eyre::Result<Connection> {
        self.settings()?.connect().await
    }
}

impl ChainSettings {
    /// Connects, and checks the endpoints, the chain and that there is code at each address that is set.
    pub(crate) async fn connect(self) -> eyre::Result<Connection> {
        let (endpoints, endpoint, provider) = Endpoints::connect(&self.endpoints, self.chain_id, self.agree).await?;
        for (field, address) in [("ledger", self.ledger), ("registry", self.registry), ("rail", self.rail)] {
            if let Some(address) = address {
                identity::require_code(&endpoints, field, address).await?;
            }
        }
        Ok(Connection { chain: self, endpoints, endpoint, provider })
    }
}

/// The right chain, reached.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) chain: ChainSettings,
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
