//! Signs for the account, and has the store keep what it signed before anybody else sees it.
//!
//! A signer elsewhere may have signed what it gave no answer to, and whoever has that can bring it onto the chain. Three things
//! make that harmless. Whatever is asked for is made of votes that the store recorded before, so that no signature in the world
//! is of a second vote. Nothing counts as signed that is not kept here, whatever the signer may hold. And a nonce stands for one
//! call: the one that got no answer is asked for again, before any other call may have its nonce, with the fees of that time.
//! A signer that says it will not sign has not; then the nonce is free. A restart forgets what was asked for. Then the worst is
//! that a lost signature turns up on the chain in place of another call, and the witness halts, as with any nonce it did not
//! use itself.

use alloy::{
    consensus::TxEip1559,
    primitives::{Address, Bytes, TxKind},
};
use ec_rpc::Backoff;

use super::{batch::Call, error::SendError, fees::Fees, followed::Sibling, hold::Hold, plan::FILL_GAS};
use crate::{
    key::{SignError, Signer},
    store::{Identity, OutboxTx, StoreError, TxState, VoteStore},
};

/// What signs, what it signs for, and the nonce that comes next.
#[derive(Debug)]
pub(super) struct Signing {
    signer: Signer,
    rest: Option<Rest>,
    /// The call of the next nonce, where a signer was asked for it and gave no answer.
    asked: Option<(Address, Call)>,
    chain_id: u64,
    ledger: Address,
    next_nonce: u64,
}

/// A signer that did not sign is left alone for a while.
#[derive(Debug)]
struct Rest {
    why: Hold,
    backoff: Backoff,
    until_ms: u64,
}

/// Why nothing was signed.
#[derive(Debug)]
pub(super) enum Unsigned {
    /// It may be signed later.
    Held(Hold),
    /// It cannot be signed or kept.
    Failed(SendError),
}

impl From<SignError> for Unsigned {
    fn from(error: SignError) -> Self {
        if error.may_pass() { Self::Held(hold_of(&error)) } else { Self::Failed(error.into()) }
    }
}

impl From<StoreError> for Unsigned {
    fn from(error: StoreError) -> Self {
        Self::Failed(error.into())
    }
}

impl Unsigned {
    /// What holds, or the error.
    pub(super) fn hold(self) -> Result<Hold, SendError> {
        match self {
            Self::Held(hold) => Ok(hold),
            Self::Failed(error) => Err(error),
        }
    }
}

impl Signing {
    /// Goes on where the store's last transaction ends.
    pub(super) fn new(signer: Signer, store: &VoteStore) -> Result<Self, StoreError> {
        let Identity { chain_id, ledger, .. } = store.identity();
        Ok(Self { signer, rest: None, asked: None, chain_id, ledger, next_nonce: store.next_nonce()? })
    }

    /// What votes are sent to.
    pub(super) fn ledger(&self) -> Address {
        self.ledger
    }

    /// The first nonce that nothing is signed for.
    pub(super) fn next_nonce(&self) -> u64 {
        self.next_nonce
    }

    /// The call that the next nonce stands for already, and what it is to.
    pub(super) fn asked(&self) -> Option<&(Address, Call)> {
        self.asked.as_ref()
    }

    /// Why nothing is signed now, while the signer is left alone.
    pub(super) fn rests(&self, now_ms: u64) -> Option<&Hold> {
        self.rest.as_ref().filter(|rest| now_ms < rest.until_ms).map(|rest| &rest.why)
    }

    /// Signs and keeps a call to the contract `to`, of the next nonce.
    pub(super) async fn call(
        &mut self,
        store: &mut VoteStore,
        to: Address,
        call: &Call,
        fees: Fees,
        now_ms: u64,
    ) -> Result<Sibling, Unsigned> {
        self.ready(now_ms)?;
        let nonce = self.next_nonce;
        self.asked = Some((to, call.clone()));
        let offer = self.offer(nonce, to, call.input.clone(), call.gas, fees);
        let signed = match self.ask(offer, now_ms).await {
            Ok(signed) => signed,
            Err(error) => {
                self.asked.take_if(|_| !error.may_be_signed());
                return Err(error.into());
            }
        };
        store.keep(&signed.kept, &call.votes)?;
        let Fees { max, tip } = fees;
        tracing::info!(tx = %signed.kept.hash, nonce, votes = call.votes.len(), max, tip, "transaction signed");
        (self.next_nonce, self.asked) = (nonce + 1, None);
        Ok(signed)
    }

    /// Signs and keeps a dearer transaction of the same nonce and the same call.
    pub(super) async fn replacement(
        &mut self,
        store: &mut VoteStore,
        replaced: &Sibling,
        fees: Fees,
        now_ms: u64,
    ) -> Result<Sibling, Unsigned> {
        self.ready(now_ms)?;
        let Sibling { kept: OutboxTx { hash: of, nonce, .. }, tx } = replaced;
        let dearer = TxEip1559 { max_fee_per_gas: fees.max, max_priority_fee_per_gas: fees.tip, ..tx.clone() };
        let signed = self.ask(dearer, now_ms).await?;
        store.keep_replacement(&signed.kept, *of)?;
        let (before, Fees { max, tip }) = (tx.max_fee_per_gas, fees);
        tracing::info!(tx = %signed.kept.hash, nonce, %of, before, max, tip, "transaction replaced by a dearer one");
        Ok(signed)
    }

    /// Signs and keeps a transfer of nothing for a nonce below the store's first: whatever used it was taken back.
    pub(super) async fn fill(
        &mut self,
        store: &mut VoteStore,
        nonce: u64,
        fees: Fees,
        now_ms: u64,
    ) -> Result<Sibling, Unsigned> {
        self.ready(now_ms)?;
        let nothing = self.offer(nonce, self.signer.address(), Bytes::new(), FILL_GAS, fees);
        let signed = self.ask(nothing, now_ms).await?;
        store.keep(&signed.kept, &[])?;
        tracing::warn!(tx = %signed.kept.hash, nonce, "the chain took back a nonce from before this store; filling it");
        Ok(signed)
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

    /// Whether the signer may be asked now.
    fn ready(&self, now_ms: u64) -> Result<(), Unsigned> {
        self.rests(now_ms).map_or(Ok(()), |hold| Err(Unsigned::Held(hold.clone())))
    }

    async fn ask(&mut self, tx: TxEip1559, now_ms: u64) -> Result<Sibling, SignError> {
        match self.signer.sign(tx.clone()).await {
            Ok((hash, raw)) => {
                self.rest = None;
                Ok(Sibling { kept: OutboxTx { hash, nonce: tx.nonce, raw, state: TxState::Signed }, tx })
            }
            Err(error) => {
                let backoff = self.rest.take().map(|rest| rest.backoff).unwrap_or_default();
                self.rest = Some(Rest::after(&error, backoff, now_ms));
                Err(error)
            }
        }
    }
}

impl Rest {
    fn after(error: &SignError, mut backoff: Backoff, now_ms: u64) -> Self {
        let delay_ms = u64::try_from(backoff.next_delay().as_millis()).unwrap_or(u64::MAX);
        Self { why: hold_of(error), backoff, until_ms: now_ms.saturating_add(delay_ms) }
    }
}

fn hold_of(error: &SignError) -> Hold {
    Hold::Signer { why: error.to_string() }
}
