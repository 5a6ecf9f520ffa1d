//! The settings of a witness: flags over environment over the TOML file over defaults, checked in one step.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    fs,
    num::NonZeroU64,
    path::{Path, PathBuf},
};

use clap::Args;
use ec_archive::{Archive, ArchiveError, FieldNames};
use ec_observation::{EpochRule, StreamHash, StreamRule, TimeMode, Tracks, stream::DEFAULT_GROUPS_PER_EPOCH};
use ec_witness::{
    daemon::{Mapping, Source},
    witness::decision::Policy,
};
use eyre::{OptionExt, WrapErr, bail, eyre};
use serde::Deserialize;

use super::{archive::dirs::ArchiveDirs, chain::ChainArgs, key::KeyArgs, monitor::MonitorArgs, turns::TurnArgs};

/// The TOML file, whole. Every section's keys are the flags' names with underscores.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ConfigFile {
    pub(crate) archive: ArchiveSection,
    pub(crate) chain: ChainArgs,
    pub(crate) key: KeyArgs,
    pub(crate) store: StoreArgs,
    pub(crate) agreement: AgreementArgs,
    pub(crate) run: TurnArgs,
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
        toml::from_str(&text).wrap_err_with(|| format!("config: {shown} is not as it should be"))
    }
}

/// The file's `[archive]`.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct ArchiveSection {
    dir: Option<PathBuf>,
    manifests: Option<PathBuf>,
    cas: Option<PathBuf>,
    groups_per_epoch: Option<NonZeroU64>,
    tracks: Option<Vec<String>>,
    grace_ms: Option<u64>,
    fields: FieldNames,
}

/// One of the file's `[[stream]]` tables: what is special about a broadcast.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct StreamTable {
    broadcast: String,
    stream_id: Option<String>,
    locator_broadcast: Option<String>,
    groups_per_epoch: Option<NonZeroU64>,
    tracks: Option<Vec<String>>,
    #[serde(default)]
    time: TimeSetting,
    chunk_duration_ms: Option<NonZeroU64>,
    from_sequence: Option<u64>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TimeSetting {
    #[default]
    Received,
    Timeline,
}

/// Which archive, and how its records make epochs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Archive")]
pub(crate) struct ArchiveArgs {
    #[command(flatten)]
    pub(crate) dirs: ArchiveDirs,

    /// Sequence numbers per epoch [default: 30].
    #[arg(long, env = "EC_WITNESS_GROUPS_PER_EPOCH", value_name = "N")]
    groups_per_epoch: Option<NonZeroU64>,

    /// Observed tracks [default: video0.m4s,audio0.m4s].
    #[arg(long, env = "EC_WITNESS_TRACKS", value_name = "TRACK", value_delimiter = ',')]
    tracks: Option<Vec<String>>,

    /// Only these streams, by stream id [default: every broadcast of the archive].
    #[arg(long = "stream", env = "EC_WITNESS_STREAMS", value_name = "STREAM_ID", value_delimiter = ',')]
    streams: Option<Vec<String>>,
}

/// The archive and its streams.
#[derive(Clone, Debug)]
pub(crate) struct Sources {
    pub(crate) archive: Archive,
    pub(crate) names: FieldNames,
    pub(crate) grace_ms: u64,
    pub(crate) streams: Vec<Source>,
}

impl Sources {
    /// The streams' hashes.
    pub(crate) fn hashes(&self) -> HashSet<StreamHash> {
        self.streams.iter().map(|source| source.rule.stream_hash()).collect()
    }
}

/// How long an incomplete epoch stays open after a later record came, where nothing else is configured.
const DEFAULT_GRACE_MS: u64 = 10_000;

/// Which streams an archive's broadcasts are.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) archive: Archive,
    pub(crate) names: FieldNames,
    pub(crate) grace_ms: u64,
    defaults: StreamRule,
    tables: Vec<StreamTable>,
    /// The streams that `--stream` names.
    wanted: Option<Vec<String>>,
}

impl ArchiveArgs {
    /// Finds the archive's streams, sorted by stream id bytes.
    pub(crate) fn sources(&self, section: ArchiveSection, tables: &[StreamTable]) -> eyre::Result<Sources> {
        self.roster(section, tables)?.sources()
    }

    /// What is configured of the archive's streams; whether each can be followed is checked here.
    pub(crate) fn roster(&self, section: ArchiveSection, tables: &[StreamTable]) -> eyre::Result<Roster> {
        let archive = self.dirs.clone().or(section.dir, section.manifests, section.cas).archive()?;
        let groups_per_epoch = self.groups_per_epoch.or(section.groups_per_epoch).unwrap_or(DEFAULT_GROUPS_PER_EPOCH);
        let tracks = match self.tracks.clone().or(section.tracks) {
            Some(tracks) => Tracks::new(tracks)?,
            None => Tracks::default(),
        };
        let defaults = StreamRule { epochs: EpochRule { groups_per_epoch }, tracks, ..StreamRule::new("") };
        for (broadcast, table) in by_broadcast(tables)? {
            source(broadcast, Some(table), &defaults)?;
        }
        let grace_ms = section.grace_ms.unwrap_or(DEFAULT_GRACE_MS);
        let (names, tables, wanted) = (section.fields, tables.to_vec(), self.streams.clone());
        Ok(Roster { archive, names, grace_ms, defaults, tables, wanted })
    }
}

impl Roster {
    /// Finds the archive's streams, sorted by stream id bytes.
    pub(crate) fn sources(self) -> eyre::Result<Sources> {
        let mut tables = by_broadcast(&self.tables)?;
        let mut sources = Vec::new();
        for broadcast in self.archive.broadcasts()? {
            tables.remove(broadcast.name.as_str());
            sources.push(self.source(&broadcast.name)?);
        }
        tables.keys().for_each(|broadcast| {
            tracing::warn!(broadcast, "a [[stream]] table names a broadcast that is not in the archive");
        });
        let streams = self.chosen(distinct(sources)?)?;
        if streams.is_empty() {
            let manifests = self.archive.manifests.display();
            bail!("{manifests}: no broadcast with a track file; is this the index of an archive?");
        }
        Ok(Sources { archive: self.archive, names: self.names, grace_ms: self.grace_ms, streams })
    }

    /// The same for a witness, which may be there before its archive: none is no error.
    pub(crate) fn sources_so_far(self) -> eyre::Result<Sources> {
        let found = self.archive.broadcasts().map(|broadcasts| !broadcasts.is_empty());
        if matches!(found, Ok(true)) {
            return self.sources();
        }
        match found {
            Err(error) if !matches!(error, ArchiveError::NoManifests { .. }) => return Err(error.into()),
            _ => {}
        }
        Ok(Sources { archive: self.archive, names: self.names, grace_ms: self.grace_ms, streams: Vec::new() })
    }

    /// Maps broadcasts to streams as long as the witness runs. A broadcast that cannot be one is left out.
    pub(crate) fn mapping(self) -> Mapping {
        let mut told = HashSet::new();
        Box::new(move |broadcasts| {
            let mut sources = BTreeMap::new();
            for broadcast in broadcasts {
                match self.wanted_source(&broadcast, &sources) {
                    Ok(Some(source)) => _ = sources.insert(source.rule.stream_id.clone(), source),
                    Ok(None) => {}
                    Err(error) if told.insert(broadcast.clone()) => {
                        tracing::error!(broadcast, %error, "the broadcast is left out");
                    }
                    Err(_) => {}
                }
            }
            sources.into_values().collect()
        })
    }

    /// The stream that a broadcast is, if it is one of those to be followed and no other broadcast is it already.
    fn wanted_source(&self, broadcast: &str, found: &BTreeMap<String, Source>) -> eyre::Result<Option<Source>> {
        let source = self.source(broadcast)?;
        let stream = &source.rule.stream_id;
        if self.wanted.as_ref().is_some_and(|wanted| !wanted.contains(stream)) {
            return Ok(None);
        }
        match found.get(stream) {
            Some(other) => {
                bail!("broadcast {:?} is stream {stream:?} already; give each its own stream_id", other.broadcast)
            }
            None => Ok(Some(source)),
        }
    }

    fn source(&self, broadcast: &str) -> eyre::Result<Source> {
        source(broadcast, self.tables.iter().find(|table| table.broadcast == broadcast), &self.defaults)
    }

    /// The streams that `--stream` names, or all.
    fn chosen(&self, mut sources: Vec<Source>) -> eyre::Result<Vec<Source>> {
        let Some(wanted) = &self.wanted else { return Ok(sources) };
        let known: HashSet<_> = sources.iter().map(|source| source.rule.stream_id.clone()).collect();
        if let Some(unknown) = wanted.iter().find(|wanted| !known.contains(*wanted)) {
            let known: BTreeSet<_> = known.iter().map(String::as_str).collect();
            bail!("--stream {unknown}: no such stream; the archive has {}", Vec::from_iter(known).join(", "));
        }
        sources.retain(|source| wanted.contains(&source.rule.stream_id));
        Ok(sources)
    }
}

fn by_broadcast(tables: &[StreamTable]) -> eyre::Result<BTreeMap<&str, &StreamTable>> {
    let mut found = BTreeMap::new();
    for table in tables {
        if found.insert(table.broadcast.as_str(), table).is_some() {
            bail!("config: two [[stream]] tables for broadcast {:?}; keep one", table.broadcast);
        }
    }
    Ok(found)
}

fn source(broadcast: &str, table: Option<&StreamTable>, defaults: &StreamRule) -> eyre::Result<Source> {
    let plain =
        StreamRule { stream_id: broadcast.to_owned(), locator_broadcast: broadcast.to_owned(), ..defaults.clone() };
    let Some(table) = table else {
        return Ok(Source { broadcast: broadcast.to_owned(), rule: plain, from_sequence: None });
    };
    let rule = StreamRule {
        stream_id: table.stream_id.clone().unwrap_or(plain.stream_id),
        locator_broadcast: table.locator_broadcast.clone().unwrap_or(plain.locator_broadcast),
        epochs: table.groups_per_epoch.map_or(plain.epochs, |groups_per_epoch| EpochRule { groups_per_epoch }),
        tracks: match &table.tracks {
            Some(tracks) => {
                Tracks::new(tracks.clone()).wrap_err_with(|| format!("config: [[stream]] {broadcast:?}"))?
            }
            None => plain.tracks,
        },
        time: time_mode(table)?,
    };
    Ok(Source { broadcast: broadcast.to_owned(), rule, from_sequence: table.from_sequence })
}

fn time_mode(table: &StreamTable) -> eyre::Result<TimeMode> {
    let broadcast = &table.broadcast;
    match (table.time, table.chunk_duration_ms) {
        (TimeSetting::Received, None) => Ok(TimeMode::Received),
        (TimeSetting::Timeline, Some(chunk_duration_ms)) => Ok(TimeMode::Timeline { chunk_duration_ms }),
        (TimeSetting::Timeline, None) => {
            bail!(
                "config: [[stream]] {broadcast:?}: time = \"timeline\" needs chunk_duration_ms, the length of one group"
            )
        }
        (TimeSetting::Received, Some(_)) => bail!(
            "config: [[stream]] {broadcast:?}: chunk_duration_ms has no meaning without time = \"timeline\"; set both or none"
        ),
    }
}

/// Two broadcasts must not be one stream.
fn distinct(mut sources: Vec<Source>) -> eyre::Result<Vec<Source>> {
    sources.sort_by(|a, b| a.rule.stream_id.cmp(&b.rule.stream_id));
    match sources.windows(2).find(|pair| pair[0].rule.stream_id == pair[1].rule.stream_id) {
        None => Ok(sources),
        Some(pair) => Err(eyre!(
            "config: broadcasts {:?} and {:?} are both stream {:?}; give each its own stream_id",
            pair[0].broadcast,
            pair[1].broadcast,
            pair[0].rule.stream_id
        )),
    }
}

/// Where votes are kept.
#[derive(Clone, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Vote store")]
pub(crate) struct StoreArgs {
    /// Directory of the vote store; `init` creates it.
    #[arg(long = "store", env = "EC_WITNESS_STORE", value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl StoreArgs {
    /// The directory: these settings, else the file's.
    pub(crate) fn directory<'a>(&'a self, file: &'a Self) -> eyre::Result<&'a Path> {
        let directory = self.dir.as_deref().or(file.dir.as_deref());
        directory.ok_or_eyre("store is not set: give --store DIR, EC_WITNESS_STORE, or dir in [store]")
    }

    /// The directory, if one is set.
    pub(crate) fn directory_if_set<'a>(&'a self, file: &'a Self) -> Option<&'a Path> {
        self.dir.as_deref().or(file.dir.as_deref())
    }
}

/// The agreement's constants. They must be equal at all witnesses of a ledger.
#[derive(Clone, Copy, Debug, Default, Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[command(next_help_heading = "Agreement (equal at all witnesses)")]
pub(crate) struct AgreementArgs {
    /// How far two hosts' clocks may be apart [default: 2000].
    #[arg(long, env = "EC_WITNESS_PRECISION_MS", value_name = "MS", hide_short_help = true)]
    precision_ms: Option<u64>,

    /// How long a record may take from host to host [default: 15000].
    #[arg(long, env = "EC_WITNESS_MESSAGE_DELAY_MS", value_name = "MS", hide_short_help = true)]
    message_delay_ms: Option<u64>,

    /// How long a candidate whose time alone is off is not rivalled [default: 60000].
    #[arg(long, env = "EC_WITNESS_TIME_WAIT_MS", value_name = "MS", hide_short_help = true)]
    time_wait_ms: Option<u64>,

    /// How long an incomplete epoch waits for late records before an equal candidate is attested [default: 60000].
    #[arg(long, env = "EC_WITNESS_LATE_MS", value_name = "MS", hide_short_help = true)]
    late_ms: Option<u64>,

    /// The wait between two ranks' turns to propose [default: 12000].
    #[arg(long, env = "EC_WITNESS_PROPOSE_STAGGER_MS", value_name = "MS", hide_short_help = true)]
    propose_stagger_ms: Option<u64>,

    /// How much later an incomplete epoch is proposed [default: 300000].
    #[arg(long, env = "EC_WITNESS_INCOMPLETE_DELAY_MS", value_name = "MS", hide_short_help = true)]
    incomplete_delay_ms: Option<u64>,

    /// When an undecided slot counts as disputed [default: 600000].
    #[arg(long, env = "EC_WITNESS_DISPUTED_AFTER_MS", value_name = "MS", hide_short_help = true)]
    disputed_after_ms: Option<u64>,

    /// Final observations that may lie between a header and its parent [default: 64].
    #[arg(long, env = "EC_WITNESS_PARENT_WINDOW", value_name = "N", hide_short_help = true)]
    parent_window: Option<u64>,

    /// Slots of one stream that are judged at once [default: 64].
    #[arg(long, env = "EC_WITNESS_MAX_INFLIGHT", value_name = "N", hide_short_help = true)]
    max_inflight: Option<usize>,
}

impl AgreementArgs {
    /// The constants: these settings, else the file's, else the defaults.
    pub(crate) fn policy(&self, file: &Self) -> Policy {
        let or = Policy::default();
        Policy {
            precision_ms: self.precision_ms.or(file.precision_ms).unwrap_or(or.precision_ms),
            message_delay_ms: self.message_delay_ms.or(file.message_delay_ms).unwrap_or(or.message_delay_ms),
            time_wait_ms: self.time_wait_ms.or(file.time_wait_ms).unwrap_or(or.time_wait_ms),
            late_ms: self.late_ms.or(file.late_ms).unwrap_or(or.late_ms),
            propose_stagger_ms: self.propose_stagger_ms.or(file.propose_stagger_ms).unwrap_or(or.propose_stagger_ms),
            incomplete_delay_ms: self
                .incomplete_delay_ms
                .or(file.incomplete_delay_ms)
                .unwrap_or(or.incomplete_delay_ms),
            disputed_after_ms: self.disputed_after_ms.or(file.disputed_after_ms).unwrap_or(or.disputed_after_ms),
            parent_window: self.parent_window.or(file.parent_window).unwrap_or(or.parent_window),
            max_inflight: self.max_inflight.or(file.max_inflight).unwrap_or(or.max_inflight),
        }
    }
}
