//! Histories of years: what an import costs, and that one that is killed leaves nothing.

use std::{
    env, fs,
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use alloy::primitives::{Address, B256, keccak256};
use ec_observation::{EpochHash, ObservationHash, ObservationHeader, StreamHash};
use ec_testing::processes::{memory_to_the_end, most_memory};
use ec_witness::store::{STORE_FILE, history::SlotVotes};

use super::Whose;

const WHOSE: Whose = Whose { chain_id: 7, ledger: Address::repeat_byte(1), witness: Address::repeat_byte(2) };

/// Votes for one slot each, as an export has them: by slot.
fn votes(count: u64) -> Vec<SlotVotes> {
    let header = |i: u64| ObservationHeader {
        stream_hash: StreamHash(keccak256((i % 50).to_be_bytes())),
        epoch_hash: EpochHash(keccak256(i.to_be_bytes())),
        parent_observation_hash: ObservationHash(B256::repeat_byte(3)),
        data_root: keccak256([i.to_be_bytes(), [7; 8]].concat()),
        locator_hash: B256::repeat_byte(4),
        observed_unix_ms: 1_772_824_682_500 + i,
        sequence: i,
    };
    let mut votes: Vec<_> = (0..count)
        .map(header)
        .map(|header| SlotVotes { slot: header.slot(), content: None, headers: vec![header] })
        .collect();
    votes.sort_by_key(|votes| votes.slot);
    votes
}

/// Writes a history up to its last vote, as `export` does.
fn write_unended(votes: &[SlotVotes], to: &mut impl Write) {
    let Whose { chain_id, ledger, witness } = WHOSE;
    write!(to, r#"{{"v":1,"chain_id":{chain_id},"ledger":"{ledger}","witness":"{witness}","votes":["#).unwrap();
    for (i, votes) in votes.iter().enumerate() {
        if i > 0 {
            to.write_all(b",").unwrap();
        }
        serde_json::to_writer(&mut *to, votes).unwrap();
    }
    to.flush().unwrap();
}

fn write_whole(votes: &[SlotVotes], path: &Path) {
    let mut file = BufWriter::new(File::create(path).unwrap());
    write_unended(votes, &mut file);
    file.write_all(b"]}").unwrap();
    file.flush().unwrap();
}

fn import(store: &Path, history: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ec-witness"));
    command.args(["history", "import", "--json", "--store"]).arg(store).arg(history);
    command
}

#[test]
fn an_import_that_is_killed_leaves_nothing_and_can_be_made_again() {
    // more than the pages that memory holds, so that a part of it has reached the file
    let votes = votes(100_000);
    let (dir, store) = WHOSE.create();
    drop(store);
    let store = dir.path().join("store");
    let before = fs::metadata(store.join(STORE_FILE)).unwrap().len();
    let mut command = import(&store, Path::new("-"));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stdin = BufWriter::new(child.stdin.take().unwrap());
    write_unended(&votes, &mut stdin);
    let begun = Instant::now();
    while fs::metadata(store.join(STORE_FILE)).unwrap().len() == before {
        assert!(begun.elapsed() < Duration::from_secs(60), "nothing reached the file");
        thread::sleep(Duration::from_millis(10));
    }
    child.kill().unwrap();
    child.wait().unwrap();

    let few = dir.path().join("few.json");
    write_whole(&votes[..10], &few);
    for adopted in [10, 0] {
        let output = import(&store, &few).output().unwrap();
        let told: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(told, serde_json::json!({"slots": 10, "adopted": adopted}), "{output:?}");
    }
}

#[test]
#[ignore = "a benchmark, of a release build; EC_IMPORT_VOTES are the numbers of votes (default 10000,100000,1000000)"]
fn importing_speed() {
    let counts = env::var("EC_IMPORT_VOTES").unwrap_or("10000,100000,1000000".into());
    let mut last: Option<(u64, f64)> = None;
    for count in counts.split(',').map(|count| count.parse().unwrap()) {
        let (dir, store) = WHOSE.create();
        drop(store);
        let (store, file) = (dir.path().join("store"), dir.path().join("history.json"));
        write_whole(&votes(count), &file);
        let again = || {
            let begun = Instant::now();
            let mut child = import(&store, &file).stdout(Stdio::null()).spawn().unwrap();
            let (peak, status) = memory_to_the_end(&mut child, most_memory).unwrap();
            assert!(status.success());
            (begun.elapsed().as_secs_f64(), peak)
        };
        let (took_s, peak) = again();
        let exponent = last.map(|(before, took)| (took_s / took).log10() / (count as f64 / before as f64).log10());
        let exponent = exponent.map_or(String::new(), |exponent| format!(", exponent {exponent:.2}"));
        let [file, size] = [file.clone(), store.join(STORE_FILE)].map(|path| fs::metadata(path).unwrap().len() >> 20);
        println!(
            "{count} votes: {took_s:.2} s{exponent}, at peak {} MiB; {file} MiB of JSON, {size} MiB store",
            peak >> 20
        );
        last = Some((count, took_s));
        let import_peak = peak;
        let (again_s, peak) = again();
        println!("  the same again: {again_s:.2} s, {} MiB", peak >> 20);
        let begun = Instant::now();
        let mut export = Command::new(env!("CARGO_BIN_EXE_ec-witness"));
        let mut child =
            export.args(["history", "export", "--store"]).arg(&store).stdout(Stdio::null()).spawn().unwrap();
        let (peak, status) = memory_to_the_end(&mut child, most_memory).unwrap();
        assert!(status.success());
        let exported_s = begun.elapsed().as_secs_f64();
        println!("  exported: {exported_s:.2} s, {} MiB", peak >> 20);
        println!(
            "measured import_ms={:.0} memory_mib={} export_ms={:.0} again_ms={:.0}",
            took_s * 1e3,
            import_peak >> 20,
            exported_s * 1e3,
            again_s * 1e3
        );
    }
}
