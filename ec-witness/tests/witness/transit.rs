//! What stands between a witness and its endpoint, and what comes back instead of an answer.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpListener,
};

use super::*;

/// What may not be shown: a part of the endpoint's path.
const TOKEN: &str = "0a1b2c3d4e5f6a7b";

/// Answers every request with this, for ever; returns where.
fn answering(response: String) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut reader = BufReader::new(stream.unwrap());
            let mut length = 0;
            for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                    length = value.trim().parse().unwrap();
                }
            }
            let _ = reader.read_exact(&mut vec![0; length]);
            let _ = reader.into_inner().write_all(response.as_bytes());
        }
    });
    format!("http://{at}")
}

fn response(head: &str, body: &str) -> String {
    format!("HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
}

/// `verify` by this endpoint.
fn verify(rail: &Rail, archive: &TestArchive, rpc: &str, set: &[(&str, &str)]) -> Outcome {
    let mut command = rail.command(1, archive, "verify");
    run(command.env("EC_WITNESS_RPC", rpc).envs(set.iter().copied()))
}

#[test]
fn no_proxy_stands_before_this_host_and_another_is_named() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    for name in ["http_proxy", "all_proxy", "ALL_PROXY"] {
        let found = verify(&rail, &archive, &rail.net.rpc(), &[(name, "http://127.0.0.1:1")]);
        assert_eq!(found.code, 0, "{name}: {found:?}");
    }
    let elsewhere = verify(&rail, &archive, "http://node.invalid", &[("http_proxy", "http://user:word@127.0.0.1:1")]);
    elsewhere.assert_error(&["rpc http://node.invalid does not answer", "through the proxy 127.0.0.1:1 (http_proxy"]);
    assert!(!elsewhere.stderr.contains("word"), "{elsewhere:?}");
}

#[test]
fn a_redirect_is_named_and_one_that_keeps_the_request_is_followed() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    let to = |head: &str, path: &str| response(&format!("{head}\r\nLocation: {}/{path}", rail.net.rpc()), "");
    for head in ["301 Moved Permanently", "302 Found", "303 See Other"] {
        let found = verify(&rail, &archive, &answering(to(head, TOKEN)), &[]);
        found.assert_error(&[&format!("it redirects to {}: set rpc to", rail.net.rpc())]);
        assert!(!found.stderr.contains(TOKEN) && !found.stderr.contains("error 405"), "{head}: {found:?}");
    }
    for head in ["307 Temporary Redirect", "308 Permanent Redirect"] {
        let found = verify(&rail, &archive, &answering(to(head, "")), &[]);
        assert_eq!(found.code, 0, "{head}: {found:?}");
    }
    // round and round
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = format!("http://{}", listener.local_addr().unwrap());
    let round = response(&format!("308 Permanent Redirect\r\nLocation: {at}/"), "");
    drop(listener);
    let round = answering(round);
    verify(&rail, &archive, &round, &[]).assert_error(&["rpc http://127.0.0.1:"]);
}

#[test]
fn what_is_no_answer_is_said_in_one_line_without_the_secrets_that_it_echoes() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    let page = format!("<html>\r\n<h1>no such key\t{TOKEN}</h1>\u{1b}[31m{}</html>", "x".repeat(5000));
    let refusal =
        format!(r#"{{"jsonrpc":"2.0","id":0,"error":{{"code":-32600,"message":"key {TOKEN}\nis unknown"}}}}"#);
    let cases = [
        (response("401 Unauthorized", &page), "HTTP status 401: <html> <h1>no such key ***</h1> [31mx"),
        (response("200 OK", &page), "the answer is not JSON-RPC: <html> <h1>no such key ***"),
        (response("200 OK", &refusal), "key *** is unknown (code -32600)"),
    ];
    for (response, said) in cases {
        let found = verify(&rail, &archive, &format!("{}/v2/{TOKEN}", answering(response)), &[]);
        found.assert_error(&["eth_chainId", said]);
        assert!(!found.stderr.contains(TOKEN), "{found:?}");
        assert_eq!((found.stderr.lines().count(), found.stderr.matches(said).count()), (1, 1), "{found:?}");
        assert!(found.stderr.len() < 500 && !found.stderr.trim_end().contains(char::is_control), "{found:?}");
    }
}
