//! The HTTP listener: `/metrics`, `/healthz`, `/readyz`.

use std::{net::TcpListener, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use ec_rpc::count::RPC_DURATION;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;

use super::{
    Watched,
    check::{Check, Level},
    describe::describe,
};
use crate::metrics::{TURN_DURATION, VOTE_DELAY};

/// Seconds; from a loopback answer to the default timeout of a request, and beyond it for a turn of many requests.
const DURATIONS: [f64; 10] = [0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

/// Seconds; from an epoch that one's own turn is for, to one that waits for many others' turns or for late records.
const DELAYS: [f64; 10] = [0.5, 2.0, 5.0, 15.0, 30.0, 60.0, 120.0, 300.0, 600.0, 3600.0];

/// How often idle histograms are tidied up.
const UPKEEP: Duration = Duration::from_secs(5);

/// What a scrape is answered from.
#[derive(Clone, Debug)]
pub struct Scraped {
    recorder: PrometheusHandle,
    process: Collector,
}

impl Scraped {
    /// Installs the recorder of a witness's metrics, with every one described and zeroed. To be done before anything is
    /// counted.
    ///
    /// # Errors
    ///
    /// There is a recorder already.
    pub fn install() -> Result<Self, BuildError> {
        Self::install_and(describe)
    }

    /// Installs the recorder of the metrics that `describe` describes.
    ///
    /// # Errors
    ///
    /// There is a recorder already.
    pub fn install_and(describe: impl FnOnce()) -> Result<Self, BuildError> {
        let mut builder = PrometheusBuilder::new();
        for (name, buckets) in [(RPC_DURATION, &DURATIONS), (TURN_DURATION, &DURATIONS), (VOTE_DELAY, &DELAYS)] {
            builder = builder.set_buckets_for_metric(Matcher::Full(name.into()), buckets)?;
        }
        let recorder = builder.install_recorder()?;
        describe();
        let process = Collector::default();
        process.describe();
        Ok(Self { recorder, process })
    }

    fn render(&self) -> String {
        self.process.collect();
        self.recorder.render()
    }
}

/// Serves until the process ends.
pub(super) async fn serve<W: Watched>(listener: TcpListener, watched: W, scraped: Scraped) -> std::io::Result<()> {
    let upkeep = scraped.recorder.clone();
    tokio::spawn(async move {
        loop {
            tokio::time::sleep(UPKEEP).await;
            upkeep.run_upkeep();
        }
    });
    let routes = Router::new()
        .route("/metrics", get(|State((_, scraped)): State<(W, Scraped)>| async move { metrics(&scraped) }))
        .route("/healthz", get(|State((watched, _)): State<(W, Scraped)>| async move { answer(&[watched.alive()]) }))
        .route("/readyz", get(|State((watched, _)): State<(W, Scraped)>| async move { answer(&watched.readiness()) }))
        .with_state((watched, scraped));
    axum::serve(tokio::net::TcpListener::from_std(listener)?, routes).await
}

fn metrics(scraped: &Scraped) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], scraped.render()).into_response()
}

/// 200, or 503 when a check fails, and every check.
fn answer(checks: &[Check]) -> Response {
    let ok = checks.iter().all(|check| check.level != Level::Fail);
    let status = if ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::json!({ "ok": ok, "checks": checks }).to_string() + "\n";
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}
