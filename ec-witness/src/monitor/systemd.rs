//! What systemd is told (sd_notify(3)). Without `NOTIFY_SOCKET` all of it does nothing.

use std::time::Duration;

use sd_notify::NotifyState;

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager cannot be told");
    }
}

/// The service is up.
pub fn tell_ready() {
    tell(&[NotifyState::Ready]);
}

/// The service goes down, for this reason.
pub(super) fn tell_stopping(why: &str) {
    tell(&[NotifyState::Stopping, NotifyState::Status(&one_line(why))]);
}

/// How it stands, in one line.
pub(super) fn tell_status(status: &str) {
    tell(&[NotifyState::Status(&one_line(status))]);
}

/// It is alive.
pub(super) fn ping() {
    tell(&[NotifyState::Watchdog]);
}

/// How often to ping: half of what the watchdog allows; `None` without a watchdog.
pub(super) fn ping_period() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|allowed| allowed / 2)
}

/// A line break would begin another assignment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
