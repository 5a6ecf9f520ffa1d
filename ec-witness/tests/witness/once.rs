//! `run --once`, `status`, `verify`, `diff`.

use super::*;

#[test]
fn three_witnesses_finalize_an_archive_and_a_second_run_changes_nothing() {
    let rail = Rail::start(3, 2);
    let archive = TestArchive::of_groups(13);
    for w in 1..=3 {
        rail.init(w, &archive);
    }
    let outcomes = rail.all_once(&[(1, &archive), (2, &archive), (3, &archive)]);
    for outcome in &outcomes {
        assert_eq!((outcome.code, states(outcome)), (0, vec!["finalized".to_owned(); 4]), "{outcome:?}");
    }
    let sent: Vec<u64> = (1..=3).map(|w| rail.nonce(w)).collect();
    assert_eq!(rail.once(1, &archive).code, 0);
    assert_eq!((1..=3).map(|w| rail.nonce(w)).collect::<Vec<_>>(), sent, "a second run sends nothing");

    rail.net.pass_finality();
    let status = run(&mut rail.command(1, &archive, "status --json"));
    assert_eq!(states(&status), ["finalized", "finalized", "finalized", "finalized", "open"]);
    let verify = run(&mut rail.command(1, &archive, "verify --json --require-final"));
    assert_eq!((verify.code, verify.lines().len()), (0, 4), "{verify:?}");
}

#[test]
fn each_vote_is_a_line_of_the_log() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    let votes = &|w| {
        rail.init(w, &archive);
        let arguments = format!("run --once {DELAYS} --log info --log-format json");
        let outcome = run(&mut rail.command(w, &archive, &arguments));
        let lines = outcome.stderr.lines().map(|line| serde_json::from_str(line).unwrap());
        lines.filter(|line: &Value| line["message"] == "vote").collect::<Vec<_>>()
    };
    let votes = std::thread::scope(|scope| {
        let running = [1, 2].map(|w| scope.spawn(move || votes(w)));
        running.map(|votes| votes.join().unwrap())
    });
    for votes in &votes {
        let [vote] = votes.as_slice() else { panic!("{votes:?}") };
        assert_eq!(
            (&vote["stream"], &vote["epoch"], &vote["recorded"]),
            (&"tv".into(), &0.into(), &Value::Null),
            "{vote}"
        );
        assert_eq!(
            (vote["slot"].as_str().unwrap().len(), vote["observation"].as_str().unwrap().len()),
            (66, 66),
            "{vote}"
        );
        assert!(vote["vote"] == "propose" || vote["vote"] == "attest", "{vote}");
    }
    assert!(votes.iter().flatten().any(|vote| vote["vote"] == "propose"), "{votes:?}");
}

#[test]
fn one_differing_archive_is_outvoted_found_and_named() {
    let rail = Rail::start(3, 2);
    let (good, bad) = (TestArchive::of_groups(6), TestArchive::of_groups(5));
    bad.append_record("video0.m4s", 5, "b");
    bad.append_record("audio0.m4s", 5, "a");
    for (w, archive) in [(1, &good), (2, &good), (3, &bad)] {
        rail.init(w, archive);
    }
    let outcomes = rail.all_once(&[(1, &good), (2, &good), (3, &bad)]);
    assert_eq!(outcomes.iter().map(|outcome| outcome.code).collect::<Vec<_>>(), [0, 0, 1], "{outcomes:?}");
    assert_eq!(states(&outcomes[2]), ["finalized", "mismatch"]);

    rail.net.pass_finality();
    let verify = run(&mut rail.command(3, &bad, "verify --json"));
    assert_eq!(verify.code, 1);
    assert_eq!(verify.lines()[1]["verdict"], "mismatch");
    for (epoch, code, verdict) in [("0", 0, "equal"), ("1", 1, "mismatch")] {
        let one = run(rail.command(3, &bad, "verify --json --epoch").arg(epoch));
        assert_eq!((one.code, one.lines().len()), (code, 1), "{one:?}");
        assert_eq!(
            (&one.lines()[0]["sequence"].to_string(), &one.lines()[0]["verdict"]),
            (&epoch.into(), &verdict.into())
        );
    }
    run(&mut rail.command(3, &bad, "verify --epoch 7")).assert_error(&["--epoch 7", "no stream", "closed"]);
    // final on the ledger, and gone from the archive
    let none = TestArchive::of_groups(3);
    let gone = run(&mut rail.command(3, &none, "verify --json --epoch 1"));
    assert_eq!((gone.code, &gone.lines()[0]["verdict"]), (1, &"missing".into()), "{gone:?}");
    let diff = run(rail.command(1, &good, "diff --json --other").arg(bad.path()));
    assert_eq!((diff.code, diff.lines().len()), (1, 1));
    assert_eq!(diff.lines()[0]["own"]["group_sequence"], 5);
    assert_eq!(diff.lines()[0]["own"]["track"], "video0.m4s");
    assert_eq!(run(rail.command(1, &good, "diff --other").arg(good.path())).code, 0);

    // the same from afar: the author writes the epoch out, the ledger says whose it is
    let records = |archive: &TestArchive| run(&mut rail.command(3, archive, "derive --records 1")).stdout;
    let diff = |text: String| run(rail.command(1, &good, "diff --json --author -").write_stdin(text));
    assert_eq!(diff(records(&good)).code, 0);
    diff(records(&bad)).assert_error(&["none of the 1 candidates"]);
    let mut offline = rail.command(1, &good, "diff --json --author -");
    let offline = run(offline.env_remove("EC_WITNESS_LEDGER").write_stdin(records(&bad)));
    assert_eq!((offline.code, &offline.lines()[0]["own"]["group_sequence"]), (1, &Value::from(5)), "{offline:?}");
}

#[test]
fn a_conflicting_epoch_is_nobodys_vote() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    archive.append_record("audio0.m4s", 1, "another");
    rail.init(1, &archive);
    let outcome = rail.once(1, &archive);
    assert_eq!((outcome.code, states(&outcome)), (1, vec!["conflicting".to_owned(), "finalized".to_owned()]));
    assert_eq!(outcome.lines()[0]["observation_hash"], Value::Null);
}

#[test]
fn late_records_explain_a_difference() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    rail.init(1, &archive);
    // epoch 3 lacks its last audio group, which comes an hour late
    archive.append(7..11);
    archive.append_record("video0.m4s", 11, "a");
    archive.append(12..13);
    let voted = run(&mut rail.command(1, &archive, "run --once --json --poll-ms 100 --incomplete-delay-ms 0"));
    assert_eq!(states(&voted), vec!["finalized"; 4], "{voted:?}");
    let line = r#"{"group_sequence":11,"received_unix_ms":1772828400000,"size_bytes":1,"blake3":"00"}"#;
    archive.append_raw("audio0.m4s", &(line.replace("\"00\"", &format!("\"{}\"", "00".repeat(32))) + "\n"));
    rail.net.pass_finality();
    let verify = run(&mut rail.command(1, &archive, "verify --json"));
    assert_eq!((verify.code, verify.lines()[3]["verdict"].as_str().unwrap()), (1, "late"), "{verify:?}");
    assert_eq!(verify.lines()[3]["late_records"], 1);
}

#[test]
fn a_dry_run_needs_no_key_and_sends_nothing() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    let mut command = rail.command(1, &archive, "run --once --dry-run --json --log info");
    let outcome = run(command.env_remove("EC_WITNESS_KEY_FILE").env_remove("EC_WITNESS_STORE"));
    assert_eq!((outcome.code, states(&outcome)), (1, vec!["waiting".to_owned(); 2]), "{outcome:?}");
    assert!(outcome.stderr.contains(" INFO vote stream=tv epoch=1 vote=propose observation=0x"), "{outcome:?}");
    assert!(outcome.stderr.lines().all(|line| line.chars().count() <= 120), "{outcome:?}");
    assert_eq!(rail.nonce(1), 0);
}

#[test]
fn init_begins_at_the_newest_closed_epoch() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(10);
    let created = run(&mut rail.command(1, &archive, "init --json")).json();
    assert_eq!(created["streams"][0]["from_sequence"], 2);
    assert_eq!(created["active"], true);
    let outcome = rail.once(1, &archive);
    assert_eq!(outcome.lines().len(), 1);
    assert_eq!(outcome.lines()[0]["sequence"], 2);
}
