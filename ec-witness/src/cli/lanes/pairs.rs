//! Which epochs of two archives of one lane are to be compared.

use std::collections::{BTreeMap, BTreeSet};

use ec_observation::EpochKey;

use super::Received;

/// Pairs the epochs of two archives, each once, in the order of the first archive and then of the second. An epoch's
/// counterpart has its index, and a time near its own; else it stands in a segment of which another epoch has such a one.
pub(in crate::cli) fn pairs(
    own: &[Received],
    other: &[Received],
    tolerance_ms: u64,
) -> Vec<(Option<EpochKey>, Option<EpochKey>)> {
    let mut by_index: BTreeMap<u64, Vec<&Received>> = BTreeMap::new();
    other.iter().for_each(|epoch| by_index.entry(epoch.key.index).or_default().push(epoch));
    let near =
        |epoch: &Received, other: &Received| epoch.unix_ms.is_some_and(|unix_ms| other.is_near(unix_ms, tolerance_ms));
    let of_index = |epoch: &Received| by_index.get(&epoch.key.index).into_iter().flatten().copied();
    let alike: BTreeSet<(u64, u64)> = own
        .iter()
        .flat_map(|epoch| of_index(epoch).map(move |other| (epoch, other)))
        .filter(|(epoch, other)| near(epoch, other))
        .map(|(epoch, other)| (epoch.key.segment, other.key.segment))
        .collect();
    let mut taken = BTreeSet::new();
    let mut pairs = Vec::with_capacity(own.len());
    for epoch in own {
        let free = |other: &&Received| !taken.contains(&other.key);
        let is_alike = |other: &&Received| alike.contains(&(epoch.key.segment, other.key.segment));
        let found = of_index(epoch).filter(free).find(|other| near(epoch, other));
        let found = found.or_else(|| of_index(epoch).filter(free).find(is_alike)).map(|other| other.key);
        taken.extend(found);
        pairs.push((Some(epoch.key), found));
    }
    let left = other.iter().map(|epoch| epoch.key).filter(|key| !taken.contains(key));
    pairs.extend(left.map(|key| (None, Some(key))));
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOLERANCE_MS: u64 = 17_000;

    fn key(segment: u64, index: u64) -> EpochKey {
        EpochKey { segment, index }
    }

    /// Epochs as (segment, index, seconds).
    fn received(epochs: &[(u64, u64, u64)]) -> Vec<Received> {
        let received = |&(segment, index, s): &(u64, u64, u64)| Received {
            key: key(segment, index),
            unix_ms: Some(s * 1000),
            complete: true,
        };
        epochs.iter().map(received).collect()
    }

    fn paired(own: &[(u64, u64, u64)], other: &[(u64, u64, u64)]) -> Vec<(Option<EpochKey>, Option<EpochKey>)> {
        pairs(&received(own), &received(other), TOLERANCE_MS)
    }

    #[test]
    fn segments_are_told_apart_by_time_however_they_are_counted() {
        let both = |own, other| (Some(own), Some(other));
        // the other archive missed the first life of the numbers
        let own = [(0, 0, 0), (0, 1, 60), (1, 0, 100), (1, 1, 160)];
        let other = [(0, 0, 105), (0, 1, 161), (0, 2, 220)];
        assert_eq!(
            paired(&own, &other),
            [
                (Some(key(0, 0)), None),
                (Some(key(0, 1)), None),
                both(key(1, 0), key(0, 0)),
                both(key(1, 1), key(0, 1)),
                (None, Some(key(0, 2)))
            ]
        );
    }

    #[test]
    fn an_epoch_that_lost_its_first_records_is_found_by_its_segment() {
        let own = [(0, 0, 0), (0, 1, 60)];
        assert_eq!(
            paired(&own, &[(3, 0, 40), (3, 1, 60)]),
            [(Some(key(0, 0)), Some(key(3, 0))), (Some(key(0, 1)), Some(key(3, 1)))]
        );
        // 40 s later the numbers may have begun anew
        assert_eq!(paired(&own[..1], &[(3, 0, 40)]), [(Some(key(0, 0)), None), (None, Some(key(3, 0)))]);
    }
}
