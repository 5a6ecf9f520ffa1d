use super::*;

fn dir_with(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

/// The names of each stream's pieces, ranges as `name[offset+length]`.
fn names(input: &Path) -> Vec<Vec<String>> {
    let name = |piece: &Piece| {
        let name = piece.path.file_name().unwrap().to_str().unwrap().to_owned();
        piece.range.map_or(name.clone(), |(offset, length)| format!("{name}[{offset}+{length}]"))
    };
    let inputs = inputs(input).unwrap();
    inputs.iter().flat_map(|input| &input.parts).map(|part| part.pieces.iter().map(name).collect()).collect()
}

fn error(dir: &tempfile::TempDir, name: &str) -> String {
    inputs(&dir.path().join(name)).unwrap_err().to_string()
}

const MEDIA: &str =
    "#EXTM3U\n#EXT-X-MAP:URI=\"init.mp4\"\n#EXTINF:2.0,\nseg0.m4s\n#EXTINF:2.0,\r\nseg1.m4s\n#EXT-X-ENDLIST\n";

#[test]
fn a_media_playlist_names_init_and_segments() {
    let dir = dir_with(&[("live.m3u8", MEDIA)]);
    let expected = [["init.mp4", "seg0.m4s", "seg1.m4s"]];
    assert_eq!(names(&dir.path().join("live.m3u8")), expected);
    assert_eq!(names(dir.path()), expected);
}

#[test]
fn a_master_playlist_names_variants_and_renditions_once() {
    let master = "#EXTM3U\n#EXT-X-MEDIA:TYPE=AUDIO,NAME=\"a, b\",GROUP-ID=\"g\",URI=\"a.m3u8\"\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO=\"g\"\nv.m3u8\n#EXT-X-STREAM-INF:BANDWIDTH=2\nv.m3u8\n";
    let dir = dir_with(&[("master.m3u8", master), ("a.m3u8", MEDIA), ("v.m3u8", MEDIA)]);
    assert_eq!(names(dir.path()).len(), 2);
}

#[test]
fn a_list_is_known_by_what_it_says_and_a_variant_by_the_tag_before_it() {
    let master =
        "\u{feff}#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\nvideo?rate=1\n#EXT-X-STREAM-INF:BANDWIDTH=2\nlow.m3u\n";
    let dir = dir_with(&[("index", master), ("video", MEDIA), ("low.m3u", MEDIA)]);
    let expected = ["init.mp4", "seg0.m4s", "seg1.m4s"];
    assert_eq!(names(&dir.path().join("index")), [expected, expected]);
    assert_eq!(names(&dir.path().join("low.m3u")), [expected]);
    let dir = dir_with(&[("live.xml", "<?xml version=\"1.0\"?>\n<MPD type=\"static\"/>")]);
    assert!(error(&dir, "live.xml").contains("a DASH manifest is not read"));
}

#[test]
fn still_pictures_for_trick_play_are_left_out() {
    let master = "#EXTM3U\n#EXT-X-IMAGE-STREAM-INF:BANDWIDTH=1,URI=\"tiles.m3u8\"\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8\n";
    let tiles = "#EXTM3U\n#EXT-X-IMAGES-ONLY\n#EXT-X-TILES:RESOLUTION=1x1,LAYOUT=5x4,DURATION=6\n0.jpg\n";
    let dir = dir_with(&[("master.m3u8", master), ("v.m3u8", MEDIA), ("tiles.m3u8", tiles)]);
    let [stream] = inputs(dir.path()).unwrap().try_into().unwrap();
    assert!(stream.left_out[0].contains("master.m3u8:2: image list \"tiles.m3u8\" is left out"), "{stream:?}");
    assert!(error(&dir, "tiles.m3u8").contains("tiles.m3u8:2: EXT-X-IMAGES-ONLY"));
}

#[test]
fn what_is_missing_needs_no_init_segment_and_samples_may_be_encrypted() {
    let text = "#EXTM3U\n#EXT-X-GAP\nhttps://host/gone.ts\n#EXT-X-KEY:METHOD=SAMPLE-AES-CENC,URI=\"k\"\n\
                #EXT-X-MAP:URI=\"i.mp4\"\n1.m4s\n";
    let dir = dir_with(&[("x.m3u8", text)]);
    assert_eq!(names(dir.path()), [["i.mp4", "1.m4s"]]);
}

#[test]
fn variables_stand_for_their_values() {
    let master =
        "#EXTM3U\n#EXT-X-DEFINE:NAME=\"dir\",VALUE=\"a, b\"\n#EXT-X-STREAM-INF:BANDWIDTH=1\nv.m3u8?take=2%2D\n";
    let media = "#EXTM3U\n#EXT-X-DEFINE:IMPORT=\"dir\"\n#EXT-X-DEFINE:QUERYPARAM=\"take\"\n\
                 #EXT-X-MAP:URI=\"{$dir}/i.mp4\"\n{$dir}/{$take}0.m4s\n";
    let dir = dir_with(&[("master.m3u8", master), ("v.m3u8", media)]);
    let [stream] = inputs(dir.path()).unwrap().try_into().unwrap();
    let pieces: Vec<_> = stream.parts[0].pieces.iter().map(|piece| piece.path.to_path_buf()).collect();
    assert_eq!(pieces, ["a, b/i.mp4", "a, b/2-0.m4s"].map(|name| dir.path().join(name)));
    assert!(error(&dir, "v.m3u8").contains("v.m3u8:2: EXT-X-DEFINE of \"dir\" has no value here"));
}

#[test]
fn discontinuities_begin_parts_and_dates_are_of_segments() {
    let text = "#EXTM3U\n#EXT-X-DISCONTINUITY-SEQUENCE:7\n#EXT-X-MEDIA-SEQUENCE:3\n#EXT-X-MAP:URI=\"a.mp4\"\n0.m4s\n\
                #EXT-X-PROGRAM-DATE-TIME:2026-03-06T19:18:00.25+0000\n1.m4s\n#EXT-X-MAP:URI=\"b.mp4\"\n\
                #EXT-X-DISCONTINUITY\n#EXT-X-PROGRAM-DATE-TIME:2026-03-06T20:18:09+01:00\n2.m4s\n\
                #EXT-X-PROGRAM-DATE-TIME:2026-03-06\n#EXT-X-DISCONTINUITY\n#EXT-X-DISCONTINUITY\n3.m4s\n";
    let dir = dir_with(&[("x.m3u8", text)]);
    assert_eq!(names(dir.path()), [vec!["a.mp4", "0.m4s", "1.m4s"], vec!["b.mp4", "2.m4s"], vec!["b.mp4", "3.m4s"]]);
    let [stream] = inputs(dir.path()).unwrap().try_into().unwrap();
    let parts: Vec<_> = stream.parts.iter().map(|part| (part.number, part.may_lack_begin, part.may_grow)).collect();
    assert_eq!(parts, [(7, true, false), (8, false, false), (10, false, true)]);
    let dated: Vec<_> = stream.parts.iter().map(|part| part.dated.map(|dated| (dated.piece, dated.unix_ms))).collect();
    assert_eq!(dated, [Some((2, 1_772_824_680_250)), Some((1, 1_772_824_689_000)), None]);
    assert!(stream.left_out[0].contains("x.m3u8:12: EXT-X-PROGRAM-DATE-TIME \"2026-03-06\" is skipped"), "{stream:?}");
}

#[test]
fn byte_ranges_follow_each_other() {
    let text = "#EXTM3U\n#EXT-X-MAP:URI=\"all.mp4\",BYTERANGE=\"700@0\"\n#EXT-X-BYTERANGE:100@700\nall.mp4\n\
                #EXT-X-BYTERANGE:50\nall.mp4\n";
    let dir = dir_with(&[("x.m3u8", text)]);
    assert_eq!(names(dir.path()), [["all.mp4[0+700]", "all.mp4[700+100]", "all.mp4[800+50]"]]);
}

#[test]
fn numbered_segments_go_to_their_init_in_order() {
    let files =
        ["init-stream0.m4s", "init-stream1.m4s", "chunk-stream0-9.m4s", "chunk-stream0-10.m4s", "chunk-stream1-1.m4s"];
    let dir = dir_with(&files.map(|name| (name, "")));
    let expected = vec![
        vec!["init-stream0.m4s", "chunk-stream0-9.m4s", "chunk-stream0-10.m4s"],
        vec!["init-stream1.m4s", "chunk-stream1-1.m4s"],
    ];
    assert_eq!(names(dir.path()), expected);
    assert_eq!(names(dir_with(&[("init.mp4", ""), ("7.m4s", ""), ("notes.txt", "")]).path()), [["init.mp4", "7.m4s"]]);
}

#[test]
fn segments_beside_a_live_manifest_may_grow_and_those_that_are_missing_are_named() {
    let names = ["init-stream0.m4s", "chunk-stream0-00004.m4s", "chunk-stream0-00005.m4s", "chunk-stream0-00008.m4s"];
    for (manifest, expected) in [
        ("<?xml?>\n<MPD xmlns=\"urn\"\n\ttype=\"dynamic\">", (true, true)),
        ("<MPD type='dynamic'><Period/></MPD>", (true, true)),
        ("<MPD type=\"static\"><Event type=\"dynamic\"/></MPD>", (false, false)),
    ] {
        let dir = dir_with(&names.map(|name| (name, "")));
        fs::write(dir.path().join("live.mpd"), manifest).unwrap();
        let [Stream { parts, left_out, .. }] = inputs(dir.path()).unwrap().try_into().unwrap();
        assert_eq!((parts[0].may_grow, parts[0].may_lack_begin), expected, "{manifest}");
        let [said] = left_out.try_into().unwrap();
        assert!(said.ends_with("chunk-stream0-00005.m4s: segments 6 to 7 are missing after it"), "{said}");
    }
    // those that are numbered by their times
    let names = ["init.mp4", "0.m4s", "96000.m4s", "192000.m4s"];
    assert_eq!(inputs(dir_with(&names.map(|name| (name, ""))).path()).unwrap()[0].left_out, [""; 0]);
}

#[test]
fn playlists_that_cannot_be_recorded_say_why() {
    let map = "#EXTM3U\n#EXT-X-MAP:URI=\"i.mp4\"\n";
    let cases = [
        ("", "x.m3u8:1: does not begin with #EXTM3U"),
        ("#EXTM3U\nseg.ts\n", "x.m3u8:2: segment without EXT-X-MAP"),
        ("#EXTM3U\n", "x.m3u8:1: names no segments"),
        ("#EXTM3U\n#EXT-X-KEY:METHOD=AES-128,URI=\"k\"\n", "x.m3u8:2: segments are encrypted (AES-128)"),
        (&format!("{map}../seg.m4s\n"), "x.m3u8:3: \"../seg.m4s\" is not below"),
        (&format!("{map}/etc/passwd\n"), "x.m3u8:3: \"/etc/passwd\" is not below"),
        (
            &format!("{map}https://host/seg.m4s?jwt=SECRET\n"),
            "x.m3u8:3: \"https://host/seg.m4s\" is a URL, and only files",
        ),
        (&format!("{map}file:///srv/seg.m4s\n"), "x.m3u8:3: \"file:///srv/seg.m4s\" is a URL"),
        (&format!("{map}#EXT-X-BYTERANGE:x@1\n"), "x.m3u8:3: byte range \"x@1\""),
        (&format!("{map}{{$a}}.m4s\n"), "x.m3u8:3: {$a} is not defined"),
        (&format!("{map}#EXT-X-DEFINE:VALUE=\"1\"\n"), "x.m3u8:3: EXT-X-DEFINE has not one of NAME"),
    ];
    for (text, expected) in cases {
        let said = error(&dir_with(&[("x.m3u8", text)]), "x.m3u8");
        assert!(said.contains(expected), "{said}");
    }
}

#[test]
fn inputs_without_media_say_what_is_missing() {
    assert!(error(&dir_with(&[]), "").contains("neither an .m3u8 playlist nor an init segment"));
    assert!(error(&dir_with(&[]), "gone.mp4").starts_with("cannot read "));
    assert!(inputs(Path::new("/dev/null")).unwrap_err().to_string().starts_with("/dev/null: is no file but a pipe"));
    assert!(error(&dir_with(&[("init.mp4", "")]), "").contains("no numbered segments"));
    let master = "#EXTM3U\nv.m3u8\n";
    assert!(error(&dir_with(&[("a.m3u8", master), ("b.m3u8", master)]), "").contains("several master playlists"));
}
