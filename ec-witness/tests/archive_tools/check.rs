//! `archive check`.

use super::*;

#[test]
fn a_recording_checks_out() {
    let archive = Archive::recorded();
    let found = archive.check(0);
    let [summary] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!(summary["kind"], "summary");
    assert_eq!((&summary["ok"], &summary["records"], &summary["objects"]), (&true.into(), &8.into(), &8.into()));
}

#[test]
fn a_flipped_byte_is_found() {
    let archive = Archive::recorded();
    let object = archive.object("video0.m4s", 1);
    flip_a_byte(&object);
    let found = archive.check(1);
    assert_eq!(found.len(), 2);
    assert_eq!((&found[0]["kind"], &found[0]["group_sequence"]), (&"hash_differs".into(), &(FIRST + 1).into()));
    assert!(object.ends_with(found[0]["cas_path"].as_str().unwrap()));
    assert_eq!((&found[1]["ok"], &found[1]["hash_differs"]), (&false.into(), &1.into()));
    let (text, _) = run(1, &["archive", "check", "--archive", archive.dir()]);
    assert!(text.contains(object.file_name().unwrap().to_str().unwrap()), "{text}");
}

#[test]
fn a_missing_a_cut_and_a_stray_object_are_found() {
    let archive = Archive::recorded();
    fs::remove_file(archive.object("audio0.m4s", 0)).unwrap();
    let cut = archive.object("audio0.m4s", 2);
    fs::write(&cut, &fs::read(&cut).unwrap()[..10]).unwrap();
    let stray = archive.0.path().join("cas/objects/blake3/00");
    fs::create_dir_all(&stray).unwrap();
    fs::write(stray.join("notes.bin"), "x").unwrap();
    let found = archive.check(1);
    let mut kinds: Vec<_> = found.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["missing", "size_differs", "summary", "unreferenced"]);
}

#[test]
fn an_unreferenced_object_alone_is_no_problem() {
    let archive = Archive::recorded();
    fs::remove_file(archive.index("la/nbc", "init.mp4")).unwrap();
    let found = archive.check(0);
    assert_eq!((&found[0]["kind"], &found[1]["unreferenced"]), (&"unreferenced".into(), &1.into()));
}

#[test]
fn bad_lines_and_conflicting_records_are_found() {
    let archive = Archive::recorded();
    let index = archive.index("la/nbc", "video0.m4s");
    let text = fs::read_to_string(&index).unwrap();
    let other = text.lines().next().unwrap().replace(&FIRST.to_string(), &(FIRST + 1).to_string());
    fs::write(&index, format!("{text}{other}\n{{\"torn\":\n{{\"not yet a line")).unwrap();
    let found = archive.check(1);
    let kinds: Vec<_> = found.iter().map(|line| line["kind"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["conflict", "bad_line", "summary"]);
    assert_eq!((&found[0]["group_sequence"], &found[1]["line"]), (&(FIRST + 1).into(), &5.into()));
}

#[test]
fn another_session_is_no_conflict() {
    let (archive, dir) = (Archive::new(), tempfile::tempdir().unwrap());
    let [init, video, _] = sample_groups(3);
    for group in &video {
        let path = dir.path().join("session.mp4");
        fs::write(&path, [&init[0][..], group].concat()).unwrap();
        run(0, &archive.session_args("la/nbc", &[&path]));
    }
    let numbers: Vec<_> =
        archive.records("la/nbc", "video0.m4s").iter().map(|record| record["group_sequence"].clone()).collect();
    assert_eq!(numbers, [0, 0, 0]);
    let (stdout, _) = run(0, &["archive", "check", "--json", "--archive", archive.dir()]);
    assert_eq!((&lines(&stdout)[0]["conflicts"], &lines(&stdout)[0]["ok"]), (&Value::Null, &true.into()));
    assert_eq!(archive.check(1).last().unwrap()["conflicts"], 2, "on a timeline it were");
}

#[test]
fn checking_what_is_no_archive_says_why() {
    let archive = Archive::recorded();
    let said = error(&["archive", "check", "--archive", archive.dir(), "--broadcast", "la-cbs"]);
    assert!(said.contains("no index of broadcast la-cbs"), "{said}");
    assert!(error(&["archive", "check", "--archive", "/gone"]).contains("/gone/manifests"));
    let manifests = archive.0.path().join("manifests");
    let said = error(&["archive", "check", "--manifests", manifests.to_str().unwrap(), "--cas", "/gone"]);
    assert!(said.contains("no store at /gone"), "{said}");
}

#[test]
fn a_check_of_one_broadcast_leaves_the_others_alone() {
    let archive = Archive::recorded();
    let init = fs::read(archive.object("init.mp4", 0)).unwrap();
    let other = tempfile::tempdir().unwrap();
    let path = other.path().join("v.mp4");
    fs::write(&path, [init, fs::read(archive.object("video0.m4s", 0)).unwrap()].concat()).unwrap();
    archive.record("la-cbs", &[&path]);
    flip_a_byte(&archive.object("audio0.m4s", 0));
    let args = ["archive", "check", "--json", "--archive", archive.dir(), "--broadcast"];
    assert_eq!(lines(&run(0, &[&args[..], &["la-cbs"]].concat()).0)[0]["unreferenced"], Value::Null);
    run(1, &[&args[..], &["la/nbc"]].concat());
}

#[test]
fn the_sample_archive_checks_out() {
    let archive = sample();
    let (stdout, stderr) = run(0, &["archive", "check", "--json", "--archive", archive.to_str().unwrap()]);
    assert_eq!(stderr, "");
    let found = lines(&stdout);
    assert_eq!((found.len(), &found[0]["records"], &found[0]["unreferenced"]), (1, &4017.into(), &0.into()));
    let (late, cas) = (late_manifests(), archive.join("cas"));
    let args = ["archive", "check", "--json", "--manifests", late.to_str().unwrap(), "--cas", cas.to_str().unwrap()];
    assert_eq!(lines(&run(0, &args).0).pop().unwrap()["ok"], true);
}

#[test]
fn the_samples_timeline_has_every_sequence_once_per_track() {
    for track in ["video0.m4s", "audio0.m4s"] {
        let sequences: Vec<_> = groups_of(&sample().join("manifests"), &format!("la-nbc/{track}"));
        let sequences: Vec<_> = sequences.into_iter().map(|group| group.0).collect();
        assert_eq!(sequences, (FIRST..FIRST + 315).collect::<Vec<_>>(), "{track}");
    }
}

fn late_manifests() -> PathBuf {
    sample().with_file_name("sample-late").join("manifests")
}

/// Numbers, receive times and hashes of a track's records, in the order of its file.
fn groups_of(manifests: &Path, track: &str) -> Vec<(u64, u64, String)> {
    let records = lines(&fs::read_to_string(manifests.join(format!("{track}.jsonl"))).unwrap());
    let number = |record: &Value, key: &str| record[key].as_u64().unwrap();
    let group = |record: &Value| {
        let blake3 = record["blake3"].as_str().unwrap().to_owned();
        (number(record, "group_sequence"), number(record, "received_unix_ms"), blake3)
    };
    records.iter().map(group).collect()
}

/// The lowest and the highest number of each session: there are two, and no backlog lies across.
fn sessions_of(groups: &[(u64, u64, String)]) -> Vec<(u64, u64)> {
    let second = groups.iter().rposition(|group| group.0 == 0).unwrap();
    let (first, second) = groups.split_at(second);
    [first, second]
        .map(|session| {
            let numbers = || session.iter().map(|group| group.0);
            (numbers().min().unwrap(), numbers().max().unwrap())
        })
        .to_vec()
}

/// What `archives/README.md` says of the broadcasts that came over a relay.
#[test]
fn the_samples_sessions_begin_at_0_and_the_late_witness_lacks_the_begin_of_the_first() {
    for (track, first, second, late) in [
        ("la-cbs/0.m4s", 39, 32, 2),
        ("la-cbs/1.m4s", 39, 32, 2),
        ("la-abc/video0.m4s", 20, 11, 6),
        ("la-abc/audio0.m4s", 2024, 1158, 582),
    ] {
        let (own, other) = (groups_of(&sample().join("manifests"), track), groups_of(&late_manifests(), track));
        assert_eq!(sessions_of(&own), [(0, first), (0, second)], "{track}");
        assert_eq!(sessions_of(&other), [(late, first), (0, second)], "{track}");
        for group in &other {
            let same = |own: &&(u64, u64, String)| (own.0, &own.2) == (group.0, &group.2);
            let apart = own.iter().filter(same).map(|own| own.1.abs_diff(group.1)).min();
            assert!(apart.is_some_and(|ms| ms < 10_000), "{track} {group:?}");
        }
    }
}
