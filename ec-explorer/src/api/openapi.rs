//! The OpenAPI document, made from the code.

use axum::{http::HeaderMap, response::Response};
use utoipa::OpenApi;

use super::{
    about,
    answer::{Holds, bytes},
    events, media, segments, slots, streams, witnesses,
};
use crate::model;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "ec-explorer",
        description = "What was broadcast, who says so, and how anyone can check it.",
        license(name = "MIT OR Apache-2.0", identifier = "MIT OR Apache-2.0"),
    ),
    paths(
        about::about,
        about::health,
        streams::list,
        streams::one,
        streams::strip,
        streams::sessions,
        media::groups,
        slots::list,
        slots::one,
        slots::records,
        witnesses::list,
        witnesses::one,
        segments::one,
        segments::proof,
        events::events,
    ),
    components(schemas(
        model::Problem,
        model::LedgerStatus,
        model::CandidateEvent,
        model::VoteEvent,
        model::FinalEvent,
        model::FinalizedEvent,
        model::ReorgEvent,
        model::ArchiveEvent,
    ))
)]
struct Document;

/// The document, as JSON.
pub fn document() -> String {
    let mut document = Document::openapi();
    document.info.version = env!("CARGO_PKG_VERSION").to_owned();
    document.to_pretty_json().unwrap_or_default() + "\n"
}

pub(super) async fn serve(headers: HeaderMap) -> Response {
    bytes(&headers, Holds::Unknown, "application/json", document().into_bytes())
}
