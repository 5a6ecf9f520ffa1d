//! Reads archives, as they grow, into the databases of their ledgers.

use std::{
    collections::{BTreeSet, HashMap, VecDeque},
    path::{Path, PathBuf},
    sync::{Arc, RwLock},
    thread,
    time::Duration,
};

use ec_archive::{
    ArchiveError, Broadcast, Checkpoints, Lost, Quarantined, StreamIndex, StreamTable, Sweep, TrackEvent, Watch,
    cas::Cas,
};
use ec_observation::{EpochKey, Record, StreamHash, StreamRule};
use tokio_util::sync::CancellationToken;

use crate::{
    clock::now_ms,
    hub::{About, Hub},
    model::ArchiveEvent,
    state::{ArchiveState, Reading, Source},
    store::{ArchiveWriter, EpochRow, EpochWord, RecordRow, StoreError},
};

/// The time between two walks through `manifests/`, milliseconds.
const LOOK_EVERY_MS: u64 = 5_000;
/// Bytes of a stream that are read at once: a question about it waits no longer than for these.
const TURN_BYTES: u64 = 2 << 20;
/// Bytes read of a stream after which its index is kept again.
const KEEP_BYTES: u64 = 64 << 20;
/// The time after which it is kept again if anything was read, milliseconds.
const KEEP_EVERY_MS: u64 = 60_000;
/// Epochs that are swept at once.
const SWEPT: usize = 4096;

/// Why a turn ended early.
#[derive(Debug, thiserror::Error)]
enum Trouble {
    #[error(transparent)]
    Archive(#[from] ArchiveError),
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads an archive until it is to stop. Blocks the thread.
pub fn read(
    archive: &Arc<ArchiveState>,
    tables: &[StreamTable],
    hub: &Hub,
    kept_in: &Path,
    poll: Duration,
    stop: &CancellationToken,
) {
    let mut reader = Reader {
        archive,
        tables,
        hub,
        checkpoints: Checkpoints::at(kept_in),
        sources: HashMap::new(),
        refused: BTreeSet::new(),
        looked_ms: None,
    };
    while !stop.is_cancelled() {
        let (busy, trouble) = match reader.turn() {
            Ok(busy) => (busy, None),
            Err(error) => (false, Some(error.to_string())),
        };
        let before = archive.reading();
        if let Some(trouble) = trouble.as_ref().filter(|trouble| before.trouble.as_ref() != Some(trouble)) {
            tracing::warn!(
                archive = archive.settings.name,
                error = trouble,
                "the archive cannot be read; waiting for it"
            );
        }
        archive.note(Reading { current: !busy && trouble.is_none(), trouble });
        if !busy {
            thread::park_timeout(poll);
        }
    }
    reader.sources.values_mut().for_each(|work| work.keep(&reader.checkpoints, true));
}

struct Reader<'a> {
    archive: &'a Arc<ArchiveState>,
    tables: &'a [StreamTable],
    hub: &'a Hub,
    checkpoints: Checkpoints,
    sources: HashMap<StreamHash, Work>,
    /// Broadcasts that were complained about.
    refused: BTreeSet<String>,
    looked_ms: Option<u64>,
}

impl Reader<'_> {
    /// Reads some of each stream on; true where more is there.
    fn turn(&mut self) -> Result<bool, Trouble> {
        let now = now_ms();
        if self.looked_ms.is_none_or(|at| now.saturating_sub(at) >= LOOK_EVERY_MS) {
            self.looked_ms = Some(now);
            self.look()?;
        }
        let mut busy = false;
        for (stream, work) in &mut self.sources {
            let (more, new) = work.turn(now, self.archive.settings.grace)?;
            work.keep(&self.checkpoints, false);
            if new > 0 && work.was_current {
                let (archive, ledger) = (&self.archive.settings.name, &self.archive.settings.ledger);
                let about = About { ledger: ledger.clone(), stream: Some(stream.to_string()), slot: None };
                let event = ArchiveEvent {
                    archive: archive.clone(),
                    ledger: ledger.clone(),
                    stream: stream.to_string(),
                    records: new,
                };
                self.hub.tell("archive", about, &event);
            }
            work.was_current = !more;
            busy |= more;
        }
        Ok(busy)
    }

    /// Walks through the archive and takes in streams that are new.
    fn look(&mut self) -> Result<(), Trouble> {
        let (archive, tables) = (self.archive, self.tables);
        for broadcast in archive.settings.archive.broadcasts_and(|_| ())? {
            let rules = match archive.settings.streams_of(&broadcast, tables) {
                Ok(rules) => rules,
                Err(error) => {
                    if self.refused.insert(broadcast.name.clone()) {
                        let error = ec_rpc::in_one_line(error.as_ref());
                        tracing::error!(archive = archive.settings.name, %error, "the broadcast is left out");
                    }
                    continue;
                }
            };
            for rule in rules {
                let hash = rule.stream_hash();
                match self.sources.get(&hash) {
                    None => {
                        let index = StreamIndex::new(&broadcast, rule.clone(), &archive.settings.fields);
                        let work = Work::new(archive, &broadcast, rule, index, &self.checkpoints)?;
                        self.sources.insert(hash, work);
                    }
                    Some(other) if other.source.broadcast != broadcast => {
                        if self.refused.insert(broadcast.name.clone()) {
                            let (one, two) = (&other.source.broadcast.name, &broadcast.name);
                            tracing::error!(
                                one,
                                two,
                                stream = rule.stream_id,
                                "two broadcasts are one stream; the second is left out"
                            );
                        }
                    }
                    Some(_) => {}
                }
            }
        }
        Ok(())
    }
}

/// A stream that is read.
struct Work {
    source: Arc<Source>,
    writer: ArchiveWriter,
    /// Epochs that something touched, and that are not closed.
    pending: BTreeSet<EpochKey>,
    /// When the highest epoch rose, and to what.
    risen: VecDeque<(EpochKey, u64)>,
    /// Every epoch below it has had a later record for longer than the grace.
    aged: EpochKey,
    was_current: bool,
    kept_bytes: u64,
    kept_ms: u64,
}

/// Epochs that may have been open when the index was kept: the newest ones of the last two segments. Those that were not are
/// only written again.
fn newest_epochs(index: &StreamIndex) -> BTreeSet<EpochKey> {
    let segments = index.segments();
    let newest = segments.iter().rev().take(2);
    newest
        .flat_map(|span| {
            let lowest = span.lowest.max(span.highest.saturating_sub(8));
            (lowest..=span.highest).map(|index| EpochKey { segment: span.segment, index })
        })
        .collect()
}

/// A file that no longer holds what was read of it, why, and the epochs that it touched.
type LostFile = (PathBuf, Lost, Option<(EpochKey, EpochKey)>);

/// What is heard while files are read on.
#[derive(Default)]
struct Ear {
    records: Vec<RecordRow>,
    touched: BTreeSet<EpochKey>,
    bad_lines: u64,
    lost: Vec<LostFile>,
}

impl Watch for Ear {
    fn record(&mut self, _: &Path, epoch: EpochKey, record: &Record) {
        self.records.push(RecordRow::new(&record.blake3, epoch.segment, record.group_sequence));
    }

    fn touched(&mut self, epoch: EpochKey) {
        self.touched.insert(epoch);
    }

    fn quarantined(&mut self, _: Quarantined) {
        self.bad_lines += 1;
    }

    fn event(&mut self, event: TrackEvent) {
        if let TrackEvent::Lost { file, lost, touched } = event {
            self.lost.push((file, lost, touched));
        }
    }
}

impl Work {
    fn new(
        archive: &ArchiveState,
        broadcast: &Broadcast,
        rule: StreamRule,
        mut index: StreamIndex,
        checkpoints: &Checkpoints,
    ) -> Result<Self, Trouble> {
        let name = &archive.settings.name;
        let mut writer = ArchiveWriter::new(Arc::clone(&archive.ledger.store), name, &broadcast.name, &rule)?;
        let empty = index.clone();
        for error in checkpoints.restore(&mut index, &mut ()) {
            tracing::warn!(%error, "what was kept of an index is left aside; reading everything");
        }
        // what is kept must not be ahead of the database, and the database must not have what is read anew
        if index.bytes_read() > writer.bytes() {
            index = empty;
        }
        if index.bytes_read() == 0 && writer.bytes() > 0 {
            writer.begin_anew()?;
        }
        let kept_bytes = index.bytes_read();
        let pending = newest_epochs(&index);
        let source = Arc::new(Source {
            archive: name.clone(),
            broadcast: broadcast.clone(),
            rule,
            fields: archive.settings.fields.clone(),
            cas: Cas::new(&archive.settings.archive.cas),
            index: RwLock::new(index),
        });
        archive.ledger.add_source(writer.source(), Arc::clone(&source));
        Ok(Self {
            source,
            writer,
            pending,
            risen: VecDeque::new(),
            aged: EpochKey::MIN,
            was_current: false,
            kept_bytes,
            kept_ms: now_ms(),
        })
    }

    /// Reads some of it on and writes that; whether more is there, and how many records are new.
    fn turn(&mut self, now: u64, grace: Duration) -> Result<(bool, u64), Trouble> {
        let mut ear = Ear::default();
        let finished = self.source.index_mut().read_some(TURN_BYTES, &mut ear)?;
        let (highest, bytes) = {
            let index = self.source.index();
            (index.highest_epoch(), index.bytes_read())
        };
        for (file, lost, touched) in std::mem::take(&mut ear.lost) {
            tracing::warn!(file = %file.display(), %lost, "what was read of the file does not count any more");
            if let Some((low, high)) = touched {
                self.writer.withhold(low, high)?;
            }
        }
        self.pass(highest, now, grace);
        self.pending.extend(&ear.touched);
        let epochs = self.closed(&ear.touched)?;
        if ear.records.is_empty() && epochs.is_empty() && ear.bad_lines == 0 && bytes == self.writer.bytes() {
            return Ok((!finished, 0));
        }
        let new = self.writer.write(&mut ear.records, &epochs, ear.bad_lines, bytes)?;
        Ok((!finished, new))
    }

    /// Notes when the highest epoch rose, and lets the grace of what lies below pass.
    fn pass(&mut self, highest: Option<EpochKey>, now: u64, grace: Duration) {
        let known = self.risen.back().map_or(self.aged, |(epoch, _)| *epoch);
        if let Some(highest) = highest.filter(|highest| *highest > known) {
            self.risen.push_back((highest, now));
        }
        let grace_ms = grace.as_millis() as u64;
        while let Some((epoch, _)) = self.risen.pop_front_if(|(_, at)| at.saturating_add(grace_ms) <= now) {
            self.aged = epoch;
        }
    }

    /// Derives those epochs that are closed now, or were and have changed.
    fn closed(&mut self, touched: &BTreeSet<EpochKey>) -> Result<Vec<EpochRow>, Trouble> {
        let index = self.source.index();
        let is_due = |key: &&EpochKey| **key < self.aged || touched.contains(key) && index.may_be_complete(**key);
        let due: Vec<EpochKey> =
            self.pending.iter().filter(is_due).filter(|key| !index.withholds(**key)).copied().collect();
        let (mut closed, mut changed) = (Vec::new(), None);
        'all: for run in due.chunk_by(|a, b| a.segment == b.segment && b.index - a.index <= 2) {
            for keys in run.chunks(SWEPT) {
                let (Some(first), Some(last)) = (keys.first(), keys.last()) else { continue };
                for swept in Sweep::new(&index, *first..=*last) {
                    let derived = match swept {
                        Ok(swept) => swept.derived,
                        Err(ArchiveError::Changed { path, generation, .. }) => {
                            changed = Some((path, generation));
                            break 'all;
                        }
                        Err(error) => return Err(error.into()),
                    };
                    let is_closed = derived.complete || derived.key < self.aged;
                    if is_closed && keys.binary_search(&derived.key).is_ok() {
                        closed.push(EpochRow {
                            key: derived.key,
                            word: match (derived.is_conflicting(), derived.complete) {
                                (true, _) => EpochWord::Conflicting,
                                (false, true) => EpochWord::Complete,
                                (false, false) => EpochWord::Incomplete,
                            },
                            leaves: derived.leaf_count,
                            root: derived.data_root,
                            observed_ms: derived.time.ok(),
                        });
                    }
                }
            }
        }
        drop(index);
        if let Some((path, generation)) = changed {
            self.source.index_mut().lose(&path, generation, &mut ());
            return Ok(closed);
        }
        for row in &closed {
            self.pending.remove(&row.key);
        }
        // what only bad lines touch is no epoch
        self.pending.retain(|key| *key >= self.aged);
        Ok(closed)
    }

    /// Keeps what was read of the index, so that the next start reads on from there; it is in the database already.
    fn keep(&mut self, checkpoints: &Checkpoints, in_any_case: bool) {
        let (bytes, now) = (self.writer.bytes(), now_ms());
        let is_due = bytes.abs_diff(self.kept_bytes) >= KEEP_BYTES
            || in_any_case
            || now.saturating_sub(self.kept_ms) >= KEEP_EVERY_MS;
        if !is_due || bytes == self.kept_bytes {
            return;
        }
        (self.kept_bytes, self.kept_ms) = (bytes, now);
        if let Err(error) = checkpoints.save(&self.source.index()) {
            tracing::warn!(%error, "what was read of an index cannot be kept");
        }
    }
}
