//! What several paths share.

use std::sync::Arc;

use alloy::primitives::B256;
use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use ec_observation::StreamHash;

use super::{
    params::{self, Params},
    problem::{ApiError, Kind},
};
use crate::{
    clock::now_ms,
    state::{Explorer, Ledger},
    store::{Reader, StreamRow},
};

/// A day, milliseconds.
pub(super) const DAY_MS: u64 = 86_400_000;
/// Items on a page, at most.
pub(super) const MOST_ITEMS: u64 = 500;
/// Items on a page, where nothing else is asked for.
pub(super) const ITEMS: u64 = 100;

/// The part of a path that is chosen by who asks.
#[derive(Debug)]
pub(super) struct Chosen(pub(super) String);

impl<S: Send + Sync> FromRequestParts<S> for Chosen {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let path = Path::<String>::from_request_parts(parts, state).await;
        path.map(|Path(text)| Self(text)).map_err(|_| ApiError::parameter("path", "the path is not UTF-8"))
    }
}

impl Chosen {
    /// It as a hash.
    pub(super) fn hash(&self, name: &str) -> Result<B256, ApiError> {
        params::hash(name, &self.0)
    }
}

impl Explorer {
    /// The ledger that is meant.
    pub(super) fn asked(&self, params: &mut Params) -> Result<Arc<Ledger>, ApiError> {
        match params.short("ledger", 64)? {
            None => Ok(Arc::clone(&self.ledgers[0])),
            Some(name) => {
                let found = self.ledgers.iter().find(|ledger| ledger.settings.name == name);
                found.cloned().ok_or_else(|| {
                    let mut error = ApiError::new(Kind::UnknownLedger, format!("{name:?} is none of those of /api/v1"));
                    error.0.parameter = Some("ledger".to_owned());
                    error
                })
            }
        }
    }
}

/// A stream that must be known.
pub(super) fn known_stream(reader: &Reader<'_>, hash: B256) -> Result<StreamRow, ApiError> {
    let found = reader.stream(StreamHash(hash))?;
    found.ok_or_else(|| ApiError::new(Kind::UnknownStream, format!("{hash:#x}; /api/v1/streams lists them")))
}

/// A stretch of time, as far as it was given.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    from: Option<u64>,
    to: Option<u64>,
}

impl Asked {
    /// From the parameters `from` and `to`.
    pub(super) fn of(params: &mut Params) -> Result<Self, ApiError> {
        let asked = Self { from: params.time("from")?, to: params.time("to")? };
        match (asked.from, asked.to) {
            (Some(from), Some(to)) if from >= to => {
                Err(ApiError::parameter("to", format!("to is {to}, and must be after from, which is {from}")))
            }
            _ => Ok(asked),
        }
    }

    /// Whether neither bound is given.
    pub(super) fn is_open(self) -> bool {
        self.from.is_none() && self.to.is_none()
    }

    /// Without bounds where none are given.
    pub(super) fn open(self) -> (u64, u64) {
        (self.from.unwrap_or_default(), self.to.unwrap_or(u64::MAX >> 1))
    }

    /// By default the day before now, or before what is newest of all where that is older.
    pub(super) fn day(self, reader: &Reader<'_>) -> Result<(u64, u64), ApiError> {
        let to = match self.to {
            Some(to) => to,
            None => {
                let (now, newest) = (now_ms(), reader.newest_ms()?);
                let is_recent = newest.is_none_or(|newest| newest.saturating_add(DAY_MS) > now);
                let end = if is_recent { now } else { newest.unwrap_or_default().saturating_add(1) };
                end.max(self.from.unwrap_or_default().saturating_add(1))
            }
        };
        Ok((self.from.unwrap_or(to.saturating_sub(DAY_MS)), to))
    }

    /// Both of them, at most so far apart.
    pub(super) fn bounded(self, most_ms: u64) -> Result<(u64, u64), ApiError> {
        let (Some(from), Some(to)) = (self.from, self.to) else {
            return Err(ApiError::parameter("from", "from and to must both be given here"));
        };
        if to - from > most_ms {
            return Err(ApiError::parameter(
                "to",
                format!("from and to are {} ms apart, at most {most_ms} are answered", to - from),
            ));
        }
        Ok((from, to))
    }
}

/// The time and the number that a cursor holds.
pub(super) fn cursor(params: &mut Params) -> Result<Option<(u64, i64)>, ApiError> {
    let Some(text) = params.short("cursor", 64)? else { return Ok(None) };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let parsed = text.split_once('-').filter(|(ms, id)| digits(ms) && digits(id));
    let parsed = parsed.and_then(|(ms, id)| Some((ms.parse().ok()?, id.parse().ok()?)));
    parsed.map(Some).ok_or_else(|| ApiError::parameter("cursor", "cursor must be what a page's next says"))
}
