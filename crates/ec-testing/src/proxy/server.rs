//! HTTP, as far as the faults leave it whole.

use std::{
    convert::Infallible,
    io,
    net::SocketAddr,
    sync::{Arc, mpsc},
    time::Duration,
};

use http_body_util::{BodyExt, Channel, Full, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{CONTENT_LENGTH, CONTENT_TYPE, RETRY_AFTER},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Mutex, Notify, watch},
    task::JoinSet,
};

use super::{
    fault::Fault,
    lag,
    node::{Answer, Node},
    pool::Pool,
    script::Script,
};

const PAGE: &str = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";

/// Pieces of an answer that comes slowly.
const PIECES: usize = 20;

type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What all connections share.
struct Shared {
    node: Node,
    script: Arc<Script>,
    pool: Mutex<Pool>,
}

/// Why there is no response, and the connection ends.
#[derive(Debug)]
struct Closed;

impl std::fmt::Display for Closed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("closed on purpose")
    }
}

impl std::error::Error for Closed {}

/// Listens while `listens` is true, always on the same port.
pub(super) async fn serve(
    node: Node,
    script: Arc<Script>,
    mut listens: watch::Receiver<bool>,
    tell: mpsc::Sender<SocketAddr>,
) {
    let shared = Arc::new(Shared { node, script, pool: Mutex::default() });
    let mut address = SocketAddr::from(([127, 0, 0, 1], 0));
    loop {
        let listener = TcpListener::bind(address).await.expect("the port is free");
        address = listener.local_addr().unwrap();
        let _ = tell.send(address);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => {
                    let Ok((stream, _)) = accepted else { continue };
                    connections.spawn(connection(stream, Arc::clone(&shared)));
                }
                Some(_) = connections.join_next() => {}
                changed = listens.wait_for(|listens| !listens) => match changed {
                    Ok(_) => break,
                    Err(_) => return std::future::pending().await,
                },
            }
        }
        drop((listener, connections));
        if listens.wait_for(|listens| *listens).await.is_err() {
            return;
        }
    }
}

/// One connection, until one side closes it or a fault does.
async fn connection(stream: TcpStream, shared: Arc<Shared>) {
    // the reset that a dropped socket sends instead of an end, once it is asked for
    let reset = Arc::new(Notify::new());
    let Ok(stream) = stream.into_std() else { return };
    let Ok(handle) = stream.try_clone().and_then(TcpStream::from_std) else { return };
    let Ok(stream) = TcpStream::from_std(stream) else { return };
    let service = service_fn(|request| respond(request, Arc::clone(&shared), Arc::clone(&reset)));
    tokio::select! {
        _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service) => {}
        () = reset.notified() => {
            let _ = handle.set_zero_linger();
        }
    }
}

async fn respond(
    request: Request<Incoming>,
    shared: Arc<Shared>,
    reset: Arc<Notify>,
) -> Result<Response<Body>, Closed> {
    let body = request.into_body().collect().await.map_err(|_| Closed)?.to_bytes();
    let Ok(asked) = serde_json::from_slice::<Value>(&body) else {
        return Ok(response(StatusCode::BAD_REQUEST, "text/plain", Bytes::new()));
    };
    let calls = asked.as_array().cloned().unwrap_or_else(|| vec![asked.clone()]);
    let strike = |call: &Value| shared.script.strike(call["method"].as_str().unwrap_or_default(), &call["params"]);
    let faults: Vec<_> = calls.iter().map(strike).collect();
    // a fault of the connection is one of the whole batch
    let whole = faults.iter().flatten().copied().find(|fault| fault.error().is_none());
    let mut replies = Vec::new();
    if whole.is_none_or(Fault::reaches_the_node) {
        for (call, fault) in calls.iter().zip(&faults) {
            replies.push(shared.reply(call, *fault).await.ok_or(Closed)?);
        }
    }
    let replies = if asked.is_array() { Value::Array(replies) } else { replies.pop().unwrap_or_default() };
    let json = Bytes::from(replies.to_string());
    match whole {
        None => Ok(response(StatusCode::OK, "application/json", json)),
        Some(fault) => spoil(fault, json, &reset).await,
    }
}

impl Shared {
    /// The reply to one call of a batch; `None` when the node does not answer.
    async fn reply(&self, call: &Value, fault: Option<Fault>) -> Option<Value> {
        let refused = fault.and_then(Fault::error);
        let mut reply = json!({ "jsonrpc": "2.0", "id": call["id"] });
        let answer = match refused {
            Some(error) if fault.is_some_and(|fault| !fault.reaches_the_node()) => Err(error),
            Some(error) => {
                self.answer(call).await?.ok();
                Err(error)
            }
            None => self.answer(call).await?,
        };
        match answer {
            Ok(result) => reply["result"] = result,
            Err(error) => reply["error"] = error,
        }
        Some(reply)
    }

    /// The node's answer, as far as the script lets it be true.
    async fn answer(&self, call: &Value) -> Option<Answer> {
        let method = call["method"].as_str().unwrap_or_default();
        let parameters = call["params"].clone();
        let answer = match self.script.lag() {
            _ if method == "eth_sendRawTransaction" && self.script.is_strict() => {
                self.pool.lock().await.send(&self.node, parameters.clone()).await?
            }
            Some(head) => lag::answer(&self.node, head, method, parameters.clone()).await?,
            None => self.node.ask(method, parameters.clone()).await?,
        };
        Some(answer.map(|mut result| {
            self.script.distort(method, &parameters, &mut result);
            result
        }))
    }
}

/// The response that a fault leaves of the whole exchange.
async fn spoil(fault: Fault, json: Bytes, reset: &Notify) -> Result<Response<Body>, Closed> {
    let page = |status| response(status, "text/html", Bytes::from_static(PAGE.as_bytes()));
    let half = json.slice(..json.len() / 2);
    Ok(match fault {
        Fault::DropRequest | Fault::DropReply => return Err(Closed),
        Fault::Reset => {
            reset.notify_one();
            return std::future::pending().await;
        }
        Fault::Hang | Fault::HangReply => return std::future::pending().await,
        Fault::RateLimited(after) => {
            let mut limited = response(StatusCode::TOO_MANY_REQUESTS, "text/plain", Bytes::new());
            if let Some(after) = after {
                limited.headers_mut().insert(RETRY_AFTER, after.into());
            }
            limited
        }
        Fault::Status(status) => response(StatusCode::from_u16(status).unwrap(), "text/plain", Bytes::new()),
        Fault::BadGateway => page(StatusCode::BAD_GATEWAY),
        Fault::Html => page(StatusCode::OK),
        Fault::HalfJson => response(StatusCode::OK, "application/json", half),
        Fault::CutBody => {
            pieces(json.len(), vec![Ok(half), Err(io::ErrorKind::ConnectionAborted.into())], Duration::ZERO)
        }
        Fault::Garbage => response(StatusCode::OK, "application/json", Bytes::from_static(b"\x00\xff\xfe{]\x1b")),
        Fault::Slow(over) => {
            let size = json.len().div_ceil(PIECES).max(1);
            let cut = json.chunks(size).map(|piece| Ok(Bytes::copy_from_slice(piece))).collect();
            pieces(json.len(), cut, over / PIECES as u32)
        }
        Fault::Refuse(..) | Fault::RefuseAfter(..) => unreachable!("answered in the reply"),
    })
}

fn response(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Body> {
    let body = Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync();
    Response::builder().status(status).header(CONTENT_TYPE, kind).body(body).unwrap()
}

/// A body that comes in pieces, each after a pause; an error among them ends the connection.
fn pieces(length: usize, pieces: Vec<io::Result<Bytes>>, pause: Duration) -> Response<Body> {
    let (mut tell, body) = Channel::new(1);
    tokio::spawn(async move {
        for piece in pieces {
            tokio::time::sleep(pause).await;
            match piece {
                Err(error) => return tell.abort(error),
                Ok(bytes) if tell.send_data(bytes.clone()).await.is_err() => return,
                Ok(_) => {}
            }
        }
    });
    Response::builder()
        .header(CONTENT_TYPE, "application/json")
        .header(CONTENT_LENGTH, length)
        .body(body.boxed_unsync())
        .unwrap()
}
