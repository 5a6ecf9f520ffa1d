//! The HTTP interface: what [`model`](crate::model) describes.

mod about;
mod answer;
mod common;
mod events;
mod media;
mod mp4;
mod openapi;
mod page;
mod params;
mod problem;
mod segments;
mod slots;
mod streams;
mod witnesses;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{FromRef, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, header},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse, Response},
    routing::get,
};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::sync::CancellationToken;

pub use openapi::document;

use self::{
    problem::{ApiError, Kind},
    witnesses::Counted,
};
use crate::{
    metrics::{Scraped, count_request},
    state::Explorer,
};

/// How long a request may wait for its turn.
const TURN: Duration = Duration::from_secs(2);
/// How long a request that is being answered may go on after the stop was asked for.
const DRAIN: Duration = Duration::from_secs(5);

/// What handlers share.
#[derive(Clone, Debug)]
struct Shared {
    explorer: Arc<Explorer>,
    scraped: Option<Scraped>,
    /// Requests that may be answered at once.
    requests: Arc<Semaphore>,
    /// Streams of events that may still be opened.
    event_streams: Arc<Semaphore>,
    counted: Arc<Counted>,
}

impl FromRef<Shared> for Arc<Explorer> {
    fn from_ref(shared: &Shared) -> Self {
        Self::clone(&shared.explorer)
    }
}

/// Serves until it is to stop.
///
/// # Errors
///
/// The listener fails.
pub async fn serve(
    listener: TcpListener,
    explorer: Arc<Explorer>,
    scraped: Option<Scraped>,
    stop: CancellationToken,
) -> std::io::Result<()> {
    let requests = Arc::new(Semaphore::new(explorer.settings.max_requests));
    let event_streams = Arc::new(Semaphore::new(explorer.settings.max_event_streams));
    let shared = Shared { explorer, scraped, requests, event_streams, counted: Arc::default() };
    let stopped = stop.clone();
    let serving =
        axum::serve(listener, routes(shared)).with_graceful_shutdown(async move { stopped.cancelled().await });
    let serving = serving.into_future();
    // streams of events never end by themselves
    let drained = async {
        stop.cancelled().await;
        tokio::time::sleep(DRAIN).await;
    };
    tokio::select! {
        served = serving => served,
        () = drained => Ok(()),
    }
}

fn routes(shared: Shared) -> Router {
    let api = Router::new()
        .route("/api/v1", get(about::about))
        .route("/api/v1/openapi.json", get(openapi::serve))
        .route("/api/v1/streams", get(streams::list))
        .route("/api/v1/streams/{stream}", get(streams::one))
        .route("/api/v1/streams/{stream}/strip", get(streams::strip))
        .route("/api/v1/streams/{stream}/sessions", get(streams::sessions))
        .route("/api/v1/streams/{stream}/groups", get(media::groups))
        .route("/api/v1/streams/{stream}/slots", get(slots::list))
        .route("/api/v1/slots/{slot}", get(slots::one))
        .route("/api/v1/slots/{slot}/records", get(slots::records))
        .route("/api/v1/witnesses", get(witnesses::list))
        .route("/api/v1/witnesses/{witness}", get(witnesses::one))
        .route("/api/v1/segments/{blake3}", get(segments::one))
        .route("/api/v1/proof", get(segments::proof))
        .route("/api/v1/events", get(events::events))
        .layer(from_fn(for_all));
    let media = Router::new()
        .route("/media/objects/{blake3}", get(media::object))
        .route("/media/streams/{stream}/playlist.m3u8", get(media::playlist))
        .route("/media/streams/{stream}/init.mp4", get(media::init))
        .layer(from_fn(for_all));
    Router::new()
        .merge(api)
        .merge(media)
        .route_layer(from_fn_with_state(shared.clone(), in_turn))
        // a monitor is answered however much is asked
        .route("/healthz", get(about::health))
        .route("/metrics", get(about::metrics))
        .fallback_service(get(page::file).fallback(only_get).with_state(shared.clone()))
        .method_not_allowed_fallback(only_get)
        .layer(from_fn(with_headers))
        .with_state(shared)
}

async fn only_get() -> ApiError {
    ApiError::new(Kind::MethodNotAllowed, "ask with GET; nothing can be changed here")
}

/// At most so many are answered at once; others wait for a moment. Each is counted.
async fn in_turn(State(shared): State<Shared>, path: MatchedPath, request: Request, next: Next) -> Response {
    let began = std::time::Instant::now();
    let waited = tokio::time::timeout(TURN, shared.requests.acquire()).await;
    let response = match waited {
        Ok(Ok(_permit)) => next.run(request).await,
        _ => ApiError::new(Kind::Busy, "too many requests at once; try again in a moment").into_response(),
    };
    count_request(path.as_str(), response.status().as_u16(), began.elapsed());
    response
}

/// Other sites may ask, too.
async fn for_all(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    open_to_all(response.headers_mut());
    response
}

fn open_to_all(headers: &mut HeaderMap) {
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
    let exposed = HeaderValue::from_static("ETag, Content-Range, Retry-After");
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    headers.insert(CROSS_ORIGIN_RESOURCE_POLICY, HeaderValue::from_static("cross-origin"));
}

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName = HeaderName::from_static("cross-origin-resource-policy");

/// What every answer tells browsers.
async fn with_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
        (HeaderName::from_static("permissions-policy"), "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ] {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    response
}
