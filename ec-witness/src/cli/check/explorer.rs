//! An explorer as a source: it names places, and a proof for each. Nothing of it is believed but what its proof shows.

use std::time::Duration;

use alloy::transports::http::reqwest;
use ec_observation::{Proof, StreamHash};
use eyre::{WrapErr, bail};
use serde::Deserialize;
use url::Url;

/// How long an explorer may take.
const ASKING: Duration = Duration::from_secs(30);

/// The part of its answer that is looked at.
#[derive(Debug, Deserialize)]
struct Segment {
    places: Vec<Told>,
}

/// A place, as the explorer has it.
#[derive(Debug, Deserialize)]
pub(super) struct Told {
    pub(super) stream_id: String,
    pub(super) broadcast: String,
    /// When an archive of the explorer received it, Unix milliseconds.
    pub(super) time_ms: Option<u64>,
    pub(super) proof: Option<Proof>,
}

impl Told {
    /// Whether the proof is of the stream that is named.
    pub(super) fn names_its_stream(&self) -> bool {
        self.proof.as_ref().is_some_and(|proof| proof.header.stream_hash == StreamHash::of(&self.stream_id))
    }
}

/// The places of some bytes that an explorer has a proof of; none where it does not know them.
pub(super) async fn places(explorer: &Url, blake3: [u8; 32]) -> eyre::Result<Vec<Told>> {
    let shown = explorer.host_str().unwrap_or_default().to_owned();
    let base = explorer.as_str().trim_end_matches('/');
    let url = format!("{base}/api/v1/segments/{}", alloy::hex::encode(blake3));
    let client = reqwest::Client::builder().timeout(ASKING).build()?;
    let failed = |error: reqwest::Error| error.without_url();
    let asked = client.get(url).send().await.map_err(failed);
    let answer = asked.wrap_err_with(|| format!("explorer {shown} does not answer"))?;
    match answer.status().as_u16() {
        200 => {}
        404 => return Ok(Vec::new()),
        status => bail!("explorer {shown} answers {status}"),
    }
    let bytes = answer.bytes().await.map_err(failed).wrap_err_with(|| format!("explorer {shown}"))?;
    let segment: Segment =
        serde_json::from_slice(&bytes).wrap_err_with(|| format!("explorer {shown} says what is no segment"))?;
    Ok(segment.places.into_iter().filter(|place| place.proof.is_some()).collect())
}
