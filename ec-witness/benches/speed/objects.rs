//! Objects hashed by `archive check`, to BLAKE3 of the same bytes in memory.

use std::{num::NonZeroUsize, sync::atomic::AtomicU64};

use ec_archive::cas::{
    Cas,
    check::{CheckError, Entry, Index, IndexLine, ObjectCheck},
};
use ec_observation::Numbering;

use crate::ratio::{Work, compare};

const OBJECTS: u64 = 200;
const OBJECT_LEN: usize = 500_000;

struct Entries(Vec<Entry>);

impl Index for Entries {
    fn for_each(&self, visit: &mut dyn FnMut(IndexLine)) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
        self.0.iter().for_each(|entry| visit(IndexLine::Entry(entry.clone())));
        Ok(())
    }
}

pub(crate) fn ratios() {
    let directory = tempfile::tempdir().unwrap();
    let cas = Cas::new(directory.path());
    let object = |number: u64| (0..OBJECT_LEN).map(|at| ((at as u64 * number) >> 3) as u8).collect::<Vec<u8>>();
    let entry = |number| Entry {
        broadcast: "x".into(),
        track: "v".into(),
        group_sequence: number,
        blake3: cas.insert(&object(number)).unwrap().hash,
        size_bytes: OBJECT_LEN as u64,
    };
    let entries = Entries((0..OBJECTS).map(entry).collect());
    let in_memory: Vec<_> = (0..16).map(object).collect();
    let check = |jobs| {
        let check = ObjectCheck {
            cas: &cas,
            jobs: NonZeroUsize::new(jobs).unwrap(),
            numbering: Numbering::Timeline,
            unreferenced: true,
        };
        let done = AtomicU64::new(0);
        let totals = check.run::<CheckError>(&entries, |_| Ok(()), &|at| {
            done.store(at.records, std::sync::atomic::Ordering::Relaxed);
        });
        assert!(totals.unwrap().ok);
    };
    compare(
        "objects of 500 kB",
        (OBJECTS as f64 * OBJECT_LEN as f64 / 1e6, "MB"),
        vec![
            Work::new("BLAKE3 in memory, one thread (the floor)", || {
                for number in 0..OBJECTS as usize {
                    std::hint::black_box(blake3::hash(&in_memory[number % in_memory.len()]));
                }
            }),
            Work::new("archive check, one thread", || check(1)),
            Work::new("archive check, two threads", || check(2)),
        ],
    );
}
