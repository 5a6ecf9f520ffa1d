//! Server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use alloy::primitives::B256;
use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use ec_observation::SlotId;
use futures_util::stream::{self, Stream};
use tokio::sync::{OwnedSemaphorePermit, broadcast};

use super::{
    Shared,
    params::Params,
    problem::{ApiError, Kind},
};
use crate::{
    hub::{About, Told},
    model::Problem,
    store::Reader,
};

/// How often a stream without events says that it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// What somebody wants to hear of.
#[derive(Clone, Debug)]
struct Wanted {
    ledger: String,
    stream: Option<String>,
    slot: Option<String>,
}

impl Wanted {
    /// Whether an event is about it. What is about a ledger as a whole is for all of its listeners; what is about a stream as
    /// a whole, for those of its slots, too.
    fn has(&self, about: &About) -> bool {
        let is_of_stream = match (&self.stream, &about.stream) {
            (Some(wanted), Some(stream)) => wanted == stream,
            // of a slot whose stream is not known, only what names the slot
            (None, Some(_)) => self.slot.is_none() || about.slot.is_some(),
            (_, None) => true,
        };
        let is_of_slot = match (&self.slot, &about.slot) {
            (Some(wanted), Some(slot)) => wanted == slot,
            _ => true,
        };
        self.ledger == about.ledger && is_of_stream && is_of_slot
    }
}

/// What happens, as it happens.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "events",
    params(
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("stream" = Option<String>, Query, description = "Only of this stream", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("slot" = Option<String>, Query, description = "Only of this slot", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("Last-Event-ID" = Option<u64>, Header, description = "The last event that was heard"),
    ),
    responses(
        (status = 200, body = String, content_type = "text/event-stream"),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn events(
    State(shared): State<Shared>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let ledger = shared.explorer.asked(&mut params)?;
    let stream = params.hash("stream")?;
    let slot = params.hash("slot")?;
    params.finish()?;
    let stream = match (stream, slot) {
        (None, Some(slot)) => ledger.store.read(move |reader| stream_of(reader, SlotId(slot))).await?,
        (stream, _) => stream,
    };
    let shown = |hash: B256| format!("{hash:#x}");
    let wanted = Wanted { ledger: ledger.settings.name.clone(), stream: stream.map(shown), slot: slot.map(shown) };
    let permit = Arc::clone(&shared.event_streams).try_acquire_owned();
    let permit =
        permit.map_err(|_| ApiError::new(Kind::TooManyStreams, "ask for what you show every few seconds instead"))?;
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.trim().parse().ok());
    let (receiver, missed) = shared.explorer.hub.listen(last);
    let status = serde_json::to_string(&*ledger.status()).unwrap_or_default();
    let mut first = vec![Event::default().event("hello").data(status)];
    match missed {
        Some(missed) => first.extend(missed.iter().filter(|told| wanted.has(&told.about)).map(|told| event(told))),
        None => first.push(Event::default().event("reset").data("{}")),
    }
    let sse = Sse::new(listen(first, receiver, wanted, permit)).keep_alive(KeepAlive::new().interval(KEEP_ALIVE));
    let mut response = sse.into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response.headers_mut().insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

/// The stream of a slot, where it is known.
fn stream_of(reader: &Reader<'_>, slot: SlotId) -> Result<Option<B256>, ApiError> {
    let Some(slot) = reader.slot(slot)? else { return Ok(None) };
    Ok(reader.stream_by_id(slot.stream)?.map(|stream| stream.hash.0))
}

fn event(told: &Told) -> Event {
    Event::default().id(told.id.to_string()).event(told.event).data(&told.data)
}

/// What comes first, and then what is told.
fn listen(
    first: Vec<Event>,
    receiver: broadcast::Receiver<Arc<Told>>,
    wanted: Wanted,
    permit: OwnedSemaphorePermit,
) -> impl Stream<Item = Result<Event, Infallible>> {
    let begun = (first.into_iter(), receiver, wanted, permit);
    stream::unfold(begun, |(mut first, mut receiver, wanted, permit)| async move {
        if let Some(event) = first.next() {
            return Some((Ok(event), (first, receiver, wanted, permit)));
        }
        loop {
            match receiver.recv().await {
                Ok(told) if wanted.has(&told.about) => {
                    return Some((Ok(event(&told)), (first, receiver, wanted, permit)));
                }
                Ok(_) => {}
                Err(broadcast::error::RecvError::Lagged(_)) => {
                    let reset = Event::default().event("reset").data("{}");
                    return Some((Ok(reset), (first, receiver, wanted, permit)));
                }
                Err(broadcast::error::RecvError::Closed) => return None,
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_asked_for_is_told() {
        let about = |stream: &str, slot: &str| {
            let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
            About { ledger: "main".into(), stream: some(stream), slot: some(slot) }
        };
        let wanted = |stream: &str, slot: &str| {
            let About { ledger, stream, slot } = about(stream, slot);
            Wanted { ledger, stream, slot }
        };
        // of the ledger, a stream, a slot of it; of another stream, a slot of that; of the same slot as a stranger knows it
        let events = [about("", ""), about("a", ""), about("a", "1"), about("a", "2"), about("b", ""), about("b", "3")];
        for (wanted, told) in [
            (wanted("", ""), [true, true, true, true, true, true]),
            (wanted("a", ""), [true, true, true, true, false, false]),
            (wanted("a", "1"), [true, true, true, false, false, false]),
            (wanted("", "1"), [true, false, true, false, false, false]),
        ] {
            assert_eq!(events.each_ref().map(|about| wanted.has(about)), told, "{wanted:?}");
        }
        assert!(!wanted("", "").has(&About { ledger: "other".into(), ..About::default() }));
    }
}
