//! A model of the tailer: files are written, torn, rotated, copied, truncated, edited and deleted in any order, read and
//! taken up again after restarts. After every reading, each epoch is either withheld or exactly what the files held that
//! were read and are still whole; of a lane, by the segments of all that was read. What stands at the path in the end is the
//! same at rest, on one thread and on three.
//!
//! `EC_TAILER_SEEDS` is the number of histories of either numbering, `EC_TAILER_SEED` replays one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::OpenOptions,
    io::Write,
    num::{NonZeroU64, NonZeroUsize},
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

use ec_archive::{
    ArchiveError, Checkpoints, Epochs, FieldNames, SegmentSpan, StreamIndex, Sweep, TrackEvent, Watch, line::LineRule,
};
use ec_observation::{EpochKey, EpochRecords, Numbering, StreamRule};
use rand::{RngExt, SeedableRng, rngs::StdRng, seq::IndexedRandom};

use super::{
    Derivable as _, TestArchive, fs,
    generations::{line, rule},
    plain::{Mark, Publisher, Said, at_rest, epochs, marks},
};

/// Histories that are tried where nothing else is asked for.
const SEEDS: u64 = 150;
const STEPS: usize = 40;
/// Rotated files that are kept.
const MAX_ROTATED: usize = 3;
/// Bytes by which a file is known again.
const KNOWN_LEN: usize = 256;

/// A file that was at the track's path when it was read.
#[derive(Clone, Debug)]
struct Seen {
    serial: u64,
    /// Which file it is.
    file: usize,
    /// The complete lines that were read of it.
    read: Vec<u8>,
}

/// What the reader has to know.
#[derive(Clone, Debug, Default)]
struct Known {
    rotated: Vec<Seen>,
    current: Option<Seen>,
    next_serial: u64,
    /// All lines that were ever read, in that order, each with the serial of its file. A lane is cut by all of them.
    heard: Vec<(u64, Said)>,
    /// Files that were lost, or let go, with what was read of them.
    gone: Vec<u64>,
    /// Whether any file was ever lost or let go.
    lossy: bool,
}

#[derive(Debug, Default)]
struct File {
    content: Vec<u8>,
    /// Its name now, if it has one.
    path: Option<PathBuf>,
    /// Its number in the file system, which may be one that another file had before.
    inode: u64,
}

struct World {
    rule: StreamRule,
    archive: TestArchive,
    index: StreamIndex,
    files: Vec<File>,
    known: Known,
    kept: Option<Known>,
    names: u32,
    /// The number of the timeline that comes next.
    next: u64,
    /// What writes a lane.
    publisher: Publisher,
}

struct Losses(Vec<TrackEvent>);

impl Watch for Losses {
    fn event(&mut self, event: TrackEvent) {
        if matches!(event, TrackEvent::Lost { .. }) {
            self.0.push(event);
        }
    }
}

fn complete_lines(content: &[u8]) -> &[u8] {
    &content[..content.iter().rposition(|&byte| byte == b'\n').map_or(0, |at| at + 1)]
}

/// Whether a file seems to go on where `read` ended.
fn seems_whole(content: &[u8], read: &[u8]) -> bool {
    let head = KNOWN_LEN.min(read.len());
    let tail = read.len() - head;
    content.len() >= read.len() && content[..head] == read[..head] && content[tail..read.len()] == read[tail..]
}

/// What complete lines say. How a line is judged is tested elsewhere.
fn judged(text: &[u8]) -> impl Iterator<Item = Said> + '_ {
    let rule = LineRule::new(FieldNames::default(), "x", "v");
    let lines = text.split(|&byte| byte == b'\n').filter(|line| !line.is_empty());
    lines.map(move |line| rule.record(line).map_err(|bad| bad.group_sequence))
}

/// The rule of the file as a lane.
fn lane() -> StreamRule {
    StreamRule::lane("x", "x", "v", NonZeroU64::new(3).unwrap()).unwrap()
}

/// What was read of each segment.
fn spans(marks: &[Mark]) -> Vec<SegmentSpan> {
    let mut spans: BTreeMap<u64, SegmentSpan> = BTreeMap::new();
    for Mark { epoch, record, .. } in marks {
        let Some(record) = record else { continue };
        let new = SegmentSpan::untimed(epoch.segment, epoch.index, epoch.index);
        let span = spans.entry(epoch.segment).or_insert(new);
        (span.lowest, span.highest) = (span.lowest.min(epoch.index), span.highest.max(epoch.index));
        if let Some(ms) = record.received_unix_ms {
            (span.first_ms, span.last_ms) = (span.first_ms.min(ms), span.last_ms.max(ms));
        }
    }
    spans.into_values().collect()
}

impl World {
    fn new(rule: StreamRule) -> Self {
        let archive = TestArchive::new([("x/other.jsonl", "")]);
        let index = StreamIndex::new(&archive.open().broadcast("x"), rule.clone(), &FieldNames::default());
        Self {
            rule,
            archive,
            index,
            files: Vec::new(),
            known: Known::default(),
            kept: None,
            names: 0,
            next: 0,
            publisher: Publisher::default(),
        }
    }

    fn path(&self) -> PathBuf {
        self.archive.manifests().join("x/v.jsonl")
    }

    fn here(&self) -> Option<usize> {
        let path = self.path();
        self.files.iter().position(|file| file.path.as_ref() == Some(&path))
    }

    fn checkpoints(&self) -> Checkpoints {
        Checkpoints::at(self.archive.manifests().with_file_name("kept"))
    }

    /// Writes at the end of a file that has a name.
    fn append(&mut self, file: usize, bytes: &[u8]) {
        let Some(path) = &self.files[file].path else { return };
        OpenOptions::new().append(true).open(path).unwrap().write_all(bytes).unwrap();
        self.files[file].content.extend(bytes);
    }

    /// A file at the track's path, there or made.
    fn writable(&mut self) -> usize {
        self.here().unwrap_or_else(|| self.create(Vec::new()))
    }

    /// Puts a new file in the track's place; the old one loses its name.
    fn create(&mut self, content: Vec<u8>) -> usize {
        let beside = self.archive.manifests().join("beside");
        fs::write(&beside, &content).unwrap();
        fs::rename(beside, self.path()).unwrap();
        if let Some(old) = self.here() {
            self.files[old].path = None;
        }
        let inode = self.path().metadata().unwrap().ino();
        self.files.push(File { content, path: Some(self.path()), inode });
        self.files.len() - 1
    }

    /// Writes another content into the same file.
    fn rewrite(&mut self, content: Vec<u8>) {
        let Some(file) = self.here() else { return };
        fs::write(self.path(), &content).unwrap();
        self.files[file].content = content;
    }

    /// A good line, and its number or one like it.
    fn good_line(&mut self, rng: &mut StdRng) -> (u64, String) {
        if self.rule.is_lane() {
            let text = self.publisher.line(rng) + "\n";
            return (self.publisher.sequence(), text);
        }
        let sequence = match rng.random_range(0..10) {
            0 => rng.random_range(0..self.next + 1),
            _ => {
                self.next += 1;
                self.next - 1
            }
        };
        (sequence, line(sequence, if rng.random_ratio(1, 24) { 2 } else { 1 }))
    }

    fn some_line(&mut self, rng: &mut StdRng) -> Vec<u8> {
        let (sequence, good) = self.good_line(rng);
        match rng.random_range(0..24) {
            1 => b"garbage\n".to_vec(),
            2 => format!("{{\"group_sequence\":{sequence}}}\n").into_bytes(),
            3 => [vec![b'x'; 70_000], b"\n".to_vec()].concat(),
            4 => b"\xff\0\n".to_vec(),
            5 => b"\n".to_vec(),
            _ => good.into_bytes(),
        }
    }

    fn step(&mut self, rng: &mut StdRng) {
        match rng.random_range(0..40) {
            0..18 => {
                let count = rng.random_range(1..if self.rule.is_lane() { 16 } else { 4 });
                let text: Vec<u8> = (0..count).flat_map(|_| self.some_line(rng)).collect();
                let file = self.writable();
                self.append(file, &text);
            }
            18..20 => {
                // a line in two pieces, with a reading in between
                let text = self.some_line(rng);
                let file = self.writable();
                let (now, later) = text.split_at(rng.random_range(0..=text.len()));
                self.append(file, now);
                self.read();
                self.append(file, later);
            }
            20..22 => {
                let torn = self.some_line(rng);
                let file = self.writable();
                self.append(file, &torn[..rng.random_range(0..torn.len())]);
            }
            22..25 => self.rename(),
            25 => {
                if let Some(file) = self.here() {
                    fs::remove_file(self.path()).unwrap();
                    self.files[file].path = None;
                }
            }
            26 => {
                // an old file is deleted, or its writer goes on
                let old: Vec<_> = (0..self.files.len()).filter(|&file| Some(file) != self.here()).collect();
                let Some(&old) = old.choose(rng) else { return };
                if let Some(path) = self.files[old].path.clone() {
                    if rng.random() {
                        fs::remove_file(path).unwrap();
                        self.files[old].path = None;
                    } else {
                        let text = self.some_line(rng);
                        self.append(old, &text);
                    }
                }
            }
            27 => self.rewrite(Vec::new()),
            28 => {
                let Some(file) = self.here() else { return };
                let len = rng.random_range(0..=self.files[file].content.len());
                let content = self.files[file].content[..len].to_vec();
                self.rewrite(content);
            }
            29 => {
                let Some(file) = self.here() else { return };
                let mut content = self.files[file].content.clone();
                if !content.is_empty() {
                    let at = rng.random_range(0..content.len());
                    content[at] ^= 1;
                    self.rewrite(content);
                }
            }
            30 => {
                // a copy that goes on, as rsync puts it
                let Some(file) = self.here() else { return };
                let mut copy = self.files[file].content.clone();
                copy.extend(self.some_line(rng));
                self.create(copy);
            }
            31 => {
                let text = self.some_line(rng);
                self.create(text);
            }
            32 => {
                self.checkpoints().save(&self.index).unwrap();
                self.kept = Some(self.known.clone());
            }
            33 => self.restart(rng.random()),
            _ => self.read(),
        }
    }

    fn rename(&mut self) {
        let Some(file) = self.here() else { return };
        self.names += 1;
        let to = self.archive.manifests().join(format!("x/v.jsonl.{}", self.names));
        fs::rename(self.path(), &to).unwrap();
        self.files[file].path = Some(to);
    }

    fn restart(&mut self, checkpoint: bool) {
        self.index = StreamIndex::new(&self.archive.open().broadcast("x"), self.rule.clone(), &FieldNames::default());
        self.known = Known::default();
        if let Some(kept) = self.kept.clone().filter(|_| checkpoint) {
            let errors = self.checkpoints().restore(&mut self.index, &mut ());
            assert!(errors.is_empty(), "{errors:?}");
            self.take_up(kept);
        }
        self.read();
    }

    /// What a checkpoint's files are now.
    fn take_up(&mut self, kept: Known) {
        let Known { rotated, current, next_serial, heard, gone, lossy } = kept;
        self.known = Known { next_serial, heard, gone, lossy, ..Known::default() };
        let here = self.here();
        for (seen, is_current) in rotated.into_iter().map(|seen| (seen, false)).chain(current.map(|seen| (seen, true)))
        {
            let inode = self.files[seen.file].inode;
            let named = (0..self.files.len()).filter(|&file| {
                let File { path, inode: found, .. } = &self.files[file];
                path.is_some() && *found == inode
            });
            let candidates = here.filter(|_| is_current).into_iter().chain(named);
            let found = candidates.into_iter().find(|&file| seems_whole(&self.files[file].content, &seen.read));
            match found {
                Some(file) if is_current => self.known.current = Some(Seen { file, ..seen }),
                Some(file) => self.known.rotated.push(Seen { file, ..seen }),
                None => self.known.lose(&seen),
            }
        }
    }

    /// What the reader must know after reading.
    fn expect(&mut self) {
        let (here, files, known) = (self.here(), &self.files, &mut self.known);
        let rotated = std::mem::take(&mut known.rotated);
        for mut seen in rotated {
            if seems_whole(&files[seen.file].content, &seen.read) {
                seen.read_on(files, &mut known.heard);
                known.rotated.push(seen);
            } else {
                known.lose(&seen);
            }
        }
        if let Some(mut seen) = known.current.take() {
            if seems_whole(&files[seen.file].content, &seen.read) {
                seen.read_on(files, &mut known.heard);
                known.current = Some(seen);
            } else {
                known.lose(&seen);
            }
        }
        let Some(here) = here.filter(|&here| known.current.as_ref().is_none_or(|seen| seen.file != here)) else {
            return;
        };
        match known.current.take() {
            Some(mut seen) if !seen.read.is_empty() && seems_whole(&files[here].content, &seen.read) => {
                seen.file = here;
                seen.read_on(files, &mut known.heard);
                known.current = Some(seen);
            }
            before => {
                known.rotated.extend(before);
                if known.rotated.len() > MAX_ROTATED {
                    let oldest = known.rotated.remove(0);
                    known.lose(&oldest);
                }
                let mut seen = Seen { serial: known.next_serial, file: here, read: Vec::new() };
                seen.read_on(files, &mut known.heard);
                known.next_serial += 1;
                known.current = Some(seen);
            }
        }
    }

    fn read(&mut self) {
        loop {
            self.index.read_on(&mut ()).unwrap();
            self.expect();
            let swept: Result<Vec<_>, _> = Sweep::all(&self.index).collect();
            match swept {
                Ok(swept) => {
                    let may_be = |key| self.index.may_be_complete(key);
                    assert!(swept.iter().all(|epoch| !epoch.derived.complete || may_be(epoch.derived.key)));
                    let found = swept.into_iter().map(|epoch| (epoch.derived.key, epoch.records)).collect();
                    return self.check(&found);
                }
                Err(ArchiveError::Changed { path, generation, .. }) => {
                    let mut losses = Losses(Vec::new());
                    self.index.lose(&path, generation, &mut losses);
                    assert_eq!(losses.0.len(), 1);
                    self.lose_changed(generation);
                }
                Err(error) => panic!("{error}"),
            }
        }
    }

    fn lose_changed(&mut self, serial: u64) {
        let known = &mut self.known;
        let seen = match known.current.take_if(|seen| seen.serial == serial) {
            Some(seen) => seen,
            None => {
                let at = known.rotated.iter().position(|seen| seen.serial == serial).unwrap();
                known.rotated.remove(at)
            }
        };
        assert!(!self.files[seen.file].content.starts_with(&seen.read), "a file that is whole was given up");
        known.lose(&seen);
    }

    fn check(&self, found: &BTreeMap<EpochKey, EpochRecords>) {
        let known = &self.known;
        let marks = marks(&self.rule, &known.heard);
        let is_kept = |mark: &&Mark| known.rotated.iter().chain(&known.current).any(|seen| seen.serial == mark.file);
        let expected = epochs(marks.iter().filter(is_kept));
        let lost = marks.iter().filter(|mark| known.gone.contains(&mark.file));
        let lost: BTreeSet<EpochKey> = lost.map(|mark| mark.epoch).collect();
        if self.rule.is_lane() {
            assert_eq!(self.index.segments(), spans(&marks));
        }
        let good = marks.iter().filter(is_kept).filter(|mark| mark.record.is_some());
        assert_eq!(self.index.highest_epoch(), good.map(|mark| mark.epoch).max());
        let last = marks.iter().map(|mark| mark.epoch.segment).max().unwrap_or_default();
        let near = |segment| (0..=self.next / 2 + 1).map(move |index| EpochKey { segment, index });
        let mut keys: BTreeSet<EpochKey> = (0..=last).flat_map(near).collect();
        keys.extend(found.keys().chain(expected.keys()).chain(&lost));
        for key in keys {
            if self.index.withholds(key) {
                assert!(known.lossy, "epoch {key:?} is withheld and nothing was ever lost");
                continue;
            }
            assert!(!lost.contains(&key), "epoch {key:?} rested on a lost file");
            let derive = |records: Option<&EpochRecords>| {
                records.filter(|records| !records.is_empty()).map(|records| self.rule.derive(key, records))
            };
            assert_eq!(derive(found.get(&key)), derive(expected.get(&key)), "epoch {key:?}");
        }
    }

    /// Reads what stands at the path anew, at rest.
    fn check_at_rest(&self) {
        let here = self.here().map_or(&[][..], |here| complete_lines(&self.files[here].content));
        let lines: Vec<_> = judged(here).map(|said| (0, said)).collect();
        let expected = at_rest(&self.rule, &lines);
        for jobs in [1, 3] {
            let (broadcast, jobs) = (self.archive.open().broadcast("x"), NonZeroUsize::new(jobs).unwrap());
            let (rule, names) = (self.rule.clone(), FieldNames::default());
            let mut epochs = Epochs::read(&broadcast, rule, &names, jobs, &mut ()).unwrap();
            let mut found = Vec::new();
            let ended = epochs
                .closed()
                .unwrap()
                .try_for_each(|epoch| epoch.map(|epoch| found.push((epoch.named.derived, epoch.named.name.mark))));
            assert_eq!((found, ended.is_err()), expected, "{jobs} threads");
        }
    }
}

impl Seen {
    fn read_on(&mut self, files: &[File], heard: &mut Vec<(u64, Said)>) {
        let complete = complete_lines(&files[self.file].content);
        if let Some(new) = complete.get(self.read.len()..) {
            heard.extend(judged(new).map(|said| (self.serial, said)));
            self.read.extend(new);
        }
    }
}

impl Known {
    fn lose(&mut self, seen: &Seen) {
        if !seen.read.is_empty() {
            self.lossy = true;
            self.gone.push(seen.serial);
        }
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

/// Histories of an archive with this numbering.
fn try_histories(numbering: Numbering) {
    let seeds = match variable("EC_TAILER_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("EC_TAILER_SEEDS").unwrap_or(SEEDS),
    };
    let (mut withheld, mut lossy, mut segments, count) = (0, 0, 0, seeds.end - seeds.start);
    for seed in seeds {
        println!("EC_TAILER_SEED={seed}");
        let mut rng = StdRng::seed_from_u64(seed);
        let mut world = World::new(if numbering == Numbering::Session { lane() } else { rule() });
        (0..STEPS).for_each(|_| world.step(&mut rng));
        world.read();
        world.check_at_rest();
        lossy += usize::from(world.known.lossy);
        withheld += world.index.withheld_epochs();
        segments += world.index.segments().len();
    }
    println!("{count} histories, {lossy} with a loss, {withheld} epochs withheld, {segments} segments");
}

#[test]
fn every_history_of_files_gives_what_they_held_or_nothing() {
    try_histories(Numbering::Timeline);
}

#[test]
fn every_history_of_a_lane_gives_the_segments_of_what_was_read() {
    try_histories(Numbering::Session);
}
