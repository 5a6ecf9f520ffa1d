//! A witness that goes on with a new key: the same seat, the same store, one vote in a slot.

use std::collections::{HashMap, HashSet};

use alloy::{primitives::Address, providers::ext::AnvilApi};
use ec_observation::ObservationHash;

use super::*;
use crate::common::running::await_that;

/// The account of the new key.
const NEW: usize = 5;

/// Witness 1's store and archive, with the key of an account.
fn with_key(rail: &Rail, account: usize, archive: &TestArchive, arguments: &str) -> Command {
    let mut command = rail.command(account, archive, arguments);
    command.env("EC_WITNESS_STORE", rail.store(1));
    command
}

fn once(rail: &Rail, account: usize, archive: &TestArchive) -> Outcome {
    run(&mut with_key(rail, account, archive, &format!("run --once --json {DELAYS}")))
}

/// A block, and so many more that it is below the finalized head.
fn finalize(rail: &Rail) {
    common::block_on(async { rail.net.provider().anvil_mine(Some(3), None).await.unwrap() });
}

/// Whose votes each observation has.
fn votes(rail: &Rail) -> HashMap<ObservationHash, HashSet<Address>> {
    let mut votes: HashMap<_, HashSet<_>> = HashMap::new();
    for (witness, observation) in rail.net.votes(rail.deployed.ledger) {
        assert!(votes.entry(observation).or_default().insert(witness));
    }
    votes
}

#[test]
fn a_witness_goes_on_with_a_new_key_and_votes_once_in_each_slot() {
    let rail = Rail::on(Devnet::with_finality_after(2), 2, 2);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    rail.init(2, &archive);
    let (old, new) = (rail.net.account(1), rail.net.account(NEW));

    // it votes in slots that stay open, and its transactions are its store's
    let running = rail.follow(1, &archive);
    await_that("it votes", || votes(&rail).len() == 2);
    let start = || with_key(&rail, 1, &archive, &format!("rotate start --json --to {new}"));
    run(&mut start()).assert_error(&["another process uses this vote store"]);
    running.signal("-TERM");
    assert_eq!(running.end().0, Some(0));
    assert_eq!(rail.nonce(1), 2);

    run(&mut with_key(&rail, NEW, &archive, "rotate accept"))
        .assert_error(&["no seat is offered to", "rotate start --to"]);
    let used = format!("rotate start --to {}", rail.net.account(2));
    run(&mut with_key(&rail, 1, &archive, &used)).assert_error(&["AddressUsed"]);
    let offered = run(&mut start());
    assert_eq!((offered.code, offered.json()["offered_to"].as_str()), (0, Some(&*format!("{new:#x}"))), "{offered:?}");
    let seats = || run(&mut rail.command(1, &archive, "registry show --json")).json()["witnesses"].clone();
    let lower = |address: Address| serde_json::json!(format!("{address:#x}"));
    assert_eq!((&seats()[0]["address"], &seats()[0]["offered_to"]), (&lower(old), &lower(new)));
    let withdrawn = run(&mut with_key(&rail, 1, &archive, "rotate withdraw --json"));
    assert_eq!((withdrawn.code, &seats()[0]["offered_to"]), (0, &Value::Null), "{withdrawn:?}");
    assert_eq!(run(&mut start()).code, 0);

    let finish = || with_key(&rail, NEW, &archive, "rotate finish --json");
    run(&mut finish()).assert_error(&["whose seat is not", "rotate accept"]);
    assert_eq!(run(&mut with_key(&rail, NEW, &archive, "rotate accept --json")).code, 0);
    assert_eq!((&seats()[0]["address"], &seats()[0]["offered_to"]), (&lower(new), &Value::Null));
    run(&mut with_key(&rail, NEW, &archive, "rotate accept")).assert_error(&["has a seat already", "rotate finish"]);
    run(&mut finish()).assert_error(&["above the finalized head"]);
    once(&rail, NEW, &archive).assert_error(&["the store belongs to witness", "is configured"]);
    finalize(&rail);
    let summary = run(&mut with_key(&rail, 1, &archive, "status --summary"));
    assert!(summary.stdout.contains("handed its seat on to"), "{summary:?}");
    let finished = run(&mut finish());
    assert_eq!((finished.code, &finished.json()["witness"], &finished.json()["from"]), (0, &lower(new), &lower(old)));
    assert_eq!(run(&mut finish()).code, 0, "it is done already");
    once(&rail, 1, &archive).assert_error(&["the store belongs to witness", "is configured"]);
    run(&mut with_key(&rail, 1, &archive, "init")).assert_error(&["there is a vote store already"]);

    // what the old key voted counts for the seat; what comes later is the new one's
    archive.append(6..12);
    let outcomes = std::thread::scope(|scope| {
        let new = scope.spawn(|| once(&rail, NEW, &archive));
        [rail.once(2, &archive), new.join().unwrap()]
    });
    for outcome in outcomes {
        assert_eq!((outcome.code, states(&outcome)), (0, vec!["finalized".to_owned(); 4]), "{outcome:?}");
    }
    let votes = votes(&rail);
    assert_eq!(votes.len(), 4, "one candidate in each slot");
    let of = |voter| votes.values().filter(|voters| voters.contains(&voter)).count();
    assert_eq!((of(old), of(new), of(rail.net.account(2))), (2, 2, 4));
    assert!(votes.values().all(|voters| voters.len() == 2));

    // a store made anew for the new key knows the votes of the old one
    let mut init = with_key(&rail, NEW, &archive, "init --from-sequence first --json");
    let created = run(init.env("EC_WITNESS_STORE", rail.path("anew")));
    assert_eq!((created.code, &created.json()["adopted_votes"]), (0, &serde_json::json!(4)), "{created:?}");
}

#[test]
fn what_was_recorded_and_not_sent_is_sent_by_the_new_key() {
    use ec_observation::{Ballot, VoteKind};
    use ec_witness::store::{Identity, VoteStore};
    let rail = Rail::on(Devnet::with_finality_after(2), 1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let line = run(&mut rail.command(1, &archive, "derive --json")).lines().remove(0);
    let header = common::header_of(&line);
    let (chain_id, ledger, witness) = (rail.net.chain_id(), rail.deployed.ledger, rail.net.account(1));
    let mut store = VoteStore::open(&rail.store(1), Identity { chain_id, ledger, witness }).unwrap();
    store.record(&[Ballot { header, vote: VoteKind::Propose { candidates_seen: 0 } }]).unwrap().remove(0).unwrap();
    drop(store);
    common::block_on(async {
        use ec_ledger::contracts::EveryChannelWitnessRegistry as Registry;
        let registry = Registry::new(rail.deployed.registry, rail.net.provider());
        let (old, new) = (rail.net.account(1), rail.net.account(NEW));
        registry.rotate(new).from(old).send().await.unwrap().get_receipt().await.unwrap();
        let accept = registry.acceptRotation(alloy::primitives::U256::ZERO).from(new);
        accept.send().await.unwrap().get_receipt().await.unwrap();
    });
    finalize(&rail);
    assert_eq!(run(&mut with_key(&rail, NEW, &archive, "rotate finish")).code, 0);
    let outcome = once(&rail, NEW, &archive);
    assert_eq!((outcome.code, states(&outcome)), (0, vec!["finalized".to_owned()]), "{outcome:?}");
    assert_eq!(rail.net.votes(ledger), [(rail.net.account(NEW), header.hash())]);
}
