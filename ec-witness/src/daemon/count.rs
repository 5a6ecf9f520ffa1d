//! Counts the daemon's events.

use std::time::Duration;

use ec_ledger::{FollowError, Polled};
use ec_observation::{DerivedEpoch, VoteKind};
use metrics::{counter, histogram};
use strum::VariantNames;

use crate::{
    metrics::{
        BACKLOG_FILLED, EPOCHS_CLOSED, FILES_LOST, FILES_ROTATED, LATE_RECORDS, POLL_ERRORS, QUARANTINED_LINES, REORGS,
        SLOTS_SETTLED, VOTE_DELAY, VOTES, VOTES_REFUSED, VOTES_RESENT,
    },
    standing::{SlotReport, Totals},
    store::Recorded,
    witness::slot::SlotState,
};

/// How an epoch closed, by the label `kind` of [`EPOCHS_CLOSED`].
#[derive(Clone, Copy, Debug, strum::IntoStaticStr, strum::VariantNames)]
#[strum(serialize_all = "snake_case")]
enum EpochKind {
    Complete,
    Incomplete,
    Conflicting,
}

impl EpochKind {
    fn of(derived: &DerivedEpoch) -> Self {
        match derived {
            DerivedEpoch { data_root: None, .. } => Self::Conflicting,
            DerivedEpoch { complete: false, .. } => Self::Incomplete,
            _ => Self::Complete,
        }
    }
}

/// Sets the counters of one stream to zero, so that a rate exists from the start.
pub(super) fn zero(stream: &str) {
    for unlabelled in [LATE_RECORDS, QUARANTINED_LINES, FILES_ROTATED, FILES_LOST, BACKLOG_FILLED] {
        counter!(unlabelled, "stream" => stream.to_owned()).increment(0);
    }
    for &kind in EpochKind::VARIANTS {
        counter!(EPOCHS_CLOSED, "stream" => stream.to_owned(), "kind" => kind).increment(0);
    }
    for state in SlotState::ALL.iter().filter(|state| state.is_outcome()) {
        counter!(SLOTS_SETTLED, "stream" => stream.to_owned(), "state" => state.name()).increment(0);
    }
}

/// The ledger was polled.
pub(super) fn polled(polled: Result<&Polled, &FollowError>) {
    match polled {
        Ok(polled) => counter!(REORGS).increment(polled.reorg.into()),
        Err(error) => counter!(POLL_ERRORS, "kind" => error.kind()).increment(1),
    }
}

/// What counts: each event raises its metric, and the total of this process where there is one.
#[derive(Debug, Default)]
pub(super) struct Counts {
    totals: Totals,
}

impl Counts {
    /// The totals of this process.
    pub(super) fn totals(&self) -> Totals {
        self.totals
    }

    /// An epoch of this stream closed.
    pub(super) fn closed(&self, stream: &str, derived: &DerivedEpoch) {
        let kind: &str = EpochKind::of(derived).into();
        counter!(EPOCHS_CLOSED, "stream" => stream.to_owned(), "kind" => kind).increment(1);
    }

    /// So many epochs were handed to the engine.
    pub(super) fn judged(&mut self, epochs: usize) {
        self.totals.judged += epochs;
    }

    /// Records of this stream came after the vote.
    pub(super) fn late(&mut self, stream: &str) {
        self.totals.late += 1;
        counter!(LATE_RECORDS, "stream" => stream.to_owned()).increment(1);
    }

    /// A vote was recorded.
    pub(super) fn vote(&self, vote: VoteKind, recorded: Recorded) {
        if recorded == Recorded::Again {
            counter!(VOTES_RESENT).increment(1);
            return;
        }
        counter!(VOTES, "vote" => vote.name()).increment(1);
    }

    /// So many votes were sent, each this long after its epoch had closed.
    pub(super) fn sent(&mut self, votes: usize, delays_ms: impl Iterator<Item = u64>) {
        self.totals.votes += votes;
        delays_ms.for_each(|delay_ms| histogram!(VOTE_DELAY).record(Duration::from_millis(delay_ms)));
    }

    /// The guard refused a vote.
    pub(super) fn refused(&mut self) {
        self.totals.refused += 1;
        counter!(VOTES_REFUSED).increment(1);
    }

    /// A slot's outcome lies below the finalized head.
    pub(super) fn done(&self, report: &SlotReport) {
        counter!(SLOTS_SETTLED, "stream" => report.stream_id.clone(), "state" => report.state.name()).increment(1);
    }

    /// So many of the judged slots have no outcome.
    pub(super) fn undecided(&mut self, slots: usize) {
        self.totals.outcomes = self.totals.judged.saturating_sub(slots);
    }

    /// Whether the disk is full.
    pub(super) fn room(&mut self, no_room: bool) {
        self.totals.no_room = no_room;
    }
}
