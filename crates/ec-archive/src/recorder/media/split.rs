//! Cuts a fragment of several tracks into fragments of one.

use std::ops::Range;

use mp4_atom::{Atom, FourCC, Mdat, Moof, Saio, Tfdt, Tfhd, Traf, Trun};

use super::{
    InitTrack, MediaError,
    boxes::{Child, RawBox},
    moof::{RawMoof, RawTraf},
};

/// The length of a box's header as it is written, bytes.
const HEADER: usize = 8;

/// The flag of `tfhd` that eight bytes after the track's number say where offsets count from.
const BASE_DATA_OFFSET: u32 = 0x1;

/// The flag of `tfhd` that offsets count from the `moof`.
const DEFAULT_BASE_IS_MOOF: u32 = 0x02_0000;

/// The flag of `trun` that it has an offset, in four bytes after the count.
const DATA_OFFSET: u32 = 0x1;

/// The flag of `saio` that eight bytes before the count say what its data are.
const AUX_INFO_TYPE: u32 = 0x1;

/// A `moof` and its `mdat`, about to be cut.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    pub(super) moof: &'a RawMoof<'a>,
    pub(super) mdat: &'a RawBox,
}

/// The `moof` of one track in the making. Every box goes on as it is, but for the offsets in it.
#[derive(Debug, Default)]
struct Written {
    bytes: Vec<u8>,
    /// Where boxes were in the `moof`, and where they are now.
    moved: Vec<(Range<usize>, usize)>,
    /// Where the offsets of runs are, in their order.
    runs: Vec<usize>,
    /// Where offsets to data in the `moof` are, their width in bytes, and where in the old `moof` the data were.
    inside: Vec<(Range<usize>, usize)>,
}

impl Cut<'_> {
    /// A `moof` and an `mdat` with nothing but one track's samples, its offsets relative to the `moof`. What lies beside
    /// the tracks' parts in the `moof` goes with each. Its decode time is written where it is not there.
    ///
    /// `data_end` is where the data of the `traf` before ended, and becomes where this one's does: the base of offsets
    /// where the fragment names none (ISO/IEC 14496-12, 8.8.7.1), unknown after a track that is not recorded.
    pub(super) fn track(
        &self,
        traf: &RawTraf<'_>,
        track: &InitTrack,
        decode_time: u64,
        data_end: &mut Option<u64>,
    ) -> Result<Vec<u8>, MediaError> {
        let base = match traf.tfhd.base_data_offset {
            Some(offset) => offset,
            None if traf.tfhd.default_base_is_moof => self.moof.raw.at.offset,
            None => data_end.ok_or_else(|| self.outside(track))?,
        };
        let runs = self.runs(traf, track, base, data_end)?;
        let written = Written::of(self.moof, traf, base, decode_time).and_then(|moof| moof.settled(&runs));
        written.ok_or_else(|| MediaError::Unsplittable { at: self.moof.raw.at.clone(), track_id: track.track_id })
    }

    /// The samples of each run, borrowed from the `mdat`.
    fn runs(
        &self,
        traf: &RawTraf<'_>,
        track: &InitTrack,
        base: u64,
        data_end: &mut Option<u64>,
    ) -> Result<Vec<&[u8]>, MediaError> {
        let mut end = base;
        let mut runs = Vec::with_capacity(traf.runs.len());
        for run in &traf.runs {
            let start = match run.data_offset {
                Some(offset) => base.checked_add_signed(offset.into()),
                None => Some(end),
            };
            let size = traf.size_of(run, track);
            let samples = start.and_then(|start| self.slice(start, size));
            runs.push(samples.ok_or_else(|| self.outside(track))?);
            end = start.unwrap_or(base) + size;
        }
        *data_end = Some(end);
        Ok(runs)
    }

    /// `size` bytes of the `mdat` from byte `start` of the file.
    fn slice(&self, start: u64, size: u64) -> Option<&[u8]> {
        let body = self.mdat.body();
        let body_start = self.mdat.at.offset + self.mdat.header_len as u64;
        let from = usize::try_from(start.checked_sub(body_start)?).ok()?;
        body.get(from..from.checked_add(usize::try_from(size).ok()?)?)
    }

    fn outside(&self, track: &InitTrack) -> MediaError {
        MediaError::OutsideMdat { at: self.moof.raw.at.clone(), track_id: track.track_id }
    }
}

impl Written {
    /// A `moof` with nothing but this `traf`, whose offsets counted from byte `base` of the file.
    fn of(moof: &RawMoof<'_>, traf: &RawTraf<'_>, base: u64, decode_time: u64) -> Option<Self> {
        let mut written = Self::default();
        written.container(Moof::KIND, |written| {
            for child in &moof.children {
                match child.kind {
                    Traf::KIND if child.start == traf.start => {
                        written.traf(traf, base, moof.raw.at.offset, decode_time)?;
                    }
                    Traf::KIND => {}
                    _ => written.copy(child),
                }
            }
            Some(())
        })?;
        Some(written)
    }

    /// A box that holds others.
    fn container(&mut self, kind: FourCC, fill: impl FnOnce(&mut Self) -> Option<()>) -> Option<()> {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(kind.as_ref());
        fill(self)?;
        let size = u32::try_from(self.bytes.len() - start).ok()?;
        self.put(start..start + 4, size.into())
    }

    fn copy(&mut self, child: &Child<'_>) {
        self.moved.push((child.start..child.start + child.bytes.len(), self.bytes.len()));
        self.bytes.extend_from_slice(child.bytes);
    }

    /// A `traf` whose offsets counted from byte `base` of the file, out of the `moof` at byte `moof`.
    fn traf(&mut self, traf: &RawTraf<'_>, base: u64, moof: u64, decode_time: u64) -> Option<()> {
        self.container(Traf::KIND, |traf_box| {
            for child in &traf.children {
                match child.kind {
                    Tfhd::KIND => {
                        traf_box.tfhd(child)?;
                        if traf.tfdt.is_none() {
                            traf_box.tfdt(decode_time)?;
                        }
                    }
                    Trun::KIND => traf_box.run(child)?,
                    Saio::KIND => traf_box.saio(child, base, moof)?,
                    _ => traf_box.copy(child),
                }
            }
            Some(())
        })
    }

    /// The header, so that offsets count from the `moof`.
    fn tfhd(&mut self, child: &Child<'_>) -> Option<()> {
        let (flags, body) = child.flags()?;
        let (track_id, rest) = body.split_at_checked(4)?;
        let rest = if flags & BASE_DATA_OFFSET == 0 { rest } else { rest.get(8..)? };
        let flags = flags & !BASE_DATA_OFFSET | DEFAULT_BASE_IS_MOOF;
        self.container(Tfhd::KIND, |tfhd| {
            tfhd.bytes.extend_from_slice(&flags.to_be_bytes());
            tfhd.bytes.extend_from_slice(track_id);
            tfhd.bytes.extend_from_slice(rest);
            Some(())
        })
    }

    /// The decode time, in 64 bits.
    fn tfdt(&mut self, decode_time: u64) -> Option<()> {
        self.container(Tfdt::KIND, |tfdt| {
            tfdt.bytes.extend_from_slice(&[1, 0, 0, 0]);
            tfdt.bytes.extend_from_slice(&decode_time.to_be_bytes());
            Some(())
        })
    }

    /// A run, with an offset whether it had one or not.
    fn run(&mut self, child: &Child<'_>) -> Option<()> {
        let (flags, body) = child.flags()?;
        let (count, rest) = body.split_at_checked(4)?;
        let rest = if flags & DATA_OFFSET == 0 { rest } else { rest.get(4..)? };
        self.container(Trun::KIND, |trun| {
            trun.bytes.extend_from_slice(&(flags | DATA_OFFSET).to_be_bytes());
            trun.bytes.extend_from_slice(count);
            trun.runs.push(trun.bytes.len());
            trun.bytes.extend_from_slice(&[0; 4]);
            trun.bytes.extend_from_slice(rest);
            Some(())
        })
    }

    /// Offsets to other data of the samples, as what is needed to decrypt them.
    fn saio(&mut self, child: &Child<'_>, base: u64, moof: u64) -> Option<()> {
        let (flags, body) = child.flags()?;
        let width = if flags >> 24 == 0 { 4 } else { 8 };
        let skipped = if flags & AUX_INFO_TYPE == 0 { 4 } else { 12 };
        let offsets = body.get(skipped..)?;
        let at = self.bytes.len() + child.bytes.len() - offsets.len();
        for (number, offset) in offsets.chunks_exact(width).enumerate() {
            let offset = offset.iter().fold(0, |value, byte| value << 8 | u64::from(*byte));
            let old = base.checked_add(offset)?.checked_sub(moof)?;
            let field = at + number * width;
            self.inside.push((field..field + width, usize::try_from(old).ok()?));
        }
        self.copy(child);
        Some(())
    }

    /// The `moof` with its offsets, and its `mdat` of these samples; `None` for data that lie elsewhere, or too far off.
    fn settled(mut self, runs: &[&[u8]]) -> Option<Vec<u8>> {
        for (field, old) in std::mem::take(&mut self.inside) {
            let (was, is) = self.moved.iter().find(|(was, _)| was.contains(&old))?;
            let now = old - was.start + is;
            self.put(field, now as u64)?;
        }
        let mut start = self.bytes.len() + HEADER;
        for (at, run) in std::mem::take(&mut self.runs).into_iter().zip(runs) {
            self.put(at..at + 4, i32::try_from(start).ok()?.try_into().ok()?)?;
            start += run.len();
        }
        let size = runs.iter().map(|run| run.len()).sum::<usize>() + HEADER;
        self.bytes.extend_from_slice(&u32::try_from(size).ok()?.to_be_bytes());
        self.bytes.extend_from_slice(Mdat::KIND.as_ref());
        runs.iter().for_each(|run| self.bytes.extend_from_slice(run));
        Some(self.bytes)
    }

    /// Writes a number over a field, if it fits.
    fn put(&mut self, field: Range<usize>, value: u64) -> Option<()> {
        let bytes = value.to_be_bytes();
        let (above, fits) = bytes.split_at_checked(bytes.len() - field.len())?;
        self.bytes.get_mut(field)?.copy_from_slice(fits);
        above.iter().all(|byte| *byte == 0).then_some(())
    }
}
