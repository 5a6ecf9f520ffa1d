//! Slots, and what is in them.

use std::{collections::HashMap, sync::Arc};

use alloy::primitives::B256;
use axum::{extract::State, http::HeaderMap, response::Response};
use ec_observation::{EpochKey, SlotId};

use super::{
    answer::{Holds, json},
    common::{Asked, Chosen, ITEMS, MOST_ITEMS, cursor, known_stream},
    params::Params,
    problem::{ApiError, Kind},
};
use crate::{
    model::{ComparedRecord, Problem, SlotDetail, SlotPage, SlotRecords, SlotState, Standing, StoredObject},
    show::{Seats, View, archive_epoch},
    state::{Explorer, Ledger},
    store::{Reader, SlotOrder, SlotQuery, SlotRow, StreamRow},
};

/// Records that one answer compares.
const MOST_RECORDS: usize = 20_000;

/// The slots of a stream.
#[utoipa::path(
    get, path = "/api/v1/streams/{stream}/slots", tag = "slots",
    params(
        ("stream" = String, Path, description = "The stream's hash", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("from" = Option<u64>, Query, description = "Milliseconds since 1970", minimum = 0, maximum = 9007199254740992_u64),
        ("to" = Option<u64>, Query, description = "Milliseconds since 1970, after `from`", minimum = 0, maximum = 9007199254740992_u64),
        ("sequence" = Option<u64>, Query, description = "The number in the headers", minimum = 0, maximum = 9223372036854775807_u64),
        ("state" = Option<SlotState>, Query, description = "Only slots in this state"),
        ("order" = Option<String>, Query, description = "By observed time: `newest` first, the default, or `oldest`", pattern = "^(newest|oldest)$"),
        ("limit" = Option<u64>, Query, description = "Items on the page", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "What the page before says as `next`", pattern = "^[0-9]{1,19}-[0-9]{1,18}$"),
    ),
    responses(
        (status = 200, body = SlotPage),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    let hash = chosen.hash("stream")?;
    let ledger = explorer.asked(&mut params)?;
    let (from_ms, to_ms) = Asked::of(&mut params)?.open();
    let sequence = params.sequence("sequence")?;
    let states = ["final", "open", "disputed", "mismatched", "unvoted"];
    let states: Vec<_> = states.into_iter().zip(0_u8..).collect();
    let state = params.word("state", &states)?;
    let order = params.word("order", &[("newest", SlotOrder::Newest), ("oldest", SlotOrder::Oldest)])?;
    let limit = params.number("limit", 1, MOST_ITEMS)?.unwrap_or(ITEMS) as usize;
    let after = cursor(&mut params)?;
    params.finish()?;
    let order = order.unwrap_or(SlotOrder::Newest);
    let query = SlotQuery { from_ms, to_ms, sequence, state, order, after, limit: limit + 1 };
    let view = View::of(&ledger);
    let found = ledger.store.read(move |reader| {
        let stream = known_stream(reader, hash)?;
        let rows = reader.slots(stream.id, &query, view.chain_ms())?;
        let last = rows.get(limit).and_then(|_| rows.get(limit - 1));
        let next = last.map(|last| format!("{}-{}", last.observed_ms, last.id));
        let slots = rows.iter().take(limit).map(|row| view.whole_slot(reader, &stream, row));
        Ok::<_, ApiError>(SlotPage { slots: slots.collect::<Result<_, _>>()?, next })
    });
    json(&headers, Holds::Unknown, &found.await?)
}

/// A slot that must be known, with its stream.
fn known_slot(reader: &Reader<'_>, hash: B256) -> Result<(SlotRow, StreamRow), ApiError> {
    let unknown =
        || ApiError::new(Kind::UnknownSlot, format!("{hash:#x}: neither the ledger nor an archive here has it"));
    let slot = reader.slot(SlotId(hash))?.ok_or_else(unknown)?;
    let stream = reader.stream_by_id(slot.stream)?.ok_or_else(unknown)?;
    Ok((slot, stream))
}

/// All of a slot.
#[utoipa::path(
    get, path = "/api/v1/slots/{slot}", tag = "slots",
    params(
        ("slot" = String, Path, description = "The slot's hash", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
    ),
    responses(
        (status = 200, body = SlotDetail),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    let hash = chosen.hash("slot")?;
    let ledger = explorer.asked(&mut params)?;
    params.finish()?;
    let view = View::of(&ledger);
    let found = ledger.store.read(move |reader| {
        let (slot, stream) = known_slot(reader, hash)?;
        detail(reader, &view, &slot, &stream)
    });
    let found = found.await?;
    let is_settled = found.slot.r#final.as_ref().is_some_and(|found| found.standing == Standing::Finalized);
    json(&headers, if is_settled { Holds::Minutes } else { Holds::Unknown }, &found)
}

fn detail(reader: &Reader<'_>, view: &View, slot: &SlotRow, stream: &StreamRow) -> Result<SlotDetail, ApiError> {
    let seats = Seats::read(reader)?;
    let candidates = reader.candidates(slot.id)?;
    let votes = reader.votes(slot.id)?;
    let names: HashMap<_, _> = candidates.iter().map(|candidate| (candidate.id, candidate.hash.to_string())).collect();
    // in the order in which they came to where they are
    let mut at: Vec<(i64, i64)> = Vec::new();
    for vote in &votes {
        at.retain(|(seat, _)| *seat != vote.seat);
        at.push((vote.seat, vote.candidate));
    }
    let candidate_list = candidates.iter().map(|candidate| {
        let voters: Vec<_> = at.iter().filter(|(_, voted)| *voted == candidate.id).map(|(seat, _)| *seat).collect();
        let is_final = slot.final_row.is_some_and(|found| found.candidate == candidate.id);
        let parent = candidate.header.parent_observation_hash;
        let parent_slot = reader.slot_of(parent)?.map(|slot| slot.to_string());
        Ok::<_, ApiError>(view.candidate(&seats, candidate, &voters, is_final, parent_slot))
    });
    let candidate_list = candidate_list.collect::<Result<_, _>>()?;
    let first_ms = slot.first_ms.unwrap_or_default();
    let vote_list = votes.iter().map(|vote| view.vote(&seats, &names, first_ms, vote)).collect();
    let voted: Vec<_> = at.iter().map(|(seat, _)| seats.address(*seat)).collect();
    let not_voted = view.active.iter().filter(|seat| !voted.contains(seat)).cloned().collect();
    let epochs = reader.epochs(slot.id)?;
    let archive_list = epochs.iter().map(|epoch| archive_epoch(epoch, stream.rule.as_ref(), &candidates)).collect();
    let (previous, next) = reader.neighbours(slot)?;
    let r#final = candidates.iter().find_map(|candidate| view.final_of(slot, candidate));
    Ok(SlotDetail {
        slot: crate::model::Slot { r#final, ..view.slot(stream, slot) },
        candidate_list,
        vote_list,
        not_voted,
        archive_list,
        previous: previous.map(|slot| slot.to_string()),
        next: next.map(|slot| slot.to_string()),
    })
}

/// The records of a slot, archive beside archive.
#[utoipa::path(
    get, path = "/api/v1/slots/{slot}/records", tag = "slots",
    params(
        ("slot" = String, Path, description = "The slot's hash", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
    ),
    responses(
        (status = 200, body = SlotRecords),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn records(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    let hash = chosen.hash("slot")?;
    let ledger = explorer.asked(&mut params)?;
    params.finish()?;
    let asked = Arc::clone(&ledger);
    let found = ledger.store.read(move |reader| {
        let (slot, stream) = known_slot(reader, hash)?;
        compared(reader, &asked, &slot, &stream)
    });
    json(&headers, Holds::Unknown, &found.await?)
}

fn compared(reader: &Reader<'_>, ledger: &Ledger, slot: &SlotRow, stream: &StreamRow) -> Result<SlotRecords, ApiError> {
    let candidates = reader.candidates(slot.id)?;
    let epochs = reader.epochs(slot.id)?;
    let mut archives: Vec<String> = Vec::new();
    // by track and number: an object's hash and size, and the archives that have it
    type Objects = Vec<(([u8; 32], u64), Vec<String>)>;
    let mut groups = std::collections::BTreeMap::<(String, u64), Objects>::new();
    for epoch in &epochs {
        let Some(source) = ledger.source(epoch.source) else { continue };
        let Some(content) = source.epoch(EpochKey { segment: epoch.segment, index: epoch.index }) else { continue };
        if !archives.contains(&epoch.archive) {
            archives.push(epoch.archive.clone());
        }
        for (track, record) in content.lines {
            let group = groups.entry((source.track(track).to_owned(), record.group_sequence)).or_default();
            let object = (record.blake3, record.size_bytes);
            let at = group.iter().position(|(known, _)| *known == object).unwrap_or(group.len());
            if at == group.len() {
                group.push((object, Vec::new()));
            }
            if !group[at].1.contains(&epoch.archive) {
                group[at].1.push(epoch.archive.clone());
            }
        }
    }
    let truncated = groups.len() > MOST_RECORDS;
    let records: Vec<_> = groups
        .into_iter()
        .map(|((track, sequence), objects)| {
            let missing_in =
                archives.iter().filter(|archive| !objects.iter().any(|(_, has)| has.contains(archive))).cloned();
            ComparedRecord {
                track,
                group_sequence: sequence.to_string(),
                missing_in: missing_in.collect(),
                objects: objects
                    .into_iter()
                    .map(|((blake3, size_bytes), archives)| StoredObject {
                        blake3: alloy::hex::encode(blake3),
                        size_bytes,
                        archives,
                    })
                    .collect(),
            }
        })
        .collect();
    let differing = records.iter().filter(|record| record.objects.len() > 1 || !record.missing_in.is_empty()).count();
    let rule = stream.rule.as_ref();
    Ok(SlotRecords {
        slot: slot.hash.to_string(),
        archives: epochs.iter().map(|epoch| archive_epoch(epoch, rule, &candidates)).collect(),
        records: records.into_iter().take(MOST_RECORDS).collect(),
        differing: differing as u64,
        truncated,
    })
}
