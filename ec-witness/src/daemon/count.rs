//! Counts the daemon's events.

use std::time::Duration;

use metrics::{counter, histogram};

use crate::{
    metrics::{
        EPOCHS_CLOSED, LATE_RECORDS, POLL_ERRORS, REORGS, SLOTS_SETTLED, VOTE_DELAY, VOTES, VOTES_REFUSED, VOTES_RESENT,
    },
    store::Recorded,
    witness::engine::VoteKind,
};
use ec_ledger::{FollowError, Progress};
use ec_observation::DerivedEpoch;

use super::SlotReport;

/// An epoch of this stream closed.
pub(super) fn closed(stream: &str, derived: &DerivedEpoch) {
    let kind = match derived {
        DerivedEpoch { content: None, .. } => "conflicting",
        DerivedEpoch { complete: false, .. } => "incomplete",
        _ => "complete",
    };
    counter!(EPOCHS_CLOSED, "stream" => stream.to_owned(), "kind" => kind).increment(1);
}

/// Records of this stream came after the vote.
pub(super) fn late(stream: &str) {
    counter!(LATE_RECORDS, "stream" => stream.to_owned()).increment(1);
}

/// The ledger was polled.
pub(super) fn polled(polled: Result<&Progress, &FollowError>) {
    match polled {
        Ok(progress) => counter!(REORGS).increment(progress.reorg.into()),
        Err(error) => counter!(POLL_ERRORS, "kind" => error.kind()).increment(1),
    }
}

/// A vote was recorded.
pub(super) fn vote(vote: VoteKind, recorded: Recorded) {
    if recorded == Recorded::Again {
        counter!(VOTES_RESENT).increment(1);
        return;
    }
    counter!(VOTES, "vote" => vote.name()).increment(1);
}

/// A vote was sent this long after its epoch had closed.
pub(super) fn sent(after_ms: u64) {
    histogram!(VOTE_DELAY).record(Duration::from_millis(after_ms));
}

/// The guard refused a vote.
pub(super) fn refused() {
    counter!(VOTES_REFUSED).increment(1);
}

/// A slot's outcome lies below the finalized head.
pub(super) fn settled(report: &SlotReport) {
    counter!(SLOTS_SETTLED, "stream" => report.stream_id.clone(), "state" => report.state.name()).increment(1);
}
