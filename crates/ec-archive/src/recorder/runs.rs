//! Parts of streams joined to runs: what lies between two discontinuities, as of one start of a publisher.

use std::collections::{BTreeMap, HashMap};

use super::{
    input::{Dated, Part, Stream},
    media::{Media, MediaError},
};

/// A part of a stream, as it is recorded.
#[derive(Clone, Debug)]
pub(super) struct Input<'a> {
    /// The stream.
    pub(super) stream: &'a Stream,
    /// What of it belongs to the run.
    pub(super) part: Part,
}

/// The parts of one time.
pub(super) type Run<'a> = Vec<Input<'a>>;

/// What the runs before one hold.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before {
    /// Broadcast time of their end, Unix milliseconds.
    pub(super) end_unix_ms: u64,
    /// Their highest window of the timeline.
    pub(super) window: u64,
}

/// The runs of streams, in order. A discontinuity that changes neither an init segment nor the count of time is none.
///
/// # Errors
///
/// [`MediaError`] where what is before and after a discontinuity cannot be read.
pub(super) fn runs(streams: &[Stream]) -> Result<Vec<Run<'_>>, MediaError> {
    let mut by_number: BTreeMap<u64, Run<'_>> = BTreeMap::new();
    for stream in streams {
        for part in &stream.parts {
            by_number.entry(part.number).or_default().push(Input { stream, part: part.clone() });
        }
    }
    let mut runs: Vec<Run<'_>> = Vec::new();
    for next in by_number.into_values() {
        match runs.last_mut() {
            Some(run) if goes_on(run, &next)? => {
                run.iter_mut().zip(next).for_each(|(input, next)| input.part.append(next.part));
            }
            _ => runs.push(next),
        }
    }
    Ok(runs)
}

fn goes_on(run: &Run<'_>, next: &Run<'_>) -> Result<bool, MediaError> {
    if run.len() != next.len() {
        return Ok(false);
    }
    for (input, next) in run.iter().zip(next) {
        if !std::ptr::eq(input.stream, next.stream) || !input.part.goes_on(&next.part)? {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Part {
    /// Whether `next` has the same init segment, and begins within a second after the end.
    fn goes_on(&self, next: &Self) -> Result<bool, MediaError> {
        let mut last = Media::open(self.beginning_at(self.pieces.len().saturating_sub(1)))?;
        let mut after = Media::open(next.pieces.clone())?;
        if last.init().bytes != after.init().bytes {
            return Ok(false);
        }
        let mut ends = HashMap::new();
        while let Some(fragment) = last.next_fragment()? {
            ends.insert(fragment.track, fragment.decode_time.saturating_add(fragment.duration));
        }
        let Some(first) = after.next_fragment()? else { return Ok(false) };
        let Some(end) = ends.get(&first.track) else { return Ok(false) };
        let within = u64::from(last.init().tracks[first.track].timescale);
        Ok((*end..=end.saturating_add(within)).contains(&first.decode_time))
    }

    fn append(&mut self, next: Self) {
        let dated = next.dated.map(|dated| Dated { piece: dated.piece + self.pieces.len(), ..dated });
        self.dated = self.dated.or(dated);
        self.pieces.extend(next.pieces);
        self.may_grow = next.may_grow;
    }
}
