//! `archive record` of what encoders and packagers write.

use super::{
    media::{Made, boxed, boxes, ffmpeg, packets, with_before_each_moof},
    *,
};

/// Records by timeline from a start; standard error.
pub(crate) fn record(archive: &Archive, inputs: &[&Path]) -> String {
    run(0, &archive.record_args("b", inputs)).1
}

pub(crate) fn refused(inputs: &[&Path]) -> String {
    let archive = Archive::new();
    let said = error(&archive.record_args("b", inputs));
    assert_eq!(archive.snapshot(), []);
    said
}

pub(crate) fn assert_has(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{said}\n  lacks {part}");
    }
}

/// What is in the archive as video and audio is what is in a file, packet by packet, as ffprobe reads both.
#[track_caller]
pub(crate) fn assert_same_media(archive: &Archive, file: &Path) {
    let dir = tempfile::tempdir().unwrap();
    for (track, kind) in [("video0.m4s", "video"), ("audio0.m4s", "audio")] {
        let recorded = dir.path().join("recorded.mp4");
        let init = archive.records("b", "init.mp4").remove(0);
        let init = fs::read(archive.0.path().join("cas").join(init["cas_path"].as_str().unwrap())).unwrap();
        fs::write(&recorded, [init, object_bytes(archive, track)].concat()).unwrap();
        let (recorded, given) = (packets(&recorded, kind), packets(file, kind));
        assert!(given.len() > 10, "{}", file.display());
        assert_eq!(recorded.len(), given.len(), "{kind} of {}", file.display());
        for (number, (recorded, given)) in recorded.iter().zip(&given).enumerate() {
            assert_eq!(recorded, given, "{kind} packet {number} of {}", file.display());
        }
    }
}

#[test]
fn segments_of_dash_are_recorded_by_their_directory() {
    let made = Made::source();
    fs::create_dir(made.path("dash")).unwrap();
    let options = ["-map", "0", "-f", "dash", "-seg_duration", "1", "-use_timeline", "1"];
    let manifest = made.copy("source.mp4", &options, "dash/live.mpd");
    assert_has(&refused(&[&manifest]), &["live.mpd: a DASH manifest is not read; give its directory"]);
    let archive = Archive::new();
    assert!(!record(&archive, &[manifest.parent().unwrap()]).contains("warning"));
    assert_eq!(archive.records("b", "video0.m4s").len(), 4);
    for (track, init, kind) in [("video0.m4s", "init.mp4", "video"), ("audio0.m4s", "init1.mp4", "audio")] {
        let init = archive.records("b", init).remove(0);
        let init = fs::read(archive.0.path().join("cas").join(init["cas_path"].as_str().unwrap())).unwrap();
        let recorded = made.write("recorded.mp4", [init, object_bytes(&archive, track)].concat());
        assert_eq!(packets(&recorded, kind), packets(&made.path("source.mp4"), kind), "{track}");
    }
}

#[test]
fn a_live_directory_of_dash_is_recorded_as_the_ended_one() {
    let (made, whole, archive) = (Made::source(), Archive::new(), Archive::new());
    fs::create_dir(made.path("dash")).unwrap();
    let manifest = made.copy("source.mp4", &["-map", "0", "-f", "dash", "-seg_duration", "1"], "dash/live.mpd");
    let dir = manifest.parent().unwrap();
    record(&whole, &[dir]);
    let ended = fs::read_to_string(&manifest).unwrap();
    let live = ended.replace("type=\"static\"", "type=\"dynamic\"");
    assert_ne!(live, ended);
    fs::write(&manifest, live).unwrap();
    let names = [0, 1].into_iter().flat_map(|stream| (6..=9).map(move |n| format!("chunk-stream{stream}-{n:05}.m4s")));
    let later: Vec<_> = names.map(|name| dir.join(name)).filter(|path| path.exists()).collect();
    assert!(later.len() >= 3, "{later:?}");
    let hidden = |path: &Path| path.with_extension("later");
    later.iter().for_each(|path| fs::rename(path, hidden(path)).unwrap());
    let said = record(&archive, &[dir]);
    assert_has(
        &said,
        &["dash: video0.m4s: the last group is held back", "dash: audio0.m4s: the last group is held back"],
    );
    later.iter().for_each(|path| fs::rename(hidden(path), path).unwrap());
    fs::write(&manifest, ended).unwrap();
    assert!(!record(&archive, &[dir]).contains("warning"));
    assert_eq!(archive.snapshot(), whole.snapshot());
    // one that was not downloaded
    fs::remove_file(dir.join("chunk-stream0-00003.m4s")).unwrap();
    let said = record(&Archive::new(), &[dir]);
    assert_has(&said, &["warning: ", "chunk-stream0-00002.m4s: segment 3 is missing after it"]);
}

#[test]
fn files_of_every_fragmentation_keep_each_packet() {
    let made = Made::source();
    for (name, flags) in [
        ("cmaf", "+cmaf+frag_keyframe"),
        ("absolute", "+frag_keyframe+empty_moov"),
        ("separate", "+frag_keyframe+empty_moov+separate_moof+omit_tfhd_offset"),
        ("delayed", "+frag_keyframe+delay_moov+default_base_moof+global_sidx"),
        ("dash", "+dash+frag_every_frame+empty_moov+default_base_moof"),
    ] {
        let file = made.copy("source.mp4", &["-movflags", flags], &format!("{name}.mp4"));
        let archive = Archive::new();
        assert!(!record(&archive, &[&file]).contains("warning"), "{name}");
        assert_same_media(&archive, &file);
    }
}

/// Arguments without a start.
pub(crate) fn args_without_start<'a>(archive: &'a Archive, numbering: &'a str, input: &'a Path) -> Vec<&'a str> {
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
        assert_has(&refused(&[&clock]), &["clock.mp4: media begins at ", "leave --start-unix-ms out"]);
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

pub(crate) fn object_bytes(archive: &Archive, track: &str) -> Vec<u8> {
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
    assert_has(&refused(&[parts[0], parts[0]]), &["a.mp4 is given twice"]);
    let archive = Archive::new();
    run(0, &[archive.record_args("b", &parts), vec!["--parallel"]].concat());
    assert_eq!(archive.records("b", "video2.m4s").len(), 2);
    // lists of one directory, of which nothing says that they are of one time
    let list = made.hls();
    fs::copy(&list, made.path("later.m3u8")).unwrap();
    assert_has(&refused(&[list.parent().unwrap()]), &["later.m3u8 and ", "live.m3u8: both have video of 64x36 pixels"]);
    // what the message of a track that goes back advises holds
    let joined = made.write("joined.mp4", [made.bytes("a.mp4"), made.bytes("b.mp4")].concat());
    let said = refused(&[&joined]);
    assert_has(
        &said,
        &["goes back to 0", "#EXT-X-DISCONTINUITY", "in runs of their own, each with its own --start-unix-ms"],
    );
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

    let page = made.write("seg2.m4s", "<!DOCTYPE html><title>404</title>");
    assert_has(&refused(&[&made.path("live.m3u8")]), &["seg2.m4s at byte 0: ", "but text, as of an error page"]);
    fs::remove_file(page).unwrap();
    assert_has(&refused(&[&made.path("live.m3u8")]), &["seg2.m4s: the list names this file", "#EXT-X-GAP before it"]);
    let manifest = made.write("live.mpd", "<MPD/>");
    assert_has(&refused(&[&manifest]), &["live.mpd: a DASH manifest is not read; give its directory"]);
}
