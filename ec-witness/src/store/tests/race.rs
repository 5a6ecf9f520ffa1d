//! Conflicting votes raced through the guard. The lock file keeps a second process out; here it is left out, so that
//! many connections race through the one transaction that is the guard.

use std::{
    sync::{
        Barrier,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use super::*;

const THREADS: u8 = 64;
const SLOTS: u64 = 10_000;
/// Slots in one transaction: each is a commit with its fsyncs, for which all others wait.
const BATCH: usize = 1000;

fn rival(slot: u64, content: u8) -> Ballot {
    let epoch_hash = EpochHash(B256::from(alloy::primitives::U256::from(slot)));
    attest(ObservationHeader { epoch_hash, ..header(0, content, 1) })
}

#[test]
fn conflicting_votes_raced_through_the_guard_have_one_winner() {
    let (dir, store) = created();
    drop(store);
    let path = dir.path().join("store");
    let barrier = Barrier::new(THREADS.into());
    let winners: Vec<AtomicUsize> = (0..SLOTS).map(|_| AtomicUsize::new(0)).collect();
    let slots: Vec<u64> = (0..SLOTS).collect();
    thread::scope(|scope| {
        for content in 0..THREADS {
            let (path, barrier, winners, slots) = (&path, &barrier, &winners, &slots);
            scope.spawn(move || {
                let mut store = VoteStore::load(path, true, None).unwrap();
                store.connection.busy_timeout(std::time::Duration::from_secs(600)).unwrap();
                for batch in slots.chunks(BATCH) {
                    let ballots: Vec<_> = batch.iter().map(|&slot| rival(slot, content)).collect();
                    barrier.wait();
                    for (outcome, slot) in store.record(&ballots).unwrap().into_iter().zip(batch) {
                        match outcome {
                            Ok(Recorded::First) => winners[*slot as usize].fetch_add(1, Ordering::SeqCst),
                            Err(StoreError::OtherContent { .. }) => 0,
                            other => panic!("{other:?}"),
                        };
                    }
                }
            });
        }
    });
    assert!(winners.iter().all(|winners| winners.load(Ordering::SeqCst) == 1), "{winners:?}");
    assert_eq!(reopened(&dir).ballots().unwrap().len() as u64, SLOTS);
}
