//! A transport that measures: how long each request took, and how it failed.

use std::{
    task::{Context, Poll},
    time::Instant,
};

use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{RpcError, TransportError, TransportErrorKind, TransportFut},
};
use metrics::{counter, histogram};
use tower::Service;

use crate::metrics::{RPC_DURATION, RPC_ERRORS, zero_endpoint};

/// Measures what passes through it, under the name of one endpoint.
#[derive(Clone, Debug)]
pub struct Metered<T> {
    inner: T,
    endpoint: String,
}

impl<T> Metered<T> {
    /// Measures `inner`. `endpoint` is shown to whoever reads the metrics: it must hold no secret.
    pub fn new(inner: T, endpoint: String) -> Self {
        zero_endpoint(&endpoint);
        Self { inner, endpoint }
    }
}

impl<T> Service<RequestPacket> for Metered<T>
where
    T: Service<RequestPacket, Response = ResponsePacket, Error = TransportError, Future = TransportFut<'static>>,
{
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        let answer = self.inner.call(request);
        let endpoint = self.endpoint.clone();
        Box::pin(async move {
            let begun = Instant::now();
            let answer = answer.await;
            histogram!(RPC_DURATION, "endpoint" => endpoint.clone()).record(begun.elapsed());
            if let Some(kind) = failure(&answer) {
                counter!(RPC_ERRORS, "endpoint" => endpoint, "kind" => kind).increment(1);
            }
            answer
        })
    }
}

/// How a request failed: one of [`crate::metrics::RPC_ERROR_KINDS`].
fn failure(answer: &Result<ResponsePacket, TransportError>) -> Option<&'static str> {
    match answer {
        Ok(packet) => packet.is_error().then_some("refused"),
        Err(RpcError::ErrorResp(_)) => Some("refused"),
        Err(RpcError::Transport(
            TransportErrorKind::HttpError(_) | TransportErrorKind::HttpErrorWithRetryAfter { .. },
        )) => Some("status"),
        Err(RpcError::DeserError { .. } | RpcError::SerError(_) | RpcError::NullResp) => Some("decode"),
        Err(_) => Some("transport"),
    }
}
