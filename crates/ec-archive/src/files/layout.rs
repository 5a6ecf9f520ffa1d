//! Where an archive keeps its index and its objects.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
};

use walkdir::{DirEntry, WalkDir};

use crate::ArchiveError;

/// The ending of a track's file in the index.
pub(crate) const TRACK_FILE_ENDING: &str = ".jsonl";

/// The two halves of an archive. They may live apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Archive {
    /// The index: `<broadcast>/<track>.jsonl`.
    pub manifests: PathBuf,
    /// The content-addressed store: `objects/blake3/…`.
    pub cas: PathBuf,
}

/// One broadcast's directory in the index.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Broadcast {
    /// The path below `manifests/`, with `/` between its parts.
    pub name: String,
    /// The directory.
    pub directory: PathBuf,
}

impl Broadcast {
    /// The file that holds a track's records, whether it exists or not.
    pub fn track_file(&self, track: &str) -> PathBuf {
        self.directory.join(format!("{track}{TRACK_FILE_ENDING}"))
    }

    /// The tracks that have a file, sorted by bytes.
    ///
    /// # Errors
    ///
    /// The directory cannot be read, or a name is not UTF-8.
    pub fn tracks(&self) -> Result<Vec<String>, ArchiveError> {
        let mut tracks = Vec::new();
        let files = WalkDir::new(&self.directory).follow_links(true).min_depth(1).max_depth(1);
        for entry in files.into_iter().filter_entry(|entry| !is_hidden(entry.file_name())) {
            let entry = entry?;
            let name = entry.file_name().to_str();
            let name = name.ok_or_else(|| ArchiveError::NotUtf8 { path: entry.path().to_owned() })?;
            if let Some(track) = name.strip_suffix(TRACK_FILE_ENDING).filter(|_| entry.file_type().is_file()) {
                tracks.push(track.to_owned());
            }
        }
        tracks.sort_unstable();
        Ok(tracks)
    }
}

impl Archive {
    /// An archive directory holding `manifests/` and `cas/`.
    pub fn at(directory: &Path) -> Self {
        Self { manifests: directory.join("manifests"), cas: directory.join("cas") }
    }

    /// The broadcast of that name, whether it exists or not.
    pub fn broadcast(&self, name: &str) -> Broadcast {
        Broadcast { name: name.to_owned(), directory: self.manifests.join(name) }
    }

    /// All broadcasts that have at least one track file, sorted by name bytes. Names beginning with a dot are
    /// skipped, symbolic links followed, and files directly in `manifests/` ignored with a warning in the log.
    ///
    /// # Errors
    ///
    /// No such directory, one that cannot be read, a loop of links, or a name that is not UTF-8.
    pub fn broadcasts(&self) -> Result<Vec<Broadcast>, ArchiveError> {
        self.broadcasts_and(|stray| {
            tracing::warn!(file = %stray.display(), "ignored: files directly in manifests/ belong to no broadcast");
        })
    }

    /// The same, for those who look again and again; `stray` hears of files directly in `manifests/`.
    ///
    /// # Errors
    ///
    /// The same.
    pub fn broadcasts_and(&self, stray: impl Fn(&Path)) -> Result<Vec<Broadcast>, ArchiveError> {
        if !self.manifests.is_dir() {
            return Err(ArchiveError::NoManifests { path: self.manifests.clone() });
        }
        let mut found = BTreeMap::new();
        let walk = WalkDir::new(&self.manifests).follow_links(true).min_depth(1);
        for entry in walk.into_iter().filter_entry(|entry| !is_hidden(entry.file_name())) {
            let entry = entry?;
            if let Some(broadcast) = self.broadcast_of(&entry, &stray)? {
                found.insert(broadcast.name.clone(), broadcast);
            }
        }
        Ok(found.into_values().collect())
    }

    /// The broadcast that a file below `manifests/` belongs to.
    fn broadcast_of(&self, entry: &DirEntry, stray: &impl Fn(&Path)) -> Result<Option<Broadcast>, ArchiveError> {
        let Some(file_name) = entry.file_name().to_str() else {
            return Err(ArchiveError::NotUtf8 { path: entry.path().to_owned() });
        };
        if !entry.file_type().is_file() {
            return Ok(None);
        }
        if entry.depth() == 1 {
            stray(entry.path());
            return Ok(None);
        }
        if !file_name.ends_with(TRACK_FILE_ENDING) {
            return Ok(None);
        }
        let directory = entry.path().parent().unwrap_or(&self.manifests);
        let name = directory.strip_prefix(&self.manifests).unwrap_or(directory);
        let name = name.to_str().ok_or_else(|| ArchiveError::NotUtf8 { path: directory.to_owned() })?;
        Ok(Some(Broadcast { name: name.to_owned(), directory: directory.to_owned() }))
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(b".")
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix};

    use super::*;

    fn names(archive: &Archive) -> Vec<String> {
        archive.broadcasts().unwrap().into_iter().map(|broadcast| broadcast.name).collect()
    }

    fn touch(path: &Path) {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "").unwrap();
    }

    #[test]
    fn broadcasts_are_the_directories_with_track_files() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::at(dir.path());
        for file in
            ["la/nbc/video0.m4s.jsonl", "a/video0.m4s.jsonl", "la/x.jsonl", "stray.jsonl", ".h/v.jsonl", "b/n.txt"]
        {
            touch(&archive.manifests.join(file));
        }
        touch(&dir.path().join("elsewhere/video0.m4s.jsonl"));
        unix::fs::symlink(dir.path().join("elsewhere"), archive.manifests.join("linked")).unwrap();
        assert_eq!(names(&archive), ["a", "la", "la/nbc", "linked"]);
        assert_eq!(archive.broadcast("la").tracks().unwrap(), ["x"]);
        assert_eq!(archive.broadcast("linked").tracks().unwrap(), ["video0.m4s"]);
    }

    #[test]
    fn a_missing_directory_a_loop_and_a_foreign_name_are_errors() {
        let dir = tempfile::tempdir().unwrap();
        let archive = Archive::at(dir.path());
        assert!(matches!(archive.broadcasts(), Err(ArchiveError::NoManifests { .. })));
        touch(&archive.manifests.join("a/v.jsonl"));
        unix::fs::symlink(&archive.manifests, archive.manifests.join("a/loop")).unwrap();
        assert!(matches!(archive.broadcasts(), Err(ArchiveError::Walk(_))));
        fs::remove_file(archive.manifests.join("a/loop")).unwrap();
        let name = <OsStr as unix::ffi::OsStrExt>::from_bytes(b"\xff");
        touch(&archive.manifests.join(name).join("v.jsonl"));
        assert!(matches!(archive.broadcasts(), Err(ArchiveError::NotUtf8 { .. })));
    }
}
