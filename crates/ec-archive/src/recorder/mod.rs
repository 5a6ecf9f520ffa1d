//! Turns media into an archive: groups as objects of a content-addressed store, and a JSONL line for each.
//!
//! Recording reads its input twice. The first reading computes every group and compares it with the index, so that an
//! input that contradicts the archive changes nothing; the second stores.
//!
//! Recording the same input again, at the same time, appends nothing and puts missing objects and records back; one that has
//! grown meanwhile is gone on with. By [`Numbering::Session`], every other recording is another start of the publisher: its
//! numbers begin at 0 again. So does what follows a discontinuity. An index holds one numbering only.

pub mod broadcast;
mod catalog;
mod error;
pub mod groups;
pub mod index;
pub mod input;
mod known;
pub mod media;
mod plan;
pub mod reception;
mod runs;
mod start;
mod stretch;
#[cfg(test)]
mod testing;
pub mod track;
mod writer;
mod writing;

use std::{num::NonZeroU64, path::PathBuf};

use ec_observation::Numbering;
use serde::Serialize;

use self::{
    broadcast::BroadcastName,
    input::Stream,
    plan::Plan,
    runs::{Before, Run, runs},
    writer::ArchiveWriter,
    writing::Writing,
};
pub use self::{
    error::{OtherContent, OtherNumbering, RecorderError},
    start::Start,
};
use crate::cas::Cas;

/// Where and how to record.
#[derive(Clone, Debug)]
pub struct Recorder {
    /// The store.
    pub cas: Cas,
    /// The index's directory.
    pub manifests: PathBuf,
    /// The broadcast.
    pub broadcast: BroadcastName,
    /// Where the media lies in time.
    pub start: Start,
    /// The duration of a group in milliseconds.
    pub chunk_duration_ms: NonZeroU64,
    /// How long after its end a group counts as received, in milliseconds.
    pub latency_ms: u64,
    /// Whether inputs that look alike are tracks of the same time, rather than recordings that follow each other.
    pub parallel: bool,
    /// How the groups are numbered.
    pub numbering: Numbering,
}

/// What was recorded.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Recording {
    /// The broadcast.
    pub broadcast: String,
    /// How its groups are numbered.
    pub numbering: Numbering,
    /// The tracks of each start of the publisher, descriptions first.
    pub tracks: Vec<RecordedTrack>,
    /// Objects that were not in the store before.
    pub objects_written: u64,
    /// The bytes of these.
    pub bytes_written: u64,
    /// What of the input was not recorded, one sentence each.
    pub left_out: Vec<String>,
}

/// What was recorded of a track.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RecordedTrack {
    /// The track's name.
    pub track: String,
    /// Groups of the input.
    pub groups: u64,
    /// Their lowest sequence; `None` without groups.
    pub first_sequence: Option<u64>,
    /// Their highest sequence.
    pub last_sequence: Option<u64>,
    /// Records appended to the index; the other groups were there already.
    pub appended: u64,
    /// Bytes of all groups.
    pub bytes: u64,
    /// Inclusive ranges of sequences for which another track of the recording has a group, or could, and this one none.
    pub gaps: Vec<(u64, u64)>,
}

impl Recorder {
    /// Records `inputs` as the tracks of one broadcast. `progress` is told the bytes of each group, at both readings.
    ///
    /// # Errors
    ///
    /// [`RecorderError`]. Up to and with [`RecorderError::OtherNumbering`] nothing was written but, at most, an empty directory
    /// for the broadcast's index; later errors leave an archive that is whole but shorter, and recording can be repeated.
    pub fn record(&self, inputs: &[Stream], progress: &mut dyn FnMut(u64)) -> Result<Recording, RecorderError> {
        let runs = runs(inputs)?;
        let (mut plans, mut left_out) = self.plan(&runs, progress)?;
        left_out.splice(..0, inputs.iter().flat_map(|input| input.left_out.clone()));
        let writer = ArchiveWriter::lock(self.cas.clone(), &self.manifests, self.broadcast.clone())?;
        for plan in &mut plans {
            self.compare(plan)?;
        }
        let mut writing = Writing::new(self, writer, left_out);
        for (run, plan) in runs.iter().zip(&plans) {
            writing.store(run, plan, progress)?;
        }
        writing.finish()
    }

    /// What each run will hold, and what of all of them is not recorded.
    fn plan(&self, runs: &[Run<'_>], progress: &mut dyn FnMut(u64)) -> Result<(Vec<Plan>, Vec<String>), RecorderError> {
        let (mut plans, mut left_out, mut before): (Vec<Plan>, _, Option<Before>) = (Vec::new(), Vec::new(), None);
        for run in runs {
            let timeline = self.timeline(run, before)?;
            let mut plan = Plan::scan(run, timeline, self.numbering, progress)?;
            if !self.parallel {
                plan.refuse_alike(run)?;
            }
            left_out.append(&mut plan.left_out);
            before = plan.before(before);
            plans.push(plan);
        }
        match runs.iter().flatten().next() {
            Some(input) if plans.iter().all(Plan::is_empty) => {
                Err(RecorderError::NoWholeGroup { path: input.stream.given.clone() })
            }
            _ => Ok((plans, left_out)),
        }
    }
}
