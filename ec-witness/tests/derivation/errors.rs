//! What `derive` says, in one sentence, of input that it cannot derive from; and what it says of bad lines.

use super::*;

const HASH: &str = "d130011793521491dc006beb010aa36179e5fd8cf8f4e2f06ef66f5c0b9d63c6";
const TRACK: [&str; 4] = ["--tracks", "v", "--groups-per-epoch", "2"];

fn record(sequence: u64) -> String {
    format!(
        "{{\"group_sequence\":{sequence},\"received_unix_ms\":{},\"size_bytes\":1,\"blake3\":\"{HASH}\"}}\n",
        sequence + 1
    )
}

fn records(sequences: impl IntoIterator<Item = u64>) -> String {
    sequences.into_iter().map(record).collect()
}

/// The sentence with which `derive` refuses an archive of two broadcasts under a configuration.
fn refused(config: &str) -> String {
    let archive = TestArchive::new([("a/v.jsonl", records(0..3)), ("b/v.jsonl", records(0..3))]);
    archive.derive(&["--config", &archive.config(config), "--groups-per-epoch", "2"]).error().to_owned()
}

#[track_caller]
fn assert_says(said: &str, parts: &[&str]) {
    for part in parts {
        assert!(said.contains(part), "{said}\n  lacks {part}");
    }
}

#[test]
fn no_archive() {
    assert_says(run(&["derive", "--archive", "/gone"]).error(), &["/gone/manifests", "no such directory"]);
    assert_says(run(&["derive"]).error(), &["--archive DIR"]);
    let empty = TestArchive::new([] as [(&str, &str); 0]);
    assert_says(empty.derive(&[]).error(), &["no broadcast with a track file"]);
}

#[test]
fn no_closed_epoch() {
    for text in [String::new(), records([0]), "bad\n".into()] {
        let archive = TestArchive::new([("x/v.jsonl", text)]);
        let derived = archive.derive(&TRACK);
        assert_eq!((derived.code, derived.stdout.as_str()), (2, ""));
        let said = derived.stderr.lines().last().unwrap();
        assert_says(said, &["error: ", "no closed epoch", archive.manifests().to_str().unwrap()]);
    }
}

#[test]
fn an_epoch_without_a_time() {
    let without = records(0..3).replace("\"received_unix_ms\":", "\"x\":");
    let archive = TestArchive::new([("x/v.jsonl", without)]);
    let derived = archive.derive(&TRACK);
    assert_says(derived.error(), &["\"x\"", "epoch 0", "received_unix_ms", "time = \"timeline\""]);
    let config = archive.config("[[stream]]\nbroadcast = \"x\"\ntime = \"timeline\"\nchunk_duration_ms = 2000\n");
    let derived = archive.derive(&[&TRACK[..], &["--json", "--config", &config]].concat());
    assert_eq!((derived.code, &derived.lines()[0]["header"]["observedUnixMs"]), (0, &0.into()));
}

#[test]
fn a_conflicting_epoch_needs_no_time() {
    let text = (records([0]) + &record(0).replace("\"size_bytes\":1", "\"size_bytes\":2") + &record(1) + &record(2))
        .replace("\"received_unix_ms\":", "\"x\":");
    let derived = TestArchive::new([("x/v.jsonl", text)]).derive(&[&TRACK[..], &["--json"]].concat());
    assert_eq!((derived.code, &derived.lines()[0]["conflicting"]), (0, &true.into()));
}

#[test]
fn a_time_beyond_64_bits() {
    let archive = TestArchive::new([("x/v.jsonl", records([u64::MAX - 3, u64::MAX - 2]))]);
    let config = archive.config("[[stream]]\nbroadcast = \"x\"\ntime = \"timeline\"\nchunk_duration_ms = 2\n");
    let derived = archive.derive(&[&TRACK[..], &["--config", &config]].concat());
    assert_says(derived.error(), &["overflows", "chunk_duration_ms", "epoch 9223372036854775806"]);
}

#[test]
fn settings_that_cannot_be_followed() {
    for (config, parts) in [
        ("[archive]\ntracks = [\"v\", \"v\"]", &["\"v\" is named twice"][..]),
        ("[archive]\ntracks = [\"a/v\"]", &["\"a/v\"", "without `/`"]),
        ("[archive]\ntracks = [\"\"]", &["non-empty"]),
        ("[archive]\ntracks = []", &["at least one track"]),
        ("[[stream]]\nbroadcast = \"a\"\ntracks = [\"v\", \"v\"]", &["\"a\"", "\"v\" is named twice"]),
        (
            "[[stream]]\nbroadcast = \"a\"\nstream_id = \"b\"",
            &["\"a\" and \"b\"", "both stream \"b\"", "own stream_id"],
        ),
        ("[[stream]]\nbroadcast = \"a\"\n[[stream]]\nbroadcast = \"a\"", &["two [[stream]] tables", "\"a\""]),
        ("[[stream]]\nbroadcast = \"a\"\ntime = \"timeline\"", &["\"a\"", "needs chunk_duration_ms"]),
        ("[[stream]]\nbroadcast = \"a\"\nchunk_duration_ms = 2000", &["\"a\"", "time = \"timeline\""]),
    ] {
        assert_says(&refused(config), parts);
    }
}

#[test]
fn a_configuration_that_is_no_configuration() {
    let archive = TestArchive::new([("a/v.jsonl", records(0..3))]);
    for (config, part) in [
        ("[archive]\ngroups_per_epoc = 3", "groups_per_epoc"),
        ("[archive]\ngroups_per_epoch = 0", "archive.groups_per_epoch: invalid value: integer `0`"),
        ("[archive]\ngroups_per_epoch = \"3\"", "line 2, archive.groups_per_epoch"),
        ("[archive.fields]\nsequence = [\"n\"]", "sequence"),
        ("[[stream]]\nstream_id = \"a\"", "broadcast"),
        ("[[stream]]\nbroadcast = \"a\"\ntime = \"sundial\"", "sundial"),
        ("archive = ", "config.toml"),
    ] {
        let derived = archive.derive(&["--config", &archive.config(config)]);
        assert_eq!((derived.code, derived.stdout.as_str()), (2, ""), "{config}");
        assert_says(&derived.stderr, &["error: config: ", part]);
    }
    assert_says(archive.derive(&["--config", "/gone.toml"]).error(), &["cannot read /gone.toml"]);
}

#[test]
fn flags_that_cannot_be_followed() {
    let archive = TestArchive::new([("a/v.jsonl", records(0..3))]);
    assert_says(archive.derive(&["--tracks", "v,a,v"]).error(), &["\"v\" is named twice"]);
    assert_says(archive.derive(&["--tracks", "x/v"]).error(), &["\"x/v\"", "without `/`"]);
    assert_says(archive.derive(&["--stream", "z"]).error(), &["--stream z", "the archive has a"]);
    for args in [["--groups-per-epoch", "0"], ["--groups-per-epoch", "x"], ["--group", "3"]] {
        assert_eq!(archive.derive(&args).code, 2, "{args:?}");
    }
}

#[test]
fn bad_lines_are_told_and_change_no_exit_status() {
    let text = records(0..2) + "bad\n" + &record(2) + "{\"group_sequence\":0}\n" + "torn";
    let archive = TestArchive::new([("x/v.jsonl", &text)]);
    let file = archive.manifests().join("x/v.jsonl");
    let [first, second] = [text.find("bad").unwrap(), text.find("{\"group_sequence\":0}").unwrap()];

    let derived = archive.derive(&TRACK);
    let said: Vec<_> = derived.stderr.lines().collect();
    assert_eq!((derived.code, said.len()), (0, 2), "{derived:?}");
    for (said, offset, reason) in [(said[0], first, "JSON"), (said[1], second, "`blake3` is missing")] {
        assert_says(said, &["warning: ", file.to_str().unwrap(), &format!("at offset {offset}:"), reason]);
    }

    let derived = archive.derive(&[&TRACK[..], &["--json"]].concat());
    let told = json_lines(&derived.stderr);
    assert_eq!((derived.code, told.len(), derived.lines().len()), (0, 2, 1));
    assert_eq!(told[1]["quarantined"]["file"], file.to_str().unwrap());
    assert_eq!(told[1]["quarantined"]["offset"], second);
    assert_eq!(told[1]["quarantined"]["reason"], "`blake3` is missing");
}

#[test]
fn a_line_shows_only_a_part_of_what_it_cannot_read() {
    let long = format!("{{\"{0}\":1,\"{0}\":2}}\n", "k".repeat(1 << 18));
    let archive = TestArchive::new([("x/v.jsonl", records(0..3) + &long)]);
    let derived = archive.derive(&TRACK);
    assert_eq!(derived.code, 0);
    assert!(derived.stderr.len() < 1000, "{} bytes on stderr", derived.stderr.len());
}

#[test]
fn files_beside_the_broadcasts_are_ignored_with_a_warning() {
    let files = [("x/v.jsonl", records(0..3)), ("v.jsonl", records(0..3)), ("notes.txt", "x".into())];
    let archive = TestArchive::new(files);
    let derived = archive.derive(&TRACK);
    assert_eq!((derived.code, derived.stdout.lines().count()), (0, 1), "{derived:?}");
    assert_says(&derived.stderr, &["manifests/v.jsonl", "manifests/notes.txt"]);
}

#[test]
fn a_closed_pipe_is_no_error() {
    let archive = TestArchive::new([("x/v.jsonl", records(0..20_000))]);
    let mut child = program(&[&["derive", "--archive", archive.dir()], &TRACK[..]].concat())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
