//! Finds the archive's broadcasts, those that appear later too, and reads each until it can be followed.

use std::{
    collections::HashSet,
    fmt,
    path::{Path, PathBuf},
};

use ec_archive::{Archive, ArchiveError, Checkpoints, FieldNames, Mapping, Source, StreamIndex};
use ec_ledger::Pulse;
use ec_observation::StreamHash;
use tokio::time::Instant;

use super::{
    Halt,
    closing::Closing,
    joining::{Joining, start_key, start_number},
    keep::{Keeper, Kept},
    streams::FollowedStream,
};

/// The time between two walks through `manifests/`.
const LOOK_EVERY_MS: u64 = 5_000;

/// How often a lasting trouble is told.
const TELL_EVERY_MS: u64 = 30_000;

/// Bytes of each track that are read between two looks at the chain and at signals: well under a second's work.
const TURN_BYTES: u64 = 64 << 20;

/// Where streams come from, and how they are read.
pub struct Intake {
    archive: Archive,
    names: FieldNames,
    closing: Closing,
    mapping: Mapping,
    keeper: Keeper,
    known: HashSet<StreamHash>,
    joining: Vec<Joining>,
    strays: std::cell::RefCell<HashSet<PathBuf>>,
    pulse: Pulse,
    looked_ms: Option<u64>,
    trouble: Option<Trouble>,
}

impl fmt::Debug for Intake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Intake").field("archive", &self.archive).field("joining", &self.joining).finish_non_exhaustive()
    }
}

/// Why the archive cannot be walked.
#[derive(Debug)]
struct Trouble {
    what: String,
    told_ms: u64,
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
            keeper: Keeper::new(checkpoints),
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

    /// Where the archive's index is.
    pub(super) fn manifests(&self) -> &Path {
        &self.archive.manifests
    }

    /// Keeps the indexes of streams.
    pub(super) fn keeper(&self) -> &Keeper {
        &self.keeper
    }

    /// Whether epochs close as in an archive at rest.
    pub(super) fn is_at_rest(&self) -> bool {
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
            let first = joining.read(self.turn_bytes(), self.is_at_rest(), &self.keeper, now_ms)?;
            self.pulse.beat();
            let first = first.map(|first| start_number(joining.index.rule().is_lane(), &first));
            let begun = |first| begin(&joining.index.rule().stream_id, joining.from_sequence, first);
            let (Some(first), Some(from)) = (first, first.map(begun).transpose()?.flatten()) else {
                self.joining.push(joining);
                continue;
            };
            let Joining { index, mut kept, .. } = joining;
            let stream_id = &index.rule().stream_id;
            tracing::info!(stream = stream_id, from, first, bytes = index.bytes_read(), "stream taken up");
            self.keeper.keep_rest(&index, &mut kept, now_ms);
            let from = start_key(&index, from)?;
            ready.push((FollowedStream::new(index, from, max_inflight, self.closing), kept));
        }
        Ok(ready)
    }

    /// Walks through the archive. One that cannot be walked is an error only where it is at rest.
    fn look(&mut self, now_ms: u64) -> Result<(), Halt> {
        let stray = |file: &Path| {
            if self.strays.borrow_mut().insert(file.to_owned()) {
                tracing::warn!(file = %file.display(), "ignored: files directly in manifests/ belong to no broadcast");
            }
        };
        match self.archive.broadcasts_and(stray) {
            Ok(broadcasts) => {
                if self.trouble.take().is_some() {
                    tracing::info!("the archive can be read again");
                }
                let sources = (self.mapping)(broadcasts);
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
            self.pulse.beat();
            let kept = self.keeper.restore(&mut index, now_ms);
            self.joining.push(Joining::new(index, from_sequence, kept, now_ms));
        }
    }

    /// Keeps the indexes of the streams that are still read for the first time, as far as there is time `until` then.
    pub(super) fn keep_joining(&mut self, now_ms: u64, until: Instant) {
        let Self { joining, keeper, .. } = self;
        for Joining { index, kept, .. } in joining.iter_mut().take_while(|_| Instant::now() < until) {
            keeper.keep_rest(index, kept, now_ms);
        }
    }
}
