//! The vote history against public cases, and that merging histories never loses a vote.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

#[path = "../common/mod.rs"]
mod common;

mod merge;
mod scale;

use std::{
    fs,
    path::{Path, PathBuf},
};

use alloy::primitives::Address;
use common::run;
use ec_observation::{Ballot, ObservationHeader, VoteKind};
use ec_witness::store::{
    Identity, StoreError, VoteStore,
    history::{HistoryError, SlotVotes},
};
use serde::Deserialize;
use serde_json::Value;
use tempfile::TempDir;

/// One of `cases/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(rename = "why")]
    _why: String,
    store: Whose,
    steps: Vec<Step>,
    export: Vec<SlotVotes>,
}

#[derive(Clone, Copy, Deserialize)]
struct Whose {
    chain_id: u64,
    ledger: Address,
    witness: Address,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Step {
    Taken { import: Value, adopted: usize },
    Refused { import: Value, error: String },
    Vote { vote: ObservationHeader, outcome: String },
}

impl Whose {
    fn create(self) -> (TempDir, VoteStore) {
        let Self { chain_id, ledger, witness } = self;
        let dir = tempfile::tempdir().unwrap();
        let identity = Identity { chain_id, ledger, witness };
        let store = VoteStore::create(&dir.path().join("store"), identity, 0, |_| Ok::<_, StoreError>(()));
        (dir, store.unwrap())
    }
}

fn cases() -> Vec<Case> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/history/cases");
    let mut files: Vec<PathBuf> = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |path: &PathBuf| -> Case {
        let case: Case = serde_json::from_slice(&fs::read(path).unwrap()).unwrap_or_else(|e| panic!("{path:?}: {e}"));
        assert_eq!(path.file_stem().unwrap().to_str().unwrap(), case.name);
        case
    };
    files.iter().map(read).collect()
}

/// Imports as `history import` does.
fn import(store: &mut VoteStore, text: &Value) -> Result<usize, &'static str> {
    store.import(text.to_string().as_bytes()).map(|imported| imported.adopted).map_err(|error| match error {
        HistoryError::Format(_) => "format",
        HistoryError::Version(_) => "version",
        HistoryError::Foreign { .. } => "foreign",
        HistoryError::Slot { .. } => "slot",
        HistoryError::Content(_) => "content",
        HistoryError::Store(StoreError::OtherContent { .. }) => "other_content",
        other => panic!("{other}"),
    })
}

fn vote(store: &mut VoteStore, header: ObservationHeader) -> &'static str {
    let ballot = Ballot { header, vote: VoteKind::Attest };
    match store.record(&[ballot]).unwrap().remove(0) {
        Ok(recorded) => recorded.name(),
        Err(StoreError::OtherContent { .. }) => "other_content",
        Err(StoreError::StillOnItsWay { .. }) => "still_on_its_way",
        Err(StoreError::Compacted { .. }) => "compacted",
        Err(other) => panic!("{other}"),
    }
}

#[test]
fn every_case_holds() {
    let cases = cases();
    assert!(cases.len() >= 40, "{}", cases.len());
    for case in cases {
        let (_dir, mut store) = case.store.create();
        for (i, step) in case.steps.iter().enumerate() {
            let at = format!("{}, step {i}", case.name);
            let before = store.export().unwrap();
            match step {
                Step::Taken { import: text, adopted } => assert_eq!(import(&mut store, text), Ok(*adopted), "{at}"),
                Step::Refused { import: text, error } => {
                    assert_eq!(import(&mut store, text), Err(error.as_str()), "{at}");
                    assert_eq!(store.export().unwrap(), before, "{at}: nothing changes");
                }
                Step::Vote { vote: header, outcome } => assert_eq!(vote(&mut store, *header), outcome, "{at}"),
            }
        }
        assert_eq!(store.export().unwrap().votes, case.export, "{}", case.name);
    }
}

/// The cases that only import, by the real binary.
#[test]
fn the_command_says_the_same() {
    let mut held = 0;
    for case in cases() {
        let (dir, store) = case.store.create();
        drop(store);
        if case.steps.iter().any(|step| matches!(step, Step::Vote { .. })) {
            continue;
        }
        let command = |arguments: &str, text: &str| {
            let mut command = common::ec_witness(arguments);
            run(command.env("EC_WITNESS_STORE", dir.path().join("store")).write_stdin(text.to_owned()))
        };
        for step in &case.steps {
            let (Step::Taken { import, .. } | Step::Refused { import, .. }) = step else { continue };
            let outcome = command("history import - --json", &import.to_string());
            match step {
                Step::Taken { adopted, .. } => assert_eq!(outcome.json()["adopted"], *adopted, "{}", case.name),
                _ => assert_eq!(outcome.code, 2, "{}: {outcome:?}", case.name),
            }
        }
        let exported: Vec<SlotVotes> =
            serde_json::from_value(command("history export", "").json()["votes"].clone()).unwrap();
        assert_eq!(exported, case.export, "{}", case.name);
        held += 1;
    }
    assert!(held >= 15, "{held}");
}
