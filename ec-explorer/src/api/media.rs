//! Media, where the host serves them: objects by range, playlists that end, and the groups that stand in them.

use std::{collections::BTreeMap, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use base64::Engine;
use ec_archive::{TrackFile, cas::Cas};
use ec_observation::{EpochKey, Record, TimeMode};

use super::{
    answer::{Holds, bytes, json, tagged},
    common::{Asked, Chosen, known_stream},
    mp4,
    params::Params,
    problem::{ApiError, Kind},
};
use crate::{
    model::{Group, Groups, Problem},
    show::{View, ms, state_of},
    state::{Explorer, Ledger, Source},
    store::{Reader, SlotRow},
};

/// The longest stretch that is listed at once: six hours, milliseconds.
const MOST_MS: u64 = 6 * 3_600_000;
/// Groups that are listed at once.
const MOST_GROUPS: usize = 20_000;
/// Epochs that are read for them.
const MOST_EPOCHS: usize = 2000;
/// The groups of an epoch are spread over at most so much time after its own, milliseconds.
const EPOCH_REACH_MS: u64 = 3_600_000;
/// Epochs in which a fragment of a track is looked for.
const EPOCHS_TRIED: usize = 4;
/// The largest object that is served, bytes.
const MOST_BYTES: u64 = 64 << 20;
/// How long a group lasts, as long as its neighbours do not say it.
const GROUP_MS: u64 = 2000;
/// The longest time between two groups that is taken for how long the first lasts.
const MOST_GROUP_MS: u64 = 20_000;

/// The groups of a stretch, as one archive has them, each with its slot.
#[utoipa::path(
    get, path = "/api/v1/streams/{stream}/groups", tag = "streams",
    params(
        ("stream" = String, Path, description = "The stream's hash", pattern = "^(0x)?[0-9a-fA-F]{64}$"),
        ("ledger" = Option<String>, Query, description = "A ledger's name", max_length = 64, min_length = 1),
        ("archive" = Option<String>, Query, description = "An archive's name", max_length = 64, min_length = 1),
        ("from" = u64, Query, description = "Milliseconds since 1970", minimum = 0, maximum = 9007199254740992_u64),
        ("to" = u64, Query, description = "Milliseconds since 1970, at most six hours after `from`", minimum = 0, maximum = 9007199254740992_u64),
    ),
    responses(
        (status = 200, body = Groups),
        (status = "4XX", body = Problem, content_type = "application/problem+json"),
        (status = "5XX", body = Problem, content_type = "application/problem+json"),
    )
)]
pub(super) async fn groups(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    let listed = list(&explorer, &chosen, &mut params)?;
    params.finish()?;
    let (archive, groups, truncated) = listed.read().await?;
    json(&headers, Holds::Unknown, &Groups { archive, groups, truncated })
}

/// What is to be listed.
struct Listed {
    ledger: Arc<Ledger>,
    stream: alloy::primitives::B256,
    archive: Option<String>,
    track: Option<String>,
    window: (u64, u64),
}

fn list(explorer: &Explorer, chosen: &Chosen, params: &mut Params) -> Result<Listed, ApiError> {
    let stream = chosen.hash("stream")?;
    let ledger = explorer.asked(params)?;
    let archive = params.short("archive", 64)?;
    let window = Asked::of(params)?.bounded(MOST_MS)?;
    Ok(Listed { ledger, stream, archive, track: None, window })
}

impl Listed {
    async fn read(self) -> Result<(String, Vec<Group>, bool), ApiError> {
        let Self { ledger, stream, archive, track, window } = self;
        let (asked, view) = (Arc::clone(&ledger), View::of(&ledger));
        let found = ledger.store.read(move |reader| {
            let row = known_stream(reader, stream)?;
            let (id, source) = source_of(&asked, row.hash.0, archive.as_deref())?;
            let (groups, truncated) = groups_of(reader, &view, (id, &source), track.as_deref(), window)?;
            Ok::<_, ApiError>((source.archive.clone(), groups, truncated))
        });
        found.await
    }
}

/// The stream in the archive that is meant; the first that has it, where none is named.
fn source_of(
    ledger: &Ledger,
    hash: alloy::primitives::B256,
    archive: Option<&str>,
) -> Result<(i64, Arc<Source>), ApiError> {
    let mut sources = ledger.sources().into_iter().filter(|(_, source)| source.rule.stream_hash().0 == hash);
    let found = sources.find(|(_, source)| archive.is_none_or(|archive| source.archive == archive));
    found.ok_or_else(|| {
        let mut error =
            ApiError::new(Kind::UnknownArchive, "no archive here, or not the one that is named, has this stream");
        error.0.parameter = archive.map(|_| "archive".to_owned());
        error
    })
}

fn groups_of(
    reader: &Reader<'_>,
    view: &View,
    (id, source): (i64, &Source),
    track: Option<&str>,
    window: (u64, u64),
) -> Result<(Vec<Group>, bool), ApiError> {
    let reach = (window.0.saturating_sub(EPOCH_REACH_MS), window.1);
    let epochs = reader.epochs_between(id, reach, MOST_EPOCHS)?;
    let mut truncated = epochs.len() == MOST_EPOCHS;
    let mut found: Vec<(usize, Record, u64, Option<SlotRow>)> = Vec::new();
    for (segment, index, slot) in epochs {
        let Some(content) = source.epoch(EpochKey { segment, index }) else { continue };
        let mut known = BTreeMap::new();
        for (place, line) in content.lines {
            known.entry((place, line.group_sequence)).or_insert(line);
        }
        found.extend(known.into_iter().map(|((place, _), line)| (place, line, segment, slot.clone())));
    }
    found.retain(|(place, line, ..)| {
        let is_of = track.is_none_or(|track| source.track(*place) == track);
        is_of && line.received_unix_ms.is_none_or(|at| (window.0..window.1).contains(&at))
    });
    found.sort_by_key(|(place, line, segment, _)| (*segment, *place, line.group_sequence));
    let lengths = durations(source, &found);
    let mut groups: Vec<_> = found
        .into_iter()
        .zip(lengths)
        .map(|((place, line, _, slot), duration_ms)| Group {
            track: source.track(place).to_owned(),
            group_sequence: line.group_sequence.to_string(),
            blake3: alloy::hex::encode(line.blake3),
            size_bytes: line.size_bytes,
            received_ms: line.received_unix_ms.map(ms),
            duration_ms,
            slot: slot.as_ref().map(|slot| slot.hash.to_string()),
            state: slot.as_ref().map(|slot| state_of(slot.state(view.chain_ms()))),
            final_ms: slot.and_then(|slot| slot.final_row).map(|found| found.ms),
        })
        .collect();
    truncated |= groups.len() > MOST_GROUPS;
    groups.truncate(MOST_GROUPS);
    groups.sort_by_key(|group| group.received_ms);
    Ok((groups, truncated))
}

/// About how long each lasts: until the next one came. Those that came in a rush, as late subscribers get them, last as long
/// as the middle one does.
fn durations(source: &Source, groups: &[(usize, Record, u64, Option<SlotRow>)]) -> Vec<u64> {
    if let TimeMode::Timeline { chunk_duration_ms } = source.rule.time {
        return vec![chunk_duration_ms.get(); groups.len()];
    }
    let apart = |pair: &[(usize, Record, u64, Option<SlotRow>)]| {
        let [(place, line, segment, _), (next_place, next, next_segment, _)] = pair else { return None };
        let is_next = (place, segment) == (next_place, next_segment) && line.group_sequence + 1 == next.group_sequence;
        let apart = next.received_unix_ms?.checked_sub(line.received_unix_ms?)?;
        (is_next && (1..=MOST_GROUP_MS).contains(&apart)).then_some(apart)
    };
    let apart: Vec<_> = groups.windows(2).map(apart).chain([None]).collect();
    let mut sorted: Vec<_> = apart.iter().flatten().copied().collect();
    sorted.sort_unstable();
    let middle = sorted.get(sorted.len() / 2).copied().unwrap_or(GROUP_MS);
    let is_near = |apart: &u64| (middle / 2..=middle * 2).contains(apart);
    apart.into_iter().take(groups.len()).map(|apart| apart.filter(is_near).unwrap_or(middle)).collect()
}

fn require_media(explorer: &Explorer) -> Result<(), ApiError> {
    match explorer.settings.serve_media {
        true => Ok(()),
        false => Err(ApiError::new(Kind::NotServed, "the host has not set serve_media")),
    }
}

/// A playlist of one track, from and to a time.
pub(super) async fn playlist(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    require_media(&explorer)?;
    let track = params.short("track", 200)?;
    let listed = list(&explorer, &chosen, &mut params)?;
    params.finish()?;
    let source = source_of(&listed.ledger, listed.stream, listed.archive.as_deref())?.1;
    let track = chosen_track(&source, track)?;
    let (ledger, stream) = (listed.ledger.settings.name.clone(), listed.stream);
    let (archive, groups, _) = Listed { track: Some(track.clone()), ..listed }.read().await?;
    let text = playlist_of(&ledger, &format!("{stream:#x}"), &archive, &track, &groups);
    Ok(bytes(&headers, Holds::Unknown, "application/vnd.apple.mpegurl", text.into_bytes()))
}

/// The track that is named, which the stream must have; else the one that looks like video, else the first.
fn chosen_track(source: &Source, track: Option<String>) -> Result<String, ApiError> {
    let names = source.rule.tracks.names();
    match track {
        Some(track) if names.contains(&track) => Ok(track),
        Some(_) => Err(ApiError::parameter("track", format!("track must be one of {}", names.join(", ")))),
        None => {
            let video = names.iter().find(|name| name.contains("video")).or(names.first());
            Ok(video.cloned().unwrap_or_default())
        }
    }
}

fn playlist_of(ledger: &str, stream: &str, archive: &str, track: &str, groups: &[Group]) -> String {
    let longest = groups.iter().map(|group| group.duration_ms.div_ceil(1000)).max().unwrap_or(1).max(1);
    let mut text = format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{longest}\n#EXT-X-PLAYLIST-TYPE:VOD\n");
    text += "#EXT-X-INDEPENDENT-SEGMENTS\n";
    let query: String = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("ledger", ledger)
        .append_pair("archive", archive)
        .append_pair("track", track)
        .finish();
    let mut before: Option<u64> = None;
    for group in groups {
        let sequence: Option<u64> = group.group_sequence.parse().ok();
        let goes_on = before.zip(sequence).is_some_and(|(before, sequence)| before.checked_add(1) == Some(sequence));
        if !goes_on {
            if before.is_some() {
                text += "#EXT-X-DISCONTINUITY\n";
            }
            let at = group.received_ms.unwrap_or_default();
            text += &format!("#EXT-X-MAP:URI=\"/media/streams/{stream}/init.mp4?{query}&at={at}\"\n");
        }
        before = sequence;
        if let Some(time) = group.received_ms.and_then(date_time) {
            text += &format!("#EXT-X-PROGRAM-DATE-TIME:{time}\n");
        }
        let (whole, part) = (group.duration_ms / 1000, group.duration_ms % 1000);
        text += &format!("#EXTINF:{whole}.{part:03},\n/media/objects/{}.m4s\n", group.blake3);
    }
    text + "#EXT-X-ENDLIST\n"
}

/// A time as playlists write it.
fn date_time(ms: u64) -> Option<String> {
    let time = jiff::Timestamp::from_millisecond(i64::try_from(ms).ok()?).ok()?;
    Some(format!("{time:.3}"))
}

/// The initialisation segment of a track: an object of the broadcast, without what it says of other tracks, or what the catalog
/// says.
pub(super) async fn init(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    mut params: Params,
) -> Result<Response, ApiError> {
    require_media(&explorer)?;
    let stream = chosen.hash("stream")?;
    let ledger = explorer.asked(&mut params)?;
    let archive = params.short("archive", 64)?;
    let at = params.time("at")?.unwrap_or(u64::MAX);
    let track = params.short("track", 200)?;
    params.finish()?;
    let (id, source) = source_of(&ledger, stream, archive.as_deref())?;
    let track = chosen_track(&source, track)?;
    let read = ledger.store.read(move |reader| init_of(reader, (id, &source), &track, at));
    let found = read.await?.ok_or_else(|| {
        ApiError::new(
            Kind::NotFound,
            "the archive has no initialisation segment of this track, neither as init.mp4 nor in its catalog",
        )
    })?;
    Ok(bytes(&headers, Holds::Minutes, "video/mp4", found))
}

fn init_of(
    reader: &Reader<'_>,
    (id, source): (i64, &Source),
    track: &str,
    at: u64,
) -> Result<Option<Vec<u8>>, ApiError> {
    let Some(init) = ["init.mp4", "0.mp4"].into_iter().find_map(|name| object_at(source, name, at)) else {
        return Ok(init_in_catalog(source, track, at));
    };
    let fragment = fragment_of(reader, (id, source), track, at)?;
    let alone = fragment.and_then(|fragment| mp4::alone(&init, mp4::track_of(&fragment)?));
    Ok(Some(alone.unwrap_or(init)))
}

fn init_in_catalog(source: &Source, track: &str, at: u64) -> Option<Vec<u8>> {
    let catalog: serde_json::Value = serde_json::from_slice(&object_at(source, "catalog.json", at)?).ok()?;
    let of = |kind: &str| catalog.get(kind)?.get("renditions")?.get(track)?.get("container")?.get("init")?.as_str();
    base64::engine::general_purpose::STANDARD.decode(of("video").or_else(|| of("audio"))?).ok()
}

/// A fragment of a track from about a time, else its first: it says which number the track has.
fn fragment_of(
    reader: &Reader<'_>,
    (id, source): (i64, &Source),
    track: &str,
    at: u64,
) -> Result<Option<Vec<u8>>, ApiError> {
    for stretch in [(at.saturating_sub(EPOCH_REACH_MS), at.saturating_add(1)), (0, u64::MAX)] {
        for (segment, index, _) in reader.epochs_between(id, stretch, EPOCHS_TRIED)? {
            let Some(content) = source.epoch(EpochKey { segment, index }) else { continue };
            let of_track = content.lines.iter().find(|(place, _)| source.track(*place) == track);
            let read =
                of_track.and_then(|(_, line)| source.cas.read(&blake3::Hash::from_bytes(line.blake3), MOST_BYTES).ok());
            if read.is_some() {
                return Ok(read);
            }
        }
    }
    Ok(None)
}

/// The newest object of a track that was there at a time, else its first.
fn object_at(source: &Source, track: &str, at: u64) -> Option<Vec<u8>> {
    let file = TrackFile::new(&source.broadcast, track, source.fields.clone());
    let mut found: Option<Record> = None;
    file.for_each_line(|line| {
        if let Some(Ok(record)) = line.said
            && (found.is_none() || record.received_unix_ms.is_some_and(|received| received <= at))
        {
            found = Some(record);
        }
    })
    .ok()?;
    source.cas.read(&blake3::Hash::from_bytes(found?.blake3), MOST_BYTES).ok()
}

/// An object's bytes, or a range of them.
pub(super) async fn object(
    State(explorer): State<Arc<Explorer>>,
    headers: HeaderMap,
    chosen: Chosen,
    params: Params,
) -> Result<Response, ApiError> {
    require_media(&explorer)?;
    params.finish()?;
    let name = chosen.0.strip_suffix(".m4s").unwrap_or(&chosen.0);
    let hash = super::params::hash("blake3", name)?.0;
    let mut stores: Vec<Cas> = Vec::new();
    for source in explorer.ledgers.iter().flat_map(|ledger| ledger.sources()).map(|(_, source)| source) {
        if !stores.iter().any(|known| known.root() == source.cas.root()) {
            stores.push(source.cas.clone());
        }
    }
    let read = move || {
        let hash = blake3::Hash::from_bytes(hash);
        stores.iter().find_map(|store| match store.read(&hash, MOST_BYTES) {
            Ok(bytes) => Some(bytes),
            Err(error) => {
                if error.kind() != std::io::ErrorKind::NotFound {
                    tracing::warn!(%hash, %error, "an object cannot be served");
                }
                None
            }
        })
    };
    let found = tokio::task::spawn_blocking(read).await.ok().flatten();
    let found = found.ok_or_else(|| ApiError::new(Kind::UnknownSegment, "no store here has these bytes whole"))?;
    ranged(&headers, &alloy::hex::encode(hash), found)
}

/// A range of bytes, where one is asked for; of several the whole.
fn ranged(headers: &HeaderMap, hash: &str, whole: Vec<u8>) -> Result<Response, ApiError> {
    let (len, tag) = (whole.len(), format!("\"{hash}\""));
    let asked = headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    let is_same = headers.get(header::IF_RANGE).is_none_or(|value| value.as_bytes() == tag.as_bytes());
    let range = match asked.filter(|_| is_same).map(|text| range_of(text, len)) {
        None | Some(Asking::Whole) => {
            let mut response = tagged(headers, Holds::Always, "video/mp4", &tag, whole);
            response.headers_mut().insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
            return Ok(response);
        }
        Some(Asking::Nothing) => {
            let mut response = ApiError::new(Kind::BadRange, format!("the object has {len} bytes")).into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{len}")) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(response);
        }
        Some(Asking::Part(first, last)) => (first, last),
    };
    let (first, last) = range;
    let mut response = tagged(&HeaderMap::new(), Holds::Always, "video/mp4", &tag, whole[first..=last].to_vec());
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    if let Ok(value) = HeaderValue::from_str(&format!("bytes {first}-{last}/{len}")) {
        response.headers_mut().insert(header::CONTENT_RANGE, value);
    }
    Ok(response)
}

/// What a `Range` asks for.
#[derive(Debug, PartialEq, Eq)]
enum Asking {
    Whole,
    Part(usize, usize),
    Nothing,
}

/// What a `Range` asks for of so many bytes (RFC 9110 §14): a header that cannot be read is as if it were not there.
fn range_of(text: &str, len: usize) -> Asking {
    let Some(spec) = text.strip_prefix("bytes=").filter(|spec| !spec.contains(',')) else { return Asking::Whole };
    let Some((first, last)) = spec.trim().split_once('-') else { return Asking::Whole };
    let number = |text: &str| -> Option<usize> {
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().unwrap_or(usize::MAX))
    };
    match (first, number(first), last, number(last)) {
        ("", None, _, Some(count)) if count > 0 && len > 0 => Asking::Part(len - count.min(len), len - 1),
        ("", None, _, Some(_)) => Asking::Nothing,
        (_, Some(first), "", None) if first < len => Asking::Part(first, len - 1),
        (_, Some(first), _, Some(last)) if first <= last && first < len => Asking::Part(first, last.min(len - 1)),
        (_, Some(first), _, Some(last)) if first > last => Asking::Whole,
        (_, Some(_), _, _) if last.is_empty() || number(last).is_some() => Asking::Nothing,
        _ => Asking::Whole,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_those_of_the_standard() {
        for (text, asking) in [
            ("bytes=0-0", Asking::Part(0, 0)),
            ("bytes=2-99", Asking::Part(2, 9)),
            ("bytes=3-", Asking::Part(3, 9)),
            ("bytes=-4", Asking::Part(6, 9)),
            ("bytes=-99", Asking::Part(0, 9)),
            ("bytes=-0", Asking::Nothing),
            ("bytes=10-", Asking::Nothing),
            ("bytes=10-12", Asking::Nothing),
            ("bytes=5-4", Asking::Whole),
            ("bytes=0-1,3-4", Asking::Whole),
            ("bytes=x-4", Asking::Whole),
            ("items=0-1", Asking::Whole),
            ("bytes=-", Asking::Whole),
        ] {
            assert_eq!(range_of(text, 10), asking, "{text}");
        }
        assert_eq!(range_of("bytes=0-", 0), Asking::Nothing);
    }

    fn group(sequence: u64, received_ms: u64) -> Group {
        Group {
            track: "0.m4s".into(),
            group_sequence: sequence.to_string(),
            blake3: "ab".repeat(32),
            size_bytes: 1,
            received_ms: Some(received_ms),
            duration_ms: 2000,
            slot: None,
            state: None,
            final_ms: None,
        }
    }

    #[test]
    fn a_playlist_ends_and_says_where_numbers_break_off() {
        let groups = [group(7, 1_795_894_852_542), group(8, 1_795_894_854_542), group(0, 1_795_894_900_000)];
        let text = playlist_of("main", "0x11", "a&b", "0.m4s", &groups);
        assert!(text.ends_with("#EXT-X-ENDLIST\n"));
        assert_eq!(text.matches("#EXT-X-DISCONTINUITY\n").count(), 1);
        assert_eq!(text.matches("#EXT-X-MAP:").count(), 2);
        assert!(text.contains("init.mp4?ledger=main&archive=a%26b&track=0.m4s&at=1795894852542\""), "{text}");
        assert!(text.contains("#EXT-X-PROGRAM-DATE-TIME:2026-11-28T19:40:52.542Z\n"), "{text}");
        assert_eq!(text.matches(".m4s\n").count(), 3);
    }
}
