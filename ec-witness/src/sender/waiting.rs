//! Votes that no transaction carries, or whose transactions came to nothing.

use std::collections::HashSet;

use ec_observation::{Ballot, ObservationHash};

use crate::store::{StoreError, VoteStore};

/// Votes that wait to be carried.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// To be carried once more; what carried them came to nothing.
    again: Vec<Ballot>,
    count: usize,
}

impl Waiting {
    /// How many waited last.
    pub(super) fn count(&self) -> usize {
        self.count
    }

    /// Takes in votes that are to be carried once more.
    pub(super) fn add(&mut self, again: &[Ballot]) {
        let known: HashSet<_> = self.again.iter().map(|ballot| ballot.header.hash()).collect();
        self.again.extend(again.iter().filter(|ballot| !known.contains(&ballot.header.hash())));
    }

    /// Whether this vote is to be carried once more.
    pub(super) fn is_again(&self, observation: ObservationHash) -> bool {
        self.again.iter().any(|ballot| ballot.header.hash() == observation)
    }

    /// All of them: what the store recorded and nothing carries, oldest first, then what is to be carried once more.
    pub(super) fn all(&mut self, store: &VoteStore) -> Result<Vec<Ballot>, StoreError> {
        let mut ballots = store.unsigned()?;
        let again: Vec<_> = self.again.iter().filter(|ballot| !ballots.contains(ballot)).copied().collect();
        ballots.extend(again);
        self.count = ballots.len();
        Ok(ballots)
    }

    /// A kept transaction carries these.
    pub(super) fn carried(&mut self, votes: &[ObservationHash]) {
        self.again.retain(|ballot| !votes.contains(&ballot.header.hash()));
        self.count = self.count.saturating_sub(votes.len());
    }
}
