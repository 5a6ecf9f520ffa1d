//! The `[archive]` and `[[stream]]` settings: which streams an archive's broadcasts are.

mod fixed;
mod rule;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    num::NonZeroU64,
};

use clap::{
    Args,
    builder::{PossibleValuesParser, TypedValueParser},
};
use ec_archive::{
    Archive, ArchiveError, Broadcast, FieldNames, MEDIA_ENDING, Mapping, Source, StreamDefaults, StreamTable,
};
use ec_observation::{
    EpochRule, Numbering, StreamHash, Tracks,
    stream::{DEFAULT_GROUPS_PER_EPOCH, DEFAULT_TRACKS},
};
use eyre::{bail, eyre};
use strum::VariantNames;

use super::{
    archive::dirs::ArchiveDirs,
    config::{ArchiveSection, DEFAULT_GRACE_MS, DEFAULT_NUMBERING},
    defaults::with_default,
};
use fixed::Fixed;
use rule::{by_broadcast, is_of, sources, without_tracks};

/// Which archive, and how its records make epochs.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Archive")]
pub(crate) struct ArchiveArgs {
    #[command(flatten)]
    pub(crate) dirs: ArchiveDirs,

    #[arg(help = with_default(
        "How groups are numbered: `session`, each track from 0 with each start of the publisher, as relays hand them on; \
         `timeline`, all tracks by broadcast time. Equal at all witnesses",
        DEFAULT_NUMBERING
    ))]
    #[arg(long, env = "EC_WITNESS_NUMBERING", value_name = "WORD")]
    #[arg(value_parser = PossibleValuesParser::new(Numbering::VARIANTS).try_map(|word| word.parse::<Numbering>()))]
    numbering: Option<Numbering>,

    #[arg(help = with_default("Sequence numbers per epoch", DEFAULT_GROUPS_PER_EPOCH))]
    #[arg(long, env = "EC_WITNESS_GROUPS_PER_EPOCH", value_name = "N")]
    groups_per_epoch: Option<NonZeroU64>,

    #[arg(help = with_default(
        "Observed tracks",
        format_args!("all that end in {MEDIA_ENDING}; with timeline numbering {}", DEFAULT_TRACKS.join(","))
    ))]
    #[arg(long, env = "EC_WITNESS_TRACKS", value_name = "TRACK", value_delimiter = ',')]
    tracks: Option<Vec<String>>,

    /// Only these streams, by stream id; that of a broadcast stands for all its lanes [default: every broadcast of the
    /// archive].
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
    /// The streams' hashes, each with how its epochs are cut.
    pub(crate) fn hashes(&self) -> HashMap<StreamHash, EpochRule> {
        self.streams.iter().map(|source| (source.rule.stream_hash(), source.rule.epochs)).collect()
    }
}

/// Which streams an archive's broadcasts are.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    pub(crate) archive: Archive,
    pub(crate) names: FieldNames,
    pub(crate) grace_ms: u64,
    defaults: StreamDefaults,
    tables: Vec<StreamTable>,
    /// The streams that `--stream` names.
    wanted: Option<Vec<String>>,
    /// Those that the vote store knows.
    fixed: Fixed,
    /// Broadcasts of which something was told.
    told: HashSet<String>,
}

impl ArchiveArgs {
    /// Finds the archive's streams, sorted by stream id bytes.
    pub(crate) fn sources(&self, section: ArchiveSection, tables: &[StreamTable]) -> eyre::Result<Sources> {
        self.roster(section, tables)?.sources()
    }

    /// What these settings say of how groups are numbered.
    pub(crate) fn numbering(&self) -> Option<Numbering> {
        self.numbering
    }

    /// What they say of how long an epoch is.
    pub(crate) fn groups_per_epoch(&self) -> Option<NonZeroU64> {
        self.groups_per_epoch
    }

    /// What they say of which tracks are observed.
    pub(crate) fn tracks(&self) -> Option<Vec<String>> {
        self.tracks.clone()
    }

    /// The setting that says where the index is.
    pub(crate) fn place_key(&self, section: &ArchiveSection) -> &'static str {
        self.dirs.place_key(section.manifests.is_some())
    }

    /// What is configured of the archive's streams; whether each can be followed is checked here.
    pub(crate) fn roster(&self, section: ArchiveSection, tables: &[StreamTable]) -> eyre::Result<Roster> {
        let archive = self.dirs.clone().or(section.dir, section.manifests, section.cas).archive()?;
        let defaults = StreamDefaults {
            numbering: self.numbering.or(section.numbering).unwrap_or(DEFAULT_NUMBERING),
            groups_per_epoch: self.groups_per_epoch.or(section.groups_per_epoch).unwrap_or(DEFAULT_GROUPS_PER_EPOCH),
            tracks: self.tracks.clone().or(section.tracks).map(Tracks::new).transpose()?,
        };
        for table in by_broadcast(tables)?.into_values() {
            sources(table, &[], &defaults)?;
        }
        let grace_ms = section.grace_ms.unwrap_or(DEFAULT_GRACE_MS);
        let (names, tables, wanted) = (section.fields, tables.to_vec(), self.streams.clone());
        let (fixed, told) = (Fixed::default(), HashSet::new());
        Ok(Roster { archive, names, grace_ms, defaults, tables, wanted, fixed, told })
    }
}

impl Roster {
    /// Refuses streams that the vote store knows with another numbering, by the ids of those it knows.
    pub(crate) fn fixed(self, stream_ids: impl IntoIterator<Item = String>) -> Self {
        Self { fixed: Fixed::new(stream_ids), ..self }
    }

    /// What is configured of single broadcasts.
    pub(crate) fn tables(&self) -> &[StreamTable] {
        &self.tables
    }

    /// The tracks that are configured for every broadcast whose table says nothing else.
    pub(crate) fn tracks(&self) -> Vec<String> {
        self.defaults.tracks.as_ref().map(|tracks| tracks.names().to_vec()).unwrap_or_default()
    }

    /// Finds the archive's streams, sorted by stream id bytes.
    pub(crate) fn sources(&mut self) -> eyre::Result<Sources> {
        let broadcasts = self.archive.broadcasts()?;
        for StreamTable { broadcast, .. } in &self.tables {
            if !broadcasts.iter().any(|found| found.name == *broadcast) {
                tracing::warn!(broadcast, "a [[stream]] table names a broadcast that is not in the archive");
            }
        }
        let (mut found, mut reasons) = (Vec::new(), Vec::new());
        for broadcast in &broadcasts {
            let (sources, reason) = self.sources_of(broadcast)?;
            found.extend(sources);
            reasons.push((broadcast, reason));
        }
        let manifests = self.archive.manifests.display().to_string();
        if broadcasts.is_empty() {
            bail!("{manifests}: no broadcast with a track file; is this the index of an archive?");
        }
        let mut found = distinct(found)?;
        if !found.is_empty() {
            found = self.chosen(found)?;
        }
        for (broadcast, reason) in reasons {
            self.tell_once(broadcast, reason);
        }
        if found.is_empty() {
            bail!("{manifests}: no broadcast has a track whose name ends in {MEDIA_ENDING}; set tracks");
        }
        Ok(self.with(found))
    }

    /// The same for a witness, which may be there before its archive: none is no error.
    pub(crate) fn sources_so_far(&mut self) -> eyre::Result<Sources> {
        match self.archive.broadcasts() {
            Err(error) if !matches!(error, ArchiveError::NoManifests { .. }) => Err(error.into()),
            Ok(broadcasts) if self.any_stream(&broadcasts)? => self.sources(),
            _ => Ok(self.with(Vec::new())),
        }
    }

    /// Maps broadcasts to streams as long as the witness runs. A broadcast that cannot be one is left out.
    pub(crate) fn mapping(mut self) -> Mapping {
        let mut refused = HashSet::new();
        Box::new(move |broadcasts| {
            let mut found = BTreeMap::new();
            for broadcast in broadcasts {
                if let Err(error) = self.take(&broadcast, &mut found)
                    && refused.insert(broadcast.name.clone())
                {
                    tracing::error!(broadcast = broadcast.name, %error, "the broadcast is left out");
                }
            }
            found.into_values().collect()
        })
    }

    /// Adds the streams that a broadcast is and that are to be followed, unless another broadcast is one of them already.
    fn take(&mut self, broadcast: &Broadcast, found: &mut BTreeMap<String, Source>) -> eyre::Result<()> {
        let (mut sources, reason) = self.sources_of(broadcast)?;
        self.tell_once(broadcast, reason);
        sources.retain(|source| self.is_wanted(source));
        if let Some((other, stream)) = sources.iter().find_map(|source| {
            let stream = &source.rule.stream_id;
            Some((&found.get(stream)?.broadcast, stream))
        }) {
            bail!("broadcast {other:?} is stream {stream:?} already; give each its own stream_id");
        }
        found.extend(sources.into_iter().map(|source| (source.rule.stream_id.clone(), source)));
        Ok(())
    }

    /// The streams that a broadcast is, and what to say of one that has none of its tracks.
    fn sources_of(&self, broadcast: &Broadcast) -> eyre::Result<(Vec<Source>, Option<String>)> {
        let (table, tracks) = (self.table(&broadcast.name), broadcast.tracks()?);
        let found = sources(&table, &tracks, &self.defaults)?;
        found.iter().try_for_each(|source| self.fixed.check(&source.rule))?;
        Ok((found, without_tracks(&table, &tracks, &self.defaults)?))
    }

    /// Says what there is to say of a broadcast, unless it was said.
    fn tell_once(&mut self, broadcast: &Broadcast, reason: Option<String>) {
        if let Some(reason) = reason
            && self.told.insert(broadcast.name.clone())
        {
            tracing::warn!(broadcast = broadcast.name, "{reason}");
        }
    }

    /// Whether any of these is a stream.
    fn any_stream(&self, broadcasts: &[Broadcast]) -> eyre::Result<bool> {
        for broadcast in broadcasts {
            if !self.sources_of(broadcast)?.0.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// What is configured of a broadcast.
    fn table(&self, broadcast: &str) -> StreamTable {
        let table = self.tables.iter().find(|table| table.broadcast == broadcast).cloned();
        table.unwrap_or_else(|| StreamTable::of(broadcast))
    }

    fn with(&self, streams: Vec<Source>) -> Sources {
        Sources { archive: self.archive.clone(), names: self.names.clone(), grace_ms: self.grace_ms, streams }
    }

    fn is_wanted(&self, source: &Source) -> bool {
        self.wanted.as_ref().is_none_or(|wanted| wanted.iter().any(|wanted| is_of(&source.rule, wanted)))
    }

    /// The streams that `--stream` names, or all.
    fn chosen(&self, mut sources: Vec<Source>) -> eyre::Result<Vec<Source>> {
        let is_there = |wanted: &&String| sources.iter().any(|source| is_of(&source.rule, wanted));
        if let Some(unknown) = self.wanted.iter().flatten().find(|wanted| !is_there(wanted)) {
            let known: BTreeSet<_> = sources.iter().map(|source| source.rule.stream_id.as_str()).collect();
            bail!("--stream {unknown}: no such stream; the archive has {}", Vec::from_iter(known).join(", "));
        }
        sources.retain(|source| self.is_wanted(source));
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
