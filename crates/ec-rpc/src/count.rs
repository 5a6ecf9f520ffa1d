//! What is counted of endpoints, through the `metrics` facade. Without a recorder all of it does nothing.

use metrics::counter;

use crate::fault::Fault;

/// How long a request took.
pub const RPC_DURATION: &str = "ec_witness_rpc_duration_seconds";
/// Answers that an endpoint gave.
pub const RPC_ANSWERS: &str = "ec_witness_rpc_answers_total";
/// Faults of an endpoint, by kind.
pub const RPC_ERRORS: &str = "ec_witness_rpc_errors_total";

/// Sets the counters of one endpoint to zero. `endpoint` shows no secret part of its URL.
pub(crate) fn zero(endpoint: &str) {
    counter!(RPC_ANSWERS, "endpoint" => endpoint.to_owned()).increment(0);
    for &kind in Fault::KINDS {
        counter!(RPC_ERRORS, "endpoint" => endpoint.to_owned(), "kind" => kind).increment(0);
    }
}
