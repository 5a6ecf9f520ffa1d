//! Several endpoints: some lag, lie, fail or are of another chain.

use std::time::Duration;

use serde_json::json;

use super::{
    common::{
        proxy::{ANY, Fault, Proxy},
        running::await_that,
    },
    daemon::await_final,
    faults::{assert_halts, await_words, start},
    *,
};

/// Makes an endpoint go wrong.
type Way<'a> = &'a dyn Fn(&Proxy);

/// Three proxies in front of one node, and the setting that names them.
fn three(rail: &Rail) -> ([Proxy; 3], String) {
    let proxies = [(); 3].map(|()| Proxy::start(&rail.net.rpc()));
    let rpc = proxies.iter().map(Proxy::rpc).collect::<Vec<_>>().join(",");
    (proxies, rpc)
}

#[test]
fn one_of_three_may_do_what_it_wants() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let (proxies, rpc) = three(&rail);
    let (_running, log) = start(&rail, &archive, &rpc, "");
    await_final(&rail, &archive, 1);
    let ways: [(&str, Way<'_>); 6] = [
        ("down", &|proxy| proxy.refuse(true)),
        ("silent", &|proxy| proxy.always(ANY, Fault::Hang)),
        ("lagging", &|proxy| proxy.lag_at(3)),
        ("without logs", &|proxy| proxy.lie("eth_getLogs", |_, logs| *logs = json!([]))),
        ("of another fork", &|proxy| {
            proxy.lie("eth_getBlockByNumber", |_, block| block["hash"] = json!(format!("0x{}", "ab".repeat(32))));
        }),
        ("far ahead", &|proxy| {
            proxy.lie("eth_getBlockByNumber", |asked, block| {
                if asked[0] == "latest" {
                    block["number"] = json!("0xffffff");
                }
            });
        }),
    ];
    for (round, (what, fail)) in ways.into_iter().enumerate() {
        let proxy = &proxies[round % 3];
        fail(proxy);
        let group = 3 * (round as u64 + 1);
        archive.append(group..group + 3);
        println!("one of three is {what}");
        await_final(&rail, &archive, round + 2);
        proxy.heal();
    }
    // a minority of another chain is shut out; when too few are left, it is over
    proxies[1].chain_id(5);
    await_words(&log, "it is shut out");
    archive.append(21..24);
    await_final(&rail, &archive, 8);
    assert_eq!(rail.nonce(1), 8);
}

#[test]
fn when_too_few_are_of_the_chain_it_halts() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let (proxies, rpc) = three(&rail);
    let (running, log) = start(&rail, &archive, &rpc, "");
    await_final(&rail, &archive, 1);
    proxies[0].chain_id(5);
    await_words(&log, "it is shut out");
    proxies[2].chain_id(6);
    assert_halts(running, &log, &["chain id: 31337 is configured", "serves chain 5", "serves chain 6"]);
}

#[test]
fn nobody_votes_on_what_two_of_two_do_not_both_say() {
    let rail = Rail::start(2, 2);
    let archive = TestArchive::of_groups(3);
    (1..=2).for_each(|w| {
        rail.init(w, &archive);
    });
    let proxy = Proxy::start(&rail.net.rpc());
    // the liar hides the other's proposal, so that a witness that believed it would propose, too
    proxy.lie("eth_getLogs", |_, logs| *logs = json!([]));
    let _other = rail.follow(2, &archive);
    await_that("the other proposes", || rail.nonce(2) > 0);
    let rpc = format!("{},{}", rail.net.rpc(), proxy.rpc());
    let (_running, log) = start(&rail, &archive, &rpc, "");
    await_words(&log, "no 2 endpoints agree");
    std::thread::sleep(Duration::from_secs(3));
    assert_eq!((rail.nonce(1), rail.nonce(2)), (0, 1));
    proxy.heal();
    await_final(&rail, &archive, 1);
}

#[test]
fn a_lagging_one_of_two_holds_votes_back_and_changes_none() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    let rpc = format!("{},{}", rail.net.rpc(), proxy.rpc());
    let (_running, _) = start(&rail, &archive, &rpc, "");
    await_final(&rail, &archive, 1);
    proxy.lag_at(3);
    archive.append(3..6);
    std::thread::sleep(Duration::from_secs(3));
    proxy.heal();
    await_final(&rail, &archive, 2);
    assert_eq!(rail.nonce(1), 2);
}

#[test]
fn endpoints_that_cannot_be_meant_are_refused() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    let status = |rpc: &str, more: &str| {
        let mut command = rail.command(1, &archive, &format!("status --json {more}"));
        run(command.env("EC_WITNESS_RPC", rpc).env_remove("EC_WITNESS_STORE"))
    };
    let (proxies, three) = three(&rail);
    assert_eq!(status(&three, "").code, 0);
    assert_eq!(status(&three, "--rpc-agree 3").code, 0);
    status(&three, "--rpc-agree 4").assert_error(&["rpc_agree is 4, but 3 endpoints are set", "between 1 and 3"]);
    status(&three, "--rpc-agree 0").assert_error(&["rpc_agree is 0"]);
    let twice = format!("{0},{0}", rail.net.rpc());
    status(&twice, "").assert_error(&["is named twice"]);
    proxies[2].chain_id(5);
    status(&three, "").assert_error(&["chain_id is set to 31337", "is of chain 5"]);
    proxies[2].refuse(true);
    assert_eq!(status(&three, "").code, 0, "two of three are enough");
    proxies[1].refuse(true);
    status(&three, "").assert_error(&["does not answer eth_chainId"]);
}

#[test]
fn a_list_in_the_file_is_a_list() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    let path = rail.net.dir.path().join("config.toml");
    let status = |rpc: &str| {
        std::fs::write(&path, format!("[chain]\nrpc = {rpc}\n")).unwrap();
        let mut command = rail.command(1, &archive, "status --json --config");
        run(command.arg(&path).env_remove("EC_WITNESS_RPC").env_remove("EC_WITNESS_STORE"))
    };
    let rpc = rail.net.rpc();
    assert_eq!(status(&format!("{rpc:?}")).code, 0);
    assert_eq!(status(&format!("[{rpc:?}]")).code, 0);
    status(&format!("[{rpc:?}, {rpc:?}]")).assert_error(&["is named twice"]);
    status("[]").assert_error(&["rpc is not set"]);
}
