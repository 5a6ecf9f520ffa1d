//! The explorer at work: a thread for each ledger and each archive, and the server.

use std::{net::SocketAddr, sync::Arc, thread};

use eyre::WrapErr;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::{api, archives, follow, metrics::Scraped, settings::Settings, state::Explorer};

/// Runs until it is to stop. `ready` hears where it listens.
///
/// # Errors
///
/// A database cannot be made, the address is taken, or the server fails.
pub async fn serve(
    settings: Settings,
    scraped: Option<Scraped>,
    stop: CancellationToken,
    ready: impl FnOnce(SocketAddr),
) -> eyre::Result<()> {
    let listen = settings.listen;
    let listener = TcpListener::bind(listen).await.wrap_err_with(|| format!("listen {listen}"))?;
    let shown = settings.directory.display().to_string();
    let explorer = Explorer::new(settings).wrap_err_with(|| format!("dir {shown}"))?;
    let _ended = stop.clone().drop_guard();
    let mut threads = Vec::new();
    for ledger in &explorer.ledgers {
        let (ledger, explorer, stop) = (Arc::clone(ledger), Arc::clone(&explorer), stop.clone());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let thread = thread::Builder::new().name(format!("ledger {}", ledger.settings.name));
        threads.push(thread.spawn(move || {
            runtime.block_on(follow::follow(ledger, Arc::clone(&explorer.hub), explorer.settings.poll, stop));
        }));
    }
    let readers = explorer.archives.iter().map(|archive| {
        let (archive, explorer, stop) = (Arc::clone(archive), Arc::clone(&explorer), stop.clone());
        let name = format!("archive {}", archive.settings.name);
        let kept_in = explorer.settings.directory.join("index").join(&archive.settings.name);
        thread::Builder::new().name(name).spawn(move || {
            let Settings { streams, poll, .. } = &explorer.settings;
            archives::read(&archive, streams, &explorer.hub, &kept_in, *poll, &stop);
        })
    });
    threads.extend(readers);
    let threads: Vec<_> = threads.into_iter().collect::<std::io::Result<_>>().wrap_err("a thread cannot be started")?;
    ready(listener.local_addr()?);
    let served = api::serve(listener, explorer, scraped, stop.clone()).await;
    stop.cancel();
    // what was read is kept before the end
    let waited = tokio::task::spawn_blocking(move || {
        for thread in threads {
            thread.thread().unpark();
            let _ = thread.join();
        }
    });
    let _ = waited.await;
    served.wrap_err("the server ended")
}
