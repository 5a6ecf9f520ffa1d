//! The contracts on an Anvil, a follower that lives through all of it, and one that reads the same anew.

use std::{num::NonZeroU64, time::Duration};

use alloy::{
    contract::{CallBuilder, CallDecoder},
    primitives::{Address, U256},
    providers::{DynProvider, Provider, ProviderBuilder},
};
use ec_ledger::{
    Follower, LedgerSettings, Polled,
    contracts::{
        EveryChannelObservationLedger as Ledger, EveryChannelObservationLedger::EveryChannelObservationLedgerInstance,
        EveryChannelWitnessRegistry as Registry, EveryChannelWitnessRegistry::EveryChannelWitnessRegistryInstance,
    },
};
use ec_observation::{EpochHash, EpochName, ObservationHash, ObservationHeader, StreamRule};
use ec_rpc::{Endpoint, Endpoints};
use ec_testing::anvil::Anvil;
use tempfile::TempDir;

/// The addresses that have or had a seat: four at first, and those that took one over.
const ADDRESSES: usize = 8;
const FIRST_MS: u64 = 1_772_824_680_000;

pub(crate) struct Bench {
    anvil: Anvil,
    _dir: TempDir,
    node: DynProvider,
    registry: EveryChannelWitnessRegistryInstance<DynProvider>,
    ledger: EveryChannelObservationLedgerInstance<DynProvider>,
    settings: LedgerSettings,
    pub(crate) follower: Follower,
    proposed: Vec<ObservationHeader>,
}

impl Bench {
    /// Four witnesses, accounts 1 to 4, of whom three are the quorum. The one of account 2 is watched, as account `watched`.
    pub(crate) async fn start(watched: usize) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let anvil = Anvil::start(dir.path(), &["--slots-in-an-epoch".into(), "500".into()]).unwrap();
        let node =
            ProviderBuilder::new().disable_recommended_fillers().connect_http(anvil.rpc().parse().unwrap()).erased();
        let (owner, witnesses) = (anvil.accounts()[0], anvil.accounts()[1..=4].to_vec());
        let registry = Registry::deploy_builder(&node, owner, witnesses, 3).from(owner).deploy().await.unwrap();
        let ledger = Ledger::deploy_builder(&node, registry).from(owner).deploy().await.unwrap();
        let settings = LedgerSettings {
            chain_id: Anvil::CHAIN_ID,
            ledger,
            registry,
            deploy_block: 0,
            log_page_blocks: NonZeroU64::new(10_000).unwrap(),
            head_stale: Duration::from_secs(30),
            block_time: None,
            finality_stale: Duration::from_secs(1800),
        };
        Self {
            registry: Registry::new(registry, node.clone()),
            ledger: Ledger::new(ledger, node.clone()),
            follower: follower(&anvil, settings, Some(anvil.accounts()[watched]), &[rule()]),
            anvil,
            _dir: dir,
            node,
            settings,
            proposed: Vec::new(),
        }
    }

    /// Another one, of these streams, that watches this account.
    pub(crate) fn another(&self, watched: Option<usize>, streams: &[StreamRule]) -> Follower {
        follower(&self.anvil, self.settings, watched.map(|account| self.account(account)), streams)
    }

    /// So many blocks without a transaction.
    pub(crate) async fn mine(&self, blocks: u64) {
        let _: Option<()> = self.node.raw_request("anvil_mine".into(), (U256::from(blocks),)).await.unwrap();
    }

    /// What [`Self::go_back`] takes.
    pub(crate) async fn remember(&self) -> String {
        self.node.raw_request("evm_snapshot".into(), [(); 0]).await.unwrap()
    }

    /// The chain is as it was then, and goes on otherwise.
    pub(crate) async fn go_back(&self, then: &str) {
        assert!(self.node.raw_request::<_, bool>("evm_revert".into(), (then,)).await.unwrap());
    }

    pub(crate) fn account(&self, account: usize) -> Address {
        self.anvil.accounts()[account]
    }

    pub(crate) async fn propose(&mut self, account: usize, header: ObservationHeader, seen: usize) {
        self.proposed.push(header);
        done(self.ledger.propose(header.into(), U256::from(seen)).from(self.account(account))).await;
    }

    pub(crate) async fn attest(&self, account: usize, header: ObservationHeader) {
        done(self.ledger.attest(header.slot().0, header.hash().0).from(self.account(account))).await;
    }

    pub(crate) async fn shift(&mut self, account: usize, from: ObservationHeader, to: ObservationHeader, seen: usize) {
        self.proposed.push(to);
        let call = self.ledger.r#move(from.into(), to.into(), U256::from(seen));
        done(call.from(self.account(account))).await;
    }

    /// The seat of one account passes on to another one.
    pub(crate) async fn rotate(&self, from: usize, to: usize) {
        let index = self.registry.indexOf(self.account(from)).call().await.unwrap();
        done(self.registry.rotate(self.account(to)).from(self.account(from))).await;
        done(self.registry.acceptRotation(index).from(self.account(to))).await;
    }

    pub(crate) async fn set(&self, add: &[usize], remove: &[usize], quorum: u8) {
        let accounts = |of: &[usize]| of.iter().map(|&account| self.account(account)).collect();
        done(self.registry.updateSet(accounts(add), accounts(remove), quorum).from(self.account(0))).await;
    }

    pub(crate) async fn head(&self) -> u64 {
        self.node.get_block_number().await.unwrap()
    }

    /// Takes back all blocks after this one: as many others come in their place, without a transaction.
    pub(crate) async fn take_back_to(&self, number: u64) {
        let depth = self.head().await - number;
        let _: Option<()> = self.node.raw_request("anvil_reorg".into(), (depth, [(); 0])).await.unwrap();
    }

    /// Reads on, and has everything compared with what is read anew and with what the contracts answer.
    pub(crate) async fn poll(&mut self) -> Polled {
        let polled = self.follower.poll(0, false).await.unwrap();
        let mut fresh = self.another(None, &[rule()]);
        fresh.poll(0, false).await.unwrap();
        let (ledger, anew) = (self.follower.ledger(), fresh.ledger());
        assert_eq!(self.follower.set(), fresh.set());
        let stream = rule().stream_hash();
        assert_eq!(ledger.lane(stream), anew.lane(stream));
        for account in 0..=ADDRESSES {
            let address = self.account(account);
            assert_eq!(ledger.seat_of(address), anew.seat_of(address), "{account}");
            assert_eq!(ledger.seat_held_by(address), anew.seat_held_by(address), "{account}");
        }
        for header in &self.proposed {
            assert_eq!(ledger.slot(header.slot()), anew.slot(header.slot()));
            self.compare(header).await;
        }
        polled
    }

    /// The votes are those that the contract counts, and each seat's is for one candidate.
    async fn compare(&self, header: &ObservationHeader) {
        let (ledger, slot) = (self.follower.ledger(), header.slot());
        let Some(found) = ledger.slot(slot) else { return };
        assert_eq!(self.ledger.candidateCount(slot.0).call().await.unwrap(), U256::from(found.candidates.len()));
        let mut all = U256::ZERO;
        for candidate in &found.candidates {
            let votes = self.ledger.votes(slot.0, candidate.hash.0).call().await.unwrap();
            let mut bitmap = U256::ZERO;
            for &voter in &candidate.voters {
                let index = self.registry.indexOf(ledger.holder_of(voter)).call().await.unwrap().to();
                assert!(!bitmap.bit(index) && !all.bit(index), "one vote in a slot");
                bitmap.set_bit(index, true);
            }
            all |= bitmap;
            assert_eq!(bitmap, votes.bitmap);
            assert_eq!(self.follower.set().votes_for(candidate), votes.activeCount.to::<usize>());
        }
        let last = self.ledger.finalizedObservation(slot.0).call().await.unwrap();
        assert_eq!(found.finalized.unwrap_or(ObservationHash::ZERO).0, last);
    }

    /// The accounts whose votes a candidate has, by those that hold their seats now.
    pub(crate) fn voters(&self, header: ObservationHeader) -> Vec<usize> {
        let ledger = self.follower.ledger();
        let candidate = ledger.slot(header.slot()).unwrap().candidate(header.hash()).unwrap();
        let account = |address| self.anvil.accounts().iter().position(|account| *account == address).unwrap();
        candidate.voters.iter().map(|&seat| account(ledger.holder_of(seat))).collect()
    }
}

fn follower(anvil: &Anvil, settings: LedgerSettings, witness: Option<Address>, streams: &[StreamRule]) -> Follower {
    let endpoint = Endpoint { rpc: anvil.rpc().parse().unwrap(), timeout: Duration::from_secs(10) };
    let endpoints = Endpoints::new(&[endpoint], Anvil::CHAIN_ID, 1).unwrap();
    let streams = streams.iter().map(|rule| (rule.stream_hash(), rule.epochs)).collect();
    Follower::new(endpoints, settings, witness, Some(streams))
}

/// A broadcast on the timeline.
pub(crate) fn timeline() -> StreamRule {
    StreamRule::new("la-abc")
}

/// A header of an epoch on the timeline.
pub(crate) fn header_of(rule: &StreamRule, index: u64) -> ObservationHeader {
    ObservationHeader {
        stream_hash: rule.stream_hash(),
        epoch_hash: EpochHash::of(&rule.epochs.id(EpochName::timeline(index))),
        sequence: index,
        ..header(index, 0)
    }
}

pub(crate) fn rule() -> StreamRule {
    StreamRule::lane("la-nbc", "la-nbc", "0.m4s", NonZeroU64::new(30).unwrap()).unwrap()
}

/// A header of the epoch with this index in the session that opens with it, observed so many milliseconds later.
pub(crate) fn header(index: u64, after_ms: u64) -> ObservationHeader {
    let name = EpochName { mark: FIRST_MS + 60_000 * index, index };
    ObservationHeader {
        stream_hash: rule().stream_hash(),
        epoch_hash: EpochHash::of(&rule().epochs.id(name)),
        parent_observation_hash: ObservationHash::ZERO,
        data_root: alloy::primitives::B256::repeat_byte(index as u8),
        locator_hash: alloy::primitives::B256::ZERO,
        observed_unix_ms: name.mark + after_ms,
        sequence: name.sequence().unwrap(),
    }
}

/// Sends a call, and waits for its receipt. A filler or a watcher would go by the heads that it has heard of, and reorgs
/// confuse those.
async fn done<P: Provider, D: CallDecoder>(call: CallBuilder<P, D>) {
    let sent = call.send().await.unwrap();
    let (node, hash) = (sent.provider().clone(), *sent.tx_hash());
    for _ in 0..1000 {
        if let Some(receipt) = node.get_transaction_receipt(hash).await.unwrap() {
            assert!(receipt.status());
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("transaction {hash} is not executed");
}
