use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use super::*;

const JOBS: [usize; 4] = [1, 2, 5, 100];

fn jobs(count: usize) -> NonZeroUsize {
    NonZeroUsize::new(count).unwrap()
}

/// What is handed over of `0..count` until the sink fails at `end`, each mapped by `map`.
fn handed_over(
    count: usize,
    threads: usize,
    end: usize,
    map: impl Fn(usize) + Sync,
) -> (Vec<usize>, Result<(), usize>) {
    let mut found = Vec::new();
    let worker = || {
        |item| {
            map(item);
            item
        }
    };
    let result = map_in_order(jobs(threads), 0..count, worker, |item| {
        if item == end {
            return Err(item);
        }
        found.push(item);
        Ok(())
    });
    (found, result)
}

#[test]
fn results_come_in_order_however_long_each_takes() {
    let map = |item: usize| thread::sleep(Duration::from_micros([900, 0, 300, 0, 50][item % 5]));
    for threads in JOBS {
        for count in [0, 1, 2, 500] {
            assert_eq!(handed_over(count, threads, usize::MAX, map), ((0..count).collect(), Ok(())));
        }
    }
}

#[test]
fn nothing_is_handed_over_after_an_error_and_the_source_is_left() {
    for threads in JOBS {
        for end in [0, 1, 99] {
            let mapped = AtomicUsize::new(0);
            let count = |_| {
                mapped.fetch_add(1, Ordering::Relaxed);
            };
            assert_eq!(handed_over(usize::MAX, threads, end, count), ((0..end).collect(), Err(end)));
            assert!(mapped.into_inner() > end);
        }
    }
}

#[test]
fn an_item_that_takes_long_holds_up_only_so_many() {
    let (mapped, others) = (AtomicUsize::new(0), jobs(4).get() - 1);
    let map = |item| {
        if item != 0 {
            mapped.fetch_add(1, Ordering::SeqCst);
            return;
        }
        // as many as may wait are mapped without the first, and one more by each thread
        while mapped.load(Ordering::SeqCst) < MAX_EARLY + others {
            thread::yield_now();
        }
        thread::sleep(Duration::from_millis(50));
        assert_eq!(mapped.load(Ordering::SeqCst), MAX_EARLY + others);
    };
    assert_eq!(handed_over(200, 4, usize::MAX, map), ((0..200).collect(), Ok(())));
}

#[test]
fn each_thread_maps_with_its_own() {
    let workers = AtomicUsize::new(0);
    let worker = || {
        workers.fetch_add(1, Ordering::Relaxed);
        let mut items = 0;
        move |()| {
            items += 1;
            items
        }
    };
    let (mut greatest, mut sum) = (0, 0);
    let result: Result<(), ()> = map_in_order(jobs(100), std::iter::repeat_n((), 1000), worker, |items| {
        greatest = items.max(greatest);
        sum += 1;
        Ok(())
    });
    assert_eq!((result, sum), (Ok(()), 1000));
    assert!(greatest >= 1000 / 8);
    assert_eq!(workers.into_inner(), 8);
}

#[test]
fn a_panic_ends_all_threads_and_goes_on_in_the_caller() {
    let none = |_| {};
    let fail_at = |at: usize| {
        move |item: usize| {
            if item == at {
                panic!("{at}")
            }
        }
    };
    for threads in JOBS {
        for at in [0, 1, 70] {
            let handed = Mutex::new(Vec::new());
            let run = |source: &(dyn Fn(usize) + Sync), map: &(dyn Fn(usize) + Sync), sink: &(dyn Fn(usize) + Sync)| {
                lock(&handed).clear();
                let items = (0..usize::MAX).inspect(|item| source(*item));
                let worker = || {
                    |item| {
                        map(item);
                        item
                    }
                };
                let panic = catch_unwind(AssertUnwindSafe(|| {
                    map_in_order(jobs(threads), items, worker, |item| {
                        sink(item);
                        lock(&handed).push(item);
                        Ok::<_, ()>(())
                    })
                }));
                assert_eq!(panic.unwrap_err().downcast_ref::<String>(), Some(&at.to_string()));
                let handed = lock(&handed);
                assert!(handed.len() <= at && handed.iter().copied().eq(0..handed.len()), "{handed:?}");
            };
            run(&fail_at(at), &none, &none);
            run(&none, &fail_at(at), &none);
            run(&none, &none, &fail_at(at));
        }
    }
}
