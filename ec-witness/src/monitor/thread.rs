//! The monitor's thread.

use std::{io, net::TcpListener, process, thread, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{Scraped, Watched, check::Level, http, systemd};

/// How long after a stop was asked for the process ends, come what may. What was recorded is on the disk.
pub const DRAINED_WITHIN: Duration = Duration::from_millis(9_500);

/// How often the one-line status is looked at.
const STATUS_EVERY: Duration = Duration::from_secs(2);

/// What the monitor's thread serves.
#[derive(Debug)]
pub struct Watching {
    /// The listener and what it answers scrapes from.
    pub http: Option<(TcpListener, Scraped)>,
    /// Cancelled by the first SIGINT or SIGTERM.
    pub cancelled: CancellationToken,
}

/// Starts the monitor's thread. It ends with the process.
///
/// # Errors
///
/// The system refuses a thread, or signals.
pub fn watch(watched: impl Watched, watching: Watching) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let Watching { http, cancelled } = watching;
    let work = move || {
        runtime.block_on(async {
            if let Some((listener, scraped)) = http {
                let watched = watched.clone();
                tokio::spawn(async move {
                    if let Err(error) = http::serve(listener, watched, scraped).await {
                        tracing::error!(%error, "metrics and health are no longer served");
                    }
                });
            }
            tokio::select! {
                () = report(&watched) => {}
                () = stopped(&watched, signals, &cancelled) => {}
            }
        });
    };
    thread::Builder::new().name("monitor".into()).spawn(work)?;
    Ok(())
}

/// Tells systemd how it stands, and pings its watchdog as long as work goes on.
async fn report(watched: &impl Watched) {
    let ping_period = systemd::ping_period();
    let mut status = tokio::time::interval(STATUS_EVERY);
    let mut ping = tokio::time::interval(ping_period.unwrap_or(Duration::from_secs(3600)));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        tokio::select! {
            _ = status.tick() => {
                let headline = watched.headline();
                if headline != told {
                    systemd::tell_status(&headline);
                    told = headline;
                }
            }
            _ = ping.tick() => {
                if ping_period.is_some() && watched.alive().level == Level::Ok {
                    systemd::ping();
                }
            }
        }
    }
}

/// Waits for a signal, then for the process to drain, and ends it if it does not.
async fn stopped(
    watched: &impl Watched,
    (mut interrupt, mut terminate): (Signal, Signal),
    cancelled: &CancellationToken,
) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    systemd::tell_stopping("stopping");
    if !watched.stop() {
        // nothing is on its way yet, and nothing would notice the token
        process::exit(0);
    }
    cancelled.cancel();
    tokio::time::sleep(DRAINED_WITHIN).await;
    tracing::error!("what was under way did not end in time; the next start goes on with what is on the disk");
    process::exit(2);
}
