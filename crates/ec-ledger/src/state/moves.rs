//! Votes that move between candidates, and back.

use ec_observation::{ObservationHash, SlotId};
use serde::{Deserialize, Serialize};

use super::LedgerState;
use crate::seats::Seat;

/// A vote that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Move {
    slot: SlotId,
    seat: Seat,
    from: ObservationHash,
    to: ObservationHash,
    /// Its place among the voters of `from`; `None` where that was a stray, which is not kept.
    place: Option<usize>,
    /// Whether the proposal of `to` had given the vote to it already.
    proposed: bool,
}

impl Move {
    pub(super) fn slot(&self) -> SlotId {
        self.slot
    }
}

impl LedgerState {
    /// Takes a seat's vote from one candidate to another; `None` where that one is not kept, as in a stream that is not
    /// followed.
    pub(super) fn move_vote(
        &mut self,
        slot: SlotId,
        seat: Seat,
        from: ObservationHash,
        to: ObservationHash,
    ) -> Option<Move> {
        let proposed = self.slot(slot)?.candidate(to)?.voters.contains(&seat);
        let voters = self.candidate_mut(slot, from).map(|candidate| &mut candidate.voters);
        let place = voters.and_then(|voters| {
            let place = voters.iter().position(|voter| *voter == seat)?;
            voters.remove(place);
            Some(place)
        });
        if !proposed {
            self.candidate_mut(slot, to)?.voters.push(seat);
        }
        Some(Move { slot, seat, from, to, place, proposed })
    }

    /// The inverse of [`Self::move_vote`], for the last thing that happened to its slot.
    pub(super) fn move_back(&mut self, Move { slot, seat, from, to, place, proposed }: Move) {
        if !proposed {
            self.candidate_mut(slot, to).map(|candidate| candidate.voters.pop());
        }
        if let Some((candidate, place)) = self.candidate_mut(slot, from).zip(place) {
            candidate.voters.insert(place, seat);
        }
    }
}
