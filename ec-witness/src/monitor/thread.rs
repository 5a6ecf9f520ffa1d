//! The monitor's thread.

use std::{io, net::TcpListener, process, thread, time::Duration};

use tokio::{
    signal::unix::{Signal, SignalKind, signal},
    time::MissedTickBehavior,
};
use tokio_util::sync::CancellationToken;

use super::{Monitor, Phase, Scraped, http, systemd};

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
pub fn watch(monitor: Monitor, watching: Watching) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = {
        let _context = runtime.enter();
        (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?)
    };
    let Watching { http, cancelled } = watching;
    let work = move || {
        runtime.block_on(async {
            if let Some((listener, scraped)) = http {
                let monitor = monitor.clone();
                tokio::spawn(async move {
                    if let Err(error) = http::serve(listener, monitor, scraped).await {
                        tracing::error!(%error, "metrics and health are no longer served");
                    }
                });
            }
            tokio::select! {
                () = report(&monitor) => {}
                () = stopped(&monitor, signals, &cancelled) => {}
            }
        });
    };
    thread::Builder::new().name("monitor".into()).spawn(work)?;
    Ok(())
}

/// Tells systemd how it stands, and pings its watchdog as long as work goes on.
async fn report(monitor: &Monitor) {
    let ping_period = systemd::ping_period();
    let mut status = tokio::time::interval(STATUS_EVERY);
    let mut ping = tokio::time::interval(ping_period.unwrap_or(Duration::from_secs(3600)));
    ping.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        tokio::select! {
            _ = status.tick() => {
                let headline = monitor.headline();
                if headline != told {
                    systemd::tell_status(&headline);
                    told = headline;
                }
            }
            _ = ping.tick() => {
                if ping_period.is_some() && monitor.alive().level == super::check::Level::Ok {
                    systemd::ping();
                }
            }
        }
    }
}

/// Waits for a signal, then for the process to drain, and ends it if it does not.
async fn stopped(monitor: &Monitor, (mut interrupt, mut terminate): (Signal, Signal), cancelled: &CancellationToken) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    tracing::info!("stopping");
    if monitor.stopping() == Phase::Starting {
        // nothing is on its way yet, and nothing would notice the token
        process::exit(0);
    }
    cancelled.cancel();
    tokio::time::sleep(DRAINED_WITHIN).await;
    tracing::error!("the turn did not end in time; what is recorded is sent at the next start");
    process::exit(2);
}
