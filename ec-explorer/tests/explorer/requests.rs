//! What is refused, what is cached, and what is served of media.

use std::{fs, io::Write};

use assert_cmd::Command;
use ec_testing::running::{Running, await_that};
use serde_json::Value;

use crate::{bench::Bench, blake3_of, slot_path};

#[test]
fn what_cannot_be_asked_is_refused_by_a_problem() {
    let bench = Bench::start();
    let explorer = bench.explore(&["first"], &[]);
    let zero = "0".repeat(64);
    for (path, status, kind) in [
        ("/api/v1/streams?limit=0", 400, "bad-parameter"),
        ("/api/v1/streams?limit=501", 400, "bad-parameter"),
        ("/api/v1/streams?nonsense=1", 400, "bad-parameter"),
        ("/api/v1/streams?limit=1&limit=2", 400, "bad-parameter"),
        ("/api/v1/streams?cursor=x", 400, "bad-parameter"),
        ("/api/v1/streams?ledger=other", 404, "unknown-ledger"),
        ("/api/v1/streams?from=5&to=5", 400, "bad-parameter"),
        ("/api/v1/streams/x", 400, "bad-parameter"),
        (&format!("/api/v1/streams/{zero}"), 404, "unknown-stream"),
        (&format!("/api/v1/streams/{zero}/strip?cells=1001"), 400, "bad-parameter"),
        (&format!("/api/v1/streams/{zero}/groups"), 400, "bad-parameter"),
        (&format!("/api/v1/streams/{zero}/groups?from=0&to=99999999"), 400, "bad-parameter"),
        (&format!("/api/v1/slots/{zero}"), 404, "unknown-slot"),
        (&format!("/api/v1/slots/{zero}/records"), 404, "unknown-slot"),
        ("/api/v1/slots/%ff", 400, "bad-parameter"),
        (&format!("/api/v1/segments/{zero}"), 404, "unknown-segment"),
        (&format!("/api/v1/proof?blake3={zero}"), 404, "unknown-segment"),
        ("/api/v1/proof", 400, "bad-parameter"),
        ("/api/v1/witnesses/0x0000000000000000000000000000000000000000", 404, "unknown-witness"),
        ("/api/v1/witnesses/x", 400, "bad-parameter"),
        ("/api/v1/witnesses?from=0&to=9000000000000", 400, "bad-parameter"),
        ("/api/v1/events?stream=x", 400, "bad-parameter"),
        (&format!("/media/objects/{zero}"), 404, "not-served"),
        ("/nothing", 404, "not-found"),
    ] {
        let answer = explorer.get(path);
        let problem = answer.json();
        assert_eq!((answer.status, problem["status"].as_u64()), (status, Some(status.into())), "{path}: {problem}");
        assert_eq!(problem["type"], format!("urn:every-channel:problem:{kind}"), "{path}");
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{path}");
        assert!(!problem["detail"].as_str().unwrap().is_empty());
    }
    let posted = explorer.ask("POST", "/api/v1/streams", &[("content-length", "0")]);
    assert_eq!((posted.status, posted.header("allow").is_some()), (405, true), "{}", posted.head);
    let head = explorer.ask("HEAD", "/api/v1/streams", &[]);
    assert_eq!((head.status, head.body.len()), (200, 0));
    explorer.end();
}

#[test]
fn answers_carry_what_browsers_and_caches_need() {
    let bench = Bench::start();
    let header = bench.headers("first", "la-nbc")[0];
    bench.finalize(header);
    let explorer = bench.explore(&["first"], &[]);
    explorer.await_current(&bench);
    let page = explorer.get("/");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("connect-src 'self';"), "{policy}");
    assert!(page.header("content-type").unwrap().starts_with("text/html"));
    assert_eq!(page.header("access-control-allow-origin"), None);
    let check = explorer.get("/check");
    assert!(check.header("content-security-policy").unwrap().contains("connect-src 'self' http: https:"));
    let slot = explorer.get(&slot_path(header));
    assert_eq!(slot.header("access-control-allow-origin"), Some("*"));
    assert_eq!(slot.header("x-content-type-options"), Some("nosniff"));
    let tag = slot.header("etag").unwrap();
    let same = explorer.ask("GET", &slot_path(header), &[("if-none-match", tag)]);
    assert_eq!((same.status, same.body.len()), (304, 0), "{}", same.head);
    let document = explorer.json("/api/v1/openapi.json");
    assert!(document["paths"].as_object().unwrap().contains_key("/api/v1/segments/{blake3}"));
    let metrics = explorer.served.scrape();
    assert_eq!(metrics.get("ec_explorer_ledger_followed{ledger=\"main\"}"), Some(&1.0), "{metrics:?}");
    assert!(metrics["ec_explorer_records{ledger=\"main\"}"] > 3900.0);
    // what is counted of the endpoints goes by this program's name
    let starting =
        |with: &str| metrics.iter().filter(|(name, _)| name.starts_with(with)).map(|(_, value)| *value).collect();
    assert_eq!(starting("ec_explorer_rpc_up{"), vec![1.0], "{metrics:?}");
    let (answers, heads): (Vec<f64>, Vec<f64>) =
        (starting("ec_explorer_rpc_answers_total{"), starting("ec_explorer_rpc_head_block{"));
    assert!(answers[0] > 5.0 && heads[0] > 1.0, "{metrics:?}");
    assert!(starting("ec_explorer_rpc_duration_seconds_count{")[0] > 5.0, "{metrics:?}");
    assert_eq!(starting("ec_witness_"), Vec::<f64>::new(), "{metrics:?}");
    assert_eq!(explorer.json("/healthz")["ok"], true);
    // without its chain it still shows what it knows, and says that it is without
    drop(bench);
    await_that("health is bad", || explorer.get("/healthz").status == 503);
    let about = explorer.json("/api/v1");
    assert_eq!(about["ledgers"][0]["state"], "down", "{about}");
    assert_eq!(explorer.get(&slot_path(header)).status, 200);
    explorer.end();
}

#[test]
fn media_are_served_by_range_and_in_playlists_that_end() {
    let bench = Bench::start();
    let header = bench.headers("first", "la-cbs/track/0.m4s")[0];
    bench.finalize(header);
    let explorer = bench.explore(&["first"], &["--serve-media"]);
    explorer.await_current(&bench);
    let blake3 = blake3_of(&bench, "la-cbs/0.m4s.jsonl", 3);
    let path = format!("/media/objects/{blake3}.m4s");
    let whole = explorer.get(&path);
    assert_eq!((whole.status, blake3::hash(&whole.body).to_hex().as_str()), (200, blake3.as_str()));
    let part = explorer.ask("GET", &path, &[("range", "bytes=10-19")]);
    assert_eq!((part.status, part.body.as_slice()), (206, &whole.body[10..20]));
    assert_eq!(part.header("content-range").unwrap(), format!("bytes 10-19/{}", whole.body.len()));
    let none = explorer.ask("GET", &path, &[("range", "bytes=99999999-")]);
    assert_eq!(
        (none.status, none.header("content-range").unwrap()),
        (416, format!("bytes */{}", whole.body.len()).as_str())
    );
    let missing = explorer.get(&format!("/media/objects/{}", "0".repeat(64)));
    assert_eq!(missing.status, 404);

    let stream = header.stream_hash;
    let (from, to) = (header.observed_unix_ms, header.observed_unix_ms + 60_000);
    let groups = explorer.json(&format!("/api/v1/streams/{stream}/groups?from={from}&to={to}"));
    let groups = groups["groups"].as_array().unwrap();
    assert!(groups.len() > 20, "{}", groups.len());
    assert_eq!(
        (groups[0]["state"].as_str(), groups[0]["slot"].as_str()),
        (Some("final"), Some(header.slot().to_string().as_str()))
    );
    let playlist = explorer.get(&format!("/media/streams/{stream}/playlist.m3u8?from={from}&to={to}"));
    let text = String::from_utf8(playlist.body).unwrap();
    assert!(text.ends_with("#EXT-X-ENDLIST\n"));
    let listed: Vec<_> = text.lines().filter(|line| line.starts_with("/media/objects/")).collect();
    let expected: Vec<_> = groups
        .iter()
        .map(|group: &Value| format!("/media/objects/{}.m4s", group["blake3"].as_str().unwrap()))
        .collect();
    assert_eq!(listed, expected);
    let map = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"')).unwrap();
    let init = explorer.get(map);
    assert_eq!((init.status, &init.body[4..8]), (200, &b"ftyp"[..]), "{}", init.head);

    // two tracks that share an initialisation segment have each their own here
    let timeline = bench.headers("first", "la-nbc")[0];
    let (stream, from) = (timeline.stream_hash, timeline.observed_unix_ms);
    let inits = ["video0.m4s", "audio0.m4s"].map(|track| {
        let query = format!("from={from}&to={}&track={track}", from + 60_000);
        let playlist = explorer.get(&format!("/media/streams/{stream}/playlist.m3u8?{query}"));
        let text = String::from_utf8(playlist.body).unwrap();
        let map = text.lines().find_map(|line| line.strip_prefix("#EXT-X-MAP:URI=\"")?.strip_suffix('"')).unwrap();
        let init = explorer.get(map);
        assert_eq!(init.status, 200, "{}", init.head);
        init.body
    });
    let count = |init: &[u8], kind: &[u8]| init.windows(4).filter(|window| *window == kind).count();
    for (init, own) in inits.iter().zip([b"vide", b"soun"]) {
        assert_eq!((count(init, b"trak"), count(init, b"trex"), count(init, own)), (1, 1, 1));
    }
    explorer.end();
}

#[test]
fn every_streams_last_day_comes_in_one_answer() {
    let bench = Bench::start();
    let header = bench.headers("first", "la-nbc")[0];
    bench.finalize(header);
    let explorer = bench.explore(&["first"], &[]);
    explorer.await_current(&bench);
    let page = explorer.json("/api/v1/streams?strip=144");
    let streams = page["streams"].as_array().unwrap();
    assert_eq!(streams.len(), 5, "{page}");
    for stream in streams {
        let (hash, strip) = (stream["stream"].as_str().unwrap(), &stream["strip"]);
        let [from, to] = ["from_ms", "to_ms"].map(|end| strip[end].as_u64().unwrap());
        let (first, last) = (stream["first_ms"].as_u64().unwrap(), stream["last_ms"].as_u64().unwrap());
        assert!(from <= first && last < to, "the sample is younger than a day: {stream}");
        let cells = strip["cells"].as_array().unwrap().len();
        assert!((1..=144).contains(&cells));
        // and what it is alone, asked for that stretch
        let alone = explorer.json(&format!("/api/v1/streams/{hash}/strip?from={from}&to={to}&cells={cells}"));
        assert_eq!(&alone, strip);
    }
    let finals: u64 = streams.iter().map(|stream| stream["slots"]["final"].as_u64().unwrap()).sum();
    assert_eq!(finals, 1, "{page}");
    // a stretch that is asked for is the same for all
    let (from, to) = (header.observed_unix_ms, header.observed_unix_ms + 1000);
    let page = explorer.json(&format!("/api/v1/streams?strip=4&from={from}&to={to}"));
    let of_stretch = |stream: &Value| (stream["strip"]["from_ms"].as_u64(), stream["strip"]["to_ms"].as_u64());
    assert!(page["streams"].as_array().unwrap().iter().all(|stream| of_stretch(stream) == (Some(from), Some(to))));
    explorer.end();
}

#[test]
fn who_listens_to_a_slot_hears_of_no_other_stream() {
    let bench = Bench::start();
    let file = bench.archive("first").join("manifests/la-cbs/1.m4s.jsonl");
    let whole = fs::read_to_string(&file).unwrap();
    let lines: Vec<_> = whole.split_inclusive('\n').collect();
    let header = bench.headers("first", "la-nbc")[0];
    bench.propose(1, header, 0);
    fs::write(&file, lines[..15].concat()).unwrap();
    let explorer = bench.explore(&["first"], &[]);
    explorer.await_current(&bench);
    explorer.await_get(&slot_path(header), |slot| slot["votes"] == 1);
    let mut all = explorer.events("", None);
    let mut of_slot = explorer.events(&format!("?slot={}", header.slot()), None);
    let mut of_stream = explorer.events(&format!("?stream={}", header.stream_hash), None);
    let mut listening = [&mut all, &mut of_slot, &mut of_stream];
    listening.iter_mut().for_each(|events| assert_eq!(events.next().name, "hello"));
    let mut grown = fs::OpenOptions::new().append(true).open(&file).unwrap();
    grown.write_all(lines[15..].concat().as_bytes()).unwrap();
    assert_ne!(all.await_event("archive").data["stream"], header.stream_hash.to_string());
    // what comes after it in the others' ears is of their stream, or of the whole ledger
    bench.attest(2, header);
    for events in [&mut of_slot, &mut of_stream] {
        let heard = std::iter::from_fn(|| Some(events.next())).find(|event| event.name != "heads").unwrap();
        assert_eq!((heard.name.as_str(), &heard.data["slot"]), ("vote", &Value::from(header.slot().to_string())));
    }
    explorer.end();
}

#[test]
fn the_log_is_in_colours_only_where_nobody_minds() {
    let bench = Bench::start();
    let line = format!(
        "exec {} serve --listen 127.0.0.1:0 --anew --config {}",
        env!("CARGO_BIN_EXE_ec-explorer"),
        bench.config(&["first"]).display()
    );
    let log = |no_color: Option<&str>| {
        let log = bench.dir.path().join(format!("typescript{no_color:?}"));
        let mut command = Command::new("script");
        command.args(["-qefc", &line]).arg(&log).env_remove("NO_COLOR").env("TERM", "xterm");
        command.envs(no_color.map(|value| ("NO_COLOR", value)));
        let running = Running::of(&command, fs::File::create(bench.dir.path().join("script.log")).unwrap());
        let shown = || fs::read_to_string(&log).unwrap_or_default();
        // its line is whole once the next one is begun
        await_that("the log of a terminal", || shown().contains("made anew") && shown().contains("listening on"));
        running.signal("-TERM");
        running.end();
        let shown = shown();
        shown.lines().find(|line| line.contains("made anew")).unwrap().to_owned()
    };
    assert!(log(None).contains("\u{1b}["));
    assert!(log(Some("")).contains("\u{1b}["));
    assert!(!log(Some("1")).contains('\u{1b}'));
}
