//! How every metric starts.

use ec_ledger::FollowError;
use ec_observation::VoteKind;
use ec_rpc::count::LOG_PAGES_HALVED;
use metrics::{counter, gauge};

use super::memory;
use crate::{
    metrics as names,
    sender::{Hold, REVERTS as REVERT_REASONS, Stage},
};

/// Describes every metric, and sets to zero what is without a label, or has one of few known values, so that a rate
/// exists from the start.
pub(super) fn describe() {
    names::describe(names::all());
    let own = [names::VOTES_RESENT, names::VOTES_REFUSED, names::REORGS, names::REPLACED, names::RESENT];
    for unlabelled in own.into_iter().chain([LOG_PAGES_HALVED]) {
        counter!(unlabelled).increment(0);
    }
    for unlabelled in
        [names::LEDGER_LIVE, names::MEMBER, names::OLDEST_PENDING, names::FINALITY_STALLED, names::WAITING_VOTES]
    {
        gauge!(unlabelled).set(0.0);
    }
    for unlabelled in [names::CATCH_UP_LEFT, names::CATCH_UP_SPEED, names::CATCH_UP_TIME, names::BLOCK_SHARE] {
        gauge!(unlabelled).set(0.0);
    }
    // what it is depends on the unit, which a restart follows
    if let Some(limit) = memory::limit() {
        gauge!(names::MEMORY_LIMIT).set(limit as f64);
    }
    for stage in Stage::ALL {
        gauge!(names::TRANSACTIONS, "state" => stage.name()).set(0.0);
    }
    for kind in FollowError::kinds() {
        counter!(names::POLL_ERRORS, "kind" => kind).increment(0);
    }
    for &reason in REVERT_REASONS {
        counter!(names::REVERTS, "reason" => reason).increment(0);
    }
    for &reason in Hold::KINDS {
        gauge!(names::HELD, "reason" => reason).set(0.0);
    }
    for &vote in VoteKind::NAMES {
        counter!(names::VOTES, "vote" => vote).increment(0);
    }
}
