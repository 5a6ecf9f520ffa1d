//! What the explorer is, and whether it is well.

use std::sync::Arc;

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    Shared,
    answer::{Holds, json},
    params::Params,
    problem::ApiError,
};
use crate::{
    clock::now_ms,
    model::{About, ArchiveStatus, Health, LedgerState, Problem, PublicRpc},
    state::Explorer,
};

/// Ledgers, archives, and what is allowed.
#[utoipa::path(
    get, path = "/api/v1", tag = "about",
    responses(
        (status = 200, body = About),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn about(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, ApiError> {
    params.finish()?;
    let mut archives = Vec::new();
    for archive in &explorer.archives {
        let sources = archive.ledger.store.read(|reader| reader.sources()).await?;
        let own: Vec<_> = sources.iter().filter(|source| source.archive == archive.settings.name).collect();
        let reading = archive.reading();
        archives.push(ArchiveStatus {
            name: archive.settings.name.clone(),
            ledger: archive.settings.ledger.clone(),
            streams: own.len() as u64,
            records: own.iter().map(|source| source.records).sum(),
            bad_lines: own.iter().map(|source| source.bad_lines).sum(),
            current: reading.current,
            trouble: reading.trouble,
        });
    }
    let public = |ledger: &Arc<crate::state::Ledger>| {
        let url = ledger.settings.public_rpc.as_ref()?.to_string();
        Some(PublicRpc { ledger: ledger.settings.name.clone(), url })
    };
    let about = About {
        name: env!("CARGO_PKG_NAME").to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        now_ms: now_ms(),
        media: explorer.settings.serve_media,
        ledgers: explorer.ledgers.iter().map(|ledger| ledger.status().clone()).collect(),
        archives,
        public_rpcs: explorer.ledgers.iter().filter_map(public).collect(),
    };
    json(&headers, Holds::Unknown, &about)
}

/// Whether all ledgers and archives can be read. 503 where one cannot: what was read before is shown all the same.
#[utoipa::path(
    get, path = "/healthz", tag = "about",
    responses((status = 200, body = Health), (status = 503, body = Health))
)]
pub(super) async fn health(State(explorer): State<Arc<Explorer>>) -> Response {
    let ledgers = explorer.ledgers.iter().filter_map(|ledger| {
        let status = ledger.status();
        let is_well = matches!(status.state, LedgerState::Following | LedgerState::CatchingUp);
        (!is_well).then(|| format!("ledger {}: {}", status.name, status.trouble.as_deref().unwrap_or("cannot be read")))
    });
    let archives = explorer.archives.iter().filter_map(|archive| {
        let trouble = archive.reading().trouble?;
        Some(format!("archive {}: {trouble}", archive.settings.name))
    });
    let troubles: Vec<_> = ledgers.chain(archives).collect();
    let health = Health { ok: troubles.is_empty(), troubles };
    let status = if health.ok { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let body = serde_json::to_string(&health).unwrap_or_default();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

/// Prometheus text.
pub(super) async fn metrics(State(shared): State<Shared>) -> Response {
    let explorer = Arc::clone(&shared.explorer);
    // sizes and counts are asked of the disk
    let _ = tokio::task::spawn_blocking(move || crate::metrics::gather(&explorer)).await;
    let mut response = shared.scraped.map_or_else(String::new, |scraped| scraped.render()).into_response();
    let kind = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    response
}
