//! `diff`: where two archives of the same streams differ.

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use clap::{ArgGroup, Args};
use ec_archive::{Archive, ArchiveError, Source, StreamIndex, Sweep, SweptEpoch};
use ec_observation::{EpochKey, EpochName, EpochRecords, ListedRecord, Listing, TimeMode, tree};
use eyre::{OptionExt, WrapErr, bail};
use serde::Serialize;

use super::{
    Answer,
    agreement::AgreementArgs,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    derive::read_index,
    input::read_text,
    lanes::{self, Received},
    ledger,
    output::{JsonArg, json_line},
    roster::{ArchiveArgs, Sources},
};

/// Which archives to compare. Exit code 1 when they differ.
///
/// Epochs of a lane are compared with those of the same index that were received at about the same time, however often the
/// numbers have begun anew in either archive.
///
/// For each epoch that differs, the first differing record is found by descending the two trees. The other side is
/// another archive, or the records of one epoch that a candidate's author wrote out with `derive --records`; with a
/// ledger configured it is first checked that these are what a candidate on the ledger says.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("side").required(true))]
pub(crate) struct DiffArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    /// The other archive's directory.
    #[arg(long, env = "EC_WITNESS_OTHER", value_name = "DIR", group = "side")]
    other: Option<PathBuf>,

    /// A candidate's author's records of one epoch; `-` for standard input.
    #[arg(long, env = "EC_WITNESS_AUTHOR", value_name = "FILE", group = "side")]
    author: Option<PathBuf>,

    #[command(flatten)]
    json: JsonArg,
}

/// One epoch of `diff --json`.
#[derive(Debug, Serialize)]
struct Difference<'a> {
    stream_id: &'a str,
    sequence: u64,
    /// The segment of the own archive, of an epoch of a lane that is there.
    #[serde(skip_serializing_if = "Option::is_none")]
    segment: Option<u64>,
    /// The first leaf that differs; null where only completeness or a conflict does.
    index: Option<usize>,
    own: Option<ListedRecord>,
    other: Option<ListedRecord>,
    own_records: usize,
    other_records: usize,
}

impl DiffArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let sources = self.archive.sources(file.archive, &file.stream)?;
        let tolerance_ms = AgreementArgs::default().or(file.agreement).tolerance_ms(TimeMode::Received);
        let differences = match (&self.other, &self.author) {
            (Some(other), _) => self.with_archive(&sources, other, tolerance_ms)?,
            (None, Some(author)) => {
                self.with_author(&sources, author, self.chain.clone().or(file.chain), tolerance_ms)?
            }
            (None, None) => bail!("give --other DIR or --author FILE"),
        };
        if differences == 0 && !self.json.json {
            writeln!(io::stdout().lock(), "no difference")?;
        }
        Ok((differences == 0).into())
    }

    fn with_archive(&self, sources: &Sources, other: &Path, tolerance_ms: u64) -> eyre::Result<usize> {
        let others = Sources { archive: Archive::at(other), ..sources.clone() };
        if !others.archive.manifests.is_dir() {
            bail!("--other {}: no `manifests/` in this directory", other.display());
        }
        let mut differences = 0;
        for source in &sources.streams {
            let own = read_index(sources, source, self.json.json)?;
            let other = read_index(&others, source, self.json.json)?;
            differences += match source.rule.is_lane() {
                true => self.compare_lanes(source, &own, &other, tolerance_ms)?,
                false => self.compare(source, &own, &other)?,
            };
        }
        Ok(differences)
    }

    fn with_author(
        &self,
        sources: &Sources,
        author: &Path,
        chain: ChainArgs,
        tolerance_ms: u64,
    ) -> eyre::Result<usize> {
        let shown = author.display();
        let listing = read_listing(author).wrap_err_with(|| format!("--author {shown}"))?;
        let source = sources.streams.iter().find(|source| source.rule.stream_id == listing.stream_id);
        let source =
            source.ok_or_else(|| eyre::eyre!("--author {shown}: the archive has no stream {:?}", listing.stream_id))?;
        let other = listing.records(&source.rule).wrap_err_with(|| format!("--author {shown}"))?;
        let name = listing.name().ok_or_eyre("its mark is above its sequence")?;
        if chain.ledger.is_some() {
            block_on(require_candidate(chain, source, name, &other))?;
        }
        let index = read_index(sources, source, self.json.json)?;
        let own = lanes::called(&index, name, tolerance_ms)?;
        let epochs: Vec<_> = own.iter().map(|swept| (Some(swept.derived.key), &swept.records)).collect();
        let none = [(None, &EpochRecords::default())];
        let epochs = if epochs.is_empty() { none.as_slice() } else { epochs.as_slice() };
        let differences: Vec<_> =
            epochs.iter().map(|(key, own)| difference(source, (listing.sequence, *key), own, &other)).collect();
        // where several segments have the epoch, one that is equal is enough
        match differences.into_iter().collect::<Option<Vec<_>>>() {
            Some(differences) => differences.iter().try_for_each(|difference| self.show(difference)).map(|()| 1),
            None => Ok(0),
        }
    }

    /// Compares the epochs of two archives of a lane, in the order of the own one; returns how many differ.
    fn compare_lanes(
        &self,
        source: &Source,
        own: &StreamIndex,
        other: &StreamIndex,
        tolerance_ms: u64,
    ) -> eyre::Result<usize> {
        let marks = [lanes::own_marks(own)?, lanes::own_marks(other)?];
        let mut differences = 0;
        for (ours, theirs) in lanes::pairs(&Received::all(own)?, &Received::all(other)?, tolerance_ms) {
            let (key, marks) = match (ours, theirs) {
                (Some(key), _) => (key, &marks[0]),
                (None, Some(key)) => (key, &marks[1]),
                (None, None) => continue,
            };
            let mark = marks.get(&key.segment).copied().unwrap_or_default();
            let sequence = mark.saturating_add(key.index);
            let (our, their) = (records(own, ours)?, records(other, theirs)?);
            if let Some(difference) = difference(source, (sequence, ours), &our, &their) {
                differences += 1;
                self.show(&difference)?;
            }
        }
        Ok(differences)
    }

    /// Walks both archives by ascending epoch; returns how many differ.
    fn compare(&self, source: &Source, own: &StreamIndex, other: &StreamIndex) -> eyre::Result<usize> {
        let (mut ours, mut theirs) = (Sweep::all(own).peekable(), Sweep::all(other).peekable());
        let mut differences = 0;
        let epoch = |swept: Option<&Result<SweptEpoch, _>>| match swept {
            Some(Ok(swept)) => Some(swept.derived.key.index),
            _ => None,
        };
        loop {
            let lowest = [epoch(ours.peek()), epoch(theirs.peek())].into_iter().flatten().min();
            let is_lowest = |swept: &Result<SweptEpoch, _>| {
                swept.as_ref().map_or(true, |swept| Some(swept.derived.key.index) == lowest)
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
            if let Some(difference) = difference(source, (sequence, None), &records(&our), &records(&their)) {
                differences += 1;
                self.show(&difference)?;
            }
        }
    }

    fn show(&self, difference: &Difference<'_>) -> eyre::Result<()> {
        if self.json.json {
            return json_line(difference);
        }
        let mut out = io::stdout().lock();
        let Difference { stream_id, sequence, own_records, other_records, .. } = difference;
        writeln!(out, "{stream_id} epoch {sequence}: {own_records} records here, {other_records} there")?;
        for (side, record) in [("here ", &difference.own), ("there", &difference.other)] {
            match record {
                Some(ListedRecord { track, group_sequence, blake3, size_bytes }) => {
                    let blake3 = alloy::hex::encode(blake3);
                    writeln!(out, "  {side}: {track} group {group_sequence}, {size_bytes} bytes, blake3 {blake3}")?;
                }
                None => writeln!(out, "  {side}: no record at this place")?,
            }
        }
        Ok(())
    }
}

/// An epoch's records; none where it is none.
fn records(index: &StreamIndex, key: Option<EpochKey>) -> Result<EpochRecords, ArchiveError> {
    let swept = key.and_then(|key| Sweep::new(index, key..=key).next()).transpose()?;
    Ok(swept.map(|swept| swept.records).unwrap_or_default())
}

fn read_listing(path: &Path) -> eyre::Result<Listing> {
    let text = read_text(path)?;
    serde_json::from_str(&text).wrap_err("not one epoch's records, as `derive --records` writes them")
}

/// Fails unless a candidate on the ledger says just what these records say.
async fn require_candidate(
    chain: ChainArgs,
    source: &Source,
    name: EpochName,
    records: &EpochRecords,
) -> eyre::Result<()> {
    let rule = &source.rule;
    let follower = ledger::read(chain, [(rule.stream_hash(), rule.epochs)], None).await?;
    let named = rule.name(rule.derive(EpochKey::timeline(name.index), records), name.mark)?;
    let content = named.content.ok_or_eyre("the author's records conflict")?;
    let slot = follower.ledger().slot(named.slot);
    let candidates = slot.map(|slot| slot.candidates.as_slice()).unwrap_or_default();
    if !candidates.iter().any(|candidate| candidate.header.content() == content) {
        bail!(
            "epoch {}: none of the {} candidates on the ledger says what the author's records say",
            named.sequence,
            candidates.len()
        );
    }
    Ok(())
}

/// How the records of an epoch differ, by its sequence and, in a lane, by where it stands in the own archive.
fn difference<'a>(
    source: &'a Source,
    (sequence, key): (u64, Option<EpochKey>),
    own: &EpochRecords,
    other: &EpochRecords,
) -> Option<Difference<'a>> {
    let track_hashes = source.rule.track_hashes();
    let leaves = |records: &EpochRecords| records.leaves(&track_hashes);
    let index = tree::first_difference(&leaves(own), &leaves(other));
    if index.is_none() && own.is_conflicting() == other.is_conflicting() {
        return None;
    }
    let shown = |records: &EpochRecords| ListedRecord::all(&source.rule, records).nth(index?);
    Some(Difference {
        stream_id: &source.rule.stream_id,
        sequence,
        segment: key.filter(|_| source.rule.is_lane()).map(|key| key.segment),
        index,
        own: shown(own),
        other: shown(other),
        own_records: own.len(),
        other_records: other.len(),
    })
}
