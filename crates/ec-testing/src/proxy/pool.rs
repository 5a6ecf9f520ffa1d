//! geth's rules for its transaction pool, which Anvil does not have: it takes a replacement for one wei more.

use std::collections::BTreeMap;

use alloy::{
    consensus::{Transaction, TxEnvelope, transaction::SignerRecoverable},
    eips::Decodable2718,
    hex,
    primitives::{Address, B256},
};
use serde_json::{Value, json};

use super::{
    fault::error,
    node::{Answer, Node},
};

/// The percentage by which both fees of a replacement must exceed those of what it replaces (geth's `--txpool.pricebump`).
const PRICE_BUMP: u128 = 10;

/// What waits for its block.
#[derive(Default)]
pub(super) struct Pool(BTreeMap<(Address, u64), Waiting>);

#[derive(Clone, Copy)]
struct Waiting {
    hash: B256,
    max_fee: u128,
    tip: u128,
}

impl Waiting {
    /// geth's `list.Add`: more than before, and at least the bump, in both fees.
    fn may_replace(&self, old: &Self) -> bool {
        let enough = |new: u128, old: u128| new > old && new >= old * (100 + PRICE_BUMP) / 100;
        enough(self.max_fee, old.max_fee) && enough(self.tip, old.tip)
    }
}

impl Pool {
    /// Judges a transaction, and passes it on to the node where it may go in.
    pub(super) async fn send(&mut self, node: &Node, parameters: Value) -> Option<Answer> {
        let Some(transaction) = decode(&parameters) else {
            return node.ask("eth_sendRawTransaction", parameters).await;
        };
        let (sender, nonce) = (transaction.recover_signer().unwrap(), transaction.nonce());
        let used = node.number("eth_getTransactionCount", json!([sender, "latest"])).await?;
        self.0.retain(|(of, nonce), _| *of != sender || *nonce >= used);
        if nonce < used {
            return Some(Err(error(-32000, &format!("nonce too low: next nonce {used}, tx nonce {nonce}"))));
        }
        let new = Waiting {
            hash: *transaction.tx_hash(),
            max_fee: transaction.max_fee_per_gas(),
            tip: transaction.max_priority_fee_per_gas().unwrap_or_else(|| transaction.max_fee_per_gas()),
        };
        if let Some(old) = self.waiting(node, sender, nonce).await {
            if old.hash == new.hash {
                return Some(Err(error(-32000, "already known")));
            }
            if !new.may_replace(&old) {
                return Some(Err(error(-32000, "replacement transaction underpriced")));
            }
        }
        let answer = node.ask("eth_sendRawTransaction", parameters).await?;
        if answer.is_ok() {
            self.0.insert((sender, nonce), new);
        }
        Some(answer)
    }

    /// What waits at this nonce, unless the node has dropped it.
    async fn waiting(&self, node: &Node, sender: Address, nonce: u64) -> Option<Waiting> {
        let waiting = *self.0.get(&(sender, nonce))?;
        let held = node.ask("eth_getTransactionByHash", json!([waiting.hash])).await?.ok()?;
        (!held.is_null()).then_some(waiting)
    }
}

fn decode(parameters: &Value) -> Option<TxEnvelope> {
    let raw = hex::decode(parameters[0].as_str()?).ok()?;
    TxEnvelope::decode_2718(&mut raw.as_slice()).ok()
}
