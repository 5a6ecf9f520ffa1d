//! One connection to the relay: the broadcast is followed for as long as it lasts.

use std::{collections::HashSet, time::Instant};

use ec_archive::recorder::{
    broadcast::BroadcastName,
    track::{TrackName, TrackNameError},
};
use moq_net::{Error, broadcast, origin};
use tokio::{sync::mpsc::unbounded_channel, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    catalog::{CATALOG_TRACK, MEDIA_ENDING, is_media},
    event::Event,
    shared::Shared,
    track::Track,
};

/// Tracks of one broadcast at most, whatever its catalog names.
const MOST_TRACKS: usize = 64;

/// A broadcast as it is received over one connection.
#[derive(Debug)]
pub(crate) struct Session<'a> {
    pub(crate) broadcast: &'a BroadcastName,
    /// The tracks that are asked for; none: those of the catalog.
    pub(crate) wanted: &'a [TrackName],
    pub(crate) shared: &'a Shared,
    /// The tasks that receive tracks. They outlive the broadcast that they began with.
    pub(crate) readers: JoinSet<()>,
}

impl Session<'_> {
    /// Receives the broadcast whenever a route to it stands, until the connection ends.
    pub(crate) async fn follow(&mut self, relay: &origin::Consumer) -> Error {
        let mut backoff = Backoff::default();
        loop {
            // who is announced: the broadcast that is then got may be a newer one's, and what that sends again is then
            // known if it is the same
            let Some(route) = relay.routed(self.broadcast.as_str()).await else { return Error::Closed };
            let publisher = route.hops.iter().next().map(|hop| hop.id()).filter(|id| *id != 0);
            let started = Instant::now();
            match relay.routed_broadcast(self.broadcast.as_str()).await {
                Ok(broadcast) => {
                    self.shared.tell(&Event::Live { publisher });
                    self.attend(&broadcast, publisher).await;
                    self.shared.tell(&Event::Gone);
                }
                Err(Error::Closed) => return Error::Closed,
                Err(error) => tracing::warn!(%error, "the broadcast cannot be had"),
            }
            sleep(backoff.after(started.elapsed())).await;
        }
    }

    /// Receives the tracks of a live broadcast until it is gone.
    async fn attend(&mut self, broadcast: &broadcast::Consumer, publisher: Option<u64>) {
        let gone = CancellationToken::new();
        let _cancelled = gone.clone().drop_guard();
        let (found, mut names) = unbounded_channel();
        let track =
            |name| Track { name, shared: self.shared.clone(), publisher, gone: gone.clone(), found: found.clone() };
        let (mut begun, mut ignored) = (HashSet::new(), HashSet::new());
        for name in self.first() {
            begun.insert(name.to_string());
            self.readers.spawn(track(name).run(broadcast.clone()));
        }
        loop {
            tokio::select! {
                _ = broadcast.closed() => return,
                Some(name) = names.recv(), if self.wanted.is_empty() => {
                    if !is_media(&name) {
                        if ignored.len() < MOST_TRACKS && ignored.insert(name.clone()) {
                            let reason = format!("only names in {MEDIA_ENDING} are recorded unasked; name all with --track");
                            self.shared.tell(&Event::Ignored { track: name, reason });
                        }
                        continue;
                    }
                    // one too many is told, what comes after it is not even remembered
                    if begun.len() > MOST_TRACKS || !begun.insert(name.clone()) {
                        continue;
                    }
                    match accept(&name, begun.len()) {
                        Ok(name) => {
                            self.readers.spawn(track(name).run(broadcast.clone()));
                        }
                        Err(reason) => self.shared.tell(&Event::Ignored { track: name, reason }),
                    }
                }
                Some(_) = self.readers.join_next() => {}
            }
        }
    }

    /// The tracks to begin with.
    fn first(&self) -> HashSet<TrackName> {
        match self.wanted {
            [] => CATALOG_TRACK.parse().into_iter().collect(),
            wanted => wanted.iter().cloned().collect(),
        }
    }
}

/// Whether one more track that the catalog names is recorded.
fn accept(name: &str, begun: usize) -> Result<TrackName, String> {
    if begun > MOST_TRACKS {
        return Err(format!("a broadcast has {MOST_TRACKS} tracks at most here; name the wanted ones with --track"));
    }
    name.parse().map_err(|error: TrackNameError| error.to_string())
}
