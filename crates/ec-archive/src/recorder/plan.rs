//! What a recording will hold, known before anything is written.

use std::collections::HashMap;

use ec_observation::Numbering;

use super::{
    RecorderError,
    catalog::{Catalog, CatalogTrack},
    groups::{Group, Groups, HeldBack, Timeline},
    index::StoredGroup,
    input::Stream,
    media::{InitTrack, TrackKind},
};

/// The track of the catalog.
const CATALOG_TRACK: &str = "catalog.json";

/// A track and its groups.
#[derive(Debug, Default)]
pub(super) struct PlannedTrack {
    pub(super) name: String,
    /// What it is, for people and to tell it from other inputs' tracks.
    what: String,
    /// In order of their sequence.
    pub(super) groups: Vec<StoredGroup>,
}

/// A group that is no media: an init segment or the catalog.
#[derive(Debug)]
pub(super) struct Description {
    pub(super) name: String,
    pub(super) stored: StoredGroup,
    pub(super) received_unix_ms: u64,
    pub(super) bytes: Vec<u8>,
    /// Whether one that is in the index for what came before goes on holding.
    pub(super) goes_on: bool,
}

/// A recording: descriptions, and for each input the tracks of its init segment.
#[derive(Debug, Default)]
pub(super) struct Plan {
    numbering: Numbering,
    pub(super) descriptions: Vec<Description>,
    /// What of the input is not recorded, one sentence each.
    pub(super) left_out: Vec<String>,
    pub(super) inputs: Vec<Vec<PlannedTrack>>,
}

impl Plan {
    /// Reads all of `inputs` once. `progress` is told the bytes of each group.
    pub(super) fn scan(
        inputs: &[Stream],
        timeline: &Timeline,
        numbering: Numbering,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, RecorderError> {
        let mut plan = Self { numbering, ..Self::default() };
        let mut names = TrackNames::default();
        let mut catalog = Vec::new();
        let mut begin: Option<(u64, u64)> = None;
        for (number, input) in inputs.iter().enumerate() {
            let init_name = init_name(number);
            let mut scanned = ScannedInput::scan(input, timeline, numbering, &mut names, progress)?;
            plan.left_out.append(&mut scanned.left_out);
            let described = scanned.tracks.iter().zip(&scanned.declared);
            catalog.extend(described.map(|(track, declared)| CatalogTrack::new(&track.name, &init_name, declared)));
            let init = std::mem::take(&mut scanned.init);
            plan.descriptions.push(description(init_name, scanned.begin, timeline, init, input.may_lack_begin));
            plan.inputs.push(scanned.tracks);
            begin = Some(begin.map_or(scanned.begin, |earlier| earlier.min(scanned.begin)));
        }
        if let Some(begin) = begin {
            let bytes = Catalog::new(catalog).to_bytes();
            let goes_on = inputs.iter().any(|input| input.may_lack_begin);
            plan.descriptions.insert(0, description(CATALOG_TRACK.to_owned(), begin, timeline, bytes, goes_on));
        }
        Ok(plan)
    }

    /// Refuses inputs that were given one by one and hold tracks that look alike.
    pub(super) fn refuse_alike(&self, inputs: &[Stream]) -> Result<(), RecorderError> {
        let mut seen: HashMap<&str, &Stream> = HashMap::new();
        for (input, tracks) in inputs.iter().zip(&self.inputs) {
            for track in tracks.iter().filter(|track| !track.groups.is_empty()) {
                let before = *seen.entry(&track.what).or_insert(input);
                if before.given != input.given {
                    let (first, second, what) = (before.given.clone(), input.given.clone(), track.what.clone());
                    return Err(RecorderError::Alike { first, second, what });
                }
            }
        }
        Ok(())
    }

    /// Every track of media with its groups and their [`gaps`].
    pub(super) fn media(&self) -> impl Iterator<Item = (&PlannedTrack, Vec<(u64, u64)>)> {
        let span = self.span();
        self.inputs.iter().flatten().map(move |track| (track, gaps(&track.groups, span)))
    }

    /// The lowest and the highest sequence over all media tracks; `None` where each track counts by itself.
    fn span(&self) -> Option<(u64, u64)> {
        if self.numbering == Numbering::Session {
            return None;
        }
        let sequences =
            || self.inputs.iter().flatten().flat_map(|track| &track.groups).map(|group| group.group_sequence);
        sequences().min().zip(sequences().max())
    }
}

impl PlannedTrack {
    /// The groups by their sequence.
    pub(super) fn by_sequence(groups: &[StoredGroup]) -> HashMap<u64, StoredGroup> {
        groups.iter().map(|group| (group.group_sequence, *group)).collect()
    }
}

/// The sequences of `span` that none of `groups` has, as inclusive ranges in order.
pub(super) fn gaps(groups: &[StoredGroup], span: Option<(u64, u64)>) -> Vec<(u64, u64)> {
    let Some((mut next, last)) = span else { return Vec::new() };
    let mut gaps = Vec::new();
    for sequence in groups.iter().map(|group| group.group_sequence) {
        if sequence > next {
            gaps.push((next, sequence - 1));
        }
        next = sequence.saturating_add(1);
    }
    if next <= last {
        gaps.push((next, last));
    }
    gaps
}

/// A group of these bytes, as it is stored.
pub(super) fn stored(group_sequence: u64, bytes: &[u8]) -> StoredGroup {
    StoredGroup { group_sequence, blake3: blake3::hash(bytes), size_bytes: bytes.len() as u64 }
}

/// A description that is valid from `begin`, a sequence and its broadcast time.
fn description(
    name: String,
    (sequence, begin_unix_ms): (u64, u64),
    timeline: &Timeline,
    bytes: Vec<u8>,
    goes_on: bool,
) -> Description {
    let (stored, received_unix_ms) = (stored(sequence, &bytes), begin_unix_ms.saturating_add(timeline.latency_ms));
    Description { name, stored, received_unix_ms, bytes, goes_on }
}

/// One input, read to its end.
struct ScannedInput {
    init: Vec<u8>,
    declared: Vec<InitTrack>,
    tracks: Vec<PlannedTrack>,
    left_out: Vec<String>,
    /// The lowest sequence and its broadcast time in Unix milliseconds.
    begin: (u64, u64),
}

impl ScannedInput {
    fn scan(
        input: &Stream,
        timeline: &Timeline,
        numbering: Numbering,
        names: &mut TrackNames,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, RecorderError> {
        let mut groups = Groups::open(input, *timeline, numbering)?;
        let declared = groups.init().tracks.clone();
        let mut tracks: Vec<_> =
            declared.iter().map(|track| PlannedTrack::new(names.next(track.kind), track)).collect();
        let mut begin = None;
        while let Some(group) = groups.next_group()? {
            let Group { track, sequence, begin_unix_ms, bytes, .. } = group;
            begin = begin.min(Some((sequence, begin_unix_ms))).or(Some((sequence, begin_unix_ms)));
            progress(bytes.len() as u64);
            tracks[track].groups.push(stored(sequence, &bytes));
        }
        let path = || input.pieces.first().map(|piece| piece.path.to_path_buf()).unwrap_or_default();
        let begin = begin.ok_or_else(|| match groups.held_back() {
            [] => RecorderError::NoGroups { path: path() },
            _ => RecorderError::NoWholeGroup { path: input.given.clone() },
        })?;
        let mut left_out = input.left_out.clone();
        left_out.append(&mut groups.take_left_out());
        left_out.extend(groups.held_back().iter().map(|held| told(input, &tracks, held)));
        Ok(Self { init: groups.init().bytes.clone(), declared, tracks, left_out, begin })
    }
}

fn told(input: &Stream, tracks: &[PlannedTrack], held: &HeldBack) -> String {
    let (given, track) = (input.given.display(), &tracks[held.track].name);
    let why = match held.lacks_begin {
        true => {
            "the first group is held back: the list begins later than the stream, and the group may have begun before it"
        }
        false => {
            "the last group is held back: the list has no EXT-X-ENDLIST, and more may follow; record it again then"
        }
    };
    format!("{given}: {track}: {why}")
}

impl PlannedTrack {
    fn new(name: String, InitTrack { kind, codec, timescale, language, .. }: &InitTrack) -> Self {
        let kind = match kind {
            TrackKind::Video { width, height } => format!("video of {width}x{height} pixels"),
            TrackKind::Audio { sample_rate, channels } => format!("audio of {channels} channels at {sample_rate} Hz"),
        };
        let what = format!("{kind} ({codec}, language {language}, timescale {timescale})");
        Self { name, what, groups: Vec::new() }
    }
}

/// Numbers tracks of a kind over all inputs.
#[derive(Debug, Default)]
pub(super) struct TrackNames {
    video: usize,
    audio: usize,
}

impl TrackNames {
    pub(super) fn next(&mut self, kind: TrackKind) -> String {
        let (prefix, number) = match kind {
            TrackKind::Video { .. } => ("video", &mut self.video),
            TrackKind::Audio { .. } => ("audio", &mut self.audio),
        };
        let name = format!("{prefix}{number}.m4s");
        *number += 1;
        name
    }
}

/// The track of an input's init segment: `init.mp4`, `init1.mp4`, …; the first is the usual one.
pub(super) fn init_name(number: usize) -> String {
    match number {
        0 => "init.mp4".to_owned(),
        _ => format!("init{number}.mp4"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gaps_are_what_a_track_lacks_of_the_span() {
        let groups = |sequences: &[u64]| sequences.iter().map(|sequence| stored(*sequence, b"")).collect::<Vec<_>>();
        assert_eq!(gaps(&groups(&[5, 6, 7]), Some((5, 7))), []);
        assert_eq!(gaps(&groups(&[6, 9, 10, 12]), Some((5, 14))), [(5, 5), (7, 8), (11, 11), (13, 14)]);
        assert_eq!(gaps(&[], Some((5, 6))), [(5, 6)]);
        assert_eq!(gaps(&groups(&[0, u64::MAX / 2]), None), []);
    }

    #[test]
    fn tracks_are_numbered_by_kind_over_all_sources() {
        let (video, audio) =
            (TrackKind::Video { width: 1, height: 1 }, TrackKind::Audio { sample_rate: 1, channels: 1 });
        let mut names = TrackNames::default();
        let named = [video, audio, audio, video].map(|kind| names.next(kind));
        assert_eq!(named, ["video0.m4s", "audio0.m4s", "audio1.m4s", "video1.m4s"]);
        assert_eq!([0, 1].map(init_name), ["init.mp4", "init1.mp4"]);
    }
}
