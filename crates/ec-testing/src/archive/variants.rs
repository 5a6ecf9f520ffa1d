//! What the index of one track looks like at other hosts, or after a mishap. Pure over its lines.

use super::{lines::Line, names::FieldNames};

/// Receive times differ by up to so many milliseconds, either way.
const JITTER_MS: u64 = 500;

/// Two neighbours among so many lines change places.
const SWAP_EVERY: usize = 17;

/// One of so many lines stands twice.
const TWICE_EVERY: usize = 29;

/// The same records as host number `host` has them: receive times are off, some lines stand in another order or twice.
pub fn vary(lines: &[Line], host: usize, names: &FieldNames) -> Vec<Line> {
    let jittered: Vec<_> = (0u64..)
        .zip(lines)
        .map(|(at, line)| {
            let later = ((at + 1) * 7919 + host as u64 * 104_729) % (2 * JITTER_MS + 1);
            line.with_received(names, |ms| (ms + later).saturating_sub(JITTER_MS))
        })
        .collect();
    let mut varied = Vec::new();
    let mut at = 0;
    while at < jittered.len() {
        // the last line stays where it is: it may lack its ending
        // and a session that begins stays behind the one before it
        if at % SWAP_EVERY == host && at + 2 < jittered.len() && goes_on(&jittered[at], &jittered[at + 1], names) {
            varied.push(jittered[at + 1].clone());
            varied.push(jittered[at].clone());
            at += 1;
        } else {
            varied.push(jittered[at].clone());
        }
        if at % TWICE_EVERY == host && jittered[at].is_whole() {
            varied.push(jittered[at].clone());
        }
        at += 1;
    }
    varied
}

/// Whether the second line is not of an earlier number than the first.
fn goes_on(first: &Line, second: &Line, names: &FieldNames) -> bool {
    first.group(names).is_none_or(|first| second.group(names).is_none_or(|second| first <= second))
}

/// A group by its number, and a time near which it was received: other sessions have groups of that number too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupAt {
    /// Its number.
    pub group: u64,
    /// Unix milliseconds, nearer to this group than to others of the number.
    pub unix_ms: u64,
}

impl GroupAt {
    /// Whether each line is of the group. One without a time is, wherever its number fits.
    fn of(self, lines: &[Line], names: &FieldNames) -> Vec<bool> {
        let apart = |line: &Line| match line.group(names) {
            Some(group) if group == self.group => Some(line.received(names).map_or(0, |ms| ms.abs_diff(self.unix_ms))),
            _ => None,
        };
        let nearest = lines.iter().filter_map(apart).min().unwrap_or(0);
        // the same record may stand there twice, with its time off
        lines.iter().map(|line| apart(line).is_some_and(|apart| apart <= nearest + 2 * JITTER_MS)).collect()
    }
}

/// The hash of this group is another one; `None` where no line states the group and a hash.
pub fn flip(lines: &[Line], group: GroupAt, names: &FieldNames) -> Option<Vec<Line>> {
    let flip = |(line, hit): (&Line, bool)| if hit { line.with_flipped_hash(names) } else { line.clone() };
    let flipped: Vec<_> = lines.iter().zip(group.of(lines, names)).map(flip).collect();
    (flipped != lines).then_some(flipped)
}

/// Without this group; `None` where no line states it.
pub fn drop(lines: &[Line], group: GroupAt, names: &FieldNames) -> Option<Vec<Line>> {
    let left: Vec<_> =
        lines.iter().zip(group.of(lines, names)).filter(|(_, hit)| !hit).map(|(line, _)| line.clone()).collect();
    (left.len() < lines.len()).then_some(left)
}

/// The lines so many times one after the other, with groups and times that go on. What has fewer than two groups stays.
pub fn repeat(lines: &[Line], times: u64, names: &FieldNames) -> Vec<Line> {
    let groups = span(lines.iter().filter_map(|line| line.group(names))) + 1;
    if groups < 2 {
        return lines.to_vec();
    }
    let ms = span(lines.iter().filter_map(|line| line.received(names))) * groups / (groups - 1);
    let later = |line: &Line, round| {
        line.with_group(names, |group| group + round * groups).with_received(names, |received| received + round * ms)
    };
    (0..times).flat_map(|round| lines.iter().map(move |line| later(line, round))).collect()
}

/// How far the largest is from the smallest.
fn span(numbers: impl Iterator<Item = u64> + Clone) -> u64 {
    numbers.clone().max().unwrap_or(0) - numbers.min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn index(groups: std::ops::Range<u64>) -> Vec<Line> {
        let line = |group| {
            format!("{{\"id\":{group},\"at\":{},\"b3\":\"{group:064}\",\"x\":[{group}]}}\n", 5000 + group * 2000)
        };
        Line::all(groups.map(line).collect::<String>().as_bytes())
    }

    /// None of them a default.
    fn names() -> FieldNames {
        FieldNames::of_config(
            "archive.fields = { group_sequence = ['id'], received_unix_ms = ['at'], blake3 = ['b3'] }",
        )
        .unwrap()
    }

    fn groups(lines: &[Line]) -> Vec<u64> {
        lines.iter().map(|line| line.group(&names()).unwrap()).collect()
    }

    #[test]
    fn a_host_has_the_same_records_at_other_times_and_places() {
        let lines = index(0..120);
        let varied = vary(&lines, 3, &names());
        assert_eq!(groups(&varied)[..6], [0, 1, 2, 4, 3, 5], "two change places");
        assert_eq!(groups(&varied)[31..36], [31, 32, 32, 33, 34], "one stands twice");
        let mut distinct = groups(&varied);
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct, (0..120).collect::<Vec<_>>(), "none is lost");
        for line in &varied {
            let off = line.received(&names()).unwrap().abs_diff(5000 + line.group(&names()).unwrap() * 2000);
            assert!(off <= JITTER_MS, "{off}");
        }
        assert_ne!(varied, vary(&lines, 4, &names()));
        let foreign = FieldNames::default();
        assert_eq!(
            vary(&lines, 30, &foreign),
            lines,
            "without known names no line is changed, nor places by a host beyond the table"
        );
    }

    #[test]
    fn a_line_without_its_ending_stays_the_last() {
        for count in 1..70 {
            let mut text: Vec<u8> = index(0..count).iter().flat_map(|line| line.as_bytes().to_vec()).collect();
            text.pop();
            for host in 1..9 {
                let varied = vary(&Line::all(&text), host, &names());
                assert_eq!(varied.iter().filter(|line| !line.is_whole()).count(), 1, "{count} {host}");
                assert!(!varied.last().unwrap().is_whole(), "{count} {host}");
            }
        }
    }

    #[test]
    fn one_group_is_flipped_or_dropped() {
        let lines = index(10..40);
        let at = GroupAt { group: 12, unix_ms: 0 };
        let flipped = flip(&lines, at, &names()).unwrap();
        let differing: Vec<_> = lines.iter().zip(&flipped).filter(|(a, b)| a != b).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(differing[0].1.as_bytes()[..30], *b"{\"id\":12,\"at\":29000,\"b3\":\"1000");
        assert_eq!(
            groups(&drop(&lines, at, &names()).unwrap()),
            (10..40).filter(|&group| group != 12).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_group_that_is_not_there_is_no_change() {
        let at = |group| GroupAt { group, unix_ms: 0 };
        assert_eq!((flip(&index(0..9), at(9), &names()), drop(&index(0..9), at(9), &names())), (None, None));
        assert_eq!(drop(&index(0..9), at(1), &FieldNames::default()), None, "nor one under names that are not known");
    }

    /// Two sessions of ten groups, a minute apart.
    fn sessions() -> Vec<Line> {
        let second = index(0..10).iter().map(|line| line.with_received(&names(), |ms| ms + 60_000)).collect::<Vec<_>>();
        [index(0..10), second].concat()
    }

    #[test]
    fn a_group_is_changed_in_one_session_also_where_it_stands_twice() {
        let mut lines = sessions();
        lines.insert(14, lines[13].with_received(&names(), |ms| ms + 900));
        for (unix_ms, hit) in [(5000, vec![3]), (65_000, vec![13, 14])] {
            let flipped = flip(&lines, GroupAt { group: 3, unix_ms }, &names()).unwrap();
            let changed: Vec<_> = (0..lines.len()).filter(|&at| flipped[at] != lines[at]).collect();
            assert_eq!(changed, hit);
            let left = drop(&lines, GroupAt { group: 3, unix_ms }, &names()).unwrap();
            assert_eq!(left.len(), lines.len() - hit.len());
        }
    }

    #[test]
    fn a_session_stays_behind_the_one_before_it() {
        for host in 0..17 {
            let varied = groups(&vary(&sessions(), host, &names()));
            let second = varied.iter().rposition(|&group| group == 0).unwrap();
            let before = varied[..second].iter().filter(|&&group| group == 9).count();
            assert!(before >= 1 && varied[second..].contains(&9), "host {host}: {varied:?}");
        }
    }

    #[test]
    fn repetitions_go_on_where_the_last_one_ended() {
        assert_eq!(repeat(&index(7..17), 3, &names()).len(), 30);
        let repeated = repeat(&index(7..17), 2, &names());
        let longer = index(7..27);
        assert_eq!(groups(&repeated), groups(&longer));
        for (a, b) in repeated.iter().zip(&longer) {
            assert_eq!(a.received(&names()), b.received(&names()));
        }
        assert_eq!(repeat(&index(7..8), 3, &names()), index(7..8), "one line stays one");
    }
}
