//! The newest slots of a stream: what the last hour was like, and how many there are a day.

use ec_witness::witness::slot::SlotState;

/// What the slots of the last hour are chosen by, milliseconds.
const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;

/// The newest slots of one stream, oldest first: by their own times, as far as they are known.
#[derive(Debug, Default)]
pub(super) struct NewestSlots(pub(super) Vec<(Option<u64>, SlotState)>);

impl NewestSlots {
    /// The states of those of the hour before the newest.
    pub(super) fn of_the_last_hour(&self) -> Vec<SlotState> {
        let newest_ms = self.0.iter().filter_map(|(time_ms, _)| *time_ms).max().unwrap_or_default();
        let is_new = |time_ms: &Option<u64>| time_ms.is_none_or(|time_ms| time_ms + HOUR_MS > newest_ms);
        self.0.iter().filter(|(time_ms, _)| is_new(time_ms)).map(|(_, state)| *state).collect()
    }

    /// How many there are a day, at the pace of these.
    pub(super) fn a_day(&self) -> Option<u64> {
        let times: Vec<_> = self.0.iter().filter_map(|(time_ms, _)| *time_ms).collect();
        let (first, last) = (times.iter().min()?, times.iter().max()?);
        (last > first).then(|| (times.len() as u64 - 1) * DAY_MS / (last - first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slots(states: impl Iterator<Item = SlotState>) -> NewestSlots {
        NewestSlots((1_772_824_680_000u64..).step_by(60_000).map(Some).zip(states).collect())
    }

    #[test]
    fn only_the_last_hour_is_drawn_and_paces() {
        let two_hours = slots(std::iter::repeat_n(SlotState::Finalized, 120));
        assert_eq!(two_hours.of_the_last_hour().len(), 60);
        assert_eq!(two_hours.a_day(), Some(1440));
        assert_eq!(slots([SlotState::Open].into_iter()).a_day(), None);
        let timeless = NewestSlots(vec![(None, SlotState::Conflicting)]);
        assert_eq!((timeless.of_the_last_hour().len(), timeless.a_day()), (1, None));
    }
}
