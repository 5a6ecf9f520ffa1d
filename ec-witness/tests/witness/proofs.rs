//! `prove` and `check-proof` against a ledger.

use super::*;

#[test]
fn a_record_is_proven_against_the_final_observation() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(7);
    rail.init(1, &archive);
    let prove =
        |group: u64| run(&mut rail.command(1, &archive, &format!("prove --track audio0.m4s --group-sequence {group}")));
    prove(4).assert_error(&["epoch 1 is not final"]);
    assert_eq!(rail.once(1, &archive).code, 0);
    let proof = prove(4);
    assert_eq!(proof.code, 0, "{proof:?}");
    let check = |text: &str, more: &str| {
        run(rail.command(1, &archive, &format!("check-proof - --json {more}")).write_stdin(text.to_owned()))
    };
    assert_eq!(check(&proof.stdout, "").json()["checked_finality"], true);
    assert_eq!(check(&proof.stdout, "").code, 0);

    for (field, value) in [("group_sequence", 5), ("size_bytes", 7), ("index", 0), ("leaf_count", 5)] {
        let mut changed = proof.json();
        changed[field] = value.into();
        let outcome = check(&changed.to_string(), "");
        assert_eq!((outcome.code, &outcome.json()["ok"]), (1, &Value::Bool(false)), "{field}: {outcome:?}");
    }
    // a sound proof under a header that is not final
    let mut other = proof.json();
    other["header"]["observedUnixMs"] = 1.into();
    assert_eq!(check(&other.to_string(), "--offline").code, 0);
    assert_eq!(check(&other.to_string(), "").code, 1);
    check("{}", "").assert_error(&["not a proof", "missing field"]);
    prove(6).assert_error(&["epoch 2 is not closed"]);
}
