//! `status`: is the witness fine, if not, why, and where the newest slots stand. From the archive, the ledger, the vote
//! store and, where it serves metrics, the daemon. Changes nothing.

mod newest;
mod screen;
mod summary;

use std::{
    collections::HashMap,
    io::{self, IsTerminal, Write},
    net::SocketAddr,
    num::NonZeroU64,
    path::Path,
    time::Duration,
};

use alloy::{primitives::Address, providers::Provider};
use clap::Args;
use ec_archive::{Source, StreamIndex, Sweep, is_closed};
use ec_ledger::Follower;
use ec_observation::{DerivedEpoch, EpochKey, EpochRule, StreamHash};
use ec_rpc::in_one_line;
use ec_screen::{CLEAR, Screen};
use ec_witness::{
    advice::{EpochLength, Seen, lowest_of_newest},
    clock,
    daemon::{session_marks, show},
    standing::LaneStanding,
    store::VoteStore,
    witness::{
        decision::{Agreement, OwnVote, Proposing},
        engine::Engine,
        own::own_epoch,
        situation::Situation,
        slot::{Admitted, SlotKey},
    },
};

use super::{
    Answer,
    agreement::AgreementArgs,
    chain::ChainArgs,
    config::{ConfigArg, DEFAULT_PATH},
    connection::block_on,
    derive::read_index,
    force_settings::ForceAfterArg,
    head::{AskedHead, HeadArg},
    lanes, ledger,
    numbering::SeenStreams,
    output::{JsonArg, json_line},
    roster::ArchiveArgs,
    slots::{self, ShownSlot},
    store::StoreArgs,
    unit::{self, Running, UnitArg},
};
use summary::{Summary, Verdict};

/// What to look at.
///
/// Exit codes: 0 it could be looked at, 2 it could not; with `--check`, 0 all is fine, 1 it is not.
///
/// What a unit sets beside the file is found with `--unit`. Where no store is named at all, that of the witness which runs on this
/// host with this very file is looked at.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    pub(crate) unit: UnitArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    store: StoreArgs,

    #[command(flatten)]
    agreement: AgreementArgs,

    #[command(flatten)]
    force_after: ForceAfterArg,

    #[command(flatten)]
    head: HeadArg,

    /// Epochs looked at of each stream, the newest ones; 0 for all.
    #[arg(long, env = "EC_WITNESS_LAST", value_name = "N", default_value_t = 60)]
    last: u64,

    /// Show every slot that was looked at, too. With `--json` they are what is printed.
    #[arg(long)]
    slots: bool,

    /// Look again every so many seconds, until it is stopped.
    #[arg(long, value_name = "SECONDS", num_args = 0..=1, default_missing_value = "5", conflicts_with_all = ["json", "check"])]
    watch: Option<NonZeroU64>,

    /// Where the daemon serves its metrics, to ask it for its own view [default: the file's].
    #[arg(long, env = "EC_WITNESS_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    metrics_listen: Option<SocketAddr>,

    /// With `--json`, one object with the verdict and what it rests on instead of the slots.
    #[arg(long)]
    summary: bool,

    /// Exit with 1 unless all is fine. Where the daemon answers, what it says of itself is enough: then neither archive nor
    /// ledger is read, and no slots are shown.
    #[arg(long)]
    check: bool,

    #[command(flatten)]
    json: JsonArg,
}

/// What was found out.
struct Found {
    summary: Summary,
    /// `None` where they were not looked at.
    slots: Option<Vec<ShownSlot>>,
    /// What could not be looked at.
    error: Option<eyre::Report>,
}

impl StatusArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        block_on(async {
            let Some(seconds) = self.watch else { return self.work().await };
            loop {
                // what cannot be looked at now may be there the next time
                if let Err(error) = self.work().await {
                    eprintln!("error: {}", in_one_line(error.as_ref()));
                }
                tokio::time::sleep(Duration::from_secs(seconds.get())).await;
            }
        })
    }

    fn shows_slots(&self) -> bool {
        if self.json.json { !self.summary } else { self.slots }
    }

    async fn work(&self) -> eyre::Result<Answer> {
        let Found { summary, slots, error } = self.look().await?;
        let now_unix_s = clock::unix_s();
        let fine = summary.verdict(now_unix_s) == Verdict::Fine;
        if self.json.json && self.summary {
            json_line(&summary.document(now_unix_s))?;
        } else if !self.json.json {
            let shown = screen::show(&summary, &Screen::of_stdout(), now_unix_s);
            let mut out = io::stdout().lock();
            if self.watch.is_some() && out.is_terminal() {
                out.write_all(CLEAR.as_bytes())?;
            }
            writeln!(out, "{shown}")?;
        }
        if let Some(slots) = slots.filter(|_| self.shows_slots() && error.is_none()) {
            slots::print(&slots, self.json.json)?;
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
        let unseen = match &directory {
            Some(_) => None,
            None => self.look_at_who_runs()?,
        };
        let store = directory.as_deref().map(VoteStore::read).transpose();
        let listen = self.metrics_listen.or(file.monitor.metrics_listen);
        let chain = self.chain.clone().or(file.chain);
        let mut summary = Summary::new(directory.as_deref(), chain.chain_id, chain.ledger, listen).await;
        summary.unseen = unseen;
        let mut error = None;
        let store = store.unwrap_or_else(|unreadable| {
            summary.snapshot.store = Some(Err(unreadable.to_string()));
            error = Some(unreadable.into());
            None
        });
        summary.take_store(store.as_ref());
        if self.check && error.is_none() && summary.rest_on_daemon() {
            return Ok(Found { summary, slots: None, error });
        }
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let mut seen = SeenStreams::default();
        summary.snapshot.force_after_ms = self.force_after.or(&file.force);
        let me = store.as_ref().map(|store| store.identity().witness);
        let mut slots = Vec::new();
        // what is shown of slots has votes, which a checkpoint lacks
        let checkpoint = directory.as_deref().filter(|_| !self.shows_slots());
        match self.ledger(chain, (sources.hashes(), checkpoint), me, &mut summary).await {
            Ok((follower, head)) => {
                for source in &sources.streams {
                    let index = read_index(&sources, source, self.json.json)?;
                    seen.take(&source.rule, Seen::of(&index)?);
                    let judging = Judging { source, index: &index, store: store.as_ref(), follower: &follower };
                    let Judged { engine, lane } = judging.judge(self.last, me.unwrap_or_default(), agreement)?;
                    slots.extend(engine.slots().map(|(key, slot)| {
                        let found = follower.ledger().final_of(key.stream, key.sequence, key.slot);
                        ShownSlot::at(head, show::slot(&source.rule, *key, slot, &follower), found)
                    }));
                    summary.take_stream(&source.rule, &index, &engine, &follower);
                    summary.take_lane(lane);
                }
                summary.take_numberings(seen.tell());
            }
            Err(unreadable) => {
                summary.snapshot.ledger.error = Some(format!("{unreadable:#}"));
                error.get_or_insert(unreadable);
            }
        }
        Ok(Found { summary, slots: Some(slots), error })
    }

    /// Starts again with the settings of the witness that runs with this configuration file. Returns its process where its
    /// settings are another user's.
    fn look_at_who_runs(&self) -> eyre::Result<Option<u32>> {
        let Some((config, _)) = self.config.text(Path::new(DEFAULT_PATH))? else { return Ok(None) };
        match unit::running(&config) {
            Some(Running::Known { process, settings }) => {
                tracing::info!(process, "with the settings of the witness that runs with this configuration");
                Err(unit::start_again(&settings))
            }
            Some(Running::OfAnother { process }) => Ok(Some(process)),
            None => Ok(None),
        }
    }

    async fn ledger(
        &self,
        chain: ChainArgs,
        (streams, store): (HashMap<StreamHash, EpochRule>, Option<&Path>),
        me: Option<Address>,
        summary: &mut Summary,
    ) -> eyre::Result<(Follower, AskedHead)> {
        let connection = chain.connect().await?;
        let follower = ledger::follow(&connection, streams, store).await?;
        let head = self.head.of(&follower).await?;
        summary.take_ledger(&follower, me, head);
        if let Some(me) = me {
            let balance = connection.provider.get_balance(me).await?;
            let price = connection.provider.get_gas_price().await?;
            summary.take_funds(balance, price);
        }
        Ok((follower, head))
    }
}

/// One stream's archive beside the ledger and the vote store.
struct Judging<'a> {
    source: &'a Source,
    index: &'a StreamIndex,
    store: Option<&'a VoteStore>,
    follower: &'a Follower,
}

/// What came of it.
struct Judged {
    engine: Engine,
    lane: Option<LaneStanding>,
}

impl Judging<'_> {
    /// Judges the newest closed epochs once, as an archive at rest; what is not closed stays open.
    fn judge(&self, last: u64, me: Address, agreement: Agreement) -> eyre::Result<Judged> {
        let (ledger, set) = (self.follower.ledger(), self.follower.set());
        let (mut engine, mut unnamed) = (Engine::new(me, agreement), Unnamed::default());
        let known = session_marks(self.index, ledger, set, agreement.tolerance_ms(self.source.rule.time))?;
        let own = lanes::own_marks(self.index)?;
        // the ledger's mark, else the archive's own
        let mark = |segment| known.get(&segment).or_else(|| own.get(&segment)).copied();
        let mut open = Vec::new();
        let highest = self.index.highest_epoch();
        for swept in Sweep::new(self.index, lowest_of_newest(self.index, last)..=highest.unwrap_or(EpochKey::MIN)) {
            let derived = swept?.derived;
            if !is_closed(&derived, highest) {
                open.push(derived);
                continue;
            }
            unnamed.take(&derived, known.contains_key(&derived.key.segment));
            self.admit(&mut engine, derived, mark)?;
        }
        let (head_ms, live_since_ms) = (self.follower.head_ms(), self.follower.live_since_ms());
        engine.judge(&Situation { ledger, set, head_ms, now_ms: 0, live_since_ms });
        open.into_iter().try_for_each(|derived| self.admit(&mut engine, derived, mark))?;
        let newest_final = show::newest_final(self.source.rule.stream_hash(), self.follower);
        let lane = |epoch| LaneStanding {
            unnamed_epochs: unnamed.epochs,
            unnamed_since_unix_s: unnamed.since_unix_s,
            epoch,
            ..show::lane(self.index, &known, &engine, newest_final)
        };
        let length = self.source.rule.is_lane().then(|| EpochLength::of_newest(self.index)).transpose()?;
        let lane = length.map(lane);
        Ok(Judged { engine, lane })
    }

    fn admit(&self, engine: &mut Engine, derived: DerivedEpoch, mark: impl Fn(u64) -> Option<u64>) -> eyre::Result<()> {
        let Source { rule, .. } = self.source;
        let Some(mark) = mark(derived.key.segment) else { return Ok(()) };
        let named = rule.name(derived, mark)?;
        let Some(own) = own_epoch(rule, engine.agreement(), &named, true)? else { return Ok(()) };
        let past = self.store.map(|store| store.vote(named.slot)).transpose()?.flatten();
        let past = past.map(|(header, _)| (header, OwnVote::Cast));
        let key = SlotKey { stream: rule.stream_hash(), sequence: named.sequence, slot: named.slot };
        let (epoch, proposing) = (named.derived.key, Proposing::InTurn(named.sequence));
        engine.admit(key, Admitted { epoch, name: named.name, proposing, own, closed_ms: 0 }, past);
        Ok(())
    }
}

/// Closed complete epochs without a session. From outside nobody knows when one closed: it was not before its own time.
#[derive(Default)]
struct Unnamed {
    epochs: u64,
    since_unix_s: Option<u64>,
}

impl Unnamed {
    fn take(&mut self, derived: &DerivedEpoch, is_named: bool) {
        if derived.complete && !is_named {
            let unix_s = derived.time.as_ref().ok().map(|unix_ms| unix_ms / 1000);
            self.epochs += 1;
            self.since_unix_s = self.since_unix_s.into_iter().chain(unix_s).min();
        }
    }
}
