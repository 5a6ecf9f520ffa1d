//! What to record: files, HLS playlists and directories become streams of pieces.

mod numbered;
mod playlist;

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use self::playlist::Playlist;
use super::media::Piece;

/// Why an input names no media.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum InputError {
    /// The operating system refused.
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
    /// A playlist that is not one, or uses what cannot be recorded.
    #[error("{}:{line}: {reason}", path.display())]
    Playlist { path: PathBuf, line: usize, reason: String },
    /// A directory with neither a playlist nor init segments.
    #[error(
        "{}: has neither an .m3u8 playlist nor an init segment (init*.mp4, init*.m4s) with numbered segments",
        path.display()
    )]
    NoMedia { path: PathBuf },
    /// A directory whose playlists do not form one presentation.
    #[error("{}: has several master playlists ({names}); give one of them as the input", path.display())]
    ManyMasters { path: PathBuf, names: String },
    /// An init segment without media.
    #[error("{}: no numbered segments belong to this init segment", path.display())]
    NoSegments { path: PathBuf },
}

impl InputError {
    fn io(path: &Path, source: io::Error) -> Self {
        Self::Io { path: path.to_owned(), source }
    }
}

/// The pieces of one stream, init segment first: a file, or a playlist's or directory's files in order.
pub type Pieces = Vec<Piece>;

/// Resolves a file, a playlist or a directory to its streams.
///
/// A directory is read by its master playlist, else by all its media playlists, else by its init segments, each with the
/// numbered segments that share its name's suffix. Nothing is read but the playlists.
///
/// # Errors
///
/// [`InputError`] if there is nothing that could be media, or a playlist cannot be followed.
pub fn inputs(path: &Path) -> Result<Vec<Pieces>, InputError> {
    let metadata = fs::metadata(path).map_err(|source| InputError::io(path, source))?;
    if metadata.is_dir() {
        return directory(path);
    }
    if is_playlist(path) {
        return follow(path, Playlist::read(path)?);
    }
    Ok(vec![vec![Piece::whole(path)]])
}

fn directory(dir: &Path) -> Result<Vec<Pieces>, InputError> {
    let files = files_of(dir)?;
    let mut media = Vec::new();
    let mut masters = Vec::new();
    for path in files.iter().filter(|path| is_playlist(path)) {
        match Playlist::read(path)? {
            Playlist::Media(pieces) => media.push(pieces),
            master @ Playlist::Master(_) => masters.push((path, master)),
        }
    }
    if masters.len() > 1 {
        let names: Vec<_> = masters.iter().map(|(path, _)| path.display().to_string()).collect();
        return Err(InputError::ManyMasters { path: dir.to_owned(), names: names.join(", ") });
    }
    match masters.pop() {
        Some((path, master)) => follow(path, master),
        None if media.is_empty() => numbered::inputs(dir, &files),
        None => Ok(media),
    }
}

fn follow(path: &Path, playlist: Playlist) -> Result<Vec<Pieces>, InputError> {
    let variants = match playlist {
        Playlist::Media(pieces) => return Ok(vec![pieces]),
        Playlist::Master(variants) => variants,
    };
    let mut inputs = Vec::new();
    for variant in variants {
        match Playlist::read(&variant)? {
            Playlist::Media(pieces) => inputs.push(pieces),
            Playlist::Master(_) => {
                let reason = format!("names {}, a master playlist too", variant.display());
                return Err(InputError::Playlist { path: path.to_owned(), line: 1, reason });
            }
        }
    }
    Ok(inputs)
}

/// The files of a directory, sorted by name, hidden ones left out.
fn files_of(dir: &Path) -> Result<Vec<PathBuf>, InputError> {
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(|source| InputError::io(dir, source))? {
        let entry = entry.map_err(|source| InputError::io(dir, source))?;
        let path = entry.path();
        if path.is_file() && !entry.file_name().as_encoded_bytes().starts_with(b".") {
            files.push(path);
        }
    }
    files.sort_unstable();
    Ok(files)
}

fn is_playlist(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("m3u8"))
}

#[cfg(test)]
mod tests;
