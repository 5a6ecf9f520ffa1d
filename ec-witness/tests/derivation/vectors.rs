//! The shared vectors: archives with the lines that protocol §3 demands for them, computed by another program.

use std::{collections::BTreeMap, num::NonZeroU64};

use ec_archive::{AtRest, FieldNames, StreamIndex};
use ec_observation::{EpochRule, Numbering, StreamRule, TimeMode, Tracks};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

/// One of the files in `archives/vectors/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    about: String,
    /// Of the streams that say nothing else.
    numbering: Numbering,
    groups_per_epoch: NonZeroU64,
    /// Where any are configured.
    tracks: Option<Vec<String>>,
    /// What `[[stream]]` tables say, by broadcast.
    #[serde(default)]
    streams: BTreeMap<String, Value>,
    /// What `[archive.fields]` says.
    #[serde(default)]
    fields: Value,
    /// A recorded archive, below `archives/`.
    archive: Option<String>,
    /// Files as arrays of records.
    #[serde(default)]
    manifests: BTreeMap<String, Vec<Value>>,
    /// Files as text.
    #[serde(default)]
    raw: BTreeMap<String, String>,
    /// Offsets of the bad lines of the files in `raw`.
    #[serde(default)]
    quarantined: BTreeMap<String, Vec<u64>>,
    /// Where the segments of lanes begin. Their epochs tell.
    #[serde(default)]
    #[allow(dead_code)]
    segments: Value,
    /// Why there are no lines.
    error: Option<String>,
    #[serde(default)]
    expected: Vec<Value>,
}

impl Vector {
    fn archive(&self) -> TestArchive {
        let text = |records: &Vec<Value>| records.iter().map(|record| format!("{record}\n")).collect();
        let arrays = self.manifests.iter().map(|(path, records)| (path.clone(), text(records)));
        let raw = self.raw.iter().map(|(path, text)| (path.clone(), text.clone()));
        TestArchive::new(arrays.chain(raw).chain(self.recorded()))
    }

    /// The index of the recorded archive.
    fn recorded(&self) -> Vec<(String, String)> {
        let Some(archive) = &self.archive else { return Vec::new() };
        let manifests = directory().join("..").join(archive).join("manifests");
        let files = walkdir::WalkDir::new(&manifests).into_iter().map(Result::unwrap);
        let file = |entry: walkdir::DirEntry| {
            let name = entry.path().strip_prefix(&manifests).unwrap().to_str().unwrap().to_owned();
            (name, fs::read_to_string(entry.path()).unwrap())
        };
        files.filter(|entry| entry.file_type().is_file()).map(file).collect()
    }

    fn config(&self) -> String {
        let Self { numbering, groups_per_epoch, tracks, .. } = self;
        let mut config =
            json!({"archive": {"numbering": numbering, "groups_per_epoch": groups_per_epoch}, "stream": []});
        if let Some(tracks) = tracks {
            config["archive"]["tracks"] = json!(tracks);
        }
        if !self.fields.is_null() {
            config["archive"]["fields"] = self.fields.clone();
        }
        for (broadcast, table) in &self.streams {
            let mut table = table.clone();
            table["broadcast"] = broadcast.clone().into();
            if let Some(of_tracks) = table.as_object_mut().unwrap().remove("groups_per_epoch_of") {
                table["track_groups_per_epoch"] = of_tracks;
            }
            config["stream"].as_array_mut().unwrap().push(table);
        }
        toml::to_string(&as_toml(&config)).unwrap()
    }

    /// The rules of a broadcast's streams, given the tracks that it has.
    fn rules(&self, broadcast: &str, found: Vec<String>) -> Vec<StreamRule> {
        let nothing = json!({});
        let table = self.streams.get(broadcast).unwrap_or(&nothing);
        let text = |key: &str| table[key].as_str().unwrap_or(broadcast).to_owned();
        let number = |value: &Value| value.as_u64().and_then(NonZeroU64::new);
        let tracks = table["tracks"].as_array();
        let tracks = tracks.map(|tracks| tracks.iter().map(|track| track.as_str().unwrap().to_owned()).collect());
        let tracks = tracks.or_else(|| self.tracks.clone());
        let groups_per_epoch = number(&table["groups_per_epoch"]).unwrap_or(self.groups_per_epoch);
        let numbering = table.get("numbering").map(|numbering| Numbering::deserialize(numbering).unwrap());
        if numbering.unwrap_or(self.numbering) == Numbering::Session {
            let media = || found.into_iter().filter(|track| track.ends_with(".m4s")).collect();
            let lane = |track: &String| {
                let of_track = number(&table["groups_per_epoch_of"][track]).unwrap_or(groups_per_epoch);
                StreamRule::lane(&text("stream_id"), &text("locator_broadcast"), track, of_track).unwrap()
            };
            return tracks.unwrap_or_else(media).iter().map(lane).collect();
        }
        vec![StreamRule {
            stream_id: text("stream_id"),
            locator_broadcast: text("locator_broadcast"),
            epochs: EpochRule::timeline(groups_per_epoch),
            tracks: Tracks::new(tracks.unwrap()).unwrap(),
            time: number(&table["chunk_duration_ms"])
                .map_or(TimeMode::Received, |chunk_duration_ms| TimeMode::Timeline { chunk_duration_ms }),
        }]
    }

    fn names(&self) -> FieldNames {
        if self.fields.is_null() { FieldNames::default() } else { FieldNames::deserialize(&self.fields).unwrap() }
    }
}

/// A value of JSON as one of TOML, whatever its numbers are kept as: another crate of the same build decides that.
fn as_toml(value: &Value) -> toml::Value {
    match value {
        Value::Number(number) => toml::Value::Integer(number.as_i64().unwrap()),
        Value::String(text) => toml::Value::String(text.clone()),
        Value::Array(values) => values.iter().map(as_toml).collect::<Vec<_>>().into(),
        Value::Object(fields) => {
            fields.iter().map(|(key, value)| (key.clone(), as_toml(value))).collect::<toml::Table>().into()
        }
        other => panic!("{other}"),
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../archives/vectors")
}

fn vectors() -> Vec<(String, Vector)> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension() == Some("json".as_ref()));
    let read = |path: PathBuf| {
        let name = path.file_name().unwrap().display().to_string();
        let vector: Vector =
            serde_json::from_slice(&fs::read(&path).unwrap()).unwrap_or_else(|e| panic!("{name}: {e}"));
        (format!("{name}: {}", vector.about), vector)
    };
    let found: Vec<_> = files.map(read).collect();
    let lanes = found.iter().filter(|(_, vector)| vector.numbering == Numbering::Session).count();
    assert!(lanes > 20 && found.len() - lanes > 20);
    found
}

/// Offsets of the bad lines that `derive --json` told of, by path below `manifests/`.
fn quarantined(archive: &TestArchive, stderr: &str) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    // whatever else is said is no object
    for line in stderr.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()) {
        let Value::Object(line) = &line["quarantined"] else { panic!("{line}") };
        assert!(!line["reason"].as_str().unwrap().is_empty());
        let path = Path::new(line["file"].as_str().unwrap()).strip_prefix(archive.manifests()).unwrap().to_owned();
        found.entry(path.to_str().unwrap().to_owned()).or_default().push(line["offset"].as_u64().unwrap());
    }
    found
}

#[test]
fn the_program_derives_every_vector() {
    for (name, vector) in vectors() {
        let archive = vector.archive();
        let config = archive.config(&vector.config());
        for jobs in ["1", "2", "3"] {
            let derived = archive.derive_as_said(&["--json", "--config", &config, "--jobs", jobs]);
            if vector.error.is_some() {
                assert_eq!(derived.code, 2, "{name}");
                assert!(derived.stderr.lines().last().unwrap().starts_with("error: "), "{name}: {derived:?}");
                continue;
            }
            assert_eq!(derived.lines(), vector.expected, "{name} on {jobs} threads: {}", derived.stderr);
            assert_eq!(quarantined(&archive, &derived.stderr), vector.quarantined, "{name}");
            assert_eq!(derived.code, 0, "{name}");
        }
    }
}

#[test]
fn the_library_derives_every_vector() {
    for (name, vector) in vectors().into_iter().filter(|(_, vector)| vector.error.is_none()) {
        let (archive, names) = (vector.archive(), vector.names());
        for broadcast in archive.open().broadcasts().unwrap() {
            for rule in vector.rules(&broadcast.name, broadcast.tracks().unwrap()) {
                let expected = vector.expected.iter().filter(|line| line["stream_id"] == rule.stream_id.as_str());
                let expected: Vec<_> = expected.map(|line| line["observation_hash"].as_str()).collect();
                let index = StreamIndex::read(&archive.open(), &broadcast.name, rule, &names, &mut ()).unwrap();
                let found: Vec<_> =
                    AtRest::new(&index).map(|epoch| epoch.unwrap().hash().map(|h| h.to_string())).collect();
                assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{name}");
            }
        }
    }
}
