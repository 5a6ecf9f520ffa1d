//! What was broadcast, and what each witness's archive holds of it.

use std::num::NonZeroU64;

use alloy::primitives::B256;
use ec_observation::{Content, EpochHash, SlotId, StreamHash, TimeMode};
use ec_witness::witness::{decision::OwnEpoch, slot::SlotKey};
use rand::{RngExt, rngs::StdRng};

use super::scenario::Scenario;

/// The wall clock at the simulation's start.
const START_UNIX_MS: u64 = 1_772_000_000_000;
/// The records that an epoch whose rest is late holds at first; the same at every witness.
pub(crate) const PARTIAL: u8 = 5;
/// Two records claim one place.
const CONFLICTING: u8 = 9;
/// What a host that archives everything holds.
const WHOLE: u8 = 0;

/// One epoch in one witness's archive.
#[derive(Clone, Copy, Debug)]
struct Holding {
    closed_ms: u64,
    observed_unix_ms: u64,
    /// Which set of records it ends with.
    records: u8,
    /// Until when it holds only a part.
    partial_until_ms: u64,
}

/// All archives.
#[derive(Debug)]
pub(crate) struct Truth {
    pub(crate) stream: StreamHash,
    epochs: Vec<EpochHash>,
    /// By witness, then by sequence.
    holdings: Vec<Vec<Holding>>,
    closes_ms: Vec<u64>,
    tolerance_ms: u64,
}

impl Truth {
    pub(crate) fn new(scenario: &Scenario, witnesses: usize, rng: &mut StdRng) -> Self {
        let closes_ms: Vec<u64> = (1..=scenario.slots).map(|at| at * scenario.epoch_ms).collect();
        let closes_ms = if scenario.backfill { vec![0; closes_ms.len()] } else { closes_ms };
        let time = match scenario.timeline {
            true => TimeMode::Timeline { chunk_duration_ms: NonZeroU64::MIN },
            false => TimeMode::Received,
        };
        let holdings = (0..witnesses).map(|witness| holdings(scenario, witness, &closes_ms, rng)).collect();
        Self {
            stream: StreamHash::of("simulation"),
            epochs: (0..scenario.slots).map(|at| EpochHash::of(&format!("ec/epoch/v1/g30/{at}"))).collect(),
            holdings,
            closes_ms,
            tolerance_ms: (scenario.agreement)().tolerance_ms(time),
        }
    }

    pub(crate) fn slots(&self) -> u64 {
        self.epochs.len() as u64
    }

    /// When the epoch's last record is broadcast.
    pub(crate) fn closes_ms(&self, sequence: u64) -> u64 {
        self.closes_ms[sequence as usize]
    }

    /// When it closes at a witness.
    pub(crate) fn closed_ms(&self, witness: usize, sequence: u64) -> u64 {
        self.holdings[witness][sequence as usize].closed_ms
    }

    /// The newest epoch that is closed at a witness.
    pub(crate) fn highest_closed(&self, witness: usize, now_ms: u64) -> Option<u64> {
        (self.holdings[witness].partition_point(|holding| holding.closed_ms <= now_ms) as u64).checked_sub(1)
    }

    pub(crate) fn key(&self, sequence: u64) -> SlotKey {
        SlotKey { stream: self.stream, sequence, slot: self.slot(sequence) }
    }

    pub(crate) fn slot(&self, sequence: u64) -> SlotId {
        SlotId::of(self.stream, self.epochs[sequence as usize])
    }

    /// The content of an epoch with these records.
    pub(crate) fn content(&self, sequence: u64, records: u8) -> Content {
        Content {
            stream_hash: self.stream,
            epoch_hash: self.epochs[sequence as usize],
            data_root: B256::with_last_byte(records + 1),
            locator_hash: B256::repeat_byte(1),
            sequence,
        }
    }

    /// Content that every honest host would derive from a whole epoch.
    pub(crate) fn whole(&self, sequence: u64) -> Content {
        self.content(sequence, WHOLE)
    }

    pub(crate) fn observed_unix_ms(&self, witness: usize, sequence: u64) -> u64 {
        self.holdings[witness][sequence as usize].observed_unix_ms
    }

    /// What a witness derives at a moment.
    pub(crate) fn own(&self, witness: usize, sequence: u64, now_ms: u64) -> OwnEpoch {
        let holding = self.holdings[witness][sequence as usize];
        let records = if now_ms < holding.partial_until_ms { PARTIAL } else { holding.records };
        if records == CONFLICTING {
            return OwnEpoch::Conflicting;
        }
        OwnEpoch::Derived {
            content: self.content(sequence, records),
            observed_unix_ms: holding.observed_unix_ms,
            tolerance_ms: self.tolerance_ms,
            complete: records == WHOLE,
        }
    }

    /// Whether what a witness derives still changes after this moment.
    pub(crate) fn still_grows(&self, witness: usize, sequence: u64, now_ms: u64) -> bool {
        now_ms < self.holdings[witness][sequence as usize].partial_until_ms
    }

    /// How far another's time may be from the own.
    pub(crate) fn tolerance_ms(&self) -> u64 {
        self.tolerance_ms
    }

    /// Whether `quorum` of these witnesses hold the same records, with times inside each other's windows.
    pub(crate) fn is_derived_alike(&self, witnesses: &[usize], quorum: usize, sequence: u64) -> bool {
        let holdings: Vec<&Holding> = witnesses.iter().map(|&at| &self.holdings[at][sequence as usize]).collect();
        let near = |a: &Holding, b: &Holding| {
            a.records == b.records
                && (0..=self.tolerance_ms).contains(&b.observed_unix_ms.wrapping_sub(a.observed_unix_ms))
        };
        let alike = |first: &&&Holding| holdings.iter().filter(|holding| near(first, holding)).count() >= quorum;
        holdings.iter().filter(|holding| holding.records != CONFLICTING).any(|holding| alike(&holding))
    }
}

fn holdings(scenario: &Scenario, witness: usize, closes_ms: &[u64], rng: &mut StdRng) -> Vec<Holding> {
    let skew_ms = match witness >= scenario.witnesses - scenario.wild_clocks && witness < scenario.witnesses {
        true => 3_600_000 * (witness as i64 + 1),
        false => rng.random_range(-scenario.skew_ms..=scenario.skew_ms),
    };
    let holding = |(sequence, closes_ms): (usize, &u64)| Holding {
        closed_ms: closes_ms + rng.random_range(0..=scenario.grace_ms),
        observed_unix_ms: observed(scenario, sequence as u64, skew_ms + rng.random_range(-100..=100)),
        records: match rng.random_range(0.0..1.0) {
            draw if draw < scenario.gap => rng.random_range(1..=3),
            draw if draw < scenario.gap + scenario.conflict => CONFLICTING,
            _ => WHOLE,
        },
        partial_until_ms: match rng.random_bool(scenario.late) {
            true => closes_ms + rng.random_range(scenario.late_by_ms.clone()),
            false => 0,
        },
    };
    closes_ms.iter().enumerate().map(holding).collect()
}

fn observed(scenario: &Scenario, sequence: u64, off_ms: i64) -> u64 {
    let first_record_ms = START_UNIX_MS + sequence * scenario.epoch_ms;
    if scenario.timeline { first_record_ms } else { first_record_ms.strict_add_signed(off_ms) }
}
