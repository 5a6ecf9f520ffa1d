//! A registered witness that means harm: the right content at a time that one honest witness may accept and the others
//! may not, and a vote that does not stay where it is.

use std::collections::BTreeMap;

use alloy::{
    primitives::{Address, U256},
    providers::{DynProvider, Provider, ext::AnvilApi},
};
use ec_ledger::{LedgerState, Slot, contracts::EveryChannelObservationLedger as Ledger};
use ec_observation::{ObservationHeader, SlotId};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{HONEST, ROGUE, TOLERANCE_MS, common, lateness};
use crate::{Rail, TestArchive, archive, run};

pub(super) struct Rogue {
    me: Address,
    ledger: Ledger::EveryChannelObservationLedgerInstance<DynProvider>,
    node: DynProvider,
    seed: u64,
    random: StdRng,
    /// Each epoch's header at the time at which it received it itself, before every honest witness.
    derived: BTreeMap<u64, ObservationHeader>,
    asked: Vec<ObservationHeader>,
    /// Of its next transaction: reorgs set it back.
    nonce: u64,
}

impl Rogue {
    pub(super) fn new(rail: &Rail, seed: u64) -> Self {
        let node = rail.net.provider();
        Self {
            me: rail.net.account(ROGUE),
            ledger: Ledger::new(rail.deployed.ledger, node.clone()),
            node,
            seed,
            random: StdRng::seed_from_u64(seed),
            derived: BTreeMap::new(),
            asked: Vec::new(),
            nonce: 0,
        }
    }

    /// Every header that it has asked for a candidate to be made of.
    pub(super) fn asked(&self) -> &[ObservationHeader] {
        &self.asked
    }

    /// Its header of each epoch by its number.
    pub(super) fn derived(&self) -> &BTreeMap<u64, ObservationHeader> {
        &self.derived
    }

    /// Derives what is whole of its archive by now.
    pub(super) fn derive(&mut self, archive: &TestArchive, epochs: u64) {
        if (self.derived.len() as u64) < epochs {
            let mut command = common::ec_witness("derive --json");
            command.env("EC_WITNESS_ARCHIVE", archive.path());
            command.env("EC_WITNESS_GROUPS_PER_EPOCH", archive::GROUPS_PER_EPOCH.to_string());
            let outcome = run(&mut command);
            assert_eq!(outcome.code, 0, "{outcome:?}");
            let headers = outcome.lines().iter().map(common::header_of).collect::<Vec<_>>();
            self.derived = headers.into_iter().map(|header| (header.sequence, header)).collect();
        }
    }

    /// Votes where it has no vote, and moves the votes that it has about.
    pub(super) async fn act(&mut self, state: &LedgerState) {
        self.nonce = self.node.get_transaction_count(self.me).await.unwrap();
        let headers: Vec<_> = self.derived.values().copied().collect();
        for own in headers {
            let slot = own.slot();
            if state.final_of(own.stream_hash, own.sequence, slot).is_some() {
                continue;
            }
            match state.slot(slot).and_then(|slot| Some((slot, slot.vote_of(state.seat_of(self.me))?))) {
                None => self.propose(&own, state).await,
                Some((shown, from)) if self.random.random_bool(0.2) => {
                    self.move_from(from.header, shown).await;
                }
                Some(_) => {}
            }
        }
    }

    async fn propose(&mut self, own: &ObservationHeader, state: &LedgerState) {
        let parent_observation_hash = state.newest_final_below(own.stream_hash, own.sequence);
        let header = ObservationHeader { parent_observation_hash, observed_unix_ms: self.edge_ms(own), ..*own };
        self.asked.push(header);
        let seen = seen(state, own.slot());
        // one that comes too late, or while the last ones wait, is refused, and made anew at a later look
        let call = self.ledger.propose(header.into(), seen).from(self.me).nonce(self.nonce);
        self.nonce += u64::from(call.send().await.is_ok());
    }

    /// A move to any other candidate of its content, or to one with a time next to its own.
    async fn move_from(&mut self, from: ObservationHeader, shown: &Slot) {
        let others = shown.candidates.iter().map(|candidate| candidate.header);
        let mut targets: Vec<_> = others.filter(|to| to.content() == from.content() && *to != from).collect();
        targets.push(ObservationHeader { observed_unix_ms: from.observed_unix_ms + 1, ..from });
        let to = targets[self.random.random_range(0..targets.len())];
        self.asked.push(to);
        let seen = U256::from(shown.candidates.len());
        let call = self.ledger.r#move(from.into(), to.into(), seen).from(self.me).nonce(self.nonce);
        self.nonce += u64::from(call.send().await.is_ok());
    }

    /// A time inside the window of one honest witness, the first or the last to receive, and outside those of all others.
    fn edge_ms(&self, own: &ObservationHeader) -> u64 {
        let mut times = lateness(self.seed, own.sequence).map(|late_ms| own.observed_unix_ms + late_ms);
        times.sort_unstable();
        if own.sequence.is_multiple_of(2) {
            times[0].midpoint(times[1]) - TOLERANCE_MS
        } else {
            times[HONEST - 2].midpoint(times[HONEST - 1]) + TOLERANCE_MS
        }
    }

    /// Anvil forgets those of its transactions that wait for one which a reorg took back.
    pub(super) fn forget_unsent(&self) {
        common::block_on(async { self.node.anvil_remove_pool_transactions(self.me).await.unwrap() });
    }
}

fn seen(state: &LedgerState, slot: SlotId) -> U256 {
    U256::from(state.slot(slot).map_or(0, |slot| slot.candidates.len()))
}
