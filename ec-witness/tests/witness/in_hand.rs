//! `check`: a file in hand, by its bytes alone; and what `check-proof` tells apart.

use std::{fs, path::PathBuf};

use super::*;

/// The bytes of a group of `TestArchive`, in a file that is called otherwise.
fn file(rail: &Rail, name: &str, track: &str, group: u64) -> PathBuf {
    let path = rail.path(name);
    fs::write(&path, format!("{track} {group} a")).unwrap();
    path
}

fn check(rail: &Rail, archive: &TestArchive, file: &str, more: &str) -> Outcome {
    run(rail.command(1, archive, &format!("check {more}")).arg(file))
}

#[test]
fn a_file_is_told_by_its_bytes_and_whether_it_is_final() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    rail.init(1, &archive);
    let clip = file(&rail, "clip.mp4", "audio0.m4s", 4);
    let clip = clip.to_str().unwrap();
    let of = |more: &str| check(&rail, &archive, clip, more);

    let early = of("");
    assert_eq!(early.code, 3, "{early:?}");
    assert!(
        early.stdout.starts_with("clip.mp4 was broadcast by tv (track audio0.m4s, group 4), received at "),
        "{early:?}"
    );
    assert!(early.stdout.contains("have not agreed on that time yet"), "{early:?}");
    let open = file(&rail, "open", "audio0.m4s", 6);
    assert_eq!(check(&rail, &archive, open.to_str().unwrap(), "--json").json()["places"][0]["state"], "not_closed");

    assert_eq!(rail.once(1, &archive).code, 0);
    let above = of("--json");
    assert_eq!((above.code, &above.json()["places"][0]["state"]), (3, &"not_final_yet".into()), "{above:?}");
    rail.net.pass_finality();
    let told = of("");
    assert_eq!(told.code, 0, "{told:?}");
    assert!(
        told.stdout.contains("received at 2026-03-06T19:18:08") && told.stdout.contains("1 of 1 witnesses"),
        "{told:?}"
    );
    assert!(
        told.stdout.contains("which is final since ") && told.stdout.lines().count() == 1,
        "one sentence: {told:?}"
    );
    let place = &of("--json").json()["places"][0];
    let me = rail.net.account(1).to_string().to_lowercase();
    assert_eq!(place["witnesses"][0].as_str().unwrap().to_lowercase(), me, "{place}");
    assert_eq!((&place["quorum"], &place["group_sequence"]), (&1.into(), &4.into()), "{place}");
    assert!(place["slot"].is_string() && place["final_block"].as_u64() > Some(0), "{place}");

    // by its hash alone; and one that nobody has
    let hash = blake3::hash(b"audio0.m4s 4 a").to_hex();
    let by_hash = run(&mut rail.command(1, &archive, &format!("check --blake3 {hash}")));
    assert!(by_hash.code == 0 && by_hash.stdout.contains("by tv"), "{by_hash:?}");
    let strange = rail.path("strange");
    fs::write(&strange, "strange").unwrap();
    let strange = check(&rail, &archive, strange.to_str().unwrap(), "");
    assert!(strange.code == 1 && strange.stdout.contains("strange is not known"), "{strange:?}");

    // without a ledger it is this archive's word
    let mut command = rail.command(1, &archive, "check");
    let alone = run(command.env_remove("EC_WITNESS_LEDGER").arg(clip));
    assert!(alone.code == 5 && alone.stdout.contains("this copy's word alone"), "{alone:?}");
}

#[test]
fn a_lanes_file_is_told_with_its_session() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    let command = |text: &str| {
        let mut command = rail.command(1, &archive, text);
        command.env("EC_WITNESS_NUMBERING", "session");
        command
    };
    let clip = file(&rail, "clip", "video0.m4s", 1);
    assert_eq!(run(&mut command("init --from-sequence first")).code, 0);
    let once = run(&mut command(&format!("run --once {DELAYS}")));
    assert_eq!(once.code, 0, "{once:?}");
    rail.net.pass_finality();
    let told = run(command("check --json").arg(&clip));
    let place = &told.json()["places"][0];
    assert_eq!(
        (told.code, &place["stream_id"], &place["state"]),
        (0, &"tv/track/video0.m4s".into(), &"final".into()),
        "{told:?}"
    );
    assert!(place["epoch_id"].as_str().unwrap().starts_with("ec/epoch/v2/g3/177282468"), "{place}");
}

#[test]
fn a_proof_beside_a_file_is_enough() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    rail.net.pass_finality();
    let proof = run(&mut rail.command(1, &archive, "prove --track audio0.m4s --group-sequence 4"));
    let clip = file(&rail, "clip", "audio0.m4s", 4);
    fs::write(rail.path("clip.proof.json"), &proof.stdout).unwrap();
    // of an archive nothing is known here
    let elsewhere = |file: &PathBuf| {
        let mut command = rail.command(1, &archive, "check");
        run(command.env_remove("EC_WITNESS_ARCHIVE").env_remove("EC_WITNESS_STORE").arg(file))
    };
    let told = elsewhere(&clip);
    assert!(
        told.code == 0 && told.stdout.contains("by tv (track audio0.m4s, group 4), in the minute from "),
        "{told:?}"
    );
    assert!(told.stdout.contains("1 of 1 witnesses recorded the very same, which is final since "), "{told:?}");
    // the proof is of these bytes alone
    fs::write(&clip, "others").unwrap();
    let other = elsewhere(&clip);
    assert!(other.code == 1 && other.stdout.contains("its proof is of other bytes"), "{other:?}");
    let nothing = elsewhere(&file(&rail, "without", "audio0.m4s", 4));
    nothing.assert_error(&["no archive"]);
}

#[test]
fn four_ways_of_not_being_final_have_a_code_each() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    rail.init(1, &archive);
    let prove = |more: &str| format!("prove --track audio0.m4s --group-sequence 4 {more}");
    let mut without = rail.command(1, &archive, &prove(""));
    let without = run(without.env_remove("EC_WITNESS_LEDGER"));
    assert!(without.code == 0 && without.stderr.contains("no ledger is configured"), "{without:?}");
    let check = |proof: &Value| run(rail.command(1, &archive, "check-proof -").write_stdin(proof.to_string()));
    let early = check(&without.json());
    assert!(early.code == 3 && early.stdout.starts_with("not yet: "), "{early:?}");

    assert_eq!(rail.once(1, &archive).code, 0);
    rail.net.pass_finality();
    let proof = run(&mut rail.command(1, &archive, &prove(""))).json();
    assert_eq!(check(&proof).code, 0);
    assert_eq!(proof["of"]["stream_id"], "tv", "{proof}");
    assert_eq!(proof["of"]["ledger"]["chain_id"], rail.net.chain_id(), "{proof}");

    // false: another size, another name of the stream
    let mut wrong = proof.clone();
    wrong["size_bytes"] = 1.into();
    let outcome = check(&wrong);
    assert!(outcome.code == 1 && outcome.stdout.starts_with("no: the path leads"), "{outcome:?}");
    let mut wrong = proof.clone();
    wrong["of"]["stream_id"] = "another".into();
    let outcome = check(&wrong);
    assert!(outcome.code == 1 && outcome.stdout.contains("stream_id is \"another\""), "{outcome:?}");
    // of another chain
    let mut other = proof.clone();
    other["of"]["ledger"]["chain_id"] = 5.into();
    let outcome = check(&other);
    assert!(outcome.code == 4 && outcome.stdout.starts_with("of another chain: "), "{outcome:?}");
    // made without the ledger: the same content under another header
    let mut alone = proof;
    alone["header"]["parentObservationHash"] = format!("0x{}", "1".repeat(64)).into();
    alone["of"].as_object_mut().unwrap().remove("ledger");
    let outcome = check(&alone);
    assert!(outcome.code == 5 && outcome.stdout.starts_with("made without the ledger: "), "{outcome:?}");
}
