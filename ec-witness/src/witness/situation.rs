//! What one judging rests on, beside the archive and the vote store.

use alloy::primitives::Address;
use ec_ledger::{LedgerState, Slot, WitnessSet};

use super::{
    decision::{Agreement, Membership},
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

impl Situation<'_> {
    /// Where a slot stands in its rounds that holds this.
    pub(super) fn phase(&self, slot: Option<&Slot>, agreement: &Agreement) -> Phase {
        Phase::at(Self::first_ms(slot), self.head_ms, agreement, self.set.active.len())
    }

    /// The block time of the first proposal in a slot that holds this, Unix milliseconds.
    pub(super) fn first_ms(slot: Option<&Slot>) -> Option<u64> {
        let first = slot.and_then(|slot| slot.candidates.first());
        first.map(|first| first.timestamp_s.saturating_mul(1000))
    }
}
