//! Until when what was decided of slots stays as it is, so that a turn costs what is new and not what stands.

use super::{decision::Agreement, rounds::Phase, situation::Situation};
use ec_ledger::Slot;

/// What ends the rest of a slot, or of all slots of a stream, beside a change: of the stream on the ledger, of the set, of
/// the ledger's liveness, or of what is known here. `u64::MAX` is never.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Rest {
    /// The time of a head, Unix milliseconds.
    chain_ms: u64,
    /// The own monotonic clock, milliseconds.
    own_ms: u64,
    /// The number of a finalized head, at which what is final is final for good.
    pub(super) block: u64,
}

impl Rest {
    /// Nothing but a change.
    pub(super) const FOR_EVER: Self = Self { chain_ms: u64::MAX, own_ms: u64::MAX, block: u64::MAX };

    /// Of what is final since this block.
    pub(super) fn of_final(block: u64) -> Self {
        Self { block, ..Self::FOR_EVER }
    }

    /// Of a vote that counts in this slot, which is in this phase: until that may be another, and until the own clock shows
    /// `own_ms`, if that matters.
    pub(super) fn of_vote(
        phase: Phase,
        slot: Option<&Slot>,
        own_ms: Option<u64>,
        situation: &Situation<'_>,
        agreement: &Agreement,
    ) -> Self {
        let chain_ms = phase.until_ms(Situation::first_ms(slot), situation.head_ms, agreement);
        Self { chain_ms: chain_ms.unwrap_or(u64::MAX), own_ms: own_ms.unwrap_or(u64::MAX), ..Self::FOR_EVER }
    }

    /// Of both: what ends one of them ends this.
    pub(super) fn and(self, other: Self) -> Self {
        Self {
            chain_ms: self.chain_ms.min(other.chain_ms),
            own_ms: self.own_ms.min(other.own_ms),
            block: self.block.min(other.block),
        }
    }

    /// Whether time has ended it.
    pub(super) fn is_over(&self, situation: &Situation<'_>) -> bool {
        self.chain_ms <= situation.head_ms || self.own_ms <= situation.now_ms
    }
}
