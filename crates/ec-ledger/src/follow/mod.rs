//! Follows the ledger's log to the latest head, through reorgs, and reads the witness set at that head.

mod checkpoint;
mod error;
mod listen;
mod liveness;
mod newcomers;
mod own;
mod pages;
mod set;

use std::{
    collections::{HashMap, hash_map::Entry},
    num::NonZeroU64,
    path::Path,
    time::Duration,
};

use alloy::{eips::BlockId, primitives::Address};
use ec_observation::{EpochRule, ObservationHash, SlotId, StreamHash};
use ec_rpc::{AgreedHead, BlockRef, Endpoints, HeadTimes};

pub(crate) use self::pages::Pages;
use self::{
    checkpoint::Checkpoint, listen::Listener, liveness::Liveness, newcomers::Newcomers, own::Own, set::Indexes,
};
pub use self::{error::FollowError, listen::Listen};
use crate::{
    contracts::EveryChannelObservationLedger as Ledger, logs::LedgerLog, pulse::Pulse, set::WitnessSet,
    settled::SettledError, state::LedgerState, touched::Touched,
};

/// Where the ledger is, and what makes its chain live.
#[derive(Clone, Copy, Debug)]
pub struct LedgerSettings {
    /// The chain.
    pub chain_id: u64,
    /// The ledger.
    pub ledger: Address,
    /// The registry that the ledger asks.
    pub registry: Address,
    /// The block that holds the ledger's creation.
    pub deploy_block: u64,
    /// The most blocks that one `eth_getLogs` asks for.
    pub log_page_blocks: NonZeroU64,
    /// How long the chain may be silent before it is not live any more.
    pub head_stale: Duration,
    /// The chain's block time, where its head's age is to be judged.
    pub block_time: Option<Duration>,
    /// How long the finalized head may stand still below the latest one before finality counts as stalled.
    pub finality_stale: Duration,
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

/// What one poll brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Polled {
    /// Votes of the watched witness's seat that new blocks hold, cast or moved, by whichever address of the seat.
    pub own_votes: Vec<(SlotId, ObservationHash)>,
    /// Whether blocks were taken back.
    pub reorg: bool,
}

/// Where the log is to be read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Start {
    /// From the checkpoint, if there is one.
    Checkpoint,
    /// From its beginning, whatever the checkpoint says.
    Anew,
    /// From where it was read to.
    ReadOn,
}

/// The ledger, followed.
#[derive(Debug)]
pub struct Follower {
    endpoints: Endpoints,
    settings: LedgerSettings,
    own: Option<Own>,
    streams: Option<HashMap<StreamHash, EpochRule>>,
    state: LedgerState,
    checkpoint: Option<Checkpoint>,
    start: Start,
    /// Streams whose log is read beside the others'.
    newcomers: Option<Newcomers>,
    set: WitnessSet,
    indexes: Indexes,
    /// The block that the set was read at, after the log.
    read_to: Option<BlockRef>,
    heads: Heads,
    head_times: HeadTimes,
    finalized: Option<BlockRef>,
    /// A finalized head of before, which the chain must hold; `None` once it was found.
    unproven: Option<BlockRef>,
    /// The finalized head that it was followed to before, when it told of the own votes last.
    rested_on: Option<BlockRef>,
    liveness: Liveness,
    pages: Pages,
    polled: Polled,
    pulse: Pulse,
    listener: Listener,
}

impl Follower {
    /// Follows these streams, each by its rule, or all of them, and watches for the votes of `witness`. Nothing is read yet.
    ///
    /// See [`Self::resting_on`] for a chain that was followed before.
    pub fn new(
        endpoints: Endpoints,
        settings: LedgerSettings,
        witness: Option<Address>,
        streams: Option<HashMap<StreamHash, EpochRule>>,
    ) -> Self {
        Self {
            endpoints,
            settings,
            own: witness.map(Own::new),
            state: LedgerState::new(streams.clone()),
            streams,
            checkpoint: None,
            start: Start::Checkpoint,
            newcomers: None,
            set: WitnessSet::default(),
            indexes: Indexes::default(),
            read_to: None,
            heads: Heads::default(),
            head_times: HeadTimes::default(),
            finalized: None,
            unproven: None,
            rested_on: None,
            liveness: Liveness::default(),
            pages: Pages::of_at_most(settings.log_page_blocks),
            polled: Polled::default(),
            pulse: Pulse::default(),
            listener: Listener::default(),
        }
    }

    /// For whoever keeps the log itself: `listener` hears it from the block after the last of these on, which ascend and were
    /// heard before. Those of them that the chain no longer holds are taken back first. No stream is followed here, so
    /// memory does not grow; what [`Self::ledger`] and [`Self::set`] name seats by is what the log says from there on.
    pub fn listening(
        endpoints: Endpoints,
        settings: LedgerSettings,
        heard: impl IntoIterator<Item = BlockRef>,
        listener: Box<dyn Listen>,
    ) -> Self {
        let mut follower = Self::new(endpoints, settings, None, Some(HashMap::new()));
        heard.into_iter().for_each(|block| follower.state.apply(block, []));
        follower.pages.date_all();
        Self { listener: Listener(Some(listener)), ..follower }
    }

    /// Beats `pulse` whenever a page of the log was read.
    pub fn beat(&mut self, pulse: Pulse) {
        self.pulse = pulse;
    }

    /// Begins at the checkpoint in this file, and [keeps](Self::keep) it. It is a cache of what the chain has.
    ///
    /// # Errors
    ///
    /// The file can be neither read nor made; then all is as without it.
    pub fn keep_in(&mut self, file: &Path) -> Result<(), SettledError> {
        self.checkpoint = Some(Checkpoint::open(file)?);
        Ok(())
    }

    /// Begins at the checkpoint in this file, if it is there, which another process may keep.
    ///
    /// # Errors
    ///
    /// The file cannot be read.
    pub fn reading(self, file: &Path) -> Result<Self, SettledError> {
        Ok(Self { checkpoint: Checkpoint::read(file)?, ..self })
    }

    /// Keeps a checkpoint at the finalized head of the last poll, if it is time, or in any case.
    ///
    /// # Errors
    ///
    /// It cannot be written. Nothing is lost then, but memory grows with what becomes final.
    pub fn keep(&mut self, in_any_case: bool) -> Result<(), SettledError> {
        let Self { checkpoint, settings, state, start, .. } = self;
        let checkpoint = checkpoint.as_mut().filter(|_| *start == Start::ReadOn);
        checkpoint.map_or(Ok(()), |checkpoint| checkpoint.keep(settings, state, in_any_case))
    }

    /// Whether all that was asked of the ledger since the last poll could be looked up.
    ///
    /// # Errors
    ///
    /// It could not: what was told may lack something.
    pub fn require_sound(&self) -> Result<(), FollowError> {
        let fault = self.checkpoint.as_ref().and_then(Checkpoint::fault);
        fault.map_or(Ok(()), |fault| Err(FollowError::Lookup(fault.to_owned())))
    }

    /// Follows one more stream. If others are followed already, its log is read beside them from the next poll on, and
    /// [`LedgerState::follows`] tells when that is done. The rule is fixed for the life of a stream, so the first counts.
    pub fn follow(&mut self, stream: StreamHash, rule: EpochRule) {
        let Some(Entry::Vacant(entry)) = self.streams.as_mut().map(|streams| streams.entry(stream)) else { return };
        entry.insert(rule);
        if self.state.rule_of(stream) == Some(rule) {
            return;
        }
        if self.start == Start::ReadOn && self.state.rule_of(stream).is_some() {
            // the checkpoint had it by another rule
            self.doubt_all();
        } else if self.start == Start::ReadOn {
            let new = self.newcomers.as_ref().map(|newcomers| newcomers.streams().clone()).unwrap_or_default();
            self.begin_beside(new.into_iter().chain([(stream, rule)]).collect());
        } else {
            self.state = LedgerState::new(self.streams.clone());
        }
    }

    /// Whether streams wait for their log to be read.
    pub fn has_newcomers(&self) -> bool {
        self.newcomers.is_some()
    }

    fn begin_beside(&mut self, streams: HashMap<StreamHash, EpochRule>) {
        let empty = match &self.checkpoint {
            Some(checkpoint) => checkpoint.begin_beside(streams.clone()),
            None => LedgerState::new(Some(streams.clone())),
        };
        self.newcomers = (!streams.is_empty()).then(|| Newcomers::new(streams, empty, &self.settings));
    }

    /// The next poll reads the log again from this block on; from its beginning, where what was read before that block is
    /// given up already. For a log that lacked something.
    pub fn read_again_from(&mut self, block: u64) {
        let below = self.state.revertible().find(|below| below.number < block);
        match below {
            Some(below) => {
                self.listener.taken_back(Some(below));
                self.state.revert_above(below.number);
                self.read_to = None;
            }
            None => self.doubt_all(),
        }
        self.read_seats_anew();
    }

    /// Gives up all that the log told, and makes sure that the chain still holds what was final.
    fn doubt_all(&mut self) {
        self.begin_anew();
        self.unproven = self.unproven.or(self.finalized);
    }

    /// Gives up all that the log told, so that it is read again from its beginning.
    fn begin_anew(&mut self) {
        self.listener.taken_back(None);
        self.state = LedgerState::new(self.streams.clone());
        self.start = Start::Anew;
        self.newcomers = None;
        self.indexes = Indexes::default();
        self.read_to = None;
    }

    /// The first poll is to make sure that the chain holds this block, which was final when it was followed before and the
    /// own votes up to it were told. Those after it are told anew, whatever the checkpoint has.
    pub fn resting_on(self, finalized: Option<BlockRef>) -> Self {
        Self { unproven: finalized, rested_on: finalized, ..self }
    }

    /// The finalized head at the last poll; `None` while the chain has none.
    pub fn finalized_head(&self) -> Option<BlockRef> {
        self.finalized
    }

    /// The ledger at the last polled head.
    pub fn ledger(&self) -> &LedgerState {
        &self.state
    }

    /// For which streams the ledger may show something else than when this was asked last.
    pub fn take_touched(&mut self) -> Touched {
        self.state.take_touched()
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

    /// The latest head's block time at the last poll, Unix milliseconds.
    pub fn head_ms(&self) -> u64 {
        self.head_times.latest.saturating_mul(1000)
    }

    /// Since when the ledger has been live without a break; `None` while it is not.
    pub fn live_since_ms(&self) -> Option<u64> {
        self.liveness.live_since_ms()
    }

    /// For how long the finalized head has stood still, if that is longer than it may.
    pub fn finality_stalled_ms(&self) -> Option<u64> {
        let stalled_ms = self.liveness.stalled_ms();
        (u128::from(stalled_ms) > self.settings.finality_stale.as_millis()).then_some(stalled_ms)
    }

    /// How long to wait after a poll that failed, until enough endpoints may be asked again; zero after another one.
    pub fn retry_in(&self) -> Duration {
        self.liveness.retry_in()
    }

    /// The endpoints that are asked.
    pub fn endpoints(&self) -> &Endpoints {
        &self.endpoints
    }

    /// Reads on to the latest head. `forget` gives up what lies below the finalized head, which keeps memory flat and
    /// is for those who need no votes of slots that are final there.
    ///
    /// # Errors
    ///
    /// What is read then is what was read before; see [`FollowError::is_fatal`].
    pub async fn poll(&mut self, now_ms: u64, forget: bool) -> Result<Polled, FollowError> {
        let polled = self.read_on(forget).await;
        match &polled {
            Ok(_) => self.liveness.answered(now_ms, self.heads),
            Err(error) => self.liveness.failed(now_ms, error, self.endpoints.rest(), &self.settings),
        }
        polled
    }

    async fn read_on(&mut self, forget: bool) -> Result<Polled, FollowError> {
        let head = self.endpoints.heads().await?;
        self.check_age(&head)?;
        self.check_final(&head).await?;
        self.take_in_newcomers().await?;
        if self.read_to != Some(head.latest) {
            set::require_ledger(&self.endpoints, &self.settings, head.latest).await?;
            self.begin(head.latest).await?;
            self.revert_to_shared(&head).await?;
            self.begin(head.latest).await?;
            let settled = head.finalized.filter(|_| forget).map(|finalized| finalized.number);
            self.read_logs(head.latest, settled).await?;
            // seats are named by the log at the same block
            let Self { endpoints, settings, state, .. } = self;
            self.set = self.indexes.active_at(endpoints, settings, head.latest, state).await?;
            self.read_to = Some(head.latest);
        }
        self.finalized = head.finalized;
        let finalized = head.finalized.map_or(0, |finalized| finalized.number);
        self.heads = Heads { latest: head.latest.number, safe: head.safe, finalized };
        self.head_times = head.times;
        if forget {
            self.state.forget(self.heads.finalized);
        }
        self.require_sound()?;
        // kept until now, so that a poll that fails half-way loses nothing
        Ok(std::mem::take(&mut self.polled))
    }

    /// How many candidates the contract has in a slot at the last polled head, strays included: what a proposal must have
    /// seen. `None` where one of them is final. Only streams that [have strays](LedgerState::has_strays) need to be asked.
    ///
    /// # Errors
    ///
    /// The endpoints give no answer to rely on, or nothing was polled.
    pub async fn candidates_in(&self, slot: SlotId) -> Result<Option<usize>, FollowError> {
        let head = self.state.head().ok_or(FollowError::HeadMoved(0))?;
        let (at, ledger) = (BlockId::hash(head.hash), self.settings.ledger);
        let count = self.endpoints.agreed("candidateCount()", |provider| async move {
            Ledger::new(ledger, provider).candidateCount(slot.0).block(at).call().await
        });
        let count = count.await?.saturating_to();
        let known = self.state.slot(slot).map_or(0, |slot| slot.candidates.len());
        if count == known {
            return Ok(Some(count));
        }
        let found = self.endpoints.agreed("finalizedObservation()", |provider| async move {
            Ledger::new(ledger, provider).finalizedObservation(slot.0).block(at).call().await
        });
        Ok(found.await?.is_zero().then_some(count))
    }

    fn check_age(&self, head: &AgreedHead) -> Result<(), FollowError> {
        let now_s = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default().as_secs();
        let age_s = now_s.saturating_sub(head.times.latest);
        if self.settings.block_time.is_some() && age_s > self.settings.head_stale.as_secs() {
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
                if block != head {
                    self.revert_to(block);
                }
                return Ok(());
            }
            oldest = block;
        }
        if oldest.number > self.heads.finalized {
            // everything known lies above the finalized head, as right after the first poll: read it all again
            self.begin_anew();
            self.learn_anew();
            return Ok(());
        }
        self.refuse_other(oldest, latest).await
    }

    /// Takes back every block above one that is known.
    fn revert_to(&mut self, block: BlockRef) {
        self.listener.taken_back(Some(block));
        self.state.revert_above(block.number);
        self.learn_anew();
    }

    /// After a reorg: another address may have the seat at an index, and the own seat may have other addresses.
    fn learn_anew(&mut self) {
        self.polled.reorg = true;
        self.read_seats_anew();
    }

    fn read_seats_anew(&mut self) {
        self.indexes = Indexes::default();
        if let Some(own) = &mut self.own {
            own.unlearn(&self.state);
        }
    }

    /// Begins where the log is to be read from: at the checkpoint, if the chain holds its block, else at the ledger's creation.
    async fn begin(&mut self, latest: BlockRef) -> Result<(), FollowError> {
        let Self { checkpoint: Some(checkpoint), streams: Some(streams), .. } = &self else {
            self.start = Start::ReadOn;
            return Ok(());
        };
        let state = match self.start {
            Start::ReadOn => return Ok(()),
            Start::Anew => None,
            Start::Checkpoint => checkpoint.state(&self.settings, streams)?,
        };
        let base = state.as_ref().and_then(LedgerState::base);
        let held = match base {
            Some(base) => Some(
                self.endpoints
                    .block(base.number)
                    .await?
                    .ok_or(FollowError::Behind { latest: latest.number, finalized: base })?,
            ),
            None => None,
        };
        match state.filter(|_| base == held) {
            Some(state) => {
                self.read_own_votes(&state, base).await?;
                let is_new = |(stream, _): &(&StreamHash, &EpochRule)| !state.follows(**stream);
                let new = self.streams.iter().flatten().filter(is_new).map(|(&stream, &rule)| (stream, rule)).collect();
                self.begin_beside(new);
                self.state = state;
            }
            None => self.state = checkpoint.begin(streams.clone())?,
        }
        self.start = Start::ReadOn;
        Ok(())
    }

    /// Reads the own votes up to the checkpoint's block that were not told before, which its state has but nobody was told of.
    async fn read_own_votes(&mut self, state: &LedgerState, base: Option<BlockRef>) -> Result<(), FollowError> {
        let Some((own, base)) = self.own.as_mut().zip(base) else { return Ok(()) };
        own.unlearn(state);
        let mut from = self.rested_on.map_or(self.settings.deploy_block, |rested_on| rested_on.number + 1);
        while from <= base.number {
            let Some((end, logs)) = page(&self.endpoints, &self.settings, &mut self.pages, from, base).await? else {
                continue;
            };
            self.polled.own_votes.extend(logs.iter().filter_map(|log| own.vote_in(&log.event)));
            self.pulse.beat();
            from = end.number + 1;
        }
        Ok(())
    }

    /// Takes in the streams whose log was read beside the others', at a block that is final. What lies above it is read again.
    async fn take_in_newcomers(&mut self) -> Result<(), FollowError> {
        let Some((newcomers, base)) = self.newcomers.as_mut().zip(self.state.base()) else { return Ok(()) };
        let Some(read) = newcomers.at(base, &self.endpoints, &self.settings).await? else { return Ok(()) };
        self.newcomers = None;
        self.state.revert_above(base.number);
        self.read_to = None;
        if !self.state.join(read) {
            // the two readings differ, so one of them lacked something
            self.doubt_all();
        }
        Ok(())
    }

    /// Reads the ledger's log up to `latest`, page by page. Up to the block `settled` nothing can be taken back, so memory need
    /// not hold the votes of what is final there.
    async fn read_logs(&mut self, latest: BlockRef, settled: Option<u64>) -> Result<(), FollowError> {
        loop {
            let Self { endpoints, settings, pages, state, listener, .. } = self;
            let before = state.head();
            let Some(logs) = read_page(endpoints, settings, pages, state, latest).await? else { return Ok(()) };
            if let Some(to) = state.head().filter(|to| Some(*to) != before) {
                listener.read(to, &logs);
            }
            self.pulse.beat();
            if let Some(own) = &mut self.own {
                if own.learn(&self.state) {
                    self.polled.own_votes.clear();
                    self.begin_anew();
                    self.begin(latest).await?;
                    continue;
                }
                self.polled.own_votes.extend(logs.iter().filter_map(|log| own.vote_in(&log.event)));
                // a move to a new candidate is told of twice
                self.polled.own_votes.dedup();
            }
            if let Some(settled) = settled {
                self.state.forget(settled);
                // one that cannot be written is told of by whoever keeps it in the end
                let _ = self.keep(false);
            }
        }
    }
}

/// The next page of the log, up to `latest`, and its last block; `None` where it was too large and the pages became smaller.
async fn page(
    endpoints: &Endpoints,
    settings: &LedgerSettings,
    pages: &mut Pages,
    from: u64,
    latest: BlockRef,
) -> Result<Option<(BlockRef, Vec<LedgerLog>)>, FollowError> {
    let to = pages.end(from, latest.number);
    let end = if to == latest.number { Some(latest) } else { endpoints.block(to).await? };
    let end = end.ok_or(FollowError::HeadMoved(to))?;
    let Some(logs) = pages.read(endpoints, settings, from, end).await? else { return Ok(None) };
    if endpoints.block(end.number).await? != Some(end) {
        return Err(FollowError::HeadMoved(end.number));
    }
    Ok(Some((end, logs)))
}

/// Reads the next page of the log into a state, and gives it; `None` at `latest`.
async fn read_page(
    endpoints: &Endpoints,
    settings: &LedgerSettings,
    pages: &mut Pages,
    state: &mut LedgerState,
    latest: BlockRef,
) -> Result<Option<Vec<LedgerLog>>, FollowError> {
    let from = state.head().map_or(settings.deploy_block, |head| head.number + 1);
    if from > latest.number {
        return Ok(None);
    }
    let Some((end, logs)) = page(endpoints, settings, pages, from, latest).await? else { return Ok(Some(Vec::new())) };
    // block by block, so that it is known of each final observation in which it became so
    for logs in logs.chunk_by(|a, b| a.block == b.block) {
        let block = logs.first().map_or(end, |log| log.block);
        state.apply(block, logs.iter().map(|log| log.event));
    }
    if state.head() != Some(end) {
        state.apply(end, []);
    }
    Ok(Some(logs))
}
