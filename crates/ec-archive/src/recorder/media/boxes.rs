//! Top-level boxes, one at a time, from a sequence of files.

use std::{
    fmt,
    fs::File,
    io::{self, BufReader, Read, Seek, SeekFrom},
    path::Path,
    vec,
};

use mp4_atom::{Atom, Buf, Decode, FourCC, Header, Mdat, Moov};

use super::{MediaError, SharedPath};

/// The most bytes of an `mdat` that are read: far above any fragment of a broadcast.
const MDAT_LIMIT: u64 = 1 << 30;

/// The most bytes of any other box.
const BOX_LIMIT: u64 = 64 << 20;

/// A file, or a part of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The file.
    pub path: SharedPath,
    /// Offset and length in bytes of the part; the whole file if `None`.
    pub range: Option<(u64, u64)>,
}

impl Piece {
    /// The whole of a file.
    pub fn whole(path: &Path) -> Self {
        Self { path: path.into(), range: None }
    }
}

/// Where in the input a box begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BoxOffset {
    /// The file.
    pub path: SharedPath,
    /// The byte in the file.
    pub offset: u64,
}

impl fmt::Display for BoxOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.path.display(), self.offset)
    }
}

/// A box as it is stored, header included.
#[derive(Clone, Debug)]
pub(super) struct RawBox {
    pub(super) kind: FourCC,
    pub(super) bytes: Vec<u8>,
    pub(super) header_len: usize,
    pub(super) at: BoxOffset,
}

impl RawBox {
    /// Decodes the box as `T`.
    pub(super) fn decode<T: Atom>(&self, kind: &'static str) -> Result<T, MediaError> {
        let decoded = T::decode(&mut self.bytes.as_slice());
        decoded.map_err(|source| MediaError::Syntax { at: self.at.clone(), kind, source })
    }

    /// Everything after the header.
    pub(super) fn body(&self) -> &[u8] {
        &self.bytes[self.header_len..]
    }
}

/// A box within another one, header included.
#[derive(Clone, Debug)]
pub(super) struct Child<'a> {
    pub(super) kind: FourCC,
    /// Where it begins in the outermost box.
    pub(super) start: usize,
    pub(super) bytes: &'a [u8],
    pub(super) header_len: usize,
}

impl<'a> Child<'a> {
    /// Everything after the header.
    pub(super) fn body(&self) -> &'a [u8] {
        &self.bytes[self.header_len..]
    }

    /// Version and flags, in one number, and what follows them; `None` where it is too short.
    pub(super) fn flags(&self) -> Option<(u32, &'a [u8])> {
        let (flags, rest) = self.body().split_first_chunk()?;
        Some((u32::from_be_bytes(*flags), rest))
    }
}

/// The boxes that `body` consists of, which begins at byte `start` of the outermost box.
pub(super) fn children(body: &[u8], start: usize) -> Result<Vec<Child<'_>>, mp4_atom::Error> {
    let (mut children, mut rest) = (Vec::new(), body);
    while !rest.is_empty() {
        let mut after = rest;
        let Header { kind, size } = Header::decode(&mut after)?;
        let header_len = rest.len() - after.len();
        let len = size.map_or(Some(rest.len()), |size| size.checked_add(header_len));
        let bytes = len.and_then(|len| rest.get(..len)).ok_or(mp4_atom::Error::OverDecode(kind))?;
        children.push(Child { kind, start: start + body.len() - rest.len(), bytes, header_len });
        rest = &rest[bytes.len()..];
    }
    Ok(children)
}

/// The boxes of several pieces, read as if they were one file; a box never spans two.
#[derive(Debug)]
pub(super) struct Boxes {
    pieces: vec::IntoIter<Piece>,
    open: Option<OpenPiece>,
    /// Pieces that were read to their end and had neither `moov` nor `mdat`.
    without_media: Vec<SharedPath>,
    /// How many these were, those that were taken included.
    empty_pieces: usize,
}

#[derive(Debug)]
struct OpenPiece {
    path: SharedPath,
    offset: u64,
    reader: io::Take<BufReader<File>>,
    has_media: bool,
}

impl Boxes {
    pub(super) fn new(pieces: Vec<Piece>) -> Self {
        Self { pieces: pieces.into_iter(), open: None, without_media: Vec::new(), empty_pieces: 0 }
    }

    /// The next box, or `None` after the last piece.
    pub(super) fn next(&mut self) -> Result<Option<RawBox>, MediaError> {
        loop {
            if let Some(open) = &mut self.open
                && let Some(raw) = open.next_box()?
            {
                open.has_media |= matches!(raw.kind, Mdat::KIND | Moov::KIND);
                return Ok(Some(raw));
            }
            if let Some(read) = self.open.take().filter(|read| !read.has_media) {
                self.without_media.push(read.path);
                self.empty_pieces += 1;
            }
            let Some(piece) = self.pieces.next() else { return Ok(None) };
            self.open = Some(OpenPiece::open(piece)?);
        }
    }
}

impl Boxes {
    /// How many pieces without media were read.
    pub(super) fn empty_pieces(&self) -> usize {
        self.empty_pieces
    }

    /// The pieces without media since the last call.
    pub(super) fn take_without_media(&mut self) -> Vec<SharedPath> {
        std::mem::take(&mut self.without_media)
    }
}

impl OpenPiece {
    fn open(piece: Piece) -> Result<Self, MediaError> {
        let (offset, length) = piece.range.unwrap_or((0, u64::MAX));
        let opened = File::open(&piece.path).and_then(|mut file| {
            file.seek(SeekFrom::Start(offset))?;
            Ok(BufReader::new(file).take(length))
        });
        match opened {
            Ok(reader) => Ok(Self { path: piece.path, offset, reader, has_media: false }),
            Err(source) if source.kind() == io::ErrorKind::NotFound => {
                Err(MediaError::Missing { path: piece.path.to_path_buf() })
            }
            Err(source) => Err(MediaError::Io { path: piece.path.to_path_buf(), source }),
        }
    }

    fn next_box(&mut self) -> Result<Option<RawBox>, MediaError> {
        let at = BoxOffset { path: self.path.clone(), offset: self.offset };
        let mut bytes = self.read(8)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        if bytes.starts_with(&[0, 0, 0, 1]) {
            bytes.extend(self.read(8)?);
        }
        let header_len = bytes.len();
        let Some((kind, size)) = parse_header(&bytes) else { return Err(self.no_box(at, &bytes)) };
        let limit = if kind == Mdat::KIND { MDAT_LIMIT } else { BOX_LIMIT };
        if size.is_some_and(|size| size > limit) {
            let is_media = [Mdat::KIND, Moov::KIND].contains(&kind);
            if let looks_like @ Some(_) = looks_like(&bytes).filter(|_| !is_media) {
                return Err(MediaError::NotMp4 { at, looks_like });
            }
            return Err(MediaError::TooLarge { at, kind: kind.to_string(), size: size.unwrap_or(limit), limit });
        }
        bytes.extend(self.read(size.unwrap_or(limit))?);
        let has = (bytes.len() - header_len) as u64;
        // one that reaches to the end would swallow what comes to stand behind it
        if let (None, Ok(whole)) = (size, u32::try_from(bytes.len())) {
            bytes[..4].copy_from_slice(&whole.to_be_bytes());
        }
        match size {
            Some(size) if has < size => Err(MediaError::CutShort { at, kind: kind.to_string(), has, size }),
            _ => Ok(Some(RawBox { kind, bytes, header_len, at })),
        }
    }

    /// What begins with `bytes`, which are no box's.
    fn no_box(&mut self, at: BoxOffset, bytes: &[u8]) -> MediaError {
        let mut rest = [0; 4096];
        let mut is_zero = at.offset > 0 && bytes.iter().all(|byte| *byte == 0);
        while is_zero {
            match self.reader.read(&mut rest) {
                Ok(0) => return MediaError::Padding { at },
                Ok(read) => is_zero = rest[..read].iter().all(|byte| *byte == 0),
                Err(_) => break,
            }
        }
        MediaError::NotMp4 { at, looks_like: looks_like(bytes) }
    }

    /// Up to `length` bytes; fewer only at the end. Memory grows with what is there, not with what is asked for.
    fn read(&mut self, length: u64) -> Result<Vec<u8>, MediaError> {
        let mut bytes = Vec::new();
        let read = self.reader.by_ref().take(length).read_to_end(&mut bytes);
        read.map_err(|source| MediaError::Io { path: self.path.to_path_buf(), source })?;
        self.offset += bytes.len() as u64;
        Ok(bytes)
    }
}

/// What bytes that are no box's are, and what helps.
fn looks_like(bytes: &[u8]) -> Option<&'static str> {
    let is_text = |byte: &u8| matches!(byte, b'\t' | b'\n' | b'\r' | b' '..=b'~');
    match bytes {
        [0x47, 0x40 | 0x60, ..] => {
            Some(", but as of MPEG-TS; remake it with `-c copy -movflags +cmaf+frag_keyframe` of ffmpeg")
        }
        [0x1a, 0x45, 0xdf, 0xa3, ..] => {
            Some(", but as of Matroska or WebM; remake it with `-c copy -movflags +cmaf+frag_keyframe` of ffmpeg")
        }
        [0x1f, 0x8b, ..] => Some(", but compressed; unpack them with gunzip"),
        [_, ..] if bytes.iter().all(is_text) => Some(
            ", but text, as of an error page that was saved in its place; download it again, or give fragmented MP4 (CMAF)",
        ),
        _ => None,
    }
}

/// Kind and body size of a box; a size of `None` reaches to the end of the file.
fn parse_header(mut bytes: &[u8]) -> Option<(FourCC, Option<u64>)> {
    let header = Header::decode(&mut bytes).ok()?;
    let printable = header.kind.as_ref().iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ' || *byte == 0xa9);
    (printable && bytes.remaining() == 0).then_some((header.kind, header.size.map(|size| size as u64)))
}
