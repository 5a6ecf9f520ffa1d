//! A chain that mines when it is told to, a ledger of one witness, and that witness's sender.

use std::time::Duration;

use alloy::{
    eips::Encodable2718,
    primitives::{B256, U256},
    providers::{DynProvider, Provider, ext::AnvilApi},
};
use ec_ledger::{Heads, contracts::EveryChannelObservationLedger as Ledger};
use ec_observation::{Ballot, EpochHash, ObservationHash, ObservationHeader, StreamHash, VoteKind};
use ec_rpc::{Endpoint, Endpoints, majority};
use ec_witness::{
    key::Signer,
    sender::{FeeRule, PaceRule, SendError, SendRule, Sender, SpendRule},
    store::{Identity, OutboxTx, Recorded, StoreError, VoteStore},
};

use super::common::{Deployment, Devnet, proxy::Proxy};

/// The witness's account.
pub(crate) const WITNESS: usize = 1;
/// Time between two turns: a block of the OP Stack, in which every test's chain mines.
pub(crate) const TURN_MS: u64 = 2_000;
/// Blocks between the latest head and the finalized one.
pub(crate) const FINALITY: u64 = 4;

pub(crate) const GWEI: u128 = 1_000_000_000;

pub(crate) const RULE: SendRule = SendRule {
    fees: FeeRule { cap: 100 * GWEI, min_tip: 1_000_000 },
    bump_after_ms: 8_000,
    resend_after_ms: 6_000,
    max_in_flight: 16,
    max_batch: 1,
    spending: SpendRule { max_sends_per_slot: 16, max_gas_per_hour: u64::MAX },
    pace: PaceRule { catch_up_percent: 0 },
};

pub(crate) struct Bench {
    pub(crate) net: Devnet,
    pub(crate) deployed: Deployment,
    /// Before the node, one for each endpoint; the first one is the one that tests tell what to do.
    pub(crate) proxies: Vec<Proxy>,
    endpoints: Endpoints,
    /// To the node itself.
    pub(crate) node: DynProvider,
    pub(crate) store: VoteStore,
    pub(crate) sender: Sender,
    pub(crate) now_ms: u64,
    pub(crate) reorg: bool,
    seen: u64,
    rule: SendRule,
    signer: Signer,
}

impl Bench {
    /// A ledger that the witness's own vote makes final.
    pub(crate) async fn start(rule: SendRule) -> Self {
        Self::with(1, 1, 1, rule).await
    }

    /// A ledger of several witnesses, of which the first one sends.
    pub(crate) async fn among(witnesses: usize, quorum: u8, rule: SendRule) -> Self {
        Self::with(witnesses, quorum, 1, rule).await
    }

    /// A ledger, and so many endpoints, of which a majority must agree.
    pub(crate) async fn with(witnesses: usize, quorum: u8, endpoints: usize, rule: SendRule) -> Self {
        let local = |net: &Devnet| Signer::Local(net.key(WITNESS).parse().unwrap());
        Self::of(witnesses, quorum, endpoints, rule, local).await
    }

    /// The same as [`Self::start`], with this signer.
    pub(crate) async fn signed_by(signer: impl FnOnce(&Devnet) -> Signer, rule: SendRule) -> Self {
        Self::of(1, 1, 1, rule, signer).await
    }

    async fn of(
        witnesses: usize,
        quorum: u8,
        endpoints: usize,
        rule: SendRule,
        signer: impl FnOnce(&Devnet) -> Signer,
    ) -> Self {
        let net = Devnet::start();
        let signer = signer(&net);
        let deployed = tokio::task::block_in_place(|| net.deploy(witnesses, quorum));
        let proxies: Vec<_> = (0..endpoints).map(|_| Proxy::start(&net.rpc())).collect();
        proxies.iter().for_each(Proxy::enforce_replacement_rule);
        let endpoints = endpoints_of(&net, &proxies);
        let node = net.provider();
        node.anvil_set_auto_mine(false).await.unwrap();
        let identity = Identity { chain_id: net.chain_id(), ledger: deployed.ledger, witness: net.account(WITNESS) };
        let store = VoteStore::create(&net.dir.path().join("store"), identity, 0, |_| Ok::<_, StoreError>(())).unwrap();
        let sender = Sender::new(endpoints.clone(), signer.clone(), &store, rule).unwrap();
        Self { net, deployed, proxies, endpoints, node, store, sender, now_ms: 0, reorg: false, seen: 0, rule, signer }
    }

    /// The process dies and starts again.
    pub(crate) fn restart(self) -> Self {
        let Self { net, deployed, proxies, node, store, sender: gone, now_ms, rule, signer, .. } = self;
        let endpoints = endpoints_of(&net, &proxies);
        let identity = store.identity();
        drop((store, gone));
        let store = VoteStore::open(&net.dir.path().join("store"), identity).unwrap();
        let sender = Sender::new(endpoints.clone(), signer.clone(), &store, rule).unwrap();
        // what the clock counts from is another moment, and the reorg that was on its way to be heard of is not heard of
        Self {
            net,
            deployed,
            proxies,
            endpoints,
            node,
            store,
            sender,
            now_ms: now_ms / 2,
            reorg: false,
            seen: 0,
            rule,
            signer,
        }
    }

    /// Another sender of the same store.
    pub(crate) fn again(&self) -> Sender {
        Sender::new(self.endpoints.clone(), self.signer.clone(), &self.store, self.rule).unwrap()
    }

    /// Before the only endpoint.
    pub(crate) fn proxy(&self) -> &Proxy {
        &self.proxies[0]
    }

    /// Records proposals for these slots.
    pub(crate) fn record(&mut self, slots: std::ops::Range<u64>) -> Vec<ObservationHeader> {
        let headers: Vec<_> = slots.map(header).collect();
        self.record_these(&headers);
        headers
    }

    /// Records proposals of these headers.
    pub(crate) fn record_these(&mut self, headers: &[ObservationHeader]) {
        let ballots: Vec<_> = headers.iter().map(|header| proposal(*header)).collect();
        for recorded in self.store.record(&ballots).unwrap() {
            assert_eq!(recorded.unwrap(), Recorded::First);
        }
    }

    /// One turn of the daemon, as far as it concerns sending; like the daemon it waits while the endpoints rest.
    pub(crate) async fn turn(&mut self) -> Result<(), SendError> {
        // endpoints that failed are left alone in real time
        tokio::time::sleep(self.endpoints.rest()).await;
        let Ok(head) = self.endpoints.heads().await else { return Ok(()) };
        self.now_ms += TURN_MS;
        let latest = head.latest.number;
        let below = |depth| latest.saturating_sub(depth);
        let heads = Heads { latest, safe: below(FINALITY / 2), finalized: below(FINALITY) };
        self.reorg |= std::mem::replace(&mut self.seen, latest) > latest;
        let followed = self.sender.follow(&mut self.store, heads, std::mem::take(&mut self.reorg), self.now_ms).await;
        let flushed = match followed {
            Err(error) if error.is_fatal() => return Err(error),
            _ => self.sender.flush(&mut self.store, &[], |_| true, self.now_ms).await,
        };
        match flushed {
            Err(error) if error.is_fatal() => Err(error),
            _ => Ok(()),
        }
    }

    pub(crate) async fn mine(&self) {
        self.node.anvil_mine(Some(1), None).await.unwrap();
    }

    /// Turns with a block after each.
    pub(crate) async fn turns(&mut self, turns: usize) {
        for _ in 0..turns {
            self.turn().await.unwrap();
            self.mine().await;
        }
    }

    /// Turns until a request of this method has come to `proxy`; one that is left alone for a while is asked later.
    pub(crate) async fn until_asked(&mut self, proxy: &Proxy, method: &str) {
        let before = proxy.requests(method);
        for _ in 0..60 {
            self.turn().await.unwrap();
            if proxy.requests(method) > before {
                return;
            }
        }
        panic!("{method} is not asked for: {:?}", self.sender.state());
    }

    /// Turns until nothing is open and nothing waits; how many that took.
    pub(crate) async fn drain(&mut self, most: usize) -> usize {
        for turn in 0..most {
            self.turn().await.unwrap();
            if self.sender.pending() == 0 && self.store.unsigned_after(0, usize::MAX).unwrap().is_empty() {
                return turn;
            }
            self.mine().await;
        }
        panic!("not done after {most} turns: {:?}", self.sender.state());
    }

    pub(crate) async fn used(&self) -> u64 {
        self.node.get_transaction_count(self.net.account(WITNESS)).await.unwrap()
    }

    /// The next block's base fee, and that of those after it as far as empty blocks leave it.
    pub(crate) async fn base_fee(&self, wei: u128) {
        self.node.anvil_set_next_block_base_fee_per_gas(wei).await.unwrap();
    }

    /// Takes back this many blocks; Anvil forgets their transactions.
    pub(crate) async fn take_back(&mut self, depth: u64) {
        let options = alloy::rpc::types::anvil::ReorgOptions { depth, tx_block_pairs: Vec::new() };
        self.node.anvil_reorg(options).await.unwrap();
        self.reorg = true;
    }

    /// Whether the ledger has this vote of the witness, and by its quorum of one as the final one.
    pub(crate) async fn is_final(&self, header: ObservationHeader) -> bool {
        let ledger = Ledger::new(self.deployed.ledger, &self.node);
        ledger.finalizedObservation(header.slot().0).call().await.unwrap() == header.hash().0
    }

    /// Checks that each of these transactions is on the chain exactly as it is in the store.
    pub(crate) async fn assert_executed_as_kept(&self, kept: &[OutboxTx]) {
        for tx in kept {
            let found = self.node.get_transaction_by_hash(tx.hash).await.unwrap().expect("it is known to the chain");
            assert!(found.block_number.is_some(), "executed: {tx:?}");
            assert_eq!(found.inner.encoded_2718(), tx.raw.to_vec());
        }
    }
}

fn endpoints_of(net: &Devnet, proxies: &[Proxy]) -> Endpoints {
    let endpoint = |proxy: &Proxy| Endpoint { rpc: proxy.rpc().parse().unwrap(), timeout: Duration::from_secs(2) };
    let endpoints = Vec::from_iter(proxies.iter().map(endpoint));
    Endpoints::new(&endpoints, net.chain_id(), majority(proxies.len())).unwrap()
}

pub(crate) fn proposal(header: ObservationHeader) -> Ballot {
    Ballot { header, vote: VoteKind::Propose { candidates_seen: 0 } }
}

/// The header of one of many slots.
pub(crate) fn header(slot: u64) -> ObservationHeader {
    ObservationHeader {
        stream_hash: StreamHash::of("tv"),
        epoch_hash: EpochHash(B256::from(U256::from(slot + 1))),
        parent_observation_hash: ObservationHash::default(),
        data_root: B256::from(U256::from(slot) << 8),
        locator_hash: B256::repeat_byte(8),
        observed_unix_ms: 1_772_824_680_000 + slot,
        sequence: slot,
    }
}
