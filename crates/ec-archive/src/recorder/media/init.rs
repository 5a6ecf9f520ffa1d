//! The init segment: which tracks there are, and how to time them.

use mp4_atom::{Codec, Encode, Moov, StszSamples, Trak};

use super::{MediaError, boxes::RawBox};

/// What a track carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrackKind {
    /// Pictures of this size in pixels.
    Video {
        /// Width in pixels.
        width: u16,
        /// Height in pixels.
        height: u16,
    },
    /// Sound.
    Audio {
        /// Samples per second.
        sample_rate: u32,
        /// Number of channels.
        channels: u16,
    },
}

/// One video or audio track of an init segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InitTrack {
    /// `track_ID`, by which fragments name it.
    pub track_id: u32,
    /// Ticks per second of its times.
    pub timescale: u32,
    /// Video or audio.
    pub kind: TrackKind,
    /// The codec as in RFC 6381 where it is AVC, AAC or Opus, else the sample entry's four characters.
    pub codec: String,
    /// Its language as `mdhd` has it, ISO 639-2/T.
    pub language: String,
    /// A sample's duration in ticks where a fragment does not say.
    pub(super) default_duration: u32,
    /// A sample's size in bytes where a fragment does not say.
    pub(super) default_size: u32,
}

/// An init segment.
#[derive(Clone, Debug, Default)]
pub struct Init {
    /// `ftyp` and `moov` as they are stored.
    pub bytes: Vec<u8>,
    /// Its video and audio tracks, in its order.
    pub tracks: Vec<InitTrack>,
    /// Its other tracks (captions, metadata), whose fragments are not recorded.
    pub ignored: Vec<IgnoredTrack>,
    /// Whether its `moov` has samples of its own, as a plain file's has.
    pub(super) has_samples: bool,
}

/// A track that is neither video nor audio, or says nothing of how it is coded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IgnoredTrack {
    /// `track_ID`, by which fragments name it.
    pub track_id: u32,
    /// The handler's four characters, as `text` or `subt`.
    pub handler: String,
}

impl Init {
    /// Reads the tracks of a `moov`; `bytes` become the init segment's.
    pub(super) fn parse(moov: &RawBox, bytes: Vec<u8>) -> Result<Self, MediaError> {
        let decoded: Moov = moov.decode("moov")?;
        if decoded.mvex.is_none() {
            return Err(MediaError::NotFragmented { at: moov.at.clone() });
        }
        let has_samples = decoded.trak.iter().any(has_samples);
        let mut init = Self { bytes, has_samples, ..Self::default() };
        for trak in &decoded.trak {
            match parse_track(trak, &decoded) {
                Some(track) if track.timescale == 0 => {
                    let track_id = track.track_id;
                    return Err(MediaError::NoTimescale { at: moov.at.clone(), track_id });
                }
                Some(track) => init.tracks.push(track),
                None => init
                    .ignored
                    .push(IgnoredTrack { track_id: trak.tkhd.track_id, handler: trak.mdia.hdlr.handler.to_string() }),
            }
        }
        Ok(init)
    }
}

fn has_samples(trak: &Trak) -> bool {
    match &trak.mdia.minf.stbl.stsz.samples {
        StszSamples::Identical { count, .. } => *count > 0,
        StszSamples::Different { sizes } => !sizes.is_empty(),
    }
}

fn parse_track(trak: &Trak, moov: &Moov) -> Option<InitTrack> {
    let codec = trak.mdia.minf.stbl.stsd.codecs.first()?;
    let track_id = trak.tkhd.track_id;
    let defaults = moov.mvex.iter().flat_map(|mvex| &mvex.trex).find(|trex| trex.track_id == track_id);
    Some(InitTrack {
        track_id,
        timescale: trak.mdia.mdhd.timescale,
        kind: kind_of(trak, codec)?,
        codec: codec_string(codec),
        language: trak.mdia.mdhd.language.clone(),
        default_duration: defaults.map_or(0, |trex| trex.default_sample_duration),
        default_size: defaults.map_or(0, |trex| trex.default_sample_size),
    })
}

/// The kind goes by the handler, so that a codec unknown here is recorded too, with what its header says.
fn kind_of(trak: &Trak, codec: &Codec) -> Option<TrackKind> {
    match trak.mdia.hdlr.handler.as_ref() {
        b"vide" => Some(match codec.visual() {
            Some(visual) => TrackKind::Video { width: visual.width, height: visual.height },
            None => TrackKind::Video { width: trak.tkhd.width.integer(), height: trak.tkhd.height.integer() },
        }),
        b"soun" => {
            let (rate, channels) = codec.audio().map_or((0, 0), |a| (a.sample_rate.integer(), a.channel_count));
            Some(TrackKind::Audio { sample_rate: rate.into(), channels })
        }
        _ => None,
    }
}

/// RFC 6381, sections 3.3 and 3.4.
fn codec_string(codec: &Codec) -> String {
    match codec {
        Codec::Avc1(avc) => {
            let avcc = &avc.avcc;
            let (profile, level) = (avcc.avc_profile_indication, avcc.avc_level_indication);
            format!("avc1.{profile:02x}{:02x}{level:02x}", avcc.profile_compatibility)
        }
        Codec::Mp4a(mp4a) => {
            let config = &mp4a.esds.es_desc.dec_config;
            match &config.dec_specific {
                Some(specific) => format!("mp4a.{:x}.{}", config.object_type_indication, specific.profile),
                None => format!("mp4a.{:x}", config.object_type_indication),
            }
        }
        Codec::Opus(_) => "opus".to_owned(),
        Codec::Unknown(kind, _) => kind.to_string(),
        other => sample_entry(other),
    }
}

/// The four characters of a sample entry.
fn sample_entry(codec: &Codec) -> String {
    let mut bytes = Vec::new();
    match codec.encode(&mut bytes) {
        Ok(()) => String::from_utf8_lossy(bytes.get(4..8).unwrap_or_default()).into_owned(),
        Err(_) => "unknown".to_owned(),
    }
}
