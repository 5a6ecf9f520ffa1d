//! Runs scenarios over their seeds and prints a line of figures for each.

use std::{
    env,
    panic::resume_unwind,
    sync::atomic::{AtomicU64, Ordering},
    thread,
};

use super::{
    scenario::{Expect, Scenario},
    world::{Outcome, World},
};

/// Says how to run a seed again when it panics.
struct Replay<'a>(&'a str, u64);

impl Drop for Replay<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!("replay: {}", command(self.0, self.1));
        }
    }
}

pub(crate) fn command(name: &str, seed: u64) -> String {
    format!("EC_SIM_SCENARIO='{name}' EC_SIM_SEED={seed} cargo test -p ec-witness --test simulation -- --nocapture")
}

/// One scenario over all its seeds.
#[derive(Default)]
struct Figures {
    total: Outcome,
    /// The seeds that left slots open, lowest first.
    losing: Vec<u64>,
}

impl Figures {
    fn add(&mut self, seed: u64, outcome: Outcome) {
        if !outcome.lost.is_empty() {
            self.losing.push(seed);
            self.losing.sort_unstable();
        }
        self.total.able += outcome.able;
        self.total.slots += outcome.slots;
        self.total.candidates += outcome.candidates;
        self.total.lost.extend(outcome.lost);
        self.total.delays_ms.extend(outcome.delays_ms);
    }

    fn print(&mut self, scenario: &Scenario, seeds: usize) {
        let Outcome { able, lost, delays_ms, candidates, slots } = &mut self.total;
        delays_ms.sort_unstable();
        println!(
            "{:<40} {}/{} {seeds:>5} {able:>6} {:>5} {:>6.2} % {:>5.2} {:>5} {:>5}",
            scenario.name,
            scenario.quorum,
            scenario.witnesses,
            lost.len(),
            100.0 * lost.len() as f64 / (*able).max(1) as f64,
            *candidates as f64 / *slots as f64,
            percentile_s(delays_ms, 50),
            percentile_s(delays_ms, 99),
        );
    }

    fn judge(&self, scenario: &Scenario) {
        let lost = self.total.lost.len();
        match scenario.expect {
            Expect::NoneLost => {
                let seed = self.losing.first().copied().unwrap_or_default();
                assert_eq!(lost, 0, "{} lost slots; replay: {}", scenario.name, command(scenario.name, seed));
            }
            Expect::SomeLost => assert!(lost > 0, "{} lost nothing", scenario.name),
            Expect::Figure => {}
        }
    }
}

/// Runs every scenario and asks of each what it expects.
pub(crate) fn run(scenarios: &[Scenario]) {
    println!(
        "{:<40} k/n {:>5} {:>6} {:>5} {:>8} {:>5} {:>5} {:>5}",
        "", "seeds", "slots", "lost", "", "cand", "p50", "p99"
    );
    for scenario in scenarios.iter().filter(|scenario| scenario.name.contains(&only())) {
        let seeds = seeds(scenario.seeds);
        let mut figures = run_seeds(scenario, &seeds);
        figures.print(scenario, seeds.len());
        figures.judge(scenario);
    }
}

/// The part of a name that chooses scenarios.
pub(crate) fn only() -> String {
    env::var("EC_SIM_SCENARIO").unwrap_or_default()
}

/// The seeds to run where nothing else is asked for: so many.
pub(crate) fn seeds(count: u64) -> Vec<u64> {
    let number = |name: &str| env::var(name).ok().map(|value| value.parse().expect("a number"));
    match (number("EC_SIM_SEED"), number("EC_SIM_SEEDS")) {
        (Some(seed), _) => vec![seed],
        (None, asked) => (0..asked.unwrap_or(count)).collect(),
    }
}

/// The value that this share of the sorted ones, in percent, lie below, in seconds.
pub(crate) fn percentile_s(sorted_ms: &[u64], share: usize) -> u64 {
    sorted_ms.get(sorted_ms.len() * share / 100).map_or(0, |ms| ms / 1000)
}

fn run_seeds(scenario: &Scenario, seeds: &[u64]) -> Figures {
    let mut figures = Figures::default();
    for (seed, outcome) in spread(scenario.name, seeds, |seed, trace| World::new(scenario, seed).run(trace)) {
        figures.add(seed, outcome);
    }
    figures
}

/// Spreads the seeds over the cores; returned are the outcomes by seed. A seed that was asked for alone leaves a trace.
pub(crate) fn spread<O: Send>(name: &str, seeds: &[u64], run: impl Fn(u64, bool) -> O + Sync) -> Vec<(u64, O)> {
    let next = AtomicU64::new(0);
    let trace = env::var("EC_SIM_SEED").is_ok();
    let work = || {
        let mut outcomes = vec![];
        while let Some(&seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed) as usize) {
            let _replay = Replay(name, seed);
            outcomes.push((seed, run(seed, trace)));
        }
        outcomes
    };
    let mut outcomes = thread::scope(|scope| {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads: Vec<_> = (0..cores).map(|_| scope.spawn(work)).collect();
        let joined = threads.into_iter().flat_map(|thread| thread.join().unwrap_or_else(|panic| resume_unwind(panic)));
        joined.collect::<Vec<_>>()
    });
    outcomes.sort_by_key(|(seed, _)| *seed);
    outcomes
}
