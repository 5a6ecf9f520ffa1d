//! `derive`: archive → headers. No key, and no chain, unless lanes are to be named as a ledger names them.

mod listed;

use std::{io::Write, iter, num::NonZeroUsize, time::Instant};

use clap::Args;
use ec_archive::{
    ArchiveError, Broadcast, Checkpoints, DeriveError, Epochs, LinkedEpoch, Quarantined, Source, StreamIndex, Watch,
    in_order::map_in_order,
};
use ec_observation::{ObservationHash, ObservationHeader, SlotId, StreamRule, TimeMode};
use ec_witness::{advice::Seen, standing::SessionEpoch};
use eyre::bail;
use serde::Serialize;

use super::{
    Answer,
    agreement::AgreementArgs,
    asked::Asked,
    chain::ChainArgs,
    config::ConfigArg,
    connection::block_on,
    lanes, ledger,
    numbering::SeenStreams,
    output::{JobsArg, JsonArg, Progress, Unit, mark_time, push_json_line},
    roster::{ArchiveArgs, Sources},
    store::StoreArgs,
};

/// Epochs whose lines a thread writes at once: some 90 kB.
const CHUNK: usize = 128;

/// Bytes of most lines, at most.
const LINE_LEN: usize = 800;

/// Which archive to derive from.
///
/// Epochs of lanes are named by marks. Only the mark under which a session stands on the ledger is common to all witnesses:
/// with a ledger configured that is shown, else, and where a session is not there yet, this archive's own.
#[derive(Debug, Args)]
pub(crate) struct DeriveArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    #[command(flatten)]
    chain: ChainArgs,

    #[command(flatten)]
    store: StoreArgs,

    /// Write out the records of this epoch instead, as JSON: for another witness's `diff --author`. In a lane, its sequence
    /// as shown here, or the mark and the index by which the ledger has it.
    #[arg(long, env = "EC_WITNESS_RECORDS", value_name = "EPOCH|MARK/INDEX")]
    records: Option<Asked>,

    #[command(flatten)]
    jobs: JobsArg,

    #[command(flatten)]
    json: JsonArg,
}

/// One closed epoch of `derive --json`.
#[derive(Serialize)]
struct Line<'a> {
    stream_id: &'a str,
    epoch_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<SessionEpoch>,
    slot: SlotId,
    observation_hash: Option<ObservationHash>,
    leaf_count: Option<u64>,
    complete: bool,
    conflicting: bool,
    header: Option<ObservationHeader>,
}

impl<'a> Line<'a> {
    fn new(rule: &'a StreamRule, closed: &'a LinkedEpoch) -> Self {
        let named = &closed.named;
        Self {
            stream_id: &rule.stream_id,
            epoch_id: rule.epochs.id(named.name),
            session: SessionEpoch::of(rule, named.name, named.derived.key),
            slot: named.slot,
            observation_hash: closed.hash,
            leaf_count: closed.header.map(|_| named.derived.leaf_count),
            complete: named.derived.complete,
            conflicting: named.derived.is_conflicting(),
            header: closed.header,
        }
    }

    fn print(&self, out: &mut Vec<u8>) -> eyre::Result<()> {
        let state = match (self.conflicting, self.complete) {
            (true, _) => "conflicting",
            (false, true) => "complete",
            (false, false) => "incomplete",
        };
        let hash = self.observation_hash.map_or_else(|| "-".into(), |hash| hash.to_string());
        let leaves = self.leaf_count.map_or_else(|| "-".into(), |leaves| leaves.to_string());
        let begun = self.session.map_or_else(String::new, |session| format!("  of {}", mark_time(session.mark)));
        Ok(writeln!(out, "{}  {}{begun}  {leaves:>4} records  {state:<11}  {hash}", self.stream_id, self.epoch_id)?)
    }
}

impl DeriveArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let chain = self.chain.clone().or(file.chain.clone());
        let tolerance_ms = AgreementArgs::default().or(file.agreement).tolerance_ms(TimeMode::Received);
        let sources = self.archive.sources(file.archive, &file.stream)?;
        if let Some(asked) = self.records {
            let agreement = AgreementArgs::default().or(file.agreement);
            return listed::list(&sources, asked, agreement, self.json.json);
        }
        let (mut any, mut all_seen) = (false, SeenStreams::default());
        let has_lanes = sources.streams.iter().any(|source| source.rule.is_lane());
        let ledger = match chain.ledger.filter(|_| has_lanes) {
            Some(_) => {
                let store = self.store.directory_if_set(&file.store);
                Some(block_on(ledger::read(chain, sources.hashes(), store))?)
            }
            None => None,
        };
        for source in &sources.streams {
            let mut epochs = read_epochs(&sources, source, self.jobs, self.json.json)?;
            let mut known: Box<dyn FnMut(u64) -> Option<u64> + Send> = Box::new(|_| None);
            if let Some(follower) = ledger.as_ref().filter(|_| source.rule.is_lane()) {
                let Sources { archive, names, .. } = &sources;
                let index = StreamIndex::read(archive, &source.broadcast, source.rule.clone(), names, &mut ())?;
                known = Box::new(lanes::marks(follower, &index, tolerance_ms)?);
            }
            let seen = self.print(&source.rule, &mut epochs, known)?;
            any |= seen.any();
            all_seen.take(&source.rule, seen);
        }
        all_seen.tell();
        if !any {
            bail!(
                "{}: no closed epoch: none is complete, and none has a record of a later one after it",
                sources.archive.manifests.display()
            );
        }
        Ok(Answer::Yes)
    }

    /// Prints a line for each closed epoch of a stream, and tells what was seen of them.
    fn print(
        &self,
        rule: &StreamRule,
        epochs: &mut Epochs,
        known: impl FnMut(u64) -> Option<u64> + Send,
    ) -> eyre::Result<Seen> {
        // epochs in any order are gathered while they are printed: on several threads, each would keep that memory
        let jobs = if epochs.is_from_one_pass() { self.jobs.count() } else { NonZeroUsize::MIN };
        let (mut seen, mut out) = (Seen::default(), std::io::stdout());
        let mut epochs = epochs.closed_as(known)?.inspect(|epoch| {
            if let Ok(epoch) = epoch {
                seen.take(rule.epochs, &epoch.named.derived);
            }
        });
        let chunks =
            iter::from_fn(|| Some(Vec::from_iter(epochs.by_ref().take(CHUNK))).filter(|chunk| !chunk.is_empty()));
        let worker = || |chunk| self.lines(rule, chunk);
        map_in_order(jobs, chunks, worker, |(lines, end): (Vec<u8>, eyre::Result<()>)| {
            out.write_all(&lines)?;
            end
        })?;
        out.flush()?;
        Ok(seen)
    }

    /// The lines of some epochs, up to what keeps the next one from being shown.
    fn lines(&self, rule: &StreamRule, epochs: Vec<Result<LinkedEpoch, DeriveError>>) -> (Vec<u8>, eyre::Result<()>) {
        let mut lines = Vec::with_capacity(epochs.len() * LINE_LEN);
        let end = epochs.into_iter().try_for_each(|epoch| {
            let epoch = epoch?;
            let line = Line::new(rule, &epoch);
            if self.json.json { push_json_line(&mut lines, &line) } else { line.print(&mut lines) }
        });
        (lines, end)
    }
}

/// Reads a stream's index, showing progress and every bad line on stderr.
pub(crate) fn read_index(sources: &Sources, source: &Source, json: bool) -> eyre::Result<StreamIndex> {
    read_index_on(sources, source, None, json)
}

/// The same, going on where the daemon was when it kept what it had read.
pub(crate) fn read_index_on(
    sources: &Sources,
    source: &Source,
    kept: Option<&Checkpoints>,
    json: bool,
) -> eyre::Result<StreamIndex> {
    let broadcast = sources.archive.broadcast(&source.broadcast);
    let mut index = StreamIndex::new(&broadcast, source.rule.clone(), &sources.names);
    Reading::show(&broadcast, &source.rule, json, |reading| {
        for error in kept.into_iter().flat_map(|kept| kept.restore(&mut index, reading)) {
            tracing::warn!(%error, "the checkpoint is left aside; reading everything");
        }
        index.read_on(reading)
    })?;
    Ok(index)
}

/// Reads and derives the epochs of a stream at rest, showing progress and every bad line on stderr.
pub(crate) fn read_epochs(sources: &Sources, source: &Source, jobs: JobsArg, json: bool) -> eyre::Result<Epochs> {
    let broadcast = sources.archive.broadcast(&source.broadcast);
    let (rule, names) = (&source.rule, &sources.names);
    Reading::show(&broadcast, rule, json, |reading| {
        Epochs::read(&broadcast, rule.clone(), names, jobs.count(), reading)
    })
}

/// Shows how far the reading is, and what is wrong with what is read.
struct Reading {
    total: u64,
    done: u64,
    shown: Instant,
    progress: Progress,
    json: bool,
}

impl Reading {
    /// Shows how `read` goes.
    fn show<T>(
        broadcast: &Broadcast,
        rule: &StreamRule,
        json: bool,
        read: impl FnOnce(&mut Self) -> Result<T, ArchiveError>,
    ) -> eyre::Result<T> {
        let files = rule.tracks.names().iter().filter_map(|track| broadcast.track_file(track).metadata().ok());
        let mut reading = Self {
            total: files.map(|file| file.len()).sum(),
            done: 0,
            shown: Instant::now(),
            progress: Progress::start("reading the index", Unit::Bytes),
            json,
        };
        let result = read(&mut reading);
        reading.progress.finish();
        Ok(result?)
    }
}

impl Watch for Reading {
    fn read(&mut self, bytes: u64) {
        self.done += bytes;
        if self.shown.elapsed().as_millis() > 100 {
            self.shown = Instant::now();
            self.progress.set(self.done, self.total);
        }
    }

    fn quarantined(&mut self, line: Quarantined) {
        self.progress.suspend(|| show_quarantined(&line, self.json));
    }
}

/// Says on stderr that a line is bad.
pub(crate) fn show_quarantined(line: &Quarantined, json: bool) {
    let Quarantined { file, offset, reason } = line;
    if json {
        let object = serde_json::json!({"quarantined": {"file": file, "offset": offset, "reason": reason.to_string()}});
        eprintln!("{object}");
    } else {
        eprintln!("warning: {}: bad line at offset {offset}: {reason}", file.display());
    }
}
