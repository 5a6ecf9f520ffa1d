//! Makes an archive of any size, a ledger on which all of it is final, and the explorer's database of both; says how long that
//! took and how large it is. `scripts/explorer-load` serves it and asks it.
//!
//! Usage: `fill DIR RECORDS LANES GROUPS_PER_EPOCH`. DIR must not exist. It then holds `explorer.toml`, and in `paths/` a file
//! for each route, with a path of the API a line.

#![allow(clippy::unwrap_used)]

use std::{
    env, fs,
    io::{BufWriter, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256};
use ec_archive::{AtRest, StreamIndex};
use ec_explorer::{
    archives,
    settings::{Overrides, Settings},
    state::Explorer,
    store::LedgerWriter,
};
use ec_ledger::{LedgerEvent, LedgerLog};
use ec_observation::ObservationHeader;
use ec_rpc::BlockRef;
use tokio_util::sync::CancellationToken;

const FIRST_MS: u64 = 1_772_824_680_000;
/// Lines of paths that are asked for.
const ASKED: usize = 20_000;

fn main() {
    let args: Vec<String> = env::args().skip(1).collect();
    let [dir, numbers @ ..] = args.as_slice() else { panic!("usage: fill DIR RECORDS LANES GROUPS_PER_EPOCH") };
    let [records, lanes, groups] = numbers.iter().map(|text| text.parse().unwrap()).collect::<Vec<u64>>()[..] else {
        panic!("usage: fill DIR RECORDS LANES GROUPS_PER_EPOCH")
    };
    let dir = PathBuf::from(dir);
    fs::create_dir_all(dir.join("paths")).unwrap();
    let config = write_archive(&dir, records, lanes, groups);
    let settings = Settings::read(&config, Overrides::default()).unwrap();
    let explorer = Explorer::new(settings).unwrap();
    let begun = Instant::now();
    read_archive(&explorer, &dir);
    let took = begun.elapsed().as_secs_f64();
    let ledger = &explorer.ledgers[0];
    let of_records = ledger.store.size_bytes();
    println!("{records} records read in {took:.1} s: {:.0} a second", records as f64 / took);
    println!(
        "database: {of_records} bytes, {:.1} for each record, epochs included",
        of_records as f64 / records as f64
    );
    let (slots, took) = write_ledger(&explorer, &dir);
    let all = ledger.store.size_bytes();
    println!("{slots} final slots of 3 votes written in {took:.1} s: {:.0} a second", slots as f64 / took);
    println!("database: {all} bytes, {:.0} more for each slot", all.saturating_sub(of_records) as f64 / slots as f64);
}

fn write_archive(dir: &Path, records: u64, lanes: u64, groups: u64) -> PathBuf {
    let mut segments = paths(dir, "segments");
    let mut proofs = paths(dir, "proofs");
    let every = (records / ASKED as u64).max(1);
    for lane in 0..lanes {
        let broadcast = dir.join(format!("archive/manifests/b{lane}"));
        fs::create_dir_all(&broadcast).unwrap();
        let mut file = BufWriter::new(fs::File::create(broadcast.join("0.m4s.jsonl")).unwrap());
        for group in 0..records / lanes {
            let blake3 = blake3::hash(format!("{lane} {group}").as_bytes()).to_hex();
            let received = FIRST_MS + group * 2000;
            writeln!(
                file,
                r#"{{"broadcast":"b{lane}","track":"0.m4s","group_sequence":{group},"received_unix_ms":{received},"size_bytes":482113,"blake3":"{blake3}"}}"#
            )
            .unwrap();
            if (group * lanes + lane).is_multiple_of(every) {
                writeln!(segments, "/api/v1/segments/{blake3}").unwrap();
                writeln!(proofs, "/api/v1/proof?blake3={blake3}").unwrap();
            }
        }
    }
    let config = dir.join("explorer.toml");
    // nobody answers there: what is shown is what is in the database
    let text = format!(
        "[explorer]\ndir = {:?}\n[chain]\nrpc = \"http://127.0.0.1:9\"\nchain_id = 1\nledger = \"0x5FbDB2315678afecb367f032d93F642f64180aa3\"\n[archive]\ndir = {:?}\ngroups_per_epoch = {groups}\ngrace_ms = 1\n",
        dir.join("explorer"),
        dir.join("archive"),
    );
    fs::write(&config, text).unwrap();
    config
}

/// The file of a route's paths.
fn paths(dir: &Path, route: &str) -> BufWriter<fs::File> {
    BufWriter::new(fs::File::create(dir.join("paths").join(route)).unwrap())
}

/// What the page asks for, about some of these.
fn write_paths(dir: &Path, headers: &[ObservationHeader]) {
    const DAY_MS: u64 = 86_400_000;
    let [mut slots, mut records, mut lists, mut strips, mut groups] =
        ["slots", "records", "lists", "strips", "groups"].map(|route| paths(dir, route));
    for header in headers.iter().step_by((headers.len() / ASKED).max(1)) {
        let (slot, stream, at) = (header.slot(), header.stream_hash, header.observed_unix_ms);
        writeln!(slots, "/api/v1/slots/{slot}").unwrap();
        writeln!(records, "/api/v1/slots/{slot}/records").unwrap();
        writeln!(lists, "/api/v1/streams/{stream}/slots?from={at}&limit=50").unwrap();
        writeln!(strips, "/api/v1/streams/{stream}/strip?from={at}&to={}&cells=144", at + DAY_MS).unwrap();
        writeln!(groups, "/api/v1/streams/{stream}/groups?from={at}&to={}", at + 600_000).unwrap();
    }
    for (route, path) in [("witnesses", "/api/v1/witnesses"), ("streams", "/api/v1/streams?limit=200&strip=144")] {
        writeln!(paths(dir, route), "{path}").unwrap();
    }
}

fn read_archive(explorer: &Arc<Explorer>, dir: &Path) {
    let stop = CancellationToken::new();
    let (archive, stopped, kept_in) =
        (Arc::clone(&explorer.archives[0]), stop.clone(), dir.join("explorer/index/main"));
    let reader = {
        let explorer = Arc::clone(explorer);
        std::thread::spawn(move || {
            archives::read(&archive, &[], &explorer.hub, &kept_in, Duration::from_millis(10), &stopped);
        })
    };
    while !explorer.archives[0].reading().current {
        std::thread::sleep(Duration::from_millis(20));
    }
    stop.cancel();
    reader.join().unwrap();
}

/// Every complete epoch becomes final, by three votes, twenty slots a block.
fn write_ledger(explorer: &Explorer, dir: &Path) -> (u64, f64) {
    let ledger = &explorer.ledgers[0];
    let mut writer = LedgerWriter::new(Arc::clone(&ledger.store));
    let mut headers: Vec<ObservationHeader> = Vec::new();
    for (_, source) in ledger.sources() {
        let archive = &explorer.archives[0].settings.archive;
        let index =
            StreamIndex::read(archive, &source.broadcast.name, source.rule.clone(), &source.fields, &mut ()).unwrap();
        let observations = AtRest::new(&index).map(Result::unwrap);
        headers.extend(observations.filter(|found| found.named.derived.complete).filter_map(|found| found.header));
    }
    headers.sort_by_key(|header| header.observed_unix_ms);
    write_paths(dir, &headers);
    let begun = Instant::now();
    let mut number = 1;
    for page in headers.chunks(2000) {
        let mut logs = Vec::new();
        for block in page.chunks(20) {
            number += 1;
            let at = BlockRef { number, hash: B256::from(alloy::primitives::U256::from(number)) };
            let timestamp_s = block[0].observed_unix_ms / 1000 + 40;
            let mut index = 0;
            let mut push = |event| {
                let transaction = Some(B256::repeat_byte(index as u8));
                logs.push(LedgerLog { block: at, index, transaction, timestamp_s, event });
                index += 1;
            };
            for header in block {
                let (slot, observation) = (header.slot(), header.hash());
                let witness = Address::with_last_byte;
                push(LedgerEvent::Proposed { proposer: witness(1), header: *header, timestamp_s });
                push(LedgerEvent::Attested { slot, observation, witness: witness(2) });
                push(LedgerEvent::Attested { slot, observation, witness: witness(3) });
                push(LedgerEvent::Finalized { slot, observation });
            }
        }
        let to = logs.last().unwrap().block;
        writer.read(to, &logs).unwrap();
    }
    (headers.len() as u64, begun.elapsed().as_secs_f64())
}
