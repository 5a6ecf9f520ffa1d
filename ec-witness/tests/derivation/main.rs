//! From archive to headers: `derive` as an operator runs it, and the library below it.

#![allow(clippy::unwrap_used)]

mod errors;
mod generations;
mod growth;
mod jobs;
mod lanes;
mod lines;
#[cfg(target_os = "linux")]
mod memory;
mod model;
#[path = "../../../crates/ec-archive/tests/plain/mod.rs"]
mod plain;
mod restart;
mod sets;
mod vectors;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ec_archive::Archive;
use ec_testing::archive::made::TestArchive;
use serde_json::Value;

/// What these tests do with an archive.
trait Derivable {
    fn open(&self) -> Archive;

    /// `derive` on this archive, as one with numbers of the timeline.
    fn derive(&self, args: &[&str]) -> Derived;

    /// `derive` on this archive, by nothing but these arguments.
    fn derive_as_said(&self, args: &[&str]) -> Derived;
}

impl Derivable for TestArchive {
    fn open(&self) -> Archive {
        Archive::at(self.path())
    }

    fn derive(&self, args: &[&str]) -> Derived {
        run(&[&["derive", "--archive", self.dir()], args].concat())
    }

    fn derive_as_said(&self, args: &[&str]) -> Derived {
        ended(program(&[&["derive", "--archive", self.dir()], args].concat()).env_remove(NUMBERING))
    }
}

/// How a run of the program ended.
#[derive(Debug)]
struct Derived {
    code: i32,
    stdout: String,
    stderr: String,
}

impl Derived {
    /// The lines of JSON on stdout.
    fn lines(&self) -> Vec<Value> {
        json_lines(&self.stdout)
    }

    /// The one sentence of a run that failed.
    #[track_caller]
    fn error(&self) -> &str {
        assert_eq!((self.code, self.stderr.lines().count()), (2, 1), "{self:?}");
        self.stderr.strip_prefix("error: ").unwrap().trim_end()
    }
}

fn json_lines(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Set for the program, unless a test says otherwise: most of the archives here have numbers of the timeline.
const NUMBERING: &str = "EC_WITNESS_NUMBERING";

/// The program, untouched by the environment of whoever runs the tests.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ec-witness"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EC_WITNESS_")) {
        command.env_remove(name);
    }
    command.args(args).env(NUMBERING, "timeline");
    command
}

fn run(args: &[&str]) -> Derived {
    ended(&mut program(args))
}

fn ended(command: &mut Command) -> Derived {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Derived { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}
