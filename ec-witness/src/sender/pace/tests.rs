//! The speed in a table, and what holds whatever a chain and its endpoints say.

use proptest::prelude::*;

use super::*;

const CAP: u128 = 1000;

fn block(number: u64, base_fee: u128) -> Block {
    Block { number, timestamp_s: 0, gas_limit: 60_000_000, base_fee, elasticity: None }
}

/// A pace of this share, of so many witnesses, that has seen blocks with these base fees.
fn pace(catch_up_percent: u64, witnesses: usize, base_fees: &[u128]) -> Pace {
    let mut pace = Pace::new(PaceRule { catch_up_percent });
    pace.among(witnesses);
    (1..).zip(base_fees).for_each(|(number, &base_fee)| pace.heed(block(number, base_fee), CAP));
    pace
}

fn most(pace: &Pace) -> (u64, u64) {
    pace.most().map(|OnItsWay { live, old }| (live, old)).unwrap()
}

fn waiters(gas: u64, lives: &[bool]) -> Vec<Waiter> {
    lives.iter().map(|&is_live| Waiter { gas, is_live }).collect()
}

#[test]
fn the_set_shares_a_part_of_the_target() {
    assert_eq!(most(&pace(50, 1, &[1])), (30_000_000, 15_000_000));
    assert_eq!(most(&pace(50, 5, &[1])), (6_000_000, 3_000_000));
    assert_eq!(most(&pace(100, 1, &[1])), (30_000_000, 30_000_000));
    assert_eq!(most(&pace(250, 1, &[1])), (30_000_000, 30_000_000), "the whole target is the most");
    assert_eq!(pace(0, 1, &[1]).most(), None, "off");
    assert_eq!(pace(50, 1, &[]).most(), None, "nothing is known of the chain yet");
    let mut optimism = pace(50, 1, &[]);
    optimism.heed(Block { elasticity: Some(6), ..block(1, 1) }, CAP);
    assert_eq!(most(&optimism), (10_000_000, 5_000_000));
}

#[test]
fn a_rising_base_fee_slows_down_and_a_falling_one_speeds_up() {
    let old = |base_fees: &[u128]| most(&pace(50, 1, base_fees)).1;
    assert_eq!(old(&[10, 11]), 7_500_000);
    assert_eq!(old(&[10, 11, 12]), 3_750_000);
    assert_eq!(old(&[10, 11, 12, 13, 14, 15]), 1_875_000, "an eighth is the least");
    assert_eq!(old(&[10, 11, 12, 11]), 5_625_000);
    assert_eq!(old(&[10, 11, 12, 11, 11]), 7_500_000, "one that stays is not rising");
    assert_eq!(old(&[10, 11, 10, 9, 8, 7, 6]), 15_000_000);
    // new epochs' votes keep a half, until the most that may be paid is near
    assert_eq!(most(&pace(50, 1, &[10, 11, 12, 13])).0, 15_000_000);
    assert_eq!(most(&pace(50, 1, &[500, 500])), (3_750_000, 1_875_000));
    assert_eq!(most(&pace(50, 1, &[500, 500, 499])), (30_000_000, 15_000_000), "not near any more");
}

#[test]
fn a_block_counts_once_and_an_older_one_not() {
    let mut seen = pace(50, 1, &[10, 11]);
    seen.heed(block(2, 11), CAP);
    seen.heed(block(1, 10), CAP);
    assert_eq!(most(&seen).1, 7_500_000);
    seen.heed(block(4, 9), CAP);
    assert_eq!(most(&seen).1, 9_375_000);
}

#[test]
fn elasticity_is_what_the_extra_data_states() {
    let holocene = [0, 0, 0, 0, 250, 0, 0, 0, 6];
    assert_eq!(elasticity(&holocene), Some(6));
    let jovian = [1, 0, 0, 0, 250, 0, 0, 0, 10, 0, 0, 0, 0, 0, 0, 0, 7];
    assert_eq!(elasticity(&jovian), Some(10));
    let others: [&[u8]; 5] = [b"", b"geth v1.16", &[0; 9], &holocene[..8], &jovian[..9]];
    for other in others {
        assert_eq!(elasticity(other), None, "{other:?}");
    }
}

#[test]
fn an_epoch_is_new_by_the_blocks_time() {
    let block = Block { timestamp_s: 10_000, ..block(1, 1) };
    let old_after_s = OLD_AFTER_MS / 1000;
    assert!(block.is_live((10_000 - old_after_s) * 1000) && block.is_live(u64::MAX));
    assert!(!block.is_live((10_000 - old_after_s) * 1000 - 1));
}

#[test]
fn new_epochs_go_first_and_old_ones_keep_a_quarter() {
    let pace = pace(50, 30, &[1]);
    assert_eq!(most(&pace), (1_000_000, 500_000));
    let waiters = waiters(100_000, &[false, true, false, true, false, false, false, false, false, false]);
    let chosen = |live, old| pace.choose(&waiters, OnItsWay { live, old });
    assert_eq!(chosen(0, 0), (vec![1, 3], vec![0, 2, 4]), "what is new leaves them three of five");
    assert_eq!(chosen(900_000, 0), (vec![1], vec![0]), "a quarter, whatever is new");
    assert_eq!(chosen(1_000_000, 200_000), (vec![], vec![]));
    assert_eq!(chosen(0, 500_000), (vec![1, 3], vec![]));
    let (live, old) = self::pace(0, 30, &[1]).choose(&waiters, OnItsWay { live: u64::MAX, old: u64::MAX });
    assert_eq!((live.len(), old.len()), (2, 8), "off");
}

#[test]
fn one_vote_goes_where_none_fits() {
    let pace = pace(1, 30, &[1]);
    let waiters = waiters(90_000_000, &[false, true, false]);
    assert_eq!(pace.choose(&waiters, OnItsWay::default()), (vec![1], vec![0]));
    assert_eq!(pace.choose(&waiters, OnItsWay { live: 0, old: 1 }), (vec![1], vec![]));
}

#[test]
fn what_is_on_its_way_is_what_it_will_use_else_what_it_may() {
    let mut pace = pace(50, 1, &[1]);
    pace.signed(3, 30, true);
    pace.signed(4, 40, false);
    let all = [(2, 1000), (3, 1000), (4, 1000)];
    assert_eq!(pace.on_its_way(all.into_iter()), OnItsWay { live: 30, old: 1040 });
    assert_eq!(pace.on_its_way(all[2..].iter().copied()), OnItsWay { live: 0, old: 40 });
    assert_eq!(pace.on_its_way(all.into_iter()), OnItsWay { live: 0, old: 2040 }, "taken back: of another life");
}

proptest! {
    #[test]
    fn no_more_is_on_its_way_than_may_be(
        percent in 1u64..200, witnesses in 1usize..40, gas_limit in 0u64..100_000_000, elasticity in prop::option::of(1u64..20),
        base_fees in prop::collection::vec(0u128..2 * CAP, 1..20), live in 0u64..30_000_000, old in 0u64..30_000_000,
        waiters in prop::collection::vec((1u64..300_000, any::<bool>()), 0..200),
    ) {
        let mut pace = Pace::new(PaceRule { catch_up_percent: percent });
        pace.among(witnesses);
        for (number, base_fee) in (1..).zip(base_fees) {
            pace.heed(Block { number, timestamp_s: 0, gas_limit, base_fee, elasticity }, CAP);
        }
        let most = pace.most().unwrap();
        let target = gas_limit / elasticity.unwrap_or(ELASTICITY);
        prop_assert!(most.old <= target / witnesses as u64 / 100 * percent.min(100) && most.old <= most.live);
        prop_assert!(most.live * witnesses as u64 <= target, "all together never make a block dearer");

        let waiters: Vec<_> = waiters.into_iter().map(|(gas, is_live)| Waiter { gas, is_live }).collect();
        let (new_live, new_old) = pace.choose(&waiters, OnItsWay { live, old });
        let gas = |places: &[usize]| places.iter().map(|&place| waiters[place].gas).sum::<u64>();
        if !new_live.is_empty() {
            prop_assert!(live + gas(&new_live) <= most.live || live == 0 && new_live.len() == 1);
        }
        if !new_old.is_empty() {
            let (all, old) = (live + gas(&new_live) + old + gas(&new_old), old + gas(&new_old));
            prop_assert!(all <= most.old || old <= most.old / 4 || old == gas(&new_old) && new_old.len() == 1);
        }
        // the first ones of each sort, in their order, and at least one where nothing of the sort is on its way
        for (chosen, is_live, before) in [(&new_live, true, live), (&new_old, false, old)] {
            let of_sort: Vec<_> = (0..waiters.len()).filter(|&place| waiters[place].is_live == is_live).collect();
            prop_assert_eq!(&of_sort[..chosen.len()], &chosen[..]);
            prop_assert!(before > 0 || of_sort.is_empty() || !chosen.is_empty());
        }
    }

    /// Blocks execute all that is on its way or nothing; whatever they do, each vote goes in the end, and no block has
    /// more than may be on its way.
    #[test]
    fn every_vote_goes_in_the_end(
        base_fees in prop::collection::vec(1u128..2 * CAP, 50), executes in prop::collection::vec(any::<bool>(), 50),
        waiting in prop::collection::vec(1u64..400_000, 1..60), lives in prop::collection::vec(any::<bool>(), 60),
    ) {
        let mut pace = Pace::new(PaceRule { catch_up_percent: 50 });
        pace.among(7);
        let mut waiting: Vec<_> = waiting.into_iter().zip(lives).map(|(gas, is_live)| Waiter { gas, is_live }).collect();
        let (mut open, mut nonce) = (Vec::<(u64, Waiter)>::new(), 0);
        for (number, &base_fee) in base_fees.iter().cycle().take(5000).enumerate() {
            if waiting.is_empty() && open.is_empty() {
                return Ok(());
            }
            pace.heed(block(number as u64, base_fee), CAP);
            let on_its_way = pace.on_its_way(open.iter().map(|(nonce, waiter)| (*nonce, waiter.gas)));
            let (live, old) = pace.choose(&waiting, on_its_way);
            let mut chosen = [live, old].concat();
            for &place in &chosen {
                pace.signed(nonce, waiting[place].gas, waiting[place].is_live);
                open.push((nonce, waiting[place]));
                nonce += 1;
            }
            chosen.sort_unstable();
            chosen.into_iter().rev().for_each(|place| _ = waiting.remove(place));
            let of = |is_live| open.iter().filter(move |(_, waiter)| waiter.is_live == is_live);
            let gas = |is_live| of(is_live).map(|(_, waiter)| waiter.gas).sum::<u64>();
            // at full speed, as what went before it became slower is on its way still
            prop_assert!(gas(true) <= 30_000_000 / 7 && gas(false) <= 15_000_000 / 7);
            // no chain executes nothing for ever
            if executes[number % 50] || number % 50 == 0 {
                open.clear();
            }
        }
        prop_assert!(false, "{} wait, {} are on their way", waiting.len(), open.len());
    }
}
