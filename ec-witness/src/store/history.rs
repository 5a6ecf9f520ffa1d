//! The vote history as a JSON file, to carry a key's past from one store to another (docs/vote-history.md).

mod reading;
mod writing;

use std::io::{Read, Write};

use alloy::primitives::Address;
use ec_observation::{ContentHash, ObservationHash, ObservationHeader, SlotId};
use serde::{Deserialize, Serialize};

use super::{Identity, StoreError, VoteStore, adoption::Adoption};
use crate::failpoint;

/// The version of a history in which every vote has its headers.
pub const HISTORY_VERSION: u8 = 1;
/// The version of one in which there may be votes that are compacted. A program that knows version 1 alone would take them
/// for none.
pub const COMPACTED_HISTORY_VERSION: u8 = 2;

/// Everything a witness has ever voted for on one ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// [`HISTORY_VERSION`] or [`COMPACTED_HISTORY_VERSION`].
    pub v: u8,
    /// The chain.
    pub chain_id: u64,
    /// The ledger.
    pub ledger: Address,
    /// The witness.
    pub witness: Address,
    /// The votes, by slot.
    pub votes: Vec<SlotVotes>,
}

/// The headers voted for in one slot, all of one content, in the order they were recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlotVotes {
    /// The slot.
    pub slot: SlotId,
    /// The content, of a vote that is compacted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<ContentHash>,
    /// The headers; none of a vote that is compacted.
    pub headers: Vec<ObservationHeader>,
}

/// Those votes, of which it is known that they belong together, with the hashes of their headers.
struct Checked {
    slot: SlotId,
    content: Option<ContentHash>,
    headers: Vec<(ObservationHeader, ObservationHash)>,
}

impl TryFrom<SlotVotes> for Checked {
    type Error = HistoryError;

    fn try_from(SlotVotes { slot, content, headers }: SlotVotes) -> Result<Self, HistoryError> {
        if content.is_some() && !headers.is_empty() {
            return Err(HistoryError::Content(slot));
        }
        if let Some(other) = headers.iter().map(ObservationHeader::slot).find(|found| *found != slot) {
            return Err(HistoryError::Slot { slot, found: other });
        }
        let headers = headers.into_iter().map(|header| (header, header.hash())).collect();
        Ok(Self { slot, content, headers })
    }
}

/// What was taken over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// The slots of the history.
    pub slots: usize,
    /// How many headers were new.
    pub adopted: usize,
}

/// Why a history is not taken over. Nothing of it is.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HistoryError {
    /// It is none, or cannot be read.
    #[error("it is not a vote history")]
    Format(#[source] serde_json::Error),
    /// Another format.
    #[error("v is {0}, this program knows {HISTORY_VERSION} and {COMPACTED_HISTORY_VERSION}")]
    Version(u8),
    /// Another chain, ledger or witness.
    #[error("{field} is {found}, but the store is of {expected}")]
    Foreign {
        /// What differs.
        field: &'static str,
        /// The file's.
        found: String,
        /// The store's.
        expected: String,
    },
    /// A header under a slot that is not its own.
    #[error("slot {slot} lists a header of slot {found}")]
    Slot {
        /// The entry's slot.
        slot: SlotId,
        /// The header's.
        found: SlotId,
    },
    /// A slot with headers and beside them a content, which only a compacted vote has.
    #[error(
        "slot {0} has a content beside its headers; only a vote that is compacted has one, and that has no headers"
    )]
    Content(SlotId),
    /// The store refuses, as where the history contradicts a recorded vote.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl VoteStore {
    /// Everything recorded here.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn export(&self) -> Result<History, StoreError> {
        let Identity { chain_id, ledger, witness } = self.identity();
        let mut votes = Vec::new();
        while let Some(more) = writing::after(self, votes.last().map(|last: &SlotVotes| last.slot))? {
            votes.extend(more);
        }
        Ok(History { v: writing::version(self)?, chain_id, ledger, witness, votes })
    }

    /// Writes everything recorded here as JSON, some slots at a time, so that memory does not hold it and nobody is kept from
    /// voting. A slot that is voted on meanwhile may be missing.
    ///
    /// # Errors
    ///
    /// SQLite refuses, or `to` does.
    pub fn export_to(&self, to: impl Write) -> Result<(), ExportError> {
        writing::write(self, to)
    }

    /// Takes a history over, as JSON, all of it or nothing. What is recorded here stays.
    ///
    /// It is read as it is taken over, beside that and in one transaction, so that memory holds neither.
    ///
    /// # Errors
    ///
    /// It is none, belongs to another identity, contradicts itself, or contradicts a vote that is recorded here.
    pub fn import(&mut self, history: impl Read + Send) -> Result<Imported, HistoryError> {
        let identity = self.identity();
        self.expect_many()?;
        self.transact(failpoint::ADOPT, |db| {
            let mut adoption = Adoption::begin(db)?;
            let slots = reading::read_beside(history, identity, |Checked { slot, content, headers }| {
                if let Some(content) = content {
                    adoption.take_compacted(slot, content)?;
                }
                Ok(headers.iter().try_for_each(|(header, observation)| adoption.take(slot, header, *observation))?)
            })?;
            Ok(Imported { slots, adopted: adoption.end()? })
        })
    }
}

/// Why a history is not written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ExportError {
    /// The store refuses.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// What it is written to refuses.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// Refuses another version's history, and another identity's than that of the store.
fn belongs_to(v: u8, found: Identity, identity: Identity) -> Result<(), HistoryError> {
    if ![HISTORY_VERSION, COMPACTED_HISTORY_VERSION].contains(&v) {
        return Err(HistoryError::Version(v));
    }
    let fields = [
        ("chain_id", found.chain_id.to_string(), identity.chain_id.to_string()),
        ("ledger", found.ledger.to_string(), identity.ledger.to_string()),
        ("witness", found.witness.to_string(), identity.witness.to_string()),
    ];
    match fields.into_iter().find(|(_, found, expected)| found != expected) {
        None => Ok(()),
        Some((field, found, expected)) => Err(HistoryError::Foreign { field, found, expected }),
    }
}
