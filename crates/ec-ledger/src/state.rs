//! The ledger as its log tells it: candidates, votes and final observations, block by block, and back again.
//!
//! Pure: blocks are applied and reverted, nothing is asked of a chain. Every event's undo is exact, so a reorg is a
//! revert to the last shared block followed by the new blocks.

mod moves;
mod residue;
mod runs;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    ops::RangeInclusive,
};

use alloy::primitives::{Address, B256};
use ec_observation::{ContentHash, EpochName, EpochRule, ObservationHash, ObservationHeader, SlotId, StreamHash};
use ec_rpc::BlockRef;
use serde::{Deserialize, Serialize};

use crate::{
    candidate::Candidate,
    event::LedgerEvent,
    parents::Parents,
    seats::{Seat, Seats},
    sessions::{Lane, lanes_of},
    settled::{Disk, Kind, Order, Pieces, Row, Rows, Tail},
    strays::{Strays, is_off_timeline},
    touched::{Touched, Unseen},
};
use moves::Move;
pub(crate) use residue::Residue;
use runs::Runs;

/// What a slot holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Slot {
    /// Candidates in the order of their proposals.
    pub candidates: Vec<Candidate>,
    /// The final one.
    pub finalized: Option<ObservationHash>,
}

impl Slot {
    /// A candidate by its hash.
    pub fn candidate(&self, hash: ObservationHash) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.hash == hash)
    }

    /// The candidate that has the vote of `seat`.
    pub fn vote_of(&self, seat: Seat) -> Option<&Candidate> {
        self.candidates.iter().find(|candidate| candidate.voters.contains(&seat))
    }
}

/// A final observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Final {
    /// The observation.
    pub hash: ObservationHash,
    /// What it says, without its proposer's choices.
    pub content: ContentHash,
    /// Where `ObservationFinalized` stands in the ledger's log.
    pub(crate) place: u64,
    /// The block that holds it.
    pub(crate) block: u64,
    /// Whether it is nobody's parent and comes between no two others.
    pub(crate) is_stray: bool,
}

/// What is final in a slot, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finality {
    /// The observation.
    pub observation: ObservationHash,
    /// The number of the block that holds its `ObservationFinalized`.
    pub block: u64,
}

/// How to take back one event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Undo {
    Candidate(SlotId),
    Vote(SlotId, ObservationHash),
    Move(Move),
    Rotation { from: Address, to: Address },
    Final(SlotId),
    Stray(StreamHash),
}

impl Undo {
    /// The slot that it changes.
    fn slot(&self) -> Option<SlotId> {
        match self {
            Self::Candidate(slot) | Self::Vote(slot, _) | Self::Final(slot) => Some(*slot),
            Self::Move(moved) => Some(moved.slot()),
            Self::Rotation { .. } | Self::Stray(_) => None,
        }
    }
}

/// A block's undo log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Applied {
    block: BlockRef,
    /// The place before its first event.
    place_before: u64,
    undo: Vec<Undo>,
}

/// No slot sorts after this one.
const LAST_SLOT: SlotId = SlotId(B256::repeat_byte(0xff));

/// The final observations of each stream, by sequence and slot.
type Finals = HashMap<StreamHash, Tail<(u64, SlotId), Final>>;

/// The ledger at one block, for the streams that are followed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LedgerState {
    streams: Option<HashMap<StreamHash, EpochRule>>,
    lanes: HashMap<StreamHash, Lane>,
    /// Ordered, since there may be many: a hash table is half empty after it has grown, and there twice meanwhile.
    slots: BTreeMap<SlotId, Slot>,
    finals: Finals,
    seats: Seats,
    strays: Strays,
    parents: Parents,
    applied: VecDeque<Applied>,
    next_place: u64,
    disk: Disk,
    unsaved: residue::Unsaved,
    /// What is settled of each stream.
    runs: HashMap<StreamHash, Runs>,
    unseen: Unseen,
}

impl LedgerState {
    /// An empty ledger that keeps what concerns these streams, or every stream.
    ///
    /// Where it keeps every stream it knows the rule of none, so it cannot tell lanes from others and knows no sessions:
    /// no candidate has a name then.
    pub fn new(streams: Option<HashMap<StreamHash, EpochRule>>) -> Self {
        Self::on(Disk::default(), streams)
    }

    /// The same, whose settled entries are kept on a disk.
    pub(crate) fn on(disk: Disk, streams: Option<HashMap<StreamHash, EpochRule>>) -> Self {
        let lanes = streams.as_ref().map(|streams| lanes_of(streams, &disk)).unwrap_or_default();
        Self { streams, lanes, disk, ..Self::default() }
    }

    /// The streams that are kept, and their rules; none where all are.
    pub(crate) fn streams(&self) -> impl Iterator<Item = (StreamHash, EpochRule)> + '_ {
        self.streams.iter().flatten().map(|(&stream, &rule)| (stream, rule))
    }

    /// By which rule this stream is kept, if its rule is known.
    pub(crate) fn rule_of(&self, stream: StreamHash) -> Option<EpochRule> {
        self.streams.as_ref()?.get(&stream).copied()
    }

    /// Whether what concerns this stream is kept.
    pub fn follows(&self, stream: StreamHash) -> bool {
        self.streams.as_ref().is_none_or(|streams| streams.contains_key(&stream))
    }

    /// The block this state is at; `None` before the first one.
    pub fn head(&self) -> Option<BlockRef> {
        self.applied.back().map(|applied| applied.block)
    }

    /// The blocks that can be reverted to, newest first.
    pub fn revertible(&self) -> impl Iterator<Item = BlockRef> + '_ {
        self.applied.iter().rev().map(|applied| applied.block)
    }

    /// Applies the events of all blocks after the head up to and including `block`, in log order.
    pub fn apply(&mut self, block: BlockRef, events: impl IntoIterator<Item = LedgerEvent>) {
        let place_before = self.next_place;
        let undo = events.into_iter().filter_map(|event| self.apply_event(block.number, &event)).collect();
        self.applied.push_back(Applied { block, place_before, undo });
    }

    /// An event's effect; `None` where it concerns a stream that is not followed.
    fn apply_event(&mut self, block: u64, event: &LedgerEvent) -> Option<Undo> {
        self.touch_by(event);
        self.next_place += 1;
        let place = self.next_place;
        match *event {
            LedgerEvent::Proposed { proposer, header, timestamp_s } => {
                if self.streams.as_ref().is_some_and(|streams| !streams.contains_key(&header.stream_hash)) {
                    return None;
                }
                if self.streams.as_ref().is_some_and(|streams| is_off_timeline(&header, streams)) {
                    self.strays.add(header.stream_hash);
                    return Some(Undo::Stray(header.stream_hash));
                }
                let (slot, hash, lane) = (header.slot(), header.hash(), self.lanes.get_mut(&header.stream_hash));
                let name = lane.and_then(|lane| lane.propose(&header, (slot, hash), place, timestamp_s));
                let proposer = self.seats.of(proposer);
                let voters = vec![proposer];
                let candidate = Candidate { hash, header, proposer, voters, timestamp_s, name, place };
                let finals = finals_below(&self.finals, &self.disk, (header.stream_hash, header.sequence));
                self.parents.propose(&candidate, finals);
                // most slots have one, and a thousand streams many slots
                let candidates = &mut self.slots.entry(slot).or_default().candidates;
                candidates.reserve_exact(1);
                candidates.push(candidate);
                Some(Undo::Candidate(slot))
            }
            LedgerEvent::Attested { slot, observation, witness } => {
                let seat = self.seats.of(witness);
                self.candidate_mut(slot, observation)?.voters.push(seat);
                Some(Undo::Vote(slot, observation))
            }
            LedgerEvent::Moved { slot, from, to, witness } => {
                self.move_vote(slot, self.seats.of(witness), from, to).map(Undo::Move)
            }
            LedgerEvent::Rotated { from, to } => {
                self.seats.rotate(from, to);
                Some(Undo::Rotation { from, to })
            }
            LedgerEvent::Finalized { slot, observation } => {
                let state = self.slots.get_mut(&slot)?;
                let candidate = state.candidate(observation)?;
                let header = candidate.header;
                let is_stray = candidate.name.is_none() && self.lanes.contains_key(&header.stream_hash);
                if let Some(lane) = self.lanes.get_mut(&header.stream_hash) {
                    lane.finalize(candidate, place);
                }
                state.finalized = Some(observation);
                let content = header.content().hash();
                let found = Final { hash: observation, content, place, block, is_stray };
                let stream = header.stream_hash;
                self.finals.entry(stream).or_default().insert((header.sequence, slot), found);
                if !is_stray {
                    let below = |sequence| finals_below(&self.finals, &self.disk, (stream, sequence));
                    self.parents.finalize((stream, observation), place, below);
                }
                Some(Undo::Final(slot))
            }
        }
    }

    /// Notes which stream an event is of. One about a slot that is not known has no effect.
    fn touch_by(&mut self, event: &LedgerEvent) {
        let stream = match *event {
            LedgerEvent::Proposed { header, .. } => Some(header.stream_hash),
            LedgerEvent::Attested { slot, .. }
            | LedgerEvent::Moved { slot, .. }
            | LedgerEvent::Finalized { slot, .. } => self.stream_of(slot),
            LedgerEvent::Rotated { .. } => {
                self.unseen.0 = Touched::All;
                None
            }
        };
        stream.into_iter().for_each(|stream| self.unseen.0.add(stream));
    }

    fn stream_of(&self, slot: SlotId) -> Option<StreamHash> {
        Some(self.slot(slot)?.candidates.first()?.header.stream_hash)
    }

    /// For which streams it may show something else than when this was asked last; first, for all.
    pub fn take_touched(&mut self) -> Touched {
        self.unseen.take()
    }

    fn candidate_mut(&mut self, slot: SlotId, hash: ObservationHash) -> Option<&mut Candidate> {
        self.slots.get_mut(&slot)?.candidates.iter_mut().find(|candidate| candidate.hash == hash)
    }

    /// Takes back every block above `number`.
    pub fn revert_above(&mut self, number: u64) {
        while let Some(applied) = self.applied.pop_back_if(|applied| applied.block.number > number) {
            applied.undo.into_iter().rev().for_each(|undo| self.take_back(undo));
            self.next_place = applied.place_before;
            self.unseen.0 = Touched::All;
        }
    }

    fn take_back(&mut self, undo: Undo) {
        match undo {
            Undo::Candidate(slot) => {
                let Some(state) = self.slots.get_mut(&slot) else { return };
                let candidate = state.candidates.pop();
                if state.candidates.is_empty() {
                    self.slots.remove(&slot);
                }
                let Some(candidate) = candidate else { return };
                self.parents.forget(&candidate);
                if let Some(lane) = self.lanes.get_mut(&candidate.header.stream_hash) {
                    lane.withdraw(&candidate);
                }
            }
            Undo::Vote(slot, hash) => {
                self.candidate_mut(slot, hash).map(|candidate| candidate.voters.pop());
            }
            Undo::Move(moved) => self.move_back(moved),
            Undo::Rotation { from, to } => self.seats.take_back(from, to),
            Undo::Final(slot) => self.reopen(slot),
            Undo::Stray(stream) => self.strays.take_back(stream),
        }
    }

    fn reopen(&mut self, slot: SlotId) {
        let Some(state) = self.slots.get_mut(&slot) else { return };
        let Some(candidate) = state.finalized.take().and_then(|hash| state.candidate(hash)) else { return };
        let ObservationHeader { stream_hash, sequence, .. } = candidate.header;
        let Some(finals) = self.finals.get_mut(&stream_hash) else { return };
        self.parents.reopen(stream_hash, candidate.hash);
        let found = finals.remove(&(sequence, slot));
        if finals.is_empty() {
            self.finals.remove(&stream_hash);
        }
        if let (Some(found), Some(lane)) = (found, self.lanes.get_mut(&stream_hash)) {
            lane.reopen(candidate, found.place);
        }
    }

    /// Gives up the means to revert `finalized` and what lies below it, and with them the votes of the slots that
    /// were final there: what remains of those is [`Self::final_of`] and what their [`Lane`] keeps.
    pub fn forget(&mut self, finalized: u64) {
        while self.applied.get(1).is_some_and(|next| next.block.number <= finalized) {
            let undo = self.applied.pop_front().map(|applied| applied.undo).unwrap_or_default();
            let settled = self.applied.front().map_or(self.next_place, |next| next.place_before);
            for undo in undo {
                match undo {
                    Undo::Final(slot) => self.forget_slot(slot),
                    Undo::Candidate(slot) => self.forget_strays(slot, settled),
                    _ => {}
                }
            }
        }
    }

    /// Lets go of those of a slot's candidates up to this place, which no reorg changes any more, that no session has.
    fn forget_strays(&mut self, slot: SlotId, settled: u64) {
        let Some(state) = self.slots.get_mut(&slot) else { return };
        let is_stray = |candidate: &mut Candidate| {
            let lane = self.lanes.get(&candidate.header.stream_hash);
            let is_of_none = || lane.is_some_and(|lane| lane.decode(&candidate.header).is_none());
            candidate.place <= settled && candidate.name.is_none() && is_of_none()
        };
        let strays: Vec<_> = state.candidates.extract_if(.., is_stray).collect();
        if state.candidates.is_empty() {
            self.slots.remove(&slot);
        }
        for stray in strays {
            let ObservationHeader { stream_hash, sequence, .. } = stray.header;
            self.parents.forget(&stray);
            self.strays.add(stream_hash);
            // what was proposed first in the slot is another now
            self.unseen.0.add(stream_hash);
            let Some(finals) = self.finals.get_mut(&stream_hash) else { continue };
            // a stray's, if it is final, is not settled yet
            if finals.get_mut(&(sequence, slot)).is_some_and(|found| found.hash == stray.hash) {
                finals.remove(&(sequence, slot));
            }
        }
    }

    fn forget_slot(&mut self, slot: SlotId) {
        let Some(state) = self.slots.remove(&slot) else { return };
        state.candidates.iter().for_each(|candidate| self.parents.forget(candidate));
        let Some(candidate) = state.finalized.and_then(|hash| state.candidate(hash)) else { return };
        if let (Some(lane), Some(name)) = (self.lanes.get_mut(&candidate.header.stream_hash), candidate.name) {
            lane.forget_votes(name.mark);
        }
        let ObservationHeader { stream_hash, sequence, observed_unix_ms, .. } = candidate.header;
        let is_lane = self.lanes.contains_key(&stream_hash);
        if let Some(name) = candidate.name.or_else(|| (!is_lane).then_some(EpochName::timeline(sequence))) {
            self.runs.entry(stream_hash).or_default().add(name, observed_unix_ms);
        }
        if self.disk.is_there() {
            self.unsaved.settle(slot, candidate, &state.candidates);
        }
    }

    fn finals_shelf(&self, stream: StreamHash) -> Rows<'_, (u64, SlotId), Final> {
        self.disk.shelf(stream, Kind::Final)
    }

    /// The final observations of a stream with a sequence in this range, and their slots.
    fn finals_in(
        &self,
        stream: StreamHash,
        sequences: RangeInclusive<u64>,
        order: Order,
    ) -> impl Iterator<Item = ((u64, SlotId), Final)> + '_ {
        let (from, to) = sequences.into_inner();
        let range = (from, SlotId::ZERO)..=(to, LAST_SLOT);
        let finals = self.finals.get(&stream).into_iter();
        finals.flat_map(move |finals| finals.range(self.finals_shelf(stream), range.clone(), order))
    }

    /// The seat that an address votes for, or did before it handed that on.
    pub fn seat_of(&self, address: Address) -> Seat {
        self.seats.of(address)
    }

    /// The seat that an address may vote for now, if it has one; `None` for an address that handed its seat on.
    pub fn seat_held_by(&self, address: Address) -> Option<Seat> {
        let seat = self.seats.of(address);
        (self.seats.holder(seat) == address).then_some(seat)
    }

    /// The address that votes for a seat now.
    pub fn holder_of(&self, seat: Seat) -> Address {
        self.seats.holder(seat)
    }

    /// Every address that a seat had, its holder included.
    pub fn addresses_of(&self, seat: Seat) -> impl Iterator<Item = Address> + '_ {
        self.seats.addresses(seat)
    }

    /// The sessions of a lane that is followed; `None` for other streams.
    pub fn lane(&self, stream: StreamHash) -> Option<&Lane> {
        self.lanes.get(&stream)
    }

    /// The candidates of this index that opened a session with a mark in this range, in the order of the log; without
    /// those of sessions whose votes are forgotten.
    pub fn openers(&self, stream: StreamHash, index: u64, marks: RangeInclusive<u64>) -> Vec<&Candidate> {
        let ids = self.lanes.get(&stream).into_iter().flat_map(|lane| lane.openers(index, marks.clone()));
        let candidate = |(opened_at, (slot, hash)): (u64, (SlotId, ObservationHash))| {
            self.slot(slot)?.candidate(hash).filter(|found| found.place == opened_at)
        };
        let mut openers: Vec<_> = ids.filter_map(candidate).collect();
        openers.sort_by_key(|candidate| candidate.place);
        openers
    }

    /// The final observations of an index with a time in this range, whatever their session, forgotten or not: where one
    /// has the own content, the window is done.
    pub fn finals_of_index(
        &self,
        stream: StreamHash,
        index: u64,
        ms: RangeInclusive<u64>,
    ) -> impl Iterator<Item = (EpochName, Final)> + '_ {
        let lane = self.lanes.get(&stream);
        lane.into_iter().flat_map(move |lane| lane.finals(index, ms.clone())).filter_map(move |(name, epoch_hash)| {
            let slot = SlotId::of(stream, epoch_hash);
            Some((name, self.final_of(stream, name.sequence()?, slot)?))
        })
    }

    /// Whether the log has strays of this stream that are not kept. The contract counts those in a slot among its candidates.
    pub fn has_strays(&self, stream: StreamHash) -> bool {
        self.strays.are_of(stream)
    }

    /// What a slot holds, without the strays that are not kept; `None` when nothing was proposed or it is forgotten.
    pub fn slot(&self, slot: SlotId) -> Option<&Slot> {
        self.slots.get(&slot)
    }

    /// The final observation of a slot, forgotten or not.
    pub fn final_of(&self, stream: StreamHash, sequence: u64, slot: SlotId) -> Option<Final> {
        self.finals.get(&stream)?.get(self.finals_shelf(stream), (sequence, slot))
    }

    /// Every final observation of a stream, by ascending sequence.
    pub fn finals(&self, stream: StreamHash) -> impl Iterator<Item = (u64, SlotId, Final)> + '_ {
        let finals = self.finals_in(stream, 0..=u64::MAX, Order::Ascending);
        finals.map(|((sequence, slot), found)| (sequence, slot, found))
    }

    /// The highest sequence of a stream that was final at block `head`.
    pub fn newest_final(&self, stream: StreamHash, head: u64) -> Option<u64> {
        let mut newest_first = self.finals_in(stream, 0..=u64::MAX, Order::Descending);
        newest_first.find(|(_, found)| found.is_final_at(head)).map(|((sequence, _), _)| sequence)
    }

    /// The first run of indices in this range, of the session with this mark (0 on the timeline), that holds no slot of this
    /// stream final at `finalized_head`, in a header with a time among `times`; `slot_of` tells the one slot of an index that
    /// counts.
    pub fn next_gap(
        &self,
        stream: StreamHash,
        (mark, indices): (u64, RangeInclusive<u64>),
        finalized_head: u64,
        times: &RangeInclusive<u64>,
        slot_of: impl Fn(u64) -> SlotId,
    ) -> Option<RangeInclusive<u64>> {
        let (from, to) = indices.into_inner();
        let runs = self.runs.get(&stream);
        let is_within = |ms: &RangeInclusive<u64>| times.contains(ms.start()) && times.contains(ms.end());
        let is_done = |index: u64| {
            let found = mark.checked_add(index).and_then(|sequence| self.final_of(stream, sequence, slot_of(index)));
            found.is_some_and(|found| found.is_final_at(finalized_head))
        };
        let mut start = from;
        while start <= to {
            let run = runs.and_then(|runs| runs.at(EpochName { mark, index: start })).filter(|run| is_within(&run.ms));
            match run {
                Some(run) => start = run.indices.end().checked_add(1)?,
                None if is_done(start) => start = start.checked_add(1)?,
                None => break,
            }
        }
        let after = start.checked_add(1).filter(|_| start < to);
        let Some(after) = after else { return (start <= to).then_some(start..=to) };
        // what is settled is in the runs, and all else in memory
        let around = runs.and_then(|runs| runs.at(EpochName { mark, index: start }));
        let begun = runs.into_iter().flat_map(|runs| runs.within(mark, after..=to));
        let settled = around.into_iter().chain(begun).filter_map(|run| {
            if is_within(&run.ms) {
                return Some(*run.indices.start());
            }
            let (first, last) = (*run.indices.start(), *run.indices.end());
            (first.max(after)..=last.min(to)).find(|index| is_done(*index))
        });
        let sequences = mark.checked_add(after).map(|low| (low, SlotId::ZERO)..=(mark.saturating_add(to), LAST_SLOT));
        let recent = self.finals.get(&stream).zip(sequences).into_iter();
        let recent = recent.flat_map(|(finals, sequences)| finals.keys_in_memory(sequences));
        let recent = recent.map(|(sequence, _)| sequence - mark).find(|index| is_done(*index));
        let end = settled.take(1).chain(recent).min().map_or(to, |done| done - 1);
        Some(start..=end)
    }

    /// The parent that a proposal for `sequence` takes now: the newest final observation below it, or zero.
    pub fn newest_final_below(&self, stream: StreamHash, sequence: u64) -> ObservationHash {
        finals_below(&self.finals, &self.disk, (stream, sequence)).next().unwrap_or(ObservationHash::ZERO)
    }

    /// From which place in the log on a candidate's parent is right (protocol §5.2): from the candidate's own place, if
    /// the parent was final there, else from where the parent became final; of the same stream, below it, with at most
    /// `parent_window` final observations in between at that place; zero under the same count.
    pub fn parent_right_from(&self, candidate: &Candidate, parent_window: u64) -> Option<u64> {
        self.parents.right_from(candidate, parent_window)
    }
}

/// Final observations of a stream below a sequence, newest first.
fn finals_below<'a>(
    finals: &'a Finals,
    disk: &'a Disk,
    (stream, sequence): (StreamHash, u64),
) -> impl Iterator<Item = ObservationHash> + 'a {
    let below = sequence.checked_sub(1).map(|below| (0, SlotId::ZERO)..=(below, LAST_SLOT));
    let found = finals.get(&stream).zip(below).into_iter().flat_map(move |(finals, below)| {
        finals.range(disk.shelf(stream, Kind::Final), below, Order::Descending).map(|(_, found)| found)
    });
    found.filter(|found| !found.is_stray).map(|found| found.hash)
}

impl Final {
    /// Whether this was final at block `number`.
    pub fn is_final_at(&self, number: u64) -> bool {
        self.block <= number
    }

    /// What is final, and since which block.
    pub fn finality(&self) -> Finality {
        Finality { observation: self.hash, block: self.block }
    }
}

impl Row for Final {
    fn to_bytes(self) -> Vec<u8> {
        let Self { hash, content, place, block, is_stray } = self;
        let numbers = [place, block].map(u64::to_be_bytes).concat();
        [&hash.0[..], &content.0[..], &numbers, &[u8::from(is_stray)]].concat()
    }

    fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut pieces = Pieces(bytes);
        let (hash, content) = (ObservationHash(pieces.hash()?), ContentHash(pieces.hash()?));
        let (place, block) = (pieces.u64()?, pieces.u64()?);
        let is_stray = pieces.bool()?;
        pieces.end(Self { hash, content, place, block, is_stray })
    }
}

#[cfg(test)]
mod tests;
