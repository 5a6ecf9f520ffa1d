//! What a recording will hold, known before anything is written.

use std::{
    collections::{HashMap, HashSet},
    path::Path,
};

use blake3::Hash;
use ec_observation::Numbering;

use super::{
    RecorderError,
    catalog::{Catalog, CatalogTrack},
    groups::{Group, Groups, HeldBack, Lack, Timeline},
    index::StoredGroup,
    media::{InitTrack, TrackKind},
    runs::{Before, Input, Run},
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
    /// When each counts as received, Unix milliseconds.
    pub(super) received_unix_ms: Vec<u64>,
    /// The object and the receive time of the group before these, if it is held back because it may lack its begin.
    pub(super) before: Option<(Hash, u64)>,
    /// What is added to the numbers of the groups that are read: those of the session that they go on with.
    pub(super) first_number: u64,
    /// The sequences that the index has.
    pub(super) known: HashSet<u64>,
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
    /// Whether the index has it.
    pub(super) is_known: bool,
}

/// A run: descriptions, and for each input the tracks of its init segment. Without a whole group it has no descriptions.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) timeline: Timeline,
    pub(super) numbering: Numbering,
    /// Broadcast time of its end, Unix milliseconds, that of what is held back included.
    end_unix_ms: u64,
    /// The highest window of the timeline that has media of it, that too; `None` without media.
    last_window: Option<u64>,
    pub(super) descriptions: Vec<Description>,
    /// What of the input is not recorded, one sentence each.
    pub(super) left_out: Vec<String>,
    pub(super) inputs: Vec<Vec<PlannedTrack>>,
}

impl Plan {
    /// Reads all inputs of a run once. `progress` is told the bytes of each group. Where an input has no whole group yet,
    /// nothing of the run is planned.
    pub(super) fn scan(
        run: &Run<'_>,
        timeline: Timeline,
        numbering: Numbering,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, RecorderError> {
        let (descriptions, left_out, inputs) = (Vec::new(), Vec::new(), Vec::new());
        let mut plan = Self { timeline, numbering, end_unix_ms: 0, last_window: None, descriptions, left_out, inputs };
        let mut names = TrackNames::default();
        let mut catalog = Vec::new();
        let mut begins = Vec::new();
        for (number, input) in run.iter().enumerate() {
            let init_name = init_name(number);
            let mut scanned = ScannedInput::scan(input, &timeline, numbering, &mut names, progress)?;
            plan.left_out.append(&mut scanned.left_out);
            plan.end_unix_ms = plan.end_unix_ms.max(scanned.end_unix_ms);
            plan.last_window = plan.last_window.max(scanned.last_window);
            let described = scanned.tracks.iter().zip(&scanned.declared);
            catalog.extend(described.map(|(track, declared)| CatalogTrack::new(&track.name, &init_name, declared)));
            begins.push(scanned.begin);
            if let Some(begin) = scanned.begin {
                let init = std::mem::take(&mut scanned.init);
                plan.descriptions.push(description(init_name, begin, &timeline, init, input.part.may_lack_begin));
            }
            plan.inputs.push(scanned.tracks);
        }
        match begins.into_iter().collect::<Option<Vec<_>>>().and_then(|begins| begins.into_iter().min()) {
            Some(begin) => {
                let bytes = Catalog::new(catalog).to_bytes();
                let goes_on = run.iter().any(|input| input.part.may_lack_begin);
                plan.descriptions.insert(0, description(CATALOG_TRACK.to_owned(), begin, &timeline, bytes, goes_on));
            }
            None => (plan.descriptions, plan.inputs) = (Vec::new(), Vec::new()),
        }
        Ok(plan)
    }

    /// Whether nothing of it is recorded yet.
    pub(super) fn is_empty(&self) -> bool {
        self.descriptions.is_empty()
    }

    /// What this run and those before it hold.
    pub(super) fn before(&self, before: Option<Before>) -> Option<Before> {
        let own = self.last_window.map(|window| Before { end_unix_ms: self.end_unix_ms, window });
        own.or(before)
    }

    /// Refuses inputs that were given one by one and hold tracks that look alike.
    pub(super) fn refuse_alike(&self, run: &Run<'_>) -> Result<(), RecorderError> {
        let mut seen: HashMap<&str, &Path> = HashMap::new();
        for (input, tracks) in run.iter().zip(&self.inputs) {
            for track in tracks.iter().filter(|track| !track.groups.is_empty()) {
                let (given, what) = (&input.stream.given, track.what.clone());
                let before = *seen.entry(&track.what).or_insert(given);
                if before != given {
                    return Err(RecorderError::Alike { first: before.to_owned(), second: given.clone(), what });
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

    /// Gives its groups, which count from 0, the numbers from this one on.
    pub(super) fn number_from(&mut self, first_number: u64) {
        self.first_number = first_number;
        self.groups.iter_mut().for_each(|group| group.group_sequence += first_number);
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
    let (stored, received_unix_ms) = (stored(sequence, &bytes), timeline.received_unix_ms(begin_unix_ms));
    Description { name, stored, received_unix_ms, bytes, goes_on, is_known: false }
}

/// One input, read to its end.
struct ScannedInput {
    init: Vec<u8>,
    declared: Vec<InitTrack>,
    tracks: Vec<PlannedTrack>,
    left_out: Vec<String>,
    /// The lowest sequence and its broadcast time in Unix milliseconds; `None` where no group is whole yet.
    begin: Option<(u64, u64)>,
    end_unix_ms: u64,
    last_window: Option<u64>,
}

impl ScannedInput {
    fn scan(
        Input { stream, part }: &Input<'_>,
        timeline: &Timeline,
        numbering: Numbering,
        names: &mut TrackNames,
        progress: &mut dyn FnMut(u64),
    ) -> Result<Self, RecorderError> {
        let mut groups = Groups::open(part, *timeline, numbering)?;
        let declared = groups.init().tracks.clone();
        let mut tracks: Vec<_> =
            declared.iter().map(|track| PlannedTrack::new(names.next(track.kind), track)).collect();
        let mut begin = None;
        while let Some(group) = groups.next_group()? {
            let Group { track, sequence, begin_unix_ms, end_unix_ms, bytes } = group;
            begin = begin.min(Some((sequence, begin_unix_ms))).or(Some((sequence, begin_unix_ms)));
            progress(bytes.len() as u64);
            tracks[track].groups.push(stored(sequence, &bytes));
            tracks[track].received_unix_ms.push(timeline.received_unix_ms(end_unix_ms));
        }
        if begin.is_none() && groups.held_back().is_empty() {
            let path = part.pieces.first().map(|piece| piece.path.to_path_buf()).unwrap_or_default();
            return Err(RecorderError::NoGroups { path });
        }
        let mut left_out = groups.take_left_out();
        left_out.extend(groups.held_back().iter().map(|held| told(&stream.given, &tracks, held)));
        for held in groups.held_back().iter().filter(|held| held.lacks == Lack::Begin) {
            tracks[held.track].before = Some((held.blake3, timeline.received_unix_ms(held.end_unix_ms)));
        }
        let (init, end_unix_ms, last_window) =
            (groups.init().bytes.clone(), groups.end_unix_ms(), groups.last_window());
        Ok(Self { init, declared, tracks, left_out, begin, end_unix_ms, last_window })
    }
}

fn told(given: &Path, tracks: &[PlannedTrack], held: &HeldBack) -> String {
    let track = &tracks[held.track].name;
    let why = match held.lacks {
        Lack::Begin => {
            "the first group is held back: the list begins later than the stream, and the group may have begun before it"
        }
        Lack::End => {
            "the last group is held back: the list has no EXT-X-ENDLIST, or the manifest beside the segments is dynamic, and more \
             may follow; record it again then"
        }
        Lack::Segment => {
            "a group beside an empty segment is held back: more may come there; record it again then, or put #EXT-X-GAP before \
             the segment if nothing will"
        }
    };
    format!("{}: {track}: {why} (it has media from {} Unix ms on)", given.display(), held.begin_unix_ms)
}

impl PlannedTrack {
    fn new(name: String, InitTrack { kind, codec, timescale, language, .. }: &InitTrack) -> Self {
        let kind = match kind {
            TrackKind::Video { width, height } => format!("video of {width}x{height} pixels"),
            TrackKind::Audio { sample_rate, channels } => format!("audio of {channels} channels at {sample_rate} Hz"),
        };
        let what = format!("{kind} ({codec}, language {language}, timescale {timescale})");
        Self { name, what, ..Self::default() }
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
