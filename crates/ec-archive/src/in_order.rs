//! Work that several threads share, and whose results are wanted in order.

use std::{
    collections::BTreeMap,
    num::NonZeroUsize,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

/// Threads at most: each takes memory, and one source feeds them all.
const MAX_JOBS: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not zero");

/// Results that may wait for an earlier one.
const MAX_EARLY: usize = 32;

/// Maps each item of `source` on up to `jobs` threads, at most eight and this one among them, and hands the results to
/// `sink` in the order of the items. `worker` makes what a thread maps with.
///
/// One thread at a time takes an item or hands over results; no other waits for the latter unless 32 results wait for
/// an earlier one. A panic of `source`, `worker`, its map or `sink` ends all threads and goes on in the caller.
///
/// # Errors
///
/// The first error of `sink`, to which nothing more is handed. Items after it may have been taken and mapped.
pub fn map_in_order<I, T: Send, E: Send, M: FnMut(I) -> T>(
    jobs: NonZeroUsize,
    source: impl Iterator<Item = I> + Send,
    worker: impl Fn() -> M + Sync,
    sink: impl FnMut(T) -> Result<(), E> + Send,
) -> Result<(), E> {
    if jobs == NonZeroUsize::MIN {
        return source.map(worker()).try_for_each(sink);
    }
    let (source, sink, results) = (Mutex::new(source.enumerate()), Mutex::new(sink), Results::default());
    let work = || {
        let _stop = StopOnPanic(&results);
        let mut map = worker();
        loop {
            // after a panic there is no next item
            let Some((number, item)) = source.lock().ok().and_then(|mut source| source.next()) else { return Ok(()) };
            match results.add(number, map(item)) {
                Next::Map => {}
                Next::Stop => return Ok(()),
                Next::HandOver => {
                    while let Some(result) = results.next() {
                        lock(&sink)(result).inspect_err(|_| results.stop())?;
                    }
                }
            }
        }
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (1..jobs.min(MAX_JOBS).get()).map(|_| scope.spawn(work)).collect();
        let own = work();
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        };
        threads.into_iter().map(join).fold(own, Result::and)
    })
}

/// What a thread does next.
enum Next {
    Map,
    HandOver,
    Stop,
}

/// Results until they are handed over.
struct Results<T> {
    state: Mutex<State<T>>,
    changed: Condvar,
}

struct State<T> {
    /// By the number of their item.
    waiting: BTreeMap<usize, T>,
    /// The number of the one to be handed over next.
    next: usize,
    /// Whether a thread hands over.
    handing_over: bool,
    stopped: bool,
}

impl<T> Default for Results<T> {
    fn default() -> Self {
        let state = State { waiting: BTreeMap::new(), next: 0, handing_over: false, stopped: false };
        Self { state: Mutex::new(state), changed: Condvar::new() }
    }
}

impl<T> Results<T> {
    /// Adds a result, as soon as there is room.
    fn add(&self, number: usize, result: T) -> Next {
        let is_full = |state: &mut State<T>| !state.stopped && number != state.next && state.waiting.len() >= MAX_EARLY;
        let mut state = self.changed.wait_while(lock(&self.state), is_full).unwrap_or_else(PoisonError::into_inner);
        if state.stopped {
            return Next::Stop;
        }
        state.waiting.insert(number, result);
        if std::mem::replace(&mut state.handing_over, true) { Next::Map } else { Next::HandOver }
    }

    /// The next result for the thread that hands over; with `None` it no longer does.
    fn next(&self) -> Option<T> {
        let mut state = lock(&self.state);
        let next = state.next;
        let result = state.waiting.remove(&next);
        if result.is_some() {
            state.next += 1;
            self.changed.notify_all();
        } else {
            state.handing_over = false;
        }
        result
    }

    fn stop(&self) {
        lock(&self.state).stopped = true;
        self.changed.notify_all();
    }
}

/// Lets all threads go that wait for a result which will not come.
struct StopOnPanic<'a, T>(&'a Results<T>);

impl<T> Drop for StopOnPanic<'_, T> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.stop();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
