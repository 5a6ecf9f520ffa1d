//! Sending transactions and waiting for them: simulate, sign, send, receipt.

mod args;

use std::{collections::VecDeque, time::Duration};

use alloy::{
    eips::BlockId,
    network::TransactionBuilder,
    primitives::{Address, B256, Bytes},
    providers::{Provider, ProviderBuilder},
    rpc::types::{Log, TransactionReceipt, TransactionRequest, state::StateOverride},
    sol_types::SolCall,
};
use ec_ledger::contracts::Revert;
use ec_rpc::{ConnectError, Fault};
use ec_witness::key::{SignError, Signer};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use super::{Answer, connection::Connection, output::fact};

pub(crate) use args::SendArgs;

/// Between two looks for a receipt.
const RECEIPT_POLL: Duration = Duration::from_millis(250);

/// After how many of them a transaction's bytes are sent again: a pool may have lost it, as it may one that came while the
/// transaction before it was put in a block.
const RESEND_AFTER_POLLS: usize = 12;

/// Transactions of [`Caller::calls`] that wait for their receipts at once: half of what geth's pool guarantees to an account
/// (`--txpool.accountslots`).
const IN_FLIGHT: usize = 8;

/// Why a transaction did not do what it should.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub(crate) enum CallError {
    /// The contract refuses it; nothing was sent.
    #[error("{action}: refused")]
    Refused { action: String, source: Revert },
    /// It was sent, and reverted all the same: something came in between.
    #[error("{action}: transaction {hash} reverted in block {block}; {}", reason(.revert.as_ref()))]
    Reverted { action: String, hash: B256, block: u64, revert: Option<Revert> },
    /// It was sent and not included in time.
    #[error(
        "{action}: transaction {hash} was sent, but there is no receipt after {} ms; look it up before sending again",
        waited.as_millis()
    )]
    NoReceipt { action: String, hash: B256, waited: Duration },
    /// The endpoint failed.
    #[error(transparent)]
    Rpc(#[from] ConnectError),
    /// The chain does not say what the transaction needs.
    #[error("{action}: no EIP-1559 transaction can be made of what the endpoint says of fees")]
    Unfilled { action: String },
    /// The request is not signed; nothing was sent.
    #[error("{action}: not signed, and nothing was sent")]
    Sign { action: String, source: SignError },
}

fn reason(revert: Option<&Revert>) -> String {
    revert.map_or_else(|| "the node gives no reason".to_owned(), ToString::to_string)
}

/// Calls contracts from one address. Without a signer it only simulates.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) connection: Connection,
    pub(crate) from: Address,
    signer: Option<Signer>,
    receipt_timeout: Duration,
    pub(crate) json: bool,
}

/// What became of a request.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Sent {
    /// `null` when simulated.
    pub(crate) transaction_hash: Option<B256>,
    /// `null` when simulated.
    pub(crate) block_number: Option<u64>,
    /// Used; when simulated, estimated.
    pub(crate) gas: u64,
    /// What the call returned when simulated; for a deployment, the code.
    #[serde(skip)]
    pub(crate) returned: Bytes,
    /// What it emitted; nothing when simulated.
    #[serde(skip)]
    pub(crate) logs: Vec<Log>,
}

/// A request that was simulated and, with a signer, sent; its receipt was not seen yet.
struct Begun {
    action: String,
    request: TransactionRequest,
    returned: Bytes,
    /// Estimated.
    gas: u64,
    sent: Option<Pending>,
}

/// A transaction that was sent.
struct Pending {
    hash: B256,
    raw: Bytes,
    /// How long its receipt is waited for.
    deadline: Instant,
}

impl std::fmt::Display for Sent {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.transaction_hash, self.block_number) {
            (Some(hash), Some(block)) => write!(f, "transaction {hash}, block {block}, gas {}", self.gas),
            _ => write!(f, "simulated, nothing sent, gas {}", self.gas),
        }
    }
}

/// What a command that sends one transaction prints.
#[derive(Debug, Serialize)]
struct Action<'a> {
    action: &'a str,
    from: Address,
    to: Address,
    dry_run: bool,
    #[serde(flatten)]
    sent: Sent,
}

impl std::fmt::Display for Action<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}: {}", self.action, self.sent)
    }
}

impl Caller {
    /// Whether nothing is sent.
    pub(crate) fn is_dry(&self) -> bool {
        self.signer.is_none()
    }

    /// Calls a contract and prints what became of it.
    pub(crate) async fn act(&self, action: &str, to: Address, call: &impl SolCall) -> eyre::Result<Answer> {
        let sent = self.call(action, to, call).await?;
        fact(self.json, &Action { action, from: self.from, to, dry_run: self.is_dry(), sent })?;
        Ok(Answer::Yes)
    }

    /// Calls a contract.
    pub(crate) async fn call(&self, action: &str, to: Address, call: &impl SolCall) -> Result<Sent, CallError> {
        let request = TransactionRequest::default().with_to(to).with_input(call.abi_encode());
        self.send(action, request, None).await
    }

    /// What the call would come to at the latest block, if `from` made it.
    pub(crate) async fn simulate_as(
        &self,
        from: Address,
        action: &str,
        to: Address,
        data: Bytes,
    ) -> Result<(), CallError> {
        let request = TransactionRequest::default().with_from(from).with_to(to).with_input(data);
        self.simulate(action, &request, None).await.map(|_| ())
    }

    /// Simulates, then, with a signer, signs, sends and waits for the receipt. `overrides` are what the simulation sees
    /// of the chain; they may only be given where nothing is sent.
    pub(crate) async fn send(
        &self,
        action: &str,
        request: TransactionRequest,
        overrides: Option<StateOverride>,
    ) -> Result<Sent, CallError> {
        let nonce = request.nonce;
        let begun = self.begin(action, request, overrides, nonce).await?;
        self.end(begun).await
    }

    /// Makes calls to a contract that do not build on one another, each sent without waiting for those before it. `done` hears
    /// what became of each, in their order, with what was said of it. Of a dry run all are simulated.
    ///
    /// # Errors
    ///
    /// The first one that fails, once all that were sent before are waited for; those after it are not sent.
    pub(crate) async fn calls<T>(
        &self,
        to: Address,
        calls: impl IntoIterator<Item = (String, Bytes, T)>,
        mut done: impl FnMut(T, Sent) -> eyre::Result<()>,
    ) -> eyre::Result<()> {
        // taken once: an endpoint that is a moment behind would give one out twice
        let mut nonce = if self.is_dry() { 0 } else { self.next_nonce().await? };
        let (mut calls, mut under_way, mut failed) = (calls.into_iter(), VecDeque::new(), None);
        loop {
            let next = if failed.is_none() && under_way.len() < IN_FLIGHT { calls.next() } else { None };
            if let Some((action, data, about)) = next {
                let request = TransactionRequest::default().with_to(to).with_input(data);
                match self.begin(&action, request, None, Some(nonce)).await {
                    Ok(begun) => under_way.push_back((about, begun)),
                    Err(error) => failed = Some(error),
                }
                nonce += 1;
            } else if let Some((about, begun)) = under_way.pop_front() {
                match self.end(begun).await {
                    Ok(sent) => done(about, sent)?,
                    Err(error) => _ = failed.get_or_insert(error),
                }
            } else {
                return failed.map_or(Ok(()), |error| Err(error.into()));
            }
        }
    }

    /// Simulates, then, with a signer, signs and sends, with this nonce or the next one.
    async fn begin(
        &self,
        action: &str,
        request: TransactionRequest,
        overrides: Option<StateOverride>,
        nonce: Option<u64>,
    ) -> Result<Begun, CallError> {
        let request = request.with_from(self.from);
        let (returned, gas) = self.simulate(action, &request, overrides).await?;
        let mut begun = Begun { action: action.to_owned(), request, returned, gas, sent: None };
        if let Some(signer) = &self.signer {
            // A fifth more than estimated: what comes in between may make it dearer, and what is not used is not paid.
            let request = TransactionRequest { nonce, ..begun.request.clone().with_gas_limit(gas + gas / 5) };
            let (hash, raw) = self.broadcast(action, signer, request).await?;
            begun.sent = Some(Pending { hash, raw, deadline: Instant::now() + self.receipt_timeout });
        }
        Ok(begun)
    }

    /// Waits for the receipt of what was sent.
    async fn end(&self, begun: Begun) -> Result<Sent, CallError> {
        let Begun { action, request, returned, gas, sent } = begun;
        let Some(pending) = sent else {
            return Ok(Sent { transaction_hash: None, block_number: None, gas, returned, logs: Vec::new() });
        };
        let (hash, receipt) = (pending.hash, self.receipt(&action, &pending).await?);
        let block = receipt.block_number.unwrap_or_default();
        if !receipt.status() {
            let revert = self.reason_at(request, block).await;
            return Err(CallError::Reverted { action, hash, block, revert });
        }
        let (gas, logs) = (receipt.gas_used, receipt.logs().to_vec());
        Ok(Sent { transaction_hash: Some(hash), block_number: Some(block), gas, returned, logs })
    }

    /// The call's result and the gas it is estimated to take, at the latest block.
    async fn simulate(
        &self,
        action: &str,
        request: &TransactionRequest,
        overrides: Option<StateOverride>,
    ) -> Result<(Bytes, u64), CallError> {
        let provider = &self.connection.provider;
        let refused = |name, error| match Revert::of(&error) {
            Some(source) => CallError::Refused { action: action.to_owned(), source },
            None => self.connection.endpoint.rpc_error(name, error).into(),
        };
        let call = provider.call(request.clone()).overrides_opt(overrides.clone());
        let returned = call.await.map_err(|error| refused("eth_call", error))?;
        let estimate = provider.estimate_gas(request.clone()).overrides_opt(overrides);
        let gas = estimate.await.map_err(|error| refused("eth_estimateGas", error))?;
        Ok((returned, gas))
    }

    /// The nonce of the next transaction, those that wait for their block counted.
    pub(crate) async fn next_nonce(&self) -> Result<u64, ConnectError> {
        let Connection { endpoint, provider, .. } = &self.connection;
        let nonce = provider.get_transaction_count(self.from).pending().await;
        nonce.map_err(|error| endpoint.rpc_error("eth_getTransactionCount", error))
    }

    /// Signs, with the next nonce where the request names none, and sends.
    async fn broadcast(
        &self,
        action: &str,
        signer: &Signer,
        request: TransactionRequest,
    ) -> Result<(B256, Bytes), CallError> {
        let Connection { chain, endpoint, provider, .. } = &self.connection;
        let nonce = match request.nonce {
            Some(nonce) => nonce,
            None => self.next_nonce().await?,
        };
        let fillers = ProviderBuilder::default().with_gas_estimation().with_chain_id(chain.chain_id);
        let filled = fillers.connect_provider(provider).fill(request.with_nonce(nonce)).await;
        let filled = filled.map_err(|error| endpoint.rpc_error("eth_feeHistory", error))?;
        let tx = filled.try_into_request().ok().and_then(|request| request.build_1559().ok());
        let tx = tx.ok_or_else(|| CallError::Unfilled { action: action.to_owned() })?;
        let signed = signer.sign(tx).await;
        let (hash, raw) = signed.map_err(|source| CallError::Sign { action: action.to_owned(), source })?;
        match provider.send_raw_transaction(&raw).await {
            Ok(_) => tracing::info!(%action, %hash, nonce, "sent"),
            Err(error) if error.as_error_resp().is_some() => {
                return Err(endpoint.rpc_error("eth_sendRawTransaction", error).into());
            }
            // Only the reply may be lost: the receipt will tell.
            Err(error) => tracing::warn!(%action, %hash, error = %Fault::from(error), "no answer to the transaction"),
        }
        Ok((hash, raw))
    }

    /// Looks for the receipt until it is there or the time is over, and sends the same bytes again now and then. An endpoint that
    /// fails in between is asked again;
    /// alloy's `PendingTransactionBuilder` would give up then, and its poller logs failures with the whole URL.
    async fn receipt(&self, action: &str, pending: &Pending) -> Result<TransactionReceipt, CallError> {
        let &Pending { hash, ref raw, deadline } = pending;
        let provider = &self.connection.provider;
        let mut polls = 0;
        loop {
            polls += 1;
            match provider.get_transaction_receipt(hash).await {
                Ok(Some(receipt)) => return Ok(receipt),
                Ok(None) => {}
                Err(error) => tracing::warn!(%hash, error = %Fault::from(error), "no answer about a receipt"),
            }
            if Instant::now() >= deadline {
                return Err(CallError::NoReceipt { action: action.to_owned(), hash, waited: self.receipt_timeout });
            }
            if polls % RESEND_AFTER_POLLS == 0
                && let Err(error) = provider.send_raw_transaction(raw).await
            {
                // most often that it is known
                tracing::debug!(%hash, error = %Fault::from(error), "sent again");
            }
            sleep(RECEIPT_POLL).await;
        }
    }

    /// Why a transaction reverted, as far as the state after its block tells.
    async fn reason_at(&self, request: TransactionRequest, block: u64) -> Option<Revert> {
        let call = self.connection.provider.call(request).block(BlockId::number(block));
        call.await.err().and_then(|error| Revert::of(&error))
    }
}
