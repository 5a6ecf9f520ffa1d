//! Derives an archive at rest in one pass over its files, where they are in order.
//!
//! The files are read side by side and cut into parts of about the same epochs. Several threads judge, gather and hash
//! one part each; their results are merged in order. Lines may stand a little out of place: epochs near a cut are merged
//! from both sides. Nothing is taken on trust: where a line stands farther from its place, the pass gives up, and
//! the files are read as those in any order are, by [`StreamIndex`] and [`Sweep`]. Nothing was shown by then, because
//! derived epochs are kept in a temporary file until all is read.
//!
//! Files are read, not mapped: a mapped file that becomes shorter kills who reads it, and counts as memory.

mod cutter;
mod merge;
mod part;
mod run;
mod source;

use std::{
    io,
    num::NonZeroUsize,
    path::PathBuf,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
};

use self::{cutter::Cutter, merge::Merge, part::Scratch, run::Run, source::Source};
use super::{
    ArchiveError, Broadcast, FieldNames, StreamIndex, Sweep,
    index::{Quarantined, Watch},
    line::LineRule,
};
use crate::stream::{DerivedEpoch, StreamRule};

/// Bytes of each file in one part: large enough that few epochs lie across a cut, small enough that records are few.
const BLOCK_LEN: u64 = 2 << 20;

/// Threads at most: each takes memory, and one file after the other feeds them all.
const MAX_JOBS: NonZeroUsize = NonZeroUsize::new(8).expect("8 is not zero");

/// Why one pass is not enough.
#[derive(Debug, thiserror::Error)]
enum Disorder {
    /// A file cannot be read.
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    /// The files are not in order, or hardly an index.
    #[error("not in order")]
    Order,
    /// There is no room for what was derived.
    #[error("temporary file: {0}")]
    Room(io::Error),
}

/// The epochs of one stream of an archive at rest: all that have a good record, in order.
#[derive(Debug)]
pub struct Epochs {
    rule: StreamRule,
    from: From,
    /// The highest epoch that has a record.
    highest: Option<u64>,
}

#[derive(Debug)]
enum From {
    Run(Box<Run>),
    Index(Box<StreamIndex>),
}

impl Epochs {
    /// Reads the stream's files, on up to `jobs` threads, at most eight.
    ///
    /// # Errors
    ///
    /// A file cannot be read.
    pub fn read(
        broadcast: &Broadcast,
        rule: StreamRule,
        names: &FieldNames,
        jobs: NonZeroUsize,
        watch: &mut (impl Watch + Send),
    ) -> Result<Self, ArchiveError> {
        Self::read_in_blocks(broadcast, rule, names, (jobs.min(MAX_JOBS), BLOCK_LEN), watch)
    }

    fn read_in_blocks(
        broadcast: &Broadcast,
        rule: StreamRule,
        names: &FieldNames,
        (jobs, block_len): (NonZeroUsize, u64),
        watch: &mut (impl Watch + Send),
    ) -> Result<Self, ArchiveError> {
        let paths = rule.tracks.names().iter().map(|track| broadcast.track_file(track));
        let mut merge = Merge::new(&rule, paths, watch);
        let passed = one_pass(broadcast, &rule, names, (jobs, block_len), &mut merge);
        match passed.and_then(|()| merge.finish()) {
            Ok((run, highest)) => Ok(Self { rule, from: From::Run(run.into()), highest }),
            Err(Disorder::Archive(error)) => Err(error),
            Err(why @ (Disorder::Order | Disorder::Room(_))) => {
                tracing::debug!(broadcast = broadcast.name, %why, "reading the index in two passes");
                let told = merge.told();
                let mut index = StreamIndex::new(broadcast, rule.clone(), names);
                index.read_on(&mut Untold { watch, told })?;
                let highest = index.highest_epoch();
                Ok(Self { rule, from: From::Index(index.into()), highest })
            }
        }
    }

    /// The highest epoch that has a record.
    pub fn highest_epoch(&self) -> Option<u64> {
        self.highest
    }

    /// Whether one pass was enough.
    pub fn is_from_one_pass(&self) -> bool {
        matches!(self.from, From::Run(_))
    }

    /// Hands over the epochs, in order, or what keeps the next one from being read.
    ///
    /// # Errors
    ///
    /// Whatever `sink` returns.
    pub(super) fn for_each<E, D: std::convert::From<ArchiveError>>(
        self,
        mut sink: impl FnMut(Result<DerivedEpoch, D>) -> Result<(), E>,
    ) -> Result<(), E> {
        match self.from {
            From::Index(index) => {
                Sweep::all(&index).try_for_each(|swept| sink(swept.map(|swept| swept.derived).map_err(D::from)))
            }
            From::Run(mut run) => std::iter::from_fn(|| run.next(&self.rule).transpose()).try_for_each(|epoch| {
                sink(epoch.map_err(|source| D::from(ArchiveError::io(std::env::temp_dir())(source))))
            }),
        }
    }
}

fn one_pass<W: Watch + Send>(
    broadcast: &Broadcast,
    rule: &StreamRule,
    names: &FieldNames,
    (jobs, block_len): (NonZeroUsize, u64),
    merge: &mut Merge<'_, W>,
) -> Result<(), Disorder> {
    let line_rule = |track: &str| LineRule::new(names.clone(), &broadcast.name, track);
    let open = |track: &String| Source::open(broadcast.track_file(track), line_rule(track));
    let sources = rule.tracks.names().iter().map(open).collect::<Result<Vec<_>, _>>()?;
    let cutter = Mutex::new(Cutter::new(&sources, rule.epochs, block_len));
    let shared = (Mutex::new(merge), Condvar::new());
    let worker = || {
        let worked = work(&cutter, &shared, rule, &sources);
        if worked.is_err() {
            lock(&cutter).stop();
            lock(&shared.0).give_up();
            shared.1.notify_all();
        }
        worked
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (1..jobs.get()).map(|_| scope.spawn(worker)).collect();
        let own = worker();
        let joined =
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)));
        // what the system says comes before what it may have caused
        joined.fold(own, |one, other| if matches!(one, Err(Disorder::Archive(_))) { one } else { other.and(one) })
    })
}

/// Reads, judges and hashes parts, and merges them, until there are none.
fn work<W: Watch>(
    cutter: &Mutex<Cutter<'_>>,
    (merge, changed): &(Mutex<&mut Merge<'_, W>>, Condvar),
    rule: &StreamRule,
    sources: &[Source],
) -> Result<(), Disorder> {
    let mut scratch = Scratch::default();
    loop {
        let Some(part) = lock(cutter).next()? else { return Ok(()) };
        let read = part.read(rule, sources, &mut scratch)?;
        let merge = changed.wait_while(lock(merge), |merge| merge.is_full(part.number));
        merge.unwrap_or_else(PoisonError::into_inner).take(part.number, part.bounds, read)?;
        changed.notify_all();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Hears what was not told before.
struct Untold<'a, W> {
    watch: &'a mut W,
    /// The offset in each file below which bad lines were told.
    told: Vec<(PathBuf, u64)>,
}

impl<W: Watch> Watch for Untold<'_, W> {
    fn read(&mut self, bytes: u64) {
        self.watch.read(bytes);
    }

    fn quarantined(&mut self, line: Quarantined) {
        if !self.told.iter().any(|(file, end)| *file == line.file && line.offset < *end) {
            self.watch.quarantined(line);
        }
    }

    fn touched(&mut self, epoch: u64) {
        self.watch.touched(epoch);
    }
}

#[cfg(test)]
mod tests;
