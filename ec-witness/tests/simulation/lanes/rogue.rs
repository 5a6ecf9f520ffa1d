//! A witness that means harm to the naming of a lane. It sees the latest state at once and is included sooner than others.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256};
use ec_observation::{DerivedEpoch, EpochKey, ObservationHash, ObservationHeader};
use rand::RngExt;

use super::{
    broadcast::{Broadcast, START_UNIX_MS, Window},
    scenario::{Rogue, Scenario},
};
use crate::{
    contract::Call,
    host::{Net, address},
};

/// One rogue.
#[derive(Debug)]
pub(crate) struct Attacker {
    me: Address,
    index: usize,
    kind: Rogue,
    /// The honest witnesses, whose times it knows.
    honest: Vec<usize>,
    windows: Vec<(Window, B256)>,
    /// Windows that it has attacked.
    attacked: BTreeSet<Window>,
    /// What it voted for.
    voted: BTreeSet<ObservationHash>,
}

impl Attacker {
    pub(crate) fn new(index: usize, scenario: &Scenario, windows: &[(Window, B256)]) -> Self {
        Self {
            me: address(index),
            index,
            kind: scenario.rogue,
            honest: (scenario.network.rogues..scenario.network.witnesses).collect(),
            windows: windows.to_vec(),
            attacked: BTreeSet::new(),
            voted: BTreeSet::new(),
        }
    }

    pub(crate) fn poll(&mut self, now_ms: u64, net: &mut Net<Broadcast>) {
        let mut calls = vec![];
        for (window, root) in self.windows.clone() {
            // it knows what comes, and goes before all others
            if net.truth.closes_ms(window) <= now_ms && self.attacked.insert(window) {
                calls.extend(self.attack(window, root, net).map(|header| {
                    self.voted.insert(header.hash());
                    let ballot = net.chain.contract.slots.get(&header.slot());
                    Call::Propose { header, candidates_seen: ballot.map_or(0, |ballot| ballot.candidates.len()) }
                }));
            }
        }
        if self.kind == Rogue::Captures {
            calls.extend(self.votes(net));
        }
        if !calls.is_empty() {
            net.chain.send(self.me, calls, now_ms + 200);
        }
    }

    fn attack(&self, window: Window, root: B256, net: &mut Net<Broadcast>) -> Option<ObservationHeader> {
        let (own_ms, finals) = (net.truth.observed_unix_ms(self.index, window), final_marks(net));
        let current = |net: &Net<Broadcast>| {
            let proposed = net.chain.contract.slots.values().flat_map(|ballot| &ballot.candidates);
            let near = proposed.map(|(hash, _)| net.chain.header(*hash)).find(|header| {
                header.data_root == root && header.observed_unix_ms.abs_diff(own_ms) <= net.truth.tolerance_ms
            });
            near.map(|header| header.sequence - window.index)
        };
        let header = |(mark, time_ms, root)| header(net, window.index, mark, time_ms, root);
        match self.kind {
            Rogue::EdgeMarks | Rogue::Captures => {
                let mark = self.edge_ms(window, net);
                let jitter_ms = net.rng.random_range(0..600);
                Some(header_at_mark(net, window.index, mark + jitter_ms - 300, root))
            }
            Rogue::FarMarks => {
                let mark = if net.rng.random_bool(0.5) { own_ms + 1_000_000_000_000 } else { own_ms - 500_000_000 };
                Some(header_at_mark(net, window.index, mark, root))
            }
            Rogue::OtherContent => {
                let mark = current(net).unwrap_or(own_ms);
                Some(header((mark, own_ms, B256::repeat_byte(0xee))))
            }
            Rogue::OldSession => {
                let is_open = |mark: &&u64| {
                    let found = header((**mark, own_ms, root));
                    net.chain.contract.slots.get(&found.slot()).is_none_or(|ballot| ballot.finalized.is_none())
                };
                let is_old =
                    |mark: &&u64| **mark + 60_000 < START_UNIX_MS + net.truth.begins_ms(Window { index: 0, ..window });
                finals.iter().filter(is_old).find(is_open).map(|&mark| header((mark, own_ms, root)))
            }
        }
    }

    /// A time near that of one honest witness, and outside the windows of the others, above or below.
    fn edge_ms(&self, window: Window, net: &Net<Broadcast>) -> u64 {
        let mut times: Vec<u64> = self.honest.iter().map(|&at| net.truth.observed_unix_ms(at, window)).collect();
        times.sort_unstable();
        let place = if self.kind == Rogue::Captures { 1 } else { times.len() / 2 };
        let is_above = (self.index + window.index as usize).is_multiple_of(2);
        if is_above {
            times.reverse();
        }
        let between = times[place - 1].midpoint(times[place]) + 160;
        if is_above { between + net.truth.tolerance_ms } else { between - net.truth.tolerance_ms }
    }

    /// Votes for whatever was proposed of a session's first windows.
    fn votes(&mut self, net: &Net<Broadcast>) -> Vec<Call> {
        let mut calls = vec![];
        for (slot, ballot) in net.chain.contract.slots.iter().filter(|(_, ballot)| ballot.finalized.is_none()) {
            for &(observation, ref voters) in &ballot.candidates {
                let header = net.chain.header(observation);
                let opens = header.sequence - header.observed_unix_ms.min(header.sequence) < 3;
                if opens && !voters.contains(&self.me) && self.voted.insert(observation) {
                    calls.push(Call::Attest { slot: *slot, observation });
                }
            }
        }
        calls
    }
}

fn header_at_mark(net: &Net<Broadcast>, index: u64, mark: u64, root: B256) -> ObservationHeader {
    header(net, index, mark, mark, root)
}

fn header(net: &Net<Broadcast>, index: u64, mark: u64, time_ms: u64, data_root: B256) -> ObservationHeader {
    let derived = DerivedEpoch {
        key: EpochKey { segment: 0, index },
        leaf_count: 1,
        complete: true,
        data_root: Some(data_root),
        time: Ok(time_ms),
    };
    let named = net.truth.rule.name(derived, mark).expect("it has a sequence");
    let parent = newest_final_below(net, named.sequence);
    named.header(parent).ok().flatten().expect("it has content and a time")
}

/// The marks of sessions that have final observations and were opened by their first epochs, ascending.
fn final_marks(net: &Net<Broadcast>) -> Vec<u64> {
    let mut marks: Vec<u64> =
        net.chain.finals().map(|(header, _)| header).map(|header| header.observed_unix_ms).collect();
    marks.sort_unstable();
    marks
}

fn newest_final_below(net: &Net<Broadcast>, sequence: u64) -> ObservationHash {
    let below = net.chain.finals().map(|(header, _)| header).filter(|header| header.sequence < sequence);
    below.max_by_key(|header| header.sequence).map_or(ObservationHash::ZERO, ObservationHeader::hash)
}
