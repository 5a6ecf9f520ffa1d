//! A lane of one witness over a ledger in memory: under which marks each window is judged.

use std::{collections::HashMap, convert::Infallible, num::NonZeroU64};

use alloy::primitives::B256;
use ec_ledger::{
    LedgerEvent, WitnessSet,
    matching::{OwnEpochSeen, SegmentSpan},
};
use ec_observation::ObservationHash;
use ec_rpc::BlockRef;

use super::*;
use crate::witness::decision::Agreement;

const FIRST_MS: u64 = 1_772_824_680_000;
const MINUTE_MS: u64 = 60_000;

fn rule() -> StreamRule {
    StreamRule::lane("la-nbc", "la-nbc", "0.m4s", NonZeroU64::new(30).unwrap()).unwrap()
}

fn address(seat: u8) -> Address {
    Address::with_last_byte(seat + 1)
}

/// A complete epoch, so many milliseconds after [`FIRST_MS`].
fn epoch(segment: u64, index: u64, at_ms: u64) -> DerivedEpoch {
    DerivedEpoch {
        key: EpochKey { segment, index },
        leaf_count: 30,
        complete: true,
        data_root: Some(B256::left_padding_from(&(FIRST_MS + at_ms).to_be_bytes())),
        time: Ok(FIRST_MS + at_ms),
    }
}

/// What the archive has.
#[derive(Default)]
struct Own(BTreeMap<EpochKey, DerivedEpoch>);

impl OwnLane for Own {
    fn spans(&self) -> impl Iterator<Item = (u64, SegmentSpan)> + '_ {
        let mut spans: BTreeMap<u64, SegmentSpan> = BTreeMap::new();
        for (key, derived) in &self.0 {
            let at_ms = derived.time.clone().unwrap();
            let (lowest, highest) = (key.index, key.index);
            let span = spans.entry(key.segment);
            let span = span.or_insert(SegmentSpan { lowest, highest, first_ms: at_ms, last_ms: at_ms });
            (span.highest, span.last_ms) = (span.highest.max(highest), span.last_ms.max(at_ms));
        }
        spans.into_iter()
    }

    fn has_complete(&mut self, segment: u64) -> bool {
        self.0.values().any(|derived| derived.key.segment == segment && derived.complete)
    }

    fn epoch(&mut self, key: EpochKey) -> Option<OwnEpochSeen> {
        let derived = self.0.get(&key)?;
        let (data_root, observed_unix_ms) = (derived.data_root?, derived.time.clone().ok()?);
        Some(OwnEpochSeen { complete: derived.complete, data_root, observed_unix_ms })
    }
}

/// The witness of seat 0 among three, of whom two are the quorum.
struct Witness {
    ledger: LedgerState,
    set: WitnessSet,
    own: Own,
    lane: Lane,
    engine: Engine,
    block: u64,
}

impl Witness {
    fn new(epochs: impl IntoIterator<Item = DerivedEpoch>) -> Self {
        let (rule, mut engine) = (rule(), Engine::new(address(0), Agreement::default()));
        let (mut lane, mut own) = (Lane::new(rule.clone()), Own::default());
        for derived in epochs {
            own.0.insert(derived.key, derived.clone());
            lane.admit(derived, 0, &mut engine);
        }
        let set = WitnessSet::of((0..3).map(address), 2);
        let ledger = LedgerState::new(Some(HashMap::from([(rule.stream_hash(), rule.epochs)])));
        Self { ledger, set, own, lane, engine, block: 0 }
    }

    /// A witness proposes what is its epoch, under a mark so many milliseconds after [`FIRST_MS`].
    fn propose(&mut self, seat: u8, mark_ms: u64, derived: DerivedEpoch) -> ObservationHeader {
        let named = rule().name(derived, FIRST_MS + mark_ms).unwrap();
        let header = named.header(ObservationHash::ZERO).unwrap().unwrap();
        self.apply(LedgerEvent::Proposed { proposer: address(seat), header, timestamp_s: FIRST_MS / 1000 });
        header
    }

    fn finalize(&mut self, header: ObservationHeader) {
        self.apply(LedgerEvent::Finalized { slot: header.slot(), observation: header.hash() });
    }

    fn apply(&mut self, event: LedgerEvent) {
        self.block += 1;
        let block = BlockRef { number: self.block, hash: B256::with_last_byte(self.block as u8) };
        self.ledger.apply(block, [event]);
    }

    /// Names the windows in this naming round of what was proposed.
    fn name(&mut self, round: u64) {
        let head_ms = FIRST_MS / 1000 * 1000 + MINUTE_MS * (round + 1);
        let (ledger, set) = (&self.ledger, &self.set);
        let situation = Situation { ledger, set, head_ms, now_ms: 0, live_since_ms: Some(0) };
        let heads = Heads { situation: &situation, growing: None };
        let past = |_| Ok::<_, Infallible>(None);
        let Ok(()) = self.lane.name(&heads, (address(0), &mut self.engine), &mut self.own, past);
    }

    /// The marks under which a window is judged, in milliseconds after [`FIRST_MS`].
    fn marks(&self, segment: u64, index: u64) -> Vec<u64> {
        let of = self.engine.slots().filter(|(_, slot)| slot.epoch == EpochKey { segment, index });
        of.map(|(_, slot)| slot.name.mark - FIRST_MS).collect()
    }
}

#[test]
fn what_is_final_in_another_life_of_the_publisher_is_no_window_of_this_one() {
    // twice the tolerance, and above
    for (later_ms, expected) in [(34_000, vec![0]), (34_001, vec![34_001])] {
        let mut witness = Witness::new([epoch(0, 0, later_ms), epoch(0, 1, later_ms + MINUTE_MS)]);
        let old = witness.propose(1, 0, epoch(0, 0, 0));
        witness.finalize(old);
        // somebody goes on with the old session
        witness.propose(2, 0, epoch(0, 1, later_ms + MINUTE_MS));
        witness.name(0);
        assert_eq!(witness.marks(0, 1), [0], "{later_ms}");
        assert_eq!(witness.marks(0, 0), expected, "one of its own is opened");
    }
}

#[test]
fn the_last_final_observation_names_a_settled_segment_anew() {
    let at_ms = |index: u64| MINUTE_MS * index;
    let mut witness = Witness::new((0..3).map(|index| epoch(0, index, at_ms(index))));
    let first = witness.propose(1, 0, epoch(0, 0, 0));
    witness.finalize(first);
    witness.name(0);
    assert_eq!(witness.marks(0, 2), [0]);
    let second = witness.propose(2, at_ms(1), epoch(0, 1, at_ms(1)));
    witness.finalize(second);
    witness.name(0);
    assert_eq!((witness.marks(0, 1), witness.marks(0, 2)), (vec![at_ms(1)], vec![at_ms(1)]));
    assert_eq!(witness.marks(0, 0), [0], "what is done is done");
}

#[test]
fn a_window_that_stands_in_two_sessions_has_rounds_though_its_segment_is_settled() {
    let window = || epoch(0, 1, MINUTE_MS);
    // index 1: the witness of seat 1 leads round 0, that of seat 0 leads round 2
    let settled = || {
        let mut witness = Witness::new([epoch(0, 0, 0), window()]);
        let first = witness.propose(1, 0, epoch(0, 0, 0));
        witness.finalize(first);
        witness.propose(2, 0, window());
        witness
    };
    let mut alone = settled();
    alone.name(2);
    assert_eq!(alone.marks(0, 1), [0], "nobody is split");
    let mut follows = settled();
    let opened_ms = MINUTE_MS + 7;
    follows.propose(1, opened_ms, epoch(0, 1, opened_ms));
    let mut equal = settled();
    equal.propose(1, opened_ms, DerivedEpoch { time: Ok(FIRST_MS + opened_ms), ..window() });
    follows.name(0);
    assert_eq!(follows.marks(0, 1), [0], "the leader's content is another");
    equal.name(0);
    assert_eq!(equal.marks(0, 1), [0, opened_ms]);
    equal.name(2);
    assert_eq!(equal.marks(0, 1), [0, MINUTE_MS], "it leads");
    equal.name(2);
    assert_eq!(equal.marks(0, 1), [0], "once a cycle");
    let header = equal.propose(2, 0, DerivedEpoch { time: Ok(FIRST_MS + MINUTE_MS + 1), ..window() });
    equal.finalize(header);
    equal.name(5);
    assert_eq!(equal.marks(0, 1), [0], "decided");
}

#[test]
fn a_window_whose_vote_is_spent_on_another_has_rounds() {
    let at = |at_ms: u64| DerivedEpoch { time: Ok(FIRST_MS + at_ms), ..epoch(0, 1, MINUTE_MS) };
    // twice the tolerance, and above
    for (voted, expected) in [
        (at(MINUTE_MS + 34_000), vec![0]),
        (at(MINUTE_MS + 34_001), vec![0, MINUTE_MS]),
        (epoch(0, 1, MINUTE_MS + 1), vec![0, MINUTE_MS]),
    ] {
        let mut witness = Witness::new([epoch(0, 0, 0), epoch(0, 1, MINUTE_MS)]);
        let first = witness.propose(1, 0, epoch(0, 0, 0));
        witness.finalize(first);
        let header = witness.propose(2, 0, voted);
        // somebody goes on with the session
        witness.propose(1, 0, at(MINUTE_MS + 2));
        witness.name(0);
        witness.engine.set_vote(SlotKey::of(&header), header, OwnVote::Cast);
        witness.name(2);
        assert_eq!(witness.marks(0, 1), expected, "{header:?}");
    }
}

#[test]
fn a_segment_lets_go_of_its_own_slots_only() {
    // a record cut the epoch 1 in two, and both halves are judged in one slot
    let half = |segment| DerivedEpoch { complete: false, ..epoch(segment, 1, MINUTE_MS) };
    let at_ms = |index: u64| MINUTE_MS * index;
    let mut witness = Witness::new([epoch(0, 0, 0), half(0), half(1), epoch(1, 2, at_ms(2))]);
    let first = witness.propose(1, 0, epoch(0, 0, 0));
    witness.finalize(first);
    witness.name(0);
    assert_eq!((witness.marks(0, 1), witness.marks(1, 1)), (vec![0], vec![]));
    let second = witness.propose(2, at_ms(2), epoch(1, 2, at_ms(2)));
    witness.finalize(second);
    witness.name(0);
    witness.name(0);
    assert_eq!((witness.marks(0, 1), witness.marks(1, 1)), (vec![0], vec![at_ms(2)]));
}
