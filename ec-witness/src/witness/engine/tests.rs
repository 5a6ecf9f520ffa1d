//! Which candidate a witness comes to vote for, over a ledger in memory.

use alloy::primitives::B256;

use ec_ledger::{LedgerEvent, WitnessSet};
use ec_observation::{Content, EpochHash, EpochName, VoteKind};
use ec_rpc::BlockRef;

use super::*;

const ME: Address = Address::with_last_byte(1);
const OTHER: Address = Address::with_last_byte(2);

fn content(sequence: u64) -> Content {
    Content {
        stream_hash: StreamHash::ZERO,
        epoch_hash: EpochHash(B256::with_last_byte(sequence as u8)),
        data_root: B256::ZERO,
        locator_hash: B256::ZERO,
        sequence,
    }
}

fn proposed(header: ObservationHeader) -> LedgerEvent {
    LedgerEvent::Proposed { proposer: OTHER, header, timestamp_s: 0 }
}

fn engine_with(content: Content) -> Engine {
    let mut engine = Engine::new(ME, Agreement::default());
    let key = SlotKey::of(&content.header(ObservationHash::ZERO, 0));
    let (name, proposing) = (EpochName::timeline(content.sequence), Proposing::InTurn(content.sequence));
    let own = OwnEpoch::Derived { content, observed_unix_ms: 5, tolerance_ms: 10, complete: true };
    let admitted = Admitted { epoch: EpochKey::timeline(content.sequence), name, proposing, own, closed_ms: 0 };
    assert_eq!(engine.admit(key, admitted, None), Admission::New);
    engine
}

fn attested(engine: &mut Engine, ledger: &LedgerState) -> Option<ObservationHeader> {
    let set = WitnessSet::of([ME, OTHER], 2);
    let situation = Situation { ledger, set: &set, head_ms: 0, now_ms: 0, live_since_ms: Some(0) };
    let ballots = engine.judge(&situation);
    ballots.into_iter().find(|ballot| ballot.vote == VoteKind::Attest).map(|ballot| ballot.header)
}

#[test]
fn the_candidate_that_was_right_first_is_attested() {
    let parent = content(1).header(ObservationHash::ZERO, 5);
    // resent after a reorg, the first one stands before the vote that makes its parent final
    let early = content(2).header(parent.hash(), 5);
    let later = content(2).header(ObservationHash::ZERO, 6);
    let block = |number| BlockRef { number, hash: B256::with_last_byte(number as u8) };
    let finalized = LedgerEvent::Finalized { slot: parent.slot(), observation: parent.hash() };
    let mut ledger = LedgerState::new(None);
    ledger.apply(block(1), [proposed(parent), proposed(early)]);
    assert_eq!(attested(&mut engine_with(content(2)), &ledger), None, "its parent is not final");
    let mut alone = ledger.clone();
    alone.apply(block(2), [finalized]);
    assert_eq!(attested(&mut engine_with(content(2)), &alone), Some(early), "now it is");
    ledger.apply(block(2), [proposed(later)]);
    assert_eq!(attested(&mut engine_with(content(2)), &ledger), Some(later));
    ledger.apply(block(3), [finalized]);
    assert_eq!(attested(&mut engine_with(content(2)), &ledger), Some(later), "nothing overtakes it");
}
