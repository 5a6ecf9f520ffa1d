//! The verdict on a witness, and what it rests on.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use alloy::{
    primitives::{Address, U256},
    transports::http::reqwest,
};
use ec_archive::StreamIndex;
use ec_ledger::{Follower, Heads};
use ec_observation::StreamRule;
use ec_rpc::HeadTimes;
use ec_witness::{
    advice::OtherNumbering,
    clock,
    daemon::show,
    monitor::check::{Check, Level, TOLD, checks},
    sender::VOTE_GAS,
    standing::{LaneStanding, Reading, SendingStanding, Snapshot, StreamStanding},
    store::{VoteStore, holder},
    witness::engine::Engine,
};
use serde::{Deserialize, Serialize};

use super::newest::NewestSlots;
use crate::cli::head::AskedHead;

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
    /// Neither its store nor its process was looked at.
    Unknown,
}

impl Verdict {
    /// As it is shown.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Fine => "fine",
            Self::Degraded => "degraded",
            Self::NotRunning => "not running",
            Self::Halted => "halted",
            Self::Unknown => "not known",
        }
    }
}

/// What is known of a witness.
pub(super) struct Summary {
    pub(super) snapshot: Snapshot,
    directory: Option<PathBuf>,
    pub(super) chain_id: Option<u64>,
    pub(super) ledger: Option<Address>,
    /// The newest slots of each of the snapshot's streams.
    pub(super) newest: Vec<NewestSlots>,
    pub(super) process: Option<u32>,
    /// At which head it was looked; `None` where the ledger could not be read.
    pub(super) head: Option<AskedHead>,
    /// The daemon's own checks; `None` where it does not answer or is not asked.
    daemon: Option<Vec<Check>>,
    /// Whether nothing else was looked at but the store.
    by_daemon: bool,
    /// A process of another user that may be the witness, where no store is named.
    pub(super) unseen: Option<u32>,
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
            newest: Vec::new(),
            process: directory.and_then(holder),
            head: None,
            daemon: match listen {
                Some(listen) => ask(listen).await.ok(),
                None => None,
            },
            by_daemon: false,
            unseen: None,
        }
    }

    /// One whose process runs, with all else given.
    #[cfg(test)]
    pub(super) fn of_running(snapshot: Snapshot, newest: Vec<NewestSlots>) -> Self {
        Self {
            snapshot,
            directory: Some("/var/lib/ec-witness".into()),
            chain_id: Some(42_069),
            ledger: Some(Address::repeat_byte(0x11)),
            newest,
            process: Some(4242),
            head: None,
            daemon: None,
            by_daemon: false,
            unseen: None,
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
        self.newest.push(NewestSlots(
            engine.slots_of(rule.stream_hash()).map(|(_, slot)| (slot.observed_unix_ms(), slot.state)).collect(),
        ));
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

    /// Everything that was checked, from outside and by the daemon, as it is at this time.
    pub(super) fn checks(&self, now_unix_s: u64) -> Vec<Check> {
        if self.by_daemon {
            return self.daemon.iter().flatten().cloned().chain(self.process()).collect();
        }
        let mut found = checks(&self.snapshot, now_unix_s);
        found.extend(self.not_looked_at());
        if self.snapshot.streams.is_empty() {
            found.retain(|check| check.name != "streams");
        }
        found.extend(self.process());
        let is_worth = |told: &&Check| told.level != Level::Ok || TOLD.contains(&&*told.name);
        for told in self.daemon.iter().flatten().filter(is_worth) {
            if !found.iter().any(|check| check.name == told.name && check.level >= told.level) {
                found.push(told.clone());
            }
        }
        found
    }

    /// What was not looked at is not fine: neither a store was named, nor did a daemon answer.
    fn not_looked_at(&self) -> Option<Check> {
        if self.directory.is_some() || self.daemon.is_some() {
            return None;
        }
        let found =
            "no vote store is named, so it was not looked at whether this witness votes, has halted, or runs at all";
        let fix = match self.unseen {
            Some(process) => format!(
                "process {process} runs as another user: look as root, or with `--unit NAME` at the settings of its unit"
            ),
            None => {
                "give --store DIR, write dir in [store], or look at the settings of its unit with `--unit NAME`".into()
            }
        };
        Some(Check::fail("store", found, fix))
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

    /// Is it fine at this time?
    pub(super) fn verdict(&self, now_unix_s: u64) -> Verdict {
        let checks = self.checks(now_unix_s);
        let failed = |name: &str| checks.iter().any(|check| check.name == name && check.level == Level::Fail);
        if failed("halt") {
            Verdict::Halted
        } else if failed("process") {
            Verdict::NotRunning
        } else if self.not_looked_at().is_some() {
            Verdict::Unknown
        } else if checks.iter().any(|check| check.level != Level::Ok) {
            Verdict::Degraded
        } else {
            Verdict::Fine
        }
    }

    /// Which witness it is, where a store says so.
    pub(super) fn witness(&self) -> Option<Address> {
        Some(self.snapshot.ledger.witness).filter(|witness| !witness.is_zero())
    }

    /// The same for programs.
    pub(super) fn document(&self, now_unix_s: u64) -> Document<'_> {
        let Snapshot { ledger, streams, .. } = &self.snapshot;
        Document {
            verdict: self.verdict(now_unix_s),
            checks: self.checks(now_unix_s),
            process: self.process,
            witness: self.witness(),
            head: self.head,
            heads: ledger.heads,
            head_times_unix_s: ledger.head_times,
            streams,
        }
    }
}

/// What the daemon says of itself.
async fn ask(listen: SocketAddr) -> eyre::Result<Vec<Check>> {
    let client = reqwest::Client::builder().timeout(ASKING).no_proxy().build()?;
    let answer = client.get(format!("http://{listen}/readyz")).send().await?.bytes().await?;
    Ok(serde_json::from_slice::<Answered>(&answer)?.checks)
}
