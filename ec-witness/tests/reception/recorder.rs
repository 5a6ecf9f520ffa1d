//! A recorder that runs, and its archive.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use assert_cmd::Command;
use ec_testing::{
    relay::Relay,
    running::{Running, await_or_report},
};

use serde_json::Value;

use crate::{
    BROADCAST, VIDEO,
    lines::{Line, sessions},
};

/// `archive subscribe`, running.
pub(crate) struct Recorder {
    dir: PathBuf,
    arguments: Vec<String>,
    running: Option<Running>,
}

impl Recorder {
    /// Starts one whose archive is `name` below `dir`.
    pub(crate) fn start(dir: &Path, name: &str, relay: &Relay, more: &[&str]) -> Self {
        let dir = dir.join(name);
        let words = ["archive", "subscribe", &relay.url(), "--name", BROADCAST, "--json"];
        let mut arguments: Vec<String> = words.iter().chain(more).map(|&word| word.to_owned()).collect();
        arguments.extend(["--archive".into(), dir.to_str().unwrap().to_owned()]);
        if !more.iter().any(|word| word.starts_with("--tls")) {
            arguments.extend(["--tls-root".into(), relay.root().to_str().unwrap().to_owned()]);
        }
        let mut recorder = Self { dir, arguments, running: None };
        recorder.restart();
        recorder
    }

    /// Starts it, again.
    pub(crate) fn restart(&mut self) {
        let mut command = ec_witness();
        command.args(&self.arguments);
        let log = File::options().create(true).append(true).open(self.log()).unwrap();
        self.running = Some(Running::of(&command, log));
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.running = None;
    }

    /// SIGTERM; the exit code.
    pub(crate) fn stop(&mut self) -> i32 {
        let running = self.running.take().unwrap();
        running.signal("-TERM");
        running.end().0.expect("it ends by itself")
    }

    /// Its archive.
    pub(crate) fn dir(&self) -> &Path {
        &self.dir
    }

    fn log(&self) -> PathBuf {
        self.dir.with_extension("log")
    }

    /// What it logged.
    pub(crate) fn logged(&self) -> String {
        fs::read_to_string(self.log()).unwrap_or_default()
    }

    /// The lines of a track's file, whole ones only while it runs.
    pub(crate) fn lines(&self, track: &str) -> Vec<Line> {
        let path = self.dir.join(format!("manifests/{BROADCAST}/{track}.jsonl"));
        let text = fs::read_to_string(path).unwrap_or_default();
        assert!(text.is_empty() || text.ends_with('\n'), "a line is written at once");
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// The highest number of a session.
    pub(crate) fn newest(&self, session: usize) -> u64 {
        let sessions = sessions(&self.lines(VIDEO));
        sessions.get(session).and_then(|session| session.groups.keys().next_back()).copied().unwrap_or(0)
    }

    /// Waits until a session has this number.
    #[track_caller]
    pub(crate) fn await_groups(&self, session: usize, number: u64) {
        let numbers = || -> Vec<_> { self.lines(VIDEO).iter().map(|line| line.group_sequence).collect() };
        let report = || format!("session {session}, {number}: {:?}\n{}", numbers(), self.logged());
        await_or_report(report, || {
            let sessions = sessions(&self.lines(VIDEO));
            sessions.get(session).is_some_and(|session| session.groups.range(number..).next().is_some())
        });
    }

    /// An object by its hash.
    pub(crate) fn object(&self, hash: &str) -> Vec<u8> {
        fs::read(self.dir.join(format!("cas/objects/blake3/{}/{hash}.bin", &hash[..2]))).unwrap()
    }

    /// The index and the objects fit, as `archive check` says.
    pub(crate) fn check(&self) {
        let mut command = ec_witness();
        command.args(["archive", "check", "--json", "--archive"]).arg(&self.dir);
        let said = String::from_utf8(command.output().unwrap().stdout).unwrap();
        let summary: Value = serde_json::from_str(said.lines().last().unwrap()).unwrap();
        for (what, found) in summary.as_object().unwrap() {
            // numbers that begin again are conflicts to one who takes them for a timeline's
            let is_fine = ["kind", "records", "objects", "bytes", "conflicts", "ok"].contains(&what.as_str());
            assert!(is_fine || *found == 0, "{said}");
        }
        for line in self.lines(VIDEO) {
            assert_eq!((line.broadcast.as_str(), line.track.as_str()), (BROADCAST, VIDEO));
            assert!(line.cas_path.contains(&line.blake3) && line.size_bytes > 0);
        }
        let times: Vec<_> = self.lines(VIDEO).iter().map(|line| line.received_unix_ms).collect();
        assert!(times.is_sorted(), "lines stand in order of completion");
    }
}

/// The binary, with none of this process's settings.
pub(crate) fn ec_witness() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ec-witness"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EC_WITNESS_")) {
        command.env_remove(name);
    }
    command
}
