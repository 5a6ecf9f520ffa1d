//! Sends votes: the one owner of the witness's nonces. A vote's life (protocol §5.8) goes through these modules:
//!
//! ```text
//! recorded ──▶ waiting ──▶ pace ──▶ batch ──▶ money ──▶ sign ──▶ account ──▶ outbox
//!              no tx has   as many  calls     fees, or  signed,  sent        executed, safe, final;
//!              it yet      as may             a hold    kept                 else sent again or replaced
//! ```
//!
//! Whatever is sent was recorded and signed in the vote store first. Until a nonce is executed below the finalized head
//! the stored bytes are sent again, and dearer transactions of the same call compete for it when blocks pass it over.
//! `plan` decides that, and `pace` how many votes go at a time, purely; here is the I/O around it.

mod account;
mod batch;
mod costs;
mod error;
mod fees;
mod finding;
mod follow;
mod followed;
mod hold;
mod money;
mod outbox;
mod outcome;
mod pace;
mod paced;
mod plan;
mod poll;
mod rotation;
mod settlement;
mod sign;
mod spending;
mod state;
mod stuck;
mod waiting;

use std::collections::BTreeMap;

use alloy::primitives::{Address, TxHash};
use ec_observation::{Ballot, ObservationHash, SlotId};
use ec_rpc::{Endpoints, SendRefusal};

use crate::{
    clock, failpoint,
    key::Signer,
    store::{OutboxTx, TxState, VoteStore},
};

pub use batch::VOTE_GAS;
pub use costs::VoteCost;
pub use error::SendError;
pub use fees::{FeeRule, Fees, Market};
pub use finding::{Fact, Finding};
pub use hold::Hold;
pub use outcome::REVERTS;
pub use pace::PaceRule;
pub use plan::SendRule;
pub use settlement::{settlement, settlements_in_one};
pub use spending::SpendRule;
pub use state::{SenderState, Stage};
pub use stuck::{Stuck, stuck};

pub(crate) use account::Account;
pub(crate) use money::{Means, cost};
pub(crate) use poll::Lag;

use batch::Call;
use costs::Costs;
use followed::Change;
use hold::Holds;
use money::{Budget, Money};
use outbox::Outbox;
use pace::Pace;
use paced::PacedCall;
use plan::Answer;
use poll::Poll;
use sign::Signing;
use spending::Spending;
use state::Tally;
use waiting::Waiting;

/// Sends votes and follows them to the finalized head.
#[derive(Debug)]
pub struct Sender {
    account: Account,
    rule: SendRule,
    waiting: Waiting,
    money: Money,
    holds: Holds,
    spending: Spending,
    pace: Pace,
    /// Whether votes on old epochs wait for the gas of an hour.
    is_hour_spent: bool,
    costs: Costs,
    signing: Signing,
    outbox: Outbox,
    poll: Poll,
    tally: Tally,
    /// What receipts prove, until somebody asks, by nonce.
    findings: BTreeMap<u64, Vec<Finding>>,
}

/// A call that was signed and sent.
struct SentCall {
    /// What it carries.
    votes: Vec<ObservationHash>,
    answer: Answer,
    /// It is the call that a signer was asked for before, in place of the one that was wanted.
    is_other: bool,
}

impl Sender {
    /// Takes up the outbox of `store`.
    ///
    /// # Errors
    ///
    /// The store refuses, holds a transaction that is none, or a forced transaction is under way.
    pub fn new(endpoints: Endpoints, signer: Signer, store: &VoteStore, rule: SendRule) -> Result<Self, SendError> {
        store.refuse_forced()?;
        Ok(Self {
            account: Account { endpoints, address: signer.address() },
            rule,
            waiting: Waiting::default(),
            money: Money::default(),
            holds: Holds::default(),
            spending: Spending::of(store, rule.spending, clock::unix_ms())?,
            pace: Pace::new(rule.pace),
            is_hour_spent: false,
            costs: Costs::default(),
            signing: Signing::new(signer, store)?,
            outbox: Outbox::of(store)?,
            poll: Poll::none(),
            tally: Tally::default(),
            findings: BTreeMap::new(),
        })
    }

    /// Transactions that are not executed yet.
    pub fn pending(&self) -> usize {
        self.outbox.pending()
    }

    /// Whether this vote waits to be carried once more.
    pub fn will_carry(&self, observation: ObservationHash) -> bool {
        self.waiting.is_again(observation)
    }

    /// So many witnesses share the chain's blocks.
    pub fn among(&mut self, witnesses: usize) {
        self.pace.among(witnesses);
    }

    /// How sending stands.
    pub fn state(&self) -> SenderState {
        let Tally { replaced, resent, reverts } = self.tally.clone();
        SenderState {
            waiting_votes: self.waiting.count(),
            waiting_old_votes: self.waiting.old(),
            paced_gas: self.pace.most().map(|most| most.old),
            is_hour_spent: self.is_hour_spent,
            block_share: self.pace.share_of(self.costs.gas_in_block()),
            vote_costs: self.costs.all(),
            base_fee: self.pace.base_fee(),
            max_fee: self.rule.fees.cap,
            transactions: self.outbox.stages(),
            held: self.holds.held().cloned(),
            balance: self.money.balance,
            fees: self.money.offered,
            gas: (self.spending.last_hour(), self.spending.per_hour()),
            spent_slots: self.spending.spent_slots(),
            replaced,
            resent,
            reverts,
        }
    }

    /// Signs, keeps and sends every recorded vote that no transaction carries, and the `again` ones, as far as there is
    /// room in the pool and money, and `may_send` says so of their slots. Returns which.
    ///
    /// # Errors
    ///
    /// Those votes are not sent; they stay recorded and are sent by a later call.
    pub async fn flush(
        &mut self,
        store: &mut VoteStore,
        again: &[Ballot],
        may_send: impl Fn(SlotId) -> bool,
        now_ms: u64,
    ) -> Result<Vec<ObservationHash>, SendError> {
        self.waiting.add(again);
        self.waiting.read_on(store)?;
        self.spending.look(store, self.waiting.slots())?;
        let room = self.rule.max_in_flight.saturating_sub(self.pending());
        let is_any = self.sendable(&may_send).next().is_some();
        if !is_any || room == 0 || !self.poll.is_clear || self.holds.holds_open() {
            return Ok(Vec::new());
        }
        let means = self.means().await?;
        let mut cast = Vec::new();
        for PacedCall { call, gas, is_live } in self.calls(may_send, room, &means, now_ms) {
            let (ledger, nonce) = (self.signing.ledger(), self.signing.next_nonce());
            let Some(sent) = self.transact(store, (ledger, call), &means, now_ms).await? else { break };
            self.pace.signed(nonce, gas, is_live);
            self.holds.on_new(None, self.pending(), now_ms);
            cast.extend(sent.votes);
            if sent.is_other || sent.answer == Answer::Nothing {
                break;
            }
        }
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
        if self.poll.is_clear && self.pending() < self.rule.max_in_flight {
            let means = self.means().await?;
            let call = (self.signing.ledger(), Call::finalize(slot, observation));
            self.transact(store, call, &means, now_ms).await?;
        }
        Ok(())
    }

    /// Signs, keeps and sends one call to a contract, or the one that a signer was asked for before; `None` if it is held.
    async fn transact(
        &mut self,
        store: &mut VoteStore,
        wanted: (Address, Call),
        means: &Means,
        now_ms: u64,
    ) -> Result<Option<SentCall>, SendError> {
        let asked = self.signing.asked().filter(|asked| **asked != wanted).cloned();
        let is_other = asked.is_some();
        let (to, call) = asked.unwrap_or(wanted);
        let allowed = self.spending.allows(call.gas, now_ms);
        let fees = match allowed.and_then(|()| self.budget(means).first(call.gas)) {
            Ok(fees) => fees,
            Err(hold) => {
                self.holds.on_new(Some(hold), self.pending(), now_ms);
                return Ok(None);
            }
        };
        let nonce = self.signing.next_nonce();
        match self.signing.call(store, to, &call, fees, now_ms).await {
            Ok(signed) => {
                self.outbox.add(signed);
                self.spending.sent_for(&self.waiting.carried(&call.votes));
            }
            Err(unsigned) => {
                // what the store has of it is not known
                self.waiting.doubt();
                self.spending.doubt();
                self.holds.on_new(Some(unsigned.hold()?), self.pending(), now_ms);
                return Ok(None);
            }
        }
        self.holds.on_signed(self.pending(), now_ms);
        self.spending.signed(nonce, call.gas, now_ms);
        let answer = self.send(store, nonce, now_ms).await?;
        Ok(Some(SentCall { votes: call.votes, answer, is_other }))
    }

    /// Sends the stored bytes of a nonce. Failing is no harm: they are sent again until the chain has executed them.
    async fn send(&mut self, store: &mut VoteStore, nonce: u64, now_ms: u64) -> Result<Answer, SendError> {
        let Some(followed) = self.outbox.get_mut(nonce) else { return Ok(Answer::Used) };
        let OutboxTx { hash, raw, state, .. } = followed.newest().kept.clone();
        self.tally.resent += u64::from(followed.was_sent());
        self.money.offered = Some(followed.open().fees);
        failpoint::SEND.begins();
        let (answer, refusal) = self.account.send(&raw).await;
        failpoint::SEND.is_done();
        followed.answered(answer, now_ms, self.poll.heads.latest);
        tell_answer(hash, nonce, answer, refusal.as_ref());
        if answer == Answer::Held && state == TxState::Signed {
            self.outbox.note(store, &[Change { nonce, hash, state: TxState::Sent }])?;
        }
        Ok(answer)
    }

    async fn means(&mut self) -> Result<Means, SendError> {
        let means = self.account.means().await?;
        self.money.balance = Some(means.balance);
        self.pace.heed(means.block, self.rule.fees.cap);
        Ok(means)
    }

    /// What may be offered beside what is open.
    fn budget(&self, means: &Means) -> Budget {
        plan::budget(&self.outbox.open(), means.market, means.balance, &self.rule)
    }
}

/// Logs what a pool said of a transaction.
fn tell_answer(tx: TxHash, nonce: u64, answer: Answer, refusal: Option<&SendRefusal>) {
    match refusal {
        None => tracing::debug!(%tx, nonce, "transaction sent"),
        Some(_) if matches!(answer, Answer::Held | Answer::Used) => {
            tracing::debug!(%tx, nonce, answer = answer.name(), "transaction is known already");
        }
        Some(error) => {
            tracing::warn!(%tx, nonce, answer = answer.name(), %error, "transaction not accepted; trying again");
        }
    }
}
