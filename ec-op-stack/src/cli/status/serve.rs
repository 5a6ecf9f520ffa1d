//! The status as metrics, for Prometheus to scrape.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::{Arc, RwLock},
    time::Duration,
};

use axum::{
    Router,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
    routing::get,
};
use ec_op_stack::{
    stack::Stack,
    status::{Status, exposition, judge},
};
use eyre::WrapErr;
use tokio::net::TcpListener;

/// What a scrape is answered; empty before the first look is over.
type Newest = Arc<RwLock<String>>;

/// Looks at the stack again and again, and answers scrapes with what was seen last.
pub(super) async fn serve(stack: &Stack, address: SocketAddr, interval: Duration) -> eyre::Result<()> {
    let newest = Newest::default();
    let routes = Router::new().route("/metrics", get(answer)).with_state(newest.clone());
    let listener = TcpListener::bind(address).await.wrap_err_with(|| format!("--metrics-listen {address}"))?;
    tokio::select! {
        served = axum::serve(listener, routes) => Ok(served?),
        never = look(stack, &newest, interval) => match never {},
    }
}

async fn look(stack: &Stack, newest: &Newest, interval: Duration) -> Infallible {
    let mut before = None;
    loop {
        let status = Status::gather(stack, before.as_ref()).await;
        let text = exposition(&status, &judge(stack, &status));
        if let Ok(mut newest) = newest.write() {
            *newest = text;
        }
        before = Some(status);
        tokio::time::sleep(interval).await;
    }
}

async fn answer(State(newest): State<Newest>) -> Response {
    match newest.read() {
        Ok(text) if !text.is_empty() => {
            ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text.clone()).into_response()
        }
        _ => (StatusCode::SERVICE_UNAVAILABLE, "nothing was looked at yet\n").into_response(),
    }
}
