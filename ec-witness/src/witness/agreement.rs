//! What witnesses of one ledger must have alike.

use ec_observation::TimeMode;

/// The agreement's constants, equal at all witnesses of a ledger. All times in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreement {
    /// How far two hosts' clocks may be apart.
    pub precision_ms: u64,
    /// How long a record may take from one host to another.
    pub message_delay_ms: u64,
    /// How long a candidate whose time alone is outside the window is not rivalled.
    pub time_wait_ms: u64,
    /// How long after closing an incomplete epoch may still grow before an equal candidate is attested.
    pub late_ms: u64,
    /// The wait between two ranks' turns to propose.
    pub propose_stagger_ms: u64,
    /// How much later an incomplete epoch is proposed.
    pub incomplete_delay_ms: u64,
    /// When an undecided slot gives its place in the window up.
    pub disputed_after_ms: u64,
    /// How many final observations may lie between a header and its parent; above 1023 as 1023.
    pub parent_window: u64,
    /// Slots of one stream that are judged at once.
    pub max_inflight: usize,
    /// How long after the first candidate of a slot, or of a window in any session, its rounds begin.
    pub round_grace_ms: u64,
    /// How long a round lasts; 0: there are none.
    pub round_ms: u64,
}

impl Default for Agreement {
    fn default() -> Self {
        Self {
            precision_ms: 2_000,
            message_delay_ms: 15_000,
            time_wait_ms: 60_000,
            late_ms: 60_000,
            propose_stagger_ms: 12_000,
            incomplete_delay_ms: 300_000,
            disputed_after_ms: 600_000,
            parent_window: 64,
            max_inflight: 64,
            round_grace_ms: 60_000,
            round_ms: 60_000,
        }
    }
}

impl Agreement {
    /// How far a candidate's time may be from the own: a window for receive times, none on the timeline.
    pub fn tolerance_ms(&self, time: TimeMode) -> u64 {
        match time {
            TimeMode::Received => self.precision_ms.saturating_add(self.message_delay_ms),
            TimeMode::Timeline { .. } => 0,
        }
    }
}
