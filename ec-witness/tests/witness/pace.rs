//! Witnesses that catch up on a long archive at the same time, and the chain meanwhile.

use alloy::{
    eips::BlockNumberOrTag,
    providers::{Provider, ext::AnvilApi},
};

use super::{
    common::{block_on, running::await_that},
    *,
};

/// Blocks that hold some forty votes; from half of that on the next one is dearer.
const GAS_LIMIT: u64 = 3_000_000;
/// Closed epochs of the archive, more than are judged at once.
const EPOCHS: u64 = 120;

/// Lets three witnesses catch up; the gas of the fullest block, and how many of the blocks made the next one dearer.
fn caught_up(catch_up_percent: &str) -> (u64, usize) {
    let rail = Rail::on(Devnet::with_block_time(1), 3, 2);
    let archive = TestArchive::of_groups((EPOCHS + 1) * archive::GROUPS_PER_EPOCH);
    (1..=3).for_each(|w| drop(rail.init(w, &archive)));
    let node = rail.net.provider();
    block_on(node.anvil_set_block_gas_limit(GAS_LIMIT)).unwrap();
    // a transaction that is measured by a larger block would never fit into one
    let latest = || async { node.get_block_by_number(BlockNumberOrTag::Latest).await.unwrap().unwrap() };
    let newest = || block_on(latest()).header;
    await_that("a block of the new limit", || newest().gas_limit == GAS_LIMIT);
    let from = newest().number + 1;
    let once = |w| {
        let mut command = rail.command(w, &archive, &format!("run --once --json {DELAYS}"));
        run(command.env("EC_WITNESS_CATCH_UP_PERCENT", catch_up_percent))
    };
    std::thread::scope(|scope| {
        let running = [1, 2, 3].map(|w| scope.spawn(move || once(w)));
        for outcome in running.map(|running| running.join().unwrap()) {
            let states = states(&outcome);
            assert!(states.len() as u64 >= EPOCHS && states.iter().all(|state| state == "finalized"), "{outcome:?}");
        }
    });
    let gas = block_on(async {
        let mut gas = Vec::new();
        for number in from..=node.get_block_number().await.unwrap() {
            gas.push(node.get_block_by_number(number.into()).await.unwrap().unwrap().header.gas_used);
        }
        gas
    });
    let dear = gas.iter().filter(|&&gas| gas > GAS_LIMIT / 2).count();
    println!("{catch_up_percent} %: {} blocks, {dear} of them above the target, {:?} gas", gas.len(), gas);
    (gas.into_iter().max().unwrap(), dear)
}

#[test]
fn a_set_that_catches_up_at_a_pace_leaves_the_base_fee_as_it_is() {
    let (fullest, dear) = caught_up("50");
    assert!(dear == 0 && fullest > GAS_LIMIT / 20, "{fullest} gas in the fullest block, {dear} above the target");
}

#[test]
fn a_set_that_catches_up_as_fast_as_it_can_makes_blocks_dearer() {
    let (fullest, dear) = caught_up("0");
    assert!(dear > 0, "{fullest} gas in the fullest block");
}
