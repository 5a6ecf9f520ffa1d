//! The names of every metric, and what each means.
//!
//! Events are counted where they happen, through the `metrics` facade; gauges are set after each turn from the daemon's
//! snapshot. Without a recorder, as in every command but `run`, all of it does nothing.
//!
//! Names follow Prometheus: one prefix, base units, `_total` for what only grows. Labels are few and bounded: `stream`
//! (a stream's id), `state`, `head`, `kind`, `vote`, `reason`, `numbering`, and `endpoint` (scheme, host and port; never a
//! path).

use ec_rpc::{
    count,
    metric::{Kind, Metric, metrics},
};
use metrics::{Unit, describe_counter, describe_gauge, describe_histogram, gauge};

metrics! {
    /// Every metric of the witness itself.
    const OWN;
    Gauge BUILD_INFO = "build_info", "Always 1; the label `version` is the program's.";
    Gauge INFO = "info", "Always 1; the labels name the witness, its chain and its ledger.";

    // the process
    Gauge LAST_TURN = "last_turn_timestamp_seconds", "When the last turn ended, Unix time.";
    Histogram TURN_DURATION = "turn_duration_seconds", "How long a turn took: archive read, ledger polled, slots judged, votes sent.";

    Gauge POLL_INTERVAL = "poll_interval_seconds", "The time between two turns: poll_ms.";
    Gauge MEMORY_LIMIT = "memory_limit_bytes", "Memory that the process may use: the least of its cgroup's limits, else all that the machine has.";

    // the archive
    Gauge STREAMS = "streams", "Streams by how far their files are read: current, catching_up, waiting, or joining, those read for the first time.";
    Gauge ARCHIVE_READABLE = "archive_readable", "1 while the archive's directories can be walked.";
    Gauge INDEX_FILES = "index_files", "Files of the archive's index that are read on, by whether each is held open: held, or unheld, where the limit of open files leaves no room.";
    Gauge NEWEST_RECORD = "newest_record_timestamp_seconds", "When a track file of the stream grew last, Unix time.";
    Gauge NEWEST_CLOSED_EPOCH = "newest_closed_epoch", "Sequence of the stream's newest closed epoch: its index, in a lane its session's mark plus its index.";
    Gauge NEWEST_VOTED_EPOCH = "newest_voted_epoch", "Sequence of the newest epoch that this witness voted on.";
    Gauge NEWEST_FINAL_EPOCH = "newest_final_epoch", "Sequence of the stream's newest epoch that is final on the ledger, by the head at which it is.";
    Gauge BEHIND = "behind_epochs", "Closed epochs above the newest one that is final, by the head at which it is.";
    Counter EPOCHS_CLOSED = "epochs_closed_total", "Epochs closed, by kind: complete, incomplete, conflicting.";
    Counter LATE_RECORDS = "late_records_total", "Epochs that changed after the vote on them.";
    Counter QUARANTINED_LINES = "quarantined_lines_total", "Lines of the index that are no record.";
    Counter FILES_ROTATED = "files_rotated_total", "Index files that another one took the place of.";
    Counter FILES_LOST = "files_lost_total", "Index files that no longer hold what was read of them: truncated, edited or gone.";
    Gauge WITHHELD_EPOCHS = "withheld_epochs", "Epochs that are not voted on here, as a lost file touched them.";
    Counter BACKLOG_FILLED = "backlog_filled_epochs_total", "Old epochs made up for.";
    Gauge CATCH_UP_LEFT = "catch_up_left_epochs", "Old epochs of all streams without a final slot that are still to be looked at, and votes on old ones that wait.";
    Gauge CATCH_UP_SPEED = "catch_up_epochs_per_second", "How many fewer of these there are each second.";
    Gauge CATCH_UP_TIME = "catch_up_left_seconds", "For how long catching up goes on at this speed; 0 where nothing is left, or nothing goes on.";
    Gauge BACKLOG_LEFT = "backlog_left_epochs", "Old sequence numbers without a final slot that are still to be looked at: the gaps.";

    // lanes and their numbering
    Gauge OTHER_NUMBERING = "other_numbering", "1 while the archive looks as if the stream had the numbering that the label `numbering` says, and not the configured one.";
    Gauge EPOCH_LENGTH = "epoch_length_seconds", "How long an epoch of the lane lasts, as observed of the newest ones.";
    Gauge MINUTE_GROUPS = "minute_groups", "What groups_per_epoch of the lane would have to be for epochs of about a minute.";
    Gauge SEGMENTS_LAST_HOUR = "segments_last_hour", "Segments of the lane that began within the last hour, by their receive times.";
    Gauge UNNAMED_EPOCHS = "unnamed_epochs", "Closed complete epochs of the lane that no session names.";
    Gauge UNNAMED_SINCE = "unnamed_since_timestamp_seconds", "Since when there are such epochs, Unix time; 0 without one.";

    // slots and votes
    Gauge SLOTS = "slots", "Slots judged now, by state.";
    Counter SLOTS_SETTLED = "slots_settled_total", "Slots whose outcome lies below the finalized head, by state.";
    Counter VOTES = "votes_total", "Votes recorded in the store, by vote: propose, attest.";
    Counter VOTES_RESENT = "votes_resent_total", "Votes that were carried again, as their transactions came to nothing.";
    Counter VOTES_REFUSED = "votes_refused_total", "Votes that the guard refused: the archive says other than was voted for.";

    Histogram VOTE_DELAY = "vote_delay_seconds", "From the closing of an epoch here to its vote being sent.";

    // the ledger and its chain
    Gauge LEDGER_LIVE = "ledger_live", "1 while the ledger is live: its RPC answers, of the right chain, in sync, with a fresh head.";
    Gauge LAST_POLL = "last_poll_timestamp_seconds", "When the ledger was read last, Unix time.";
    Counter POLL_ERRORS = "poll_errors_total", "Polls of the ledger that failed, by kind.";
    Counter REORGS = "reorgs_total", "Polls that found blocks taken back.";
    Gauge HEAD_BLOCK = "head_block", "Number of the newest block, by head: latest, safe, finalized.";
    Gauge HEAD_TIMESTAMP = "head_timestamp_seconds", "Time of the newest block, by head, Unix time.";
    Gauge FINALITY_STALLED = "finality_stalled_seconds", "For how long the finalized head has stood still below a newer one, beyond what it may; else 0.";
    Gauge MEMBER = "member", "1 while this witness is in the registry's active set.";
    Gauge WITNESSES = "witnesses", "Active witnesses.";
    Gauge QUORUM = "quorum", "Votes that finalize a slot.";

    // transactions
    Gauge TRANSACTIONS = "transactions", "Transactions that are not finalized, by state: signed, sent, executed, safe.";
    Gauge HELD = "sending_held", "1 while nothing new is sent, by reason: fee_cap, funds, gas_budget, signer.";
    Gauge OLDEST_PENDING = "oldest_pending_transaction_timestamp_seconds", "When the oldest pending transaction was signed, Unix time; 0 without one.";
    Gauge WAITING_VOTES = "waiting_votes", "Recorded votes that no transaction carries yet.";
    Gauge PACED_GAS = "paced_gas", "The most gas that votes on old epochs may have on its way now; not there where catch_up_percent is 0.";
    Gauge BLOCK_SHARE = "block_share_ratio", "What part of the gas limit the own transactions used in the newest block that has any.";
    Gauge VOTE_GAS = "vote_gas", "Gas that a vote used, on average of the newest transactions, by vote: propose, attest, move.";
    Gauge VOTE_FEE = "vote_fee_wei", "What was paid for that, by vote; a fee for data on L1 is not in it.";
    Gauge CONTRADICTED_SLOTS = "contradicted_slots", "Slots for which nothing is sent, as the ledger's log contradicts the receipts of own transactions.";
    Gauge SPENT_SLOTS = "spent_slots", "Slots that are left alone, as max_sends_per_slot transactions were sent for them.";
    Gauge GAS_SPENT = "gas_spent_last_hour", "Gas that the transactions of the last hour used, or may use while they are not executed.";
    Gauge GAS_BUDGET = "gas_budget_per_hour", "The most gas that may be spent within an hour: max_gas_per_hour.";
    Counter REPLACED = "transactions_replaced_total", "Transactions replaced by dearer ones.";
    Counter RESENT = "transactions_resent_total", "Transactions whose stored bytes were sent again.";
    Counter REVERTS = "transactions_reverted_total", "Votes and calls that the ledger refused, by reason.";
    Gauge FEE = "fee_per_gas_wei", "Of a unit of gas, by kind: max and tip, as offered last; base, of the newest block; cap, the most that may be offered.";
    Gauge BALANCE = "balance_wei", "The account's balance when it was last needed.";
    Gauge VOTE_COST = "vote_cost_wei", "What a vote costs at most, by the fees that were offered last.";

    // the vote store
    Gauge STORE_VOTES = "store_votes", "Slots that this witness voted on, ever.";
    Gauge STORE_SIZE = "store_size_bytes", "Size of the vote store's files.";
    Gauge STORE_FREE = "store_free_bytes", "Room left on the vote store's file system.";
    Gauge STORE_WRITABLE = "store_writable", "1 while the vote store can be written and its last write found room.";
    Gauge STORE_LAST_COMMIT = "store_last_commit_timestamp_seconds", "When the vote store was written last, Unix time.";
}

/// Every metric, those of the endpoints too.
pub fn all() -> impl Iterator<Item = &'static Metric> {
    OWN.iter().chain(count::METRICS)
}

/// Describes metrics, and tells the program's version beside them. Histograms are of seconds.
pub(crate) fn describe<'a>(metrics: impl IntoIterator<Item = &'a Metric>) {
    for &Metric { name, kind, help } in metrics {
        match kind {
            Kind::Counter => describe_counter!(name, help),
            Kind::Gauge => describe_gauge!(name, help),
            Kind::Histogram => describe_histogram!(name, Unit::Seconds, help),
        }
    }
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_follow_the_rules() {
        let mut seen = HashSet::new();
        for Metric { name, kind, help } in all() {
            assert!(seen.insert(name), "{name} twice");
            assert_eq!(name.ends_with("_total"), *kind == Kind::Counter, "{name}");
            assert!(name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'), "{name}");
            assert!(help.ends_with('.') && !help.contains('\n'), "{name}: {help}");
        }
    }
}
