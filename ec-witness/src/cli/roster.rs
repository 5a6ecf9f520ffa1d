//! The `[archive]` and `[[stream]]` settings: which streams an archive's broadcasts are.

mod rule;

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    num::NonZeroU64,
};

use clap::Args;
use ec_archive::{Archive, ArchiveError, FieldNames, Mapping, Source};
use ec_observation::{
    EpochRule, StreamHash, StreamRule, Tracks,
    stream::{DEFAULT_GROUPS_PER_EPOCH, DEFAULT_TRACKS},
};
use eyre::{bail, eyre};

use super::{
    archive::dirs::ArchiveDirs,
    config::{ArchiveSection, DEFAULT_GRACE_MS, StreamTable},
    defaults::with_default,
};
use rule::{by_broadcast, source};

/// Which archive, and how its records make epochs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Archive")]
pub(crate) struct ArchiveArgs {
    #[command(flatten)]
    pub(crate) dirs: ArchiveDirs,

    #[arg(help = with_default("Sequence numbers per epoch", DEFAULT_GROUPS_PER_EPOCH))]
    #[arg(long, env = "EC_WITNESS_GROUPS_PER_EPOCH", value_name = "N")]
    groups_per_epoch: Option<NonZeroU64>,

    #[arg(help = with_default("Observed tracks", DEFAULT_TRACKS.join(",")))]
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
