//! Answers with their caching.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::problem::{ApiError, Kind};

/// For how long an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Holds {
    /// Ask each time whether it does.
    Unknown,
    /// It does not change in what matters; what may is added to it rarely.
    Minutes,
    /// For ever.
    Always,
}

impl Holds {
    fn header(self) -> &'static str {
        match self {
            Self::Unknown => "no-cache",
            Self::Minutes => "public, max-age=60, stale-while-revalidate=600",
            Self::Always => "public, max-age=31536000, immutable",
        }
    }
}

/// A JSON answer, or 304 where who asks has it already.
pub(super) fn json(request: &HeaderMap, holds: Holds, body: &impl Serialize) -> Result<Response, ApiError> {
    let body = serde_json::to_vec(body).map_err(|error| {
        tracing::error!(%error, "an answer cannot be written");
        ApiError::new(Kind::Internal, "the answer cannot be written")
    })?;
    Ok(bytes(request, holds, "application/json", body))
}

/// An answer of bytes, or 304 where who asks has it already.
pub(super) fn bytes(request: &HeaderMap, holds: Holds, kind: &'static str, body: Vec<u8>) -> Response {
    let tag = format!("\"{}\"", &blake3::hash(&body).to_hex()[..32]);
    tagged(request, holds, kind, &tag, body)
}

/// The same with a tag that is known.
pub(super) fn tagged(
    request: &HeaderMap,
    holds: Holds,
    kind: &'static str,
    tag: &str,
    body: impl Into<Body>,
) -> Response {
    let is_known = has_tag(request, tag);
    let mut response = if is_known { StatusCode::NOT_MODIFIED.into_response() } else { Response::new(body.into()) };
    let headers = response.headers_mut();
    if !is_known {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(holds.header()));
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Whether `If-None-Match` names this tag.
fn has_tag(request: &HeaderMap, tag: &str) -> bool {
    let named = request.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut named = named.flat_map(|value| value.split(',')).map(str::trim);
    named.any(|named| named == "*" || named.strip_prefix("W/").unwrap_or(named) == tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_it_already_is_told_so() {
        let mut request = HeaderMap::new();
        let first = json(&request, Holds::Always, &1).unwrap();
        assert_eq!(first.status(), StatusCode::OK);
        let tag = first.headers()[header::ETAG].clone();
        request.insert(header::IF_NONE_MATCH, format!("\"x\", W/{}", tag.to_str().unwrap()).parse().unwrap());
        let again = json(&request, Holds::Always, &1).unwrap();
        assert_eq!((again.status(), &again.headers()[header::ETAG]), (StatusCode::NOT_MODIFIED, &tag));
        assert_eq!(json(&request, Holds::Always, &2).unwrap().status(), StatusCode::OK);
    }
}
