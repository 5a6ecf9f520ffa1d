//! The second reading of an input, which stores what was planned.

use super::{
    RecordedTrack, Recorder, RecorderError, Recording,
    groups::Groups,
    index::StoredGroup,
    plan::{self, Plan, PlannedTrack},
    runs::{Input, Run},
    writer::ArchiveWriter,
};

/// A recording in the making.
pub(super) struct Writing {
    writer: ArchiveWriter,
    recording: Recording,
}

impl Writing {
    pub(super) fn new(recorder: &Recorder, writer: ArchiveWriter, left_out: Vec<String>) -> Self {
        let recording = Recording {
            broadcast: recorder.broadcast.to_string(),
            numbering: recorder.numbering,
            tracks: Vec::new(),
            objects_written: 0,
            bytes_written: 0,
            left_out,
        };
        Self { writer, recording }
    }

    /// Stores a run as it was planned.
    pub(super) fn store(
        &mut self,
        run: &Run<'_>,
        plan: &Plan,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), RecorderError> {
        for description in &plan.descriptions {
            let plan::Description { name, stored, received_unix_ms, bytes, is_known, .. } = description;
            self.recording.tracks.push(recorded(name, &[*stored], Vec::new(), usize::from(*is_known)));
            self.store_group(name, stored, *received_unix_ms, bytes, *is_known)?;
        }
        for (track, gaps) in plan.media() {
            self.recording.tracks.push(recorded(&track.name, &track.groups, gaps, track.known.len()));
        }
        for (input, tracks) in run.iter().zip(&plan.inputs) {
            self.store_input(input, plan, tracks, progress)?;
        }
        Ok(())
    }

    fn store_input(
        &mut self,
        input: &Input<'_>,
        plan: &Plan,
        tracks: &[PlannedTrack],
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), RecorderError> {
        let planned: Vec<_> = tracks.iter().map(|track| PlannedTrack::by_sequence(&track.groups)).collect();
        let mut groups = Groups::open(&input.part, plan.timeline, plan.numbering)?;
        while let Some(group) = groups.next_group()? {
            let track = &tracks[group.track];
            let group_sequence = track.first_number + group.sequence;
            let stored = plan::stored(group_sequence, &group.bytes);
            if planned[group.track].get(&group_sequence) != Some(&stored) {
                return Err(RecorderError::InputChanged { track: track.name.clone(), group_sequence });
            }
            let received_unix_ms = plan.timeline.received_unix_ms(group.end_unix_ms);
            let is_known = track.known.contains(&group_sequence);
            self.store_group(&track.name, &stored, received_unix_ms, &group.bytes, is_known)?;
            progress(stored.size_bytes);
        }
        Ok(())
    }

    fn store_group(
        &mut self,
        track: &str,
        group: &StoredGroup,
        received_unix_ms: u64,
        bytes: &[u8],
        is_known: bool,
    ) -> Result<(), RecorderError> {
        if self.writer.store(track, group, received_unix_ms, bytes, is_known)? {
            self.recording.objects_written += 1;
            self.recording.bytes_written += group.size_bytes;
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Recording, RecorderError> {
        self.writer.sync()?;
        Ok(self.recording)
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
