use std::path::Path;

use alloy::primitives::{Address, B256};
use ec_op_stack::status::{Anchor, Claim, Fact, Head, L1Block, NewestGame, Origin, Origins, Pool, Questions, judge};
use ec_testing::pictures;

use super::*;

const NOW: u64 = 1_800_000_000;

fn hash(number: u64) -> B256 {
    B256::from(U256::from(number + 1))
}

fn l1_block(number: u64, age: u64) -> L1Block {
    L1Block { number, hash: hash(number), timestamp: NOW - age }
}

fn head(number: u64, age: u64, origin: u64) -> Head {
    Head { number, hash: hash(number), timestamp: NOW - age, l1_origin: Origin { number: origin, hash: hash(origin) } }
}

fn account(role: &'static str, wei: &str, last_post: LastPost) -> Account {
    Account {
        role,
        address: Address::repeat_byte(0x33),
        balance_wei: Fact::Known(wei.into()),
        nonce: Fact::Known(1204),
        nonce_pending: Fact::Known(1205),
        pending_since_unix_s: Some(NOW - 4),
        last_post,
    }
}

fn stack() -> Stack {
    serde_json::from_str(include_str!("../../../../tests/inputs/stack.json")).unwrap()
}

/// A sequencer of which nothing is wrong.
fn well() -> Status {
    let heads = Heads {
        unsafe_head: head(1_204_881, 1, 9_211_340),
        safe: head(1_204_701, 361, 9_211_310),
        finalized: head(1_204_201, 1361, 9_211_230),
        l1_head: l1_block(9_211_344, 9),
        l1_derived: l1_block(9_211_343, 21),
    };
    let game = NewestGame {
        count: 412,
        game_type: 1,
        age_s: 1200,
        address: Address::repeat_byte(0x61),
        status: "in progress",
    };
    let claim = Claim {
        address: Address::repeat_byte(0x61),
        game_type: 1,
        status: "in progress",
        position: Fact::Known(1_204_100),
        block: Some(1_204_100),
        claimed: Fact::Known(hash(4)),
        ours: Fact::Known(hash(4)),
        claims: Fact::Known(1),
    };
    let anchor = Anchor {
        registry: Address::repeat_byte(0x62),
        position: 900_000,
        block: Some(900_000),
        root: Fact::Known(hash(3)),
        age_s: Some(609_762),
        ours: Fact::Known(hash(3)),
        respected_game_type: Fact::Known(1),
    };
    Status {
        unix_s: NOW,
        chain_id: Some(420_901),
        heads: Fact::Known(heads),
        execution_head: Fact::Known(1_204_881),
        execution_at_safe: Fact::Known(Some(hash(1_204_701))),
        pool: Fact::Known(Pool { pending: 12, queued: 3 }),
        l1_head: Fact::Known(9_211_344),
        l1_head_age_s: Fact::Known(9),
        l1_finalized: Fact::Known(Some(l1_block(9_211_260, 1017))),
        l1_origin_age_s: Some(57),
        origins: Origins {
            unsafe_head: Fact::Known(Some(l1_block(9_211_340, 57))),
            safe: Fact::Known(Some(l1_block(9_211_310, 417))),
            finalized: Fact::Known(Some(l1_block(9_211_230, 1377))),
        },
        l1_questions: Questions { host: "node.example".into(), asked: 64, limited: 0 },
        sequencing: Fact::Known(true),
        peers: Fact::Known(3),
        services: vec!["op-batcher", "op-proposer"],
        accounts: vec![
            account("batcher", "481200000000000000", LastPost::Ago(252)),
            account("proposer", "502000000000000000", LastPost::OlderThan(1440)),
            account("challenger", "500000000000000000", LastPost::Never),
        ],
        game: Fact::Known(Some(game)),
        claims: vec![claim],
        anchor: Fact::Known(anchor),
        ..Status::default()
    }
}

/// A batcher that is down and empty, with all that follows, a wrong game, and facts that nobody has.
fn in_trouble() -> Status {
    let mut status = well();
    status.unhealthy = vec!["op-batcher".into()];
    status.accounts[0].balance_wei = Fact::Known("1200000000000000".into());
    status.accounts[0].last_post = LastPost::OlderThan(1440);
    status.claims[0].claimed = Fact::Known(hash(9));
    status.pool = Fact::unknown(
        "127.0.0.1:28545: txpool_status: the method txpool_status does not exist/is not available (code -32601)",
    );
    let Fact::Known(heads) = &mut status.heads else { unreachable!("they are known") };
    heads.safe = Head { timestamp: NOW - 7201, ..head(1_201_281, 7201, 9_210_740) };
    heads.finalized = Head { hash: B256::ZERO, ..heads.finalized };
    status.execution_at_safe = Fact::Known(Some(hash(1_201_281)));
    status.origins.safe = Fact::Known(Some(l1_block(9_210_740, 7250)));
    status
}

/// A node that has just started.
fn starting() -> Status {
    let mut status = well();
    let nowhere = L1Block { number: 0, hash: B256::ZERO, timestamp: 0 };
    let nothing = Head { number: 0, hash: B256::ZERO, timestamp: 0, l1_origin: Origin { number: 0, hash: B256::ZERO } };
    status.heads = Fact::Known(Heads {
        unsafe_head: nothing,
        safe: nothing,
        finalized: nothing,
        l1_head: nowhere,
        l1_derived: nowhere,
    });
    status.origins = Origins::default();
    status
}

fn shown(status: &Status, screen: &Screen) -> String {
    let stack = stack();
    show(&stack, status, &judge(&stack, status), screen)
}

#[test]
fn screens_look_as_they_were_drawn() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cli/status/screen");
    for (name, status) in [("well", well()), ("trouble", in_trouble()), ("starting", starting())] {
        pictures::hold(&directory, name, |width| shown(&status, &Screen::plain(width)));
    }
}

#[test]
fn colours_change_nothing_else() {
    for status in [well(), in_trouble()] {
        let coloured = shown(&status, &Screen { width: 80, has_colours: true });
        assert!(coloured.contains("\x1b["), "{coloured}");
        assert_eq!(pictures::without_colours(&coloured), shown(&status, &Screen::plain(80)));
    }
}
