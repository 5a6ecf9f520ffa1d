//! Casting votes: guard first, then sender. Or only saying what would be cast.

use std::collections::{BTreeMap, HashSet};

use alloy::primitives::Address;
use ec_ledger::Heads;
use ec_observation::{Ballot, ContentHash, ObservationHash, ObservationHeader, SlotId};
use ec_rpc::BlockRef;

use super::{halt::Halt, show};
use crate::{
    sender::{Finding, SendError, Sender},
    standing::SendingStanding,
    store::{Recorded, StoreError, StoreStanding, VoteFate, VoteStore},
    witness::decision::OwnVote,
};

/// Who votes.
#[derive(Debug)]
pub enum Voter {
    /// The witness that the store and the sender belong to.
    Casting {
        /// The guard and outbox.
        store: VoteStore,
        /// The owner of the nonces.
        sender: Box<Sender>,
    },
    /// A dry run: judges as this witness, keeps and sends nothing.
    Dry {
        /// As whom it judges.
        witness: Address,
        /// Votes that were shown.
        shown: HashSet<ObservationHash>,
    },
}

impl Voter {
    /// A dry run as this witness.
    pub fn dry(witness: Address) -> Self {
        Self::Dry { witness, shown: HashSet::new() }
    }

    /// The witness.
    pub fn witness(&self) -> Address {
        match self {
            Self::Casting { store, .. } => store.identity().witness,
            Self::Dry { witness, .. } => *witness,
        }
    }

    /// Whether votes are only shown.
    pub fn is_dry(&self) -> bool {
        matches!(self, Self::Dry { .. })
    }

    /// The first epoch of a stream that is judged: what the store fixed, else what is configured, else `first`, which is
    /// fixed then. A dry run fixes nothing.
    pub(super) fn begin(&mut self, stream_id: &str, configured: Option<u64>, first: u64) -> Result<u64, StoreError> {
        match self {
            Self::Casting { store, .. } => store.fix_from_sequence(stream_id, configured.unwrap_or(first)),
            Self::Dry { .. } => Ok(configured.unwrap_or(0)),
        }
    }

    /// The finalized head that was seen before this process.
    ///
    /// # Errors
    ///
    /// The store refuses.
    pub fn finalized_head(&self) -> Result<Option<BlockRef>, StoreError> {
        match self {
            Self::Casting { store, .. } => store.finalized_head(),
            Self::Dry { .. } => Ok(None),
        }
    }

    /// Whether the store knows this vote.
    pub(super) fn knows(&self, observation: ObservationHash) -> Result<bool, StoreError> {
        match self {
            Self::Casting { store, .. } => store.knows(observation),
            Self::Dry { .. } => Ok(true),
        }
    }

    /// The content of a slot's vote that is compacted.
    pub(super) fn compacted(&self, slot: SlotId) -> Result<Option<ContentHash>, StoreError> {
        match self {
            Self::Casting { store, .. } => store.compacted(slot),
            Self::Dry { .. } => Ok(None),
        }
    }

    /// Fails once the check of the store beside the votes has found it damaged.
    pub(super) fn checked(&mut self) -> Result<(), StoreError> {
        match self {
            Self::Casting { store, .. } => store.checked(),
            Self::Dry { .. } => Ok(()),
        }
    }

    /// Closes the store in order.
    pub(super) fn close(self) -> Result<(), StoreError> {
        match self {
            Self::Casting { store, .. } => store.close(),
            Self::Dry { .. } => Ok(()),
        }
    }

    /// Every header recorded for a slot.
    pub(super) fn recorded(&self, slot: SlotId) -> Result<Vec<ObservationHeader>, StoreError> {
        match self {
            Self::Casting { store, .. } => store.headers(slot),
            Self::Dry { .. } => Ok(Vec::new()),
        }
    }

    /// Notes the finalized head, unless it is the one noted last; where there was no room, to find out if there is.
    pub(super) fn note_finalized_head(&mut self, head: BlockRef) -> Result<(), StoreError> {
        match self {
            Self::Casting { store, .. } if store.has_no_room() || store.finalized_head()? != Some(head) => {
                store.note_finalized_head(head)
            }
            Self::Casting { .. } | Self::Dry { .. } => Ok(()),
        }
    }

    /// Whether the last write found no room on the disk.
    pub(super) fn has_no_room(&self) -> bool {
        matches!(self, Self::Casting { store, .. } if store.has_no_room())
    }

    /// Makes a halt durable, where a restart must not get past it.
    pub(super) fn keep_halt(&mut self, halt: &Halt) {
        let Self::Casting { store, .. } = self else { return };
        let Some(evidence) = halt.evidence() else { return };
        match store.halt(&evidence, &halt.to_string()) {
            Ok(kept) => tracing::error!(halt = kept.id, kind = evidence.kind(), "halted until it is resumed"),
            Err(error) => tracing::error!(%error, "the halt could not be recorded; the next start may find it again"),
        }
    }

    /// Transactions that are not executed yet.
    pub(super) fn pending(&self) -> usize {
        match self {
            Self::Casting { sender, .. } => sender.pending(),
            Self::Dry { .. } => 0,
        }
    }

    /// How sending stands; `None` in a dry run. `contradicted` are slots for which nothing is sent.
    pub(super) fn sending(&self, contradicted: Option<(usize, String)>) -> Option<SendingStanding> {
        let Self::Casting { sender, .. } = self else { return None };
        Some(SendingStanding { contradicted, ..show::sending(sender.state()) })
    }

    /// How the store stands; `None` in a dry run.
    pub(super) fn store_standing(&self) -> Option<Result<StoreStanding, StoreError>> {
        let Self::Casting { store, .. } = self else { return None };
        Some(store.standing())
    }

    /// The own vote on a slot that the ledger, read up to block `head`, does not show.
    pub(super) fn own_vote(
        &self,
        slot: SlotId,
        head: Option<u64>,
    ) -> Result<Option<(ObservationHeader, OwnVote)>, StoreError> {
        let Self::Casting { store, sender } = self else { return Ok(None) };
        Ok(store.vote(slot)?.map(|(header, fate)| match fate {
            _ if sender.will_carry(header.hash()) => (header, OwnVote::Cast),
            // executed in a block that was read, and yet not counted
            VoteFate::Executed { block } if head.is_some_and(|head| block <= head) => {
                (header, OwnVote::Executed(header.content().hash()))
            }
            VoteFate::Executed { .. } | VoteFate::OnItsWay | VoteFate::Recorded => (header, OwnVote::Cast),
        }))
    }

    /// What `read` asks of the store, it asks of one state of it.
    pub(super) fn at_once(&self, read: impl FnOnce() -> Result<(), StoreError>) -> Result<(), StoreError> {
        match self {
            Self::Casting { store, .. } => store.at_once(read),
            Self::Dry { .. } => read(),
        }
    }

    /// So many witnesses share the chain's blocks.
    pub(super) fn among(&mut self, witnesses: usize) {
        if let Self::Casting { sender, .. } = self {
            sender.among(witnesses);
        }
    }

    /// Looks after what was sent.
    pub(super) async fn follow(&mut self, heads: Heads, reorg: bool, now_ms: u64) -> Result<(), SendError> {
        match self {
            Self::Casting { store, sender } => sender.follow(store, heads, reorg, now_ms).await,
            Self::Dry { .. } => Ok(()),
        }
    }

    /// What the receipts of what was sent prove, by nonce, as far as it was not taken before.
    pub(super) fn take_findings(&mut self) -> BTreeMap<u64, Vec<Finding>> {
        match self {
            Self::Casting { sender, .. } => sender.take_findings(),
            Self::Dry { .. } => BTreeMap::new(),
        }
    }

    /// Records the votes, each on its own.
    pub(super) fn record(&mut self, ballots: &[Ballot]) -> Result<Vec<Result<Recorded, StoreError>>, StoreError> {
        match self {
            Self::Casting { store, .. } => store.record(ballots),
            Self::Dry { shown, .. } => Ok(ballots
                .iter()
                .map(
                    |ballot| if shown.insert(ballot.header.hash()) { Ok(Recorded::First) } else { Ok(Recorded::Again) },
                )
                .collect()),
        }
    }

    /// Signs and sends what is recorded and not carried yet, and the `again` votes, whose transactions came to
    /// nothing, of the slots that `may_send` names. Returns which.
    pub(super) async fn send(
        &mut self,
        again: &[Ballot],
        may_send: impl Fn(SlotId) -> bool,
        now_ms: u64,
    ) -> Result<Vec<ObservationHash>, SendError> {
        match self {
            Self::Casting { store, sender } => sender.flush(store, again, may_send, now_ms).await,
            Self::Dry { .. } => Ok(Vec::new()),
        }
    }

    /// Calls `finalize` for a candidate that has the quorum's votes.
    pub(super) async fn finalize(
        &mut self,
        slot: SlotId,
        observation: ObservationHash,
        now_ms: u64,
    ) -> Result<(), SendError> {
        match self {
            Self::Casting { store, sender } => sender.finalize(store, slot, observation, now_ms).await,
            Self::Dry { .. } => Ok(()),
        }
    }
}
