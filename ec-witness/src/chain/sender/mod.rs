//! Sends votes: the one owner of the witness's nonces.
//!
//! Whatever is sent was recorded and signed in the vote store first. Until a nonce is executed below the finalized head
//! the stored bytes are sent again, and dearer transactions of the same call compete for it when blocks pass it over.
//! `plan` decides, purely; here is the I/O around it.

mod account;
mod batch;
mod fees;
mod followed;
mod outcome;
mod plan;
mod state;

use std::collections::{BTreeMap, HashSet};

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::{BlockId, Encodable2718},
    network::TxSignerSync,
    primitives::{Address, Bytes, TxHash, TxKind},
    rpc::types::TransactionReceipt,
    signers::local::PrivateKeySigner,
};

use crate::{
    failpoint,
    store::{Ballot, OutboxTx, StoreError, TxState, VoteStore},
};
use ec_ledger::Heads;
use ec_observation::{ObservationHash, SlotId};
use ec_rpc::{AskError, Endpoints};

pub use batch::VOTE_GAS;
pub use fees::{FeeRule, Fees, Market};
pub use outcome::REVERTS;
pub use plan::{Hold, SendRule};
pub use state::SenderState;

use account::{Account, Means};
use batch::Call;
use followed::{Followed, Sibling};
use plan::{Answer, FILL_GAS, Open, Plan, Situation, Step};

/// Polls in a row after which what an endpoint says against the store is no lag any more.
const LAG_POLLS: u32 = 8;
/// How often a hold is complained about, milliseconds.
const COMPLAIN_EVERY_MS: u64 = 60_000;

/// Why votes are not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The endpoints gave no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key could not sign.
    #[error("signing: {0}")]
    Sign(#[from] alloy::signers::Error),
    /// A transaction in the store is none that this program signs.
    #[error("transaction {hash} in the vote store cannot be decoded: the store was changed")]
    Undecodable {
        /// As the store names it.
        hash: TxHash,
    },
    /// A nonce was used that the store does not know.
    #[error(
        "account {account} has used nonce {nonce}, which this vote store does not know: another instance uses the key; \
         stop it, move this store aside and run `ec-witness init` again, which takes over every vote on the chain"
    )]
    ForeignNonce {
        /// The witness.
        account: Address,
        /// The first nonce that is not ours.
        nonce: u64,
    },
    /// What was final is not on the chain any more.
    #[error(
        "transaction {hash} of nonce {nonce} was final in block {block} and is not there any more: a reorg below the \
         finalized head"
    )]
    FinalTakenBack {
        /// The transaction.
        hash: TxHash,
        /// Its nonce.
        nonce: u64,
        /// Where it was final.
        block: u64,
    },
}

impl SendError {
    /// Whether to stop rather than to try again.
    pub fn is_fatal(&self) -> bool {
        match self {
            Self::Ask(error) => error.is_fatal(),
            Self::Store(error) => !error.may_pass(),
            Self::Sign(_) | Self::Undecodable { .. } | Self::ForeignNonce { .. } | Self::FinalTakenBack { .. } => true,
        }
    }
}

/// Sends votes and follows them to the finalized head.
#[derive(Debug)]
pub struct Sender {
    account: Account,
    signer: PrivateKeySigner,
    chain_id: u64,
    ledger: Address,
    rule: SendRule,
    outbox: BTreeMap<u64, Followed>,
    first_nonce: u64,
    next_nonce: u64,
    /// Votes to be carried once more; what carried them came to nothing.
    again: Vec<Ballot>,
    last_final: Option<OutboxTx>,
    /// Whether everything executed is to be looked up: at first, and after a reorg.
    recheck: bool,
    /// Polls in a row in which the chain contradicted what was final.
    contradicted: u32,
    /// Polls in a row in which the chain wanted a nonce below the store's first.
    behind: u32,
    /// The last poll went through, so it is known that every used nonce is ours.
    is_clear: bool,
    head: u64,
    used: u64,
    state: SenderState,
    /// What stands in the way of what is open, and of new transactions.
    holds: (Option<Hold>, Option<Hold>),
    complained_ms: u64,
}

impl Sender {
    /// Takes up the outbox of `store`.
    ///
    /// # Errors
    ///
    /// The store refuses, or holds a transaction that is none.
    pub fn new(
        endpoints: Endpoints,
        signer: PrivateKeySigner,
        store: &VoteStore,
        rule: SendRule,
    ) -> Result<Self, SendError> {
        let identity = store.identity();
        let mut outbox = BTreeMap::<u64, Followed>::new();
        for kept in store.outbox()? {
            let sibling = Sibling::of(kept)?;
            match outbox.get_mut(&sibling.tx.nonce) {
                Some(followed) => followed.add(sibling),
                None => drop(outbox.insert(sibling.tx.nonce, Followed::new(sibling, 0))),
            }
        }
        Ok(Self {
            account: Account { endpoints, address: signer.address() },
            signer,
            chain_id: identity.chain_id,
            ledger: identity.ledger,
            rule,
            outbox,
            first_nonce: store.first_nonce(),
            next_nonce: store.next_nonce()?,
            again: Vec::new(),
            last_final: store.last_final()?,
            recheck: true,
            contradicted: 0,
            behind: 0,
            is_clear: false,
            head: 0,
            used: 0,
            state: SenderState::default(),
            holds: (None, None),
            complained_ms: 0,
        })
    }

    /// Transactions that are not executed yet.
    pub fn pending(&self) -> usize {
        self.outbox.values().filter(|followed| followed.is_open()).count()
    }

    /// Whether this vote waits to be carried once more.
    pub fn will_carry(&self, observation: ObservationHash) -> bool {
        self.again.iter().any(|ballot| ballot.header.hash() == observation)
    }

    /// How sending stands.
    pub fn state(&self, now_ms: u64) -> SenderState {
        let count = |is: fn(&Followed) -> bool| self.outbox.values().filter(|followed| is(followed)).count();
        let open = || self.outbox.values().filter(|followed| followed.is_open());
        SenderState {
            signed: open().filter(|followed| followed.held_since.is_none()).count(),
            sent: open().filter(|followed| followed.held_since.is_some()).count(),
            executed: count(
                |followed| matches!(followed.landed(), Some(tx) if matches!(tx.state, TxState::Executed { .. })),
            ),
            safe: count(|followed| matches!(followed.landed(), Some(tx) if matches!(tx.state, TxState::Safe { .. }))),
            oldest_open_ms: open().map(|followed| now_ms.saturating_sub(followed.since_ms)).max(),
            ..self.state.clone()
        }
    }

    /// Looks after what was sent: executed, taken back by a reorg, safe, final, to be sent again or to be replaced.
    ///
    /// # Errors
    ///
    /// The endpoint failed, or the chain contradicts the store.
    pub async fn follow(
        &mut self,
        store: &mut VoteStore,
        heads: Heads,
        reorg: bool,
        now_ms: u64,
    ) -> Result<(), SendError> {
        self.is_clear = false;
        self.recheck |= reorg;
        let used = self.account.used().await?;
        if used > self.next_nonce {
            return Err(SendError::ForeignNonce { account: self.account.address, nonce: self.next_nonce });
        }
        (self.used, self.head) = (used, heads.latest);
        self.check_final().await?;
        let changes = self.look_up(heads).await?;
        self.note(store, &changes)?;
        self.take_back(&changes);
        self.let_go();
        self.see_to_open(store, now_ms).await?;
        (self.recheck, self.is_clear) = (false, true);
        Ok(())
    }

    /// Signs, keeps and sends every recorded vote that no transaction carries, and the `again` ones, as far as there is
    /// room in the pool and money. Returns which.
    ///
    /// # Errors
    ///
    /// Those votes are not sent; they stay recorded and are sent by a later call.
    pub async fn flush(
        &mut self,
        store: &mut VoteStore,
        again: &[Ballot],
        now_ms: u64,
    ) -> Result<Vec<ObservationHash>, SendError> {
        let known: HashSet<_> = self.again.iter().map(|ballot| ballot.header.hash()).collect();
        self.again.extend(again.iter().filter(|ballot| !known.contains(&ballot.header.hash())));
        let ballots = self.waiting(store)?;
        self.state.waiting_votes = ballots.len();
        let places = self.rule.max_in_flight.saturating_sub(self.pending());
        if ballots.is_empty() || places == 0 || !self.is_clear || self.holds.0.is_some() {
            return Ok(Vec::new());
        }
        let means = self.means().await?;
        let mut cast = Vec::new();
        for call in self.calls(&ballots, places, &means, now_ms) {
            let votes = call.votes.clone();
            let Some(answer) = self.transact(store, call, &means, now_ms).await? else { break };
            self.hold((self.holds.0, None), now_ms);
            self.again.retain(|ballot| !votes.contains(&ballot.header.hash()));
            cast.extend(votes);
            if answer == Answer::Nothing {
                break;
            }
        }
        self.state.waiting_votes -= cast.len();
        Ok(cast)
    }

    /// Calls `finalize` for a candidate that has the quorum's votes, if there is room for it; it is asked for again.
    ///
    /// # Errors
    ///
    /// Nothing is sent.
    pub async fn finalize(
        &mut self,
        store: &mut VoteStore,
        slot: SlotId,
        observation: ObservationHash,
        now_ms: u64,
    ) -> Result<(), SendError> {
        if self.is_clear && self.pending() < self.rule.max_in_flight {
            let means = self.means().await?;
            self.transact(store, Call::finalize(slot, observation), &means, now_ms).await?;
        }
        Ok(())
    }

    fn waiting(&self, store: &VoteStore) -> Result<Vec<Ballot>, StoreError> {
        let mut ballots = store.unsigned()?;
        let again = self.again.iter().filter(|ballot| !ballots.contains(ballot)).copied().collect::<Vec<_>>();
        ballots.extend(again);
        Ok(ballots)
    }

    /// The calls for these ballots, at most `places` of them.
    fn calls(&self, ballots: &[Ballot], places: usize, means: &Means, now_ms: u64) -> Vec<Call> {
        let oldest = &ballots[..ballots.len().min(places.saturating_mul(self.rule.max_batch))];
        let now = self.situation(means, now_ms);
        let fees = self.rule.fees.first(means.market).unwrap_or_default();
        let room = batch::tx_gas(means.block_gas_limit).min(plan::affordable_gas(&self.open(), &now, fees));
        let mut calls = batch::calls(oldest, self.rule.max_batch, room);
        calls.truncate(places);
        calls
    }

    /// Signs, keeps and sends one call to the ledger; `None` if it is held.
    async fn transact(
        &mut self,
        store: &mut VoteStore,
        call: Call,
        means: &Means,
        now_ms: u64,
    ) -> Result<Option<Answer>, SendError> {
        let offer = plan::first_fees(&self.open(), call.gas, &self.situation(means, now_ms), &self.rule);
        let fees = match offer {
            Ok(fees) => fees,
            Err(hold) => {
                self.hold((self.holds.0, Some(hold)), now_ms);
                return Ok(None);
            }
        };
        let nonce = self.next_nonce;
        let tx = self.offer(nonce, self.ledger, call.input, call.gas, fees);
        let sibling = self.sign(tx)?;
        store.keep(&sibling.kept, &call.votes)?;
        tracing::info!(tx = %sibling.kept.hash, nonce, votes = call.votes.len(), ?fees, "transaction signed");
        self.next_nonce = nonce + 1;
        self.outbox.insert(nonce, Followed::new(sibling, now_ms));
        self.send(store, nonce, now_ms).await.map(Some)
    }

    fn offer(&self, nonce: u64, to: Address, input: Bytes, gas_limit: u64, fees: Fees) -> TxEip1559 {
        TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit,
            max_fee_per_gas: fees.max,
            max_priority_fee_per_gas: fees.tip,
            to: TxKind::Call(to),
            input,
            ..TxEip1559::default()
        }
    }

    fn sign(&self, mut tx: TxEip1559) -> Result<Sibling, SendError> {
        failpoint::SIGN.begins();
        let signature = self.signer.sign_transaction_sync(&mut tx)?;
        failpoint::SIGN.is_done();
        let signed = tx.clone().into_signed(signature);
        let hash = *signed.hash();
        let raw = Bytes::from(TxEnvelope::from(signed).encoded_2718());
        Ok(Sibling { kept: OutboxTx { hash, nonce: tx.nonce, raw, state: TxState::Signed }, tx })
    }

    /// Signs and keeps a dearer transaction of the same nonce and the same call.
    fn replace(&mut self, store: &mut VoteStore, nonce: u64, fees: Fees) -> Result<(), SendError> {
        let Some(followed) = self.outbox.get(&nonce) else { return Ok(()) };
        let Sibling { kept, tx } = followed.newest();
        let (of, before) = (kept.hash, tx.max_fee_per_gas);
        let tx = TxEip1559 { max_fee_per_gas: fees.max, max_priority_fee_per_gas: fees.tip, ..tx.clone() };
        let sibling = self.sign(tx)?;
        store.keep_replacement(&sibling.kept, of)?;
        tracing::info!(tx = %sibling.kept.hash, nonce, %of, before, ?fees, "transaction replaced by a dearer one");
        self.state.replaced += 1;
        if let Some(followed) = self.outbox.get_mut(&nonce) {
            followed.add(sibling);
        }
        Ok(())
    }

    /// Signs and keeps a transfer of nothing for a nonce below the store's first: whatever used it was taken back.
    fn fill(&mut self, store: &mut VoteStore, nonce: u64, fees: Fees, now_ms: u64) -> Result<(), SendError> {
        let sibling = self.sign(self.offer(nonce, self.account.address, Bytes::new(), FILL_GAS, fees))?;
        store.keep(&sibling.kept, &[])?;
        tracing::warn!(tx = %sibling.kept.hash, nonce, "the chain took back a nonce from before this store; filling it");
        self.outbox.insert(nonce, Followed::new(sibling, now_ms));
        Ok(())
    }

    /// Sends the stored bytes of a nonce. Failing is no harm: they are sent again until the chain has executed them.
    async fn send(&mut self, store: &mut VoteStore, nonce: u64, now_ms: u64) -> Result<Answer, SendError> {
        let Some(followed) = self.outbox.get_mut(&nonce) else { return Ok(Answer::Used) };
        let OutboxTx { hash, raw, state, .. } = followed.newest().kept.clone();
        self.state.resent += u64::from(followed.sent.is_some() || state != TxState::Signed);
        self.state.fees = Some(followed.open().fees);
        failpoint::SEND.begins();
        let (answer, error) = self.account.send(&raw).await;
        failpoint::SEND.is_done();
        followed.answered(answer, now_ms, self.head);
        match error {
            None => tracing::debug!(tx = %hash, nonce, "transaction sent"),
            Some(_) if matches!(answer, Answer::Held | Answer::Used) => {
                tracing::debug!(tx = %hash, nonce, ?answer, "transaction is known already");
            }
            Some(error) => tracing::warn!(tx = %hash, nonce, ?answer, %error, "transaction not accepted; trying again"),
        }
        if answer == Answer::Held && state == TxState::Signed {
            self.note(store, &[(nonce, hash, TxState::Sent)])?;
        }
        Ok(answer)
    }

    /// Whether the chain still holds what was final.
    async fn check_final(&mut self) -> Result<(), SendError> {
        let Some(OutboxTx { hash, nonce, state, .. }) = &self.last_final else { return Ok(()) };
        let (hash, nonce, block) = (*hash, *nonce, state.block().unwrap_or_default());
        let unused = self.used <= nonce;
        let stands = !unused && (!self.recheck && self.contradicted == 0 || self.stands_at(hash, block).await?);
        self.contradicted = if stands { 0 } else { self.contradicted + 1 };
        if self.contradicted > LAG_POLLS {
            return Err(SendError::FinalTakenBack { hash, nonce, block });
        }
        Ok(())
    }

    async fn stands_at(&self, hash: TxHash, block: u64) -> Result<bool, SendError> {
        Ok(self.account.receipt(hash).await?.and_then(|receipt| receipt.block_number) == Some(block))
    }

    /// What became of the transactions whose state may have changed.
    async fn look_up(&mut self, heads: Heads) -> Result<Vec<(u64, TxHash, TxState)>, SendError> {
        let mut changes = Vec::new();
        let nonces: Vec<u64> = self.outbox.keys().copied().collect();
        for nonce in nonces {
            let Some(followed) = self.outbox.get(&nonce) else { continue };
            let landed = followed.landed().map(|kept| (kept.hash, kept.state));
            let look = match landed {
                None => nonce < self.used,
                Some((_, TxState::Executed { block })) if block <= heads.safe => true,
                Some((_, TxState::Safe { block })) if block <= heads.finalized => true,
                Some(_) => self.recheck || nonce >= self.used,
            };
            if look {
                changes.extend(self.look_at(nonce, landed, heads).await?);
            }
        }
        Ok(changes)
    }

    /// Looks for the receipt of any transaction of a nonce.
    async fn look_at(
        &mut self,
        nonce: u64,
        landed: Option<(TxHash, TxState)>,
        heads: Heads,
    ) -> Result<Vec<(u64, TxHash, TxState)>, SendError> {
        let mut changes = Vec::new();
        let found = self.receipt_of(nonce).await?;
        match (landed, &found) {
            (Some((was, _)), Some((hash, _))) if was != *hash => changes.push((nonce, was, TxState::Sent)),
            (Some((was, _)), None) => changes.push((nonce, was, TxState::Sent)),
            _ => {}
        }
        let is_new = landed.is_none();
        let missing = found.is_none() && nonce < self.used;
        let Some(followed) = self.outbox.get_mut(&nonce) else { return Ok(changes) };
        followed.missing = if missing { followed.missing + 1 } else { 0 };
        if followed.missing > LAG_POLLS {
            return Err(SendError::ForeignNonce { account: self.account.address, nonce });
        }
        if let Some((hash, receipt)) = found {
            let block = receipt.block_number.unwrap_or_default();
            let state = depth(block, heads);
            if landed != Some((hash, state)) {
                changes.push((nonce, hash, state));
            }
            if is_new {
                self.tell_outcome(nonce, &receipt).await;
            }
        }
        Ok(changes)
    }

    async fn receipt_of(&self, nonce: u64) -> Result<Option<(TxHash, TransactionReceipt)>, SendError> {
        let Some(followed) = self.outbox.get(&nonce) else { return Ok(None) };
        for sibling in followed.siblings().rev() {
            let hash = sibling.kept.hash;
            if let Some(receipt) = self.account.receipt(hash).await?.filter(|receipt| receipt.block_number.is_some()) {
                return Ok(Some((hash, receipt)));
            }
        }
        Ok(None)
    }

    /// Counts and logs what an executed transaction did not do.
    async fn tell_outcome(&mut self, nonce: u64, receipt: &TransactionReceipt) {
        let hash = receipt.transaction_hash;
        let mut names: Vec<_> =
            outcome::skipped(receipt).iter().map(|revert| outcome::tell(Some(revert), hash)).collect();
        if !receipt.status() {
            let input = self.outbox.get(&nonce).map(|followed| followed.newest().tx.input.clone()).unwrap_or_default();
            let block = receipt.block_hash.map_or(BlockId::latest(), BlockId::hash);
            let revert = self.account.reason(self.ledger, input, block).await;
            names.push(outcome::tell(revert.as_ref(), hash));
        }
        for name in names {
            *self.state.reverts.entry(name).or_default() += 1;
        }
    }

    /// Notes states, on the disk first.
    fn note(&mut self, store: &mut VoteStore, changes: &[(u64, TxHash, TxState)]) -> Result<(), SendError> {
        if changes.is_empty() {
            return Ok(());
        }
        let states: Vec<_> = changes.iter().map(|&(_, hash, state)| (hash, state)).collect();
        store.set_states(&states)?;
        for &(nonce, hash, state) in changes {
            let Some(followed) = self.outbox.get_mut(&nonce) else { continue };
            followed.note(hash, state);
        }
        Ok(())
    }

    /// What is not executed any more is sent at once.
    fn take_back(&mut self, changes: &[(u64, TxHash, TxState)]) {
        for (nonce, ..) in changes {
            if let Some(followed) = self.outbox.get_mut(nonce).filter(|followed| followed.is_open()) {
                tracing::info!(nonce, "the chain took back a transaction; sending it again");
                followed.taken_back();
            }
        }
    }

    /// Lets go of what is final.
    fn let_go(&mut self) {
        let finals = self.outbox.extract_if(
            ..,
            |_, followed| matches!(followed.landed(), Some(tx) if matches!(tx.state, TxState::Finalized { .. })),
        );
        self.last_final =
            finals.filter_map(|(_, followed)| followed.landed().cloned()).last().or(self.last_final.take());
    }

    /// Sends again, replaces and fills, as the plan says.
    async fn see_to_open(&mut self, store: &mut VoteStore, now_ms: u64) -> Result<(), SendError> {
        let gap = self.gap();
        if self.pending() == 0 && gap.is_empty() && self.state.held.is_none() {
            return Ok(());
        }
        let means = self.means().await?;
        let Plan { steps, hold } = plan::plan(&self.open(), gap, &self.situation(&means, now_ms), &self.rule);
        self.hold((hold, self.holds.1), now_ms);
        for step in steps {
            let nonce = match step {
                Step::Send { nonce } => nonce,
                Step::Replace { nonce, fees } => {
                    self.replace(store, nonce, fees)?;
                    nonce
                }
                Step::Fill { nonce, fees } => {
                    self.fill(store, nonce, fees, now_ms)?;
                    nonce
                }
            };
            if self.send(store, nonce, now_ms).await? == Answer::Nothing {
                break;
            }
        }
        Ok(())
    }

    /// Nonces that the chain wants before the store's first, once that is no lag any more.
    fn gap(&mut self) -> std::ops::Range<u64> {
        let lowest = self.outbox.keys().next().copied().unwrap_or(self.first_nonce).min(self.first_nonce);
        self.behind = if self.used < lowest { self.behind + 1 } else { 0 };
        if self.behind > LAG_POLLS { self.used..lowest } else { 0..0 }
    }

    async fn means(&mut self) -> Result<Means, SendError> {
        let means = self.account.means().await?;
        self.state.balance = Some(means.balance);
        Ok(means)
    }

    /// What is open, by nonce.
    fn open(&self) -> Vec<Open> {
        self.outbox.values().filter(|followed| followed.is_open()).map(Followed::open).collect()
    }

    fn situation(&self, means: &Means, now_ms: u64) -> Situation {
        Situation {
            used: self.used,
            head: self.head,
            market: means.market,
            balance: means.balance,
            now_ms,
            reorg: self.recheck,
        }
    }

    /// Notes and says what stands in the way, at once and then once a minute.
    fn hold(&mut self, holds: (Option<Hold>, Option<Hold>), now_ms: u64) {
        let held = holds.0.or(holds.1);
        match &held {
            Some(hold)
                if self.state.held.is_none() || now_ms.saturating_sub(self.complained_ms) >= COMPLAIN_EVERY_MS =>
            {
                self.complained_ms = now_ms;
                tracing::error!(%hold, open = self.pending(), "sending is held; it goes on by itself");
            }
            None if self.state.held.is_some() => tracing::info!("sending goes on"),
            _ => {}
        }
        (self.holds, self.state.held) = (holds, held);
    }
}

/// The state of what was executed in this block.
fn depth(block: u64, heads: Heads) -> TxState {
    if block <= heads.finalized {
        TxState::Finalized { block }
    } else if block <= heads.safe {
        TxState::Safe { block }
    } else {
        TxState::Executed { block }
    }
}
