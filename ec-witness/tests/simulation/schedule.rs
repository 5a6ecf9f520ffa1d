//! When the weather changes: what is drawn from the seed before a simulation starts.

use std::ops::Range;

use ec_ledger::{Seat, WitnessSet};
use rand::{RngExt, rngs::StdRng};

use super::{host::address, scenario::Scenario};

/// Witnesses beyond the first set that may be added to it.
pub(crate) const SPARES: usize = 2;

/// All that happens at a time of its own.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// When each witness is stopped.
    pub(crate) stops: Vec<Vec<Range<u64>>>,
    /// When each witness's RPC is silent.
    pub(crate) silences: Vec<Vec<Range<u64>>>,
    pub(crate) outages: Vec<Range<u64>>,
    /// Time and depth.
    pub(crate) reorgs: Vec<(u64, u64)>,
    pub(crate) sets: Vec<(u64, WitnessSet)>,
}

impl Schedule {
    /// Draws what happens between the start and `end_ms`.
    pub(crate) fn new(scenario: &Scenario, hosts: usize, end_ms: u64, rng: &mut StdRng) -> Self {
        let mut at_hosts = |count: usize| {
            let mut spans = vec![vec![]; hosts];
            (0..count).for_each(|_| spans[rng.random_range(0..hosts)].push(span(end_ms, rng)));
            spans
        };
        let mut stops = at_hosts(scenario.stops);
        let silences = at_hosts(scenario.silences);
        let first_dead = scenario.witnesses - scenario.dead;
        stops[first_dead..scenario.witnesses].iter_mut().for_each(|stops| stops.push(0..u64::MAX));
        Self {
            stops,
            silences,
            outages: (0..scenario.outages).map(|_| span(end_ms, rng)).collect(),
            reorgs: (0..scenario.reorgs).map(|_| (rng.random_range(0..end_ms), rng.random_range(1..=10))).collect(),
            sets: sets(scenario, end_ms, rng),
        }
    }

    /// Whether no block is made and nobody can read the chain.
    pub(crate) fn is_outage(&self, now_ms: u64) -> bool {
        self.outages.iter().any(|span| span.contains(&now_ms))
    }

    /// Whether a witness's RPC answers.
    pub(crate) fn answers(&self, host: usize, now_ms: u64) -> bool {
        !self.is_outage(now_ms) && !self.silences[host].iter().any(|span| span.contains(&now_ms))
    }

    /// Whether a witness is stopped.
    pub(crate) fn is_stopped(&self, host: usize, now_ms: u64) -> bool {
        self.stops[host].iter().any(|span| span.contains(&now_ms))
    }
}

fn span(end_ms: u64, rng: &mut StdRng) -> Range<u64> {
    let from = rng.random_range(0..end_ms);
    from..from + rng.random_range(5_000..150_000)
}

/// The set at the start.
pub(crate) fn first_set(scenario: &Scenario) -> WitnessSet {
    WitnessSet::of((0..scenario.witnesses).map(address), scenario.quorum)
}

/// Sets that follow each other, the last one being the first again.
fn sets(scenario: &Scenario, end_ms: u64, rng: &mut StdRng) -> Vec<(u64, WitnessSet)> {
    if scenario.set_changes == 0 {
        return vec![];
    }
    let mut times: Vec<u64> = (0..=scenario.set_changes).map(|_| rng.random_range(0..end_ms)).collect();
    times.sort_unstable();
    let last = times.pop().into_iter().map(|time| (time, first_set(scenario)));
    let mut set = first_set(scenario);
    let mut change = |time| {
        set = changed(scenario, &set, rng);
        (time, set.clone())
    };
    times.into_iter().map(&mut change).collect::<Vec<_>>().into_iter().chain(last).collect()
}

/// Removes, adds or replaces one witness, or changes only the quorum, which stays a strict majority.
fn changed(scenario: &Scenario, set: &WitnessSet, rng: &mut StdRng) -> WitnessSet {
    let mut active = set.active.clone();
    let seats = (0..scenario.witnesses + SPARES).map(|witness| Seat(address(witness)));
    let absent: Vec<Seat> = seats.filter(|seat| !active.contains(seat)).collect();
    let (removes, adds) = match rng.random_range(0..4) {
        0 => (active.len() > 3, false),
        1 => (false, true),
        2 => (true, true),
        _ => (false, false),
    };
    if removes {
        active.remove(rng.random_range(0..active.len()));
    }
    if adds && !absent.is_empty() {
        active.push(absent[rng.random_range(0..absent.len())]);
    }
    // index order is the order of addresses here
    active.sort_unstable();
    let quorum = rng.random_range(active.len() / 2 + 1..=active.len());
    WitnessSet { active, quorum }
}
