//! Why a witness stops by itself.

use crate::{
    archive::ArchiveError,
    chain::{follow::FollowError, sender::SendError},
    observation::{ObservationHash, SlotId},
    store::StoreError,
    stream::TimeError,
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
        "slot {slot}: the chain holds a vote of this witness for {observation} that the vote store does not know: \
         another instance uses the key; stop it, move this store aside and run `ec-witness init` again, which takes over \
         every vote on the chain"
    )]
    ForeignVote {
        /// The slot.
        slot: SlotId,
        /// The observation voted for.
        observation: ObservationHash,
    },
    /// The archive cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// A stream whose headers can have no time.
    #[error(transparent)]
    Time(#[from] TimeError),
}
