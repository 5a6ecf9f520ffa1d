//! `status`: what it calls a problem, and when an account posted last, on a real chain.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

mod common;

use std::fs;

use alloy::{
    primitives::{Address, B256, U256},
    providers::{Provider, ProviderBuilder, ext::AnvilApi},
    rpc::types::TransactionRequest,
};
use common::{copies, edit, expect_json, inputs};
use ec_op_stack::{
    rpc::Endpoint,
    stack::{Role, Stack},
    status::{Account, Head, Heads, LastPost, NewestGame, Origin, Status},
};
use ec_testing::anvil::Anvil;

const NOW: u64 = 1_800_000_000;

fn head(number: u64, age: u64) -> Head {
    Head { number, timestamp: NOW - age, l1_origin: Origin { number: 1, hash: B256::ZERO } }
}

fn well() -> (Stack, Status) {
    let stack = serde_json::from_str(&fs::read_to_string(inputs().join("stack.json")).unwrap()).unwrap();
    let heads = Heads { unsafe_head: head(1000, 1), safe: head(900, 201), finalized: head(400, 1201) };
    let batcher = Account {
        role: "batcher",
        address: Address::ZERO,
        balance_wei: Some("1000000000000000000".to_owned()),
        last_post: LastPost::Ago(60),
    };
    let game = NewestGame { count: 3, game_type: 1, age_s: 600, address: Address::ZERO, status: "in progress" };
    let status = Status {
        unix_s: NOW,
        heads: Some(heads),
        execution_head: Some(1000),
        l1_head: Some(5),
        l1_head_age_s: Some(10),
        l1_origin_age_s: Some(30),
        sequencing: Some(true),
        peers: Some(0),
        unhealthy: Vec::new(),
        accounts: vec![batcher],
        game: Some(game),
    };
    (stack, status)
}

#[test]
fn where_all_is_well_there_is_no_problem() {
    let (stack, status) = well();
    assert_eq!(status.problems(&stack), Vec::<String>::new());
}

#[test]
fn each_trouble_is_a_problem() {
    type Break = fn(&mut Stack, &mut Status);
    let cases: [(Break, &str); 12] = [
        (|_, status| status.heads = None, "op-node does not answer"),
        (|_, status| status.heads.as_mut().unwrap().unsafe_head.timestamp -= 60, "the unsafe head is 61 s old"),
        (|_, status| status.heads.as_mut().unwrap().safe.timestamp -= 1800, "the safe head lags 2000 s"),
        (|_, status| status.l1_head_age_s = Some(61), "L1 stands still at block 5, 61 s old"),
        (|_, status| status.l1_head = None, "L1 does not answer"),
        (|_, status| status.l1_origin_age_s = Some(700), "the L1 origin is 700 s old"),
        (|_, status| status.execution_head = Some(10), "the execution client is at 10"),
        (|_, status| status.sequencing = Some(false), "the sequencer is stopped"),
        (|stack, _| stack.role = Role::Verifier, "no peers"),
        (|_, status| status.unhealthy = vec!["op-batcher".to_owned()], "op-batcher does not answer its health check"),
        (|_, status| status.accounts[0].balance_wei = Some("1000".to_owned()), "send ETH"),
        (|_, status| status.game.as_mut().unwrap().age_s = 7400, "the newest game is 7400 s old"),
    ];
    for (spoil, part) in cases {
        let (mut stack, mut status) = well();
        spoil(&mut stack, &mut status);
        let problems = status.problems(&stack);
        assert!(problems.iter().any(|problem| problem.contains(part)), "{part:?}: {problems:?}");
    }
}

#[tokio::test]
async fn the_last_post_is_found_by_halving() {
    let dir = tempfile::tempdir().unwrap();
    let anvil = Anvil::start(dir.path(), &[]).unwrap();
    let url = anvil.rpc().parse().unwrap();
    let l1 = Endpoint::new(&url);
    let [sender, silent] = [anvil.accounts()[0], anvil.accounts()[1]];
    let provider = ProviderBuilder::new().connect_http(url);
    assert_eq!(LastPost::find(&l1, sender).await, LastPost::Never);

    let transfer = TransactionRequest::default().from(sender).to(silent).value(U256::from(1));
    provider.anvil_mine(Some(20), Some(12)).await.unwrap();
    provider.send_transaction(transfer).await.unwrap().get_receipt().await.unwrap();
    assert_eq!(LastPost::find(&l1, silent).await, LastPost::Never);
    for (blocks, seconds) in [(0, 0..=1), (1, 12..=14), (30, 372..=376)] {
        if blocks > 0 {
            provider.anvil_mine(Some(blocks), Some(12)).await.unwrap();
        }
        let LastPost::Ago(found) = LastPost::find(&l1, sender).await else { panic!("not found after {blocks} blocks") };
        assert!(seconds.contains(&found), "{found} s after {blocks} blocks");
    }
    provider.anvil_mine(Some(200), Some(12)).await.unwrap();
    assert!(matches!(LastPost::find(&l1, sender).await, LastPost::OlderThan(seconds) if seconds > 1000));
}

#[test]
fn of_a_host_that_is_down_all_is_told_and_the_answer_is_no() {
    let dir = copies(&["stack.json"]);
    for port in ["--http.port=8545", "--rpc.port=29545", "--rpc.port=28548", "--rpc.port=8560"] {
        edit(dir.path(), "stack.json", port, &format!("{}=1", port.split('=').next().unwrap()));
    }
    let line = expect_json(dir.path(), 1, &["status", "--stack", "stack.json"]);
    let problems = line["problems"].to_string();
    for part in ["op-node does not answer", "op-batcher does not", "op-proposer does not", "no dispute game"] {
        assert!(problems.contains(part), "{part}: {problems}");
    }
    assert_eq!(line["status"]["accounts"][0]["last_post"], "unknown");
}
