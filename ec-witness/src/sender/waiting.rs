//! Votes that no transaction carries, or whose transactions came to nothing.

use std::collections::{BTreeMap, HashMap};

use ec_observation::{Ballot, ObservationHash, SlotId};

use crate::store::{StoreError, VoteStore};

/// Votes that are read of the store at once.
const PAGE: usize = 1024;

/// A vote, and its slot.
#[derive(Clone, Copy, Debug)]
struct Vote {
    slot: SlotId,
    ballot: Ballot,
}

impl From<Ballot> for Vote {
    fn from(ballot: Ballot) -> Self {
        Self { slot: ballot.header.slot(), ballot }
    }
}

/// Votes that wait to be carried. The store tells which those are; it is asked for what it has recorded since.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// What the store recorded and nothing carries, by its place there.
    recorded: BTreeMap<i64, Box<Vote>>,
    places: HashMap<ObservationHash, i64>,
    /// Up to where the store was read.
    read_to: i64,
    /// To be carried once more, in the order in which that was found; what carried them came to nothing.
    again: Vec<(ObservationHash, Vote)>,
    /// Those among them on old epochs, as they were told apart last.
    old: usize,
}

impl Waiting {
    /// How many wait.
    pub(super) fn count(&self) -> usize {
        self.recorded.len() + self.again.len()
    }

    /// How many of these are on old epochs.
    pub(super) fn old(&self) -> usize {
        self.old.min(self.count())
    }

    /// Notes how many wait on old epochs.
    pub(super) fn set_old(&mut self, old: usize) {
        self.old = old;
    }

    /// Takes in votes that are to be carried once more.
    pub(super) fn add(&mut self, again: &[Ballot]) {
        for ballot in again {
            let hash = ballot.header.hash();
            if !self.is_again(hash) {
                self.again.push((hash, Vote::from(*ballot)));
            }
        }
    }

    /// Whether this vote is to be carried once more.
    pub(super) fn is_again(&self, observation: ObservationHash) -> bool {
        self.again.iter().any(|(again, _)| *again == observation)
    }

    /// Takes in what the store recorded since.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub(super) fn read_on(&mut self, store: &VoteStore) -> Result<(), StoreError> {
        loop {
            let page = store.unsigned_after(self.read_to, PAGE)?;
            for (place, ballot) in &page {
                self.read_to = *place;
                self.places.insert(ballot.header.hash(), *place);
                self.recorded.insert(*place, Box::new(Vote::from(*ballot)));
            }
            if page.len() < PAGE {
                return Ok(());
            }
        }
    }

    /// The store is read anew: whether a transaction that it keeps carries some of them is not known.
    pub(super) fn doubt(&mut self) {
        (self.recorded, self.places, self.read_to) = (BTreeMap::new(), HashMap::new(), 0);
    }

    /// The slots of all of them, some several times.
    pub(super) fn slots(&self) -> impl Iterator<Item = SlotId> {
        self.all().map(|vote| vote.slot)
    }

    /// Those in the slots that `may_send` names: what the store recorded, oldest first, then what is to be carried once more.
    pub(super) fn ballots(&self, may_send: impl Fn(SlotId) -> bool) -> impl Iterator<Item = &Ballot> {
        self.all().filter(move |vote| may_send(vote.slot)).map(|vote| &vote.ballot)
    }

    fn all(&self) -> impl Iterator<Item = &Vote> {
        let again = self.again.iter().filter(|(hash, _)| !self.places.contains_key(hash));
        self.recorded.values().map(|vote| &**vote).chain(again.map(|(_, vote)| vote))
    }

    /// A kept transaction carries these; the slots of those that waited.
    pub(super) fn carried(&mut self, votes: &[ObservationHash]) -> Vec<SlotId> {
        let recorded = votes.iter().filter_map(|vote| self.places.remove(vote));
        let mut slots: Vec<_> =
            recorded.filter_map(|place| self.recorded.remove(&place)).map(|vote| vote.slot).collect();
        let carried = self.again.extract_if(.., |(hash, _)| votes.contains(hash));
        slots.extend(carried.map(|(_, vote)| vote.slot));
        slots
    }
}
