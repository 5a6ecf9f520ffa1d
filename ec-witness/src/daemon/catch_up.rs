//! Says how catching up goes on: what is left, how fast that grows less, and for how long still.

use std::collections::VecDeque;

use crate::standing::{CatchUp, Snapshot};

/// How often it is looked at, and told while it goes on, milliseconds: as often as the backlog is counted.
const LOOK_EVERY_MS: u64 = 30_000;

/// Over what time its speed is measured, milliseconds: as the backlog is counted apart from what waits, what is left jumps
/// a little with each look.
const MEASURED_OVER_MS: u64 = 600_000;

/// How catching up goes on.
#[derive(Debug, Default)]
pub(super) struct CatchingUp {
    /// What was left, and when, newest last.
    seen: VecDeque<(u64, u64)>,
}

impl CatchingUp {
    /// Shows it in a snapshot, and tells of it now and then.
    pub(super) fn show(&mut self, snapshot: &mut Snapshot, now_ms: u64) {
        let waiting = snapshot.sending.as_ref().map_or(0, |sending| sending.waiting_old_votes as u64);
        let left = snapshot.streams.iter().map(|stream| stream.backlog.left).fold(waiting, u64::saturating_add);
        let was_left = self.seen.back().is_some_and(|&(_, left)| left > 0);
        let is_new = self.look(left, now_ms);
        let catch_up = CatchUp { left, per_second: self.per_second(left, now_ms) };
        snapshot.catch_up = Some(catch_up);
        if !is_new {
            return;
        }
        if let Some(left_s) = catch_up.left_s() {
            let per_second = (catch_up.per_second * 10.0).round() / 10.0;
            let paced_gas = snapshot.sending.as_ref().and_then(|sending| sending.paced_gas);
            tracing::info!(left, per_second, left_s, paced_gas, "catching up on old epochs");
        } else if left == 0 && was_left {
            tracing::info!("caught up: no old epoch is left");
        }
    }

    /// Notes what is left; whether it was time to.
    fn look(&mut self, left: u64, now_ms: u64) -> bool {
        if self.seen.back().is_some_and(|&(at_ms, _)| now_ms.saturating_sub(at_ms) < LOOK_EVERY_MS) {
            return false;
        }
        self.seen.push_back((now_ms, left));
        self.seen.retain(|&(at_ms, _)| now_ms.saturating_sub(at_ms) <= MEASURED_OVER_MS);
        true
    }

    /// How many fewer there were each second since the first look that still counts.
    fn per_second(&self, left: u64, now_ms: u64) -> f64 {
        let Some(&(at_ms, before)) = self.seen.front().filter(|(at_ms, _)| *at_ms < now_ms) else { return 0.0 };
        before.saturating_sub(left) as f64 * 1000.0 / now_ms.saturating_sub(at_ms) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::{Backlog, SendingStanding, StreamStanding};

    fn snapshot(left: u64, waiting_old_votes: usize) -> Snapshot {
        let stream = StreamStanding { backlog: Backlog { filled: 0, left }, ..StreamStanding::default() };
        let sending = SendingStanding { waiting_old_votes, ..SendingStanding::default() };
        Snapshot { streams: vec![stream.clone(), stream], sending: Some(sending), ..Snapshot::default() }
    }

    #[test]
    fn what_is_left_of_all_streams_and_waits_grows_less_at_some_speed() {
        let mut catching_up = CatchingUp::default();
        let mut at = |now_s: u64, left, waiting| {
            let mut snapshot = snapshot(left, waiting);
            catching_up.show(&mut snapshot, now_s * 1000);
            let shown = snapshot.catch_up.unwrap();
            (shown.left, shown.per_second, shown.left_s())
        };
        assert_eq!(at(0, 1000, 400), (2400, 0.0, None));
        assert_eq!(at(30, 1000, 250), (2250, 5.0, Some(450)));
        assert_eq!(at(100, 800, 300), (1900, 5.0, Some(380)));
        // after an outage of the others
        assert_eq!(at(1000, 800, 300), (1900, 0.0, None));
        assert_eq!(at(1010, 800, 200), (1800, 10.0, Some(180)));
        // a broadcast that comes later
        assert_eq!(at(1020, 5000, 0), (10_000, 0.0, None));
        assert_eq!(at(1100, 0, 0), (0, 19.0, None));
    }

    #[test]
    fn it_is_looked_at_every_half_minute() {
        let mut catching_up = CatchingUp::default();
        let looks = [0, 29_999, 30_000, 59_999, 60_000].map(|now_ms| catching_up.look(1, now_ms));
        assert_eq!(looks, [true, false, true, false, true]);
        (0..10_000).for_each(|n| _ = catching_up.look(1, n * LOOK_EVERY_MS));
        assert!(catching_up.seen.len() <= 21, "{}", catching_up.seen.len());
    }
}
