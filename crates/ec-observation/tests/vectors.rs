//! The shared vectors whose records need no reading of lines: what is derived from them is what another program computed.

#![allow(clippy::unwrap_used)]

use std::{collections::BTreeMap, fs, num::NonZeroU64, path::Path};

use ec_observation::{
    EpochKey, EpochRecords, EpochRule, NamedEpoch, ObservationHash, Proof, Record, StreamRule, Tracks,
    segments::{Cut, Cutter},
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

/// A file in `archives/vectors/`; those with other keys are about the lines of an index, or about configuration.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    #[allow(dead_code)]
    about: String,
    #[allow(dead_code)]
    numbering: String,
    groups_per_epoch: NonZeroU64,
    tracks: Vec<String>,
    manifests: BTreeMap<String, Vec<VectorRecord>>,
    expected: Vec<Value>,
}

/// A vector of lanes: each file of an index is one.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LaneVector {
    about: String,
    #[allow(dead_code)]
    numbering: String,
    groups_per_epoch: NonZeroU64,
    manifests: BTreeMap<String, Vec<VectorRecord>>,
    segments: BTreeMap<String, Vec<usize>>,
    expected: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct VectorRecord {
    group_sequence: u64,
    received_unix_ms: Option<u64>,
    size_bytes: u64,
    #[serde(with = "alloy_primitives::hex::serde::no_prefix")]
    blake3: [u8; 32],
}

impl VectorRecord {
    fn record(&self) -> Record {
        let &Self { group_sequence, received_unix_ms, size_bytes, blake3 } = self;
        Record { group_sequence, blake3, size_bytes, received_unix_ms }
    }
}

impl LaneVector {
    /// The lane of an index file.
    fn rule(&self, file: &str) -> StreamRule {
        let (broadcast, track) = file.strip_suffix(".jsonl").unwrap().rsplit_once('/').unwrap();
        StreamRule::lane(broadcast, broadcast, track, self.groups_per_epoch).unwrap()
    }

    /// The epochs of each segment of a lane, and with which record each segment begins.
    fn cut(&self, file: &str) -> (BTreeMap<EpochKey, EpochRecords>, Vec<usize>) {
        let (rule, mut cutter) = (self.rule(file), Cutter::default());
        let (mut epochs, mut begins) = (BTreeMap::<EpochKey, EpochRecords>::new(), Vec::new());
        for (at, record) in self.manifests[file].iter().map(VectorRecord::record).enumerate() {
            if cutter.take(&record) == Cut::Begins {
                begins.push(at);
            }
            let segment = begins.len() as u64 - 1;
            epochs
                .entry(EpochKey { segment, index: rule.epochs.index(record.group_sequence) })
                .or_default()
                .add(0, &record);
        }
        (epochs, begins)
    }
}

impl Vector {
    fn rule(&self, broadcast: &str) -> StreamRule {
        StreamRule {
            epochs: EpochRule::timeline(self.groups_per_epoch),
            tracks: Tracks::new(self.tracks.clone()).unwrap(),
            ..StreamRule::new(broadcast)
        }
    }

    fn records(&self, rule: &StreamRule) -> BTreeMap<u64, EpochRecords> {
        let mut epochs = BTreeMap::<u64, EpochRecords>::new();
        for (place, track) in rule.tracks.names().iter().enumerate() {
            for record in self.manifests.get(&format!("{}/{track}.jsonl", rule.stream_id)).into_iter().flatten() {
                let record = record.record();
                epochs.entry(rule.epochs.index(record.group_sequence)).or_default().add(place, &record);
            }
        }
        epochs
    }
}

/// The vectors of this numbering whose files have these keys.
fn vectors_of<V: DeserializeOwned>(numbering: &str) -> Vec<V> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../archives/vectors");
    let files = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let texts = files.filter(|file| file.extension().is_some_and(|is| is == "json")).map(fs::read_to_string);
    let vectors = texts.map(|text| serde_json::from_str::<Value>(&text.unwrap()).unwrap());
    let vectors = vectors.filter(|vector| vector["numbering"] == numbering);
    vectors.filter_map(|vector| serde_json::from_value(vector).ok()).collect()
}

fn vectors() -> Vec<Vector> {
    vectors_of("timeline")
}

/// What a vector expects of an epoch that is named so, after the parent that it states.
fn line(rule: &StreamRule, named: &NamedEpoch, expected: &Value) -> Value {
    let parent = expected["header"]["parentObservationHash"].as_str().unwrap_or_default().parse();
    let header = named.header(parent.unwrap_or(ObservationHash::ZERO)).unwrap();
    json!({
        "stream_id": rule.stream_id,
        "epoch_id": rule.epochs.id(named.name),
        "slot": named.slot,
        "complete": named.derived.complete,
        "conflicting": named.derived.is_conflicting(),
        "leaf_count": header.map(|_| named.derived.leaf_count),
        "observation_hash": header.map(|header| header.hash()),
        "header": header,
    })
}

#[test]
fn what_is_derived_is_what_another_program_computed() {
    let mut headers = 0;
    for vector in vectors() {
        for expected in &vector.expected {
            let rule = vector.rule(expected["stream_id"].as_str().unwrap());
            let mut epochs = vector.records(&rule);
            let epoch = expected["epoch_id"].as_str().and_then(|id| id.rsplit('/').next()).unwrap().parse().unwrap();
            let records = epochs.remove(&epoch).unwrap();
            let named = rule.name(rule.derive(EpochKey::timeline(epoch), &records), 0).unwrap();
            let found = line(&rule, &named, expected);
            assert_eq!(found, *expected);
            headers += usize::from(!found["header"].is_null());
        }
    }
    assert!(headers >= 20, "only {headers} headers were compared");
}

#[test]
fn lanes_are_cut_and_named_as_another_program_did() {
    let (mut cut, mut headers) = (0, 0);
    for vector in vectors_of::<LaneVector>("session") {
        for (file, begins) in &vector.segments {
            assert_eq!(vector.cut(file).1, *begins, "{file} of {:?}", vector.about);
            cut += begins.len();
        }
        for expected in &vector.expected {
            let mut files = vector.manifests.keys();
            let file = files.find(|file| vector.rule(file).stream_id == expected["stream_id"]).unwrap();
            let (rule, session) = (vector.rule(file), &expected["session"]);
            let place = |name: &str| session[name].as_u64().unwrap();
            let key = EpochKey { segment: place("segment"), index: place("index") };
            let named = rule.name(rule.derive(key, &vector.cut(file).0[&key]), place("mark")).unwrap();
            let mut found = line(&rule, &named, expected);
            found["session"] = session.clone();
            assert_eq!(found, *expected, "{file} of {:?}", vector.about);
            headers += usize::from(!found["header"].is_null());
        }
    }
    assert!(cut >= 60 && headers >= 100, "only {cut} segments and {headers} headers were compared");
}

#[test]
fn every_record_can_be_proven_and_no_other() {
    for vector in vectors() {
        for expected in vector.expected.iter().filter(|expected| !expected["header"].is_null()) {
            let rule = vector.rule(expected["stream_id"].as_str().unwrap());
            let header = serde_json::from_value(expected["header"].clone()).unwrap();
            let epoch = expected["header"]["sequence"].as_u64().unwrap();
            let records = &vector.records(&rule)[&epoch];
            for (position, _) in records.objects() {
                let track = &rule.tracks.names()[position.track];
                let proof = Proof::new(&rule, records, header, track, position.group_sequence).unwrap();
                assert_eq!(proof.check(), Ok(()));
                assert!(Proof { size_bytes: proof.size_bytes ^ 1, ..proof.clone() }.check().is_err());
                assert!(Proof { group_sequence: proof.group_sequence ^ 1, ..proof }.check().is_err());
            }
            assert!(Proof::new(&rule, records, header, &rule.tracks.names()[0], u64::MAX).is_err());
        }
    }
}
