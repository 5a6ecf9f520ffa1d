//! Votes that move between candidates, and back.

use ec_observation::{ObservationHash, SlotId};

use super::LedgerState;
use crate::seats::Seat;

/// A vote that moved.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Move {
    slot: SlotId,
    seat: Seat,
    from: ObservationHash,
    to: ObservationHash,
    /// Its place among the voters of `from`.
    place: usize,
    /// Whether the proposal of `to` had given the vote to it already.
    proposed: bool,
}

impl LedgerState {
    /// Takes a seat's vote from one candidate to another; `None` where it is not there, as in a slot that is not followed.
    pub(super) fn move_vote(
        &mut self,
        slot: SlotId,
        seat: Seat,
        from: ObservationHash,
        to: ObservationHash,
    ) -> Option<Move> {
        let place = self.slot(slot)?.candidate(from)?.voters.iter().position(|voter| *voter == seat)?;
        let proposed = self.slot(slot)?.candidate(to)?.voters.contains(&seat);
        self.candidate_mut(slot, from)?.voters.remove(place);
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
        if let Some(candidate) = self.candidate_mut(slot, from) {
            candidate.voters.insert(place, seat);
        }
    }
}
