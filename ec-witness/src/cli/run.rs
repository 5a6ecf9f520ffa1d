//! `run`: the daemon, or with `--once` a single settling of what the archive holds.

mod open_files;
mod settings;

use std::collections::HashMap;

use alloy::primitives::{Address, U256};
use ec_ledger::{Follower, LedgerSettings, Pulse, contracts::EveryChannelWitnessRegistry};
use ec_witness::{
    daemon::{Closing, Daemon, Intake, Voter},
    metrics::INFO,
    monitor::Monitor,
    sender::Sender,
    standing::Snapshot,
    store::{Identity, VoteStore},
    witness::slot::SlotState,
};
use eyre::WrapErr;
use tokio_util::sync::CancellationToken;

use super::{
    Answer,
    connection::{Connection, block_on},
    ledger,
    output::{Progress, Unit},
    slots::{self, ShownSlot},
    store::{checkpoints, ledger_checkpoint},
};
pub(crate) use settings::RunArgs;
use settings::{Settings, Voting};

impl RunArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(work(self.settings()?))
    }
}

async fn work(settings: Settings) -> eyre::Result<Answer> {
    open_files::make_room()?;
    let pulse = Pulse::default();
    let (monitor, cancelled) = settings.monitor.start(pulse.clone(), settings.pace.poll)?;
    let (once, json) = (settings.pace.once.is_some(), settings.json);
    let mut daemon = daemon(settings).await?.beat(pulse);
    monitor.ready();
    if let Err(halt) = drive(&mut daemon, once, &monitor, &cancelled).await {
        monitor.halted(&format!("{halt:#}"));
        return Err(halt);
    }
    let reports = if once { daemon.reports() } else { Vec::new() };
    daemon.close()?;
    if !once {
        tracing::info!("witness stopped");
        return Ok(Answer::Yes);
    }
    // a vote in a session that was given up is no fault
    let mut counted = reports.iter().filter(|report| report.state != SlotState::Superseded).peekable();
    let all_equal = counted.peek().is_some() && counted.all(|report| report.state == SlotState::Finalized);
    let fine = all_equal && !cancelled.is_cancelled();
    slots::print(&Vec::from_iter(reports.into_iter().map(ShownSlot::judged)), json)?;
    Ok(fine.into())
}

/// Reaches the chain and opens the store.
async fn daemon(settings: Settings) -> eyre::Result<Daemon> {
    let connection = settings.chain.clone().connect().await?;
    let ledger = ledger::settings_to_vote(&connection).await?;
    let voter = voter(&settings, &connection, ledger).await?;
    let intake = intake(&settings, fixed_streams(&voter)?)?;
    let witness = voter.witness();
    // streams are added as they are taken in
    let mut follower = Follower::new(connection.endpoints, ledger, Some(witness), Some(HashMap::new()))
        .resting_on(voter.finalized_head()?);
    // who reports every slot needs the votes of those that are settled, too
    if let (Voting::Cast { store, .. }, None) = (&settings.voting, settings.pace.once) {
        match follower.keep_in(&ledger_checkpoint(store)) {
            Ok(()) => {}
            // a full disk holds votes, and ends no witness
            Err(error) => tracing::warn!(%error, "no checkpoint of the ledger is kept until the next start"),
        }
    }
    metrics::gauge!(
        INFO, "chain_id" => ledger.chain_id.to_string(), "ledger" => ledger.ledger.to_string(),
        "witness" => witness.to_string()
    )
    .set(1.0);
    tracing::info!(chain_id = ledger.chain_id, ledger = %ledger.ledger, %witness, "witness started");
    let daemon = Daemon::new(intake, follower, voter, settings.agreement, settings.pace);
    Ok(daemon.forced_after(settings.force_after_ms))
}

async fn drive(daemon: &mut Daemon, once: bool, monitor: &Monitor, cancelled: &CancellationToken) -> eyre::Result<()> {
    let progress = once.then(|| Progress::start("settling slots", Unit::Slots));
    let shown = |snapshot: &Snapshot| {
        monitor.turned(snapshot);
        if let Some(progress) = &progress {
            progress.set(snapshot.totals.outcomes as u64, snapshot.totals.judged as u64);
        }
    };
    let ended = daemon.run(cancelled, shown).await;
    progress.iter().for_each(Progress::finish);
    Ok(ended?)
}

async fn voter(settings: &Settings, connection: &Connection, ledger: LedgerSettings) -> eyre::Result<Voter> {
    match &settings.voting {
        Voting::Dry { witness: Some(witness) } => Ok(Voter::dry(*witness)),
        Voting::Dry { witness: None } => Ok(Voter::dry(first_active(connection, ledger.registry).await?)),
        Voting::Cast { key, store } => {
            let signer = key.load()?;
            let identity = Identity { chain_id: ledger.chain_id, ledger: ledger.ledger, witness: signer.address() };
            let mut store = VoteStore::open(store, identity)?;
            store.check_beside()?;
            let sender = Box::new(Sender::new(connection.endpoints.clone(), signer, &store, settings.sending)?);
            Ok(Voter::Casting { store, sender })
        }
    }
}

/// The streams that the vote store knows.
fn fixed_streams(voter: &Voter) -> eyre::Result<Vec<String>> {
    match voter {
        Voter::Casting { store, .. } => Ok(store.fixed_streams()?),
        Voter::Dry { .. } => Ok(Vec::new()),
    }
}

/// How the archive is taken in. What is there is checked now; what comes later, when it comes.
fn intake(Settings { roster, pace, voting, .. }: &Settings, fixed: Vec<String>) -> eyre::Result<Intake> {
    let mut roster = roster.clone().fixed(fixed);
    let (archive, names, grace_ms) = (roster.archive.clone(), roster.names.clone(), roster.grace_ms);
    if pace.once.is_some() {
        roster.sources()?;
        return Ok(Intake::new(archive, names, Closing::AtRest, roster.mapping(), None));
    }
    roster.sources_so_far()?;
    let checkpoints = match voting {
        Voting::Cast { store, .. } => Some(checkpoints(store)),
        Voting::Dry { .. } => None,
    };
    Ok(Intake::new(archive, names, Closing::Grace(grace_ms), roster.mapping(), checkpoints))
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
