//! `derive`: archive → headers. No key, no chain.

use std::{io::Write, time::Instant};

use clap::Args;
use ec_witness::{
    archive::{
        AtRest, Observation, StreamIndex, Sweep,
        index::{Quarantined, Watch},
    },
    daemon::Source,
    listing::Listing,
    observation::{ObservationHash, ObservationHeader, SlotId},
};
use eyre::bail;
use serde::Serialize;

use super::{
    Answer,
    output::{JsonArg, Progress, json_line},
    settings::{ArchiveArgs, ConfigArg, Sources},
};

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
    fn new(stream_id: &'a str, observation: &'a Observation) -> Self {
        let derived = &observation.derived;
        Self {
            stream_id,
            epoch_id: &derived.epoch_id,
            slot: derived.slot,
            observation_hash: observation.hash(),
            leaf_count: observation.header.map(|_| derived.leaf_count),
            complete: derived.complete,
            conflicting: derived.is_conflicting(),
            header: observation.header,
        }
    }

    fn print(&self) -> eyre::Result<()> {
        let mut out = std::io::stdout().lock();
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
        let mut closed = 0;
        for source in &sources.streams {
            let index = read_index(&sources, source, self.json.json)?;
            for observation in AtRest::new(&index) {
                let observation = observation?;
                closed += 1;
                let line = Line::new(&source.rule.stream_id, &observation);
                if self.json.json { json_line(&line)? } else { line.print()? }
            }
        }
        if closed == 0 {
            bail!(
                "{}: no closed epoch: none is complete, and none has a record of a later one after it",
                sources.archive.manifests.display()
            );
        }
        Ok(Answer::Yes)
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
    let mut index =
        StreamIndex::new(&sources.archive.broadcast(&source.broadcast), source.rule.clone(), &sources.names);
    let files = index.tracks().iter().filter_map(|track| track.path().metadata().ok());
    let mut reading = Reading {
        total: files.map(|file| file.len()).sum(),
        done: 0,
        shown: Instant::now(),
        progress: Progress::start("reading the index"),
        json,
    };
    let read = index.read_on(&mut reading);
    reading.progress.finish();
    read?;
    Ok(index)
}

/// Shows how far the reading is, and what is wrong with what is read.
struct Reading {
    total: u64,
    done: u64,
    shown: Instant,
    progress: Progress,
    json: bool,
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
