//! What the log tells of.

use alloy::primitives::Address;
use ec_observation::{ObservationHash, ObservationHeader, SlotId};

/// An event that changes a slot, of `EveryChannelObservationLedger`, or who votes for a seat, of its registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LedgerEvent {
    /// A header became a candidate; also the proposer's vote for it.
    Proposed {
        /// Who proposed.
        proposer: Address,
        /// The header.
        header: ObservationHeader,
        /// The block's timestamp, Unix seconds.
        timestamp_s: u64,
    },
    /// A vote for a candidate.
    Attested {
        /// The slot.
        slot: SlotId,
        /// The candidate.
        observation: ObservationHash,
        /// Who voted.
        witness: Address,
    },
    /// A vote left one candidate for another of the same content. Where that is a new one, its proposal comes right before
    /// this, and both tell of one vote.
    Moved {
        /// The slot.
        slot: SlotId,
        /// The candidate that had the vote.
        from: ObservationHash,
        /// The one that has it.
        to: ObservationHash,
        /// Whose vote it is.
        witness: Address,
    },
    /// A seat passed from one address to another, with its votes.
    Rotated {
        /// The address before.
        from: Address,
        /// The address from here on.
        to: Address,
    },
    /// A candidate reached the quorum.
    Finalized {
        /// The slot.
        slot: SlotId,
        /// The candidate.
        observation: ObservationHash,
    },
}
