//! The catalog: which tracks a broadcast has, and how to decode them.

use serde::Serialize;

use super::media::{InitTrack, TrackKind};

/// The tracks of a broadcast, in the shape of a MoQ catalog.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Catalog {
    version: u8,
    tracks: Vec<CatalogTrack>,
}

/// One track of a catalog.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct CatalogTrack {
    name: String,
    packaging: &'static str,
    init_track: String,
    timescale: u32,
    selection_params: SelectionParams,
}

#[derive(Debug, Default, Serialize)]
struct SelectionParams {
    codec: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    width: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    height: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    samplerate: Option<u32>,
    #[serde(rename = "channelConfig", skip_serializing_if = "Option::is_none")]
    channel_config: Option<String>,
}

impl Catalog {
    pub(super) fn new(tracks: Vec<CatalogTrack>) -> Self {
        Self { version: 1, tracks }
    }

    /// The bytes of its group. The same tracks always give the same bytes.
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        // Strings and integers only, which cannot fail to serialize.
        serde_json::to_vec(self).unwrap_or_default()
    }
}

impl CatalogTrack {
    pub(super) fn new(name: &str, init_track: &str, track: &InitTrack) -> Self {
        let mut params = SelectionParams { codec: track.codec.clone(), ..SelectionParams::default() };
        match track.kind {
            TrackKind::Video { width, height } => (params.width, params.height) = (Some(width), Some(height)),
            TrackKind::Audio { sample_rate, channels } => {
                params.samplerate = Some(sample_rate);
                params.channel_config = Some(channels.to_string());
            }
        }
        Self {
            name: name.to_owned(),
            packaging: "cmaf",
            init_track: init_track.to_owned(),
            timescale: track.timescale,
            selection_params: params,
        }
    }
}
