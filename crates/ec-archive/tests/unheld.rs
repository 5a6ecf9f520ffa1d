//! Files for which there is no descriptor: opened at each use, they are read as those that are held open.

#![allow(clippy::unwrap_used)]

use std::{
    fs::{self, OpenOptions},
    io::Write,
    num::NonZeroU64,
    ops::Range,
    path::PathBuf,
};

use ec_archive::{
    Archive, AtRest, Checkpoints, FieldNames, Lost, StreamIndex, TrackEvent, Watch, hold_at_most, index_files,
};
use ec_observation::{EpochRule, StreamRule, Tracks};
use tempfile::TempDir;

/// Nothing is held open in this whole binary.
const HELD: usize = 0;

fn lines(sequences: Range<u64>) -> String {
    let hash = "01".repeat(32);
    let line =
        |n| format!("{{\"group_sequence\":{n},\"received_unix_ms\":9,\"size_bytes\":1,\"blake3\":\"{hash}\"}}\n");
    sequences.map(line).collect()
}

/// Keeps what befell the file.
#[derive(Default)]
struct Heard(Vec<TrackEvent>);

impl Watch for Heard {
    fn event(&mut self, event: TrackEvent) {
        self.0.push(event);
    }
}

impl Heard {
    fn lost(&self) -> Vec<Lost> {
        let lost = |event: &TrackEvent| match event {
            TrackEvent::Lost { lost, .. } => Some(*lost),
            TrackEvent::Rotated { .. } => None,
        };
        self.0.iter().filter_map(lost).collect()
    }
}

/// One track, two groups an epoch.
struct Track {
    dir: TempDir,
    index: StreamIndex,
}

impl Track {
    fn of(sequences: Range<u64>) -> Self {
        hold_at_most(HELD);
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("manifests/x")).unwrap();
        let index = index(&dir);
        let mut track = Self { dir, index };
        track.append(sequences);
        track.read();
        track
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("manifests/x").join(name)
    }

    fn append(&self, sequences: Range<u64>) {
        let mut file = OpenOptions::new().append(true).create(true).open(self.path("v.jsonl")).unwrap();
        file.write_all(lines(sequences).as_bytes()).unwrap();
    }

    fn rename(&self, to: &str) {
        fs::rename(self.path("v.jsonl"), self.path(to)).unwrap();
    }

    fn read(&mut self) -> Heard {
        let mut heard = Heard::default();
        self.index.read_on(&mut heard).unwrap();
        heard
    }

    fn complete(&self) -> Vec<u64> {
        let epochs = AtRest::new(&self.index).map(|epoch| epoch.unwrap().named.derived);
        epochs.filter(|epoch| epoch.complete && !self.index.withholds(epoch.key)).map(|epoch| epoch.key.index).collect()
    }
}

fn index(dir: &TempDir) -> StreamIndex {
    let rule = StreamRule {
        tracks: Tracks::new(["v"]).unwrap(),
        epochs: EpochRule::timeline(NonZeroU64::new(2).unwrap()),
        ..StreamRule::new("x")
    };
    StreamIndex::new(&Archive::at(dir.path()).broadcast("x"), rule, &FieldNames::default())
}

#[test]
fn a_growing_file_is_read_on() {
    let mut track = Track::of(0..3);
    assert_eq!(index_files().held, HELD);
    assert!(index_files().unheld > 0);
    for end in 4..9 {
        track.append(end - 1..end);
        assert!(track.read().0.is_empty());
        assert_eq!(track.complete().len() as u64, end / 2);
    }
}

#[test]
fn rotated_files_are_found_by_their_inodes_and_read_to_their_ends() {
    let mut track = Track::of(0..3);
    for n in 1..=3 {
        // written and not read yet when it is renamed
        track.append(4 * n - 1..4 * n);
        track.rename(&format!("v.jsonl.{n}"));
        track.append(4 * n..4 * n + 3);
        assert!(matches!(track.read().0[..], [TrackEvent::Rotated { .. }]), "{n}");
        assert_eq!(track.complete().len() as u64, 2 * n + 1);
    }
}

#[test]
fn a_file_that_is_away_is_waited_for() {
    let mut track = Track::of(0..4);
    let (broadcast, away) = (track.dir.path().join("manifests/x"), track.dir.path().join("away"));
    fs::rename(&broadcast, &away).unwrap();
    assert!(track.read().0.is_empty());
    assert!(track.index.hindrance().is_some());
    fs::rename(&away, &broadcast).unwrap();
    track.append(4..6);
    assert!(track.read().0.is_empty(), "nothing was lost");
    assert_eq!((track.complete(), track.index.hindrance()), (vec![0, 1, 2], None));
}

#[test]
fn a_copy_put_in_its_place_goes_on() {
    let mut track = Track::of(0..4);
    fs::write(track.path("copy"), lines(0..6)).unwrap();
    fs::rename(track.path("copy"), track.path("v.jsonl")).unwrap();
    assert!(track.read().0.is_empty());
    assert_eq!(track.complete(), [0, 1, 2]);
}

#[test]
fn what_was_truncated_rewritten_or_replaced_is_lost() {
    let mut track = Track::of(0..4);
    fs::write(track.path("v.jsonl"), "").unwrap();
    assert!(matches!(track.read().lost()[..], [Lost::Truncated { found: 0, .. }]));

    let mut track = Track::of(0..4);
    fs::write(track.path("v.jsonl"), lines(1..9)).unwrap();
    assert_eq!(track.read().lost(), [Lost::Rewritten]);

    // another file at the path, and this one nowhere: a descriptor would still read it
    let mut track = Track::of(0..4);
    fs::write(track.path("other"), lines(4..8)).unwrap();
    fs::rename(track.path("other"), track.path("v.jsonl")).unwrap();
    assert_eq!(track.read().lost(), [Lost::NotFound]);
    assert_eq!(track.complete(), [3], "nothing up to the first epoch after it is voted on");
}

#[test]
fn a_checkpoint_is_taken_up() {
    let mut track = Track::of(0..4);
    let checkpoints = Checkpoints::at(track.dir.path().join("kept"));
    checkpoints.save(&track.index).unwrap();
    track.append(4..6);
    track.index = index(&track.dir);
    assert!(checkpoints.restore(&mut track.index, &mut ()).is_empty());
    assert!(track.read().0.is_empty());
    assert_eq!(track.complete(), [0, 1, 2]);
}
