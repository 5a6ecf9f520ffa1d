//! JSON-RPC over HTTP with a deadline for every call. What went wrong is told apart by [`Fault`].

use std::time::{Duration, Instant};

use alloy::providers::{DynProvider, Provider};
use ec_rpc::{ConnectError, Fault};
use serde::{Serialize, de::DeserializeOwned};
use url::Url;

/// The longest a call may take.
const DEADLINE: Duration = Duration::from_secs(10);

/// Why a call gave no answer. URLs may hold an API key, so only the host is named.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CallError {
    /// Thrown when the endpoint gives no usable answer.
    #[error("{host}: {method}: {}", words(fault))]
    Fault {
        /// Host and port.
        host: String,
        /// The method called.
        method: String,
        /// Why.
        fault: Fault,
    },
    /// Thrown when nothing can be asked, or the answer is not one of what was asked.
    #[error("{host}: {method}: {reason}")]
    Failed {
        /// Host and port.
        host: String,
        /// The method called.
        method: String,
        /// Why.
        reason: String,
    },
}

impl CallError {
    /// Whether the endpoint says that there were too many requests.
    pub fn is_rate_limit(&self) -> bool {
        matches!(self, Self::Fault { fault: Fault::RateLimited { .. }, .. })
    }
}

/// The fault, as the operator reads it.
fn words(fault: &Fault) -> String {
    match fault {
        Fault::Timeout => format!("no answer in {} s", DEADLINE.as_secs()),
        Fault::Refused | Fault::Dns | Fault::Connect(_) => "unreachable".to_owned(),
        Fault::Http { status, .. } => format!("HTTP {status}"),
        Fault::NotJson(_) => "not a JSON-RPC answer".to_owned(),
        fault => fault.to_string(),
    }
}

/// An endpoint.
#[derive(Clone, Debug)]
pub struct Endpoint {
    /// Host and port.
    pub host: String,
    /// What asks it, or why nothing can.
    provider: Result<DynProvider, String>,
}

impl Endpoint {
    /// The endpoint at this URL. Of a URL that is not HTTP, each call says so.
    pub fn new(url: &Url) -> Self {
        let endpoint = ec_rpc::Endpoint { rpc: url.clone(), timeout: DEADLINE };
        let provider = endpoint.provider().map_err(|error| match error {
            ConnectError::Scheme(_) => "only http:// and https:// can be asked".to_owned(),
            error => error.to_string(),
        });
        Self { host: endpoint.host(), provider }
    }

    /// Calls a method.
    pub async fn call<T>(&self, method: &str, params: impl Serialize) -> Result<T, CallError>
    where
        T: DeserializeOwned + std::fmt::Debug + Send + Sync + Unpin + 'static,
    {
        let provider = self.provider.as_ref().map_err(|reason| self.failed(method, reason.clone()))?;
        let params = serde_json::to_value(params).map_err(|error| self.failed(method, error.to_string()))?;
        let answer = provider.raw_request::<_, T>(method.to_owned().into(), params).await;
        answer.map_err(|error| CallError::Fault {
            host: self.host.clone(),
            method: method.to_owned(),
            fault: error.into(),
        })
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

    /// A call of this method that failed for this reason.
    pub(crate) fn failed(&self, method: &str, reason: String) -> CallError {
        CallError::Failed { host: self.host.clone(), method: method.to_owned(), reason }
    }
}
