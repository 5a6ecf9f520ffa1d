//! What is counted of the endpoints. The label `endpoint` shows no secret part of a URL.

use metrics::counter;

use crate::{fault::Fault, metric::metrics};

metrics! {
    /// Every metric of the endpoints.
    pub const METRICS;
    Gauge RPC_UP = "rpc_up", "1 while the endpoint gave its last answer and is of the right chain.";
    Gauge RPC_HEAD_BLOCK = "rpc_head_block", "Number of the newest block that the endpoint has.";
    Gauge RPC_AGREE = "rpc_agree", "Endpoints that must give the same answer.";
    Counter RPC_ANSWERS = "rpc_answers_total", "Answers that the endpoint gave.";
    Counter RPC_ERRORS = "rpc_errors_total", "Faults of the endpoint, by kind; `dissent` is an answer that enough others contradict.";
    Counter LOG_PAGES_HALVED = "log_pages_halved_total", "Requests for logs that were too large, or failed in a way that size may cause, and were halved.";
    Histogram RPC_DURATION = "rpc_duration_seconds", "How long an RPC request took, answered or not, by endpoint.";
}

/// A request for logs is asked again for half of its blocks.
pub fn page_halved() {
    counter!(LOG_PAGES_HALVED).increment(1);
}

/// Sets the counters of one endpoint to zero, so that a rate exists from the start.
pub(crate) fn zero(endpoint: &str) {
    counter!(RPC_ANSWERS, "endpoint" => endpoint.to_owned()).increment(0);
    for &kind in Fault::KINDS {
        counter!(RPC_ERRORS, "endpoint" => endpoint.to_owned(), "kind" => kind).increment(0);
    }
}
