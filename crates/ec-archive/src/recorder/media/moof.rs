//! A `moof` as it is stored: what is needed of it is decoded, the rest are bytes that go with their track.

use mp4_atom::{Atom, Decode, FourCC, Tfdt, Tfhd, Traf, Trun, TrunSamples};

use super::{
    InitTrack, MediaError,
    boxes::{Child, RawBox, children},
};

/// A `moof`, borrowed.
#[derive(Debug)]
pub(super) struct RawMoof<'a> {
    /// The box itself.
    pub(super) raw: &'a RawBox,
    /// What is in it, in stored order.
    pub(super) children: Vec<Child<'a>>,
    /// Its tracks' parts, in stored order.
    pub(super) trafs: Vec<RawTraf<'a>>,
}

/// A `traf`, borrowed.
#[derive(Debug)]
pub(super) struct RawTraf<'a> {
    /// Where it begins in the `moof`.
    pub(super) start: usize,
    pub(super) children: Vec<Child<'a>>,
    pub(super) tfhd: Tfhd,
    pub(super) tfdt: Option<Tfdt>,
    /// In stored order, as among the children.
    pub(super) runs: Vec<Trun>,
}

impl<'a> RawMoof<'a> {
    /// Reads a `moof`. Boxes that are not needed here may hold anything.
    pub(super) fn parse(raw: &'a RawBox) -> Result<Self, MediaError> {
        let failed = |source| MediaError::Syntax { at: raw.at.clone(), kind: "moof", source };
        let children = children(raw.body(), raw.header_len).map_err(failed)?;
        let trafs = children.iter().filter(|child| child.kind == Traf::KIND);
        let trafs = trafs.map(RawTraf::parse).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { raw, children, trafs })
    }
}

impl<'a> RawTraf<'a> {
    fn parse(traf: &Child<'a>) -> Result<Self, mp4_atom::Error> {
        let children = children(traf.body(), traf.start + traf.header_len)?;
        let of_kind = |kind: FourCC| children.iter().filter(move |child| child.kind == kind);
        let tfhd = of_kind(Tfhd::KIND).next().ok_or(mp4_atom::Error::MissingBox(Tfhd::KIND))?;
        let runs = of_kind(Trun::KIND).map(|run| Trun::decode(&mut &run.bytes[..])).collect::<Result<_, _>>()?;
        Ok(Self {
            start: traf.start,
            tfhd: Tfhd::decode(&mut &tfhd.bytes[..])?,
            tfdt: of_kind(Tfdt::KIND).next().map(|tfdt| Tfdt::decode(&mut &tfdt.bytes[..])).transpose()?,
            runs,
            children,
        })
    }

    /// The sum of the samples' durations in ticks, with the defaults of ISO/IEC 14496-12, 8.8.7 and 8.8.3.
    pub(super) fn duration(&self, declared: &InitTrack) -> u64 {
        let default = self.tfhd.default_sample_duration.unwrap_or(declared.default_duration);
        let of_run = |samples: &TrunSamples| match samples {
            TrunSamples::Inherited { count, .. } => u64::from(*count) * u64::from(default),
            TrunSamples::Explicit(entries) => {
                entries.iter().map(|entry| u64::from(entry.duration.unwrap_or(default))).sum()
            }
        };
        self.runs.iter().map(|run| of_run(&run.samples)).fold(0, u64::saturating_add)
    }

    /// The bytes of a run's samples.
    pub(super) fn size_of(&self, run: &Trun, declared: &InitTrack) -> u64 {
        let default = self.tfhd.default_sample_size.unwrap_or(declared.default_size);
        match &run.samples {
            TrunSamples::Inherited { count, .. } => u64::from(*count) * u64::from(default),
            TrunSamples::Explicit(entries) => {
                entries.iter().map(|entry| u64::from(entry.size.unwrap_or(default))).sum()
            }
        }
    }
}
