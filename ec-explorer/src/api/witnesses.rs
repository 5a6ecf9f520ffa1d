//! Witnesses, and their records.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use axum::{extract::State, http::HeaderMap, response::Response};

use super::{
    Shared,
    answer::{Holds, json},
    common::{Asked, Chosen},
    params::{self, Params},
    problem::{ApiError, Kind},
};
use crate::{
    model::{Problem, Record, Slot, Witness, WitnessDetail, WitnessVote, Witnesses},
    show::{Seats, View, address, ms},
    state::Ledger,
    store::{Reader, Tally},
};

/// A month and a day, milliseconds: the longest time of a record.
const MOST_MS: u64 = 32 * 86_400_000;
/// Slots and votes that are named.
const NAMED: usize = 100;
/// For how long an answer is given again: counting takes longer than all else here.
const KEPT: Duration = Duration::from_secs(10);
/// Answers that are kept.
const MOST_KEPT: usize = 64;

/// What was counted, of which ledger and time.
type Key = (String, u64, u64);

/// What was counted lately.
#[derive(Debug, Default)]
pub(super) struct Counted {
    kept: Mutex<HashMap<Key, (Instant, Arc<Whole>)>>,
    /// Held while somebody counts: who asks for the same meanwhile waits for it.
    counting: tokio::sync::Mutex<()>,
}

/// Every witness's record in a time.
#[derive(Debug)]
struct Whole {
    answer: Witnesses,
    tallies: HashMap<i64, Tally>,
}

impl Counted {
    fn get(&self, key: &Key) -> Option<Arc<Whole>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(key).filter(|(at, _)| at.elapsed() < KEPT).map(|(_, whole)| Arc::clone(whole))
    }

    fn keep(&self, key: Key, whole: &Arc<Whole>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (at, _)| at.elapsed() < KEPT);
        if kept.len() < MOST_KEPT {
            kept.insert(key, (Instant::now(), Arc::clone(whole)));
        }
    }
}

/// The witnesses and their records.
#[utoipa::path(
    get, path = "/api/v1/witnesses", tag = "witnesses",
    params(
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("from" = Option<u64>, Query, description = "Milliseconds since 1970, at most 32 days before `to`", minimum = 0, maximum = 9007199254740992_u64),
        ("to" = Option<u64>, Query, description = "Milliseconds since 1970, after `from`", minimum = 0, maximum = 9007199254740992_u64),
    ),
    responses(
        (status = 200, body = Witnesses),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(shared): State<Shared>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let ledger = shared.explorer.asked(&mut params)?;
    let asked = Asked::of(&mut params)?;
    params.finish()?;
    let whole = whole(&shared, &ledger, asked).await?;
    json(&headers, Holds::Unknown, &whole.answer)
}

/// A witness and its newest votes.
#[utoipa::path(
    get, path = "/api/v1/witnesses/{witness}", tag = "witnesses",
    params(
        ("witness" = String, Path, description = "Any address that its seat has or had", pattern = "^0x[0-9a-fA-F]{40}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("from" = Option<u64>, Query, description = "Milliseconds since 1970, at most 32 days before `to`", minimum = 0, maximum = 9007199254740992_u64),
        ("to" = Option<u64>, Query, description = "Milliseconds since 1970, after `from`", minimum = 0, maximum = 9007199254740992_u64),
    ),
    responses(
        (status = 200, body = WitnessDetail),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn one(
    State(shared): State<Shared>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    let holder = params::address("witness", &chosen.0)?;
    let ledger = shared.explorer.asked(&mut params)?;
    let asked = Asked::of(&mut params)?;
    params.finish()?;
    let whole = whole(&shared, &ledger, asked).await?;
    let view = View::of(&ledger);
    let found = ledger.store.read(move |reader| {
        let seats = Seats::read(reader)?;
        let name = seats.name_of(holder);
        let unknown =
            || ApiError::new(Kind::UnknownWitness, format!("{}; /api/v1/witnesses lists them", address(holder)));
        let witness = whole.answer.witnesses.iter().find(|witness| witness.witness == name).ok_or_else(unknown)?;
        let seat = seats.seat_of(holder);
        let tally = seat.and_then(|seat| whole.tallies.get(&seat));
        let slots = |ids: Option<&Vec<i64>>| named_slots(reader, &view, ids.map_or(&[][..], Vec::as_slice));
        Ok::<_, ApiError>(WitnessDetail {
            ledger: view.ledger.clone(),
            from_ms: whole.answer.from_ms,
            to_ms: whole.answer.to_ms,
            witness: witness.clone(),
            votes: seat.map(|seat| votes(reader, &view, &seats, seat)).transpose()?.unwrap_or_default(),
            missed: slots(tally.map(|tally| &tally.missed))?,
            disagreed: slots(tally.map(|tally| &tally.disagreed))?,
        })
    });
    json(&headers, Holds::Unknown, &found.await?)
}

fn named_slots(reader: &Reader<'_>, view: &View, ids: &[i64]) -> Result<Vec<Slot>, ApiError> {
    let mut slots = Vec::new();
    for id in ids.iter().take(NAMED) {
        // it may have been taken back since it was counted
        let Some(slot) = reader.slot_by_id(*id)? else { continue };
        let Some(stream) = reader.stream_by_id(slot.stream)? else { continue };
        slots.push(view.whole_slot(reader, &stream, &slot)?);
    }
    Ok(slots)
}

fn votes(reader: &Reader<'_>, view: &View, seats: &Seats, seat: i64) -> Result<Vec<WitnessVote>, ApiError> {
    let mut votes = Vec::new();
    for row in reader.votes_of(seat, NAMED)? {
        let Some(slot) = reader.slot_by_id(row.slot)? else { continue };
        let Some(stream) = reader.stream_by_id(slot.stream)? else { continue };
        let candidates = reader.candidates(slot.id)?;
        let names = candidates.iter().map(|candidate| (candidate.id, candidate.hash.to_string())).collect();
        votes.push(WitnessVote {
            slot: slot.hash.to_string(),
            stream: stream.hash.to_string(),
            stream_id: stream.rule.as_ref().map(|rule| rule.stream_id.clone()),
            observed_ms: ms(slot.observed_ms),
            vote: view.vote(seats, &names, slot.first_ms.unwrap_or(row.ms), &row),
        });
    }
    Ok(votes)
}

/// Every witness's record, counted or as it was counted a moment ago.
async fn whole(shared: &Shared, ledger: &Arc<Ledger>, asked: Asked) -> Result<Arc<Whole>, ApiError> {
    let view = View::of(ledger);
    let asked = ledger.store.read(move |reader| asked.day(reader));
    let (from_ms, to_ms) = asked.await?;
    if to_ms - from_ms > MOST_MS {
        let detail = format!("from and to are {} ms apart, at most {MOST_MS} are counted", to_ms - from_ms);
        return Err(ApiError::parameter("from", detail));
    }
    // those who ask within the same seconds get the same
    let key = (view.ledger.clone(), from_ms / KEPT.as_millis() as u64, to_ms / KEPT.as_millis() as u64);
    if let Some(whole) = shared.counted.get(&key) {
        return Ok(whole);
    }
    let _one_at_a_time = shared.counted.counting.lock().await;
    if let Some(whole) = shared.counted.get(&key) {
        return Ok(whole);
    }
    let counting = Arc::clone(ledger);
    let whole = ledger.store.read(move |reader| count(reader, &counting, &view, (from_ms, to_ms)));
    let whole = Arc::new(whole.await?);
    shared.counted.keep(key, &whole);
    Ok(whole)
}

fn count(reader: &Reader<'_>, ledger: &Ledger, view: &View, window: (u64, u64)) -> Result<Whole, ApiError> {
    let seats = Seats::read(reader)?;
    let mut since = HashMap::new();
    let mut seen = HashMap::new();
    for seat in seats.seats() {
        if let Some((first, last)) = reader.seen(seat)? {
            since.insert(seat, first);
            seen.insert(seat, (first, last));
        }
    }
    // misses count for those who are witnesses now: of others it is not known when they ceased to be
    let active: HashMap<i64, u64> = since
        .iter()
        .filter(|(seat, _)| view.active.contains(&seats.address(**seat)))
        .map(|(seat, ms)| (*seat, *ms))
        .collect();
    let (finals, tallies) = reader.tallies(window, &active, NAMED)?;
    let name = |holder: alloy::primitives::Address| ledger.witnesses.get(&holder).cloned();
    let mut witnesses = Vec::new();
    for seat in seats.seats() {
        let addresses = seats.addresses_of(seat);
        let witness = seats.address(seat);
        let index = view.active.iter().position(|active| *active == witness);
        let tally = tallies.get(&seat).cloned().unwrap_or_default();
        let last_slot =
            reader.votes_of(seat, 1)?.first().map(|vote| reader.slot_by_id(vote.slot)).transpose()?.flatten();
        witnesses.push(Witness {
            address: addresses.last().map_or_else(|| witness.clone(), |last| address(*last)),
            name: addresses.iter().rev().find_map(|holder| name(*holder)),
            addresses: addresses.into_iter().map(address).collect(),
            index: index.and_then(|index| u32::try_from(index).ok()),
            active: index.is_some(),
            record: record(&tally),
            first_seen_ms: seen.get(&seat).map(|(first, _)| *first),
            last_seen_ms: seen.get(&seat).map(|(_, last)| *last),
            last_slot: last_slot.map(|slot| slot.hash.to_string()),
            witness,
        });
    }
    // those who never voted are known by the registry alone
    for (index, active) in view.active.iter().enumerate() {
        if !witnesses.iter().any(|witness| witness.witness == *active) {
            let holder = active.parse().unwrap_or_default();
            witnesses.push(Witness {
                witness: active.clone(),
                address: active.clone(),
                addresses: vec![active.clone()],
                name: name(holder),
                index: u32::try_from(index).ok(),
                active: true,
                record: Record::default(),
                last_seen_ms: None,
                first_seen_ms: None,
                last_slot: None,
            });
        }
    }
    witnesses.sort_by_key(|witness| (witness.index.unwrap_or(u32::MAX), witness.witness.clone()));
    let (from_ms, to_ms) = window;
    let answer =
        Witnesses { ledger: view.ledger.clone(), quorum: view.quorum, from_ms, to_ms, final_slots: finals, witnesses };
    Ok(Whole { answer, tallies })
}

fn record(tally: &Tally) -> Record {
    let (disagreed, missed) = (tally.disagreed.len() as u64, tally.missed.len() as u64);
    let of = tally.agreed + disagreed + missed;
    let quantile = |permille: usize| {
        let at = (tally.lags_ms.len() * permille / 1000).min(tally.lags_ms.len().saturating_sub(1));
        tally.lags_ms.get(at).copied()
    };
    Record {
        voted: tally.voted,
        agreed: tally.agreed,
        disagreed,
        missed,
        proposed: tally.proposed,
        moved: tally.moved,
        lag_median_ms: quantile(500),
        lag_p90_ms: quantile(900),
        effectiveness_permille: (of > 0).then(|| u32::try_from(tally.agreed * 1000 / of).unwrap_or_default()),
    }
}
