//! The event loop: one seed of one scenario from the first window to the last final slot.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

use alloy::primitives::B256;
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    archive::Archive,
    broadcast::{Broadcast, Window},
    host::Host,
    rogue::Attacker,
    scenario::Scenario,
};
use crate::{
    chain::Chain,
    guard::Referee,
    host::Net,
    schedule::{Schedule, first_set},
};

/// Between two blocks.
const BLOCK_MS: u64 = 2_000;
/// How long after the broadcast's end a window may take before it counts as lost.
const PATIENCE_MS: u64 = 5_400_000;
/// What the weather may touch beyond the broadcast's end.
const WEATHER_TAIL_MS: u64 = 300_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Block,
    Reorg(u64),
    Poll(usize),
    Attack(usize),
}

/// What one seed showed.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Windows that an honest quorum has whole.
    pub(crate) able: u64,
    pub(crate) lost: Vec<Window>,
    /// Windows that are final under two marks or more.
    pub(crate) doubled: Vec<Window>,
    /// Of them those for which a quorum could have followed the session that their life of the publisher had by then.
    pub(crate) doubled_for_nothing: Vec<Window>,
    /// From closing to final.
    pub(crate) delays_ms: Vec<u64>,
    /// Slots in which something was proposed.
    pub(crate) slots: u64,
    /// Slots of them that are not final.
    pub(crate) left_open: u64,
    /// Final observations that are no window's which was sent.
    pub(crate) strange: u64,
}

impl Outcome {
    /// Whether more than one window of one life of the publisher is final twice.
    pub(crate) fn doubles_several_of_a_session(&self) -> bool {
        // they are in the order of the windows
        self.doubled.windows(2).any(|pair| pair[0].publisher == pair[1].publisher)
    }
}

/// One running simulation.
#[derive(Debug)]
pub(crate) struct World {
    scenario: Scenario,
    net: Net<Broadcast>,
    hosts: Vec<Host>,
    attackers: Vec<Attacker>,
    schedule: Schedule,
    was_stopped: Vec<bool>,
    queue: BinaryHeap<Reverse<(u64, Event)>>,
    windows: Vec<(Window, B256)>,
    able: BTreeSet<Window>,
    weather_ends_ms: u64,
}

impl World {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let network = &scenario.network;
        let truth = Broadcast::new(scenario, &mut rng);
        let windows: Vec<_> = truth.windows().into_iter().map(|window| (window, truth.data_root(window))).collect();
        let ends_ms = windows.last().map_or(0, |(window, _)| truth.closes_ms(*window));
        let weather_ends_ms = ends_ms.max(scenario.length_ms) + WEATHER_TAIL_MS;
        let schedule = Schedule::new(network, network.witnesses, weather_ends_ms, &mut rng);
        let mut world = Self {
            able: able(scenario, &truth, &windows),
            hosts: (0..network.witnesses).map(|index| Host::new(index, scenario, &truth, &mut rng)).collect(),
            attackers: (0..network.rogues).map(|index| Attacker::new(index, scenario, &windows)).collect(),
            was_stopped: vec![false; network.witnesses],
            queue: BinaryHeap::new(),
            scenario: scenario.clone(),
            net: Net { chain: Chain::new(first_set(network), true), truth, referee: Referee::default(), rng },
            schedule,
            windows,
            weather_ends_ms,
        };
        world.enqueue(BLOCK_MS, Event::Block);
        world.schedule.reorgs.clone().into_iter().for_each(|(at_ms, depth)| world.enqueue(at_ms, Event::Reorg(depth)));
        (0..world.attackers.len()).for_each(|index| world.enqueue(0, Event::Attack(index)));
        for index in world.attackers.len()..world.hosts.len() {
            let first_ms = world.net.rng.random_range(0..2_500);
            world.enqueue(first_ms, Event::Poll(index));
        }
        world
    }

    fn enqueue(&mut self, time_ms: u64, event: Event) {
        self.queue.push(Reverse((time_ms, event)));
    }

    /// Runs until every window that can be is final, or patience ends.
    pub(crate) fn run(mut self, trace: bool) -> Outcome {
        let end_ms = self.weather_ends_ms + PATIENCE_MS;
        while let Some(Reverse((now_ms, event))) = self.queue.pop().filter(|Reverse((at, _))| *at < end_ms) {
            self.step(now_ms, event);
            if event == Event::Block
                && now_ms > self.weather_ends_ms
                && self.final_windows().keys().filter(|window| self.able.contains(*window)).count() == self.able.len()
            {
                break;
            }
        }
        self.net.chain.assert_safe();
        let outcome = self.outcome();
        if trace {
            self.explain(&outcome);
        }
        outcome
    }

    fn step(&mut self, now_ms: u64, event: Event) {
        let rest_ms = match event {
            Event::Block => {
                if !self.schedule.is_outage(now_ms) {
                    self.net.chain.produce(now_ms, &mut self.net.rng);
                }
                BLOCK_MS
            }
            Event::Reorg(depth) => return self.net.chain.reorg(depth, now_ms, 20_000, &mut self.net.rng),
            Event::Poll(index) => {
                self.poll(index, now_ms);
                self.net.rng.random_range(1_500..3_000)
            }
            Event::Attack(index) => {
                self.attackers[index].poll(now_ms, &mut self.net);
                self.net.rng.random_range(500..1_500)
            }
        };
        self.enqueue(now_ms + rest_ms, event);
    }

    fn poll(&mut self, index: usize, now_ms: u64) {
        let is_stopped = self.schedule.is_stopped(index, now_ms);
        if self.was_stopped[index] && !is_stopped {
            self.hosts[index].restart(&mut self.net);
        }
        self.was_stopped[index] = is_stopped;
        if !is_stopped {
            let answers = self.schedule.answers(index, now_ms);
            self.hosts[index].poll(now_ms, answers, &mut self.net);
        }
    }

    /// When each window became final, under each of its marks.
    fn final_windows(&self) -> BTreeMap<Window, Vec<u64>> {
        let mut found: BTreeMap<Window, Vec<u64>> = BTreeMap::new();
        for (header, time_ms) in self.net.chain.finals() {
            if let Some(window) = self.net.truth.window_of(header, &self.windows) {
                found.entry(window).or_default().push(time_ms);
            }
        }
        found
    }

    fn outcome(&self) -> Outcome {
        let finals = self.final_windows();
        let delay_ms = |window: &Window| Some(finals.get(window)?[0].saturating_sub(self.net.truth.closes_ms(*window)));
        let doubled: Vec<_> = finals.iter().filter(|(_, marks)| marks.len() > 1).map(|(window, _)| *window).collect();
        let for_nothing = |window: &&Window| self.could_be_followed(**window, &finals);
        let (slots, count) = (&self.net.chain.contract.slots, finals.values().map(Vec::len).sum::<usize>() as u64);
        Outcome {
            able: self.able.len() as u64,
            lost: self.able.iter().copied().filter(|window| !finals.contains_key(window)).collect(),
            doubled_for_nothing: doubled.iter().filter(for_nothing).copied().collect(),
            doubled,
            delays_ms: self.able.iter().filter_map(delay_ms).collect(),
            slots: slots.len() as u64,
            left_open: slots.values().filter(|ballot| ballot.finalized.is_none()).count() as u64,
            strange: self.net.chain.finals().count() as u64 - count,
        }
    }

    /// Whether, when a window began, another of its life of the publisher was final, and a quorum of honest witnesses has
    /// both in one segment and was at work until the window was final for the last time.
    fn could_be_followed(&self, window: Window, finals: &BTreeMap<Window, Vec<u64>>) -> bool {
        let life = finals.iter().filter(|(other, _)| other.publisher == window.publisher);
        let Some((first, times)) = life.min_by_key(|(_, times)| times[0]) else { return false };
        let (truth, last_ms) = (&self.net.truth, finals[&window].iter().max().copied().unwrap_or_default());
        let is_at_work = |index: usize| {
            let mut times = (truth.closes_ms(window)..=last_ms).step_by(BLOCK_MS as usize);
            times.all(|ms| !self.schedule.is_stopped(index, ms) && self.schedule.answers(index, ms))
        };
        let segment = |archive: &Archive, window: Window| {
            let (_, root) = self.windows.iter().find(|(other, _)| *other == window)?;
            truth.segment_of(archive, window, *root)
        };
        let follows = |(index, archive): &(usize, Archive)| {
            let begun_in = segment(archive, *first);
            begun_in.is_some() && begun_in == segment(archive, window) && is_at_work(*index)
        };
        times[0] < truth.begins_ms(window)
            && honest_archives(&self.scenario, truth).iter().filter(|archive| follows(archive)).count()
                >= self.scenario.network.quorum
    }

    /// Prints what was lost or is final twice, what stands on the ledger, and what each witness thinks of it.
    fn explain(&mut self, outcome: &Outcome) {
        for window in outcome.lost.iter().chain(&outcome.doubled) {
            let root = self.windows.iter().find(|(found, _)| found == window).map(|(_, root)| *root);
            let begins_ms = super::broadcast::START_UNIX_MS + self.net.truth.begins_ms(*window);
            eprintln!("{window:?} at {begins_ms}, lost {}", outcome.lost.contains(window));
            for (slot, ballot) in &self.net.chain.contract.slots {
                for (hash, voters) in &ballot.candidates {
                    let header = self.net.chain.header(*hash);
                    if Some(header.data_root) == root && header.observed_unix_ms.abs_diff(begins_ms) < 60_000 {
                        let voters: Vec<u8> = voters.iter().map(|voter| voter.0[19] - 1).collect();
                        let (mark, time, is_final) =
                            (header.sequence - window.index, header.observed_unix_ms, ballot.finalized == Some(*hash));
                        eprintln!("  {slot} mark {mark} time {time} votes {voters:?} final {is_final}");
                    }
                }
            }
        }
        if !outcome.lost.is_empty() {
            self.hosts[self.scenario.network.rogues..].iter_mut().for_each(Host::explain);
        }
    }
}

/// The archives of honest witnesses in the end, and whose they are.
fn honest_archives(scenario: &Scenario, truth: &Broadcast) -> Vec<(usize, Archive)> {
    let network = &scenario.network;
    let honest = network.rogues..network.witnesses - network.wild_clocks.max(network.dead);
    let whole = |index: usize| {
        let mut archive = Archive::new(&truth.rule, &truth.arrivals[index]);
        archive.read_on(u64::MAX);
        (index, archive)
    };
    honest.map(whole).collect()
}

/// The windows that a quorum of honest witnesses has whole.
fn able(scenario: &Scenario, truth: &Broadcast, windows: &[(Window, B256)]) -> BTreeSet<Window> {
    let (archives, quorum) = (honest_archives(scenario, truth), scenario.network.quorum);
    let has =
        |window, root| archives.iter().filter(|(_, archive)| truth.segment_of(archive, window, root).is_some()).count();
    windows.iter().filter(|(window, root)| has(*window, *root) >= quorum).map(|(window, _)| *window).collect()
}
