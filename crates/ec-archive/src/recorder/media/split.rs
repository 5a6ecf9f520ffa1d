//! Cuts a fragment of several tracks into fragments of one.

use mp4_atom::{Encode, Moof, Traf, TrunSamples};

use super::{InitTrack, MediaError, boxes::RawBox};

/// `mdat`'s header, in bytes, as it is written.
const MDAT_HEADER: usize = 8;

/// A `moof` and its `mdat`, about to be cut.
#[derive(Debug)]
pub(super) struct Cut<'a> {
    pub(super) moof: &'a Moof,
    pub(super) raw_moof: &'a RawBox,
    pub(super) mdat: &'a RawBox,
}

impl Cut<'_> {
    /// A `moof` and an `mdat` with nothing but one track's samples, its offsets relative to the `moof`.
    ///
    /// `data_end` is where the data of the `traf` before ended, and becomes where this one's does: the base of offsets
    /// where the fragment names none (ISO/IEC 14496-12, 8.8.7.1), unknown after a track that is not recorded. Boxes that mp4-atom does not know are lost.
    pub(super) fn track(
        &self,
        traf: &Traf,
        track: &InitTrack,
        data_end: &mut Option<u64>,
    ) -> Result<Vec<u8>, MediaError> {
        if !traf.saio.is_empty() {
            return Err(MediaError::Unsplittable { at: self.raw_moof.at.clone(), track_id: track.track_id });
        }
        let runs = self.runs(traf, track, data_end)?;
        let mut moof = Moof { mfhd: self.moof.mfhd.clone(), traf: vec![traf.clone()] };
        moof.traf[0].tfhd.base_data_offset = None;
        moof.traf[0].tfhd.default_base_is_moof = true;
        self.set_offsets(&mut moof, &vec![0; runs.len()])?;
        let mut start = self.encode(&moof)?.len() + MDAT_HEADER;
        let mut offsets = Vec::with_capacity(runs.len());
        for run in &runs {
            offsets.push(start);
            start += run.len();
        }
        self.set_offsets(&mut moof, &offsets)?;
        let mut bytes = self.encode(&moof)?;
        let data = runs.concat();
        let size = u32::try_from(data.len() + MDAT_HEADER).map_err(|_| self.failed(mp4_atom::Error::InvalidSize))?;
        bytes.extend_from_slice(&size.to_be_bytes());
        bytes.extend_from_slice(b"mdat");
        bytes.extend_from_slice(&data);
        Ok(bytes)
    }

    /// The samples of each run, borrowed from the `mdat`.
    fn runs(&self, traf: &Traf, track: &InitTrack, data_end: &mut Option<u64>) -> Result<Vec<&[u8]>, MediaError> {
        let base = match traf.tfhd.base_data_offset {
            Some(offset) => offset,
            None if traf.tfhd.default_base_is_moof => self.raw_moof.at.offset,
            None => data_end.ok_or_else(|| self.outside(track))?,
        };
        let default_size = traf.tfhd.default_sample_size.unwrap_or(track.default_size);
        let mut end = base;
        let mut runs = Vec::with_capacity(traf.trun.len());
        for trun in &traf.trun {
            let start = match trun.data_offset {
                Some(offset) => base.checked_add_signed(offset.into()),
                None => Some(end),
            };
            let size = run_size(&trun.samples, default_size);
            let run = start.and_then(|start| self.slice(start, size));
            runs.push(run.ok_or_else(|| self.outside(track))?);
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

    fn set_offsets(&self, moof: &mut Moof, offsets: &[usize]) -> Result<(), MediaError> {
        for (trun, offset) in moof.traf[0].trun.iter_mut().zip(offsets) {
            let offset = i32::try_from(*offset).map_err(|_| self.failed(mp4_atom::Error::InvalidSize))?;
            trun.data_offset = Some(offset);
        }
        Ok(())
    }

    fn encode(&self, moof: &Moof) -> Result<Vec<u8>, MediaError> {
        let mut bytes = Vec::new();
        moof.encode(&mut bytes).map_err(|source| self.failed(source))?;
        Ok(bytes)
    }

    fn failed(&self, source: mp4_atom::Error) -> MediaError {
        MediaError::Syntax { at: self.raw_moof.at.clone(), kind: "moof", source }
    }

    fn outside(&self, track: &InitTrack) -> MediaError {
        MediaError::OutsideMdat { at: self.raw_moof.at.clone(), track_id: track.track_id }
    }
}

/// The bytes of a run's samples.
fn run_size(samples: &TrunSamples, default_size: u32) -> u64 {
    match samples {
        TrunSamples::Inherited { count, .. } => u64::from(*count) * u64::from(default_size),
        TrunSamples::Explicit(entries) => {
            entries.iter().map(|entry| u64::from(entry.size.unwrap_or(default_size))).sum()
        }
    }
}
