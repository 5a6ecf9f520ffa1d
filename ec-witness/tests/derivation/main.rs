//! From archive to headers: `derive` as an operator runs it, and the library below it.

#![allow(clippy::unwrap_used)]

mod errors;
mod generations;
mod growth;
mod jobs;
mod lines;
#[cfg(target_os = "linux")]
mod memory;
mod model;
mod restart;
mod sets;
mod vectors;

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use ec_archive::Archive;
use serde_json::Value;
use tempfile::TempDir;

/// An archive's index in a directory of its own.
struct TestArchive(TempDir);

impl TestArchive {
    /// An archive with these files below `manifests/`.
    fn new<P: AsRef<Path>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        let archive = Self(tempfile::tempdir().unwrap());
        fs::create_dir(archive.manifests()).unwrap();
        for (path, text) in files {
            archive.write(path, text);
        }
        archive
    }

    fn dir(&self) -> &str {
        self.0.path().to_str().unwrap()
    }

    fn manifests(&self) -> PathBuf {
        self.0.path().join("manifests")
    }

    fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.manifests().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a configuration beside the index and returns its path.
    fn config(&self, text: &str) -> String {
        let path = self.0.path().join("config.toml");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    fn open(&self) -> Archive {
        Archive::at(self.0.path())
    }

    /// `derive` on this archive.
    fn derive(&self, args: &[&str]) -> Derived {
        run(&[&["derive", "--archive", self.dir()], args].concat())
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

/// The program, untouched by the environment of whoever runs the tests.
fn program(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ec-witness"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("EC_WITNESS_")) {
        command.env_remove(name);
    }
    command.args(args);
    command
}

fn run(args: &[&str]) -> Derived {
    let Output { status, stdout, stderr } = program(args).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Derived { code: status.code().unwrap(), stdout: text(stdout), stderr: text(stderr) }
}
