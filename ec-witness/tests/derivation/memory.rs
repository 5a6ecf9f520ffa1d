//! What `derive` needs does not grow with what it reads, in whatever order that stands.

use std::{
    io::{BufWriter, Write},
    process::Stdio,
};

use ec_testing::processes::{memory_to_the_end, most_own_memory};

use super::*;

const MB: usize = 1 << 20;

/// Records in about 40 MB of index.
const RECORDS: u64 = 150_000;

/// A multiple of this, modulo the number of records, is a permutation that leaves no neighbours together.
const STRIDE: u64 = 62_501;

/// An archive of one track whose lines are those of `line`, written one by one.
fn archive(count: u64, line: impl Fn(u64) -> String) -> TestArchive {
    let archive = TestArchive::new([("x/v.jsonl", "")]);
    let file = fs::File::create(archive.manifests().join("x/v.jsonl")).unwrap();
    let mut out = BufWriter::new(file);
    (0..count).for_each(|number| out.write_all(line(number).as_bytes()).unwrap());
    out.flush().unwrap();
    archive
}

fn record(sequence: u64) -> String {
    let hash = format!("{:064x}", sequence + 1);
    format!(
        "{{\"broadcast\":\"x\",\"track\":\"v\",\"group_sequence\":{sequence},\"received_unix_ms\":1772824690123,\
         \"size_bytes\":482113,\"blake3\":\"{hash}\",\"cas_path\":\"objects/blake3/00/{hash}.bin\"}}\n"
    )
}

/// The most memory `derive` had of its own, in bytes, and its exit code.
fn peak(archive: &TestArchive) -> (usize, Option<i32>) {
    let mut derive = program(&["derive", "--json", "--tracks", "v", "--archive", archive.dir()]);
    let mut child = derive.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (peak, status) = memory_to_the_end(&mut child, most_own_memory).unwrap();
    (usize::try_from(peak).unwrap(), status.code())
}

#[track_caller]
fn assert_peak_below(limit: usize, code: i32, archive: &TestArchive) -> usize {
    let (peak, found) = peak(archive);
    println!(
        "{} bytes of index, {peak} bytes at peak",
        archive.manifests().join("x/v.jsonl").metadata().unwrap().len()
    );
    assert_eq!(found, Some(code));
    assert!((MB..limit).contains(&peak), "{peak} bytes");
    peak
}

#[test]
fn an_index_four_times_as_long_needs_no_more() {
    let small = assert_peak_below(12 * MB, 0, &archive(RECORDS, record));
    let large = assert_peak_below(12 * MB, 0, &archive(4 * RECORDS, record));
    assert!(large < small + 4 * MB, "{small} bytes, then {large}");
}

#[test]
fn a_disordered_index_needs_what_the_budget_allows() {
    for count in [RECORDS, 4 * RECORDS] {
        assert_peak_below(32 * MB, 0, &archive(count, |number| record(number * STRIDE % count)));
    }
}

#[test]
fn disordered_bad_lines_that_state_their_sequence_need_no_more() {
    let count = 4 * RECORDS;
    let bad = |number: u64| format!("{{\"group_sequence\":{}}}\n", number * STRIDE % count * 30);
    let lines = |number| if number == 0 { "unreadable\n".into() } else { bad(number) };
    assert_peak_below(12 * MB, 2, &archive(count, lines));
}

#[test]
fn a_line_of_100_mb_needs_no_more() {
    let long = |number| match number {
        0..100 => "x".repeat(MB),
        100 => "\n".into(),
        _ => record(number),
    };
    assert_peak_below(12 * MB, 0, &archive(200, long));
}
