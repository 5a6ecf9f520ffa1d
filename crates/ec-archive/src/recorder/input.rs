//! What to record: files, HLS playlists and directories become streams of pieces.

mod numbered;
mod playlist;
mod uri;
mod variables;

use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

use self::playlist::{Playlist, Variant};
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
    /// A DASH manifest, which is not read.
    #[error(
        "{}: a DASH manifest is not read; give its directory, if that has init segments (init*.m4s) with numbered segments, \
         or else the media files that it names",
        path.display()
    )]
    Manifest { path: PathBuf },
    /// Neither a file nor a directory.
    #[error(
        "{}: is no file but a pipe or the like, and what is recorded is read several times; write it to a file first",
        path.display()
    )]
    NoFile { path: PathBuf },
    /// A directory whose playlists do not form one presentation.
    #[error("{}: has several master playlists ({names}); give one of them as the input", path.display())]
    ManyMasters { path: PathBuf, names: String },
    /// A presentation of which nothing can be recorded.
    #[error("{reason}, and nothing else is there")]
    NothingLeft { reason: String },
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

/// One stream to record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stream {
    /// What it was found by: a file or a playlist, or the presentation that it belongs to.
    pub given: PathBuf,
    /// Its parts in order, between which times may start again and the init segment change.
    pub parts: Vec<Part>,
    /// What of it is not taken, one sentence each.
    pub left_out: Vec<String>,
}

/// A part of a stream without a discontinuity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Part {
    /// How many discontinuities its stream had before it; parts of the same number are of the same time.
    pub number: u64,
    /// Its bytes, init segment first.
    pub pieces: Pieces,
    /// Whether more may follow, so that its last groups may be parts of groups.
    pub may_grow: bool,
    /// Whether something came before, so that its first groups may be parts of groups.
    pub may_lack_begin: bool,
    /// The time that its list states for the begin of one of the pieces.
    pub dated: Option<Dated>,
}

/// A piece of which it is stated when it begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// Which piece of the part.
    pub piece: usize,
    /// When it begins, Unix milliseconds.
    pub unix_ms: u64,
}

impl Stream {
    /// A stream that is whole.
    pub fn whole(given: &Path, pieces: Pieces) -> Self {
        let part = Part { pieces, ..Part::default() };
        Self { given: given.to_owned(), parts: vec![part], left_out: Vec::new() }
    }
}

impl Part {
    /// The part from a piece on, init segment first.
    pub(super) fn beginning_at(&self, piece: usize) -> Pieces {
        let init = self.pieces.first().into_iter();
        init.chain(self.pieces.iter().skip(piece.max(1))).cloned().collect()
    }
}

/// Resolves a file, a playlist or a directory to its streams.
///
/// A directory is read by its master playlist, else by all its media playlists, else by its init segments, each with the
/// numbered segments that share its name's suffix. Nothing is read but the playlists.
///
/// # Errors
///
/// [`InputError`] if there is nothing that could be media, or a playlist cannot be followed.
pub fn inputs(path: &Path) -> Result<Vec<Stream>, InputError> {
    let metadata = fs::metadata(path).map_err(|source| InputError::io(path, source))?;
    if metadata.is_dir() {
        return directory(path);
    }
    if !metadata.is_file() {
        return Err(InputError::NoFile { path: path.to_owned() });
    }
    let begin = begin(path).map_err(|source| InputError::io(path, source))?;
    if is_playlist(path) || begin.starts_with("#EXTM3U") {
        return follow(path, Playlist::read(&Variant::given(path), None)?);
    }
    if is_manifest(path) || begin.contains("<MPD") {
        return Err(InputError::Manifest { path: path.to_owned() });
    }
    Ok(vec![Stream::whole(path, vec![Piece::whole(path)])])
}

/// As much of a file as tells a list, whatever it is called.
fn begin(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(1024).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).trim_start_matches('\u{feff}').to_owned())
}

fn directory(dir: &Path) -> Result<Vec<Stream>, InputError> {
    let files = files_of(dir)?;
    let mut media = Vec::new();
    let mut masters = Vec::new();
    let mut others = Vec::new();
    let mut unread = Vec::new();
    for path in files.iter().filter(|path| is_playlist(path)) {
        match Playlist::read(&Variant::given(path), None) {
            Ok(Playlist::Media(stream)) => media.push(stream),
            Ok(Playlist::Other { line, reason }) => others.push(other(path, line, reason)),
            Ok(master @ Playlist::Master { .. }) => masters.push((path, master)),
            Err(error) => unread.push((path, error)),
        }
    }
    if masters.len() > 1 {
        let names: Vec<_> = masters.iter().map(|(path, _)| path.display().to_string()).collect();
        return Err(InputError::ManyMasters { path: dir.to_owned(), names: names.join(", ") });
    }
    // a list that the master names is read again as such: it may say nothing by itself
    let is_named = |path: &Path| {
        masters.iter().any(|(_, master)| {
            matches!(master, Playlist::Master { variants, .. } if variants.iter().any(|variant| variant.path == path))
        })
    };
    if let Some((_, error)) = unread.into_iter().find(|(path, _)| !is_named(path)) {
        return Err(error);
    }
    match masters.pop() {
        Some((path, master)) => follow(path, master),
        None if media.is_empty() => numbered::inputs(dir, &files),
        None => {
            // nothing says that these lists are of the same time
            let others = others.iter().map(|other| format!("{other}: left out"));
            media[0].left_out.splice(..0, others);
            Ok(media)
        }
    }
}

fn follow(path: &Path, playlist: Playlist) -> Result<Vec<Stream>, InputError> {
    let (variants, variables, mut left_out) = match playlist {
        Playlist::Media(stream) => return Ok(vec![stream]),
        Playlist::Other { line, reason } => return Err(other(path, line, reason)),
        Playlist::Master { variants, variables, left_out } => (variants, variables, left_out),
    };
    let mut streams = Vec::new();
    for variant in variants {
        match Playlist::read(&variant, Some(&variables))? {
            Playlist::Media(stream) => streams.push(stream),
            Playlist::Other { line, reason } => {
                left_out.push(format!("{}: left out", other(&variant.path, line, reason)));
            }
            Playlist::Master { .. } => {
                let reason = format!("names {}, a master playlist too", variant.path.display());
                return Err(InputError::Playlist { path: path.to_owned(), line: 1, reason });
            }
        }
    }
    match left_out.first() {
        Some(reason) if streams.is_empty() => Err(InputError::NothingLeft { reason: reason.clone() }),
        _ => Ok(of_one_presentation(path, streams, left_out)),
    }
}

fn other(path: &Path, line: usize, reason: &str) -> InputError {
    InputError::Playlist { path: path.to_owned(), line, reason: reason.to_owned() }
}

/// Streams that belong together, and what is left out of all of them, said with the first.
fn of_one_presentation(path: &Path, mut streams: Vec<Stream>, mut left_out: Vec<String>) -> Vec<Stream> {
    for stream in &mut streams {
        path.clone_into(&mut stream.given);
    }
    if let Some(first) = streams.first_mut() {
        left_out.append(&mut first.left_out);
        first.left_out = left_out;
    }
    streams
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
    has_extension(path, "m3u8") || has_extension(path, "m3u")
}

/// Whether it is a DASH manifest by its name.
fn is_manifest(path: &Path) -> bool {
    has_extension(path, "mpd")
}

fn has_extension(path: &Path, extension: &str) -> bool {
    path.extension().is_some_and(|found| found.eq_ignore_ascii_case(extension))
}

#[cfg(test)]
mod tests;
