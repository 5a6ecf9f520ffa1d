use proptest::prelude::*;

use super::*;
use crate::recorder::{
    media::Piece,
    testing::{AUDIO, VIDEO, file, fragment, init, open},
};

const START: u64 = 1_772_824_680_000;
const FIRST: u64 = START / 2000;

fn timeline(start_unix_ms: u64) -> Timeline {
    Timeline { start_unix_ms, chunk_duration_ms: NonZeroU64::new(2000).unwrap(), latency_ms: 0 }
}

fn groups(parts: &[Vec<u8>], start_unix_ms: u64) -> Result<Vec<Group>, GroupError> {
    numbered(parts, start_unix_ms, Numbering::Timeline)
}

fn numbered(parts: &[Vec<u8>], start_unix_ms: u64, numbering: Numbering) -> Result<Vec<Group>, GroupError> {
    let (_dir, media) = open(&[&[init()], parts].concat());
    let mut groups = Groups::new(media, timeline(start_unix_ms), numbering);
    std::iter::from_fn(|| groups.next_group().transpose()).collect()
}

#[test]
fn fragments_of_one_window_join() {
    let video: Vec<_> = (0..8).map(|i| fragment(VIDEO, i * 500, 500, &[u8::try_from(i).unwrap()])).collect();
    let found = groups(&video, START).unwrap();
    let expected = [(FIRST, START, START + 2000), (FIRST + 1, START + 2000, START + 4000)];
    assert_eq!(found.iter().map(|g| (g.sequence, g.begin_unix_ms, g.end_unix_ms)).collect::<Vec<_>>(), expected);
    assert_eq!(found[0].bytes, video[..4].concat());
    assert_eq!(found[1].bytes, video[4..].concat());
}

#[test]
fn tracks_have_windows_of_their_own() {
    let parts = [
        fragment(VIDEO, 0, 2000, b"v0"),
        fragment(AUDIO, 1920, 96000, b"a0"),
        fragment(VIDEO, 2000, 2000, b"v1"),
        fragment(AUDIO, 97920, 96000, b"a1"),
    ];
    let found = groups(&parts, START).unwrap();
    let mut windows: Vec<_> = found.iter().map(|group| (group.track, group.sequence)).collect();
    windows.sort_unstable();
    assert_eq!(windows, [(0, FIRST), (0, FIRST + 1), (1, FIRST), (1, FIRST + 1)]);
}

#[test]
fn in_a_session_each_track_counts_its_groups_from_0() {
    let parts = [
        fragment(VIDEO, 0, 2000, b"v0"),
        fragment(AUDIO, 1920, 96000, b"a0"),
        fragment(VIDEO, 6000, 2000, b"v3"),
        fragment(AUDIO, 97920, 96000, b"a1"),
        fragment(VIDEO, 8000, 2000, b"v4"),
    ];
    let (session, timeline) = (numbered(&parts, START, Numbering::Session).unwrap(), groups(&parts, START).unwrap());
    let mut numbers: Vec<_> = session.iter().map(|group| (group.track, group.sequence)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers, [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)], "windows without a group are not counted");
    for (session, timeline) in session.iter().zip(&timeline) {
        assert_eq!(session, &Group { sequence: session.sequence, ..timeline.clone() }, "else they are the same");
    }
}

#[test]
fn a_fragment_belongs_to_the_window_it_begins_in() {
    let parts = [fragment(VIDEO, 1999, 3000, b"v0"), fragment(VIDEO, 6000, 10, b"v1")];
    let found = groups(&parts, START).unwrap();
    assert_eq!(found.iter().map(|group| group.sequence).collect::<Vec<_>>(), [FIRST, FIRST + 3]);
    assert_eq!(found[0].end_unix_ms, START + 4999);
}

#[test]
fn the_start_shifts_the_windows() {
    let parts = [fragment(VIDEO, 0, 500, b"v0"), fragment(VIDEO, 500, 500, b"v1")];
    let found = groups(&parts, START + 1500).unwrap();
    assert_eq!(found.iter().map(|group| group.sequence).collect::<Vec<_>>(), [FIRST, FIRST + 1]);
}

#[test]
fn times_that_run_back_are_refused() {
    for again in [0, 499, 500] {
        let parts = [fragment(VIDEO, 500, 500, b"v0"), fragment(VIDEO, again, 500, b"v1")];
        let said = groups(&parts, START).unwrap_err().to_string();
        assert!(
            said.contains(&format!("decode time of track 1 goes back to {again}, expected at least 501")),
            "{said}"
        );
    }
}

#[test]
fn a_fragment_without_duration_may_be_followed_at_once() {
    let parts = [fragment(VIDEO, 500, 0, b"v0"), fragment(VIDEO, 500, 500, b"v1")];
    assert_eq!(groups(&parts, START).unwrap()[0].bytes, parts.concat());
}

#[test]
fn times_beyond_64_bits_are_refused() {
    let parts = [fragment(VIDEO, 1, 500, b"v0")];
    assert!(groups(&parts, u64::MAX - 501).is_ok());
    assert!(matches!(groups(&parts, u64::MAX - 500), Err(GroupError::TimeOverflow { .. })));
    let parts = [fragment(VIDEO, u64::MAX, 500, b"v0")];
    assert!(matches!(groups(&parts, 0), Err(GroupError::TimeOverflow { .. })));
}

#[test]
fn thirtieths_of_a_second_round_down() {
    let time = timeline(START);
    assert_eq!(time.unix_ms(1001, 30000), Some(START + 33));
    assert_eq!(time.unix_ms(59999, 30000), Some(START + 1999));
    assert_eq!(time.sequence_at(START + 1999), FIRST);
    assert_eq!(time.unix_ms(u64::MAX, 1), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Whatever bytes a file has, reading it ends, and no group is larger than the file.
    #[test]
    fn damaged_media_never_panics(changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = include_bytes!("../../../tests/data/muxed.mp4").to_vec();
        for (index, byte) in changes {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        let (_dir, path) = file(&[bytes.clone()]);
        if let Ok(media) = Media::open(vec![Piece::whole(&path)]) {
            let mut groups = Groups::new(media, timeline(START), Numbering::Timeline);
            while let Ok(Some(group)) = groups.next_group() {
                prop_assert!(group.bytes.len() <= bytes.len() + 1024);
            }
        }
    }
}
