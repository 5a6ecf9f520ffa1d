//! A witness that means harm. It sees the latest state at once and is included sooner than any honest one.

use alloy::primitives::{Address, B256};
use ec_observation::{Content, ObservationHash, ObservationHeader};
use rand::{RngExt, rngs::StdRng};

use super::{
    contract::{Ballot, Call},
    host::{Net, address},
    scenario::{Rogue, Scenario},
    truth::PARTIAL,
};

/// One rogue.
#[derive(Debug)]
pub(crate) struct Attacker {
    me: Address,
    index: usize,
    kind: Rogue,
    /// How many honest votes its candidate may have before it is unbeatable, so that all others join.
    captures: usize,
    /// The honest witnesses, whose times it knows.
    honest: Vec<usize>,
    /// Its newest transaction.
    sent: Option<usize>,
}

impl Attacker {
    pub(crate) fn new(index: usize, scenario: &Scenario) -> Self {
        Self {
            me: address(index),
            index,
            kind: scenario.rogue,
            captures: (scenario.witnesses - scenario.quorum).saturating_sub(1),
            honest: (scenario.rogues..scenario.witnesses).collect(),
            sent: None,
        }
    }

    pub(crate) fn poll(&mut self, now_ms: u64, net: &mut Net) {
        let in_flight = self.sent.is_some_and(|nonce| net.chain.receipt(self.me, nonce, u64::MAX).is_none());
        let Some(highest) = net.truth.highest_closed(self.index, now_ms).filter(|_| !in_flight) else { return };
        let calls: Vec<Call> = (0..=highest).flat_map(|sequence| self.calls(sequence, net)).collect();
        if !calls.is_empty() {
            self.sent = Some(net.chain.send(self.me, calls, now_ms + 200));
        }
    }

    fn calls(&self, sequence: u64, net: &mut Net) -> Vec<Call> {
        let ballot = net.chain.contract.slots.get(&net.truth.slot(sequence)).cloned().unwrap_or_default();
        let voted = ballot.vote_of(self.me);
        let goes_on = matches!(self.kind, Rogue::Equivocator | Rogue::Mover);
        if ballot.finalized.is_some() || voted.is_some() && !goes_on {
            return vec![];
        }
        let seen = ballot.candidates.len();
        let whole = net.truth.whole(sequence);
        let partial = net.truth.content(sequence, PARTIAL);
        let parent = newest_final_below(net, sequence);
        let own_ms = net.truth.observed_unix_ms(self.index, sequence);
        let edge = whole.header(parent, self.edge_ms(net, sequence));
        match self.kind {
            Rogue::Silent => vec![],
            Rogue::EdgeTime => vec![propose(edge, seen)],
            Rogue::Mover => match voted.map(|voted| *net.chain.header(voted)) {
                None => vec![propose(edge, seen)],
                Some(from) => self.moves(from, &ballot, net),
            },
            Rogue::BogusParent => vec![propose(bogus(&whole, self.index, own_ms), seen)],
            Rogue::Partial => vec![propose(partial.header(parent, own_ms), seen)],
            Rogue::StaleSpam => spam(&partial.header(parent, own_ms), seen),
            Rogue::Equivocator => {
                let slot = net.truth.slot(sequence);
                let attest = ballot.candidates.iter().map(|(hash, _)| Call::Attest { slot, observation: *hash });
                let mut calls: Vec<Call> = attest.collect();
                calls.extend([propose(edge, seen), propose(partial.header(parent, own_ms), seen)]);
                shuffle(&mut calls, &mut net.rng);
                calls
            }
        }
    }

    /// A move to any other candidate of its content, or to one with another time.
    fn moves(&self, from: ObservationHeader, ballot: &Ballot, net: &mut Net) -> Vec<Call> {
        let headers = ballot.candidates.iter().map(|(hash, _)| *net.chain.header(*hash));
        let mut targets: Vec<_> = headers.filter(|to| to.content() == from.content() && *to != from).collect();
        let off_ms = net.rng.random_range(1..1_000);
        targets.push(ObservationHeader { observed_unix_ms: from.observed_unix_ms + off_ms, ..from });
        let to = targets[net.rng.random_range(0..targets.len())];
        vec![Call::Move { from, to, candidates_seen: ballot.candidates.len() }]
    }

    /// A time inside the windows of a few honest witnesses and outside those of all others, above or below.
    fn edge_ms(&self, net: &Net, sequence: u64) -> u64 {
        let mut times: Vec<u64> = self.honest.iter().map(|&at| net.truth.observed_unix_ms(at, sequence)).collect();
        times.sort_unstable();
        let is_above = self.index.is_multiple_of(2);
        if is_above {
            times.reverse();
        }
        let place = self.captures.min(times.len() - 1).max(1);
        let between = times[place - 1].midpoint(times[place]);
        let off_ms = net.truth.tolerance_ms() + self.index as u64;
        if is_above { between + off_ms } else { between - off_ms }
    }
}

fn propose(header: ObservationHeader, candidates_seen: usize) -> Call {
    Call::Propose { header, candidates_seen }
}

fn bogus(content: &Content, index: usize, own_ms: u64) -> ObservationHeader {
    content.header(ObservationHash(B256::with_last_byte(index as u8 + 1)), own_ms)
}

fn spam(header: &ObservationHeader, seen: usize) -> Vec<Call> {
    let other = |off_ms: u64| ObservationHeader { observed_unix_ms: header.observed_unix_ms + off_ms, ..*header };
    let stale = (1..5).map(|off| propose(other(off), seen + off as usize));
    stale.chain([propose(*header, seen)]).collect()
}

fn shuffle(calls: &mut [Call], rng: &mut StdRng) {
    for at in (1..calls.len()).rev() {
        calls.swap(at, rng.random_range(0..=at));
    }
}

fn newest_final_below(net: &Net, sequence: u64) -> ObservationHash {
    let final_of = |below: u64| net.chain.contract.slots.get(&net.truth.slot(below))?.finalized;
    (0..sequence).rev().find_map(final_of).unwrap_or(ObservationHash::ZERO)
}
