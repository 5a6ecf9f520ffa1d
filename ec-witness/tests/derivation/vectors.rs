//! The shared vectors: archives with the lines that protocol §3 demands for them, computed by another program.

use std::{collections::BTreeMap, num::NonZeroU64, process::Command};

use ec_archive::{AtRest, FieldNames, StreamIndex};
use ec_observation::{EpochRule, StreamRule, TimeMode, Tracks};
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;

/// One of the files in `archives/vectors/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    about: String,
    /// Of the streams that say nothing else.
    #[allow(dead_code)]
    numbering: String,
    groups_per_epoch: NonZeroU64,
    tracks: Vec<String>,
    /// What `[[stream]]` tables say, by broadcast.
    #[serde(default)]
    streams: BTreeMap<String, Value>,
    /// What `[archive.fields]` says.
    #[serde(default)]
    fields: Value,
    /// Files as arrays of records.
    #[serde(default)]
    manifests: BTreeMap<String, Vec<Value>>,
    /// Files as text.
    #[serde(default)]
    raw: BTreeMap<String, String>,
    /// Offsets of the bad lines of the files in `raw`.
    #[serde(default)]
    quarantined: BTreeMap<String, Vec<u64>>,
    expected: Vec<Value>,
}

impl Vector {
    fn archive(&self) -> TestArchive {
        let text = |records: &Vec<Value>| records.iter().map(|record| format!("{record}\n")).collect();
        let arrays = self.manifests.iter().map(|(path, records)| (path, text(records)));
        TestArchive::new(arrays.chain(self.raw.iter().map(|(path, text)| (path, text.clone()))))
    }

    fn config(&self) -> String {
        let Self { groups_per_epoch, tracks, .. } = self;
        let mut config = json!({"archive": {"groups_per_epoch": groups_per_epoch, "tracks": tracks}, "stream": []});
        if !self.fields.is_null() {
            config["archive"]["fields"] = self.fields.clone();
        }
        for (broadcast, table) in &self.streams {
            let mut table = table.clone();
            table["broadcast"] = broadcast.clone().into();
            config["stream"].as_array_mut().unwrap().push(table);
        }
        toml::to_string(&config).unwrap()
    }

    fn rule(&self, broadcast: &str) -> StreamRule {
        let nothing = json!({});
        let table = self.streams.get(broadcast).unwrap_or(&nothing);
        let text = |key: &str| table[key].as_str().unwrap_or(broadcast).to_owned();
        let number = |key: &str| table[key].as_u64().and_then(NonZeroU64::new);
        let tracks = table["tracks"].as_array();
        let tracks = tracks.map(|tracks| tracks.iter().map(|track| track.as_str().unwrap().to_owned()).collect());
        StreamRule {
            stream_id: text("stream_id"),
            locator_broadcast: text("locator_broadcast"),
            epochs: EpochRule { groups_per_epoch: number("groups_per_epoch").unwrap_or(self.groups_per_epoch) },
            tracks: Tracks::new(tracks.unwrap_or_else(|| self.tracks.clone())).unwrap(),
            time: number("chunk_duration_ms")
                .map_or(TimeMode::Received, |chunk_duration_ms| TimeMode::Timeline { chunk_duration_ms }),
        }
    }

    fn names(&self) -> FieldNames {
        if self.fields.is_null() { FieldNames::default() } else { FieldNames::deserialize(&self.fields).unwrap() }
    }
}

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../archives/vectors")
}

fn vectors() -> Vec<(String, Vector)> {
    let files = fs::read_dir(directory()).unwrap().map(|entry| entry.unwrap().path());
    let files = files.filter(|path| path.extension() == Some("json".as_ref()));
    let read = |path: PathBuf| {
        let vector: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
        (path.file_name().unwrap().display().to_string(), vector)
    };
    let (skipped, known): (Vec<_>, Vec<_>) = files.map(read).partition(|(_, vector)| has_lanes(vector));
    if !skipped.is_empty() {
        eprintln!("SKIPPED: {} vectors with session numbering", skipped.len());
    }
    let parse = |(name, vector): (String, Value)| {
        let vector: Vector = serde_json::from_value(vector).unwrap();
        (format!("{name}: {}", vector.about), vector)
    };
    let found: Vec<_> = known.into_iter().map(parse).collect();
    assert!(found.len() > 20);
    found
}

/// Whether a stream of the vector has `session` numbering. Nothing is derived from such a one yet: besides what [`Vector`] knows
/// it has `archive`, `segments` and `error`, and `groups_per_epoch_of` in `streams`, and `tracks` may be absent.
fn has_lanes(vector: &Value) -> bool {
    let streams = vector["streams"].as_object().into_iter().flat_map(|streams| streams.values());
    streams.chain([vector]).any(|rules| rules["numbering"] == "session")
}

/// Offsets of the bad lines that `derive --json` told of, by path below `manifests/`.
fn quarantined(archive: &TestArchive, stderr: &str) -> BTreeMap<String, Vec<u64>> {
    let mut found: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for line in json_lines(stderr) {
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
        let derived = archive.derive(&["--json", "--config", &archive.config(&vector.config())]);
        assert_eq!(derived.lines(), vector.expected, "{name}");
        assert_eq!(quarantined(&archive, &derived.stderr), vector.quarantined, "{name}");
        assert_eq!(derived.code, 0, "{name}");
    }
}

#[test]
fn the_library_derives_every_vector() {
    for (name, vector) in vectors() {
        let (archive, names) = (vector.archive(), vector.names());
        for broadcast in archive.open().broadcasts().unwrap() {
            let rule = vector.rule(&broadcast.name);
            let expected = vector.expected.iter().filter(|line| line["stream_id"] == rule.stream_id.as_str());
            let expected: Vec<_> = expected.map(|line| line["observation_hash"].as_str()).collect();
            let index = StreamIndex::read(&archive.open(), &broadcast.name, rule, &names, &mut ()).unwrap();
            let found: Vec<_> = AtRest::new(&index).map(|epoch| epoch.unwrap().hash().map(|h| h.to_string())).collect();
            assert_eq!(found.iter().map(Option::as_deref).collect::<Vec<_>>(), expected, "{name}");
        }
    }
}

#[test]
fn the_vectors_are_as_their_generator_writes_them() {
    let made = Command::new("python3").arg(directory().join("make")).arg("--check").output();
    let made = made.expect("python3 checks the vectors");
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
}
