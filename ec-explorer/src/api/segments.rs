//! From the hash of some bytes to their broadcasts, and their proofs.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::Response,
};
use ec_observation::{EpochKey, Proof as ObservationProof, SlotId, StreamRule};

use super::{
    answer::{Holds, json},
    common::Chosen,
    params::Params,
    problem::{ApiError, Kind},
};
use crate::{
    model::{Place, PlaceWord, Problem, Proof, Received, Segment, Standing},
    show::{View, ms},
    state::{EpochContent, Explorer, Ledger, Source},
    store::{Reader, SlotRow, StreamRow},
};

/// Places that are given.
const MOST_PLACES: usize = 100;
/// Records that are looked at.
const MOST_RECORDS: usize = 1000;

/// Every broadcast of these bytes.
#[utoipa::path(
    get, path = "/api/v1/segments/{blake3}", tag = "segments",
    params(
        ("blake3" = String, Path, description = "BLAKE3 of the bytes", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "Only on this ledger", max_length = 64, min_length = 1),
    ),
    responses(
        (status = 200, body = Segment),
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
    let blake3 = chosen.hash("blake3")?.0;
    let ledgers = asked(&explorer, &mut params)?;
    params.finish()?;
    let serves = explorer.settings.serve_media;
    let (mut places, mut size_bytes, mut media, mut truncated) = (Vec::new(), None, false, false);
    for ledger in ledgers {
        let found = of_ledger(&ledger, blake3).await?;
        size_bytes = size_bytes.or(found.size_bytes);
        media |= serves && found.has_object;
        truncated |= found.truncated;
        places.extend(found.places);
    }
    let size_bytes = size_bytes.ok_or_else(|| unknown(&blake3))?;
    places.sort_by_key(|place: &Place| place.time_ms.unwrap_or(u64::MAX));
    truncated |= places.len() > MOST_PLACES;
    places.truncate(MOST_PLACES);
    let blake3 = alloy::hex::encode(blake3);
    json(&headers, Holds::Unknown, &Segment { blake3, size_bytes, media, places, truncated })
}

fn unknown(blake3: &[u8; 32]) -> ApiError {
    let hex = alloy::hex::encode(blake3);
    let detail = format!("{hex} is no segment of the archives here. That does not say that it was never broadcast");
    ApiError::new(Kind::UnknownSegment, detail)
}

/// The ledger that is named, else all.
fn asked(explorer: &Explorer, params: &mut Params) -> Result<Vec<Arc<Ledger>>, ApiError> {
    match params.has("ledger") {
        true => Ok(vec![explorer.asked(params)?]),
        false => Ok(explorer.ledgers.clone()),
    }
}

/// The proof of one broadcast of a segment, as a file.
#[utoipa::path(
    get, path = "/api/v1/proof", tag = "segments",
    params(
        ("blake3" = Option<String>, Query, description = "BLAKE3 of the bytes", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("slot" = Option<String>, Query, description = "The slot, where the bytes are in several", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("group_sequence" = Option<u64>, Query, description = "The group, instead of `blake3`, with `slot`", minimum = 0, maximum = 9223372036854775807_u64),
        ("track" = Option<String>, Query, description = "The track of the group, where the stream has several", max_length = 200, min_length = 1),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
    ),
    responses(
        (status = 200, body = Proof),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn proof(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    mut params: Params,
) -> Result<Response, ApiError> {
    let blake3 = params.hash("blake3")?;
    let slot = params.hash("slot")?.map(SlotId);
    let group = params.sequence("group_sequence")?;
    let track = params.short("track", 200)?;
    let ledgers = asked(&explorer, &mut params)?;
    params.finish()?;
    let (proof, is_settled) = match (blake3, slot, group) {
        (Some(blake3), slot, None) if track.is_none() => by_hash(&ledgers, blake3.0, slot).await?,
        (None, Some(slot), Some(group)) => by_group(&ledgers, slot, group, track).await?,
        _ => {
            let detail = "give blake3, and slot where the bytes are in several; or slot and group_sequence, and track";
            return Err(ApiError::parameter("blake3", detail));
        }
    };
    let holds = if is_settled { Holds::Always } else { Holds::Unknown };
    let mut response = json(&headers, holds, &proof)?;
    let name = HeaderValue::from_static("attachment; filename=\"proof.json\"");
    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    Ok(response)
}

async fn by_hash(ledgers: &[Arc<Ledger>], blake3: [u8; 32], slot: Option<SlotId>) -> Result<(Proof, bool), ApiError> {
    let mut is_known = false;
    let mut best: Option<(PlaceWord, Proof)> = None;
    for ledger in ledgers {
        let found = of_ledger(ledger, blake3).await?;
        is_known |= found.size_bytes.is_some();
        let is_meant = |place: &Place| {
            slot.is_none_or(|slot| place.slot.as_ref().is_some_and(|found| found.slot == slot.to_string()))
        };
        for place in found.places.into_iter().filter(is_meant) {
            let Some(proof) = place.proof else { continue };
            let is_better = |(word, _): &(PlaceWord, Proof)| rank(place.word) < rank(*word);
            if best.as_ref().is_none_or(is_better) {
                best = Some((place.word, proof));
            }
        }
    }
    match best {
        Some((word, proof)) => Ok((proof, word == PlaceWord::Final)),
        None if is_known => Err(no_proof("an archive has these bytes, and no candidate of the ledger has them")),
        None => Err(unknown(&blake3)),
    }
}

fn rank(word: PlaceWord) -> u8 {
    match word {
        PlaceWord::Final => 0,
        PlaceWord::NotFinalYet => 1,
        PlaceWord::Open => 2,
        PlaceWord::NotInFinal | PlaceWord::Unvoted => 3,
    }
}

fn no_proof(why: &str) -> ApiError {
    ApiError::new(Kind::NoProof, why)
}

async fn by_group(
    ledgers: &[Arc<Ledger>],
    slot: SlotId,
    group: u64,
    track: Option<String>,
) -> Result<(Proof, bool), ApiError> {
    for ledger in ledgers {
        let (asked, view, track) = (Arc::clone(ledger), View::of(ledger), track.clone());
        let found = ledger.store.read(move |reader| {
            let Some(row) = reader.slot(slot)? else { return Ok(None) };
            for epoch in reader.epochs(row.id)? {
                let Some(source) = asked.source(epoch.source) else { continue };
                let key = EpochKey { segment: epoch.segment, index: epoch.index };
                let Some(content) = source.epoch(key) else { continue };
                let of_track = |place: usize| track.as_deref().is_none_or(|track| source.track(place) == track);
                let line = content.lines.iter().find(|(place, line)| line.group_sequence == group && of_track(*place));
                let Some((place, _)) = line else { continue };
                let track = source.track(*place).to_owned();
                if let Some(proof) = prove(reader, &row, &source.rule, &content, &track, group)? {
                    let word = word(&view, &row, Some(&proof));
                    return Ok(Some((proof.proof, word == PlaceWord::Final)));
                }
            }
            Err(no_proof("no archive here has such a group of the slot, with the content of a candidate"))
        });
        if let Some(found) = found.await? {
            return Ok(found);
        }
    }
    Err(ApiError::new(Kind::UnknownSlot, format!("{slot}: neither a ledger nor an archive here has it")))
}

/// What one ledger's archives have of a segment.
struct Found {
    places: Vec<Place>,
    size_bytes: Option<u64>,
    has_object: bool,
    truncated: bool,
}

/// One broadcast, in all archives that have it.
struct Broadcast {
    source: Arc<Source>,
    stream: StreamRow,
    slot: Option<SlotRow>,
    track: String,
    sequence: u64,
    content: EpochContent,
    archives: Vec<Received>,
}

async fn of_ledger(ledger: &Arc<Ledger>, blake3: [u8; 32]) -> Result<Found, ApiError> {
    let (asked, view) = (Arc::clone(ledger), View::of(ledger));
    let found = ledger.store.read(move |reader| find(reader, &asked, &view, &blake3));
    found.await
}

fn find(reader: &Reader<'_>, ledger: &Ledger, view: &View, blake3: &[u8; 32]) -> Result<Found, ApiError> {
    let keys = reader.records(blake3, MOST_RECORDS)?;
    let mut found =
        Found { places: Vec::new(), size_bytes: None, has_object: false, truncated: keys.len() == MOST_RECORDS };
    // by stream and slot, or by source and epoch where there is none; then by track and group
    type Key = (i64, Option<i64>, (i64, u64, u64), String, u64);
    let mut broadcasts: BTreeMap<Key, Broadcast> = BTreeMap::new();
    for key in keys {
        let Some(source) = ledger.source(key.source) else { continue };
        let epoch = EpochKey { segment: key.segment, index: source.rule.epochs.index(key.sequence) };
        let Some(content) = source.epoch(epoch) else { continue };
        // the database knows the beginning of the hash alone, and a line may have been lost since
        let is_it = |(_, line): &&(usize, ec_observation::Record)| {
            line.group_sequence == key.sequence && line.blake3 == *blake3
        };
        let Some((place, line)) = content.lines.iter().find(is_it).copied() else { continue };
        found.size_bytes.get_or_insert(line.size_bytes);
        found.has_object |= source.cas.has(&blake3::Hash::from_bytes(*blake3));
        let received = Received { archive: source.archive.clone(), received_ms: line.received_unix_ms.map(ms) };
        let slot = reader.slot_of_epoch(key.source, epoch.segment, epoch.index)?;
        let Some(stream) = reader.stream(source.rule.stream_hash())? else { continue };
        let nameless = if slot.is_some() { (0, 0, 0) } else { (key.source, epoch.segment, epoch.index) };
        let track = source.track(place).to_owned();
        let at = (stream.id, slot.as_ref().map(|slot| slot.id), nameless, track.clone(), key.sequence);
        let sequence = key.sequence;
        let broadcast = broadcasts.entry(at).or_insert_with(|| Broadcast {
            source,
            stream,
            slot,
            track,
            sequence,
            content,
            archives: Vec::new(),
        });
        if !broadcast.archives.contains(&received) {
            broadcast.archives.push(received);
        }
    }
    for broadcast in broadcasts.into_values() {
        found.places.push(place(reader, view, broadcast)?);
    }
    Ok(found)
}

fn place(reader: &Reader<'_>, view: &View, broadcast: Broadcast) -> Result<Place, ApiError> {
    let Broadcast { source, stream, slot, track, sequence, content, archives } = broadcast;
    let proven = slot.as_ref().map(|slot| prove(reader, slot, &source.rule, &content, &track, sequence));
    let proven = proven.transpose()?.flatten();
    let word = slot.as_ref().map_or(PlaceWord::Unvoted, |slot| word(view, slot, proven.as_ref()));
    let time_ms = archives.iter().filter_map(|received| received.received_ms).min();
    Ok(Place {
        ledger: view.ledger.clone(),
        stream: stream.hash.to_string(),
        stream_id: source.rule.stream_id.clone(),
        broadcast: source.broadcast.name.clone(),
        track,
        group_sequence: sequence.to_string(),
        archives,
        time_ms: time_ms.or(slot.as_ref().map(|slot| ms(slot.observed_ms))),
        word,
        slot: slot.map(|slot| view.whole_slot(reader, &stream, &slot)).transpose()?,
        proof: proven.map(|proven| proven.proof),
    })
}

/// A proof, and whether its header is the final one.
struct Proven {
    proof: Proof,
    is_final: bool,
}

/// A proof under the final header, else under that of any candidate of this content.
fn prove(
    reader: &Reader<'_>,
    slot: &SlotRow,
    rule: &StreamRule,
    content: &EpochContent,
    track: &str,
    sequence: u64,
) -> Result<Option<Proven>, ApiError> {
    let mut candidates = reader.candidates(slot.id)?;
    let final_id = slot.final_row.map(|found| found.candidate);
    candidates.sort_by_key(|candidate| Some(candidate.id) != final_id);
    for candidate in candidates {
        let proof = ObservationProof::new(rule, &content.records, candidate.header, track, sequence);
        if let Some(proof) = proof.ok().filter(|proof| proof.check().is_ok()) {
            return Ok(Some(Proven { proof: Proof(proof), is_final: Some(candidate.id) == final_id }));
        }
    }
    Ok(None)
}

/// What can be said of a broadcast in this slot with this proof.
fn word(view: &View, slot: &SlotRow, proven: Option<&Proven>) -> PlaceWord {
    let is_settled = |block: u64| crate::show::standing(&view.heads, block) == Standing::Finalized;
    match (slot.final_row, proven) {
        (Some(found), Some(Proven { is_final: true, .. })) if is_settled(found.block) => PlaceWord::Final,
        (Some(_), Some(Proven { is_final: true, .. })) => PlaceWord::NotFinalYet,
        (Some(_), _) => PlaceWord::NotInFinal,
        (None, Some(_)) => PlaceWord::Open,
        (None, None) => PlaceWord::Unvoted,
    }
}
