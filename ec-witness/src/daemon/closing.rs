//! When epochs close (protocol §2.6).

use std::collections::VecDeque;

use ec_observation::EpochKey;

/// When an epoch counts as closed without being complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The archive is at rest: as soon as a record of a later epoch is there.
    AtRest,
    /// The archive grows: this many milliseconds after the first record of a later epoch came.
    Grace(u64),
}

/// For how long a stream's epochs have had later records.
#[derive(Debug)]
pub(super) struct Ages {
    closing: Closing,
    /// When the highest epoch rose, and to what; only as far back as the grace reaches.
    risen: VecDeque<(EpochKey, u64)>,
    /// Every epoch below it has had a later record for longer than the grace.
    aged: EpochKey,
}

impl Ages {
    pub(super) fn new(closing: Closing) -> Self {
        Self { closing, risen: VecDeque::new(), aged: EpochKey::MIN }
    }

    /// Notes when the highest epoch rose, and lets the grace of what lies below pass. True when it passed for any.
    pub(super) fn pass(&mut self, highest: Option<EpochKey>, now_ms: u64) -> bool {
        let known = self.risen.back().map_or(self.aged, |&(epoch, _)| epoch);
        if let Some(highest) = highest.filter(|&highest| highest > known) {
            self.risen.push_back((highest, now_ms));
        }
        let Closing::Grace(grace_ms) = self.closing else { return false };
        let mut passed = false;
        while let Some((epoch, _)) = self.risen.pop_front_if(|(_, at_ms)| at_ms.saturating_add(grace_ms) <= now_ms) {
            self.aged = epoch;
            passed = true;
        }
        passed
    }

    /// The highest epoch that has had a record for longer than the grace, of a stream whose highest one is this.
    pub(super) fn aged(&self, highest: Option<EpochKey>) -> Option<EpochKey> {
        match self.closing {
            Closing::AtRest => highest,
            Closing::Grace(_) => Some(self.aged),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_grace_begins_with_the_first_record_of_a_later_epoch() {
        let mut ages = Ages::new(Closing::Grace(100));
        let seen = [
            (Some(4), 0, false, 0),
            (Some(4), 99, false, 0),
            (Some(5), 99, false, 0),
            (Some(5), 100, true, 4),
            (Some(9), 198, false, 4),
            (Some(9), 199, true, 5),
            (Some(9), 900, true, 9),
            (Some(9), 999, false, 9),
        ];
        for (highest, now_ms, passed, aged) in seen {
            let highest = highest.map(EpochKey::timeline);
            let aged = Some(EpochKey::timeline(aged));
            assert_eq!((ages.pass(highest, now_ms), ages.aged(highest)), (passed, aged), "{now_ms}");
        }
    }

    #[test]
    fn at_rest_the_grace_has_passed() {
        let mut ages = Ages::new(Closing::AtRest);
        let four = Some(EpochKey::timeline(4));
        assert!(!ages.pass(four, 0));
        assert_eq!((ages.aged(None), ages.aged(four)), (None, four));
    }
}
