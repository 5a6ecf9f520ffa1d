//! What of a plan the index has already.

use std::collections::{HashMap, HashSet};

use blake3::Hash;
use ec_observation::{Numbering, Record};

use super::{
    Recorder, RecorderError,
    error::{OtherContent, OtherNumbering},
    index::{self, Present, StoredGroup},
    plan::{Plan, PlannedTrack},
};
use crate::{files::TrackFile, line::FieldNames};

/// Numbers from here on are a timeline's: those of 2 s groups since 1971, while a session would need months to get there.
const LOWEST_OF_TIMELINES: u64 = 10_000_000;

impl Recorder {
    /// Compares a plan with the index, and notes what of it is there. By session, a plan that goes on with one that is there
    /// takes its numbers.
    pub(super) fn compare(&self, plan: &mut Plan) -> Result<(), RecorderError> {
        for description in &mut plan.descriptions {
            let groups = std::slice::from_ref(&description.stored);
            let known = self.known_groups(&description.name, groups, description.goes_on)?;
            description.is_known = !known.is_empty();
        }
        for track in plan.inputs.iter_mut().flatten() {
            match self.numbering {
                Numbering::Timeline => track.known = self.known_groups(&track.name, &track.groups, false)?,
                Numbering::Session => {
                    self.known_groups(&track.name, &track.groups, false)?;
                    self.session(track)?;
                }
            }
        }
        let goes_on = plan.inputs.iter().flatten().any(|track| track.first_number > 0 || !track.known.is_empty());
        if self.numbering == Numbering::Session && goes_on {
            for description in &mut plan.descriptions {
                // one that lacks its begin is described by what came before
                let received_unix_ms = (!description.goes_on).then_some(description.received_unix_ms);
                description.is_known =
                    self.describes(&description.name, description.stored.blake3, received_unix_ms)?;
            }
        }
        Ok(())
    }

    /// The sequences of a track whose records are in the index, all of them equal to the planned ones; by session none. With
    /// `goes_on`, the first group is known too where the last one before it is the same.
    fn known_groups(&self, track: &str, groups: &[StoredGroup], goes_on: bool) -> Result<HashSet<u64>, RecorderError> {
        let (broadcast, numbering) = (self.broadcast_files(), self.numbering);
        let wanted = match numbering {
            Numbering::Session => HashMap::new(),
            Numbering::Timeline => PlannedTrack::by_sequence(groups),
        };
        let Present { wanted: present, lowest, before } = index::present(&broadcast, track, &wanted)?;
        if let Some((lowest, other)) = other_numbering(numbering, lowest, groups) {
            let index = broadcast.track_file(track);
            let other = OtherNumbering { index, lowest, present: other, wanted: numbering };
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

    /// Whether a track has this object, received then if that is given.
    fn describes(&self, track: &str, object: Hash, received_unix_ms: Option<u64>) -> Result<bool, RecorderError> {
        let (mut has, file) = (false, TrackFile::new(&self.broadcast_files(), track, FieldNames::default()));
        index::for_each_record(&file, u64::MAX, |record| {
            let is_then = received_unix_ms.is_none() || received_unix_ms == record.received_unix_ms;
            has |= record.blake3 == *object.as_bytes() && is_then;
        })?;
        Ok(has)
    }

    /// Finds the session that a track's groups go on with or are in already.
    fn session(&self, track: &mut PlannedTrack) -> Result<(), RecorderError> {
        let received = track.groups.iter().zip(&track.received_unix_ms);
        let planned = received.map(|(group, received)| (group.blake3, *received));
        let planned: Vec<_> = track.before.into_iter().chain(planned).collect();
        let skipped = usize::from(track.before.is_some());
        let hashes: HashSet<_> = planned.iter().map(|(hash, _)| *hash).collect();
        let (mut there, mut last) = (HashMap::new(), None);
        let file = TrackFile::new(&self.broadcast_files(), &track.name, FieldNames::default());
        index::for_each_record(&file, u64::MAX, |record: Record| {
            let Some(received) = record.received_unix_ms else { return };
            let (hash, number) = (Hash::from_bytes(record.blake3), record.group_sequence);
            last = Some((hash, received));
            if hashes.contains(&hash) {
                there.insert((hash, received), number);
            }
        })?;
        if let Some(first_number) = goes_on_from(&planned, skipped, &there, last) {
            track.number_from(first_number);
            let numbers =
                (first_number..).zip(&planned[skipped..]).filter(|(number, group)| there.get(group) == Some(number));
            track.known = numbers.map(|(number, _)| number).collect();
        }
        Ok(())
    }
}

/// A group by its object and when it was received.
type Received = (Hash, u64);

/// The number that the first planned group but for `skipped` has in the session of the last one that is there; `None` where that is
/// not the end of what is there, so that what it lacks cannot follow.
fn goes_on_from(
    planned: &[Received],
    skipped: usize,
    there: &HashMap<Received, u64>,
    last: Option<Received>,
) -> Option<u64> {
    let found = planned.iter().enumerate().rev().find_map(|(place, group)| Some((place, *there.get(group)?)));
    let (place, number) = found?;
    let first = (number + skipped as u64).checked_sub(place as u64)?;
    let is_whole = (first..).zip(&planned[skipped..]).all(|(number, group)| there.get(group) == Some(&number));
    (is_whole || last == Some(planned[place])).then_some(first)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_gone_on_with_at_its_end_only() {
        let group = |n: u64| (blake3::hash(&n.to_be_bytes()), 2000 * n);
        let planned: Vec<_> = (3..7).map(group).collect();
        let there = |numbers: std::ops::Range<u64>| numbers.map(|n| (group(n), n)).collect::<HashMap<_, _>>();
        let other = Some((blake3::hash(b"other"), 9));
        let cases = [
            ("nothing is there", 0, there(0..0), None, None),
            ("all is there", 0, there(0..7), other, Some(3)),
            ("it has grown", 0, there(0..5), Some(group(4)), Some(3)),
            ("another session came after", 0, there(0..5), other, None),
            ("the one before it is the last", 1, there(0..4), Some(group(3)), Some(4)),
        ];
        for (what, skipped, there, last, expected) in cases {
            assert_eq!(goes_on_from(&planned, skipped, &there, last), expected, "{what}");
        }
    }
}
