//! What one witness sees of the chain: the real ledger state, followed block by block.

use ec_ledger::{LedgerState, WitnessSet};
use ec_witness::witness::situation::Situation;
use rand::RngExt;

use super::{
    chain::{Chain, FINALITY_DEPTH},
    host::Net,
};

/// How long an RPC may be silent before the ledger is not live.
const HEAD_STALE_MS: u64 = 30_000;

/// The ledger as one witness sees it.
#[derive(Debug)]
pub(crate) struct View {
    pub(crate) ledger: LedgerState,
    /// The active set at the ledger's block.
    pub(crate) set: WitnessSet,
    /// That block's time.
    head_ms: u64,
    answered_ms: Option<u64>,
    live_since_ms: Option<u64>,
}

impl View {
    pub(crate) fn new(ledger: LedgerState) -> Self {
        Self { ledger, set: WitnessSet::default(), head_ms: 0, answered_ms: None, live_since_ms: None }
    }

    /// The block it is at.
    pub(crate) fn number(&self) -> u64 {
        self.ledger.head().map_or(0, |head| head.number)
    }

    /// The finalized head.
    pub(crate) fn finalized(&self) -> u64 {
        self.number().saturating_sub(FINALITY_DEPTH)
    }

    /// What is judged by it at this reading of the own clock.
    pub(crate) fn situation(&self, now_ms: u64) -> Situation<'_> {
        let Self { ledger, set, head_ms, live_since_ms, .. } = self;
        Situation { ledger, set, head_ms: *head_ms, now_ms, live_since_ms: *live_since_ms }
    }

    /// Reads on, nearly to the newest block.
    pub(crate) fn follow<T>(&mut self, now_ms: u64, net: &mut Net<T>) {
        let lag_ms = net.rng.random_range(0..3_000);
        self.sync(net.chain.newest_at(now_ms.saturating_sub(lag_ms)), &net.chain);
    }

    /// Brings it to a block, but never back on one branch.
    pub(crate) fn sync(&mut self, target: u64, chain: &Chain) {
        let shared = self.ledger.revertible().find(|block| chain.is_canonical(*block));
        match shared {
            Some(block) => {
                self.ledger.revert_above(block.number);
                self.take_on(block.number, chain);
            }
            None => assert_eq!(self.ledger.head(), None, "a reorg below the finalized head"),
        }
        let next = shared.map_or(0, |block| block.number + 1);
        // what cannot be reorganised away is read in one piece
        let bulk = target.saturating_sub(FINALITY_DEPTH);
        if next <= bulk {
            self.apply(next, bulk, chain);
        }
        (next.max(bulk + 1)..=target).for_each(|number| self.apply(number, number, chain));
    }

    fn apply(&mut self, from: u64, to: u64, chain: &Chain) {
        let blocks = &chain.blocks[from as usize..=to as usize];
        let events = blocks.iter().flat_map(|block| block.events.iter().cloned());
        self.ledger.apply(chain.blocks[to as usize].at, events);
        self.take_on(to, chain);
    }

    fn take_on(&mut self, number: u64, chain: &Chain) {
        let block = &chain.blocks[number as usize];
        (self.set, self.head_ms) = (block.set.clone(), block.time_ms);
    }

    /// Notes whether the RPC answers now; the own clock is this far ahead.
    pub(crate) fn note_liveness(&mut self, now_ms: u64, offset_ms: u64, answers: bool) {
        let is_stale = self.answered_ms.is_none_or(|at| now_ms - at > HEAD_STALE_MS);
        if answers {
            self.answered_ms = Some(now_ms);
        }
        self.live_since_ms = match self.live_since_ms {
            Some(since) if !is_stale => Some(since),
            _ if answers => Some(now_ms + offset_ms),
            _ => None,
        };
    }
}
