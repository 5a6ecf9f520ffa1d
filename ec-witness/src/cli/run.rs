//! `run`: the daemon, or with `--once` a single settling of what the archive holds.

use std::{collections::HashSet, path::Path};

use alloy::primitives::{Address, U256};
use clap::{Args, ValueEnum};
use ec_archive::Checkpoints;
use ec_ledger::{Follower, LedgerPlace, Pulse, contracts::EveryChannelWitnessRegistry};
use ec_witness::{
    chain::sender::Sender,
    daemon::{Closing, Daemon, Intake, Snapshot, Turns, Until, Voter},
    metrics::INFO,
    monitor::Monitor,
    store::{Identity, VoteStore},
    witness::engine::SlotState,
};
use eyre::WrapErr;
use tokio_util::sync::CancellationToken;

use super::{
    Answer, address,
    chain::{ChainArgs, Connection, block_on},
    key::KeyArgs,
    ledger::place,
    monitor::MonitorArgs,
    output::{JsonArg, Progress, Unit},
    settings::{AgreementArgs, ArchiveArgs, ConfigArg, ConfigFile, Roster, StoreArgs},
    slots,
    turns::TurnArgs,
};

/// Where, in the store's directory, the daemon keeps what it has read of the archive's index. A cache.
const CHECKPOINTS: &str = "index";

/// What the witness works with.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    key: KeyArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    agreement: AgreementArgs,

    #[command(flatten)]
    monitor: MonitorArgs,

    /// Settle what the archive holds now and end: 0 all final and equal, 1 not, 2 error.
    #[arg(long, env = "EC_WITNESS_ONCE", help_heading = "Run")]
    once: bool,

    /// At which head `--once` is content.
    #[arg(long, env = "EC_WITNESS_UNTIL", value_enum, default_value_t = UntilArg::Latest, help_heading = "Run")]
    until: UntilArg,

    /// Do all but voting; needs neither key nor store.
    #[arg(long, env = "EC_WITNESS_DRY_RUN", help_heading = "Run")]
    dry_run: bool,

    /// The seat a dry run judges from [default: the first active witness].
    #[arg(long, env = "EC_WITNESS_WITNESS", value_name = "ADDRESS", value_parser = address::parse, help_heading = "Run", requires = "dry_run")]
    witness: Option<Address>,

    #[command(flatten)]
    turns: TurnArgs,

    #[command(flatten)]
    json: JsonArg,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum UntilArg {
    /// The latest head: every slot has an outcome.
    Latest,
    /// The finalized head: the outcomes can no longer be taken back.
    Finalized,
}

impl RunArgs {
    /// Whether it goes on until it is stopped.
    pub(crate) fn is_daemon(&self) -> bool {
        !self.once
    }

    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let pulse = Pulse::default();
        let (monitor, cancelled) = self.monitor.or(file.monitor)?.start(pulse.clone(), self.turns(file.run).poll)?;
        let mut daemon = self.daemon(file).await?.beat(pulse);
        monitor.ready();
        if let Err(halt) = self.drive(&mut daemon, &monitor, &cancelled).await {
            monitor.halted(&format!("{halt:#}"));
            return Err(halt);
        }
        if !self.once {
            tracing::info!("witness stopped");
            return Ok(Answer::Yes);
        }
        let reports = daemon.reports();
        slots::print(&reports, self.json.json)?;
        let all_equal = !reports.is_empty() && reports.iter().all(|report| report.state == SlotState::Finalized);
        Ok((all_equal && !cancelled.is_cancelled()).into())
    }

    /// Reaches the chain and opens the store.
    async fn daemon(&self, file: ConfigFile) -> eyre::Result<Daemon> {
        let policy = self.agreement.policy(&file.agreement);
        let connection = self.chain.clone().or(file.chain.clone()).connect().await?;
        let place = place(&connection).await?;
        let voter = self.voter(&file, &connection, place).await?;
        let checkpoints = self.store.directory_if_set(&file.store).map(|store| store.join(CHECKPOINTS));
        let roster = self.archive.roster(file.archive, &file.stream)?;
        let intake = self.intake(roster, checkpoints.as_deref())?;
        let (witness, turns) = (voter.witness(), self.turns(file.run));
        // streams are added as they are taken in
        let follower = Follower::new(connection.endpoints, place, Some(witness), Some(HashSet::new()))
            .resting_on(voter.finalized_head()?);
        metrics::gauge!(
            INFO, "chain_id" => place.chain_id.to_string(), "ledger" => place.ledger.to_string(),
            "witness" => witness.to_string()
        )
        .set(1.0);
        tracing::info!(chain_id = place.chain_id, ledger = %place.ledger, %witness, "witness started");
        Ok(Daemon::new(intake, follower, voter, policy, turns))
    }

    async fn drive(&self, daemon: &mut Daemon, monitor: &Monitor, cancelled: &CancellationToken) -> eyre::Result<()> {
        let progress = self.once.then(|| Progress::start("settling slots", Unit::Slots));
        let shown = |snapshot: &Snapshot| {
            monitor.turned(snapshot);
            if let Some(progress) = &progress {
                progress.set(snapshot.summary.settled as u64, snapshot.summary.judged as u64);
            }
        };
        let ended = daemon.run(cancelled, shown).await;
        progress.iter().for_each(Progress::finish);
        Ok(ended?)
    }

    fn turns(&self, file: TurnArgs) -> Turns {
        Turns {
            poll: self.turns.or(file).poll(),
            once: self.once.then_some(match self.until {
                UntilArg::Latest => Until::Latest,
                UntilArg::Finalized => Until::Finalized,
            }),
        }
    }

    async fn voter(&self, file: &ConfigFile, connection: &Connection, place: LedgerPlace) -> eyre::Result<Voter> {
        if self.dry_run {
            let witness = match self.witness {
                Some(witness) => witness,
                None => first_active(connection, place.registry).await?,
            };
            return Ok(Voter::dry(witness));
        }
        let signer = self.key.clone().or(file.key.clone()).load()?;
        let identity = Identity { chain_id: place.chain_id, ledger: place.ledger, witness: signer.address() };
        let store = VoteStore::open(self.store.directory(&file.store)?, identity)?;
        let rule = self.turns.or(file.run).sending(connection.chain.block_time_ms);
        let sender = Box::new(Sender::new(connection.endpoints.clone(), signer, &store, rule)?);
        Ok(Voter::Casting { store, sender })
    }

    /// How the archive is taken in. What is there is checked now; what comes later, when it comes.
    fn intake(&self, roster: Roster, checkpoints: Option<&Path>) -> eyre::Result<Intake> {
        let (archive, names) = (roster.archive.clone(), roster.names.clone());
        if self.once {
            roster.clone().sources()?;
            return Ok(Intake::new(archive, names, Closing::AtRest, roster.mapping(), None));
        }
        roster.clone().sources_so_far()?;
        let checkpoints = checkpoints.filter(|_| !self.dry_run).map(Checkpoints::at);
        Ok(Intake::new(archive, names, Closing::Grace(roster.grace_ms), roster.mapping(), checkpoints))
    }
}

/// The first active witness: the seat of a dry run that names none.
async fn first_active(connection: &Connection, registry: Address) -> eyre::Result<Address> {
    let registry = EveryChannelWitnessRegistry::new(registry, &connection.provider);
    let bitmap = registry.activeSet().call().await.wrap_err("registry: activeSet() failed")?.bitmap;
    if bitmap.is_zero() {
        return Ok(Address::ZERO);
    }
    registry.witnessAt(U256::from(bitmap.trailing_zeros())).call().await.wrap_err("registry: witnessAt() failed")
}
