//! Whether the chain is live, whether its finality moves, and when to ask again (protocol §5.5).

use std::time::Duration;

use ec_rpc::{AskError, Backoff};

use super::{FollowError, Heads, LedgerSettings};

/// What polls, one after the other, say of the chain.
#[derive(Debug, Default)]
pub(super) struct Liveness {
    /// When a poll succeeded last.
    answered_ms: Option<u64>,
    live_since_ms: Option<u64>,
    finality: Standstill,
    backoff: Backoff,
    retry_in: Duration,
}

impl Liveness {
    /// A poll read the ledger up to these heads.
    pub(super) fn answered(&mut self, now_ms: u64, heads: Heads) {
        self.finality.observe(now_ms, heads.finalized, heads.latest);
        self.answered_ms = Some(now_ms);
        self.live_since_ms.get_or_insert(now_ms);
        (self.backoff, self.retry_in) = (Backoff::default(), Duration::ZERO);
    }

    /// A poll failed. `rest` is how long the endpoints are left alone; a poll that asked nobody makes the next one no
    /// later.
    pub(super) fn failed(&mut self, now_ms: u64, error: &FollowError, rest: Duration, settings: &LedgerSettings) {
        let silent_ms = now_ms.saturating_sub(self.answered_ms.unwrap_or(0));
        if error.is_not_live() || u128::from(silent_ms) > settings.head_stale.as_millis() {
            self.live_since_ms = None;
        }
        self.retry_in = match error {
            FollowError::Ask(AskError::Resting { wait, .. }) => *wait,
            _ => self.backoff.next_delay().max(rest),
        };
    }

    /// Since when the ledger has been live without a break; `None` while it is not.
    pub(super) fn live_since_ms(&self) -> Option<u64> {
        self.live_since_ms
    }

    /// For how long the finalized head has stood still below a newer one.
    pub(super) fn stalled_ms(&self) -> u64 {
        self.finality.lasts_ms()
    }

    /// How long to wait after a poll that failed; zero after another one.
    pub(super) fn retry_in(&self) -> Duration {
        self.retry_in
    }
}

/// How long a head stands still below a newer one.
#[derive(Clone, Copy, Debug, Default)]
struct Standstill {
    at: Option<u64>,
    since_ms: u64,
    now_ms: u64,
}

impl Standstill {
    /// A head that has caught up with `newest` waits for nothing.
    fn observe(&mut self, now_ms: u64, head: u64, newest: u64) {
        self.now_ms = now_ms;
        if self.at != Some(head) || head == newest {
            (self.at, self.since_ms) = (Some(head), now_ms);
        }
    }

    fn lasts_ms(&self) -> u64 {
        self.now_ms.saturating_sub(self.since_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_stands_still_while_a_newer_one_waits() {
        let mut still = Standstill::default();
        let mut lasts = |now_ms, head, newest| {
            still.observe(now_ms, head, newest);
            still.lasts_ms()
        };
        assert_eq!(lasts(1000, 0, 5), 0, "from the first look on");
        assert_eq!(lasts(3000, 0, 9), 2000);
        assert_eq!(lasts(4000, 3, 9), 0);
        assert_eq!(lasts(9000, 3, 9), 5000);
        assert_eq!(lasts(9500, 2, 9), 0, "back is a move, too");
        assert_eq!([lasts(20_000, 9, 9), lasts(30_000, 9, 9), lasts(40_000, 9, 10)], [0, 0, 10_000]);
    }
}
