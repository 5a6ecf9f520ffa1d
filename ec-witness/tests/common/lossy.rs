//! A proxy that passes requests on, and keeps the replies to one method.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    thread,
};

/// Listens until the test's process ends.
pub(crate) struct Lossy {
    address: SocketAddr,
}

impl Lossy {
    /// Passes everything on to `rpc`, and closes the connection instead of passing on a reply to `method`.
    pub(crate) fn start(rpc: &str, method: &'static str) -> Self {
        let upstream = rpc.trim_start_matches("http://").trim_end_matches('/').to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let upstream = upstream.clone();
                thread::spawn(move || serve(client, &upstream, method));
            }
        });
        Self { address }
    }

    pub(crate) fn rpc(&self) -> String {
        format!("http://{}", self.address)
    }
}

/// One connection: a request and its reply in turn, until one side closes it or a reply is kept.
fn serve(mut client: TcpStream, upstream: &str, method: &str) -> io::Result<()> {
    let mut node = TcpStream::connect(upstream)?;
    loop {
        let request = message(&mut client)?;
        node.write_all(&request)?;
        let reply = message(&mut node)?;
        if String::from_utf8_lossy(&request).contains(method) {
            return client.shutdown(Shutdown::Both);
        }
        client.write_all(&reply)?;
    }
}

/// One HTTP message with the body that its content-length tells.
fn message(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while !bytes.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        bytes.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&bytes).to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body)?;
    bytes.extend(body);
    Ok(bytes)
}
