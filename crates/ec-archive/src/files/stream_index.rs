//! The index of a stream: those of its tracks.

use std::{collections::BTreeMap, ops::Range, path::Path};

use ec_observation::{EpochKey, Record, StreamRule};
use rangemap::RangeSet;

use super::{
    layout::{Archive, Broadcast},
    track_index::TrackIndex,
};
use crate::{
    ArchiveError,
    index::{Mark, SegmentSpan},
    line::FieldNames,
    watch::{Lost, Watch},
};

/// The indexes of all tracks of one stream.
#[derive(Clone, Debug)]
pub struct StreamIndex {
    rule: StreamRule,
    tracks: Vec<TrackIndex>,
}

impl StreamIndex {
    /// An index of nothing yet.
    pub fn new(broadcast: &Broadcast, rule: StreamRule, names: &FieldNames) -> Self {
        let track = |name: &String| TrackIndex::new(broadcast, name, rule.epochs, names.clone());
        let tracks = rule.tracks.names().iter().map(track).collect();
        Self { rule, tracks }
    }

    /// The index of a broadcast as it stands.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read(
        archive: &Archive,
        broadcast: &str,
        rule: StreamRule,
        names: &FieldNames,
        watch: &mut impl Watch,
    ) -> Result<Self, ArchiveError> {
        let mut index = Self::new(&archive.broadcast(broadcast), rule, names);
        index.read_on(watch)?;
        Ok(index)
    }

    /// Reads what was appended to the track files.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read_on(&mut self, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        self.tracks.iter_mut().try_for_each(|track| track.read_on(watch))
    }

    /// Reads about `budget` bytes of what was appended to each track file; true when nothing is left.
    ///
    /// # Errors
    ///
    /// A file cannot be read; the others are read all the same.
    pub fn read_some(&mut self, budget: u64, watch: &mut impl Watch) -> Result<bool, ArchiveError> {
        let read: Vec<_> = self.tracks.iter_mut().map(|track| track.read_some(budget, watch)).collect();
        read.into_iter().try_fold(true, |all, finished| Ok(finished? && all))
    }

    #[cfg(test)]
    pub(crate) fn with_grain(mut self, grain: crate::index::Grain) -> Self {
        self.tracks.iter_mut().for_each(|track| track.set_grain(grain));
        self
    }

    /// The rule that the stream follows.
    pub fn rule(&self) -> &StreamRule {
        &self.rule
    }

    /// The tracks, in the order of their names.
    pub fn tracks(&self) -> &[TrackIndex] {
        &self.tracks
    }

    pub(crate) fn tracks_mut(&mut self) -> &mut [TrackIndex] {
        &mut self.tracks
    }

    /// The highest epoch that has a record. Every lower one has a later record beside it.
    pub fn highest_epoch(&self) -> Option<EpochKey> {
        self.tracks.iter().filter_map(TrackIndex::highest_epoch).max()
    }

    /// Whether an epoch may be complete; false only where it is sure that it is not, without reading anything.
    pub fn may_be_complete(&self, epoch: EpochKey) -> bool {
        self.tracks.iter().all(|track| track.may_be_complete(epoch))
    }

    /// Whether part of what an epoch rested on cannot be read any more, so that nobody here may vote on it.
    pub fn withholds(&self, epoch: EpochKey) -> bool {
        self.tracks.iter().any(|track| track.withholds(epoch))
    }

    /// How many epochs are withheld for good.
    pub fn withheld_epochs(&self) -> u64 {
        let withheld: RangeSet<EpochKey> = self.tracks.iter().flat_map(TrackIndex::withheld).collect();
        let segments = self.segments();
        withheld.iter().fold(0, |sum: u64, range| sum.saturating_add(count(range, &segments)))
    }

    /// What was read of each segment, ascending. On the timeline there is one.
    pub fn segments(&self) -> Vec<SegmentSpan> {
        let mut spans = BTreeMap::new();
        for span in self.tracks.iter().flat_map(TrackIndex::segments) {
            spans.entry(span.segment).or_insert(*span).join(span);
        }
        spans.into_values().collect()
    }

    /// What keeps epochs from being derived until a file comes or goes on.
    pub fn hindrance(&self) -> Option<String> {
        let absent = self.tracks.iter().find(|track| track.is_absent());
        let absent = absent.map(|track| format!("{}: the file is gone", track.path().display()));
        absent.or_else(|| {
            let broken = self.tracks.iter().find(|track| track.is_broken_off())?;
            Some(format!("{}: the file was lost, and no record has come since", broken.path().display()))
        })
    }

    /// Bytes read of all files that are kept.
    pub fn bytes_read(&self) -> u64 {
        self.tracks.iter().map(TrackIndex::bytes_read).sum()
    }

    /// Gives up the file that a reading found changed.
    pub fn lose(&mut self, path: &Path, generation: u64, watch: &mut impl Watch) {
        if let Some(track) = self.tracks.iter_mut().find(|track| track.path() == path) {
            track.lose(generation, Lost::Rewritten, watch);
        }
    }

    /// Reads the good lines of one epoch: each with its track's place among the tracks, repeated ones included.
    ///
    /// # Errors
    ///
    /// A file cannot be read, or no longer holds what was read of it; what the `sink` has heard must not count then.
    pub fn for_each_record(&self, epoch: EpochKey, mut sink: impl FnMut(usize, Record)) -> Result<(), ArchiveError> {
        for (place, track) in self.tracks.iter().enumerate() {
            for part in track.parts(epoch, epoch) {
                track.read_part(&part, |mark| match mark {
                    Mark::Record(found, record) if found == epoch => sink(place, record),
                    Mark::Record(..) | Mark::Bad(_) => {}
                })?;
            }
        }
        Ok(())
    }
}

/// How many epochs lie in a range: all of one segment, else those that are known of each.
fn count(range: &Range<EpochKey>, segments: &[SegmentSpan]) -> u64 {
    let last = range.end.before().unwrap_or(range.end);
    if range.start.segment == last.segment {
        return (last.index - range.start.index).saturating_add(1);
    }
    let within = |span: &SegmentSpan| {
        let low = EpochKey { segment: span.segment, index: span.lowest }.max(range.start);
        let high = EpochKey { segment: span.segment, index: span.highest }.min(last);
        if low <= high { (high.index - low.index).saturating_add(1) } else { 0 }
    };
    segments.iter().fold(0, |sum: u64, span| sum.saturating_add(within(span)))
}
