//! A program that is tested and goes on until it is stopped.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use assert_cmd::Command;

use crate::processes::{memory_to_the_end, most_memory};

/// How long anything is waited for: a loaded machine is slow.
const PATIENCE: Duration = Duration::from_secs(180);

/// A running program; killed when it is dropped.
#[derive(Debug)]
pub struct Running(Child);

impl Running {
    /// Starts a command without its log.
    pub fn spawn(command: &Command) -> Self {
        Self::of(command, Stdio::null())
    }

    /// Starts a command; its log goes to `log`.
    pub fn of(command: &Command, log: impl Into<Stdio>) -> Self {
        let mut spawned = std::process::Command::new(command.get_program());
        spawned.args(command.get_args());
        hand_settings(command, &mut spawned);
        Self(spawned.stdout(Stdio::null()).stderr(log).spawn().unwrap())
    }

    /// Its process.
    pub fn id(&self) -> u32 {
        self.0.id()
    }

    /// Sends it a signal, as `-TERM`.
    pub fn signal(&self, signal: &str) {
        send_signal(self.id(), signal);
    }

    /// The exit code, once it has one.
    pub fn ended(&mut self) -> Option<i32> {
        self.0.try_wait().unwrap().map(|status| status.code().unwrap())
    }

    /// Waits until it says this on stderr, where that is a pipe.
    pub fn await_words(&mut self, words: &str) {
        let said = self.0.stderr.as_mut().unwrap();
        let heard = BufReader::new(said).lines().map_while(Result::ok).any(|line| line.contains(words));
        assert!(heard, "it ended without {words:?}");
    }

    /// Waits for the end; the exit code, or `None` after a signal.
    pub fn end(mut self) -> (Option<i32>, Duration) {
        let begun = Instant::now();
        let status = self.0.wait().unwrap();
        (status.code(), begun.elapsed())
    }

    /// The same, and the most memory that it had to its end, bytes.
    pub fn end_with_memory(mut self) -> (Option<i32>, Duration, u64) {
        let begun = Instant::now();
        let (most, status) = memory_to_the_end(&mut self.0, most_memory).unwrap();
        (status.code(), begun.elapsed(), most)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Gives another program the environment of a command.
pub fn hand_settings(command: &Command, program: &mut std::process::Command) {
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => program.env(name, value),
            None => program.env_remove(name),
        };
    }
}

/// Waits until `found` finds something.
#[track_caller]
pub fn await_some<T>(what: &str, mut found: impl FnMut() -> Option<T>) -> T {
    let mut some = None;
    await_that(what, || {
        some = found();
        some.is_some()
    });
    some.unwrap()
}

/// Waits until something holds.
#[track_caller]
pub fn await_that(what: &str, holds: impl FnMut() -> bool) {
    await_or_report(|| what.to_owned(), holds);
}

/// Waits until something holds, and fails with the report when that takes too long.
#[track_caller]
pub fn await_or_report(report: impl Fn() -> String, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < PATIENCE, "{}", report());
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Sends a process a signal, by `kill`.
pub fn send_signal(process: u32, signal: &str) {
    assert!(std::process::Command::new("kill").args([signal, &process.to_string()]).status().unwrap().success());
}

/// Runs a future to its end.
pub fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}
