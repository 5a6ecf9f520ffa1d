//! `registry`: who the witnesses are.

use std::fmt;

use alloy::{
    eips::BlockId,
    primitives::{Address, U256},
    providers::Provider,
};
use clap::{Args, Subcommand};
use comfy_table::{Table, presets::NOTHING};
use ec_ledger::{
    contracts::{EveryChannelWitnessRegistry, Revert},
    identity,
};
use eyre::WrapErr;
use serde::Serialize;

use super::{
    Answer, address,
    connection::{Connection, ReadArgs, block_on},
    output::fact,
    owner::{AccountArgs, OwnerArgs, OwnerKind},
};

/// Show and change the set of witnesses and the quorum.
#[derive(Debug, Subcommand)]
pub(crate) enum RegistryCommand {
    /// Show the seats with their witnesses and to whom they are offered, the quorum and the owner.
    Show(ReadArgs),
    /// Add one witness; the quorum stays.
    Add(AccountArgs),
    /// Remove one witness; the quorum stays.
    Remove(AccountArgs),
    /// Change the quorum; the witnesses stay.
    SetQuorum(SetQuorumArgs),
    /// Change witnesses and quorum at once.
    Update(UpdateArgs),
    /// Offer the ownership to another address, which has to accept it.
    TransferOwnership(AccountArgs),
    /// Accept the ownership that was offered to the sender.
    AcceptOwnership(OwnerArgs),
}

/// `registry set-quorum`.
#[derive(Debug, Args)]
pub(crate) struct SetQuorumArgs {
    /// Votes that finalize: more than half of the witnesses, not more than all.
    quorum: u8,

    #[command(flatten)]
    owner: OwnerArgs,
}

/// `registry update`.
#[derive(Debug, Args)]
pub(crate) struct UpdateArgs {
    /// Addresses that become witnesses; again, or separated by commas, for several.
    #[arg(long, env = "EC_WITNESS_ADD", value_name = "ADDRESS", value_delimiter = ',', value_parser = address::parse)]
    add: Vec<Address>,

    /// Witnesses that cease to be; again, or separated by commas, for several.
    #[arg(long, env = "EC_WITNESS_REMOVE", value_name = "ADDRESS", value_delimiter = ',', value_parser = address::parse)]
    remove: Vec<Address>,

    /// The quorum of the changed set.
    #[arg(long, env = "EC_WITNESS_QUORUM", value_name = "N")]
    quorum: u8,

    #[command(flatten)]
    owner: OwnerArgs,
}

impl RegistryCommand {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.run_async())
    }

    async fn run_async(self) -> eyre::Result<Answer> {
        use EveryChannelWitnessRegistry as registry;
        match self {
            Self::Show(args) => show(&args).await,
            Self::Add(AccountArgs { account, owner }) => {
                act(&owner, &format!("add witness {account}"), registry::addWitnessCall { witness: account }).await
            }
            Self::Remove(AccountArgs { account, owner }) => {
                act(&owner, &format!("remove witness {account}"), registry::removeWitnessCall { witness: account })
                    .await
            }
            Self::SetQuorum(SetQuorumArgs { quorum, owner }) => {
                act(&owner, &format!("set quorum {quorum}"), registry::setQuorumCall { newQuorum: quorum }).await
            }
            Self::Update(UpdateArgs { add, remove, quorum, owner }) => {
                let action = format!("update set: {} added, {} removed, quorum {quorum}", add.len(), remove.len());
                act(&owner, &action, registry::updateSetCall { add, remove, newQuorum: quorum }).await
            }
            Self::TransferOwnership(AccountArgs { account, owner }) => {
                let call = registry::transferOwnershipCall { newOwner: account };
                act(&owner, &format!("offer ownership to {account}"), call).await
            }
            Self::AcceptOwnership(owner) => act(&owner, "accept ownership", registry::acceptOwnershipCall {}).await,
        }
    }
}

async fn act(owner: &OwnerArgs, action: &str, call: impl alloy::sol_types::SolCall) -> eyre::Result<Answer> {
    owner.act(action, call, Connection::registry).await
}

/// What `registry show` prints.
#[derive(Debug, Serialize)]
struct Registry {
    registry: Address,
    owner: Address,
    owner_is: OwnerKind,
    /// To whom the ownership is offered.
    pending_owner: Option<Address>,
    quorum: u8,
    witness_count: usize,
    witnesses: Vec<Witness>,
}

/// A seat.
#[derive(Debug, Serialize)]
struct Witness {
    index: usize,
    /// Who holds the seat.
    address: Address,
    active: bool,
    /// To whom the seat is offered.
    offered_to: Option<Address>,
}

async fn show(args: &ReadArgs) -> eyre::Result<Answer> {
    let connection = args.connect().await?;
    let address = connection.registry().await?;
    let registry = read(&connection, address).await.wrap_err_with(|| format!("registry {address} cannot be read"))?;
    fact(args.json.json, &registry)?;
    Ok(Answer::Yes)
}

/// All of a registry, at one block.
async fn read(connection: &Connection, address: Address) -> eyre::Result<Registry> {
    let block = connection.provider.get_block_number().await;
    let block = BlockId::number(block.map_err(|error| connection.endpoint.rpc_error("eth_blockNumber", error))?);
    let registry = EveryChannelWitnessRegistry::new(address, &connection.provider);
    let set = registry.activeSet().block(block).call().await?;
    let can_rotate = identity::can_rotate(&connection.endpoints, address).await?;
    let mut witnesses = Vec::new();
    loop {
        let index = witnesses.len();
        match registry.witnessAt(U256::from(index)).block(block).call().await {
            Ok(address) => {
                let offered = match can_rotate {
                    true => registry.pendingWitnessAt(U256::from(index)).block(block).call().await?,
                    false => Address::ZERO,
                };
                let offered_to = (!offered.is_zero()).then_some(offered);
                witnesses.push(Witness { index, address, active: set.bitmap.bit(index), offered_to });
            }
            Err(error) if matches!(Revert::of_call(&error), Some(Revert::UnknownIndex { .. })) => break,
            Err(error) => return Err(error.into()),
        }
    }
    let owner = registry.owner().block(block).call().await?;
    let pending = registry.pendingOwner().block(block).call().await?;
    Ok(Registry {
        registry: address,
        owner,
        owner_is: OwnerKind::of(connection, owner, block).await?,
        pending_owner: (!pending.is_zero()).then_some(pending),
        quorum: set.quorum_,
        witness_count: set.bitmap.count_ones(),
        witnesses,
    })
}

impl fmt::Display for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "registry  {}", self.registry)?;
        writeln!(f, "owner     {}, {}", self.owner, self.owner_is)?;
        if let Some(pending) = self.pending_owner {
            writeln!(f, "offered   {pending}")?;
        }
        writeln!(f, "quorum    {} of {}", self.quorum, self.witness_count)?;
        let mut table = Table::new();
        table.load_style(NOTHING).set_header(["index", "address", "active", "offered to"]);
        for Witness { index, address, active, offered_to } in &self.witnesses {
            let active = if *active { "yes" } else { "no" };
            let offered_to = offered_to.as_ref().map(Address::to_string).unwrap_or_default();
            table.add_row([index.to_string(), address.to_string(), active.to_owned(), offered_to]);
        }
        write!(f, "{}", table.trim_fmt())
    }
}
