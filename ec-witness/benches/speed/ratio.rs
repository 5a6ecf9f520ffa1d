//! The fastest of several rounds of works that take turns, by the processor time that they took and by the clock: the
//! load of others reaches the first hardly and the second fully.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use rustix::time::{ClockId, clock_gettime};

/// Rounds in which each work is measured once.
const ROUNDS: usize = 15;

/// One of several ways to do the same.
pub(crate) struct Work<'a> {
    name: &'a str,
    run: Box<dyn FnMut() + 'a>,
    /// Processor time of all threads, seconds.
    worked: f64,
    /// By the clock, seconds.
    taken: f64,
}

impl<'a> Work<'a> {
    pub(crate) fn new<T>(name: &'a str, mut run: impl FnMut() -> T + 'a) -> Self {
        Self { name, run: Box::new(move || drop(black_box(run()))), worked: f64::INFINITY, taken: f64::INFINITY }
    }

    fn measure(&mut self) {
        let (worked, start) = (processor_time(), Instant::now());
        (self.run)();
        self.taken = self.taken.min(start.elapsed().as_secs_f64());
        self.worked = self.worked.min((processor_time() - worked).as_secs_f64());
    }
}

/// Processor time of this process, the kernel's work for it included.
fn processor_time() -> Duration {
    clock_gettime(ClockId::ProcessCPUTime).try_into().unwrap()
}

/// Measures all works in turns and prints each with its rates and their ratios to the first one's, the baseline: by
/// processor time, then by the clock. `amount` is what one run does, `unit` its name.
pub(crate) fn compare(title: &str, (amount, unit): (f64, &str), mut works: Vec<Work<'_>>) {
    works.iter_mut().for_each(|work| (work.run)());
    for _ in 0..ROUNDS {
        works.iter_mut().for_each(Work::measure);
    }
    println!("\n{title}: {unit} per second of a core, and by the clock");
    let (worked, taken) = works.first().map_or((f64::NAN, f64::NAN), |first| (first.worked, first.taken));
    for work in &works {
        let by_core = format!("{:>10.3} {:>8.3} x", amount / work.worked, worked / work.worked);
        let by_clock = format!("{:>10.3} {:>8.3} x", amount / work.taken, taken / work.taken);
        println!("  {:<52} {by_core}  {by_clock}", work.name);
    }
}
