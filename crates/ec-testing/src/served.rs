//! What a witness serves: `/metrics`, `/healthz`, `/readyz`.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{
    collections::HashMap,
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use serde_json::Value;

use crate::running::await_some;

/// Where a witness serves.
#[derive(Clone, Copy, Debug)]
pub struct Served(pub SocketAddr);

impl Served {
    /// A free address.
    pub fn anywhere() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap())
    }

    /// Status and body; `None` while nobody listens.
    pub fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.0).ok()?;
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer.split_once("\r\n\r\n")?.1.to_owned()))
    }

    /// Waits until a path answers with this status; returns the JSON.
    #[track_caller]
    pub fn await_status(&self, path: &str, wanted: u16) -> Value {
        await_some(&format!("{path} becomes {wanted}"), || {
            let (status, body) = self.get(path)?;
            (status == wanted).then(|| serde_json::from_str(&body).unwrap())
        })
    }

    /// The samples of `/metrics`, by name and labels.
    pub fn scrape(&self) -> HashMap<String, f64> {
        let (status, body) = self.get("/metrics").unwrap();
        assert_eq!(status, 200);
        let samples = body.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        samples.map(|line| line.rsplit_once(' ').unwrap()).map(|(key, n)| (key.into(), n.parse().unwrap())).collect()
    }

    /// Waits until a sample has this value; returns all.
    #[track_caller]
    pub fn await_sample(&self, name: &str, wanted: f64) -> HashMap<String, f64> {
        await_some(&format!("{name} becomes {wanted}"), || {
            let samples = self.scrape();
            (samples.get(name) == Some(&wanted)).then_some(samples)
        })
    }
}

/// The names of the checks that failed.
pub fn failed(readiness: &Value) -> Vec<&str> {
    let checks = readiness["checks"].as_array().unwrap().iter().filter(|check| check["level"] == "fail");
    checks.map(|check| check["name"].as_str().unwrap()).collect()
}
