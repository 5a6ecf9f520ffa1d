//! The `[monitor]` settings: metrics, health, and when work counts as stuck.

use std::{
    net::{SocketAddr, TcpListener},
    num::NonZeroU64,
    time::Duration,
};

use clap::Args;
use ec_ledger::Pulse;
use ec_witness::monitor::{Monitor, Scraped, Watched, Watching, watch};
use eyre::{WrapErr, ensure};
use metrics_exporter_prometheus::BuildError;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::defaults::with_default;

/// Milliseconds without any progress after which work counts as stuck, where nothing else is configured: longer than a
/// turn in which every request comes just within its timeout.
const DEFAULT_STUCK_AFTER_MS: u64 = 180_000;

/// What is shown of the daemon, and where.
#[derive(Clone, Copy, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Monitor")]
pub(crate) struct MonitorArgs {
    /// Serve /metrics, /healthz and /readyz here, as 127.0.0.1:9465 [default: nowhere]. The file may only name a
    /// loopback address.
    #[arg(long, env = "EC_WITNESS_METRICS_LISTEN", value_name = "ADDRESS:PORT")]
    pub(crate) metrics_listen: Option<SocketAddr>,

    #[arg(help = with_default(
        "Milliseconds without progress after which the daemon counts as stuck",
        DEFAULT_STUCK_AFTER_MS
    ))]
    #[arg(long, env = "EC_WITNESS_STUCK_AFTER_MS", value_name = "MS")]
    pub(crate) stuck_after_ms: Option<NonZeroU64>,
}

impl MonitorArgs {
    /// These settings, the file's where these say nothing, else the defaults.
    pub(crate) fn or(self, file: Self) -> eyre::Result<MonitorSettings> {
        if let Some(listen) = file.metrics_listen {
            ensure!(
                listen.ip().is_loopback(),
                "config: [monitor] metrics_listen = \"{listen}\": not a loopback address; to show metrics to a network, \
                 give --metrics-listen {listen} and let a firewall say who may read them"
            );
        }
        let stuck_after_ms = self.stuck_after_ms.or(file.stuck_after_ms);
        Ok(MonitorSettings {
            listen: self.metrics_listen.or(file.metrics_listen),
            stuck_after: Duration::from_millis(stuck_after_ms.map_or(DEFAULT_STUCK_AFTER_MS, NonZeroU64::get)),
        })
    }
}

/// Where the daemon is shown, and when it counts as stuck.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct MonitorSettings {
    listen: Option<SocketAddr>,
    stuck_after: Duration,
}

impl MonitorSettings {
    /// Starts the monitor of a process that rests for `poll` between turns. Its token is cancelled by the first SIGINT or
    /// SIGTERM.
    pub(crate) fn start(&self, pulse: Pulse, poll: Duration) -> eyre::Result<(Monitor, CancellationToken)> {
        let monitor = Monitor::new(pulse, poll + self.stuck_after);
        let cancelled = self.watch(monitor.clone(), Scraped::install)?;
        Ok((monitor, cancelled))
    }

    /// Starts the monitor's thread for a process whose metrics `install` describes. The token is cancelled by the first
    /// SIGINT or SIGTERM.
    pub(crate) fn watch(
        &self,
        watched: impl Watched,
        install: impl FnOnce() -> Result<Scraped, BuildError>,
    ) -> eyre::Result<CancellationToken> {
        let cancelled = CancellationToken::new();
        let http = self.listen.map(|at| listen(at, install)).transpose()?;
        watch(watched, Watching { http, cancelled: cancelled.clone() }).wrap_err("the monitor cannot start")?;
        Ok(cancelled)
    }

    /// How long nothing may go on.
    pub(crate) fn stuck_after(&self) -> Duration {
        self.stuck_after
    }
}

/// Opens the listener, and starts counting.
fn listen(
    at: SocketAddr,
    install: impl FnOnce() -> Result<Scraped, BuildError>,
) -> eyre::Result<(TcpListener, Scraped)> {
    if !at.ip().is_loopback() {
        tracing::warn!(listen = %at, "metrics are shown to whoever reaches this address; there is no password");
    }
    let listener =
        TcpListener::bind(at).wrap_err_with(|| format!("metrics_listen {at}: cannot listen; give a free address"))?;
    listener.set_nonblocking(true)?;
    let listen = listener.local_addr()?;
    tracing::info!(%listen, "serving metrics and health");
    Ok((listener, install()?))
}
