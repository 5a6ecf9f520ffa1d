//! The flags of commands that send transactions.

use std::time::Duration;

use alloy::primitives::Address;
use clap::Args;

use super::Caller;
use crate::cli::{address, chain::ChainArgs, connection::ReadArgs, defaults::with_default, key::KeyArgs};

/// Milliseconds to wait for a receipt where nothing else is asked for: ten slots of Ethereum.
const DEFAULT_RECEIPT_TIMEOUT_MS: u64 = 120_000;

/// What every command needs that sends transactions.
#[derive(Clone, Debug, Args)]
pub(crate) struct SendArgs {
    #[command(flatten)]
    pub(crate) read: ReadArgs,

    #[command(flatten)]
    key: KeyArgs,

    /// Simulate at the latest block and send nothing; needs no key with --from.
    #[arg(long, env = "EC_WITNESS_DRY_RUN", help_heading = "Sending")]
    dry_run: bool,

    /// The sender to simulate [default: the key's address].
    #[arg(
        long,
        env = "EC_WITNESS_FROM",
        value_name = "ADDRESS",
        value_parser = address::parse,
        requires = "dry_run",
        help_heading = "Sending"
    )]
    from: Option<Address>,

    #[arg(help = with_default("Milliseconds to wait for a transaction's receipt", DEFAULT_RECEIPT_TIMEOUT_MS))]
    #[arg(long, env = "EC_WITNESS_RECEIPT_TIMEOUT_MS", value_name = "MS", help_heading = "Sending")]
    receipt_timeout_ms: Option<u64>,
}

impl SendArgs {
    /// Loads the key, unless a simulation can do without, and connects.
    pub(crate) async fn caller(&self) -> eyre::Result<Caller> {
        let (chain, key) = self.settings()?;
        self.caller_on(chain, key).await
    }

    /// The settings with those of the file beneath them.
    pub(crate) fn settings(&self) -> eyre::Result<(ChainArgs, KeyArgs)> {
        self.read.with_file(self.key.clone())
    }

    /// The same as [`Self::caller`], with these settings.
    pub(crate) async fn caller_on(&self, chain: ChainArgs, key: KeyArgs) -> eyre::Result<Caller> {
        if self.dry_run && self.from.is_none() && !key.is_set() {
            eyre::bail!("--dry-run needs a sender: give --from ADDRESS, or a key");
        }
        let (from, signer) = match self.from {
            Some(from) => (from, None),
            None => {
                let signer = key.load()?;
                (signer.address(), (!self.dry_run).then_some(signer))
            }
        };
        let receipt_timeout = Duration::from_millis(self.receipt_timeout_ms.unwrap_or(DEFAULT_RECEIPT_TIMEOUT_MS));
        Ok(Caller { connection: chain.connect().await?, from, signer, receipt_timeout, json: self.read.json.json })
    }
}
