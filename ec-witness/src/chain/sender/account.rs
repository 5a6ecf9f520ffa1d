//! What the chain says of one account and its transactions.

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Address, Bytes, TxHash, U256},
    providers::Provider,
    rpc::types::TransactionRequest,
    transports::{TransportError, TransportErrorKind},
};

use super::{fees::Market, outcome, plan::Answer};
use crate::{
    chain::endpoints::{AskError, Endpoints, Inclusion, SendRefusal},
    contracts::Revert,
};

/// An account of the chain.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) endpoints: Endpoints,
    pub(super) address: Address,
}

/// What sending costs and may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Means {
    pub(super) market: Market,
    pub(super) balance: U256,
    pub(super) block_gas_limit: u64,
}

impl Account {
    /// Transactions that the agreed head has executed.
    pub(super) async fn used(&self) -> Result<u64, AskError> {
        self.endpoints.transaction_count(self.address).await
    }

    /// Where a transaction was executed, as enough endpoints agree.
    pub(super) async fn receipt(&self, hash: TxHash) -> Result<Option<Inclusion>, AskError> {
        self.endpoints.receipt(hash).await
    }

    pub(super) async fn means(&self) -> Result<Means, AskError> {
        let (market, block_gas_limit) = self
            .endpoints
            .first("eth_maxPriorityFeePerGas", |provider| async move {
                let latest = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
                let header = latest.ok_or_else(|| TransportErrorKind::custom_str("no latest block"))?.header;
                let tip = match provider.get_max_priority_fee_per_gas().await {
                    Ok(tip) => tip,
                    // some nodes have no opinion; the configured least tip stands in
                    Err(error) if error.as_error_resp().is_some() => 0,
                    Err(error) => return Err(error),
                };
                let base_fee = header.base_fee_per_gas.unwrap_or_default().into();
                Ok::<_, TransportError>((Market { base_fee, tip }, header.gas_limit))
            })
            .await?;
        Ok(Means { market, balance: self.endpoints.balance(self.address).await?, block_gas_limit })
    }

    /// Hands signed bytes to every pool.
    pub(super) async fn send(&self, raw: &Bytes) -> (Answer, Option<SendRefusal>) {
        match self.endpoints.send_raw(raw).await {
            Ok(()) => (Answer::Held, None),
            Err(refusal) => (answer(&refusal), Some(refusal)),
        }
    }

    /// Votes of an executed transaction that the ledger passed over, as far as an endpoint tells.
    pub(super) async fn skipped(&self, hash: TxHash) -> Vec<Revert> {
        let read = self
            .endpoints
            .first("eth_getTransactionReceipt", |provider| async move { provider.get_transaction_receipt(hash).await });
        read.await.ok().flatten().map(|receipt| outcome::skipped(&receipt)).unwrap_or_default()
    }

    /// Why a call that reverted in this block did, as far as the state after the block tells.
    pub(super) async fn reason(&self, to: Address, input: Bytes, block: BlockId) -> Option<Revert> {
        let request = TransactionRequest::default().with_from(self.address).with_to(to).with_input(input);
        let replay = self.endpoints.first("eth_call", |provider| {
            let request = request.clone();
            async move {
                match provider.call(request).block(block).await {
                    Ok(_) => Ok(None),
                    Err(error) => Revert::of(&error).map(Some).ok_or(error),
                }
            }
        });
        replay.await.ok().flatten()
    }
}

/// What a refusal asks for.
fn answer(refusal: &SendRefusal) -> Answer {
    match refusal {
        SendRefusal::AlreadyKnown(_) => Answer::Held,
        SendRefusal::NonceTooLow(_) => Answer::Used,
        SendRefusal::Underpriced(_) | SendRefusal::FeeTooLow(_) => Answer::Underpriced,
        SendRefusal::InsufficientFunds(_) => Answer::Unfunded,
        SendRefusal::NoAnswer(_) => Answer::Nothing,
        SendRefusal::GasLimit(_) | SendRefusal::NoRoom(_) | SendRefusal::Other { .. } => Answer::Refused,
    }
}
