use super::*;

fn group(group_sequence: u64, content: &str) -> StoredGroup {
    StoredGroup { group_sequence, blake3: blake3::hash(content.as_bytes()), size_bytes: content.len() as u64 }
}

/// The sequences that are new, of groups that are received at these seconds.
fn new(stretch: &mut Stretch, received: &[(u64, u64, &str)]) -> Vec<u64> {
    let new = |(sequence, s, content): &(u64, u64, &str)| stretch.take(group(*sequence, content), s * 1000, None);
    received.iter().copied().filter(new).map(|(sequence, ..)| sequence).collect()
}

#[test]
fn a_backlog_after_a_restart_of_the_recorder_is_known() {
    let mut stretch = Stretch::default();
    assert_eq!(new(&mut stretch, &[(5, 100, "a"), (6, 102, "b"), (7, 104, "c")]), [5, 6, 7]);
    assert_eq!(new(&mut stretch, &[(6, 112, "b"), (7, 112, "c"), (8, 112, "d"), (9, 112, "e")]), [8, 9]);
}

#[test]
fn numbers_that_begin_again_are_new_with_the_same_bytes_too() {
    let mut stretch = Stretch::default();
    assert_eq!(new(&mut stretch, &[(0, 0, "a"), (1, 2, "b"), (12, 24, "c")]), [0, 1, 12]);
    // the same content, sent faster than the first time
    assert_eq!(new(&mut stretch, &[(0, 25, "a"), (1, 25, "b"), (12, 26, "c")]), [0, 1, 12]);
}

#[test]
fn other_bytes_are_new_at_once() {
    let mut stretch = Stretch::default();
    assert_eq!(new(&mut stretch, &[(0, 0, "a"), (1, 2, "b"), (0, 3, "x"), (1, 4, "y"), (1, 5, "y")]), [0, 1, 0, 1]);
}

#[test]
fn a_backlog_comes_in_any_order_and_fills_gaps() {
    let mut stretch = Stretch::default();
    assert_eq!(new(&mut stretch, &[(70, 0, "a"), (9, 0, "b"), (40, 1, "c"), (71, 1, "d")]), [70, 9, 40, 71]);
    // all of it is one stretch still, so that none of it is new
    assert!(new(&mut stretch, &[(9, 2, "b"), (40, 2, "c"), (70, 2, "a"), (71, 2, "d")]).is_empty());
}

#[test]
fn a_number_far_below_begins_anew() {
    let mut stretch = Stretch::default();
    new(&mut stretch, &[(500, 0, "a"), (501, 2, "b"), (2, 3, "c")]);
    assert_eq!(new(&mut stretch, &[(500, 4, "a")]), [500], "another stretch knows nothing of the one before");
}

#[test]
fn a_gap_is_not_filled_late() {
    let mut stretch = Stretch::default();
    new(&mut stretch, &[(0, 0, "a"), (9, 1, "b"), (10, 30, "c"), (5, 31, "d")]);
    assert_eq!(new(&mut stretch, &[(10, 32, "c")]), [10], "5 came 30 s after 9, and began anew");
}

#[test]
fn what_a_publisher_sends_twice_is_known_however_late() {
    let mut stretch = Stretch::default();
    assert!(stretch.take(group(0, "catalog"), 0, Some(7)));
    assert!(!stretch.take(group(0, "catalog"), 3_600_000, Some(7)));
    assert!(stretch.take(group(0, "catalog"), 3_600_000, Some(8)), "another publisher");
}

#[test]
fn memory_is_bounded_by_time() {
    let mut stretch = Stretch::default();
    for sequence in 0..10_000 {
        assert!(stretch.take(group(sequence, "audio"), sequence * 21, None));
    }
    assert!(stretch.recent.len() < 1000 && stretch.arrivals.len() < 1000, "{}", stretch.recent.len());
}
