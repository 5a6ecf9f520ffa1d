//! The configuration file: one section per concern, and no key that is not known.

use std::{
    fs, io,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use clap::Args;
use ec_archive::{FieldNames, StreamTable, TimeSetting};
use ec_observation::Numbering;
use eyre::WrapErr;
use serde::Deserialize;

use super::{
    agreement::AgreementArgs, chain::ChainArgs, defaults::with_default, force_settings::ForceSettingsArgs,
    key::KeyArgs, monitor::MonitorArgs, run_settings::RunSettingsArgs, store::StoreArgs,
};

/// Where the configuration is where nothing else is said, if it is there: for every command, the packaged unit and the
/// container.
pub(crate) const DEFAULT_PATH: &str = "/etc/ec-witness/ec-witness.toml";

/// How long an incomplete epoch stays open after a later record came, where nothing else is configured.
pub(super) const DEFAULT_GRACE_MS: u64 = 10_000;

/// How the groups of broadcasts are numbered, where nothing else is configured: as MoQ relays hand them on.
pub(super) const DEFAULT_NUMBERING: Numbering = Numbering::Session;

/// The TOML file, whole. Every section's keys are the flags' names with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConfigFile {
    pub(crate) archive: ArchiveSection,
    pub(crate) chain: ChainArgs,
    pub(crate) key: KeyArgs,
    pub(crate) store: StoreArgs,
    pub(crate) agreement: AgreementArgs,
    pub(crate) run: RunSettingsArgs,
    pub(crate) force: ForceSettingsArgs,
    pub(crate) monitor: MonitorArgs,
    pub(crate) stream: Vec<StreamTable>,
}

/// `--config`.
#[derive(Clone, Debug, Args)]
pub(crate) struct ConfigArg {
    #[arg(help = with_default(
        "TOML file with the settings; the environment and flags come before it",
        format_args!("{DEFAULT_PATH}, where it is there")
    ))]
    #[arg(long, env = "EC_WITNESS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigArg {
    /// Reads the file; without one every setting is open.
    pub(crate) fn read(&self) -> eyre::Result<ConfigFile> {
        match self.text(Path::new(DEFAULT_PATH))? {
            Some((path, text)) => parse(&text).wrap_err_with(|| format!("config: {}", path.display())),
            None => Ok(ConfigFile::default()),
        }
    }

    /// The file that [`Self::read`] reads, and what stands in it; `None` where there is none.
    pub(crate) fn text(&self, default: &Path) -> eyre::Result<Option<(PathBuf, String)>> {
        let path = self.config.as_deref().unwrap_or(default);
        match fs::read_to_string(path) {
            Ok(text) => Ok(Some((path.to_owned(), text))),
            Err(error) if self.config.is_none() && error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).wrap_err_with(|| format!("config: cannot read {}", path.display())),
        }
    }
}

/// Reads the settings. An error names the line and the setting and shows neither: the line may hold a secret, as a
/// URL does.
pub(crate) fn parse(text: &str) -> eyre::Result<ConfigFile> {
    let unreadable = |setting: Option<String>, error: &toml::de::Error| {
        let before = error.span().and_then(|span| text.get(..span.start));
        let line = before.map(|before| format!("line {}", before.matches('\n').count() + 1));
        let place: Vec<String> = line.into_iter().chain(setting).collect();
        eyre::eyre!("{}: {}", place.join(", "), error.message())
    };
    let file = toml::Deserializer::parse(text).map_err(|error| unreadable(None, &error))?;
    serde_path_to_error::deserialize(file)
        .map_err(|error| unreadable(Some(error.path().to_string()).filter(|path| path != "."), error.inner()))
}

/// The file's `[archive]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ArchiveSection {
    pub(crate) dir: Option<PathBuf>,
    pub(crate) manifests: Option<PathBuf>,
    pub(crate) cas: Option<PathBuf>,
    pub(crate) numbering: Option<Numbering>,
    pub(crate) groups_per_epoch: Option<NonZeroU64>,
    pub(crate) tracks: Option<Vec<String>>,
    pub(crate) grace_ms: Option<u64>,
    pub(crate) fields: FieldNames,
}

/// The settings that no flag has, with their defaults, for the help.
pub(crate) fn only_in_the_file() -> String {
    let FieldNames { group_sequence, blake3, size_bytes, received_unix_ms, broadcast, track } = FieldNames::default();
    let fields = [
        ("group_sequence", group_sequence),
        ("blake3", blake3),
        ("size_bytes", size_bytes),
        ("received_unix_ms", received_unix_ms),
        ("broadcast", broadcast),
        ("track", track),
    ];
    let mut lines = vec![with_default("[archive] grace_ms", DEFAULT_GRACE_MS)];
    lines.extend(fields.map(|(field, names)| with_default(&format!("[archive.fields] {field}"), names.join(","))));
    lines.push(with_default("[[stream]] time", format!("{:?}", TimeSetting::default()).to_lowercase()));
    format!("Only in the file:\n  {}", lines.join("\n  "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_file_is_read_where_it_is_there_and_none_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let (default, named) = (dir.path().join("default.toml"), dir.path().join("named.toml"));
        let text = |config: Option<&PathBuf>| ConfigArg { config: config.cloned() }.text(&default);
        assert_eq!(text(None).unwrap(), None);
        assert!(
            text(Some(&named)).unwrap_err().to_string().contains("cannot read"),
            "a file that is named must be there"
        );
        fs::write(&default, "[chain]").unwrap();
        assert_eq!(text(None).unwrap(), Some((default.clone(), "[chain]".to_owned())));
        fs::write(&named, "").unwrap();
        assert_eq!(text(Some(&named)).unwrap(), Some((named.clone(), String::new())));
        fs::remove_file(&default).unwrap();
        fs::create_dir(&default).unwrap();
        assert!(text(None).is_err(), "what is there and cannot be read is not passed over");
    }
}
