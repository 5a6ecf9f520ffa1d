//! Slots: what they are called, which archive's epochs are theirs, and what is counted of them.

use std::collections::{BTreeSet, HashMap, HashSet};

use alloy::primitives::B256;
use ec_observation::{EpochHash, EpochName, Numbering, ObservationHeader, SlotId, StreamHash, StreamRule};
use rusqlite::{Connection, OptionalExtension, params};

use super::{StoreError, TOLERANCE_MS, hash_of, header_of, int, key_of, uint, word::EpochWord};

/// How many sessions are tried for a header's name, the nearest first: one that is of none of them is a stray.
const MARKS_TRIED: usize = 4096;

/// A stream whose rule is known.
#[derive(Debug)]
pub(super) struct KnownStream {
    pub(super) rule: StreamRule,
    pub(super) hash: StreamHash,
    /// The marks of its sessions, where they are known; read when they are needed first.
    marks: Option<BTreeSet<i64>>,
}

/// What is remembered between two changes.
#[derive(Debug, Default)]
pub(super) struct Known {
    streams: HashMap<i64, KnownStream>,
    ids: HashMap<StreamHash, i64>,
}

impl Known {
    /// Notes a stream's rule.
    pub(super) fn note(&mut self, id: i64, rule: StreamRule) {
        let hash = rule.stream_hash();
        self.ids.insert(hash, id);
        self.streams.insert(id, KnownStream { rule, hash, marks: None });
    }

    pub(super) fn stream(&self, id: i64) -> Option<&KnownStream> {
        self.streams.get(&id)
    }

    /// Forgets which sessions there are: some may have been taken back.
    pub(super) fn forget_marks(&mut self) {
        self.streams.values_mut().for_each(|stream| stream.marks = None);
    }

    /// The row of a stream, which is made where there is none.
    pub(super) fn id_of(&mut self, sql: &Connection, hash: StreamHash) -> Result<i64, StoreError> {
        if let Some(id) = self.ids.get(&hash) {
            return Ok(*id);
        }
        let mut insert = sql.prepare_cached("INSERT INTO stream(hash) VALUES (?) ON CONFLICT DO NOTHING")?;
        insert.execute([hash.0.as_slice()])?;
        let mut select = sql.prepare_cached("SELECT id FROM stream WHERE hash = ?")?;
        let id = select.query_row([hash.0.as_slice()], |row| row.get(0))?;
        self.ids.insert(hash, id);
        Ok(id)
    }

    /// What a header's epoch is called, where that is known.
    pub(super) fn name_of(
        &mut self,
        sql: &Connection,
        stream: i64,
        header: &ObservationHeader,
    ) -> Result<Option<EpochName>, StoreError> {
        let Some(known) = self.streams.get_mut(&stream) else { return Ok(None) };
        let rule = known.rule.epochs;
        let fits = |mark: u64| {
            let name = EpochName { mark, index: header.sequence.checked_sub(mark)? };
            (EpochHash::of(&rule.id(name)) == header.epoch_hash).then_some(name)
        };
        if rule.numbering == Numbering::Timeline {
            return Ok(fits(0));
        }
        let marks = match &mut known.marks {
            Some(marks) => marks,
            none => none.insert(marks(sql, stream)?),
        };
        let below = marks.range(..=int(header.sequence)).rev().take(MARKS_TRIED);
        let name = fits(header.observed_unix_ms).or_else(|| below.map(|mark| uint(*mark)).find_map(fits));
        marks.extend(name.map(|name| int(name.mark)));
        Ok(name)
    }
}

/// The marks of a stream's sessions.
fn marks(sql: &Connection, stream: i64) -> Result<BTreeSet<i64>, StoreError> {
    let mut next = sql.prepare_cached("SELECT min(mark) FROM slot WHERE stream = ? AND mark > ?")?;
    let mut found = BTreeSet::new();
    let mut after = -1;
    while let Some(mark) = next.query_row(params![stream, after], |row| row.get::<_, Option<i64>>(0))? {
        found.insert(mark);
        after = mark;
    }
    Ok(found)
}

/// The row of a slot; where there is none it is made, of this stream and number.
pub(super) fn slot_of(
    sql: &Connection,
    slot: SlotId,
    (stream, sequence): (i64, u64),
    name: Option<EpochName>,
    observed_ms: u64,
) -> Result<i64, StoreError> {
    if let Some(id) = find_slot(sql, slot)? {
        return Ok(id);
    }
    // on the timeline the number is the name
    let session = name.filter(|name| name.mark > 0);
    let mut insert = sql
        .prepare_cached("INSERT INTO slot(hash, stream, sequence, mark, idx, observed_ms) VALUES (?, ?, ?, ?, ?, ?)")?;
    insert.execute(params![
        slot.0.as_slice(),
        stream,
        int(sequence),
        session.map(|name| int(name.mark)),
        session.map(|name| int(name.index)),
        int(observed_ms)
    ])?;
    Ok(sql.last_insert_rowid())
}

pub(super) fn find_slot(sql: &Connection, slot: SlotId) -> Result<Option<i64>, StoreError> {
    let mut select = sql.prepare_cached("SELECT id FROM slot WHERE hash = ?")?;
    Ok(select.query_row([slot.0.as_slice()], |row| row.get(0)).optional()?)
}

/// An epoch of an archive by its place.
pub(super) type Place = (i64, i64, i64);

/// Gives an archive's epoch its slot, and its segment a session (protocol §5.10, as far as one archive's epochs tell it):
/// the session of a final candidate with the same content, near in time, else of any such candidate; else what the segment's
/// other epochs say. The slots that may have changed are noted in `changed`.
pub(super) fn place_epoch(
    sql: &Connection,
    known: &Known,
    (source, segment, index): Place,
    changed: &mut HashSet<i64>,
) -> Result<(), StoreError> {
    let mut select = sql.prepare_cached(
        "SELECT s.stream, e.slot, e.root, e.observed_ms FROM epoch e JOIN source s ON s.id = e.source
         WHERE e.source = ? AND e.segment = ? AND e.idx = ?",
    )?;
    type Found = (i64, Option<i64>, Option<Vec<u8>>, Option<i64>);
    let found: Option<Found> = select
        .query_row(params![source, segment, index], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    let Some((stream, before, root, observed_ms)) = found else { return Ok(()) };
    let Some(KnownStream { rule, hash, .. }) = known.stream(stream) else { return Ok(()) };
    let index_u64 = uint(index);
    let own_ms = observed_ms.map(uint);
    let name = match rule.is_lane() {
        false => Some(EpochName::timeline(index_u64)),
        true => {
            let matched = match (&root, own_ms) {
                (Some(root), Some(own_ms)) => matching(sql, stream, index, &hash_of(root), own_ms)?,
                _ => None,
            };
            if let Some((mark, is_final)) = matched {
                note_segment(sql, known, (source, segment, index), (mark, is_final), changed)?;
            }
            let mark = match matched {
                Some((mark, _)) => Some(mark),
                None => session_of(sql, source, segment)?,
            };
            mark.map(|mark| EpochName { mark: uint(mark), index: index_u64 })
        }
    };
    let slot = match name.and_then(|name| Some((name, name.sequence()?))) {
        None => None,
        Some((name, sequence)) => {
            let slot = SlotId::of(*hash, EpochHash::of(&rule.epochs.id(name)));
            Some(slot_of(sql, slot, (stream, sequence), Some(name), own_ms.unwrap_or_default())?)
        }
    };
    if slot != before {
        let mut update =
            sql.prepare_cached("UPDATE epoch SET slot = ? WHERE source = ? AND segment = ? AND idx = ?")?;
        update.execute(params![slot, source, segment, index])?;
    }
    changed.extend(before.into_iter().chain(slot));
    Ok(())
}

/// The session of a candidate of this index with this content and a time near: the mark, and whether it is final.
fn matching(
    sql: &Connection,
    stream: i64,
    index: i64,
    root: &B256,
    own_ms: u64,
) -> Result<Option<(i64, bool)>, StoreError> {
    let mut select = sql.prepare_cached(
        "SELECT c.header, s.mark, s.final_candidate = c.id FROM candidate c JOIN slot s ON s.id = c.slot
         WHERE c.root_key = ? AND s.stream = ? AND s.idx = ? ORDER BY c.id",
    )?;
    let mut rows = select.query(params![key_of(&root.0), stream, index])?;
    let mut first = None;
    while let Some(row) = rows.next()? {
        let header: Vec<u8> = row.get(0)?;
        let Some(header) = header_of(&header) else { continue };
        let is_near = header.observed_unix_ms.abs_diff(own_ms) <= TOLERANCE_MS;
        if header.data_root != *root || !is_near {
            continue;
        }
        let (mark, is_final) = (row.get(1)?, row.get::<_, Option<bool>>(2)?.unwrap_or_default());
        if is_final {
            return Ok(Some((mark, true)));
        }
        first.get_or_insert((mark, false));
    }
    Ok(first)
}

fn session_of(sql: &Connection, source: i64, segment: i64) -> Result<Option<i64>, StoreError> {
    let mut select = sql.prepare_cached("SELECT mark FROM segment WHERE source = ? AND segment = ?")?;
    Ok(select.query_row(params![source, segment], |row| row.get(0)).optional()?)
}

/// Notes of which session a segment is, where that is said by more than was known: a final match by any other, and of final
/// ones the highest index. Its other epochs that have no slot get theirs.
fn note_segment(
    sql: &Connection,
    known: &Known,
    (source, segment, index): Place,
    (mark, is_final): (i64, bool),
    changed: &mut HashSet<i64>,
) -> Result<(), StoreError> {
    let before = session_of(sql, source, segment)?;
    let mut upsert = sql.prepare_cached(
        "INSERT INTO segment(source, segment, mark, idx, is_final) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT DO UPDATE SET mark = ?3, idx = ?4, is_final = ?5
         WHERE is_final < ?5 OR is_final = 1 AND ?5 = 1 AND idx < ?4",
    )?;
    let noted = upsert.execute(params![source, segment, mark, index, is_final])? > 0;
    if !noted || before == Some(mark) {
        return Ok(());
    }
    let others: Vec<i64> = {
        let mut select = sql.prepare_cached(
            "SELECT e.idx FROM epoch e LEFT JOIN slot s ON s.id = e.slot
             WHERE e.source = ? AND e.segment = ? AND e.idx <> ? AND (e.slot IS NULL OR s.mark IS NOT ?)",
        )?;
        let rows = select.query_map(params![source, segment, index, mark], |row| row.get(0))?;
        rows.collect::<Result<_, _>>()?
    };
    for other in others {
        place_epoch(sql, known, (source, segment, other), changed)?;
    }
    Ok(())
}

/// The epochs of archives with this content, which a candidate of this stream may give a slot to.
pub(super) fn epochs_like(sql: &Connection, stream: i64, root: &B256) -> Result<Vec<Place>, StoreError> {
    let mut select = sql.prepare_cached(
        "SELECT e.source, e.segment, e.idx FROM epoch e JOIN source s ON s.id = e.source
         WHERE e.root_key = ? AND s.stream = ? AND e.root = ?",
    )?;
    let rows = select.query_map(params![key_of(&root.0), stream, root.as_slice()], |row| {
        Ok((row.get(0)?, row.get(1)?, row.get(2)?))
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// After blocks were taken back: segments whose session no candidate vouches for any more have none, and their epochs no slot.
pub(super) fn doubt_segments(
    sql: &Connection,
    known: &Known,
    slots: &HashSet<i64>,
    changed: &mut HashSet<i64>,
) -> Result<(), StoreError> {
    let mut segments = HashSet::new();
    {
        let mut select = sql.prepare_cached(
            "SELECT e.source, e.segment, s.stream FROM epoch e JOIN source s ON s.id = e.source WHERE e.slot = ?",
        )?;
        for slot in slots {
            let mut rows = select.query([slot])?;
            while let Some(row) = rows.next()? {
                let stream: i64 = row.get(2)?;
                if known.stream(stream).is_some_and(|stream| stream.rule.is_lane()) {
                    segments.insert((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?));
                }
            }
        }
    }
    let mut vouched = sql.prepare_cached(
        "SELECT EXISTS (SELECT 1 FROM epoch e JOIN slot s ON s.id = e.slot JOIN candidate c ON c.slot = s.id
                        WHERE e.source = ? AND e.segment = ? AND c.root_key = e.root_key)",
    )?;
    for (source, segment) in segments {
        if vouched.query_row(params![source, segment], |row| row.get::<_, bool>(0))? {
            continue;
        }
        let orphans: Vec<i64> = {
            let mut select =
                sql.prepare_cached("SELECT slot FROM epoch WHERE source = ? AND segment = ? AND slot IS NOT NULL")?;
            let rows = select.query_map(params![source, segment], |row| row.get(0))?;
            rows.collect::<Result<_, _>>()?
        };
        changed.extend(orphans);
        sql.execute("UPDATE epoch SET slot = NULL WHERE source = ? AND segment = ?", params![source, segment])?;
        sql.execute("DELETE FROM segment WHERE source = ? AND segment = ?", params![source, segment])?;
    }
    Ok(())
}

/// Counts again what is known of a slot; one of which nothing is known any more is gone.
pub(super) fn recount(sql: &Connection, slot: i64) -> Result<(), StoreError> {
    struct Candidate {
        id: i64,
        content: i64,
        root: B256,
        observed_ms: u64,
        sequence: u64,
        ms: i64,
    }
    let candidates: Vec<Candidate> = {
        let mut select = sql
            .prepare_cached("SELECT id, content, header, ms FROM candidate WHERE slot = ? ORDER BY block, log_index")?;
        let rows = select.query_map([slot], |row| {
            let header: Vec<u8> = row.get(2)?;
            let header = header_of(&header);
            Ok(Candidate {
                id: row.get(0)?,
                content: row.get(1)?,
                root: header.map(|header| header.data_root).unwrap_or_default(),
                observed_ms: header.map(|header| header.observed_unix_ms).unwrap_or_default(),
                sequence: header.map(|header| header.sequence).unwrap_or_default(),
                ms: row.get(3)?,
            })
        })?;
        rows.collect::<Result<_, _>>()?
    };
    let mut votes: HashMap<i64, i64> = HashMap::new();
    {
        let mut select =
            sql.prepare_cached("SELECT seat, candidate FROM vote WHERE slot = ? ORDER BY block, log_index")?;
        let mut rows = select.query([slot])?;
        while let Some(row) = rows.next()? {
            votes.insert(row.get(0)?, row.get(1)?);
        }
    }
    let mut select = sql.prepare_cached("SELECT final_candidate FROM slot WHERE id = ?")?;
    let last: Option<Option<i64>> = select.query_row([slot], |row| row.get(0)).optional()?;
    let Some(final_id) = last else { return Ok(()) };
    let final_candidate = candidates.iter().find(|candidate| Some(candidate.id) == final_id);
    let votes_for = |id: i64| votes.values().filter(|voted| **voted == id).count();
    let most = || candidates.iter().map(|candidate| votes_for(candidate.id)).max().unwrap_or_default();
    let count = final_candidate.map_or_else(most, |candidate| votes_for(candidate.id));
    let contents: HashSet<_> = candidates.iter().map(|candidate| candidate.content).collect();
    let (mut equal, mut differing, mut incomplete, mut own_ms, mut epochs) = (0, 0, 0, None, 0);
    {
        let mut select = sql.prepare_cached("SELECT root, state, observed_ms FROM epoch WHERE slot = ?")?;
        let mut rows = select.query([slot])?;
        while let Some(row) = rows.next()? {
            epochs += 1;
            let root = row.get::<_, Option<Vec<u8>>>(0)?.map(|root| hash_of(&root));
            own_ms = own_ms.into_iter().chain(row.get::<_, Option<i64>>(2)?).min();
            let is_equal = match final_candidate {
                Some(candidate) => root == Some(candidate.root),
                None => candidates.iter().any(|candidate| root == Some(candidate.root)),
            };
            match (is_equal, EpochWord::of_sql(row.get(1)?) == EpochWord::Complete) {
                (true, _) => equal += 1,
                (false, true) if !candidates.is_empty() => differing += 1,
                (false, true) => {}
                (false, false) => incomplete += 1,
            }
        }
    }
    if candidates.is_empty() && epochs == 0 {
        sql.prepare_cached("DELETE FROM slot WHERE id = ?")?.execute([slot])?;
        return Ok(());
    }
    let shown = final_candidate.or(candidates.first());
    let mut update = sql.prepare_cached(
        "UPDATE slot SET observed_ms = coalesce(?2, observed_ms), sequence = coalesce(?3, sequence), first_ms = ?4,
           candidates = ?5, contents = ?6, votes = ?7, final_content = ?8, equal = ?9, differing = ?10, incomplete = ?11
         WHERE id = ?1",
    )?;
    update.execute(params![
        slot,
        shown.map(|candidate| int(candidate.observed_ms)).or(own_ms),
        shown.map(|candidate| int(candidate.sequence)),
        candidates.first().map(|candidate| candidate.ms),
        candidates.len() as i64,
        contents.len() as i64,
        count as i64,
        final_candidate.map(|candidate| candidate.content),
        equal,
        differing,
        incomplete
    ])?;
    Ok(())
}
