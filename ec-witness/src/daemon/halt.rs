//! Why a witness stops by itself.

use ec_archive::ArchiveError;
use ec_ledger::FollowError;
use ec_observation::{NameError, ObservationHash, ObservationHeader, SlotId, TimeError};

use crate::{
    sender::SendError,
    store::{Evidence, StoreError},
};

/// Why a witness stops by itself. Each is a contradiction that going on could make worse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Halt {
    /// The chain is not, or no longer, what the configuration says.
    #[error(transparent)]
    Chain(#[from] FollowError),
    /// The vote store cannot be relied on.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key is used elsewhere, or cannot sign.
    #[error(transparent)]
    Send(#[from] SendError),
    /// A vote of this witness is on the chain that its store does not know.
    #[error(
        "slot {slot}: the chain holds a vote of this witness for {observation} that the vote store does not know: the store \
         is an older copy, or another instance uses the key; `ec-witness config check` says which; stop every process of the \
         key, move this store aside and run `ec-witness init` again, which takes over every vote on the chain"
    )]
    ForeignVote {
        /// The slot.
        slot: SlotId,
        /// The observation voted for.
        observation: ObservationHash,
    },
    /// A vote of this witness is on the chain for other content than it stands for.
    #[error(
        "slot {slot}: the chain holds a vote of this witness for {observation}, but the vote store stands for other \
         content: another instance uses the key; have the key removed from the registry and use a new one"
    )]
    GuardContradiction {
        /// The slot.
        slot: SlotId,
        /// The observation voted for.
        observation: ObservationHash,
        /// What the store recorded.
        recorded: Vec<ObservationHeader>,
    },
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A stream whose headers can have no time.
    #[error(transparent)]
    Time(#[from] TimeError),
    /// A stream whose epochs can have no sequence.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl Halt {
    /// The evidence of a contradiction that a restart cannot resolve; `None` for what may be gone by then.
    pub fn evidence(&self) -> Option<Evidence> {
        match *self {
            Self::ForeignVote { slot, observation } => Some(Evidence::ForeignVote { slot, observation }),
            Self::GuardContradiction { slot, observation, ref recorded } => {
                Some(Evidence::GuardContradiction { slot, observation, recorded: recorded.clone() })
            }
            Self::Send(SendError::ForeignNonce { account, nonce }) => Some(Evidence::ForeignNonce { account, nonce }),
            Self::Send(SendError::FinalTakenBack { hash, nonce, block }) => {
                Some(Evidence::FinalTakenBack { hash, nonce, block })
            }
            Self::Chain(FollowError::DeepReorg(block)) => Some(Evidence::DeepReorg { block }),
            _ => None,
        }
    }
}

/// Passes an error on, unless the same may be asked again later.
pub(super) fn hold<T>(outcome: Result<T, StoreError>) -> Result<Option<T>, Halt> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.may_pass() => Ok(None),
        Err(error) => Err(error.into()),
    }
}
