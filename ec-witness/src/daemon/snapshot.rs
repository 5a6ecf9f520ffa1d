//! How the daemon stands after a turn: plain numbers for metrics, health checks and `status`.
//!
//! Data flows one way: the daemon makes a snapshot after each turn; nobody who reads it can reach back.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use alloy::primitives::{Address, U256};
use serde::Serialize;

use super::{Backlog, Daemon, Reading, StreamReport, Summary, Tally, epochs::Followed};
use crate::{
    chain::sender::{Hold, SenderState, VOTE_GAS},
    store::StoreStanding,
    witness::engine::{Engine, SlotState},
};
use ec_ledger::{Follower, Heads};
use ec_observation::StreamHash;
use ec_rpc::{HeadTimes, Health};

/// How the daemon stands.
#[derive(Clone, Debug, Default)]
pub struct Snapshot {
    /// How long the turn took.
    pub took: Duration,
    /// Totals of this process.
    pub summary: Summary,
    /// The ledger and its chain.
    pub ledger: LedgerStanding,
    /// Why the archive cannot be walked, if it cannot.
    pub archive_trouble: Option<String>,
    /// Streams that are read for the first time.
    pub joining: usize,
    /// Every stream that is followed.
    pub streams: Vec<StreamStanding>,
    /// How sending stands; `None` in a dry run.
    pub sending: Option<SendingStanding>,
    /// The vote store; `None` in a dry run, the error where it cannot be looked at.
    pub store: Option<Result<StoreStanding, String>>,
}

/// How the ledger and its chain stand.
#[derive(Clone, Debug, Default)]
pub struct LedgerStanding {
    /// Why the last poll failed, if it did.
    pub error: Option<String>,
    /// Whether it is live (protocol §5.5).
    pub live: bool,
    /// When it was read last, Unix seconds.
    pub polled_unix_s: Option<u64>,
    /// Block numbers of the heads.
    pub heads: Heads,
    /// Block times of the heads.
    pub head_times: HeadTimes,
    /// The witness.
    pub witness: Address,
    /// Whether the witness is in the active set.
    pub member: bool,
    /// Active witnesses.
    pub witness_count: usize,
    /// Votes that finalize.
    pub quorum: usize,
    /// For how long the finalized head has stood still, milliseconds, if that is longer than it may.
    pub finality_stalled_ms: Option<u64>,
    /// Endpoints that must agree.
    pub agree: usize,
    /// Every endpoint.
    pub endpoints: Vec<EndpointStanding>,
}

/// How an RPC endpoint stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct EndpointStanding {
    /// Scheme, host and port; the rest of its URL may be secret.
    pub endpoint: String,
    /// Whether it gave its last answer, and is of the right chain.
    pub up: bool,
    /// The newest fault, in words; it may be over.
    pub last_fault: Option<String>,
    /// The number of its newest block.
    pub head: Option<u64>,
    /// Answers it gave in this process.
    pub answered: u64,
    /// Faults in this process, by kind.
    pub faults: BTreeMap<&'static str, u64>,
}

impl EndpointStanding {
    fn of((endpoint, health): (String, Health)) -> Self {
        Self {
            endpoint,
            up: health.shut_out.is_none() && health.failures == 0,
            last_fault: health.last_fault.map(|fault| fault.to_string()),
            head: health.head,
            answered: health.answered,
            faults: health.faults,
        }
    }
}

impl LedgerStanding {
    /// As a poll left it.
    pub fn of(follower: &Follower, witness: Address, error: Option<String>, polled_unix_s: Option<u64>) -> Self {
        let set = follower.set();
        Self {
            error,
            live: follower.live_since_ms().is_some(),
            polled_unix_s,
            heads: follower.heads(),
            head_times: follower.head_times(),
            witness,
            member: set.active.contains(&witness),
            witness_count: set.active.len(),
            quorum: set.quorum,
            finality_stalled_ms: follower.finality_stalled_ms(),
            agree: follower.endpoints().agree(),
            endpoints: follower.endpoints().health().into_iter().map(EndpointStanding::of).collect(),
        }
    }
}

/// The newest epoch of a stream that is final, at each head.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct NewestFinal {
    /// At the newest block.
    pub latest: Option<u64>,
    /// At the newest safe block.
    pub safe: Option<u64>,
    /// At the newest finalized block.
    pub finalized: Option<u64>,
}

impl NewestFinal {
    fn of(stream: StreamHash, follower: &Follower) -> Self {
        let Heads { latest, safe, finalized } = follower.heads();
        let at = |head| follower.ledger().newest_final(stream, head);
        Self { latest: at(latest), safe: at(safe), finalized: at(finalized) }
    }
}

/// How a stream stands.
#[derive(Clone, Debug, Default, Serialize)]
pub struct StreamStanding {
    /// The stream.
    pub stream_id: String,
    /// How far its files are read, or why not.
    pub reading: Reading,
    /// What happened to its files in this process.
    pub tally: Tally,
    /// Epochs that are withheld for good.
    pub withheld_epochs: u64,
    /// Its old epochs, when they were last counted.
    pub backlog: Backlog,
    /// When a track file grew last, Unix seconds.
    pub newest_record_unix_s: Option<u64>,
    /// The newest closed epoch.
    pub newest_closed: Option<u64>,
    /// The newest epoch voted on.
    pub newest_voted: Option<u64>,
    /// The newest epoch that is final.
    pub newest_final: NewestFinal,
    /// Slots that are judged, by state.
    pub slots: BTreeMap<SlotState, usize>,
}

impl StreamStanding {
    /// What the engine and the ledger tell of a stream.
    pub fn of(stream_id: &str, stream: StreamHash, engine: &Engine, follower: &Follower) -> Self {
        let mut standing = Self {
            stream_id: stream_id.to_owned(),
            newest_final: NewestFinal::of(stream, follower),
            ..Self::default()
        };
        for (key, slot) in engine.slots().filter(|(key, _)| key.stream == stream) {
            standing.newest_closed = standing.newest_closed.max(Some(key.sequence));
            if slot.voted.is_some() {
                standing.newest_voted = standing.newest_voted.max(Some(key.sequence));
            }
            *standing.slots.entry(slot.state).or_default() += 1;
        }
        standing
    }

    /// With what its files tell.
    pub fn read(self, report: StreamReport) -> Self {
        let StreamReport { reading, tally, withheld_epochs, backlog, .. } = report;
        Self { reading, tally, withheld_epochs, backlog, ..self }
    }

    /// Slots in this state.
    pub fn slots_in(&self, state: SlotState) -> usize {
        self.slots.get(&state).copied().unwrap_or_default()
    }
}

/// How sending stands. Transactions are counted by nonce.
#[derive(Clone, Debug, Default)]
pub struct SendingStanding {
    /// Transactions that are not finalized, by state.
    pub transactions: BTreeMap<&'static str, usize>,
    /// Recorded votes that no transaction carries yet.
    pub waiting_votes: usize,
    /// Why nothing new is sent, if so.
    pub held: Option<String>,
    /// The same as one word of [`Hold::KINDS`].
    pub held_for: Option<&'static str>,
    /// The account's balance, wei, where it is known.
    pub balance_wei: Option<U256>,
    /// What was offered last, wei a unit of gas: at most, and of it as a tip.
    pub fees_wei: Option<(u128, u128)>,
    /// Transactions replaced by dearer ones, in this process.
    pub replaced: u64,
    /// Transactions whose stored bytes were sent again, in this process.
    pub resent: u64,
    /// Votes and calls that the ledger refused, by reason, in this process.
    pub reverts: BTreeMap<&'static str, u64>,
    /// What one vote costs at most, by the fees offered last, wei, where that is known.
    pub vote_cost_wei: Option<U256>,
}

impl SendingStanding {
    /// As the sender tells it.
    pub(super) fn of(state: SenderState) -> Self {
        let SenderState {
            waiting_votes,
            signed,
            sent,
            executed,
            safe,
            held,
            balance,
            fees,
            replaced,
            resent,
            reverts,
            ..
        } = state;
        Self {
            transactions: BTreeMap::from([("signed", signed), ("sent", sent), ("executed", executed), ("safe", safe)]),
            waiting_votes,
            held_for: held.as_ref().map(Hold::kind),
            held: held.map(|held| held.to_string()),
            balance_wei: balance,
            vote_cost_wei: fees.map(|fees| U256::from(fees.max).saturating_mul(U256::from(VOTE_GAS))),
            fees_wei: fees.map(|fees| (fees.max, fees.tip)),
            replaced,
            resent,
            reverts,
        }
    }
}

/// Marks of a stream that outlive its slots in the engine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HighWater {
    newest_closed: Option<u64>,
    newest_voted: Option<u64>,
}

impl HighWater {
    /// Raises the marks to what is seen now, and shows them.
    fn raise(&mut self, standing: &mut StreamStanding) {
        self.newest_closed = self.newest_closed.max(standing.newest_closed);
        self.newest_voted = self.newest_voted.max(standing.newest_voted);
        standing.newest_closed = self.newest_closed;
        standing.newest_voted = self.newest_voted;
    }
}

impl Daemon {
    /// How it stands after a turn that took this long.
    pub(super) fn snapshot(&mut self, took: Duration) -> Snapshot {
        let now_ms = self.now_ms();
        let Self { streams, engine, follower, high_water, .. } = self;
        let stand = |(&hash, followed): (&StreamHash, &Followed)| {
            let report = StreamReport::new(&followed.stream, followed.backlog);
            let mut standing = StreamStanding::of(&report.stream_id, hash, engine, follower).read(report);
            standing.newest_record_unix_s = followed.stream.newest_change().map(unix_s);
            high_water.entry(hash).or_default().raise(&mut standing);
            standing
        };
        Snapshot {
            took,
            summary: self.summary,
            archive_trouble: self.intake.trouble().map(ToOwned::to_owned),
            joining: self.intake.joining(),
            streams: streams.iter().map(stand).collect(),
            ledger: LedgerStanding::of(follower, self.voter.witness(), self.poll_error.clone(), self.polled_unix_s),
            sending: self.voter.sending(now_ms),
            store: self.voter.store_standing().map(|standing| standing.map_err(|error| error.to_string())),
        }
    }
}

/// Seconds since 1970; 0 before that.
pub(super) fn unix_s(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}
