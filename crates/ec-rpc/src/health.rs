//! How an endpoint has done so far, and when to ask it again.

use std::{collections::BTreeMap, time::Duration};

use backon::{BackoffBuilder, ExponentialBackoff, ExponentialBuilder};
use tokio::time::Instant;

use crate::fault::Fault;

/// The first rest after a fault, before jitter, which at most doubles it.
const FIRST_REST: Duration = Duration::from_millis(250);
/// The longest rest, before jitter: 30 s with it.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// Jittered, exponentially growing delays: 250 ms to 30 s.
#[derive(Debug)]
pub struct Backoff(ExponentialBackoff);

impl Default for Backoff {
    fn default() -> Self {
        let delays = ExponentialBuilder::default().with_min_delay(FIRST_REST).with_max_delay(LONGEST_REST);
        Self(delays.with_factor(2.0).with_jitter().without_max_times().build())
    }
}

impl Backoff {
    /// The next delay.
    pub fn next_delay(&mut self) -> Duration {
        self.0.next().unwrap_or(LONGEST_REST)
    }
}

/// What an endpoint has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Health {
    /// Answers it gave.
    pub answered: u64,
    /// Faults by [`Fault::kind`].
    pub faults: BTreeMap<&'static str, u64>,
    /// Faults since its last answer.
    pub failures: u32,
    /// The newest fault.
    pub last_fault: Option<Fault>,
    /// The number of its newest block.
    pub head: Option<u64>,
    /// The chain it serves instead of the configured one; it is never asked again.
    pub shut_out: Option<u64>,
    /// When it may be asked again.
    pub rests_until: Option<Instant>,
    /// Requests it has not answered yet.
    pub in_flight: usize,
}

impl Health {
    /// Whether it gave its last answer, and is of the right chain.
    pub fn is_up(&self) -> bool {
        self.shut_out.is_none() && self.failures == 0
    }

    /// Whether it may be asked now.
    pub(crate) fn is_available(&self, busy: usize) -> bool {
        self.shut_out.is_none() && self.in_flight < busy && self.rest().is_zero()
    }

    /// How long to leave it alone yet.
    pub fn rest(&self) -> Duration {
        self.rests_until.map_or(Duration::ZERO, |until| until.saturating_duration_since(Instant::now()))
    }

    pub(crate) fn note(&mut self, fault: Option<&Fault>, backoff: &mut Backoff) {
        let Some(fault) = fault else {
            self.answered += 1;
            (self.failures, self.rests_until) = (0, None);
            *backoff = Backoff::default();
            return;
        };
        *self.faults.entry(fault.kind()).or_default() += 1;
        self.last_fault = Some(fault.clone());
        if fault.calls_for_rest() {
            self.failures += 1;
            let rest = backoff.next_delay().max(fault.retry_after().unwrap_or_default());
            self.rests_until = Some(self.rests_until.unwrap_or(Instant::now()).max(Instant::now() + rest));
        }
    }
}
