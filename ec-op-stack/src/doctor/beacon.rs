//! The beacon endpoint, asked what op-node asks, and as it asks: with its header, and without what stands behind `?`.

use std::time::Duration;

use alloy::transports::http::reqwest;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

const DEADLINE: Duration = Duration::from_secs(10);
/// How many of the newest slots are asked for their blobs: a slot may have no block.
const SLOTS: u64 = 4;

/// What it says of itself. op-node does not start without this answer.
pub(super) async fn version(url: &str, header: Option<&str>) -> Result<String, String> {
    let node = Node::new(url, header)?;
    let answer = node.get("eth/v1/node/version").await?;
    let version = answer.pointer("/data/version").and_then(Value::as_str);
    version.map(str::to_owned).ok_or_else(|| format!("{}: its answer has no version", node.host))
}

/// Whether it gives the blobs of one of the newest slots, be there none in it.
pub(super) async fn blobs(url: &str, header: Option<&str>) -> Result<(), String> {
    let node = Node::new(url, header)?;
    // op-node counts slots by these two
    node.get("eth/v1/config/spec").await?;
    node.get("eth/v1/beacon/genesis").await?;
    let head = node.get("eth/v1/beacon/headers/head").await?;
    let head =
        head.pointer("/data/header/message/slot").and_then(Value::as_str).and_then(|slot| slot.parse::<u64>().ok());
    let head = head.ok_or_else(|| format!("{}: its newest header has no slot", node.host))?;
    let mut reason = String::new();
    for slot in (0..SLOTS).map(|back| head.saturating_sub(back)) {
        for path in ["blobs", "blob_sidecars"] {
            match node.get(&format!("eth/v1/beacon/{path}/{slot}")).await {
                Ok(_) => return Ok(()),
                Err(error) => reason = error,
            }
        }
    }
    Err(reason)
}

struct Node {
    base: Url,
    host: String,
    header: Option<(String, String)>,
    client: reqwest::Client,
}

#[derive(Deserialize)]
struct Answer(Value);

impl Node {
    fn new(url: &str, header: Option<&str>) -> Result<Self, String> {
        let mut base = url.parse::<Url>().map_err(|error| format!("the beacon endpoint is no URL: {error}"))?;
        base.set_query(None);
        let host = base.host_str().unwrap_or("?").to_owned();
        let header = match header.filter(|header| !header.is_empty()) {
            None => None,
            // the header is a secret
            Some(text) => {
                let (name, value) = text.split_once(": ").ok_or("l1.beacon-header is not written as `Name: value`")?;
                Some((name.to_owned(), value.to_owned()))
            }
        };
        let client = reqwest::Client::builder().timeout(DEADLINE).build().map_err(|error| error.to_string())?;
        Ok(Self { base, host, header, client })
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let url = format!("{}/{path}", self.base.as_str().trim_end_matches('/'));
        let mut request = self.client.get(url).header("Accept", "application/json");
        if let Some((name, value)) = &self.header {
            request = request.header(name, value);
        }
        let ask = async { request.send().await?.error_for_status()?.json::<Answer>().await };
        // the URL may hold an API key
        let answer = ask.await.map_err(|error| {
            let late = error.is_timeout();
            let error = error.without_url();
            let told = ec_rpc::in_one_line(&error);
            if late {
                format!("{}: no answer in {} s", self.host, DEADLINE.as_secs())
            } else {
                format!("{}: /{path}: {told}", self.host)
            }
        })?;
        Ok(answer.0)
    }
}
