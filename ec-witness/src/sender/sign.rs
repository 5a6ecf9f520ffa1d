//! Signs for the account, and has the store keep what it signed before anybody else sees it.

use alloy::{
    consensus::{SignableTransaction, TxEip1559, TxEnvelope},
    eips::Encodable2718,
    network::TxSignerSync,
    primitives::{Address, Bytes, TxHash, TxKind},
    signers::local::PrivateKeySigner,
};

use super::{batch::Call, error::SendError, fees::Fees, followed::Sibling, plan::FILL_GAS};
use crate::{
    failpoint,
    store::{Identity, OutboxTx, StoreError, TxState, VoteStore},
};

/// The key, what it signs for, and the nonce that comes next.
#[derive(Debug)]
pub(super) struct Signing {
    key: PrivateKeySigner,
    chain_id: u64,
    ledger: Address,
    next_nonce: u64,
}

impl Signing {
    /// Goes on where the store's last transaction ends.
    pub(super) fn new(key: PrivateKeySigner, store: &VoteStore) -> Result<Self, StoreError> {
        let Identity { chain_id, ledger, .. } = store.identity();
        Ok(Self { key, chain_id, ledger, next_nonce: store.next_nonce()? })
    }

    /// What votes are sent to.
    pub(super) fn ledger(&self) -> Address {
        self.ledger
    }

    /// The first nonce that nothing is signed for.
    pub(super) fn next_nonce(&self) -> u64 {
        self.next_nonce
    }

    /// Signs and keeps a call to the contract `to`, of the next nonce.
    pub(super) fn call(
        &mut self,
        store: &mut VoteStore,
        to: Address,
        call: &Call,
        fees: Fees,
    ) -> Result<Sibling, SendError> {
        let nonce = self.next_nonce;
        let signed = self.sign(self.offer(nonce, to, call.input.clone(), call.gas, fees))?;
        store.keep(&signed.kept, &call.votes)?;
        tracing::info!(tx = %signed.kept.hash, nonce, votes = call.votes.len(), ?fees, "transaction signed");
        self.next_nonce = nonce + 1;
        Ok(signed)
    }

    /// Signs and keeps a dearer transaction of the same nonce and the same call.
    pub(super) fn replacement(
        &self,
        store: &mut VoteStore,
        replaced: &Sibling,
        fees: Fees,
    ) -> Result<Sibling, SendError> {
        let Sibling { kept: OutboxTx { hash: of, nonce, .. }, tx } = replaced;
        let dearer = TxEip1559 { max_fee_per_gas: fees.max, max_priority_fee_per_gas: fees.tip, ..tx.clone() };
        let signed = self.sign(dearer)?;
        store.keep_replacement(&signed.kept, *of)?;
        let before = tx.max_fee_per_gas;
        tracing::info!(tx = %signed.kept.hash, nonce, %of, before, ?fees, "transaction replaced by a dearer one");
        Ok(signed)
    }

    /// Signs and keeps a transfer of nothing for a nonce below the store's first: whatever used it was taken back.
    pub(super) fn fill(&self, store: &mut VoteStore, nonce: u64, fees: Fees) -> Result<Sibling, SendError> {
        let signed = self.sign(self.offer(nonce, self.key.address(), Bytes::new(), FILL_GAS, fees))?;
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

    fn sign(&self, tx: TxEip1559) -> Result<Sibling, SendError> {
        let (hash, raw) = signed(&self.key, tx.clone())?;
        Ok(Sibling { kept: OutboxTx { hash, nonce: tx.nonce, raw, state: TxState::Signed }, tx })
    }
}

/// Signs a transaction; its hash and bytes.
pub(crate) fn signed(key: &PrivateKeySigner, mut tx: TxEip1559) -> Result<(TxHash, Bytes), alloy::signers::Error> {
    failpoint::SIGN.begins();
    let signature = key.sign_transaction_sync(&mut tx)?;
    failpoint::SIGN.is_done();
    let signed = tx.into_signed(signature);
    Ok((*signed.hash(), TxEnvelope::from(signed).encoded_2718().into()))
}
