//! Follows the ledger's log to the latest head, through reorgs, and reads the witness set at that head.

use std::{collections::HashSet, time::Duration};

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    primitives::{Address, U256},
    providers::{DynProvider, Provider},
    rpc::types::{Filter, Header, Log, SyncStatus},
    sol_types::SolEvent,
    transports::{RpcError, TransportErrorKind},
};

use crate::{
    contracts::{EveryChannelObservationLedger as Ledger, EveryChannelWitnessRegistry as Registry},
    observation::{ObservationHash, ObservationHeader, SlotId, StreamHash},
    pulse::Pulse,
    witness::{
        engine::WitnessSet,
        ledger::{BlockRef, LedgerEvent, LedgerState},
    },
};

/// Blocks asked for in one `eth_getLogs`; halved when the endpoint refuses, down to one.
const LARGEST_PAGE: u64 = 10_000;

/// Where the ledger is, and what makes its chain live.
#[derive(Clone, Copy, Debug)]
pub struct LedgerPlace {
    /// The chain.
    pub chain_id: u64,
    /// The ledger.
    pub ledger: Address,
    /// The registry that the ledger asks.
    pub registry: Address,
    /// The block that holds the ledger's creation.
    pub deploy_block: u64,
    /// How long the chain may be silent before it is not live any more.
    pub head_stale: Duration,
    /// The chain's block time, where its head's age is to be judged.
    pub block_time: Option<Duration>,
}

/// Why the ledger cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The endpoint failed to answer.
    #[error("rpc: {0}")]
    Rpc(#[from] RpcError<TransportErrorKind>),
    /// A call to a contract failed.
    #[error("rpc: {0}")]
    Contract(#[from] alloy::contract::Error),
    /// The head changed while it was read; the next poll reads the new one.
    #[error("the head changed from block {0} while its logs were read")]
    HeadMoved(u64),
    /// The endpoint does not know a block it must have.
    #[error("the endpoint does not return block {0}")]
    NoBlock(BlockNumberOrTag),
    /// The endpoint is still syncing.
    #[error("the endpoint is syncing")]
    Syncing,
    /// The head is too old.
    #[error("the newest block is {age_s} s old")]
    StaleHead {
        /// Seconds since its timestamp.
        age_s: u64,
    },
    /// A log of the ledger that its interface does not explain.
    #[error("block {block}: a log of the ledger cannot be decoded: {source}")]
    Decode {
        /// The log's block.
        block: u64,
        /// Why.
        source: alloy::sol_types::Error,
    },
    /// The endpoint serves another chain.
    #[error("chain id: {configured} is configured, but the endpoint serves chain {found}")]
    WrongChain {
        /// The configured one.
        configured: u64,
        /// The endpoint's.
        found: u64,
    },
    /// The ledger is gone.
    #[error("no contract at the ledger's address {0}")]
    NoLedger(Address),
    /// A reorg reaches below what was final.
    #[error(
        "the chain no longer holds block {} ({}), which was final: a reorg below the finalized head",
        _0.number, _0.hash
    )]
    DeepReorg(BlockRef),
    /// The endpoint does not have, or not yet, a block that was final.
    #[error(
        "the newest block is {latest}, but block {} was final already: the endpoint lags, or serves an older chain than \
         the vote store knows",
        finalized.number
    )]
    Behind {
        /// The endpoint's newest block.
        latest: u64,
        /// The block that was final.
        finalized: BlockRef,
    },
}

impl FollowError {
    /// A word for each kind, as a metric's label.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Rpc(_) | Self::Contract(_) => "rpc",
            Self::HeadMoved(_) => "head_moved",
            Self::NoBlock(_) => "no_block",
            Self::Syncing => "syncing",
            Self::StaleHead { .. } => "stale_head",
            Self::Behind { .. } => "behind",
            Self::Decode { .. } => "decode",
            Self::WrongChain { .. } => "wrong_chain",
            Self::NoLedger(_) => "no_ledger",
            Self::DeepReorg { .. } => "deep_reorg",
        }
    }

    /// Whether to stop rather than to try again.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::WrongChain { .. } | Self::NoLedger(_) | Self::DeepReorg(_))
    }
}

/// Block numbers of the three heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Heads {
    /// The newest block.
    pub latest: u64,
    /// The newest block that its L1 data proves.
    pub safe: u64,
    /// The newest block that cannot be taken back.
    pub finalized: u64,
}

/// Block times of the three heads, Unix seconds; 0 where the chain has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct HeadTimes {
    /// Of the newest block.
    pub latest: u64,
    /// Of the newest safe block.
    pub safe: u64,
    /// Of the newest finalized block.
    pub finalized: u64,
}

/// What one poll brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Votes of the watched witness that new blocks hold.
    pub own_votes: Vec<(SlotId, ObservationHash)>,
    /// Whether blocks were taken back.
    pub reorg: bool,
}

/// The ledger, followed.
#[derive(Debug)]
pub struct Follower {
    provider: DynProvider,
    place: LedgerPlace,
    witness: Option<Address>,
    streams: Option<HashSet<StreamHash>>,
    state: LedgerState,
    set: WitnessSet,
    seats: Vec<Address>,
    heads: Heads,
    head_times: HeadTimes,
    pulse: Pulse,
    finalized: Option<BlockRef>,
    /// A finalized head of before, which the chain must hold; `None` once it was found.
    unproven: Option<BlockRef>,
    progress: Progress,
    page: u64,
    answered_ms: Option<u64>,
    live_since_ms: Option<u64>,
}

impl Follower {
    /// Follows these streams, or all of them, and watches for the votes of `witness`. Nothing is read yet.
    ///
    /// See [`Self::resting_on`] for a chain that was followed before.
    pub fn new(
        provider: DynProvider,
        place: LedgerPlace,
        witness: Option<Address>,
        streams: Option<HashSet<StreamHash>>,
    ) -> Self {
        Self {
            provider,
            place,
            witness,
            state: LedgerState::new(streams.clone()),
            streams,
            set: WitnessSet::default(),
            seats: Vec::new(),
            heads: Heads::default(),
            head_times: HeadTimes::default(),
            pulse: Pulse::default(),
            finalized: None,
            unproven: None,
            progress: Progress::default(),
            page: LARGEST_PAGE,
            answered_ms: None,
            live_since_ms: None,
        }
    }

    /// Beats `pulse` whenever a page of the log was read.
    pub fn beat(&mut self, pulse: Pulse) {
        self.pulse = pulse;
    }

    /// The first poll is to make sure that the chain holds this block, which was final when it was followed before.
    pub fn resting_on(self, finalized: Option<BlockRef>) -> Self {
        Self { unproven: finalized, ..self }
    }

    /// The finalized head at the last poll; `None` while the chain has none.
    pub fn finalized_head(&self) -> Option<BlockRef> {
        self.finalized
    }

    /// The ledger at the last polled head.
    pub fn ledger(&self) -> &LedgerState {
        &self.state
    }

    /// The witness set at the last polled head.
    pub fn set(&self) -> &WitnessSet {
        &self.set
    }

    /// The heads at the last poll.
    pub fn heads(&self) -> Heads {
        self.heads
    }

    /// The heads' block times at the last poll.
    pub fn head_times(&self) -> HeadTimes {
        self.head_times
    }

    /// Since when the ledger has been live without a break; `None` while it is not.
    pub fn live_since_ms(&self) -> Option<u64> {
        self.live_since_ms
    }

    /// Reads on to the latest head. `settle` gives up what lies below the finalized head, which keeps memory flat and
    /// is for those who need no votes of settled slots.
    ///
    /// # Errors
    ///
    /// What is read then is what was read before; see [`FollowError::is_fatal`].
    pub async fn poll(&mut self, now_ms: u64, settle: bool) -> Result<Progress, FollowError> {
        let polled = self.read_on(settle).await;
        match &polled {
            Ok(_) => {
                self.answered_ms = Some(now_ms);
                self.live_since_ms.get_or_insert(now_ms);
            }
            Err(FollowError::Syncing | FollowError::StaleHead { .. }) => self.live_since_ms = None,
            Err(_) => {
                let silent_ms = now_ms.saturating_sub(self.answered_ms.unwrap_or(0));
                if u128::from(silent_ms) > self.place.head_stale.as_millis() {
                    self.live_since_ms = None;
                }
            }
        }
        polled
    }

    async fn read_on(&mut self, settle: bool) -> Result<Progress, FollowError> {
        self.check_chain().await?;
        let latest = self.header(BlockNumberOrTag::Latest).await?;
        self.check_age(&latest)?;
        self.check_final(&latest).await?;
        if self.state.head().is_none_or(|head| head.hash != latest.hash) {
            self.read_set(&latest).await?;
            self.revert_to_shared(&latest).await?;
            self.read_logs(&latest).await?;
        }
        let safe = self.tagged(BlockNumberOrTag::Safe).await?;
        let finalized = self.tagged(BlockNumberOrTag::Finalized).await?;
        self.finalized = finalized.map(|(block, _)| block);
        let number = |head: Option<(BlockRef, u64)>| head.map_or(0, |(block, _)| block.number);
        let time = |head: Option<(BlockRef, u64)>| head.map_or(0, |(_, unix_s)| unix_s);
        self.heads = Heads { latest: latest.number, safe: number(safe), finalized: number(finalized) };
        self.head_times = HeadTimes { latest: latest.timestamp, safe: time(safe), finalized: time(finalized) };
        if settle {
            self.state.settle(self.heads.finalized);
        }
        // kept until now, so that a poll that fails half-way loses nothing
        Ok(std::mem::take(&mut self.progress))
    }

    async fn check_chain(&self) -> Result<(), FollowError> {
        let found = self.provider.get_chain_id().await?;
        if found != self.place.chain_id {
            return Err(FollowError::WrongChain { configured: self.place.chain_id, found });
        }
        match self.provider.syncing().await? {
            SyncStatus::None => Ok(()),
            SyncStatus::Info(_) => Err(FollowError::Syncing),
        }
    }

    fn check_age(&self, latest: &Header) -> Result<(), FollowError> {
        let now_s = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let age_s = now_s.saturating_sub(latest.timestamp);
        if self.place.block_time.is_some() && age_s > self.place.head_stale.as_secs() {
            return Err(FollowError::StaleHead { age_s });
        }
        Ok(())
    }

    async fn header(&self, at: BlockNumberOrTag) -> Result<Header, FollowError> {
        let block = self.provider.get_block_by_number(at).await?;
        Ok(block.ok_or(FollowError::NoBlock(at))?.header)
    }

    /// A tagged head and its time, Unix seconds; `None` while the chain has none.
    async fn tagged(&self, tag: BlockNumberOrTag) -> Result<Option<(BlockRef, u64)>, FollowError> {
        let block = self.provider.get_block_by_number(tag).await?;
        Ok(block
            .map(|block| (BlockRef { number: block.header.number, hash: block.header.hash }, block.header.timestamp)))
    }

    /// The chain's block at the height of this one, if it is that long.
    async fn in_place_of(&self, block: BlockRef) -> Result<Option<BlockRef>, FollowError> {
        Ok(self.tagged(block.number.into()).await?.map(|(block, _)| block))
    }

    /// Whether the chain still holds this block.
    async fn is_canonical(&self, block: BlockRef) -> Result<bool, FollowError> {
        Ok(self.in_place_of(block).await? == Some(block))
    }

    /// Makes sure once that the chain holds the finalized head of before.
    async fn check_final(&mut self, latest: &Header) -> Result<(), FollowError> {
        let Some(finalized) = self.unproven else { return Ok(()) };
        self.refuse_other(finalized, latest).await?;
        self.unproven = None;
        Ok(())
    }

    /// Refuses a chain that has another block than this one, which was final, or is too short to have any.
    async fn refuse_other(&self, finalized: BlockRef, latest: &Header) -> Result<(), FollowError> {
        match self.in_place_of(finalized).await? {
            Some(found) if found == finalized => Ok(()),
            Some(_) => Err(FollowError::DeepReorg(finalized)),
            None => Err(FollowError::Behind { latest: latest.number, finalized }),
        }
    }

    /// Takes back what the chain no longer holds.
    async fn revert_to_shared(&mut self, latest: &Header) -> Result<(), FollowError> {
        let Some(head) = self.state.head() else { return Ok(()) };
        if head.hash == latest.parent_hash {
            return Ok(());
        }
        let mut oldest = head;
        for block in self.state.revertible().collect::<Vec<_>>() {
            if self.is_canonical(block).await? {
                self.progress.reorg |= block != head;
                self.state.revert_above(block.number);
                return Ok(());
            }
            oldest = block;
        }
        if oldest.number > self.heads.finalized {
            // everything known lies above the finalized head, as right after the first poll: read it all again
            self.state = LedgerState::new(self.streams.clone());
            self.progress.reorg = true;
            return Ok(());
        }
        self.refuse_other(oldest, latest).await
    }

    /// Reads the ledger's log up to `latest`, page by page.
    async fn read_logs(&mut self, latest: &Header) -> Result<(), FollowError> {
        loop {
            let from = self.state.head().map_or(self.place.deploy_block, |head| head.number + 1);
            if from > latest.number {
                return Ok(());
            }
            let to = latest.number.min(from.saturating_add(self.page - 1));
            let end = if to == latest.number { latest.clone() } else { self.header(to.into()).await? };
            let Some(logs) = self.logs(from, to).await? else { continue };
            let end = BlockRef { number: end.number, hash: end.hash };
            if !self.is_canonical(end).await? {
                return Err(FollowError::HeadMoved(end.number));
            }
            let events = logs.iter().map(event).collect::<Result<Vec<_>, _>>()?;
            self.progress.own_votes.extend(events.iter().filter_map(|event| vote_of(event, self.witness?)));
            self.state.apply(end, events);
            self.pulse.beat();
        }
    }

    /// One page of logs; `None` when it was too large and the page size was halved.
    async fn logs(&mut self, from: u64, to: u64) -> Result<Option<Vec<Log>>, FollowError> {
        let topics = vec![
            Ledger::ObservationProposed::SIGNATURE_HASH,
            Ledger::ObservationAttested::SIGNATURE_HASH,
            Ledger::ObservationFinalized::SIGNATURE_HASH,
        ];
        let filter = Filter::new().address(self.place.ledger).event_signature(topics).from_block(from).to_block(to);
        match self.provider.get_logs(&filter).await {
            Ok(logs) => Ok(Some(logs)),
            Err(RpcError::ErrorResp(_)) if self.page > 1 && to > from => {
                self.page = (to - from).div_ceil(2).max(1);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the active set at the latest head, and the addresses of seats that are new.
    async fn read_set(&mut self, latest: &Header) -> Result<(), FollowError> {
        let at = BlockId::hash(latest.hash);
        if self.provider.get_code_at(self.place.ledger).block_id(at).await?.is_empty() {
            return Err(FollowError::NoLedger(self.place.ledger));
        }
        let registry = Registry::new(self.place.registry, &self.provider);
        let active = registry.activeSet().block(at).call().await?;
        while self.seats.len() < active.bitmap.bit_len() {
            self.seats.push(registry.witnessAt(U256::from(self.seats.len())).block(at).call().await?);
        }
        let members = self.seats.iter().enumerate().filter(|(index, _)| active.bitmap.bit(*index));
        self.set = WitnessSet { active: members.map(|(_, &witness)| witness).collect(), quorum: active.quorum_.into() };
        Ok(())
    }
}

/// Decodes a log of the ledger.
fn event(log: &Log) -> Result<LedgerEvent, FollowError> {
    decode(log).map_err(|source| FollowError::Decode { block: log.block_number.unwrap_or_default(), source })
}

fn decode(log: &Log) -> Result<LedgerEvent, alloy::sol_types::Error> {
    Ok(match log.topic0().copied() {
        Some(Ledger::ObservationProposed::SIGNATURE_HASH) => {
            let event = Ledger::ObservationProposed::decode_log(&log.inner)?;
            LedgerEvent::Proposed { proposer: event.proposer, header: ObservationHeader::from(event.header.clone()) }
        }
        Some(Ledger::ObservationAttested::SIGNATURE_HASH) => {
            let event = Ledger::ObservationAttested::decode_log(&log.inner)?;
            LedgerEvent::Attested {
                slot: SlotId(event.slot),
                observation: ObservationHash(event.observationHash),
                witness: event.witness,
            }
        }
        _ => {
            let event = Ledger::ObservationFinalized::decode_log(&log.inner)?;
            LedgerEvent::Finalized { slot: SlotId(event.slot), observation: ObservationHash(event.observationHash) }
        }
    })
}

fn vote_of(event: &LedgerEvent, watched: Address) -> Option<(SlotId, ObservationHash)> {
    match event {
        LedgerEvent::Proposed { proposer, header } if *proposer == watched => Some((header.slot(), header.hash())),
        LedgerEvent::Attested { slot, observation, witness } if *witness == watched => Some((*slot, *observation)),
        _ => None,
    }
}
