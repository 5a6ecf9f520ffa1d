//! A growing archive: cut anywhere, read in steps of any size, followed by the daemon.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write,
    num::NonZeroU64,
};

use ec_archive::{AtRest, FieldNames, StreamIndex, Sweep, is_closed};
use ec_observation::{DerivedEpoch, EpochKey, EpochRule, StreamRule, Tracks};
use ec_witness::daemon::{Closing, FollowedStream};
use proptest::prelude::*;

use super::*;

const TRACKS: [&str; 2] = ["a", "v"];

fn rule() -> StreamRule {
    StreamRule {
        tracks: Tracks::new(TRACKS).unwrap(),
        epochs: EpochRule::timeline(NonZeroU64::new(2).unwrap()),
        ..StreamRule::new("x")
    }
}

fn line(sequence: u64, content: u8) -> String {
    let hash = format!("{content:02x}").repeat(32);
    format!("{{\"group_sequence\":{sequence},\"received_unix_ms\":9,\"size_bytes\":1,\"blake3\":\"{hash}\"}}\n")
}

fn new_index(archive: &TestArchive) -> StreamIndex {
    StreamIndex::new(&archive.open().broadcast("x"), rule(), &FieldNames::default())
}

fn derive(index: &StreamIndex) -> Vec<DerivedEpoch> {
    AtRest::new(index).map(|epoch| epoch.unwrap().named.derived).collect()
}

fn derive_anew(archive: &TestArchive) -> Vec<DerivedEpoch> {
    let mut index = new_index(archive);
    index.read_on(&mut ()).unwrap();
    derive(&index)
}

fn append(archive: &TestArchive, track: usize, bytes: &[u8]) {
    let path = archive.manifests().join(format!("x/{}.jsonl", TRACKS[track]));
    OpenOptions::new().append(true).create(true).open(path).unwrap().write_all(bytes).unwrap();
}

/// A file of every kind of line, and a second one beside it.
fn files() -> [String; 2] {
    let good = |sequences: &[u64]| sequences.iter().map(|&sequence| line(sequence, 1)).collect::<String>();
    let video = format!(
        "\u{feff}{}\r\n{}bad\n{}{{\"group_sequence\":2}}\n{}{}é\n",
        line(0, 1).trim_end(),
        good(&[1]),
        good(&[2, 3, 5, 4]),
        line(4, 2),
        good(&[6, 7, 8, 8, 9, 10]),
    );
    [good(&[0, 1, 2, 3, 4, 5, 6, 7, 8, 9]), video]
}

#[test]
fn a_file_cut_at_any_byte_and_then_completed_is_as_if_untouched() {
    let whole = files();
    let names = TRACKS.map(|track| format!("x/{track}.jsonl"));
    let archive_of = |texts: [&[u8]; 2]| TestArchive::new(names.iter().zip(texts));
    let expected = derive_anew(&archive_of([whole[0].as_bytes(), whole[1].as_bytes()]));
    assert_eq!(expected.iter().map(|epoch| epoch.complete).collect::<Vec<_>>(), [false, false, false, true, true]);
    for (track, text) in whole.iter().enumerate() {
        for cut in 0..=text.len() {
            let mut texts = [whole[0].as_bytes(), whole[1].as_bytes()];
            texts[track] = &text.as_bytes()[..cut];
            let archive = archive_of(texts);
            let mut index = new_index(&archive);
            index.read_on(&mut ()).unwrap();
            let complete_lines = texts[track].iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1);
            assert_eq!(index.tracks()[track].offset(), complete_lines as u64, "{track} cut at {cut}");
            let before = derive(&index);
            texts[track] = &text.as_bytes()[..complete_lines];
            assert_eq!(before, derive_anew(&archive_of(texts)), "a torn line is no data, {track} cut at {cut}");
            append(&archive, track, &text.as_bytes()[cut..]);
            index.read_on(&mut ()).unwrap();
            assert_eq!(derive(&index), expected, "{track} cut at {cut}");
        }
    }
}

#[test]
fn a_file_that_grows_byte_by_byte_is_as_if_untouched() {
    let [audio, video] = files();
    let archive = TestArchive::new([("x/a.jsonl", &audio)]);
    let mut index = new_index(&archive);
    for byte in video.as_bytes() {
        append(&archive, 1, &[*byte]);
        index.read_on(&mut ()).unwrap();
    }
    assert_eq!(derive(&index), derive_anew(&archive));
}

/// One step of a growing archive.
#[derive(Clone, Debug)]
enum Step {
    /// A line, of which only a part may be there when the archive is looked at next.
    Append { track: usize, text: String, cut: prop::sample::Index },
    /// Time passes, and the daemon takes a turn while this many slots are undecided.
    Turn { ms: u64, undecided: usize },
}

fn step() -> impl Strategy<Value = Step> {
    let text = prop_oneof![
        30 => (0u64..60, Just(1u8)).prop_map(|(sequence, content)| line(sequence, content)),
        1 => (0u64..60).prop_map(|sequence| line(sequence, 2)),
        1 => (0u64..60).prop_map(|sequence| format!("{{\"group_sequence\":{sequence}}}\n")),
        1 => Just("bad\n".to_owned()),
    ];
    prop_oneof![
        3 => (0usize..2, text, any::<prop::sample::Index>())
            .prop_map(|(track, text, cut)| Step::Append { track, text, cut }),
        1 => (0u64..40, 0usize..4).prop_map(|(ms, undecided)| Step::Turn { ms, undecided }),
    ]
}

/// A daemon's view of one stream.
struct Follower {
    stream: FollowedStream,
    now_ms: u64,
    handed_over: BTreeSet<u64>,
    derived: BTreeMap<u64, DerivedEpoch>,
}

impl Follower {
    fn turn(&mut self, ms: u64, undecided: usize) {
        self.now_ms += ms;
        self.stream.read_on(self.now_ms, u64::MAX);
        let (mut closed, mut again) = (Vec::new(), Vec::new());
        let everything = |from, to| (from <= to).then_some(from..=to);
        self.stream.newly_closed(self.now_ms, |_| undecided, everything, &mut closed).unwrap();
        for closed in closed {
            let sequence = closed.derived.key.index;
            assert!(self.handed_over.insert(sequence), "epoch {sequence} came twice");
            self.derived.insert(sequence, closed.derived);
        }
        self.stream.rederived(&mut again).unwrap();
        for derived in again {
            let sequence = derived.key.index;
            assert!(self.derived.insert(sequence, derived).is_some(), "epoch {sequence} came again before it came");
        }
    }
}

fn follow(steps: &[Step], from: u64, max_inflight: usize, closing: Closing) {
    let archive = TestArchive::new([("x/a.jsonl", ""), ("x/v.jsonl", "")]);
    let stream = FollowedStream::new(new_index(&archive), EpochKey::timeline(from), max_inflight, closing);
    let mut follower = Follower { stream, now_ms: 0, handed_over: BTreeSet::new(), derived: BTreeMap::new() };
    let mut held_back: [Vec<u8>; 2] = Default::default();
    for step in steps {
        match step {
            Step::Append { track, text, cut } => {
                held_back[*track].extend(text.as_bytes());
                let now: Vec<u8> = held_back[*track].drain(..).collect();
                let (now, later) = now.split_at(cut.index(now.len() + 1));
                append(&archive, *track, now);
                held_back[*track] = later.to_vec();
            }
            Step::Turn { ms, undecided } => follower.turn(*ms, *undecided),
        }
    }
    held_back.iter().enumerate().for_each(|(track, rest)| append(&archive, track, rest));
    for _ in 0..35 {
        follower.turn(1000, 0);
    }
    let mut index = new_index(&archive);
    index.read_on(&mut ()).unwrap();
    let is_expected = |epoch: &DerivedEpoch| {
        // what closed by being complete stays closed, though a later line can make the newest epoch incomplete again
        let reopened = Some(epoch.key) == index.highest_epoch() && follower.handed_over.contains(&epoch.key.index);
        epoch.key.index >= from && (is_closed(epoch, index.highest_epoch()) || reopened)
    };
    let expected: Vec<_> = Sweep::all(&index).map(|swept| swept.unwrap().derived).filter(is_expected).collect();
    let found: Vec<_> = follower.derived.into_values().collect();
    assert_eq!(found, expected);
}

#[test]
fn a_complete_epoch_that_a_conflict_reopens_comes_again() {
    let archive =
        TestArchive::new([("x/a.jsonl", line(58, 1) + &line(59, 1)), ("x/v.jsonl", line(58, 1) + &line(59, 1))]);
    let stream = FollowedStream::new(new_index(&archive), EpochKey::timeline(5), 11, Closing::Grace(51));
    let mut follower = Follower { stream, now_ms: 0, handed_over: BTreeSet::new(), derived: BTreeMap::new() };
    follower.turn(6, 1);
    assert!(follower.derived[&29].complete);
    append(&archive, 1, line(59, 2).as_bytes());
    follower.turn(1000, 0);
    assert!(follower.derived[&29].is_conflicting());
    assert!(derive_anew(&archive).is_empty(), "at rest nothing has closed it");
}

proptest! {
    // a case writes files some hundred times
    #![proptest_config(ProptestConfig::with_cases(ProptestConfig::default().cases / 4))]

    #[test]
    fn every_closed_epoch_is_handed_over_once_and_again_when_touched(
        steps in prop::collection::vec(step(), 0..120),
        from in 0u64..8,
        max_inflight in 1usize..12,
        closing in prop_oneof![Just(Closing::AtRest), (0u64..60).prop_map(Closing::Grace)],
    ) {
        follow(&steps, from, max_inflight, closing);
    }

    #[test]
    fn reading_in_small_steps_changes_nothing(steps in prop::collection::vec(step(), 0..120)) {
        let archive = TestArchive::new([("x/a.jsonl", ""), ("x/v.jsonl", "")]);
        let mut index = new_index(&archive);
        for step in &steps {
            match step {
                Step::Append { track, text, .. } => append(&archive, *track, text.as_bytes()),
                Step::Turn { .. } => index.read_on(&mut ()).unwrap(),
            }
        }
        index.read_on(&mut ()).unwrap();
        prop_assert_eq!(derive(&index), derive_anew(&archive));
    }
}

#[test]
fn an_epoch_that_comes_late_into_a_gap_is_handed_over_once_its_grace_has_passed() {
    let archive = TestArchive::new([
        ("x/a.jsonl", line(0, 1) + &line(1, 1) + &line(200, 1)),
        ("x/v.jsonl", line(0, 1) + &line(1, 1)),
    ]);
    let stream = FollowedStream::new(new_index(&archive), EpochKey::timeline(0), 4, Closing::Grace(1000));
    let mut follower = Follower { stream, now_ms: 0, handed_over: BTreeSet::new(), derived: BTreeMap::new() };
    follower.turn(1, 0);
    append(&archive, 0, line(100, 1).as_bytes());
    follower.turn(1, 0);
    assert_eq!(follower.handed_over, BTreeSet::from([0]));
    follower.turn(1000, 0);
    assert_eq!(follower.handed_over, BTreeSet::from([0, 50]));
}

#[test]
fn the_last_epochs_of_all_are_handed_over() {
    let last = (0..40u64).map(|below| line(u64::MAX - below, 1)).collect::<String>();
    let archive = TestArchive::new([("x/v.jsonl", last)]);
    let epochs = EpochRule::timeline(NonZeroU64::MIN);
    let rule = StreamRule { epochs, tracks: Tracks::new(["v"]).unwrap(), ..rule() };
    let index = StreamIndex::new(&archive.open().broadcast("x"), rule, &FieldNames::default());
    let stream = FollowedStream::new(index, EpochKey::timeline(0), 4, Closing::Grace(1000));
    let mut follower = Follower { stream, now_ms: 0, handed_over: BTreeSet::new(), derived: BTreeMap::new() };
    (0..40).for_each(|_| follower.turn(1, 0));
    assert_eq!(follower.handed_over, (u64::MAX - 39..=u64::MAX).collect());
}
