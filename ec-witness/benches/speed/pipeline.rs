//! From an index's bytes to headers: the floor (newlines counted), what one writes first, parsing alone, and the
//! pipeline at each level.

use std::{collections::BTreeMap, fs, num::NonZeroUsize, path::Path};

use alloy::primitives::{B256, keccak256};
use ec_witness::{
    archive::{Archive, Broadcast, ClosedEpoch, DeriveError, Epochs, FieldNames, for_each_closed, line::LineRule},
    keccak::Level,
    stream::{StreamRule, Tracks},
    tree,
};
use serde::Deserialize;

use crate::{
    archive::{TRACKS, line, write},
    ratio::{Work, compare},
};

const BROADCAST: &str = "la-nbc";
const BYTES: u64 = 64_000_000;
const GROUPS_PER_EPOCH: u64 = 30;

/// What a naive reader decodes.
#[derive(Deserialize)]
struct NaiveRecord {
    track: String,
    group_sequence: u64,
    size_bytes: u64,
    blake3: String,
}

/// keccak256 as alloy does it by default, without the assembly.
fn portable_keccak(bytes: &[u8]) -> B256 {
    use tiny_keccak::{Hasher, Keccak};
    let (mut hasher, mut hash) = (Keccak::v256(), B256::ZERO);
    hasher.update(bytes);
    hasher.finalize(hash.as_mut_slice());
    hash
}

fn naive_root(leaves: &[B256], hash: fn(&[u8]) -> B256) -> B256 {
    match leaves {
        [only] => *only,
        _ => {
            let (left, right) = leaves.split_at(leaves.len().next_power_of_two() / 2);
            hash(&[naive_root(left, hash).0, naive_root(right, hash).0].concat())
        }
    }
}

/// The data roots of all epochs, as one writes it first: serde-jsonlines, a hash at a time, a tree of `Vec`s.
fn naive(broadcast: &Broadcast, hash: fn(&[u8]) -> B256) -> Vec<B256> {
    let mut epochs: BTreeMap<u64, BTreeMap<(String, u64), B256>> = BTreeMap::new();
    for track in TRACKS {
        for record in serde_jsonlines::json_lines::<NaiveRecord, _>(broadcast.track_file(track)).unwrap() {
            let NaiveRecord { track, group_sequence, size_bytes, blake3 } = record.unwrap();
            let blake3 = alloy::hex::decode_to_array(&blake3).unwrap();
            let leaf = tree::leaf_preimage(hash(track.as_bytes()), group_sequence, &blake3, size_bytes);
            let epoch = epochs.entry(group_sequence / GROUPS_PER_EPOCH).or_default();
            epoch.insert((track, group_sequence), hash(&leaf));
        }
    }
    let root = |leaves: BTreeMap<_, B256>| {
        let leaves: Vec<_> = leaves.into_values().collect();
        let mut preimage = [0; 64];
        preimage[24..32].copy_from_slice(&(leaves.len() as u64).to_be_bytes());
        preimage[32..].copy_from_slice(naive_root(&leaves, hash).as_slice());
        hash(&preimage)
    };
    epochs.into_values().map(root).collect()
}

fn keccak_asm(bytes: &[u8]) -> B256 {
    keccak256(bytes)
}

fn rule() -> StreamRule {
    StreamRule { tracks: Tracks::new(TRACKS).unwrap(), ..StreamRule::new(BROADCAST) }
}

fn derive(broadcast: &Broadcast, jobs: usize) -> Vec<ClosedEpoch> {
    let jobs = NonZeroUsize::new(jobs).unwrap();
    let epochs = Epochs::read(broadcast, rule(), &FieldNames::default(), jobs, &mut ()).unwrap();
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
    let text: Vec<u8> = (0..20_000).flat_map(|number| line(BROADCAST, TRACKS[0], number).into_bytes()).collect();
    let rule = LineRule::new(FieldNames::default(), BROADCAST, TRACKS[0]);
    let lines = || text.split_inclusive(|&byte| byte == b'\n').map(|line| &line[..line.len() - 1]);
    let lines: Vec<&[u8]> = lines().collect();
    let count = |parse: &dyn Fn(&[u8]) -> bool| lines.iter().filter(|line| parse(line)).count();
    compare(
        "parsing, from memory",
        (text.len() as f64 / 1e6, "MB/s"),
        vec![
            Work::new("serde_json, owned fields", || {
                count(&|line| serde_json::from_slice::<NaiveRecord>(line).is_ok())
            }),
            Work::new("lines of any form", || count(&|line| rule.record_of_any(line).is_ok())),
            Work::new("plain lines", || count(&|line| rule.record(line).is_ok())),
            Work::new("newlines counted", || memchr::memchr_iter(b'\n', &text).count()),
        ],
    );
}

/// The whole, from warm files.
pub(crate) fn pipeline() {
    let directory = tempfile::tempdir().unwrap();
    let (records, bytes) = write(directory.path(), BROADCAST, BYTES).unwrap();
    let broadcast = &Archive::at(directory.path()).broadcast(BROADCAST);
    let expected = naive(broadcast, keccak_asm);
    let found: Vec<_> = derive(broadcast, 2).iter().map(|epoch| epoch.derived.content.unwrap().data_root).collect();
    // the last epoch is not closed unless it is complete
    assert_eq!(found, expected[..found.len()]);
    println!("\n{records} records, {bytes} bytes, keccak at level {}", Level::current());
    let files: Vec<_> = TRACKS.iter().map(|track| broadcast.track_file(track)).collect();
    compare(
        "the pipeline, from warm files",
        (bytes as f64 / 1e6, "MB/s"),
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
        (leaves.len() as f64 / 1e6, "M leaves/s"),
        vec![
            Work::new("one hash at a time, portable keccak", || naive(portable_keccak)),
            Work::new("one hash at a time, keccak-asm", || naive(keccak_asm)),
            Work::new("side by side", forest),
        ],
    );
}
