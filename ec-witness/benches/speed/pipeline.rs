//! From an index's bytes to headers: the floor (newlines counted), what one writes first, parsing alone, and the
//! pipeline at each level.

use std::{
    fs,
    num::{NonZeroU64, NonZeroUsize},
    path::Path,
};

use alloy::primitives::B256;
use ec_archive::{
    Archive, Broadcast, DeriveError, Epochs, FieldNames, LinkedEpoch, for_each_closed,
    line::{LineRule, Shape},
};
use ec_observation::{StreamRule, Tracks, keccak::Level, tree};

use crate::{
    archive::{GROUPS_PER_EPOCH, Numbers, TRACKS, line, write},
    naive::{NaiveRecord, keccak_asm, naive, naive_root, portable_keccak},
    ratio::{Work, compare},
};

const BROADCAST: &str = "la-nbc";
const BYTES: u64 = 256_000_000;

/// Groups from one restart of the publisher to the next: a day.
const GROUPS_PER_SESSION: u64 = 43_200;

fn rule() -> StreamRule {
    StreamRule { tracks: Tracks::new(TRACKS).unwrap(), ..StreamRule::new(BROADCAST) }
}

fn derive(broadcast: &Broadcast, jobs: usize) -> Vec<LinkedEpoch> {
    derive_stream(broadcast, rule(), jobs)
}

/// The same of each track as a lane.
fn derive_lanes(broadcast: &Broadcast, groups_per_epoch: u64, jobs: usize) -> Vec<Vec<LinkedEpoch>> {
    let groups_per_epoch = NonZeroU64::new(groups_per_epoch).unwrap();
    let lane = |track| StreamRule::lane(BROADCAST, BROADCAST, track, groups_per_epoch).unwrap();
    TRACKS.map(|track| derive_stream(broadcast, lane(track), jobs)).into()
}

fn derive_stream(broadcast: &Broadcast, rule: StreamRule, jobs: usize) -> Vec<LinkedEpoch> {
    let jobs = NonZeroUsize::new(jobs).unwrap();
    let epochs = Epochs::read(broadcast, rule, &FieldNames::default(), jobs, &mut ()).unwrap();
    assert!(epochs.is_from_one_pass());
    let mut closed = Vec::new();
    for_each_closed(epochs, |epoch| -> Result<(), DeriveError> {
        closed.push(epoch);
        Ok(())
    })
    .unwrap();
    closed
}

/// Parsing alone, from memory.
pub(crate) fn parsing() {
    let text: Vec<u8> =
        (0..20_000).flat_map(|number| line(BROADCAST, TRACKS[0], number, Numbers::Timeline).into_bytes()).collect();
    let rule = LineRule::new(FieldNames::default(), BROADCAST, TRACKS[0]);
    let lines = || text.split_inclusive(|&byte| byte == b'\n').map(|line| &line[..line.len() - 1]);
    let lines: Vec<&[u8]> = lines().collect();
    let count = |parse: &dyn Fn(&[u8]) -> bool| lines.iter().filter(|line| parse(line)).count();
    compare(
        "parsing, from memory",
        (text.len() as f64 / 1e6, "MB"),
        vec![
            Work::new("serde_json, owned fields", || {
                count(&|line| serde_json::from_slice::<NaiveRecord>(line).is_ok())
            }),
            Work::new("lines of any form", || count(&|line| rule.record_of_any(line).is_ok())),
            Work::new("plain lines of one shape", || {
                let mut shape = Shape::default();
                let mut at = 0;
                while let Some((_, len)) = rule.plain_record(&text[at..], &mut shape) {
                    at += len + 1;
                }
                assert_eq!(at, text.len());
            }),
            Work::new("plain lines", || count(&|line| rule.record(line).is_ok())),
            Work::new("newlines counted", || memchr::memchr_iter(b'\n', &text).count()),
        ],
    );
}

/// The whole, from warm files.
pub(crate) fn pipeline() {
    let directory = tempfile::tempdir().unwrap();
    let (records, bytes) = write(directory.path(), BROADCAST, BYTES, Numbers::Timeline).unwrap();
    let broadcast = &Archive::at(directory.path()).broadcast(BROADCAST);
    let expected = naive(broadcast, keccak_asm);
    let found: Vec<_> = derive(broadcast, 2).iter().map(|epoch| epoch.named.content.unwrap().data_root).collect();
    // the last epoch is not closed unless it is complete
    assert_eq!(found, expected[..found.len()]);
    println!("\n{records} records, {bytes} bytes, keccak at level {}", Level::current());
    let files: Vec<_> = TRACKS.iter().map(|track| broadcast.track_file(track)).collect();
    compare(
        "the pipeline, from warm files",
        (bytes as f64 / 1e6, "MB"),
        vec![
            Work::new("naive: serde-jsonlines, portable keccak, Vec tree", || naive(broadcast, portable_keccak)),
            Work::new("naive with keccak-asm", || naive(broadcast, keccak_asm)),
            Work::new("ec-witness, one thread", || derive(broadcast, 1)),
            Work::new("ec-witness, two threads", || derive(broadcast, 2)),
            Work::new("newlines counted in read files", || count_newlines(&files)),
            Work::new("newlines counted in memory (the floor)", {
                let all: Vec<u8> = files.iter().flat_map(|file| fs::read(file).unwrap()).collect();
                move || memchr::memchr_iter(b'\n', &all).count()
            }),
        ],
    );
}

/// Lanes, to the same bytes under `timeline`: with epochs of as many groups, which are twice as many, and with epochs of
/// as many records; and to as many bytes in which the publisher restarts.
pub(crate) fn numberings() {
    let directories = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let write = |at: usize, numbers| write(directories[at].path(), BROADCAST, BYTES, numbers).unwrap().1;
    let (bytes, restarted_bytes) = (write(0, Numbers::Timeline), write(1, Numbers::Sessions(GROUPS_PER_SESSION)));
    let [broadcast, restarted] =
        &directories.each_ref().map(|directory| Archive::at(directory.path()).broadcast(BROADCAST));
    println!("\n{bytes} bytes, {restarted_bytes} with a restart each {GROUPS_PER_SESSION} groups");
    for (jobs, threads) in [(1, "one thread"), (2, "two threads")] {
        compare(
            &format!("the pipeline by numbering, {threads}"),
            (bytes as f64 / 1e6, "MB"),
            vec![
                Work::new("timeline", || derive(broadcast, jobs)),
                Work::new("lanes, epochs of as many groups", || derive_lanes(broadcast, GROUPS_PER_EPOCH, jobs)),
                Work::new("lanes, epochs of as many records", || derive_lanes(broadcast, 2 * GROUPS_PER_EPOCH, jobs)),
                Work::new("lanes with restarts, epochs of as many groups", || {
                    derive_lanes(restarted, GROUPS_PER_EPOCH, jobs)
                }),
            ],
        );
    }
}

fn count_newlines(files: &[impl AsRef<Path>]) -> usize {
    use std::io::Read;
    let mut buffer = vec![0; 512 << 10];
    let mut count = 0;
    for path in files {
        let mut file = fs::File::open(path).unwrap();
        loop {
            match file.read(&mut buffer).unwrap() {
                0 => break,
                len => count += memchr::memchr_iter(b'\n', &buffer[..len]).count(),
            }
        }
    }
    count
}

/// Trees of epochs of sixty records.
pub(crate) fn trees() {
    let leaves: Vec<_> = (0..60 * 256u64).map(|at| tree::leaf_preimage(B256::ZERO, at, &[7; 32], at)).collect();
    let naive = |hash: fn(&[u8]) -> B256| {
        let tree = |leaves: &[[u8; tree::LEAF_LEN]]| {
            let leaves: Vec<_> = leaves.iter().map(|leaf| hash(leaf)).collect();
            naive_root(&leaves, hash)
        };
        leaves.chunks(60).map(tree).collect::<Vec<_>>()
    };
    let forest = || {
        let mut forest = tree::Forest::default();
        leaves.chunks(60).for_each(|tree| forest.plant(tree.iter().copied()));
        forest.roots()
    };
    assert!(naive(keccak_asm).into_iter().map(Some).eq(forest()));
    compare(
        "trees of 60 leaves",
        (leaves.len() as f64 / 1e6, "M leaves"),
        vec![
            Work::new("one hash at a time, portable keccak", || naive(portable_keccak)),
            Work::new("one hash at a time, keccak-asm", || naive(keccak_asm)),
            Work::new("side by side", forest),
        ],
    );
}
