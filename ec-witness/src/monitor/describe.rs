//! How every metric starts.

use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge};
use strum::VariantArray;

use crate::{
    chain::{
        follow::FollowError,
        sender::{Hold, REVERTS as REVERT_REASONS},
    },
    metric::{Kind, Metric},
    metrics as names,
    standing::TransactionState,
};

/// Describes every metric, and sets to zero what is without a label, or has one of few known values, so that a rate
/// exists from the start.
pub(super) fn describe() {
    for &Metric { name, kind, help } in names::all() {
        match kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, Unit::Seconds, help),
        }
    }
    gauge!(names::BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    for unlabelled in [names::VOTES_RESENT, names::VOTES_REFUSED, names::REORGS, names::REPLACED, names::RESENT] {
        counter!(unlabelled).increment(0);
    }
    for unlabelled in
        [names::LEDGER_LIVE, names::MEMBER, names::OLDEST_PENDING, names::FINALITY_STALLED, names::WAITING_VOTES]
    {
        gauge!(unlabelled).set(0.0);
    }
    for state in TransactionState::VARIANTS {
        gauge!(names::TRANSACTIONS, "state" => state.name()).set(0.0);
    }
    for kind in FollowError::KINDS {
        counter!(names::POLL_ERRORS, "kind" => kind).increment(0);
    }
    for reason in REVERT_REASONS {
        counter!(names::REVERTS, "reason" => reason).increment(0);
    }
    for reason in Hold::KINDS {
        gauge!(names::HELD, "reason" => reason).set(0.0);
    }
    for vote in ["propose", "attest"] {
        counter!(names::VOTES, "vote" => vote).increment(0);
    }
}
