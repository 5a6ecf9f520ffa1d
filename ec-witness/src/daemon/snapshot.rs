//! The daemon's snapshot after a turn.

use std::time::Duration;

use super::{Daemon, epochs::Followed, show};
use crate::{
    observation::StreamHash,
    standing::{Snapshot, StreamStanding},
};

/// Marks of a stream that outlive its slots in the engine.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct HighWater {
    newest_closed: Option<u64>,
    newest_voted: Option<u64>,
}

impl HighWater {
    /// Raises the marks to what is seen now, and shows them.
    fn raise(&mut self, standing: &mut StreamStanding) {
        self.newest_closed = self.newest_closed.max(standing.newest_closed);
        self.newest_voted = self.newest_voted.max(standing.newest_voted);
        standing.newest_closed = self.newest_closed;
        standing.newest_voted = self.newest_voted;
    }
}

impl Daemon {
    /// How it stands after a turn that took this long.
    pub(super) fn snapshot(&mut self, took: Duration) -> Snapshot {
        let now_ms = self.now_ms();
        let Self { streams, engine, follower, high_water, .. } = self;
        let stand = |(&hash, followed): (&StreamHash, &Followed)| {
            let Followed { stream, backlog, .. } = followed;
            let mut standing = StreamStanding {
                reading: stream.reading().clone(),
                tally: stream.tally(),
                withheld_epochs: stream.index().withheld_epochs(),
                backlog: *backlog,
                newest_record_unix_s: stream.newest_change().map(show::unix_s),
                ..show::stream(&stream.rule().stream_id, hash, engine, follower)
            };
            high_water.entry(hash).or_default().raise(&mut standing);
            standing
        };
        Snapshot {
            took,
            totals: self.totals,
            archive_trouble: self.intake.trouble().map(ToOwned::to_owned),
            joining: self.intake.joining(),
            streams: streams.iter().map(stand).collect(),
            ledger: show::ledger(follower, self.voter.witness(), self.poll_error.clone(), self.polled_unix_s),
            sending: self.voter.sending(now_ms),
            store: self.voter.store_standing().map(|standing| standing.map_err(|error| error.to_string())),
        }
    }
}
