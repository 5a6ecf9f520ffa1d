//! What shows: the snapshot after a turn, and what every slot has come to.

use std::{collections::BTreeMap, time::Duration};

use ec_archive::index_files;
use ec_observation::StreamHash;

use super::{judge::Streams, reader::Followed, show, work::Work};
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
    /// The newest epoch that was voted on or final, and since when a closed one is newer, Unix seconds.
    settled: Option<u64>,
    unvoted_since_s: Option<u64>,
}

impl HighWater {
    /// Raises the marks to what is seen now, and shows them.
    fn raise(&mut self, standing: &mut StreamStanding, now_unix_s: u64) {
        self.newest_closed = self.newest_closed.max(standing.newest_closed);
        self.newest_voted = self.newest_voted.max(standing.newest_voted);
        let settled = self.newest_voted.max(standing.newest_final.latest);
        let is_unvoted = self.newest_closed > settled;
        if !is_unvoted || settled != self.settled {
            self.unvoted_since_s = is_unvoted.then_some(now_unix_s);
        } else {
            self.unvoted_since_s.get_or_insert(now_unix_s);
        }
        self.settled = settled;
        standing.newest_closed = self.newest_closed;
        standing.newest_voted = self.newest_voted;
        standing.unvoted_since_unix_s = self.unvoted_since_s;
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
            // the daemon knows them
            poll: Duration::ZERO,
            catch_up: None,
            force_after_ms: 0,
            archive_trouble: archive.intake.trouble().map(ToOwned::to_owned),
            index_files: Some(index_files()),
            joining: archive.intake.joining(),
            streams: archive.streams().map(|(hash, followed)| self.stream(hash, followed, work)).collect(),
            ledger: ledger.standing(voter.witness()),
            sending: voter.sending(judge.votes.contradicted(ledger.follower.heads().latest)),
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
        self.high_water.entry(hash).or_default().raise(&mut standing, clock::unix_s());
        standing
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::standing::AtHeads;

    #[test]
    fn a_stream_is_unvoted_from_when_a_closed_epoch_is_newer_than_any_vote_or_final() {
        let mut mark = HighWater::default();
        let mut since = |now_s, newest_closed, newest_voted, newest_final| {
            let newest_final = AtHeads { latest: newest_final, ..AtHeads::default() };
            let mut standing =
                StreamStanding { newest_closed, newest_voted, newest_final, ..StreamStanding::default() };
            mark.raise(&mut standing, now_s);
            standing.unvoted_since_unix_s
        };
        assert_eq!(since(10, None, None, None), None);
        assert_eq!(since(20, Some(0), None, None), Some(20));
        assert_eq!(since(30, Some(1), None, None), Some(20));
        assert_eq!(since(40, Some(1), Some(0), None), Some(40), "a vote, and one epoch is still newer");
        assert_eq!(since(50, Some(1), Some(0), Some(1)), None, "others made it final");
        // slots that are done are shown no more
        assert_eq!(since(60, None, None, Some(1)), None);
        assert_eq!(since(70, Some(2), None, Some(1)), Some(70));
    }
}
