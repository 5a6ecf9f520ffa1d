//! `status`: is the witness fine, if not, why, and where the newest slots stand. From the archive, the ledger, the vote
//! store and, where it serves metrics, the daemon. Changes nothing.

mod summary;

use std::{collections::HashSet, net::SocketAddr, path::Path};

use alloy::{primitives::Address, providers::Provider};
use clap::Args;
use ec_archive::{Source, StreamIndex, Sweep, is_closed};
use ec_ledger::Follower;
use ec_observation::{DerivedEpoch, StreamHash};
use ec_witness::{
    daemon::show,
    standing::SlotReport,
    store::VoteStore,
    witness::{
        decision::{Agreement, OwnVote},
        engine::{Engine, Situation, SlotKey},
        own::own_epoch,
    },
};

use super::{
    Answer,
    agreement::AgreementArgs,
    config::ConfigArg,
    connection::{ChainArgs, block_on},
    derive::read_index,
    ledger,
    output::{JsonArg, json_line},
    roster::ArchiveArgs,
    slots,
    store::StoreArgs,
};
use summary::{Summary, Verdict};

/// What to look at.
///
/// Exit codes: 0 it could be looked at, 2 it could not; with `--check`, 0 all is fine, 1 it is not.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    agreement: AgreementArgs,

    /// Epochs shown of each stream, the newest ones; 0 for all.
    #[arg(long, env = "EC_WITNESS_LAST", value_name = "N", default_value_t = 20)]
    last: u64,

    /// Where the daemon serves its metrics, to ask it for its own view [default: the file's].
    #[arg(long, env = "EC_WITNESS_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,

    /// Only the verdict and what it rests on, no slots. With `--json`, as one object.
    #[arg(long)]
    summary: bool,

    /// Exit with 1 unless all is fine.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    json: JsonArg,
}

/// What was found out.
struct Found {
    summary: Summary,
    reports: Vec<SlotReport>,
    /// What could not be looked at.
    error: Option<eyre::Report>,
}

impl StatusArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(self.work())
    }

    async fn work(self) -> eyre::Result<Answer> {
        let Found { summary, reports, error } = self.look().await?;
        let fine = summary.verdict() == Verdict::Fine;
        if self.json.json && self.summary {
            json_line(&summary.document())?;
        } else if !self.json.json {
            summary.print()?;
        }
        if !self.summary && error.is_none() {
            slots::print(&reports, self.json.json)?;
        }
        match error {
            _ if self.check => Ok(fine.into()),
            Some(error) => Err(error),
            None => Ok(Answer::Yes),
        }
    }

    async fn look(&self) -> eyre::Result<Found> {
        let file = self.config.read()?;
        let agreement = self.agreement.or(file.agreement);
        let directory = self.store.directory_if_set(&file.store).map(Path::to_owned);
        let store = directory.as_deref().map(VoteStore::read).transpose();
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let listen = self.metrics_listen.or(file.monitor.metrics_listen);
        let chain = self.chain.clone().or(file.chain);
        let mut summary = Summary::new(directory.as_deref(), chain.chain_id, chain.ledger, listen).await;
        let mut error = None;
        let store = store.unwrap_or_else(|unreadable| {
            summary.snapshot.store = Some(Err(unreadable.to_string()));
            error = Some(unreadable.into());
            None
        });
        summary.take_store(store.as_ref());
        let me = store.as_ref().map(|store| store.identity().witness);
        let mut reports = Vec::new();
        match self.ledger(chain, sources.hashes(), me, &mut summary).await {
            Ok(follower) => {
                for source in &sources.streams {
                    let index = read_index(&sources, source, self.json.json)?;
                    let engine =
                        self.judge(source, &index, store.as_ref(), &follower, me.unwrap_or_default(), agreement)?;
                    let report = |(key, slot)| show::slot(&source.rule, key, slot, &follower);
                    reports.extend(engine.slots().map(|(key, slot)| report((*key, slot))));
                    summary.take_stream(&source.rule, &index, &engine, &follower);
                }
            }
            Err(unreadable) => {
                summary.snapshot.ledger.error = Some(format!("{unreadable:#}"));
                error.get_or_insert(unreadable);
            }
        }
        Ok(Found { summary, reports, error })
    }

    async fn ledger(
        &self,
        chain: ChainArgs,
        streams: HashSet<StreamHash>,
        me: Option<Address>,
        summary: &mut Summary,
    ) -> eyre::Result<Follower> {
        let connection = chain.connect().await?;
        let follower = ledger::follow(&connection, streams, Some(me.unwrap_or_default())).await?;
        summary.take_ledger(&follower, me);
        if let Some(me) = me {
            let balance = connection.provider.get_balance(me).await?;
            let price = connection.provider.get_gas_price().await?;
            summary.take_funds(balance, price);
        }
        Ok(follower)
    }

    /// Judges the newest closed epochs once, as an archive at rest; what is not closed stays open.
    fn judge(
        &self,
        source: &Source,
        index: &StreamIndex,
        store: Option<&VoteStore>,
        follower: &Follower,
        me: Address,
        agreement: Agreement,
    ) -> eyre::Result<Engine> {
        let mut engine = Engine::new(me, agreement);
        let Some(highest) = index.highest_epoch() else { return Ok(engine) };
        let low = if self.last == 0 { 0 } else { highest.saturating_sub(self.last - 1) };
        let mut open = Vec::new();
        for swept in Sweep::new(index, low..=highest) {
            let derived = swept?.derived;
            if is_closed(&derived, Some(highest)) {
                admit(&mut engine, source, &derived, store)?;
            } else {
                open.push(derived);
            }
        }
        let (ledger, set) = (follower.ledger(), follower.set());
        engine.judge(&Situation { ledger, set, now_ms: 0, live_since_ms: follower.live_since_ms() });
        open.iter().try_for_each(|derived| admit(&mut engine, source, derived, store))?;
        Ok(engine)
    }
}

fn admit(engine: &mut Engine, source: &Source, derived: &DerivedEpoch, store: Option<&VoteStore>) -> eyre::Result<()> {
    if let Some(own) = own_epoch(&source.rule, engine.agreement(), derived, true)? {
        let past = store.map(|store| store.vote(derived.slot)).transpose()?.flatten();
        let past = past.map(|(header, _)| (header, OwnVote::Cast));
        let key = SlotKey { stream: source.rule.stream_hash(), sequence: derived.sequence };
        engine.admit(key, derived.slot, own, 0, past);
    }
    Ok(())
}
