//! The votes of one witness, by whichever address of its seat.

use alloy::primitives::Address;
use ec_observation::{ObservationHash, SlotId};

use crate::{event::LedgerEvent, state::LedgerState};

/// A witness that is watched, and the addresses of its seat that are known.
#[derive(Clone, Debug)]
pub(super) struct Own {
    witness: Address,
    addresses: Vec<Address>,
}

impl Own {
    pub(super) fn new(witness: Address) -> Self {
        Self { witness, addresses: vec![witness] }
    }

    /// Learns from the ledger of more addresses of the seat. True where one of them held it before those that were known:
    /// its votes stand in what was read already.
    pub(super) fn learn(&mut self, ledger: &LedgerState) -> bool {
        let seat = ledger.seat_of(self.witness);
        let is_earlier = !self.addresses.contains(&seat.0);
        let new: Vec<_> = ledger.addresses_of(seat).filter(|address| !self.addresses.contains(address)).collect();
        self.addresses.extend(new);
        is_earlier
    }

    /// Forgets what this ledger does not tell, as after a reorg.
    pub(super) fn unlearn(&mut self, ledger: &LedgerState) {
        self.addresses = ledger.addresses_of(ledger.seat_of(self.witness)).collect();
    }

    /// The vote that an event tells of, if it is the seat's.
    pub(super) fn vote_in(&self, event: &LedgerEvent) -> Option<(SlotId, ObservationHash)> {
        let (voter, vote) = match event {
            LedgerEvent::Proposed { proposer, header, .. } => (proposer, (header.slot(), header.hash())),
            LedgerEvent::Attested { slot, observation, witness } => (witness, (*slot, *observation)),
            LedgerEvent::Moved { slot, to, witness, .. } => (witness, (*slot, *to)),
            LedgerEvent::Rotated { .. } | LedgerEvent::Finalized { .. } => return None,
        };
        self.addresses.contains(voter).then_some(vote)
    }
}
