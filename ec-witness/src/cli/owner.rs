//! The owner of the registry and the rail: what it is, and how one acts for it.

use std::fmt;

use alloy::{
    eips::BlockId,
    primitives::{Address, B256},
    providers::Provider,
    sol_types::SolCall,
};
use clap::Args;
use ec_ledger::contracts::{EveryChannelTimelock, Revert};
use serde::Serialize;

use super::{
    Answer, address,
    connection::Connection,
    send::SendArgs,
    timelock::{self, TimelockStep},
};

/// What an account with a delegation has for code (EIP-7702).
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

/// What acts for the owner takes.
#[derive(Clone, Debug, Args)]
pub(crate) struct OwnerArgs {
    #[command(flatten)]
    pub(crate) send: SendArgs,

    /// Where the owner is a timelock: announce this change there, or make it once it has waited.
    #[arg(long, env = "EC_WITNESS_TIMELOCK", value_enum, value_name = "STEP", help_heading = "Owner")]
    timelock: Option<TimelockStep>,

    /// Tells this change from an equal one that the timelock knows already; the same when it is announced and made.
    #[arg(
        long,
        env = "EC_WITNESS_TIMELOCK_SALT",
        value_name = "HASH",
        default_value_t = B256::ZERO,
        hide_default_value = true,
        requires = "timelock",
        help_heading = "Owner"
    )]
    timelock_salt: B256,
}

/// A command of the owner about one address.
#[derive(Debug, Args)]
pub(crate) struct AccountArgs {
    /// The address.
    #[arg(value_parser = address::parse)]
    pub(crate) account: Address,

    #[command(flatten)]
    pub(crate) owner: OwnerArgs,
}

impl OwnerArgs {
    /// Calls a contract as its owner, or has its owner, a timelock, call it. `of` finds the contract.
    pub(crate) async fn act(
        &self,
        action: &str,
        call: impl SolCall,
        of: impl AsyncFn(&Connection) -> eyre::Result<Address>,
    ) -> eyre::Result<Answer> {
        let caller = self.send.caller().await?;
        let contract = of(&caller.connection).await?;
        match self.timelock {
            None => caller.act(action, contract, &call).await,
            Some(step) => {
                let operation = timelock::Operation::new(contract, call.abi_encode(), self.timelock_salt);
                timelock::act(&caller, action, step, operation).await
            }
        }
    }
}

/// What an owner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(crate) enum OwnerKind {
    /// Whoever has its key.
    Account,
    /// A contract that says of itself that what it does waits first.
    Timelock {
        /// For how long at least, seconds.
        min_delay_s: u64,
    },
    /// A contract of another kind.
    Contract,
}

impl OwnerKind {
    /// Looks at an address. That a timelock is what it says of itself is not checked.
    ///
    /// # Errors
    ///
    /// The endpoint does not answer.
    pub(crate) async fn of(connection: &Connection, owner: Address, at: BlockId) -> eyre::Result<Self> {
        let code = connection.provider.get_code_at(owner).block_id(at).await;
        let code = code.map_err(|error| connection.endpoint.rpc_error("eth_getCode", error))?;
        if code.is_empty() || code.starts_with(&DELEGATION) {
            return Ok(Self::Account);
        }
        match EveryChannelTimelock::new(owner, &connection.provider).getMinDelay().block(at).call().await {
            Ok(delay) => Ok(Self::Timelock { min_delay_s: delay.saturating_to() }),
            Err(error @ alloy::contract::Error::TransportError(_)) if Revert::of_call(&error).is_none() => {
                Err(error.into())
            }
            Err(_) => Ok(Self::Contract),
        }
    }
}

impl fmt::Display for OwnerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Account => f.write_str("an account: whoever has its key changes the set at once"),
            Self::Timelock { min_delay_s } => write!(f, "a timelock: what it does is announced {min_delay_s} s before"),
            Self::Contract => {
                f.write_str("a contract, but no timelock: its own rules say who changes the set, and when")
            }
        }
    }
}
