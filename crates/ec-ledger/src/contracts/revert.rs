//! What a contract answers when it refuses a call, decoded from the revert data.

use alloy::{
    primitives::{Address, B256, Bytes, U256},
    sol_types::{GenericContractError, SolInterface},
    transports::TransportError,
};
use ec_observation::{ObservationHash, SlotId};

use super::{
    EveryChannelObservationLedger::EveryChannelObservationLedgerErrors as Ledger,
    EveryChannelRail::EveryChannelRailErrors as Rail,
    EveryChannelWitnessRegistry::EveryChannelWitnessRegistryErrors as Registry,
};

/// A refusal by one of the contracts, with its arguments. `NotWitness` and `NoCode` stand for the errors of that name
/// in any contract.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)] // The fields repeat the arguments of the errors in contracts/interfaces.
pub enum Revert {
    /// The caller, or an address to be removed, is no active witness.
    #[error("{account} is no active witness (NotWitness)")]
    NotWitness { account: Address },
    /// The slot is final already.
    #[error("slot {slot} is final with observation {final_hash} (SlotFinalized)")]
    SlotFinalized { slot: SlotId, final_hash: ObservationHash },
    /// The witness voted for this very candidate before.
    #[error("{witness} has cast this very vote in slot {slot} before (AlreadyVoted)")]
    AlreadyVoted { slot: SlotId, witness: Address },
    /// The witness voted for another candidate of the slot; the hash is the refused one.
    #[error("{witness} has voted in slot {slot} for another observation than {refused} (Equivocation)")]
    Equivocation { slot: SlotId, witness: Address, refused: ObservationHash },
    /// The slot does not hold the number of candidates that the proposer saw.
    #[error("slot {slot} holds {candidates} candidates, not as many as were seen (StaleProposal)")]
    StaleProposal { slot: SlotId, candidates: U256 },
    /// The witness's vote, which was to move, is not on this candidate.
    #[error("{witness} has no vote for {observation_hash} in slot {slot} (NoSuchVote)")]
    NoSuchVote { slot: SlotId, witness: Address, observation_hash: ObservationHash },
    /// A vote was to move to a header that differs in more than parent and time.
    #[error("{from} of slot {slot} and {to} have not the same content: a vote moves within one only (OtherContent)")]
    OtherContent { slot: SlotId, from: ObservationHash, to: ObservationHash },
    /// The witness made a candidate by a move before.
    #[error("{witness} has made a candidate of slot {slot} by a move before, and makes no other (AlreadyProposed)")]
    AlreadyProposed { slot: SlotId, witness: Address },
    /// The slot has no such candidate.
    #[error("slot {slot} has no candidate {observation_hash} (UnknownCandidate)")]
    UnknownCandidate { slot: SlotId, observation_hash: ObservationHash },
    /// The active votes fall short of the quorum.
    #[error(
        "observation {observation_hash} of slot {slot} has {active_votes} votes of active witnesses, the quorum is \
         {quorum} (QuorumNotReached)"
    )]
    QuorumNotReached { slot: SlotId, observation_hash: ObservationHash, active_votes: U256, quorum: u8 },
    /// The lists of a batch differ in length.
    #[error("the lists of a batch have {left} and {right} items (LengthMismatch)")]
    LengthMismatch { left: U256, right: U256 },
    /// The slot has no candidate at this place.
    #[error("slot {slot} has no candidate at place {place} (UnknownPlace)")]
    UnknownPlace { slot: SlotId, place: U256 },
    /// A contract to build on is none.
    #[error("there is no code at {account} (NoCode)")]
    NoCode { account: Address },
    /// The address cannot be a witness.
    #[error("{witness} cannot be a witness (InvalidWitness)")]
    InvalidWitness { witness: Address },
    /// The address is an active witness.
    #[error("{witness} is an active witness already (AlreadyWitness)")]
    AlreadyWitness { witness: Address },
    /// The address has or had a seat, and takes no other one.
    #[error("{account} has or had a seat already: a key votes for one seat, for ever; take a fresh one (AddressUsed)")]
    AddressUsed { account: Address },
    /// The seat is not offered to the caller.
    #[error("seat {index} is not offered to {account}: its witness must call rotate({account}) first (NotOffered)")]
    NotOffered { index: U256, account: Address },
    /// All indexes are given away.
    #[error("the registry has given away all its {capacity} indexes (RegistryFull)")]
    RegistryFull { capacity: U256 },
    /// The result would break the rule on the quorum.
    #[error(
        "a quorum of {quorum} does not fit {witness_count} witnesses: it must be more than half of them and not more \
         than all; change both at once (InvalidQuorum)"
    )]
    InvalidQuorum { quorum: u8, witness_count: U256 },
    /// The address never was a witness.
    #[error("{account} never was a witness (UnknownWitness)")]
    UnknownWitness { account: Address },
    /// The index was never given away.
    #[error("index {index} was never given away (UnknownIndex)")]
    UnknownIndex { index: U256 },
    /// The address cannot be a publisher.
    #[error("{publisher} cannot be a publisher (InvalidPublisher)")]
    InvalidPublisher { publisher: Address },
    /// The address is a publisher.
    #[error("{publisher} is a publisher already (AlreadyPublisher)")]
    AlreadyPublisher { publisher: Address },
    /// The caller, or an address to be removed, is no publisher.
    #[error("{account} is no publisher (NotPublisher)")]
    NotPublisher { account: Address },
    /// The slot's pointer is settled and stays.
    #[error("the pointer of slot {slot} is settled on observation {observation_hash} (SlotSettled)")]
    SlotSettled { slot: SlotId, observation_hash: ObservationHash },
    /// The header is not the final one of its slot.
    #[error("observation {observation_hash} is not final in slot {slot} (NotFinal)")]
    NotFinal { slot: SlotId, observation_hash: ObservationHash },
    /// The caller is not who may do this.
    #[error("{account} is not the owner, or not the one the ownership is offered to (OwnableUnauthorizedAccount)")]
    NotOwner { account: Address },
    /// The address cannot be an owner.
    #[error("{owner} cannot be an owner (OwnableInvalidOwner)")]
    InvalidOwner { owner: Address },
    /// A reason in words, or a failed assertion, which the contracts of this project never give.
    #[error("the contract reverted: {0}")]
    Generic(GenericContractError),
    /// Anything else.
    #[error("the contract reverted with unknown data {0}; is it the contract it should be?")]
    Unknown(Bytes),
}

impl Revert {
    /// Decodes revert data, such as the `reason` of a `VoteSkipped` event.
    pub fn decode(data: &[u8]) -> Self {
        Ledger::abi_decode(data)
            .map(Self::from)
            .or_else(|_| Registry::abi_decode(data).map(Self::from))
            .or_else(|_| Rail::abi_decode(data).map(Self::from))
            .unwrap_or_else(|_| match GenericContractError::abi_decode(data) {
                Ok(reason) => Self::Generic(reason),
                Err(_) => Self::Unknown(Bytes::copy_from_slice(data)),
            })
    }

    /// The refusal behind a failed RPC call; `None` if the call failed for another reason.
    pub fn of(error: &TransportError) -> Option<Self> {
        error.as_error_resp()?.as_revert_data().map(|data| Self::decode(&data))
    }

    /// The refusal behind a failed contract call; `None` if the call failed for another reason.
    pub fn of_call(error: &alloy::contract::Error) -> Option<Self> {
        error.as_revert_data().map(|data| Self::decode(&data))
    }
}

fn slot(hash: B256) -> SlotId {
    SlotId(hash)
}

fn observation(hash: B256) -> ObservationHash {
    ObservationHash(hash)
}

impl From<Ledger> for Revert {
    fn from(error: Ledger) -> Self {
        match error {
            Ledger::NotWitness(e) => Self::NotWitness { account: e.account },
            Ledger::SlotFinalized(e) => {
                Self::SlotFinalized { slot: slot(e.slot), final_hash: observation(e.finalHash) }
            }
            Ledger::AlreadyVoted(e) => Self::AlreadyVoted { slot: slot(e.slot), witness: e.witness },
            Ledger::Equivocation(e) => {
                Self::Equivocation { slot: slot(e.slot), witness: e.witness, refused: observation(e.observationHash) }
            }
            Ledger::StaleProposal(e) => Self::StaleProposal { slot: slot(e.slot), candidates: e.candidates },
            Ledger::NoSuchVote(e) => Self::NoSuchVote {
                slot: slot(e.slot),
                witness: e.witness,
                observation_hash: observation(e.observationHash),
            },
            Ledger::OtherContent(e) => {
                Self::OtherContent { slot: slot(e.slot), from: observation(e.from), to: observation(e.to) }
            }
            Ledger::AlreadyProposed(e) => Self::AlreadyProposed { slot: slot(e.slot), witness: e.witness },
            Ledger::UnknownCandidate(e) => {
                Self::UnknownCandidate { slot: slot(e.slot), observation_hash: observation(e.observationHash) }
            }
            Ledger::QuorumNotReached(e) => Self::QuorumNotReached {
                slot: slot(e.slot),
                observation_hash: observation(e.observationHash),
                active_votes: e.activeVotes,
                quorum: e.quorum,
            },
            Ledger::LengthMismatch(e) => Self::LengthMismatch { left: e.left, right: e.right },
            Ledger::UnknownPlace(e) => Self::UnknownPlace { slot: slot(e.slot), place: e.place },
            Ledger::NoCode(e) => Self::NoCode { account: e.account },
        }
    }
}

impl From<Registry> for Revert {
    fn from(error: Registry) -> Self {
        match error {
            Registry::NotWitness(e) => Self::NotWitness { account: e.witness },
            Registry::InvalidWitness(e) => Self::InvalidWitness { witness: e.witness },
            Registry::AlreadyWitness(e) => Self::AlreadyWitness { witness: e.witness },
            Registry::AddressUsed(e) => Self::AddressUsed { account: e.account },
            Registry::NotOffered(e) => Self::NotOffered { index: e.index, account: e.account },
            Registry::RegistryFull(e) => Self::RegistryFull { capacity: e.capacity },
            Registry::InvalidQuorum(e) => Self::InvalidQuorum { quorum: e.quorum, witness_count: e.witnessCount },
            Registry::UnknownWitness(e) => Self::UnknownWitness { account: e.account },
            Registry::UnknownIndex(e) => Self::UnknownIndex { index: e.index },
            Registry::OwnableUnauthorizedAccount(e) => Self::NotOwner { account: e.account },
            Registry::OwnableInvalidOwner(e) => Self::InvalidOwner { owner: e.owner },
        }
    }
}

impl From<Rail> for Revert {
    fn from(error: Rail) -> Self {
        match error {
            Rail::InvalidPublisher(e) => Self::InvalidPublisher { publisher: e.publisher },
            Rail::AlreadyPublisher(e) => Self::AlreadyPublisher { publisher: e.publisher },
            Rail::NotPublisher(e) => Self::NotPublisher { account: e.account },
            Rail::SlotSettled(e) => {
                Self::SlotSettled { slot: slot(e.slot), observation_hash: observation(e.observationHash) }
            }
            Rail::NotFinal(e) => {
                Self::NotFinal { slot: slot(e.slot), observation_hash: observation(e.observationHash) }
            }
            Rail::NoCode(e) => Self::NoCode { account: e.account },
            Rail::OwnableUnauthorizedAccount(e) => Self::NotOwner { account: e.account },
            Rail::OwnableInvalidOwner(e) => Self::InvalidOwner { owner: e.owner },
        }
    }
}

#[cfg(test)]
mod tests {
    use alloy::sol_types::{self, SolError};

    use super::*;
    use crate::contracts::{EveryChannelObservationLedger, EveryChannelRail, EveryChannelWitnessRegistry};

    #[test]
    fn errors_of_every_contract_decode_with_their_arguments() {
        let hash = B256::repeat_byte(7);
        let ledger = EveryChannelObservationLedger::StaleProposal { slot: hash, candidates: U256::from(2) };
        let decoded = Revert::decode(&ledger.abi_encode());
        assert_eq!(decoded, Revert::StaleProposal { slot: SlotId(hash), candidates: U256::from(2) });
        let registry = EveryChannelWitnessRegistry::InvalidQuorum { quorum: 1, witnessCount: U256::from(3) };
        assert!(matches!(Revert::decode(&registry.abi_encode()), Revert::InvalidQuorum { quorum: 1, .. }));
        let rail = EveryChannelRail::NotFinal { slot: hash, observationHash: hash };
        assert!(Revert::decode(&rail.abi_encode()).to_string().contains("(NotFinal)"));
    }

    #[test]
    fn words_and_unknown_data_are_shown() {
        let words = sol_types::Revert::from("no way").abi_encode();
        assert!(Revert::decode(&words).to_string().contains("no way"));
        assert_eq!(Revert::decode(&[1, 2, 3, 4]), Revert::Unknown(Bytes::from_static(&[1, 2, 3, 4])));
    }
}
