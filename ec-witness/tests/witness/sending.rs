//! A witness whose transactions meet trouble.

use std::{process::Stdio, time::Duration};

use alloy::{
    primitives::U256,
    providers::{Provider, ext::AnvilApi},
};

use super::{
    common::{
        block_on,
        proxy::{Fault, Proxy},
        running::await_that,
    },
    daemon::{Running, await_final},
    *,
};

/// Waits until the account has so many transactions, those in the pool counted.
#[track_caller]
fn await_pending(rail: &Rail, w: usize, count: u64) {
    let pending = || async { rail.net.provider().get_transaction_count(rail.net.account(w)).pending().await.unwrap() };
    await_that(&format!("{count} transactions"), || block_on(pending()) == count);
}

#[test]
fn without_funds_it_waits_and_goes_on_when_there_are() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let account = rail.net.account(1);
    block_on(rail.net.provider().anvil_set_balance(account, U256::from(7))).unwrap();
    let command = rail.command(1, &archive, &format!("run {DELAYS}"));
    let mut running = Running::of(&command, Stdio::piped());
    running.await_words("the account holds 7 wei and needs");
    assert_eq!(rail.nonce(1), 0);
    block_on(rail.net.provider().anvil_set_balance(account, U256::from(u64::MAX))).unwrap();
    await_final(&rail, &archive, 1);
    assert_eq!(rail.nonce(1), 1);
}

#[test]
fn a_transaction_that_the_pool_lost_comes_back() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    block_on(rail.net.provider().anvil_set_auto_mine(false)).unwrap();
    let mut command = rail.command(1, &archive, &format!("run {DELAYS}"));
    command.env("EC_WITNESS_RESEND_AFTER_MS", "500");
    let _running = Running::of(&command, Stdio::null());
    await_pending(&rail, 1, 1);
    block_on(rail.net.provider().anvil_drop_all_transactions()).unwrap();
    await_pending(&rail, 1, 1);
    block_on(rail.net.provider().anvil_mine(Some(1), None)).unwrap();
    await_final(&rail, &archive, 1);
}

#[test]
fn a_nonce_that_somebody_used_stops_it_for_good() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let running = rail.follow(1, &archive);
    await_final(&rail, &archive, 1);
    block_on(rail.net.provider().anvil_set_nonce(rail.net.account(1), 9)).unwrap();
    block_on(rail.net.provider().anvil_mine(Some(1), None)).unwrap();
    assert_eq!(running.end().0, Some(2));
    archive.append(3..6);
    rail.once(1, &archive).assert_error(&[
        "halt 1 (foreign_nonce",
        "has used nonce 1",
        "ec-witness resume --store ",
        " --acknowledge 1`",
    ]);
    assert_eq!(rail.nonce(1), 9, "no vote after it");
}

#[test]
fn a_signal_ends_it_while_nobody_answers_and_nothing_is_lost() {
    let rail = Rail::start(1, 1);
    let archive = TestArchive::of_groups(3);
    rail.init(1, &archive);
    let proxy = Proxy::start(&rail.net.rpc());
    proxy.always("eth_sendRawTransaction", Fault::Hang);
    let mut command = rail.command(1, &archive, &format!("run {DELAYS}"));
    command.env("EC_WITNESS_RPC", proxy.rpc()).env("EC_WITNESS_RPC_TIMEOUT_MS", "60000");
    let running = Running::of(&command, Stdio::null());
    await_that("it sends", || proxy.requests("eth_sendRawTransaction") > 0);
    running.signal("-TERM");
    let (code, took) = running.end();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(rail.once(1, &archive).code, 0);
    assert_eq!(rail.nonce(1), 1, "what was signed, and no other transaction");
}
