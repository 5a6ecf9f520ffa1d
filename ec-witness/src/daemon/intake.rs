//! Finds the archive's broadcasts, those that appear later too, and reads each until it can be followed.

use std::{collections::HashSet, path::PathBuf, time::Duration};

use super::{Closing, FollowedStream, Halt};
use ec_archive::{Archive, ArchiveError, Checkpoints, FieldNames, Quarantined, StreamIndex, Sweep, TrackEvent, Watch};
use ec_ledger::Pulse;
use ec_observation::{StreamHash, StreamRule};

/// The time between two walks through `manifests/`.
const LOOK_EVERY_MS: u64 = 5_000;

/// How often a lasting trouble, or the progress of a long reading, is told.
const TELL_EVERY_MS: u64 = 30_000;

/// Bytes of each track that are read between two looks at the chain and at signals: well under a second's work.
pub(super) const TURN_BYTES: u64 = 64 << 20;

/// Bytes read of a stream after which its index is kept on the disk again.
const KEEP_BYTES: u64 = 64 << 20;

/// The time after which its index is kept again if anything was read.
const KEEP_EVERY_MS: u64 = Duration::from_secs(300).as_millis() as u64;

/// A broadcast of the archive and the stream it is.
#[derive(Clone, Debug)]
pub struct Source {
    /// The broadcast's name.
    pub broadcast: String,
    /// The stream's rule.
    pub rule: StreamRule,
    /// The first epoch that is judged, where that is configured.
    pub from_sequence: Option<u64>,
}

/// Tells which streams an archive with these broadcasts has.
pub type Mapping = Box<dyn FnMut(Vec<String>) -> Vec<Source> + Send>;

/// Where streams come from, and how they are read.
pub struct Intake {
    archive: Archive,
    names: FieldNames,
    closing: Closing,
    mapping: Mapping,
    checkpoints: Option<Checkpoints>,
    known: HashSet<StreamHash>,
    joining: Vec<Joining>,
    strays: std::cell::RefCell<HashSet<PathBuf>>,
    pulse: Pulse,
    looked_ms: Option<u64>,
    trouble: Option<Trouble>,
}

impl std::fmt::Debug for Intake {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Intake").field("archive", &self.archive).field("joining", &self.joining).finish_non_exhaustive()
    }
}

/// Why the archive cannot be walked.
#[derive(Debug)]
struct Trouble {
    what: String,
    told_ms: u64,
}

/// A stream that is being read for the first time.
#[derive(Debug)]
struct Joining {
    index: StreamIndex,
    from_sequence: Option<u64>,
    told_ms: u64,
    kept: Kept,
}

/// When a stream's index was kept last.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Kept {
    bytes: u64,
    at_ms: u64,
}

/// Logs what is found while a stream is read for the first time; of the bad lines of one reading, the first ones.
#[derive(Default)]
struct Told {
    bad_lines: u64,
}

impl Watch for Told {
    fn quarantined(&mut self, line: Quarantined) {
        self.bad_lines += 1;
        if self.bad_lines <= 8 {
            tell_bad_line(&line);
        }
    }

    fn event(&mut self, event: TrackEvent) {
        tell_event(&event);
    }
}

/// Logs a bad line.
pub(super) fn tell_bad_line(Quarantined { file, offset, reason }: &Quarantined) {
    tracing::warn!(file = %file.display(), offset, %reason, "bad line quarantined");
}

/// Logs how many bad lines were not told one by one.
pub(super) fn tell_bad_lines(stream: &str, told: usize, bad_lines: u64) {
    if bad_lines > told as u64 {
        tracing::warn!(stream, bad_lines, "more bad lines quarantined");
    }
}

/// Logs what befell a track's file.
pub(super) fn tell_event(event: &TrackEvent) {
    match event {
        TrackEvent::Rotated { file, offset, torn_bytes: 0 } => {
            tracing::info!(file = %file.display(), offset, "the file was rotated; reading the new one");
        }
        TrackEvent::Rotated { file, offset, torn_bytes } => {
            tracing::warn!(file = %file.display(), offset, torn_bytes, "the file was rotated within a line; reading the new one");
        }
        TrackEvent::Lost { file, lost, touched } => {
            let (first, last) = touched.unzip();
            tracing::error!(
                file = %file.display(), reason = %lost, first_epoch = first, last_epoch = last,
                "an index file is lost; its epochs are withheld"
            );
        }
    }
}

impl Intake {
    /// Takes in the streams that `mapping` makes of the archive's broadcasts. With `checkpoints`, reads on where an
    /// earlier process stopped.
    pub fn new(
        archive: Archive,
        names: FieldNames,
        closing: Closing,
        mapping: Mapping,
        checkpoints: Option<Checkpoints>,
    ) -> Self {
        Self {
            archive,
            names,
            closing,
            mapping,
            checkpoints,
            known: HashSet::new(),
            joining: Vec::new(),
            strays: std::cell::RefCell::default(),
            pulse: Pulse::default(),
            looked_ms: None,
            trouble: None,
        }
    }

    /// Beats `pulse` whenever a stretch of an index was read.
    pub(super) fn beat(&mut self, pulse: Pulse) {
        self.pulse = pulse;
    }

    /// The archive.
    pub(super) fn archive(&self) -> &Archive {
        &self.archive
    }

    /// Whether epochs close as in an archive at rest.
    fn is_at_rest(&self) -> bool {
        self.closing == Closing::AtRest
    }

    /// Bytes that one turn reads of each track.
    pub(super) fn turn_bytes(&self) -> u64 {
        if self.is_at_rest() { u64::MAX } else { TURN_BYTES }
    }

    /// Why the archive cannot be walked now.
    pub(super) fn trouble(&self) -> Option<&str> {
        self.trouble.as_ref().map(|trouble| trouble.what.as_str())
    }

    /// Streams that are still read for the first time.
    pub(super) fn joining(&self) -> usize {
        self.joining.iter().filter(|joining| joining.index.bytes_read() > 0).count()
    }

    /// Looks for new broadcasts, if that is due, reads what is new on, and hands over what can be followed: streams whose
    /// files were read to their ends and hold a record. `begin` tells, of a stream's id, its configured and its first epoch,
    /// which one is judged first, or that it cannot be fixed now.
    pub(super) fn advance(
        &mut self,
        now_ms: u64,
        max_inflight: usize,
        mut begin: impl FnMut(&str, Option<u64>, u64) -> Result<Option<u64>, Halt>,
    ) -> Result<Vec<(FollowedStream, Kept)>, Halt> {
        if self.looked_ms.is_none_or(|at_ms| now_ms.saturating_sub(at_ms) >= LOOK_EVERY_MS) {
            self.looked_ms = Some(now_ms);
            self.look(now_ms)?;
        }
        let mut ready = Vec::new();
        for mut joining in std::mem::take(&mut self.joining) {
            let first = self.read(&mut joining, now_ms)?;
            self.pulse.beat();
            let begun = |first| begin(&joining.index.rule().stream_id, joining.from_sequence, first);
            let (Some(first), Some(from)) = (first, first.map(begun).transpose()?.flatten()) else {
                self.joining.push(joining);
                continue;
            };
            let Joining { index, kept, .. } = joining;
            let stream_id = &index.rule().stream_id;
            tracing::info!(stream = stream_id, from, first, bytes = index.bytes_read(), "stream taken up");
            self.keep_now(&index);
            ready.push((FollowedStream::new(index, from, max_inflight, self.closing), kept));
        }
        Ok(ready)
    }

    /// Walks through the archive. One that cannot be walked is an error only where it is at rest.
    fn look(&mut self, now_ms: u64) -> Result<(), Halt> {
        let stray = |file: &std::path::Path| {
            if self.strays.borrow_mut().insert(file.to_owned()) {
                tracing::warn!(file = %file.display(), "ignored: files directly in manifests/ belong to no broadcast");
            }
        };
        match self.archive.broadcasts_and(stray) {
            Ok(broadcasts) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the archive can be read again");
                }
                let sources = (self.mapping)(broadcasts.into_iter().map(|broadcast| broadcast.name).collect());
                self.join(sources, now_ms);
                Ok(())
            }
            Err(error) if self.is_at_rest() => Err(error.into()),
            Err(error) => {
                self.complain(&error, now_ms);
                Ok(())
            }
        }
    }

    fn complain(&mut self, error: &ArchiveError, now_ms: u64) {
        let what = error.to_string();
        let told_ms = self.trouble.as_ref().filter(|trouble| trouble.what == what).map(|trouble| trouble.told_ms);
        if told_ms.is_some_and(|told_ms| now_ms.saturating_sub(told_ms) < TELL_EVERY_MS) {
            return;
        }
        tracing::warn!(error = what, "the archive cannot be read; waiting for it");
        self.trouble = Some(Trouble { what, told_ms: now_ms });
    }

    fn join(&mut self, sources: Vec<Source>, now_ms: u64) {
        for Source { broadcast, rule, from_sequence } in sources {
            if !self.known.insert(rule.stream_hash()) {
                continue;
            }
            tracing::info!(broadcast, stream = rule.stream_id, "broadcast found");
            let mut index = StreamIndex::new(&self.archive.broadcast(&broadcast), rule, &self.names);
            if let Some(checkpoints) = &self.checkpoints {
                self.pulse.beat();
                for error in checkpoints.restore(&mut index, &mut Told::default()) {
                    tracing::warn!(%error, "the checkpoint is left aside; reading everything");
                }
            }
            let kept = Kept { bytes: index.bytes_read(), at_ms: now_ms };
            self.joining.push(Joining { index, from_sequence, told_ms: now_ms, kept });
        }
    }

    /// Reads a new stream on; its first epoch, when it can be followed.
    fn read(&mut self, joining: &mut Joining, now_ms: u64) -> Result<Option<u64>, Halt> {
        let mut told = Told::default();
        let read = joining.index.read_some(self.turn_bytes(), &mut told);
        let stream = joining.index.rule().stream_id.clone();
        tell_bad_lines(&stream, 8, told.bad_lines);
        let first = read.and_then(|finished| {
            let first = finished.then(|| Sweep::all(&joining.index).next()).flatten().transpose()?;
            Ok(first.map(|swept| swept.derived.sequence))
        });
        self.keep(&joining.index, &mut joining.kept, now_ms);
        let tell = now_ms.saturating_sub(joining.told_ms) >= TELL_EVERY_MS;
        if tell {
            joining.told_ms = now_ms;
        }
        match first {
            Ok(first) => {
                if tell && first.is_none() {
                    tracing::info!(stream, bytes = joining.index.bytes_read(), "reading the index");
                }
                Ok(first)
            }
            Err(error) if self.is_at_rest() => Err(error.into()),
            Err(ArchiveError::Changed { path, generation, .. }) => {
                joining.index.lose(&path, generation, &mut Told::default());
                Ok(None)
            }
            Err(error) => {
                if tell {
                    tracing::warn!(stream, %error, "the index cannot be read; trying again");
                }
                Ok(None)
            }
        }
    }

    /// Keeps a stream's index on the disk, when enough was read since the last time.
    pub(super) fn keep(&self, index: &StreamIndex, kept: &mut Kept, now_ms: u64) {
        let bytes = index.bytes_read();
        let is_due = bytes.abs_diff(kept.bytes) >= KEEP_BYTES
            || bytes != kept.bytes && now_ms.saturating_sub(kept.at_ms) >= KEEP_EVERY_MS;
        if is_due {
            *kept = Kept { bytes, at_ms: now_ms };
            self.keep_now(index);
        }
    }

    /// Keeps a stream's index on the disk. A disk that refuses costs the next start its time, no more.
    pub(super) fn keep_now(&self, index: &StreamIndex) {
        if let Some(checkpoints) = &self.checkpoints
            && let Err(error) = checkpoints.save(index)
        {
            tracing::warn!(%error, "the checkpoint cannot be written");
        }
    }

    /// Keeps the indexes of the streams that are still read for the first time.
    pub(super) fn keep_joining(&self) {
        self.joining.iter().for_each(|joining| self.keep_now(&joining.index));
    }
}
