//! The ledger followed on a real chain, while votes move and seats change hands.

#![allow(clippy::unwrap_used)]

mod bench;
mod checkpoint;

use ec_ledger::Seat;
use ec_observation::ObservationHeader;

use crate::bench::{Bench, header};

/// Candidates of one content, by the order of their times.
fn candidates() -> [ObservationHeader; 3] {
    [0, 1, 2].map(|after_ms| header(1, after_ms))
}

/// What is done with the slot, in its order.
#[derive(Clone, Copy, Debug)]
enum Step {
    Split,
    MoveToKnown,
    Rotate,
    MoveToNew,
    RotateAgain,
    MoveBack,
    Finalize,
}

const STEPS: [Step; 7] =
    [Step::Split, Step::MoveToKnown, Step::Rotate, Step::MoveToNew, Step::RotateAgain, Step::MoveBack, Step::Finalize];

impl Step {
    async fn take(self, bench: &mut Bench) {
        let [a, b, c] = candidates();
        match self {
            Self::Split => {
                bench.propose(1, a, 0).await;
                bench.attest(2, a).await;
                bench.propose(3, b, 1).await;
            }
            Self::MoveToKnown => bench.shift(1, a, b, 0).await,
            Self::Rotate => bench.rotate(2, 5).await,
            Self::MoveToNew => bench.shift(5, a, c, 2).await,
            Self::RotateAgain => bench.rotate(5, 6).await,
            Self::MoveBack => bench.shift(6, c, a, 0).await,
            Self::Finalize => bench.shift(6, a, b, 0).await,
        }
    }

    /// Whose votes the candidates have afterwards, by the accounts that hold the seats then.
    fn voters(self) -> Vec<Vec<usize>> {
        match self {
            Self::Split => vec![vec![1, 2], vec![3]],
            Self::MoveToKnown => vec![vec![2], vec![3, 1]],
            Self::Rotate => vec![vec![5], vec![3, 1]],
            Self::MoveToNew => vec![vec![], vec![3, 1], vec![5]],
            Self::RotateAgain => vec![vec![], vec![3, 1], vec![6]],
            Self::MoveBack => vec![vec![6], vec![3, 1], vec![]],
            Self::Finalize => vec![vec![], vec![3, 1, 6], vec![]],
        }
    }
}

fn check(bench: &Bench, step: Step) {
    let voters: Vec<_> =
        candidates().into_iter().take(step.voters().len()).map(|header| bench.voters(header)).collect();
    assert_eq!(voters, step.voters(), "{step:?}");
}

/// Takes steps, each as its own look at the chain, and notes where each of them ends.
async fn take(bench: &mut Bench, steps: &[Step], ends: &mut Vec<(u64, Option<Step>)>) {
    for &step in steps {
        step.take(bench).await;
        bench.poll().await;
        check(bench, step);
        ends.push((bench.head().await, Some(step)));
    }
}

/// Takes back what came after this end.
async fn take_back_to(bench: &mut Bench, (number, step): (u64, Option<Step>)) {
    bench.take_back_to(number).await;
    assert!(bench.poll().await.reorg);
    if let Some(step) = step {
        check(bench, step);
    }
}

#[tokio::test]
async fn moves_and_rotations_and_what_a_reorg_takes_back_of_them_are_what_is_read_anew() {
    let mut bench = Bench::start(2).await;
    bench.poll().await;
    let mut ends = vec![(bench.head().await, None)];
    for step in STEPS {
        let before = *ends.last().unwrap();
        take(&mut bench, &[step], &mut ends).await;
        ends.pop();
        take_back_to(&mut bench, before).await;
        take(&mut bench, &[step], &mut ends).await;
    }
    assert!(bench.follower.ledger().slot(header(1, 0).slot()).unwrap().finalized.is_some());
    // the last one, the last two, … at once
    for at in (0..STEPS.len()).rev() {
        take_back_to(&mut bench, ends[at]).await;
        ends.truncate(at + 1);
        take(&mut bench, &STEPS[at..], &mut ends).await;
    }
}

#[tokio::test]
async fn an_index_that_another_fork_gave_away_is_read_again() {
    let mut bench = Bench::start(2).await;
    let before = bench.head().await;
    bench.set(&[5, 6], &[], 4).await;
    bench.rotate(5, 7).await;
    bench.poll().await;
    let seats =
        |bench: &Bench, accounts: &[usize]| accounts.iter().map(|&at| Seat(bench.account(at))).collect::<Vec<_>>();
    assert_eq!(bench.follower.set().active, seats(&bench, &[1, 2, 3, 4, 5, 6]));
    bench.take_back_to(before).await;
    bench.set(&[7, 5], &[1], 3).await;
    bench.rotate(2, 6).await;
    bench.poll().await;
    assert_eq!(bench.follower.set().active, seats(&bench, &[2, 3, 4, 7, 5]));
    // read once more without a reorg
    bench.rotate(7, 8).await;
    bench.poll().await;
    assert_eq!(bench.follower.set().active, seats(&bench, &[2, 3, 4, 7, 5]));
    assert_eq!(bench.follower.ledger().seat_held_by(bench.account(7)), None);
}

/// The own votes that a poll brings, by what is added to the time of their headers.
async fn own_votes(bench: &mut Bench) -> Vec<(u64, u64)> {
    let of = |index, hash| (0..3).find(|&after_ms| header(index, after_ms).hash() == hash);
    let votes = bench.poll().await.own_votes;
    let vote = |(slot, hash)| {
        let index = (0..9).find(|&index| header(index, 0).slot() == slot).unwrap();
        (index, of(index, hash).unwrap())
    };
    votes.into_iter().map(vote).collect()
}

#[tokio::test]
async fn the_votes_of_a_seat_are_those_of_all_its_addresses() {
    for watched in [2, 5, 6] {
        let mut bench = Bench::start(watched).await;
        bench.propose(2, header(1, 0), 0).await;
        bench.attest(1, header(1, 0)).await;
        bench.rotate(2, 5).await;
        bench.shift(5, header(1, 0), header(1, 1), 1).await;
        bench.rotate(5, 6).await;
        bench.propose(6, header(2, 0), 0).await;
        let all = [(1, 0), (1, 1), (2, 0)];
        assert_eq!(own_votes(&mut bench).await, all, "all of them, as account {watched}");
        let before = bench.head().await;
        bench.propose(1, header(3, 0), 0).await;
        bench.attest(6, header(3, 0)).await;
        assert_eq!(own_votes(&mut bench).await, [(3, 0)]);
        assert_eq!(own_votes(&mut bench).await, []);
        bench.take_back_to(before).await;
        bench.propose(6, header(4, 0), 0).await;
        assert_eq!(own_votes(&mut bench).await, [(4, 0)]);
    }
}

#[tokio::test]
async fn a_watched_address_that_takes_over_a_seat_hears_of_its_votes() {
    let mut bench = Bench::start(5).await;
    bench.propose(2, header(1, 0), 0).await;
    assert_eq!(own_votes(&mut bench).await, []);
    let before = bench.head().await;
    bench.rotate(2, 5).await;
    assert_eq!(own_votes(&mut bench).await, [(1, 0)]);
    bench.propose(5, header(2, 0), 0).await;
    assert_eq!(own_votes(&mut bench).await, [(2, 0)]);
    bench.take_back_to(before).await;
    bench.propose(2, header(3, 0), 0).await;
    assert_eq!(own_votes(&mut bench).await, [], "it is not its seat any more");
}
