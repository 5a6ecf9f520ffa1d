//! What the chain says of one account and its transactions.

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Address, Bytes, TxHash},
    providers::Provider,
    rpc::types::{TransactionReceipt, TransactionRequest},
};
use ec_ledger::contracts::Revert;
use ec_rpc::{AskError, Endpoints, Fault, SendRefusal};

use super::{
    fees::Market,
    money::Means,
    pace::{Block, elasticity},
    plan::Answer,
};

/// An account of the chain.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) endpoints: Endpoints,
    pub(crate) address: Address,
}

/// A transaction that the agreed head has executed.
#[derive(Clone, Debug)]
pub(super) struct Executed {
    pub(super) hash: TxHash,
    pub(super) block: u64,
    pub(super) receipt: TransactionReceipt,
}

impl Account {
    /// Transactions that the agreed head has executed.
    pub(super) async fn used(&self) -> Result<u64, AskError> {
        self.endpoints.transaction_count(self.address).await
    }

    /// No vote rests on what sending costs, so one endpoint's word will do.
    pub(crate) async fn means(&self) -> Result<Means, AskError> {
        let latest = self.endpoints.first("eth_getBlockByNumber", |provider| async move {
            let block = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
            block.map(|block| block.header).ok_or_else(|| Fault::Unusable("no latest block".into()))
        });
        let header = latest.await?;
        let tip = self.endpoints.first("eth_maxPriorityFeePerGas", |provider| async move {
            match provider.get_max_priority_fee_per_gas().await.map_err(Fault::from) {
                // some nodes have no opinion; the configured least tip stands in
                Err(Fault::Rpc { .. }) => Ok(0),
                tip => tip,
            }
        });
        let market = Market { base_fee: header.base_fee_per_gas.unwrap_or_default().into(), tip: tip.await? };
        let balance = self.endpoints.balance(self.address).await?;
        let block = Block {
            number: header.number,
            timestamp_s: header.timestamp,
            gas_limit: header.gas_limit,
            base_fee: market.base_fee,
            elasticity: elasticity(&header.extra_data),
        };
        Ok(Means { market, balance, block })
    }

    /// The first of these transactions that is executed.
    pub(super) async fn executed(
        &self,
        hashes: impl IntoIterator<Item = TxHash>,
    ) -> Result<Option<Executed>, AskError> {
        for hash in hashes {
            if let Some(receipt) = self.endpoints.receipt(hash).await?
                && let Some(block) = receipt.block_number
            {
                return Ok(Some(Executed { hash, block, receipt }));
            }
        }
        Ok(None)
    }

    /// Hands signed bytes to the pools.
    pub(super) async fn send(&self, raw: &Bytes) -> (Answer, Option<SendRefusal>) {
        match self.endpoints.send_raw(raw).await {
            Ok(()) => (Answer::Held, None),
            Err(refusal) => (answer(&refusal), Some(refusal)),
        }
    }

    /// Why a call that reverted in this block did, as far as the state after the block tells.
    pub(super) async fn reason(&self, to: Address, input: Bytes, block: BlockId) -> Option<Revert> {
        let request = TransactionRequest::default().with_from(self.address).with_to(to).with_input(input);
        let reason = self.endpoints.first("eth_call", |provider| {
            let request = request.clone();
            async move {
                match provider.call(request).block(block).await {
                    Ok(_) => Ok(None),
                    Err(error) => Revert::of(&error).map(Some).ok_or_else(|| Fault::from(error)),
                }
            }
        });
        reason.await.ok().flatten()
    }
}

/// What a refusal means for the transaction.
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
