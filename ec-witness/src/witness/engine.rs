//! Every slot that one witness judges, between what its archive says, what the ledger shows and what it voted.
//!
//! Sans-I/O: epochs come in, the ledger is shown, decisions come out. The daemon and the simulation drive the same
//! engine.

use std::collections::{BTreeMap, HashMap};

use alloy::primitives::{Address, B256};
use ec_ledger::{Candidate, LedgerState, WitnessSet};
use ec_observation::{Ballot, EpochKey, EpochName, ObservationHash, ObservationHeader, SlotId, StreamHash, VoteKind};
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

use super::{
    decision::{
        Agreement, Clock, Comparison, Decision, Membership, OwnEpoch, OwnVote, Proposing, Seen, SeenCandidate, decide,
    },
    rounds::Phase,
};

/// How the set looks from one witness: one whose seat is another address's by now is no member.
pub fn membership_of(set: &WitnessSet, ledger: &LedgerState, witness: Address) -> Membership {
    let position = ledger.seat_held_by(witness).and_then(|seat| set.position(seat));
    Membership { position, witness_count: set.active.len(), quorum: set.quorum }
}

/// What one judging rests on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// The ledger at the block that is judged.
    pub ledger: &'a LedgerState,
    /// The active set at that block.
    pub set: &'a WitnessSet,
    /// That block's time, Unix milliseconds.
    pub head_ms: u64,
    /// Now, on the own monotonic clock.
    pub now_ms: u64,
    /// Since when the ledger has been live without a break; `None` while it is not.
    pub live_since_ms: Option<u64>,
}

/// A slot's key: slots of a stream are judged by ascending sequence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotKey {
    /// The stream.
    pub stream: StreamHash,
    /// `mark + index`: the epoch's index on the timeline.
    pub sequence: u64,
    /// The slot: in a lane, epochs of two sessions may have one sequence.
    pub slot: SlotId,
}

impl SlotKey {
    /// The key of a header's slot.
    pub fn of(header: &ObservationHeader) -> Self {
        Self { stream: header.stream_hash, sequence: header.sequence, slot: header.slot() }
    }

    /// Below every key of a stream.
    fn begin(stream: StreamHash) -> Self {
        Self { stream, sequence: 0, slot: SlotId::ZERO }
    }

    /// Above every key of a stream.
    fn end(stream: StreamHash) -> Self {
        Self { stream, sequence: u64::MAX, slot: SlotId(B256::repeat_byte(0xff)) }
    }
}

/// Where a slot stands, as `status` and `run --once` show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, IntoStaticStr, VariantArray)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum SlotState {
    /// Its epoch is not closed, or it is not judged yet.
    Open,
    /// It is judged; no vote is cast yet.
    Waiting,
    /// The own vote is cast.
    Voted,
    /// It is final, with the own content.
    Finalized,
    /// It is final, with other content than the own complete epoch has.
    Mismatch,
    /// It stayed undecided for too long; it is still judged.
    Disputed,
    /// The own epoch holds conflicting records, so nobody here votes.
    Conflicting,
    /// It is final without the own vote, and the own epoch is incomplete.
    Abstained,
    /// The own vote is cast, and the segment's session has turned out to be another.
    Superseded,
}

impl SlotState {
    /// Every state.
    pub const ALL: &[Self] = Self::VARIANTS;

    /// Its name, in metrics and tables.
    pub fn name(self) -> &'static str {
        self.into()
    }

    /// Whether nothing more is expected of the slot.
    pub fn is_outcome(self) -> bool {
        !matches!(self, Self::Open | Self::Waiting | Self::Voted)
    }
}

/// One slot's place in the engine.
#[derive(Clone, Debug)]
pub struct JudgedSlot {
    /// Where its epoch stands in the archive.
    pub epoch: EpochKey,
    /// Its epoch's name.
    pub name: EpochName,
    /// When this witness may propose in it.
    pub proposing: Proposing,
    /// What the archive says.
    pub own: OwnEpoch,
    /// The own vote.
    pub vote: OwnVote,
    /// The newest header recorded for it.
    pub voted: Option<ObservationHeader>,
    /// Where it stands.
    pub state: SlotState,
    /// What was decided last.
    pub decision: Option<Decision>,
    /// The final observation, if it is final.
    pub finalized: Option<ObservationHash>,
    /// When its epoch closed, on the daemon's clock.
    pub closed_ms: u64,
    entered_ms: Option<u64>,
    first_seen: HashMap<ObservationHash, u64>,
    /// The beginning of the round in which its vote was moved last, in the chain's time.
    moved_in: Option<u64>,
    /// Whether the segment's session is another, so that the own vote is only seen through.
    superseded: bool,
    /// Whether it still takes a place in the window.
    in_window: bool,
    /// When a candidate was first seen to have the quorum's votes without being final, or `finalize` was called last.
    ripe_ms: Option<u64>,
}

/// A closed epoch by which a slot is to be judged.
#[derive(Clone, Copy, Debug)]
pub struct Admitted {
    /// Where it stands in the archive.
    pub epoch: EpochKey,
    /// Its name on the ledger.
    pub name: EpochName,
    /// When this witness may propose it.
    pub proposing: Proposing,
    /// What the archive says.
    pub own: OwnEpoch,
    /// When it closed, on the own clock.
    pub closed_ms: u64,
}

/// What became of an epoch that was handed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// A new slot.
    New,
    /// The slot is judged by what came now.
    Updated,
    /// It was voted for already; what came now is too late.
    Late,
}

/// The slots that a witness judges.
#[derive(Clone, Debug)]
pub struct Engine {
    me: Address,
    agreement: Agreement,
    slots: BTreeMap<SlotKey, JudgedSlot>,
}

impl Engine {
    /// An engine for the witness `me`.
    pub fn new(me: Address, agreement: Agreement) -> Self {
        Self { me, agreement, slots: BTreeMap::new() }
    }

    /// The agreement's constants.
    pub fn agreement(&self) -> &Agreement {
        &self.agreement
    }

    /// Takes in a closed epoch, or a new derivation of one. `past` is the own vote history of the slot.
    pub fn admit(&mut self, key: SlotKey, admitted: Admitted, past: Option<(ObservationHeader, OwnVote)>) -> Admission {
        let Admitted { epoch, name, proposing, own, closed_ms } = admitted;
        if let Some(judged) = self.slots.get_mut(&key) {
            (judged.proposing, judged.superseded) = (proposing, false);
            if judged.own == own {
                return Admission::Updated;
            }
            if judged.voted.is_some() {
                return Admission::Late;
            }
            judged.own = own;
            return Admission::Updated;
        }
        let judged = JudgedSlot {
            epoch,
            name,
            proposing,
            own,
            vote: past.map_or(OwnVote::None, |(_, vote)| vote),
            voted: past.map(|(header, _)| header),
            state: SlotState::Open,
            decision: None,
            finalized: None,
            closed_ms,
            entered_ms: None,
            first_seen: HashMap::new(),
            moved_in: None,
            superseded: false,
            in_window: true,
            ripe_ms: None,
        };
        self.slots.insert(key, judged);
        Admission::New
    }

    /// Notes that a vote is recorded, or what became of it.
    pub fn set_vote(&mut self, key: SlotKey, header: ObservationHeader, vote: OwnVote) {
        if let Some(judged) = self.slots.get_mut(&key) {
            judged.voted = Some(header);
            judged.vote = vote;
        }
    }

    /// Judges a slot from now on, whose epoch may be proposed as this says; false for one that is not judged.
    pub fn propose_as(&mut self, key: SlotKey, proposing: Proposing) -> bool {
        let judged = self.slots.get_mut(&key);
        judged.map(|judged| (judged.proposing, judged.superseded) = (proposing, false)).is_some()
    }

    /// Lets go of a slot whose segment has another session: nothing is voted there any more, and a vote that was cast is
    /// only seen through.
    pub fn supersede(&mut self, key: SlotKey) {
        match self.slots.get_mut(&key) {
            Some(judged) if judged.voted.is_some() => judged.superseded = true,
            _ => _ = self.slots.remove(&key),
        }
    }

    /// Lets go of a slot for good.
    pub fn remove(&mut self, key: SlotKey) -> Option<JudgedSlot> {
        self.slots.remove(&key)
    }

    /// Judges every slot and returns the votes to cast, oldest slots first.
    pub fn judge(&mut self, situation: &Situation<'_>) -> Vec<Ballot> {
        let membership = membership_of(situation.set, situation.ledger, self.me);
        let Self { me, agreement, slots } = self;
        let judge = |(key, slot): (&SlotKey, &mut JudgedSlot)| slot.judge(*key, *me, &membership, situation, agreement);
        slots.iter_mut().filter_map(judge).collect()
    }

    /// The open slots with an own vote of which it matters whether all of it is executed: the ledger does not count it, or
    /// it may move.
    pub fn open_votes(&self, situation: &Situation<'_>) -> Vec<SlotKey> {
        let ledger = situation.ledger;
        let seat = ledger.seat_of(self.me);
        let is_counted = |slot| ledger.slot(slot).is_some_and(|slot| slot.vote_of(seat).is_some());
        let may_move = |slot| phase(slot, situation, &self.agreement) != Phase::Before;
        let open = self.slots.iter().filter(|(_, slot)| slot.voted.is_some() && slot.finalized.is_none());
        open.filter(|(key, _)| !is_counted(key.slot) || may_move(key.slot)).map(|(key, _)| *key).collect()
    }

    /// Slots in which a candidate has the quorum's votes and yet is not final, as after a change of the set: anyone may
    /// call `finalize` for them, and this witness should now, each at its turn.
    pub fn ripe(&mut self, situation: &Situation<'_>) -> Vec<(SlotId, ObservationHash)> {
        let membership = membership_of(situation.set, situation.ledger, self.me);
        let Self { agreement, slots, .. } = self;
        let ripe = |(key, slot): (&SlotKey, &mut JudgedSlot)| {
            let turn_ms = (membership.rank(key.sequence)? + 1).saturating_mul(agreement.propose_stagger_ms);
            slot.ripe(key.slot, situation, turn_ms)
        };
        slots.iter_mut().filter_map(ripe).collect()
    }

    /// Drops the slots whose outcome stands at the finalized head and returns them.
    pub fn take_done(&mut self, ledger: &LedgerState, finalized_head: u64) -> Vec<(SlotKey, JudgedSlot)> {
        let done = |key: &SlotKey, slot: &mut JudgedSlot| {
            let found = ledger.final_of(key.stream, key.sequence, key.slot);
            slot.state.is_outcome() && found.is_some_and(|found| found.is_final_at(finalized_head))
        };
        self.slots.extract_if(.., done).collect()
    }

    /// Drops a stream's slots that `withheld` names, that are incomplete here and not voted for: what is missing of them
    /// can no longer be known. Returns how many.
    pub fn withdraw(&mut self, stream: StreamHash, withheld: impl Fn(EpochKey) -> bool) -> usize {
        let incomplete = |own: &OwnEpoch| !matches!(own, OwnEpoch::Derived { complete: true, .. });
        let range = SlotKey::begin(stream)..=SlotKey::end(stream);
        let withdrawn =
            |_: &SlotKey, slot: &mut JudgedSlot| slot.voted.is_none() && incomplete(&slot.own) && withheld(slot.epoch);
        self.slots.extract_if(range, withdrawn).count()
    }

    /// The slots, by stream and sequence.
    pub fn slots(&self) -> impl Iterator<Item = (&SlotKey, &JudgedSlot)> {
        self.slots.iter()
    }

    /// One slot.
    pub fn slot(&self, key: SlotKey) -> Option<&JudgedSlot> {
        self.slots.get(&key)
    }

    /// Slots of a stream whose epochs stand below `epoch`, and that take a place in the window.
    pub fn undecided_below(&self, stream: StreamHash, epoch: EpochKey) -> usize {
        let range = SlotKey::begin(stream)..=SlotKey::end(stream);
        self.slots.range(range).filter(|(_, slot)| slot.in_window && slot.epoch < epoch).count()
    }
}

impl JudgedSlot {
    fn judge(
        &mut self,
        key: SlotKey,
        me: Address,
        membership: &Membership,
        situation: &Situation<'_>,
        agreement: &Agreement,
    ) -> Option<Ballot> {
        let Situation { ledger, now_ms, live_since_ms, .. } = *situation;
        let clock = Clock {
            now_ms,
            closed_ms: self.closed_ms,
            entered_ms: *self.entered_ms.get_or_insert(now_ms),
            live_since_ms,
        };
        let seen = self.see(key, situation, agreement);
        let counted = ledger.slot(key.slot).and_then(|slot| slot.vote_of(ledger.seat_of(me)));
        let vote = self.vote_now(counted);
        let decision = decide(&self.own, &seen, membership, &clock, &vote, self.proposing, agreement);
        self.finalized = ledger.final_of(key.stream, key.sequence, key.slot).map(|found| found.hash);
        self.state = state_of(&decision, clock.is_disputed(agreement));
        if self.superseded && !matches!(decision, Decision::Final(_)) {
            self.state = SlotState::Superseded;
        }
        self.in_window = counted.is_none() && matches!(self.state, SlotState::Waiting | SlotState::Voted);
        self.decision = Some(decision);
        match decision {
            _ if self.superseded => None,
            Decision::Attest(header) => Some(Ballot { header, vote: VoteKind::Attest }),
            Decision::Propose { header, candidates_seen } => {
                Some(Ballot { header, vote: VoteKind::Propose { candidates_seen } })
            }
            Decision::Move { from, to, candidates_seen } => {
                self.moved_in = seen.phase.round().map(|round| round.began_ms);
                Some(Ballot { header: to, vote: VoteKind::Move { from, candidates_seen } })
            }
            Decision::Final(_) | Decision::Voted | Decision::Wait(_) | Decision::Abstain => None,
        }
    }

    /// The own vote, of which the ledger counts this.
    fn vote_now(&self, counted: Option<&Candidate>) -> OwnVote {
        match (counted, self.vote) {
            (Some(candidate), OwnVote::Executed(_)) => {
                OwnVote::Counted { candidate: candidate.hash, moved_in: self.moved_in }
            }
            (Some(_), _) => OwnVote::Cast,
            (None, vote) => vote,
        }
    }

    /// The candidate to finalize, `turn_ms` after it was first seen to be ripe and again after as long.
    fn ripe(&mut self, slot: SlotId, situation: &Situation<'_>, turn_ms: u64) -> Option<(SlotId, ObservationHash)> {
        let set = situation.set;
        let found = situation.ledger.slot(slot).filter(|slot| slot.finalized.is_none() && set.quorum > 0);
        let candidate =
            found.and_then(|slot| slot.candidates.iter().find(|candidate| set.votes_for(candidate) >= set.quorum));
        let Some(candidate) = candidate else {
            self.ripe_ms = None;
            return None;
        };
        let since_ms = *self.ripe_ms.get_or_insert(situation.now_ms);
        if situation.now_ms.saturating_sub(since_ms) < turn_ms {
            return None;
        }
        self.ripe_ms = Some(situation.now_ms);
        Some((slot, candidate.hash))
    }

    fn see(&mut self, key: SlotKey, situation: &Situation<'_>, agreement: &Agreement) -> Seen {
        let Situation { ledger, set, now_ms, .. } = *situation;
        let phase = phase(key.slot, situation, agreement);
        let candidates = ledger.slot(key.slot).map(|slot| slot.candidates.as_slice()).unwrap_or_default();
        let in_lane = ledger.lane(key.stream).is_some();
        let right_from = |candidate: &Candidate| ledger.parent_right_from(candidate, agreement.parent_window);
        let mut candidates: Vec<_> = candidates.iter().map(|candidate| (right_from(candidate), candidate)).collect();
        // the sort is stable; candidates whose parent is not right come first and are passed over
        candidates.sort_by_key(|(right_from, _)| *right_from);
        let see = |(right_from, candidate): (Option<u64>, &Candidate)| SeenCandidate {
            hash: candidate.hash,
            header: candidate.header,
            proposer: set.position(candidate.proposer),
            active_votes: set.votes_for(candidate),
            // in a lane, a header of no session is never acceptable
            parent_is_right: right_from.is_some() && (candidate.name.is_some() || !in_lane),
            first_seen_ms: *self.first_seen.entry(candidate.hash).or_insert(now_ms),
        };
        Seen {
            finalized: ledger.final_of(key.stream, key.sequence, key.slot).map(|found| found.content),
            candidates: candidates.into_iter().map(see).collect(),
            parent: ledger.newest_final_below(key.stream, key.sequence),
            phase,
        }
    }
}

/// Where a slot stands in its rounds.
fn phase(slot: SlotId, situation: &Situation<'_>, agreement: &Agreement) -> Phase {
    let first = situation.ledger.slot(slot).and_then(|slot| slot.candidates.first());
    let first_ms = first.map(|first| first.timestamp_s.saturating_mul(1000));
    Phase::at(first_ms, situation.head_ms, agreement, situation.set.active.len())
}

fn state_of(decision: &Decision, disputed: bool) -> SlotState {
    match decision {
        Decision::Final(Comparison::Equal) => SlotState::Finalized,
        Decision::Final(Comparison::Mismatch) => SlotState::Mismatch,
        Decision::Final(Comparison::NotComparable) => SlotState::Abstained,
        Decision::Abstain => SlotState::Conflicting,
        _ if disputed => SlotState::Disputed,
        Decision::Voted | Decision::Move { .. } => SlotState::Voted,
        Decision::Attest(_) | Decision::Propose { .. } | Decision::Wait(_) => SlotState::Waiting,
    }
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;

    use ec_ledger::LedgerEvent;
    use ec_observation::{Content, EpochHash};
    use ec_rpc::BlockRef;

    use super::*;

    const ME: Address = Address::with_last_byte(1);
    const OTHER: Address = Address::with_last_byte(2);

    #[test]
    fn a_state_has_the_same_word_in_metrics_and_in_json() {
        let words: Vec<_> = SlotState::ALL.iter().map(|state| state.name()).collect();
        assert_eq!(words.join(" "), "open waiting voted finalized mismatch disputed conflicting abstained superseded");
        assert_eq!(serde_json::to_value(SlotState::ALL).unwrap(), serde_json::to_value(words).unwrap());
    }

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
}
