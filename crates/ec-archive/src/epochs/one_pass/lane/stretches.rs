//! Cuts a lane's file into stretches of whole lines.

use ec_observation::EpochRule;

use super::super::{
    cutter::block_len,
    disorder::Disorder,
    track_bytes::{Stretch, TrackBytes},
};

/// Cuts stretches off, one after the other.
#[derive(Debug)]
pub(super) struct Stretches<'a> {
    bytes: &'a TrackBytes,
    epochs: EpochRule,
    /// Bytes of a stretch, at most.
    most: u64,
    start: u64,
    finished: bool,
}

impl<'a> Stretches<'a> {
    pub(super) fn new(bytes: &'a TrackBytes, epochs: EpochRule, most: u64) -> Self {
        Self { bytes, epochs, most, start: 0, finished: false }
    }

    fn cut(&mut self) -> Result<Stretch, Disorder> {
        let len = block_len(self.bytes.len() - self.start, self.most);
        let block = self.bytes.block(self.start, len, self.epochs)?;
        self.finished = self.bytes.ends_with(&block);
        if block.stretch.len() == 0 && !self.finished {
            // a line that is longer than a stretch
            return Err(Disorder::Order);
        }
        self.start = block.stretch.end;
        Ok(block.stretch)
    }
}

impl Iterator for Stretches<'_> {
    type Item = Result<Stretch, Disorder>;

    /// The next stretch; none after the last, or after an error.
    fn next(&mut self) -> Option<Self::Item> {
        if self.finished {
            return None;
        }
        let cut = self.cut();
        self.finished |= cut.is_err();
        Some(cut)
    }
}
