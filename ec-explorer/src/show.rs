//! From what the databases have to what the API answers.

use std::collections::HashMap;

use alloy::{hex, primitives::Address};
use ec_observation::{EpochName, StreamRule};

use crate::{
    model::{
        ArchiveCounts, ArchiveEpoch, Candidate, CellState, Counts, EpochState, Final, Heads, L1, L1Standing,
        LedgerStatus, Numbering, SessionPlace, Slot, SlotState, Standing, Vote, VoteKind,
    },
    state::Ledger,
    store::{
        AddressRow, CandidateRow, EpochOfSlot, EpochWord, Reader, SlotRow, StoreError, StreamRow, VoteRow, Window,
    },
};

/// The largest integer that every reader of JSON has.
const MOST: u64 = (1 << 53) - 1;

/// A time that others choose.
pub fn ms(time: u64) -> u64 {
    time.min(MOST)
}

/// A state as it is counted.
pub fn state_of(state: u8) -> SlotState {
    match state {
        0 => SlotState::Final,
        1 => SlotState::Open,
        2 => SlotState::Disputed,
        3 => SlotState::Mismatched,
        _ => SlotState::Unvoted,
    }
}

/// Counts by state.
pub fn counts(window: &Window) -> Counts {
    let [r#final, open, disputed, mismatched, unvoted] = window.states;
    Counts { r#final, open, disputed, mismatched, unvoted }
}

/// What a cell with these slots shows.
pub fn cell_state(window: &Window) -> CellState {
    let [r#final, open, disputed, mismatched, unvoted] = window.states;
    let worst = [
        (mismatched, CellState::Mismatched),
        (disputed, CellState::Disputed),
        (unvoted, CellState::Unvoted),
        (open, CellState::Open),
        (r#final, CellState::Final),
    ];
    worst.into_iter().find(|(count, _)| *count > 0).map_or(CellState::Gap, |(_, state)| state)
}

/// How a stream's groups are numbered.
pub fn numbering(rule: &StreamRule) -> Numbering {
    if rule.is_lane() { Numbering::Session } else { Numbering::Timeline }
}

/// Who is who on a ledger.
#[derive(Clone, Debug, Default)]
pub struct Seats {
    by_id: HashMap<i64, AddressRow>,
    by_address: HashMap<Address, i64>,
}

impl Seats {
    /// As the database has them now.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn read(reader: &Reader<'_>) -> Result<Self, StoreError> {
        let rows = reader.addresses()?;
        let by_address = rows.iter().map(|row| (row.address, row.id)).collect();
        Ok(Self { by_id: rows.into_iter().map(|row| (row.id, row)).collect(), by_address })
    }

    /// An address by its number.
    pub fn address(&self, id: i64) -> String {
        address(self.by_id.get(&id).map(|row| row.address).unwrap_or_default())
    }

    /// The seat that an address has or had.
    pub fn seat_of(&self, address: Address) -> Option<i64> {
        self.by_address.get(&address).and_then(|id| self.by_id.get(id)).map(|row| row.seat)
    }

    /// The name of the seat that an address has, also of one that never voted.
    pub fn name_of(&self, holder: Address) -> String {
        self.seat_of(holder).map_or_else(|| address(holder), |seat| self.address(seat))
    }

    /// All seats.
    pub fn seats(&self) -> Vec<i64> {
        let mut seats: Vec<_> = self.by_id.values().map(|row| row.seat).collect();
        seats.sort_unstable();
        seats.dedup();
        seats
    }

    /// Every address of a seat, the present one last.
    pub fn addresses_of(&self, seat: i64) -> Vec<Address> {
        let mut rows: Vec<_> = self.by_id.values().filter(|row| row.seat == seat).collect();
        rows.sort_by_key(|row| (row.id != seat, row.since, row.id));
        rows.into_iter().map(|row| row.address).collect()
    }
}

/// An address as it is shown.
pub fn address(address: Address) -> String {
    format!("{address:#x}")
}

/// At which head a block stands.
pub fn standing(heads: &Heads, block: u64) -> Standing {
    if block <= heads.finalized.number {
        Standing::Finalized
    } else if block <= heads.safe.number {
        Standing::Safe
    } else {
        Standing::Unsafe
    }
}

/// How a block stands on L1, when the rollup's node stands so.
pub fn l1_standing(l1: &L1, block: u64) -> L1Standing {
    if block <= l1.finalized_l2 {
        L1Standing::Finalized
    } else if block <= l1.safe_l2 {
        L1Standing::Posted
    } else {
        L1Standing::Missing
    }
}

/// What a slot is shown by: how its ledger stands.
#[derive(Clone, Debug)]
pub struct View {
    /// The ledger's name.
    pub ledger: String,
    /// The chain's heads.
    pub heads: Heads,
    /// Where the rollup stands on L1.
    pub l1: Option<L1>,
    /// The seats of the active witnesses, by index.
    pub active: Vec<String>,
    /// Votes that make a slot final.
    pub quorum: u32,
}

impl View {
    /// How a ledger stands now.
    pub fn of(ledger: &Ledger) -> Self {
        let status = ledger.status();
        let LedgerStatus { name, heads, l1, active, quorum, .. } = &*status;
        Self { ledger: name.clone(), heads: *heads, l1: *l1, active: active.clone(), quorum: *quorum }
    }

    /// The chain's time.
    pub fn chain_ms(&self) -> u64 {
        self.heads.latest.time_ms.unwrap_or_default()
    }

    /// A slot in short.
    pub fn slot(&self, stream: &StreamRow, row: &SlotRow) -> Slot {
        let name = match (&stream.rule, row.session) {
            (Some(rule), Some((mark, index))) if rule.is_lane() => Some(EpochName { mark, index }),
            (Some(rule), None) if !rule.is_lane() => Some(EpochName::timeline(row.sequence)),
            _ => None,
        };
        let session =
            row.session.map(|(mark, index)| SessionPlace { mark: mark.to_string(), index: index.to_string() });
        Slot {
            ledger: self.ledger.clone(),
            slot: row.hash.to_string(),
            stream: stream.hash.to_string(),
            stream_id: stream.rule.as_ref().map(|rule| rule.stream_id.clone()),
            sequence: row.sequence.to_string(),
            session,
            epoch_id: stream.rule.as_ref().zip(name).map(|(rule, name)| rule.epochs.id(name)),
            observed_ms: ms(row.observed_ms),
            state: state_of(row.state(self.chain_ms())),
            r#final: None,
            candidates: row.candidates,
            votes: row.votes,
            witnesses: u32::try_from(self.active.len()).unwrap_or(u32::MAX),
            quorum: self.quorum,
            archives: ArchiveCounts { equal: row.equal, differing: row.differing, incomplete: row.incomplete },
        }
    }

    /// The same with what is final in it, which is looked up.
    ///
    /// # Errors
    ///
    /// SQLite refuses.
    pub fn whole_slot(&self, reader: &Reader<'_>, stream: &StreamRow, row: &SlotRow) -> Result<Slot, StoreError> {
        let candidate = row.final_row.map(|found| reader.candidate(found.candidate)).transpose()?.flatten();
        Ok(Slot { r#final: candidate.and_then(|candidate| self.final_of(row, &candidate)), ..self.slot(stream, row) })
    }

    /// What is final in a slot.
    pub fn final_of(&self, row: &SlotRow, candidate: &CandidateRow) -> Option<Final> {
        let found = row.final_row.filter(|found| found.candidate == candidate.id)?;
        Some(Final {
            observation: candidate.hash.to_string(),
            block: found.block,
            time_ms: found.ms,
            transaction: found.transaction.map(|hash| format!("{hash:#x}")),
            standing: standing(&self.heads, found.block),
            l1: self.l1.map(|l1| l1_standing(&l1, found.block)),
        })
    }

    /// A vote, in a slot with these candidates whose first vote came at this time.
    pub fn vote(&self, seats: &Seats, candidates: &HashMap<i64, String>, first_ms: u64, row: &VoteRow) -> Vote {
        let candidate = |id: i64| candidates.get(&id).cloned().unwrap_or_default();
        Vote {
            witness: seats.address(row.seat),
            address: seats.address(row.address),
            kind: match row.kind {
                0 => VoteKind::Propose,
                1 => VoteKind::Attest,
                _ => VoteKind::Move,
            },
            observation: candidate(row.candidate),
            from: row.from.map(candidate),
            block: row.block,
            time_ms: row.ms,
            log_index: row.log_index,
            transaction: row.transaction.map(|hash| format!("{hash:#x}")),
            lag_ms: row.ms.saturating_sub(first_ms),
            standing: standing(&self.heads, row.block),
        }
    }

    /// A candidate, with the seats that have their votes there.
    pub fn candidate(
        &self,
        seats: &Seats,
        row: &CandidateRow,
        voters: &[i64],
        is_final: bool,
        parent_slot: Option<String>,
    ) -> Candidate {
        let voters: Vec<_> = voters.iter().map(|seat| seats.address(*seat)).collect();
        let active = voters.iter().filter(|seat| self.active.contains(seat)).count();
        Candidate {
            observation: row.hash.to_string(),
            header: row.header,
            encoded: hex::encode_prefixed(row.header.abi_encode()),
            proposer: seats.address(row.proposer),
            active_votes: u32::try_from(active).unwrap_or(u32::MAX),
            voters,
            is_final,
            parent_slot,
            block: row.block,
            time_ms: row.ms,
            transaction: row.transaction.map(|hash| format!("{hash:#x}")),
        }
    }
}

/// What an archive has of an epoch.
pub fn archive_epoch(row: &EpochOfSlot, rule: Option<&StreamRule>, candidates: &[CandidateRow]) -> ArchiveEpoch {
    let expected = rule.map(|rule| rule.epochs.groups_per_epoch.get().saturating_mul(rule.tracks.names().len() as u64));
    let same = candidates.iter().filter(|candidate| Some(candidate.header.data_root) == row.root);
    ArchiveEpoch {
        archive: row.archive.clone(),
        segment: row.segment,
        index: row.index.to_string(),
        state: match row.word {
            EpochWord::Complete => EpochState::Complete,
            EpochWord::Incomplete => EpochState::Incomplete,
            EpochWord::Conflicting => EpochState::Conflicting,
        },
        leaf_count: row.leaves,
        expected: expected.unwrap_or_default(),
        data_root: row.root.map(|root| format!("{root:#x}")),
        observed_ms: row.observed_ms.map(ms),
        equals: same.map(|candidate| candidate.hash.to_string()).collect(),
    }
}
