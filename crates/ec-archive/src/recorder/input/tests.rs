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
    inputs(input).unwrap().iter().map(|input| input.pieces.iter().map(name).collect()).collect()
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
        (&format!("{map}https://host/seg.m4s\n"), "x.m3u8:3: \"https://host/seg.m4s\" is not below"),
        (&format!("{map}#EXT-X-BYTERANGE:x@1\n"), "x.m3u8:3: byte range \"x@1\""),
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
