//! Every rule in a table, and what must hold in any state of the chain.

use proptest::prelude::*;

use super::*;

const RULE: SendRule = SendRule {
    fees: FeeRule { cap: 1000, min_tip: 1 },
    bump_after_ms: 8000,
    resend_after_ms: 6000,
    max_in_flight: 16,
    max_batch: 64,
    spending: SpendRule { max_sends_per_slot: 16, max_gas_per_hour: u64::MAX },
    pace: PaceRule { catch_up_percent: 0 },
};
const MARKET: Market = Market { base_fee: 100, tip: 1 };
const FEES: Fees = Fees { max: 201, tip: 1 };
const BUMPED: Fees = Fees { max: 222, tip: 2 };
const AT_CAP: Fees = Fees { max: 1000, tip: 1 };

fn now(now_ms: u64) -> ChainState {
    ChainState { used: 5, head: 50, market: MARKET, balance: U256::from(1u64 << 40), now_ms, reorg: false }
}

/// Nonce 5, held by a pool since time 0 and block 40, sent at `sent_ms`.
fn held(sent_ms: u64) -> Open {
    Open {
        nonce: 5,
        gas: 100_000,
        fees: FEES,
        sent: Some((sent_ms, Answer::Held)),
        held_since: Some((0, 40)),
        refused_since: None,
    }
}

fn answered(answer: Answer) -> Open {
    Open { sent: Some((0, answer)), held_since: None, ..held(0) }
}

/// Nonce 5, refused since time 0 and block 40, sent at `sent_ms`.
fn refused(sent_ms: u64) -> Open {
    let (sent, refused_since) = (Some((sent_ms, Answer::Refused)), Some((0, 40)));
    Open { sent, held_since: None, refused_since, ..held(0) }
}

fn send(nonce: u64) -> Action {
    Action::Send { nonce }
}

fn replace(nonce: u64, fees: Fees) -> Action {
    Action::Replace { nonce, fees }
}

fn actions(open: &[Open], now: &ChainState) -> Vec<Action> {
    plan(open, 0..0, now, &RULE, None).actions
}

fn budget_of(open: &[Open], now: &ChainState) -> Budget {
    budget(open, now.market, now.balance, &RULE)
}

fn first_fees(open: &[Open], gas: u64, now: &ChainState) -> Result<Fees, Hold> {
    budget_of(open, now).first(gas)
}

#[test]
fn one_transaction() {
    let fresh = Open { sent: None, held_since: None, ..held(0) };
    let cases: [(&str, Open, ChainState, Vec<Action>); 18] = [
        ("never sent", fresh, now(0), vec![send(5)]),
        ("just sent", held(0), now(5999), vec![]),
        ("waits long", held(0), now(6000), vec![send(5)]),
        ("passed over", held(6000), now(8000), vec![replace(5, BUMPED)]),
        ("the chain stands still", held(6000), ChainState { head: 41, ..now(8000) }, vec![]),
        ("the chain stands still, long", held(0), ChainState { head: 41, ..now(8000) }, vec![send(5)]),
        ("no answer", answered(Answer::Nothing), now(1), vec![send(5)]),
        ("underpriced", answered(Answer::Underpriced), now(1), vec![replace(5, BUMPED)]),
        ("unfunded", answered(Answer::Unfunded), now(5999), vec![]),
        ("unfunded, later", answered(Answer::Unfunded), now(6000), vec![send(5)]),
        ("refused", answered(Answer::Refused), now(5999), vec![]),
        ("refused, later", answered(Answer::Refused), now(6000), vec![send(5)]),
        ("refused for long, whatever the words", refused(0), now(8000), vec![replace(5, BUMPED)]),
        ("refused for long, no block since", refused(0), ChainState { head: 41, ..now(8000) }, vec![send(5)]),
        ("nonce too low, not used yet", answered(Answer::Used), now(6000), vec![send(5)]),
        ("used", held(0), ChainState { used: 6, ..now(9000) }, vec![]),
        ("after a reorg", held(0), ChainState { reorg: true, ..now(1) }, vec![send(5)]),
        ("a clock that went back", held(9000), now(1), vec![]),
    ];
    for (what, open, now, expected) in cases {
        assert_eq!(actions(&[open], &now), expected, "{what}");
    }
}

#[test]
fn the_lowest_goes_first_and_those_behind_it_are_not_raised_with_it() {
    let three = [5, 6, 7].map(|nonce| Open { nonce, ..held(6000) });
    assert_eq!(actions(&three, &now(8000)), [replace(5, BUMPED)]);
    assert_eq!(actions(&three, &now(12_000)), [replace(5, BUMPED), send(6), send(7)]);
    assert_eq!(actions(&three, &ChainState { used: 6, ..now(8000) }), [replace(6, BUMPED)]);
    // all are below the base fee: none of them can be included as it is
    let dear = ChainState { market: Market { base_fee: 300, tip: 1 }, ..now(8000) };
    let market = Fees { max: 601, tip: 2 };
    assert_eq!(actions(&three, &dear), [replace(5, market), replace(6, market), replace(7, market)]);
}

#[test]
fn at_the_cap_it_is_held_and_sent_again() {
    let hold = |base_fee| Some(Hold::FeeCap { base_fee, cap: 1000 });
    let high = Open { fees: AT_CAP, ..held(0) };
    let at = |base_fee, now_ms| ChainState { market: Market { base_fee, tip: 1 }, ..now(now_ms) };
    assert_eq!(plan(&[high], 0..0, &at(100, 8000), &RULE, None), Plan { actions: vec![send(5)], hold: hold(100) });
    // a market above the cap: a dearer one would wait just as well
    assert_eq!(plan(&[held(0)], 0..0, &at(1000, 8000), &RULE, None), Plan { actions: vec![send(5)], hold: hold(1000) });
    assert_eq!(first_fees(&[], 1, &at(1000, 0)), Err(hold(1000).unwrap()));
    // the base fee falls: it goes on
    assert_eq!(plan(&[held(8000)], 0..0, &at(400, 8001), &RULE, None).hold, None);
    assert_eq!(first_fees(&[], 1, &at(999, 0)), Ok(AT_CAP));
}

#[test]
fn without_funds_it_is_held_and_says_what_is_needed() {
    let poor = |balance: u64| ChainState { balance: U256::from(balance), ..now(8000) };
    let funds = |balance: u64, needed: u64| Hold::Funds { balance: U256::from(balance), needed: U256::from(needed) };
    // 100 000 gas at 201 wei and a quarter more
    assert_eq!(first_fees(&[], 100_000, &poor(25_124_999)), Err(funds(25_124_999, 25_125_000)));
    assert_eq!(first_fees(&[], 100_000, &poor(25_125_000)), Ok(FEES));
    // what is open counts
    assert_eq!(first_fees(&[held(0)], 100_000, &poor(25_125_000)), Err(funds(25_125_000, 50_250_000)));
    // a replacement is paid for as well
    assert_eq!(
        plan(&[held(0)], 0..0, &poor(22_199_999), &RULE, None),
        Plan { actions: vec![send(5)], hold: Some(funds(22_199_999, 22_200_000)) }
    );
    assert_eq!(actions(&[held(0)], &poor(22_200_000)), [replace(5, BUMPED)]);
    // the pool knows better, as of the fee for data
    let held = plan(&[answered(Answer::Unfunded)], 0..0, &poor(1 << 30), &RULE, None).hold;
    assert_eq!(held, Some(funds(1 << 30, 25_125_000)));
}

#[test]
fn a_gap_below_the_first_nonce_is_filled_first() {
    let behind = ChainState { used: 3, ..now(0) };
    let expected = [Action::Fill { nonce: 3, fees: FEES }, Action::Fill { nonce: 4, fees: FEES }, send(5)];
    assert_eq!(plan(&[Open { sent: None, ..held(0) }], 3..5, &behind, &RULE, None).actions, expected);
}

#[test]
fn what_is_affordable_leaves_a_margin() {
    let with = |balance: u64| ChainState { balance: U256::from(balance), ..now(0) };
    let affordable_gas = |open: &[Open]| budget_of(open, &with(25_125_000)).affordable_gas();
    assert_eq!(affordable_gas(&[]), 100_000);
    assert_eq!(affordable_gas(&[held(0)]), 0);
}

fn answers() -> impl Strategy<Value = Answer> {
    use Answer::{Held, Nothing, Refused, Underpriced, Unfunded, Used};
    prop::sample::select(vec![Held, Underpriced, Unfunded, Used, Refused, Nothing])
}

prop_compose! {
    fn some_open()(
        gas in 21_000u64..1_000_000, max in 0u128..1001, tip in 0u128..1001, sent in prop::option::of((0u64..20_000, answers())),
        held_since in prop::option::of((0u64..20_000, 0u64..60)),
        refused_since in prop::option::of((0u64..20_000, 0u64..60)),
    ) -> Open {
        Open { nonce: 0, gas, fees: Fees { max, tip: tip.min(max) }, sent, held_since, refused_since }
    }
}

prop_compose! {
    fn some_chain_state()(
        used in 0u64..30, head in 0u64..80, base_fee in 0u128..1200, tip in 0u128..1200, balance in 0u64..(1 << 33),
        now_ms in 0u64..40_000, reorg: bool,
    ) -> ChainState {
        ChainState { used, head, market: Market { base_fee, tip }, balance: U256::from(balance), now_ms, reorg }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, ..ProptestConfig::default() })]

    #[test]
    fn in_any_state(mut open in prop::collection::vec(some_open(), 0..20), first in 0u64..30, now in some_chain_state()) {
        for (place, one) in open.iter_mut().enumerate() {
            one.nonce = first + place as u64;
        }
        let gap = now.used.min(first)..first;
        let Plan { actions, hold } = plan(&open, gap.clone(), &now, &RULE, None);

        let nonces: Vec<_> = actions.iter().map(Action::nonce).collect();
        prop_assert!(nonces.is_sorted_by(|a, b| a < b), "each nonce once, lowest first: {nonces:?}");
        prop_assert!(nonces.iter().all(|nonce| *nonce >= now.used), "nothing for a used nonce");
        let mut after = open.clone();
        for action in &actions {
            match *action {
                Action::Replace { nonce, fees } => {
                    let one = &mut after[usize::try_from(nonce - first).unwrap()];
                    prop_assert!(fees.max >= one.fees.max * 110 / 100 && fees.max > one.fees.max);
                    prop_assert!(fees.tip >= one.fees.tip * 110 / 100 && fees.tip > one.fees.tip);
                    prop_assert!(fees.max <= RULE.fees.cap && fees.max >= now.market.base_fee);
                    one.fees = fees;
                }
                Action::Fill { nonce, fees } => prop_assert!(gap.contains(&nonce) && fees.max <= RULE.fees.cap),
                Action::Send { nonce } => prop_assert!(nonce >= first),
            }
        }
        if after != open {
            prop_assert!(committed(&after) <= now.balance, "no replacement that the account cannot pay");
        }
        for one in open.iter().filter(|one| one.nonce >= now.used && is_due(one, &now, &RULE)) {
            prop_assert!(nonces.contains(&one.nonce), "what is due is sent, whatever is held");
        }
        if hold.is_none() && now.used <= first {
            let filled = actions.iter().filter(|action| matches!(action, Action::Fill { .. })).count();
            prop_assert_eq!(filled as u64, first - gap.start);
        }
    }

    #[test]
    fn a_transaction_that_is_passed_over_reaches_the_cap_in_few_steps(base_fee in 1u128..900, tip in 0u128..50) {
        let market = Market { base_fee, tip };
        let mut fees = RULE.fees.first(market).unwrap();
        let mut bumps = 0;
        while let Some(next) = RULE.fees.next(fees, market) {
            (fees, bumps) = (next, bumps + 1);
        }
        prop_assert!(bumps <= 73, "1.1^73 > 1000");
        prop_assert!(fees.max * 110 / 100 >= RULE.fees.cap || fees.tip * 110 / 100 >= fees.max || bumps == 73, "{fees:?}");
    }
}
