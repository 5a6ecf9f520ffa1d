//! The index of one track: the files that stood at its path, one after the other, and which parts of each can hold
//! which epochs (protocol §2.7).
//!
//! Files are told apart by what they hold. A file that begins with all that was read is the same one, wherever it is.
//! Any other file at the path begins a new generation: where the one before is whole, it was rotated, and it is read to
//! its end first and kept; where it is not, it is lost, and with it every epoch that it touched.

use std::{
    collections::VecDeque,
    fs::{self, File},
    io,
    ops::Range,
    path::Path,
    sync::Arc,
};

use ec_observation::{EpochKey, EpochRule};

use super::{
    generation::{Footprint, Generation},
    held::{FileId, HeldFile},
    layout::Broadcast,
    track_file::TrackFile,
};
use crate::{
    ArchiveError,
    index::{Extent, Grain, Kept, KeptKeys, Keys, LineIndex, Mark, SegmentSpan, Withheld},
    line::FieldNames,
    watch::{Lost, TrackEvent, Watch},
};

/// Rotated files that are kept readable, besides the one that is written.
const MAX_ROTATED: usize = 3;

/// The index of one track.
#[derive(Clone, Debug)]
pub struct TrackIndex {
    file: TrackFile,
    epochs: EpochRule,
    /// Where lines' epochs stand, in the order in which they are read.
    keys: Keys,
    grain: Grain,
    /// Rotated files, the oldest first.
    rotated: VecDeque<Generation>,
    current: Option<Generation>,
    next_serial: u64,
    withheld: Withheld,
    /// Whether a file was read, and none stands at the path now.
    absent: bool,
}

/// A stretch of one of a track's files.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TrackPart {
    generation: u64,
    pub(crate) extent: Extent,
}

/// What a checkpoint keeps of a track.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct KeptTrack {
    generations: Vec<KeptGeneration>,
    /// Whether the last generation stood at the track's path.
    current: bool,
    next_serial: u64,
    withheld: Withheld,
    keys: KeptKeys,
}

#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
struct KeptGeneration {
    serial: u64,
    file: FileId,
    footprint: Footprint,
    lines: Kept,
}

impl TrackIndex {
    /// An index of nothing yet.
    pub fn new(broadcast: &Broadcast, track: &str, epochs: EpochRule, names: FieldNames) -> Self {
        Self {
            file: TrackFile::new(broadcast, track, names),
            epochs,
            keys: Keys::new(epochs),
            grain: Grain::default(),
            rotated: VecDeque::new(),
            current: None,
            next_serial: 0,
            withheld: Withheld::default(),
            absent: false,
        }
    }

    /// The file.
    pub fn path(&self) -> &Path {
        self.file.path()
    }

    pub(crate) fn file(&self) -> &TrackFile {
        &self.file
    }

    pub(crate) fn epochs(&self) -> EpochRule {
        self.epochs
    }

    pub(crate) fn grain(&self) -> Grain {
        self.grain
    }

    #[cfg(test)]
    pub(crate) fn set_grain(&mut self, grain: Grain) {
        self.grain = grain;
    }

    /// Bytes read of the file at the path: the offset after the last complete line.
    pub fn offset(&self) -> u64 {
        self.current.as_ref().map_or(0, |current| current.lines.offset())
    }

    /// Bytes read of all files that are kept.
    pub fn bytes_read(&self) -> u64 {
        self.generations().map(|generation| generation.lines.offset()).sum()
    }

    /// The highest epoch with a good line.
    pub fn highest_epoch(&self) -> Option<EpochKey> {
        self.generations().filter_map(|generation| generation.lines.highest()).max()
    }

    /// Whether an epoch may be complete: not while its segment has not come to its last number.
    pub(crate) fn may_be_complete(&self, epoch: EpochKey) -> bool {
        self.keys.may_be_complete(epoch)
    }

    /// What was read of each segment, ascending.
    pub(crate) fn segments(&self) -> &[SegmentSpan] {
        self.keys.spans()
    }

    /// Whether a file was read before, and none stands at the path now.
    pub(crate) fn is_absent(&self) -> bool {
        self.absent
    }

    /// Whether a file was lost and no good line came after it yet, so that it is not known which epochs the loss ends at.
    pub(crate) fn is_broken_off(&self) -> bool {
        self.withheld.is_open()
    }

    /// The epochs for which [`Self::withholds`] will stay true.
    pub(crate) fn withheld(&self) -> impl Iterator<Item = Range<EpochKey>> + '_ {
        self.withheld.epochs().cloned()
    }

    /// Whether part of what an epoch rested on cannot be read any more.
    pub fn withholds(&self, epoch: EpochKey) -> bool {
        self.withheld.contains(epoch)
    }

    /// Reads the complete lines that were appended. A missing file is an empty track.
    ///
    /// # Errors
    ///
    /// The system refuses to read.
    pub fn read_on(&mut self, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        self.read_some(u64::MAX, watch).map(|_| ())
    }

    /// Reads about `budget` bytes of what was appended; true when nothing is left.
    ///
    /// # Errors
    ///
    /// The system refuses to read.
    pub fn read_some(&mut self, budget: u64, watch: &mut impl Watch) -> Result<bool, ArchiveError> {
        self.read_rotated(budget, watch)?;
        Ok(self.read_current(budget, watch)? && (!self.look_at_path(watch)? || self.read_current(budget, watch)?))
    }

    /// Reads rotated files on: their writer may not have noticed yet.
    fn read_rotated(&mut self, budget: u64, watch: &mut impl Watch) -> Result<(), ArchiveError> {
        let mut at = 0;
        while let Some(generation) = self.rotated.get_mut(at) {
            if generation.is_as_read(self.file.path()) {
                at += 1;
                continue;
            }
            match generation.open(self.file.path()) {
                Ok(Err(lost)) => {
                    let serial = generation.serial;
                    self.lose(serial, lost, watch);
                    continue;
                }
                Ok(Ok(file)) => _ = generation.read_on(&file, &self.file, &mut self.keys, budget, watch)?,
                Err(error) if is_away(&error) => {}
                Err(error) => return Err(ArchiveError::io(self.file.path())(error)),
            }
            at += 1;
        }
        Ok(())
    }

    /// Reads the current file on by its descriptor, wherever it is now; true when it is at its end.
    fn read_current(&mut self, budget: u64, watch: &mut impl Watch) -> Result<bool, ArchiveError> {
        let Some(current) = self.current.as_mut().filter(|current| !current.is_as_read(self.file.path())) else {
            return Ok(true);
        };
        let finished = match current.open(self.file.path()) {
            Ok(Err(lost)) => {
                let serial = current.serial;
                self.lose(serial, lost, watch);
                return Ok(true);
            }
            Ok(Ok(file)) => current.read_on(&file, &self.file, &mut self.keys, budget, watch),
            Err(error) if is_away(&error) => return Ok(true),
            Err(error) => Err(ArchiveError::io(self.file.path())(error)),
        };
        if let Err(error) = finished {
            // a descriptor of a file system that went and came back; the path may lead to the same file again
            let Some(found) = self.file.open()? else { return Err(error) };
            let found = Arc::new(found);
            let moved = current.move_to(&found).map_err(ArchiveError::io(self.file.path()))?;
            return if moved { current.read_on(&found, &self.file, &mut self.keys, budget, watch) } else { Err(error) };
        }
        self.withheld.resume(current.lines.first());
        finished
    }

    /// Looks whether another file stands at the path, when the current one was read to its end; true when it does.
    fn look_at_path(&mut self, watch: &mut impl Watch) -> Result<bool, ArchiveError> {
        let path = self.file.path().to_owned();
        let io = |source| ArchiveError::Io { path: path.clone(), source };
        let known = self.current.as_ref().map(Generation::id);
        if known.is_some_and(|known| fs::metadata(&path).is_ok_and(|found| FileId::from(&found) == known)) {
            self.absent = false;
            return Ok(false);
        }
        let Some(found) = self.file.open()? else {
            self.absent = self.next_serial > 0;
            return Ok(false);
        };
        self.absent = false;
        let found = Arc::new(found);
        if let Some(current) = &mut self.current
            && current.move_to(&found).map_err(io)?
        {
            return Ok(true);
        }
        if let Some(rotated) = self.current.take() {
            self.rotate(rotated, watch).map_err(io)?;
        }
        let lines = LineIndex::new(self.grain, &self.keys);
        self.current = Some(Generation::new(self.next_serial, HeldFile::new(found).map_err(io)?, lines));
        self.next_serial += 1;
        Ok(true)
    }

    /// Puts a file that was read to its end among the rotated ones.
    fn rotate(&mut self, rotated: Generation, watch: &mut impl Watch) -> io::Result<()> {
        let (file, offset) = (self.file.path().to_owned(), rotated.lines.offset());
        let torn_bytes = rotated.torn_bytes(&file)?;
        watch.event(TrackEvent::Rotated { file, offset, torn_bytes });
        self.rotated.push_back(rotated);
        if self.rotated.len() > MAX_ROTATED
            && let Some(oldest) = self.rotated.pop_front()
            && let Some((low, high)) = oldest.lines.touched()
        {
            self.withheld.lose(low..=high);
        }
        Ok(())
    }

    /// Gives a file up that no longer holds what was read of it. What it touched is withheld, and what may have been
    /// written to it and never read: up to the first epoch of the next file.
    pub(crate) fn lose(&mut self, serial: u64, lost: Lost, watch: &mut impl Watch) {
        let (lines, next) = if let Some(current) = self.current.take_if(|current| current.serial == serial) {
            (current.lines, None)
        } else if let Some(at) = self.rotated.iter().position(|generation| generation.serial == serial) {
            let Some(generation) = self.rotated.remove(at) else { return };
            (generation.lines, self.rotated.get(at).or(self.current.as_ref()).and_then(|next| next.lines.first()))
        } else {
            return;
        };
        self.give_up(&lines, next, lost, watch);
    }

    fn give_up(&mut self, lines: &LineIndex, next: Option<EpochKey>, lost: Lost, watch: &mut impl Watch) {
        let touched = lines.touched();
        if lines.offset() > 0 {
            touched.into_iter().for_each(|(low, high)| self.withheld.lose(low..=high));
            self.withheld.break_off(touched.map_or(EpochKey::MIN, |(low, _)| low));
            self.withheld.resume(next);
        }
        watch.event(TrackEvent::Lost { file: self.file.path().to_owned(), lost, touched });
    }

    fn generations(&self) -> impl Iterator<Item = &Generation> {
        self.rotated.iter().chain(&self.current)
    }

    /// The parts of the files that can hold something of the epochs from `low` to `high`.
    pub(crate) fn parts(&self, low: EpochKey, high: EpochKey) -> impl Iterator<Item = TrackPart> + '_ {
        let parts = |generation: &Generation| {
            let serial = generation.serial;
            generation.lines.extents().map(move |extent| TrackPart { generation: serial, extent }).collect::<Vec<_>>()
        };
        let touches =
            move |part: &TrackPart| part.extent.touched.is_some_and(|(least, most)| least <= high && low <= most);
        self.generations().flat_map(parts).filter(touches)
    }

    /// Reads a part again and tells what its lines mean. On an error the `sink` has heard what must not count.
    pub(crate) fn read_part(&self, part: &TrackPart, sink: impl FnMut(Mark)) -> Result<(), ArchiveError> {
        let generation = self.generations().find(|generation| generation.serial == part.generation);
        let gone = || ArchiveError::Changed {
            path: self.file.path().to_owned(),
            start: part.extent.start,
            generation: part.generation,
        };
        generation.ok_or_else(gone)?.read_extent(&self.file, &part.extent, self.epochs, sink)
    }

    /// What a checkpoint keeps.
    pub(crate) fn kept(&self) -> KeptTrack {
        let kept = |generation: &Generation| KeptGeneration {
            serial: generation.serial,
            file: generation.id(),
            footprint: generation.footprint().clone(),
            lines: generation.lines.kept(),
        };
        KeptTrack {
            generations: self.generations().map(kept).collect(),
            current: self.current.is_some(),
            next_serial: self.next_serial,
            withheld: self.withheld.clone(),
            keys: self.keys.kept().clone(),
        }
    }

    /// Takes up what a checkpoint kept, as far as its files are found and still hold what was read of them.
    pub(crate) fn restore(&mut self, kept: KeptTrack, watch: &mut impl Watch) {
        let KeptTrack { generations, current, next_serial, withheld, keys } = kept;
        (self.next_serial, self.withheld) = (next_serial, withheld);
        self.keys = Keys::of(self.epochs, keys);
        let last = generations.len().saturating_sub(1);
        for (at, generation) in generations.into_iter().enumerate() {
            let is_current = current && at == last;
            let lines = LineIndex::of(self.grain, generation.lines.clone());
            match self.find(&generation, is_current) {
                Some(found) if is_current => self.current = Some(found),
                Some(found) => self.rotated.push_back(found),
                None => self.give_up(&lines, None, Lost::NotFound, watch),
            }
        }
    }

    /// The file of a generation: at the path, or under another name in the same directory.
    fn find(&self, kept: &KeptGeneration, is_current: bool) -> Option<Generation> {
        let here = is_current.then(|| self.path().to_owned());
        here.into_iter().chain(kept.file.beside(self.path())).find_map(|path| {
            let lines = LineIndex::of(self.grain, kept.lines.clone());
            Generation::resume(kept.serial, File::open(path).ok()?, lines, kept.footprint.clone()).ok()?
        })
    }
}

/// Whether nothing stands at the track's path: its file system may come back.
fn is_away(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::NotFound
}
