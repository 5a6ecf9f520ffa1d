//! The chain that carries the ledger: a pool, blocks, reorgs and a finalized head.

use std::collections::BTreeMap;

use alloy::primitives::{Address, B256, U256};
use ec_ledger::{LedgerEvent, WitnessSet};
use ec_observation::{ContentHash, ObservationHash, ObservationHeader, SlotId};
use ec_rpc::BlockRef;
use rand::{RngExt, rngs::StdRng};

use super::contract::{Call, Contract};

/// Blocks between the latest and the finalized head; no reorg is as deep.
pub(crate) const FINALITY_DEPTH: u64 = 12;

/// One block.
#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) at: BlockRef,
    pub(crate) time_ms: u64,
    pub(crate) events: Vec<LedgerEvent>,
    /// The active set after it.
    pub(crate) set: WitnessSet,
    /// Sender and nonce of what it executed.
    transactions: Vec<(Address, usize)>,
}

/// Where a transaction was executed.
#[derive(Clone, Debug)]
pub(crate) struct Receipt {
    pub(crate) block: u64,
}

#[derive(Debug)]
struct Transaction {
    calls: Vec<Call>,
    arrives_ms: u64,
    receipt: Option<Receipt>,
}

/// An account's transactions by nonce.
#[derive(Debug, Default)]
struct Account {
    transactions: Vec<Transaction>,
    /// The next nonce to execute.
    next: usize,
}

/// The chain, its pool and what was ever final on it.
#[derive(Debug)]
pub(crate) struct Chain {
    pub(crate) blocks: Vec<Block>,
    pub(crate) contract: Contract,
    accounts: BTreeMap<Address, Account>,
    headers: BTreeMap<ObservationHash, ObservationHeader>,
    /// Contents that were final on any branch.
    ever_final: BTreeMap<SlotId, Vec<ContentHash>>,
    /// What is final below the finalized head.
    done: BTreeMap<SlotId, ObservationHash>,
    finalized: u64,
    hashes: u64,
    swaps: bool,
}

impl Chain {
    /// A chain whose first block sets the registry up.
    pub(crate) fn new(set: WitnessSet, swaps: bool) -> Self {
        let genesis = Block {
            at: BlockRef { number: 0, hash: B256::ZERO },
            time_ms: 0,
            events: vec![],
            set: set.clone(),
            transactions: vec![],
        };
        Self {
            blocks: vec![genesis],
            contract: Contract::new(set, swaps),
            swaps,
            accounts: BTreeMap::new(),
            headers: BTreeMap::new(),
            ever_final: BTreeMap::new(),
            done: BTreeMap::new(),
            finalized: 0,
            hashes: 0,
        }
    }

    /// Hands a transaction to the pool, to be there at `arrives_ms`; returns its nonce.
    pub(crate) fn send(&mut self, sender: Address, calls: Vec<Call>, arrives_ms: u64) -> usize {
        let account = self.accounts.entry(sender).or_default();
        account.transactions.push(Transaction { calls, arrives_ms, receipt: None });
        account.transactions.len() - 1
    }

    /// What became of a transaction at or below a block.
    pub(crate) fn receipt(&self, sender: Address, nonce: usize, block: u64) -> Option<&Receipt> {
        let transaction = self.accounts.get(&sender)?.transactions.get(nonce)?;
        transaction.receipt.as_ref().filter(|receipt| receipt.block <= block)
    }

    /// The latest block.
    pub(crate) fn head(&self) -> u64 {
        self.blocks.len() as u64 - 1
    }

    /// Whether a block is on this branch.
    pub(crate) fn is_canonical(&self, block: BlockRef) -> bool {
        self.blocks.get(block.number as usize).is_some_and(|found| found.at == block)
    }

    /// The newest block that was there at `time_ms`.
    pub(crate) fn newest_at(&self, time_ms: u64) -> u64 {
        self.blocks.partition_point(|block| block.time_ms <= time_ms).max(1) as u64 - 1
    }

    /// Executes what is in the pool, accounts in random order, each by nonce.
    pub(crate) fn produce(&mut self, now_ms: u64, rng: &mut StdRng) {
        self.hashes += 1;
        self.contract.now_s = now_ms / 1000;
        let at = BlockRef { number: self.head() + 1, hash: B256::from(U256::from(self.hashes)) };
        let mut block = Block { at, time_ms: now_ms, events: vec![], set: WitnessSet::default(), transactions: vec![] };
        loop {
            let ready: Vec<Address> = self.ready(now_ms);
            if ready.is_empty() {
                break;
            }
            let sender = ready[rng.random_range(0..ready.len())];
            self.execute_next(sender, &mut block);
        }
        block.set = self.contract.set.clone();
        self.note_finals(&block.events);
        self.blocks.push(block);
        self.advance_finalized();
    }

    fn ready(&self, now_ms: u64) -> Vec<Address> {
        let is_ready =
            |account: &Account| account.transactions.get(account.next).is_some_and(|next| next.arrives_ms <= now_ms);
        self.accounts.iter().filter(|(_, account)| is_ready(account)).map(|(sender, _)| *sender).collect()
    }

    fn execute_next(&mut self, sender: Address, block: &mut Block) {
        let account = self.accounts.get_mut(&sender).expect("it has a transaction");
        let transaction = &mut account.transactions[account.next];
        for call in &transaction.calls {
            block.events.extend(self.contract.execute(sender, call).unwrap_or_default());
        }
        transaction.receipt = Some(Receipt { block: block.at.number });
        block.transactions.push((sender, account.next));
        account.next += 1;
    }

    fn note_finals(&mut self, events: &[LedgerEvent]) {
        for event in events {
            match event {
                LedgerEvent::Proposed { header, .. } => {
                    self.headers.insert(header.hash(), *header);
                }
                LedgerEvent::Finalized { slot, observation } => {
                    let contents = self.ever_final.entry(*slot).or_default();
                    let content = self.headers[observation].content().hash();
                    if !contents.contains(&content) {
                        contents.push(content);
                    }
                }
                LedgerEvent::Attested { .. } | LedgerEvent::Moved { .. } | LedgerEvent::Rotated { .. } => {}
            }
        }
    }

    fn advance_finalized(&mut self) {
        let finalized = self.head().saturating_sub(FINALITY_DEPTH).max(self.finalized);
        for block in &self.blocks[self.finalized as usize + 1..=finalized as usize] {
            for event in &block.events {
                if let LedgerEvent::Finalized { slot, observation } = event {
                    let earlier = self.done.insert(*slot, *observation);
                    assert_eq!(earlier, None, "a final slot became final again");
                }
            }
        }
        self.finalized = finalized;
    }

    /// Drops the newest blocks. Their transactions are in the pool again, or resent, up to `resend_ms` later.
    pub(crate) fn reorg(&mut self, depth: u64, now_ms: u64, resend_ms: u64, rng: &mut StdRng) {
        let keep = (self.head().saturating_sub(depth)).max(self.finalized);
        let dropped = self.blocks.split_off(keep as usize + 1);
        for (sender, nonce) in dropped.into_iter().flat_map(|block| block.transactions).rev() {
            let account = self.accounts.get_mut(&sender).expect("it sent this");
            account.next = nonce;
            account.transactions[nonce].receipt = None;
            account.transactions[nonce].arrives_ms = now_ms + rng.random_range(0..=resend_ms);
        }
        self.rebuild();
    }

    /// The state is what the remaining blocks make it.
    fn rebuild(&mut self) {
        self.contract = Contract::new(self.blocks[0].set.clone(), self.swaps);
        for (sender, nonce) in self.blocks.iter().flat_map(|block| &block.transactions) {
            for call in &self.accounts[sender].transactions[*nonce].calls {
                let _ = self.contract.execute(*sender, call);
            }
        }
    }

    /// No slot was ever final with two contents, not even on two branches; and what is done is still final.
    pub(crate) fn assert_safe(&self) {
        for (slot, contents) in &self.ever_final {
            assert_eq!(contents.len(), 1, "two contents were final in {slot}");
        }
        for (slot, observation) in &self.done {
            assert_eq!(self.contract.slots[slot].finalized, Some(*observation), "a final slot changed");
        }
    }

    /// The headers that are final, in the order of the log, and when each became so.
    pub(crate) fn finals(&self) -> impl Iterator<Item = (&ObservationHeader, u64)> {
        let events = self.blocks.iter().flat_map(|block| block.events.iter().map(|event| (block.time_ms, event)));
        events.filter_map(|(time_ms, event)| match event {
            LedgerEvent::Finalized { observation, .. } => Some((&self.headers[observation], time_ms)),
            _ => None,
        })
    }

    /// A candidate by its hash.
    pub(crate) fn header(&self, hash: ObservationHash) -> &ObservationHeader {
        &self.headers[&hash]
    }
}
