//! Sends votes: the one owner of the witness's nonces.
//!
//! Whatever is sent was recorded and signed in the vote store first; until it is executed below the finalized head
//! the stored bytes are sent again.

use std::collections::BTreeMap;

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::Encodable2718,
    network::TxSignerSync,
    primitives::{Address, B256, Bytes, TxKind, U256},
    providers::{DynProvider, Provider},
    signers::local::PrivateKeySigner,
    sol_types::SolCall,
    transports::{RpcError, TransportErrorKind},
};

use super::follow::Heads;
use crate::{
    contracts::EveryChannelObservationLedger as Ledger,
    observation::{ObservationHash, SlotId},
    store::{Ballot, OutboxTx, StoreError, TxState, VoteStore},
    witness::engine::VoteKind,
};

/// Gas that a transaction may use apart from its votes: intrinsic gas and the batch's frame.
const BASE_GAS: u64 = 40_000;
/// Gas that one proposal may use, its calldata and the slot's fresh storage included.
const PROPOSE_GAS: u64 = 160_000;
/// Gas that one attestation may use, the one that finalizes included.
const ATTEST_GAS: u64 = 90_000;
/// Votes in one transaction: 64 proposals stay below the 16.7 million gas of EIP-7825.
const MAX_BATCH: usize = 64;
/// How long a transaction may wait before its bytes are sent again.
const RESEND_AFTER_MS: u64 = 6_000;
/// Polls for which a used nonce may lack our receipt before another user of the key is suspected.
const MISSING_POLLS: u32 = 8;

/// Why votes are not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// The endpoint failed to answer.
    #[error("rpc: {0}")]
    Rpc(#[from] RpcError<TransportErrorKind>),
    /// The store refused.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The key could not sign.
    #[error("signing: {0}")]
    Sign(#[from] alloy::signers::Error),
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
}

impl SendError {
    /// Whether to stop rather than to try again.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Store(_) | Self::Sign(_) | Self::ForeignNonce { .. })
    }
}

/// A transaction that is followed.
#[derive(Debug)]
struct Followed {
    tx: OutboxTx,
    sent_ms: Option<u64>,
    missing: u32,
}

/// Sends votes and follows them to the finalized head.
#[derive(Debug)]
pub struct Sender {
    provider: DynProvider,
    signer: PrivateKeySigner,
    chain_id: u64,
    ledger: Address,
    max_fee_per_gas: u128,
    outbox: Vec<Followed>,
    next_nonce: u64,
}

impl Sender {
    /// Takes up the outbox of `store`. `max_fee_per_gas` (wei) is the most that is ever paid.
    ///
    /// # Errors
    ///
    /// The store refuses.
    pub fn new(
        provider: DynProvider,
        signer: PrivateKeySigner,
        store: &VoteStore,
        max_fee_per_gas: u128,
    ) -> Result<Self, SendError> {
        let identity = store.identity();
        let outbox = store.outbox()?.into_iter().map(|tx| Followed { tx, sent_ms: None, missing: 0 }).collect();
        Ok(Self {
            provider,
            signer,
            chain_id: identity.chain_id,
            ledger: identity.ledger,
            max_fee_per_gas,
            outbox,
            next_nonce: store.next_nonce()?,
        })
    }

    /// Transactions that are not executed yet.
    pub fn pending(&self) -> usize {
        self.outbox.iter().filter(|followed| followed.tx.state == TxState::Signed).count()
    }

    /// Transactions that are not finalized, by state.
    pub fn by_state(&self) -> BTreeMap<&'static str, usize> {
        let executed = self.outbox.len() - self.pending();
        BTreeMap::from([("signed", self.pending()), ("executed", executed)])
    }

    /// Signs, keeps and sends every recorded vote that no transaction carries, and the `again` ones.
    ///
    /// # Errors
    ///
    /// Those votes are not sent; they stay recorded and are sent by a later call.
    pub async fn flush(&mut self, store: &mut VoteStore, again: &[Ballot], now_ms: u64) -> Result<usize, SendError> {
        let mut ballots = store.unsigned()?;
        ballots.extend(again.iter().filter(|ballot| !ballots.contains(ballot)).copied().collect::<Vec<_>>());
        if ballots.is_empty() {
            return Ok(0);
        }
        let (proposals, attestations): (Vec<_>, Vec<_>) =
            ballots.into_iter().partition(|ballot| matches!(ballot.vote, VoteKind::Propose { .. }));
        let mut sent = 0;
        for batch in attestations.chunks(MAX_BATCH).chain(proposals.chunks(MAX_BATCH)) {
            let votes: Vec<_> = batch.iter().map(|ballot| ballot.header.hash()).collect();
            self.transact(store, calldata(batch), gas(batch), &votes, now_ms).await?;
            sent += batch.len();
        }
        Ok(sent)
    }

    /// Calls `finalize` for a candidate that has the quorum's votes.
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
        let call = Ledger::finalizeCall { slot: slot.0, hash: observation.0 };
        self.transact(store, call.abi_encode().into(), BASE_GAS + ATTEST_GAS, &[], now_ms).await
    }

    /// Signs, keeps and sends one call to the ledger.
    async fn transact(
        &mut self,
        store: &mut VoteStore,
        input: Bytes,
        gas_limit: u64,
        votes: &[ObservationHash],
        now_ms: u64,
    ) -> Result<(), SendError> {
        let fees = self.provider.estimate_eip1559_fees().await?;
        let max_fee_per_gas = fees.max_fee_per_gas.min(self.max_fee_per_gas);
        let tx = TxEip1559 {
            chain_id: self.chain_id,
            nonce: self.next_nonce,
            gas_limit,
            max_fee_per_gas,
            max_priority_fee_per_gas: fees.max_priority_fee_per_gas.min(max_fee_per_gas),
            to: TxKind::Call(self.ledger),
            input,
            ..TxEip1559::default()
        };
        self.sign_and_keep(store, tx, votes)?;
        self.send(self.outbox.len() - 1, now_ms).await;
        Ok(())
    }

    fn sign_and_keep(
        &mut self,
        store: &mut VoteStore,
        mut tx: TxEip1559,
        votes: &[ObservationHash],
    ) -> Result<(), SendError> {
        let signature = self.signer.sign_transaction_sync(&mut tx)?;
        let nonce = tx.nonce;
        let signed = tx.into_signed(signature);
        let hash = *signed.hash();
        let raw = Bytes::from(TxEnvelope::from(signed).encoded_2718());
        let tx = OutboxTx { hash, nonce, raw, state: TxState::Signed };
        store.keep(&tx, votes)?;
        tracing::info!(tx = %hash, nonce, votes = votes.len(), "transaction signed");
        self.next_nonce = nonce + 1;
        self.outbox.push(Followed { tx, sent_ms: None, missing: 0 });
        Ok(())
    }

    /// Sends the stored bytes. Failing is no harm: they are sent again until the chain has executed them.
    async fn send(&mut self, at: usize, now_ms: u64) {
        let Followed { tx, sent_ms, .. } = &mut self.outbox[at];
        *sent_ms = Some(now_ms);
        match self.provider.send_raw_transaction(&tx.raw).await {
            Ok(_) => tracing::debug!(tx = %tx.hash, nonce = tx.nonce, "transaction sent"),
            Err(error) if is_known(&error) => tracing::debug!(tx = %tx.hash, "transaction is known already"),
            Err(error) => {
                tracing::warn!(tx = %tx.hash, nonce = tx.nonce, %error, "transaction not accepted; trying again");
            }
        }
    }

    /// Looks after what was sent: executed, taken back by a reorg, final, or to be sent again.
    ///
    /// # Errors
    ///
    /// The endpoint failed, or the key is used elsewhere.
    pub async fn follow(
        &mut self,
        store: &mut VoteStore,
        heads: Heads,
        reorg: bool,
        now_ms: u64,
    ) -> Result<(), SendError> {
        let account = self.signer.address();
        let used = self.provider.get_transaction_count(account).await?;
        if used > self.next_nonce {
            return Err(SendError::ForeignNonce { account, nonce: self.next_nonce });
        }
        for at in 0..self.outbox.len() {
            let state = self.outbox[at].tx.state;
            let look = match state {
                TxState::Signed => true,
                TxState::Executed { block } => reorg || block <= heads.finalized,
                TxState::Finalized { .. } => false,
            };
            if look {
                let found = self.look_up(at, heads).await?;
                if found != state {
                    store.set_state(self.outbox[at].tx.hash, found)?;
                    self.outbox[at].tx.state = found;
                }
                if found == TxState::Signed {
                    self.see_to(at, used, now_ms).await?;
                }
            }
        }
        self.outbox.retain(|followed| !matches!(followed.tx.state, TxState::Finalized { .. }));
        Ok(())
    }

    async fn look_up(&self, at: usize, heads: Heads) -> Result<TxState, SendError> {
        let receipt = self.provider.get_transaction_receipt(self.outbox[at].tx.hash).await?;
        Ok(match receipt.and_then(|receipt| receipt.block_number) {
            None => TxState::Signed,
            Some(block) if block <= heads.finalized => TxState::Finalized { block },
            Some(block) => TxState::Executed { block },
        })
    }

    /// A transaction without a receipt: sends it again, unless its nonce is used up.
    async fn see_to(&mut self, at: usize, used: u64, now_ms: u64) -> Result<(), SendError> {
        let followed = &mut self.outbox[at];
        if followed.tx.nonce < used {
            followed.missing += 1;
            if followed.missing > MISSING_POLLS {
                return Err(SendError::ForeignNonce { account: self.signer.address(), nonce: followed.tx.nonce });
            }
            return Ok(());
        }
        followed.missing = 0;
        if followed.sent_ms.is_none_or(|sent_ms| now_ms.saturating_sub(sent_ms) >= RESEND_AFTER_MS) {
            self.send(at, now_ms).await;
        }
        Ok(())
    }
}

/// The gas that a batch may use.
fn gas(batch: &[Ballot]) -> u64 {
    let per_vote = |ballot: &Ballot| match ballot.vote {
        VoteKind::Propose { .. } => PROPOSE_GAS,
        VoteKind::Attest => ATTEST_GAS,
    };
    BASE_GAS + batch.iter().map(per_vote).sum::<u64>()
}

/// The call that casts a batch, all of one kind. One vote alone goes by the call that has no list to pay for.
fn calldata(batch: &[Ballot]) -> Bytes {
    let headers = || batch.iter().map(|ballot| Ledger::ObservationHeader::from(ballot.header));
    let seen: Vec<U256> = batch
        .iter()
        .filter_map(|ballot| match ballot.vote {
            VoteKind::Propose { candidates_seen } => Some(U256::from(candidates_seen)),
            VoteKind::Attest => None,
        })
        .collect();
    let slots = || batch.iter().map(|ballot| ballot.header.slot().0);
    let hashes = || batch.iter().map(|ballot| ballot.header.hash().0);
    let encoded = match (batch, seen.as_slice()) {
        ([ballot], []) => {
            Ledger::attestCall { slot: ballot.header.slot().0, hash: ballot.header.hash().0 }.abi_encode()
        }
        ([ballot], [seen]) => Ledger::proposeCall { header: ballot.header.into(), candidatesSeen: *seen }.abi_encode(),
        (_, []) => {
            Ledger::attestBatchCall { slots: slots().collect::<Vec<B256>>(), observationHashes: hashes().collect() }
                .abi_encode()
        }
        (_, _) => Ledger::proposeBatchCall { headers: headers().collect(), candidatesSeen: seen }.abi_encode(),
    };
    encoded.into()
}

/// Whether an endpoint refused a transaction because it has it, or has executed it.
fn is_known(error: &RpcError<TransportErrorKind>) -> bool {
    let message = error.as_error_resp().map(|response| response.message.to_lowercase()).unwrap_or_default();
    ["already known", "already imported", "nonce too low"].iter().any(|known| message.contains(known))
}
