//! Which votes share a transaction, and the call that casts them.

use std::collections::HashSet;

use alloy::{
    primitives::{Bytes, U256},
    sol_types::SolCall,
};

use ec_ledger::contracts::EveryChannelObservationLedger as Ledger;
use ec_observation::{Ballot, ObservationHash, SlotId, VoteKind};

/// Gas that a transaction may use apart from its items: intrinsic gas and the batch's frame.
const BASE_GAS: u64 = 40_000;
/// Gas that one proposal may use, its calldata and the slot's fresh storage included. `contracts/snapshots` has 81 000
/// for one alone, intrinsic gas included, and 54 000 in a batch; a rival candidate writes one word more, 22 100. So it
/// is about twice what is used, and what is not used is not paid.
const PROPOSE_GAS: u64 = 160_000;
/// Gas that one move may use. `contracts/snapshots` has 110 400 for one alone that makes a candidate, intrinsic gas
/// included, and 61 703 for one that makes a slot final; one that leaves a rival writes one more word, 5 000. So it is
/// about twice what is used, as for a proposal.
const MOVE_GAS: u64 = 220_000;
/// Gas that a vote alone may use.
pub const VOTE_GAS: u64 = BASE_GAS + PROPOSE_GAS;
/// Gas that one attestation may use, the one that finalizes included. Measured: 38 000 alone, 11 000 in a batch.
const ATTEST_GAS: u64 = 90_000;
/// The most gas of one transaction, whatever the block holds (EIP-7825).
const MAX_TX_GAS: u64 = 1 << 24;
/// The part of a block's gas that one transaction may ask for; a greedier one would wait for an empty block.
const BLOCK_SHARE: u64 = 2;

/// A call to the ledger and the votes it carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Call {
    pub(super) input: Bytes,
    pub(super) gas: u64,
    pub(super) votes: Vec<ObservationHash>,
}

impl Call {
    /// Finalizes a candidate that has the quorum's votes.
    pub(super) fn finalize(slot: SlotId, observation: ObservationHash) -> Self {
        let call = Ledger::finalizeCall { slot: slot.0, hash: observation.0 };
        Self { input: call.abi_encode().into(), gas: BASE_GAS + ATTEST_GAS, votes: Vec::new() }
    }

    fn cast(batch: &[Ballot]) -> Self {
        Self { input: calldata(batch), gas: gas(batch), votes: batch.iter().map(|b| b.header.hash()).collect() }
    }
}

/// The most gas that a transaction may have on a chain with such blocks.
pub(super) fn tx_gas(block_gas_limit: u64) -> u64 {
    MAX_TX_GAS.min(block_gas_limit / BLOCK_SHARE)
}

/// The calls that cast these ballots, each of at most `max_batch` votes and `room` gas where that is enough for one.
/// Attestations and moves go first: they may make a slot final. A slot's second ballot is left out; it goes with a later call.
pub(super) fn calls(ballots: &[Ballot], max_batch: usize, room: u64) -> Vec<Call> {
    let mut slots = HashSet::new();
    let ballots = ballots.iter().filter(|ballot| slots.insert(ballot.header.slot())).copied();
    let (attestations, others): (Vec<_>, Vec<_>) = ballots.partition(|ballot| ballot.vote == VoteKind::Attest);
    let (moves, proposals): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|ballot| matches!(ballot.vote, VoteKind::Move { .. }));
    let size = |first: &Ballot| max_batch.min(fitting(vote_gas(&first.vote), room)).max(1);
    let kinds = [attestations, moves, proposals];
    let batches = kinds.iter().filter_map(|ballots| Some(ballots.chunks(size(ballots.first()?))));
    batches.flatten().map(Call::cast).collect()
}

/// Items of this gas, votes or others, that fit in one transaction. Gas binds long before a pool's 128 KiB do: a proposal has
/// 256 bytes.
pub(super) fn fitting(item_gas: u64, room: u64) -> usize {
    usize::try_from(room.saturating_sub(BASE_GAS) / item_gas).unwrap_or(usize::MAX)
}

/// The gas that a batch may use.
fn gas(batch: &[Ballot]) -> u64 {
    BASE_GAS + batch.iter().map(|ballot| vote_gas(&ballot.vote)).sum::<u64>()
}

/// The gas that one vote may use.
pub(super) fn vote_gas(vote: &VoteKind) -> u64 {
    match vote {
        VoteKind::Propose { .. } => PROPOSE_GAS,
        VoteKind::Attest => ATTEST_GAS,
        VoteKind::Move { .. } => MOVE_GAS,
    }
}

/// What kind of votes a call to the ledger casts, and how many; `None` where it casts none.
pub(super) fn carried(input: &[u8]) -> Option<(&'static str, usize)> {
    let [propose, attest, r#move] = VoteKind::NAMES else { return None };
    let selector: [u8; 4] = input.get(..4)?.try_into().ok()?;
    Some(match selector {
        Ledger::proposeCall::SELECTOR => (propose, 1),
        Ledger::attestCall::SELECTOR => (attest, 1),
        Ledger::moveCall::SELECTOR => (r#move, 1),
        Ledger::proposeBatchCall::SELECTOR => {
            (propose, Ledger::proposeBatchCall::abi_decode(input).ok()?.headers.len())
        }
        Ledger::attestBatchCall::SELECTOR => (attest, Ledger::attestBatchCall::abi_decode(input).ok()?.slots.len()),
        Ledger::moveBatchCall::SELECTOR => (r#move, Ledger::moveBatchCall::abi_decode(input).ok()?.to.len()),
        _ => return None,
    })
}

/// The call that casts a batch, all of one kind. One vote alone goes by the call that has no list to pay for.
fn calldata(batch: &[Ballot]) -> Bytes {
    let seen = |ballot: &Ballot| match ballot.vote {
        VoteKind::Propose { candidates_seen } | VoteKind::Move { candidates_seen, .. } => U256::from(candidates_seen),
        VoteKind::Attest => U256::ZERO,
    };
    let from = |ballot: &Ballot| Ledger::ObservationHeader::from(ballot.moved_from().unwrap_or(ballot.header));
    let header = |ballot: &Ballot| Ledger::ObservationHeader::from(ballot.header);
    let (slot, hash) = (|ballot: &Ballot| ballot.header.slot().0, |ballot: &Ballot| ballot.header.hash().0);
    let encoded = match (batch, batch.first().map(|ballot| ballot.vote)) {
        ([one], Some(VoteKind::Attest)) => Ledger::attestCall { slot: slot(one), hash: hash(one) }.abi_encode(),
        ([one], Some(VoteKind::Propose { .. })) => {
            Ledger::proposeCall { header: header(one), candidatesSeen: seen(one) }.abi_encode()
        }
        ([one], Some(VoteKind::Move { .. })) => {
            Ledger::moveCall { from: from(one), to: header(one), candidatesSeen: seen(one) }.abi_encode()
        }
        (_, Some(VoteKind::Propose { .. })) => Ledger::proposeBatchCall {
            headers: batch.iter().map(header).collect(),
            candidatesSeen: batch.iter().map(seen).collect(),
        }
        .abi_encode(),
        (_, Some(VoteKind::Move { .. })) => Ledger::moveBatchCall {
            from: batch.iter().map(from).collect(),
            to: batch.iter().map(header).collect(),
            candidatesSeen: batch.iter().map(seen).collect(),
        }
        .abi_encode(),
        (_, Some(VoteKind::Attest) | None) => Ledger::attestBatchCall {
            slots: batch.iter().map(slot).collect(),
            observationHashes: batch.iter().map(hash).collect(),
        }
        .abi_encode(),
    };
    encoded.into()
}

#[cfg(test)]
mod tests {
    use alloy::primitives::B256;
    use proptest::prelude::*;

    use super::*;
    use ec_observation::{EpochHash, ObservationHeader};

    /// What geth's pool takes at most, `txMaxSize`.
    const POOL_BYTES: usize = 128 * 1024;

    fn ballot(slot: u8, header: u8, attest: bool) -> Ballot {
        let header = ObservationHeader {
            stream_hash: ec_observation::StreamHash::of("s"),
            epoch_hash: EpochHash(B256::repeat_byte(slot)),
            parent_observation_hash: ObservationHash::default(),
            data_root: B256::repeat_byte(9),
            locator_hash: B256::repeat_byte(8),
            observed_unix_ms: header.into(),
            sequence: slot.into(),
        };
        Ballot { header, vote: if attest { VoteKind::Attest } else { VoteKind::Propose { candidates_seen: 0 } } }
    }

    /// A move from the first header of a slot to this one.
    fn moved(slot: u8, header: u8) -> Ballot {
        let from = ballot(slot, 0, true).header.choice();
        Ballot { vote: VoteKind::Move { from, candidates_seen: 3 }, ..ballot(slot, header, true) }
    }

    #[test]
    fn moves_go_by_calls_of_their_own_after_attestations() {
        let (alone, others) = (moved(1, 7), [moved(2, 7), moved(3, 8)]);
        let one = calls(&[ballot(9, 0, false), alone, ballot(8, 0, true)], 64, MAX_TX_GAS);
        let selectors: Vec<_> = one.iter().map(|call| call.input[..4].to_vec()).collect();
        let expected = [Ledger::attestCall::SELECTOR, Ledger::moveCall::SELECTOR, Ledger::proposeCall::SELECTOR];
        assert_eq!(selectors, expected.map(Vec::from));
        assert_eq!(one[1].gas, BASE_GAS + MOVE_GAS);
        let call = Ledger::moveCall::abi_decode(&one[1].input).unwrap();
        let from = |ballot: &Ballot| ballot_with(ballot, 0);
        assert_eq!((call.from.into(), call.to.into()), (from(&alone), alone.header));
        assert_eq!(call.candidatesSeen, U256::from(3));

        let many = calls(&others, 64, MAX_TX_GAS);
        assert_eq!((many.len(), many[0].gas), (1, BASE_GAS + 2 * MOVE_GAS));
        let batch = Ledger::moveBatchCall::abi_decode(&many[0].input).unwrap();
        let headers = |headers: Vec<Ledger::ObservationHeader>| {
            headers.into_iter().map(ObservationHeader::from).collect::<Vec<_>>()
        };
        assert_eq!(headers(batch.from), others.each_ref().map(from));
        assert_eq!(headers(batch.to), others.map(|ballot| ballot.header));
        assert_eq!(batch.candidatesSeen, [U256::from(3); 2]);
        assert_eq!(many[0].votes, others.map(|ballot| ballot.header.hash()), "what is voted for, not what is left");
    }

    /// The header of the ballot's slot with another time.
    fn ballot_with(ballot: &Ballot, observed_unix_ms: u64) -> ObservationHeader {
        ObservationHeader { observed_unix_ms, ..ballot.header }
    }

    #[test]
    fn what_a_call_carries_is_read_from_it() {
        let ballots = [[ballot(1, 0, false), ballot(2, 0, false)], [ballot(3, 0, true), ballot(4, 0, true)]];
        let ballots = [ballots.concat(), vec![moved(5, 7), moved(6, 8)]].concat();
        let carried = |max_batch| {
            let calls = calls(&ballots, max_batch, MAX_TX_GAS).into_iter();
            calls.filter_map(|call| carried(&call.input)).collect::<Vec<_>>()
        };
        assert_eq!(carried(64), [("attest", 2), ("move", 2), ("propose", 2)]);
        assert_eq!(
            carried(1),
            [("attest", 1), ("attest", 1), ("move", 1), ("move", 1), ("propose", 1), ("propose", 1)]
        );
        let finalize = Call::finalize(SlotId(B256::ZERO), ObservationHash::default());
        assert_eq!(super::carried(&finalize.input), None);
        assert_eq!(super::carried(&[]), None);
    }

    #[test]
    fn one_vote_goes_alone_and_attestations_go_first() {
        let calls = calls(&[ballot(1, 0, false), ballot(2, 0, true), ballot(3, 0, true)], 64, MAX_TX_GAS);
        let selectors: Vec<_> = calls.iter().map(|call| call.input[..4].to_vec()).collect();
        assert_eq!(selectors, [Ledger::attestBatchCall::SELECTOR.to_vec(), Ledger::proposeCall::SELECTOR.to_vec()]);
        assert_eq!(calls[0].gas, BASE_GAS + 2 * ATTEST_GAS);
    }

    #[test]
    fn the_default_batch_fits_where_a_block_has_room_and_is_cut_where_not() {
        let ballots: Vec<_> = (0..200).map(|slot| ballot(slot, 0, false)).collect();
        let sizes = |max_batch, block| {
            calls(&ballots, max_batch, tx_gas(block)).iter().map(|call| call.votes.len()).collect::<Vec<_>>()
        };
        assert_eq!(sizes(64, 30_000_000), [64, 64, 64, 8]);
        assert_eq!(sizes(1000, 60_000_000)[0], 104, "EIP-7825 binds");
        assert_eq!(sizes(64, 8_000_000)[0], 24, "half a small block binds");
        assert_eq!(sizes(64, 0), vec![1; 200], "one vote goes in any case");
        let moves: Vec<_> = (0..200).map(|slot| moved(slot, 1)).collect();
        let fitting = calls(&moves, 1000, tx_gas(60_000_000))[0].votes.len();
        assert_eq!(fitting, 76, "moves are dearer");
    }

    proptest! {
        #[test]
        fn every_slot_goes_once_and_whole(
            picks in prop::collection::vec((0u8..40, 1u8..4, 0u8..3), 0..80), max_batch in 1usize..100,
        ) {
            let ballots: Vec<_> = picks
                .into_iter()
                .map(|(slot, header, kind)| if kind == 2 { moved(slot, header) } else { ballot(slot, header, kind == 1) })
                .collect();
            let calls = calls(&ballots, max_batch, MAX_TX_GAS);
            let voted: Vec<_> = calls.iter().flat_map(|call| call.votes.iter().copied()).collect();
            let mut slots = HashSet::new();
            let firsts: HashSet<_> = ballots
                .iter().filter(|ballot| slots.insert(ballot.header.slot())).map(|ballot| ballot.header.hash()).collect();
            prop_assert_eq!(voted.len(), firsts.len());
            prop_assert_eq!(voted.into_iter().collect::<HashSet<_>>(), firsts);
            for call in calls {
                prop_assert!(call.votes.len() <= max_batch && call.gas <= MAX_TX_GAS && call.input.len() < POOL_BYTES);
            }
        }
    }
}
