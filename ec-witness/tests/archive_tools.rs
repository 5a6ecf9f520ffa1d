//! `archive record` and `archive check`, as an operator runs them.

#![allow(clippy::unwrap_used, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use assert_cmd::Command;
use serde_json::Value;
use tempfile::TempDir;

const START: &str = "1772824680000";
const FIRST: u64 = 886_412_340;

fn sample() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../archives/sample")
}

/// 6 s of H.264 and Opus in fragments of both tracks with absolute offsets, as ffmpeg writes them by default.
fn muxed() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/muxed.mp4")
}

fn ec_witness(args: &[&str]) -> Output {
    let mut command = Command::cargo_bin("ec-witness").unwrap();
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EC_WITNESS_")) {
        command.env_remove(name);
    }
    command.args(args).output().unwrap()
}

/// Standard output and standard error of a run that must end with `code`.
fn run(code: i32, args: &[&str]) -> (String, String) {
    let Output { status, stdout, stderr } = ec_witness(args);
    let (stdout, stderr) = (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap());
    assert_eq!(status.code(), Some(code), "{args:?}\n{stdout}\n{stderr}");
    (stdout, stderr)
}

/// The only line of standard error of a run that must fail.
fn error(args: &[&str]) -> String {
    let (_, stderr) = run(2, args);
    assert_eq!(stderr.lines().count(), 1, "{stderr}");
    stderr
}

fn lines(stdout: &str) -> Vec<Value> {
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// An archive in a directory of its own.
struct Archive(TempDir);

impl Archive {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn recorded() -> Self {
        let archive = Self::new();
        archive.record("la/nbc", &[&muxed()]);
        archive
    }

    fn dir(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn record_args<'a>(&'a self, broadcast: &'a str, inputs: &[&'a Path]) -> Vec<&'a str> {
        let options = ["archive", "record", "--json", "--start-unix-ms", START, "--archive", self.dir()];
        let inputs = inputs.iter().map(|input| input.to_str().unwrap());
        options.into_iter().chain(["--broadcast", broadcast]).chain(inputs).collect()
    }

    fn record(&self, broadcast: &str, inputs: &[&Path]) -> Value {
        let (stdout, _) = run(0, &self.record_args(broadcast, inputs));
        serde_json::from_str(&stdout).unwrap()
    }

    fn check(&self, code: i32) -> Vec<Value> {
        lines(&run(code, &["archive", "check", "--json", "--archive", self.dir()]).0)
    }

    fn index(&self, broadcast: &str, track: &str) -> PathBuf {
        self.0.path().join("manifests").join(broadcast).join(format!("{track}.jsonl"))
    }

    fn records(&self, broadcast: &str, track: &str) -> Vec<Value> {
        lines(&fs::read_to_string(self.index(broadcast, track)).unwrap())
    }

    /// The path of the object of a track's n-th record.
    fn object(&self, track: &str, n: usize) -> PathBuf {
        self.0.path().join("cas").join(self.records("la/nbc", track)[n]["cas_path"].as_str().unwrap())
    }

    /// Every file by its path below the archive, with its bytes; what a killed writer leaves in temporary files is left out.
    fn snapshot(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let files = walkdir::WalkDir::new(self.0.path()).sort_by_file_name().into_iter().map(Result::unwrap);
        let files =
            files.filter(|entry| entry.file_type().is_file() && entry.path().extension() != Some("tmp".as_ref()));
        let below = |path: &Path| path.strip_prefix(self.0.path()).unwrap().to_owned();
        files.map(|entry| (below(entry.path()), fs::read(entry.path()).unwrap())).collect()
    }
}

fn flip_a_byte(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(path, bytes).unwrap();
}

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

/// Objects of the sample archive's first groups: init segment, video groups, audio groups.
fn sample_groups(count: usize) -> [Vec<Vec<u8>>; 3] {
    ["init.mp4", "video0.m4s", "audio0.m4s"].map(|track| {
        let index = fs::read_to_string(sample().join(format!("manifests/la-nbc/{track}.jsonl"))).unwrap();
        let records = lines(&index);
        let objects = records.iter().take(count).map(|record| record["cas_path"].as_str().unwrap());
        objects.map(|path| fs::read(sample().join("cas").join(path)).unwrap()).collect()
    })
}

fn write_all(dir: &Path, stem: &str, groups: &[Vec<u8>]) {
    for (number, group) in groups.iter().enumerate() {
        fs::write(dir.join(format!("{stem}{number}.m4s")), group).unwrap();
    }
}

/// The hashes of a track in the sample and in `archive` are the same.
fn assert_like_the_sample(archive: &Archive, broadcast: &str, track: &str) {
    let index = fs::read_to_string(sample().join(format!("manifests/la-nbc/{track}.jsonl"))).unwrap();
    let (expected, records) = (lines(&index), archive.records(broadcast, track));
    assert!(!records.is_empty());
    for (record, expected) in records.iter().zip(expected) {
        assert_eq!((&record["blake3"], &record["group_sequence"]), (&expected["blake3"], &expected["group_sequence"]));
    }
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
    assert_eq!(stderr, format!("warning: video0.m4s: sequence {} has no group\n", FIRST + 1));
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
    assert_eq!((found.len(), &found[0]["records"], &found[0]["unreferenced"]), (1, &1264.into(), &0.into()));
}

#[test]
fn the_sample_archive_has_every_sequence_once_per_track() {
    for (broadcast, first) in [("la-nbc", FIRST), ("la-cbs", FIRST + 30)] {
        for track in ["video0.m4s", "audio0.m4s"] {
            let index = fs::read_to_string(sample().join(format!("manifests/{broadcast}/{track}.jsonl"))).unwrap();
            let sequences: Vec<_> = lines(&index).iter().map(|r| r["group_sequence"].as_u64().unwrap()).collect();
            assert_eq!(sequences, (first..first + 315).collect::<Vec<_>>(), "{broadcast} {track}");
        }
    }
}
