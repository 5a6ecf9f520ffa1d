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
        if at % SWAP_EVERY == host && at + 2 < jittered.len() {
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

/// The hash of this group is another one; `None` where no line states the group and a hash.
pub fn flip(lines: &[Line], group: u64, names: &FieldNames) -> Option<Vec<Line>> {
    let of_group = |line: &Line| line.group(names) == Some(group);
    let flip = |line: &Line| if of_group(line) { line.with_flipped_hash(names) } else { line.clone() };
    let flipped: Vec<_> = lines.iter().map(flip).collect();
    (flipped != lines).then_some(flipped)
}

/// Without this group; `None` where no line states it.
pub fn drop(lines: &[Line], group: u64, names: &FieldNames) -> Option<Vec<Line>> {
    let left: Vec<_> = lines.iter().filter(|line| line.group(names) != Some(group)).cloned().collect();
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
        let flipped = flip(&lines, 12, &names()).unwrap();
        let differing: Vec<_> = lines.iter().zip(&flipped).filter(|(a, b)| a != b).collect();
        assert_eq!(differing.len(), 1);
        assert_eq!(differing[0].1.as_bytes()[..30], *b"{\"id\":12,\"at\":29000,\"b3\":\"1000");
        assert_eq!(
            groups(&drop(&lines, 12, &names()).unwrap()),
            (10..40).filter(|&group| group != 12).collect::<Vec<_>>()
        );
    }

    #[test]
    fn a_group_that_is_not_there_is_no_change() {
        assert_eq!((flip(&index(0..9), 9, &names()), drop(&index(0..9), 9, &names())), (None, None));
        assert_eq!(drop(&index(0..9), 1, &FieldNames::default()), None, "nor one under names that are not known");
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
