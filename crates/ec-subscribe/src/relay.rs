//! The connection to the relay: made, and made again.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use ec_archive::recorder::{RecorderError, reception::Reception};
use moq_net::{cache, origin};
use moq_tokio::{Client, connect, quic};
use tokio::{task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::{
    Listener,
    backoff::Backoff,
    event::Event,
    keeper::{self, Outcome},
    session::Session,
    settings::Settings,
    shared::Shared,
};

/// How long one try to connect may take.
const CONNECT_WITHIN: Duration = Duration::from_secs(10);

/// How long groups that came with a connection are read after its end.
const DRAINED_WITHIN: Duration = Duration::from_secs(1);

/// Why a recording ended that was not told to.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SubscribeError {
    /// The connection cannot even be tried.
    #[error("{relay}: {error}")]
    Setup {
        /// The relay, without secrets.
        relay: String,
        /// Why.
        error: moq_tokio::Error,
    },
    /// The relay does not let this subscriber in.
    #[error("{relay} refuses: {error}; give a URL whose path and ?jwt= token it accepts")]
    Refused {
        /// The relay, without secrets.
        relay: String,
        /// What it said.
        error: moq_tokio::Error,
    },
    /// The archive cannot be written.
    #[error(transparent)]
    Archive(#[from] RecorderError),
    /// The writing thread cannot be started, or broke down.
    #[error("the thread that writes: {0}")]
    Keeper(String),
}

/// A URL without its secrets: scheme, host and port.
pub fn shown(url: &Url) -> String {
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

/// Records a broadcast until `stop` is cancelled; then what is complete is written, and nothing is half there. A relay that
/// does not answer and a broadcast that is not there are waited for.
///
/// # Errors
///
/// [`SubscribeError`].
pub async fn subscribe(
    settings: Settings,
    reception: Reception,
    stop: CancellationToken,
    report: Arc<dyn Listener>,
) -> Result<(), SubscribeError> {
    let client = client(&settings)?;
    let (inbox, mut outcome) =
        keeper::start(reception, report.clone()).map_err(|error| SubscribeError::Keeper(error.to_string()))?;
    let shared = Shared::new(&settings, inbox, report);
    tokio::select! {
        () = stop.cancelled() => {}
        refused = connect_again(&settings, &client, &shared) => return Err(refused),
        ended = &mut outcome => return Err(broken(ended)),
    }
    // the last ways to the keeper: it writes what it has, and ends
    drop(shared);
    // a courtesy to the relay, which else waits for its timeout
    let _ = tokio::time::timeout(DRAINED_WITHIN, client.close()).await;
    ended(outcome).await
}

async fn ended(outcome: Outcome) -> Result<(), SubscribeError> {
    match outcome.await {
        Ok(written) => Ok(written?),
        Err(_) => Err(SubscribeError::Keeper("broke down".into())),
    }
}

/// The keeper does not end before it is told to, but by an error.
fn broken(ended: Result<Result<(), RecorderError>, tokio::sync::oneshot::error::RecvError>) -> SubscribeError {
    match ended {
        Ok(Err(error)) => error.into(),
        _ => SubscribeError::Keeper("broke down".into()),
    }
}

fn client(settings: &Settings) -> Result<Client, SubscribeError> {
    let mut config = connect::Config::default();
    config.timeout = CONNECT_WITHIN;
    config.tls.root = settings.tls.roots.clone();
    config.tls.fingerprint = settings.tls.fingerprints.clone();
    config.tls.insecure = settings.tls.disable_verify.then_some(true);
    let made = config.init(quic::Config::default());
    // this crate connects again by itself, and so knows why it has to
    let made = made.map(|client| client.with_reconnect(false));
    made.map_err(|error| SubscribeError::Setup { relay: shown(&settings.url), error })
}

/// Connects for ever; returns when the relay refuses for good.
async fn connect_again(settings: &Settings, client: &Client, shared: &Shared) -> SubscribeError {
    let mut backoff = Backoff::default();
    loop {
        let started = Instant::now();
        let error = connect_once(settings, client, shared).await;
        if error.is_auth() {
            return SubscribeError::Refused { relay: shown(&settings.url), error };
        }
        let wait = backoff.after(started.elapsed());
        let retry_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        shared.tell(&Event::Disconnected { error: chain(&error), retry_ms });
        sleep(wait).await;
    }
}

/// One connection, to its end.
async fn connect_once(settings: &Settings, client: &Client, shared: &Shared) -> moq_tokio::Error {
    let mut config = origin::Config::default();
    config.pool = cache::Pool::new(
        cache::Config::default().with_capacity(settings.limits.buffered_bytes).with_expiry(cache::DEFAULT_EXPIRY),
    );
    let relay = moq_tokio::origin::spawn_config(config);
    let connection =
        match client.clone().with_subscriber(relay.clone()).connect(settings.url.clone()).established().await {
            Ok(connection) => connection,
            Err(error) => return error,
        };
    let protocol = connection.version().map(|version| version.to_string()).unwrap_or_default();
    shared.tell(&Event::Connected { protocol });
    let Settings { broadcast, tracks, .. } = settings;
    let mut session = Session { broadcast, wanted: tracks, shared, readers: JoinSet::new() };
    let origin = relay.consume();
    let error = tokio::select! {
        closed = connection.closed() => closed.err().unwrap_or(moq_net::Error::Closed.into()),
        error = session.follow(&origin) => error.into(),
    };
    // what came whole is read; what did not ends with an error now
    let _ = tokio::time::timeout(DRAINED_WITHIN, async { while session.readers.join_next().await.is_some() {} }).await;
    error
}

/// An error and its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}
