//! One endpoint: its URL, which may hold a secret, and reaching the right chain by it.

use std::{net::IpAddr, time::Duration};

use alloy::{
    providers::{DynProvider, Provider, ProviderBuilder},
    rpc::client::RpcClient,
    transports::{
        TransportError,
        http::reqwest::{
            self,
            redirect::{self, Attempt, Policy},
        },
    },
};
use url::{Host, Url};

use crate::{
    fault::{AskError, Fault},
    http::Http,
    metered::Metered,
    tls::Tls,
    words::{Secrets, Worded},
};

/// Redirects that are followed, one after the other.
const MOST_REDIRECTS: usize = 3;

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
    #[error(
        "rpc {rpc} does not answer {request}{}; check --rpc and that the node is running",
        .proxy.as_ref().map_or_else(String::new, |proxy| format!(" through the proxy {proxy}"))
    )]
    Rpc {
        /// The endpoint.
        rpc: String,
        /// The request that failed.
        request: &'static str,
        /// The proxy that the environment names, without user and password.
        proxy: Option<String>,
        /// Why.
        source: Fault,
    },
    /// The endpoint answers that it will not.
    #[error("rpc {rpc} refuses {request}")]
    Refused {
        /// The endpoint.
        rpc: String,
        /// The request.
        request: &'static str,
        /// Its words.
        source: Fault,
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
        host_of(&self.rpc)
    }

    /// The endpoint's scheme, [host and port](Self::host).
    pub fn name(&self) -> String {
        name_of(&self.rpc)
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
        let mut client = reqwest::Client::builder().timeout(self.timeout).redirect(redirects());
        if self.is_here() {
            client = client.no_proxy();
        }
        let client =
            client.build().map_err(|source| ConnectError::Client { rpc: self.name(), source: source.without_url() })?;
        Ok(self.provider_by(client, name))
    }

    /// A provider for a service that no other may stand in for, such as a signer: with this TLS, by no proxy, and not followed
    /// where it redirects to.
    ///
    /// # Errors
    ///
    /// What is to be presented is no certificate with its key.
    pub fn service(&self, tls: &Tls) -> Result<DynProvider, reqwest::Error> {
        let client = reqwest::Client::builder().timeout(self.timeout).redirect(no_redirects()).no_proxy();
        Ok(self.provider_by(tls.on(client).build().map_err(reqwest::Error::without_url)?, self.name()))
    }

    fn provider_by(&self, client: reqwest::Client, name: String) -> DynProvider {
        let http = Http::new(client, self.rpc.clone());
        let transport = Metered::new(Worded::new(http, Secrets::of(&self.rpc)), name);
        ProviderBuilder::default().connect_client(RpcClient::new(transport, false)).erased()
    }

    /// A request that failed: for want of an answer, or by the answer.
    pub fn rpc_error(&self, request: &'static str, source: TransportError) -> ConnectError {
        let rpc = self.name();
        match Fault::from(source) {
            source @ Fault::Rpc { .. } => ConnectError::Refused { rpc, request, source },
            source => ConnectError::Rpc { rpc, request, proxy: self.proxy(|name| std::env::var(name).ok()), source },
        }
    }

    /// Whether it is on this host, where no proxy is between.
    fn is_here(&self) -> bool {
        match self.rpc.host() {
            Some(Host::Domain(name)) => {
                let name = name.strip_suffix('.').unwrap_or(name);
                name == "localhost" || name.ends_with(".localhost") || name == "localhost.localdomain"
            }
            Some(Host::Ipv4(address)) => is_of_this_host(address.into()),
            Some(Host::Ipv6(address)) => is_of_this_host(address.into()),
            None => false,
        }
    }

    /// The proxy that the environment, as `variable` tells it, names for this endpoint: the variable, and host and port.
    fn proxy(&self, variable: impl Fn(&str) -> Option<String>) -> Option<String> {
        let scheme = self.rpc.scheme();
        // as the client looks for them
        let names = [
            format!("{}_PROXY", scheme.to_uppercase()),
            format!("{scheme}_proxy"),
            "ALL_PROXY".into(),
            "all_proxy".into(),
        ];
        let set = |name: &String| Some((name.clone(), variable(name).filter(|value| !value.is_empty())?));
        let (name, value) = names.iter().find_map(set).filter(|_| !self.is_here())?;
        let at = value.rsplit('@').next().unwrap_or_default();
        let at = at.rsplit("//").next().unwrap_or_default();
        Some(format!("{} ({name}, unless no_proxy excepts the host)", at.split('/').next().unwrap_or_default()))
    }
}

/// Whether an address leads nowhere but here; that which is none does on Linux.
fn is_of_this_host(address: IpAddr) -> bool {
    let address = address.to_canonical();
    address.is_loopback() || address.is_unspecified()
}

fn host_of(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}{port}", url.host_str().unwrap_or("?"))
}

/// What of a URL may be shown.
fn name_of(url: &Url) -> String {
    format!("{}://{}", url.scheme(), host_of(url))
}

/// Where an endpoint sends elsewhere.
#[derive(Debug)]
struct SentTo(String);

impl std::fmt::Display for SentTo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for SentTo {}

/// Follows what keeps the request as it is, a few times. Any other redirect makes a GET of the POST, which no node answers.
fn redirects() -> Policy {
    Policy::custom(|attempt| match attempt.status().as_u16() {
        307 | 308 if attempt.previous().len() <= MOST_REDIRECTS => attempt.follow(),
        _ => refused(attempt),
    })
}

fn no_redirects() -> Policy {
    Policy::custom(refused)
}

/// Names whom a redirect leads to, and goes nowhere.
fn refused(attempt: Attempt<'_>) -> redirect::Action {
    let to = SentTo(name_of(attempt.url()));
    attempt.error(to)
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
    fn a_proxy_is_named_without_its_password_and_never_stands_before_this_host() {
        let set = |name: &str| (name == "https_proxy").then(|| "http://user:word@proxy.example:3128/".to_owned());
        let named = endpoint("https://node.example/token").proxy(set).unwrap();
        assert_eq!(named, "proxy.example:3128 (https_proxy, unless no_proxy excepts the host)");
        assert_eq!(endpoint("http://node.example").proxy(set), None, "of another scheme");
        let here = ["localhost:1", "127.0.0.2:1", "[::1]:1", "a.localhost", "localhost.:1", "LocalHost.localdomain"];
        for here in here.into_iter().chain(["0.0.0.0:1", "[::]:1", "[::ffff:127.0.0.1]:1", "0x7f000001", "127.1"]) {
            assert_eq!(endpoint(&format!("https://{here}")).proxy(set), None, "{here}");
        }
        let both = |name: &str| Some(if name == "HTTPS_PROXY" { "upper:1" } else { "lower:1" }.to_owned());
        let named = endpoint("https://node.example").proxy(both).unwrap();
        assert!(named.starts_with("upper:1 (HTTPS_PROXY,"), "{named}");
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
