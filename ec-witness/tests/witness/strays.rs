//! Candidates that name no epoch of their stream.

use alloy::primitives::U256;
use ec_ledger::contracts::EveryChannelObservationLedger;
use ec_observation::ObservationHeader;

use super::*;
use crate::common::block_on;

#[test]
fn a_stray_that_came_first_keeps_nobody_from_proposing() {
    let rail = Rail::start(3, 2);
    let archive = TestArchive::of_groups(7);
    let mut derive = rail.command(1, &archive, "derive --json");
    let derived = run(derive.env_remove("EC_WITNESS_LEDGER")).lines();
    // a provider waits for receipts in the runtime that it first sent in
    let ledger = || EveryChannelObservationLedger::new(rail.deployed.ledger, rail.net.provider());
    // witness 3 is the first in the slots of two epochs, with a sequence that neither has, and in slots of no epoch
    for (at, line) in derived.iter().enumerate() {
        let header = common::header_of(line);
        let stray = ObservationHeader { sequence: 1_000 + at as u64, ..header };
        let nowhere = ObservationHeader { epoch_hash: ec_observation::EpochHash::of("none"), ..stray };
        block_on(async {
            let ledger = ledger();
            for header in [stray, nowhere] {
                let seen = ledger.candidateCount(header.slot().0).call().await.unwrap();
                let proposal = ledger.propose(header.into(), seen).from(rail.net.account(3)).send().await;
                if let Ok(sent) = proposal {
                    assert!(sent.get_receipt().await.unwrap().status());
                }
            }
        });
    }
    (1..=2).for_each(|w| _ = rail.init(w, &archive));
    for outcome in rail.all_once(&[(1, &archive), (2, &archive)]) {
        assert_eq!((outcome.code, states(&outcome)), (0, vec!["finalized".to_owned(); 2]), "{outcome:?}");
        assert_eq!(outcome.lines()[0]["candidates"], 1, "a stray is not shown");
    }
    for line in &derived {
        let count = block_on(async { ledger().candidateCount(common::header_of(line).slot().0).call().await.unwrap() });
        assert_eq!(count, U256::from(2), "the contract has both");
    }
}
