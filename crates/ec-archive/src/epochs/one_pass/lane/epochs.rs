//! Links a lane's epochs, in order.

use ec_observation::{DerivedEpoch, EpochKey, NamedEpoch, ObservationHeader};

use super::{
    super::{
        disorder::Disorder,
        run::{Run, RunWriter},
    },
    piece::{Derived, DerivedPart, Epochs},
};
use crate::epochs::closed::Chain;

/// The epochs so far.
#[derive(Debug, Default)]
pub(super) struct LaneEpochs {
    chain: Chain,
    run: RunWriter,
    segment: Option<u64>,
    highest: Option<EpochKey>,
}

impl LaneEpochs {
    /// Adds the epochs of the next piece.
    pub(super) fn add(&mut self, derived: Derived) -> Result<(), Disorder> {
        derived.into_iter().try_for_each(|part| self.add_part(part).map_err(Disorder::Room))
    }

    fn add_part(&mut self, DerivedPart { segment, mark, epochs }: DerivedPart) -> std::io::Result<()> {
        if self.segment.replace(segment) != Some(segment) {
            self.run.begin(segment, mark)?;
        } else if let Some(mark) = mark {
            self.run.mark(mark)?;
        }
        epochs.into_iter().try_for_each(|epochs| match epochs {
            Epochs::Named(epochs) => epochs.iter().try_for_each(|epoch| self.add_named(epoch)),
            Epochs::Unnamed(epochs) => epochs.iter().try_for_each(|epoch| self.add_unnamed(epoch)),
        })
    }

    fn add_named(&mut self, epoch: &NamedEpoch) -> std::io::Result<()> {
        self.highest = Some(epoch.derived.key);
        // one without a time has no header; that is said when it is given back
        let linked = self.chain.link(epoch, ObservationHeader::hash).ok().flatten();
        self.run.add(epoch, linked.map(|(_, hash)| hash))
    }

    /// Adds an epoch that is no parent: it is not complete, or it has no sequence, and then no other comes after it.
    fn add_unnamed(&mut self, epoch: &DerivedEpoch) -> std::io::Result<()> {
        self.highest = Some(epoch.key);
        self.run.add_unnamed(epoch)
    }

    /// The epochs and the highest of them, after the last piece.
    pub(super) fn finish(self) -> Result<(Run, Option<EpochKey>), Disorder> {
        Ok((self.run.finish().map_err(Disorder::Room)?, self.highest))
    }
}
