//! TLS in front of an HTTP server, for those alone who present the right certificate.

#![allow(clippy::unwrap_used, clippy::expect_used)] // Test code: a panic is its report.

use std::{
    net::{SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    thread,
};

use tokio::net::TcpStream;
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        RootCertStore, ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
        server::WebPkiClientVerifier,
    },
};

use crate::running::block_on;

/// A certificate for `localhost` that vouches for itself, and its key: files, PEM.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The certificate.
    pub certificate: PathBuf,
    /// Its key, readable by its owner only.
    pub key: PathBuf,
}

impl Identity {
    /// Makes one by openssl, as `NAME.pem` and `NAME.key` in `dir`.
    pub fn make(dir: &Path, name: &str) -> Self {
        let made = Self { certificate: dir.join(format!("{name}.pem")), key: dir.join(format!("{name}.key")) };
        let request = "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
                       -addext subjectAltName=DNS:localhost,IP:127.0.0.1 -addext basicConstraints=critical,CA:FALSE";
        let mut openssl = Command::new("openssl");
        openssl.args(request.split_whitespace()).arg("-keyout").arg(&made.key).arg("-out").arg(&made.certificate);
        assert!(openssl.stderr(Stdio::null()).status().expect("openssl runs").success());
        made
    }

    fn certificate(&self) -> CertificateDer<'static> {
        CertificateDer::from_pem_file(&self.certificate).unwrap()
    }
}

/// Passes on to `server` what comes from who presents the certificate of `client`. Listens until the test's process ends;
/// where, it returns.
pub fn before(server: SocketAddr, own: &Identity, client: &Identity) -> SocketAddr {
    let mut known = RootCertStore::empty();
    known.add(client.certificate()).unwrap();
    let verifier = WebPkiClientVerifier::builder(Arc::new(known)).build().unwrap();
    let key = PrivateKeyDer::from_pem_file(&own.key).unwrap();
    let config = ServerConfig::builder().with_client_cert_verifier(verifier);
    let acceptor = TlsAcceptor::from(Arc::new(config.with_single_cert(vec![own.certificate()], key).unwrap()));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // one that presents nothing, or something else, is let go
                    let Ok(mut inside) = acceptor.accept(stream).await else { return };
                    let Ok(mut outside) = TcpStream::connect(server).await else { return };
                    let _ = tokio::io::copy_bidirectional(&mut inside, &mut outside).await;
                });
            }
        });
    });
    address
}
