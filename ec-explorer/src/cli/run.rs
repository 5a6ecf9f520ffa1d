//! `serve`.

use std::{fs, io, net::SocketAddr, path::Path};

use ec_explorer::{metrics::Scraped, serve, settings::Settings};
use eyre::{OptionExt, WrapErr};
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::ServeArgs;

/// Serves by the configuration file until it is told to stop.
pub(super) fn serve(args: &ServeArgs) -> eyre::Result<()> {
    let config = args.config.as_ref().ok_or_eyre("config is not set: give --config FILE, or EC_EXPLORER_CONFIG")?;
    let settings = Settings::read(config, args.overrides())?;
    if args.anew {
        throw_away(&settings)?;
    }
    let json = args.json;
    serve_by(settings, move |address| told(address, json))
}

/// Serves by these settings until it is told to stop.
pub(super) fn serve_by(settings: Settings, ready: impl FnOnce(SocketAddr)) -> eyre::Result<()> {
    let scraped = Scraped::install().wrap_err("metrics")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let stop = CancellationToken::new();
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let told = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            let _ = sd_notify::notify(&[sd_notify::NotifyState::Stopping]);
            told.cancel();
        });
        serve::serve(settings, Some(scraped), stop, |address| {
            ready(address);
            if let Err(error) = sd_notify::notify(&[sd_notify::NotifyState::Ready]) {
                tracing::debug!(%error, "the service manager cannot be told");
            }
        })
        .await
    })
}

/// Says where it listens.
pub(super) fn told(address: SocketAddr, json: bool) {
    let url = format!("http://{address}");
    if json {
        println!("{}", serde_json::json!({ "listening": url }));
    } else {
        println!("listening on {url}");
    }
}

/// Removes what was made of ledgers and archives: all of it is made again.
fn throw_away(settings: &Settings) -> eyre::Result<()> {
    let gone = |removed: io::Result<()>, path: &Path| match removed {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error).wrap_err(path.display().to_string()),
        _ => Ok(()),
    };
    for ledger in &settings.ledgers {
        for ending in ["sqlite", "sqlite-wal", "sqlite-shm"] {
            let path = settings.directory.join(format!("{}.{ending}", ledger.name));
            gone(fs::remove_file(&path), &path)?;
        }
    }
    let index = settings.directory.join("index");
    gone(fs::remove_dir_all(&index), &index)
}
