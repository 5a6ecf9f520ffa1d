//! What the sender of votes needs: its account's nonce, its receipts, fees, and a way out.

use alloy::{
    eips::{BlockId, eip1559::Eip1559Estimation},
    primitives::{Address, B256, Bytes, U256},
    providers::Provider,
    transports::TransportError,
};

use super::{AskError, Endpoints, Fault, SendRefusal};

/// Where a transaction was executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The block's number.
    pub block: u64,
    /// The block's hash.
    pub block_hash: B256,
    /// False when it reverted.
    pub succeeded: bool,
    /// Gas used.
    pub gas_used: u64,
}

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

    /// The same with those counted that wait in the pool of the first endpoint that answers. No vote may rest on it:
    /// pools differ.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub async fn pending_transaction_count(&self, account: Address) -> Result<u64, AskError> {
        self.first("eth_getTransactionCount", |provider| async move {
            provider.get_transaction_count(account).pending().await
        })
        .await
    }

    /// Where a transaction was executed, at or below the agreed head, as enough endpoints agree; `None` when it is not.
    ///
    /// # Errors
    ///
    /// Too few answers, or no agreement.
    pub async fn receipt(&self, hash: B256) -> Result<Option<Inclusion>, AskError> {
        let head = self.agreed_head().map_or(u64::MAX, |head| head.number);
        self.agreed("eth_getTransactionReceipt", |provider| async move {
            let receipt = provider.get_transaction_receipt(hash).await?;
            let inclusion = receipt.and_then(|receipt| {
                Some(Inclusion {
                    block: receipt.block_number?,
                    block_hash: receipt.block_hash?,
                    succeeded: receipt.status(),
                    gas_used: receipt.gas_used,
                })
            });
            Ok::<_, TransportError>(inclusion.filter(|inclusion| inclusion.block <= head))
        })
        .await
    }

    /// What a transaction pays at present, estimated by the first endpoint that answers.
    ///
    /// # Errors
    ///
    /// Nobody answers.
    pub async fn fees(&self) -> Result<Eip1559Estimation, AskError> {
        self.first("eth_feeHistory", |provider| async move { provider.estimate_eip1559_fees().await }).await
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
        let mut told = Self::ask_all(members, |member| {
            let raw = raw.clone();
            async move { member.provider.send_raw_transaction(&raw).await.map(|_| ()) }
        });
        let (mut refusals, mut faults) = (Vec::new(), Vec::new());
        while let Some((member, answer)) = told.recv().await {
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
