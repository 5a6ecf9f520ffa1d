//! The event loop: one seed of one scenario from the first epoch to the last final slot.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    chain::Chain,
    contract::{Call, OWNER},
    guard::Referee,
    host::{Host, Net},
    rogue::Attacker,
    scenario::Scenario,
    schedule::{SPARES, Schedule, first_set},
    truth::Truth,
};

/// Between two blocks.
const BLOCK_MS: u64 = 2_000;
/// How long after the last epoch a slot may take before it counts as lost.
const PATIENCE_MS: u64 = 5_400_000;
/// What the weather may touch beyond the last epoch's closing.
const WEATHER_TAIL_MS: u64 = 300_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Block,
    Reorg(u64),
    SetChange(usize),
    Poll(usize),
    Attack(usize),
    Finalize,
}

/// What one seed showed.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    /// Slots that an honest quorum derived alike.
    pub(crate) able: u64,
    pub(crate) lost: Vec<u64>,
    /// From closing to final.
    pub(crate) delays_ms: Vec<u64>,
    pub(crate) candidates: usize,
    pub(crate) slots: u64,
}

/// One running simulation.
#[derive(Debug)]
pub(crate) struct World {
    scenario: Scenario,
    net: Net,
    hosts: Vec<Host>,
    attackers: Vec<Attacker>,
    schedule: Schedule,
    was_stopped: Vec<bool>,
    queue: BinaryHeap<Reverse<(u64, Event)>>,
    able: Vec<u64>,
    end_ms: u64,
}

impl World {
    pub(crate) fn new(scenario: &Scenario, seed: u64) -> Self {
        let mut rng = StdRng::seed_from_u64(seed);
        let count = scenario.witnesses + if scenario.set_changes > 0 { SPARES } else { 0 };
        let truth = Truth::new(scenario, count, &mut rng);
        let closed_ms = (0..scenario.slots).map(|at| truth.closes_ms(at)).max().unwrap_or(0);
        let schedule = Schedule::new(scenario, count, closed_ms + WEATHER_TAIL_MS, &mut rng);
        let alive: Vec<usize> = (scenario.rogues..scenario.witnesses - scenario.dead).collect();
        let able = (0..scenario.slots).filter(|&at| truth.is_derived_alike(&alive, scenario.quorum, at)).collect();
        let mut world = Self {
            hosts: (0..count).map(|index| Host::new(index, scenario, &mut rng)).collect(),
            attackers: (0..scenario.rogues).map(|index| Attacker::new(index, scenario)).collect(),
            was_stopped: vec![false; count],
            queue: BinaryHeap::new(),
            end_ms: closed_ms + PATIENCE_MS,
            scenario: scenario.clone(),
            net: Net {
                chain: Chain::new(first_set(scenario), scenario.swaps),
                truth,
                referee: Referee::default(),
                rng,
            },
            schedule,
            able,
        };
        world.enqueue_all();
        world
    }

    fn enqueue_all(&mut self) {
        self.enqueue(BLOCK_MS, Event::Block);
        let reorgs: Vec<_> = self.schedule.reorgs.iter().map(|&(time, depth)| (time, Event::Reorg(depth))).collect();
        let sets = self.schedule.sets.iter().enumerate().map(|(at, (time, _))| (*time, Event::SetChange(at)));
        for (time_ms, event) in reorgs.into_iter().chain(sets.collect::<Vec<_>>()) {
            self.enqueue(time_ms, event);
        }
        let rogues = self.scenario.rogues;
        (0..rogues).for_each(|index| self.enqueue(0, Event::Attack(index)));
        for index in rogues..self.hosts.len() {
            let first_ms = self.net.rng.random_range(0..1_500);
            self.enqueue(first_ms, Event::Poll(index));
        }
        if self.scenario.finalizer {
            self.enqueue(0, Event::Finalize);
        }
    }

    fn enqueue(&mut self, time_ms: u64, event: Event) {
        self.queue.push(Reverse((time_ms, event)));
    }

    /// Runs until every slot that can be is final, or patience ends.
    pub(crate) fn run(mut self, trace: bool) -> Outcome {
        while let Some(Reverse((now_ms, event))) = self.queue.pop().filter(|Reverse((at, _))| *at < self.end_ms) {
            self.step(now_ms, event);
            if event == Event::Block && self.is_done(now_ms) {
                break;
            }
        }
        self.net.chain.assert_safe();
        let rogues = self.scenario.rogues;
        self.hosts[rogues..].iter_mut().for_each(|host| host.assert_view(&self.net));
        let outcome = self.outcome();
        if trace {
            outcome.lost.iter().for_each(|&sequence| self.explain(sequence));
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
            Event::SetChange(at) => {
                let call = Call::UpdateSet(self.schedule.sets[at].1.clone());
                self.net.chain.send(OWNER, vec![call], now_ms);
                return;
            }
            Event::Poll(index) => {
                self.poll(index, now_ms);
                self.net.rng.random_range(1_000..1_800)
            }
            Event::Attack(index) => {
                self.attackers[index].poll(now_ms, &mut self.net);
                self.net.rng.random_range(500..1_500)
            }
            Event::Finalize => {
                let calls = self.net.chain.contract.finalizable();
                if !calls.is_empty() {
                    self.net.chain.send(OWNER, calls, now_ms);
                }
                30_000
            }
        };
        self.enqueue(now_ms + rest_ms, event);
    }

    fn poll(&mut self, index: usize, now_ms: u64) {
        let is_stopped = self.schedule.is_stopped(index, now_ms);
        if self.was_stopped[index] && !is_stopped {
            self.hosts[index].restart(now_ms, &mut self.net.rng);
        }
        self.was_stopped[index] = is_stopped;
        if !is_stopped {
            let answers = self.schedule.answers(index, now_ms);
            self.hosts[index].poll(now_ms, answers, &mut self.net);
        }
    }

    fn is_final(&self, sequence: u64) -> bool {
        let ballot = self.net.chain.contract.slots.get(&self.net.truth.slot(sequence));
        ballot.is_some_and(|ballot| ballot.finalized.is_some())
    }

    /// Whether all is final and nothing that would change it is still to come.
    fn is_done(&self, now_ms: u64) -> bool {
        let last = self.scenario.slots.saturating_sub(1);
        let weather_ends_ms = self.net.truth.closes_ms(last) + WEATHER_TAIL_MS;
        now_ms > weather_ends_ms && self.able.iter().all(|&sequence| self.is_final(sequence))
    }

    fn outcome(&self) -> Outcome {
        let finals = self.net.chain.finals().map(|(header, time_ms)| (header.sequence, time_ms));
        let finals: BTreeMap<u64, u64> = finals.collect();
        let delay_ms = |(sequence, time_ms): (&u64, &u64)| time_ms - self.net.truth.closes_ms(*sequence);
        let lost = self.able.iter().copied().filter(|sequence| !finals.contains_key(sequence)).collect();
        Outcome {
            able: self.able.len() as u64,
            lost,
            delays_ms: finals.iter().map(delay_ms).collect(),
            candidates: self.net.chain.contract.slots.values().map(|ballot| ballot.candidates.len()).sum(),
            slots: self.scenario.slots,
        }
    }

    /// Prints what a slot that stayed open holds, and what each witness thinks of it.
    fn explain(&self, sequence: u64) {
        let ballot = self.net.chain.contract.slots.get(&self.net.truth.slot(sequence));
        eprintln!("slot {sequence} is open at {} s", self.end_ms / 1000);
        for (hash, voters) in ballot.iter().flat_map(|ballot| &ballot.candidates) {
            let header = self.net.chain.header(*hash);
            let voters: Vec<u8> = voters.iter().map(|voter| voter.0[19] - 1).collect();
            let (root, parent) = (header.data_root.0[31] - 1, header.parent_observation_hash);
            eprintln!("  candidate: records {root}, time {}, votes {voters:?}, {parent}", header.observed_unix_ms);
        }
        for (index, host) in self.hosts.iter().enumerate().skip(self.scenario.rogues) {
            let time = self.net.truth.observed_unix_ms(index, sequence);
            eprintln!("  witness {index}: time {time}, {}", host.explain(&self.net, sequence));
        }
    }
}
