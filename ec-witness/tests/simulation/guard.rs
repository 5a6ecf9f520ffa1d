//! The vote history of one witness, and a referee that remembers what everyone recorded.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use ec_observation::{Ballot, ContentHash, ObservationHeader, SlotId, VoteKind};
use ec_witness::witness::decision::OwnVote;

use rand::{RngExt, rngs::StdRng};

use super::{chain::Chain, contract::Call, host::Net};

/// A header and the transaction that carries it.
#[derive(Clone, Debug)]
struct Try {
    header: ObservationHeader,
    nonce: usize,
}

/// Every header that was tried, by slot. Survives stops, unless the guard is broken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    tries: BTreeMap<SlotId, Vec<Try>>,
}

impl Guard {
    /// Records votes, then sends them: attestations in one batch, all others in another.
    pub(crate) fn cast<T>(&mut self, me: Address, now_ms: u64, ballots: &[Ballot], net: &mut Net<T>) {
        let (attest, others): (Vec<Ballot>, Vec<Ballot>) =
            ballots.iter().copied().partition(|ballot| ballot.vote == VoteKind::Attest);
        for batch in [others, attest].iter().filter(|batch| !batch.is_empty()) {
            let calls = batch.iter().map(call).collect();
            let nonce = net.chain.send(me, calls, now_ms + latency_ms(&mut net.rng));
            for &Ballot { header, .. } in batch {
                net.referee.note(me, &header);
                self.tries.entry(header.slot()).or_default().push(Try { header, nonce });
            }
        }
    }

    /// The newest header of a slot and what became of the votes for it, as one block shows it.
    pub(crate) fn vote(
        &self,
        me: Address,
        slot: SlotId,
        chain: &Chain,
        block: u64,
    ) -> Option<(ObservationHeader, OwnVote)> {
        let tries = self.tries.get(&slot)?;
        let header = tries.last()?.header;
        let is_executed = |tried: &Try| chain.receipt(me, tried.nonce, block).is_some();
        let vote = match tries.iter().all(is_executed) {
            true => OwnVote::Executed(header.content().hash()),
            false => OwnVote::Cast,
        };
        Some((header, vote))
    }
}

fn call(ballot: &Ballot) -> Call {
    match ballot.vote {
        VoteKind::Propose { candidates_seen } => Call::Propose { header: ballot.header, candidates_seen },
        VoteKind::Attest => Call::Attest { slot: ballot.header.slot(), observation: ballot.header.hash() },
        VoteKind::Move { from, candidates_seen } => {
            Call::Move { from: ballot.header.with(from), to: ballot.header, candidates_seen }
        }
    }
}

/// Most transactions are included soon; a few are lost on the way and sent again later.
fn latency_ms(rng: &mut StdRng) -> u64 {
    if rng.random_bool(0.02) { rng.random_range(5_000..60_000) } else { rng.random_range(200..5_000) }
}

/// Sees every recorded vote of every honest witness, and forgets nothing.
#[derive(Debug, Default)]
pub(crate) struct Referee {
    contents: BTreeMap<(Address, SlotId), ContentHash>,
}

impl Referee {
    pub(crate) fn note(&mut self, witness: Address, header: &ObservationHeader) {
        let content = header.content().hash();
        let first = *self.contents.entry((witness, header.slot())).or_insert(content);
        assert_eq!(first, content, "{witness} recorded two contents for epoch {}", header.sequence);
    }
}
