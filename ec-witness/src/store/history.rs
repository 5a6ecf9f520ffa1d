//! The vote history as a JSON file, to carry a key's past from one store to another (docs/vote-history.md).

mod reading;

use std::{collections::BTreeMap, io::Read};

use alloy::primitives::Address;
use ec_observation::{ObservationHeader, SlotId};
use serde::{Deserialize, Serialize};

use super::{Identity, StoreError, VoteStore, adoption::Adoption};
use crate::failpoint;

/// The only version there is.
pub const HISTORY_VERSION: u8 = 1;

/// Everything a witness has ever voted for on one ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct History {
    /// [`HISTORY_VERSION`].
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
    /// The headers.
    pub headers: Vec<ObservationHeader>,
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
    #[error("v is {0}, this program knows {HISTORY_VERSION}")]
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
        let mut votes: BTreeMap<SlotId, Vec<ObservationHeader>> = BTreeMap::new();
        for ballot in self.ballots()? {
            votes.entry(ballot.header.slot()).or_default().push(ballot.header);
        }
        let Identity { chain_id, ledger, witness } = self.identity();
        let votes = votes.into_iter().map(|(slot, headers)| SlotVotes { slot, headers }).collect();
        Ok(History { v: HISTORY_VERSION, chain_id, ledger, witness, votes })
    }

    /// Takes a history over, as JSON, all of it or nothing. What is recorded here stays.
    ///
    /// It is read as it is taken over, in one transaction, so that memory holds neither.
    ///
    /// # Errors
    ///
    /// It is none, belongs to another identity, contradicts itself, or contradicts a vote that is recorded here.
    pub fn import(&mut self, history: impl Read) -> Result<Imported, HistoryError> {
        let identity = self.identity();
        self.expect_many()?;
        self.transact(failpoint::ADOPT, |db| {
            let mut adoption = Adoption::begin(db);
            let slots = reading::read(history, identity, |SlotVotes { slot, headers }| {
                for header in &headers {
                    if header.slot() != slot {
                        return Err(HistoryError::Slot { slot, found: header.slot() });
                    }
                    adoption.take(header)?;
                }
                Ok(())
            })?;
            Ok(Imported { slots, adopted: adoption.adopted() })
        })
    }
}

/// Refuses another version's history, and another identity's than that of the store.
fn belongs_to(v: u8, found: Identity, identity: Identity) -> Result<(), HistoryError> {
    if v != HISTORY_VERSION {
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
