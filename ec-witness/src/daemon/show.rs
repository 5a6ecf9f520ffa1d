//! From what works to how it stands.

use alloy::primitives::{Address, U256};
use ec_ledger::{Follower, Heads};
use ec_observation::{ObservationHash, ObservationHeader, StreamHash, StreamRule};
use ec_rpc::Health;

use crate::{
    sender::{Hold, SenderState, VOTE_GAS},
    standing::{EndpointStanding, LedgerStanding, NewestFinal, SendingStanding, SlotReport, StreamStanding},
    witness::engine::{Engine, JudgedSlot, SlotKey},
};

/// The ledger, as a poll left it: `error` is why the last one failed, `polled_unix_s` when one came through.
pub fn ledger(
    follower: &Follower,
    witness: Address,
    error: Option<String>,
    polled_unix_s: Option<u64>,
) -> LedgerStanding {
    let set = follower.set();
    LedgerStanding {
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
        endpoints: follower.endpoints().health().into_iter().map(endpoint).collect(),
    }
}

fn endpoint((endpoint, health): (String, Health)) -> EndpointStanding {
    EndpointStanding {
        endpoint,
        up: health.shut_out.is_none() && health.failures == 0,
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
    for (key, slot) in engine.slots().filter(|(key, _)| key.stream == stream) {
        standing.newest_closed = standing.newest_closed.max(Some(key.sequence));
        if slot.voted.is_some() {
            standing.newest_voted = standing.newest_voted.max(Some(key.sequence));
        }
        *standing.slots.entry(slot.state).or_default() += 1;
    }
    standing
}

fn newest_final(stream: StreamHash, follower: &Follower) -> NewestFinal {
    let Heads { latest, safe, finalized } = follower.heads();
    let at = |head| follower.ledger().newest_final(stream, head);
    NewestFinal { latest: at(latest), safe: at(safe), finalized: at(finalized) }
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
        slot: key.slot,
        state: judged.state,
        observation_hash: judged.voted.as_ref().map(ObservationHeader::hash),
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
    let SenderState { waiting_votes, transactions, held, balance, fees, replaced, resent, reverts } = state;
    SendingStanding {
        transactions,
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
