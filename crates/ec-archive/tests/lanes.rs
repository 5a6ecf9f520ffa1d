//! The shared vectors with lanes: what is read of them, at rest and in pieces, is what another program computed.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    num::{NonZeroU64, NonZeroUsize},
    path::{Path, PathBuf},
};

use ec_archive::{Archive, AtRest, Checkpoints, DeriveError, Epochs, FieldNames, LinkedEpoch, StreamIndex, Sweep};
use ec_observation::{EpochKey, StreamRule};
use serde_json::{Value, json};

/// Bytes of a file that are read before what was read is kept, and taken up again by another index.
const PIECE: u64 = 700;

/// A vector's archive, on the disk.
struct Vector {
    name: String,
    value: Value,
    /// Holds what was written.
    _dir: tempfile::TempDir,
    archive: Archive,
}

impl Vector {
    fn new(file: &Path, value: Value) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let archive = match value["archive"].as_str() {
            Some(recorded) => Archive::at(&file.parent().unwrap().join("..").join(recorded)),
            None => Archive::at(dir.path()),
        };
        let manifests = value["manifests"].as_object().into_iter().flatten().map(|(path, lines)| {
            let lines = lines.as_array().unwrap().iter().map(|line| format!("{line}\n"));
            (path, lines.collect())
        });
        let raw = value["raw"].as_object().into_iter().flatten();
        let raw = raw.map(|(path, text)| (path, text.as_str().unwrap().to_owned()));
        for (path, text) in manifests.chain(raw) {
            let text: String = text;
            let path = archive.manifests.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self { name: file.file_stem().unwrap().to_string_lossy().into_owned(), value, _dir: dir, archive }
    }

    /// The broadcasts' lanes.
    fn lanes(&self) -> Vec<(String, StreamRule)> {
        let mut lanes = Vec::new();
        for file in self.value["segments"].as_object().into_iter().flatten().map(|(file, _)| file).chain(self.files()) {
            let (broadcast, track) = file.strip_suffix(".jsonl").unwrap().rsplit_once('/').unwrap();
            let stream = &self.value["streams"][broadcast];
            let word = |key: &str| stream[key].as_str().unwrap_or(broadcast);
            let tracks = [&stream["tracks"], &self.value["tracks"]].into_iter().find_map(Value::as_array);
            let is_observed = tracks.map_or(track.ends_with(".m4s"), |tracks| tracks.contains(&json!(track)));
            let numbers =
                [&stream["groups_per_epoch_of"][track], &stream["groups_per_epoch"], &self.value["groups_per_epoch"]];
            let groups_per_epoch = numbers.into_iter().find_map(Value::as_u64).and_then(NonZeroU64::new).unwrap();
            if is_observed && stream["numbering"] != "timeline" {
                let rule =
                    StreamRule::lane(word("stream_id"), word("locator_broadcast"), track, groups_per_epoch).unwrap();
                lanes.push((broadcast.to_owned(), rule));
            }
        }
        lanes.sort_by(|a, b| a.1.stream_id.cmp(&b.1.stream_id));
        lanes.dedup();
        lanes
    }

    /// The files of a vector that tells no segments, as it ends with an error.
    fn files(&self) -> impl Iterator<Item = &String> {
        let files = [&self.value["manifests"], &self.value["raw"]].into_iter().filter_map(Value::as_object);
        files.flatten().map(|(file, _)| file).filter(|_| self.value["segments"].is_null())
    }

    /// The expected lines of a lane.
    fn expected(&self, rule: &StreamRule) -> Vec<Value> {
        let lines = self.value["expected"].as_array().into_iter().flatten();
        lines.filter(|line| line["stream_id"] == rule.stream_id && !line["session"].is_null()).cloned().collect()
    }

    /// All lanes' lines, or the first error, by one way of reading.
    fn check(&self, read: impl Fn(&str, &StreamRule) -> Result<Vec<Value>, DeriveError>) -> usize {
        let mut errors = Vec::new();
        let mut lines = 0;
        for (broadcast, rule) in self.lanes() {
            match read(&broadcast, &rule) {
                Ok(found) => {
                    lines += found.len();
                    assert!(
                        found == self.expected(&rule) || self.value["error"].is_string(),
                        "{} {}: {found:#?}",
                        self.name,
                        rule.stream_id
                    );
                }
                Err(error) => errors.push(error.to_string()),
            }
        }
        assert_eq!(errors.is_empty(), self.value["error"].is_null(), "{}: {errors:?}", self.name);
        lines
    }
}

fn vectors() -> Vec<Vector> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../archives/vectors");
    let mut files: Vec<PathBuf> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|is| is == "json"));
    files.sort();
    let read = |file: PathBuf| (serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap(), file);
    let vectors = files.into_iter().map(read).filter(|(value, _): &(Value, _)| value["numbering"] == "session");
    vectors.map(|(value, file)| Vector::new(&file, value)).collect()
}

fn line(rule: &StreamRule, LinkedEpoch { named, header, hash }: &LinkedEpoch) -> Value {
    json!({
        "stream_id": rule.stream_id,
        "epoch_id": rule.epochs.id(named.name),
        "session": {"mark": named.name.mark, "index": named.name.index, "segment": named.derived.key.segment},
        "slot": named.slot,
        "complete": named.derived.complete,
        "conflicting": named.derived.is_conflicting(),
        "leaf_count": header.map(|_| named.derived.leaf_count),
        "observation_hash": hash,
        "header": header,
    })
}

#[test]
fn lanes_at_rest_are_those_of_another_program() {
    for jobs in [1, 3] {
        let vectors = vectors();
        let lines = vectors.iter().map(|vector| {
            vector.check(|broadcast, rule| {
                let (broadcast, jobs) = (vector.archive.broadcast(broadcast), NonZeroUsize::new(jobs).unwrap());
                let mut epochs = Epochs::read(&broadcast, rule.clone(), &FieldNames::default(), jobs, &mut ())?;
                epochs.closed()?.map(|closed| Ok(line(rule, &closed?))).collect()
            })
        });
        assert!(lines.sum::<usize>() > 300);
    }
}

#[test]
fn lanes_that_are_read_in_pieces_are_the_same() {
    for vector in vectors() {
        vector.check(|broadcast, rule| {
            let kept = tempfile::tempdir().unwrap();
            let (checkpoints, names) = (Checkpoints::at(kept.path()), FieldNames::default());
            let broadcast = vector.archive.broadcast(broadcast);
            let mut index = StreamIndex::new(&broadcast, rule.clone(), &names);
            while !index.read_some(PIECE, &mut ())? {
                checkpoints.save(&index).unwrap();
                index = StreamIndex::new(&broadcast, rule.clone(), &names);
                assert!(checkpoints.restore(&mut index, &mut ()).is_empty());
            }
            let observations = AtRest::new(&index).map(|observation| {
                let observation = observation?;
                let hash = observation.hash();
                Ok(line(rule, &LinkedEpoch { named: observation.named, header: observation.header, hash }))
            });
            observations.collect()
        });
    }
}

#[test]
fn what_cannot_be_complete_is_known_without_reading_it() {
    let (mut complete, mut growing) = (0, 0);
    for vector in vectors() {
        for (broadcast, rule) in vector.lanes() {
            let mut index = StreamIndex::new(&vector.archive.broadcast(&broadcast), rule, &FieldNames::default());
            loop {
                let is_read = index.read_some(16 * PIECE, &mut ()).unwrap();
                let highest = index.highest_epoch();
                for swept in highest.into_iter().flat_map(|highest| Sweep::new(&index, EpochKey::MIN..=highest)) {
                    let derived = swept.unwrap().derived;
                    assert!(!derived.complete || index.may_be_complete(derived.key), "{}: {derived:?}", vector.name);
                    complete += usize::from(derived.complete);
                }
                growing += usize::from(highest.is_some_and(|highest| !index.may_be_complete(highest)));
                if is_read {
                    break;
                }
            }
        }
    }
    assert!(complete > 100 && growing > 100, "{complete} {growing}");
}

#[test]
fn segments_are_cut_where_another_program_cuts() {
    for vector in vectors() {
        let segments: BTreeMap<String, usize> = vector.value["segments"]
            .as_object()
            .into_iter()
            .flatten()
            .map(|(file, cuts)| (file.clone(), cuts.as_array().unwrap().len()))
            .collect();
        for (broadcast, rule) in vector.lanes() {
            let file = format!("{broadcast}/{}.jsonl", rule.tracks.names()[0]);
            let Some(expected) = segments.get(&file) else { continue };
            let index = StreamIndex::read(&vector.archive, &broadcast, rule, &FieldNames::default(), &mut ()).unwrap();
            assert_eq!(index.segments().len(), *expected, "{} {file}", vector.name);
        }
    }
}

/// A record's line: its number, when it came in seconds, and a digit of its hash.
fn record((sequence, s, content): (u64, u64, u8)) -> String {
    let (received, hash) = (s * 1000, format!("{content:064}"));
    format!(
        "{{\"group_sequence\":{sequence},\"received_unix_ms\":{received},\"size_bytes\":1,\"blake3\":\"{hash}\"}}\n"
    )
}

#[test]
fn a_late_line_of_a_rotated_file_cuts_the_lane_where_it_is_read() {
    let dir = tempfile::tempdir().unwrap();
    let (archive, rule) = (Archive::at(dir.path()), StreamRule::lane("x", "x", "v", NonZeroU64::MIN).unwrap());
    let [file, rotated] = ["x/v.jsonl", "x/v.jsonl.1"].map(|path| archive.manifests.join(path));
    let write = |path: &Path, text: String| {
        let mut written = fs::read_to_string(path).unwrap_or_default();
        written.push_str(&text);
        fs::write(path, written).unwrap();
    };
    fs::create_dir_all(archive.manifests.join("x")).unwrap();
    let mut index = StreamIndex::new(&archive.broadcast("x"), rule, &FieldNames::default());
    write(&file, [(0, 0, 1), (1, 2, 1), (2, 4, 1)].map(record).concat());
    index.read_on(&mut ()).unwrap();
    fs::rename(&file, &rotated).unwrap();
    // a bad line waits for the next good one of its file
    write(&file, [(3, 6, 1), (4, 8, 1)].map(record).concat() + "bad\n");
    index.read_on(&mut ()).unwrap();
    // with other bytes than before
    write(&rotated, record((2, 9, 2)));
    write(&file, [(5, 10, 1), (6, 12, 1)].map(record).concat());
    index.read_on(&mut ()).unwrap();
    let swept = Sweep::all(&index).map(|swept| swept.unwrap().derived);
    let found: Vec<_> = swept.map(|epoch| (epoch.key.segment, epoch.key.index, epoch.complete)).collect();
    let first = [(0, 0, true), (0, 1, true), (0, 2, true), (0, 3, true), (0, 4, false)];
    assert_eq!(found, [&first[..], &[(1, 2, true), (1, 5, false), (1, 6, true)]].concat());
}
