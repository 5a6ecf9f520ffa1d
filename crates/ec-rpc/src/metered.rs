//! A transport that measures how long each request takes. How it went is the endpoint's [health](crate::Health).

use std::{
    task::{Context, Poll},
    time::Instant,
};

use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{TransportError, TransportFut},
};
use metrics::histogram;
use tower::Service;

use crate::count::RPC_DURATION;

/// Measures what passes through it, under the name of one endpoint.
#[derive(Clone, Debug)]
pub(crate) struct Metered<T> {
    inner: T,
    endpoint: String,
}

impl<T> Metered<T> {
    /// Measures `inner`. `endpoint` is shown to whoever reads the metrics: it must hold no secret.
    pub(crate) fn new(inner: T, endpoint: String) -> Self {
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
            histogram!(RPC_DURATION, "endpoint" => endpoint).record(begun.elapsed());
            answer
        })
    }
}
