//! A follower that begins at what an earlier one kept tells what one tells that reads the whole log.

use std::path::PathBuf;

use ec_ledger::{Final, FollowError, Follower, LedgerState};
use ec_observation::StreamRule;
use ec_rpc::BlockRef;

use crate::bench::{Bench, header, header_of, rule, timeline};

/// How far the finalized head of the bench's node is behind its latest.
const FINAL_AFTER: u64 = 1000;

struct Kept {
    bench: Bench,
    /// The chain before most of it.
    early: String,
    dir: tempfile::TempDir,
}

impl Kept {
    /// Four epochs of the lane and two of the timeline are final, another one has votes.
    async fn start() -> Self {
        let mut bench = Bench::start(2).await;
        bench.propose(2, header(7, 0), 0).await;
        let early = bench.remember().await;
        let finals = (1..5).map(|index| header(index, 0)).chain((1..3).map(|index| header_of(&timeline(), index)));
        for header in finals {
            bench.propose(2, header, 0).await;
            bench.attest(1, header).await;
            bench.attest(3, header).await;
        }
        bench.propose(2, header(5, 0), 0).await;
        bench.rotate(2, 5).await;
        bench.mine(FINAL_AFTER + 10).await;
        Self { bench, early, dir: tempfile::tempdir().unwrap() }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("ledger.sqlite")
    }

    /// One that keeps the checkpoint, of these streams.
    fn keeping(&self, streams: &[StreamRule], rested_on: Option<BlockRef>) -> Follower {
        let mut follower = self.bench.another(Some(5), streams).resting_on(rested_on);
        follower.keep_in(&self.file()).unwrap();
        follower
    }

    /// One of these streams has kept it, and has ended.
    async fn keep(&self, streams: &[StreamRule]) {
        let mut follower = self.keeping(streams, None);
        follower.poll(0, true).await.unwrap();
        follower.keep(true).unwrap();
    }

    /// Both tell the same of what is settled and what is not.
    async fn compare(&self, follower: &Follower) {
        let mut anew = self.bench.another(Some(5), &[rule(), timeline()]);
        anew.poll(0, true).await.unwrap();
        let (ledger, anew) = (follower.ledger(), anew.ledger());
        assert_eq!((ledger.head(), follower.set().active.len()), (anew.head(), 4));
        for rule in [rule(), timeline()] {
            let stream = rule.stream_hash();
            let finals = |ledger: &LedgerState| ledger.finals(stream).collect::<Vec<_>>();
            assert!(finals(ledger) == finals(anew) && finals(anew).len() >= 2, "{:?}", finals(ledger));
            let sessions = |ledger: &LedgerState| {
                let lane = ledger.lane(stream);
                lane.map(|lane| {
                    (lane.sessions().cloned().collect::<Vec<_>>(), lane.candidates_in(0..=u64::MAX).count())
                })
            };
            assert_eq!(sessions(ledger), sessions(anew));
        }
        for header in (1..9).map(|index| header(index, 0)) {
            assert_eq!(ledger.slot(header.slot()), anew.slot(header.slot()));
        }
        for account in 0..8 {
            let address = self.bench.account(account);
            assert_eq!(ledger.seat_of(address), anew.seat_of(address));
        }
    }
}

#[tokio::test]
async fn one_that_begins_there_tells_the_same_and_no_vote_twice() {
    let mut kept = Kept::start().await;
    let streams = [rule(), timeline()];
    let mut first = kept.keeping(&streams, None);
    let votes = first.poll(0, true).await.unwrap().own_votes;
    assert_eq!(votes.len(), 8, "all of the seat's, whose address has changed");
    kept.compare(&first).await;
    first.keep(true).unwrap();
    let rested_on = first.finalized_head();
    drop(first);

    let mut second = kept.keeping(&streams, rested_on);
    assert_eq!(second.poll(0, true).await.unwrap().own_votes, []);
    kept.compare(&second).await;

    // what happens after it is read on from there
    let (header, found) = (header(6, 0), header(1, 0));
    kept.bench.propose(5, header, 0).await;
    kept.bench.attest(1, header).await;
    kept.bench.attest(3, header).await;
    assert_eq!(second.poll(0, true).await.unwrap().own_votes, [(header.slot(), header.hash())]);
    kept.compare(&second).await;
    let settled = second.ledger().final_of(found.stream_hash, found.sequence, found.slot()).unwrap();
    assert_eq!((second.ledger().slot(found.slot()), settled.hash), (None, found.hash()));
    drop(second);

    // one that was told of fewer votes hears of the others, and one that knows of none of all
    for (rested_on, told) in [(rested_on, 1), (None, 9)] {
        let mut third = kept.keeping(&streams, rested_on);
        assert_eq!(third.poll(0, true).await.unwrap().own_votes.len(), told);
    }
    // who reads beside the one that keeps it
    let mut reader = kept.bench.another(None, &streams).reading(&kept.file()).unwrap();
    reader.poll(0, false).await.unwrap();
    kept.compare(&reader).await;
}

#[tokio::test]
async fn streams_that_come_later_are_read_beside_the_others() {
    let kept = Kept::start().await;
    let mut follower = kept.keeping(&[rule()], None);
    follower.poll(0, true).await.unwrap();
    follower.follow(timeline().stream_hash(), timeline().epochs);
    assert!(follower.has_newcomers() && !follower.ledger().follows(timeline().stream_hash()));
    for _ in 0..100 {
        follower.poll(0, true).await.unwrap();
        assert!(follower.ledger().head().is_some(), "the others go on");
        if !follower.has_newcomers() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    kept.compare(&follower).await;
    follower.keep(true).unwrap();
    let rested_on = follower.finalized_head();
    drop(follower);
    // who begins with one of them has the other there as well, whenever that is taken in
    let mut late = kept.keeping(&[rule()], rested_on);
    late.poll(0, true).await.unwrap();
    late.follow(timeline().stream_hash(), timeline().epochs);
    assert!(!late.has_newcomers() && late.ledger().follows(timeline().stream_hash()));
    kept.compare(&late).await;
    drop(late);
    // both are in the checkpoint; one that it lacks is read beside them
    let third = StreamRule::new("third");
    let mut follower = kept.keeping(&[rule(), timeline(), third.clone()], rested_on);
    follower.poll(0, true).await.unwrap();
    assert!(follower.has_newcomers() && !follower.ledger().follows(third.stream_hash()));
    while follower.has_newcomers() {
        follower.poll(0, true).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert!(follower.ledger().follows(third.stream_hash()));
    kept.compare(&follower).await;
}

#[tokio::test]
async fn what_does_not_fit_is_thrown_away() {
    let kept = Kept::start().await;
    let streams = [rule(), timeline()];
    kept.keep(&streams).await;
    let whole = std::fs::read(kept.file()).unwrap();

    // a rule that changed, a file that is none, and a block that the chain does not hold
    let changed =
        StreamRule { epochs: ec_observation::EpochRule::timeline(std::num::NonZeroU64::new(7).unwrap()), ..timeline() };
    let mut other = kept.keeping(std::slice::from_ref(&changed), None);
    other.poll(0, true).await.unwrap();
    assert_eq!(other.ledger().finals(changed.stream_hash()).count(), 0, "they are of other epochs");
    drop(other);
    for damage in [&b"no database"[..], &whole[..whole.len() / 2]] {
        std::fs::write(kept.file(), damage).unwrap();
        let mut follower = kept.keeping(&streams, None);
        follower.poll(0, true).await.unwrap();
        kept.compare(&follower).await;
    }
    std::fs::write(kept.file(), &whole).unwrap();
    kept.bench.go_back(&kept.early).await;
    kept.bench.mine(50).await;
    let mut follower = kept.keeping(&streams, None);
    follower.poll(0, true).await.unwrap();
    let mut anew = kept.bench.another(None, &streams);
    anew.poll(0, true).await.unwrap();
    let found = |ledger: &LedgerState| -> Vec<(u64, Final)> {
        let finals = streams.iter().flat_map(|rule| ledger.finals(rule.stream_hash()));
        finals.map(|(sequence, _, found)| (sequence, found)).collect()
    };
    assert_eq!(found(follower.ledger()), found(anew.ledger()));
    assert!(found(anew.ledger()).len() < 6);
}

#[tokio::test]
async fn a_row_that_is_not_as_it_was_written_stops_it() {
    let kept = Kept::start().await;
    let streams = [rule(), timeline()];
    kept.keep(&streams).await;
    let file = rusqlite::Connection::open(kept.file()).unwrap();
    assert!(file.execute("UPDATE settled SET value = zeroblob(length(value)) WHERE kind = 0", []).unwrap() >= 6);
    drop(file);
    let mut second = kept.keeping(&streams, None);
    let error = second.poll(0, true).await.unwrap_err();
    assert!(
        matches!(&error, FollowError::Lookup(what) if what.contains("ledger.sqlite") && what.contains("delete it")),
        "{error}"
    );
    assert!(error.is_fatal());
}
