//! Streams, their strips and their sessions.

use std::sync::Arc;

use axum::{extract::State, http::HeaderMap, response::Response};
use ec_observation::StreamHash;

use super::{
    answer::{Holds, json},
    common::{Asked, Chosen, DAY_MS, ITEMS, MOST_ITEMS, cursor, known_stream},
    params::{self, Params},
    problem::ApiError,
};
use crate::{
    clock::now_ms,
    model::{Cell, CellState, Counts, Problem, Session, SessionPage, Stream, StreamPage, Strip},
    show::{View, cell_state, counts, ms, numbering},
    state::Explorer,
    store::{Reader, StreamRow, Window},
};

/// Cells of a strip, at most.
const MOST_CELLS: u64 = 1000;
/// Cells of each strip where many are asked for, at most.
const MOST_CELLS_EACH: u64 = 288;
/// Cells, where nothing else is asked for.
const CELLS: u64 = 96;
/// How long an epoch lasts as long as nothing is known of that.
const EPOCH_MS: u64 = 60_000;

/// Streams, by id; those that only the ledger knows come last.
#[utoipa::path(
    get, path = "/api/v1/streams", tag = "streams",
    params(
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("q" = Option<String>, Query, description = "Part of the id", max_length = 200, min_length = 1),
        ("strip" = Option<u64>, Query, description = "Cells of the strip that each stream comes with; without `from` and `to`, of each stream's own last day", minimum = 1, maximum = 288),
        ("from" = Option<u64>, Query, description = "Milliseconds since 1970", minimum = 0, maximum = 9007199254740992_u64),
        ("to" = Option<u64>, Query, description = "Milliseconds since 1970, after `from`", minimum = 0, maximum = 9007199254740992_u64),
        ("limit" = Option<u64>, Query, description = "Items on the page", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "What the page before says as `next`", max_length = 400, min_length = 1),
    ),
    responses(
        (status = 200, body = StreamPage),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn list(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let ledger = explorer.asked(&mut params)?;
    let part = params.short("q", 200)?;
    let cells = params.number("strip", 1, MOST_CELLS_EACH)?;
    let asked = Asked::of(&mut params)?;
    let limit = params.number("limit", 1, MOST_ITEMS)?.unwrap_or(ITEMS) as usize;
    let after = params.short("cursor", 400)?;
    let after = after.map(|text| {
        let (hash, id) = text.split_at_checked(66).unwrap_or(("", ""));
        params::hash("cursor", hash).map(|hash| (id.to_owned(), StreamHash(hash)))
    });
    let after = after.transpose()?;
    params.finish()?;
    let view = View::of(&ledger);
    let page = ledger.store.read(move |reader| {
        let after = after.as_ref().map(|(id, hash)| (id.as_str(), hash));
        let rows = reader.streams(part.as_deref(), after, limit + 1)?;
        let shown = match cells {
            Some(cells) if asked.is_open() => Shown::LastDay { cells, now_ms: now_ms() },
            cells => Shown::Window(asked.day(reader)?, cells),
        };
        let streams = rows.iter().take(limit).map(|row| stream(reader, &view, row, shown));
        let next = rows.get(limit).and_then(|_| rows.get(limit - 1)).map(|last| {
            let id = last.rule.as_ref().map_or("\u{ff}", |rule| rule.stream_id.as_str());
            format!("{}{id}", last.hash)
        });
        streams.collect::<Result<Vec<_>, ApiError>>().map(|streams| StreamPage { streams, next })
    });
    json(&headers, Holds::Unknown, &page.await?)
}

/// A stream.
#[utoipa::path(
    get, path = "/api/v1/streams/{stream}", tag = "streams",
    params(
        ("stream" = String, Path, description = "The stream's hash", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
    ),
    responses(
        (status = 200, body = Stream),
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
    let hash = chosen.hash("stream")?;
    let ledger = explorer.asked(&mut params)?;
    params.finish()?;
    let view = View::of(&ledger);
    let found = ledger.store.read(move |reader| {
        let row = known_stream(reader, hash)?;
        let window = Asked::of(&mut Params::default())?.day(reader)?;
        stream(reader, &view, &row, Shown::Window(window, None))
    });
    json(&headers, Holds::Unknown, &found.await?)
}

/// What is shown of a stream beside it.
#[derive(Clone, Copy, Debug)]
enum Shown {
    /// This stretch, in so many cells where any are asked for.
    Window((u64, u64), Option<u64>),
    /// Its own last day, in at most so many cells.
    LastDay { cells: u64, now_ms: u64 },
}

/// The last day of a stream with these first and last times: up to now while it runs, else up to its end. A younger one is shown
/// whole, and no cell is shorter than an epoch.
fn last_day(extent: Option<(u64, u64)>, epoch_ms: Option<u64>, cells: u64, now_ms: u64) -> ((u64, u64), u64) {
    let epoch_ms = epoch_ms.unwrap_or(EPOCH_MS).max(1);
    // one that moves all the time would be another answer each time
    let now_ms = now_ms - now_ms % EPOCH_MS;
    let (first, last) = extent.unwrap_or((now_ms, now_ms));
    let end = last.saturating_add(epoch_ms);
    let to = if now_ms > end.saturating_add(DAY_MS / 2) { end } else { end.max(now_ms) };
    let from = first.min(to.saturating_sub(epoch_ms)).max(to.saturating_sub(DAY_MS));
    ((from, to), cells.min((to - from).div_ceil(epoch_ms)).max(1))
}

fn stream(reader: &Reader<'_>, view: &View, row: &StreamRow, shown: Shown) -> Result<Stream, ApiError> {
    let extent = reader.extent(row.id)?;
    let newest = reader.newest_slot(row.id)?;
    let newest = newest.map(|slot| view.whole_slot(reader, row, &slot)).transpose()?;
    let epoch_ms = reader.epoch_ms(row.id)?;
    let ((from_ms, to_ms), cells) = match shown {
        Shown::Window(window, cells) => (window, cells),
        Shown::LastDay { cells, now_ms } => {
            let (window, cells) = last_day(extent, epoch_ms, cells, now_ms);
            (window, Some(cells))
        }
    };
    let strip = cells.map(|cells| strip_of(reader, view, row, (from_ms, to_ms), cells)).transpose()?;
    let slots = match &strip {
        Some(strip) => strip.cells.iter().fold(Counts::default(), |sum, cell| add(sum, cell.slots)),
        None => {
            let whole = reader.cells(row.id, (from_ms, to_ms, to_ms - from_ms), view.chain_ms())?;
            whole.get(&0).map(counts).unwrap_or_default()
        }
    };
    let rule = row.rule.as_ref();
    Ok(Stream {
        ledger: view.ledger.clone(),
        stream: row.hash.to_string(),
        stream_id: rule.map(|rule| rule.stream_id.clone()),
        broadcast: row.broadcast.clone(),
        tracks: rule.map(|rule| rule.tracks.names().to_vec()).unwrap_or_default(),
        numbering: rule.map(numbering),
        groups_per_epoch: rule.map(|rule| rule.epochs.groups_per_epoch.get()),
        epoch_ms,
        archives: row.archives.clone(),
        first_ms: extent.map(|(first, _)| ms(first)),
        last_ms: extent.map(|(_, last)| ms(last)),
        slots,
        newest,
        strip,
    })
}

fn add(a: Counts, b: Counts) -> Counts {
    Counts {
        r#final: a.r#final + b.r#final,
        open: a.open + b.open,
        disputed: a.disputed + b.disputed,
        mismatched: a.mismatched + b.mismatched,
        unvoted: a.unvoted + b.unvoted,
    }
}

/// A stretch of a stream, in cells.
#[utoipa::path(
    get, path = "/api/v1/streams/{stream}/strip", tag = "streams",
    params(
        ("stream" = String, Path, description = "The stream's hash", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("from" = Option<u64>, Query, description = "Milliseconds since 1970", minimum = 0, maximum = 9007199254740992_u64),
        ("to" = Option<u64>, Query, description = "Milliseconds since 1970, after `from`", minimum = 0, maximum = 9007199254740992_u64),
        ("cells" = Option<u64>, Query, description = "How many cells at most", minimum = 1, maximum = 1000),
    ),
    responses(
        (status = 200, body = Strip),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn strip(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    let hash = chosen.hash("stream")?;
    let ledger = explorer.asked(&mut params)?;
    let asked = Asked::of(&mut params)?;
    let cells = params.number("cells", 1, MOST_CELLS)?.unwrap_or(CELLS);
    params.finish()?;
    let view = View::of(&ledger);
    let found = ledger.store.read(move |reader| {
        let row = known_stream(reader, hash)?;
        let window = asked.day(reader)?;
        strip_of(reader, &view, &row, window, cells)
    });
    json(&headers, Holds::Unknown, &found.await?)
}

fn strip_of(
    reader: &Reader<'_>,
    view: &View,
    row: &StreamRow,
    (from_ms, to_ms): (u64, u64),
    cells: u64,
) -> Result<Strip, ApiError> {
    let cell_ms = (to_ms - from_ms).div_ceil(cells).max(1);
    let found = reader.cells(row.id, (from_ms, to_ms, cell_ms), view.chain_ms())?;
    let extent = reader.extent(row.id)?;
    let lasts_ms = reader.epoch_ms(row.id)?.unwrap_or(EPOCH_MS);
    // an epoch lasts on into the cells after its own, by a half of its length more than the others do
    let lasts_ms = lasts_ms.saturating_add(lasts_ms / 2);
    let before = reader.last_before(row.id, from_ms)?;
    let mut last = before.map(|slot| {
        let mut window = Window { last_ms: slot.observed_ms, ..Window::default() };
        window.states[usize::from(slot.state(view.chain_ms())).min(4)] = 1;
        window
    });
    let count = (to_ms - from_ms).div_ceil(cell_ms);
    let cells = (0..count).map(|at| {
        let start = from_ms + at * cell_ms;
        if let Some(window) = found.get(&at) {
            last = Some(*window);
            return Cell { state: cell_state(window), slots: counts(window) };
        }
        let lasts = last.filter(|window| window.last_ms.saturating_add(lasts_ms) > start);
        let is_within = extent.is_some_and(|(first, newest)| first < start && newest >= start + cell_ms);
        let state = match lasts {
            Some(window) => cell_state(&window),
            None if is_within => CellState::Gap,
            None => CellState::None,
        };
        Cell { state, slots: Counts::default() }
    });
    let cells = cells.collect();
    Ok(Strip { from_ms, to_ms, cell_ms, cells })
}

/// The sessions of a lane, the newest first.
#[utoipa::path(
    get, path = "/api/v1/streams/{stream}/sessions", tag = "streams",
    params(
        ("stream" = String, Path, description = "The stream's hash", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("limit" = Option<u64>, Query, description = "Items on the page", minimum = 1, maximum = 500),
        ("cursor" = Option<String>, Query, description = "What the page before says as `next`", pattern = "^[0-9]{1,19}-[0-9]{1,18}$"),
    ),
    responses(
        (status = 200, body = SessionPage),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn sessions(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    let hash = chosen.hash("stream")?;
    let ledger = explorer.asked(&mut params)?;
    let limit = params.number("limit", 1, MOST_ITEMS)?.unwrap_or(ITEMS) as usize;
    let before = cursor(&mut params)?.map(|(mark, _)| mark);
    params.finish()?;
    let view = View::of(&ledger);
    let found = ledger.store.read(move |reader| {
        let row = known_stream(reader, hash)?;
        let rows = reader.sessions(row.id, before, limit + 1, view.chain_ms())?;
        let next = rows.get(limit).and_then(|_| rows.get(limit - 1)).map(|last| format!("{}-0", last.mark));
        let session = |row: &crate::store::SessionRow| Session {
            mark: row.mark.to_string(),
            opened_ms: ms(row.mark),
            first_ms: ms(row.first_ms),
            last_ms: ms(row.last_ms),
            first_index: row.first_index.to_string(),
            last_index: row.last_index.to_string(),
            slots: counts(&row.slots),
        };
        let sessions = rows.iter().take(limit).map(session).collect();
        Ok::<_, ApiError>(SessionPage { sessions, next })
    });
    json(&headers, Holds::Unknown, &found.await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_last_day_ends_now_or_with_the_stream_and_begins_with_a_young_one() {
        const NOW: u64 = 29_933_334 * EPOCH_MS;
        let day = |first, last| last_day(Some((first, last)), Some(20_000), 144, NOW + 999);
        assert_eq!(day(0, NOW - EPOCH_MS), ((NOW - DAY_MS, NOW), 144));
        let over = NOW - 30 * DAY_MS;
        assert_eq!(day(0, over), ((over + 20_000 - DAY_MS, over + 20_000), 144));
        let young = NOW - 5 * DAY_MS;
        assert_eq!(day(young, young + 60_000), ((young, young + 80_000), 4));
        // one of the future, and one of which nothing is known
        assert_eq!(day(NOW + DAY_MS, NOW + DAY_MS), ((NOW + DAY_MS, NOW + DAY_MS + 20_000), 1));
        assert_eq!(last_day(None, None, 144, NOW), ((NOW, NOW + EPOCH_MS), 1));
        assert_eq!(last_day(Some((0, u64::MAX)), Some(u64::MAX), 144, NOW).1, 1);
    }
}
