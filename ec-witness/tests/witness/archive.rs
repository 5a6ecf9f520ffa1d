//! Small archives, written as hosts write them.

use std::{
    fs,
    io::Write,
    path::{Path, PathBuf},
};

use tempfile::TempDir;

pub(crate) const GROUPS_PER_EPOCH: u64 = 3;

pub(crate) const TRACKS: [&str; 2] = ["video0.m4s", "audio0.m4s"];

/// One broadcast, `tv`.
pub(crate) struct TestArchive(TempDir);

impl TestArchive {
    /// An archive whose groups are `0..groups`, complete.
    pub(crate) fn of_groups(groups: u64) -> Self {
        let archive = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(archive.path().join("manifests/tv")).unwrap();
        for track in TRACKS {
            archive.append_raw(track, "");
        }
        archive.append(0..groups);
        archive
    }

    /// An archive's directory without anything in it.
    pub(crate) fn nowhere() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn track_file(&self, track: &str) -> PathBuf {
        self.path().join(format!("manifests/tv/{track}.jsonl"))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// Appends these groups to both tracks.
    pub(crate) fn append(&self, groups: std::ops::Range<u64>) {
        for group in groups {
            for track in TRACKS {
                self.append_record(track, group, "a");
            }
        }
    }

    /// Appends one record whose content is named by `content`.
    pub(crate) fn append_record(&self, track: &str, group: u64, content: &str) {
        let blake3 = blake3::hash(format!("{track} {group} {content}").as_bytes()).to_hex();
        let received = 1_772_824_680_000 + group * 2000;
        let line = format!(
            r#"{{"group_sequence":{group},"received_unix_ms":{received},"size_bytes":{},"blake3":"{blake3}"}}"#,
            1000 + group
        );
        self.append_raw(track, &(line + "\n"));
    }

    pub(crate) fn append_raw(&self, track: &str, text: &str) {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(self.track_file(track)).unwrap();
        file.write_all(text.as_bytes()).unwrap();
    }
}
