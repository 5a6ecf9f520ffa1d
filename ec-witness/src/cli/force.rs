//! `force`: a witness's calls through L1, where the sequencer leaves its transactions out.

mod look;
mod outcome;
mod work;

use alloy::primitives::Address;
use clap::Args;
use ec_ledger::LedgerSettings;
use ec_witness::{
    clock,
    force::{Choice, Forcing, Layer1, choose},
    store::{Identity, VoteStore},
};

use super::{
    Answer,
    chain::ChainArgs,
    config::ConfigArg,
    connection::{Connection, block_on},
    force_settings::ForceSettingsArgs,
    key::KeyArgs,
    ledger,
    output::JsonArg,
    store::StoreArgs,
};
use work::Work;

/// Sends a witness's calls through L1, where the sequencer leaves its transactions out; its witness must be stopped.
///
/// Each call to the ledger that stays out, lowest nonce first, is sent to the L2's portal on L1, with the same key, which
/// needs ether there. The command ends when all of them are final on the L2. It may be ended at any time: started again it goes
/// on, and `run` does not start before. Exit code 1 when something still stays out.
#[derive(Debug, Args)]
pub(crate) struct ForceArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    force: ForceSettingsArgs,

    /// Only show what would be forced and what it would cost; needs no key, and the witness may run.
    #[arg(long, env = "EC_WITNESS_DRY_RUN")]
    dry_run: bool,

    #[command(flatten)]
    json: JsonArg,
}

impl ForceArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.force())
    }

    async fn force(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let settings = self.force.or(file.force);
        let directory = self.store.directory(&file.store)?;
        let connection = self.chain.or(file.chain).connect().await?;
        let LedgerSettings { chain_id, ledger, .. } = ledger::settings_to_vote(&connection).await?;
        let identity = |witness| Identity { chain_id, ledger, witness };
        if self.dry_run {
            let store = VoteStore::read(directory)?;
            let witness = store.identity().witness;
            store.belongs_to(directory, identity(witness))?;
            let forcing = settings.reach_l1(&connection, witness).await?;
            let choice = settings.choice(&forcing, &store).await?;
            return look::look(&forcing, &store, choice, self.json.json).await;
        }
        let signer = self.key.or(file.key).load()?;
        let store = VoteStore::open(directory, identity(signer.address()))?;
        let forcing = settings.reach_l1(&connection, signer.address()).await?;
        let mut work = Work::new(forcing, signer, store, self.json.json);
        // which nonces the deposits use must be known before it is told what stays out
        work.settle().await?;
        let choice = settings.choice(&work.forcing, &work.store).await?;
        work.force(choice).await?;
        work.store.close()?;
        Ok(work.is_done.into())
    }
}

impl ForceSettingsArgs {
    /// L1, with the witness's account there.
    async fn reach_l1(&self, connection: &Connection, witness: Address) -> eyre::Result<Forcing> {
        let l2 = connection.endpoints.clone();
        let l1 = Layer1::connect(self.l1_rpc()?, connection.endpoint.timeout, &l2, witness).await?;
        tracing::info!(portal = %l1.portal(), "L1 reached");
        Ok(Forcing::new(l1, l2, self.fees()))
    }

    /// What to force of all that stays out.
    async fn choice(&self, forcing: &Forcing, store: &VoteStore) -> eyre::Result<Choice> {
        let stuck = forcing.stuck(store).await?;
        Ok(choose(stuck, store.identity().ledger, self.force_after_ms(), clock::unix_ms()))
    }
}
