//! The ways in which a request goes wrong.

use std::time::Duration;

use serde_json::{Value, json};

/// What a request meets instead of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The connection closes; the node never hears of it.
    DropRequest,
    /// The node does it; the connection closes instead of the answer.
    DropReply,
    /// The same with a TCP reset; the node never hears of it.
    Reset,
    /// Never an answer, the connection stays; the node never hears of it.
    Hang,
    /// The node does it; never an answer.
    HangReply,
    /// HTTP 429, with `Retry-After` in seconds where given.
    RateLimited(Option<u64>),
    /// An HTTP status, empty but for its number.
    Status(u16),
    /// HTTP 502 with a web page.
    BadGateway,
    /// HTTP 200 with a web page.
    Html,
    /// The node does it; half of its JSON, well framed.
    HalfJson,
    /// The node does it; half of the bytes that the head promised, then the end.
    CutBody,
    /// Bytes that are no text.
    Garbage,
    /// The node does it; the answer's bytes come spread over this time.
    Slow(Duration),
    /// A JSON-RPC error; the node never hears of it.
    Refuse(i64, &'static str),
    /// The node does it; a JSON-RPC error all the same.
    RefuseAfter(i64, &'static str),
}

impl Fault {
    /// geth's words for a transaction it has.
    pub const ALREADY_KNOWN: Self = Self::RefuseAfter(-32000, "already known");
    /// geth's words for a used nonce.
    pub const NONCE_TOO_LOW: Self = Self::Refuse(-32000, "nonce too low: next nonce 9, tx nonce 8");
    /// geth's words for a replacement that pays too little more.
    pub const UNDERPRICED: Self = Self::Refuse(-32000, "replacement transaction underpriced");
    /// geth's words for an empty account.
    pub const INSUFFICIENT_FUNDS: Self =
        Self::Refuse(-32000, "insufficient funds for gas * price + value: balance 0, tx cost 1, overshot 1");

    /// The name that counts it.
    pub fn name(self) -> &'static str {
        match self {
            Self::DropRequest => "drop_request",
            Self::DropReply => "drop_reply",
            Self::Reset => "reset",
            Self::Hang => "hang",
            Self::HangReply => "hang_reply",
            Self::RateLimited(_) => "rate_limited",
            Self::Status(_) => "status",
            Self::BadGateway => "bad_gateway",
            Self::Html => "html",
            Self::HalfJson => "half_json",
            Self::CutBody => "cut_body",
            Self::Garbage => "garbage",
            Self::Slow(_) => "slow",
            Self::Refuse(..) => "refuse",
            Self::RefuseAfter(..) => "refuse_after",
        }
    }

    /// Whether the node gets the request all the same.
    pub(super) fn reaches_the_node(self) -> bool {
        use Fault::{CutBody, DropReply, HalfJson, HangReply, RefuseAfter, Slow};
        matches!(self, DropReply | HangReply | HalfJson | CutBody | Slow(_) | RefuseAfter(..))
    }

    /// The error object that takes the answer's place; `None` for a fault of the whole HTTP exchange.
    pub(super) fn error(self) -> Option<Value> {
        match self {
            Self::Refuse(code, message) | Self::RefuseAfter(code, message) => Some(error(code, message)),
            _ => None,
        }
    }
}

/// A JSON-RPC error object.
pub(super) fn error(code: i64, message: &str) -> Value {
    json!({ "code": code, "message": message })
}
