//! `run`: the daemon, or with `--once` a single settling of what the archive holds.

use std::time::Duration;

use alloy::primitives::{Address, U256};
use clap::{Args, ValueEnum};
use ec_witness::{
    chain::{
        follow::{Follower, LedgerPlace},
        sender::Sender,
    },
    contracts::EveryChannelWitnessRegistry,
    daemon::{Closing, Daemon, FollowedStream, Summary, Turns, Until, Voter},
    store::{Identity, VoteStore},
    witness::{decision::Policy, engine::SlotState},
};
use eyre::WrapErr;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::{
    Answer, address,
    chain::{ChainArgs, Connection, block_on},
    derive::read_index,
    init::StartArg,
    key::KeyArgs,
    ledger::place,
    output::{JsonArg, Progress, Unit},
    settings::{AgreementArgs, ArchiveArgs, ConfigArg, ConfigFile, Sources, StoreArgs},
    slots,
};

/// Milliseconds between two polls of the ledger where nothing else is configured: half an OP Stack block.
const DEFAULT_POLL_MS: u64 = 1_000;
/// The most that is paid for a unit of gas where nothing else is configured.
const DEFAULT_MAX_FEE_GWEI: u64 = 100;

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

    /// Milliseconds between two polls of the ledger [default: 1000].
    #[arg(long, env = "EC_WITNESS_POLL_MS", value_name = "MS", value_parser = clap::value_parser!(u64).range(1..), help_heading = "Run")]
    poll_ms: Option<u64>,

    /// The most that is paid for a unit of gas [default: 100].
    #[arg(long, env = "EC_WITNESS_MAX_FEE_GWEI", value_name = "GWEI", help_heading = "Run")]
    max_fee_gwei: Option<u64>,

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
        let policy = self.agreement.policy(&file.agreement);
        let connection = self.chain.clone().or(file.chain.clone()).connect().await?;
        let place = place(&connection).await?;
        let mut voter = self.voter(&file, &connection, place).await?;
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let streams = self.streams(&sources, &mut voter, &policy)?;
        let follower = Follower::new(connection.provider, place, Some(voter.witness()), Some(sources.hashes()));
        let turns = self.turns(file.run.poll_ms);
        let mut daemon = Daemon::new(sources.archive.clone(), streams, follower, voter, policy, turns);
        let cancelled = cancelled_by_signals()?;
        tracing::info!(chain_id = place.chain_id, ledger = %place.ledger, streams = sources.streams.len(), "witness started");
        self.drive(&mut daemon, &cancelled).await?;
        if !self.once {
            tracing::info!("witness stopped");
            return Ok(Answer::Yes);
        }
        let reports = daemon.reports();
        slots::print(&reports, self.json.json)?;
        let all_equal = !reports.is_empty() && reports.iter().all(|report| report.state == SlotState::Finalized);
        Ok((all_equal && !cancelled.is_cancelled()).into())
    }

    async fn drive(&self, daemon: &mut Daemon, cancelled: &CancellationToken) -> eyre::Result<()> {
        let progress = self.once.then(|| Progress::start("settling slots", Unit::Slots));
        let shown = |summary: Summary| {
            if let Some(progress) = &progress {
                progress.set(summary.settled as u64, summary.judged as u64);
            }
        };
        let ended = daemon.run(cancelled, shown).await;
        progress.iter().for_each(Progress::finish);
        Ok(ended?)
    }

    fn turns(&self, file_poll_ms: Option<u64>) -> Turns {
        Turns {
            poll: Duration::from_millis(self.poll_ms.or(file_poll_ms).unwrap_or(DEFAULT_POLL_MS)),
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
        let max_fee_gwei = self.max_fee_gwei.or(file.run.max_fee_gwei).unwrap_or(DEFAULT_MAX_FEE_GWEI);
        let max_fee_per_gas = u128::from(max_fee_gwei) * 1_000_000_000;
        let sender = Box::new(Sender::new(connection.provider.clone(), signer, &store, max_fee_per_gas)?);
        Ok(Voter::Casting { store, sender })
    }

    /// Reads every stream's index. A stream that `init` did not know begins at its newest closed epoch from now on.
    fn streams(&self, sources: &Sources, voter: &mut Voter, policy: &Policy) -> eyre::Result<Vec<FollowedStream>> {
        let closing = if self.once { Closing::AtRest } else { Closing::Grace(sources.grace_ms) };
        let mut streams = Vec::new();
        for source in &sources.streams {
            let index = read_index(sources, source, self.json.json)?;
            let from = match voter {
                Voter::Casting { store, .. } => {
                    let start = StartArg::default().of(&index, source.from_sequence)?;
                    store.fix_from_sequence(&source.rule.stream_id, start)?
                }
                Voter::Dry { .. } => source.from_sequence.unwrap_or(0),
            };
            streams.push(FollowedStream::new(index, from, policy.max_inflight, closing));
        }
        Ok(streams)
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

/// Cancelled by the first SIGINT or SIGTERM.
fn cancelled_by_signals() -> eyre::Result<CancellationToken> {
    let cancelled = CancellationToken::new();
    for kind in [SignalKind::interrupt(), SignalKind::terminate()] {
        let (mut signals, cancelled) = (signal(kind)?, cancelled.clone());
        tokio::spawn(async move {
            signals.recv().await;
            tracing::info!("stopping");
            cancelled.cancel();
        });
    }
    Ok(cancelled)
}
