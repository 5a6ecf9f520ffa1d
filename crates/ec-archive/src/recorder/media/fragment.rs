//! Fragments: `moof` and `mdat` of one track, with the boxes before them.

use std::{collections::VecDeque, path::PathBuf};

use mp4_atom::{Atom, Emsg, FourCC, Free, Ftyp, Mdat, Mfra, Moof, Moov, Prft, Sidx, Skip, Styp};

use super::{
    BoxOffset, IgnoredTrack, Init, MediaError, Piece,
    boxes::{Boxes, RawBox},
    moof::{RawMoof, RawTraf},
    split,
};

/// A part of one track that can be decoded after the init segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fragment {
    /// Which of [`Init::tracks`] it belongs to, as an index.
    pub track: usize,
    /// `baseMediaDecodeTime` in ticks of the track's timescale.
    pub decode_time: u64,
    /// The sum of its samples' durations in ticks.
    pub duration: u64,
    /// The boxes as they are stored.
    pub bytes: Vec<u8>,
    /// Where it begins.
    pub at: BoxOffset,
    /// How many pieces without media the stream had before it.
    pub empty_before: usize,
}

/// A fragmented MP4 stream: its init segment, then its fragments in stored order.
///
/// A fragment of one track is handed on byte for byte, `styp` and what else stands before its `moof` included; a `sidx`
/// only if it indexes nothing but this fragment. A fragment of several tracks, or one with absolute offsets or without its
/// decode time, is rewritten as one fragment per track: each with the `styp` and its own `prft`, the first recorded one with the other
/// boxes (`emsg`) but indexes, which are of the whole. An `emsg` before a fragment of tracks that are not recorded goes with
/// the next one that is.
#[derive(Debug)]
pub struct Media {
    init: Init,
    moov: Vec<u8>,
    boxes: Boxes,
    /// Boxes since the last `mdat`.
    pending: Vec<RawBox>,
    ready: VecDeque<Fragment>,
    /// Where the last fragment of each track ended: only the first one of a segment need say when it begins.
    ends: Vec<Option<u64>>,
    left_out: Vec<String>,
}

impl Media {
    /// Opens `pieces`, read as if they were one file, and reads the init segment, which must come first.
    ///
    /// # Errors
    ///
    /// [`MediaError`] if a piece cannot be read or does not begin with the init segment of fragmented MP4.
    pub fn open(pieces: Vec<Piece>) -> Result<Self, MediaError> {
        let path = pieces.first().map_or_else(PathBuf::new, |piece| piece.path.to_path_buf());
        let mut boxes = Boxes::new(pieces);
        let mut bytes = Vec::new();
        let (mut pending, mut left_out) = (Vec::new(), Vec::new());
        while let Some(raw) = boxes.next()? {
            match raw.kind {
                Ftyp::KIND => bytes.extend_from_slice(&raw.bytes),
                Moov::KIND => {
                    bytes.extend_from_slice(&raw.bytes);
                    let (init, moov) = (Init::parse(&raw, bytes)?, raw.bytes);
                    left_out.extend(init.ignored.iter().map(|track| ignored(&raw.at, track)));
                    let ends = vec![None; init.tracks.len()];
                    return Ok(Self { init, moov, boxes, pending, ready: VecDeque::new(), ends, left_out });
                }
                Mdat::KIND => return Err(MediaError::NotFragmented { at: raw.at }),
                Moof::KIND if boxes.empty_pieces() > 0 => return Err(MediaError::Empty { path }),
                Moof::KIND => return Err(MediaError::NoInit { kind: raw.kind.to_string(), at: raw.at }),
                Emsg::KIND | Prft::KIND => pending.push(raw),
                Styp::KIND => {}
                kind if is_no_part_of_a_fragment(kind) || is_index(kind) => {}
                kind => left_out.push(format!("{}: box `{kind}` comes before the `moov`; left out", raw.at)),
            }
        }
        Err(MediaError::Empty { path })
    }

    /// The init segment.
    pub fn init(&self) -> &Init {
        &self.init
    }

    /// The next fragment of a video or audio track, or `None` at the end.
    ///
    /// # Errors
    ///
    /// [`MediaError`] where the media is not what its boxes say, or cannot be read.
    pub(crate) fn next_fragment(&mut self) -> Result<Option<Fragment>, MediaError> {
        loop {
            if let Some(fragment) = self.ready.pop_front() {
                return Ok(Some(fragment));
            }
            match self.boxes.next()? {
                Some(raw) => self.take(raw)?,
                None => return self.end().map(|()| None),
            }
        }
    }

    /// How many pieces without media it had so far.
    pub(crate) fn empty_pieces(&self) -> usize {
        self.boxes.empty_pieces()
    }

    /// What was left out since the last call, one sentence each.
    pub(crate) fn take_left_out(&mut self) -> Vec<String> {
        let empty = self.boxes.take_without_media();
        let empty =
            empty.iter().map(|path| format!("{}: holds no fragment; nothing of it is recorded", path.display()));
        std::mem::take(&mut self.left_out).into_iter().chain(empty).collect()
    }

    fn take(&mut self, raw: RawBox) -> Result<(), MediaError> {
        let after_moof = self.pending_moof().is_some();
        match raw.kind {
            Mdat::KIND => self.cut(&raw)?,
            Moof::KIND if after_moof => return Err(MediaError::Unpaired { at: raw.at }),
            Moov::KIND if raw.bytes != self.moov => return Err(MediaError::InitChanges { at: raw.at }),
            kind if !after_moof && is_no_part_of_a_fragment(kind) => {}
            _ => self.pending.push(raw),
        }
        Ok(())
    }

    fn pending_moof(&self) -> Option<&RawBox> {
        self.pending.iter().find(|raw| raw.kind == Moof::KIND)
    }

    fn end(&mut self) -> Result<(), MediaError> {
        if let Some(moof) = self.pending_moof() {
            return Err(MediaError::Unpaired { at: moof.at.clone() });
        }
        let after = std::mem::take(&mut self.pending).into_iter().filter(|raw| !is_index(raw.kind));
        let after = after.map(|raw| format!("{}: box `{}` comes after the last fragment; left out", raw.at, raw.kind));
        self.left_out.extend(after);
        Ok(())
    }

    /// Turns the pending boxes and their `mdat` into fragments.
    fn cut(&mut self, mdat: &RawBox) -> Result<(), MediaError> {
        let pending = std::mem::take(&mut self.pending);
        let Some(raw_moof) = pending.iter().find(|raw| raw.kind == Moof::KIND) else {
            let at = mdat.at.clone();
            return Err(if self.init.has_samples { MediaError::Hybrid { at } } else { MediaError::Unpaired { at } });
        };
        let moof = RawMoof::parse(raw_moof)?;
        if moof.trafs.is_empty() {
            self.left_out.push(format!("{}: a fragment of no track; left out", raw_moof.at));
        }
        let is_whole = |traf: &RawTraf<'_>| traf.tfhd.base_data_offset.is_none() && traf.tfdt.is_some();
        let whole = moof.trafs.len() == 1 && is_whole(&moof.trafs[0]);
        let cut = if whole { None } else { Some(split::Cut { moof: &moof, mdat }) };
        let mut data_end = Some(raw_moof.at.offset);
        let mut is_first = true;
        for traf in &moof.trafs {
            let Some(track) = self.track_of(traf, &raw_moof.at)? else {
                data_end = None;
                continue;
            };
            let declared = &self.init.tracks[track];
            let is_first = std::mem::take(&mut is_first);
            let begin = traf.tfdt.as_ref().map(|tfdt| tfdt.base_media_decode_time).or(self.ends[track]);
            let Some(decode_time) = begin else {
                let (at, track_id) = (pending[0].at.clone(), declared.track_id);
                return Err(MediaError::NoDecodeTime { at, track_id });
            };
            let bytes = match &cut {
                None => verbatim(&pending, mdat, traf.tfhd.track_id),
                Some(cut) => {
                    let beside = beside_cut(&pending, declared.track_id, is_first);
                    [beside, cut.track(traf, declared, decode_time, &mut data_end)?].concat()
                }
            };
            let (duration, at) = (traf.duration(declared), pending[0].at.clone());
            let empty_before = self.boxes.empty_pieces();
            self.ends[track] = Some(decode_time.saturating_add(duration));
            self.ready.push_back(Fragment { track, decode_time, duration, bytes, at, empty_before });
        }
        if is_first {
            self.pending = pending.into_iter().filter(|raw| raw.kind == Emsg::KIND).collect();
        }
        Ok(())
    }

    /// The index of a fragment's track; `None` for one that is not recorded.
    fn track_of(&self, traf: &RawTraf<'_>, at: &BoxOffset) -> Result<Option<usize>, MediaError> {
        let track_id = traf.tfhd.track_id;
        match self.init.tracks.iter().position(|track| track.track_id == track_id) {
            Some(index) => Ok(Some(index)),
            None if self.init.ignored.iter().any(|ignored| ignored.track_id == track_id) => Ok(None),
            None => Err(MediaError::UnknownTrack { at: at.clone(), track_id }),
        }
    }
}

fn is_no_part_of_a_fragment(kind: FourCC) -> bool {
    [Ftyp::KIND, Moov::KIND, Free::KIND, Skip::KIND, Mfra::KIND].contains(&kind)
}

fn verbatim(pending: &[RawBox], mdat: &RawBox, track_id: u32) -> Vec<u8> {
    let kept = pending.iter().filter(|raw| raw.kind != Sidx::KIND || indexes_only(raw, track_id));
    kept.chain([mdat]).flat_map(|raw| raw.bytes.iter().copied()).collect()
}

/// Whether a `sidx` indexes one fragment of this track, rather than a whole file.
fn indexes_only(sidx: &RawBox, track_id: u32) -> bool {
    sidx.decode("sidx").is_ok_and(|sidx: Sidx| sidx.reference_id == track_id && sidx.references.len() == 1)
}

/// The boxes that go before a track's part of a fragment that is cut.
fn beside_cut(pending: &[RawBox], track_id: u32, is_first: bool) -> Vec<u8> {
    let goes = |raw: &&RawBox| match raw.kind {
        Moof::KIND => false,
        Styp::KIND => true,
        // after version and flags comes the track's number
        Prft::KIND => raw.body().get(4..8) == Some(&track_id.to_be_bytes()),
        kind => is_first && !is_index(kind),
    };
    pending.iter().filter(goes).flat_map(|raw| raw.bytes.iter().copied()).collect()
}

/// Whether a box says where others lie, which holds no longer.
fn is_index(kind: FourCC) -> bool {
    kind == Sidx::KIND || kind == FourCC::new(b"ssix")
}

fn ignored(at: &BoxOffset, track: &IgnoredTrack) -> String {
    let IgnoredTrack { track_id, handler } = track;
    format!("{}: track {track_id} (`{handler}`) is left out: only video and audio are recorded", at.path.display())
}
