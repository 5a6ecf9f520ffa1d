//! A ledger that is kept on a disk, and begun again from there, tells what one in memory tells.

use std::{
    collections::{BTreeSet, HashMap},
    fmt::Debug,
    path::Path,
};

use alloy::primitives::{Address, B256};
use ec_observation::{
    EpochHash, EpochName, EpochRule, Numbering, ObservationHash, ObservationHeader, SlotId, StreamHash,
    stream::DEFAULT_GROUPS_PER_EPOCH,
};
use ec_rpc::BlockRef;
use proptest::prelude::*;

use super::*;
use crate::{
    event::LedgerEvent,
    seats::Seat,
    sessions::Session,
    state::{LedgerState, Residue},
};

const TIMELINE: StreamHash = StreamHash(B256::repeat_byte(1));
const LANE: StreamHash = StreamHash(B256::repeat_byte(2));
const MARKS: u64 = 3;
const INDICES: u64 = 12;

fn streams() -> HashMap<StreamHash, EpochRule> {
    let timeline = EpochRule::timeline(DEFAULT_GROUPS_PER_EPOCH);
    HashMap::from([(TIMELINE, timeline), (LANE, EpochRule { numbering: Numbering::Session, ..timeline })])
}

/// The mark of a session, far from its neighbours'.
fn mark(stream: StreamHash, session: u64) -> u64 {
    if stream == LANE { 1_000_000 * (1 + session) } else { 0 }
}

fn slot_of(stream: StreamHash, name: EpochName) -> SlotId {
    SlotId::of(stream, EpochHash::of(&streams()[&stream].id(name)))
}

#[derive(Clone, Debug)]
enum Act {
    /// Somebody proposes for an epoch of one of the streams, on one of the final observations or none.
    Propose {
        in_lane: bool,
        session: u64,
        index: u64,
        time: u64,
        content: u8,
        parent: usize,
    },
    /// One of the candidates becomes final, if its slot has no final one.
    Finalize(usize),
    Rotate(u8),
    Block,
    /// So many blocks below the head are final.
    Forget(u64),
    /// So many blocks are taken back, if they are not final.
    Revert(u64),
    Keep,
    /// The process is killed, and begins again.
    Restart,
}

fn act() -> impl Strategy<Value = Act> {
    let propose = (any::<bool>(), 0..MARKS, 0..INDICES, 0..30u64, 0..2u8, 0..40usize).prop_map(
        |(in_lane, session, index, time, content, parent)| Act::Propose {
            in_lane,
            session,
            index,
            time,
            content,
            parent,
        },
    );
    prop_oneof![
        12 => propose,
        12 => (0..64usize).prop_map(Act::Finalize),
        1 => (0..4u8).prop_map(Act::Rotate),
        8 => Just(Act::Block),
        3 => (0..6u64).prop_map(Act::Forget),
        1 => (1..4u64).prop_map(Act::Revert),
        3 => Just(Act::Keep),
        2 => Just(Act::Restart),
    ]
}

/// One history, told to a ledger in memory and to one on a disk.
struct Pair<'a> {
    file: &'a Path,
    /// The events of each block from the first on, and those of the next.
    blocks: Vec<Vec<LedgerEvent>>,
    finalized: u64,
    memory: LedgerState,
    kept: LedgerState,
    rotations: u8,
}

impl<'a> Pair<'a> {
    fn new(file: &'a Path) -> Self {
        let memory = LedgerState::new(Some(streams()));
        let kept = LedgerState::on(Disk(Some(Arc::new(Settled::open(file).unwrap()))), Some(streams()));
        Self { file, blocks: vec![Vec::new()], finalized: 0, memory, kept, rotations: 0 }
    }

    /// The candidates so far and which slots are final, by the events alone.
    fn known(&self) -> (Vec<ObservationHeader>, BTreeSet<SlotId>) {
        let (mut candidates, mut finals) = (Vec::new(), BTreeSet::new());
        for event in self.blocks.iter().flatten() {
            match event {
                LedgerEvent::Proposed { header, .. } => candidates.push(*header),
                LedgerEvent::Finalized { slot, .. } => _ = finals.insert(*slot),
                _ => {}
            }
        }
        (candidates, finals)
    }

    fn event(&mut self, act: &Act) -> Option<LedgerEvent> {
        let (candidates, finals) = self.known();
        match *act {
            Act::Propose { in_lane, session, index, time, content, parent } => {
                let stream = if in_lane { LANE } else { TIMELINE };
                let mark = mark(stream, session);
                let name = EpochName { mark, index };
                // the first of a session opens it: whether one that came before is kept depends on when it is looked at
                let opens = |header: &ObservationHeader| header.stream_hash == LANE && header.observed_unix_ms == mark;
                let time = if candidates.iter().any(opens) { time } else { 0 };
                let parents: Vec<_> = candidates.iter().filter(|header| finals.contains(&header.slot())).collect();
                let header = ObservationHeader {
                    stream_hash: stream,
                    epoch_hash: EpochHash::of(&streams()[&stream].id(name)),
                    parent_observation_hash: parents.get(parent).map_or(ObservationHash::ZERO, |header| header.hash()),
                    data_root: B256::repeat_byte(content),
                    locator_hash: B256::ZERO,
                    observed_unix_ms: mark + time,
                    sequence: mark + index,
                };
                let is_open =
                    !finals.contains(&header.slot()) && !candidates.iter().any(|at| at.hash() == header.hash());
                let proposer = Address::with_last_byte(content);
                is_open.then_some(LedgerEvent::Proposed { proposer, header, timestamp_s: self.blocks.len() as u64 })
            }
            Act::Finalize(at) => {
                let header = candidates.get(at % candidates.len().max(1))?;
                let slot = header.slot();
                (!finals.contains(&slot)).then(|| LedgerEvent::Finalized { slot, observation: header.hash() })
            }
            Act::Rotate(from) => {
                // whoever holds the seat hands it on, once a block
                let is_done = self.blocks.last()?.iter().any(|event| matches!(event, LedgerEvent::Rotated { .. }));
                self.rotations = self.rotations.checked_add(1).filter(|_| !is_done)?;
                let from = self.memory.holder_of(Seat(Address::with_last_byte(from)));
                Some(LedgerEvent::Rotated { from, to: Address::repeat_byte(self.rotations) })
            }
            _ => None,
        }
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Block => {
                let number = self.blocks.len() as u64;
                let events = self.blocks.last().cloned().unwrap_or_default();
                self.memory.apply(block(number), events.clone());
                self.kept.apply(block(number), events);
                self.blocks.push(Vec::new());
            }
            Act::Forget(lag) => {
                let head = self.blocks.len() as u64 - 1;
                self.finalized = self.finalized.max(head.saturating_sub(lag));
                self.memory.forget(self.finalized);
                self.kept.forget(self.finalized);
            }
            Act::Revert(blocks) => {
                let head = self.blocks.len() as u64 - 1;
                let to = head.saturating_sub(blocks).max(self.finalized).max(1);
                if to < head {
                    self.memory.revert_above(to);
                    self.kept.revert_above(to);
                    self.blocks.truncate(usize::try_from(to).unwrap());
                    self.blocks.push(Vec::new());
                }
            }
            Act::Keep => self.keep(),
            Act::Restart => self.restart(),
            _ => {
                let event = self.event(act);
                self.blocks.last_mut().into_iter().for_each(|block| block.extend(event));
            }
        }
    }

    fn keep(&mut self) {
        let Some((residue, rows)) = self.kept.to_keep() else { return };
        self.kept.disk().save(&residue, &rows).unwrap();
        self.kept.shelve();
    }

    /// Begins at what is on the disk, and reads on to the head.
    fn restart(&mut self) {
        let settled = Settled::open(self.file).unwrap();
        let residue = settled.text::<Residue>().unwrap();
        let disk = Disk(Some(Arc::new(settled)));
        self.kept = match residue {
            Some(residue) => LedgerState::resumed(residue, &disk, &streams()),
            None => LedgerState::on(disk, Some(streams())),
        };
        let from = self.kept.head().map_or(1, |head| head.number + 1);
        for number in from..self.blocks.len() as u64 {
            self.kept.apply(block(number), self.blocks[usize::try_from(number).unwrap() - 1].clone());
        }
        self.kept.forget(self.finalized);
    }
}

fn block(number: u64) -> BlockRef {
    BlockRef { number, hash: B256::from(alloy::primitives::U256::from(number)) }
}

/// All that a ledger tells, but for how deep it can be taken back.
fn told(ledger: &LedgerState, candidates: &[ObservationHeader], finalized: u64) -> Vec<String> {
    let mut told = Vec::new();
    let mut tell = |what: &str, said: &dyn Debug| told.push(format!("{what}: {said:?}"));
    tell("head", &ledger.head());
    for stream in [TIMELINE, LANE] {
        tell("finals", &ledger.finals(stream).collect::<Vec<_>>());
        tell("strays", &ledger.has_strays(stream));
        for head in [0, finalized / 2, finalized] {
            tell("newest", &ledger.newest_final(stream, head));
        }
        for session in 0..MARKS {
            let mark = mark(stream, session);
            for from in 0..=INDICES {
                tell("below", &ledger.newest_final_below(stream, mark + from));
                for (to, times) in [(from, 0..=u64::MAX), (INDICES, 0..=u64::MAX), (INDICES, mark..=mark + 15)] {
                    let lane = ledger.lane(stream);
                    let slot = |index| {
                        let found = lane.map(|lane| lane.final_ms(mark, index));
                        let is_own = found.is_none_or(|ms| ms.is_some_and(|ms| times.contains(&ms)));
                        if is_own { slot_of(stream, EpochName { mark, index }) } else { SlotId::ZERO }
                    };
                    let times = if stream == LANE { times.clone() } else { 0..=u64::MAX };
                    tell("gap", &ledger.next_gap(stream, (mark, from..=to), finalized, &times, slot));
                }
            }
        }
    }
    let lane = ledger.lane(LANE).unwrap();
    // the votes of a session are not asked for once one of its observations is final
    let asked = |session: &Session| session.first_final.is_none().then(|| session.candidates.clone());
    let session =
        |session: &Session| (session.mark, session.opened_by, session.opened_at, session.first_final, asked(session));
    tell("sessions", &lane.sessions().map(session).collect::<Vec<_>>());
    for session in 0..MARKS {
        let mark = mark(LANE, session);
        let near = mark.saturating_sub(9)..=mark + 20;
        tell("candidates", &lane.candidates_in(near.clone()).collect::<Vec<_>>());
        tell("latest", &lane.latest_candidates_in(near.clone()).collect::<Vec<_>>());
        for index in 0..INDICES {
            tell("time", &lane.final_ms(mark, index));
            tell("first", &lane.first_proposed_s(index, near.clone()));
            tell("openers", &ledger.openers(LANE, index, near.clone()));
            tell("of index", &ledger.finals_of_index(LANE, index, near.clone()).collect::<Vec<_>>());
        }
    }
    for header in candidates {
        tell("final", &ledger.final_of(header.stream_hash, header.sequence, header.slot()));
        let slot = ledger.slot(header.slot());
        tell("slot", &slot);
        for candidate in slot.into_iter().flat_map(|slot| &slot.candidates) {
            tell("parent", &[0, 2, 64].map(|window| ledger.parent_right_from(candidate, window)));
        }
    }
    for address in (0..4).map(Address::with_last_byte).chain((1..9).map(Address::repeat_byte)) {
        tell("seat", &(ledger.seat_of(address), ledger.seat_held_by(address)));
    }
    told
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn what_is_kept_is_what_was_in_memory(acts in proptest::collection::vec(act(), 0..260)) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("ledger.sqlite");
        let mut pair = Pair::new(&file);
        for act in &acts {
            pair.act(act);
        }
        pair.act(&Act::Block);
        for act in [Act::Keep, Act::Restart, Act::Forget(2), Act::Keep, Act::Restart] {
            pair.act(&act);
            let (candidates, _) = pair.known();
            let (memory, kept) = (told(&pair.memory, &candidates, pair.finalized), told(&pair.kept, &candidates, pair.finalized));
            for (memory, kept) in memory.iter().zip(&kept) {
                prop_assert_eq!(memory, kept);
            }
            prop_assert_eq!(memory.len(), kept.len());
        }
    }
}
