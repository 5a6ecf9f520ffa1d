//! How the recorder of a relay's broadcast fares: what it is told becomes metrics, checks and one line.

pub mod metrics;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use ::metrics::{counter, gauge};
use ec_ledger::Pulse;
use ec_subscribe::{Event, Recorded};

use crate::{
    clock,
    monitor::{Watched, check::Check},
};
use metrics::{BYTES, CONNECTED, CONNECTIONS, GROUPS, KNOWN, LAST_GROUP, LIVE, LOST, ROUTES, TRACKS};

/// How long a live broadcast may bring no group before an operator is told, seconds: several groups of any publisher.
const SILENT_S: u64 = 30;

/// The recorder as it is shown. Clones share it.
#[derive(Clone, Debug)]
pub struct Reception {
    pulse: Pulse,
    stuck_after: Duration,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    is_connected: bool,
    is_live: bool,
    is_stopping: bool,
    /// Why there is no connection.
    error: Option<String>,
    /// The tracks that are received, and how often: at a change of publishers twice.
    tracks: BTreeMap<String, usize>,
    totals: Totals,
    last_group_unix_ms: Option<u64>,
}

/// What was recorded since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// Tracks that are received now.
    pub tracks: usize,
    /// Groups.
    pub groups: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Groups that were begun and not kept.
    pub lost: u64,
}

impl Reception {
    /// A recorder that starts. It is stuck when it has written nothing, nor could have, for `stuck_after`.
    pub fn new(stuck_after: Duration) -> Self {
        Self { pulse: Pulse::default(), stuck_after, state: Arc::default() }
    }

    /// The thread that writes is not held up.
    pub fn beat(&self) {
        self.pulse.beat();
    }

    /// Something happened.
    pub fn heard(&self, event: &Event) {
        let mut state = self.lock();
        match event {
            Event::Connected { .. } => {
                (state.is_connected, state.error) = (true, None);
                counter!(CONNECTIONS).increment(1);
            }
            Event::Disconnected { error, .. } => {
                (state.is_connected, state.is_live, state.error) = (false, false, Some(error.clone()));
            }
            Event::Live { .. } => {
                state.is_live = true;
                counter!(ROUTES).increment(1);
            }
            Event::Gone => state.is_live = false,
            Event::Subscribed { track } => {
                *state.tracks.entry(track.clone()).or_default() += 1;
            }
            Event::Unsubscribed { track, .. } => {
                state.tracks.entry(track.clone()).and_modify(|times| *times = times.saturating_sub(1));
                state.tracks.retain(|_, times| *times > 0);
            }
            Event::Recorded(recorded) => state.recorded(recorded),
            Event::Known { track, .. } => counter!(KNOWN, "track" => track.clone()).increment(1),
            Event::Lost { reason, .. } => {
                state.totals.lost += 1;
                counter!(LOST, "reason" => reason.name()).increment(1);
            }
            _ => {}
        }
        gauge!(CONNECTED).set(f64::from(u8::from(state.is_connected)));
        gauge!(LIVE).set(f64::from(u8::from(state.is_live)));
        gauge!(TRACKS).set(state.tracks.len() as f64);
    }

    /// What was recorded so far.
    pub fn totals(&self) -> Totals {
        let state = self.lock();
        Totals { tracks: state.tracks.len(), ..state.totals }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn recorded(&mut self, recorded: &Recorded) {
        let Recorded { track, received_unix_ms, size_bytes, .. } = recorded;
        self.totals.groups += 1;
        self.totals.bytes += size_bytes;
        self.last_group_unix_ms = Some(*received_unix_ms);
        counter!(GROUPS, "track" => track.clone()).increment(1);
        counter!(BYTES, "track" => track.clone()).increment(*size_bytes);
        gauge!(LAST_GROUP, "track" => track.clone()).set(*received_unix_ms as f64 / 1000.0);
    }

    fn relay(&self) -> Check {
        match (self.is_connected, &self.error) {
            (true, _) => Check::ok("relay", "connected"),
            (false, Some(error)) => {
                Check::fail("relay", error, "check the relay's URL, its certificate and the network")
            }
            (false, None) => Check::fail("relay", "the relay has not answered yet", "wait"),
        }
    }

    fn broadcast(&self, now_unix_ms: u64) -> Check {
        let silent_s = self.last_group_unix_ms.map(|last| now_unix_ms.saturating_sub(last) / 1000);
        match (self.is_live, silent_s) {
            (false, _) => {
                Check::fail("broadcast", "no route to the broadcast stands", "check its name, and its publisher")
            }
            (true, Some(silent_s)) if silent_s <= SILENT_S => {
                Check::ok("broadcast", format!("{} tracks, the newest group {silent_s} s ago", self.tracks.len()))
            }
            (true, Some(silent_s)) => {
                Check::warn("broadcast", format!("no group came for {silent_s} s"), "look at the publisher")
            }
            (true, None) => {
                Check::warn("broadcast", "no group was recorded yet", "wait; look at the publisher's catalog")
            }
        }
    }
}

impl Watched for Reception {
    fn alive(&self) -> Check {
        let (age_s, limit_s) = (self.pulse.age().as_secs(), self.stuck_after.as_secs());
        if self.pulse.age() <= self.stuck_after {
            return Check::ok("disk", format!("writing went on {age_s} s ago"));
        }
        let fix = "look for a disk or network share that does not answer; restart the recorder";
        Check::fail("disk", format!("nothing was written for {age_s} s; the limit is {limit_s} s"), fix)
    }

    fn readiness(&self) -> Vec<Check> {
        let alive = self.alive();
        let state = self.lock();
        let mut checks = vec![alive, state.relay(), state.broadcast(clock::unix_ms())];
        if state.is_stopping {
            checks.push(Check::fail("phase", "stopping", ""));
        }
        checks
    }

    fn headline(&self) -> String {
        let Totals { tracks, groups, bytes, lost } = self.totals();
        let state = self.lock();
        match (state.is_connected, state.is_live) {
            (false, _) => format!("no relay: {}", state.error.as_deref().unwrap_or("connecting")),
            (true, false) => "waiting for the broadcast".into(),
            (true, true) => format!("{tracks} tracks, {groups} groups, {} MB, {lost} lost", bytes / 1_000_000),
        }
    }

    fn stop(&self) -> bool {
        self.lock().is_stopping = true;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::monitor::check::Level;

    fn levels(reception: &Reception) -> Vec<Level> {
        reception.readiness().iter().map(|check| check.level).collect()
    }

    fn recorded(received_unix_ms: u64) -> Event {
        let (track, blake3) = ("0.m4s".to_owned(), "00".repeat(32));
        Event::Recorded(Recorded { track, group_sequence: 0, received_unix_ms, size_bytes: 5, blake3 })
    }

    #[test]
    fn it_is_ready_while_groups_come() {
        let reception = Reception::new(Duration::from_secs(60));
        assert_eq!(levels(&reception), [Level::Ok, Level::Fail, Level::Fail]);
        reception.heard(&Event::Connected { protocol: "moq-lite-06".into() });
        reception.heard(&Event::Live { publisher: None });
        assert_eq!(levels(&reception), [Level::Ok, Level::Ok, Level::Warn]);
        reception.heard(&recorded(clock::unix_ms() - 60_000));
        assert_eq!(levels(&reception), [Level::Ok, Level::Ok, Level::Warn]);
        reception.heard(&recorded(clock::unix_ms()));
        assert_eq!(levels(&reception), [Level::Ok; 3]);
        assert_eq!((reception.totals().groups, reception.totals().bytes), (2, 10));
        reception.heard(&Event::Disconnected { error: "timed out".into(), retry_ms: 250 });
        assert_eq!(levels(&reception), [Level::Ok, Level::Fail, Level::Fail]);
        assert_eq!(reception.headline(), "no relay: timed out");
    }

    #[test]
    fn a_track_is_received_until_its_last_subscription_ends() {
        let reception = Reception::new(Duration::from_secs(60));
        let (track, error) = ("0.m4s".to_owned(), None);
        reception.heard(&Event::Subscribed { track: track.clone() });
        reception.heard(&Event::Subscribed { track: track.clone() });
        reception.heard(&Event::Unsubscribed { track: track.clone(), error: error.clone() });
        assert_eq!(reception.totals().tracks, 1);
        reception.heard(&Event::Unsubscribed { track, error });
        assert_eq!(reception.totals().tracks, 0);
    }

    #[test]
    fn a_disk_that_holds_up_is_seen() {
        let reception = Reception::new(Duration::ZERO);
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(reception.alive().level, Level::Fail);
    }
}
