//! Small archives in directories of their own, written as hosts write them.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{
    fs,
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

/// How many groups an epoch of [`TestArchive::of_groups`] is meant to have.
pub const GROUPS_PER_EPOCH: u64 = 3;

/// The tracks of [`TestArchive::of_groups`].
pub const TRACKS: [&str; 2] = ["video0.m4s", "audio0.m4s"];

/// An archive's index; it goes when it is dropped.
#[derive(Debug)]
pub struct TestArchive(TempDir);

impl TestArchive {
    /// An archive with these files below `manifests/`.
    pub fn new<P: AsRef<Path>, T: AsRef<[u8]>>(files: impl IntoIterator<Item = (P, T)>) -> Self {
        let archive = Self::nowhere();
        fs::create_dir(archive.manifests()).unwrap();
        for (path, text) in files {
            archive.write(path, text);
        }
        archive
    }

    /// One broadcast, `tv`, whose groups are `0..groups`, complete.
    pub fn of_groups(groups: u64) -> Self {
        let archive = Self::new(TRACKS.map(|track| (format!("tv/{track}.jsonl"), "")));
        archive.append(0..groups);
        archive
    }

    /// An archive's directory without anything in it.
    pub fn nowhere() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Its directory.
    pub fn path(&self) -> &Path {
        self.0.path()
    }

    /// Its directory, as an argument.
    pub fn dir(&self) -> &str {
        self.path().to_str().unwrap()
    }

    /// The directory of its index.
    pub fn manifests(&self) -> PathBuf {
        self.path().join("manifests")
    }

    /// Writes a file below `manifests/`.
    pub fn write(&self, path: impl AsRef<Path>, text: impl AsRef<[u8]>) {
        let path = self.manifests().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// Writes a configuration beside the index and returns its path.
    pub fn config(&self, text: &str) -> String {
        let path = self.path().join("config.toml");
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }

    /// The file of a track of `tv`.
    pub fn track_file(&self, track: &str) -> PathBuf {
        self.manifests().join(format!("tv/{track}.jsonl"))
    }

    /// Appends these groups to both tracks of `tv`.
    pub fn append(&self, groups: Range<u64>) {
        self.append_late(groups, 0);
    }

    /// Appends these groups to both tracks of `tv`, as received so much later than [`Self::append`] has them.
    pub fn append_late(&self, groups: Range<u64>, late_ms: u64) {
        for group in groups {
            for track in TRACKS {
                self.append_received(track, group, "a", received(group) + late_ms);
            }
        }
    }

    /// Appends one record to a track of `tv`. Its content is named by `content`.
    pub fn append_record(&self, track: &str, group: u64, content: &str) {
        self.append_received(track, group, content, received(group));
    }

    fn append_received(&self, track: &str, group: u64, content: &str, received: u64) {
        let blake3 = blake3::hash(format!("{track} {group} {content}").as_bytes()).to_hex();
        let line = format!(
            r#"{{"group_sequence":{group},"received_unix_ms":{received},"size_bytes":{},"blake3":"{blake3}"}}"#,
            1000 + group
        );
        self.append_raw(track, &(line + "\n"));
    }

    /// Appends to a track of `tv`.
    pub fn append_raw(&self, track: &str, text: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.track_file(track)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}

/// When a group is received, Unix milliseconds.
fn received(group: u64) -> u64 {
    1_772_824_680_000 + group * 2000
}
