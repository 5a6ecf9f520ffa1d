//! `rotate`: a witness hands its seat on to a new key of its own.

mod finish;
mod start;

use alloy::primitives::{Address, U256};
use clap::Subcommand;
use ec_ledger::contracts::{EveryChannelWitnessRegistry as Registry, Revert};
use eyre::WrapErr;

use super::{
    Answer,
    connection::{Connection, block_on},
    send::SendArgs,
};

/// Hand a witness's seat on to a new key: `start` with the present key, `accept` with the new one, and, once that is final,
/// `finish`.
///
/// The seat keeps its index, the votes it cast, and its vote store. docs/operating-a-witness.md has all the steps.
#[derive(Debug, Subcommand)]
pub(crate) enum RotateCommand {
    /// Offer the seat to another address, with the present key; its witness must be stopped.
    Start(start::StartArgs),
    /// Take the offer back, with the present key; its witness must be stopped.
    Withdraw(start::WithdrawArgs),
    /// Take over the seat that is offered, with the new key. The present one never votes again.
    Accept(SendArgs),
    /// Give the vote store to the new key, once its seat is final.
    Finish(finish::FinishArgs),
}

impl RotateCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(async {
            match self {
                Self::Start(args) => args.run().await,
                Self::Withdraw(args) => args.run().await,
                Self::Accept(args) => accept(&args).await,
                Self::Finish(args) => args.run().await,
            }
        })
    }
}

async fn accept(send: &SendArgs) -> eyre::Result<Answer> {
    let caller = send.caller().await?;
    let registry = caller.connection.registry().await?;
    let account = caller.from;
    let Some(index) = seat_offered_to(&caller.connection, registry, account).await? else {
        if has_seat(&caller.connection, registry, account).await? {
            eyre::bail!("{account} has a seat already; if it took that over, go on with `ec-witness rotate finish`");
        }
        eyre::bail!(
            "no seat is offered to {account}; its witness runs `ec-witness rotate start --to {account}` with its present key"
        );
    };
    caller.act(&format!("accept seat {index}"), registry, &Registry::acceptRotationCall { index }).await
}

async fn has_seat(connection: &Connection, registry: Address, account: Address) -> eyre::Result<bool> {
    let found = Registry::new(registry, &connection.provider).seatOf(account).call().await;
    Ok(!found.wrap_err("registry: seatOf() failed")?.seat.is_zero())
}

/// The seat that an account may take over.
async fn seat_offered_to(connection: &Connection, registry: Address, account: Address) -> eyre::Result<Option<U256>> {
    let registry = Registry::new(registry, &connection.provider);
    let mut index = U256::ZERO;
    loop {
        match registry.pendingWitnessAt(index).call().await {
            Ok(offered) if offered == account => return Ok(Some(index)),
            Ok(_) => index += U256::ONE,
            Err(error) if matches!(Revert::of_call(&error), Some(Revert::UnknownIndex { .. })) => return Ok(None),
            Err(error) => return Err(error).wrap_err("registry: pendingWitnessAt() failed"),
        }
    }
}
