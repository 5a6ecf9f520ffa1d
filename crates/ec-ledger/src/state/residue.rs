//! The state of the ledger as it is kept on the disk: what is settled as rows, the residue as one value.

use std::collections::{BTreeMap, HashMap, HashSet};

use ec_observation::{EpochRule, SlotId, StreamHash};
use ec_rpc::BlockRef;
use serde::{Deserialize, Serialize, Serializer};

use super::{Applied, Final, LAST_SLOT, LedgerState, Runs, Slot, Undo};
use crate::{
    candidate::Candidate,
    parents::Parents,
    seats::Seats,
    sessions::{Lane, Session, SessionCandidate},
    settled::{Disk, Kind, Tail, Written},
    strays::Strays,
    touched::Unseen,
};

/// The keys of what was settled since the last checkpoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unsaved {
    finals: Vec<(StreamHash, (u64, SlotId))>,
    candidates: Vec<(StreamHash, (u64, u64))>,
    final_times: Vec<(StreamHash, (u64, u64))>,
}

impl Unsaved {
    /// A slot with a final observation is settled, and all its candidates with it.
    pub(super) fn settle(&mut self, slot: SlotId, found: &Candidate, candidates: &[Candidate]) {
        let (stream, sequence) = (found.header.stream_hash, found.header.sequence);
        self.finals.push((stream, (sequence, slot)));
        let named = candidates.iter().filter(|candidate| candidate.name.is_some());
        self.candidates.extend(named.map(|candidate| (stream, candidate.time_and_place())));
        self.final_times.extend(found.name.map(|name| (stream, (name.mark, name.index))));
    }
}

/// What a checkpoint holds beside its rows: the state at a block, without what is settled there. Of the slots, which may be very
/// many, one that is written has the [`OpenSlots`].
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Residue<Slots = Vec<(SlotId, Slot)>> {
    /// The block, which is applied and can be taken back no more.
    base: Applied,
    next_place: u64,
    seats: Seats,
    strays: Strays,
    parents: Parents,
    slots: Slots,
    finals: Vec<(StreamHash, (u64, SlotId), Final)>,
    sessions: Vec<(StreamHash, Vec<Session>)>,
    candidates: Vec<(StreamHash, (u64, u64), SessionCandidate)>,
    final_times: Vec<(StreamHash, (u64, u64), u64)>,
    runs: Vec<(StreamHash, Runs)>,
}

/// The slots at a block below the head.
#[derive(Debug)]
pub(crate) struct OpenSlots<'a> {
    at_head: &'a BTreeMap<SlotId, Slot>,
    /// Those that are another at the head,
    changed: HashSet<SlotId>,
    /// and as they were.
    before: BTreeMap<SlotId, Slot>,
}

impl Serialize for OpenSlots<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let unchanged = self.at_head.iter().filter(|(slot, _)| !self.changed.contains(slot));
        serializer.collect_seq(unchanged.chain(&self.before))
    }
}

impl<Slots> Residue<Slots> {
    /// The block that it is of.
    pub(crate) fn base(&self) -> BlockRef {
        self.base.block
    }
}

impl LedgerState {
    /// The lowest block that can be reverted to: what lies below it is settled.
    pub(crate) fn base(&self) -> Option<BlockRef> {
        self.applied.front().map(|applied| applied.block)
    }

    /// Where its settled entries are.
    #[cfg(test)]
    pub(crate) fn disk(&self) -> &crate::settled::Settled {
        self.disk.0.as_deref().expect("it is on a disk")
    }

    /// How many slots were settled since the last checkpoint.
    pub(crate) fn unsaved(&self) -> usize {
        self.unsaved.finals.len()
    }

    /// What is to be kept at [`Self::base`]: the residue, and the rows of what was settled since the last checkpoint. `None`
    /// before the first block.
    pub(crate) fn to_keep(&self) -> Option<(Residue<OpenSlots<'_>>, Vec<Written>)> {
        let above = self.applied.iter().skip(1).flat_map(|applied| &applied.undo);
        let changed: HashSet<_> = above.filter_map(Undo::slot).collect();
        let mut settled = self.with_slots(&changed);
        settled.revert_above(self.base()?.number);
        let rows = settled.unsaved_rows();
        settled.shelve();
        let residue = settled.into_residue(|before| OpenSlots { at_head: &self.slots, changed, before })?;
        Some((residue, rows))
    }

    /// A state that can be taken back to the base, and has no more than that and a checkpoint need: of the slots these, and of
    /// what is settled what is not on the disk. All of it may be very much.
    fn with_slots(&self, slots: &HashSet<SlotId>) -> Self {
        let Self { seats, strays, parents, applied, next_place, disk, unsaved, runs, .. } = self;
        let slots = slots.iter().filter_map(|slot| self.slots.get_key_value(slot));
        Self {
            streams: None,
            lanes: self.lanes.iter().map(|(stream, lane)| (*stream, lane.off_the_disk())).collect(),
            slots: slots.map(|(id, slot)| (*id, slot.clone())).collect(),
            finals: self.finals.iter().map(|(stream, finals)| (*stream, finals.off_the_shelf())).collect(),
            seats: seats.clone(),
            strays: strays.clone(),
            parents: parents.clone(),
            applied: applied.clone(),
            next_place: *next_place,
            disk: disk.clone(),
            unsaved: unsaved.clone(),
            runs: runs.clone(),
            unseen: Unseen::default(),
        }
    }

    /// The rows are on the disk: memory gives up all but the newest.
    pub(crate) fn shelve(&mut self) {
        let Unsaved { finals, candidates, final_times } = std::mem::take(&mut self.unsaved);
        for (stream, key) in finals {
            self.finals.entry(stream).or_default().shelve(key);
        }
        for (stream, key) in candidates {
            self.lanes.get_mut(&stream).into_iter().for_each(|lane| lane.candidates.shelve(key));
        }
        for (stream, key) in final_times {
            self.lanes.get_mut(&stream).into_iter().for_each(|lane| lane.final_times.shelve(key));
        }
    }

    fn unsaved_rows(&self) -> Vec<Written> {
        let Unsaved { finals, candidates, final_times } = &self.unsaved;
        let finals = finals.iter().filter_map(|&(stream, key)| {
            let found = self.finals.get(&stream)?.in_memory(&key)?;
            Some(Written::new(stream, Kind::Final, key, found))
        });
        let candidates = candidates.iter().filter_map(|&(stream, key)| {
            let found = self.lanes.get(&stream)?.candidates.in_memory(&key)?;
            Some(Written::new(stream, Kind::Candidate, key, found))
        });
        let final_times = final_times.iter().filter_map(|&(stream, key)| {
            let found = self.lanes.get(&stream)?.final_times.in_memory(&key)?;
            Some(Written::new(stream, Kind::FinalTime, key, found))
        });
        finals.chain(candidates).chain(final_times).collect()
    }

    /// The residue, of which `slots` makes the slots of those that this has.
    fn into_residue<Slots>(mut self, slots: impl FnOnce(BTreeMap<SlotId, Slot>) -> Slots) -> Option<Residue<Slots>> {
        let finals = self.finals.iter();
        let finals =
            finals.flat_map(|(&stream, finals)| finals.unshelved().map(move |(key, found)| (stream, key, found)));
        let candidates = self
            .lanes
            .iter()
            .flat_map(|(&stream, lane)| lane.candidates.unshelved().map(move |(key, found)| (stream, key, found)));
        let final_times = self
            .lanes
            .iter()
            .flat_map(|(&stream, lane)| lane.final_times.unshelved().map(move |(key, found)| (stream, key, found)));
        let sessions = self.lanes.iter().map(|(&stream, lane)| (stream, lane.sessions().cloned().collect()));
        Some(Residue {
            finals: finals.collect(),
            candidates: candidates.collect(),
            final_times: final_times.collect(),
            sessions: sessions.collect(),
            base: self.applied.pop_front()?,
            next_place: self.next_place,
            seats: self.seats,
            strays: self.strays,
            parents: self.parents,
            slots: slots(self.slots),
            runs: self.runs.into_iter().collect(),
        })
    }

    /// The state that was kept, for those of its streams that are followed still.
    pub(crate) fn resumed(residue: Residue, disk: &Disk, streams: &HashMap<StreamHash, EpochRule>) -> Self {
        let Residue { base, next_place, seats, strays, parents, slots, finals, .. } = residue;
        let Residue { sessions, candidates, final_times, runs, .. } = residue;
        let is_followed = |stream: StreamHash| streams.contains_key(&stream);
        let is_slot_followed =
            |slot: &Slot| slot.candidates.first().is_some_and(|found| is_followed(found.header.stream_hash));
        let slots: BTreeMap<_, _> = slots.into_iter().filter(|(_, slot)| is_slot_followed(slot)).collect();
        let places: HashSet<_> =
            slots.values().flat_map(|slot| slot.candidates.iter().map(|candidate| candidate.place)).collect();
        let parents = parents.only(|place| places.contains(&place));
        let strays = strays.only(is_followed);
        let runs = runs.into_iter().filter(|(stream, _)| is_followed(*stream)).collect();
        let mut state =
            Self { slots, parents, strays, seats, next_place, runs, ..Self::on(disk.clone(), Some(streams.clone())) };
        for (stream, sessions) in sessions {
            let Some(&rule) = streams.get(&stream) else { continue };
            state.lanes.insert(stream, Lane::resumed((stream, rule), disk.clone(), sessions));
        }
        for &stream in streams.keys() {
            let all = (0, SlotId::ZERO)..=(u64::MAX, LAST_SLOT);
            let finals = Tail::of(disk.shelf(stream, Kind::Final), all);
            if !finals.is_empty() {
                state.finals.insert(stream, finals);
            }
        }
        for (stream, key, found) in finals.into_iter().filter(|(stream, ..)| is_followed(*stream)) {
            state.finals.entry(stream).or_default().insert(key, found);
        }
        for (stream, key, found) in candidates {
            state.lanes.get_mut(&stream).into_iter().for_each(|lane| lane.candidates.insert(key, found));
        }
        for (stream, key, found) in final_times {
            state.lanes.get_mut(&stream).into_iter().for_each(|lane| lane.final_times.insert(key, found));
        }
        state.applied.push_back(base);
        state
    }

    /// Takes in the state of other streams at the same block, which is the base of both and all that they have applied. False,
    /// and nothing is taken in, where their logs differ.
    pub(crate) fn join(&mut self, other: Self) -> bool {
        let at = |state: &Self| (state.head(), state.base(), state.next_place);
        if at(self) != at(&other) || self.head() != self.base() || self.seats != other.seats {
            return false;
        }
        let Self { streams, lanes, slots, finals, strays, parents, applied, unsaved, runs, .. } = other;
        if let (Some(own), Some(streams)) = (&mut self.streams, streams) {
            streams.keys().for_each(|stream| self.unseen.0.add(*stream));
            own.extend(streams);
        }
        self.lanes.extend(lanes);
        self.slots.extend(slots);
        self.finals.extend(finals);
        self.runs.extend(runs);
        self.strays.join(strays);
        self.parents.join(parents);
        // the base is taken back no more, but what it made final is settled with it
        if let (Some(own), Some(base)) = (self.applied.front_mut(), applied.into_iter().next()) {
            own.undo.extend(base.undo);
        }
        self.unsaved.finals.extend(unsaved.finals);
        self.unsaved.candidates.extend(unsaved.candidates);
        self.unsaved.final_times.extend(unsaved.final_times);
        true
    }
}
