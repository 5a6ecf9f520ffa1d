//! `archive record`.

use super::*;

#[test]
fn a_recording_is_an_archive_of_the_production_shape() {
    let archive = Archive::recorded();
    for (track, groups) in [("catalog.json", 1), ("init.mp4", 1), ("video0.m4s", 3), ("audio0.m4s", 3)] {
        let records = archive.records("la/nbc", track);
        assert_eq!(records.len(), groups, "{track}");
        for (sequence, record) in (FIRST..).zip(&records) {
            let hash = record["blake3"].as_str().unwrap();
            let bytes =
                fs::read(archive.0.path().join(format!("cas/objects/blake3/{}/{hash}.bin", &hash[..2]))).unwrap();
            assert_eq!(blake3::hash(&bytes).to_hex().as_str(), hash);
            assert_eq!((&record["broadcast"], &record["track"]), (&"la/nbc".into(), &track.into()));
            assert_eq!(record["group_sequence"], sequence);
            assert_eq!(record["size_bytes"], bytes.len());
        }
    }
    let text = fs::read_to_string(archive.index("la/nbc", "video0.m4s")).unwrap();
    let start = format!(
        "{{\"broadcast\":\"la/nbc\",\"track\":\"video0.m4s\",\"group_sequence\":{FIRST},\
         \"received_unix_ms\":1772824682506,\"size_bytes\":"
    );
    assert!(text.starts_with(&start), "{text}");
}

#[test]
fn recording_again_changes_nothing() {
    let archive = Archive::recorded();
    let before = archive.snapshot();
    let again = archive.record("la/nbc", &[&muxed()]);
    assert!(again["tracks"].as_array().unwrap().iter().all(|track| track["appended"] == 0), "{again}");
    assert_eq!(again["objects_written"], 0);
    assert_eq!(archive.snapshot(), before);
}

#[test]
fn recording_again_puts_missing_objects_and_records_back() {
    let archive = Archive::recorded();
    let before = archive.snapshot();
    fs::remove_file(archive.object("video0.m4s", 2)).unwrap();
    let index = archive.index("la/nbc", "audio0.m4s");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.lines().take(2).map(|line| format!("{line}\n")).collect::<String>()).unwrap();
    archive.record("la/nbc", &[&muxed()]);
    assert_eq!(archive.snapshot(), before);
}

/// The numbers and receive times of a track's records.
fn numbered(archive: &Archive, track: &str) -> Vec<(u64, u64)> {
    let number = |record: &Value, key: &str| record[key].as_u64().unwrap();
    let records = archive.records("la/nbc", track);
    records.iter().map(|record| (number(record, "group_sequence"), number(record, "received_unix_ms"))).collect()
}

#[test]
fn each_recording_is_a_session_that_counts_from_0() {
    let (archive, by_timeline) = (Archive::new(), Archive::recorded());
    let path = muxed();
    let (stdout, stderr) = run(0, &archive.session_args("la/nbc", &[&path]));
    assert_eq!(stderr, "numbering: session (each track counts from 0 at every start of the publisher)\n");
    assert_eq!(lines(&stdout)[0]["numbering"], "session");
    // the publisher starts again a minute later
    let later = (START.parse::<u64>().unwrap() + 60_000).to_string();
    let again: Vec<_> = archive
        .session_args("la/nbc", &[&path])
        .into_iter()
        .map(|word| if word == START { &later } else { word })
        .collect();
    let summary = lines(&run(0, &again).0).remove(0);
    assert_eq!((&summary["tracks"][2]["appended"], &summary["objects_written"]), (&3.into(), &0.into()));
    for (track, groups) in [("catalog.json", 1), ("init.mp4", 1), ("video0.m4s", 3), ("audio0.m4s", 3)] {
        let times: Vec<_> = numbered(&by_timeline, track).into_iter().map(|(_, received)| received).collect();
        let session = |shift| (0..groups).zip(times.iter().map(move |time| time + shift));
        let expected: Vec<_> = session(0).chain(session(60_000)).collect();
        assert_eq!(numbered(&archive, track), expected, "{track}");
    }
    let hashes = |archive: &Archive| {
        archive.records("la/nbc", "video0.m4s").into_iter().map(|record| record["blake3"].clone()).collect::<Vec<_>>()
    };
    let once = hashes(&by_timeline);
    assert_eq!(hashes(&archive), [once.clone(), once].concat(), "the groups are the same");
}

#[test]
fn a_recording_says_which_numbers_it_writes() {
    let (_, stderr) = run(0, &Archive::new().record_args("la/nbc", &[&muxed()]));
    assert_eq!(stderr, "numbering: timeline (all tracks share the numbers of the broadcast's timeline)\n");
}

#[test]
fn an_index_is_not_continued_by_the_other_numbering() {
    let path = muxed();
    let (sessions, timeline) = (Archive::new(), Archive::recorded());
    run(0, &sessions.session_args("la/nbc", &[&path]));
    for (archive, args, parts) in [
        (&sessions, sessions.record_args("la/nbc", &[&path]), ["from 0 on, by session", "--numbering session"]),
        (
            &timeline,
            timeline.session_args("la/nbc", &[&path]),
            ["from 886412340 on, by timeline", "--numbering timeline"],
        ),
    ] {
        let before = archive.snapshot();
        let said = error(&args);
        for part in parts.into_iter().chain(["catalog.json.jsonl: ", "or another --broadcast", "nothing was written"]) {
            assert!(said.contains(part), "{said}\n  lacks {part}");
        }
        assert_eq!(archive.snapshot(), before);
    }
}

#[test]
fn conflicting_content_is_refused_before_anything_is_written() {
    let archive = Archive::recorded();
    let index = archive.index("la/nbc", "audio0.m4s");
    let records = archive.records("la/nbc", "audio0.m4s");
    let hash = records[2]["blake3"].as_str().unwrap();
    let other = "ab".repeat(32);
    fs::write(&index, fs::read_to_string(&index).unwrap().replace(hash, &other)).unwrap();
    fs::remove_file(archive.index("la/nbc", "video0.m4s")).unwrap();
    let before = archive.snapshot();
    let said = error(&archive.record_args("la/nbc", &[&muxed()]));
    for part in [&format!("group {} of track audio0.m4s", FIRST + 2), hash, other.as_str(), "nothing was written"] {
        assert!(said.contains(part), "{said}\n  lacks {part}");
    }
    assert_eq!(archive.snapshot(), before);
}

#[test]
fn a_torn_index_is_refused() {
    let archive = Archive::recorded();
    let index = archive.index("la/nbc", "video0.m4s");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, format!("{text}{{\"broad")).unwrap();
    let said = error(&archive.record_args("la/nbc", &[&muxed()]));
    assert!(said.contains(&format!("truncate -s {}", text.len())), "{said}");
}

#[test]
fn a_recorder_that_is_killed_leaves_an_archive_that_the_next_one_completes() {
    let ([init, video, audio], dir, archive) = (sample_groups(100), tempfile::tempdir().unwrap(), Archive::new());
    let path = dir.path().join("media.mp4");
    fs::write(&path, [init.concat(), video.concat(), audio.concat()].concat()).unwrap();
    let whole = Archive::new();
    whole.record("la-nbc", &[&path]);
    for delay_ms in (0..60).step_by(3) {
        let mut recorder = std::process::Command::new(env!("CARGO_BIN_EXE_ec-witness"));
        let recorder = recorder.args(archive.record_args("la-nbc", &[&path])).stdout(Stdio::null()).spawn();
        std::thread::sleep(Duration::from_millis(delay_ms));
        let mut recorder = recorder.unwrap();
        recorder.kill().unwrap();
        recorder.wait().unwrap();
        if archive.snapshot().iter().any(|(path, _)| path.starts_with("manifests")) {
            archive.check(0);
        }
    }
    archive.record("la-nbc", &[&path]);
    assert_eq!(archive.snapshot(), whole.snapshot());
}

#[test]
fn an_hls_directory_gives_the_groups_of_the_stream_it_was_cut_from() {
    let ([init, video, audio], dir, archive) = (sample_groups(4), tempfile::tempdir().unwrap(), Archive::new());
    fs::write(dir.path().join("init.mp4"), &init[0]).unwrap();
    let segments: Vec<_> = video.iter().zip(&audio).map(|(video, audio)| [&video[..], audio].concat()).collect();
    write_all(dir.path(), "live", &segments);
    let entries: String = (0..4).map(|number| format!("#EXTINF:2.0,\nlive{number}.m4s\n")).collect();
    let text = format!("#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-MAP:URI=\"init.mp4\"\n{entries}#EXT-X-ENDLIST\n");
    fs::write(dir.path().join("live.m3u8"), text).unwrap();
    let summary = archive.record("by-directory", &[dir.path()]);
    assert_eq!(summary["tracks"][2]["groups"], 4);
    archive.record("by-playlist", &[&dir.path().join("live.m3u8")]);
    for broadcast in ["by-directory", "by-playlist"] {
        for track in ["init.mp4", "video0.m4s", "audio0.m4s"] {
            assert_like_the_sample(&archive, broadcast, track);
        }
    }
    archive.check(0);
}

#[test]
fn a_file_per_track_is_one_broadcast() {
    let ([init, video, audio], dir, archive) = (sample_groups(3), tempfile::tempdir().unwrap(), Archive::new());
    let (v, a) = (dir.path().join("v.mp4"), dir.path().join("a.mp4"));
    fs::write(&v, [&init[0][..], &video.concat()].concat()).unwrap();
    fs::write(&a, [&init[0][..], &audio.concat()].concat()).unwrap();
    let summary = archive.record("la-nbc", &[&v, &a]);
    let names: Vec<_> =
        summary["tracks"].as_array().unwrap().iter().map(|track| track["track"].as_str().unwrap()).collect();
    assert_eq!(names[..3], ["catalog.json", "init.mp4", "init1.mp4"]);
    assert_like_the_sample(&archive, "la-nbc", "video0.m4s");
}

#[test]
fn windows_without_a_group_are_named() {
    let ([init, mut video, audio], dir, archive) = (sample_groups(4), tempfile::tempdir().unwrap(), Archive::new());
    video.remove(1);
    let path = dir.path().join("gap.mp4");
    fs::write(&path, [init.concat(), video.concat(), audio.concat()].concat()).unwrap();
    let (stdout, stderr) = run(0, &archive.record_args("la-nbc", &[&path]));
    let warning = format!("warning: video0.m4s: sequence {} has no group\n", FIRST + 1);
    assert!(stderr.ends_with(&warning), "{stderr}");
    assert_eq!(stderr.lines().count(), 2, "{stderr}");
    assert_eq!(lines(&stdout)[0]["tracks"][2]["gaps"], serde_json::json!([[FIRST + 1, FIRST + 1]]));
}

#[test]
fn wrong_arguments_and_inputs_say_why() {
    let (archive, dir) = (Archive::new(), tempfile::tempdir().unwrap());
    let text = dir.path().join("notes.txt");
    fs::write(&text, "no film").unwrap();
    let cut = dir.path().join("cut.mp4");
    let whole = fs::read(muxed()).unwrap();
    fs::write(&cut, &whole[..whole.len() - 2000]).unwrap();
    let cases = [
        (text.as_path(), "notes.txt at byte 0"),
        (Path::new("/gone/film.mp4"), "cannot read /gone/film.mp4"),
        (dir.path(), "neither an .m3u8 playlist nor an init segment"),
        (cut.as_path(), "cut.mp4 at byte "),
    ];
    for (input, expected) in cases {
        let said = error(&archive.record_args("la-nbc", &[input]));
        assert!(said.starts_with("error: ") && said.contains(expected), "{said}");
        assert_eq!(archive.snapshot(), []);
    }
    for name in ["", "..", "a/../b", "/etc", ".hidden", "a//b"] {
        let (_, said) = run(2, &archive.record_args(name, &[&muxed()]));
        assert!(said.contains("broadcast name"), "{said}");
    }
    let said = error(&["archive", "record", "--broadcast", "b", muxed().to_str().unwrap()]);
    assert!(said.contains("give --archive DIR or --cas DIR"), "{said}");
}
