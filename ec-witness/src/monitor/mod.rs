//! Shows from outside how the daemon fares: metrics, health, systemd.
//!
//! All of it runs on a thread of its own, so that it answers, and withholds the watchdog's ping, while a turn hangs on a
//! dead disk. That thread also owns the signals, and ends a process that does not drain.

pub mod check;
mod describe;
mod gauges;
mod http;
mod memory;
mod systemd;
mod thread;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use ec_ledger::Pulse;

use crate::{clock, standing::Snapshot, witness::slot::SlotState};
use check::{Check, Level, checks};

pub use http::Scraped;
pub use systemd::tell_ready;
pub use thread::{DRAINED_WITHIN, Watching, watch};

/// A process that the monitor's thread shows. Clones show the same.
pub trait Watched: Clone + Send + Sync + 'static {
    /// Whether work goes on, or why not.
    fn alive(&self) -> Check;

    /// Every check, the process's own first.
    fn readiness(&self) -> Vec<Check>;

    /// How it stands, in one line for an operator.
    fn headline(&self) -> String;

    /// A stop was asked for. Returns whether something is under way that ends when it hears of that.
    fn stop(&self) -> bool;
}

/// What the process is doing.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Phase {
    /// Not ready yet.
    Starting,
    /// Taking turns.
    Working,
    /// Asked to stop.
    Stopping,
}

#[derive(Debug)]
struct State {
    phase: Phase,
    snapshot: Option<Snapshot>,
}

/// What the daemon tells, and the monitor's thread shows. Clones share it.
#[derive(Clone, Debug)]
pub struct Monitor {
    pulse: Pulse,
    stuck_after: Duration,
    state: Arc<Mutex<State>>,
}

impl Monitor {
    /// A monitor of a process that is starting. Work is stuck when `pulse` has not beaten for `stuck_after`.
    pub fn new(pulse: Pulse, stuck_after: Duration) -> Self {
        let state = State { phase: Phase::Starting, snapshot: None };
        Self { pulse, stuck_after, state: Arc::new(Mutex::new(state)) }
    }

    /// The store is open, the chain reached and the archive read: turns begin.
    pub fn ready(&self) {
        self.pulse.beat();
        self.set_phase(Phase::Working);
        systemd::tell_ready();
    }

    /// A turn ended.
    pub fn turned(&self, snapshot: &Snapshot) {
        gauges::show(snapshot, clock::unix_now());
        self.lock().snapshot = Some(snapshot.clone());
    }

    /// The witness stopped by itself, and the process is about to end.
    pub fn halted(&self, why: &str) {
        systemd::tell_stopping(&format!("halted: {why}"));
    }

    fn set_phase(&self, phase: Phase) -> Phase {
        std::mem::replace(&mut self.lock().phase, phase)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Watched for Monitor {
    fn stop(&self) -> bool {
        self.set_phase(Phase::Stopping) != Phase::Starting
    }

    fn alive(&self) -> Check {
        let (age_s, limit_s) = (self.pulse.age().as_secs(), self.stuck_after.as_secs());
        if self.pulse.age() <= self.stuck_after {
            return Check::ok("turns", format!("work went on {age_s} s ago"));
        }
        let fix = "look for a disk or network share that does not answer; restart the witness";
        Check::fail("turns", format!("nothing went on for {age_s} s; the limit is {limit_s} s"), fix)
    }

    fn readiness(&self) -> Vec<Check> {
        let mut found = vec![self.alive()];
        let state = self.lock();
        match state.phase {
            Phase::Working if state.snapshot.is_none() => {
                found.push(Check::fail("phase", "the first turn goes on", "wait"));
            }
            Phase::Starting => found.push(Check::fail("phase", "starting", "wait")),
            Phase::Working => found.push(Check::ok("phase", "working")),
            Phase::Stopping => found.push(Check::fail("phase", "stopping", "")),
        }
        found.extend(state.snapshot.iter().flat_map(|snapshot| checks(snapshot, clock::unix_s())));
        found
    }

    /// `12 streams, 3 slots open, voted 12345, head 1 s`.
    fn headline(&self) -> String {
        let alive = self.alive();
        if alive.level != Level::Ok {
            return format!("stuck: {}", alive.reason);
        }
        let state = self.lock();
        let Some(Snapshot { streams, totals, ledger, store, .. }) = &state.snapshot else {
            return "starting: reading the archive and the ledger".into();
        };
        if let Some(error) = &ledger.error {
            return format!("the ledger cannot be read: {error}");
        }
        let open: usize = streams
            .iter()
            .flat_map(|s| &s.slots)
            .filter(|(state, _)| !SlotState::is_outcome(**state))
            .map(|(_, n)| n)
            .sum();
        let votes =
            store.as_ref().and_then(|store| store.as_ref().ok()).map_or(totals.votes as i64, |store| store.votes);
        let head_s = clock::unix_s().saturating_sub(ledger.head_times.latest);
        format!("{} streams, {open} slots open, voted {votes}, head {head_s} s", streams.len())
    }
}
