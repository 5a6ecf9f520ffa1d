//! Compiles the contracts as `forge build` does: the compiler and all settings that decide the bytecode are read from
//! their `foundry.toml`.

use std::path::{Path, PathBuf};

use foundry_compilers::{
    Project, ProjectBuilder, ProjectPathsConfig,
    artifacts::remappings::Remapping,
    error::SolcError,
    solc::{Solc, SolcCompiler},
};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::settings::{Settings, SettingsError};

/// The deployed contracts, each in a file of its own name.
pub(crate) const CONTRACTS: [&str; 4] =
    ["EveryChannelObservationLedger", "EveryChannelRail", "EveryChannelTimelock", "EveryChannelWitnessRegistry"];

/// Why the contracts could not be compiled.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BuildError {
    /// The tools are not installed.
    #[error("{} is missing: run `npm ci --ignore-scripts` in {}", missing.display(), root.display())]
    NoTools {
        /// The folder of the contracts.
        root: PathBuf,
        /// What was looked for.
        missing: PathBuf,
    },
    /// `foundry.toml` cannot be followed.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// A remapping of `foundry.toml` is none.
    #[error("foundry.toml: remapping {remapping:?} is not of the form `name/=path/`")]
    Remapping {
        /// As written.
        remapping: String,
    },
    /// The compiler could not be run.
    #[error("cannot run the compiler")]
    Compiler(#[from] SolcError),
    /// The compiler refused the sources; its words.
    #[error("the contracts do not compile:\n{0}")]
    Refused(String),
    /// A contract is not among the results.
    #[error("{0} is not among the compiled contracts")]
    NotBuilt(&'static str),
    /// A result has not the shape it should have.
    #[error("{name}: the compiled artifact cannot be read")]
    Shape {
        /// The contract.
        name: &'static str,
        /// What the parser says.
        source: serde_json::Error,
    },
}

/// What of a compiled contract callers and deployers depend on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Artifact {
    /// The JSON ABI.
    pub(crate) abi: Value,
    /// Creation code, `0x` hex.
    pub(crate) bytecode: String,
    /// Runtime code, `0x` hex.
    pub(crate) deployed_bytecode: String,
}

/// Compiles the contracts in `root`, the folder of `foundry.toml`. Writes nothing.
///
/// # Errors
///
/// Missing tools, settings that cannot be followed, a compiler that does not run or refuses the sources.
pub(crate) fn build(root: &Path) -> Result<Vec<(&'static str, Artifact)>, BuildError> {
    require_tools(root)?;
    let settings = Settings::read(root)?;
    let output = project(root, &settings)?.compile_files(CONTRACTS.map(|name| root.join(format!("{name}.sol"))))?;
    if output.has_compiler_errors() {
        return Err(BuildError::Refused(output.to_string()));
    }
    CONTRACTS
        .into_iter()
        .map(|name| {
            let compiled = output.find_first(name).ok_or(BuildError::NotBuilt(name))?;
            Ok((name, artifact(name, compiled)?))
        })
        .collect()
}

fn require_tools(root: &Path) -> Result<(), BuildError> {
    let missing = root.join("node_modules/solc/package.json");
    if missing.is_file() { Ok(()) } else { Err(BuildError::NoTools { root: root.to_owned(), missing }) }
}

fn project(root: &Path, settings: &Settings) -> Result<Project<SolcCompiler>, BuildError> {
    let mut paths = ProjectPathsConfig::builder().sources(root).no_libs();
    for text in &settings.remappings {
        let mut remapping: Remapping = text.parse().map_err(|_| BuildError::Remapping { remapping: text.clone() })?;
        remapping.path = root.join(&remapping.path).to_string_lossy().into_owned();
        paths = paths.remapping(remapping);
    }
    let solc = Solc::new(root.join(&settings.solc))?;
    Ok(ProjectBuilder::<SolcCompiler>::default()
        .paths(paths.build_with_root(root))
        .settings(settings.solc_settings())
        .ephemeral()
        .no_artifacts()
        .build(SolcCompiler::Specific(solc))?)
}

/// The parts of a compiled contract under the names of the committed files.
fn artifact(name: &'static str, compiled: &impl Serialize) -> Result<Artifact, BuildError> {
    let shape = |source| BuildError::Shape { name, source };
    let mut value = serde_json::to_value(compiled).map_err(shape)?;
    for part in ["bytecode", "deployedBytecode"] {
        let code = value[part]["object"].take();
        value[part] = code;
    }
    serde_json::from_value(value).map_err(shape)
}
