//! The real binary over real contracts on an Anvil and the sample archive.

#![allow(clippy::unwrap_used)]

mod bench;
mod l1;
mod requests;

use std::{fs, io::Write};

use ec_observation::{ObservationHeader, Proof};
use serde_json::Value;

use crate::bench::{Bench, Explorer, FINAL_AFTER};

const VIDEO: &str = "la-cbs/track/0.m4s";

/// The hash of the object of the first line of a track that has this number, in the sample.
fn blake3_of(bench: &Bench, track_file: &str, sequence: u64) -> String {
    let text = fs::read_to_string(bench.archive("first").join("manifests").join(track_file)).unwrap();
    let lines = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let found = lines.into_iter().find(|line| line["group_sequence"] == sequence).unwrap();
    found["blake3"].as_str().unwrap().to_owned()
}

fn slot_path(header: ObservationHeader) -> String {
    format!("/api/v1/slots/{}", header.slot())
}

/// The proof of a place, as the tools read it.
fn proof_of(place: &Value) -> Proof {
    let proof: Proof = serde_json::from_value(place["proof"].clone()).unwrap();
    proof.check().unwrap();
    proof
}

fn segment(explorer: &Explorer, blake3: &str) -> Value {
    explorer.json(&format!("/api/v1/segments/{blake3}"))
}

#[test]
fn a_segment_is_final_once_its_slot_is_and_its_proof_proves_it() {
    let bench = Bench::start();
    bench.copy("sample-late", "late");
    let headers = bench.headers("first", VIDEO);
    let blake3 = blake3_of(&bench, "la-cbs/0.m4s.jsonl", 25);
    let explorer = bench.explore(&["first", "late"], &[]);
    explorer.await_current(&bench);
    let place = &segment(&explorer, &blake3)["places"][0];
    assert_eq!((place["word"].as_str(), place["proof"].is_null()), (Some("unvoted"), true), "{place}");
    let of_late = place["archives"].as_array().unwrap();
    // in sessions that nobody has named yet, each archive's epoch is its own
    assert_eq!(of_late.len(), 1, "{place}");

    // the session is opened by the first of its epochs
    bench.propose(4, headers[0], 0);
    let header = headers[2];
    bench.propose(1, header, 0);
    let open = explorer.await_get(&slot_path(header), |slot| slot["candidates"] == 1);
    assert_eq!((open["state"].as_str(), open["votes"].as_u64()), (Some("open"), Some(1)), "{open}");
    assert_eq!(open["not_voted"].as_array().unwrap().len(), 3);
    assert_eq!(segment(&explorer, &blake3)["places"][0]["word"], "open");
    bench.attest(2, header);
    bench.attest(3, header);
    let found = explorer.await_get(&slot_path(header), |slot| slot["state"] == "final");
    assert_eq!(found["final"]["standing"], "unsafe");
    assert_eq!(found["stream_id"], VIDEO);
    assert_eq!(found["session"]["index"], "2");
    assert_eq!(found["archives"]["equal"], 2, "{found}");
    let votes: Vec<_> =
        found["vote_list"].as_array().unwrap().iter().map(|vote| vote["kind"].as_str().unwrap()).collect();
    assert_eq!(votes, ["propose", "attest", "attest"]);
    assert!(found["candidate_list"][0]["time_ms"].as_u64() > Some(0));
    let places = segment(&explorer, &blake3)["places"].clone();
    assert_eq!(places.as_array().unwrap().len(), 1, "both archives have it in one slot: {places}");
    let place = &places[0];
    assert_eq!(place["word"], "not_final_yet");
    assert_eq!(place["archives"].as_array().unwrap().len(), 2);

    bench.mine(FINAL_AFTER + 2);
    let place =
        explorer.await_get(&format!("/api/v1/segments/{blake3}"), |found| found["places"][0]["word"] == "final");
    let proof = proof_of(&place["places"][0]);
    assert_eq!((proof.header, proof.group_sequence, proof.track.as_str()), (header, 25, "0.m4s"));
    assert_eq!(alloy::hex::encode(proof.blake3), blake3);
    let alone = explorer.get(&format!("/api/v1/proof?blake3={blake3}"));
    assert_eq!(serde_json::from_slice::<Proof>(&alone.body).unwrap(), proof);
    assert!(alone.header("cache-control").unwrap().contains("immutable"), "{}", alone.head);
    let by_group = explorer.json(&format!("/api/v1/proof?slot={}&group_sequence=25", header.slot()));
    assert_eq!(serde_json::from_value::<Proof>(by_group).unwrap(), proof);

    // another program asks it, and believes what is proven
    let checked = bench.check(&explorer, &blake3);
    let told: Value = serde_json::from_slice(&checked.stdout).unwrap_or_else(|_| panic!("{checked:?}"));
    assert_eq!((checked.status.code(), told["by"].as_str()), (Some(0), Some("explorer")), "{told}");
    assert_eq!(
        (told["places"][0]["stream_id"].as_str(), told["places"][0]["state"].as_str()),
        (Some(VIDEO), Some("final"))
    );
    let unknown = bench.check(&explorer, &"5".repeat(64));
    assert_eq!(unknown.status.code(), Some(1), "{unknown:?}");

    // the streams, and where they stand
    let streams = explorer.json("/api/v1/streams?q=la-cbs&strip=24");
    assert_eq!(streams["streams"].as_array().unwrap().len(), 2, "{streams}");
    let stream = &streams["streams"][0];
    assert_eq!((stream["stream_id"].as_str(), stream["slots"]["final"].as_u64()), (Some(VIDEO), Some(1)));
    let hash = stream["stream"].as_str().unwrap();
    let slots = explorer.json(&format!("/api/v1/streams/{hash}/slots?order=oldest"));
    assert_eq!(slots["slots"].as_array().unwrap().iter().filter(|slot| slot["state"] == "final").count(), 1);
    // the segment's session is known, so its other epochs have slots, in which nobody has voted
    assert_eq!(
        slots["slots"].as_array().unwrap().iter().filter(|slot| slot["state"] == "unvoted").count(),
        2,
        "{slots}"
    );
    let by_number = explorer.json(&format!("/api/v1/streams/{hash}/slots?sequence={}", header.sequence));
    let found: Vec<_> = by_number["slots"].as_array().unwrap().iter().map(|slot| slot["slot"].as_str()).collect();
    assert_eq!(found, [Some(header.slot().to_string().as_str())], "{by_number}");
    let sessions = explorer.json(&format!("/api/v1/streams/{hash}/sessions"));
    assert_eq!(sessions["sessions"].as_array().unwrap().len(), 1);
    let witnesses = explorer.json("/api/v1/witnesses?from=1&to=2678400001");
    assert_eq!(witnesses["final_slots"], 0);
    let witnesses = explorer.json("/api/v1/witnesses");
    assert_eq!((witnesses["quorum"].as_u64(), witnesses["final_slots"].as_u64()), (Some(3), Some(1)), "{witnesses}");
    let list = witnesses["witnesses"].as_array().unwrap();
    assert_eq!(list.len(), 4);
    assert_eq!((list[0]["name"].as_str(), list[0]["record"]["agreed"].as_u64()), (Some("the first"), Some(1)));
    assert_eq!((list[3]["record"]["voted"].as_u64(), list[3]["record"]["missed"].as_u64()), (Some(1), Some(1)));
    explorer.end();
}

#[test]
fn votes_of_other_content_moves_and_rotations_are_shown_as_they_are() {
    let bench = Bench::start();
    let header = bench.headers("first", "la-nbc")[3];
    let later = ObservationHeader { observed_unix_ms: header.observed_unix_ms + 5, ..header };
    let other = ObservationHeader { data_root: alloy::primitives::B256::repeat_byte(7), ..header };
    let explorer = bench.explore(&["first"], &[]);
    explorer.await_current(&bench);
    bench.propose(1, header, 0);
    bench.propose(2, later, 1);
    bench.propose(4, other, 2);
    bench.rotate(2, 6);
    bench.shift(6, later, header, 0);
    let slot = explorer.await_get(&slot_path(header), |slot| slot["vote_list"].as_array().map(Vec::len) == Some(4));
    assert_eq!((slot["state"].as_str(), slot["candidates"].as_u64()), (Some("disputed"), Some(3)), "{slot}");
    let moved = &slot["vote_list"][3];
    let seat = format!("{:#x}", bench.account(2));
    assert_eq!((moved["kind"].as_str(), moved["witness"].as_str()), (Some("move"), Some(seat.as_str())));
    assert_eq!(moved["address"], format!("{:#x}", bench.account(6)));
    assert_eq!(moved["from"], later.hash().to_string());
    assert_eq!(slot["candidate_list"][0]["voters"].as_array().unwrap().len(), 2);
    assert!(slot["candidate_list"][1]["voters"].as_array().unwrap().is_empty());
    bench.attest(3, header);
    explorer.await_get(&slot_path(header), |slot| slot["state"] == "final");
    let witness = explorer.json(&format!("/api/v1/witnesses/{:#x}", bench.account(4)));
    assert_eq!(witness["witness"]["record"]["disagreed"], 1, "{witness}");
    assert_eq!(witness["disagreed"][0]["slot"], header.slot().to_string());
    let rotated = explorer.json(&format!("/api/v1/witnesses/{:#x}", bench.account(6)));
    assert_eq!(rotated["witness"]["witness"], seat);
    assert_eq!(rotated["witness"]["addresses"].as_array().unwrap().len(), 2);
    assert_eq!(
        (rotated["witness"]["active"].as_bool(), rotated["witness"]["record"]["moved"].as_u64()),
        (Some(true), Some(1))
    );
    explorer.end();
}

#[test]
fn what_a_reorg_takes_back_is_gone_and_told_of() {
    let bench = Bench::start();
    let header = bench.headers("first", VIDEO)[0];
    let blake3 = blake3_of(&bench, "la-cbs/0.m4s.jsonl", 3);
    let explorer = bench.explore(&["first"], &[]);
    explorer.await_current(&bench);
    let mut events = explorer.events("", None);
    let hello = events.next();
    assert_eq!((hello.name.as_str(), hello.data["state"].as_str()), ("hello", Some("following")));
    let before = bench.head();
    bench.finalize(header);
    let candidate = events.await_event("candidate");
    assert_eq!(candidate.data["slot"], header.slot().to_string());
    let vote = events.await_event("vote");
    assert_eq!((vote.data["kind"].as_str(), vote.data["lag_ms"].as_u64()), (Some("propose"), Some(0)));
    let told = events.await_event("final");
    assert_eq!(told.data["observation"], header.hash().to_string());
    explorer.await_get(&slot_path(header), |slot| slot["state"] == "final");
    bench.take_back_to(before);
    let reorg = events.await_event("reorg");
    assert!(reorg.data["block"].as_u64() <= Some(before), "{reorg:?}");
    let place =
        explorer.await_get(&format!("/api/v1/segments/{blake3}"), |found| found["places"][0]["word"] == "unvoted");
    assert!(place["places"][0]["slot"].is_null(), "nobody names the session any more: {place}");
    assert_eq!(explorer.get(&slot_path(header)).status, 404);
    // and again, otherwise
    bench.propose(2, header, 0);
    bench.attest(4, header);
    bench.attest(3, header);
    let slot = explorer.await_get(&slot_path(header), |slot| slot["state"] == "final");
    assert_eq!(slot["candidate_list"][0]["proposer"], format!("{:#x}", bench.account(2)));
    bench.mine(FINAL_AFTER + 2);
    let settled = events.await_event("finalized");
    assert_eq!(settled.data["slots"][0], header.slot().to_string());
    // who comes back is told what it missed; who was away for too long, to begin anew
    let mut again = explorer.events(&format!("?slot={}", header.slot()), Some(&told.id));
    assert_eq!(again.next().name, "hello");
    assert_eq!(again.await_event("reorg").id, reorg.id);
    let mut unknown = explorer.events("", Some("7"));
    unknown.next();
    assert_eq!(unknown.next().name, "reset");
    explorer.end();
}

/// What is shown of everything, as far as it does not depend on the database's age.
fn shown(explorer: &Explorer, headers: &[ObservationHeader]) -> Vec<Value> {
    let streams = explorer.json("/api/v1/streams?limit=500");
    let mut shown = vec![streams.clone()];
    for stream in streams["streams"].as_array().unwrap() {
        let mut slots =
            explorer.json(&format!("/api/v1/streams/{}/slots?limit=500", stream["stream"].as_str().unwrap()));
        slots["next"].take();
        shown.push(slots);
    }
    shown.extend(headers.iter().map(|header| explorer.json(&slot_path(*header))));
    shown.extend(headers.iter().map(|header| explorer.json(&format!("{}/records", slot_path(*header)))));
    shown
}

#[test]
fn a_restart_and_a_database_that_was_thrown_away_show_the_same() {
    let bench = Bench::start();
    bench.copy("sample-late", "late");
    let archives = ["first", "late"];
    let video = bench.headers("first", VIDEO);
    let timeline = bench.headers("first", "la-nbc");
    for header in video.iter().chain(&timeline[..3]) {
        bench.finalize(*header);
    }
    bench.mine(FINAL_AFTER + 2);
    let headers: Vec<_> = video.iter().chain(&timeline[..3]).copied().collect();
    let explorer = bench.explore(&archives, &[]);
    explorer.await_current(&bench);
    let first = shown(&explorer, &headers);
    assert!(first.len() > 10);
    explorer.end();
    // what happens while it is away is read on from where it was
    let missed = timeline[3];
    bench.finalize(missed);
    let explorer = bench.explore(&archives, &[]);
    explorer.await_current(&bench);
    explorer.await_get(&slot_path(missed), |slot| slot["state"] == "final");
    bench.mine(FINAL_AFTER + 2);
    explorer.await_get(&slot_path(missed), |slot| slot["final"]["standing"] == "finalized");
    let second = shown(&explorer, &headers);
    explorer.end();
    let explorer = bench.explore(&archives, &["--anew"]);
    explorer.await_current(&bench);
    explorer.await_get(&slot_path(missed), |slot| slot["final"]["standing"] == "finalized");
    await_shown(&explorer, &headers, &second);
    compare(&first[first.len() - 1..], &second[second.len() - 1..]);
    explorer.end();
    // a file that is no database any more is made again, too
    fs::write(bench.dir.path().join("explorer/main.sqlite"), "nonsense").unwrap();
    let explorer = bench.explore(&archives, &[]);
    explorer.await_current(&bench);
    explorer.await_get(&slot_path(missed), |slot| slot["final"]["standing"] == "finalized");
    await_shown(&explorer, &headers, &second);
    explorer.end();
}

/// Waits until this is shown: epochs close some time after the archives are read.
#[track_caller]
fn await_shown(explorer: &Explorer, headers: &[ObservationHeader], expected: &[Value]) {
    let begun = std::time::Instant::now();
    while shown(explorer, headers) != expected && begun.elapsed().as_secs() < 30 {
        std::thread::sleep(std::time::Duration::from_millis(200));
    }
    compare(&shown(explorer, headers), expected);
}

/// One by one, as all at once is too much to read.
#[track_caller]
fn compare(found: &[Value], expected: &[Value]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found, expected);
    }
}

#[test]
fn an_archive_that_grows_is_read_on_and_one_that_differs_is_shown_as_such() {
    let bench = Bench::start();
    bench.copy("sample", "second");
    let file = |name: &str| bench.archive(name).join("manifests/la-cbs/1.m4s.jsonl");
    let whole = fs::read_to_string(file("first")).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    // the second archive has another hash in its 15th group
    let changed: Vec<_> = lines
        .iter()
        .map(|line| {
            if line.contains(r#""group_sequence":15,"#) {
                line.replace(r#""blake3":"0"#, r#""blake3":"1"#).replace(r#""size_bytes":"#, r#""size_bytes":1"#)
            } else {
                (*line).to_owned()
            }
        })
        .collect();
    fs::write(file("second"), changed.concat()).unwrap();
    let headers = bench.headers("first", "la-cbs/track/1.m4s");
    fs::write(file("first"), lines[..15].concat()).unwrap();
    let explorer = bench.explore(&["first", "second"], &[]);
    explorer.await_current(&bench);
    bench.finalize(headers[0]);
    bench.finalize(headers[1]);
    let before = explorer.await_get(&slot_path(headers[1]), |slot| slot["state"] == "mismatched");
    assert_eq!(before["archives"]["differing"], 1, "{before}");
    let mut events = explorer.events("", None);
    let mut grown = fs::OpenOptions::new().append(true).open(file("first")).unwrap();
    grown.write_all(lines[15..].concat().as_bytes()).unwrap();
    let event = events.await_event("archive");
    assert_eq!((event.data["archive"].as_str(), event.data["records"].as_u64() > Some(0)), (Some("first"), true));
    let after = explorer.await_get(&slot_path(headers[1]), |slot| slot["archives"]["equal"] == 1);
    assert_eq!((after["state"].as_str(), after["archives"]["differing"].as_u64()), (Some("mismatched"), Some(1)));
    let records = explorer.json(&format!("{}/records", slot_path(headers[1])));
    assert_eq!(
        (records["differing"].as_u64(), records["records"].as_array().unwrap().len()),
        (Some(1), 10),
        "{records}"
    );
    let differs =
        records["records"].as_array().unwrap().iter().find(|record| record["objects"].as_array().unwrap().len() > 1);
    assert_eq!(differs.unwrap()["group_sequence"], "15");
    explorer.end();
}
