//! Which epochs of a stream are settled, as runs: what a start passes by, however many there are.

use std::{collections::BTreeMap, ops::RangeInclusive};

use ec_observation::EpochName;
use serde::{Deserialize, Serialize};

/// Settled epochs of one session, without a gap.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    /// Their session.
    pub(super) mark: u64,
    /// Their indices.
    pub(super) indices: RangeInclusive<u64>,
    /// The times in their headers are among these.
    pub(super) ms: RangeInclusive<u64>,
}

/// The runs of one stream, by mark and first index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Vec<Run>", into = "Vec<Run>")]
pub(super) struct Runs(BTreeMap<(u64, u64), Run>);

impl Runs {
    /// An epoch is settled, with this time in its header.
    pub(super) fn add(&mut self, EpochName { mark, index }: EpochName, ms: u64) {
        let mut run = Run { mark, indices: index..=index, ms: ms..=ms };
        let before = self.0.range(..=(mark, index)).next_back().map(|(_, run)| run);
        let before = before.filter(|run| run.mark == mark && index <= run.indices.end().saturating_add(1)).cloned();
        let after = index.checked_add(1).and_then(|next| self.0.get(&(mark, next))).cloned();
        for other in before.into_iter().chain(after) {
            self.0.remove(&(mark, *other.indices.start()));
            run.indices = join(&run.indices, &other.indices);
            run.ms = join(&run.ms, &other.ms);
        }
        self.0.insert((mark, *run.indices.start()), run);
    }

    /// The run that has this epoch.
    pub(super) fn at(&self, EpochName { mark, index }: EpochName) -> Option<&Run> {
        let (_, run) = self.0.range((mark, 0)..=(mark, index)).next_back()?;
        run.indices.contains(&index).then_some(run)
    }

    /// The runs of a session that begin at these indices.
    pub(super) fn within(&self, mark: u64, indices: RangeInclusive<u64>) -> impl Iterator<Item = &Run> {
        let (from, to) = indices.into_inner();
        let found = (from <= to).then(|| self.0.range((mark, from)..=(mark, to)));
        found.into_iter().flatten().map(|(_, run)| run)
    }
}

fn join(one: &RangeInclusive<u64>, other: &RangeInclusive<u64>) -> RangeInclusive<u64> {
    *one.start().min(other.start())..=*one.end().max(other.end())
}

impl From<Vec<Run>> for Runs {
    fn from(runs: Vec<Run>) -> Self {
        Self(runs.into_iter().map(|run| ((run.mark, *run.indices.start()), run)).collect())
    }
}

impl From<Runs> for Vec<Run> {
    fn from(runs: Runs) -> Self {
        runs.0.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In whatever order epochs are settled, and however often, the runs are those of the set, as long as can be.
        #[test]
        fn runs_are_those_of_the_set(added in proptest::collection::vec((0..3u64, 0..40u64), 0..120)) {
            let (mut runs, mut set) = (Runs::default(), BTreeSet::new());
            for (mark, index) in added {
                runs.add(EpochName { mark, index }, mark * 1000 + index);
                set.insert((mark, index));
            }
            for mark in 0..3 {
                for index in 0..41 {
                    let run = runs.at(EpochName { mark, index });
                    prop_assert_eq!(run.is_some(), set.contains(&(mark, index)));
                    let Some(Run { indices, ms, .. }) = run else { continue };
                    prop_assert!(indices.clone().all(|index| set.contains(&(mark, index))));
                    let beyond = [indices.start().checked_sub(1), Some(indices.end() + 1)];
                    prop_assert!(beyond.into_iter().flatten().all(|index| !set.contains(&(mark, index))));
                    prop_assert_eq!(ms.clone(), mark * 1000 + indices.start()..=mark * 1000 + indices.end());
                }
            }
            let again = Runs::from(Vec::from(runs.clone()));
            prop_assert_eq!(again, runs);
        }
    }

    #[test]
    fn the_last_index_has_no_next() {
        let mut runs = Runs::default();
        for index in [u64::MAX, u64::MAX - 1] {
            runs.add(EpochName { mark: 0, index }, 0);
        }
        assert_eq!(runs.at(EpochName::timeline(u64::MAX)).unwrap().indices, u64::MAX - 1..=u64::MAX);
        assert_eq!(runs.within(0, 0..=u64::MAX).count(), 1);
    }
}
