//! `rotate finish`: the vote store goes on with the key that has the seat now.

use alloy::{
    eips::BlockId,
    primitives::{Address, U256},
};
use clap::Args;
use ec_ledger::{LedgerSettings, contracts::EveryChannelWitnessRegistry as Registry};
use ec_rpc::{AskError, BlockRef, Endpoints};
use ec_witness::store::{Identity, VoteStore};
use eyre::OptionExt;
use serde::Serialize;

use crate::cli::{
    Answer,
    chain::ChainArgs,
    config::ConfigArg,
    key::KeyArgs,
    ledger,
    output::{JsonArg, fact},
    store::StoreArgs,
};

/// `rotate finish`.
#[derive(Debug, Args)]
pub(crate) struct FinishArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    json: JsonArg,
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Finished {
    store: std::path::PathBuf,
    /// Whose store it was.
    from: Address,
    /// Whose it is.
    witness: Address,
    first_nonce: u64,
}

impl std::fmt::Display for Finished {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { store, from, witness, first_nonce } = self;
        let store = store.display();
        match from == witness {
            true => write!(f, "vote store {store} is witness {witness}'s already"),
            false => write!(f, "vote store {store} of {from} is witness {witness}'s, from nonce {first_nonce}"),
        }
    }
}

impl FinishArgs {
    pub(super) async fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let witness = self.key.or(file.key).load()?.address();
        let directory = self.store.directory(&file.store)?.to_owned();
        let connection = self.chain.or(file.chain).connect().await?;
        let LedgerSettings { chain_id, ledger, registry, .. } = ledger::settings_to_vote(&connection).await?;
        let from = VoteStore::read(&directory)?.identity().witness;
        let mut store = VoteStore::open(&directory, Identity { chain_id, ledger, witness: from })?;
        let mut first_nonce = store.first_nonce();
        if from != witness {
            require_passed(&connection.endpoints, registry, from, witness).await?;
            first_nonce = connection.endpoints.transaction_count(witness).await?;
            store.hand_on(witness, first_nonce)?;
        }
        store.close()?;
        fact(self.json.json, &Finished { store: directory, from, witness, first_nonce })?;
        Ok(Answer::Yes)
    }
}

/// Fails unless a seat passed from one address to the other for good: what the one sent can no longer become a vote.
async fn require_passed(endpoints: &Endpoints, registry: Address, from: Address, to: Address) -> eyre::Result<()> {
    let head = endpoints.heads().await?;
    let finalized = head.finalized.ok_or_eyre("the chain has no finalized head yet; wait for one")?;
    if holder_of_seat(endpoints, registry, from, finalized).await? == Some(to) {
        return Ok(());
    }
    let BlockRef { number, .. } = finalized;
    if holder_of_seat(endpoints, registry, from, head.latest).await? == Some(to) {
        eyre::bail!(
            "the seat passed from {from} to {to} above the finalized head, block {number}; wait until that is final"
        );
    }
    eyre::bail!(
        "the store is witness {from}'s, whose seat is not {to}'s: first `ec-witness rotate start --to {to}` with the key of \
         {from}, then `ec-witness rotate accept` with that of {to}"
    )
}

/// Who holds the seat that an address has or had at a block; `None` where it never had one.
async fn holder_of_seat(
    endpoints: &Endpoints,
    registry: Address,
    address: Address,
    block: BlockRef,
) -> Result<Option<Address>, AskError> {
    let at = BlockId::hash(block.hash);
    let holder = |provider| async move {
        let registry = Registry::new(registry, provider);
        let seat = registry.seatOf(address).block(at).call().await?.seat;
        if seat.is_zero() {
            return Ok::<_, alloy::contract::Error>(None);
        }
        let index = U256::from(seat.trailing_zeros());
        Ok(Some(registry.witnessAt(index).block(at).call().await?))
    };
    endpoints.agreed("witnessAt()", holder).await
}
