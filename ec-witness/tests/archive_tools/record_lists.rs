//! `archive record` of HLS playlists.

use super::{
    media::Made,
    record_media::{assert_has, assert_same_media, record, refused},
    *,
};

#[test]
fn a_list_that_grows_is_recorded_as_the_ended_one() {
    let (made, whole) = (Made::source(), Archive::new());
    made.hls();
    assert!(!record(&whole, &[&made.window(0..7, false)]).contains("warning"));
    let archive = Archive::new();
    let said = error(&archive.record_args("b", &[&made.window(0..1, true)]));
    assert_has(&said, &["window.m3u8: has no whole group yet"]);
    for segments in [3, 3, 4, 5, 7] {
        let said = record(&archive, &[&made.window(0..segments, true)]);
        assert_has(&said, &["window.m3u8: video0.m4s: the last group is held back: the list has no EXT-X-ENDLIST"]);
    }
    record(&archive, &[&made.window(0..7, false)]);
    assert_eq!(archive.snapshot(), whole.snapshot());
    archive.check(0);
    assert_same_media(&archive, &made.path("source.mp4"));
}

#[test]
fn a_list_that_slides_is_recorded_as_the_ended_one() {
    let (made, whole) = (Made::source(), Archive::new());
    made.hls();
    record(&whole, &[&made.window(0..7, false)]);
    let archive = Archive::new();
    record(&archive, &[&made.window(0..5, true)]);
    for window in [1..6, 2..7] {
        record(&archive, &[&made.window(window, true)]);
    }
    let said = record(&archive, &[&made.window(3..7, false)]);
    assert_has(&said, &["window.m3u8: video0.m4s: the first group is held back: the list begins later"]);
    assert_eq!(archive.snapshot(), whole.snapshot());
    // a window that nothing was recorded of before begins with its first whole group
    let late = Archive::new();
    record(&late, &[&made.window(1..7, false)]);
    let sequences = |archive: &Archive| {
        let records = archive.records("b", "video0.m4s");
        records.iter().map(|record| record["group_sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(sequences(&late), sequences(&whole)[1..]);
}

#[test]
fn lines_that_the_standard_says_to_skip_are_skipped() {
    let made = Made::source();
    let list = made.hls();
    let text = made.text("live.m3u8");
    fs::remove_file(made.path("seg3.m4s")).unwrap();
    let text = text.replace("seg3.m4s", "#EXT-X-GAP\nseg3.m4s").replace("seg5.m4s", "#EXT-X-NEW:1\nseg5.m4s");
    let text = text.replace("#EXT-X-TARGET", "# a comment\n#EXT-X-TARGET").replace("seg4.m4s", "seg%34.m4s?t=a/b");
    fs::write(&list, &text).unwrap();
    let line = |what: &str| text.lines().position(|line| line.contains(what)).unwrap() + 1;
    let archive = Archive::new();
    let said = record(&archive, &[&list]);
    let gap = format!("warning: {}:{}: segment \"seg3.m4s\" is skipped", list.display(), line("seg3.m4s"));
    let tag = format!("warning: {}:{}: unknown tag #EXT-X-NEW is skipped", list.display(), line("#EXT-X-NEW"));
    assert_has(&said, &[&gap, &tag]);
    assert_eq!(said.matches("warning").count(), 2, "{said}");
    assert_eq!(archive.records("b", "video0.m4s").len(), 4);
}

#[test]
fn low_latency_parts_are_those_of_their_segments() {
    let made = Made::source();
    let list = made.hls();
    let (plain, parts) = (Archive::new(), Archive::new());
    record(&plain, &[&list]);
    let text = made.text("live.m3u8").replace("#EXTINF", "#EXT-X-PART:DURATION=0.5,URI=\"part.m4s\"\n#EXTINF");
    fs::write(&list, format!("{text}#EXT-X-PRELOAD-HINT:TYPE=PART,URI=\"next.m4s\"\n")).unwrap();
    assert!(!record(&parts, &[&list]).contains("warning"));
    assert_eq!(parts.snapshot(), plain.snapshot());
    let text = made.text("live.m3u8");
    let line = text.lines().position(|line| line.starts_with("#EXTINF")).unwrap() + 1;
    fs::write(&list, text.replacen("#EXTINF", "#EXT-X-SKIP:SKIPPED-SEGMENTS=3\n#EXTINF", 1)).unwrap();
    assert_has(&refused(&[&list]), &[&format!("live.m3u8:{line}: EXT-X-SKIP"), "give the whole list"]);
}

/// Lists that only grow, or never change, say so.
#[test]
fn types_of_lists_say_what_may_change() {
    let made = Made::source();
    made.hls();
    for (kind, segments, groups, held_back) in [("EVENT", 0..4, 1, 2), ("VOD", 0..4, 2, 0)] {
        let list = made.window(segments, true);
        let text = fs::read_to_string(&list).unwrap();
        fs::write(&list, text.replace("#EXT-X-MEDIA", &format!("#EXT-X-PLAYLIST-TYPE:{kind}\n#EXT-X-MEDIA"))).unwrap();
        let archive = Archive::new();
        let said = record(&archive, &[&list]);
        assert_eq!(said.matches("the last group is held back").count(), held_back, "{said}");
        assert_eq!(archive.records("b", "video0.m4s").len(), groups, "{kind}");
    }
}

#[test]
fn byte_ranges_of_one_file_give_the_groups_of_segments() {
    let made = Made::source();
    let (archive, list) = (Archive::new(), made.hls());
    record(&archive, &[&list]);
    // the very bytes of the segments in one file, some of them with an offset and some after the one before
    let mut all = made.bytes("init.mp4");
    let mut text = made.text("live.m3u8").replace("init.mp4\"", &format!("all.mp4\",BYTERANGE=\"{}@0\"", all.len()));
    for number in 0..7 {
        let segment = made.bytes(&format!("seg{number}.m4s"));
        let offset = if number % 2 == 0 { format!("@{}", all.len()) } else { String::new() };
        let line = format!("#EXT-X-BYTERANGE:{}{offset}\nall.mp4", segment.len());
        text = text.replace(&format!("seg{number}.m4s"), &line);
        all.extend(segment);
    }
    made.write("all.mp4", all);
    let ranged = Archive::new();
    record(&ranged, &[&made.write("all.m3u8", text)]);
    assert_eq!(ranged.snapshot(), archive.snapshot());
    // as the packager writes it, with other boxes
    let options = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4"];
    let ranges = made.copy("source.mp4", &[&options[..], &["-hls_flags", "single_file"]].concat(), "ranges.m3u8");
    assert!(made.text("ranges.m3u8").contains("#EXT-X-BYTERANGE"));
    let ranged = Archive::new();
    record(&ranged, &[&ranges]);
    for archive in [&archive, &ranged] {
        assert_same_media(archive, &made.path("source.mp4"));
    }
}

#[test]
fn empty_segments_are_named_and_taken_when_they_have_come() {
    for (empty, groups) in [("seg0.m4s", 3), ("seg3.m4s", 2), ("seg6.m4s", 3)] {
        for (numbering, is_live) in [("timeline", false), ("timeline", true), ("session", false), ("session", true)] {
            let (made, whole, archive) = (Made::source(), Archive::new(), Archive::new());
            made.hls();
            let args = |archive: &Archive, is_live| {
                let list = made.window(0..7, is_live);
                let args = archive.session_args("b", &[&list]);
                let args = [args, vec!["--numbering", numbering]].concat();
                args.into_iter().map(str::to_owned).collect::<Vec<_>>()
            };
            let run = |args: Vec<String>| run(0, &args.iter().map(String::as_str).collect::<Vec<_>>()).1;
            run(args(&whole, false));
            let segment = made.bytes(empty);
            made.write(empty, b"");
            let said = run(args(&archive, is_live));
            assert_has(&said, &[&format!("warning: {}: holds no fragment", made.path(empty).display())]);
            let held = "a group beside an empty segment is held back: more may come there";
            assert!(empty == "seg6.m4s" || said.contains(held), "{empty}: {said}");
            let recorded = archive.records("b", "video0.m4s").len();
            assert_eq!(recorded, groups - usize::from(is_live), "{empty} {is_live}");
            made.write(empty, segment);
            // by session the numbers of what is missing at the begin are not known
            if (empty, numbering) != ("seg0.m4s", "session") {
                run(args(&archive, false));
                let sorted = |archive: &Archive| {
                    let mut records = archive.records("b", "video0.m4s");
                    records.sort_by_key(|record| record["group_sequence"].as_u64());
                    records
                };
                assert_eq!(sorted(&archive), sorted(&whole), "{empty} {numbering} {is_live}");
            }
        }
    }
}

#[test]
fn a_segment_that_never_comes_is_a_gap_of_the_list() {
    let made = Made::source();
    let list = made.hls();
    made.write("seg3.m4s", b"");
    fs::write(&list, made.text("live.m3u8").replace("seg3.m4s", "#EXT-X-GAP\nseg3.m4s")).unwrap();
    let archive = Archive::new();
    let said = record(&archive, &[&list]);
    assert!(!said.contains("held back"), "{said}");
    assert_eq!(archive.records("b", "video0.m4s").len(), 4);
}
