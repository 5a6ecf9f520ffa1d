//! `archive record` of what encoders and packagers write.

use super::{
    media::{Made, boxed, boxes, ffmpeg, with_before_each_moof},
    *,
};

/// Records by timeline from a start; standard error.
fn record(archive: &Archive, inputs: &[&Path]) -> String {
    run(0, &archive.record_args("b", inputs)).1
}

fn refused(inputs: &[&Path]) -> String {
    let archive = Archive::new();
    let said = error(&archive.record_args("b", inputs));
    assert_eq!(archive.snapshot(), []);
    said
}

fn assert_has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{said}\n  lacks {part}");
    }
}

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
}

#[test]
fn byte_ranges_of_one_file_give_the_groups_of_segments() {
    let made = Made::source();
    let archive = Archive::new();
    record(&archive, &[&made.hls()]);
    let options = ["-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4"];
    let ranges = made.copy("source.mp4", &[&options[..], &["-hls_flags", "single_file"]].concat(), "ranges.m3u8");
    assert!(made.text("ranges.m3u8").contains("#EXT-X-BYTERANGE"));
    let ranged = Archive::new();
    record(&ranged, &[&ranges]);
    let times = |archive: &Archive| {
        let records = archive.records("b", "video0.m4s");
        let time = |record: &Value| (record["group_sequence"].clone(), record["received_unix_ms"].clone());
        records.iter().map(time).collect::<Vec<_>>()
    };
    assert_eq!(times(&ranged), times(&archive), "the packager writes other boxes, but the same times");
}

/// Arguments without a start.
fn args_without_start<'a>(archive: &'a Archive, numbering: &'a str, input: &'a Path) -> Vec<&'a str> {
    let options = ["archive", "record", "--json", "--broadcast", "b", "--numbering", numbering];
    options.into_iter().chain(["--archive", archive.dir(), input.to_str().unwrap()]).collect()
}

fn now_ms() -> u64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    u64::try_from(now.as_millis()).unwrap()
}

/// Adds to each `tfdt`, as a packager with the host's clock does; ffmpeg writes times from 0.
fn shift_decode_times(bytes: &mut [u8], ticks: u64) {
    let found: Vec<_> = (0..bytes.len() - 16).filter(|at| &bytes[*at..at + 5] == b"tfdt\x01").collect();
    assert!(found.len() > 1);
    for at in found {
        let time = &mut bytes[at + 8..at + 16];
        let shifted = u64::from_be_bytes((&*time).try_into().unwrap()) + ticks;
        time.copy_from_slice(&shifted.to_be_bytes());
    }
}

#[test]
fn times_since_1970_are_taken_as_they_are() {
    let made = Made::source();
    let began_s = now_ms() / 1000 - 3600;
    for scale in ["1000", "90000", "10000000"] {
        let options = ["-an", "-video_track_timescale", scale, "-movflags", "+cmaf+frag_keyframe"];
        let mut bytes = fs::read(made.copy("source.mp4", &options, "clock.mp4")).unwrap();
        shift_decode_times(&mut bytes, began_s * scale.parse::<u64>().unwrap());
        let clock = made.write("clock.mp4", bytes);
        for numbering in ["session", "timeline"] {
            let archive = Archive::new();
            run(0, &args_without_start(&archive, numbering, &clock));
            let received = archive.records("b", "video0.m4s")[0]["received_unix_ms"].as_u64().unwrap();
            assert!((began_s * 1000..began_s * 1000 + 5000).contains(&received), "{scale} {numbering}: {received}");
        }
    }
}

#[test]
fn an_input_recorded_twice_without_a_start_is_stored_once() {
    let made = Made::source();
    let (plain, list) = (made.path("source.mp4"), made.hls());
    for input in [&plain, &list] {
        let archive = Archive::new();
        let before = now_ms();
        run(0, &args_without_start(&archive, "timeline", input));
        let received = archive.records("b", "init.mp4")[0]["received_unix_ms"].as_u64().unwrap();
        assert!((before..now_ms() + 1000).contains(&received), "the media begins now: {received}");
        let once = archive.snapshot();
        std::thread::sleep(Duration::from_millis(10));
        let (stdout, _) = run(0, &args_without_start(&archive, "timeline", input));
        assert_eq!(lines(&stdout)[0]["objects_written"], 0);
        assert_eq!(archive.snapshot(), once);
    }
}

#[test]
fn empty_segments_are_named() {
    for (empty, groups) in [("seg0.m4s", 4), ("seg6.m4s", 3)] {
        let made = Made::source();
        let list = made.hls();
        made.write(empty, b"");
        let archive = Archive::new();
        let said = record(&archive, &[&list]);
        assert_has(&said, &[&format!("warning: {}: holds no fragment", made.path(empty).display())]);
        assert_eq!(archive.records("b", "video0.m4s").len(), groups, "{empty}");
    }
}

fn object_bytes(archive: &Archive, track: &str) -> Vec<u8> {
    let path = |record: &Value| archive.0.path().join("cas").join(record["cas_path"].as_str().unwrap());
    archive.records("b", track).iter().flat_map(|record| fs::read(path(record)).unwrap()).collect()
}

#[test]
fn boxes_of_a_fragment_go_with_it_when_it_is_cut() {
    let made = Made::source();
    let emsg = boxed(b"emsg", b"\0\0\0\0urn:x\0\0\0\0\0\x01\0\0\0\0\0\0\0\x01\0\0\0\x01event");
    let prft = |track: u8| boxed(b"prft", &[&[1, 0, 0, 0, 0, 0, 0, track][..], &[7; 16]].concat());
    let beside = [emsg.clone(), prft(1), prft(2)].concat();
    let input = made.write("events.mp4", with_before_each_moof(&made.bytes("source.mp4"), &beside));
    let archive = Archive::new();
    assert!(!record(&archive, &[&input]).contains("warning"));
    let fragments = boxes(&made.bytes("source.mp4")).iter().filter(|part| &part[4..8] == b"moof").count();
    let count = |track: &str, wanted: &[u8]| {
        boxes(&object_bytes(&archive, track)).iter().filter(|part| part.as_slice() == wanted).count()
    };
    assert_eq!((count("video0.m4s", &emsg), count("audio0.m4s", &emsg)), (fragments, 0));
    assert_eq!((count("video0.m4s", &prft(1)), count("video0.m4s", &prft(2))), (fragments, 0));
    assert_eq!((count("audio0.m4s", &prft(1)), count("audio0.m4s", &prft(2))), (0, fragments));
    let input = made.write("after.mp4", [made.bytes("source.mp4"), emsg].concat());
    assert_has(&record(&Archive::new(), &[&input]), &["box `emsg` comes after the last fragment; left out"]);
}

#[test]
fn captions_are_named() {
    let made = Made::source();
    made.write("captions.srt", "1\n00:00:01,000 --> 00:00:02,000\nhello\n");
    let (muxed, inputs) = (made.path("captions.mp4"), ["-i", "source.mp4", "-i", "captions.srt"]);
    let options = ["-c", "copy", "-c:s", "mov_text", "-movflags", "+frag_keyframe+empty_moov", "captions.mp4"];
    ffmpeg(made.path("").as_path(), &[&inputs[..], &options].concat());
    let said = record(&Archive::new(), &[&muxed]);
    assert_has(&said, &["captions.mp4: track 3 (`sbtl`) is left out: only video and audio are recorded"]);
    let list = made.hls();
    made.write("subs.m3u8", "#EXTM3U\n#EXTINF:7,\nsubs.vtt\n#EXT-X-ENDLIST\n");
    assert_has(&refused(&[&made.path("subs.m3u8")]), &["subs.m3u8:3: WebVTT captions"]);
    let master = "#EXTM3U\n#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID=\"s\",NAME=\"en\",URI=\"subs.m3u8\"\n\
                  #EXT-X-STREAM-INF:BANDWIDTH=1,SUBTITLES=\"s\"\nlive.m3u8\n";
    let master = made.write("master.m3u8", master);
    let said = record(&Archive::new(), &[&master]);
    assert_has(&said, &["master.m3u8:2: subtitles \"subs.m3u8\" are left out"]);
    fs::remove_file(master).unwrap();
    assert_has(&record(&Archive::new(), &[list.parent().unwrap()]), &["subs.m3u8:3: WebVTT captions"]);
}

#[test]
fn recordings_that_follow_each_other_are_no_tracks_of_one_time() {
    let made = Made::source();
    let parts = ["a.mp4", "b.mp4", "c.mp4"]
        .map(|name| made.copy("source.mp4", &["-t", "4", "-movflags", "+cmaf+frag_keyframe"], name));
    let parts: Vec<_> = parts.iter().map(PathBuf::as_path).collect();
    let said = refused(&parts);
    assert_has(&said, &["a.mp4 and ", "b.mp4: both have video of 64x36 pixels", "--start-unix-ms", "--parallel"]);
    let archive = Archive::new();
    run(0, &[archive.record_args("b", &parts), vec!["--parallel"]].concat());
    assert_eq!(archive.records("b", "video2.m4s").len(), 2);
    // what the message of a track that goes back advises holds
    let joined = made.write("joined.mp4", [made.bytes("a.mp4"), made.bytes("b.mp4")].concat());
    let said = refused(&[&joined]);
    assert_has(&said, &["goes back to 0", "in runs of their own, each with its own --start-unix-ms"]);
    let archive = Archive::new();
    for (number, part) in parts.iter().enumerate() {
        let start = (START.parse::<u64>().unwrap() + 4000 * number as u64).to_string();
        let args = archive.record_args("b", &[part]);
        let args: Vec<_> = args.into_iter().map(|word| if word == START { &start } else { word }).collect();
        run(0, &args);
    }
    assert_eq!(archive.records("b", "video0.m4s").len(), 6);
}

#[test]
fn inputs_that_cannot_be_recorded_say_the_real_reason() {
    let made = Made::source();
    let hybrid = made.copy("source.mp4", &["-movflags", "+frag_keyframe"], "hybrid.mp4");
    assert_has(&refused(&[&hybrid]), &["hybrid.mp4 at byte ", "listed in `moov`", "-movflags +cmaf+frag_keyframe"]);
    let remade = made.copy("hybrid.mp4", &["-movflags", "+cmaf+frag_keyframe"], "remade.mp4");
    record(&Archive::new(), &[&remade]);

    let whole = made.bytes("source.mp4");
    for zeros in [3, 8, 5000] {
        let padded = made.write("padded.mp4", [&whole[..], &vec![0; zeros]].concat());
        let said = refused(&[&padded]);
        assert_has(&said, &["NUL bytes", &format!("`truncate -s {}`", whole.len())]);
    }

    made.hls();
    let text = made.text("live.m3u8").replace("#EXT-X-TARGET", "#EXT-X-I-FRAMES-ONLY\n#EXT-X-TARGET");
    let list = made.write("iframes.m3u8", text);
    assert_has(&refused(&[&list]), &["iframes.m3u8:", "EXT-X-I-FRAMES-ONLY", "give that list"]);
    let said = record(&Archive::new(), &[list.parent().unwrap()]);
    assert_has(&said, &["EXT-X-I-FRAMES-ONLY", "left out"]);

    let manifest = made.write("live.mpd", "<MPD/>");
    assert_has(&refused(&[&manifest]), &["live.mpd: a DASH manifest is not read; give its directory"]);
}
