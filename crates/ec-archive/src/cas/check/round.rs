//! One round of a check: the records of a part of the hash space and of the sequence numbers.

use std::{
    collections::{BTreeMap, HashMap},
    io,
    num::NonZeroUsize,
    path::Path,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering},
    thread,
};

use blake3::Hash;
use ec_observation::Numbering;

use super::{CheckError, Entry, Finding, Index, IndexLine};
use crate::cas::{Cas, CasError};

/// Called with the objects done and their number.
pub(super) type Done<'a> = &'a (dyn Fn(u64, u64) + Sync);

/// An object as records name it. Two records may claim two sizes for one hash; then both claims are judged.
type Claim = ([u8; 32], u64);

/// A group: the number of its track in [`Round::tracks`], and the group's sequence.
type GroupKey = (u32, u64);

/// What hashing found.
#[derive(Debug, Default)]
pub(super) struct Verified {
    pub(super) findings: Vec<Finding>,
    pub(super) bytes: u64,
}

/// The part of an index that one round keeps.
#[derive(Debug, Default)]
pub(super) struct Round {
    numbering: Numbering,
    number: u64,
    rounds: u64,
    tracks: Vec<(String, String)>,
    track_numbers: HashMap<(String, String), u32>,
    objects: BTreeMap<Claim, GroupKey>,
    groups: HashMap<GroupKey, Claim>,
    findings: Vec<Finding>,
}

impl Round {
    /// Reads `index` for round `number` of `rounds`, a power of two of at most 256.
    pub(super) fn gather(
        index: &dyn Index,
        numbering: Numbering,
        number: u64,
        rounds: u64,
    ) -> Result<Self, CheckError> {
        let mut round = Self { numbering, number, rounds, ..Self::default() };
        index.for_each(&mut |line| round.add(line)).map_err(CheckError::Index)?;
        round.groups = HashMap::new();
        Ok(round)
    }

    fn add(&mut self, line: IndexLine) {
        match line {
            IndexLine::Entry(entry) => self.add_entry(entry),
            IndexLine::Bad { file, line, reason } if self.number == 0 => {
                self.findings.push(Finding::BadLine { file, line, reason });
            }
            IndexLine::Bad { .. } => {}
        }
    }

    fn add_entry(&mut self, entry: Entry) {
        let claim = (*entry.blake3.as_bytes(), entry.size_bytes);
        let owns_object = self.owns_prefix(claim.0[0]);
        let owns_group = self.numbering == Numbering::Timeline && entry.group_sequence % self.rounds == self.number;
        if !owns_object && !owns_group {
            return;
        }
        let group = (self.track_number(&entry), entry.group_sequence);
        if owns_object {
            self.objects.entry(claim).or_insert(group);
        }
        if owns_group {
            let first = *self.groups.entry(group).or_insert(claim);
            if first != claim {
                self.findings.push(conflict(entry, first));
            }
        }
    }

    fn owns_prefix(&self, prefix: u8) -> bool {
        u64::from(prefix) * self.rounds / 256 == self.number
    }

    fn track_number(&mut self, entry: &Entry) -> u32 {
        let key = (entry.broadcast.clone(), entry.track.clone());
        if let Some(number) = self.track_numbers.get(&key) {
            return *number;
        }
        let number = u32::try_from(self.tracks.len()).unwrap_or(u32::MAX);
        self.tracks.push(key.clone());
        self.track_numbers.insert(key, number);
        number
    }

    /// Conflicts and bad lines, found while reading.
    pub(super) fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// The objects that this round hashes.
    pub(super) fn object_count(&self) -> u64 {
        self.objects.len() as u64
    }

    /// The files in this round's object directories that no record names.
    pub(super) fn unreferenced(&self, cas: &Cas) -> Result<Vec<Finding>, CasError> {
        let mut found = Vec::new();
        for prefix in (0..=u8::MAX).filter(|prefix| self.owns_prefix(*prefix)) {
            for path in cas.files_of_prefix(prefix)? {
                if !self.names(cas, &path) {
                    let relative = path.strip_prefix(cas.root()).unwrap_or(&path);
                    found.push(Finding::Unreferenced { cas_path: relative.display().to_string() });
                }
            }
        }
        Ok(found)
    }

    fn names(&self, cas: &Cas, path: &Path) -> bool {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let Ok(hash) = Hash::from_hex(stem) else { return false };
        let first_claim = (*hash.as_bytes(), 0)..=(*hash.as_bytes(), u64::MAX);
        cas.path_of(&hash) == path && self.objects.range(first_claim).next().is_some()
    }

    /// Hashes this round's objects on `jobs` threads, one object per thread at a time.
    pub(super) fn verify(self, cas: &Cas, jobs: NonZeroUsize, done: Done<'_>) -> Verified {
        let work: Vec<(Claim, GroupKey)> = self.objects.into_iter().collect();
        let tracks = self.tracks;
        let entry = |(claim, group): &(Claim, GroupKey)| {
            let (broadcast, track) = tracks[group.0 as usize].clone();
            let blake3 = Hash::from_bytes(claim.0);
            Entry { broadcast, track, group_sequence: group.1, blake3, size_bytes: claim.1 }
        };
        let (next, finished, bytes) = (AtomicUsize::new(0), AtomicU64::new(0), AtomicU64::new(0));
        let worker = || {
            let mut found = Vec::new();
            while let Some(item) = work.get(next.fetch_add(1, Ordering::Relaxed)) {
                found.extend(judge(cas, item.0, || entry(item), &bytes).map(|finding| (item.0, finding)));
                done(finished.fetch_add(1, Ordering::Relaxed) + 1, work.len() as u64);
            }
            found
        };
        let mut found = in_parallel(jobs, &worker);
        found.sort_by_key(|(claim, _)| *claim);
        let findings = found.into_iter().map(|(_, finding)| finding).collect();
        Verified { findings, bytes: bytes.into_inner() }
    }
}

/// Runs `worker` on `jobs` threads and joins what they return. A panic of a worker goes on in the caller.
fn in_parallel<T: Send>(jobs: NonZeroUsize, worker: &(impl Fn() -> Vec<T> + Sync)) -> Vec<T> {
    thread::scope(|scope| {
        let threads: Vec<_> = (1..jobs.get()).map(|_| scope.spawn(worker)).collect();
        let mut all = worker();
        for thread in threads {
            match thread.join() {
                Ok(found) => all.extend(found),
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        all
    })
}

/// Compares one object with what a record claims of it.
fn judge(cas: &Cas, claim: Claim, entry: impl Fn() -> Entry, bytes: &AtomicU64) -> Option<Finding> {
    let hash = Hash::from_bytes(claim.0);
    let cas_path = Cas::relative_path(&hash);
    let found_size_bytes = match cas.size_of(&hash) {
        Ok(size) => size,
        Err(error) => return Some(unread(entry(), cas_path, &error)),
    };
    if found_size_bytes != claim.1 {
        return Some(Finding::SizeDiffers { entry: entry(), cas_path, found_size_bytes });
    }
    match cas.rehash(&hash) {
        Err(error) => Some(unread(entry(), cas_path, &error)),
        Ok((found_blake3, read)) => {
            bytes.fetch_add(read, Ordering::Relaxed);
            (found_blake3 != hash).then(|| Finding::HashDiffers { entry: entry(), cas_path, found_blake3 })
        }
    }
}

fn unread(entry: Entry, cas_path: String, error: &io::Error) -> Finding {
    match error.kind() {
        io::ErrorKind::NotFound => Finding::Missing { entry, cas_path },
        _ => Finding::Unreadable { entry, cas_path, error: error.to_string() },
    }
}

/// `entry` names a group that `first` named before.
fn conflict(entry: Entry, first: Claim) -> Finding {
    let (other_blake3, other_size_bytes) = (entry.blake3, entry.size_bytes);
    let entry = Entry { blake3: Hash::from_bytes(first.0), size_bytes: first.1, ..entry };
    Finding::Conflict { entry, other_blake3, other_size_bytes }
}
