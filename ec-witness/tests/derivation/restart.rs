//! What a restart costs: an index is taken up without being read, and old epochs that are final without being derived.
//!
//! `EC_INDEX_MB` is the size of the index and `EC_BACKLOG` the number of epochs; the figures are printed.

use std::{
    cell::Cell,
    io::{BufWriter, Write},
    num::NonZeroU64,
    time::Instant,
};

use alloy::primitives::{Address, B256};
use ec_archive::{Checkpoints, FieldNames, StreamIndex, Sweep};
use ec_ledger::{LedgerEvent, LedgerState};
use ec_observation::{EpochKey, EpochName, EpochRule, ObservationHash, StreamRule, Tracks};
use ec_rpc::BlockRef;
use ec_witness::{
    daemon::{Closing, FollowedStream},
    standing::{Backlog, Reading},
};

use super::{generations::Heard, *};

const MAX_INFLIGHT: usize = 64;

fn variable(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().unwrap())
}

fn rule(groups_per_epoch: u64) -> StreamRule {
    StreamRule {
        tracks: Tracks::new(["v"]).unwrap(),
        epochs: EpochRule::timeline(NonZeroU64::new(groups_per_epoch).unwrap()),
        ..StreamRule::new("x")
    }
}

/// An archive of one track with records from 0 on, as many as `enough` asks for after each one's bytes.
fn archive(mut enough: impl FnMut(u64) -> bool) -> (TestArchive, u64) {
    let archive = TestArchive::new([("x/v.jsonl", "")]);
    let mut out = BufWriter::new(fs::File::create(archive.manifests().join("x/v.jsonl")).unwrap());
    let mut count = 0;
    loop {
        let hash = format!("{:064x}", count + 1);
        let line = format!(
            "{{\"broadcast\":\"x\",\"track\":\"v\",\"group_sequence\":{count},\"received_unix_ms\":1772824690123,\
             \"size_bytes\":482113,\"blake3\":\"{hash}\",\"cas_path\":\"objects/blake3/00/{hash}.bin\"}}\n"
        );
        out.write_all(line.as_bytes()).unwrap();
        count += 1;
        if enough(line.len() as u64) {
            out.flush().unwrap();
            return (archive, count);
        }
    }
}

fn new_index(archive: &TestArchive, rule: &StreamRule) -> StreamIndex {
    StreamIndex::new(&archive.open().broadcast("x"), rule.clone(), &FieldNames::default())
}

#[test]
fn an_index_is_taken_up_without_being_read() {
    let mut left = i128::from(variable("EC_INDEX_MB", 32) << 20);
    let (archive, records) = archive(|bytes| {
        left -= i128::from(bytes);
        left <= 0
    });
    let (rule, checkpoints) = (rule(30), Checkpoints::at(archive.manifests().with_file_name("kept")));
    let begun = Instant::now();
    let mut index = new_index(&archive, &rule);
    let mut heard = Heard::default();
    index.read_on(&mut heard).unwrap();
    let read = begun.elapsed();
    let begun = Instant::now();
    checkpoints.save(&index).unwrap();
    let saved = begun.elapsed();
    let begun = Instant::now();
    let mut again = new_index(&archive, &rule);
    let mut heard_again = Heard::default();
    assert!(checkpoints.restore(&mut again, &mut heard_again).is_empty());
    again.read_on(&mut heard_again).unwrap();
    let restored = begun.elapsed();
    assert_eq!((heard_again.bytes, heard_again.events.len()), (0, 0));
    let last = records / 30 - 1;
    let newest = |index: &StreamIndex| {
        Sweep::new(index, EpochKey::timeline(last)..=EpochKey::timeline(last)).next().unwrap().unwrap()
    };
    assert_eq!(newest(&index), newest(&again));
    let kept = fs::read_dir(archive.manifests().with_file_name("kept")).unwrap();
    let kept: u64 = kept.map(|entry| entry.unwrap().metadata().unwrap().len()).sum();
    println!(
        "{} bytes of index, {records} records: read in {read:?}; checkpoint of {kept} bytes written in {saved:?}; taken up in {restored:?}",
        heard.bytes
    );
}

#[test]
fn a_backlog_is_walked_once_and_what_is_final_is_not_derived() {
    let epochs = variable("EC_BACKLOG", 4_000);
    let mut left = epochs * 2;
    let (archive, _) = archive(|_| {
        left -= 1;
        left == 0
    });
    let rule = rule(2);
    let mut index = new_index(&archive, &rule);
    index.read_on(&mut ()).unwrap();
    // every epoch but each 500th is final
    let is_open = |sequence: u64| sequence % 500 == 7;
    let mut ledger = LedgerState::new(None);
    for swept in Sweep::all(&index) {
        let derived = swept.unwrap().derived;
        if !is_open(derived.key.index) {
            let number = derived.key.index;
            let header = rule.name(derived, 0).unwrap().header(ObservationHash::ZERO).unwrap().unwrap();
            let proposed = LedgerEvent::Proposed { proposer: Address::ZERO, header, timestamp_s: 0 };
            let finalized = LedgerEvent::Finalized { slot: header.slot(), observation: header.hash() };
            let block = BlockRef { number, hash: B256::from(alloy::primitives::U256::from(number)) };
            ledger.apply(block, [proposed, finalized]);
        }
    }
    for (name, with_ledger) in [("mostly final", true), ("nothing final", false)] {
        let asked = Cell::new(0u64);
        let slot_of = |sequence| rule.slot(EpochName::timeline(sequence));
        let gap = |from: EpochKey, to: EpochKey| {
            asked.set(asked.get() + 1);
            let gap = match with_ledger {
                true => {
                    let indices = (0, from.index..=to.index);
                    ledger.next_gap(rule.stream_hash(), indices, u64::MAX, &(0..=u64::MAX), slot_of)
                }
                false => (from <= to).then_some(from.index..=to.index),
            };
            gap.map(|gap| EpochKey::timeline(*gap.start())..=EpochKey::timeline(*gap.end()))
        };
        let begun = Instant::now();
        let mut stream = FollowedStream::new(index.clone(), EpochKey::timeline(0), MAX_INFLIGHT, Closing::Grace(0));
        let (mut closed, mut turns) = (Vec::new(), 0);
        let newest = epochs - MAX_INFLIGHT as u64 / 2;
        loop {
            stream.read_on(turns, u64::MAX);
            assert_eq!(*stream.reading(), Reading::Current);
            let before = closed.len();
            stream.newly_closed(turns, |_| 0, gap, &mut closed).unwrap();
            turns += 1;
            if closed.len() == before {
                break;
            }
        }
        let took = begun.elapsed();
        let mut found: Vec<_> = closed.iter().map(|closed| closed.derived.key.index).collect();
        found.sort_unstable();
        let expected: Vec<_> = (0..epochs).filter(|&epoch| !with_ledger || is_open(epoch) || epoch >= newest).collect();
        assert_eq!(found, expected);
        let filled = expected.iter().filter(|&&epoch| epoch < newest).count() as u64;
        println!(
            "{epochs} epochs, {name}: {filled} made up for in {turns} turns and {took:?}, asked {} times for a gap",
            asked.get()
        );
        assert!(asked.get() <= 2 * (filled + turns) + 2, "asked {} times", asked.get());
        assert_eq!(stream.backlog(gap), Backlog { filled, left: 0 });
    }
}
