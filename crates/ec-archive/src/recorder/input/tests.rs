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
    assert!(error(&dir_with(&[("init.mp4", "")]), "").contains("no numbered segments"));
    let master = "#EXTM3U\nv.m3u8\n";
    assert!(error(&dir_with(&[("a.m3u8", master), ("b.m3u8", master)]), "").contains("several master playlists"));
}
