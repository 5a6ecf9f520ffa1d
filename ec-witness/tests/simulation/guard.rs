//! The vote history of one witness, and a referee that remembers what everyone recorded.

use std::collections::BTreeMap;

use alloy::primitives::Address;
use ec_observation::{ContentHash, ObservationHash, ObservationHeader};
use ec_witness::witness::decision::OwnVote;

use super::chain::Chain;

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

/// Every header that was tried, by sequence. Survives stops, unless the guard is broken.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    tries: BTreeMap<u64, Vec<Try>>,
}

impl Guard {
    pub(crate) fn record(&mut self, header: ObservationHeader, nonce: usize, item: usize, judged: Judged) {
        let tries = self.tries.entry(header.sequence).or_default();
        tries.push(Try { header, nonce, item, judged });
    }

    /// Whether a vote was ever tried by exactly this.
    pub(crate) fn has_judged(&self, sequence: u64, judged: &Judged) -> bool {
        self.tries.get(&sequence).into_iter().flatten().any(|tried| tried.judged == *judged)
    }

    /// The newest header of a slot and what became of the votes for it, as one block shows it.
    pub(crate) fn vote(
        &self,
        me: Address,
        sequence: u64,
        chain: &Chain,
        block: u64,
    ) -> Option<(ObservationHeader, OwnVote)> {
        let tries = self.tries.get(&sequence)?;
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

/// Sees every recorded vote of every honest witness, and forgets nothing.
#[derive(Debug, Default)]
pub(crate) struct Referee {
    contents: BTreeMap<(Address, u64), ContentHash>,
}

impl Referee {
    pub(crate) fn note(&mut self, witness: Address, header: &ObservationHeader) {
        let content = header.content().hash();
        let first = *self.contents.entry((witness, header.sequence)).or_insert(content);
        assert_eq!(first, content, "{witness} recorded two contents for epoch {}", header.sequence);
    }
}
