//! The configuration file: one section per concern, and no key that is not known.

use std::{collections::BTreeMap, fs, num::NonZeroU64, path::PathBuf};

use clap::Args;
use ec_archive::FieldNames;
use ec_observation::Numbering;
use eyre::WrapErr;
use serde::Deserialize;

use super::{
    agreement::AgreementArgs, chain::ChainArgs, defaults::with_default, force_settings::ForceSettingsArgs,
    key::KeyArgs, monitor::MonitorArgs, run_settings::RunSettingsArgs, store::StoreArgs,
};

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
    /// TOML file with the settings; the environment and flags come before it.
    #[arg(long, env = "EC_WITNESS_CONFIG", value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
}

impl ConfigArg {
    /// Reads the file; without one every setting is open.
    pub(crate) fn read(&self) -> eyre::Result<ConfigFile> {
        let Some(path) = &self.config else { return Ok(ConfigFile::default()) };
        let shown = path.display();
        let text = fs::read_to_string(path).wrap_err_with(|| format!("config: cannot read {shown}"))?;
        parse(&text).wrap_err_with(|| format!("config: {shown}"))
    }
}

/// Reads the settings. An error names the line and the setting and shows neither: the line may hold a secret, as a
/// URL does.
fn parse(text: &str) -> eyre::Result<ConfigFile> {
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

/// One of the file's `[[stream]]` tables: what is special about a broadcast.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamTable {
    pub(crate) broadcast: String,
    pub(crate) stream_id: Option<String>,
    pub(crate) locator_broadcast: Option<String>,
    pub(crate) numbering: Option<Numbering>,
    pub(crate) groups_per_epoch: Option<NonZeroU64>,
    /// Of the lanes that have another number than the broadcast.
    #[serde(default)]
    pub(crate) track_groups_per_epoch: BTreeMap<String, NonZeroU64>,
    pub(crate) tracks: Option<Vec<String>>,
    #[serde(default)]
    pub(crate) time: TimeSetting,
    pub(crate) chunk_duration_ms: Option<NonZeroU64>,
    pub(crate) from_sequence: Option<u64>,
}

impl StreamTable {
    /// The `stream_id` of the broadcast: its lanes' ids begin with it.
    pub(crate) fn stream_id(&self) -> &str {
        self.stream_id.as_ref().unwrap_or(&self.broadcast)
    }

    /// The broadcast's name in locators.
    pub(crate) fn locator_broadcast(&self) -> &str {
        self.locator_broadcast.as_ref().unwrap_or(&self.broadcast)
    }
}

/// Where a header's time comes from, in the file's words.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum TimeSetting {
    #[default]
    Received,
    Timeline,
}
