//! `derive`: archive → headers. No key, no chain.

use std::{io::Write, iter, num::NonZeroUsize, time::Instant};

use clap::Args;
use ec_archive::{
    ArchiveError, Broadcast, DeriveError, Epochs, LinkedEpoch, Quarantined, Source, StreamIndex, Sweep, Watch,
    in_order::map_in_order,
};
use ec_observation::{Listing, ObservationHash, ObservationHeader, SlotId, StreamRule};
use eyre::bail;
use serde::Serialize;

use super::{
    Answer,
    config::ConfigArg,
    output::{JobsArg, JsonArg, Progress, Unit, json_line, push_json_line},
    roster::{ArchiveArgs, Sources},
};

/// Epochs whose lines a thread writes at once: some 90 kB.
const CHUNK: usize = 128;

/// Bytes of most lines, at most.
const LINE_LEN: usize = 800;

/// Which archive to derive from.
#[derive(Debug, Args)]
pub(crate) struct DeriveArgs {
    #[command(flatten)]
    config: ConfigArg,

    #[command(flatten)]
    archive: ArchiveArgs,

    /// Write out the records of this epoch instead, as JSON: for another witness's `diff --author`.
    #[arg(long, env = "EC_WITNESS_RECORDS", value_name = "EPOCH")]
    records: Option<u64>,

    #[command(flatten)]
    jobs: JobsArg,

    #[command(flatten)]
    json: JsonArg,
}

/// One closed epoch of `derive --json`.
#[derive(Serialize)]
struct Line<'a> {
    stream_id: &'a str,
    epoch_id: &'a str,
    slot: SlotId,
    observation_hash: Option<ObservationHash>,
    leaf_count: Option<u64>,
    complete: bool,
    conflicting: bool,
    header: Option<ObservationHeader>,
}

impl<'a> Line<'a> {
    fn new(stream_id: &'a str, closed: &'a LinkedEpoch) -> Self {
        let derived = &closed.derived;
        Self {
            stream_id,
            epoch_id: &derived.epoch_id,
            slot: derived.slot,
            observation_hash: closed.hash,
            leaf_count: closed.header.map(|_| derived.leaf_count),
            complete: derived.complete,
            conflicting: derived.is_conflicting(),
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
        Ok(writeln!(out, "{}  {}  {leaves:>4} records  {state:<11}  {hash}", self.stream_id, self.epoch_id)?)
    }
}

impl DeriveArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let file = self.config.read()?;
        let sources = self.archive.sources(file.archive, &file.stream)?;
        if let Some(epoch) = self.records {
            return self.list(&sources, epoch);
        }
        let mut any = false;
        for source in &sources.streams {
            let mut epochs = read_epochs(&sources, source, self.jobs, self.json.json)?;
            any |= self.print(&source.rule.stream_id, &mut epochs)?;
        }
        if !any {
            bail!(
                "{}: no closed epoch: none is complete, and none has a record of a later one after it",
                sources.archive.manifests.display()
            );
        }
        Ok(Answer::Yes)
    }

    /// Prints a line for each closed epoch of a stream; whether there was any.
    fn print(&self, stream_id: &str, epochs: &mut Epochs) -> eyre::Result<bool> {
        // epochs in any order are gathered while they are printed: on several threads, each would keep that memory
        let jobs = if epochs.is_from_one_pass() { self.jobs.count() } else { NonZeroUsize::MIN };
        let (mut any, mut out, mut epochs) = (false, std::io::stdout(), epochs.closed()?);
        let chunks =
            iter::from_fn(|| Some(Vec::from_iter(epochs.by_ref().take(CHUNK))).filter(|chunk| !chunk.is_empty()));
        let worker = || |chunk| self.lines(stream_id, chunk);
        map_in_order(jobs, chunks, worker, |(lines, end): (Vec<u8>, eyre::Result<()>)| {
            any |= !lines.is_empty();
            out.write_all(&lines)?;
            end
        })?;
        out.flush()?;
        Ok(any)
    }

    /// The lines of some epochs, up to what keeps the next one from being shown.
    fn lines(&self, stream_id: &str, epochs: Vec<Result<LinkedEpoch, DeriveError>>) -> (Vec<u8>, eyre::Result<()>) {
        let mut lines = Vec::with_capacity(epochs.len() * LINE_LEN);
        let end = epochs.into_iter().try_for_each(|epoch| {
            let epoch = epoch?;
            let line = Line::new(stream_id, &epoch);
            if self.json.json { push_json_line(&mut lines, &line) } else { line.print(&mut lines) }
        });
        (lines, end)
    }
}

impl DeriveArgs {
    /// Writes out one epoch's records, of each stream that has any.
    fn list(&self, sources: &Sources, epoch: u64) -> eyre::Result<Answer> {
        let mut listed = false;
        for source in &sources.streams {
            let index = read_index(sources, source, self.json.json)?;
            for swept in Sweep::new(&index, epoch..=epoch) {
                listed = true;
                json_line(&Listing::new(&source.rule, epoch, &swept?.records))?;
            }
        }
        if !listed {
            bail!("--records {epoch}: no stream of the archive has a record of this epoch");
        }
        Ok(Answer::Yes)
    }
}

/// Reads a stream's index, showing progress and every bad line on stderr.
pub(crate) fn read_index(sources: &Sources, source: &Source, json: bool) -> eyre::Result<StreamIndex> {
    let broadcast = sources.archive.broadcast(&source.broadcast);
    let mut index = StreamIndex::new(&broadcast, source.rule.clone(), &sources.names);
    Reading::show(&broadcast, &source.rule, json, |reading| index.read_on(reading))?;
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
