//! Receives one track, again and again while its broadcast is live.

use std::{
    sync::atomic::Ordering,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use ec_archive::recorder::track::TrackName;
use moq_net::{Error, broadcast, bytes::Bytes, group, track};
use tokio::{sync::mpsc::UnboundedSender, task::JoinSet, time::sleep};
use tokio_util::sync::CancellationToken;

use crate::{
    backoff::Backoff,
    catalog::{self, CATALOG_TRACK},
    event::{Event, Loss},
    gaps::Gaps,
    group::{Lost, receive},
    keeper::Received,
    shared::Shared,
};

/// How much longer a group is waited for than a subscription reaches back, by the media's time.
const ON_THE_WAY: Duration = Duration::from_secs(5);

/// How long groups that were begun are waited for when their broadcast is gone.
const LINGER: Duration = Duration::from_secs(10);

/// How long those of a track that failed are.
const RESET_WITHIN: Duration = Duration::from_secs(1);

/// One track of a broadcast that is live.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    pub(crate) name: TrackName,
    pub(crate) shared: Shared,
    /// Who publishes the broadcast, where that is known.
    pub(crate) publisher: Option<u64>,
    /// Cancelled when the broadcast is gone.
    pub(crate) gone: CancellationToken,
    /// Hears the names of tracks that the catalog names.
    pub(crate) found: UnboundedSender<String>,
}

impl Track {
    /// Receives the track until its publisher ends it or the broadcast is gone.
    pub(crate) async fn run(self, broadcast: broadcast::Consumer) {
        let mut backoff = Backoff::default();
        loop {
            let started = Instant::now();
            let track = self.name.to_string();
            let subscribed = tokio::select! {
                () = self.gone.cancelled() => return,
                subscribed = self.subscribe(&broadcast) => subscribed,
            };
            match subscribed {
                Ok((consumer, subscriber)) => {
                    self.shared.tell(&Event::Subscribed { track: track.clone() });
                    let ended = self.receive_all(&consumer, subscriber).await;
                    let error = ended.as_ref().err().map(ToString::to_string);
                    self.shared.tell(&Event::Unsubscribed { track, error });
                    if ended.is_ok() {
                        return;
                    }
                }
                Err(error) => self.shared.tell(&Event::Unavailable { track, error: error.to_string() }),
            }
            tokio::select! {
                () = self.gone.cancelled() => return,
                () = sleep(backoff.after(started.elapsed())) => {}
            }
        }
    }

    /// Asks for the track, and for what was sent of it lately.
    async fn subscribe(&self, broadcast: &broadcast::Consumer) -> Result<(track::Consumer, track::Subscriber), Error> {
        let consumer = broadcast.track(self.name.as_str())?;
        let wanted = track::Subscription::default().with_max_age(self.shared.limits.max_age);
        let subscriber = consumer.subscribe(wanted).await?;
        Ok((consumer, subscriber))
    }

    /// Receives groups, until the track ends.
    async fn receive_all(&self, consumer: &track::Consumer, mut subscriber: track::Subscriber) -> Result<(), Error> {
        let max_age = self.shared.limits.max_age + ON_THE_WAY;
        let mut patient = Some(track::Subscription::default().with_max_age(max_age));
        let subscription = self.shared.subscriptions.fetch_add(1, Ordering::Relaxed) + 1;
        let (mut open, mut gaps) = (JoinSet::new(), Gaps::default());
        let mut lingered = std::pin::pin!(lingered(&self.gone));
        let ended = loop {
            tokio::select! {
                group = subscriber.recv_group(), if open.len() < self.shared.limits.open_groups => match group {
                    Ok(Some(group)) => {
                        // the relay has chosen what to begin with: the oldest of that must not be given up on its way
                        if let Some(patient) = patient.take() {
                            subscriber.update(patient)?;
                        }
                        gaps.begun(group.sequence, Instant::now());
                        self.tell_missing(&mut gaps, max_age);
                        open.spawn(self.clone().receive(group, consumer.clone(), subscription));
                    }
                    Ok(None) => break Ok(()),
                    Err(error) => break Err(error),
                },
                Some(_) = open.join_next() => {}
                () = &mut lingered => break Ok(()),
            }
        };
        // what was begun ends by itself: whole, or reset; after an error the track is wanted again soon
        let within = if ended.is_ok() { LINGER } else { RESET_WITHIN };
        let _ = tokio::time::timeout(within, async { while open.join_next().await.is_some() {} }).await;
        self.tell_missing(&mut gaps, Duration::ZERO);
        ended
    }

    /// Tells which groups were overtaken so long ago.
    fn tell_missing(&self, gaps: &mut Gaps, after: Duration) {
        for group_sequence in gaps.given_up(Instant::now(), after) {
            let (track, detail) = (self.name.to_string(), "newer ones came, and it did not".to_owned());
            self.shared.tell(&Event::Lost { track, group_sequence, reason: Loss::Missing, detail });
        }
    }

    async fn receive(self, group: group::Consumer, consumer: track::Consumer, subscription: u64) {
        let group_sequence = group.sequence;
        let reserved = self.shared.budget.empty();
        let heard = |frame: &Bytes| self.hear(frame);
        match receive(group, &consumer, reserved, self.shared.limits.group_bytes, heard).await {
            Ok(whole) => {
                let received_unix_ms = unix_ms();
                let (track, publisher) = (self.name.clone(), self.publisher);
                let received = Received { track, subscription, publisher, group_sequence, received_unix_ms, whole };
                // the keeper ends before this only on an error of its own
                let _ = self.shared.inbox.send(received);
            }
            Err(Lost(reason, detail)) => {
                let track = self.name.to_string();
                self.shared.tell(&Event::Lost { track, group_sequence, reason, detail });
            }
        }
    }

    /// A catalog is read as it comes: its group may stay open for as long as the broadcast lasts.
    fn hear(&self, frame: &Bytes) {
        if self.name.as_str() == CATALOG_TRACK {
            for name in catalog::tracks(frame) {
                // nobody listens any more when the broadcast is gone
                let _ = self.found.send(name);
            }
        }
    }
}

/// Comes some time after the broadcast is gone.
async fn lingered(gone: &CancellationToken) {
    gone.cancelled().await;
    sleep(LINGER).await;
}

/// The own clock, Unix milliseconds.
fn unix_ms() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_millis()).unwrap_or(u64::MAX)
}
