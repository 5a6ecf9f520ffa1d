//! One pass over a lane's file (protocol §2.5).
//!
//! Where a record belongs is known only after all before it, but finding that is a small part of the work. So several
//! threads read a stretch of the file each; one at a time cuts what was read into segments, in the file's order, and tells
//! which epochs are whole; several threads derive and name these; and one at a time links them.

mod cuts;
mod epochs;
mod piece;
mod stretches;

use std::{
    collections::VecDeque,
    iter,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};

use ec_observation::{EpochKey, StreamRule};

use self::{
    cuts::Cuts,
    epochs::LaneEpochs,
    piece::{Derived, Piece, derive},
    stretches::Stretches,
};
use super::{
    Portions,
    disorder::Disorder,
    lines::Lines,
    part::Scratch,
    run::Run,
    track_bytes::{Stretch, TrackBytes},
};
use crate::{
    in_order::map_in_order,
    watch::{Quarantined, Watch},
};

/// What a thread does next.
enum Task {
    Read(Result<Stretch, Disorder>),
    Derive(Piece),
}

/// What it has done.
enum Done {
    Read(Result<Lines, Disorder>),
    Derived(Derived),
}

/// Pieces that are cut and not derived yet.
#[derive(Debug, Default)]
struct Pieces(Mutex<VecDeque<Piece>>);

impl Pieces {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Piece>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What one pass over a lane's file has found.
pub(super) struct LanePass<'a, W> {
    rule: &'a StreamRule,
    path: PathBuf,
    watch: &'a mut W,
    /// The end of what was told of the file.
    told: u64,
    cuts: Cuts,
    epochs: LaneEpochs,
}

impl<'a, W: Watch + Send> LanePass<'a, W> {
    pub(super) fn new(rule: &'a StreamRule, path: PathBuf, held: u64, watch: &'a mut W) -> Self {
        Self { rule, path, watch, told: 0, cuts: Cuts::new(rule.epochs, held), epochs: LaneEpochs::default() }
    }

    /// The end of what was told of the file.
    pub(super) fn told(self) -> Vec<(PathBuf, u64)> {
        vec![(self.path, self.told)]
    }

    /// Reads the file, on several threads.
    pub(super) fn read(&mut self, bytes: &TrackBytes, portions: Portions) -> Result<(), Disorder> {
        let (rule, pieces) = (self.rule, Pieces::default());
        let mut stretches = Stretches::new(bytes, rule.epochs, portions.block_len);
        // what was read is derived before more is read, so little is kept
        let tasks = iter::from_fn(|| {
            let piece = pieces.lock().pop_front();
            piece.map(Task::Derive).or_else(|| stretches.next().map(Task::Read))
        });
        let worker = || {
            let mut scratch = Scratch::new(rule);
            move |task: Task| match task {
                Task::Read(stretch) => {
                    Done::Read(stretch.and_then(|stretch| Lines::read(bytes, stretch, &mut scratch.buffers)))
                }
                Task::Derive(piece) => Done::Derived(derive(piece, &mut scratch)),
            }
        };
        map_in_order(portions.jobs, tasks, worker, |done| match done {
            Done::Read(lines) => {
                pieces.lock().push_back(self.cut(lines?)?);
                Ok(())
            }
            Done::Derived(derived) => self.epochs.add(derived),
        })
    }

    /// Tells of what was read, and cuts it.
    fn cut(&mut self, lines: Lines) -> Result<Piece, Disorder> {
        self.told += lines.len;
        self.watch.read(lines.len);
        for bad in &lines.bad {
            let (file, reason) = (self.path.clone(), bad.line.reason.clone());
            self.watch.quarantined(Quarantined { file, offset: bad.offset, reason });
        }
        self.cuts.take(lines)
    }

    /// The epochs and the highest of them, after all was read.
    pub(super) fn finish(&mut self) -> Result<(Run, Option<EpochKey>), Disorder> {
        let (cuts, epochs) = (&mut self.cuts, &mut self.epochs);
        epochs.add(derive(cuts.finish()?, &mut Scratch::new(self.rule)))?;
        std::mem::take(epochs).finish()
    }
}
