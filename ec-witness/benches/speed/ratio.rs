//! The fastest of several rounds of works that take turns, so that their ratios hold on a machine that has other things
//! to do.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

/// Rounds in which each work is measured once.
const ROUNDS: usize = 15;

/// One of several ways to do the same.
pub(crate) struct Work<'a> {
    name: &'a str,
    run: Box<dyn FnMut() + 'a>,
    taken: Vec<Duration>,
}

impl<'a> Work<'a> {
    pub(crate) fn new<T>(name: &'a str, mut run: impl FnMut() -> T + 'a) -> Self {
        Self { name, run: Box::new(move || drop(black_box(run()))), taken: Vec::new() }
    }

    fn measure(&mut self) {
        let start = Instant::now();
        (self.run)();
        self.taken.push(start.elapsed());
    }

    fn fastest(&self) -> f64 {
        self.taken.iter().min().map_or(f64::NAN, Duration::as_secs_f64)
    }
}

/// Measures all works in turns and prints each with its rate and its ratio to the first one, the baseline. `amount` is
/// what one run does, `unit` its name.
pub(crate) fn compare(title: &str, (amount, unit): (f64, &str), mut works: Vec<Work<'_>>) {
    works.iter_mut().for_each(|work| (work.run)());
    for _ in 0..ROUNDS {
        works.iter_mut().for_each(Work::measure);
    }
    println!("\n{title}");
    let mut baseline = None;
    for work in &works {
        let fastest = work.fastest();
        let baseline = *baseline.get_or_insert(fastest);
        println!("  {:<44} {:>10.3} {unit}  {:>8.3} x", work.name, amount / fastest, baseline / fastest);
    }
}
