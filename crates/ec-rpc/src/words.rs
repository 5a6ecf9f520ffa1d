//! What endpoints say in words, fit to be shown: one line, no control characters, not too long, without the secrets that
//! they echo.

use std::task::{Context, Poll};

use alloy::{
    rpc::json_rpc::{RequestPacket, Response, ResponsePacket, ResponsePayload},
    transports::{HttpError, RpcError, TransportError, TransportErrorKind, TransportFut},
};
use tower::Service;
use url::{Url, form_urlencoded};

use crate::fault::NotJsonRpc;

/// As much is shown, characters.
const SHOWN: usize = 200;
/// A shorter part of a URL is no secret, and would be found in any text.
const SHORTEST_SECRET: usize = 6;

/// What of an endpoint's URL may be secret: user, password, the parts of its path, and the values of its query and the names
/// without one; as the URL has them, and decoded.
#[derive(Clone, Debug)]
pub(crate) struct Secrets(Vec<String>);

impl Secrets {
    pub(crate) fn of(url: &Url) -> Self {
        let path = url.path_segments().into_iter().flatten();
        let query = url.query().into_iter().flat_map(|query| query.split('&'));
        let query = query.map(|pair| pair.split_once('=').map_or(pair, |(_, value)| value));
        let user = [url.username(), url.password().unwrap_or_default()];
        let parts = path.chain(query).chain(user).flat_map(|part| [part.to_owned(), decoded(part)]);
        let mut parts: Vec<_> = parts.filter(|part| part.len() >= SHORTEST_SECRET).collect();
        // one may be a part of another
        parts.sort_by_key(|part| std::cmp::Reverse(part.len()));
        parts.dedup();
        Self(parts)
    }

    /// The words, fit to be shown.
    pub(crate) fn hide(&self, said: &str) -> String {
        let masked = self.0.iter().fold(said.to_owned(), |said, secret| said.replace(secret, "***"));
        let printable = masked.chars().map(|char| if char.is_control() { ' ' } else { char }).collect::<String>();
        let line = printable.split_whitespace().collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(SHOWN) {
            Some((end, _)) => format!("{}…", &line[..end]),
            None => line,
        }
    }
}

/// A part of a URL, percent-decoded.
fn decoded(part: &str) -> String {
    let one_name = part.replace('&', "%26").replace('=', "%3D");
    form_urlencoded::parse(one_name.as_bytes()).map(|(name, _)| name).collect()
}

/// A transport whose answers' words are fit to be shown.
#[derive(Clone, Debug)]
pub(crate) struct Worded<T> {
    inner: T,
    secrets: Secrets,
}

impl<T> Worded<T> {
    pub(crate) fn new(inner: T, secrets: Secrets) -> Self {
        Self { inner, secrets }
    }
}

impl<T> Service<RequestPacket> for Worded<T>
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
        let (answer, secrets) = (self.inner.call(request), self.secrets.clone());
        Box::pin(async move {
            match answer.await {
                Ok(packet) => Ok(of_packet(packet, &secrets)),
                Err(error) => Err(of_error(error, &secrets)),
            }
        })
    }
}

fn of_packet(mut packet: ResponsePacket, secrets: &Secrets) -> ResponsePacket {
    let hide = |response: &mut Response| {
        if let ResponsePayload::Failure(refusal) = &mut response.payload {
            refusal.message = secrets.hide(&refusal.message).into();
        }
    };
    match &mut packet {
        ResponsePacket::Single(response) => hide(response),
        ResponsePacket::Batch(responses) => responses.iter_mut().for_each(hide),
    }
    packet
}

fn of_error(error: TransportError, secrets: &Secrets) -> TransportError {
    let of_http = |HttpError { status, body }| HttpError { status, body: secrets.hide(&body) };
    match error {
        RpcError::Transport(TransportErrorKind::Custom(error)) => match error.downcast::<NotJsonRpc>() {
            Ok(said) => TransportErrorKind::custom(NotJsonRpc(secrets.hide(&said.0))),
            Err(error) => RpcError::Transport(TransportErrorKind::Custom(error)),
        },
        RpcError::ErrorResp(mut refusal) => {
            refusal.message = secrets.hide(&refusal.message).into();
            RpcError::ErrorResp(refusal)
        }
        RpcError::DeserError { err, text } => RpcError::DeserError { err, text: secrets.hide(&text) },
        RpcError::Transport(TransportErrorKind::HttpError(error)) => {
            RpcError::Transport(TransportErrorKind::HttpError(of_http(error)))
        }
        RpcError::Transport(TransportErrorKind::HttpErrorWithRetryAfter { error, retry_after }) => {
            let error = of_http(error);
            RpcError::Transport(TransportErrorKind::HttpErrorWithRetryAfter { error, retry_after })
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_one_line_without_secrets_and_not_long() {
        let url = "https://name:passphrase@node.example/v2/0a1b2c3d4e5f?key=deadbeefcafe&x=1".parse().unwrap();
        let secrets = Secrets::of(&url);
        let said = "no\tsuch key\r\n\u{1b}[31m 0a1b2c3d4e5f or deadbeefcafe of name:passphrase at /v2 x=1\0";
        assert_eq!(secrets.hide(said), "no such key [31m *** or *** of name:*** at /v2 x=1");
        assert_eq!(secrets.hide(&"ä".repeat(SHOWN)), "ä".repeat(SHOWN));
        assert_eq!(secrets.hide(&"ä".repeat(SHOWN + 1)), "ä".repeat(SHOWN) + "…");
        assert_eq!(secrets.hide(" \n"), "");
        // a key that stands alone, and what a server decodes
        let url = "https://p%40ssword@node.example/v2/a%2Fb%3D%3D1234?0a1b2c3d4e5f&key=x%20y%26z%3D".parse().unwrap();
        let said = "p@ssword, p%40ssword, a/b==1234, a%2Fb%3D%3D1234, 0a1b2c3d4e5f, x y&z=, x%20y%26z%3D";
        assert_eq!(Secrets::of(&url).hide(said), ["***"; 7].join(", "));
    }
}
