//! `archive record`.

use std::{fs, num::NonZeroU64, path::PathBuf};

use clap::Args;
use ec_archive::{
    cas::Cas,
    recorder::{
        RecordedTrack, Recorder, Recording, Start,
        broadcast::BroadcastName,
        input::{self, Stream},
    },
};
use ec_observation::Numbering;
use ec_witness::clock;
use eyre::ensure;

use super::{Answer, dirs::ArchiveDirs, numbering::NumberingArg};
use crate::cli::output::{JsonArg, Progress, Unit, json_line};

/// What to record, and as what.
#[derive(Debug, Args)]
pub(crate) struct RecordArgs {
    #[command(flatten)]
    dirs: ArchiveDirs,

    /// Name of the broadcast; may contain `/`.
    #[arg(long, env = "EC_WITNESS_BROADCAST", value_name = "NAME")]
    broadcast: BroadcastName,

    /// Broadcast time of the media's time 0, in Unix milliseconds. Receive times follow the media from there, however fast
    /// it is read [default: what EXT-X-PROGRAM-DATE-TIME of a list says; 0 if the media's own times are Unix times; that of
    /// an earlier recording of the same input; else such that the media begins now, and the receive times of a file lie
    /// ahead].
    #[arg(long, env = "EC_WITNESS_START_UNIX_MS", value_name = "MS")]
    start_unix_ms: Option<u64>,

    #[command(flatten)]
    numbering: NumberingArg,

    /// Duration of a group in milliseconds.
    #[arg(long, env = "EC_WITNESS_CHUNK_DURATION_MS", value_name = "MS", default_value = "2000")]
    chunk_duration_ms: NonZeroU64,

    /// How long after its end, in broadcast time, a group counts as received, in milliseconds.
    #[arg(long, env = "EC_WITNESS_LATENCY_MS", value_name = "MS", default_value = "500")]
    latency_ms: u64,

    /// Take inputs whose tracks look alike as tracks of the same time. Without it they are refused, as recordings that
    /// follow each other look so too.
    #[arg(long, env = "EC_WITNESS_PARALLEL")]
    parallel: bool,

    #[command(flatten)]
    json: JsonArg,

    /// Fragmented MP4 files, HLS playlists with fMP4 segments, or directories of one presentation.
    #[arg(required = true, value_name = "INPUT")]
    inputs: Vec<PathBuf>,
}

impl RecordArgs {
    pub(crate) fn run(self) -> eyre::Result<Answer> {
        let inputs = self.inputs()?;
        let recorder = Recorder {
            cas: Cas::new(self.dirs.cas()?),
            manifests: self.dirs.manifests()?,
            broadcast: self.broadcast,
            start: self.start_unix_ms.map_or_else(|| Start::OfTheMedia { now_unix_ms: clock::unix_ms() }, Start::At),
            chunk_duration_ms: self.chunk_duration_ms,
            latency_ms: self.latency_ms,
            parallel: self.parallel,
            numbering: self.numbering.numbering,
        };
        let progress = Progress::start("recording", Unit::Bytes);
        let (mut done, of) = (0, 2 * bytes_of(&inputs));
        let recorded = recorder.record(&inputs, &mut |bytes| {
            done += bytes;
            progress.set(done, of);
        });
        progress.finish();
        let recording = recorded?;
        tell_numbering(recording.numbering);
        recording.left_out.iter().for_each(|what| eprintln!("warning: {what}"));
        warn_of_gaps(&recording);
        match self.json.json {
            true => json_line(&recording)?,
            false => print(&recording)?,
        }
        Ok(Answer::Yes)
    }

    fn inputs(&self) -> eyre::Result<Vec<Stream>> {
        let mut inputs = Vec::new();
        for (place, input) in self.inputs.iter().enumerate() {
            ensure!(!self.inputs[..place].contains(input), "{} is given twice; give each input once", input.display());
            inputs.extend(input::inputs(input)?);
        }
        Ok(inputs)
    }
}

/// Roughly the bytes that one reading goes through; only progress depends on it.
fn bytes_of(inputs: &[Stream]) -> u64 {
    let pieces = inputs.iter().flat_map(|input| &input.parts).flat_map(|part| &part.pieces);
    let bytes = pieces.filter_map(|piece| match piece.range {
        Some((_, length)) => Some(length),
        None => fs::metadata(&piece.path).ok().map(|metadata| metadata.len()),
    });
    bytes.fold(0, u64::saturating_add)
}

fn tell_numbering(numbering: Numbering) {
    let meaning = match numbering {
        Numbering::Session => "each track counts from 0 at every start of the publisher",
        Numbering::Timeline => "all tracks share the numbers of the broadcast's timeline",
    };
    eprintln!("numbering: {} ({meaning})", numbering.name());
}

fn warn_of_gaps(recording: &Recording) {
    for RecordedTrack { track, gaps, .. } in &recording.tracks {
        for (first, last) in gaps {
            match first == last {
                true => eprintln!("warning: {track}: sequence {first} has no group"),
                false => eprintln!("warning: {track}: sequences {first} to {last} have no group"),
            }
        }
    }
}

fn print(recording: &Recording) -> eyre::Result<()> {
    use std::io::Write;
    let mut out = std::io::stdout().lock();
    for RecordedTrack { track, groups, first_sequence, last_sequence, appended, bytes, .. } in &recording.tracks {
        write!(
            out,
            "{} {track}: {groups} {}, {bytes} bytes",
            recording.broadcast,
            if *groups == 1 { "group" } else { "groups" }
        )?;
        if let (Some(first), Some(last)) = (first_sequence, last_sequence) {
            write!(out, ", sequences {first} to {last}")?;
        }
        writeln!(out, "; {appended} appended")?;
    }
    writeln!(out, "{} objects written, {} bytes", recording.objects_written, recording.bytes_written)?;
    Ok(())
}
