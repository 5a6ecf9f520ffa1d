//! `archive subscribe`.

use std::{
    fs,
    num::{NonZeroU64, NonZeroUsize},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use clap::Args;
use ec_archive::{
    cas::Cas,
    recorder::{broadcast::BroadcastName, reception, track::TrackName},
};
use ec_subscribe::{Event, Limits, Listener, Loss, Settings, Tls, shown, subscribe};
use ec_witness::{
    monitor::{Scraped, tell_ready},
    reception::{Reception, Totals, metrics::describe},
};
use eyre::{OptionExt, WrapErr, bail, ensure};
use tokio_util::sync::CancellationToken;
use url::Url;

use super::{Answer, dirs::ArchiveDirs};
use crate::cli::{
    monitor::{MonitorArgs, MonitorSettings},
    output::{JsonArg, json_line},
};

/// Schemes of relays: WebTransport, the same with a certificate that is asked for beforehand, and QUIC alone.
const SCHEMES: [&str; 4] = ["https", "http", "moqt", "moql"];

/// How often progress is logged.
const PROGRESS_PERIOD: Duration = Duration::from_secs(60);

/// What to record, from where, and as what.
#[derive(Debug, Args)]
pub(crate) struct SubscribeArgs {
    #[command(flatten)]
    relay: RelayArgs,

    /// Name of the broadcast, as the relay announces it; may contain `/`.
    #[arg(long, env = "EC_WITNESS_BROADCAST", value_name = "BROADCAST")]
    name: BroadcastName,

    /// A track to record; may be repeated [default: catalog.json, and every *.m4s that it names, as they appear].
    #[arg(long = "track", env = "EC_WITNESS_TRACKS", value_name = "TRACK", value_delimiter = ',')]
    tracks: Vec<TrackName>,

    #[command(flatten)]
    dirs: ArchiveDirs,

    #[command(flatten)]
    limits: LimitArgs,

    #[command(flatten)]
    monitor: MonitorArgs,

    #[command(flatten)]
    json: JsonArg,
}

/// Where the relay is, and how it is known.
#[derive(Args)]
#[command(next_help_heading = "Relay")]
struct RelayArgs {
    /// URL of the relay, https or moqt, with its path, and a token as ?jwt=…; only its host is ever shown. The variable
    /// EC_WITNESS_RELAY holds it as well.
    #[arg(env = "EC_WITNESS_RELAY", value_name = "URL", hide_env_values = true)]
    url: Option<String>,

    /// File that holds the URL, where its token is not to stand among the arguments.
    #[arg(long, env = "EC_WITNESS_URL_FILE", value_name = "FILE", conflicts_with = "url")]
    url_file: Option<PathBuf>,

    /// File of root certificates, PEM, that the relay's is to come from; may be repeated [default: the system's].
    #[arg(long, env = "EC_WITNESS_TLS_ROOT", value_name = "FILE", value_delimiter = ',')]
    tls_root: Vec<PathBuf>,

    /// SHA-256 of the relay's certificate, hex; may be repeated. No root is asked then.
    #[arg(
        long,
        env = "EC_WITNESS_TLS_FINGERPRINT",
        value_name = "HEX",
        value_delimiter = ',',
        conflicts_with = "tls_root"
    )]
    tls_fingerprint: Vec<String>,

    /// Take any certificate. For tests: whoever is on the way can forge the broadcast.
    #[arg(long, env = "EC_WITNESS_TLS_DISABLE_VERIFY", conflicts_with_all = ["tls_root", "tls_fingerprint"])]
    tls_disable_verify: bool,
}

/// What bounds memory, and what is waited for.
#[derive(Clone, Copy, Debug, Args)]
#[command(next_help_heading = "Limits")]
struct LimitArgs {
    /// Milliseconds of media that a group may lag behind before it is given up; a subscription begins so far back.
    #[arg(long, env = "EC_WITNESS_MAX_AGE_MS", value_name = "MS", default_value = "10000")]
    max_age_ms: NonZeroU64,

    /// Bytes of the largest group; of a larger one nothing is kept.
    #[arg(long, env = "EC_WITNESS_MAX_GROUP_BYTES", value_name = "BYTES", default_value = "33554432")]
    max_group_bytes: NonZeroU64,

    /// Bytes of all groups in memory: those that come, and those that wait for the disk. The network's cache takes as much
    /// again at most.
    #[arg(long, env = "EC_WITNESS_MAX_BUFFERED_BYTES", value_name = "BYTES", default_value = "268435456")]
    max_buffered_bytes: NonZeroU64,

    /// Groups of one track that come at once.
    #[arg(long, env = "EC_WITNESS_MAX_OPEN_GROUPS", value_name = "N", default_value = "512")]
    max_open_groups: NonZeroUsize,
}

/// The URL may hold a token.
impl std::fmt::Debug for RelayArgs {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RelayArgs").field("url_file", &self.url_file).finish_non_exhaustive()
    }
}

impl RelayArgs {
    /// The URL. No error shows it: a token may stand anywhere in it.
    fn url(&self) -> eyre::Result<Url> {
        let text = match (&self.url, &self.url_file) {
            (Some(url), _) => url.clone(),
            (None, Some(file)) => {
                fs::read_to_string(file).wrap_err_with(|| format!("--url-file: cannot read {}", file.display()))?
            }
            (None, None) => bail!("no relay: give its URL, as https://relay.example/anon, or --url-file FILE"),
        };
        let url: Url = text.trim().parse().map_err(|error| eyre::eyre!("the relay's URL: {error}"))?;
        ensure!(
            SCHEMES.contains(&url.scheme()),
            "the relay's URL begins with {}://; give one that begins with https:// or moqt://",
            url.scheme()
        );
        url.host_str().ok_or_eyre("the relay's URL names no host")?;
        Ok(url)
    }

    fn tls(&self) -> Tls {
        let Self { tls_root, tls_fingerprint, tls_disable_verify, .. } = self;
        Tls { roots: tls_root.clone(), fingerprints: tls_fingerprint.clone(), disable_verify: *tls_disable_verify }
    }
}

impl From<LimitArgs> for Limits {
    fn from(args: LimitArgs) -> Self {
        Self {
            group_bytes: args.max_group_bytes.get(),
            buffered_bytes: args.max_buffered_bytes.get(),
            open_groups: args.max_open_groups.get(),
            max_age: Duration::from_millis(args.max_age_ms.get()),
        }
    }
}

impl SubscribeArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let (url, tls) = (self.relay.url()?, self.relay.tls());
        if tls.disable_verify {
            tracing::warn!("the relay's certificate is not verified: whoever is on the way can forge the broadcast");
        }
        let monitor = self.monitor.or(MonitorArgs::default())?;
        let cas = Cas::new(self.dirs.cas()?);
        let archive = reception::Reception::open(cas, &self.dirs.manifests()?, self.name.clone())?;
        tracing::info!(relay = shown(&url), broadcast = %self.name, "recording");
        let settings = Settings { url, broadcast: self.name, tracks: self.tracks, tls, limits: self.limits.into() };
        record(settings, archive, monitor, self.json.json)
    }
}

/// Records until a signal comes.
fn record(
    settings: Settings,
    archive: reception::Reception,
    monitor: MonitorSettings,
    json: bool,
) -> eyre::Result<Answer> {
    let reception = Reception::new(monitor.stuck_after());
    let stop = monitor.watch(reception.clone(), || Scraped::install_and(describe))?;
    let told = Arc::new(Told { reception: reception.clone(), json, stop: stop.clone(), failed: Mutex::default() });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        tell_ready();
        tokio::select! {
            ended = subscribe(settings, archive, stop, Arc::clone(&told) as Arc<dyn Listener>) => ended,
            never = progress(&reception) => match never {},
        }
    });
    // tasks that wait for the network need not be waited for
    runtime.shutdown_background();
    ended?;
    if let Some(failed) = told.failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
        return Err(failed);
    }
    let Totals { groups, bytes, lost, .. } = reception.totals();
    tracing::info!(groups, bytes, lost, "recorder stopped");
    Ok(Answer::Yes)
}

async fn progress(reception: &Reception) -> std::convert::Infallible {
    loop {
        tokio::time::sleep(PROGRESS_PERIOD).await;
        let Totals { tracks, groups, bytes, lost } = reception.totals();
        tracing::info!(tracks, groups, bytes, lost, "recorded so far");
    }
}

/// Passes on what happens: to the metrics, the log and, as JSON, stdout.
#[derive(Debug)]
struct Told {
    reception: Reception,
    json: bool,
    stop: CancellationToken,
    /// Why stdout could not be written.
    failed: Mutex<Option<eyre::Report>>,
}

impl Listener for Told {
    fn hear(&self, event: &Event) {
        self.reception.heard(event);
        log(event);
        if self.json
            && let Err(error) = json_line(event)
        {
            *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
            self.stop.cancel();
        }
    }

    fn alive(&self) {
        self.reception.beat();
    }
}

fn log(event: &Event) {
    match event {
        Event::Connected { protocol } => tracing::info!(protocol, "relay connected"),
        Event::Disconnected { error, retry_ms } => tracing::warn!(error, retry_ms, "no relay"),
        Event::Live { publisher } => tracing::info!(publisher, "broadcast live"),
        Event::Gone => tracing::warn!("broadcast gone"),
        Event::Subscribed { track } => tracing::info!(track, "receiving"),
        Event::Unavailable { track, error } => tracing::warn!(track, error, "track not to be had"),
        Event::Unsubscribed { track, error: Some(error) } => tracing::warn!(track, error, "track ended"),
        Event::Unsubscribed { track, error: None } => tracing::info!(track, "track ended"),
        Event::Recorded(recorded) => {
            tracing::debug!(track = recorded.track, sequence = recorded.group_sequence, "group recorded");
        }
        Event::Known { track, group_sequence } => tracing::debug!(track, group_sequence, "group known"),
        Event::Lost { track, group_sequence, reason: Loss::Superseded, .. } => {
            tracing::debug!(track, group_sequence, "group of an earlier publisher not kept");
        }
        Event::Lost { track, group_sequence, reason, detail } => {
            tracing::warn!(track, group_sequence, reason = reason.name(), detail, "group not kept");
        }
        Event::Ignored { track, reason } => tracing::warn!(track, reason, "track not recorded"),
        _ => {}
    }
}
