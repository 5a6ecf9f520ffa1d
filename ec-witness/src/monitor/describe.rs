//! How every metric starts.

use ec_ledger::FollowError;
use ec_observation::VoteKind;
use metrics::{counter, gauge};

use crate::{
    metrics as names,
    sender::{Hold, REVERTS as REVERT_REASONS, Stage},
};

/// Describes every metric, and sets to zero what is without a label, or has one of few known values, so that a rate
/// exists from the start.
pub(super) fn describe() {
    names::describe(names::all());
    for unlabelled in [names::VOTES_RESENT, names::VOTES_REFUSED, names::REORGS, names::REPLACED, names::RESENT] {
        counter!(unlabelled).increment(0);
    }
    for unlabelled in
        [names::LEDGER_LIVE, names::MEMBER, names::OLDEST_PENDING, names::FINALITY_STALLED, names::WAITING_VOTES]
    {
        gauge!(unlabelled).set(0.0);
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
