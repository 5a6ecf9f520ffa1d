//! Why the store refuses.

use std::{
    io,
    path::{Path, PathBuf},
};

use ec_observation::{ContentHash, SlotId};
use rusqlite::ErrorCode;

use super::{SCHEMA_VERSION, halt::KeptHalt};

/// Why the store refuses.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// There is no store.
    #[error("{}: no vote store; `ec-witness init` creates one", path.display())]
    Missing {
        /// The store's directory.
        path: PathBuf,
    },
    /// There is a store already.
    #[error("{}: there is a vote store already; it must never be replaced while its key votes", path.display())]
    Exists {
        /// The store's directory.
        path: PathBuf,
    },
    /// Another process has it.
    #[error("{}: another process uses this vote store; two must never vote with one store", path.display())]
    InUse {
        /// The store's directory.
        path: PathBuf,
    },
    /// Others than the owner may read or write it.
    #[error(
        "{}: others may use it (mode {mode:03o}); find out why, then: chmod {wanted:03o} {}",
        path.display(), path.display()
    )]
    OpenToOthers {
        /// The directory or file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
        /// The mode it must have.
        wanted: u32,
    },
    /// The file is not a store of ours, or damaged.
    #[error("{}: not an intact vote store: {what}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What was found.
        what: String,
    },
    /// A newer program wrote it.
    #[error("{}: the store has schema version {found}, this program knows {SCHEMA_VERSION}; use a newer one", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: i64,
    },
    /// An older program wrote it, and a reader must not change it.
    #[error(
        "{}: the store has schema version {found}; `ec-witness run` brings it to version {SCHEMA_VERSION} when it \
         starts, and it can be read then",
        path.display()
    )]
    Older {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: i64,
    },
    /// The witness halted on a contradiction, and no operator has resumed it.
    #[error("this witness halted and does not vote: {0}")]
    Halted(Box<KeptHalt>),
    /// It belongs to another chain, ledger or witness.
    #[error("{}: the store belongs to {field} {stored}, but {given} is configured", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
        /// What differs.
        field: &'static str,
        /// The store's.
        stored: String,
        /// The configured one.
        given: String,
    },
    /// A vote with other content than the recorded one was asked for: refused, for ever.
    #[error("slot {slot}: refused to vote for content {asked}; this witness stands for content {recorded}")]
    OtherContent {
        /// The slot.
        slot: SlotId,
        /// The recorded content.
        recorded: ContentHash,
        /// The refused one.
        asked: ContentHash,
    },
    /// A vote was asked for in a slot whose vote is compacted: it was final long ago, and is never cast again.
    #[error("slot {slot}: refused to vote again; the vote for this content was final long ago, and is compacted")]
    Compacted {
        /// The slot.
        slot: SlotId,
    },
    /// A second header was asked for while the first one's vote may still land.
    #[error("slot {slot}: refused to vote for another header while the vote recorded first can still land")]
    StillOnItsWay {
        /// The slot.
        slot: SlotId,
    },
    /// Another transaction of the same nonce is final.
    #[error("transaction {hash} cannot be executed: another of its nonce is final")]
    NonceIsFinal {
        /// The transaction that cannot be.
        hash: alloy::primitives::TxHash,
    },
    /// A nonce is used that this store does not know.
    #[error(
        "nonce {nonce} of the account is used by nothing that this vote store knows: another instance uses the key"
    )]
    NonceIsUnknown {
        /// The nonce.
        nonce: u64,
    },
    /// It is not final what a forced transaction came to.
    #[error(
        "the forced transaction {l1_hash} of L1 is under way; `ec-witness force` goes on with it, and until its deposit is \
         final nothing else is signed"
    )]
    Forced {
        /// The transaction of L1.
        l1_hash: alloy::primitives::TxHash,
    },
    /// Another halt stands, or none.
    #[error("halt {asked} does not stand{}", kept.map(|id| format!(", halt {id} does")).unwrap_or_default())]
    NotKept {
        /// The halt that was to be resumed.
        asked: i64,
        /// The one that stands.
        kept: Option<i64>,
    },
    /// The file system refused.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// There is no room on the disk. What was asked did not happen, and may be asked again.
    #[error("vote store: no room on the disk: {0}")]
    NoRoom(#[source] rusqlite::Error),
    /// SQLite refused; what was asked did not happen. After a failed write or sync nothing may be asked again: what the
    /// disk holds is known only to a process that reads it anew.
    #[error("vote store: {0}")]
    Sqlite(#[source] rusqlite::Error),
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        // a journal that cannot be created is the other way in which a full disk shows; nothing was written then
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull | ErrorCode::CannotOpen) => Self::NoRoom(error),
            _ => Self::Sqlite(error),
        }
    }
}

impl StoreError {
    /// Whether it may pass by itself: nothing happened, and the same may be asked again.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NoRoom(_))
    }

    pub(super) fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        |source| Self::Io { path: path.to_owned(), source }
    }
}
