//! HLS playlists (RFC 8216), as far as they name fMP4 files beside them.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use jiff::Timestamp;

use super::{
    Dated, InputError, Part, Stream, uri,
    variables::{Variables, query_parameter},
};
use crate::recorder::media::Piece;

/// Tags that name no media and change none (RFC 8216, 4.3, and its second edition's draft). Of others a word is said.
const WITHOUT_MEDIA: [&str; 22] = [
    "EXTM3U",
    "EXTINF",
    "EXT-X-VERSION",
    "EXT-X-TARGETDURATION",
    "EXT-X-DATERANGE",
    "EXT-X-ALLOW-CACHE",
    "EXT-X-INDEPENDENT-SEGMENTS",
    "EXT-X-START",
    "EXT-X-BITRATE",
    "EXT-X-PART-INF",
    // parts are those of segments that follow as a whole
    "EXT-X-PART",
    "EXT-X-PRELOAD-HINT",
    "EXT-X-SERVER-CONTROL",
    "EXT-X-RENDITION-REPORT",
    "EXT-X-SESSION-DATA",
    "EXT-X-SESSION-KEY",
    "EXT-X-CONTENT-STEERING",
    "EXT-X-CUE-OUT",
    "EXT-X-CUE-OUT-CONT",
    "EXT-X-CUE-IN",
    "EXT-OATCLS-SCTE35",
    "EXT-X-SCTE35",
];

/// A playlist, its names resolved.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Playlist {
    /// The media playlists of a presentation, each once, in order, and what is left out of it.
    Master { variants: Vec<Variant>, variables: Variables, left_out: Vec<String> },
    /// Init segment and segments of a stream.
    Media(Stream),
    /// What holds no media to record, and why.
    Other { line: usize, reason: &'static str },
}

/// A playlist's file, and the URI that it was named by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Variant {
    pub(super) path: PathBuf,
    uri: String,
}

impl Variant {
    /// One that no playlist names.
    pub(super) fn given(path: &Path) -> Self {
        Self { path: path.to_owned(), uri: String::new() }
    }
}

impl Playlist {
    /// Reads and resolves a playlist, one that a master playlist with these variables names or none.
    pub(super) fn read(Variant { path, uri }: &Variant, master: Option<&Variables>) -> Result<Self, InputError> {
        let text = fs::read_to_string(path).map_err(|source| InputError::io(path, source))?;
        let text = text.trim_start_matches('\u{feff}');
        let mut reading = Reading::new(path, uri, master);
        if text.lines().next().map(str::trim_end) != Some("#EXTM3U") {
            return Err(reading.failed("does not begin with #EXTM3U"));
        }
        for (number, line) in text.lines().enumerate() {
            reading.line = number + 1;
            reading.take(line.trim())?;
        }
        reading.finish(text)
    }
}

/// The state while going through a playlist's lines.
struct Reading<'a> {
    path: &'a Path,
    line: usize,
    /// The URI that the playlist was named by.
    uri: &'a str,
    /// What the master playlist defines, if one names this.
    imports: Option<&'a Variables>,
    variables: Variables,
    master: Vec<Variant>,
    parts: Vec<Part>,
    /// The part that the next segment belongs to.
    part: Part,
    /// The init segment of the next segment.
    map: Option<Piece>,
    /// When the next segment begins, Unix milliseconds.
    next_date: Option<u64>,
    next_range: Option<(u64, u64)>,
    /// Where the last byte range ended, that of a gap too.
    range_end: u64,
    is_gap: bool,
    /// Whether the next URI is a playlist's, whatever it is called.
    is_variant: bool,
    media_sequence: u64,
    /// Whether a list without an end may still get one: not one of type VOD.
    may_grow: bool,
    /// Whether segments are removed from the list's begin: not those of type EVENT or VOD.
    may_slide: bool,
    other: Option<(usize, &'static str)>,
    left_out: Vec<String>,
    unknown: BTreeSet<String>,
}

impl<'a> Reading<'a> {
    fn new(path: &'a Path, uri: &'a str, imports: Option<&'a Variables>) -> Self {
        Self {
            path,
            line: 1,
            uri,
            imports,
            variables: Variables::default(),
            master: Vec::new(),
            parts: Vec::new(),
            part: Part::default(),
            map: None,
            next_date: None,
            next_range: None,
            range_end: 0,
            is_gap: false,
            is_variant: false,
            media_sequence: 0,
            may_grow: true,
            may_slide: true,
            other: None,
            left_out: Vec::new(),
            unknown: BTreeSet::new(),
        }
    }

    fn take(&mut self, line: &str) -> Result<(), InputError> {
        if let Some(tag) = line.strip_prefix('#').filter(|tag| tag.starts_with("EXT")) {
            let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
            return match name {
                "EXT-X-DEFINE" => self.define(value),
                _ => self.take_tag(name, &self.replaced(value)?),
            };
        }
        if !line.starts_with('#') && !line.is_empty() {
            self.add_uri(&self.replaced(line)?)?;
        }
        Ok(())
    }

    /// A text with what its variables stand for.
    fn replaced(&self, text: &str) -> Result<String, InputError> {
        let undefined = |name| self.failed(format!("{{${name}}} is not defined by an EXT-X-DEFINE before it"));
        self.variables.replace(text).map_err(undefined)
    }

    /// EXT-X-DEFINE: by a value, from the master playlist, or from the query of the URI that the playlist was named by.
    fn define(&mut self, attributes: &str) -> Result<(), InputError> {
        let of = |name| attribute(attributes, name);
        let (name, value) = match (of("NAME"), of("IMPORT"), of("QUERYPARAM")) {
            (Some(name), None, None) => (name, of("VALUE").map(str::to_owned)),
            (None, Some(name), None) => (name, self.imports.and_then(|imports| imports.get(name)).map(str::to_owned)),
            (None, None, Some(name)) => (name, query_parameter(self.uri, name)),
            _ => return Err(self.failed("EXT-X-DEFINE has not one of NAME, IMPORT and QUERYPARAM")),
        };
        let value = value.ok_or_else(|| {
            self.failed(format!(
                "EXT-X-DEFINE of {name:?} has no value here: an IMPORT is of the master playlist, a QUERYPARAM of the URI that \
                 it has there; give the master playlist, or write NAME and VALUE into this list"
            ))
        })?;
        self.variables.define(name, &value);
        Ok(())
    }

    fn take_tag(&mut self, name: &str, value: &str) -> Result<(), InputError> {
        match name {
            "EXT-X-MAP" => self.add_map(value)?,
            "EXT-X-MEDIA" => self.add_rendition(value)?,
            "EXT-X-BYTERANGE" => self.next_range = Some(self.range(value, self.range_end)?),
            "EXT-X-KEY" => self.refuse_encryption(value)?,
            "EXT-X-GAP" => self.is_gap = true,
            "EXT-X-STREAM-INF" => self.is_variant = true,
            "EXT-X-PROGRAM-DATE-TIME" => self.next_date = self.date(value),
            "EXT-X-DISCONTINUITY" => self.begin_part(),
            "EXT-X-DISCONTINUITY-SEQUENCE" => self.part.number += self.number(name, value)?,
            "EXT-X-ENDLIST" => self.may_grow = false,
            "EXT-X-PLAYLIST-TYPE" => {
                self.may_slide = false;
                self.may_grow &= value.trim() != "VOD";
            }
            "EXT-X-MEDIA-SEQUENCE" => self.media_sequence = self.number(name, value)?,
            "EXT-X-SKIP" => return Err(self.failed("EXT-X-SKIP: only what a longer list adds; give the whole list")),
            "EXT-X-I-FRAMES-ONLY" => {
                let reason = "EXT-X-I-FRAMES-ONLY: a list of single pictures for trick play, which are parts of another \
                              list's segments; give that list";
                self.other.get_or_insert((self.line, reason));
            }
            "EXT-X-IMAGES-ONLY" => {
                self.other.get_or_insert((self.line, "EXT-X-IMAGES-ONLY: a list of still pictures for trick play"));
            }
            "EXT-X-I-FRAME-STREAM-INF" | "EXT-X-IMAGE-STREAM-INF" => {
                let uri = attribute(value, "URI").unwrap_or_default();
                let kind = if name == "EXT-X-IMAGE-STREAM-INF" { "image" } else { "I-frame" };
                self.leave_out(&format!("{kind} list {uri:?} is left out: its pictures are in the other lists"));
            }
            _ if WITHOUT_MEDIA.contains(&name) => {}
            _ if self.unknown.insert(name.to_owned()) => self.leave_out(&format!("unknown tag #{name} is skipped")),
            _ => {}
        }
        Ok(())
    }

    fn add_map(&mut self, attributes: &str) -> Result<(), InputError> {
        let uri = attribute(attributes, "URI").ok_or_else(|| self.failed("EXT-X-MAP without URI"))?;
        let range = match attribute(attributes, "BYTERANGE") {
            Some(range) => Some(self.range(range, 0)?),
            None => None,
        };
        self.map = Some(self.piece(uri, range)?);
        Ok(())
    }

    /// A file, or a range of it.
    fn piece(&mut self, uri: &str, range: Option<(u64, u64)>) -> Result<Piece, InputError> {
        let path = self.resolve(uri)?.into();
        self.range_end = range.map_or(0, |(start, length)| start + length);
        Ok(Piece { path, range })
    }

    /// Begins a part after a discontinuity.
    fn begin_part(&mut self) {
        let next = Part { number: self.part.number + 1, ..Part::default() };
        let part = std::mem::replace(&mut self.part, next);
        match part.pieces.is_empty() {
            // what begins with its discontinuity lacks nothing
            true => self.may_slide &= !self.parts.is_empty(),
            false => self.parts.push(part),
        }
    }

    /// The time that a tag states; a word is said of one that is none.
    fn date(&mut self, value: &str) -> Option<u64> {
        let date: Option<Timestamp> = value.trim().parse().ok();
        let unix_ms = date.and_then(|date| u64::try_from(date.as_millisecond()).ok());
        if unix_ms.is_none() {
            self.leave_out(&format!(
                "EXT-X-PROGRAM-DATE-TIME {value:?} is skipped: it is no date with time and time zone"
            ));
        }
        unix_ms
    }

    fn number(&self, name: &str, value: &str) -> Result<u64, InputError> {
        value.trim().parse().map_err(|_| self.failed(format!("{name} {value:?} is no number")))
    }

    fn add_rendition(&mut self, attributes: &str) -> Result<(), InputError> {
        match (attribute(attributes, "TYPE"), attribute(attributes, "URI")) {
            (Some("SUBTITLES"), Some(uri)) => {
                self.leave_out(&format!("subtitles {uri:?} are left out: only video and audio are recorded"));
                Ok(())
            }
            (_, Some(uri)) => self.add_playlist(uri),
            (_, None) => Ok(()),
        }
    }

    fn add_uri(&mut self, uri: &str) -> Result<(), InputError> {
        let (range, is_gap) = (self.next_range.take(), std::mem::take(&mut self.is_gap));
        let (date, is_variant) = (self.next_date.take(), std::mem::take(&mut self.is_variant));
        let name = uri.split(['?', '#']).next().unwrap_or(uri).to_ascii_lowercase();
        if is_variant || name.ends_with(".m3u8") {
            return self.add_playlist(uri);
        }
        if name.ends_with(".vtt") || name.ends_with(".webvtt") {
            self.other.get_or_insert((self.line, "WebVTT captions; only video and audio in fMP4 are recorded"));
        }
        if self.other.is_some() {
            return Ok(());
        }
        if is_gap {
            self.range_end = range.map_or(0, |(start, length)| start + length);
            self.leave_out(&format!("segment {uri:?} is skipped: the list says that it is missing (EXT-X-GAP)"));
            return Ok(());
        }
        let Some(map) = self.map.clone() else {
            return Err(self.failed("segment without EXT-X-MAP; remake with `-hls_segment_type fmp4` of ffmpeg"));
        };
        let segment = self.piece(uri, range)?;
        let Part { pieces, dated, .. } = &mut self.part;
        if pieces.first() != Some(&map) {
            pieces.push(map);
        }
        *dated = dated.or(date.map(|unix_ms| Dated { piece: pieces.len(), unix_ms }));
        pieces.push(segment);
        Ok(())
    }

    fn leave_out(&mut self, what: &str) {
        self.left_out.push(format!("{}:{}: {what}", self.path.display(), self.line));
    }

    fn add_playlist(&mut self, uri: &str) -> Result<(), InputError> {
        let path = self.resolve(uri)?;
        if !self.master.iter().any(|variant| variant.path == path) {
            self.master.push(Variant { path, uri: uri.to_owned() });
        }
        Ok(())
    }

    /// Refuses segments that are encrypted as a whole. Where samples are, they are recorded as they are.
    fn refuse_encryption(&self, attributes: &str) -> Result<(), InputError> {
        match attribute(attributes, "METHOD") {
            Some("NONE" | "SAMPLE-AES" | "SAMPLE-AES-CTR" | "SAMPLE-AES-CENC") => Ok(()),
            method => {
                let method = method.unwrap_or("no METHOD");
                Err(self
                    .failed(format!("segments are encrypted ({method}); have the packager encrypt samples, or none")))
            }
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

    /// A file beside the playlist. Others are refused: a playlist is input, and must not reach other files.
    fn resolve(&self, uri: &str) -> Result<PathBuf, InputError> {
        let file = uri::resolve(self.path.parent().unwrap_or(Path::new("")), uri);
        file.ok_or_else(|| match uri::is_url(uri) {
            // what follows may be a token
            true => self.failed(format!(
                "{:?} is a URL, and only files are read; download it to the playlist's directory, and have its name there in \
                 the list",
                uri.split(['?', '#', ',']).next().unwrap_or_default()
            )),
            false => self.failed(format!(
                "{uri:?} is not below the playlist's directory; save it there, and have its name there in the list"
            )),
        })
    }

    fn finish(mut self, text: &str) -> Result<Playlist, InputError> {
        if let Some((line, reason)) = self.other {
            return Ok(Playlist::Other { line, reason });
        }
        let has_segments = !self.parts.is_empty() || !self.part.pieces.is_empty();
        match (self.master.is_empty(), has_segments, self.map.is_some()) {
            (false, _, false) => {
                let Self { master: variants, variables, left_out, .. } = self;
                Ok(Playlist::Master { variants, variables, left_out })
            }
            (true, true, _) => Ok(Playlist::Media(self.stream())),
            (false, ..) => Err(self.failed("names segments and playlists")),
            (true, ..) => {
                self.line = text.lines().count();
                Err(self.failed("names no segments"))
            }
        }
    }

    fn stream(mut self) -> Stream {
        let may_lack_begin = self.may_slide && self.media_sequence > 0;
        self.parts.extend(Some(self.part).filter(|part| !part.pieces.is_empty()));
        if let Some(first) = self.parts.first_mut() {
            first.may_lack_begin = may_lack_begin;
        }
        if let Some(last) = self.parts.last_mut() {
            last.may_grow = self.may_grow;
        }
        Stream { given: self.path.to_owned(), parts: self.parts, left_out: self.left_out }
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
