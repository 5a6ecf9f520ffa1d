//! `derive` says the same, in the same order, on any number of threads.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::*;

/// So many that a file is read in several parts.
const EPOCHS: u64 = 12_000;

const TRACK: [&str; 4] = ["--tracks", "v", "--groups-per-epoch", "2"];

fn record(sequence: u64, time: &str, size_bytes: u64) -> String {
    let hash = format!("{:064x}", sequence + 1);
    format!(
        "{{\"group_sequence\":{sequence},\"{time}\":{sequence},\"size_bytes\":{size_bytes},\"blake3\":\"{hash}\"}}\n"
    )
}

/// A line of an index in which an epoch is incomplete and one has a conflict.
fn line(sequence: u64) -> String {
    match sequence {
        601 => String::new(),
        900 => record(900, "received_unix_ms", 1) + &record(900, "received_unix_ms", 2),
        _ => record(sequence, "received_unix_ms", 1),
    }
}

fn archive(line: impl Fn(u64) -> String) -> TestArchive {
    TestArchive::new([("x/v.jsonl", (0..2 * EPOCHS).map(line).collect::<String>())])
}

/// What `derive` says on one thread, held against what it says on several.
#[track_caller]
fn derived_alike(archive: &TestArchive, args: &[&str]) -> Derived {
    let derive = |jobs| archive.derive(&[&TRACK[..], &["--jobs", jobs], args].concat());
    let alone = derive("1");
    for jobs in ["2", "3", "64"] {
        let found = derive(jobs);
        assert!(found.stdout == alone.stdout, "{jobs} threads print something else");
        assert_eq!((found.code, &found.stderr), (alone.code, &alone.stderr), "{jobs} threads");
    }
    alone
}

fn in_order(sequence: u64) -> u64 {
    sequence
}

/// The first line is one of the last ones, so the files are read twice.
fn not_in_order(sequence: u64) -> u64 {
    match sequence {
        0 => 2 * EPOCHS - 1,
        _ => sequence - 1,
    }
}

#[test]
fn any_number_of_threads_prints_the_same() {
    for place in [in_order, not_in_order] {
        let archive = archive(|sequence| line(place(sequence)));
        let derived = derived_alike(&archive, &["--json"]);
        let lines = derived.lines();
        assert_eq!((derived.code, lines.len() as u64), (0, EPOCHS));
        let mut parent = Value::from(format!("0x{:064}", 0));
        for (epoch, line) in lines.into_iter().enumerate() {
            assert_eq!(line["epoch_id"], format!("ec/epoch/v1/g2/{epoch}"));
            assert_eq!(line["complete"], epoch != 300 && epoch != 450, "{line}");
            assert_eq!(line["conflicting"], epoch == 450);
            if epoch != 450 {
                assert_eq!(line["header"]["parentObservationHash"], parent, "{line}");
            }
            if line["complete"] == true {
                parent = line["observation_hash"].clone();
            }
        }
        assert_eq!(derived_alike(&archive, &[]).stdout.lines().count() as u64, EPOCHS);
    }
}

#[test]
fn an_error_comes_after_all_lines_before_it() {
    let without_time = |sequence| match sequence {
        20_000 | 20_001 => record(sequence, "received", 1),
        _ => line(sequence),
    };
    for place in [in_order, not_in_order] {
        let derived = derived_alike(&archive(|sequence| without_time(place(sequence))), &[]);
        assert!(derived.error().contains("epoch 10000: no record has a usable received_unix_ms"), "{derived:?}");
        assert_eq!(derived.stdout.lines().count(), 10_000);
    }
}

#[test]
fn a_pipe_that_closes_early_is_no_error() {
    let archive = archive(line);
    for jobs in ["1", "3"] {
        let args = [&["derive", "--json", "--jobs", jobs, "--archive", archive.dir()], &TRACK[..]].concat();
        let mut child = program(&args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut first = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
        assert_eq!(json_lines(&first)[0]["epoch_id"], "ec/epoch/v1/g2/0");
        let ended = child.wait_with_output().unwrap();
        assert_eq!((ended.status.code(), ended.stderr), (Some(0), Vec::new()));
    }
}
