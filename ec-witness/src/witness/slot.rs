//! One slot: where it stands, and what its judging comes to.

use std::ops::RangeInclusive;

use alloy::primitives::{Address, B256};
use ec_ledger::{Candidate, Final, Slot};
use ec_observation::{
    Ballot, ContentHash, EpochKey, EpochName, ObservationHash, ObservationHeader, SlotId, StreamHash, VoteKind,
};
use serde::Serialize;
use strum::{IntoStaticStr, VariantArray};

use super::{
    decision::{
        Agreement, Clock, Comparison, Decision, Membership, OwnEpoch, OwnVote, Proposing, Seen, SeenCandidate, decide,
    },
    rest::Rest,
    rounds::Phase,
    situation::Situation,
};

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

    /// Every key of a stream.
    pub(super) fn all_of(stream: StreamHash) -> RangeInclusive<Self> {
        let first = Self { stream, sequence: 0, slot: SlotId::ZERO };
        first..=Self { stream, sequence: u64::MAX, slot: SlotId(B256::repeat_byte(0xff)) }
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

/// What is kept of a header that is recorded: there are as many as slots that are judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Voted {
    /// The header's hash.
    pub observation: ObservationHash,
    /// Its content's hash.
    pub content: ContentHash,
    /// Its time, Unix milliseconds.
    pub observed_unix_ms: u64,
}

impl Voted {
    pub(super) fn of(header: &ObservationHeader) -> Self {
        Self { observation: header.hash(), content: header.content().hash(), observed_unix_ms: header.observed_unix_ms }
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
    pub voted: Option<Voted>,
    /// Where it stands.
    pub state: SlotState,
    /// The final observation, if it is final.
    pub finalized: Option<ObservationHash>,
    /// When its epoch closed, on the daemon's clock.
    pub closed_ms: u64,
    entered_ms: Option<u64>,
    /// When each candidate was first seen: there are few.
    first_seen: Vec<(ObservationHash, u64)>,
    /// The beginning of the round in which its vote was moved last, in the chain's time.
    moved_in: Option<u64>,
    /// Whether the segment's session is another, so that the own vote is only seen through.
    pub(super) superseded: bool,
    /// Until when it comes to the same, if nothing changes; `None` where it is to be judged in the next turn.
    pub(super) rest: Option<Rest>,
    /// Whether it still takes a place in the window.
    pub(super) in_window: bool,
    /// When a candidate was first seen to have the quorum's votes without being final, or `finalize` was called last.
    ripe_ms: Option<u64>,
    /// How often `finalize` was called since.
    finalize_calls: u32,
}

impl JudgedSlot {
    /// The time that its header would have from here, Unix milliseconds; `None` where the epoch's records conflict.
    pub fn observed_unix_ms(&self) -> Option<u64> {
        match self.own {
            OwnEpoch::Derived { observed_unix_ms, .. } => Some(observed_unix_ms),
            OwnEpoch::Conflicting => None,
        }
    }

    /// A slot that is not judged yet. `past` is the own vote history of it.
    pub(super) fn new(admitted: Admitted, past: Option<(ObservationHeader, OwnVote)>) -> Self {
        let Admitted { epoch, name, proposing, own, closed_ms } = admitted;
        Self {
            epoch,
            name,
            proposing,
            own,
            vote: past.map_or(OwnVote::None, |(_, vote)| vote),
            voted: past.map(|(header, _)| Voted::of(&header)),
            state: SlotState::Open,
            finalized: None,
            closed_ms,
            entered_ms: None,
            first_seen: Vec::new(),
            moved_in: None,
            superseded: false,
            rest: None,
            in_window: true,
            ripe_ms: None,
            finalize_calls: 0,
        }
    }

    /// Judges it; returns the vote to cast, if one is due.
    pub(super) fn judge(
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
        let (found, finalized) = (ledger.slot(key.slot), ledger.final_of(key.stream, key.sequence, key.slot));
        let seen = self.see(key, (found, finalized), situation, agreement);
        let counted = found.and_then(|slot| slot.vote_of(ledger.seat_of(me)));
        let vote = self.vote_now(counted);
        let decision = decide(&self.own, &seen, membership, &clock, &vote, self.proposing, agreement);
        self.finalized = finalized.map(|finalized| finalized.hash);
        self.state = state_of(&decision, clock.is_disputed(agreement));
        if self.superseded && !matches!(decision, Decision::Final(_)) {
            self.state = SlotState::Superseded;
        }
        self.in_window = counted.is_none() && matches!(self.state, SlotState::Waiting | SlotState::Voted);
        self.rest = match (decision, finalized) {
            (Decision::Final(_), Some(finalized)) => Some(Rest::of_final(finalized.finality().block)),
            _ if self.ripe_ms.is_some() || found.is_some_and(|found| ripe(found, situation).is_some()) => None,
            (Decision::Abstain, _) => Some(Rest::FOR_EVER),
            // else it has still to be found out whether all of it is executed
            (Decision::Voted, _)
                if counted.is_some() && (seen.phase == Phase::Before || matches!(self.vote, OwnVote::Executed(_))) =>
            {
                let disputed_ms = clock.disputed_from_ms(agreement);
                Some(Rest::of_vote(seen.phase, found, disputed_ms, situation, agreement))
            }
            _ => None,
        };
        self.ballot(decision, &seen)
    }

    /// The vote to cast, if that is what was decided.
    fn ballot(&mut self, decision: Decision, seen: &Seen) -> Option<Ballot> {
        match decision {
            _ if self.superseded => None,
            Decision::Attest(header) => Some(Ballot { header, vote: VoteKind::Attest }),
            Decision::Propose { header, candidates_seen } => {
                Some(Ballot { header, vote: VoteKind::Propose { candidates_seen } })
            }
            Decision::Move { from, to, candidates_seen } => {
                self.moved_in = seen.phase.round().map(|round| round.began_ms);
                Some(Ballot { header: to, vote: VoteKind::Move { from: from.choice(), candidates_seen } })
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

    /// The candidate to finalize, `turn_ms` after it was first seen to be ripe and again after twice as long each time:
    /// a call that changes nothing costs as much as one that does.
    pub(super) fn ripe(
        &mut self,
        slot: SlotId,
        situation: &Situation<'_>,
        turn_ms: u64,
    ) -> Option<(SlotId, ObservationHash)> {
        let Some(candidate) = situation.ledger.slot(slot).and_then(|slot| ripe(slot, situation)) else {
            (self.ripe_ms, self.finalize_calls) = (None, 0);
            return None;
        };
        let since_ms = *self.ripe_ms.get_or_insert(situation.now_ms);
        let wait_ms = turn_ms.saturating_mul(1u64.checked_shl(self.finalize_calls).unwrap_or(u64::MAX));
        if situation.now_ms.saturating_sub(since_ms) < wait_ms {
            return None;
        }
        self.ripe_ms = Some(situation.now_ms);
        self.finalize_calls = self.finalize_calls.saturating_add(1);
        Some((slot, candidate.hash))
    }

    /// The slot as the ledger shows it, which holds this and has this final.
    fn see(
        &mut self,
        key: SlotKey,
        (found, finalized): (Option<&Slot>, Option<Final>),
        situation: &Situation<'_>,
        agreement: &Agreement,
    ) -> Seen {
        let Situation { ledger, set, now_ms, .. } = *situation;
        let phase = situation.phase(found, agreement);
        let candidates = found.map(|slot| slot.candidates.as_slice()).unwrap_or_default();
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
            first_seen_ms: first_seen_ms(&mut self.first_seen, candidate.hash, now_ms),
        };
        Seen {
            finalized: finalized.map(|finalized| finalized.content),
            candidates: candidates.into_iter().map(see).collect(),
            parent: ledger.newest_final_below(key.stream, key.sequence),
            phase,
        }
    }
}

/// The candidate that has the quorum's votes and yet is not final.
fn ripe<'a>(slot: &'a Slot, Situation { set, .. }: &Situation<'_>) -> Option<&'a Candidate> {
    let is_open = slot.finalized.is_none() && set.quorum > 0;
    slot.candidates.iter().find(|candidate| is_open && set.votes_for(candidate) >= set.quorum)
}

/// When a candidate was first seen: now, if it never was.
fn first_seen_ms(first_seen: &mut Vec<(ObservationHash, u64)>, hash: ObservationHash, now_ms: u64) -> u64 {
    let known = first_seen.iter().find(|(known, _)| *known == hash).map(|(_, ms)| *ms);
    known.unwrap_or_else(|| {
        // most slots have one candidate
        first_seen.reserve_exact(1);
        first_seen.push((hash, now_ms));
        now_ms
    })
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
    use super::*;

    #[test]
    fn a_state_has_the_same_word_in_metrics_and_in_json() {
        let words: Vec<_> = SlotState::ALL.iter().map(|state| state.name()).collect();
        assert_eq!(words.join(" "), "open waiting voted finalized mismatch disputed conflicting abstained superseded");
        assert_eq!(serde_json::to_value(SlotState::ALL).unwrap(), serde_json::to_value(words).unwrap());
    }
}
