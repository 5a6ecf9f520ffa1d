//! What goes on being wrong is said once a minute, not once a turn.

use std::collections::BTreeMap;

use super::Halt;
use crate::chain::sender::SendError;

/// How often the same complaint is made, milliseconds.
const COMPLAIN_EVERY_MS: u64 = 60_000;

/// When each complaint was made last, and how often it was not since then.
#[derive(Debug, Default)]
pub(super) struct Complaints(BTreeMap<&'static str, (u64, u64)>);

impl Complaints {
    /// Whether it is time to complain of `what`, and how often that was left unsaid before.
    pub(super) fn due(&mut self, what: &'static str, now_ms: u64) -> Option<u64> {
        let Some((said_ms, unsaid)) = self.0.get_mut(what) else {
            self.0.insert(what, (now_ms, 0));
            return Some(0);
        };
        if now_ms.saturating_sub(*said_ms) < COMPLAIN_EVERY_MS {
            *unsaid += 1;
            return None;
        }
        *said_ms = now_ms;
        Some(std::mem::take(unsaid))
    }
}

/// Passes a fatal error on, logs another one.
pub(super) fn tolerate<T>(
    outcome: Result<T, SendError>,
    complaints: &mut Complaints,
    now_ms: u64,
    message: &'static str,
) -> Result<Option<T>, Halt> {
    match outcome {
        Ok(done) => Ok(Some(done)),
        Err(error) if error.is_fatal() => Err(error.into()),
        Err(error) => {
            if let Some(unsaid) = complaints.due(message, now_ms) {
                tracing::warn!(%error, unsaid, "{message}");
            }
            Ok(None)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_said_once_a_minute_with_what_was_left_unsaid() {
        let mut complaints = Complaints::default();
        assert_eq!(complaints.due("a", 0), Some(0));
        assert_eq!(complaints.due("b", 1), Some(0));
        assert_eq!((complaints.due("a", 1000), complaints.due("a", 59_999)), (None, None));
        assert_eq!(complaints.due("a", 60_000), Some(2));
        assert_eq!(complaints.due("a", 60_001), None);
    }
}
