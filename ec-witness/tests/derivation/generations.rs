//! What may befall a track's file: rotation, truncation, deletion, edits, a restart with and without a checkpoint.

use std::{fs::OpenOptions, io::Write, num::NonZeroU64, path::PathBuf};

use ec_archive::{
    ArchiveError, AtRest, CheckpointError, Checkpoints, FieldNames, Lost, StreamIndex, TrackEvent, Watch,
};
use ec_observation::{EpochKey, EpochRule, StreamRule, Tracks};

use super::*;

pub(super) fn rule() -> StreamRule {
    StreamRule {
        tracks: Tracks::new(["v"]).unwrap(),
        epochs: EpochRule::timeline(NonZeroU64::new(2).unwrap()),
        ..StreamRule::new("x")
    }
}

pub(super) fn line(sequence: u64, content: u8) -> String {
    let hash = format!("{content:02x}").repeat(32);
    format!("{{\"group_sequence\":{sequence},\"received_unix_ms\":9,\"size_bytes\":1,\"blake3\":\"{hash}\"}}\n")
}

fn lines(sequences: std::ops::Range<u64>) -> String {
    sequences.map(|sequence| line(sequence, 1)).collect()
}

/// Keeps what it hears.
#[derive(Default)]
pub(super) struct Heard {
    pub(super) events: Vec<TrackEvent>,
    pub(super) bytes: u64,
}

impl Watch for Heard {
    fn read(&mut self, bytes: u64) {
        self.bytes += bytes;
    }

    fn event(&mut self, event: TrackEvent) {
        self.events.push(event);
    }
}

impl Heard {
    fn lost(&self) -> Vec<Lost> {
        let lost = |event: &TrackEvent| match event {
            TrackEvent::Lost { lost, .. } => Some(*lost),
            TrackEvent::Rotated { .. } => None,
        };
        self.events.iter().filter_map(lost).collect()
    }
}

/// One track's file and its index.
struct Track {
    archive: TestArchive,
    index: StreamIndex,
}

impl Track {
    fn of(text: &str) -> Self {
        let archive = TestArchive::new([("x/v.jsonl", text)]);
        let index = new_index(&archive);
        let mut track = Self { archive, index };
        track.read();
        track
    }

    fn path(&self) -> PathBuf {
        self.archive.manifests().join("x/v.jsonl")
    }

    fn append(&self, text: &str) {
        OpenOptions::new().append(true).create(true).open(self.path()).unwrap().write_all(text.as_bytes()).unwrap();
    }

    fn rename(&self, to: &str) -> PathBuf {
        let to = self.archive.manifests().join(to);
        fs::rename(self.path(), &to).unwrap();
        to
    }

    fn read(&mut self) -> Heard {
        let mut heard = Heard::default();
        self.index.read_on(&mut heard).unwrap();
        heard
    }

    /// The epochs that are complete and not withheld.
    fn complete(&self) -> Vec<u64> {
        let epochs = AtRest::new(&self.index).map(|epoch| epoch.unwrap().named.derived);
        let complete =
            epochs.filter(|epoch| epoch.complete && !self.index.withholds(EpochKey::timeline(epoch.key.index)));
        complete.map(|epoch| epoch.key.index).collect()
    }

    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::at(self.archive.manifests().with_file_name("kept"))
    }

    /// A new process that takes up the checkpoint.
    fn restart(&mut self) -> (Heard, Vec<CheckpointError>) {
        let mut heard = Heard::default();
        self.index = new_index(&self.archive);
        let errors = self.checkpoints().restore(&mut self.index, &mut heard);
        self.index.read_on(&mut heard).unwrap();
        (heard, errors)
    }
}

fn new_index(archive: &TestArchive) -> StreamIndex {
    StreamIndex::new(&archive.open().broadcast("x"), rule(), &FieldNames::default())
}

#[test]
fn a_rotated_file_is_finished_first_and_stays_readable() {
    let mut track = Track::of(&lines(0..3));
    track.append(&line(3, 1));
    track.append("{\"torn");
    track.rename("x/v.jsonl.1");
    assert!(track.read().events.is_empty(), "no new file yet");
    assert!(track.index.hindrance().unwrap().contains("the file is gone"));
    track.append(&lines(4..7));
    let heard = track.read();
    assert!(matches!(heard.events[..], [TrackEvent::Rotated { torn_bytes: 6, .. }]), "{:?}", heard.events);
    assert_eq!((track.index.hindrance(), track.complete()), (None, vec![0, 1, 2]));
    track.append(&line(7, 1));
    track.read();
    assert_eq!(track.complete(), [0, 1, 2, 3]);
}

#[test]
fn an_epoch_may_be_spread_over_a_rotation_and_its_writer_may_be_late() {
    let mut track = Track::of(&lines(0..2));
    let old = track.rename("x/v.jsonl.1");
    track.append(&line(3, 1));
    track.read();
    assert_eq!(track.complete(), [0]);
    let mut writer = OpenOptions::new().append(true).open(old).unwrap();
    writer.write_all(line(2, 1).as_bytes()).unwrap();
    track.read();
    assert_eq!(track.complete(), [0, 1], "written to the old file after the new one began");
}

#[test]
fn a_file_that_is_deleted_stays_readable_and_what_follows_is_a_rotation() {
    let mut track = Track::of(&lines(0..4));
    fs::remove_file(track.path()).unwrap();
    track.read();
    assert_eq!(track.complete(), [0, 1]);
    assert!(track.index.hindrance().is_some());
    track.append(&lines(4..6));
    assert!(matches!(track.read().events[..], [TrackEvent::Rotated { .. }]));
    assert_eq!((track.complete(), track.index.hindrance()), (vec![0, 1, 2], None));
}

#[test]
fn a_copy_put_in_its_place_goes_on_without_being_read_again() {
    let mut track = Track::of(&lines(0..200));
    let copy = track.archive.manifests().join("copy");
    fs::write(&copy, lines(0..203)).unwrap();
    fs::rename(copy, track.path()).unwrap();
    let heard = track.read();
    assert_eq!((heard.events.len(), heard.bytes), (0, lines(200..203).len() as u64));
    assert_eq!(track.complete().len(), 101);
}

#[test]
fn of_a_truncated_file_every_epoch_is_withheld_up_to_the_first_one_after() {
    let mut track = Track::of(&lines(0..6));
    // copytruncate, and 6 and 7 were written before it and never read
    fs::copy(track.path(), track.path().with_extension("jsonl.1")).unwrap();
    fs::write(track.path(), "").unwrap();
    assert!(matches!(track.read().lost()[..], [Lost::Truncated { found: 0, .. }]));
    assert!(track.index.hindrance().unwrap().contains("lost"), "nothing is derived before a record comes");
    assert!(track.index.withholds(EpochKey::timeline(u64::MAX)));
    track.append(&lines(9..14));
    track.read();
    assert_eq!((track.complete(), track.index.hindrance()), (vec![5, 6], None));
    assert!((0..=4).all(|epoch| track.index.withholds(EpochKey::timeline(epoch))));
}

#[test]
fn of_a_rewritten_file_nothing_that_was_read_before_counts() {
    let text = lines(0..6);
    // the last one is a digit of a hash, so that the line stays a record
    for changed in [0, text.len() - 5] {
        let mut track = Track::of(&text);
        let mut other = text.clone().into_bytes();
        other[changed] ^= 1;
        fs::write(track.path(), &other).unwrap();
        track.append(&lines(6..10));
        assert_eq!(track.read().lost(), [Lost::Rewritten], "byte {changed}");
        assert_eq!(track.complete(), [3, 4], "byte {changed}");
    }
}

#[test]
fn an_edit_in_the_middle_is_noticed_before_anything_is_derived_from_it() {
    let text = lines(0..60);
    for changed in (300..text.len() - 300).step_by(7) {
        let mut track = Track::of(&text);
        let mut other = text.clone().into_bytes();
        other[changed] ^= 1;
        fs::write(track.path(), other).unwrap();
        assert_eq!(track.read().events, [], "its beginning and end are as they were");
        let found = AtRest::new(&track.index).next().unwrap().unwrap_err();
        let ec_archive::DeriveError::Archive(ArchiveError::Changed { path, generation, .. }) = found else {
            panic!("byte {changed}: {found}")
        };
        let mut heard = Heard::default();
        track.index.lose(&path, generation, &mut heard);
        assert_eq!(heard.lost(), [Lost::Rewritten]);
        track.append(&lines(60..64));
        track.read();
        assert_eq!(track.complete(), [30, 31], "byte {changed}");
    }
}

#[test]
fn no_more_than_a_few_rotated_files_are_held() {
    let mut track = Track::of(&lines(0..2));
    let descriptors =
        || fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    for round in 1..20 {
        track.rename(&format!("x/v.jsonl.{round}"));
        track.append(&lines(2 * round..2 * round + 2));
        track.read();
    }
    let held = descriptors().filter(|path| path.starts_with(track.archive.manifests())).count();
    assert_eq!(held, 4);
    assert_eq!(track.complete(), [16, 17, 18, 19]);
    assert!(track.index.withholds(EpochKey::timeline(15)) && !track.index.withholds(EpochKey::timeline(16)));
}

#[test]
fn a_restart_reads_only_what_is_new() {
    let mut track = Track::of(&lines(0..500));
    let text = fs::read(track.path()).unwrap();
    track.checkpoints().save(&track.index).unwrap();
    track.append(&lines(500..502));
    let (heard, errors) = track.restart();
    assert!(errors.is_empty() && heard.events.is_empty());
    assert_eq!(heard.bytes, lines(500..502).len() as u64);
    assert_eq!(track.complete(), (0..251).collect::<Vec<_>>());
    // the same in a copy of the archive, where device and inode differ
    fs::remove_file(track.path()).unwrap();
    fs::write(track.path(), [&text[..], lines(500..504).as_bytes()].concat()).unwrap();
    let (heard, _) = track.restart();
    assert_eq!((heard.events.len(), heard.bytes), (0, lines(500..504).len() as u64));
    assert_eq!(track.complete(), (0..252).collect::<Vec<_>>());
}

#[test]
fn a_checkpoint_finds_rotated_files_again_and_withholds_those_that_are_gone() {
    for gone in [false, true] {
        let mut track = Track::of(&lines(0..3));
        let old = track.rename("x/v.jsonl.1");
        track.append(&lines(3..6));
        track.read();
        track.checkpoints().save(&track.index).unwrap();
        track.rename("x/v.jsonl.2");
        track.append(&lines(6..10));
        if gone {
            fs::remove_file(old).unwrap();
        }
        let (heard, _) = track.restart();
        assert_eq!(heard.lost(), if gone { vec![Lost::NotFound] } else { vec![] });
        assert_eq!(track.complete(), if gone { vec![2, 3, 4] } else { vec![0, 1, 2, 3, 4] });
    }
}

#[test]
fn what_changed_while_nobody_looked_is_withheld_after_the_restart() {
    for (text, lost) in
        [("", Lost::Truncated { expected: lines(0..6).len() as u64, found: 0 }), (&lines(7..20), Lost::Rewritten)]
    {
        let mut track = Track::of(&lines(0..6));
        track.checkpoints().save(&track.index).unwrap();
        fs::write(track.path(), text).unwrap();
        let (heard, _) = track.restart();
        assert_eq!(heard.lost(), [Lost::NotFound], "{lost:?}");
        assert!(track.index.withholds(EpochKey::timeline(2)));
        assert!(!text.is_empty() || track.index.withholds(EpochKey::timeline(u64::MAX)));
        track.append(&lines(20..22));
        track.read();
        assert_eq!(track.complete().last(), (!text.is_empty()).then_some(&10));
        assert_eq!(track.index.withholds(EpochKey::timeline(10)), text.is_empty());
    }
}

#[test]
fn a_damaged_or_foreign_checkpoint_is_left_aside() {
    let mut track = Track::of(&lines(0..30));
    track.checkpoints().save(&track.index).unwrap();
    let kept = fs::read_dir(track.archive.manifests().with_file_name("kept")).unwrap();
    let kept: Vec<_> = kept.map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 1);
    let text = fs::read(&kept[0]).unwrap();
    let whole = track.complete();
    for at in 0..text.len() {
        for damaged in [[&text[..at], &[text[at] ^ 1], &text[at + 1..]].concat(), text[..at].to_vec()] {
            fs::write(&kept[0], damaged).unwrap();
            let (heard, errors) = track.restart();
            assert!(matches!(errors[..], [CheckpointError::Damaged { .. }]), "byte {at}: {errors:?}");
            assert_eq!((heard.bytes, heard.events.len()), (lines(0..30).len() as u64, 0), "byte {at}");
        }
    }
    assert_eq!(track.complete(), whole);
    fs::write(&kept[0], text).unwrap();
    let rule = StreamRule { epochs: EpochRule::timeline(NonZeroU64::MIN), ..rule() };
    let names = FieldNames { blake3: vec!["b3".into()], ..FieldNames::default() };
    for (rule, names) in [(rule, FieldNames::default()), (self::rule(), names)] {
        let mut other = StreamIndex::new(&track.archive.open().broadcast("x"), rule, &names);
        let errors = track.checkpoints().restore(&mut other, &mut ());
        assert!(matches!(errors[..], [CheckpointError::OtherRules { .. }]), "{errors:?}");
        assert_eq!(other.bytes_read(), 0);
    }
}
