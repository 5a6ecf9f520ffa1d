//! One endpoint: its URL, which may hold a secret, and reaching the right chain by it.

use std::time::Duration;

use alloy::{
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::client::RpcClient,
    transports::{
        RpcError, TransportError, TransportErrorKind,
        http::{Http, reqwest},
    },
};
use url::Url;

use crate::{fault::AskError, metered::Metered};

/// Why a chain is not the one that is configured.
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
    AgreeOutOfRange {
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
}

/// An RPC endpoint. `Debug` does not show the URL's path, query and user, which may be secret.
#[derive(Clone)]
pub struct Endpoint {
    /// HTTP or HTTPS.
    pub rpc: Url,
    /// Limit of every single request, from sending it to the last byte of the answer.
    pub timeout: Duration,
}

impl std::fmt::Debug for Endpoint {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Endpoint").field("rpc", &self.name()).field("timeout", &self.timeout).finish()
    }
}

impl Endpoint {
    /// The endpoint's host and port; the rest of a URL may be secret. `?` where the URL has no host.
    pub fn host(&self) -> String {
        let port = self.rpc.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.rpc.host_str().unwrap_or("?"))
    }

    /// The endpoint's scheme, [host and port](Self::host).
    pub fn name(&self) -> String {
        format!("{}://{}", self.rpc.scheme(), self.host())
    }

    /// Connects, and checks that the endpoint answers and is of this chain.
    ///
    /// # Errors
    ///
    /// A URL that is not HTTP, no answer within the timeout, another chain.
    pub async fn connect(&self, chain_id: u64) -> Result<DynProvider, ConnectError> {
        let provider = self.provider()?;
        let actual = provider.get_chain_id().await.map_err(|source| self.rpc_error("eth_chainId", source))?;
        if actual != chain_id {
            return Err(ConnectError::ChainId { rpc: self.name(), configured: chain_id, actual });
        }
        Ok(provider)
    }

    /// A provider without fillers or wallet, nothing asked yet.
    ///
    /// # Errors
    ///
    /// A URL that is not HTTP.
    pub fn provider(&self) -> Result<DynProvider, ConnectError> {
        self.provider_named(self.name())
    }

    /// The same, measured under this name.
    pub(crate) fn provider_named(&self, name: String) -> Result<DynProvider, ConnectError> {
        if !matches!(self.rpc.scheme(), "http" | "https") {
            return Err(ConnectError::Scheme(self.name()));
        }
        let client = reqwest::Client::builder()
            .timeout(self.timeout)
            .build()
            .map_err(|source| ConnectError::Client { rpc: self.name(), source: source.without_url() })?;
        let transport = Metered::new(Http::with_client(client, self.rpc.clone()), name);
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
        Endpoint { rpc: rpc.parse().unwrap(), timeout: Duration::from_millis(200) }
    }

    #[test]
    fn what_may_be_secret_in_a_url_is_not_shown() {
        let endpoint = endpoint("https://user:word@node.example:8545/v3/token?key=token");
        assert_eq!(endpoint.name(), "https://node.example:8545");
        assert_eq!(endpoint.host(), "node.example:8545");
        assert!(!format!("{endpoint:?}").contains("token"));
    }

    #[test]
    fn only_http_is_asked() {
        assert!(matches!(endpoint("ws://localhost:1").provider(), Err(ConnectError::Scheme(_))));
        // as a URL without its scheme is read
        let error = endpoint("localhost:8545").provider().unwrap_err().to_string();
        assert!(error.starts_with("rpc localhost://?: only http://"), "{error}");
    }

    #[tokio::test]
    async fn a_dead_endpoint_is_named_without_its_path() {
        let error = endpoint("http://127.0.0.1:1/token").connect(1).await.unwrap_err();
        let shown = format!("{:#}", eyre::Report::new(error));
        assert!(shown.starts_with("rpc http://127.0.0.1:1 does not answer eth_chainId"), "{shown}");
        assert!(!shown.contains("token"), "{shown}");
    }
}
