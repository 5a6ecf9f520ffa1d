//! Fragments joined to groups, by the windows of a broadcast's timeline.

use std::{collections::VecDeque, num::NonZeroU64};

use ec_observation::Numbering;

use super::{
    input::Part,
    media::{BoxOffset, Fragment, Init, Media, MediaError},
};

/// Where media lies on its broadcast's timeline, and how the timeline is cut.
#[derive(Clone, Copy, Debug)]
pub struct Timeline {
    /// Broadcast time, in Unix milliseconds, of the media's time 0.
    pub start_unix_ms: u64,
    /// The duration of a group in milliseconds.
    pub chunk_duration_ms: NonZeroU64,
    /// How long after its end a group counts as received, in milliseconds.
    pub latency_ms: u64,
}

impl Timeline {
    /// The broadcast time of a media time, in Unix milliseconds, rounded down; `None` beyond 2^64−1.
    pub fn unix_ms(&self, ticks: u64, timescale: u32) -> Option<u64> {
        let media_ms = u128::from(ticks) * 1000 / u128::from(timescale.max(1));
        self.start_unix_ms.checked_add(u64::try_from(media_ms).ok()?)
    }

    /// When a group with this end counts as received, Unix milliseconds.
    pub(crate) fn received_unix_ms(&self, end_unix_ms: u64) -> u64 {
        end_unix_ms.saturating_add(self.latency_ms)
    }

    /// The group that a broadcast time in milliseconds belongs to.
    pub(crate) fn sequence_at(&self, unix_ms: u64) -> u64 {
        unix_ms / self.chunk_duration_ms
    }
}

/// Why media could not be cut into groups.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum GroupError {
    /// The media itself.
    #[error(transparent)]
    Media(#[from] MediaError),
    /// A time beyond 2^64−1 ms.
    #[error("{at}: decode time {decode_time} from start {start_unix_ms} ms is beyond 2^64 ms")]
    TimeOverflow { at: BoxOffset, decode_time: u64, start_unix_ms: u64 },
    /// A fragment that does not follow the one before it in its track.
    #[error(
        "{at}: decode time of track {track_id} goes back to {decode_time}, expected at least {next}; in a list, put a line \
         #EXT-X-DISCONTINUITY before it, else record what comes before and after in runs of their own, each with its own \
         --start-unix-ms"
    )]
    GoesBack { at: BoxOffset, track_id: u32, decode_time: u64, next: u64 },
}

/// One group: the fragments of one track whose decode times lie in one window of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    /// Which of [`Init::tracks`] it belongs to, as an index.
    pub track: usize,
    /// Its number: under [`Numbering::Timeline`] `floor(broadcast time / chunk duration)` of its first fragment, under
    /// [`Numbering::Session`] how many groups of its track came before it.
    pub sequence: u64,
    /// Broadcast time of its first sample, in Unix milliseconds.
    pub begin_unix_ms: u64,
    /// Broadcast time of the end of its last sample, in Unix milliseconds.
    pub end_unix_ms: u64,
    /// Its fragments, one after the other.
    pub bytes: Vec<u8>,
}

/// Joins the fragments of a stream to groups, one open group per track.
///
/// A fragment belongs to the window of its decode time, wherever it ends; it is never cut. Edit lists and composition
/// offsets do not count. A group that may be a part of one, at the begin or the end of a stream that is cut there or beside
/// a segment that is empty, is held back: once it is stored, its number has that content for ever.
#[derive(Debug)]
pub struct Groups {
    media: Media,
    timeline: Timeline,
    numbering: Numbering,
    may_grow: bool,
    may_lack_begin: bool,
    tracks: Vec<Joining>,
    ready: VecDeque<Group>,
    held_back: Vec<HeldBack>,
    end_unix_ms: u64,
    last_window: Option<u64>,
}

/// A track of which groups are joined.
#[derive(Clone, Debug, Default)]
struct Joining {
    /// Numbered by the timeline until it is whole.
    open: Option<Group>,
    /// What the open group may lack.
    lacks: Option<Lack>,
    /// The number of the next group, by session.
    number: u64,
    /// The lowest decode time that still goes forward; `None` before the first fragment.
    next_decode_time: Option<u64>,
    /// How many empty pieces there were before its last fragment.
    empty_before: usize,
}

/// A group that may be a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Which of [`Init::tracks`] it belongs to, as an index.
    pub track: usize,
    /// Broadcast time of its first sample that is there, in Unix milliseconds.
    pub begin_unix_ms: u64,
    /// Broadcast time of the end of its last one.
    pub end_unix_ms: u64,
    /// What it may lack.
    pub lacks: Lack,
    /// The object that it would be.
    pub blake3: blake3::Hash,
}

/// What a group may lack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lack {
    /// Its begin, which may have left the list.
    Begin,
    /// Its end, which may come.
    End,
    /// What is to come in a segment that is empty.
    Segment,
}

impl Groups {
    /// Groups of `media`, which is whole, cut by `timeline` and numbered by `numbering`.
    pub fn new(media: Media, timeline: Timeline, numbering: Numbering) -> Self {
        let tracks = vec![Joining::default(); media.init().tracks.len()];
        let (ready, held_back) = (VecDeque::new(), Vec::new());
        let (may_grow, may_lack_begin, end_unix_ms, last_window) = (false, false, 0, None);
        Self {
            media,
            timeline,
            numbering,
            may_grow,
            may_lack_begin,
            tracks,
            ready,
            held_back,
            end_unix_ms,
            last_window,
        }
    }

    /// Opens a part of a stream, and cuts it as [`Self::new`] does.
    ///
    /// # Errors
    ///
    /// [`MediaError`] if it does not begin with an init segment.
    pub fn open(part: &Part, timeline: Timeline, numbering: Numbering) -> Result<Self, MediaError> {
        let Part { may_grow, may_lack_begin, .. } = *part;
        let media = Media::open(part.pieces.clone())?;
        Ok(Self { may_grow, may_lack_begin, ..Self::new(media, timeline, numbering) })
    }

    /// The groups that were held back so far.
    pub(crate) fn held_back(&self) -> &[HeldBack] {
        &self.held_back
    }

    /// What was left out since the last call, one sentence each.
    pub(crate) fn take_left_out(&mut self) -> Vec<String> {
        self.media.take_left_out()
    }

    /// The stream's init segment.
    pub fn init(&self) -> &Init {
        self.media.init()
    }

    /// Broadcast time of the end of what was read, in Unix milliseconds.
    pub(crate) fn end_unix_ms(&self) -> u64 {
        self.end_unix_ms
    }

    /// The highest window of the timeline of which a fragment was read.
    pub(crate) fn last_window(&self) -> Option<u64> {
        self.last_window
    }

    /// The next group that is whole, or `None` at the end. Sequences of one track only grow.
    ///
    /// # Errors
    ///
    /// [`GroupError`] where the media cannot be read or its times run back.
    pub(crate) fn next_group(&mut self) -> Result<Option<Group>, GroupError> {
        loop {
            if let Some(group) = self.ready.pop_front() {
                return Ok(Some(group));
            }
            match self.media.next_fragment()? {
                Some(fragment) => self.add(fragment)?,
                None => {
                    (0..self.tracks.len()).for_each(|track| self.end(track));
                    return Ok(self.ready.pop_front());
                }
            }
        }
    }

    fn add(&mut self, fragment: Fragment) -> Result<(), GroupError> {
        let (track, decode_time, empty_before) = (fragment.track, fragment.decode_time, fragment.empty_before);
        let is_first = self.check_order(&fragment)?;
        let group = self.group_of(fragment)?;
        self.end_unix_ms = self.end_unix_ms.max(group.end_unix_ms);
        self.last_window = self.last_window.max(Some(group.sequence));
        // before a window's first millisecond there is nothing of it, and nothing at all before time 0
        let is_begin = decode_time == 0 || group.begin_unix_ms % self.timeline.chunk_duration_ms == 0;
        let after_empty = self.tracks[track].empty_before < empty_before;
        self.tracks[track].empty_before = empty_before;
        let lacks = match is_first && self.may_lack_begin {
            _ if is_begin => None,
            true => Some(Lack::Begin),
            false => after_empty.then_some(Lack::Segment),
        };
        if after_empty {
            self.skip_empty(track, &group);
        }
        match &mut self.tracks[track].open {
            Some(open) if open.sequence == group.sequence => {
                open.bytes.extend_from_slice(&group.bytes);
                open.end_unix_ms = open.end_unix_ms.max(group.end_unix_ms);
            }
            _ => {
                self.close(track);
                let joining = &mut self.tracks[track];
                (joining.open, joining.lacks) = (Some(group), lacks);
            }
        }
        Ok(())
    }

    /// Notes that segments are empty between a track's open group and the next fragment, which begins `next`.
    fn skip_empty(&mut self, track: usize, next: &Group) {
        let window_end = |open: &Group| (open.sequence + 1).saturating_mul(self.timeline.chunk_duration_ms.get());
        let joining = &mut self.tracks[track];
        let Some(open) = &joining.open else { return };
        if next.sequence == open.sequence || open.end_unix_ms < window_end(open) {
            joining.lacks.get_or_insert(Lack::Segment);
        }
        // windows that are to come keep their numbers
        joining.number += (next.sequence - open.sequence).saturating_sub(1);
    }

    /// Takes the group of a track that nothing of the stream follows.
    fn end(&mut self, track: usize) {
        let joining = &self.tracks[track];
        if joining.empty_before < self.media.empty_pieces()
            && let Some(open) = joining.open.clone()
        {
            let after = Group { sequence: open.sequence.saturating_add(1), ..open };
            self.skip_empty(track, &after);
        }
        if self.may_grow {
            self.tracks[track].lacks.get_or_insert(Lack::End);
        }
        self.close(track);
    }

    /// Numbers a track's open group, which nothing follows in its window, unless it may be a part of one.
    fn close(&mut self, track: usize) {
        let joining = &mut self.tracks[track];
        let Some(mut group) = joining.open.take() else { return };
        let lacks = joining.lacks.take();
        let number = joining.number;
        // one that lacks its begin is the end of one that is no part of this list
        joining.number += u64::from(lacks != Some(Lack::Begin));
        if let Some(lacks) = lacks {
            let Group { begin_unix_ms, end_unix_ms, bytes, .. } = group;
            let blake3 = blake3::hash(&bytes);
            return self.held_back.push(HeldBack { track, begin_unix_ms, end_unix_ms, lacks, blake3 });
        }
        if self.numbering == Numbering::Session {
            group.sequence = number;
        }
        self.ready.push_back(group);
    }

    /// Refuses a fragment that begins at or before its predecessor; only one without duration may be followed at once.
    /// Returns whether it is its track's first.
    fn check_order(&mut self, fragment: &Fragment) -> Result<bool, GroupError> {
        let Fragment { track, decode_time, duration, .. } = *fragment;
        let next = self.tracks[track].next_decode_time.replace(decode_time.saturating_add(duration.min(1)));
        match next {
            Some(next) if decode_time < next => {
                let (at, track_id) = (fragment.at.clone(), self.init().tracks[track].track_id);
                Err(GroupError::GoesBack { at, track_id, decode_time, next })
            }
            _ => Ok(next.is_none()),
        }
    }

    /// A group of one fragment.
    fn group_of(&self, fragment: Fragment) -> Result<Group, GroupError> {
        let Fragment { track, decode_time, duration, bytes, at, .. } = fragment;
        let timescale = self.init().tracks[track].timescale;
        let begin = self.timeline.unix_ms(decode_time, timescale);
        let end = decode_time.checked_add(duration).and_then(|end| self.timeline.unix_ms(end, timescale));
        let (Some(begin_unix_ms), Some(end_unix_ms)) = (begin, end) else {
            let start_unix_ms = self.timeline.start_unix_ms;
            return Err(GroupError::TimeOverflow { at, decode_time, start_unix_ms });
        };
        let sequence = self.timeline.sequence_at(begin_unix_ms);
        Ok(Group { track, sequence, begin_unix_ms, end_unix_ms, bytes })
    }
}

#[cfg(test)]
mod tests;
