//! What a publisher sent through its restarts, and when each witness received which record of it.

use std::num::NonZeroU64;

use alloy::primitives::{B256, keccak256};
use ec_observation::{EpochKey, EpochRecords, ObservationHeader, Record, StreamRule};
use rand::{RngExt, rngs::StdRng};

use super::{archive::Archive, scenario::Scenario};

/// The wall clock at the simulation's start.
pub(crate) const START_UNIX_MS: u64 = 1_772_000_000_000;
/// The media in a group; an epoch is longer than twice the tolerance, since shorter lives of a publisher are ambiguous to
/// witnesses that a rogue's mark between two of them is near to.
const GROUP_MS: u64 = 6_000;
const GROUPS_PER_EPOCH: NonZeroU64 = NonZeroU64::new(6).expect("6 is not zero");
/// The media in an epoch.
pub(crate) const EPOCH_MS: u64 = GROUP_MS * GROUPS_PER_EPOCH.get();
/// How old a group may be that a relay still hands to someone who subscribes.
const MAX_AGE_MS: u64 = 10_000;

/// A record of an archive, and when it is written.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arrival {
    pub(crate) at_ms: u64,
    pub(crate) record: Record,
}

/// One life of the publisher.
#[derive(Clone, Copy, Debug)]
struct Publisher {
    begins_ms: u64,
    groups: u64,
}

impl Publisher {
    fn ends_ms(&self) -> u64 {
        self.begins_ms + self.groups * GROUP_MS
    }
}

/// A whole epoch of one life of the publisher.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Window {
    /// The publisher's number.
    pub(crate) publisher: usize,
    pub(crate) index: u64,
}

/// All that was broadcast, and who received it.
#[derive(Debug)]
pub(crate) struct Broadcast {
    pub(crate) rule: StreamRule,
    publishers: Vec<Publisher>,
    replay: bool,
    /// How far each witness's clock is ahead.
    skews_ms: Vec<i64>,
    /// What each witness receives, in the order of its archive.
    pub(crate) arrivals: Vec<Vec<Arrival>>,
    pub(crate) tolerance_ms: u64,
}

impl Broadcast {
    pub(crate) fn new(scenario: &Scenario, rng: &mut StdRng) -> Self {
        let rule = StreamRule::lane("simulation", "simulation", "0.m4s", GROUPS_PER_EPOCH).expect("a track's name");
        let network = &scenario.network;
        let wild_from = network.witnesses - network.wild_clocks;
        let skew_ms = |witness: usize, rng: &mut StdRng| match witness >= wild_from {
            true => 3_600_000 * (witness as i64 + 1),
            false => rng.random_range(-network.skew_ms..=network.skew_ms),
        };
        let mut broadcast = Self {
            tolerance_ms: (network.agreement)().tolerance_ms(rule.time),
            rule,
            publishers: publishers(scenario, rng),
            replay: scenario.replay,
            skews_ms: (0..network.witnesses).map(|witness| skew_ms(witness, rng)).collect(),
            arrivals: vec![],
        };
        let mut away = vec![vec![]; network.witnesses];
        for witness in 0..scenario.late {
            away[network.witnesses - 1 - witness].push((0, rng.random_range(30_000..scenario.length_ms)));
        }
        for _ in 0..scenario.away {
            let restart_ms = broadcast.publishers[rng.random_range(0..broadcast.publishers.len())].ends_ms();
            let span =
                (restart_ms.saturating_sub(rng.random_range(0..90_000)), restart_ms + rng.random_range(0..200_000));
            away[rng.random_range(network.rogues..network.witnesses)].push(span);
        }
        broadcast.arrivals = away
            .iter()
            .enumerate()
            .map(|(witness, away)| broadcast.receive(witness, away, scenario.forge, rng))
            .collect();
        broadcast
    }

    /// What a witness receives that is away in these spans.
    fn receive(&self, witness: usize, away: &[(u64, u64)], forge: f64, rng: &mut StdRng) -> Vec<Arrival> {
        let mut arrivals = vec![];
        for (publisher, life) in self.publishers.iter().enumerate() {
            for group in 0..life.groups {
                let sent_ms = life.begins_ms + group * GROUP_MS;
                let mut at_ms = sent_ms + rng.random_range(20..300);
                if let Some((_, back_ms)) = away.iter().find(|(from, to)| (*from..*to).contains(&at_ms)) {
                    // a relay hands on what it has, in any order
                    let is_kept = sent_ms + MAX_AGE_MS >= *back_ms
                        && !self.publishers[publisher + 1..].iter().any(|next| next.begins_ms < *back_ms);
                    if !is_kept {
                        continue;
                    }
                    at_ms = back_ms + rng.random_range(0..400);
                }
                arrivals.push(self.arrival(witness, (publisher, group), at_ms));
            }
        }
        arrivals.sort_by_key(|arrival: &Arrival| arrival.at_ms);
        spoil(&mut arrivals, forge / GROUPS_PER_EPOCH.get() as f64, rng);
        arrivals
    }

    fn arrival(&self, witness: usize, (publisher, group): (usize, u64), at_ms: u64) -> Arrival {
        let received_unix_ms = (START_UNIX_MS + at_ms).strict_add_signed(self.skews_ms[witness]);
        Arrival { at_ms, record: Record { received_unix_ms: Some(received_unix_ms), ..self.record(publisher, group) } }
    }

    fn record(&self, publisher: usize, group: u64) -> Record {
        let file = if self.replay { 0 } else { publisher as u64 };
        let blake3 = keccak256([file.to_be_bytes(), group.to_be_bytes()].concat()).0;
        Record { group_sequence: group, blake3, size_bytes: 1000 + group, received_unix_ms: None }
    }

    /// Every whole epoch, in the order in which they were sent.
    pub(crate) fn windows(&self) -> Vec<Window> {
        let of = |(publisher, life): (usize, &Publisher)| {
            (0..life.groups / GROUPS_PER_EPOCH).map(move |index| Window { publisher, index })
        };
        self.publishers.iter().enumerate().flat_map(of).collect()
    }

    /// The root over a window's records.
    pub(crate) fn data_root(&self, window: Window) -> B256 {
        let mut records = EpochRecords::default();
        let first = window.index * GROUPS_PER_EPOCH.get();
        (first..first + GROUPS_PER_EPOCH.get()).for_each(|group| records.add(0, &self.record(window.publisher, group)));
        let derived = self.rule.derive(EpochKey { segment: 0, index: window.index }, &records);
        derived.data_root.expect("no conflict")
    }

    /// When a window's first group is sent.
    pub(crate) fn begins_ms(&self, window: Window) -> u64 {
        self.publishers[window.publisher].begins_ms + window.index * EPOCH_MS
    }

    /// When a window's last group is sent.
    pub(crate) fn closes_ms(&self, window: Window) -> u64 {
        self.begins_ms(window) + EPOCH_MS - GROUP_MS
    }

    /// The time that a witness would propose for a window that it received as it was sent.
    pub(crate) fn observed_unix_ms(&self, witness: usize, window: Window) -> u64 {
        (START_UNIX_MS + self.begins_ms(window)).strict_add_signed(self.skews_ms[witness])
    }

    /// The window that a header tells of.
    pub(crate) fn window_of(&self, header: &ObservationHeader, roots: &[(Window, B256)]) -> Option<Window> {
        let off_ms = |window: Window| (START_UNIX_MS + self.begins_ms(window)).abs_diff(header.observed_unix_ms);
        let equal = roots.iter().filter(|(_, root)| *root == header.data_root).map(|(window, _)| *window);
        equal.filter(|&window| off_ms(window) < self.tolerance_ms + 3_000).min_by_key(|&window| off_ms(window))
    }

    /// The segment in which a witness's archive has a window whole, with a time that others agree to.
    pub(crate) fn segment_of(&self, archive: &Archive, window: Window, root: B256) -> Option<u64> {
        let off_ms = |own: u64| own.abs_diff(START_UNIX_MS + self.begins_ms(window));
        let near = |own: u64| off_ms(own) < MAX_AGE_MS + 3_000;
        let mut complete = archive.complete(window.index).into_iter();
        complete.find(|&(_, found, own_ms)| found == root && near(own_ms)).map(|(segment, ..)| segment)
    }
}

fn publishers(scenario: &Scenario, rng: &mut StdRng) -> Vec<Publisher> {
    let mut publishers = vec![];
    let mut begins_ms = rng.random_range(0..5_000);
    while begins_ms < scenario.length_ms {
        let life_ms = match rng.random_bool(scenario.crash) {
            true => rng.random_range(3_000..40_000),
            false => 20_000 + (-scenario.mean_ms * rng.random_range(0.001f64..1.0).ln()) as u64,
        };
        let groups = life_ms.min(scenario.length_ms) / GROUP_MS + 1;
        publishers.push(Publisher { begins_ms, groups });
        begins_ms += groups * GROUP_MS + rng.random_range(2_000..12_000);
    }
    publishers
}

/// Puts forged records in, and takes damaged ones out.
fn spoil(arrivals: &mut Vec<Arrival>, share: f64, rng: &mut StdRng) {
    let mut at = 0;
    while at < arrivals.len() {
        if rng.random_bool(share) {
            let forged = |group_sequence| {
                let record = Record { group_sequence, blake3: [0xbb; 32], ..arrivals[at].record };
                Arrival { record, ..arrivals[at] }
            };
            match rng.random_range(0..4) {
                0 => arrivals.insert(at, forged(rng.random_range(0..=arrivals[at].record.group_sequence))),
                1 => arrivals.insert(at, forged(arrivals[at].record.group_sequence.saturating_sub(1))),
                2 => arrivals.insert(at, forged(1_000_000_000)),
                _ => _ = arrivals.remove(at),
            }
            at += 1;
        }
        at += 1;
    }
}
