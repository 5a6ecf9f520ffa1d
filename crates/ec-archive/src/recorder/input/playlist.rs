//! HLS playlists (RFC 8216), as far as they name fMP4 files beside them.

use std::{
    fs,
    path::{Component, Path, PathBuf},
};

use super::{InputError, Pieces};
use crate::recorder::media::Piece;

/// A playlist, its names resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Playlist {
    /// The media playlists of a presentation, each once, in order.
    Master(Vec<PathBuf>),
    /// Init segment and segments of a stream.
    Media(Pieces),
}

impl Playlist {
    /// Reads and resolves a playlist.
    pub(super) fn read(path: &Path) -> Result<Self, InputError> {
        let text = fs::read_to_string(path).map_err(|source| InputError::io(path, source))?;
        let mut reading = Reading { path, line: 1, master: Vec::new(), media: Vec::new(), next_range: None };
        if text.trim_start_matches('\u{feff}').lines().next().map(str::trim_end) != Some("#EXTM3U") {
            return Err(reading.failed("does not begin with #EXTM3U"));
        }
        for (number, line) in text.lines().enumerate() {
            reading.line = number + 1;
            reading.take(line.trim())?;
        }
        reading.finish(&text)
    }
}

/// The state while going through a playlist's lines.
struct Reading<'a> {
    path: &'a Path,
    line: usize,
    master: Vec<PathBuf>,
    media: Pieces,
    next_range: Option<(u64, u64)>,
}

impl Reading<'_> {
    fn take(&mut self, line: &str) -> Result<(), InputError> {
        if let Some(attributes) = line.strip_prefix("#EXT-X-MAP:") {
            let uri = attribute(attributes, "URI").ok_or_else(|| self.failed("EXT-X-MAP without URI"))?;
            let range = match attribute(attributes, "BYTERANGE") {
                Some(range) => Some(self.range(range, 0)?),
                None => None,
            };
            self.media.push(Piece { path: self.resolve(uri)?.into(), range });
        } else if let Some(attributes) = line.strip_prefix("#EXT-X-MEDIA:") {
            if let Some(uri) = attribute(attributes, "URI") {
                self.add_playlist(uri)?;
            }
        } else if let Some(range) = line.strip_prefix("#EXT-X-BYTERANGE:") {
            let after_last = self.media.last().and_then(|piece| piece.range).map_or(0, |(start, len)| start + len);
            self.next_range = Some(self.range(range, after_last)?);
        } else if let Some(attributes) = line.strip_prefix("#EXT-X-KEY:") {
            self.refuse_encryption(attributes)?;
        } else if !line.starts_with('#') && !line.is_empty() {
            self.add_uri(line)?;
        }
        Ok(())
    }

    fn add_uri(&mut self, uri: &str) -> Result<(), InputError> {
        if uri.split('?').next().is_some_and(|uri| uri.to_ascii_lowercase().ends_with(".m3u8")) {
            return self.add_playlist(uri);
        }
        let path = self.resolve(uri)?.into();
        if self.media.is_empty() {
            return Err(self.failed("segment without EXT-X-MAP; remake with `-hls_segment_type fmp4` of ffmpeg"));
        }
        self.media.push(Piece { path, range: self.next_range.take() });
        Ok(())
    }

    fn add_playlist(&mut self, uri: &str) -> Result<(), InputError> {
        let path = self.resolve(uri)?;
        if !self.master.contains(&path) {
            self.master.push(path);
        }
        Ok(())
    }

    fn refuse_encryption(&self, attributes: &str) -> Result<(), InputError> {
        match attribute(attributes, "METHOD") {
            Some("NONE") => Ok(()),
            method => Err(self.failed(format!("segments are encrypted ({})", method.unwrap_or("no METHOD")))),
        }
    }

    /// `<length>[@<offset>]`
    fn range(&self, text: &str, default_offset: u64) -> Result<(u64, u64), InputError> {
        let (length, offset) = text.split_once('@').map_or((text, None), |(length, offset)| (length, Some(offset)));
        let parsed = offset.map_or(Ok(default_offset), str::parse).and_then(|offset| Ok((offset, length.parse()?)));
        match parsed {
            Ok((offset, length)) if offset.checked_add(length).is_some() => Ok((offset, length)),
            _ => Err(self.failed(format!("byte range {text:?} is not <length>@<offset>"))),
        }
    }

    /// A name beside the playlist. Others are refused: a playlist is input, and must not reach other files.
    fn resolve(&self, uri: &str) -> Result<PathBuf, InputError> {
        let relative = Path::new(uri);
        let below = relative.components().all(|part| matches!(part, Component::Normal(_) | Component::CurDir));
        if uri.contains("://") || !below {
            return Err(self.failed(format!("{uri:?} is not below the playlist's directory")));
        }
        Ok(self.path.parent().unwrap_or(Path::new("")).join(relative))
    }

    fn finish(self, text: &str) -> Result<Playlist, InputError> {
        match (self.master.is_empty(), self.media.len()) {
            (false, 0) => Ok(Playlist::Master(self.master)),
            (true, 2..) => Ok(Playlist::Media(self.media)),
            (false, _) => Err(self.failed("names segments and playlists")),
            (true, _) => Err(Self { line: text.lines().count(), ..self }.failed("names no segments")),
        }
    }

    fn failed(&self, reason: impl Into<String>) -> InputError {
        InputError::Playlist { path: self.path.to_owned(), line: self.line, reason: reason.into() }
    }
}

/// A value of an attribute list (RFC 8216, 4.2), without its quotes.
fn attribute<'a>(mut list: &'a str, name: &str) -> Option<&'a str> {
    while let Some((key, rest)) = list.split_once('=') {
        let (value, rest) = match rest.strip_prefix('"') {
            Some(quoted) => quoted.split_once('"')?,
            None => rest.split_at(rest.find(',').unwrap_or(rest.len())),
        };
        if key.trim() == name {
            return Some(value);
        }
        list = rest.trim_start_matches(',');
    }
    None
}
