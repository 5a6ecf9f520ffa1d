//! A ledger's log that lacks what is on the chain: the witness stops spending, says so, and heals without a restart.

use std::{
    fs,
    sync::atomic::{AtomicUsize, Ordering},
    time::{Duration, Instant},
};

use alloy::providers::{Provider, ext::AnvilApi};
use serde_json::{Value, json};

use super::{
    common::{
        block_on,
        proxy::{Fault, Proxy},
        served::{Served, failed},
    },
    daemon::await_final,
    faults::{await_words, start},
    *,
};

/// What the log lacks.
type Lie = fn(&Value, &mut Value);

/// Everything.
fn empty(_: &Value, logs: &mut Value) {
    *logs = json!([]);
}

/// The last event of every page: its finalization, or the vote itself.
fn cut(_: &Value, logs: &mut Value) {
    logs.as_array_mut().map(Vec::pop);
}

/// Every event twice: out of order, so the page is refused.
fn doubled(_: &Value, logs: &mut Value) {
    let events = logs.as_array_mut().unwrap();
    let twice = events.clone();
    events.extend(twice);
}

/// The same events, of another node's block.
fn of_another_node(_: &Value, logs: &mut Value) {
    for log in logs.as_array_mut().unwrap() {
        log["blockHash"] = json!(format!("0x{}", "ab".repeat(32)));
    }
}

#[test]
fn a_log_without_the_own_vote_costs_one_transaction_and_heals() {
    let lies: [(&str, Lie, bool); 4] = [
        ("empty", empty, true),
        ("cut", cut, true),
        ("doubled", doubled, false),
        ("of another node", of_another_node, false),
    ];
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    let served = Served::anywhere();
    let (_running, log) = start(&rail, &archive, &proxy.rpc(), &format!("--metrics-listen {}", served.0));
    await_final(&rail, &archive, 1);
    for (round, (what, lie, is_taken)) in lies.into_iter().enumerate() {
        fs::write(&log, "").unwrap();
        proxy.lie("eth_getLogs", lie);
        let group = 3 * (round as u64 + 1);
        archive.append(group..group + 3);
        // a page that no chain has is refused, one that it could have is taken until a receipt says otherwise
        let said = if is_taken { "log lacks what is on the chain" } else { "the ledger cannot be read" };
        await_words(&log, said);
        if is_taken {
            served.await_sample("ec_witness_contradicted_slots", 1.0);
            assert_eq!(failed(&served.await_status("/readyz", 503)), ["log"], "{what}");
        }
        std::thread::sleep(Duration::from_secs(3));
        proxy.heal();
        await_final(&rail, &archive, round + 2);
        if is_taken {
            await_words(&log, "log shows what is on the chain again");
        } else {
            await_words(&log, "the ledger can be read again");
        }
        served.await_status("/readyz", 200);
        assert_eq!(rail.nonce(1), round as u64 + 2, "{what}: one transaction each");
    }
}

#[test]
fn a_log_that_never_shows_the_votes_costs_one_transaction_for_each_of_them() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3 * 8);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    proxy.lie("eth_getLogs", empty);
    let (running, log) = start(&rail, &archive, &proxy.rpc(), "");
    await_words(&log, "log lacks what is on the chain");
    std::thread::sleep(Duration::from_secs(15));
    let sent = rail.nonce(1);
    assert!((1..=8).contains(&sent), "{sent} transactions for 8 slots");
    // what a new process asks the receipts is what the old one knew
    running.signal("-KILL");
    running.end();
    let (_running, log) = start(&rail, &archive, &proxy.rpc(), "");
    await_words(&log, "log lacks what is on the chain");
    std::thread::sleep(Duration::from_secs(5));
    assert_eq!(rail.nonce(1), sent);
    proxy.heal();
    await_final(&rail, &archive, 8);
    assert_eq!(rail.nonce(1), sent);
}

#[test]
fn a_single_settling_ends_though_the_log_never_shows_the_votes() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(6);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    proxy.lie("eth_getLogs", empty);
    let mut once = rail.command(1, &archive, &format!("run --once --json {DELAYS}"));
    let outcome = run(once.env("EC_WITNESS_RPC", proxy.rpc()));
    assert_eq!((outcome.code, states(&outcome)), (1, vec!["waiting".to_owned(); 2]), "{outcome:?}");
    assert!(outcome.stderr.contains("log lacks what is on the chain"), "{outcome:?}");
    let sent = rail.nonce(1);
    assert_eq!(rail.once(1, &archive).code, 0);
    assert_eq!(rail.nonce(1), sent);
}

/// How long the run through a faulty log goes on; the long form sets 1800.
const SPENDING_S: &str = "EC_SPENDING_S";

/// Every fault of the log and of receipts, each now and then; a page stays as it is for a while, as behind a balancer.
fn unsettle(proxy: &Proxy) {
    let faults: [Lie; 4] = [empty, cut, doubled, of_another_node];
    let asked = AtomicUsize::new(0);
    proxy.lie("eth_getLogs", move |parameters, logs| {
        let phase = asked.fetch_add(1, Ordering::Relaxed) / 4;
        // three phases in seven are faulty, so that every page is right in the end
        if phase % 7 < 3 && logs.as_array().is_some_and(|logs| !logs.is_empty()) {
            faults[phase / 7 % faults.len()](parameters, logs);
        }
    });
    let asked = AtomicUsize::new(0);
    proxy.lie("eth_getTransactionReceipt", move |_, receipt| {
        if asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(5) {
            *receipt = Value::Null;
        }
    });
}

/// Gas that an account's transactions used, and how many there were.
fn spent(rail: &Rail, w: usize) -> (u64, u64) {
    block_on(async {
        let node = rail.net.provider();
        let (mut gas, mut count) = (0, 0);
        for block in 0..=node.get_block_number().await.unwrap() {
            let receipts = node.get_block_receipts(block.into()).await.unwrap().unwrap_or_default();
            for receipt in receipts.iter().filter(|receipt| receipt.from == rail.net.account(w)) {
                (gas, count) = (gas + receipt.gas_used, count + 1);
            }
        }
        (gas, count)
    })
}

#[test]
fn spending_through_a_faulty_log_is_what_the_votes_cost() {
    let seconds: u64 = std::env::var(SPENDING_S).map_or(20, |text| text.parse().unwrap());
    let rail = Rail::start(3, 2);
    let archive = TestArchive::of_groups(0);
    let proxies = [1, 2, 3].map(|w| {
        rail.init(w, &archive);
        Proxy::start(&rail.net.rpc())
    });
    let running: Vec<_> = (1..=3)
        .map(|w| {
            let mut command = rail.command(w, &archive, &format!("run {DELAYS} --rpc-timeout-ms 1000"));
            Running::spawn(command.env("EC_WITNESS_RPC", proxies[w - 1].rpc()))
        })
        .collect();
    let begun = Instant::now();
    let mut slots = 0;
    while begun.elapsed().as_secs() < seconds {
        archive.append(slots * 3..slots * 3 + 3);
        slots += 1;
        if slots == 2 {
            proxies.iter().for_each(unsettle);
        }
        std::thread::sleep(Duration::from_millis(1500));
    }
    proxies.iter().for_each(Proxy::heal);
    await_final(&rail, &archive, usize::try_from(slots).unwrap());
    running.iter().for_each(|running| running.signal("-TERM"));
    running.into_iter().for_each(|running| assert_eq!(running.end().0, Some(0)));
    let faults: usize = proxies.iter().map(Proxy::struck).sum();
    assert!(faults > 5, "{faults} faults");
    for w in 1..=3 {
        let (gas, sent) = spent(&rail, w);
        println!(
            "witness {w}: {sent} transactions and {gas} gas for {slots} slots through {faults} faults in {seconds} s"
        );
        // a vote, and now and then one that was cast too late: without a bound it was dozens in a minute
        assert!(sent <= slots + slots / 4 + 2, "witness {w}: {sent} transactions for {slots} slots");
    }
}

#[test]
fn a_deploy_block_after_the_ledgers_is_refused_with_the_right_one() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    assert_eq!(rail.once(1, &archive).code, 0);
    block_on(rail.net.provider().anvil_mine(Some(1), None)).unwrap();
    let (head, created) = block_on(async {
        let node = rail.net.provider();
        let head = node.get_block_number().await.unwrap();
        for block in 0..=head {
            if !node.get_code_at(rail.deployed.ledger).number(block).await.unwrap().is_empty() {
                return (head, block);
            }
        }
        panic!("no block has the ledger");
    });
    let with = |arguments: &str, block: u64| {
        let mut command = rail.command(1, &archive, arguments);
        run(command.env("EC_WITNESS_DEPLOY_BLOCK", block.to_string()))
    };
    let right = format!("set deploy_block to {created}");
    let init = |block| with("init --from-sequence first", block);
    let fix = format!("fix: deploy_block = {created}");
    init(head).assert_error(&["EC_WITNESS_DEPLOY_BLOCK = ", "votes before deploy_block would not be seen", &fix]);
    init(head + 9).assert_error(&["EC_WITNESS_DEPLOY_BLOCK = ", "newest block", &fix]);
    for arguments in ["run --once", "status", "verify"] {
        with(arguments, head).assert_error(&["deploy_block is set to", &right]);
        with(arguments, head + 9).assert_error(&["deploy_block is set to", &format!("newest block is {head}")]);
    }
    for block in [0, created] {
        assert_eq!(with("status --json", block).code, 0, "{block}");
    }
    // without the state of old blocks the log tells
    let proxy = Proxy::start(&rail.net.rpc());
    let pruned = Fault::Refuse(-32000, "missing trie node");
    // by a number; the newest block is named by its hash
    proxy.strike_if("eth_getCode", pruned, |asked| asked[1].as_str().is_some_and(|at| at.len() < 20 && at != "latest"));
    let mut command = rail.command(1, &archive, "verify");
    command.env("EC_WITNESS_RPC", proxy.rpc()).env("EC_WITNESS_DEPLOY_BLOCK", head.to_string());
    run(&mut command).assert_error(&["set deploy_block to"]);
}
