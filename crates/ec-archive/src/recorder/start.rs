//! Where media lies in time, if nobody says.

use std::{collections::HashMap, num::NonZeroU64};

use ec_observation::{Numbering, segments::SPREAD_MS};

use super::{
    Recorder, RecorderError,
    groups::Timeline,
    index,
    input::{Dated, Part},
    media::{Fragment, Media, TrackKind},
    plan::TrackNames,
    runs::{Before, Input, Run},
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

/// How far the date of a list and the media's time may have come apart, milliseconds, for an earlier recording of the same
/// media to be one of the same start; what is sent again within that time is a duplicate for readers too (protocol §2.5).
const STATED_WITHIN_MS: u128 = SPREAD_MS as u128;

/// The broadcast time of the media's time 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Start {
    /// In Unix milliseconds.
    At(u64),
    /// As the input's list states. Else 1970 for media whose times are Unix times; else where the index has the same media
    /// already; else such that the media begins now.
    OfTheMedia {
        /// The present in Unix milliseconds.
        now_unix_ms: u64,
    },
}

impl Recorder {
    /// The timeline of a run that comes after others or is the first.
    pub(super) fn timeline(&self, run: &Run<'_>, before: Option<Before>) -> Result<Timeline, RecorderError> {
        let now_unix_ms = match (self.start, before) {
            (Start::At(start_unix_ms), None) => return self.timeline_at(start_unix_ms, run),
            (Start::At(_), Some(_)) => None,
            (Start::OfTheMedia { now_unix_ms }, _) => Some(now_unix_ms),
        };
        let mut begins = Vec::new();
        for input in run {
            begins.extend(begin_ms(&input.part)?.map(|first_ms| (first_ms, input)));
        }
        let Some(&(first_ms, earliest)) = begins.iter().min_by_key(|(first_ms, _)| *first_ms) else {
            return Ok(self.timeline_from(now_unix_ms.unwrap_or_default()));
        };
        let begin = RunBegin { first_ms, first: begins[0].1, now_unix_ms };
        match self.start_of(run, &begin, before)? {
            Some(start_unix_ms) => self.after(start_unix_ms, &begin, before),
            None => Err(RecorderError::BeginsLate { path: earliest.stream.given.clone(), first_ms }),
        }
    }

    /// The timeline from a start that is given. One that the media's own times have in them already is refused.
    fn timeline_at(&self, start_unix_ms: u64, run: &Run<'_>) -> Result<Timeline, RecorderError> {
        for input in run.iter().filter(|_| start_unix_ms >= EARLIEST_CLOCK_MS) {
            if let Some(first_ms) = begin_ms(&input.part)?.filter(|first_ms| *first_ms >= EARLIEST_CLOCK_MS) {
                return Err(RecorderError::CountsTwice { path: input.stream.given.clone(), first_ms });
            }
        }
        Ok(self.timeline_from(start_unix_ms))
    }

    /// Where a run's time 0 lies; `None` for one that lies nowhere.
    fn start_of(
        &self,
        run: &Run<'_>,
        begin: &RunBegin<'_, '_>,
        before: Option<Before>,
    ) -> Result<Option<u64>, RecorderError> {
        let first_ms = begin.first_ms;
        let unix = is_unix_time(first_ms, begin.now_unix_ms.unwrap_or(u64::MAX - AHEAD_MS)).then_some(0);
        if begin.now_unix_ms.is_some()
            && let Some(stated) = stated_start(run)?
        {
            let known = self.known_starts(begin)?.into_iter().chain(unix);
            let distance = |start: &u64| stated.abs_diff(i128::from(*start));
            // what the run before has too is none of this one's
            let later_ms = first_ms + self.chunk_duration_ms.get();
            let is_later = |start: &u64| before.is_none_or(|before| start + later_ms > before.end_unix_ms);
            let near = known.filter(|start| distance(start) <= STATED_WITHIN_MS).filter(is_later).min_by_key(distance);
            return Ok(near.or_else(|| u64::try_from(stated).ok()));
        }
        if unix.is_some() {
            return Ok(unix);
        }
        if let Some(before) = before {
            return Ok(before.end_unix_ms.checked_sub(first_ms));
        }
        let known = self.known_starts(begin)?.pop();
        Ok(known.or_else(|| begin.now_unix_ms?.checked_sub(first_ms)))
    }

    /// The timeline of a run from this start, put off by the rest of the window that the run before has a group in: windows
    /// hold media of one run. One that begins earlier than that is refused.
    fn after(
        &self,
        start_unix_ms: u64,
        begin: &RunBegin<'_, '_>,
        before: Option<Before>,
    ) -> Result<Timeline, RecorderError> {
        let timeline = self.timeline_from(start_unix_ms);
        let (begin_unix_ms, chunk_ms) = (start_unix_ms.saturating_add(begin.first_ms), self.chunk_duration_ms.get());
        let free_unix_ms = match (before, self.numbering) {
            (Some(before), Numbering::Timeline) => (before.window + 1).saturating_mul(chunk_ms),
            _ => 0,
        };
        let put_off_ms = free_unix_ms.saturating_sub(begin_unix_ms);
        if put_off_ms > 2 * chunk_ms {
            let given = begin.first.stream.given.clone();
            return Err(RecorderError::BeginsBefore { path: given, begin_unix_ms, end_unix_ms: free_unix_ms });
        }
        Ok(Timeline { start_unix_ms: start_unix_ms + put_off_ms, ..timeline })
    }

    fn timeline_from(&self, start_unix_ms: u64) -> Timeline {
        let Self { chunk_duration_ms, latency_ms, .. } = *self;
        Timeline { start_unix_ms, chunk_duration_ms, latency_ms }
    }

    /// The starts of earlier recordings of the same media, in the order of the index: it has one of the first groups,
    /// whichever windows cut them, and when that was received.
    fn known_starts(&self, begin: &RunBegin<'_, '_>) -> Result<Vec<u64>, RecorderError> {
        let (track, ends_ms) = first_groups(&begin.first.part, self.chunk_duration_ms.get())?;
        let mut starts = Vec::new();
        let file = TrackFile::new(&self.broadcast_files(), &track, FieldNames::default());
        index::for_each_record(&file, u64::MAX, |record| {
            if let (Some(end_ms), Some(received)) = (ends_ms.get(&record.blake3), record.received_unix_ms) {
                starts.extend(received.checked_sub(self.latency_ms.saturating_add(*end_ms)));
            }
        })?;
        Ok(starts)
    }

    /// The index's files of the broadcast.
    pub(super) fn broadcast_files(&self) -> Broadcast {
        Broadcast { name: self.broadcast.to_string(), directory: self.manifests.join(self.broadcast.as_str()) }
    }
}

/// How a run begins.
struct RunBegin<'a, 'b> {
    /// The earliest time of its own, milliseconds.
    first_ms: u64,
    /// The first input that has fragments.
    first: &'a Input<'b>,
    /// The present, unless a start was given.
    now_unix_ms: Option<u64>,
}

/// The earliest time of its own that a part begins with, milliseconds; `None` for one without fragments.
fn begin_ms(part: &Part) -> Result<Option<u64>, RecorderError> {
    let mut media = Media::open(part.pieces.clone())?;
    let mut first_ms: Option<u64> = None;
    for _ in 0..FIRST_FRAGMENTS {
        let Some(fragment) = media.next_fragment()? else { break };
        let begin_ms = own_ms(fragment.decode_time, media.init().tracks[fragment.track].timescale);
        first_ms = first_ms.into_iter().chain(begin_ms).min();
    }
    Ok(first_ms)
}

/// The start that the first list with a date states: the date of a segment less the time of its pictures, else of its sound.
fn stated_start(run: &Run<'_>) -> Result<Option<i128>, RecorderError> {
    for input in run {
        let Some(Dated { piece, unix_ms }) = input.part.dated else { continue };
        let mut media = Media::open(input.part.beginning_at(piece))?;
        let mut firsts = Vec::new();
        for _ in 0..FIRST_FRAGMENTS {
            let Some(fragment) = media.next_fragment()? else { break };
            let track = &media.init().tracks[fragment.track];
            let is_sound = matches!(track.kind, TrackKind::Audio { .. });
            firsts.extend(own_ms(fragment.decode_time, track.timescale).map(|ms| (is_sound, ms)));
        }
        if let Some((_, ms)) = firsts.into_iter().min() {
            return Ok(Some(i128::from(unix_ms) - i128::from(ms)));
        }
    }
    Ok(None)
}

/// The name of the track of a part's first fragment, and what its first groups may be, wherever windows cut them: the
/// object of each with the end of its media, milliseconds.
fn first_groups(part: &Part, chunk_ms: u64) -> Result<(String, HashMap<[u8; 32], u64>), RecorderError> {
    let mut media = Media::open(part.pieces.clone())?;
    let mut fragments: Vec<Fragment> = Vec::new();
    let mut begins_ms = Vec::new();
    while begins_ms.len() < 3 || begins_ms[0] + 2 * chunk_ms > begins_ms[begins_ms.len() - 1] {
        let Some(fragment) = media.next_fragment()? else { break };
        let timescale = media.init().tracks[fragment.track].timescale;
        if fragments.first().is_none_or(|first| first.track == fragment.track)
            && let Some(begin_ms) = own_ms(fragment.decode_time, timescale)
        {
            begins_ms.push(begin_ms);
            fragments.push(fragment);
        }
    }
    let mut names = TrackNames::default();
    let names: Vec<_> = media.init().tracks.iter().map(|track| names.next(track.kind)).collect();
    let Some(track) = fragments.first().map(|first| first.track) else { return Ok(Default::default()) };
    let mut ends_ms = HashMap::new();
    for first in 0..fragments.len() {
        let mut hasher = blake3::Hasher::new();
        for (fragment, begin_ms) in fragments.iter().zip(&begins_ms).skip(first) {
            if *begin_ms > begins_ms[first] + chunk_ms {
                break;
            }
            hasher.update(&fragment.bytes);
            let end = fragment.decode_time.saturating_add(fragment.duration);
            let end_ms = own_ms(end, media.init().tracks[track].timescale);
            ends_ms.extend(end_ms.map(|end_ms| (*hasher.finalize().as_bytes(), end_ms)));
        }
    }
    Ok((names[track].clone(), ends_ms))
}

/// A time in milliseconds, as [`Timeline::unix_ms`] counts them; `None` beyond 2^64.
fn own_ms(ticks: u64, timescale: u32) -> Option<u64> {
    Timeline { start_unix_ms: 0, chunk_duration_ms: NonZeroU64::MIN, latency_ms: 0 }.unix_ms(ticks, timescale)
}

fn is_unix_time(first_ms: u64, now_unix_ms: u64) -> bool {
    (EARLIEST_CLOCK_MS..=now_unix_ms.saturating_add(AHEAD_MS)).contains(&first_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_since_1970_are_unix_times() {
        const NOW: u64 = 1_796_000_000_000;
        // the last ones count from 1900
        for first_ms in [0, 1_400, 864_000_000, EARLIEST_CLOCK_MS - 1, NOW + 2_208_988_800_000] {
            assert!(!is_unix_time(first_ms, NOW), "{first_ms}");
        }
        for first_ms in [EARLIEST_CLOCK_MS, NOW - 60_000, NOW, NOW + 3_000] {
            assert!(is_unix_time(first_ms, NOW), "{first_ms}");
        }
    }
}
