use mp4_atom::{Decode, Moof, SegmentReference, Sidx, TrunSamples};

use super::{boxes::children, *};
use crate::recorder::testing::{AUDIO, VIDEO, boxed, encode, file, fragment, init, open, pair, plain_moov, styp, traf};

fn fragments(media: &mut Media) -> Vec<Fragment> {
    std::iter::from_fn(|| media.next_fragment().unwrap()).collect()
}

fn open_error(parts: &[Vec<u8>]) -> String {
    let (_dir, path) = file(parts);
    Media::open(vec![Piece::whole(&path)]).unwrap_err().to_string()
}

fn fragment_error(parts: &[Vec<u8>]) -> String {
    let (_dir, mut media) = open(parts);
    loop {
        match media.next_fragment() {
            Ok(Some(_)) => {}
            Ok(None) => return "no error".to_owned(),
            Err(error) => return error.to_string(),
        }
    }
}

#[test]
fn an_init_segment_names_its_tracks() {
    let (_dir, media) = open(&[init()]);
    let Init { bytes, tracks, ignored, .. } = media.init();
    assert_eq!(*bytes, init());
    assert_eq!(*ignored, [IgnoredTrack { track_id: 3, handler: "meta".to_owned() }]);
    let described: Vec<_> = tracks.iter().map(|t| (t.track_id, t.timescale, t.kind, t.codec.as_str())).collect();
    let video = (VIDEO, 1000, TrackKind::Video { width: 160, height: 90 }, "avc1.42c00a");
    let audio = (AUDIO, 48000, TrackKind::Audio { sample_rate: 48000, channels: 1 }, "opus");
    assert_eq!(described, [video, audio]);
}

#[test]
fn fragments_of_one_track_stay_byte_for_byte() {
    let parts = [
        init(),
        [styp(), boxed(b"prft", &[0; 24]), fragment(VIDEO, 0, 2000, b"v0")].concat(),
        fragment(AUDIO, 96, 960, b"a0"),
        boxed(b"free", b"xx"),
        fragment(VIDEO, 2000, 2000, b"v1"),
        boxed(b"mfra", b""),
    ];
    let (_dir, mut media) = open(&parts);
    let found = fragments(&mut media);
    let bytes: Vec<_> = found.iter().map(|fragment| fragment.bytes.clone()).collect();
    assert_eq!(bytes, [parts[1].clone(), parts[2].clone(), parts[4].clone()]);
    let times: Vec<_> = found.iter().map(|f| (f.track, f.decode_time, f.duration)).collect();
    assert_eq!(times, [(0, 0, 2000), (1, 96, 960), (0, 2000, 2000)]);
}

#[test]
fn pieces_read_as_one_file() {
    let (_a, head) = file(&[init(), fragment(VIDEO, 0, 500, b"v0")]);
    let (_b, tail) = file(&[vec![0; 5], fragment(VIDEO, 500, 500, b"v1"), vec![9; 3]]);
    let range = Some((5, fragment(VIDEO, 500, 500, b"v1").len() as u64));
    let pieces = vec![Piece::whole(&head), Piece { path: tail.as_path().into(), range }];
    let found = fragments(&mut Media::open(pieces).unwrap());
    assert_eq!(found.iter().map(|fragment| fragment.decode_time).collect::<Vec<_>>(), [0, 500]);
    assert_eq!(found[1].at.offset, 5);
}

#[test]
fn a_box_that_reaches_to_the_end_of_its_file_has_a_size_in_the_group() {
    let open_ended = |decode_time, payload: &[u8]| {
        let mut bytes = fragment(VIDEO, decode_time, 500, payload);
        let mdat = bytes.len() - payload.len() - 8;
        bytes[mdat..mdat + 4].fill(0);
        bytes
    };
    let (_a, head) = file(&[init()]);
    let (_b, first) = file(&[open_ended(0, b"v0")]);
    let (_c, second) = file(&[open_ended(500, b"v1")]);
    let found = fragments(&mut Media::open([head, first, second].map(|path| Piece::whole(&path)).to_vec()).unwrap());
    let bytes: Vec<_> = found.into_iter().map(|fragment| fragment.bytes).collect();
    assert_eq!(bytes, [fragment(VIDEO, 0, 500, b"v0"), fragment(VIDEO, 500, 500, b"v1")]);
}

#[test]
fn a_repeated_init_segment_is_no_part_of_a_fragment() {
    let (_dir, mut media) = open(&[init(), init(), fragment(VIDEO, 0, 500, b"v0")]);
    assert_eq!(fragments(&mut media)[0].bytes, fragment(VIDEO, 0, 500, b"v0"));
}

#[test]
fn an_index_is_kept_only_if_it_is_the_fragments_own() {
    let reference = || SegmentReference {
        reference_type: false,
        referenced_size: 1,
        subsegment_duration: 1,
        starts_with_sap: true,
        sap_type: 1,
        sap_delta_time: 0,
    };
    let sidx = |count| {
        let references = (0..count).map(|_| reference()).collect();
        encode(&Sidx { reference_id: VIDEO, timescale: 1000, references, ..Sidx::default() })
    };
    let video = || fragment(VIDEO, 0, 500, b"v0");
    let (_dir, mut media) = open(&[init(), sidx(2), video(), sidx(1), fragment(VIDEO, 500, 500, b"v1")]);
    let found = fragments(&mut media);
    assert_eq!(found[0].bytes, video());
    assert_eq!(found[1].bytes, [sidx(1), fragment(VIDEO, 500, 500, b"v1")].concat());
}

/// The samples of a fragment of one track, found through its own offsets.
fn samples(fragment: &Fragment) -> Vec<u8> {
    let moof = Moof::decode(&mut fragment.bytes.as_slice()).unwrap();
    let [traf] = moof.traf.as_slice() else { panic!("several tracks") };
    assert!(traf.tfhd.default_base_is_moof && traf.tfhd.base_data_offset.is_none());
    let run = |trun: &mp4_atom::Trun| {
        let start = usize::try_from(trun.data_offset.unwrap()).unwrap();
        let size: u32 = match &trun.samples {
            TrunSamples::Explicit(entries) => entries.iter().map(|entry| entry.size.unwrap()).sum(),
            TrunSamples::Inherited { count, .. } => count * 4,
        };
        fragment.bytes[start..start + size as usize].to_vec()
    };
    traf.trun.iter().flat_map(run).collect()
}

#[test]
fn a_fragment_of_several_tracks_is_cut_by_track() {
    let video = traf(VIDEO, 0, 500, &[2, 3], 0);
    let mut audio = traf(AUDIO, 960, 960, &[4], 5);
    let inherited = TrunSamples::Inherited { count: 1, first_flags: None };
    audio.trun.push(mp4_atom::Trun { data_offset: None, samples: inherited });
    let (_dir, mut media) = open(&[init(), pair(vec![video, audio], b"vvVVVaaaaAAAA", |moof| moof + 8)]);
    let found = fragments(&mut media);
    assert_eq!(found.iter().map(samples).collect::<Vec<_>>(), [b"vvVVV".to_vec(), b"aaaaAAAA".to_vec()]);
    assert_eq!((found[0].duration, found[1].duration), (1000, 960 + 500));
}

#[test]
fn a_fragment_without_its_time_follows_the_one_before_it_and_gets_it_written() {
    let untimed = |payload: &[u8]| {
        let mut untimed = traf(VIDEO, 0, 500, &[2], 0);
        untimed.tfdt = None;
        pair(vec![untimed], payload, |moof| moof + 8)
    };
    let (_dir, mut media) = open(&[init(), fragment(VIDEO, 2000, 500, b"v0"), untimed(b"v1"), untimed(b"v2")]);
    let found = fragments(&mut media);
    assert_eq!(found.iter().map(|fragment| fragment.decode_time).collect::<Vec<_>>(), [2000, 2500, 3000]);
    let payloads = [b"v0", b"v1", b"v2"].into_iter();
    for ((fragment, decode_time), payload) in found.iter().zip([2000, 2500, 3000]).zip(payloads) {
        let moof = Moof::decode(&mut fragment.bytes.as_slice()).unwrap();
        assert_eq!(moof.traf[0].tfdt.as_ref().unwrap().base_media_decode_time, decode_time);
        assert_eq!(samples(fragment), payload);
    }
}

/// A fragment of two tracks, with these boxes in each `traf` and another one in its `moof`; the first of the audio's is found
/// by its `saio`.
fn with_more_boxes(video: &[Vec<u8>], audio: &[Vec<u8>]) -> Vec<u8> {
    let plain = |offset| {
        let trafs = vec![traf(VIDEO, 0, 500, &[2], offset), traf(AUDIO, 0, 960, &[3], offset + 2)];
        pair(trafs, b"vvaaa", |moof| moof + 8)
    };
    let (video, audio, uuid) = (video.concat(), audio.concat(), boxed(b"uuid", b"of the fragment."));
    let saio_len = 8 + 8 + 4;
    let more = video.len() + audio.len() + uuid.len() + saio_len;
    let moof = plain(i32::try_from(more).unwrap());
    let inside = children(&moof[8..moof.len() - 8 - 5], 8).unwrap();
    let inside: Vec<_> = inside.iter().map(|child| child.bytes.to_vec()).collect();
    let [mfhd, video_traf, audio_traf] = inside.try_into().unwrap();
    let grown = |traf: &[u8], more: &[u8]| boxed(b"traf", &[&traf[8..], more].concat());
    let video_traf = grown(&video_traf, &video);
    // where the data of the first box begin, after its header and flags
    let data = 8 + mfhd.len() + video_traf.len() + audio_traf.len() + 12;
    let saio = boxed(b"saio", &[&[0, 0, 0, 0, 0, 0, 0, 1][..], &u32::try_from(data).unwrap().to_be_bytes()].concat());
    let audio_traf = grown(&audio_traf, &[audio, saio].concat());
    let mdat = moof[moof.len() - 8 - 5..].to_vec();
    [boxed(b"moof", &[mfhd, video_traf, audio_traf, uuid].concat()), mdat].concat()
}

#[test]
fn what_is_in_a_track_s_part_goes_with_it_and_is_found_where_it_is() {
    let (senc, uuid) = (boxed(b"senc", b"\0\0\0\0IVs of samples"), boxed(b"uuid", b"anything at all."));
    let groups = [boxed(b"sgpd", b"\x01\0\0\0seig\0\0\0\0\0\0\0\0"), boxed(b"sbgp", b"\0\0\0\0seig\0\0\0\0")].concat();
    let parts = [init(), with_more_boxes(&[uuid.clone(), groups.clone()], std::slice::from_ref(&senc))];
    let (_dir, mut media) = open(&parts);
    let [video, audio]: [Fragment; 2] = fragments(&mut media).try_into().unwrap();
    assert_eq!((samples(&video), samples(&audio)), (b"vv".to_vec(), b"aaa".to_vec()));
    let has = |fragment: &Fragment, part: &[u8]| fragment.bytes.windows(part.len()).any(|window| window == part);
    let of_the_moof = boxed(b"uuid", b"of the fragment.");
    for (fragment, expected) in [(&video, [true, true, false, true]), (&audio, [false, false, true, true])] {
        assert_eq!([&uuid, &groups, &senc, &of_the_moof].map(|part| has(fragment, part)), expected);
    }
    let saio = audio.bytes.windows(4).position(|window| window == b"saio").unwrap() + 4 + 8;
    let found = u32::from_be_bytes(audio.bytes[saio..saio + 4].try_into().unwrap()) as usize;
    assert!(audio.bytes[found..].starts_with(b"IVs of samples"), "{found}");
}

#[test]
fn data_found_outside_of_a_track_s_part_are_refused() {
    let mut bytes = with_more_boxes(&[], &[boxed(b"senc", b"\0\0\0\0IVs of samples")]);
    let offset = bytes.windows(4).position(|window| window == b"saio").unwrap() + 4 + 8;
    for outside in [30_u32, 300, 70_000] {
        bytes[offset..offset + 4].copy_from_slice(&outside.to_be_bytes());
        let said = fragment_error(&[init(), bytes.clone()]);
        assert!(said.contains("found by position (`saio`) outside of its `traf`"), "{outside}: {said}");
    }
}

#[test]
fn events_beside_a_track_that_is_not_recorded_go_with_the_next_fragment() {
    let (emsg, caption) = (boxed(b"emsg", b"event"), fragment(3, 0, 1, b"caption"));
    let video = fragment(VIDEO, 0, 500, b"v0");
    let (_dir, mut media) = open(&[init(), emsg.clone(), caption.clone(), video.clone(), emsg.clone(), caption]);
    let found = fragments(&mut media);
    assert_eq!(found.iter().map(|f| f.bytes.clone()).collect::<Vec<_>>(), [[emsg, video].concat()]);
    let said = media.take_left_out();
    assert!(said.iter().any(|said| said.contains("box `emsg` comes after the last fragment")), "{said:?}");
}

#[test]
fn absolute_offsets_are_made_relative() {
    let mut video = traf(VIDEO, 0, 500, &[2], 0);
    video.tfhd.base_data_offset = Some(init().len() as u64);
    video.tfhd.default_base_is_moof = false;
    let (_dir, mut media) = open(&[init(), pair(vec![video], b"vv", |moof| moof + 8)]);
    assert_eq!(samples(&fragments(&mut media)[0]), b"vv");
}

#[test]
fn samples_outside_of_the_fragment_are_refused() {
    let two = || vec![traf(VIDEO, 0, 500, &[2], 0), traf(AUDIO, 0, 960, &[9], 2)];
    assert!(
        fragment_error(&[init(), pair(two(), b"vvaa", |moof| moof + 8)]).contains("samples of track 2 lie outside")
    );
    assert!(fragment_error(&[init(), pair(two(), b"vvaa", |_| -500)]).contains("samples of track 1 lie outside"));
}

#[test]
fn what_is_no_fragmented_mp4_says_so() {
    let cases = [
        (vec![b"not a film at all".to_vec()], "media.mp4 at byte 0: "),
        (vec![], "media.mp4: holds no `moov` and no fragments"),
        (vec![plain_moov()], "media.mp4 at byte 0: not fragmented"),
        (vec![boxed(b"ftyp", b"isom"), boxed(b"mdat", b"x")], "media.mp4 at byte 12: not fragmented"),
        (vec![fragment(VIDEO, 0, 1, b"v")], "media.mp4 at byte 0: `moof` comes before any `moov`"),
        (vec![init()[..100].to_vec()], "box `moov` has "),
        (vec![vec![0, 0, 0, 9, 1, 2, 3, 4, 5]], "these bytes are no MP4 box"),
        (vec![vec![0, 0, 0, 3], b"moov".to_vec()], "these bytes are no MP4 box"),
        (vec![b"<!DOCTYPE html><title>404".to_vec()], "these bytes are no MP4 box, but text, as of an error page"),
        (vec![b"{\"message\":\"not found\"}".to_vec()], "no MP4 box, but text"),
        (vec![b"\x47\x40\x11\x10\x00\x42\xf0\x25".to_vec()], "no MP4 box, but as of MPEG-TS; remake it with"),
        (vec![b"\x1a\x45\xdf\xa3\x9f\x42\x86\x81".to_vec()], "no MP4 box, but as of Matroska or WebM"),
        (vec![b"\x1f\x8b\x08\x00\x00\x00\x00\x00".to_vec()], "no MP4 box, but compressed"),
        (vec![[&0x7fff_ffff_u32.to_be_bytes()[..], b"moov"].concat()], "box `moov` claims 2147483639 bytes"),
        (vec![boxed(b"moov", b"\0\0\0\x09trakx")], "media.mp4 at byte 0: box `moov` cannot be read"),
    ];
    for (parts, expected) in cases {
        let said = open_error(&parts);
        assert!(said.contains(expected), "{said}\n  lacks {expected}");
    }
}

#[test]
fn a_file_of_a_list_that_is_not_there_is_named_with_what_to_do() {
    let (_dir, path) = file(&[init()]);
    let pieces = [&path, &path.with_file_name("gone.m4s")].map(|path| Piece::whole(path)).to_vec();
    let said = Media::open(pieces).unwrap().next_fragment().unwrap_err().to_string();
    assert!(said.contains("gone.m4s: the list names this file") && said.contains("#EXT-X-GAP before it"), "{said}");
}

#[test]
fn an_init_segment_without_bytes_is_named() {
    let (_a, empty) = file(&[]);
    let (_b, segment) = file(&[fragment(VIDEO, 0, 500, b"v0")]);
    let said = Media::open([&empty, &segment].map(|path| Piece::whole(path)).to_vec()).unwrap_err().to_string();
    assert_eq!(said, format!("{}: holds no `moov` and no fragments", empty.display()));
}

#[test]
fn nothing_is_left_out_without_a_word() {
    let of_no_track = encode(&Moof { mfhd: mp4_atom::Mfhd { sequence_number: 1 }, traf: vec![] });
    let parts = [boxed(b"uuid", b"before the moov."), init(), of_no_track, boxed(b"mdat", b"x")];
    let (_dir, mut media) = open(&parts);
    assert_eq!(fragments(&mut media), []);
    let left_out = media.take_left_out();
    for said in ["at byte 0: box `uuid` comes before the `moov`; left out", ": a fragment of no track; left out"] {
        assert!(left_out.iter().any(|line| line.ends_with(said)), "{left_out:?}");
    }
}

#[test]
fn what_is_no_fragment_says_so() {
    let mut untimed = traf(VIDEO, 0, 500, &[1], 0);
    untimed.tfdt = None;
    let whole = fragment(VIDEO, 0, 500, b"v0");
    let cases = [
        (vec![pair(vec![untimed], b"v", |moof| moof + 8)], "fragment of track 1 has no `tfdt`"),
        (vec![fragment(7, 0, 500, b"v")], "fragment of track 7, which the init segment does not declare"),
        (vec![boxed(b"mdat", b"v")], "`moof` and `mdat` do not come in pairs"),
        (vec![whole[..whole.len() - 10].to_vec()], "do not come in pairs"),
        (vec![whole[..whole.len() - 1].to_vec()], "box `mdat` has 1 of its 2 bytes"),
        (vec![boxed(b"moov", b"")], "the init segment changes here"),
        (vec![fragment(3, 0, 1, b"caption")], "no error"),
    ];
    for (parts, expected) in cases {
        let said = fragment_error(&[vec![init()], parts].concat());
        assert!(said.contains(expected), "{said}\n  lacks {expected}");
    }
}

#[test]
fn every_cut_of_a_file_is_an_error_or_shorter() {
    let whole = [init(), fragment(VIDEO, 0, 500, b"v0"), fragment(AUDIO, 0, 960, b"a0")].concat();
    for cut in 0..whole.len() {
        let (_dir, path) = file(&[whole[..cut].to_vec()]);
        let Ok(mut media) = Media::open(vec![Piece::whole(&path)]) else { continue };
        let mut found = 0;
        while let Ok(Some(_)) = media.next_fragment() {
            found += 1;
        }
        assert!(found < 2, "cut at {cut}");
    }
}
