//! Turns media into an archive: groups as objects of a content-addressed store, and a JSONL line for each.
//!
//! Recording reads its input twice. The first reading computes every group and compares it with the index, so that an
//! input that contradicts the archive changes nothing; the second stores.
//!
//! By [`Numbering::Timeline`], recording the same input again appends nothing and puts missing objects and records back.
//! By [`Numbering::Session`], each recording is another start of the publisher: its numbers begin at 0 again, and it is
//! appended whole. An index holds one numbering only.

pub mod broadcast;
mod catalog;
pub mod groups;
pub mod index;
pub mod input;
pub mod media;
mod plan;
pub mod reception;
mod start;
mod stretch;
#[cfg(test)]
mod testing;
pub mod track;
mod writer;

use std::{
    collections::{HashMap, HashSet},
    fmt,
    num::NonZeroU64,
    path::PathBuf,
};

use ec_observation::Numbering;
use serde::Serialize;

pub use self::start::Start;
use self::{
    broadcast::BroadcastName,
    groups::{GroupError, Groups, Timeline},
    index::{IndexError, Present, StoredGroup},
    input::{InputError, Stream},
    media::MediaError,
    plan::{Plan, PlannedTrack},
    writer::ArchiveWriter,
};
use crate::cas::{Cas, CasError};

/// Numbers from here on are a timeline's: those of 2 s groups since 1971, while a session would need months to get there.
const LOWEST_OF_TIMELINES: u64 = 10_000_000;

/// Why a recording was not made, or not to its end.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum RecorderError {
    #[error(transparent)]
    Input(#[from] InputError),
    #[error(transparent)]
    Media(#[from] MediaError),
    #[error(transparent)]
    Group(#[from] GroupError),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Cas(#[from] CasError),
    /// The input has an init segment but no group.
    #[error("{}: holds no fragment of a video or audio track", path.display())]
    NoGroups { path: PathBuf },
    /// The input has groups, but each may be a part of one.
    #[error("{}: has no whole group yet; record it again when it has grown", path.display())]
    NoWholeGroup { path: PathBuf },
    /// Media that begins later than now, from whatever its times count.
    #[error(
        "{}: media begins at {first_ms} ms of its own time, which is later than now if it counts from 1970; give \
         --start-unix-ms, the Unix time of its time 0",
        path.display()
    )]
    BeginsLate { path: PathBuf, first_ms: u64 },
    /// Inputs that look like one stream's successive recordings.
    #[error(
        "{} and {}: both have {what}, and tracks of one broadcast are of one time; recordings that follow each other are \
         recorded in runs of their own, each with its own --start-unix-ms, or joined by `cat` where their times go on; if \
         these are different tracks of the same time, give --parallel",
        first.display(), second.display()
    )]
    Alike { first: PathBuf, second: PathBuf, what: String },
    /// The index has other content for a group. Nothing was written.
    #[error("{0}; nothing was written")]
    Conflict(Box<OtherContent>),
    /// The index is numbered in the other way. Nothing was written.
    #[error("{0}; nothing was written")]
    OtherNumbering(Box<OtherNumbering>),
    /// The second reading of the input differs from the first.
    #[error("the input changed while it was read: track {track} group {group_sequence}; record it when it is complete")]
    InputChanged { track: String, group_sequence: u64 },
}

/// A group for which the index has other content than the input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OtherContent {
    /// The index file.
    pub index: PathBuf,
    /// The track.
    pub track: String,
    /// What the index has.
    pub present: StoredGroup,
    /// What the input has.
    pub planned: StoredGroup,
}

impl fmt::Display for OtherContent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { index, track, present, planned } = self;
        write!(f, "{}: group {} of track {track} is ", index.display(), present.group_sequence)?;
        write!(f, "{} ({} bytes), but in the input ", present.blake3, present.size_bytes)?;
        write!(f, "{} ({} bytes)", planned.blake3, planned.size_bytes)
    }
}

/// An index whose numbers are of the other kind than those of a recording.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{}: its groups are numbered from {lowest} on, by {present}, and this recording would go on by {}; give --numbering \
     {present}, or another --broadcast for the new numbers",
    index.display(), wanted.name(), present = present.name()
)]
pub struct OtherNumbering {
    /// The index file.
    pub index: PathBuf,
    /// The lowest number that it has.
    pub lowest: u64,
    /// How it is numbered.
    pub present: Numbering,
    /// How the recording would number.
    pub wanted: Numbering,
}

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
    /// Its tracks, descriptions first.
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
        let timeline = self.timeline(inputs)?;
        let mut plan = Plan::scan(inputs, &timeline, self.numbering, progress)?;
        if !self.parallel {
            plan.refuse_alike(inputs)?;
        }
        let writer = ArchiveWriter::lock(self.cas.clone(), &self.manifests, self.broadcast.clone())?;
        let left_out = std::mem::take(&mut plan.left_out);
        let mut writing = Writing::prepare(self, timeline, writer, &plan)?;
        writing.recording.left_out = left_out;
        for description in &plan.descriptions {
            writing.store(&description.name, &description.stored, description.received_unix_ms, &description.bytes)?;
        }
        for (input, tracks) in inputs.iter().zip(&plan.inputs) {
            writing.store_input(input, tracks, progress)?;
        }
        writing.finish()
    }
}

/// A recording in the making.
struct Writing<'a> {
    recorder: &'a Recorder,
    timeline: Timeline,
    writer: ArchiveWriter,
    present: HashMap<String, HashSet<u64>>,
    recording: Recording,
}

impl<'a> Writing<'a> {
    /// Compares the plan with the index.
    fn prepare(
        recorder: &'a Recorder,
        timeline: Timeline,
        writer: ArchiveWriter,
        plan: &Plan,
    ) -> Result<Self, RecorderError> {
        let recording = Recording {
            broadcast: recorder.broadcast.to_string(),
            numbering: recorder.numbering,
            tracks: Vec::new(),
            objects_written: 0,
            bytes_written: 0,
            left_out: Vec::new(),
        };
        let mut writing = Self { recorder, timeline, writer, present: HashMap::new(), recording };
        for description in &plan.descriptions {
            let groups = std::slice::from_ref(&description.stored);
            writing.add_track(&description.name, groups, Vec::new(), description.goes_on)?;
        }
        for (track, gaps) in plan.media() {
            writing.add_track(&track.name, &track.groups, gaps, false)?;
        }
        Ok(writing)
    }

    fn add_track(
        &mut self,
        track: &str,
        groups: &[StoredGroup],
        gaps: Vec<(u64, u64)>,
        goes_on: bool,
    ) -> Result<(), RecorderError> {
        let known = self.known_groups(track, groups, goes_on)?;
        self.recording.tracks.push(recorded(track, groups, gaps, known.len()));
        self.present.insert(track.to_owned(), known);
        Ok(())
    }

    /// The sequences of a track whose records are in the index, all of them equal to the planned ones. A session is
    /// appended whole, whatever sessions are there. With `goes_on`, the first group is known too where the last one
    /// before it is the same.
    fn known_groups(&self, track: &str, groups: &[StoredGroup], goes_on: bool) -> Result<HashSet<u64>, RecorderError> {
        let (broadcast, numbering) = (self.recorder.broadcast_files(), &self.recorder.numbering);
        let wanted = match numbering {
            Numbering::Session => HashMap::new(),
            Numbering::Timeline => PlannedTrack::by_sequence(groups),
        };
        let Present { wanted: present, lowest, before } = index::present(&broadcast, track, &wanted)?;
        if let Some((lowest, other)) = other_numbering(*numbering, lowest, groups) {
            let (index, wanted) = (broadcast.track_file(track), *numbering);
            let other = OtherNumbering { index, lowest, present: other, wanted };
            return Err(RecorderError::OtherNumbering(Box::new(other)));
        }
        for planned in groups {
            match present.get(&planned.group_sequence) {
                Some(present) if present != planned => {
                    let index = broadcast.track_file(track);
                    let (track, present, planned) = (track.to_owned(), *present, *planned);
                    return Err(RecorderError::Conflict(Box::new(OtherContent { index, track, present, planned })));
                }
                _ => {}
            }
        }
        let mut known: HashSet<_> = present.into_keys().collect();
        if let (true, Some(before), Some(first)) = (goes_on, before, groups.first())
            && (before.blake3, before.size_bytes) == (first.blake3, first.size_bytes)
        {
            known.insert(first.group_sequence);
        }
        Ok(known)
    }

    fn store_input(
        &mut self,
        input: &Stream,
        tracks: &[PlannedTrack],
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), RecorderError> {
        let planned: Vec<_> = tracks.iter().map(|track| PlannedTrack::by_sequence(&track.groups)).collect();
        let (timeline, numbering) = (self.timeline, self.recorder.numbering);
        let mut groups = Groups::open(input, timeline, numbering)?;
        while let Some(group) = groups.next_group()? {
            let (track, group_sequence) = (&tracks[group.track].name, group.sequence);
            let stored = plan::stored(group_sequence, &group.bytes);
            if planned[group.track].get(&group_sequence) != Some(&stored) {
                return Err(RecorderError::InputChanged { track: track.clone(), group_sequence });
            }
            let received_unix_ms = group.end_unix_ms.saturating_add(timeline.latency_ms);
            self.store(track, &stored, received_unix_ms, &group.bytes)?;
            progress(stored.size_bytes);
        }
        Ok(())
    }

    fn store(
        &mut self,
        track: &str,
        group: &StoredGroup,
        received_unix_ms: u64,
        bytes: &[u8],
    ) -> Result<(), RecorderError> {
        let is_indexed = self.present.get(track).is_some_and(|known| known.contains(&group.group_sequence));
        if self.writer.store(track, group, received_unix_ms, bytes, is_indexed)? {
            self.recording.objects_written += 1;
            self.recording.bytes_written += group.size_bytes;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<Recording, RecorderError> {
        self.writer.sync()?;
        Ok(self.recording)
    }
}

/// The numbering of an index with this lowest number, where groups numbered by `wanted` cannot follow it.
fn other_numbering(wanted: Numbering, lowest: Option<u64>, groups: &[StoredGroup]) -> Option<(u64, Numbering)> {
    let (lowest, planned) = (lowest?, groups.first()?.group_sequence);
    match wanted {
        Numbering::Session if lowest >= LOWEST_OF_TIMELINES => Some((lowest, Numbering::Timeline)),
        Numbering::Timeline if lowest < LOWEST_OF_TIMELINES && planned >= LOWEST_OF_TIMELINES => {
            Some((lowest, Numbering::Session))
        }
        _ => None,
    }
}

fn recorded(track: &str, groups: &[StoredGroup], gaps: Vec<(u64, u64)>, known: usize) -> RecordedTrack {
    RecordedTrack {
        track: track.to_owned(),
        groups: groups.len() as u64,
        first_sequence: groups.first().map(|group| group.group_sequence),
        last_sequence: groups.last().map(|group| group.group_sequence),
        appended: (groups.len() - known) as u64,
        bytes: groups.iter().map(|group| group.size_bytes).sum(),
        gaps,
    }
}
