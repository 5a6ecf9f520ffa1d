//! What the chain says of one account and its transactions.

use alloy::{
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Address, Bytes, TxHash, U256},
    providers::{DynProvider, Provider},
    rpc::types::{TransactionReceipt, TransactionRequest},
    transports::{TransportError, TransportErrorKind},
};

use super::{fees::Market, plan::Answer};
use crate::contracts::Revert;

/// An account of the chain.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) provider: DynProvider,
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
    /// Transactions that the latest block has executed.
    pub(super) async fn used(&self) -> Result<u64, TransportError> {
        self.provider.get_transaction_count(self.address).await
    }

    pub(super) async fn means(&self) -> Result<Means, TransportError> {
        let latest = self.provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
        let header = latest.ok_or_else(|| TransportErrorKind::custom_str("no latest block"))?.header;
        let tip = match self.provider.get_max_priority_fee_per_gas().await {
            Ok(tip) => tip,
            // some nodes have no opinion; the configured least tip stands in
            Err(error) if error.as_error_resp().is_some() => 0,
            Err(error) => return Err(error),
        };
        let base_fee = header.base_fee_per_gas.unwrap_or_default().into();
        let balance = self.provider.get_balance(self.address).await?;
        Ok(Means { market: Market { base_fee, tip }, balance, block_gas_limit: header.gas_limit })
    }

    pub(super) async fn receipt(&self, hash: TxHash) -> Result<Option<TransactionReceipt>, TransportError> {
        self.provider.get_transaction_receipt(hash).await
    }

    /// Hands signed bytes to the pool.
    pub(super) async fn send(&self, raw: &Bytes) -> (Answer, Option<TransportError>) {
        match self.provider.send_raw_transaction(raw).await {
            Ok(_) => (Answer::Held, None),
            Err(error) => (answer(&error), Some(error)),
        }
    }

    /// Why a call that reverted in this block did, as far as the state after the block tells.
    pub(super) async fn reason(&self, to: Address, input: Bytes, block: BlockId) -> Option<Revert> {
        let request = TransactionRequest::default().with_from(self.address).with_to(to).with_input(input);
        self.provider.call(request).block(block).await.err().and_then(|error| Revert::of(&error))
    }
}

/// What a refusal means. Pools differ in words; these are those of geth, reth, erigon, nethermind, besu and anvil.
fn answer(error: &TransportError) -> Answer {
    const WORDS: [(Answer, &[&str]); 4] = [
        (Answer::Held, &["already known", "already imported", "alreadyknown", "known transaction"]),
        (Answer::Used, &["nonce too low", "nonce_too_low", "oldnonce", "nonce is too low"]),
        (Answer::Underpriced, &["underpriced", "fee too low", "less than block base fee", "gas price below"]),
        (Answer::Unfunded, &["insufficient funds", "insufficientfunds", "upfront cost exceeds"]),
    ];
    let Some(response) = error.as_error_resp() else { return Answer::Nothing };
    let message = response.message.to_lowercase();
    let said = |words: &&(Answer, &[&str])| words.1.iter().any(|words| message.contains(words));
    WORDS.iter().find(said).map_or(Answer::Refused, |(answer, _)| *answer)
}
