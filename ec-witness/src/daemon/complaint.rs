//! Saying that something is wrong at first, then every minute, and once when it is over.

use std::fmt::Display;

use super::Halt;
use crate::sender::SendError;

/// How often the same thing is complained about, milliseconds.
const EVERY_MS: u64 = 60_000;

/// One thing that may be wrong.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Complaint {
    began_ms: Option<u64>,
    said_ms: u64,
}

/// What is to be said now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Say {
    Nothing,
    /// It is wrong, for so long already.
    Wrong(u64),
    /// It is right again, after so long.
    Right(u64),
}

impl Complaint {
    /// Warns of what is `wrong`, with what it means, as often as it is due; `right` is told once after it.
    pub(super) fn tell(&mut self, now_ms: u64, wrong: Option<&dyn Display>, means: &str, right: &str) {
        match self.next(now_ms, wrong.is_some()) {
            Say::Wrong(for_ms) => {
                let error = wrong.map(ToString::to_string).unwrap_or_default();
                tracing::warn!(error, for_s = for_ms / 1000, "{means}");
            }
            Say::Right(after_ms) => tracing::info!(after_s = after_ms / 1000, "{right}"),
            Say::Nothing => {}
        }
    }

    fn next(&mut self, now_ms: u64, is_wrong: bool) -> Say {
        match (self.began_ms, is_wrong) {
            (None, false) => Say::Nothing,
            (Some(began_ms), false) => {
                self.began_ms = None;
                Say::Right(now_ms.saturating_sub(began_ms))
            }
            (Some(_), true) if now_ms.saturating_sub(self.said_ms) < EVERY_MS => Say::Nothing,
            (began_ms, true) => {
                self.said_ms = now_ms;
                Say::Wrong(now_ms.saturating_sub(*self.began_ms.insert(began_ms.unwrap_or(now_ms))))
            }
        }
    }
}

/// Passes a fatal error on, complains of another one.
pub(super) fn tolerate<T>(
    outcome: Result<T, SendError>,
    complaint: &mut Complaint,
    now_ms: u64,
    means: &str,
    right: &str,
) -> Result<Option<T>, Halt> {
    let outcome = match outcome {
        Err(error) if error.is_fatal() => return Err(error.into()),
        outcome => outcome,
    };
    complaint.tell(now_ms, outcome.as_ref().err().map(|error| error as &dyn Display), means, right);
    Ok(outcome.ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_said_at_first_every_minute_and_when_it_is_over() {
        let mut complaint = Complaint::default();
        let said = [
            (0, false, Say::Nothing),
            (10, true, Say::Wrong(0)),
            (30_000, true, Say::Nothing),
            (60_010, true, Say::Wrong(60_000)),
            (60_020, true, Say::Nothing),
            (70_010, false, Say::Right(70_000)),
            (70_020, false, Say::Nothing),
            (70_030, true, Say::Wrong(0)),
        ];
        for (now_ms, is_wrong, expected) in said {
            assert_eq!(complaint.next(now_ms, is_wrong), expected, "{now_ms}");
        }
    }
}
