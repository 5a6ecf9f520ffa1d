//! Why an endpoint gave no answer, and why endpoints together did not.

use std::{error::Error, io, time::Duration};

use alloy::transports::{RpcError, TransportError, TransportErrorKind, http::reqwest};
use strum::{IntoStaticStr, VariantNames};

/// Why one endpoint gave no usable answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum Fault {
    /// Nothing, or not all, came within the timeout.
    #[error("no answer in time")]
    Timeout,
    /// Nobody listens there.
    #[error("connection refused")]
    Refused,
    /// The connection ended before the answer.
    #[error("connection closed before the answer")]
    Reset,
    /// The host's name is unknown.
    #[error("its name cannot be resolved")]
    Dns,
    /// No connection for another reason, such as TLS.
    #[error("no connection: {0}")]
    Connect(String),
    /// Another HTTP status than success.
    #[error("HTTP status {status}{}", said(.body))]
    #[strum(serialize = "http_status")]
    Http {
        /// The status.
        status: u16,
        /// What came with it, fit to be shown.
        body: String,
    },
    /// It sends elsewhere, which would make another request of this one.
    #[error("it redirects to {0}: set rpc to where that leads")]
    Redirect(String),
    /// Too many requests, by HTTP status or by JSON-RPC error.
    #[error("rate limited")]
    RateLimited {
        /// How long to leave it alone, where it says so.
        retry_after: Option<Duration>,
    },
    /// The answer is no JSON-RPC.
    #[error("the answer is not JSON-RPC{}", said(.0))]
    NotJson(String),
    /// The answer ends too early.
    #[error("the answer is cut short")]
    Truncated,
    /// A JSON-RPC error.
    #[error("{message} (code {code})")]
    #[strum(serialize = "rpc_error")]
    Rpc {
        /// Its code.
        code: i64,
        /// Its words.
        message: String,
    },
    /// The answer is not one that the request can have.
    #[error("unusable answer: {0}")]
    Unusable(String),
    /// The node is not up to date yet.
    #[error("syncing")]
    Syncing,
    /// The endpoint is of another chain.
    #[error("it serves chain {0}")]
    WrongChain(u64),
    /// The answer differs from what enough others agreed on.
    #[error("it differs from the others")]
    Dissent,
}

impl Fault {
    /// A stable label for metrics.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// Every label that [`Self::kind`] gives.
    pub const KINDS: &'static [&'static str] = Self::VARIANTS;

    /// Whether the endpoint is to be left alone for a while. A JSON-RPC error shows that it works.
    pub(crate) fn calls_for_rest(&self) -> bool {
        !matches!(self, Self::Rpc { .. } | Self::Syncing | Self::Dissent)
    }

    /// Whether the request is asked once more at once: a connection or an answer was spoilt, which may not happen again.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Reset | Self::NotJson(_) | Self::Truncated | Self::Http { status: 500.., .. })
    }

    /// Whether too large a request or answer may be the cause: the node's own refusal, a timeout, or what stands before the
    /// node, which gives up with a status of its own, a page of HTML, half an answer or none.
    fn may_be_size(&self) -> bool {
        matches!(
            self,
            Self::Rpc { .. }
                | Self::Timeout
                | Self::Reset
                | Self::Truncated
                | Self::NotJson(_)
                | Self::Http { status: 400 | 408 | 413 | 500.., .. }
        )
    }

    /// How long the endpoint asks to be left alone, up to a bound: no answer may silence a witness for good.
    pub(crate) fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::RateLimited { retry_after } => retry_after.map(|wait| wait.min(LONGEST_WAIT)),
            _ => None,
        }
    }
}

impl From<TransportError> for Fault {
    fn from(error: TransportError) -> Self {
        match error {
            RpcError::ErrorResp(refusal) if is_rate_limit(refusal.code, &refusal.message) => {
                let data = refusal.data.as_ref().and_then(|data| stated_wait(data.get()));
                Self::RateLimited { retry_after: data.or_else(|| asked_wait(&refusal.message)) }
            }
            RpcError::ErrorResp(refusal) => Self::Rpc { code: refusal.code, message: refusal.message.into_owned() },
            RpcError::DeserError { err, .. } if err.is_eof() => Self::Truncated,
            RpcError::DeserError { err, .. } if err.is_data() => Self::Unusable(without_content(&err.to_string())),
            RpcError::DeserError { text, .. } => Self::NotJson(text),
            RpcError::NullResp => Self::Unusable("null".into()),
            RpcError::Transport(kind) => of_transport(&kind),
            other => Self::Unusable(other.to_string()),
        }
    }
}

impl From<alloy::contract::Error> for Fault {
    fn from(error: alloy::contract::Error) -> Self {
        match error {
            alloy::contract::Error::TransportError(error) => error.into(),
            other => Self::Unusable(other.to_string()),
        }
    }
}

fn of_transport(kind: &TransportErrorKind) -> Fault {
    match kind {
        TransportErrorKind::HttpError(error) if error.status == 429 => Fault::RateLimited { retry_after: None },
        TransportErrorKind::HttpError(error) => Fault::Http { status: error.status, body: error.body.clone() },
        TransportErrorKind::HttpErrorWithRetryAfter { retry_after, .. } => {
            Fault::RateLimited { retry_after: Some(*retry_after) }
        }
        TransportErrorKind::Custom(error) => match error.downcast_ref::<reqwest::Error>() {
            Some(error) => of_http(error),
            None => match error.downcast_ref::<NotJsonRpc>() {
                Some(NotJsonRpc(said)) => Fault::NotJson(said.clone()),
                None => Fault::Connect(error.to_string()),
            },
        },
        other => Fault::Unusable(other.to_string()),
    }
}

/// JSON that is no JSON-RPC, as gateways have it that know none.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct NotJsonRpc(pub(crate) String);

/// Why an answer cannot be decoded, without what it says itself: that may be anything, and a secret that it echoes.
fn without_content(why: &str) -> String {
    match (why.find('"'), why.rfind('"')) {
        (Some(first), Some(last)) if first < last => format!("{}\"…\"{}", &why[..first], &why[last + 1..]),
        _ => why.to_owned(),
    }
}

/// Words that end a sentence.
fn said(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(": {words}") }
}

fn of_http(error: &reqwest::Error) -> Fault {
    let causes = || std::iter::successors(error.source(), |cause| (*cause).source());
    let io = causes().find_map(|cause| cause.downcast_ref::<io::Error>()).map(io::Error::kind);
    let says = |words: &str| causes().any(|cause| cause.to_string().contains(words));
    match io {
        _ if error.is_redirect() => {
            Fault::Redirect(causes().last().map_or_else(|| "elsewhere".to_owned(), ToString::to_string))
        }
        _ if error.is_timeout() => Fault::Timeout,
        Some(io::ErrorKind::ConnectionRefused) => Fault::Refused,
        _ if error.is_connect() && says("dns error") => Fault::Dns,
        _ if error.is_body() || error.is_decode() => Fault::Truncated,
        Some(_) | None if error.is_connect() => {
            // the outer words name the URL, which may be secret
            Fault::Connect(causes().last().map_or_else(String::new, ToString::to_string))
        }
        _ => Fault::Reset,
    }
}

/// As long an endpoint is left alone at most, whatever it asks for.
const LONGEST_WAIT: Duration = Duration::from_secs(600);

/// What providers say of too many requests, in lower case: Alchemy, Infura, QuickNode, Chainstack, proxyd and others.
const RATE_LIMIT_WORDS: &[&str] = &[
    "rate limit",
    "rate-limit",
    "ratelimit",
    "rate exceeded",
    "too many request",
    "request limit",
    "request rate",
    "requests per second",
    "concurrent requests",
    "rps limit",
    "compute units",
    "credits limited",
    "throughput limit",
    "api usage limit",
    "capacity limit",
    "over capacity",
    "throttled",
    "quota",
];

/// Whether a JSON-RPC error means too many requests. Its code, -32005, does not say: some use it also for too large a
/// result.
fn is_rate_limit(code: i64, message: &str) -> bool {
    let message = message.to_lowercase();
    code == 429 || RATE_LIMIT_WORDS.iter().any(|words| message.contains(words))
}

/// How long a refusal's data asks to wait, in seconds or with a unit: as Infura and Chainstack say it, and by the names that
/// others use.
fn stated_wait(data: &str) -> Option<Duration> {
    let data: serde_json::Value = serde_json::from_str(data).ok()?;
    let fields = ["/rate/backoff_seconds", "/backoff_seconds", "/retry_after", "/retryAfter", "/try_again_in"];
    fields.iter().find_map(|field| match data.pointer(field)? {
        serde_json::Value::String(words) => stated(&words.to_lowercase()),
        seconds => Duration::try_from_secs_f64(seconds.as_f64()?).ok(),
    })
}

/// How long the body of an answer that came with another status than success asks to wait.
pub(crate) fn asked_wait_in(body: &str) -> Option<Duration> {
    let json: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    let data = json.pointer("/error/data").and_then(|data| stated_wait(&data.to_string()));
    data.or_else(|| asked_wait(json.pointer("/error/message").and_then(|message| message.as_str()).unwrap_or(body)))
}

/// How long a refusal asks to wait, where it says so in words: "try again in 1.5s", "retry in 500ms", "retry in 1m30s".
fn asked_wait(message: &str) -> Option<Duration> {
    let message = message.to_lowercase();
    let words = ["again in ", "again after ", "retry in ", "retry after ", "retry-after: "];
    let (_, wait) = words.iter().find_map(|words| message.split_once(words))?;
    stated(wait)
}

/// A duration that a text begins with, in lower case: in seconds, or with units as people and Go write them.
fn stated(text: &str) -> Option<Duration> {
    let (mut rest, mut total) = (text, None);
    loop {
        let digits = rest.find(|char: char| !(char.is_ascii_digit() || char == '.')).unwrap_or(rest.len());
        let (number, after) = rest.split_at(digits);
        let Ok(number) = number.parse::<f64>() else { break };
        let after = after.strip_prefix(' ').unwrap_or(after);
        let word = after.find(|char: char| !char.is_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(word);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" | "μs" => 1e-6,
            "ms" => 1e-3,
            unit if unit.starts_with("milli") => 1e-3,
            "m" => 60.0,
            unit if unit.starts_with("min") => 60.0,
            unit if unit.starts_with('h') => 3600.0,
            unit if unit.is_empty() || unit.starts_with('s') => 1.0,
            _ => break,
        };
        total = Some(total.unwrap_or_default() + number * seconds);
        rest = after;
    }
    Duration::try_from_secs_f64(total?).ok()
}

/// Why the endpoints together gave no answer to rely on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, IntoStaticStr, VariantNames)]
#[strum(serialize_all = "snake_case")]
#[non_exhaustive]
pub enum AskError {
    /// Fewer answered than must agree.
    #[error("{request}: {} of {needed} answers that are needed; {}", .answered, listed(.faults))]
    Unanswered {
        /// The request.
        request: &'static str,
        /// How many must agree.
        needed: usize,
        /// How many answered.
        answered: usize,
        /// What was wrong with the others, by endpoint.
        faults: Vec<(String, Fault)>,
    },
    /// Enough answered, but not alike.
    #[error("{request}: no {needed} endpoints agree; {}", listed(.answers))]
    Disagreement {
        /// The request.
        request: &'static str,
        /// How many must agree.
        needed: usize,
        /// What each answered, cut to a readable length.
        answers: Vec<(String, String)>,
    },
    /// Nobody was asked: too many endpoints are left alone after faults.
    #[error("{request}: not asked, endpoints are left alone for {} ms after faults; {}", .wait.as_millis(), listed(.faults))]
    Resting {
        /// The request.
        request: &'static str,
        /// When enough may be asked again.
        wait: Duration,
        /// The last fault of each that rests.
        faults: Vec<(String, Fault)>,
    },
    /// Fewer endpoints of the right chain are left than must agree.
    #[error("chain id: {configured} is configured, but {}", listed(.found))]
    WrongChain {
        /// The configured chain.
        configured: u64,
        /// The chains that endpoints serve instead.
        found: Vec<(String, Fault)>,
    },
}

impl AskError {
    /// A stable label for metrics.
    pub fn kind(&self) -> &'static str {
        self.into()
    }

    /// Every label that [`Self::kind`] gives.
    pub const KINDS: &'static [&'static str] = Self::VARIANTS;

    /// Whether to stop rather than to ask again.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::WrongChain { .. })
    }

    /// The faults that led to this.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        let faults = match self {
            Self::Unanswered { faults, .. } | Self::Resting { faults, .. } | Self::WrongChain { found: faults, .. } => {
                faults.as_slice()
            }
            Self::Disagreement { .. } => &[],
        };
        faults.iter().map(|(_, fault)| fault)
    }

    /// Whether a smaller answer might have come: an endpoint refused, or what it does with too large a request went wrong.
    pub fn may_be_size(&self) -> bool {
        matches!(self, Self::Unanswered { .. }) && self.faults().any(Fault::may_be_size)
    }
}

fn listed(by_endpoint: &[(String, impl std::fmt::Display)]) -> String {
    by_endpoint.iter().map(|(name, what)| format!("{name}: {what}")).collect::<Vec<_>>().join("; ")
}

#[cfg(test)]
mod tests {
    use alloy::rpc::json_rpc::ErrorPayload;
    use serde_json::json;

    use super::*;

    #[test]
    fn how_long_to_wait_is_read_wherever_it_stands() {
        let data = |data: serde_json::Value| serde_json::value::to_raw_value(&data).unwrap();
        for (words, data, ms) in [
            ("project ID request rate exceeded", Some(data(json!({"rate": {"backoff_seconds": 30}}))), Some(30_000)),
            ("rate limit exceeded, try again in 1.5s", None, Some(1500)),
            ("Too many requests, retry in 250ms", None, Some(250)),
            ("rate limit: please retry after 2 seconds", None, Some(2000)),
            ("rate limit: try again in 3 minutes", None, Some(180_000)),
            ("rate limit exceeded, retry in 1m30s", None, Some(90_000)),
            ("rate limit: try again in 1h0m0.5s", None, Some(3_600_500)),
            ("Too many requests. Try again after 60 seconds.", None, Some(60_000)),
            ("rate limited; Retry-After: 5", None, Some(5000)),
            (
                "You've exceeded the RPS limit available on the current plan.",
                Some(data(json!({"try_again_in": "250ms"}))),
                Some(250),
            ),
            ("rate limit", Some(data(json!({"try_again_in": 1.5}))), Some(1500)),
            ("rate limit: retry in 3x", None, None),
            ("too many requests: try again in a while", None, None),
            ("rate limit: try again in 1e99s", None, None),
        ] {
            let fault =
                Fault::from(TransportError::ErrorResp(ErrorPayload { code: -32005, message: words.into(), data }));
            assert_eq!(fault, Fault::RateLimited { retry_after: ms.map(Duration::from_millis) }, "{words}");
        }
        let for_ever = Fault::RateLimited { retry_after: Some(Duration::MAX) };
        assert_eq!(for_ever.retry_after(), Some(LONGEST_WAIT));
    }

    #[test]
    fn statuses_that_size_may_cause_are_told_from_others() {
        // 52x are Cloudflare's: 524 for an origin that takes too long
        for (status, may_be) in [400, 408, 413, 500, 502, 503, 504, 520, 522, 524]
            .map(|status| (status, true))
            .into_iter()
            .chain([401, 402, 403, 404, 410].map(|status| (status, false)))
        {
            assert_eq!(Fault::Http { status, body: String::new() }.may_be_size(), may_be, "{status}");
        }
    }

    #[test]
    fn an_answer_that_cannot_be_decoded_is_not_repeated() {
        let why = |json: &str| {
            let err = serde_json::from_str::<u64>(json).unwrap_err();
            Fault::from(TransportError::DeserError { err, text: json.into() }).to_string()
        };
        let said = why(r#""no such \"key\" 0a1b2c3d4e5f""#);
        assert!(said.starts_with("unusable answer: invalid type: string \"…\", expected u64 at "), "{said}");
        assert!(why("[7]").starts_with("unusable answer: invalid type: sequence, expected u64 at "), "{}", why("[7]"));
    }

    #[test]
    fn too_many_requests_are_told_from_too_large_a_result_by_the_words() {
        for (provider, code, words, is_limit) in [
            ("alchemy", 429, "Your app has exceeded its compute units per second capacity", true),
            ("any", 429, "slow down", true),
            ("infura", -32005, "daily request count exceeded, request rate limited", true),
            ("infura", -32005, "project ID request rate exceeded", true),
            ("chainstack", -32005, "You've exceeded the RPS limit available on the current plan.", true),
            ("quicknode", -32007, "50/second request limit reached - reduce calls per second", true),
            ("quicknode", -32012, "credits limited to 6000/sec", true),
            ("quicknode", -32003, "daily request limit reached - upgrade your account", true),
            ("alchemy", 429, "Monthly capacity limit exceeded.", true),
            ("proxyd", -32016, "over rate limit", true),
            ("proxyd", -32012, "backend is over capacity", true),
            ("ankr", -32029, "Too many requests, reason: call rate limit exhausted", true),
            ("nodereal", -32005, "You have reached the maximum API usage limit of public.", true),
            ("any", -32000, "too many request, try again later", true),
            ("any", -32000, "request throttled", true),
            ("any", -32000, "monthly quota exceeded", true),
            ("besu", -32005, "Requested range exceeds maximum RPC range limit", false),
            ("alchemy", -32602, "Log response size exceeded. this block range should work: [0x0, 0xd043b8]", false),
            ("proxyd", -32020, "backend response too large", false),
            ("cloudflare", -32047, "Invalid eth_getLogs request. range too large. Max range: 800", false),
            ("drpc", 35, "ranges over 10000 blocks are not supported on freetier", false),
            ("chainstack", -32602, "Block range limit exceeded. See more details at their pages", false),
            ("infura", -32005, "query returned more than 10000 results", false),
            ("any", -32005, "limit exceeded", false),
            ("geth", -32000, "exceeds block gas limit", false),
        ] {
            let error = ErrorPayload { code, message: words.into(), data: None };
            let fault = Fault::from(TransportError::ErrorResp(error));
            let expected = if is_limit {
                Fault::RateLimited { retry_after: None }
            } else {
                Fault::Rpc { code, message: words.into() }
            };
            assert_eq!(fault, expected, "{provider}: {words}");
        }
    }
}
