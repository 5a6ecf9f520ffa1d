//! The vote history of one witness, and a referee that remembers what everyone recorded.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use ec_observation::{Ballot, ContentHash, ObservationHash, ObservationHeader, SlotId, VoteKind};
use ec_witness::witness::decision::OwnVote;

use rand::{RngExt, rngs::StdRng};

use super::{chain::Chain, contract::Call, host::Net};

/// The candidates up to the one that is voted for, and whether their parents are right.
pub(crate) type Judged = Vec<(ObservationHash, bool)>;

/// A header and the transaction that carries it.
#[derive(Clone, Debug)]
struct Try {
    header: ObservationHeader,
    nonce: usize,
    /// Its place in the batch.
    item: usize,
    /// What it was judged by.
    judged: Judged,
}

/// Every header that was tried, by slot. Survives stops, unless the guard is broken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    tries: BTreeMap<SlotId, Vec<Try>>,
}

impl Guard {
    fn record(&mut self, header: ObservationHeader, nonce: usize, item: usize, judged: Judged) {
        let tries = self.tries.entry(header.slot()).or_default();
        tries.push(Try { header, nonce, item, judged });
    }

    /// Records votes, then sends them: proposals in one batch, attestations in another. `judged` tells what each rests on.
    pub(crate) fn cast<T>(
        &mut self,
        me: Address,
        now_ms: u64,
        ballots: &[Ballot],
        judged: impl Fn(&ObservationHeader) -> Judged,
        net: &mut Net<T>,
    ) {
        let (attest, propose): (Vec<Ballot>, Vec<Ballot>) =
            ballots.iter().copied().partition(|ballot| ballot.vote == VoteKind::Attest);
        for batch in [propose, attest].iter().filter(|batch| !batch.is_empty()) {
            let calls = batch.iter().map(call).collect();
            let nonce = net.chain.send(me, calls, now_ms + latency_ms(&mut net.rng));
            for (item, Ballot { header, .. }) in batch.iter().enumerate() {
                net.referee.note(me, header);
                self.record(*header, nonce, item, judged(header));
            }
        }
    }

    /// Whether a vote was ever tried by exactly this.
    pub(crate) fn has_judged(&self, slot: SlotId, judged: &Judged) -> bool {
        self.tries.get(&slot).into_iter().flatten().any(|tried| tried.judged == *judged)
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
        let cannot_land = |tried: &Try| {
            let receipt = chain.receipt(me, tried.nonce, block);
            receipt.is_some_and(|receipt| receipt.results[tried.item].is_some())
        };
        let vote = match tries.iter().all(cannot_land) {
            true => OwnVote::CannotLand(header.content().hash()),
            false => OwnVote::Cast,
        };
        Some((header, vote))
    }
}

fn call(ballot: &Ballot) -> Call {
    match ballot.vote {
        VoteKind::Propose { candidates_seen } => Call::Propose { header: ballot.header, candidates_seen },
        VoteKind::Attest => Call::Attest { slot: ballot.header.slot(), observation: ballot.header.hash() },
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
