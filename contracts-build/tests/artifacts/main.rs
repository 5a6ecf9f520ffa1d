//! The committed artifacts are what the sources compile to.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod build;
mod settings;

use std::{
    fs,
    path::{Path, PathBuf},
};

use build::{Artifact, BuildError, build};

fn contracts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contracts").canonicalize().unwrap()
}

fn committed(name: &str) -> Artifact {
    let path = contracts().join("artifacts").join(format!("{name}.json"));
    serde_json::from_slice(&fs::read(path).unwrap()).unwrap()
}

#[test]
fn artifacts_match_the_sources() {
    let built = build(&contracts()).map_err(|error| eyre::eyre!(error)).unwrap();
    for (name, fresh) in built {
        let stored = committed(name);
        let fix = "is not what the sources compile to; run scripts/contracts-artifacts";
        assert!(stored.abi == fresh.abi, "{name}: abi {fix}");
        assert!(stored.bytecode == fresh.bytecode, "{name}: bytecode {fix}");
        assert!(stored.deployed_bytecode == fresh.deployed_bytecode, "{name}: deployedBytecode {fix}");
    }
}

#[test]
fn build_without_tools_names_the_command() {
    let empty = tempfile::tempdir().unwrap();
    let error = build(empty.path()).unwrap_err();
    assert!(matches!(error, BuildError::NoTools { .. }));
    assert!(error.to_string().contains("npm ci --ignore-scripts"), "{error}");
}
