//! What witnesses have sent, read back from the chain's blocks: independent of every vote store.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use alloy::{
    consensus::Transaction as _,
    eips::BlockNumberOrTag,
    network::TransactionResponse,
    primitives::{Address, U256},
    providers::Provider,
    sol_types::SolInterface,
};
use ec_ledger::contracts::EveryChannelObservationLedger::EveryChannelObservationLedgerCalls as Call;
use ec_observation::{ContentHash, ObservationHash, ObservationHeader, SlotId};

use super::{Rail, common::block_on};

/// Everything a ledger was asked for in transactions, refused ones included.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    /// What each account asked for in each slot.
    votes: BTreeMap<(Address, SlotId), BTreeSet<ObservationHash>>,
    /// Every header that was proposed.
    headers: HashMap<ObservationHash, ObservationHeader>,
    /// Transactions to the ledger.
    pub(crate) transactions: usize,
}

impl Audit {
    /// Reads every block.
    pub(crate) fn of(rail: &Rail) -> Self {
        Self::knowing(rail, &[])
    }

    /// The same where votes may be for these headers too, whose proposals a reorg may have taken back for good.
    pub(crate) fn knowing(rail: &Rail, headers: &[ObservationHeader]) -> Self {
        let headers = headers.iter().map(|header| (header.hash(), *header)).collect();
        let mut audit = Self { headers, ..Self::default() };
        block_on(async {
            let provider = rail.net.provider();
            for number in 0..=provider.get_block_number().await.unwrap() {
                let block = provider.get_block_by_number(BlockNumberOrTag::Number(number)).full().await;
                for tx in block.unwrap().unwrap().transactions.into_transactions() {
                    if tx.to() == Some(rail.deployed.ledger) {
                        audit.take(tx.from(), tx.input());
                    }
                }
            }
        });
        audit
    }

    fn take(&mut self, from: Address, input: &[u8]) {
        self.transactions += 1;
        match Call::abi_decode(input).unwrap() {
            Call::propose(call) => self.propose(from, call.header.into()),
            Call::proposeBatch(call) => {
                call.headers.into_iter().for_each(|header| self.propose(from, header.into()));
            }
            Call::attest(call) => self.vote(from, SlotId(call.slot), ObservationHash(call.hash)),
            Call::attestBatch(call) => {
                for (slot, hash) in call.slots.into_iter().zip(call.observationHashes) {
                    self.vote(from, SlotId(slot), ObservationHash(hash));
                }
            }
            Call::r#move(call) => self.moved(from, call.from.into(), call.to.into()),
            Call::moveBatch(call) => {
                for (left, to) in call.from.into_iter().zip(call.to) {
                    self.moved(from, left.into(), to.into());
                }
            }
            Call::finalize(_) => {}
            other => panic!("a witness sent {other:?}"),
        }
    }

    fn propose(&mut self, from: Address, header: ObservationHeader) {
        self.headers.insert(header.hash(), header);
        self.vote(from, header.slot(), header.hash());
    }

    /// A move is a vote for what it goes to, and says that there was one for what it leaves.
    fn moved(&mut self, from: Address, left: ObservationHeader, to: ObservationHeader) {
        self.propose(from, left);
        self.propose(from, to);
    }

    fn vote(&mut self, from: Address, slot: SlotId, observation: ObservationHash) {
        self.votes.entry((from, slot)).or_default().insert(observation);
    }

    /// Asserts that nobody ever asked for two contents in one slot; returns how many (witness, slot) pairs there are.
    #[track_caller]
    pub(crate) fn assert_no_equivocation(&self) -> usize {
        for ((witness, slot), observations) in &self.votes {
            let contents: BTreeSet<ContentHash> =
                observations.iter().map(|observation| self.headers[observation].content().hash()).collect();
            assert_eq!(contents.len(), 1, "{witness} stood for {contents:?} in slot {slot}");
        }
        self.votes.len()
    }
}

/// Asserts that no transaction of a witness waits for one that is missing.
#[track_caller]
pub(crate) fn assert_no_nonce_gap(rail: &Rail, witnesses: usize) {
    for w in 1..=witnesses {
        let queued = block_on(async {
            let provider = rail.net.provider();
            let latest = provider.get_transaction_count(rail.net.account(w)).await.unwrap();
            let pending = provider.get_transaction_count(rail.net.account(w)).pending().await.unwrap();
            let status: HashMap<String, U256> = provider.raw_request("txpool_status".into(), ()).await.unwrap();
            (latest, pending, status["queued"])
        });
        assert_eq!(queued.0, queued.1, "witness {w} has transactions that do not land");
        assert_eq!(queued.2, U256::ZERO, "transactions wait behind a nonce gap");
    }
}
