//! Follows the ledger's log to the latest head, through reorgs, and reads the witness set at that head.

use std::{collections::HashSet, time::Duration};

use alloy::{
    eips::BlockId,
    primitives::{Address, U256},
    providers::Provider,
    transports::TransportError,
};

use super::{
    endpoints::{AgreedHead, AskError, Backoff, Endpoints, Fault},
    logs::{self, LedgerLog},
};
use crate::{
    contracts::EveryChannelWitnessRegistry as Registry,
    observation::{ObservationHash, SlotId, StreamHash},
    witness::{
        engine::WitnessSet,
        ledger::{BlockRef, LedgerEvent, LedgerState},
    },
};

/// Blocks asked for in one `eth_getLogs`; halved when an endpoint refuses, down to one, and grown by an eighth when it
/// does not.
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
    /// How long the finalized head may stand still below the latest one before finality counts as stalled.
    pub finality_stale: Duration,
}

/// Why the ledger cannot be followed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FollowError {
    /// The endpoints gave no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// The head changed while it was read; the next poll reads the new one.
    #[error("the head changed from block {0} while its logs were read")]
    HeadMoved(u64),
    /// The head is too old.
    #[error("the newest block is {age_s} s old: the chain stalls, the endpoint lags, or this host's clock is wrong")]
    StaleHead {
        /// Seconds since its timestamp.
        age_s: u64,
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
    /// Whether to stop rather than to try again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Ask(error) => error.is_fatal(),
            Self::NoLedger(_) | Self::DeepReorg(_) => true,
            Self::HeadMoved(_) | Self::StaleHead { .. } | Self::Behind { .. } => false,
        }
    }

    /// Whether the chain is known not to be live, rather than silent.
    fn is_not_live(&self) -> bool {
        match self {
            Self::Ask(error) => error.faults().any(|fault| *fault == Fault::Syncing),
            error => matches!(error, Self::StaleHead { .. }),
        }
    }
}

/// Block numbers of the three heads.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// The newest block.
    pub latest: u64,
    /// The newest block that its L1 data proves.
    pub safe: u64,
    /// The newest block that cannot be taken back.
    pub finalized: u64,
}

/// How long a head stands still below a newer one.
#[derive(Clone, Copy, Debug, Default)]
struct Standstill {
    at: Option<u64>,
    since_ms: u64,
    now_ms: u64,
}

impl Standstill {
    /// A head that has caught up with `newest` waits for nothing.
    fn observe(&mut self, now_ms: u64, head: u64, newest: u64) {
        self.now_ms = now_ms;
        if self.at != Some(head) || head == newest {
            (self.at, self.since_ms) = (Some(head), now_ms);
        }
    }

    fn lasts_ms(&self) -> u64 {
        self.now_ms.saturating_sub(self.since_ms)
    }
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
    endpoints: Endpoints,
    place: LedgerPlace,
    witness: Option<Address>,
    streams: Option<HashSet<StreamHash>>,
    state: LedgerState,
    set: WitnessSet,
    seats: Vec<Address>,
    heads: Heads,
    finality: Standstill,
    finalized: Option<BlockRef>,
    /// A finalized head of before, which the chain must hold; `None` once it was found.
    unproven: Option<BlockRef>,
    progress: Progress,
    page: u64,
    backoff: Backoff,
    retry_in: Duration,
    answered_ms: Option<u64>,
    live_since_ms: Option<u64>,
}

impl Follower {
    /// Follows these streams, or all of them, and watches for the votes of `witness`. Nothing is read yet.
    ///
    /// See [`Self::resting_on`] for a chain that was followed before.
    pub fn new(
        endpoints: Endpoints,
        place: LedgerPlace,
        witness: Option<Address>,
        streams: Option<HashSet<StreamHash>>,
    ) -> Self {
        Self {
            endpoints,
            place,
            witness,
            state: LedgerState::new(streams.clone()),
            streams,
            set: WitnessSet::default(),
            seats: Vec::new(),
            heads: Heads::default(),
            finality: Standstill::default(),
            finalized: None,
            unproven: None,
            progress: Progress::default(),
            page: LARGEST_PAGE,
            backoff: Backoff::default(),
            retry_in: Duration::ZERO,
            answered_ms: None,
            live_since_ms: None,
        }
    }

    /// Follows one more stream: the next poll reads the log again from its beginning, if that was read before, and makes
    /// sure that the chain still holds what was final.
    pub fn follow(&mut self, stream: StreamHash) {
        if self.streams.as_mut().is_some_and(|streams| streams.insert(stream)) {
            self.state = LedgerState::new(self.streams.clone());
            self.unproven = self.unproven.or(self.finalized);
        }
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

    /// Since when the ledger has been live without a break; `None` while it is not.
    pub fn live_since_ms(&self) -> Option<u64> {
        self.live_since_ms
    }

    /// For how long the finalized head has stood still, if that is longer than it may.
    pub fn finality_stalled_ms(&self) -> Option<u64> {
        let stalled_ms = self.finality.lasts_ms();
        (u128::from(stalled_ms) > self.place.finality_stale.as_millis()).then_some(stalled_ms)
    }

    /// How long to wait after a poll that failed, until enough endpoints may be asked again; zero after another one.
    pub fn retry_in(&self) -> Duration {
        self.retry_in
    }

    /// The endpoints that are asked.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Reads on to the latest head. `settle` gives up what lies below the finalized head, which keeps memory flat and
    /// is for those who need no votes of settled slots.
    ///
    /// # Errors
    ///
    /// What is read then is what was read before; see [`FollowError::is_fatal`].
    pub async fn poll(&mut self, now_ms: u64, settle: bool) -> Result<Progress, FollowError> {
        let polled = self.read_on(settle).await;
        self.rest(polled.as_ref().err());
        match &polled {
            Ok(_) => {
                self.finality.observe(now_ms, self.heads.finalized, self.heads.latest);
                self.answered_ms = Some(now_ms);
                self.live_since_ms.get_or_insert(now_ms);
            }
            Err(error) if error.is_not_live() => self.live_since_ms = None,
            Err(_) => {
                let silent_ms = now_ms.saturating_sub(self.answered_ms.unwrap_or(0));
                if u128::from(silent_ms) > self.place.head_stale.as_millis() {
                    self.live_since_ms = None;
                }
            }
        }
        polled
    }

    /// Puts off the next poll after a failed one; one that asked nobody makes it no later.
    fn rest(&mut self, failed: Option<&FollowError>) {
        self.retry_in = match failed {
            None => {
                self.backoff = Backoff::default();
                Duration::ZERO
            }
            Some(FollowError::Ask(AskError::Resting { wait, .. })) => *wait,
            Some(_) => self.backoff.next_delay().max(self.endpoints.rest()),
        };
    }

    async fn read_on(&mut self, settle: bool) -> Result<Progress, FollowError> {
        let head = self.endpoints.heads().await?;
        self.check_age(&head)?;
        self.check_final(&head).await?;
        if self.state.head() != Some(head.latest) {
            self.read_set(head.latest).await?;
            self.revert_to_shared(&head).await?;
            self.read_logs(head.latest).await?;
        }
        self.finalized = head.finalized;
        let finalized = head.finalized.map_or(0, |finalized| finalized.number);
        self.heads = Heads { latest: head.latest.number, safe: head.safe, finalized };
        if settle {
            self.state.settle(self.heads.finalized);
        }
        // kept until now, so that a poll that fails half-way loses nothing
        Ok(std::mem::take(&mut self.progress))
    }

    fn check_age(&self, head: &AgreedHead) -> Result<(), FollowError> {
        let now_s = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let age_s = now_s.saturating_sub(head.timestamp);
        if self.place.block_time.is_some() && age_s > self.place.head_stale.as_secs() {
            return Err(FollowError::StaleHead { age_s });
        }
        Ok(())
    }

    /// Whether the chain still holds this block.
    async fn is_canonical(&self, block: BlockRef) -> Result<bool, FollowError> {
        Ok(self.endpoints.block(block.number).await? == Some(block))
    }

    /// Makes sure once that the chain holds the finalized head of before.
    async fn check_final(&mut self, head: &AgreedHead) -> Result<(), FollowError> {
        let Some(finalized) = self.unproven else { return Ok(()) };
        self.refuse_other(finalized, head).await?;
        self.unproven = None;
        Ok(())
    }

    /// Refuses a chain that has another block than this one, which was final, or is too short to have any.
    async fn refuse_other(&self, finalized: BlockRef, head: &AgreedHead) -> Result<(), FollowError> {
        match self.endpoints.block(finalized.number).await? {
            Some(found) if found == finalized => Ok(()),
            Some(_) => Err(FollowError::DeepReorg(finalized)),
            None => Err(FollowError::Behind { latest: head.latest.number, finalized }),
        }
    }

    /// Takes back what the chain no longer holds.
    async fn revert_to_shared(&mut self, latest: &AgreedHead) -> Result<(), FollowError> {
        let Some(head) = self.state.head() else { return Ok(()) };
        if head.hash == latest.parent {
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
    async fn read_logs(&mut self, latest: BlockRef) -> Result<(), FollowError> {
        loop {
            let from = self.state.head().map_or(self.place.deploy_block, |head| head.number + 1);
            if from > latest.number {
                return Ok(());
            }
            let to = latest.number.min(from.saturating_add(self.page - 1));
            let end = if to == latest.number { Some(latest) } else { self.endpoints.block(to).await? };
            let end = end.ok_or(FollowError::HeadMoved(to))?;
            let Some(logs) = self.logs(from, end).await? else { continue };
            if !self.is_canonical(end).await? {
                return Err(FollowError::HeadMoved(end.number));
            }
            let events: Vec<_> = logs.into_iter().map(|log| log.event).collect();
            self.progress.own_votes.extend(events.iter().filter_map(|event| vote_of(event, self.witness?)));
            self.state.apply(end, events);
        }
    }

    /// One page of logs; `None` when it was too large and the page size was halved.
    async fn logs(&mut self, from: u64, end: BlockRef) -> Result<Option<Vec<LedgerLog>>, FollowError> {
        let ledger = self.place.ledger;
        let read = |provider| async move { logs::read(&provider, ledger, from, end).await };
        match self.endpoints.agreed("eth_getLogs", read).await {
            Ok(logs) => {
                self.page = (self.page + self.page / 8 + 1).min(LARGEST_PAGE);
                Ok(Some(logs))
            }
            Err(error) if error.is_refusal() && self.page > 1 && end.number > from => {
                self.page = (end.number - from).div_ceil(2).max(1);
                Ok(None)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Reads the active set at the latest head, and the addresses of seats that are new.
    async fn read_set(&mut self, latest: BlockRef) -> Result<(), FollowError> {
        let (at, ledger, registry) = (BlockId::hash(latest.hash), self.place.ledger, self.place.registry);
        let is_empty = self.endpoints.agreed("eth_getCode", |provider| async move {
            Ok::<_, TransportError>(provider.get_code_at(ledger).block_id(at).await?.is_empty())
        });
        if is_empty.await? {
            return Err(FollowError::NoLedger(ledger));
        }
        let active = self.endpoints.agreed("activeSet()", |provider| async move {
            let active = Registry::new(registry, provider).activeSet().block(at).call().await?;
            Ok::<_, alloy::contract::Error>((active.bitmap, active.quorum_))
        });
        let (bitmap, quorum) = active.await?;
        while self.seats.len() < bitmap.bit_len() {
            let index = U256::from(self.seats.len());
            let seat = self.endpoints.agreed("witnessAt()", |provider| async move {
                Registry::new(registry, provider).witnessAt(index).block(at).call().await
            });
            self.seats.push(seat.await?);
        }
        let members = self.seats.iter().enumerate().filter(|(index, _)| bitmap.bit(*index));
        self.set = WitnessSet { active: members.map(|(_, &witness)| witness).collect(), quorum: quorum.into() };
        Ok(())
    }
}

fn vote_of(event: &LedgerEvent, watched: Address) -> Option<(SlotId, ObservationHash)> {
    match event {
        LedgerEvent::Proposed { proposer, header } if *proposer == watched => Some((header.slot(), header.hash())),
        LedgerEvent::Attested { slot, observation, witness } if *witness == watched => Some((*slot, *observation)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_stands_still_while_a_newer_one_waits() {
        let mut still = Standstill::default();
        let mut lasts = |now_ms, head, newest| {
            still.observe(now_ms, head, newest);
            still.lasts_ms()
        };
        assert_eq!(lasts(1000, 0, 5), 0, "from the first look on");
        assert_eq!(lasts(3000, 0, 9), 2000);
        assert_eq!(lasts(4000, 3, 9), 0);
        assert_eq!(lasts(9000, 3, 9), 5000);
        assert_eq!(lasts(9500, 2, 9), 0, "back is a move, too");
        assert_eq!([lasts(20_000, 9, 9), lasts(30_000, 9, 9), lasts(40_000, 9, 10)], [0, 0, 10_000]);
    }
}
