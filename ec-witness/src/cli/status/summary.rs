//! The verdict on a witness, and what it rests on, in one screen.

use std::{
    io::Write,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::{
    primitives::{Address, U256},
    transports::http::reqwest,
};
use comfy_table::{Table, presets::NOTHING};
use ec_archive::StreamIndex;
use ec_ledger::{Follower, Heads};
use ec_observation::StreamRule;
use ec_rpc::HeadTimes;
use ec_witness::{
    advice::OtherNumbering,
    clock,
    daemon::show,
    monitor::check::{Check, Level, checks},
    sender::VOTE_GAS,
    standing::{LaneStanding, LedgerStanding, Reading, SendingStanding, Snapshot, StreamStanding},
    store::{VoteStore, holder},
    witness::{engine::Engine, slot::SlotState},
};
use serde::{Deserialize, Serialize};

use crate::cli::{head::AskedHead, output::mark_time};

/// How long the daemon may take to answer.
const ASKING: Duration = Duration::from_secs(3);

/// Is it fine?
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// Nothing to do.
    Fine,
    /// It works, or would, but something is wrong.
    Degraded,
    /// No process holds the store.
    NotRunning,
    /// It stopped by itself, until an operator resumes it.
    Halted,
}

impl Verdict {
    fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Degraded => "degraded",
            Self::NotRunning => "not running",
            Self::Halted => "halted",
        }
    }
}

/// What is known of a witness.
pub(super) struct Summary {
    pub(super) snapshot: Snapshot,
    directory: Option<PathBuf>,
    chain_id: Option<u64>,
    ledger: Option<Address>,
    process: Option<u32>,
    /// At which head it was looked; `None` where the ledger could not be read.
    head: Option<AskedHead>,
    /// The daemon's own checks; `None` where it does not answer or is not asked.
    daemon: Option<Vec<Check>>,
    /// Whether nothing else was looked at but the store.
    by_daemon: bool,
}

/// What `status --summary --json` prints.
#[derive(Serialize)]
pub(super) struct Document<'a> {
    verdict: Verdict,
    checks: Vec<Check>,
    process: Option<u32>,
    witness: Option<Address>,
    head: Option<AskedHead>,
    heads: Heads,
    head_times_unix_s: HeadTimes,
    streams: &'a [StreamStanding],
}

/// What the daemon answers.
#[derive(Deserialize)]
struct Answered {
    checks: Vec<Check>,
}

impl Summary {
    /// Looks for the process.
    pub(super) async fn new(
        directory: Option<&Path>,
        chain_id: Option<u64>,
        ledger: Option<Address>,
        listen: Option<SocketAddr>,
    ) -> Self {
        Self {
            snapshot: Snapshot::default(),
            directory: directory.map(Path::to_owned),
            chain_id,
            ledger,
            process: directory.and_then(holder),
            head: None,
            daemon: match listen {
                Some(listen) => ask(listen).await.ok(),
                None => None,
            },
            by_daemon: false,
        }
    }

    /// Takes the daemon's word for all but the store and the process, if it answered.
    pub(super) fn rest_on_daemon(&mut self) -> bool {
        self.by_daemon = self.daemon.is_some();
        self.by_daemon
    }

    pub(super) fn take_store(&mut self, store: Option<&VoteStore>) {
        if let Some(store) = store {
            self.snapshot.store = Some(store.standing().map_err(|error| error.to_string()));
            self.snapshot.ledger.witness = store.identity().witness;
        }
    }

    pub(super) fn take_ledger(&mut self, follower: &Follower, witness: Option<Address>, head: AskedHead) {
        self.head = Some(head);
        self.snapshot.ledger = show::ledger(follower, witness.unwrap_or_default(), None, Some(clock::unix_s()));
        // an onlooker without a store has no seat to miss
        self.snapshot.ledger.member |= witness.is_none();
    }

    pub(super) fn take_funds(&mut self, balance_wei: U256, gas_price_wei: u128) {
        let vote_cost_wei = U256::from(gas_price_wei).saturating_mul(U256::from(VOTE_GAS));
        let known = SendingStanding {
            balance_wei: Some(balance_wei),
            vote_cost_wei: Some(vote_cost_wei),
            ..SendingStanding::default()
        };
        self.snapshot.sending = Some(known);
    }

    pub(super) fn take_stream(&mut self, rule: &StreamRule, index: &StreamIndex, engine: &Engine, follower: &Follower) {
        let mut standing = show::stream(&rule.stream_id, rule.stream_hash(), engine, follower);
        let changed = index.tracks().iter().filter_map(|track| track.path().metadata().ok()?.modified().ok()).max();
        standing.withheld_epochs = index.withheld_epochs();
        standing.reading = index.hindrance().map_or(Reading::Current, Reading::Waiting);
        standing.newest_record_unix_s = changed.map(clock::unix_s_of);
        self.snapshot.streams.push(standing);
    }

    /// What the last stream has beside, if it is a lane.
    pub(super) fn take_lane(&mut self, lane: Option<LaneStanding>) {
        if let Some(stream) = self.snapshot.streams.last_mut() {
            stream.lane = lane;
        }
    }

    /// The numberings that the streams' archives seem to have instead, in their order.
    pub(super) fn take_numberings(&mut self, others: Vec<Option<OtherNumbering>>) {
        for (stream, other) in self.snapshot.streams.iter_mut().zip(others) {
            stream.other_numbering = other;
        }
    }

    /// Everything that was checked, from outside and by the daemon.
    fn checks(&self) -> Vec<Check> {
        if self.by_daemon {
            return self.daemon.iter().flatten().cloned().chain(self.process()).collect();
        }
        let mut found = checks(&self.snapshot, clock::unix_s());
        if self.snapshot.streams.is_empty() {
            found.retain(|check| check.name != "streams");
        }
        found.extend(self.process());
        for told in self.daemon.iter().flatten().filter(|told| told.level != Level::Ok) {
            if !found.iter().any(|check| check.name == told.name && check.level >= told.level) {
                found.push(told.clone());
            }
        }
        found
    }

    /// Whether there is a process; nothing where no store is configured.
    fn process(&self) -> Option<Check> {
        self.directory.as_ref()?;
        Some(match (self.process, &self.daemon) {
            (Some(process), _) => Check::ok("process", format!("process {process} holds the store")),
            (None, Some(_)) => Check::ok("process", "a process answers"),
            (None, None) => {
                Check::fail("process", "no process holds the store", "start it: `ec-witness run`, or systemctl start")
            }
        })
    }

    /// Is it fine?
    pub(super) fn verdict(&self) -> Verdict {
        let checks = self.checks();
        let failed = |name: &str| checks.iter().any(|check| check.name == name && check.level == Level::Fail);
        if failed("halt") {
            Verdict::Halted
        } else if failed("process") {
            Verdict::NotRunning
        } else if checks.iter().any(|check| check.level != Level::Ok) {
            Verdict::Degraded
        } else {
            Verdict::Fine
        }
    }

    /// The same for programs.
    pub(super) fn document(&self) -> Document<'_> {
        let Snapshot { ledger, streams, .. } = &self.snapshot;
        Document {
            verdict: self.verdict(),
            checks: self.checks(),
            process: self.process,
            witness: Some(ledger.witness).filter(|witness| !witness.is_zero()),
            head: self.head,
            heads: ledger.heads,
            head_times_unix_s: ledger.head_times,
            streams,
        }
    }

    /// The same for people.
    pub(super) fn print(&self) -> eyre::Result<()> {
        let mut out = std::io::stdout().lock();
        let Snapshot { ledger, streams, .. } = &self.snapshot;
        let shown = |of: Option<String>| of.unwrap_or_else(|| "?".into());
        let (chain, place) = (shown(self.chain_id.map(|id| id.to_string())), shown(self.ledger.map(|l| l.to_string())));
        writeln!(out, "{}: witness {} of ledger {place} on chain {chain}", self.verdict().word(), ledger.witness)?;
        let mut table = plain_table();
        let mut checks = self.checks();
        checks.sort_by_key(|check| std::cmp::Reverse(check.level));
        for Check { name, level, reason, fix } in checks {
            let mark = match level {
                Level::Ok => "ok",
                Level::Warn => "warn",
                Level::Fail => "FAIL",
            };
            let fix = if fix.is_empty() { String::new() } else { format!("; {fix}") };
            table.add_row([mark.to_owned(), name.into_owned(), reason + &fix]);
        }
        writeln!(out, "{table}\n")?;
        if ledger.polled_unix_s.is_some() {
            writeln!(out, "{}\n", self.heads())?;
        }
        if let Some(head) = &self.head {
            writeln!(out, "slots are shown as final at the {head}\n")?;
        }
        if !streams.is_empty() {
            writeln!(out, "{}\n", streams_table(streams))?;
        }
        if streams.iter().any(|stream| stream.lane.is_some()) {
            writeln!(out, "{}\n", lanes_table(streams))?;
        }
        Ok(())
    }

    fn heads(&self) -> Table {
        let LedgerStanding { heads, head_times, .. } = self.snapshot.ledger;
        let mut table = plain_table();
        table.set_header(["head", "block", "age"]);
        for (head, block, time) in [
            ("latest", heads.latest, head_times.latest),
            ("safe", heads.safe, head_times.safe),
            ("finalized", heads.finalized, head_times.finalized),
        ] {
            table.add_row([head.to_owned(), block.to_string(), age(Some(time).filter(|&time| time > 0))]);
        }
        table
    }
}

fn streams_table(streams: &[StreamStanding]) -> Table {
    let mut table = plain_table();
    table.set_header([
        "stream",
        "newest record",
        "closed",
        "voted",
        "final",
        "finalized",
        "behind",
        "undecided",
        "disagreeing",
        "superseded",
    ]);
    let count = |of: Option<u64>| of.map_or_else(|| "-".into(), |number: u64| number.to_string());
    for stream in streams {
        let number = |sequence| epoch(sequence, stream.lane.as_ref());
        let slots = |states: &[SlotState]| states.iter().map(|&state| stream.slots_in(state)).sum::<usize>();
        table.add_row([
            stream.stream_id.clone(),
            age(stream.newest_record_unix_s),
            number(stream.newest_closed),
            number(stream.newest_voted),
            number(stream.newest_final.latest),
            number(stream.newest_final.finalized),
            count(stream.behind().latest),
            slots(&[SlotState::Open, SlotState::Waiting, SlotState::Voted]).to_string(),
            slots(&[SlotState::Mismatch, SlotState::Disputed, SlotState::Conflicting]).to_string(),
            slots(&[SlotState::Superseded]).to_string(),
        ]);
    }
    table
}

/// An epoch by its index; one of a lane by that within the newest session.
fn epoch(sequence: Option<u64>, lane: Option<&LaneStanding>) -> String {
    match (sequence, lane) {
        (None, _) => "-".into(),
        (Some(index), None) => index.to_string(),
        (Some(sequence), Some(lane)) => lane
            .session
            .and_then(|mark| sequence.checked_sub(mark))
            .map_or_else(|| "before".into(), |index| index.to_string()),
    }
}

/// The segments of the lanes, the newest session of each by the time that its mark is, and how long their epochs last.
fn lanes_table(streams: &[StreamStanding]) -> Table {
    let mut table = plain_table();
    table.set_header(["lane", "newest session", "segments", "in the last hour", "an epoch lasts", "without a session"]);
    for (stream, lane) in streams.iter().filter_map(|stream| Some((stream, stream.lane.as_ref()?))) {
        table.add_row([
            stream.stream_id.clone(),
            lane.session.map_or_else(|| "none yet".into(), mark_time),
            lane.segments.to_string(),
            lane.segments_last_hour.to_string(),
            lane.epoch.map_or_else(|| "-".into(), |epoch| format!("{:.1} s", epoch.seconds())),
            lane.unnamed_epochs.to_string(),
        ]);
    }
    table
}

fn plain_table() -> Table {
    let mut table = Table::new();
    table.load_style(NOTHING);
    table
}

/// How long ago that was.
fn age(unix_s_then: Option<u64>) -> String {
    unix_s_then.map_or_else(|| "-".into(), |then| format!("{} s", clock::unix_s().saturating_sub(then)))
}

/// What the daemon says of itself.
async fn ask(listen: SocketAddr) -> eyre::Result<Vec<Check>> {
    let client = reqwest::Client::builder().timeout(ASKING).no_proxy().build()?;
    let answer = client.get(format!("http://{listen}/readyz")).send().await?.bytes().await?;
    Ok(serde_json::from_slice::<Answered>(&answer)?.checks)
}
