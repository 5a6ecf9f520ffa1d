//! What the ledger's log says of a lane's sessions (protocol §5.10).
//!
//! Pure, and undone exactly: [`LedgerState`](crate::LedgerState) tells a [`Lane`] of each candidate and each final
//! observation, and takes them back in reverse. [`Matching`](crate::Matching) finds in it the session of each own segment.

use std::{
    collections::{BTreeMap, HashMap},
    ops::RangeInclusive,
};

use alloy::primitives::B256;
use ec_observation::{EpochHash, EpochName, EpochRule, ObservationHash, ObservationHeader, SlotId, StreamHash};
use serde::{Deserialize, Serialize};

use crate::{
    candidate::Candidate,
    settled::{Disk, Kind, Order, Pieces, Row, Rows, Tail},
};

/// One life of a lane's numbers as the ledger knows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// Its name, Unix milliseconds.
    pub mark: u64,
    /// The index of the epoch whose header opened it.
    pub opened_by: u64,
    /// The opener's place in the log.
    pub(crate) opened_at: u64,
    /// The place of the first `ObservationFinalized` in it.
    pub(crate) first_final: Option<u64>,
    /// Its candidates in the order of the log; none that stand below the finalized head, once the session has a final
    /// observation there.
    pub(crate) candidates: Vec<(SlotId, ObservationHash)>,
}

impl Session {
    /// Whether one of its observations is final.
    pub fn is_final(&self) -> bool {
        self.first_final.is_some()
    }
}

/// A candidate of a session, as far as it is needed when its slot is forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionCandidate {
    /// Its session's mark and its index there.
    pub name: EpochName,
    /// Its data root.
    pub data_root: B256,
    /// The timestamp of the block that holds its proposal, Unix seconds.
    pub timestamp_s: u64,
    /// Whether it is the final one of its slot.
    pub is_final: bool,
}

/// The sessions of one lane.
///
/// It keeps each session, and about a hundred bytes for each candidate of one, for ever, because an archive that is read again
/// from its beginning is matched by them: on the disk, where the ledger has one and a slot is settled. Votes are only kept with
/// the slots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lane {
    stream: StreamHash,
    rule: EpochRule,
    disk: Disk,
    /// By mark.
    sessions: BTreeMap<u64, Session>,
    /// Mark by the opener's place.
    opened: BTreeMap<u64, u64>,
    /// By `observedUnixMs` and place: whoever looks for what is near looks at nothing else.
    pub(crate) candidates: Tail<(u64, u64), SessionCandidate>,
    /// The times in the final headers, by mark and index.
    pub(crate) final_times: Tail<(u64, u64), u64>,
}

impl Lane {
    pub(crate) fn new((stream, rule): (StreamHash, EpochRule), disk: Disk) -> Self {
        Self {
            stream,
            rule,
            disk,
            sessions: BTreeMap::new(),
            opened: BTreeMap::new(),
            candidates: Tail::default(),
            final_times: Tail::default(),
        }
    }

    /// A lane with these sessions, whose settled candidates are on the disk.
    pub(crate) fn resumed((stream, rule): (StreamHash, EpochRule), disk: Disk, sessions: Vec<Session>) -> Self {
        let all = (0, 0)..=(u64::MAX, u64::MAX);
        let candidates = Tail::of(disk.shelf(stream, Kind::Candidate), all.clone());
        let final_times = Tail::of(disk.shelf(stream, Kind::FinalTime), all);
        let opened = sessions.iter().map(|session| (session.opened_at, session.mark)).collect();
        let sessions = sessions.into_iter().map(|session| (session.mark, session)).collect();
        Self { stream, rule, disk, sessions, opened, candidates, final_times }
    }

    /// The same, of what is settled without what is on the disk.
    pub(crate) fn off_the_disk(&self) -> Self {
        let Self { stream, rule, disk, sessions, opened, candidates, final_times } = self;
        Self {
            stream: *stream,
            rule: *rule,
            disk: disk.clone(),
            sessions: sessions.clone(),
            opened: opened.clone(),
            candidates: candidates.off_the_shelf(),
            final_times: final_times.off_the_shelf(),
        }
    }

    fn candidates_shelf(&self) -> Rows<'_, (u64, u64), SessionCandidate> {
        self.disk.shelf(self.stream, Kind::Candidate)
    }

    /// The `observedUnixMs` of the final observation of an index in the session with this mark.
    pub fn final_ms(&self, mark: u64, index: u64) -> Option<u64> {
        self.final_times.get(self.disk.shelf(self.stream, Kind::FinalTime), (mark, index))
    }

    /// The sessions, in the order in which they were opened.
    pub fn sessions(&self) -> impl Iterator<Item = &Session> + '_ {
        self.opened.values().filter_map(|mark| self.sessions.get(mark))
    }

    /// The session with this mark.
    pub fn session(&self, mark: u64) -> Option<&Session> {
        self.sessions.get(&mark)
    }

    /// The candidates whose `observedUnixMs` is in this range, by that time.
    pub fn candidates_in(&self, ms: RangeInclusive<u64>) -> impl Iterator<Item = (u64, SessionCandidate)> + '_ {
        self.candidates_by(ms, Order::Ascending)
    }

    /// The same, the latest first.
    pub(crate) fn latest_candidates_in(
        &self,
        ms: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (u64, SessionCandidate)> + '_ {
        self.candidates_by(ms, Order::Descending)
    }

    fn candidates_by(
        &self,
        ms: RangeInclusive<u64>,
        order: Order,
    ) -> impl Iterator<Item = (u64, SessionCandidate)> + '_ {
        let (from, to) = ms.into_inner();
        let found = self.candidates.range(self.candidates_shelf(), (from, 0)..=(to, u64::MAX), order);
        found.map(|((observed_unix_ms, _), candidate)| (observed_unix_ms, candidate))
    }

    /// When the earliest candidate of this index with a time in this range was proposed, by its block, Unix seconds: the
    /// T of the naming rounds, for a range of twice the tolerance.
    pub fn first_proposed_s(&self, index: u64, ms: RangeInclusive<u64>) -> Option<u64> {
        // blocks' timestamps ascend with the log
        self.candidates_in(ms).filter(|(_, found)| found.name.index == index).map(|(_, found)| found.timestamp_s).min()
    }

    /// The names and epoch hashes of the final candidates of this index with a time in this range.
    pub(crate) fn finals(
        &self,
        index: u64,
        ms: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (EpochName, EpochHash)> + '_ {
        let finals = self.candidates_in(ms).filter(move |(_, found)| found.is_final && found.name.index == index);
        finals.map(|(_, found)| (found.name, EpochHash::of(&self.rule.id(found.name))))
    }

    /// Of the sessions with a mark in this range that an epoch of this index opened, the opener's place, and the first
    /// candidate that is kept.
    pub(crate) fn openers(
        &self,
        index: u64,
        marks: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (u64, (SlotId, ObservationHash))> + '_ {
        let found = (marks.start() <= marks.end()).then(|| self.sessions.range(marks));
        let sessions = found.into_iter().flatten().filter(move |(_, session)| session.opened_by == index);
        sessions.filter_map(|(_, session)| Some((session.opened_at, *session.candidates.first()?)))
    }

    /// A header's session and index at the end of the log.
    pub(crate) fn decode(&self, header: &ObservationHeader) -> Option<EpochName> {
        let fits = |mark: u64| {
            let name = EpochName { mark, index: header.sequence.checked_sub(mark)? };
            (EpochHash::of(&self.rule.id(name)) == header.epoch_hash).then_some(name)
        };
        // at most one mark fits, so the order is free; openers come first, lest each is compared with all before it
        let below = || self.sessions.range(..=header.sequence).rev().find_map(|(&mark, _)| fits(mark));
        fits(header.observed_unix_ms).or_else(below)
    }

    /// Takes in a candidate at the end of the log; its name, where it is of a session.
    pub(crate) fn propose(
        &mut self,
        header: &ObservationHeader,
        id: (SlotId, ObservationHash),
        place: u64,
        timestamp_s: u64,
    ) -> Option<EpochName> {
        let name = self.decode(header)?;
        let session = self.sessions.entry(name.mark).or_insert_with(|| {
            self.opened.insert(place, name.mark);
            Session {
                mark: name.mark,
                opened_by: name.index,
                opened_at: place,
                first_final: None,
                candidates: Vec::new(),
            }
        });
        session.candidates.push(id);
        let found = SessionCandidate { name, data_root: header.data_root, timestamp_s, is_final: false };
        self.candidates.insert((header.observed_unix_ms, place), found);
        Some(name)
    }

    /// The inverse of [`Self::propose`], for the last candidate in the log.
    pub(crate) fn withdraw(&mut self, candidate: &Candidate) {
        let Some(name) = candidate.name else { return };
        self.candidates.remove(&candidate.time_and_place());
        if self.opened.remove(&candidate.place).is_some() {
            self.sessions.remove(&name.mark);
        } else if let Some(session) = self.sessions.get_mut(&name.mark) {
            session.candidates.pop();
        }
    }

    /// A candidate of a session became final, by the event at `place`.
    pub(crate) fn finalize(&mut self, candidate: &Candidate, place: u64) {
        let Some(name) = candidate.name else { return };
        if let Some(found) = self.candidates.get_mut(&candidate.time_and_place()) {
            found.is_final = true;
        }
        if let Some(session) = self.sessions.get_mut(&name.mark) {
            session.first_final.get_or_insert(place);
        }
        self.final_times.insert((name.mark, name.index), candidate.header.observed_unix_ms);
    }

    /// The inverse of [`Self::finalize`], for the last final observation in the log.
    pub(crate) fn reopen(&mut self, candidate: &Candidate, place: u64) {
        let Some(name) = candidate.name else { return };
        if let Some(found) = self.candidates.get_mut(&candidate.time_and_place()) {
            found.is_final = false;
        }
        if let Some(session) = self.sessions.get_mut(&name.mark) {
            session.first_final.take_if(|first| *first == place);
        }
        self.final_times.remove(&(name.mark, name.index));
    }

    /// A session has a final observation that can no longer be taken back: nobody asks for its votes any more.
    pub(crate) fn forget_votes(&mut self, mark: u64) {
        if let Some(session) = self.sessions.get_mut(&mark) {
            session.candidates = Vec::new();
        }
    }
}

/// The lanes among the streams that are followed.
pub(crate) fn lanes_of(streams: &HashMap<StreamHash, EpochRule>, disk: &Disk) -> HashMap<StreamHash, Lane> {
    let lanes = streams.iter().filter(|(_, rule)| rule.numbering == ec_observation::Numbering::Session);
    lanes.map(|(&stream, &rule)| (stream, Lane::new((stream, rule), disk.clone()))).collect()
}

impl Row for SessionCandidate {
    fn to_bytes(self) -> Vec<u8> {
        let Self { name: EpochName { mark, index }, data_root, timestamp_s, is_final } = self;
        let numbers = [mark, index, timestamp_s].map(u64::to_be_bytes).concat();
        [&numbers[..], &data_root[..], &[u8::from(is_final)]].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(bytes);
        let name = EpochName { mark: pieces.u64()?, index: pieces.u64()? };
        let (timestamp_s, data_root) = (pieces.u64()?, pieces.hash()?);
        let is_final = pieces.bool()?;
        pieces.end(Self { name, data_root, timestamp_s, is_final })
    }
}
