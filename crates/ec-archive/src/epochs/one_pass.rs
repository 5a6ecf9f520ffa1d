//! Derives an archive at rest in one pass over its files, where they are in order.
//!
//! The files are read side by side and cut into parts of about the same epochs. Several threads judge, gather and hash
//! one part each; their results are merged, and their epochs linked to their parents, in order. Lines may stand a little
//! out of place: epochs near a cut are merged from both sides. A lane's file is cut into segments on the way ([`lane`]).
//! Nothing is taken on trust: where a line stands farther from its place, the pass gives up, and the files are read as
//! those in any order are, by [`StreamIndex`] and [`Sweep`]. Nothing was shown by then, because derived epochs are kept in
//! a temporary file until all is read.
//!
//! Files are read, not mapped: a mapped file that becomes shorter kills who reads it, and counts as memory.

mod cutter;
mod disorder;
mod lane;
mod lines;
mod merge;
mod part;
mod run;
mod slices;
mod track_bytes;

use std::{io, num::NonZeroUsize, path::PathBuf};

use ec_observation::{EpochKey, NamedEpoch, Namer, ObservationHash, ObservationHeader, StreamRule};

use self::{
    cutter::{Cutter, Part},
    disorder::Disorder,
    lane::LanePass,
    merge::Merge,
    part::Scratch,
    run::{Kept, Run},
    track_bytes::TrackBytes,
};
use super::{
    closed::{Chain, DeriveError, LinkedEpoch, is_closed},
    marks::{Marks, own_mark},
    sweep::Sweep,
};
use crate::{
    ArchiveError,
    files::{Broadcast, StreamIndex},
    in_order::map_in_order,
    line::{FieldNames, LineRule},
    watch::{Quarantined, Watch},
};

/// Bytes of each file in one part: large enough that few epochs lie across a cut, small enough that records are few.
const BLOCK_LEN: u64 = 2 << 20;

/// How far below the highest number of a lane its records are awaited. At a relay a late subscriber's backlog begins up to
/// 1405 below what came before it.
const HELD: u64 = 2048;

/// How a stream's files are read.
#[derive(Clone, Copy, Debug)]
struct Portions {
    /// Threads.
    jobs: NonZeroUsize,
    /// Bytes of each file in one part, at most.
    block_len: u64,
    /// How far below the highest number of a lane its records are awaited.
    held: u64,
}

/// The epochs of one stream of an archive at rest: all that have a good record, in order.
#[derive(Debug)]
pub struct Epochs {
    rule: StreamRule,
    from: From,
    /// The highest epoch that has a record.
    highest: Option<EpochKey>,
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
        Self::read_in(Portions { jobs, block_len: BLOCK_LEN, held: HELD }, broadcast, rule, names, watch)
    }

    fn read_in(
        portions: Portions,
        broadcast: &Broadcast,
        rule: StreamRule,
        names: &FieldNames,
        watch: &mut (impl Watch + Send),
    ) -> Result<Self, ArchiveError> {
        let (passed, told) = match rule.is_lane() {
            true => one_pass_of_lane(portions, broadcast, &rule, names, watch),
            false => one_pass(portions, broadcast, &rule, names, watch),
        };
        match passed {
            Ok((run, highest)) => Ok(Self { rule, from: From::Run(run.into()), highest }),
            Err(Disorder::Archive(error)) => Err(error),
            Err(why @ (Disorder::Order | Disorder::Room(_))) => {
                tracing::debug!(broadcast = broadcast.name, stream = rule.stream_id, %why, "reading the index in two passes");
                let index = Self::index(broadcast, &rule, names, &mut Untold { watch, told })?;
                Ok(Self { highest: index.highest_epoch(), rule, from: From::Index(index.into()) })
            }
        }
    }

    fn index(
        broadcast: &Broadcast,
        rule: &StreamRule,
        names: &FieldNames,
        watch: &mut impl Watch,
    ) -> Result<StreamIndex, ArchiveError> {
        let mut index = StreamIndex::new(broadcast, rule.clone(), names);
        index.read_on(watch)?;
        Ok(index)
    }

    /// The highest epoch that has a record.
    pub fn highest_epoch(&self) -> Option<EpochKey> {
        self.highest
    }

    /// Whether one pass was enough.
    pub fn is_from_one_pass(&self) -> bool {
        matches!(self.from, From::Run(_))
    }

    /// The closed epochs in ascending order. The parent of each is the nearest lower complete one.
    ///
    /// # Errors
    ///
    /// What was derived cannot be read again.
    pub fn closed(&mut self) -> Result<Closed<'_>, ArchiveError> {
        self.closed_as(|_| None)
    }

    /// The same with the marks of segments whose sessions are known: the others are named by what the archive says.
    ///
    /// # Errors
    ///
    /// What was derived cannot be read again.
    pub fn closed_as<'a>(
        &'a mut self,
        known: impl FnMut(u64) -> Option<u64> + Send + 'a,
    ) -> Result<Closed<'a>, ArchiveError> {
        let marks = Marks::new(Box::new(known));
        let source = match &mut self.from {
            From::Run(run) => {
                run.rewind().map_err(unreadable_run)?;
                Derived::Run { run, namer: Namer::new(&self.rule), marks, is_renamed: false }
            }
            From::Index(index) => Derived::Sweep(index, Sweep::all(index), marks),
        };
        Ok(Closed { source, highest: self.highest, chain: Chain::default(), failed: false })
    }
}

fn unreadable_run(source: io::Error) -> ArchiveError {
    ArchiveError::io(std::env::temp_dir())(source)
}

/// Iterates over the closed epochs of [`Epochs`], up to the first error.
#[derive(Debug)]
pub struct Closed<'a> {
    source: Derived<'a>,
    highest: Option<EpochKey>,
    chain: Chain,
    failed: bool,
}

#[derive(Debug)]
enum Derived<'a> {
    Run {
        run: &'a mut Run,
        namer: Namer<'a>,
        marks: Marks<'a>,
        /// Whether a segment had another mark than the archive's own: then the hashes of headers after it are others, too.
        is_renamed: bool,
    },
    Sweep(&'a StreamIndex, Sweep<'a>, Marks<'a>),
}

impl Derived<'_> {
    /// The next closed epoch, and the hash of its header where that is known. Only the highest one may not be closed: it
    /// needs no name, and no time for one.
    fn next(
        &mut self,
        highest: Option<EpochKey>,
    ) -> Result<Option<(NamedEpoch, Option<ObservationHash>)>, DeriveError> {
        match self {
            Self::Run { run, namer, marks, is_renamed } => {
                let rule = namer.rule();
                let Some(Kept { derived, own_mark, hashes }) = run.next(rule).map_err(unreadable_run)? else {
                    return Ok(None);
                };
                if !is_closed(&derived, highest) {
                    return Ok(None);
                }
                let mark = match own_mark {
                    Some(own) => marks.of(rule.is_lane(), &derived, |_| Ok::<_, DeriveError>(own))?,
                    None => marks.of(rule.is_lane(), &derived, |_| derived.time.clone())?,
                };
                *is_renamed |= own_mark != Some(mark);
                match hashes.filter(|_| own_mark == Some(mark)) {
                    Some((name, header)) => {
                        let named = namer.named(derived, mark, name)?;
                        Ok(Some((named, (!*is_renamed).then_some(header))))
                    }
                    None => Ok(Some((rule.name(derived, mark)?, None))),
                }
            }
            Self::Sweep(index, sweep, marks) => {
                let (rule, index) = (index.rule(), *index);
                let Some(swept) = sweep.next().transpose()? else { return Ok(None) };
                if !is_closed(&swept.derived, highest) {
                    return Ok(None);
                }
                let own = |segment| own_mark(index, segment)?.map_err(DeriveError::from);
                let mark = marks.of(rule.is_lane(), &swept.derived, own)?;
                Ok(Some((rule.name(swept.derived, mark)?, None)))
            }
        }
    }
}

impl Closed<'_> {
    fn advance(&mut self) -> Result<Option<LinkedEpoch>, DeriveError> {
        let Some((named, known)) = self.source.next(self.highest)? else { return Ok(None) };
        let hash = |header: &ObservationHeader| known.unwrap_or_else(|| header.hash());
        let (header, hash) = self.chain.link(&named, hash)?.unzip();
        Ok(Some(LinkedEpoch { named, header, hash }))
    }
}

impl Iterator for Closed<'_> {
    type Item = Result<LinkedEpoch, DeriveError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        let next = self.advance();
        self.failed = next.is_err();
        next.transpose()
    }
}

/// What one pass has found, or why it is not enough; and of each file the end of what was told.
type Passed = (Result<(Run, Option<EpochKey>), Disorder>, Vec<(PathBuf, u64)>);

/// Reads, judges and hashes parts on several threads, and merges them.
fn one_pass(
    portions: Portions,
    broadcast: &Broadcast,
    rule: &StreamRule,
    names: &FieldNames,
    watch: &mut (impl Watch + Send),
) -> Passed {
    let mut merge = Merge::new(rule, rule.tracks.names().iter().map(|track| broadcast.track_file(track)), watch);
    let tracks = rule.tracks.names().iter().map(|track| open(broadcast, track, names)).collect::<Result<Vec<_>, _>>();
    let passed = tracks.and_then(|tracks| {
        let reader = || {
            let (mut scratch, tracks) = (Scratch::new(rule), &tracks);
            move |part: Result<Part, Disorder>| {
                let part = part?;
                Ok((part.bounds, part.read(rule, tracks, &mut scratch)?))
            }
        };
        let parts = Cutter::new(&tracks, rule.epochs, portions.block_len);
        map_in_order(portions.jobs, parts, reader, |read: Result<_, Disorder>| {
            let (bounds, read) = read?;
            merge.merge(bounds, read)
        })?;
        merge.finish()
    });
    (passed, merge.told())
}

/// The same of a lane.
fn one_pass_of_lane(
    portions: Portions,
    broadcast: &Broadcast,
    rule: &StreamRule,
    names: &FieldNames,
    watch: &mut (impl Watch + Send),
) -> Passed {
    // a lane is one track
    let track = &rule.tracks.names()[0];
    let mut pass = LanePass::new(rule, broadcast.track_file(track), portions.held, watch);
    let passed = open(broadcast, track, names).and_then(|bytes| {
        pass.read(&bytes, portions)?;
        pass.finish()
    });
    (passed, pass.told())
}

fn open(broadcast: &Broadcast, track: &str, names: &FieldNames) -> Result<TrackBytes, Disorder> {
    TrackBytes::open(broadcast.track_file(track), LineRule::new(names.clone(), &broadcast.name, track))
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

    fn touched(&mut self, epoch: EpochKey) {
        self.watch.touched(epoch);
    }
}

#[cfg(test)]
mod tests;
