//! What the sender of votes needs: its account's nonce and balance, its receipts, and a way out.

use alloy::{
    eips::BlockId,
    primitives::{Address, B256, Bytes, U256},
    providers::Provider,
    rpc::types::TransactionReceipt,
    transports::TransportError,
};

use super::{Endpoints, asking::Asking};
use crate::{
    fault::{AskError, Fault},
    refusal::SendRefusal,
};

/// A receipt, by what endpoints must agree on: other fields differ between clients.
#[derive(Clone, Debug)]
struct Agreed(TransactionReceipt);

impl Agreed {
    fn place(&self) -> (Option<u64>, Option<B256>, B256, bool) {
        let receipt = &self.0;
        (receipt.block_number, receipt.block_hash, receipt.transaction_hash, receipt.status())
    }
}

impl PartialEq for Agreed {
    fn eq(&self, other: &Self) -> bool {
        self.place() == other.place()
    }
}

impl Eq for Agreed {}

impl Endpoints {
    /// Transactions of an account that the agreed head has executed, as enough endpoints agree. Before any head was
    /// agreed on, at each one's newest block.
    ///
    /// # Errors
    ///
    /// Too few answers, or no agreement.
    pub async fn transaction_count(&self, account: Address) -> Result<u64, AskError> {
        let at = self.agreed_head().map_or_else(BlockId::latest, |head| BlockId::hash(head.hash));
        self.agreed("eth_getTransactionCount", |provider| async move {
            provider.get_transaction_count(account).block_id(at).await
        })
        .await
    }

    /// The receipt of a transaction that was executed at or below the agreed head, as enough endpoints agree on its
    /// block and outcome; `None` when it was not.
    ///
    /// # Errors
    ///
    /// Too few answers, or no agreement.
    pub async fn receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, AskError> {
        let head = self.agreed_head().map_or(u64::MAX, |head| head.number);
        let agreed = self.agreed("eth_getTransactionReceipt", |provider| async move {
            let receipt = provider.get_transaction_receipt(hash).await?;
            let executed = receipt.filter(|receipt| receipt.block_number.is_some_and(|block| block <= head));
            Ok::<_, TransportError>(executed.map(Agreed))
        });
        Ok(agreed.await?.map(|agreed| agreed.0))
    }

    /// Wei of an account, by the first endpoint that answers.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub async fn balance(&self, account: Address) -> Result<U256, AskError> {
        self.first("eth_getBalance", |provider| async move { provider.get_balance(account).await }).await
    }

    /// Sends a signed transaction to all endpoints; done as soon as one has taken it.
    ///
    /// # Errors
    ///
    /// Nobody took it: the refusal that says most.
    pub async fn send_raw(&self, raw: &Bytes) -> Result<(), SendRefusal> {
        let request = "eth_sendRawTransaction";
        let members = self.available(request, 1).map_err(SendRefusal::NoAnswer)?;
        let mut asking = Asking::of(members, |member| {
            let raw = raw.clone();
            async move { member.provider.send_raw_transaction(&raw).await.map(|_| ()) }
        });
        let (mut refusals, mut faults) = (Vec::new(), Vec::new());
        while let Some((member, answer)) = asking.next().await {
            match answer {
                Ok(()) => return Ok(()),
                Err(Fault::Rpc { code, message }) => refusals.push(SendRefusal::of(code, &message)),
                Err(fault) => faults.push((member.name.clone(), fault)),
            }
        }
        refusals.sort_by_key(SendRefusal::rank);
        let silent = || SendRefusal::NoAnswer(AskError::Unanswered { request, needed: 1, answered: 0, faults });
        Err(refusals.into_iter().next().unwrap_or_else(silent))
    }
}
