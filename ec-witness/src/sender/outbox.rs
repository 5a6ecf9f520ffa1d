//! The outbox: every nonce of which no transaction is final, and what is known of each. The store has it first.

use std::{collections::BTreeMap, ops::Range};

use super::{
    error::SendError,
    followed::{Change, FollowedNonce, Sibling},
    plan::Open,
    poll::{Lag, Poll},
    state::Stage,
};
use crate::store::{OutboxTx, StoreError, VoteStore};

/// What was signed and is not final.
#[derive(Debug)]
pub(super) struct Outbox {
    nonces: BTreeMap<u64, FollowedNonce>,
    /// What is below it was not signed for this store.
    first_nonce: u64,
    last_final: Option<OutboxTx>,
    /// The chain contradicts what was final.
    contradicted: Lag,
    /// The chain wants a nonce below the first one.
    behind: Lag,
}

impl Outbox {
    /// As the store keeps it.
    pub(super) fn of(store: &VoteStore) -> Result<Self, SendError> {
        let mut outbox = Self {
            nonces: BTreeMap::new(),
            first_nonce: store.first_nonce(),
            last_final: store.last_final()?,
            contradicted: Lag::default(),
            behind: Lag::default(),
        };
        for kept in store.outbox()? {
            outbox.add(Sibling::of(kept)?);
        }
        Ok(outbox)
    }

    /// Adds a transaction that is kept; it competes with those of its nonce.
    pub(super) fn add(&mut self, sibling: Sibling) {
        match self.nonces.get_mut(&sibling.kept.nonce) {
            Some(followed) => followed.add(sibling),
            None => drop(self.nonces.insert(sibling.kept.nonce, FollowedNonce::new(sibling))),
        }
    }

    pub(super) fn get_mut(&mut self, nonce: u64) -> Option<&mut FollowedNonce> {
        self.nonces.get_mut(&nonce)
    }

    /// What is open, by nonce.
    pub(super) fn open(&self) -> Vec<Open> {
        self.nonces.values().filter(|followed| followed.is_open()).map(FollowedNonce::open).collect()
    }

    /// Nonces that are not executed.
    pub(super) fn pending(&self) -> usize {
        self.nonces.values().filter(|followed| followed.is_open()).count()
    }

    /// Nonces, counted by how far they have come.
    pub(super) fn stages(&self) -> BTreeMap<Stage, usize> {
        let mut stages = BTreeMap::new();
        for stage in self.nonces.values().filter_map(FollowedNonce::stage) {
            *stages.entry(stage).or_default() += 1;
        }
        stages
    }

    /// Nonces of which the chain may have something new to tell.
    pub(super) fn to_look_up(&self, poll: &Poll) -> Vec<u64> {
        let new = self.nonces.iter().filter(|(_, followed)| followed.is_to_look_up(poll));
        new.map(|(&nonce, _)| nonce).collect()
    }

    /// Nonces that the chain wants before the first one, once that is no lag any more.
    pub(super) fn gap(&mut self, used: u64) -> Range<u64> {
        let lowest = self.nonces.keys().next().copied().unwrap_or(self.first_nonce).min(self.first_nonce);
        if self.behind.is_too_long(used < lowest) { used..lowest } else { 0..0 }
    }

    /// The final transaction with the highest nonce.
    pub(super) fn last_final(&self) -> Option<&OutboxTx> {
        self.last_final.as_ref()
    }

    /// Whether the last poll did not show what was final.
    pub(super) fn is_contradicted(&self) -> bool {
        self.contradicted.has_begun()
    }

    /// Counts whether this poll shows what was final; whether it did not for too long for a lag.
    pub(super) fn is_final_gone(&mut self, stands: bool) -> bool {
        self.contradicted.is_too_long(!stands)
    }

    /// Notes states, on the disk first.
    pub(super) fn note(&mut self, store: &mut VoteStore, changes: &[Change]) -> Result<(), StoreError> {
        if changes.is_empty() {
            return Ok(());
        }
        let states: Vec<_> = changes.iter().map(|change| (change.hash, change.state)).collect();
        store.set_states(&states)?;
        for &Change { nonce, hash, state } in changes {
            if let Some(followed) = self.nonces.get_mut(&nonce) {
                followed.note(hash, state);
            }
        }
        Ok(())
    }

    /// What these changes left unexecuted is to be sent at once.
    pub(super) fn take_back(&mut self, changes: &[Change]) {
        for &Change { nonce, .. } in changes {
            if let Some(followed) = self.nonces.get_mut(&nonce).filter(|followed| followed.is_open()) {
                tracing::info!(nonce, "the chain took back a transaction; sending it again");
                followed.taken_back();
            }
        }
    }

    /// Lets go of what is final.
    pub(super) fn let_go(&mut self) {
        let finals = self.nonces.extract_if(.., |_, followed| followed.is_final());
        let last = finals.filter_map(|(_, followed)| followed.landed().cloned()).last();
        self.last_final = last.or(self.last_final.take());
    }
}
