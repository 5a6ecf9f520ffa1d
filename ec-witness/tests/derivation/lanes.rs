//! What `derive` says of lanes, and of archives that have another numbering than the one that is configured.

use super::*;

/// A record of a lane: its number, and when it came, in seconds.
fn record((sequence, s): (u64, u64)) -> String {
    let hash = format!("{:064x}", sequence + 1_000_000 * s);
    format!(
        "{{\"group_sequence\":{sequence},\"received_unix_ms\":{},\"size_bytes\":1,\"blake3\":\"{hash}\"}}\n",
        s * 1000
    )
}

/// A publisher that stops after four groups and begins anew 98 s after its begin, seven groups more.
fn restarted() -> String {
    let first = (0..4).map(|n| (n, 1_772_824_680 + 2 * n));
    first.chain((0..7).map(|n| (n, 1_772_824_778 + 2 * n))).map(record).collect()
}

fn archive() -> TestArchive {
    TestArchive::new([
        ("tv/0.m4s.jsonl", restarted()),
        ("tv/1.m4s.jsonl", restarted()),
        ("tv/catalog.json.jsonl", String::new()),
    ])
}

const GROUPS: [&str; 4] = ["--groups-per-epoch", "2", "--numbering", "session"];

fn derive(archive: &TestArchive, args: &[&str]) -> Derived {
    archive.derive_as_said(&[&GROUPS[..], args].concat())
}

#[test]
fn each_track_is_a_stream_and_its_text_shows_the_mark_as_a_time() {
    let archive = archive();
    let derived = derive(&archive, &["--json"]);
    let streams: std::collections::BTreeSet<_> =
        derived.lines().iter().map(|line| line["stream_id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(Vec::from_iter(streams), ["tv/track/0.m4s", "tv/track/1.m4s"]);
    assert_eq!(derived.lines().len(), 10);
    let said = derive(&archive, &["--stream", "tv/track/1.m4s"]).stdout;
    let line = said.lines().next().unwrap();
    assert!(
        line.starts_with("tv/track/1.m4s  ec/epoch/v2/g2/1772824680000/0  of 2026-03-06T19:18:00.000Z  "),
        "{line}"
    );
    // a broadcast's stream id stands for its lanes
    assert_eq!(derive(&archive, &["--json", "--stream", "tv"]).lines(), derived.lines());
}

#[test]
fn an_open_epoch_needs_no_time() {
    let begun = record((0, 1_772_824_900)).replace("received_unix_ms", "received");
    let archive = TestArchive::new([("tv/0.m4s.jsonl", restarted() + &begun)]);
    let derived = derive(&archive, &["--json"]);
    assert_eq!((derived.code, derived.lines().len()), (0, 6), "{derived:?}");
}

#[test]
fn records_are_asked_for_by_sequence_and_by_a_mark_that_is_near() {
    let archive = archive();
    let listed = |epoch| derive(&archive, &["--stream", "tv/track/0.m4s", "--records", epoch]).lines();
    let own = &listed("1772824778001")[..];
    let [listing] = own else { panic!("{own:?}") };
    assert_eq!((&listing["mark"], listing["records"].as_array().unwrap().len()), (&1_772_824_778_000_u64.into(), 2));
    assert_eq!(listing["records"][0]["group_sequence"], 2);
    // the ledger's mark is another witness's time
    let [near] = &listed("1772824780500/1")[..] else { panic!() };
    assert_eq!((&near["records"], &near["sequence"]), (&listing["records"], &1_772_824_780_501_u64.into()));
    let far = derive(&archive, &["--records", "1772824740000/1"]);
    assert_eq!(far.code, 2, "{far:?}");
}

#[test]
fn a_broadcast_without_the_configured_tracks_says_which_it_has() {
    let archive = archive();
    let derived = derive(&archive, &["--tracks", "video0.m4s,audio0.m4s"]);
    assert_eq!(derived.code, 2);
    for part in ["none of the tracks", "0.m4s, 1.m4s, catalog.json", r#"tracks = ["0.m4s", "1.m4s"]"#] {
        assert!(derived.stderr.contains(part), "{derived:?}");
    }
    let none = TestArchive::new([("tv/data.jsonl", restarted())]);
    let derived = derive(&none, &[]);
    assert_eq!(derived.code, 2);
    assert!(derived.stderr.contains(r#"tracks = ["data"]"#), "{derived:?}");
}

#[test]
fn an_archive_of_the_other_numbering_is_told_with_the_line_to_write() {
    let told = archive().derive(&["--groups-per-epoch", "2", "--tracks", "0.m4s,1.m4s"]);
    assert!(told.stderr.contains(r#"write numbering = "session""#), "{told:?}");
    let high: String = (0..4).map(|n| record((886_412_345 + n, 1_772_824_680 + 2 * n))).collect();
    let high = TestArchive::new([("tv/0.m4s.jsonl", &high), ("tv/1.m4s.jsonl", &high)]);
    let told = derive(&high, &["--json"]);
    assert_eq!((told.code, told.stderr.matches(r#"write numbering = "timeline""#).count()), (0, 1), "{told:?}");
}

#[test]
fn settings_that_only_one_numbering_has() {
    let archive = archive();
    for (table, parts) in [
        ("time = \"timeline\"\nchunk_duration_ms = 2000", &["\"tv\"", "write numbering = \"timeline\""][..]),
        ("numbering = \"timeline\"\ntrack_groups_per_epoch = { \"0.m4s\" = 3 }", &["\"tv\"", "write groups_per_epoch"]),
        ("tracks = [\"1.m4s\"]\ntrack_groups_per_epoch = { \"0.m4s\" = 3 }", &["\"0.m4s\"", "its tracks 1.m4s"]),
        ("numbering = \"broadcast\"", &["broadcast", "session"]),
    ] {
        let config =
            archive.config(&format!("[archive]\nnumbering = \"session\"\n[[stream]]\nbroadcast = \"tv\"\n{table}\n"));
        let refused = archive.derive_as_said(&["--config", &config]);
        assert_eq!(refused.code, 2, "{refused:?}");
        for part in parts {
            assert!(refused.stderr.contains(part), "{refused:?}\n  lacks {part}");
        }
    }
}
