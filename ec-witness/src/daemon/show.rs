//! From what works to how it stands.

use std::collections::BTreeMap;

use alloy::primitives::{Address, U256};
use ec_archive::{SegmentSpan, StreamIndex};
use ec_ledger::{Follower, Heads};
use ec_observation::{EpochKey, ObservationHash, StreamHash, StreamRule};
use ec_rpc::Health;

use super::streams::count;
use crate::{
    clock,
    sender::{Hold, SenderState, VOTE_GAS},
    standing::{
        AtHeads, EndpointStanding, LaneStanding, LedgerStanding, SendingStanding, SessionEpoch, SlotReport,
        StreamStanding,
    },
    witness::{
        engine::Engine,
        situation::membership_of,
        slot::{JudgedSlot, SlotKey, SlotState},
    },
};

/// Within which segments begin that may be too many, milliseconds.
const HOUR_MS: u64 = 3_600_000;

/// The ledger, as a poll left it: `error` is why the last one failed, `polled_unix_s` when one came through.
pub fn ledger(
    follower: &Follower,
    witness: Address,
    error: Option<String>,
    polled_unix_s: Option<u64>,
) -> LedgerStanding {
    let (set, state) = (follower.set(), follower.ledger());
    let holder = state.holder_of(state.seat_of(witness));
    LedgerStanding {
        error,
        live: follower.live_since_ms().is_some(),
        polled_unix_s,
        heads: follower.heads(),
        head_times: follower.head_times(),
        witness,
        member: membership_of(set, state, witness).position.is_some(),
        handed_to: (holder != witness).then_some(holder),
        witness_count: set.active.len(),
        quorum: set.quorum,
        finality_stalled_ms: follower.finality_stalled_ms(),
        agree: follower.endpoints().agree(),
        endpoints: follower.endpoints().health().into_iter().map(endpoint).collect(),
    }
}

fn endpoint((endpoint, health): (String, Health)) -> EndpointStanding {
    EndpointStanding {
        endpoint,
        up: health.is_up(),
        last_fault: health.last_fault.map(|fault| fault.to_string()),
        head: health.head,
        answered: health.answered,
        faults: health.faults,
    }
}

/// What the engine and the ledger tell of a stream; its files are left open.
pub fn stream(stream_id: &str, stream: StreamHash, engine: &Engine, follower: &Follower) -> StreamStanding {
    let mut standing = StreamStanding {
        stream_id: stream_id.to_owned(),
        newest_final: newest_final(stream, follower),
        ..StreamStanding::default()
    };
    for (key, slot) in engine.slots_of(stream) {
        standing.newest_closed = standing.newest_closed.max(Some(key.sequence));
        if slot.voted.is_some() {
            standing.newest_voted = standing.newest_voted.max(Some(key.sequence));
        }
        *standing.slots.entry(slot.state).or_default() += 1;
    }
    standing
}

/// The newest final epoch of a stream.
pub fn newest_final(stream: StreamHash, follower: &Follower) -> AtHeads {
    let Heads { latest, safe, finalized } = follower.heads();
    let at = |head| follower.ledger().newest_final(stream, head);
    AtHeads { latest: at(latest), safe: at(safe), finalized: at(finalized) }
}

/// A lane, by its archive and the marks of its segments' sessions. What no session names and how long its epochs last are
/// left open.
pub fn lane(index: &StreamIndex, marks: &BTreeMap<u64, u64>, engine: &Engine, newest_final: AtHeads) -> LaneStanding {
    let (rule, segments) = (index.rule(), index.segments());
    let closed = engine.slots_of(rule.stream_hash()).filter(|(_, slot)| slot.state != SlotState::Open);
    let newest_closed = closed.map(|(_, slot)| slot.epoch).max();
    let behind = |newest_final| Some(behind(&segments, marks, newest_closed?, newest_final?));
    let hour_ago_ms = (clock::unix_s() * 1000).saturating_sub(HOUR_MS);
    let is_new = |span: &&SegmentSpan| span.first_ms != u64::MAX && span.first_ms >= hour_ago_ms;
    LaneStanding {
        track: rule.lane_track().unwrap_or_default().to_owned(),
        segments: segments.len() as u64,
        segments_last_hour: segments.iter().filter(is_new).count() as u64,
        session: segments.last().and_then(|newest| marks.get(&newest.segment)).copied(),
        behind: newest_final.each(behind),
        ..LaneStanding::default()
    }
}

/// Epochs up to the newest closed one, above the one that is final with this sequence. Sequences of two sessions are apart
/// by the time between them, so epochs are counted in the archive.
fn behind(segments: &[SegmentSpan], marks: &BTreeMap<u64, u64>, newest_closed: EpochKey, newest_final: u64) -> u64 {
    let begun = marks.iter().filter(|(_, mark)| **mark <= newest_final);
    let last = begun.max_by_key(|(segment, mark)| (**mark, **segment));
    let last = last.map(|(&segment, &mark)| EpochKey { segment, index: newest_final - mark });
    let next = last.map_or(Some(EpochKey::MIN), EpochKey::next);
    next.map_or(0, |next| count(&(next..=newest_closed), segments))
}

/// A slot that is judged.
pub fn slot(rule: &StreamRule, key: SlotKey, judged: &JudgedSlot, follower: &Follower) -> SlotReport {
    let candidates = follower.ledger().slot(key.slot).map(|slot| slot.candidates.as_slice()).unwrap_or_default();
    let votes = |of: &dyn Fn(ObservationHash) -> bool| {
        let voters = candidates.iter().filter(|candidate| of(candidate.hash)).map(|candidate| candidate.voters.len());
        voters.max().unwrap_or_default()
    };
    SlotReport {
        stream_id: rule.stream_id.clone(),
        sequence: key.sequence,
        epoch_id: rule.epochs.id(judged.name),
        session: SessionEpoch::of(rule, judged.name, judged.epoch),
        slot: key.slot,
        state: judged.state,
        observation_hash: judged.voted.map(|voted| voted.observation),
        finalized_hash: judged.finalized,
        candidates: candidates.len(),
        votes: match judged.finalized {
            Some(finalized) => votes(&|hash| hash == finalized),
            None => votes(&|_| true),
        },
        witness_count: follower.set().active.len(),
        quorum: follower.set().quorum,
    }
}

/// Sending, as the sender tells it.
pub(super) fn sending(state: SenderState) -> SendingStanding {
    let SenderState { waiting_votes, transactions, held, balance, fees, gas, spent_slots, .. } = state;
    SendingStanding {
        transactions,
        waiting_votes,
        waiting_old_votes: state.waiting_old_votes,
        paced_gas: state.paced_gas,
        is_hour_spent: state.is_hour_spent,
        block_share: state.block_share,
        vote_costs: state.vote_costs,
        base_fee_wei: state.base_fee.map(|base_fee| (base_fee, state.max_fee)),
        held_for: held.as_ref().map(Hold::kind),
        held: held.map(|held| held.to_string()),
        balance_wei: balance,
        vote_cost_wei: fees.map(|fees| U256::from(fees.max).saturating_mul(U256::from(VOTE_GAS))),
        fees_wei: fees.map(|fees| (fees.max, fees.tip)),
        gas: Some(gas),
        spent_slots,
        contradicted: None,
        replaced: state.replaced,
        resent: state.resent,
        reverts: state.reverts,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_behind_are_counted_in_the_archive() {
        let segments = [SegmentSpan::untimed(0, 0, 9), SegmentSpan::untimed(1, 0, 4), SegmentSpan::untimed(2, 0, 2)];
        let marks = BTreeMap::from([(0, 1_000_000), (1, 5_000_000)]);
        let of = |segment, index, newest_final| behind(&segments, &marks, EpochKey { segment, index }, newest_final);
        assert_eq!(of(0, 9, 1_000_009), 0);
        assert_eq!(of(0, 9, 1_000_003), 6);
        // a session later the sequences are millions apart
        assert_eq!(of(1, 1, 1_000_009), 2);
        assert_eq!(of(1, 1, 5_000_000), 1);
        // what no session names yet counts, too
        assert_eq!(of(2, 2, 5_000_004), 3);
        // final before anything here, and beyond it
        assert_eq!(of(0, 1, 7), 2);
        assert_eq!(of(1, 1, 6_000_000), 0);
    }
}
