//! The node behind the proxy.

use alloy::transports::http::reqwest::Client;
use serde_json::{Value, json};

use super::fault::error;

/// Asks the node.
#[derive(Clone)]
pub(super) struct Node {
    client: Client,
    rpc: String,
}

/// What a node answers: a result or an error object.
pub(super) type Answer = Result<Value, Value>;

impl Node {
    pub(super) fn new(rpc: &str) -> Self {
        // no idle connections: one that the node closes would look like a fault that no test asked for
        let client = Client::builder().no_proxy().pool_max_idle_per_host(0).build().unwrap();
        Self { client, rpc: rpc.to_owned() }
    }

    /// One request; `None` when the node does not answer.
    pub(super) async fn ask(&self, method: &str, parameters: Value) -> Option<Answer> {
        let body = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": parameters });
        let reply = self.client.post(&self.rpc).json(&body).send().await.ok()?;
        let mut reply: Value = reply.json().await.ok()?;
        Some(match reply.get_mut("error") {
            Some(error) => Err(error.take()),
            None => Ok(reply["result"].take()),
        })
    }

    /// A number that the node answers with.
    pub(super) async fn number(&self, method: &str, parameters: Value) -> Option<u64> {
        quantity(&self.ask(method, parameters).await?.ok()?)
    }
}

/// A hex quantity.
pub(super) fn quantity(value: &Value) -> Option<u64> {
    u64::from_str_radix(value.as_str()?.strip_prefix("0x")?, 16).ok()
}

/// geth's words for a block it does not have.
pub(super) fn no_header() -> Value {
    error(-32000, "header not found")
}
