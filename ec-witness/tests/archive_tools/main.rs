//! `archive record` and `archive check`, as an operator runs them.

#![allow(clippy::unwrap_used)]

mod check;
mod media;
mod record;
mod record_again;
mod record_lists;
mod record_media;

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
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates/ec-archive/tests/data/muxed.mp4")
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
        [&self.session_args(broadcast, inputs)[..], &["--numbering", "timeline"]].concat()
    }

    /// The arguments of a recording without a numbering: a session.
    fn session_args<'a>(&'a self, broadcast: &'a str, inputs: &[&'a Path]) -> Vec<&'a str> {
        let options = ["archive", "record", "--json", "--start-unix-ms", START, "--archive", self.dir()];
        let inputs = inputs.iter().map(|input| input.to_str().unwrap());
        options.into_iter().chain(["--broadcast", broadcast]).chain(inputs).collect()
    }

    fn record(&self, broadcast: &str, inputs: &[&Path]) -> Value {
        let (stdout, _) = run(0, &self.record_args(broadcast, inputs));
        serde_json::from_str(&stdout).unwrap()
    }

    fn check(&self, code: i32) -> Vec<Value> {
        lines(&run(code, &["archive", "check", "--json", "--numbering", "timeline", "--archive", self.dir()]).0)
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
