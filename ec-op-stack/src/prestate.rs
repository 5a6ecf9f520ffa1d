//! The absolute prestate: the hash of the program that dispute games run.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use alloy::primitives::B256;
use serde::Deserialize;

/// Why a prestate's hash is not known.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrestateError {
    /// Thrown when the file cannot be read.
    #[error("{}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Thrown when a binary prestate is given and no cannon to hash it.
    #[error("{}: a binary prestate is hashed by `cannon witness`: name cannon's path", .0.display())]
    NeedsCannon(PathBuf),
    /// Thrown when cannon fails.
    #[error("{}: cannon witness: {reason}", path.display())]
    Cannon {
        /// The prestate.
        path: PathBuf,
        /// What cannon said.
        reason: String,
    },
    /// Thrown when there is no hash where one was expected.
    #[error("{}: {reason}", path.display())]
    NoHash {
        /// The file.
        path: PathBuf,
        /// What was expected.
        reason: String,
    },
}

#[derive(Deserialize)]
struct Proof {
    pre: B256,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Witness {
    witness_hash: B256,
}

/// The hash of a prestate: `pre` of a `prestate-proof.json`, or of a binary (`.bin`, `.bin.gz`) what cannon says.
pub fn hash(path: &Path, cannon: Option<&Path>) -> Result<B256, PrestateError> {
    let owned = path.to_owned();
    if path.extension().is_some_and(|extension| extension == "json") {
        let text = fs::read_to_string(path).map_err(|source| PrestateError::Read { path: owned.clone(), source })?;
        let proof = serde_json::from_str::<Proof>(&text);
        let reason = "no `pre` in it; expected a prestate-proof.json".to_owned();
        return proof.map(|proof| proof.pre).map_err(|_| PrestateError::NoHash { path: owned, reason });
    }
    if let Err(source) = fs::metadata(path) {
        return Err(PrestateError::Read { path: owned, source });
    }
    let cannon = cannon.ok_or_else(|| PrestateError::NeedsCannon(owned.clone()))?;
    witness(path, cannon).map_err(|reason| PrestateError::Cannon { path: owned, reason })
}

fn witness(path: &Path, cannon: &Path) -> Result<B256, String> {
    let run = Command::new(cannon).arg("witness").arg("--input").arg(path).output();
    let output = run.map_err(|error| format!("{}: {error}", cannon.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().to_owned());
    }
    let witness = serde_json::from_slice::<Witness>(&output.stdout);
    witness.map(|witness| witness.witness_hash).map_err(|error| format!("no witnessHash in its output: {error}"))
}
