//! L1, as far as forcing needs it: the portal of the L2, what a deposit costs, and what became of one that was sent.

use std::time::Duration;

use alloy::{
    consensus::TxEip1559,
    eips::{BlockId, BlockNumberOrTag},
    network::TransactionBuilder,
    primitives::{Address, Bytes, TxKind, U256, address},
    providers::Provider,
    rpc::types::{TransactionReceipt, TransactionRequest},
    sol,
    sol_types::SolCall,
};
use ec_rpc::{AskError, Endpoint, Endpoints, Fault, SendRefusal};
use url::Url;

use super::{Deposit, ForceError, OptimismPortal, offer::OnL1};
use crate::{
    failpoint,
    sender::{Account, Means, Stuck},
    store::ForcedTx,
};

sol! {
    /// The messenger of an OP Stack chain, on L2 and on L1: each knows the other, and the one on L1 the portal.
    interface CrossDomainMessenger {
        function otherMessenger() external view returns (address);
        function portal() external view returns (address);
    }
}

/// The messenger on every OP Stack chain's L2.
const L2_MESSENGER: Address = address!("4200000000000000000000000000000000000007");

/// What became of the transactions of one nonce on L1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Found<'a> {
    /// None is in a block; `is_used`: the nonce is used in the finalized ones.
    Absent { is_used: bool },
    /// One is, and made no deposit.
    Nothing { tx: &'a ForcedTx, is_final: bool },
    /// One is, and made this deposit, for as long as its block stands.
    Deposited { tx: &'a ForcedTx, deposit: Deposit },
}

/// L1, and the witness's account there. It is believed what its one endpoint says: no vote rests on it.
#[derive(Debug)]
pub struct Layer1 {
    account: Account,
    chain_id: u64,
    portal: Address,
}

impl Layer1 {
    /// Reaches L1 by one endpoint, and finds there the portal that the L2 itself names.
    ///
    /// # Errors
    ///
    /// It cannot be reached, or is not the L1 of this L2.
    pub async fn connect(rpc: Url, timeout: Duration, l2: &Endpoints, account: Address) -> Result<Self, ForceError> {
        let endpoint = Endpoint { rpc, timeout };
        let chain_id = endpoint.provider()?.get_chain_id().await;
        let chain_id = chain_id.map_err(|error| endpoint.rpc_error("eth_chainId", error))?;
        if chain_id == l2.chain_id() {
            return Err(ForceError::IsL2(chain_id));
        }
        let endpoints = Endpoints::new(&[endpoint], chain_id, 1)?;
        let other = named(l2, L2_MESSENGER, CrossDomainMessenger::otherMessengerCall {}.abi_encode(), "L2").await?;
        let portal = named(&endpoints, other, CrossDomainMessenger::portalCall {}.abi_encode(), "L1").await?;
        Ok(Self { account: Account { endpoints, address: account }, chain_id, portal })
    }

    /// The portal of the L2.
    pub fn portal(&self) -> Address {
        self.portal
    }

    /// The account, and what blocks cost.
    pub(super) async fn now(&self) -> Result<OnL1, AskError> {
        let Means { market, balance, .. } = self.account.means().await?;
        let latest = self.account.endpoints.first("eth_getBlockByNumber", |provider| async move {
            let block = provider.get_block_by_number(BlockNumberOrTag::Latest).await?;
            Ok::<_, Fault>(block.map_or(0, |block| block.header.timestamp))
        });
        let latest_unix_s = latest.await?;
        let used = self.count(BlockId::latest()).await?;
        Ok(OnL1 { account: self.account.address, balance, market, used, latest_unix_s })
    }

    /// A deposit that repeats this call, with the account's next nonce; what it pays is left open.
    pub(super) async fn deposit_of(&self, stuck: &Stuck, now: &OnL1) -> Result<TxEip1559, AskError> {
        let call = OptimismPortal::depositTransactionCall {
            to: stuck.to,
            value: U256::ZERO,
            gasLimit: stuck.gas,
            isCreation: false,
            data: stuck.input.clone(),
        };
        let input = Bytes::from(call.abi_encode());
        Ok(TxEip1559 {
            chain_id: self.chain_id,
            nonce: now.used,
            gas_limit: self.gas(&input).await?,
            to: TxKind::Call(self.portal),
            input,
            ..TxEip1559::default()
        })
    }

    /// The gas of a call to the portal: half more than estimated, as what the deposit's gas costs moves with every block.
    async fn gas(&self, input: &Bytes) -> Result<u64, AskError> {
        let request = TransactionRequest::default()
            .with_from(self.account.address)
            .with_to(self.portal)
            .with_input(input.clone());
        let estimate = self.account.endpoints.first("eth_estimateGas", |provider| {
            let request = request.clone();
            async move { provider.estimate_gas(request).await }
        });
        let gas = estimate.await?;
        Ok(gas + gas / 2)
    }

    /// Transactions of the account up to this block.
    async fn count(&self, at: BlockId) -> Result<u64, AskError> {
        let address = self.account.address;
        let ask = self.account.endpoints.first("eth_getTransactionCount", |provider| async move {
            provider.get_transaction_count(address).block_id(at).await
        });
        ask.await
    }

    /// Hands the kept bytes to L1's pool. Failing is no harm: they are sent again.
    pub(super) async fn send(&self, tx: &ForcedTx) {
        failpoint::SEND.begins();
        let answer = self.account.endpoints.send_raw(&tx.l1_raw).await;
        failpoint::SEND.is_done();
        match answer {
            Ok(()) | Err(SendRefusal::AlreadyKnown(_) | SendRefusal::NonceTooLow(_)) => {
                tracing::debug!(tx = %tx.l1_hash, "forced transaction sent to L1");
            }
            Err(error) => {
                tracing::warn!(tx = %tx.l1_hash, %error, "L1 does not take the forced transaction; trying again");
            }
        }
    }

    /// What became of these, which are of one nonce.
    pub(super) async fn look<'a>(&self, siblings: &'a [ForcedTx]) -> Result<Found<'a>, AskError> {
        // the nonce before the receipts: what comes in between must not look like a nonce that another one used
        let used = self.count(BlockId::finalized()).await?;
        for tx in siblings.iter().rev() {
            let Some(receipt) = self.receipt(tx).await? else { continue };
            if let Some(deposit) = self.deposit(&receipt) {
                return Ok(Found::Deposited { tx, deposit });
            }
            let finalized = self.account.endpoints.first("eth_getBlockByNumber", |provider| async move {
                let block = provider.get_block_by_number(BlockNumberOrTag::Finalized).await?;
                Ok::<_, Fault>(block.map_or(0, |block| block.header.number))
            });
            return Ok(Found::Nothing { tx, is_final: receipt.block_number <= Some(finalized.await?) });
        }
        Ok(Found::Absent { is_used: siblings.iter().any(|tx| used > tx.l1_nonce) })
    }

    /// The receipt of one that is in a block.
    async fn receipt(&self, tx: &ForcedTx) -> Result<Option<TransactionReceipt>, AskError> {
        let hash = tx.l1_hash;
        let ask = self
            .account
            .endpoints
            .first("eth_getTransactionReceipt", |provider| async move { provider.get_transaction_receipt(hash).await });
        Ok(ask.await?.filter(|receipt| receipt.block_number.is_some()))
    }

    /// The deposit that a transaction made.
    fn deposit(&self, receipt: &TransactionReceipt) -> Option<Deposit> {
        let of_portal = receipt.inner.logs().iter().filter(|log| log.address() == self.portal);
        of_portal.filter_map(|log| Deposit::of_log(&log.inner, receipt.block_hash?, log.log_index?)).next()
    }
}

/// The address that a contract names.
async fn named(endpoints: &Endpoints, of: Address, call: Vec<u8>, chain: &str) -> Result<Address, ForceError> {
    let request = TransactionRequest::default().with_to(of).with_input(call);
    let ask = endpoints.agreed("eth_call", |provider| {
        let request = request.clone();
        async move { provider.call(request).await }
    });
    let no_portal = |what: String| ForceError::NoPortal { what: format!("the messenger {of} on {chain} {what}") };
    match ask.await {
        Ok(answer) if answer.len() == 32 && answer[12..].iter().any(|byte| *byte != 0) => {
            Ok(Address::from_slice(&answer[12..]))
        }
        Ok(_) => Err(no_portal("names none".into())),
        Err(error) if error.faults().any(|fault| matches!(fault, Fault::Rpc { .. })) => {
            Err(no_portal(format!("does not tell it ({error})")))
        }
        Err(error) => Err(error.into()),
    }
}
