//! JSON-RPC over HTTP with a deadline for every call.

use std::time::{Duration, Instant};

use alloy::{
    rpc::client::RpcClient,
    transports::{RpcError, TransportError},
};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

/// The longest a call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a call gave no answer. URLs may hold an API key, so only the host is named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Thrown when the endpoint limits the rate.
    #[error("{host}: {method}: rate limited (HTTP 429)")]
    RateLimited {
        /// Host and port.
        host: String,
        /// The method called.
        method: String,
    },
    /// Thrown when there is no answer in time.
    #[error("{host}: {method}: no answer in {} s", DEADLINE.as_secs())]
    Silent {
        /// Host and port.
        host: String,
        /// The method called.
        method: String,
    },
    /// Thrown for all else.
    #[error("{host}: {method}: {reason}")]
    Failed {
        /// Host and port.
        host: String,
        /// The method called.
        method: String,
        /// What the endpoint or the transport said.
        reason: String,
    },
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    client: RpcClient,
    /// Host and port.
    pub host: String,
}

impl Endpoint {
    /// The endpoint at this URL.
    pub fn new(url: &Url) -> Self {
        let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
        let host = format!("{}{port}", url.host_str().unwrap_or("?"));
        Self { client: RpcClient::new_http(url.clone()), host }
    }

    /// Calls a method.
    pub async fn call<T>(&self, method: &str, params: impl Serialize) -> Result<T, CallError>
    where
        T: DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        let params = serde_json::to_value(params).map_err(|error| self.failed(method, error.to_string()))?;
        let call = self.client.request::<_, T>(method.to_owned(), params);
        match tokio::time::timeout(DEADLINE, call).await {
            Err(_) => Err(CallError::Silent { host: self.host.clone(), method: method.to_owned() }),
            Ok(Err(error)) => Err(self.classify(method, &error)),
            Ok(Ok(answer)) => Ok(answer),
        }
    }

    /// Calls a method and measures how long the answer takes.
    pub async fn timed<T>(&self, method: &str, params: impl Serialize) -> (Result<T, CallError>, Duration)
    where
        T: DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        let start = Instant::now();
        let answer = self.call(method, params).await;
        (answer, start.elapsed())
    }

    fn classify(&self, method: &str, error: &TransportError) -> CallError {
        let limited = match error {
            RpcError::Transport(kind) => kind.as_http_error().is_some_and(|http| http.status == 429),
            RpcError::ErrorResp(payload) => payload.code == 429 || payload.code == -32005,
            _ => false,
        };
        if limited {
            return CallError::RateLimited { host: self.host.clone(), method: method.to_owned() };
        }
        let reason = match error {
            RpcError::ErrorResp(payload) => format!("{} (code {})", payload.message, payload.code),
            RpcError::Transport(kind) => match kind.as_http_error() {
                Some(http) => format!("HTTP {}", http.status),
                None => "unreachable".to_owned(),
            },
            _ => "not a JSON-RPC answer".to_owned(),
        };
        self.failed(method, reason)
    }

    fn failed(&self, method: &str, reason: String) -> CallError {
        CallError::Failed { host: self.host.clone(), method: method.to_owned(), reason }
    }
}
