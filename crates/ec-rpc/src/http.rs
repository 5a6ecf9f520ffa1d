//! The HTTP transport. As alloy's, which leaves out what stands beside a JSON-RPC error: that the status is 429, and the
//! `Retry-After`, of which it knows no dates.

use std::{
    task::{Context, Poll},
    time::{Duration, SystemTime},
};

use alloy::{
    rpc::json_rpc::{RequestPacket, ResponsePacket},
    transports::{
        TransportError, TransportErrorKind, TransportFut,
        http::reqwest::{
            self, StatusCode,
            header::{DATE, HeaderMap, RETRY_AFTER},
        },
    },
};
use tower::Service;
use url::Url;

use crate::fault::{NotJsonRpc, asked_wait_in};

/// Asks one URL.
#[derive(Clone, Debug)]
pub(crate) struct Http {
    client: reqwest::Client,
    url: Url,
}

impl Http {
    /// Asks `url` by this client.
    pub(crate) fn new(client: reqwest::Client, url: Url) -> Self {
        Self { client, url }
    }

    async fn ask(self, request: RequestPacket) -> Result<ResponsePacket, TransportError> {
        let asked = self.client.post(self.url).json(&request).headers(request.headers());
        let answer = asked.send().await.map_err(TransportErrorKind::custom)?;
        let (status, wait) = (answer.status(), wait(answer.headers(), SystemTime::now()));
        let failed = |body: String| {
            // of what failed otherwise, words tell of its cause at best
            let is_limited = status == StatusCode::TOO_MANY_REQUESTS;
            let wait = wait.or_else(|| asked_wait_in(&body).filter(|_| is_limited));
            TransportErrorKind::http_error_with_retry_after(status.as_u16(), body, wait)
        };
        let body = match answer.bytes().await {
            Ok(body) => body,
            // what the status says is known all the same
            Err(_) if !status.is_success() => return Err(failed(String::new())),
            Err(error) => return Err(TransportErrorKind::custom(error)),
        };
        let text = || String::from_utf8_lossy(&body);
        let packet = serde_json::from_slice::<ResponsePacket>(&body);
        match packet {
            _ if status == StatusCode::TOO_MANY_REQUESTS => Err(failed(text().into_owned())),
            Ok(packet) if status.is_success() || packet.is_error() && wait.is_none() => Ok(packet),
            _ if !status.is_success() => Err(failed(text().into_owned())),
            Ok(packet) => Ok(packet),
            Err(error) if error.is_data() => Err(TransportErrorKind::custom(NotJsonRpc(text().into_owned()))),
            Err(error) => Err(TransportError::deser_err(error, text())),
        }
    }
}

impl Service<RequestPacket> for Http {
    type Response = ResponsePacket;
    type Error = TransportError;
    type Future = TransportFut<'static>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: RequestPacket) -> Self::Future {
        Box::pin(self.clone().ask(request))
    }
}

/// How long `Retry-After` asks to wait (RFC 9110 §10.2.3): seconds, or until a date, by the clock of who answered where that is
/// told.
fn wait(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let date = |text| httpdate::parse_http_date(text).ok();
    let after = text(RETRY_AFTER)?;
    if let Ok(seconds) = after.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let now = text(DATE).and_then(date).unwrap_or(now);
    Some(date(after)?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use alloy::{
        providers::{DynProvider, Provider, ProviderBuilder},
        rpc::client::RpcClient,
    };
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::fault::Fault;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = httpdate::parse_http_date("Sun, 06 Nov 1994 08:49:00 GMT").unwrap();
        for (after, date, expected) in [
            ("37", None, Some(37)),
            (" 0 ", None, Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", None, Some(37)),
            ("Sunday, 06-Nov-94 08:49:37 GMT", None, Some(37)),
            ("Sun Nov  6 08:49:37 1994", None, Some(37)),
            ("Sun, 06 Nov 1994 08:48:37 GMT", None, Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("Sun, 06 Nov 1994 08:49:30 GMT"), Some(7)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some("now"), Some(37)),
            ("-1", None, None),
            ("1.5", None, None),
            ("soon", None, None),
            ("", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, after.parse().unwrap());
            date.into_iter().for_each(|date| _ = headers.insert(DATE, date.parse().unwrap()));
            assert_eq!(wait(&headers, now), expected.map(Duration::from_secs), "{after} {date:?}");
        }
        assert_eq!(wait(&HeaderMap::new(), now), None);
    }

    /// What a provider makes of one answer.
    async fn fault(head: &'static str, body: &'static str) -> Result<u64, Fault> {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap()).parse().unwrap();
        let answering = tokio::spawn(async move {
            let (mut socket, _) = listener.accept().await.unwrap();
            let _ = socket.read(&mut [0; 4096]).await.unwrap();
            let length = body.len();
            let answer = format!("HTTP/1.1 {head}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            socket.write_all(answer.as_bytes()).await.unwrap();
        });
        let client = RpcClient::new(Http::new(reqwest::Client::new(), url), false);
        let provider: DynProvider = ProviderBuilder::default().connect_client(client).erased();
        let asked = provider.get_block_number().await;
        answering.await.unwrap();
        asked.map_err(Fault::from)
    }

    #[tokio::test]
    async fn what_stands_beside_a_json_rpc_error_counts() {
        let refusal = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"please slow down"}}"#;
        let limited = |seconds: Option<u64>| Err(Fault::RateLimited { retry_after: seconds.map(Duration::from_secs) });
        assert_eq!(fault("429 Too Many Requests\r\nretry-after: 9", refusal).await, limited(Some(9)));
        assert_eq!(fault("429 Too Many Requests", refusal).await, limited(None));
        assert_eq!(fault("429 Too Many Requests", "try again in 3s").await, limited(Some(3)));
        let stated = r#"{"jsonrpc":"2.0","id":0,"error":{"code":-32005,"message":"busy","data":{"rate":{"backoff_seconds":30}}}}"#;
        assert_eq!(fault("429 Too Many Requests", stated).await, limited(Some(30)));
        assert_eq!(fault("503 Service Unavailable\r\nretry-after: 4", refusal).await, limited(Some(4)));
        assert_eq!(fault("503 Service Unavailable\r\nretry-after: 4", "").await, limited(Some(4)));
        let dated = "429 Too Many Requests\r\ndate: Sun, 06 Nov 1994 08:49:30 GMT\r\nretry-after: Sun, 06 Nov 1994 08:49:37 GMT";
        assert_eq!(fault(dated, "slow down").await, limited(Some(7)));
        let told = |status| fault(status, refusal);
        for status in ["200 OK", "400 Bad Request", "500 Internal Server Error"] {
            assert!(matches!(told(status).await, Err(Fault::Rpc { code: -32005, .. })), "{status}");
        }
        assert!(matches!(fault("502 Bad Gateway", "<html>").await, Err(Fault::Http { status: 502, .. })));
        for page in ["<html>", r#"{"message":"Endpoint request timed out"}"#, r#"{"error":"no route"}"#, "[7]"] {
            assert_eq!(fault("200 OK", page).await, Err(Fault::NotJson(page.into())));
        }
        assert_eq!(fault("200 OK", r#"{"jsonrpc":"2.0","id":0,"result":"0x2a"}"#).await, Ok(42));
    }
}
