//! Reaching the right chain and the right contracts, or saying in one sentence what is wrong.

use std::time::Duration;

use alloy::{
    primitives::Address,
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::client::RpcClient,
    transports::{
        RpcError, TransportError, TransportErrorKind,
        http::{Http, reqwest},
    },
};
use tokio::task::JoinSet;
use url::Url;

use super::endpoints::{AskError, Endpoints, Fault};
use crate::contracts::{EveryChannelObservationLedger, EveryChannelRail, Revert};

/// Why a chain or a contract on it is not the one that is configured.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The URL is not one that can be asked.
    #[error("rpc {0}: only http:// and https:// can be used; set --rpc to the node's HTTP endpoint")]
    Scheme(String),
    /// One endpoint is named twice, so that its answers would count twice.
    #[error("rpc {0} is named twice; name each endpoint once")]
    Duplicate(String),
    /// More endpoints must agree than there are, or none.
    #[error("rpc_agree is {agree}, but {total} endpoints are set: it must be between 1 and {total}")]
    Agreement {
        /// As configured.
        agree: usize,
        /// Endpoints that are set.
        total: usize,
    },
    /// The endpoints together give no answer to rely on.
    #[error("rpc: {0}")]
    Ask(#[from] AskError),
    /// The client cannot be made.
    #[error("rpc {rpc}: no HTTP client")]
    Client {
        /// The endpoint.
        rpc: String,
        /// What the client says.
        source: reqwest::Error,
    },
    /// The endpoint does not answer, or not as an Ethereum node does.
    #[error("rpc {rpc} does not answer {request}; check --rpc and that the node is running")]
    Rpc {
        /// The endpoint.
        rpc: String,
        /// The request that failed.
        request: &'static str,
        /// Why.
        source: TransportError,
    },
    /// The endpoint answers that it will not.
    #[error("rpc {rpc} refuses {request}")]
    Refused {
        /// The endpoint.
        rpc: String,
        /// The request.
        request: &'static str,
        /// Its words.
        source: TransportError,
    },
    /// The endpoint is of another chain.
    #[error("chain_id is set to {configured}, but rpc {rpc} is of chain {actual}; correct one of the two")]
    ChainId {
        /// The endpoint.
        rpc: String,
        /// As configured.
        configured: u64,
        /// As the endpoint says.
        actual: u64,
    },
    /// No contract at a configured address.
    #[error("{field} is set to {address}, but there is no code on chain {chain_id}; correct the address or the chain")]
    NoCode {
        /// The setting.
        field: &'static str,
        /// Its value.
        address: Address,
        /// The chain.
        chain_id: u64,
    },
    /// The contract at a configured address is another one.
    #[error(
        "{field} is set to {address}, but the contract there does not answer {view}(); correct the address: {answer}"
    )]
    NotTheContract {
        /// The setting.
        field: &'static str,
        /// Its value.
        address: Address,
        /// The view it did not answer.
        view: &'static str,
        /// What it answered.
        answer: String,
    },
    /// Two configured contracts do not belong together.
    #[error("{field} is set to {configured}, but the {of} at {of_address} uses {actual}; correct one of the two")]
    Unrelated {
        /// The setting.
        field: &'static str,
        /// Its value.
        configured: Address,
        /// The contract that names another one.
        of: &'static str,
        /// Where that is.
        of_address: Address,
        /// What it names.
        actual: Address,
    },
}

/// A chain's RPC endpoint. `Debug` does not show the URL's path, query and user, which may be secret.
#[derive(Clone)]
pub struct Endpoint {
    /// HTTP or HTTPS.
    pub rpc: Url,
    /// The chain it must be of.
    pub chain_id: u64,
    /// Limit of every single request, from sending it to the last byte of the answer.
    pub timeout: Duration,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint")
            .field("rpc", &self.name())
            .field("chain_id", &self.chain_id)
            .field("timeout", &self.timeout)
            .finish()
    }
}

impl Endpoint {
    /// The endpoint's scheme, host and port; the rest of a URL may be secret.
    pub fn name(&self) -> String {
        let rpc = &self.rpc;
        let port = rpc.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}://{}{port}", rpc.scheme(), rpc.host_str().unwrap_or_default())
    }

    /// Connects, and checks that the endpoint answers and is of the chain.
    ///
    /// # Errors
    ///
    /// A URL that is not HTTP, no answer within the timeout, another chain.
    pub async fn connect(&self) -> Result<DynProvider, ConnectError> {
        let provider = self.provider()?;
        let actual = provider.get_chain_id().await.map_err(|source| self.rpc_error("eth_chainId", source))?;
        if actual != self.chain_id {
            return Err(ConnectError::ChainId { rpc: self.name(), configured: self.chain_id, actual });
        }
        Ok(provider)
    }

    /// A provider without fillers or wallet, nothing asked yet.
    ///
    /// # Errors
    ///
    /// A URL that is not HTTP.
    pub fn provider(&self) -> Result<DynProvider, ConnectError> {
        if !matches!(self.rpc.scheme(), "http" | "https") {
            return Err(ConnectError::Scheme(self.name()));
        }
        let client = reqwest::Client::builder()
            .timeout(self.timeout)
            .build()
            .map_err(|source| ConnectError::Client { rpc: self.name(), source: source.without_url() })?;
        let transport = Http::with_client(client, self.rpc.clone());
        Ok(ProviderBuilder::default().connect_client(RpcClient::new(transport, false)).erased())
    }

    /// A request that failed: for want of an answer, or by the answer.
    pub fn rpc_error(&self, request: &'static str, source: TransportError) -> ConnectError {
        let rpc = self.name();
        if source.as_error_resp().is_some() {
            ConnectError::Refused { rpc, request, source }
        } else {
            ConnectError::Rpc { rpc, request, source: without_url(source) }
        }
    }
}

impl Endpoints {
    /// Endpoints of one chain, each asked for its chain id: all that answer must be of the chain, and enough must
    /// answer. With them comes the first that answers, for what needs no agreement.
    ///
    /// # Errors
    ///
    /// What [`Endpoints::new`] refuses, an endpoint of another chain, too few answers.
    pub async fn connect(endpoints: &[Endpoint], agree: usize) -> Result<(Self, Endpoint, DynProvider), ConnectError> {
        let connected = Self::new(endpoints, agree)?;
        let mut asked = JoinSet::new();
        for (at, endpoint) in endpoints.iter().cloned().enumerate() {
            asked.spawn(async move { (at, endpoint.connect().await, endpoint) });
        }
        let (mut reached, mut failed) = (Vec::new(), Vec::new());
        for (at, provider, endpoint) in asked.join_all().await {
            match provider {
                Ok(provider) => reached.push((at, endpoint, provider)),
                Err(error @ ConnectError::ChainId { .. }) => return Err(error),
                Err(error) => failed.push(error),
            }
        }
        if reached.len() < agree {
            return Err(failed.swap_remove(0));
        }
        for error in failed {
            tracing::warn!(%error, agree, "starting without an endpoint: enough others answer");
        }
        reached.sort_by_key(|(at, ..)| *at);
        let (_, endpoint, provider) = reached.swap_remove(0);
        Ok((connected, endpoint, provider))
    }

    /// Checks that there is code at the address that the setting `field` gives. Not which code it is.
    ///
    /// # Errors
    ///
    /// No code, or no agreement on it.
    pub async fn require_code(&self, field: &'static str, address: Address) -> Result<(), ConnectError> {
        let is_empty = |provider: DynProvider| async move {
            Ok::<_, TransportError>(provider.get_code_at(address).await?.is_empty())
        };
        if self.agreed("eth_getCode", is_empty).await? {
            return Err(ConnectError::NoCode { field, address, chain_id: self.chain_id() });
        }
        Ok(())
    }

    /// The registry of a ledger, which must be the configured one where one is.
    ///
    /// # Errors
    ///
    /// The contract is no ledger, it uses another registry, or no agreement on that.
    pub async fn registry_of(&self, ledger: Address, configured: Option<Address>) -> Result<Address, ConnectError> {
        let registry = |provider| async move {
            viewed(EveryChannelObservationLedger::new(ledger, provider).registry().call().await)
        };
        let actual = self.agreed("registry()", registry).await?;
        let not_it =
            |answer| ConnectError::NotTheContract { field: "ledger", address: ledger, view: "registry", answer };
        require_same("registry", configured, "ledger", ledger, actual.map_err(not_it)?)
    }

    /// The ledger of a rail, which must be the configured one where one is.
    ///
    /// # Errors
    ///
    /// The contract is no rail, it uses another ledger, or no agreement on that.
    pub async fn ledger_of(&self, rail: Address, configured: Option<Address>) -> Result<Address, ConnectError> {
        let ledger = |provider| async move { viewed(EveryChannelRail::new(rail, provider).ledger().call().await) };
        let actual = self.agreed("ledger()", ledger).await?;
        let not_it = |answer| ConnectError::NotTheContract { field: "rail", address: rail, view: "ledger", answer };
        require_same("ledger", configured, "rail", rail, actual.map_err(not_it)?)
    }
}

/// What a view answers; that a contract does not have it is an answer too.
fn viewed(answer: Result<Address, alloy::contract::Error>) -> Result<Result<Address, String>, Fault> {
    match answer {
        Ok(address) => Ok(Ok(address)),
        Err(error @ alloy::contract::Error::TransportError(_)) if Revert::of_call(&error).is_none() => {
            Err(error.into())
        }
        Err(error) => Ok(Err(error.to_string())),
    }
}

fn require_same(
    field: &'static str,
    configured: Option<Address>,
    of: &'static str,
    of_address: Address,
    actual: Address,
) -> Result<Address, ConnectError> {
    match configured {
        Some(configured) if configured != actual => {
            Err(ConnectError::Unrelated { field, configured, of, of_address, actual })
        }
        _ => Ok(actual),
    }
}

/// The error without the URL it happened at, whose path or query may hold a secret.
pub fn without_url(error: TransportError) -> TransportError {
    match error {
        RpcError::Transport(TransportErrorKind::Custom(inner)) => match inner.downcast::<reqwest::Error>() {
            Ok(inner) => TransportErrorKind::custom(inner.without_url()),
            Err(inner) => RpcError::Transport(TransportErrorKind::Custom(inner)),
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint(rpc: &str) -> Endpoint {
        Endpoint { rpc: rpc.parse().unwrap(), chain_id: 1, timeout: Duration::from_millis(200) }
    }

    #[test]
    fn what_may_be_secret_in_a_url_is_not_shown() {
        let endpoint = endpoint("https://user:word@node.example:8545/v3/token?key=token");
        assert_eq!(endpoint.name(), "https://node.example:8545");
        assert!(!format!("{endpoint:?}").contains("token"));
    }

    #[test]
    fn only_http_is_asked() {
        assert!(matches!(endpoint("ws://localhost:1").provider(), Err(ConnectError::Scheme(_))));
    }

    #[tokio::test]
    async fn a_dead_endpoint_is_named_without_its_path() {
        let error = endpoint("http://127.0.0.1:1/token").connect().await.unwrap_err();
        let shown = format!("{:#}", eyre::Report::new(error));
        assert!(shown.starts_with("rpc http://127.0.0.1:1 does not answer eth_chainId"), "{shown}");
        assert!(!shown.contains("token"), "{shown}");
    }
}
