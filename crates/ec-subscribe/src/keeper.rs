//! The thread that writes: receiving never waits for the disk.

use std::{
    collections::HashMap,
    io,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use ec_archive::recorder::{
    RecorderError,
    reception::{ReceivedGroup, Reception},
    track::TrackName,
};
use tokio::sync::oneshot;

use crate::{
    Report,
    event::{Event, Loss, Recorded},
    group::Whole,
};

/// How often records are made durable; what a power cut takes of them, the relay or another archive may still have.
const SYNC_EVERY: Duration = Duration::from_secs(1);

/// A whole group on its way to the disk.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) track: TrackName,
    /// Subscriptions are counted; a later one's groups end those of an earlier one to the same track.
    pub(crate) subscription: u64,
    pub(crate) publisher: Option<u64>,
    pub(crate) group_sequence: u64,
    pub(crate) received_unix_ms: u64,
    pub(crate) whole: Whole,
}

/// The groups' way to the thread. When every clone is dropped, the thread writes what it has and ends.
pub(crate) type Inbox = Sender<Received>;

/// How the thread ends.
pub(crate) type Outcome = oneshot::Receiver<Result<(), RecorderError>>;

/// Starts the thread.
pub(crate) fn start(reception: Reception, report: Report) -> io::Result<(Inbox, Outcome)> {
    let (inbox, received) = channel();
    let (ended, outcome) = oneshot::channel();
    let keeper = Keeper { reception, report, newest: HashMap::new(), synced: Instant::now(), is_synced: true };
    let work = move || {
        // nobody may be left to hear how it ended
        let _ = ended.send(keeper.run(&received));
    };
    thread::Builder::new().name("keeper".into()).spawn(work)?;
    Ok((inbox, outcome))
}

struct Keeper {
    reception: Reception,
    report: Report,
    /// By track: the newest subscription that brought a group.
    newest: HashMap<TrackName, u64>,
    synced: Instant,
    is_synced: bool,
}

impl Keeper {
    fn run(mut self, received: &Receiver<Received>) -> Result<(), RecorderError> {
        loop {
            self.report.alive();
            match received.recv_timeout(SYNC_EVERY) {
                Ok(group) => self.keep(group)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return self.reception.sync(),
            }
            if !self.is_synced && self.synced.elapsed() >= SYNC_EVERY {
                self.reception.sync()?;
                (self.synced, self.is_synced) = (Instant::now(), true);
            }
        }
    }

    /// Keeps a group, unless a newer subscription to its track has brought one: the numbers of an earlier publisher would
    /// stand among those of a later one.
    fn keep(&mut self, received: Received) -> Result<(), RecorderError> {
        let Received { track, subscription, publisher, group_sequence, received_unix_ms, whole } = received;
        let newest = self.newest.entry(track.clone()).or_default();
        if subscription < *newest {
            let (track, detail) = (track.to_string(), "a newer subscription brought groups first".to_owned());
            self.report.hear(&Event::Lost { track, group_sequence, reason: Loss::Superseded, detail });
            return Ok(());
        }
        *newest = subscription;
        let bytes = whole.frames.concat();
        let group = ReceivedGroup { track: &track, group_sequence, received_unix_ms, publisher, bytes: &bytes };
        let kept = self.reception.keep(&group)?;
        drop(whole.reserved);
        self.is_synced = false;
        let track = track.to_string();
        self.report.hear(&match kept.is_new {
            true => Event::Recorded(Recorded {
                track,
                group_sequence,
                received_unix_ms,
                size_bytes: kept.stored.size_bytes,
                blake3: kept.stored.blake3.to_hex().to_string(),
            }),
            false => Event::Known { track, group_sequence },
        });
        Ok(())
    }
}
