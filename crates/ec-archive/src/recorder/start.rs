//! Where media lies in time, if nobody says.

use std::collections::HashMap;

use ec_observation::{Numbering, Record};

use super::{
    Recorder, RecorderError,
    groups::{Groups, Timeline},
    index::{self, IndexError},
    input::Stream,
    media::Media,
    plan::{self, TrackNames},
};
use crate::{
    files::{Broadcast, TrackFile},
    line::FieldNames,
};

/// 2000-01-01 in Unix milliseconds. No stream has run for thirty years: media times from here on count from 1970.
const EARLIEST_CLOCK_MS: u64 = 946_684_800_000;

/// How far a publisher's clock may be ahead, milliseconds: a day.
const AHEAD_MS: u64 = 86_400_000;

/// Fragments that are looked at for the begin of a stream, whose tracks need not begin together.
const FIRST_FRAGMENTS: usize = 64;

/// The broadcast time of the media's time 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In Unix milliseconds.
    At(u64),
    /// 1970 for media whose times are Unix times. Else, by [`Numbering::Timeline`], where the index has the same media
    /// already; else such that the media begins now.
    OfTheMedia {
        /// The present in Unix milliseconds.
        now_unix_ms: u64,
    },
}

impl Recorder {
    /// The timeline of `inputs`.
    pub(super) fn timeline(&self, inputs: &[Stream]) -> Result<Timeline, RecorderError> {
        let now_unix_ms = match self.start {
            Start::At(start_unix_ms) => return Ok(self.timeline_from(start_unix_ms)),
            Start::OfTheMedia { now_unix_ms } => now_unix_ms,
        };
        let mut begins = Vec::new();
        for input in inputs {
            begins.extend(Begin::of(input)?.map(|begin| (begin, input)));
        }
        let Some(&(_, first)) = begins.iter().min_by_key(|(begin, _)| begin.first_ms) else {
            return Ok(self.timeline_from(now_unix_ms));
        };
        let first_ms = begins.iter().map(|(begin, _)| begin.first_ms).min().unwrap_or_default();
        if self.numbering == Numbering::Timeline
            && !is_unix_time(first_ms, now_unix_ms)
            && let Some((begin, input)) = begins.first()
            && let Some(known) = self.known_start(begin, input)?
        {
            return Ok(self.timeline_from(known));
        }
        match start(first_ms, now_unix_ms) {
            Some(start_unix_ms) => Ok(self.timeline_from(start_unix_ms)),
            None => Err(RecorderError::BeginsLate { path: first.given.clone(), first_ms }),
        }
    }

    fn timeline_from(&self, start_unix_ms: u64) -> Timeline {
        let Self { chunk_duration_ms, latency_ms, .. } = *self;
        Timeline { start_unix_ms, chunk_duration_ms, latency_ms }
    }

    /// The start of an earlier recording of the same media: one with the same init segment and first group.
    ///
    /// The init segment's record tells it, as that was received when the media began.
    fn known_start(&self, begin: &Begin, input: &Stream) -> Result<Option<u64>, RecorderError> {
        let mut starts = Vec::new();
        self.for_each_record(&plan::init_name(0), |record| {
            if record.blake3 == *begin.init.as_bytes() {
                let before_ms = self.latency_ms.saturating_add(begin.first_ms);
                starts.extend(record.received_unix_ms.and_then(|received| received.checked_sub(before_ms)));
            }
        })?;
        starts.dedup();
        for start in starts.into_iter().rev() {
            if self.has_first_group(input, self.timeline_from(start))? {
                return Ok(Some(start));
            }
        }
        Ok(None)
    }

    fn has_first_group(&self, input: &Stream, timeline: Timeline) -> Result<bool, RecorderError> {
        let mut groups = Groups::open(input, timeline, Numbering::Timeline)?;
        let mut names = TrackNames::default();
        let names: Vec<_> = groups.init().tracks.iter().map(|track| names.next(track.kind)).collect();
        let Some(group) = groups.next_group()? else { return Ok(false) };
        let wanted = HashMap::from([(group.sequence, plan::stored(group.sequence, &group.bytes))]);
        Ok(index::present(&self.broadcast_files(), &names[group.track], &wanted)?.wanted == wanted)
    }

    fn for_each_record(&self, track: &str, visit: impl FnMut(Record)) -> Result<(), IndexError> {
        let file = TrackFile::new(&self.broadcast_files(), track, FieldNames::default());
        index::for_each_record(&file, u64::MAX, visit)
    }

    /// The index's files of the broadcast.
    pub(super) fn broadcast_files(&self) -> Broadcast {
        Broadcast { name: self.broadcast.to_string(), directory: self.manifests.join(self.broadcast.as_str()) }
    }
}

/// How a stream begins.
struct Begin {
    init: blake3::Hash,
    /// The earliest time of its own, milliseconds.
    first_ms: u64,
}

impl Begin {
    /// `None` for a stream without fragments.
    fn of(input: &Stream) -> Result<Option<Self>, RecorderError> {
        let mut media = Media::open(input.pieces.clone())?;
        let init = blake3::hash(&media.init().bytes);
        let own_time = Timeline { start_unix_ms: 0, chunk_duration_ms: std::num::NonZeroU64::MIN, latency_ms: 0 };
        let mut first_ms: Option<u64> = None;
        for _ in 0..FIRST_FRAGMENTS {
            let Some(fragment) = media.next_fragment()? else { break };
            let begin_ms = own_time.unix_ms(fragment.decode_time, media.init().tracks[fragment.track].timescale);
            first_ms = first_ms.into_iter().chain(begin_ms).min();
        }
        Ok(first_ms.map(|first_ms| Self { init, first_ms }))
    }
}

fn is_unix_time(first_ms: u64, now_unix_ms: u64) -> bool {
    (EARLIEST_CLOCK_MS..=now_unix_ms.saturating_add(AHEAD_MS)).contains(&first_ms)
}

/// The start of media whose own times begin at `first_ms`; `None` if these lie after now.
fn start(first_ms: u64, now_unix_ms: u64) -> Option<u64> {
    match is_unix_time(first_ms, now_unix_ms) {
        true => Some(0),
        false => now_unix_ms.checked_sub(first_ms),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_since_1970_are_unix_times_and_others_begin_now() {
        const NOW: u64 = 1_796_000_000_000;
        let cases = [
            (0, Some(NOW)),
            (1_400, Some(NOW - 1_400)),
            (864_000_000, Some(NOW - 864_000_000)),
            (EARLIEST_CLOCK_MS, Some(0)),
            (NOW - 60_000, Some(0)),
            (NOW + 3_000, Some(0)),
            // since 1900
            (NOW + 2_208_988_800_000, None),
        ];
        for (first_ms, expected) in cases {
            assert_eq!(start(first_ms, NOW), expected, "{first_ms}");
        }
    }
}
