//! `rotate start` and `rotate withdraw`: what the present key says of its seat, through its vote store, which owns its
//! nonces.

use std::time::Duration;

use alloy::primitives::Address;
use clap::Args;
use ec_ledger::{
    Heads, LedgerSettings,
    contracts::{EveryChannelWitnessRegistry as Registry, Revert},
};
use ec_rpc::Endpoints;
use ec_witness::{
    sender::Sender,
    store::{Identity, VoteStore},
};
use eyre::WrapErr;
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::cli::{
    Answer, address,
    chain::ChainArgs,
    config::ConfigArg,
    connection::Connection,
    key::KeyArgs,
    ledger,
    output::{JsonArg, fact},
    run_settings::RunSettingsArgs,
    store::StoreArgs,
};

/// How long to wait until the chain has executed it. The store keeps it: `run` goes on with what is not executed then.
const PATIENCE: Duration = Duration::from_secs(120);

/// `rotate start`.
#[derive(Debug, Args)]
pub(crate) struct StartArgs {
    /// The new key's address. It must never have had a seat.
    #[arg(long, env = "EC_WITNESS_TO", value_name = "ADDRESS", value_parser = address::parse)]
    to: Address,

    #[command(flatten)]
    present: PresentArgs,
}

/// `rotate withdraw`.
#[derive(Debug, Args)]
pub(crate) struct WithdrawArgs {
    #[command(flatten)]
    present: PresentArgs,
}

/// The witness as it is.
#[derive(Debug, Args)]
struct PresentArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    run: RunSettingsArgs,

    #[command(flatten)]
    json: JsonArg,
}

/// What the command prints.
#[derive(Debug, Serialize)]
struct Offered {
    registry: Address,
    witness: Address,
    /// `null`: to nobody any more.
    offered_to: Option<Address>,
}

impl std::fmt::Display for Offered {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { witness, offered_to, .. } = self;
        match offered_to {
            Some(to) => {
                write!(f, "the seat of {witness} is offered to {to}; next, `ec-witness rotate accept` with its key")
            }
            None => write!(f, "the seat of {witness} is offered to nobody"),
        }
    }
}

impl StartArgs {
    pub(super) async fn run(self) -> eyre::Result<Answer> {
        eyre::ensure!(!self.to.is_zero(), "--to is the zero address; `ec-witness rotate withdraw` takes an offer back");
        self.present.offer(self.to).await
    }
}

impl WithdrawArgs {
    pub(super) async fn run(self) -> eyre::Result<Answer> {
        self.present.offer(Address::ZERO).await
    }
}

impl PresentArgs {
    async fn offer(self, to: Address) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let connection = self.chain.or(file.chain).connect().await?;
        let LedgerSettings { chain_id, ledger, registry, .. } = ledger::settings_to_vote(&connection).await?;
        let signer = self.key.or(file.key).load()?;
        let witness = signer.address();
        refused(&connection, registry, witness, to).await?;
        let identity = Identity { chain_id, ledger, witness };
        let mut store = VoteStore::open(self.store.directory(&file.store)?, identity)?;
        let run = self.run.or(file.run);
        let rule = run.sending(connection.chain.block_time);
        let mut sender = Sender::new(connection.endpoints.clone(), signer, &store, rule)?;
        let offer = Offer { registry, to, poll: run.poll() };
        offer.send(&mut sender, &mut store, &connection.endpoints).await?;
        store.close()?;
        let offered_to = (!to.is_zero()).then_some(to);
        fact(self.json.json, &Offered { registry, witness, offered_to })?;
        Ok(Answer::Yes)
    }
}

/// Fails where the registry would refuse this offer now.
async fn refused(connection: &Connection, registry: Address, witness: Address, to: Address) -> eyre::Result<()> {
    match Registry::new(registry, &connection.provider).rotate(to).from(witness).call().await {
        Ok(_) => Ok(()),
        Err(error) => match Revert::of_call(&error) {
            Some(revert) => Err(revert).wrap_err("rotate: refused"),
            None => Err(error).wrap_err("registry: rotate() failed"),
        },
    }
}

/// An offer that is to be executed.
struct Offer {
    registry: Address,
    to: Address,
    poll: Duration,
}

impl Offer {
    /// Sends it, after what is under way, and waits until the chain has executed all of it.
    async fn send(&self, sender: &mut Sender, store: &mut VoteStore, endpoints: &Endpoints) -> eyre::Result<()> {
        let begun = Instant::now();
        let mut is_sent = false;
        loop {
            let now_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
            let head = endpoints.heads().await?;
            let finalized = head.finalized.map_or(0, |finalized| finalized.number);
            let heads = Heads { latest: head.latest.number, safe: head.safe, finalized };
            sender.follow(store, heads, false, now_ms).await?;
            if is_sent && sender.pending() == 0 {
                return Ok(());
            }
            if !is_sent {
                is_sent = sender.rotate(store, self.registry, self.to, now_ms).await?;
            }
            self.check_patience(sender, is_sent, begun.elapsed())?;
            sleep(self.poll).await;
        }
    }

    fn check_patience(&self, sender: &Sender, is_sent: bool, waited: Duration) -> eyre::Result<()> {
        if waited < PATIENCE {
            return Ok(());
        }
        let held = sender.state().held.map(|held| format!(": {held}")).unwrap_or_default();
        let what =
            if is_sent { "it is in the vote store, and `ec-witness run` goes on with it" } else { "nothing was sent" };
        eyre::bail!("rotate: not executed after {} s{held}; {what}", waited.as_secs())
    }
}
