//! Rounds: who leads while something stays undecided (protocol §5.4, §5.10).
//!
//! They count by the chain's clock alone, so all witnesses that see the same head are in the same round.

use super::agreement::Agreement;

const HOUR_MS: u64 = 3_600_000;

/// A round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Round {
    /// The cycle that it is in. Cycles that overlap are one, which has the number of the first of them.
    pub cycle: u32,
    /// Its number in the cycle that began it, from 0.
    pub number: u64,
    /// The block time at which it began, Unix milliseconds.
    pub began_ms: u64,
}

/// Where a slot stands in its rounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    /// They have not begun, or there are none.
    #[default]
    Before,
    /// In this one.
    Round(Round),
    /// Between two cycles.
    Between,
}

impl Phase {
    /// The phase at the block time `head_ms` of a slot in which the block time of the first proposal is `first_ms`.
    pub fn at(first_ms: Option<u64>, head_ms: u64, agreement: &Agreement, witness_count: usize) -> Self {
        let begin_ms = first_ms.and_then(|first_ms| first_ms.checked_add(agreement.round_grace_ms));
        match first_ms.and_then(|first_ms| round_at(first_ms, head_ms, agreement, witness_count)) {
            Some(round) => Self::Round(round),
            None if agreement.round_ms > 0 && begin_ms.is_some_and(|begin_ms| begin_ms <= head_ms) => Self::Between,
            None => Self::Before,
        }
    }

    /// The earliest block time after `head_ms` at which the slot may stand in another phase or round; `None` where it stays
    /// in this one. Its arguments are those of [`Self::at`].
    pub fn until_ms(&self, first_ms: Option<u64>, head_ms: u64, agreement: &Agreement) -> Option<u64> {
        let first_ms = first_ms.filter(|_| agreement.round_ms > 0)?;
        let next_round_ms = self.round().and_then(|round| round.began_ms.checked_add(agreement.round_ms));
        let begins = (0..=u64::BITS).map_while(|cycle| begin_ms(first_ms, cycle, agreement));
        // a grace that is long may have cycle 0 begin after others
        let next_cycle_ms = begins.filter(|&begin_ms| begin_ms > head_ms).min();
        next_round_ms.into_iter().chain(next_cycle_ms).min()
    }

    /// The round, if one runs.
    pub fn round(&self) -> Option<&Round> {
        match self {
            Self::Round(round) => Some(round),
            Self::Before | Self::Between => None,
        }
    }
}

impl Round {
    /// The position among the active witnesses of the one that leads this round, of an epoch by its index or of a slot by
    /// its sequence.
    pub fn leader(&self, index: u64, witness_count: usize) -> Option<usize> {
        let count = witness_count as u64;
        let position = (index.checked_rem(count)? + self.number % count) % count;
        usize::try_from(position).ok()
    }
}

/// The round at the block time `head_ms` of what was first proposed at the block time `first_ms`; `None` between cycles.
///
/// Cycle 0 begins `round_grace_ms` after `first_ms`, cycle c ≥ 1 after 2^(c−1) hours. Each has twice as many rounds as
/// there are witnesses. Of several that run, the round that began last counts, and the later cycle's of two that began at
/// once.
pub fn round_at(first_ms: u64, head_ms: u64, agreement: &Agreement, witness_count: usize) -> Option<Round> {
    let rounds = 2 * witness_count as u64;
    let length_ms = rounds.saturating_mul(agreement.round_ms);
    let begin_ms = |cycle| begin_ms(first_ms, cycle, agreement);
    let running = |cycle| {
        let since_ms = head_ms.checked_sub(begin_ms(cycle)?)?;
        let number = since_ms.checked_div(agreement.round_ms).filter(|&number| number < rounds)?;
        Some((since_ms % agreement.round_ms, cycle, number))
    };
    // the later ones begin one after the other
    let begun = (1..=u64::BITS).take_while(|&cycle| begin_ms(cycle).is_some_and(|begin_ms| begin_ms <= head_ms));
    let cycles = std::iter::once(0).chain(begun).filter_map(running);
    let (since_ms, cycle, number) = cycles.min_by_key(|&(since_ms, cycle, _)| (since_ms, std::cmp::Reverse(cycle)))?;
    let overlaps = |&later: &u32| {
        let begins = begin_ms(later - 1).zip(begin_ms(later));
        begins.is_some_and(|(one, other)| one.abs_diff(other) < length_ms)
    };
    let joined = (1..=cycle).rev().take_while(overlaps).count() as u32;
    Some(Round { cycle: cycle - joined, number, began_ms: head_ms - since_ms })
}

/// When a cycle begins; `None` above 2^64−1.
fn begin_ms(first_ms: u64, cycle: u32, agreement: &Agreement) -> Option<u64> {
    let after_ms = match cycle.checked_sub(1) {
        None => agreement.round_grace_ms,
        Some(doublings) => 1u64.checked_shl(doublings)?.checked_mul(HOUR_MS)?,
    };
    first_ms.checked_add(after_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST_MS: u64 = 1_772_824_752_000;
    const MINUTE_MS: u64 = 60_000;

    fn round(number: u64) -> Round {
        Round { cycle: 0, number, began_ms: 0 }
    }

    fn at(after_ms: u64, witness_count: usize) -> Option<(u32, u64)> {
        let round = round_at(FIRST_MS, FIRST_MS + after_ms, &Agreement::default(), witness_count)?;
        Some((round.cycle, round.number))
    }

    #[test]
    fn cycles_begin_after_the_grace_and_then_after_twice_as_long_each() {
        for (after_ms, expected) in [
            (0, None),
            (MINUTE_MS - 1, None),
            (MINUTE_MS, Some((0, 0))),
            (2 * MINUTE_MS - 1, Some((0, 0))),
            (2 * MINUTE_MS, Some((0, 1))),
            (11 * MINUTE_MS - 1, Some((0, 9))),
            (11 * MINUTE_MS, None),
            (HOUR_MS - 1, None),
            (HOUR_MS, Some((1, 0))),
            (HOUR_MS + 10 * MINUTE_MS - 1, Some((1, 9))),
            (HOUR_MS + 10 * MINUTE_MS, None),
            (2 * HOUR_MS, Some((2, 0))),
            (3 * HOUR_MS, None),
            (4 * HOUR_MS + MINUTE_MS, Some((3, 1))),
            (1024 * HOUR_MS, Some((11, 0))),
        ] {
            assert_eq!(at(after_ms, 5), expected, "{after_ms}");
        }
    }

    #[test]
    fn of_cycles_that_overlap_the_last_round_counts() {
        // 80 rounds: cycle 0 from minute 1 to 81, 1 from 60 to 140, 2 from 120 to 200, 3 from 240 to 320
        for (minute, expected) in [
            (59, Some((0, 58))),
            (60, Some((0, 0))),
            (80, Some((0, 20))),
            (81, Some((0, 21))),
            (120, Some((0, 0))),
            (199, Some((0, 79))),
            (200, None),
            (240, Some((3, 0))),
        ] {
            assert_eq!(at(minute * MINUTE_MS, 40), expected, "{minute}");
        }
        // half a round apart they take turns
        let agreement = Agreement { round_grace_ms: 30_000, ..Agreement::default() };
        let number = |after_ms| round_at(FIRST_MS, FIRST_MS + after_ms, &agreement, 40).unwrap().number;
        assert_eq!([0, 29_999, 30_000, 59_999, 60_000].map(|ms| number(HOUR_MS + ms)), [0, 0, 60, 60, 1]);
    }

    #[test]
    fn cycles_that_only_touch_are_two() {
        // 60 rounds of a minute: cycle 1 ends at two hours, where cycle 2 begins
        assert_eq!(at(2 * HOUR_MS, 30), Some((2, 0)));
        assert_eq!(at(2 * HOUR_MS, 31), Some((0, 0)));
    }

    #[test]
    fn there_are_no_rounds_without_witnesses_or_time() {
        assert_eq!(at(MINUTE_MS, 0), None);
        let none = Agreement { round_ms: 0, ..Agreement::default() };
        assert_eq!(round_at(FIRST_MS, FIRST_MS + MINUTE_MS, &none, 5), None);
        assert_eq!(round_at(FIRST_MS, 0, &Agreement::default(), 5), None, "a head before the proposal");
        let last = round_at(u64::MAX, u64::MAX, &Agreement::default(), 5);
        assert_eq!(last, None, "begins that overflow");
        let long = Agreement { round_ms: u64::MAX, ..Agreement::default() };
        assert_eq!(round_at(0, u64::MAX - 1, &long, 5).unwrap().number, 0);
    }

    #[test]
    fn a_slot_is_before_in_or_between_its_rounds() {
        let agreement = Agreement::default();
        let phase = |after_ms| Phase::at(Some(FIRST_MS), FIRST_MS + after_ms, &agreement, 5);
        assert_eq!(phase(MINUTE_MS - 1), Phase::Before);
        for (after_ms, began_ms) in [(MINUTE_MS, MINUTE_MS), (3 * MINUTE_MS - 1, 2 * MINUTE_MS), (HOUR_MS, HOUR_MS)] {
            assert_eq!(phase(after_ms).round().unwrap().began_ms, FIRST_MS + began_ms);
        }
        assert_eq!(phase(11 * MINUTE_MS), Phase::Between);
        assert_eq!(Phase::at(None, FIRST_MS, &agreement, 5), Phase::Before, "nothing is proposed");
        let none = Agreement { round_ms: 0, ..agreement };
        assert_eq!(Phase::at(Some(FIRST_MS), FIRST_MS + HOUR_MS, &none, 5), Phase::Before, "there are no rounds");
    }

    #[test]
    fn a_phase_stays_until_its_end() {
        let short = Agreement { round_ms: 7_000, round_grace_ms: 90_000, ..Agreement::default() };
        let late = Agreement { round_grace_ms: 3 * HOUR_MS, ..Agreement::default() };
        for (agreement, witness_count) in [(Agreement::default(), 5), (Agreement::default(), 40), (short, 3), (late, 5)]
        {
            let mut until_ms = 0;
            for after_ms in (0..5 * HOUR_MS).step_by(500) {
                let head_ms = FIRST_MS + after_ms;
                let phase = |head_ms| Phase::at(Some(FIRST_MS), head_ms, &agreement, witness_count);
                if after_ms > 0 && phase(head_ms) != phase(head_ms - 500) {
                    assert!(head_ms >= until_ms, "{after_ms}: the phase is another before {until_ms}");
                }
                if head_ms >= until_ms {
                    until_ms = phase(head_ms).until_ms(Some(FIRST_MS), head_ms, &agreement).unwrap();
                    assert!(until_ms > head_ms);
                }
            }
        }
        let none = Agreement { round_ms: 0, ..Agreement::default() };
        assert_eq!(Phase::Before.until_ms(Some(FIRST_MS), FIRST_MS, &none), None, "there are no rounds");
        assert_eq!(Phase::Before.until_ms(None, FIRST_MS, &Agreement::default()), None, "nothing is proposed");
    }

    #[test]
    fn each_witness_leads_two_rounds_of_a_cycle() {
        for (index, witness_count) in [(0, 1), (3, 5), (u64::MAX, 7)] {
            let leader = |number| round(number).leader(index, witness_count).unwrap();
            let mut leaders: Vec<_> = (0..2 * witness_count as u64).map(leader).collect();
            assert_eq!(leaders[0] as u64, index % witness_count as u64, "the one of rank 0 leads first");
            leaders.sort_unstable();
            assert_eq!(leaders, (0..witness_count).flat_map(|at| [at, at]).collect::<Vec<_>>());
        }
        assert_eq!(round(3).leader(4, 5), Some(2));
        assert_eq!(round(3).leader(4, 0), None);
    }
}
