//! Sets the gauges from a snapshot.

use std::time::Duration;

use ec_archive::IndexFiles;
use ec_observation::Numbering;
use ec_rpc::count::{RPC_AGREE, RPC_ANSWERS, RPC_ERRORS, RPC_HEAD_BLOCK, RPC_UP};
use metrics::{counter, gauge, histogram};
use strum::VariantNames;

use crate::{
    metrics as names,
    sender::{Hold, Stage, VoteCost},
    standing::{
        CatchUp, EndpointStanding, Head, LaneStanding, LedgerStanding, Reading, SendingStanding, Snapshot,
        StreamStanding,
    },
    store::StoreStanding,
    witness::slot::SlotState,
};

/// Shows a snapshot that was made at this Unix time.
pub(super) fn show(snapshot: &Snapshot, now: Duration) {
    gauge!(names::LAST_TURN).set(now.as_secs_f64());
    histogram!(names::TURN_DURATION).record(snapshot.took);
    gauge!(names::POLL_INTERVAL).set(snapshot.poll.as_secs_f64());
    snapshot.catch_up.iter().for_each(catch_up);
    for &state in Reading::VARIANTS {
        let streams = snapshot.streams.iter().filter(|stream| stream.reading.name() == state).count();
        gauge!(names::STREAMS, "state" => state).set(streams as f64);
    }
    gauge!(names::STREAMS, "state" => "joining").set(snapshot.joining as f64);
    gauge!(names::ARCHIVE_READABLE).set(flag(snapshot.archive_trouble.is_none()));
    if let Some(IndexFiles { held, unheld }) = snapshot.index_files {
        gauge!(names::INDEX_FILES, "state" => "held").set(held as f64);
        gauge!(names::INDEX_FILES, "state" => "unheld").set(unheld as f64);
    }
    snapshot.streams.iter().for_each(stream);
    snapshot.streams.iter().for_each(numbering);
    ledger(&snapshot.ledger);
    snapshot.sending.iter().for_each(sending);
    match &snapshot.store {
        Some(Ok(standing)) => store(standing),
        Some(Err(_)) => gauge!(names::STORE_WRITABLE).set(0.0),
        None => {}
    }
}

fn catch_up(standing: &CatchUp) {
    gauge!(names::CATCH_UP_LEFT).set(standing.left as f64);
    gauge!(names::CATCH_UP_SPEED).set(standing.per_second);
    gauge!(names::CATCH_UP_TIME).set(standing.left_s().unwrap_or_default() as f64);
}

fn stream(stream: &StreamStanding) {
    let numbers = [
        (names::NEWEST_RECORD, stream.newest_record_unix_s),
        (names::NEWEST_CLOSED_EPOCH, stream.newest_closed),
        (names::NEWEST_VOTED_EPOCH, stream.newest_voted),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            gauge!(name, "stream" => stream.stream_id.clone()).set(number as f64);
        }
    }
    for (name, at_heads) in [(names::NEWEST_FINAL_EPOCH, stream.newest_final), (names::BEHIND, stream.behind())] {
        for (head, number) in at_heads.by_head() {
            if let Some(number) = number {
                gauge!(name, "stream" => stream.stream_id.clone(), "head" => head.name()).set(number as f64);
            }
        }
    }
    let counts = [
        (names::QUARANTINED_LINES, stream.tally.bad_lines),
        (names::FILES_ROTATED, stream.tally.rotated),
        (names::FILES_LOST, stream.tally.lost),
        (names::BACKLOG_FILLED, stream.backlog.filled),
    ];
    for (name, count) in counts {
        counter!(name, "stream" => stream.stream_id.clone()).absolute(count);
    }
    gauge!(names::WITHHELD_EPOCHS, "stream" => stream.stream_id.clone()).set(stream.withheld_epochs as f64);
    gauge!(names::BACKLOG_LEFT, "stream" => stream.stream_id.clone()).set(stream.backlog.left as f64);
    for &state in SlotState::ALL {
        let slots = stream.slots_in(state) as f64;
        gauge!(names::SLOTS, "stream" => stream.stream_id.clone(), "state" => state.name()).set(slots);
    }
}

/// How the archive's numbering looks; and, of a lane, its epochs and segments.
fn numbering(stream: &StreamStanding) {
    let other = match &stream.lane {
        Some(_) => Numbering::Timeline,
        None => Numbering::Session,
    };
    let (stream_id, is_other) = (stream.stream_id.clone(), stream.other_numbering.is_some());
    gauge!(names::OTHER_NUMBERING, "stream" => stream_id, "numbering" => other.name()).set(flag(is_other));
    stream.lane.iter().for_each(|standing| lane(&stream.stream_id, standing));
}

fn lane(stream_id: &str, lane: &LaneStanding) {
    let LaneStanding { segments_last_hour, unnamed_epochs, unnamed_since_unix_s, epoch, .. } = lane;
    let epoch = epoch.map(|epoch| (epoch.seconds(), epoch.minute_groups() as f64)).unzip();
    let numbers = [
        (names::SEGMENTS_LAST_HOUR, Some(*segments_last_hour as f64)),
        (names::UNNAMED_EPOCHS, Some(*unnamed_epochs as f64)),
        (names::UNNAMED_SINCE, Some(unnamed_since_unix_s.unwrap_or_default() as f64)),
        (names::EPOCH_LENGTH, epoch.0),
        (names::MINUTE_GROUPS, epoch.1),
    ];
    for (name, number) in numbers {
        if let Some(number) = number {
            gauge!(name, "stream" => stream_id.to_owned()).set(number);
        }
    }
}

fn ledger(ledger: &LedgerStanding) {
    gauge!(names::LEDGER_LIVE).set(flag(ledger.live));
    gauge!(RPC_AGREE).set(ledger.agree as f64);
    ledger.endpoints.iter().for_each(endpoint);
    let Some(polled_unix_s) = ledger.polled_unix_s else { return };
    gauge!(names::LAST_POLL).set(polled_unix_s as f64);
    gauge!(names::FINALITY_STALLED).set(ledger.finality_stalled_ms.unwrap_or_default() as f64 / 1000.0);
    gauge!(names::MEMBER).set(flag(ledger.member));
    gauge!(names::WITNESSES).set(ledger.witness_count as f64);
    gauge!(names::QUORUM).set(ledger.quorum as f64);
    let (blocks, times) = (ledger.heads, ledger.head_times);
    for (head, block, time) in [
        (Head::Latest, blocks.latest, times.latest),
        (Head::Safe, blocks.safe, times.safe),
        (Head::Finalized, blocks.finalized, times.finalized),
    ] {
        gauge!(names::HEAD_BLOCK, "head" => head.name()).set(block as f64);
        gauge!(names::HEAD_TIMESTAMP, "head" => head.name()).set(time as f64);
    }
}

fn endpoint(standing: &EndpointStanding) {
    let EndpointStanding { endpoint, up, head, answered, faults, .. } = standing;
    gauge!(RPC_UP, "endpoint" => endpoint.clone()).set(flag(*up));
    counter!(RPC_ANSWERS, "endpoint" => endpoint.clone()).absolute(*answered);
    for (&kind, &count) in faults {
        counter!(RPC_ERRORS, "endpoint" => endpoint.clone(), "kind" => kind).absolute(count);
    }
    if let Some(head) = head {
        gauge!(RPC_HEAD_BLOCK, "endpoint" => endpoint.clone()).set(*head as f64);
    }
}

fn sending(sending: &SendingStanding) {
    for state in Stage::ALL {
        let count = sending.transactions.get(state).copied().unwrap_or_default();
        gauge!(names::TRANSACTIONS, "state" => state.name()).set(count as f64);
    }
    for &reason in Hold::KINDS {
        gauge!(names::HELD, "reason" => reason).set(flag(sending.held_for == Some(reason)));
    }
    gauge!(names::WAITING_VOTES).set(sending.waiting_votes as f64);
    gauge!(names::CONTRADICTED_SLOTS).set(sending.contradicted.as_ref().map_or(0, |(slots, _)| *slots) as f64);
    gauge!(names::SPENT_SLOTS).set(sending.spent_slots as f64);
    if let Some((spent, budget)) = sending.gas {
        gauge!(names::GAS_SPENT).set(spent as f64);
        gauge!(names::GAS_BUDGET).set(budget as f64);
    }
    counter!(names::REPLACED).absolute(sending.replaced);
    counter!(names::RESENT).absolute(sending.resent);
    for (&reason, &count) in &sending.reverts {
        counter!(names::REVERTS, "reason" => reason).absolute(count);
    }
    costs(sending);
    if let Some((max, tip)) = sending.fees_wei {
        gauge!(names::FEE, "kind" => "max").set(max as f64);
        gauge!(names::FEE, "kind" => "tip").set(tip as f64);
    }
    if let Some(balance_wei) = sending.balance_wei {
        gauge!(names::BALANCE).set(f64::from(balance_wei));
    }
    if let Some(vote_cost_wei) = sending.vote_cost_wei {
        gauge!(names::VOTE_COST).set(f64::from(vote_cost_wei));
    }
}

/// What votes cost, and what they may.
fn costs(sending: &SendingStanding) {
    if let Some(paced_gas) = sending.paced_gas {
        gauge!(names::PACED_GAS).set(paced_gas as f64);
    }
    if let Some(block_share) = sending.block_share {
        gauge!(names::BLOCK_SHARE).set(block_share);
    }
    for &(vote, VoteCost { gas, fee_wei }) in &sending.vote_costs {
        gauge!(names::VOTE_GAS, "vote" => vote).set(gas as f64);
        gauge!(names::VOTE_FEE, "vote" => vote).set(fee_wei as f64);
    }
    if let Some((base_fee, cap)) = sending.base_fee_wei {
        gauge!(names::FEE, "kind" => "base").set(base_fee as f64);
        gauge!(names::FEE, "kind" => "cap").set(cap as f64);
    }
}

fn store(store: &StoreStanding) {
    let oldest_s = store.oldest_pending_unix_ms.map_or(0.0, |ms| ms as f64 / 1000.0);
    gauge!(names::OLDEST_PENDING).set(oldest_s);
    gauge!(names::STORE_VOTES).set(store.votes as f64);
    gauge!(names::STORE_SIZE).set(store.size_bytes as f64);
    gauge!(names::STORE_FREE).set(store.free_bytes as f64);
    gauge!(names::STORE_WRITABLE).set(flag(store.writable && !store.no_room));
    gauge!(names::STORE_LAST_COMMIT).set(store.last_commit_unix_s as f64);
}

fn flag(is: bool) -> f64 {
    f64::from(u8::from(is))
}
