//! What the receipts of this witness's transactions prove of slots, whatever the ledger's log says.

use alloy::{primitives::Address, rpc::types::TransactionReceipt, sol_types::SolEvent};
use ec_ledger::contracts::{EveryChannelObservationLedger as Ledger, Revert};
use ec_observation::{ObservationHash, SlotId};

/// A fact about a slot, as the block of an own transaction left it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finding {
    /// The slot.
    pub slot: SlotId,
    /// The block that executed the transaction.
    pub block: u64,
    /// What holds there.
    pub fact: Fact,
}

/// What holds of a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fact {
    /// The own vote counts.
    #[error("this witness has voted")]
    Voted,
    /// A candidate is final.
    #[error("a candidate is final")]
    Final,
    /// So many candidates are there, strays included.
    #[error("there are {0} candidates")]
    Candidates(usize),
    /// This is no candidate.
    #[error("{0} is no candidate")]
    NoCandidate(ObservationHash),
    /// The own vote is not on this candidate.
    #[error("this witness has no vote on {0}")]
    NoVote(ObservationHash),
}

impl Fact {
    /// Whether it denies what the log may show. That may have come to be in a later block, so that the log, read once
    /// more, has the last word.
    pub fn is_denial(self) -> bool {
        matches!(self, Self::NoCandidate(_) | Self::NoVote(_))
    }
}

/// What the events of an own receipt prove: the votes that `witness` cast, and what became final with them.
pub(super) fn shown(receipt: &TransactionReceipt, ledger: Address, witness: Address) -> Vec<(SlotId, Fact)> {
    let logs = receipt.inner.logs().iter().filter(|log| log.address() == ledger);
    let found = logs.filter_map(|log| match log.topic0().copied()? {
        Ledger::ObservationProposed::SIGNATURE_HASH => {
            let event = Ledger::ObservationProposed::decode_log(&log.inner).ok()?;
            (event.proposer == witness).then_some((SlotId(event.slot), Fact::Voted))
        }
        Ledger::ObservationAttested::SIGNATURE_HASH => {
            let event = Ledger::ObservationAttested::decode_log(&log.inner).ok()?;
            (event.witness == witness).then_some((SlotId(event.slot), Fact::Voted))
        }
        Ledger::VoteMoved::SIGNATURE_HASH => {
            let event = Ledger::VoteMoved::decode_log(&log.inner).ok()?;
            (event.witness == witness).then_some((SlotId(event.slot), Fact::Voted))
        }
        Ledger::ObservationFinalized::SIGNATURE_HASH => {
            let event = Ledger::ObservationFinalized::decode_log(&log.inner).ok()?;
            Some((SlotId(event.slot), Fact::Final))
        }
        _ => None,
    });
    found.collect()
}

/// What a refusal proves, if it is about what is in a slot.
pub(super) fn implied(refusal: &Revert) -> Option<(SlotId, Fact)> {
    match *refusal {
        Revert::AlreadyVoted { slot, .. } | Revert::Equivocation { slot, .. } => Some((slot, Fact::Voted)),
        Revert::SlotFinalized { slot, .. } => Some((slot, Fact::Final)),
        Revert::StaleProposal { slot, candidates } => Some((slot, Fact::Candidates(candidates.saturating_to()))),
        Revert::UnknownCandidate { slot, observation_hash } => Some((slot, Fact::NoCandidate(observation_hash))),
        Revert::NoSuchVote { slot, observation_hash, .. } => Some((slot, Fact::NoVote(observation_hash))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use alloy::{
        consensus::{Receipt, ReceiptEnvelope, ReceiptWithBloom},
        primitives::{B256, LogData, U256},
        rpc::types::Log,
    };

    use super::*;

    const LEDGER: Address = Address::with_last_byte(1);
    const ME: Address = Address::with_last_byte(2);

    fn receipt(events: &[(Address, LogData)]) -> TransactionReceipt {
        let log = |(address, data): &(Address, LogData)| Log {
            inner: alloy::primitives::Log { address: *address, data: data.clone() },
            ..Log::default()
        };
        let receipt = Receipt { status: true.into(), cumulative_gas_used: 0, logs: events.iter().map(log).collect() };
        TransactionReceipt {
            inner: ReceiptEnvelope::Eip1559(ReceiptWithBloom { receipt, logs_bloom: Default::default() }),
            transaction_hash: B256::ZERO,
            transaction_index: None,
            block_hash: None,
            block_number: Some(9),
            gas_used: 0,
            effective_gas_price: 0,
            blob_gas_used: None,
            blob_gas_price: None,
            from: ME,
            to: Some(LEDGER),
            contract_address: None,
        }
    }

    #[test]
    fn a_receipt_proves_own_votes_and_what_is_final() {
        let (slot, hash) = (B256::repeat_byte(5), B256::repeat_byte(6));
        let attested = |witness| Ledger::ObservationAttested { slot, observationHash: hash, witness }.encode_log_data();
        let moved = Ledger::VoteMoved { slot, to: hash, witness: ME, from: B256::ZERO }.encode_log_data();
        let of = |events: &[_]| shown(&receipt(events), LEDGER, ME);
        assert_eq!(of(&[(LEDGER, attested(ME))]), [(SlotId(slot), Fact::Voted)]);
        assert_eq!(of(&[(LEDGER, moved)]), [(SlotId(slot), Fact::Voted)]);
        assert_eq!(of(&[(LEDGER, attested(LEDGER)), (ME, attested(ME))]), [], "another's vote, another contract");
    }

    #[test]
    fn refusals_prove_what_is_in_the_slot() {
        let (slot, hash) = (SlotId(B256::repeat_byte(5)), ObservationHash(B256::repeat_byte(6)));
        let cases = [
            (Revert::AlreadyVoted { slot, witness: ME }, Some(Fact::Voted)),
            (Revert::Equivocation { slot, witness: ME, refused: hash }, Some(Fact::Voted)),
            (Revert::SlotFinalized { slot, final_hash: hash }, Some(Fact::Final)),
            (Revert::StaleProposal { slot, candidates: U256::from(3) }, Some(Fact::Candidates(3))),
            (Revert::UnknownCandidate { slot, observation_hash: hash }, Some(Fact::NoCandidate(hash))),
            (Revert::NoSuchVote { slot, witness: ME, observation_hash: hash }, Some(Fact::NoVote(hash))),
            (Revert::NotWitness { account: ME }, None),
        ];
        for (refusal, fact) in cases {
            assert_eq!(implied(&refusal), fact.map(|fact| (slot, fact)), "{refusal}");
        }
    }
}
