//! Errors as RFC 9457 has them.

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{model::Problem, store::StoreError};

/// What every kind of problem begins with.
const KINDS: &str = "urn:every-channel:problem:";

/// An answer that is a problem.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ApiError(pub(super) Problem);

/// The kinds of problems.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(super) enum Kind {
    /// A parameter that is none, or has no such value.
    BadParameter,
    /// No such path.
    NotFound,
    /// No such ledger.
    UnknownLedger,
    /// No such archive.
    UnknownArchive,
    /// No such stream.
    UnknownStream,
    /// No such slot.
    UnknownSlot,
    /// No such witness.
    UnknownWitness,
    /// No archive here has these bytes.
    UnknownSegment,
    /// There is none to show.
    NoProof,
    /// Media are not served here.
    NotServed,
    /// A range that the object does not have.
    BadRange,
    /// Another method than GET.
    MethodNotAllowed,
    /// Too many streams of events.
    TooManyStreams,
    /// Too many requests.
    Busy,
    /// A bug, or a database that cannot be read.
    Internal,
}

impl Kind {
    fn status(self) -> StatusCode {
        match self {
            Self::BadParameter => StatusCode::BAD_REQUEST,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRange => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooManyStreams | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            _ => StatusCode::NOT_FOUND,
        }
    }

    fn title(self) -> &'static str {
        match self {
            Self::BadParameter => "a parameter cannot be used",
            Self::NotFound => "there is nothing at this path",
            Self::UnknownLedger => "no such ledger is followed here",
            Self::UnknownArchive => "no such archive is read here",
            Self::UnknownStream => "no such stream is known here",
            Self::UnknownSlot => "no such slot is known here",
            Self::UnknownWitness => "no such witness is known here",
            Self::UnknownSegment => "no archive here has these bytes",
            Self::NoProof => "there is no proof to show",
            Self::NotServed => "media are not served here",
            Self::BadRange => "the object has no such range",
            Self::MethodNotAllowed => "only GET is answered here",
            Self::TooManyStreams => "too many streams of events are open",
            Self::Busy => "too much is asked at once",
            Self::Internal => "the explorer cannot answer",
        }
    }
}

impl ApiError {
    /// A problem of this kind, and what it is here.
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        let word: &str = kind.into();
        Self(Problem {
            kind: format!("{KINDS}{word}"),
            title: kind.title().to_owned(),
            status: kind.status().as_u16(),
            detail: detail.into(),
            parameter: None,
        })
    }

    /// A parameter that cannot be used.
    pub(super) fn parameter(name: &str, detail: impl Into<String>) -> Self {
        let Self(problem) = Self::new(Kind::BadParameter, detail);
        Self(Problem { parameter: Some(name.to_owned()), ..problem })
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Busy => Self::new(Kind::Busy, "try again in a moment"),
            error => {
                tracing::error!(%error, "a question could not be answered");
                Self::new(Kind::Internal, "its database could not be read; the log says why")
            }
        }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let body = serde_json::to_string(&self.0).unwrap_or_default();
        let mut response = (status, [(header::CONTENT_TYPE, "application/problem+json")], body).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        match status {
            StatusCode::SERVICE_UNAVAILABLE => _ = headers.insert(header::RETRY_AFTER, HeaderValue::from_static("2")),
            StatusCode::METHOD_NOT_ALLOWED => _ = headers.insert(header::ALLOW, HeaderValue::from_static("GET, HEAD")),
            _ => {}
        }
        response
    }
}
