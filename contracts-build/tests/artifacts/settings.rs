//! The part of `foundry.toml` that decides the bytecode.

use std::{
    fmt::Display,
    fs, io,
    path::{Path, PathBuf},
    str::FromStr,
};

use foundry_compilers::{
    artifacts::{BytecodeHash, EvmVersion, Optimizer, Settings as SolcInputSettings, SettingsMetadata},
    solc::SolcSettings,
};
use serde::{Deserialize, Deserializer, de::Error as _};

/// Why `foundry.toml` cannot be followed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    /// It cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A setting is missing or of the wrong type.
    #[error("{}: the build needs solc, evm_version, optimizer, via_ir and the metadata settings", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: Box<toml::de::Error>,
    },
}

/// `[profile.default]` of `foundry.toml`. All that decides the bytecode must be written there: nothing has a default.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Settings {
    /// Path of the compiler, from the folder of `foundry.toml`.
    pub(crate) solc: PathBuf,
    /// `name/=path/`, paths from the folder of `foundry.toml`.
    pub(crate) remappings: Vec<String>,
    #[serde(deserialize_with = "parsed")]
    evm_version: EvmVersion,
    optimizer: bool,
    optimizer_runs: usize,
    via_ir: bool,
    #[serde(deserialize_with = "parsed")]
    bytecode_hash: BytecodeHash,
    cbor_metadata: bool,
}

#[derive(Deserialize)]
struct FoundryToml {
    profile: Profiles,
}

#[derive(Deserialize)]
struct Profiles {
    default: Settings,
}

impl Settings {
    /// Reads `foundry.toml` in `root`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read, a setting that is missing or of the wrong type.
    pub(crate) fn read(root: &Path) -> Result<Self, SettingsError> {
        let path = root.join("foundry.toml");
        let text = fs::read_to_string(&path).map_err(|source| SettingsError::Read { path: path.clone(), source })?;
        let file: FoundryToml =
            toml::from_str(&text).map_err(|source| SettingsError::Parse { path, source: Box::new(source) })?;
        Ok(file.profile.default)
    }

    /// The same in the compiler's own words.
    pub(crate) fn solc_settings(&self) -> SolcSettings {
        let settings = SolcInputSettings {
            optimizer: Optimizer { enabled: Some(self.optimizer), runs: Some(self.optimizer_runs), details: None },
            metadata: Some(SettingsMetadata::new(self.bytecode_hash, self.cbor_metadata)),
            evm_version: Some(self.evm_version),
            via_ir: Some(self.via_ir),
            ..Default::default()
        };
        SolcSettings { settings, ..Default::default() }
    }
}

/// A setting in foundry's words, which are those of `FromStr`.
fn parsed<'de, T, D>(deserializer: D) -> Result<T, D::Error>
where
    T: FromStr<Err: Display>,
    D: Deserializer<'de>,
{
    String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
}
