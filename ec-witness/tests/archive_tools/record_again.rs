//! `archive record` of lists again and again, and of what follows a discontinuity.

use super::{
    media::Made,
    record_media::{args_without_start, assert_has, assert_same_media, object_bytes, record},
    *,
};

/// The numbers and receive times of a track's records.
fn numbered(archive: &Archive, track: &str) -> Vec<(u64, u64)> {
    let number = |record: &Value, name: &str| record[name].as_u64().unwrap();
    let records = archive.records("b", track);
    records.iter().map(|record| (number(record, "group_sequence"), number(record, "received_unix_ms"))).collect()
}

/// Records without a start; standard error.
fn record_now(archive: &Archive, numbering: &str, input: &Path) -> String {
    run(0, &args_without_start(archive, numbering, input)).1
}

#[test]
fn a_dated_list_lies_where_its_dates_say() {
    let made = Made::source();
    let (list, dates) = made.dated_hls();
    let archive = Archive::new();
    record_now(&archive, "timeline", &list);
    let [begin]: [(u64, u64); 1] = numbered(&archive, "init.mp4").try_into().unwrap();
    // sound begins a packet before the pictures, which are what is dated
    assert!(begin.0 == dates[0] / 2000 && (dates[0] + 470..dates[0] + 501).contains(&begin.1), "{begin:?}");
    let groups = numbered(&archive, "video0.m4s");
    assert!(groups[0].0 == begin.0 && (dates[0] + 2500..dates[0] + 2530).contains(&groups[0].1), "{groups:?}");
    assert_eq!(groups.len(), 4);
    assert_same_media(&archive, &made.path("source.mp4"));
    // one that was not there at its begin, where the dates are not quite those of the media
    let late = Archive::new();
    record_now(&late, "timeline", &made.window(1..7, false));
    let late = numbered(&late, "video0.m4s");
    assert_eq!(late.len(), 3);
    for (late, group) in late.iter().zip(&groups[1..]) {
        assert!(late.0 == group.0 && late.1.abs_diff(group.1) < 25, "{late:?} {group:?}");
    }
    let wanted = Archive::new();
    record(&wanted, &[&list]);
    assert_eq!(numbered(&wanted, "init.mp4"), [(FIRST, START.parse::<u64>().unwrap() + 500)], "a given start wins");
}

#[test]
fn lists_that_slide_are_stored_once_wherever_they_lie() {
    for (numbering, is_dated) in [("timeline", true), ("timeline", false), ("session", true), ("session", false)] {
        let (made, archive) = (Made::source(), Archive::new());
        match is_dated {
            true => drop(made.dated_hls()),
            false => drop(made.hls()),
        }
        for (window, is_live) in [(0..5, true), (0..5, true), (1..6, true), (2..7, true), (2..7, true), (3..7, false)] {
            record_now(&archive, numbering, &made.window(window, is_live));
        }
        let once = archive.snapshot();
        record_now(&archive, numbering, &made.window(0..7, false));
        assert_eq!(archive.snapshot(), once, "{numbering} {is_dated}");
        assert_eq!(archive.records("b", "video0.m4s").len(), 4, "{numbering} {is_dated}");
        assert_eq!(archive.records("b", "catalog.json").len(), 1);
        assert_same_media(&archive, &made.path("source.mp4"));
    }
}

#[test]
fn a_session_that_grows_is_one_session() {
    let (made, whole, archive) = (Made::source(), Archive::new(), Archive::new());
    made.hls();
    let list = made.window(0..7, false);
    run(0, &whole.session_args("b", &[&list]));
    for (segments, is_live) in [(3, true), (3, true), (5, true), (7, true), (7, false), (7, false)] {
        run(0, &archive.session_args("b", &[&made.window(0..segments, is_live)]));
    }
    assert!(archive.snapshot() == whole.snapshot());
    // another start is another start of the publisher, which is gone on with likewise
    let later = (START.parse::<u64>().unwrap() + 60_000).to_string();
    for _ in 0..2 {
        let args = archive.session_args("b", &[&list]).into_iter();
        run(0, &args.map(|word| if word == START { later.as_str() } else { word }).collect::<Vec<_>>());
    }
    let numbers: Vec<_> = numbered(&archive, "video0.m4s").into_iter().map(|(number, _)| number).collect();
    assert_eq!(numbers, [0, 1, 2, 3, 0, 1, 2, 3]);
    // the first one goes on no more where another came after it, but is known
    let before = archive.snapshot();
    run(0, &archive.session_args("b", &[&list]));
    assert!(archive.snapshot() == before);
}

/// Two programmes of other pictures, both from time 0, of 3 and of 4 segments, as lists.
fn programmes(made: &Made) -> [PathBuf; 2] {
    let hls = |name: &str, filter: &str, seconds: &str| {
        let codec = ["-vf", filter, "-c:v", "libx264", "-preset", "ultrafast", "-bf", "0", "-g", "10", "-c:a", "copy"];
        let list = ["-t", seconds, "-f", "hls", "-hls_time", "1", "-hls_list_size", "0", "-hls_segment_type", "fmp4"];
        let (init, segments) = (format!("{name}-init.mp4"), format!("{name}-%d.m4s"));
        let names = ["-hls_fmp4_init_filename", &init, "-hls_segment_filename", &segments];
        let options: Vec<_> = ["-i", "source.mp4"].into_iter().chain(codec).chain(list).chain(names).collect();
        super::media::ffmpeg(&made.path(""), &[&options[..], &[&format!("{name}.m3u8")]].concat());
        made.path(&format!("{name}.m3u8"))
    };
    [hls("one", "negate", "3"), hls("two", "scale=96:54", "4")]
}

/// The list with its last segments alone, or without them.
fn cut(made: &Made, list: &Path, segments: std::ops::Range<usize>, is_live: bool, name: &str) -> PathBuf {
    let text = fs::read_to_string(list).unwrap();
    let (head, entries) = text.split_once("#EXTINF").unwrap();
    let entries: Vec<_> = entries.trim_end_matches("#EXT-X-ENDLIST\n").split("#EXTINF").collect();
    let entries: String = entries[segments].iter().map(|entry| format!("#EXTINF{entry}")).collect();
    made.write(name, format!("{head}{entries}{}", if is_live { "" } else { "#EXT-X-ENDLIST\n" }))
}

#[test]
fn what_follows_a_discontinuity_is_another_start_of_the_publisher() {
    let made = Made::source();
    let [one, two] = programmes(&made);
    let list = made.joined(&[&one, &two], "joined.m3u8");
    let archive = Archive::new();
    run(0, &archive.session_args("b", &[&list]));
    let numbers: Vec<_> = numbered(&archive, "video0.m4s").into_iter().map(|(number, _)| number).collect();
    // windows of the timeline begin where they do
    assert_eq!(numbers, [0, 1, 0, 1, 2]);
    assert_eq!(archive.records("b", "init.mp4").len(), 2);
    let start = START.parse::<u64>().unwrap();
    let begins: Vec<_> = numbered(&archive, "init.mp4").into_iter().map(|(_, received)| received).collect();
    assert_eq!(begins[0], start + 500);
    assert!((start + 3500..start + 3600).contains(&begins[1]), "it begins where the one before it ends: {begins:?}");
    let before = archive.snapshot();
    run(0, &archive.session_args("b", &[&list]));
    assert!(archive.snapshot() == before);
    // each holds what it holds alone
    for track in ["video0.m4s", "audio0.m4s"] {
        let alone = [&one, &two].map(|list| {
            let alone = Archive::new();
            run(0, &alone.session_args("b", &[list]));
            object_bytes(&alone, track)
        });
        assert_eq!(object_bytes(&archive, track), alone.concat(), "{track}");
    }
}

#[test]
fn by_timeline_a_discontinuity_begins_a_window() {
    let made = Made::source();
    let [one, two] = programmes(&made);
    let whole = Archive::new();
    let list = made.joined(&[&one, &two], "joined.m3u8");
    assert!(!record(&whole, &[&list]).contains("warning"));
    let numbers: Vec<_> = numbered(&whole, "video0.m4s").into_iter().map(|(number, _)| number - FIRST).collect();
    assert_eq!(numbers, [0, 1, 2, 3]);
    assert_eq!(numbered(&whole, "init.mp4").len(), 2);
    whole.check(0);
    // as it grew, and slid, until the first programme was gone
    let archive = Archive::new();
    let start = ["--start-unix-ms", START];
    let steps = [
        (cut(&made, &one, 0..3, true, "a.m3u8"), None),
        (one.clone(), Some(cut(&made, &two, 0..1, true, "b.m3u8"))),
        (cut(&made, &one, 2..3, true, "c.m3u8"), Some(cut(&made, &two, 0..3, true, "d.m3u8"))),
    ];
    for (number, (first, second)) in steps.into_iter().enumerate() {
        let lists: Vec<_> = [Some(&first), second.as_ref()].into_iter().flatten().map(PathBuf::as_path).collect();
        let joined = made.joined(&lists, "step.m3u8");
        if number == 2 {
            let text = fs::read_to_string(&joined).unwrap();
            fs::write(&joined, text.replacen("#EXT-X-MAP", "#EXT-X-MEDIA-SEQUENCE:2\n#EXT-X-MAP", 1)).unwrap();
        }
        let args = args_without_start(&archive, "timeline", &joined);
        run(0, &args.into_iter().chain(start).collect::<Vec<_>>());
    }
    record(&archive, &[&list]);
    assert!(archive.snapshot() == whole.snapshot());
    // the second one alone is found again where it was
    let text = fs::read_to_string(cut(&made, &two, 1..4, false, "e.m3u8")).unwrap();
    let text = text.replace("#EXT-X-MEDIA-SEQUENCE:0", "#EXT-X-MEDIA-SEQUENCE:4\n#EXT-X-DISCONTINUITY-SEQUENCE:1");
    record_now(&archive, "timeline", &made.write("tail.m3u8", text));
    assert!(archive.snapshot() == whole.snapshot());
}

#[test]
fn a_discontinuity_that_changes_nothing_is_none() {
    let made = Made::source();
    let list = made.hls();
    let (plain, marked) = (Archive::new(), Archive::new());
    record(&plain, &[&list]);
    let text = made.text("live.m3u8").replace("seg3.m4s", "#EXT-X-DISCONTINUITY\nseg3.m4s");
    let list = made.write("marked.m3u8", text);
    record(&marked, &[&list]);
    assert_eq!(marked.snapshot(), plain.snapshot());
}

#[test]
fn an_init_segment_that_changes_without_a_word_is_told_how_to_be_taken() {
    let made = Made::source();
    let [one, two] = programmes(&made);
    let list = made.joined(&[&one, &two], "joined.m3u8");
    let text = fs::read_to_string(&list).unwrap();
    fs::write(&list, text.replace("#EXT-X-DISCONTINUITY\n", "")).unwrap();
    let archive = Archive::new();
    let said = error(&archive.record_args("b", &[&list]));
    assert_has(
        &said,
        &["two-init.mp4 at byte ", "the init segment changes here; in a list, put a line #EXT-X-DISCONTINUITY"],
    );
    fs::write(&list, text).unwrap();
    record(&archive, &[&list]);
}
