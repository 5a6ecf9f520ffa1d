//! What shows: the snapshot after a turn, and what every slot has come to.

use std::{collections::BTreeMap, time::Duration};

use ec_observation::StreamHash;

use super::{reader::Followed, show, work::Work};
use crate::{
    clock,
    standing::{SlotReport, Snapshot, StreamStanding, Totals},
};

/// What is shown and no longer at work.
#[derive(Debug, Default)]
pub(super) struct Shown {
    high_water: BTreeMap<StreamHash, HighWater>,
    done: Vec<SlotReport>,
}

/// Marks of a stream that outlive its slots in the engine.
#[derive(Clone, Copy, Debug, Default)]
struct HighWater {
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

impl Shown {
    /// Keeps the reports of slots that are judged no more.
    pub(super) fn keep(&mut self, done: Vec<SlotReport>) {
        self.done.extend(done);
    }

    /// What every slot that is judged, or was, has come to.
    pub(super) fn reports(&self, Work { archive, ledger, judge, .. }: &Work) -> Vec<SlotReport> {
        let judged = judge
            .engine
            .slots()
            .filter_map(|(key, slot)| Some(show::slot(archive.rule(key.stream)?, *key, slot, &ledger.follower)));
        let mut reports: Vec<_> = self.done.iter().cloned().chain(judged).collect();
        reports.sort_by(|a, b| (&a.stream_id, a.sequence).cmp(&(&b.stream_id, b.sequence)));
        reports
    }

    /// How it stands after a turn that took this long.
    pub(super) fn snapshot(&mut self, work: &Work, totals: Totals, took: Duration) -> Snapshot {
        let Work { archive, ledger, judge, .. } = work;
        let voter = &judge.votes.voter;
        Snapshot {
            took,
            totals,
            archive_trouble: archive.intake.trouble().map(ToOwned::to_owned),
            joining: archive.intake.joining(),
            streams: archive.streams().map(|(hash, followed)| self.stream(hash, followed, work)).collect(),
            ledger: ledger.standing(voter.witness()),
            sending: voter.sending(judge.votes.contradicted(ledger.follower.heads().latest)),
            // the daemon knows it
            force_after_ms: 0,
            store: voter.store_standing().map(|standing| standing.map_err(|error| error.to_string())),
        }
    }

    fn stream(&mut self, hash: StreamHash, followed: &Followed, work: &Work) -> StreamStanding {
        let Followed { stream, backlog, lane, other_numbering, .. } = followed;
        let mut standing = StreamStanding {
            reading: stream.reading().clone(),
            tally: stream.tally(),
            withheld_epochs: stream.index().withheld_epochs(),
            backlog: *backlog,
            newest_record_unix_s: stream.newest_change().map(clock::unix_s_of),
            ..show::stream(&stream.rule().stream_id, hash, &work.judge.engine, &work.ledger.follower)
        };
        let lane =
            lane.as_ref().map(|lane| lane.standing(stream.index(), &work.judge.engine, &standing, work.now_ms()));
        (standing.lane, standing.other_numbering) = (lane, *other_numbering);
        self.high_water.entry(hash).or_default().raise(&mut standing);
        standing
    }
}
