//! Tiny fragmented MP4 for tests, built box by box.

use std::path::PathBuf;

use mp4_atom::{
    Audio, Avc1, Avcc, Codec, Dops, Encode, Ftyp, Hdlr, Mdhd, Mdia, Mfhd, Minf, Moof, Moov, Mvex, Opus, Stbl, Stsd,
    Styp, Tfdt, Tfhd, Tkhd, Traf, Trak, Trex, Trun, TrunEntry, Visual, Vmhd,
};

use super::media::{Media, Piece};

/// The video track's `track_ID`; 1000 ticks per second.
pub(super) const VIDEO: u32 = 1;

/// The audio track's `track_ID`; 48000 ticks per second.
pub(super) const AUDIO: u32 = 2;

/// Media in a temporary file, opened.
pub(super) fn open(parts: &[Vec<u8>]) -> (tempfile::TempDir, Media) {
    let (dir, path) = file(parts);
    let media = Media::open(vec![Piece::whole(&path)]).unwrap();
    (dir, media)
}

/// Bytes in a temporary file.
pub(super) fn file(parts: &[Vec<u8>]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("media.mp4");
    std::fs::write(&path, parts.concat()).unwrap();
    (dir, path)
}

pub(super) fn encode(value: &impl Encode) -> Vec<u8> {
    let mut bytes = Vec::new();
    value.encode(&mut bytes).unwrap();
    bytes
}

/// An init segment with a video track, an audio track, and a third of another kind.
pub(super) fn init() -> Vec<u8> {
    let ftyp = Ftyp { major_brand: b"cmfc".into(), minor_version: 0, compatible_brands: vec![b"iso6".into()] };
    let trak =
        vec![trak(VIDEO, b"vide", 1000, avc()), trak(AUDIO, b"soun", 48000, opus()), trak(3, b"meta", 1, opus())];
    let trex = |track_id| Trex { track_id, default_sample_duration: 500, default_sample_size: 4, ..Trex::default() };
    let mvex = Mvex { mehd: None, trex: [VIDEO, AUDIO, 3].map(trex).to_vec() };
    let moov = Moov { trak, mvex: Some(mvex), ..Moov::default() };
    [encode(&ftyp), encode(&moov)].concat()
}

/// A `moov` without `mvex`, as of a plain MP4 file.
pub(super) fn plain_moov() -> Vec<u8> {
    encode(&Moov { trak: vec![trak(VIDEO, b"vide", 1000, avc())], ..Moov::default() })
}

fn trak(track_id: u32, handler: &[u8; 4], timescale: u32, codec: Codec) -> Trak {
    let mdhd = Mdhd { timescale, language: "und".into(), ..Mdhd::default() };
    let hdlr = Hdlr { handler: handler.into(), name: String::new() };
    let stbl = Stbl { stsd: Stsd { codecs: vec![codec] }, stco: Some(Default::default()), ..Stbl::default() };
    let minf = Minf { vmhd: Some(Vmhd::default()), stbl, ..Minf::default() };
    Trak { tkhd: Tkhd { track_id, ..Tkhd::default() }, mdia: Mdia { mdhd, hdlr, minf }, ..Trak::default() }
}

fn avc() -> Codec {
    let visual = Visual { width: 160, height: 90, ..Visual::default() };
    let avcc = Avcc {
        configuration_version: 1,
        avc_profile_indication: 0x42,
        profile_compatibility: 0xc0,
        avc_level_indication: 0x0a,
        length_size: 4,
        sequence_parameter_sets: vec![vec![0x67]],
        picture_parameter_sets: vec![vec![0x68]],
        ext: None,
    };
    let (btrt, colr, pasp, taic, fiel) = (None, None, None, None, None);
    Avc1 { visual, avcc, btrt, colr, pasp, taic, fiel, spatial: None }.into()
}

fn opus() -> Codec {
    let audio = Audio { data_reference_index: 1, channel_count: 1, sample_size: 16, sample_rate: 48000.into() };
    let dops = Dops {
        output_channel_count: 1,
        pre_skip: 312,
        input_sample_rate: 48000,
        output_gain: 0,
        channel_mapping: None,
    };
    Opus { audio, dops, btrt: None }.into()
}

/// A `styp` box.
pub(super) fn styp() -> Vec<u8> {
    encode(&Styp { major_brand: b"msdh".into(), minor_version: 0, compatible_brands: vec![] })
}

/// A `traf` whose samples are `sizes` bytes each and last `duration` ticks each, at `data_offset`.
pub(super) fn traf(track_id: u32, decode_time: u64, duration: u32, sizes: &[u32], data_offset: i32) -> Traf {
    let entry = |size: &u32| TrunEntry { duration: Some(duration), size: Some(*size), flags: None, cts: None };
    Traf {
        tfhd: Tfhd { track_id, default_base_is_moof: true, ..Tfhd::default() },
        tfdt: Some(Tfdt { base_media_decode_time: decode_time }),
        trun: vec![Trun {
            data_offset: Some(data_offset),
            samples: sizes.iter().map(entry).collect::<Vec<_>>().into(),
        }],
        ..Traf::default()
    }
}

/// `moof` and `mdat` of one track: samples of `payload`, all in one run of one sample lasting `duration` ticks.
pub(super) fn fragment(track_id: u32, decode_time: u64, duration: u32, payload: &[u8]) -> Vec<u8> {
    let size = u32::try_from(payload.len()).unwrap();
    pair(vec![traf(track_id, decode_time, duration, &[size], 0)], payload, |moof| moof + 8)
}

/// `moof` with these tracks and their `mdat`. The first track's data offset becomes `offset(length of the moof)`.
pub(super) fn pair(mut traf: Vec<Traf>, payload: &[u8], offset: impl Fn(i32) -> i32) -> Vec<u8> {
    let moof = |traf: &[Traf]| encode(&Moof { mfhd: Mfhd { sequence_number: 1 }, traf: traf.to_vec() });
    let len = i32::try_from(moof(&traf).len()).unwrap();
    for traf in &mut traf {
        for trun in &mut traf.trun {
            trun.data_offset = trun.data_offset.map(|after| offset(len) + after);
        }
    }
    [moof(&traf), boxed(b"mdat", payload)].concat()
}

/// A box of any kind.
pub(super) fn boxed(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap();
    [&size.to_be_bytes()[..], kind, body].concat()
}
