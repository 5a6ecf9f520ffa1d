#![doc = include_str!("../README.md")]

pub mod derive;
pub mod header;
pub mod keccak;
pub mod listing;
pub mod naming;
pub mod proof;
pub mod records;
pub mod segments;
pub mod stream;
pub mod tree;
pub mod vote;

pub use derive::DerivedEpoch;
pub use header::{
    Choice, Content, ContentHash, EpochHash, HEADER_LEN, ObservationHash, ObservationHeader, SlotId, StreamHash,
};
pub use listing::{ListedRecord, Listing, ListingError};
pub use naming::{NameHashes, NamedEpoch, Namer};
pub use proof::{OnLedger, Origin, Proof, ProofError, ProveError};
pub use records::{EpochRecords, Record};
pub use stream::{
    EpochKey, EpochName, EpochRule, NameError, Numbering, RuleError, StreamRule, TimeError, TimeMode, Tracks,
};
pub use vote::{Ballot, VoteKind};
