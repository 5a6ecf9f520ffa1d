//! Cuts a stream's files, side by side, into parts of about the same epochs. Only what stands near a cut is read.

use ec_observation::EpochRule;

use super::{
    disorder::Disorder,
    track_bytes::{Stretch, TrackBytes},
};
use crate::ArchiveError;

/// How many epochs lines may stand before or after their place. Epochs this near to a cut are left to be merged.
pub(super) const SLACK: u64 = 2;

/// Of what is left of the longest file, a block is at most one of so many: the threads end together.
const BLOCKS_LEFT: u64 = 4;

/// A block is at least one of so many of its greatest length: a cut costs some epochs that are merged.
const LEAST_SHARE: u64 = 8;

/// A stretch of each file.
#[derive(Debug)]
pub(super) struct Part {
    pub(super) stretches: Vec<Stretch>,
    pub(super) bounds: Bounds,
}

/// The epochs of a part. Lines of epochs far outside mean that the files are not in order.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bounds {
    /// Where the part before was cut; `None` for the first part.
    pub(super) low: Option<u64>,
    /// Where this one is cut; `None` for the last part.
    pub(super) high: Option<u64>,
}

impl Bounds {
    /// Whether an epoch may have lines in another part.
    pub(super) fn is_edge(self, epoch: u64) -> bool {
        self.low.is_some_and(|low| epoch <= low.saturating_add(SLACK))
            || self.high.is_some_and(|high| epoch.saturating_add(SLACK) >= high)
    }

    /// Whether an epoch's lines may be in this part.
    pub(super) fn holds(self, epoch: u64) -> bool {
        self.low.is_none_or(|low| epoch.saturating_add(SLACK) >= low)
            && self.high.is_none_or(|high| epoch <= high.saturating_add(SLACK))
    }
}

/// Cuts parts off, one after the other.
#[derive(Debug)]
pub(super) struct Cutter<'a> {
    epochs: EpochRule,
    tracks: &'a [TrackBytes],
    /// Where the next part begins in each file.
    starts: Vec<u64>,
    /// Bytes of each file in one part, at most.
    block_len: u64,
    low: Option<u64>,
    finished: bool,
}

impl<'a> Cutter<'a> {
    pub(super) fn new(tracks: &'a [TrackBytes], epochs: EpochRule, block_len: u64) -> Self {
        let starts = vec![0; tracks.len()];
        Self { epochs, tracks, starts, block_len, low: None, finished: false }
    }

    /// The next part; `None` after the last.
    fn cut(&mut self) -> Result<Option<Part>, Disorder> {
        if self.finished {
            return Ok(None);
        }
        let left = self.tracks.iter().zip(&self.starts).map(|(bytes, &start)| bytes.len() - start).max();
        let block_len = block_len(left.unwrap_or_default(), self.block_len);
        let block = |(bytes, &start): (&'a TrackBytes, &u64)| bytes.block(start, block_len, self.epochs);
        let blocks = self.tracks.iter().zip(&self.starts).map(block).collect::<Result<Vec<_>, ArchiveError>>()?;
        let going_on = self.tracks.iter().zip(&blocks).filter(|(bytes, block)| !bytes.ends_with(block));
        let last: Option<Vec<u64>> = going_on.map(|(_, block)| block.last_epoch).collect();
        // the epoch that all files are read up to, at least; none when they are read to their ends
        let high = last.ok_or(Disorder::Order)?.into_iter().min();
        if high.is_some() && high < self.low {
            return Err(Disorder::Order);
        }
        let mut stretches = Vec::with_capacity(blocks.len());
        for (bytes, block) in self.tracks.iter().zip(blocks) {
            stretches.push(match high {
                // one that ends here gives all it has, so that the next part is another
                Some(high) if bytes.ends_with(&block) || block.last_epoch != Some(high) => {
                    bytes.up_to(high, block.stretch, self.epochs)?
                }
                _ => block.stretch,
            });
        }
        self.starts = stretches.iter().map(|stretch| stretch.end).collect();
        let part = Part { stretches, bounds: Bounds { low: self.low, high } };
        (self.low, self.finished) = (high, high.is_none());
        Ok(Some(part))
    }
}

/// Bytes of the next block of a file: fewer than `most` when little is left.
pub(super) fn block_len(left: u64, most: u64) -> u64 {
    (left / BLOCKS_LEFT).clamp(most / LEAST_SHARE, most)
}

impl Iterator for Cutter<'_> {
    type Item = Result<Part, Disorder>;

    /// The next part; none after the last, or after an error.
    fn next(&mut self) -> Option<Self::Item> {
        let cut = self.cut();
        self.finished |= cut.is_err();
        cut.transpose()
    }
}
