//! Sends what is kept to L1, and follows it until its deposit is final on the L2.

use std::collections::HashMap;

use alloy::{
    consensus::TxEip1559,
    primitives::{Address, TxHash, U64, U256},
    providers::Provider,
};
use ec_rpc::{Endpoints, Fault};
use serde::Deserialize;

use super::{
    Deposit, ForceError, Layer1,
    layer1::Found,
    offer::{self, OnL1, Out},
};
use crate::{
    clock,
    key::Signer,
    sender::{FeeRule, Fees, Lag, Stuck, cost, stuck},
    store::{Evidence, ForcedTx, OutboxTx, StoreError, TxState, VoteStore},
};

/// Why no deposit ever comes of a forced transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Loss {
    /// Something else used the account on L1.
    #[error("another transaction of the account used its nonce on L1")]
    NonceUsed,
    /// The portal did not take it.
    #[error("it reverted on L1")]
    Reverted,
}

/// How far a forced transaction has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
pub enum Came {
    /// Sent to L1, in no block.
    Sent,
    /// In a block of L1.
    OnL1,
    /// Executed on the L2, and not final.
    Executed {
        /// The nonce that it used.
        nonce: u64,
    },
    /// Final on the L2, and noted.
    Final {
        /// The deposit.
        hash: TxHash,
        /// The nonce that it used.
        nonce: u64,
        /// The block that executed it.
        block: u64,
        /// The call reverted: what it is to do was done before, or is no longer possible.
        reverted: bool,
    },
    /// Lost, and noted.
    Lost(Loss),
}

impl Came {
    /// Its name in logs.
    pub fn name(self) -> &'static str {
        self.into()
    }
}

/// What forcing a call would cost on L1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cost {
    /// The gas of the transaction of L1.
    pub l1_gas: u64,
    /// Wei, at most, with fees as they are.
    pub wei: U256,
}

/// A deposit's receipt, by what it differs in from other ones.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DepositReceipt {
    block_number: U64,
    from: Address,
    deposit_nonce: U64,
    status: U64,
}

/// Forces calls, and goes on with those that are under way.
#[derive(Debug)]
pub struct Forcing {
    l1: Layer1,
    l2: Endpoints,
    rule: FeeRule,
    /// For how long a nonce of L1 is used and no receipt is there.
    missing: HashMap<u64, Lag>,
}

impl Forcing {
    /// Of one L2 and its L1, and with what may be paid there.
    pub fn new(l1: Layer1, l2: Endpoints, rule: FeeRule) -> Self {
        Self { l1, l2, rule, missing: HashMap::new() }
    }

    /// The calls that the L2 has not executed, lowest nonce first.
    ///
    /// # Errors
    ///
    /// An endpoint failed, or a nonce is used that the store does not know.
    pub async fn stuck(&self, store: &VoteStore) -> Result<Vec<Stuck>, ForceError> {
        self.l2.heads().await?;
        Ok(stuck(store, self.l2.transaction_count(store.identity().witness).await?)?)
    }

    /// What forcing this call would cost now; nothing is signed.
    ///
    /// # Errors
    ///
    /// An endpoint failed, the portal refuses it, or it may or can not be paid.
    pub async fn cost(&self, stuck: &Stuck) -> Result<Cost, ForceError> {
        let (tx, fees) = self.offer(stuck, &self.l1.now().await?).await?;
        Ok(Cost { l1_gas: tx.gas_limit, wei: cost(tx.gas_limit, fees) })
    }

    /// A deposit that repeats this call, and what is offered for it.
    async fn offer(&self, stuck: &Stuck, now: &OnL1) -> Result<(TxEip1559, Fees), ForceError> {
        let tx = self.l1.deposit_of(stuck, now).await?;
        let fees = offer::first(tx.gas_limit, now, self.rule)?;
        Ok((tx, fees))
    }

    /// Signs, keeps and sends a deposit that repeats this call; `false` where its nonce is used meanwhile.
    ///
    /// # Errors
    ///
    /// Nothing is kept or sent.
    pub async fn force(&self, signer: &Signer, store: &mut VoteStore, stuck: &Stuck) -> Result<bool, ForceError> {
        self.l2.heads().await?;
        if self.l2.transaction_count(store.identity().witness).await? > stuck.nonce {
            return Ok(false);
        }
        let (tx, fees) = self.offer(stuck, &self.l1.now().await?).await?;
        let forced = keep(store, signer, tx, fees, stuck.hash).await?;
        let (nonce, Fees { max, tip }) = (stuck.nonce, fees);
        tracing::info!(tx = %forced.l1_hash, nonce, repeats = %stuck.hash, max, tip, "forced transaction signed");
        self.l1.send(&forced).await;
        Ok(true)
    }

    /// Looks after the forced transactions of one nonce on L1: while no block has one, sends the newest again or makes it
    /// dearer; and notes what they came to once that is final. Returns which of them came so far.
    ///
    /// # Errors
    ///
    /// An endpoint failed, or the chain contradicts the store: then the store is halted.
    pub async fn follow(
        &mut self,
        signer: &Signer,
        store: &mut VoteStore,
        siblings: &[ForcedTx],
    ) -> Result<Option<(TxHash, Came)>, ForceError> {
        let Some(newest) = siblings.last() else { return Ok(None) };
        let (tx, came) = match self.l1.look(siblings).await? {
            Found::Absent { is_used } if self.missing.entry(newest.l1_nonce).or_default().is_too_long(is_used) => {
                (newest, lost(store, newest, Loss::NonceUsed)?)
            }
            Found::Absent { is_used } => {
                if !is_used {
                    self.see_to(signer, store, newest).await?;
                }
                (newest, Came::Sent)
            }
            Found::Nothing { tx, is_final: true } => (tx, lost(store, tx, Loss::Reverted)?),
            Found::Nothing { tx, is_final: false } => (tx, Came::OnL1),
            Found::Deposited { tx, deposit } => (tx, self.on_l2(store, tx, &deposit).await?),
        };
        Ok(Some((tx.l1_hash, came)))
    }

    /// Sends one that no block has, or signs, keeps and sends a dearer one.
    async fn see_to(&self, signer: &Signer, store: &mut VoteStore, newest: &ForcedTx) -> Result<(), ForceError> {
        let out = Out::of(newest)?;
        let dearer = match offer::dearer(&out, &self.l1.now().await?, self.rule) {
            Ok(Some(fees)) => {
                keep(store, signer, out.tx, fees, newest.repeats).await.map(|dearer| Some((dearer, fees)))
            }
            Ok(None) => Ok(None),
            Err(hold) => Err(hold),
        };
        match dearer {
            Ok(Some((dearer, fees))) => {
                let (of, Fees { max, tip }) = (newest.l1_hash, fees);
                tracing::info!(tx = %dearer.l1_hash, %of, max, tip, "forced transaction replaced by a dearer one");
                self.l1.send(&dearer).await;
                return Ok(());
            }
            Ok(None) => {}
            Err(hold @ (ForceError::FeeCap { .. } | ForceError::Funds { .. } | ForceError::Sign(_))) => {
                tracing::warn!(tx = %newest.l1_hash, %hold, "L1 passes the forced transaction over; waiting");
            }
            Err(error) => return Err(error),
        }
        self.l1.send(newest).await;
        Ok(())
    }

    /// Looks for a deposit on the L2.
    async fn on_l2(&self, store: &mut VoteStore, tx: &ForcedTx, deposit: &Deposit) -> Result<Came, ForceError> {
        let finalized = self.l2.heads().await?.finalized.map_or(0, |head| head.number);
        let hash = deposit.hash();
        let Some(DepositReceipt { block_number, from, deposit_nonce, status }) = self.receipt(hash).await? else {
            return Ok(Came::OnL1);
        };
        if from != store.identity().witness {
            return Err(ForceError::ForeignDeposit { hash, from });
        }
        let (block, nonce) = (block_number.to(), deposit_nonce.to());
        if block > finalized {
            return Ok(Came::Executed { nonce });
        }
        let state = TxState::Finalized { block };
        match store.note_deposit(tx, &OutboxTx { hash, nonce, raw: deposit.encoded(), state }) {
            Err(error @ StoreError::NonceIsUnknown { nonce }) => {
                let evidence = Evidence::ForeignNonce { account: from, nonce };
                Err(ForceError::Halted(Box::new(store.halt(&evidence, &error.to_string())?)))
            }
            noted => Ok(noted.map(|()| Came::Final { hash, nonce, block, reverted: status.is_zero() })?),
        }
    }

    /// A deposit's receipt, as enough endpoints agree on it.
    async fn receipt(&self, hash: TxHash) -> Result<Option<DepositReceipt>, ForceError> {
        let agreed = self.l2.agreed("eth_getTransactionReceipt", |provider| async move {
            Ok::<_, Fault>(provider.raw_request("eth_getTransactionReceipt".into(), (hash,)).await?)
        });
        Ok(agreed.await?)
    }
}

/// Signs with these fees, and keeps it before anybody else sees it.
async fn keep(
    store: &mut VoteStore,
    signer: &Signer,
    tx: TxEip1559,
    fees: Fees,
    repeats: TxHash,
) -> Result<ForcedTx, ForceError> {
    let l1_nonce = tx.nonce;
    let paid = TxEip1559 { max_fee_per_gas: fees.max, max_priority_fee_per_gas: fees.tip, ..tx };
    let (l1_hash, l1_raw) = signer.sign(paid).await?;
    let forced = ForcedTx { l1_hash, l1_nonce, l1_raw, repeats, kept_unix_ms: clock::unix_ms() };
    store.keep_forced(&forced)?;
    Ok(forced)
}

fn lost(store: &mut VoteStore, tx: &ForcedTx, loss: Loss) -> Result<Came, ForceError> {
    store.note_lost(tx)?;
    Ok(Came::Lost(loss))
}
