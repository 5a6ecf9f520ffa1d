//! Fragments joined to groups, by the windows of a broadcast's timeline.

use std::{collections::VecDeque, num::NonZeroU64};

use ec_observation::Numbering;

use super::{
    input::Stream,
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
        "{at}: decode time of track {track_id} goes back to {decode_time}, expected at least {next}; record what \
         comes before and after in runs of their own, each with its own --start-unix-ms"
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
/// offsets do not count. A group that may be a part of one, at the begin or the end of a stream that is cut there, is held
/// back: once it is stored, its number has that content for ever.
#[derive(Debug)]
pub struct Groups {
    media: Media,
    timeline: Timeline,
    numbering: Numbering,
    may_grow: bool,
    may_lack_begin: bool,
    /// Numbered by the timeline until they are whole.
    open: Vec<Option<Group>>,
    /// How many groups of each track are whole.
    whole: Vec<u64>,
    /// The lowest decode time of each track that still goes forward.
    next_decode_times: Vec<u64>,
    /// Which tracks' open group may lack its begin.
    lacks_begin: Vec<bool>,
    ready: VecDeque<Group>,
    held_back: Vec<HeldBack>,
}

/// A group that may be a part of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeldBack {
    /// Which of [`Init::tracks`] it belongs to, as an index.
    pub track: usize,
    /// Broadcast time of its first sample that is there, in Unix milliseconds.
    pub begin_unix_ms: u64,
    /// Whether it lacks its begin, rather than its end.
    pub lacks_begin: bool,
}

impl Groups {
    /// Groups of `media`, which is whole, cut by `timeline` and numbered by `numbering`.
    pub fn new(media: Media, timeline: Timeline, numbering: Numbering) -> Self {
        let tracks = media.init().tracks.len();
        Self {
            media,
            timeline,
            numbering,
            may_grow: false,
            may_lack_begin: false,
            open: vec![None; tracks],
            whole: vec![0; tracks],
            next_decode_times: vec![0; tracks],
            lacks_begin: vec![false; tracks],
            ready: VecDeque::new(),
            held_back: Vec::new(),
        }
    }

    /// Opens a stream, and cuts it as [`Self::new`] does.
    ///
    /// # Errors
    ///
    /// [`MediaError`] if it does not begin with an init segment.
    pub fn open(stream: &Stream, timeline: Timeline, numbering: Numbering) -> Result<Self, MediaError> {
        let Stream { may_grow, may_lack_begin, .. } = *stream;
        let media = Media::open(stream.pieces.clone())?;
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
                    let left: Vec<_> = self.open.iter_mut().filter_map(Option::take).collect();
                    left.into_iter().for_each(|group| self.end(group));
                    return Ok(self.ready.pop_front());
                }
            }
        }
    }

    fn add(&mut self, fragment: Fragment) -> Result<(), GroupError> {
        let (track, decode_time) = (fragment.track, fragment.decode_time);
        let is_first = self.next_decode_times[track] == 0 && self.open[track].is_none();
        self.check_order(&fragment)?;
        let group = self.group_of(fragment)?;
        if is_first && self.may_lack_begin {
            // before a window's first millisecond there is nothing of it, and nothing at all before time 0
            let is_at_begin = group.begin_unix_ms % self.timeline.chunk_duration_ms == 0;
            self.lacks_begin[track] = decode_time > 0 && !is_at_begin;
        }
        match &mut self.open[track] {
            Some(open) if open.sequence == group.sequence => {
                open.bytes.extend_from_slice(&group.bytes);
                open.end_unix_ms = open.end_unix_ms.max(group.end_unix_ms);
            }
            open => {
                if let Some(whole) = open.replace(group) {
                    self.close(whole);
                }
            }
        }
        Ok(())
    }

    /// Takes a group that nothing of the stream follows.
    fn end(&mut self, group: Group) {
        match self.may_grow && !self.lacks_begin[group.track] {
            true => self.hold_back(&group, false),
            false => self.close(group),
        }
    }

    fn hold_back(&mut self, &Group { track, begin_unix_ms, .. }: &Group, lacks_begin: bool) {
        self.held_back.push(HeldBack { track, begin_unix_ms, lacks_begin });
    }

    /// Numbers a group that is whole at its end.
    fn close(&mut self, mut group: Group) {
        if std::mem::take(&mut self.lacks_begin[group.track]) {
            return self.hold_back(&group, true);
        }
        let number = &mut self.whole[group.track];
        if self.numbering == Numbering::Session {
            group.sequence = *number;
        }
        *number += 1;
        self.ready.push_back(group);
    }

    /// Refuses a fragment that begins at or before its predecessor; only one without duration may be followed at once.
    fn check_order(&mut self, fragment: &Fragment) -> Result<(), GroupError> {
        let Fragment { track, decode_time, duration, .. } = *fragment;
        let next = std::mem::replace(&mut self.next_decode_times[track], decode_time.saturating_add(duration.min(1)));
        if decode_time < next {
            let (at, track_id) = (fragment.at.clone(), self.init().tracks[track].track_id);
            return Err(GroupError::GoesBack { at, track_id, decode_time, next });
        }
        Ok(())
    }

    /// A group of one fragment.
    fn group_of(&self, fragment: Fragment) -> Result<Group, GroupError> {
        let Fragment { track, decode_time, duration, bytes, at } = fragment;
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
