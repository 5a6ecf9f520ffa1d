//! Which candidate a witness comes to vote for, over a ledger in memory.

use alloy::primitives::B256;

use ec_ledger::{LedgerEvent, WitnessSet};
use ec_observation::{Content, EpochHash, EpochName, VoteKind};
use ec_rpc::BlockRef;

use super::{super::slot::SlotState, *};

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
    admit(&mut engine, content);
    engine
}

fn admit(engine: &mut Engine, content: Content) {
    let key = SlotKey::of(&content.header(ObservationHash::ZERO, 0));
    let (name, proposing) = (EpochName::timeline(content.sequence), Proposing::InTurn(content.sequence));
    let own = OwnEpoch::Derived { content, observed_unix_ms: 5, tolerance_ms: 10, complete: true };
    let admitted = Admitted { epoch: EpochKey::timeline(content.sequence), name, proposing, own, closed_ms: 0 };
    assert_eq!(engine.admit(key, admitted, None), Admission::New);
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

#[test]
fn what_is_new_is_judged_without_the_rest() {
    let mut engine = engine_with(content(1));
    let ledger = LedgerState::new(None);
    let set = WitnessSet::of([OTHER, ME], 2);
    let situation = Situation { ledger: &ledger, set: &set, head_ms: 0, now_ms: 0, live_since_ms: Some(0) };
    let sequences = |ballots: Vec<Ballot>| ballots.iter().map(|ballot| ballot.header.sequence).collect::<Vec<_>>();
    assert_eq!(sequences(engine.judge_new(&situation)), [1]);
    assert_eq!(sequences(engine.judge_new(&situation)), [0; 0], "it was judged");
    admit(&mut engine, content(3));
    assert_eq!(sequences(engine.judge_new(&situation)), [3]);
    assert_eq!(sequences(engine.judge(&situation)), [1, 3]);
}

#[test]
fn a_counted_vote_is_asked_after_until_it_is_executed_and_again_after_a_reorg() {
    let agreement = Agreement::default();
    let header = content(1).header(ObservationHash::ZERO, 5);
    let (key, mut engine) = (SlotKey::of(&header), engine_with(content(1)));
    let executed = OwnVote::Executed(header.content().hash());
    let set = WitnessSet::of([ME, OTHER], 2);
    let mut ledger = LedgerState::new(None);
    let asked = |engine: &mut Engine, ledger: &LedgerState, head_ms| {
        engine.open_votes(&Situation { ledger, set: &set, head_ms, now_ms: 0, live_since_ms: Some(0) })
    };
    assert_eq!(asked(&mut engine, &ledger, 0), [], "there is no vote");
    engine.set_vote(key, header, executed);
    assert_eq!(asked(&mut engine, &ledger, 0), [key], "executed, and yet not counted");
    let block = BlockRef { number: 1, hash: B256::with_last_byte(1) };
    ledger.apply(block, [LedgerEvent::Proposed { proposer: ME, header, timestamp_s: 0 }]);
    engine.set_vote(key, header, OwnVote::Cast);
    assert_eq!(asked(&mut engine, &ledger, 0), [], "no round has begun in which it could move");
    assert_eq!(asked(&mut engine, &ledger, agreement.round_grace_ms), [key]);
    engine.set_vote(key, header, executed);
    assert_eq!(asked(&mut engine, &ledger, agreement.round_grace_ms), [], "it is known");
    engine.doubt_executed();
    assert_eq!(asked(&mut engine, &ledger, agreement.round_grace_ms), [key]);
}

#[test]
fn what_nothing_changes_for_is_judged_again_only_when_its_time_has_come() {
    let agreement = Agreement::default();
    let header = content(1).header(ObservationHash::ZERO, 5);
    let (key, mut engine) = (SlotKey::of(&header), engine_with(content(1)));
    let set = WitnessSet::of([ME, OTHER], 2);
    let mut ledger = LedgerState::new(None);
    let block = |number| BlockRef { number, hash: B256::with_last_byte(number as u8) };
    let rests = |engine: &mut Engine, ledger: &LedgerState, head_ms, now_ms| {
        engine.judge(&Situation { ledger, set: &set, head_ms, now_ms, live_since_ms: Some(0) });
        engine.rests(key.stream)
    };
    assert!(!rests(&mut engine, &ledger, 0, 0), "there is no vote");
    ledger.apply(block(1), [LedgerEvent::Proposed { proposer: ME, header, timestamp_s: 0 }]);
    engine.set_vote(key, header, OwnVote::Cast);
    assert!(rests(&mut engine, &ledger, 0, 0), "it counts");
    engine.set_vote(key, header, OwnVote::Cast);
    assert!(engine.rests(key.stream), "nothing has changed");
    // a round begins in which it may move, once it is known to be executed
    assert!(!rests(&mut engine, &ledger, agreement.round_grace_ms, 0));
    engine.set_vote(key, header, OwnVote::Executed(header.content().hash()));
    assert!(rests(&mut engine, &ledger, agreement.round_grace_ms, 0));
    assert_eq!(engine.slot(key).unwrap().state, SlotState::Voted);
    assert!(rests(&mut engine, &ledger, agreement.round_grace_ms, agreement.disputed_after_ms + 1));
    assert_eq!(engine.slot(key).unwrap().state, SlotState::Disputed);
    ledger.apply(block(2), [LedgerEvent::Finalized { slot: key.slot, observation: header.hash() }]);
    assert!(rests(&mut engine, &ledger, agreement.round_grace_ms, 0));
    assert_eq!(engine.slot(key).unwrap().state, SlotState::Disputed, "nobody has said that the ledger changed");
    assert!(engine.take_done(&ledger, 2).is_empty());
    engine.touch(&Touched::Streams([key.stream].into()));
    assert!(rests(&mut engine, &ledger, agreement.round_grace_ms, 0));
    assert_eq!(engine.slot(key).unwrap().state, SlotState::Finalized);
    assert!(engine.take_done(&ledger, 1).is_empty());
    assert_eq!(engine.take_done(&ledger, 2).len(), 1);
    admit(&mut engine, content(2));
    assert!(!engine.rests(key.stream), "it has a slot that was never judged");
}
