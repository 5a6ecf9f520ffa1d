//! `diff`: where two archives of the same streams differ.

use std::{io::Write, path::PathBuf};

use clap::Args;
use ec_witness::{
    archive::{Archive, EpochRecords, StreamIndex, Sweep, sweep::SweptEpoch},
    tree,
};
use eyre::bail;
use serde::Serialize;

use super::{
    Answer,
    derive::read_index,
    output::{JsonArg, json_line},
    settings::{ArchiveArgs, ConfigArg, Source, Sources},
};

/// Which archives to compare. Exit code 1 when they differ.
///
/// For each epoch that differs, the first differing record is found by descending the two trees.
#[derive(Debug, Args)]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    /// The other archive's directory.
    #[arg(long, env = "EC_WITNESS_OTHER", value_name = "DIR")]
    other: PathBuf,

    #[command(flatten)]
    json: JsonArg,
}

/// A record as one of the archives has it.
#[derive(Debug, PartialEq, Eq, Serialize)]
struct Shown {
    track: String,
    group_sequence: u64,
    #[serde(with = "alloy::hex::serde::no_prefix")]
    blake3: [u8; 32],
    size_bytes: u64,
}

/// One epoch of `diff --json`.
#[derive(Debug, Serialize)]
struct Difference<'a> {
    stream_id: &'a str,
    sequence: u64,
    /// The first leaf that differs; null where only completeness or a conflict does.
    index: Option<usize>,
    own: Option<Shown>,
    other: Option<Shown>,
    own_records: usize,
    other_records: usize,
}

impl DiffArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let other = Sources { archive: Archive::at(&self.other), ..sources.clone() };
        if !other.archive.manifests.is_dir() {
            bail!("--other {}: no `manifests/` in this directory", self.other.display());
        }
        let mut differences = 0;
        for source in &sources.streams {
            let own = read_index(&sources, source, self.json.json)?;
            let other = read_index(&other, source, self.json.json)?;
            differences += self.compare(source, &own, &other)?;
        }
        if differences == 0 && !self.json.json {
            writeln!(std::io::stdout().lock(), "no difference")?;
        }
        Ok((differences == 0).into())
    }

    /// Walks both archives by ascending epoch; returns how many differ.
    fn compare(&self, source: &Source, own: &StreamIndex, other: &StreamIndex) -> eyre::Result<usize> {
        let (mut ours, mut theirs) = (Sweep::all(own).peekable(), Sweep::all(other).peekable());
        let mut differences = 0;
        let epoch = |swept: Option<&Result<SweptEpoch, _>>| match swept {
            Some(Ok(swept)) => Some(swept.derived.sequence),
            _ => None,
        };
        loop {
            let lowest = [epoch(ours.peek()), epoch(theirs.peek())].into_iter().flatten().min();
            let is_lowest = |swept: &Result<SweptEpoch, _>| {
                swept.as_ref().map_or(true, |swept| Some(swept.derived.sequence) == lowest)
            };
            let our = ours.next_if(is_lowest).transpose()?;
            let their = theirs.next_if(is_lowest).transpose()?;
            let (our, their) = match (our, their, lowest) {
                (None, None, _) | (_, _, None) => return Ok(differences),
                (our, their, Some(_)) => (our, their),
            };
            let empty = EpochRecords::default();
            let records =
                |swept: &Option<SweptEpoch>| swept.as_ref().map_or(empty.clone(), |swept| swept.records.clone());
            let sequence = lowest.unwrap_or_default();
            if let Some(difference) = difference(source, sequence, &records(&our), &records(&their)) {
                differences += 1;
                self.show(&difference)?;
            }
        }
    }

    fn show(&self, difference: &Difference<'_>) -> eyre::Result<()> {
        if self.json.json {
            return json_line(difference);
        }
        let mut out = std::io::stdout().lock();
        let Difference { stream_id, sequence, own_records, other_records, .. } = difference;
        writeln!(out, "{stream_id} epoch {sequence}: {own_records} records here, {other_records} there")?;
        for (side, record) in [("here ", &difference.own), ("there", &difference.other)] {
            match record {
                Some(Shown { track, group_sequence, blake3, size_bytes }) => {
                    let blake3 = alloy::hex::encode(blake3);
                    writeln!(out, "  {side}: {track} group {group_sequence}, {size_bytes} bytes, blake3 {blake3}")?;
                }
                None => writeln!(out, "  {side}: no record at this place")?,
            }
        }
        Ok(())
    }
}

fn difference<'a>(
    source: &'a Source,
    sequence: u64,
    own: &EpochRecords,
    other: &EpochRecords,
) -> Option<Difference<'a>> {
    let track_hashes = source.rule.track_hashes();
    let leaves = |records: &EpochRecords| records.leaves(&track_hashes).collect::<Vec<_>>();
    let index = tree::first_difference(&leaves(own), &leaves(other));
    if index.is_none() && own.is_conflicting() == other.is_conflicting() {
        return None;
    }
    let shown = |records: &EpochRecords| {
        let (position, object) = records.objects().nth(index?)?;
        Some(Shown {
            track: source.rule.tracks.names().get(position.track)?.clone(),
            group_sequence: position.group_sequence,
            blake3: object.blake3,
            size_bytes: object.size_bytes,
        })
    };
    Some(Difference {
        stream_id: &source.rule.stream_id,
        sequence,
        index,
        own: shown(own),
        other: shown(other),
        own_records: own.len(),
        other_records: other.len(),
    })
}
