//! Each row with the fact that triggers it, and one where it must stay silent.

use std::collections::BTreeSet;

use alloy::primitives::{Address, B256};

use super::{
    super::{
        LastPost,
        facts::{
            Account, Anchor, Claim, Disk, Head, Heads, L1Block, NewestGame, Origin, Origins, Pool, Questions, Silence,
        },
    },
    *,
};
use crate::stack::Role;

const NOW: u64 = 1_800_000_000;

fn hash(number: u64) -> B256 {
    B256::from(alloy::primitives::U256::from(number + 1))
}

fn l1_block(number: u64, age: u64) -> L1Block {
    L1Block { number, hash: hash(number), timestamp: NOW - age }
}

fn head(number: u64, age: u64, origin: u64) -> Head {
    Head { number, hash: hash(number), timestamp: NOW - age, l1_origin: Origin { number: origin, hash: hash(origin) } }
}

fn limited<T>() -> Fact<T> {
    Fact::Unknown(Silence { why: "node.example: eth_call: rate limited".into(), is_limit: true })
}

fn account(role: &'static str) -> Account {
    Account {
        role,
        address: Address::repeat_byte(3),
        balance_wei: Fact::Known("1000000000000000000".into()),
        nonce: Fact::Known(7),
        nonce_pending: Fact::Known(7),
        pending_since_unix_s: None,
        last_post: LastPost::Ago(60),
    }
}

/// A sequencer of which nothing is wrong.
fn well() -> (Stack, Status) {
    let stack = serde_json::from_str(include_str!("../../../tests/inputs/stack.json")).unwrap();
    let heads = Heads {
        unsafe_head: head(1000, 1, 95),
        safe: head(900, 201, 80),
        finalized: head(400, 1201, 20),
        l1_head: l1_block(100, 10),
        l1_derived: l1_block(98, 34),
    };
    let game =
        NewestGame { count: 3, game_type: 1, age_s: 600, address: Address::repeat_byte(1), status: "in progress" };
    let claim = Claim {
        address: Address::repeat_byte(1),
        game_type: 1,
        status: "in progress",
        position: Fact::Known(400),
        block: Some(400),
        claimed: Fact::Known(hash(4)),
        ours: Fact::Known(hash(4)),
        claims: Fact::Known(1),
    };
    let anchor = Anchor {
        registry: Address::repeat_byte(2),
        position: 300,
        block: Some(300),
        root: Fact::Known(hash(3)),
        age_s: Some(1400),
        ours: Fact::Known(hash(3)),
        respected_game_type: Fact::Known(1),
    };
    let status = Status {
        unix_s: NOW,
        chain_id: Some(901),
        heads: Fact::Known(heads),
        execution_head: Fact::Known(1001),
        execution_at_safe: Fact::Known(Some(hash(900))),
        pool: Fact::Known(Pool { pending: 12, queued: 3 }),
        l1_head: Fact::Known(100),
        l1_head_age_s: Fact::Known(10),
        l1_finalized: Fact::Known(Some(l1_block(30, 900))),
        l1_origin_age_s: Some(70),
        origins: Origins {
            unsafe_head: Fact::Known(Some(l1_block(95, 70))),
            safe: Fact::Known(Some(l1_block(80, 250))),
            finalized: Fact::Known(Some(l1_block(20, 1300))),
        },
        l1_questions: Questions { host: "node.example".into(), asked: 40, limited: 0 },
        sequencing: Fact::Known(true),
        peers: Fact::Known(0),
        services: vec!["op-batcher", "op-proposer"],
        unhealthy: Vec::new(),
        accounts: vec![account("batcher"), account("proposer"), account("challenger")],
        game: Fact::Known(Some(game)),
        claims: vec![claim],
        anchor: Fact::Known(anchor),
        disks: vec![Disk { component: "op-geth".into(), path: "/srv".into(), free_bytes: Fact::Known(50 << 30) }],
    };
    (stack, status)
}

type Change = fn(&mut Stack, &mut Status);

/// The claim as one of a super root.
fn of_time(claim: Claim) -> Claim {
    Claim { game_type: 9, position: Fact::Known(1400), ..claim }
}

fn found(change: Change) -> Vec<Finding> {
    let (mut stack, mut status) = well();
    change(&mut stack, &mut status);
    judge(&stack, &status)
}

fn heads(status: &mut Status) -> &mut Heads {
    match &mut status.heads {
        Fact::Known(heads) => heads,
        _ => unreachable!("the heads are known"),
    }
}

fn anchor(status: &mut Status) -> &mut Anchor {
    match &mut status.anchor {
        Fact::Known(anchor) => anchor,
        _ => unreachable!("the anchor is known"),
    }
}

fn nothing(_: &mut Stack, _: &mut Status) {}

fn verifier(stack: &mut Stack, status: &mut Status) {
    stack.role = Role::Verifier;
    for service in ["op-batcher", "op-proposer", "op-challenger"] {
        stack.components.remove(service);
    }
    status.sequencing = Fact::Known(false);
    status.peers = Fact::Known(2);
    (status.services, status.accounts, status.claims) = Default::default();
    (status.game, status.anchor) = (Fact::NotAsked, Fact::NotAsked);
}

/// name or name:subject → what is said, for what is not good
fn wrong(findings: &[Finding]) -> Vec<(String, Level, &str)> {
    let wrong = findings.iter().filter(|finding| finding.level != Level::Good);
    wrong.map(|finding| (finding.name(), finding.level, finding.found.as_str())).collect()
}

#[test]
fn rows_refer_to_rows_above_them() {
    let mut above = BTreeSet::new();
    for relation in RELATIONS {
        for name in [relation.rests_on, relation.follows_from].concat() {
            let row = name.split(':').next().unwrap_or_default();
            assert!(above.contains(row), "{} refers to {name}, which is not above it", relation.name);
        }
        assert!(above.insert(relation.name), "{} is there twice", relation.name);
    }
}

#[test]
fn where_all_is_well_every_row_says_so() {
    for change in [nothing as Change, verifier] {
        let findings = found(change);
        assert_eq!(wrong(&findings), Vec::new());
        assert!(findings.iter().all(|finding| finding.fix.is_empty() && finding.because.is_none()));
    }
    let judged: BTreeSet<_> = found(nothing).iter().map(|finding| finding.relation).collect();
    let silent: Vec<_> = RELATIONS.iter().filter(|row| !judged.contains(row.name)).map(|row| row.name).collect();
    assert_eq!(silent, ["peers"], "a sequencer needs no peers; all else was judged");
    assert!(found(verifier).iter().any(|finding| finding.relation == "peers"));
}

/// What triggers each row: which finding, its level, and what it says.
const TRIGGERS: &[(&str, Level, &str, Change)] = &[
    ("l1-limits", Level::Failure, "node.example refuses 3 of 40", |_, status| status.l1_questions.limited = 3),
    ("l1", Level::Failure, "L1 does not answer: no", |_, status| {
        (status.l1_head, status.l1_head_age_s) = (Fact::unknown("no"), Fact::unknown("no"));
    }),
    ("op-node", Level::Failure, "op-node does not answer: no", |_, status| status.heads = Fact::unknown("no")),
    ("execution", Level::Failure, "op-geth does not answer: no", |_, status| {
        status.execution_head = Fact::unknown("no");
    }),
    ("service:op-batcher", Level::Failure, "does not answer its health check", |_, status| {
        status.unhealthy = vec!["op-batcher".into()];
    }),
    ("clock", Level::Failure, "60 s ahead of this host's clock", |_, status| status.l1_head_age_s = Fact::Known(-60)),
    ("l1-age", Level::Failure, "L1 stands still at block 100, 61 s old", |_, status| {
        status.l1_head_age_s = Fact::Known(61);
    }),
    ("l1-heads", Level::Failure, "finalized block 101 is above its newest, 100", |_, status| {
        status.l1_finalized = Fact::Known(Some(l1_block(101, 5)));
    }),
    ("l1-finality", Level::Warning, "3601 s old: L1 does not finalize", |_, status| {
        status.l1_finalized = Fact::Known(Some(l1_block(30, 3601)));
    }),
    ("l1-finality", Level::Unknown, "L1 has finalized no block yet", |_, status| {
        status.l1_finalized = Fact::Known(None);
    }),
    ("node-knows-l1", Level::Unknown, "does not know yet: L1's head", |_, status| {
        heads(status).l1_head.hash = B256::ZERO;
    }),
    ("node-l1", Level::Failure, "op-node sees L1 at block 100, 121 s behind", |_, status| {
        heads(status).l1_head.timestamp -= 121;
    }),
    ("node-l1", Level::Failure, "block 100, 140 s behind block 100", |_, status| {
        heads(status).l1_head.timestamp += 140;
    }),
    ("derivation", Level::Warning, "derived up to L1 block 98 of 100, 624 s behind", |_, status| {
        heads(status).l1_derived.timestamp -= 600;
    }),
    ("sync-status:unsafe", Level::Unknown, "does not know its unsafe head yet", |_, status| {
        heads(status).unsafe_head =
            Head { number: 0, hash: B256::ZERO, timestamp: 0, l1_origin: Origin { number: 0, hash: B256::ZERO } };
    }),
    ("sync-status:finalized", Level::Unknown, "does not know its finalized head yet", |_, status| {
        heads(status).finalized.hash = B256::ZERO;
    }),
    ("safe-unsafe", Level::Failure, "its safe head, block 1200, is above its unsafe head, block 1000", |_, status| {
        heads(status).safe.number = 1200;
    }),
    ("safe-unsafe", Level::Failure, "has another hash than", |_, status| heads(status).safe.number = 1000),
    ("safe-unsafe", Level::Failure, "is younger than", |_, status| heads(status).safe.timestamp = NOW),
    (
        "finalized-safe",
        Level::Failure,
        "its finalized head, block 901, is above its safe head, block 900",
        |_, status| {
            heads(status).finalized.number = 901;
        },
    ),
    ("unsafe-future", Level::Failure, "the unsafe head is 100 s in the future", |_, status| {
        heads(status).unsafe_head.timestamp = NOW + 100;
    }),
    ("sequencing", Level::Failure, "the sequencer is stopped", |_, status| status.sequencing = Fact::Known(false)),
    ("sequencing", Level::Failure, "this host is a verifier, and sequences", |stack, status| {
        verifier(stack, status);
        status.sequencing = Fact::Known(true);
    }),
    ("sequencing", Level::Unknown, "no", |_, status| status.sequencing = Fact::unknown("no")),
    ("peers", Level::Warning, "no peers: blocks come from L1 only", |stack, status| {
        verifier(stack, status);
        status.peers = Fact::Known(0);
    }),
    ("unsafe-age", Level::Failure, "the unsafe head is 31 s old: the sequencer has halted", |_, status| {
        heads(status).unsafe_head.timestamp -= 30;
    }),
    ("execution-head", Level::Failure, "the execution client is at 10, op-node at 1000", |_, status| {
        status.execution_head = Fact::Known(10);
    }),
    ("execution-chain", Level::Failure, "the execution client has block 900 as", |_, status| {
        status.execution_at_safe = Fact::Known(Some(hash(1)));
    }),
    ("execution-chain", Level::Failure, "has no block 900", |_, status| status.execution_at_safe = Fact::Known(None)),
    ("origin-order", Level::Failure, "95 of the unsafe, 96 of the safe", |_, status| {
        heads(status).safe.l1_origin = Origin { number: 96, hash: hash(96) };
        status.origins.safe = Fact::Known(Some(l1_block(96, 60)));
    }),
    ("origin-ahead:unsafe", Level::Failure, "made from L1 block 95, the endpoint's newest is 90", |_, status| {
        (status.origins.unsafe_head, status.l1_head) = (Fact::Known(None), Fact::Known(90));
    }),
    ("origin-ahead:finalized", Level::Unknown, "has no block 20 any more", |_, status| {
        status.origins.finalized = Fact::Known(None);
    }),
    ("origin-known:unsafe", Level::Failure, "L1 does not know the unsafe head's origin", |_, status| {
        status.origins.unsafe_head = Fact::Known(Some(L1Block { hash: hash(1), ..l1_block(95, 70) }));
    }),
    ("origin-known:finalized", Level::Failure, "L1 does not know the finalized head's origin", |_, status| {
        status.origins.finalized = Fact::Known(Some(L1Block { hash: hash(1), ..l1_block(20, 1300) }));
    }),
    ("origin-age:unsafe", Level::Failure, "the L1 origin is 699 s old", |_, status| {
        status.origins.unsafe_head = Fact::Known(Some(l1_block(95, 700)));
    }),
    ("origin-age:unsafe", Level::Failure, "1 s older than the L1 block it was made from", |_, status| {
        status.origins.unsafe_head = Fact::Known(Some(l1_block(95, 0)));
    }),
    ("funds:batcher", Level::Failure, "the batcher has only 0.000000000000001 ETH", |_, status| {
        status.accounts[0].balance_wei = Fact::Known("1000".into());
    }),
    ("funds:proposer", Level::Unknown, "no", |_, status| status.accounts[1].balance_wei = Fact::unknown("no")),
    (
        "nonces:batcher",
        Level::Failure,
        "has 7 transactions of the batcher in blocks, and 6 with its pool",
        |_, status| {
            status.accounts[0].nonce_pending = Fact::Known(6);
        },
    ),
    (
        "stuck:challenger",
        Level::Failure,
        "2 transactions of the challenger wait in L1's pool, for 601 s",
        |_, status| {
            status.accounts[2].nonce_pending = Fact::Known(9);
            status.accounts[2].pending_since_unix_s = Some(NOW - 601);
        },
    ),
    ("stuck:proposer", Level::Failure, "1 transactions of the proposer wait", |_, status| {
        status.accounts[1].nonce_pending = Fact::Known(8);
        status.accounts[1].last_post = LastPost::OlderThan(3600 + 601);
    }),
    ("pool", Level::Warning, "5000 transactions wait in the L2's pool, which holds 5120", |_, status| {
        status.pool = Fact::Known(Pool { pending: 5000, queued: 0 });
    }),
    ("disk:op-geth", Level::Failure, "512 MiB are left below /srv", |_, status| {
        status.disks[0].free_bytes = Fact::Known(512 << 20);
    }),
    ("disk:op-geth", Level::Warning, "4096 MiB are left", |_, status| {
        status.disks[0].free_bytes = Fact::Known(4 << 30);
    }),
    ("safe-lag", Level::Failure, "the safe head lags 2000 s: batches are not posted", |_, status| {
        heads(status).safe.timestamp = NOW - 2001;
        heads(status).finalized.timestamp = NOW - 2002;
    }),
    ("finality-lag", Level::Warning, "the finalized head, block 400, is 3700 s behind", |_, status| {
        heads(status).finalized.timestamp = NOW - 4600;
    }),
    ("game-age", Level::Failure, "the newest game is 7400 s old, the interval is 3600 s", |_, status| {
        status.game = Fact::Known(Some(NewestGame {
            count: 3,
            game_type: 1,
            age_s: 7400,
            address: Address::ZERO,
            status: "in progress",
        }));
    }),
    ("game-age", Level::Failure, "there is no dispute game yet", |_, status| status.game = Fact::Known(None)),
    (CLAIM, Level::Failure, "claims another root of block 400", |_, status| {
        status.claims[0].claimed = Fact::Known(hash(9));
    }),
    (CLAIM, Level::Failure, "was won with another root", |_, status| {
        status.claims[0].claimed = Fact::Known(hash(9));
        status.claims[0].status = "defender wins";
    }),
    (CLAIM, Level::Failure, "was lost, though it claims this node's root", |_, status| {
        status.claims[0].status = "challenger wins";
    }),
    (CLAIM, Level::Warning, "is attacked, though it claims this node's root", |_, status| {
        status.claims[0].claims = Fact::Known(2);
    }),
    (CLAIM, Level::Failure, "claims another root of block 400", |_, status| {
        status.claims[0] = of_time(status.claims[0].clone());
        status.claims[0].claimed = Fact::Known(hash(9));
    }),
    (CLAIM, Level::Unknown, "a super root of the time 1400", |_, status| {
        status.claims[0] = of_time(status.claims[0].clone());
        (status.claims[0].block, status.claims[0].ours) = (None, Fact::NotAsked);
    }),
    (CLAIM, Level::Unknown, "which is not safe on this node yet", |_, status| status.claims[0].ours = Fact::NotAsked),
    ("respected", Level::Warning, "is of type 1, and only type 0 counts", |_, status| {
        anchor(status).respected_game_type = Fact::Known(0);
    }),
    ("anchor-ahead", Level::Failure, "the anchor is of block 901, this node's safe head is 900", |_, status| {
        anchor(status).block = Some(901);
    }),
    ("anchor-root", Level::Failure, "the anchor has another root of block 300", |_, status| {
        anchor(status).root = Fact::Known(hash(9));
    }),
    ("anchor-age", Level::Warning, "the anchor's block is 15 days old", |_, status| {
        anchor(status).age_s = Some(15 * 86_400);
    }),
    ("anchor-age", Level::Unknown, "rollup.json does not tell", |_, status| anchor(status).age_s = None),
];

const CLAIM: &str = "claim:0x0101010101010101010101010101010101010101";

#[test]
fn each_row_speaks_of_what_triggers_it_and_blames_nothing_else() {
    for &(name, level, part, change) in TRIGGERS {
        let findings = found(change);
        let is_it =
            |finding: &&Finding| finding.name() == name && finding.level == level && finding.found.contains(part);
        let finding = findings.iter().find(is_it);
        let finding = finding.unwrap_or_else(|| panic!("{name}: {part}: {:?}", wrong(&findings)));
        assert_eq!(finding.because, None, "{name}");
        // an unknown fact names its endpoint, and needs no advice
        assert!(!finding.fix.is_empty() || level == Level::Unknown, "{name} has no fix");
        for other in findings.iter().filter(|other| other.level != Level::Good && other.name() != name) {
            assert!(other.because.as_deref() == Some(name), "{name} ({part}) is blamed on {other:?}");
        }
    }
    let triggered: BTreeSet<_> = TRIGGERS.iter().filter_map(|(name, ..)| name.split(':').next()).collect();
    assert_eq!(triggered, RELATIONS.iter().map(|row| row.name).collect::<BTreeSet<_>>(), "every row has a trigger");
}

/// What is just as it may be, at the edge: no row says a word.
const SILENT: &[(&str, Change)] = &[
    ("l1-limits", |_, status| status.l1_questions = Questions::default()),
    // an L1 of one block
    ("l1", |_, status| {
        (status.l1_head, status.l1_finalized) = (Fact::Known(0), Fact::Known(Some(l1_block(0, 900))));
    }),
    // an op-node that tells its heads only
    ("op-node", |_, status| (status.sequencing, status.peers) = (Fact::NotAsked, Fact::NotAsked)),
    // a client of another host
    ("execution", |stack, status| {
        drop(stack.components.remove("op-geth"));
        (status.execution_head, status.execution_at_safe) = (Fact::NotAsked, Fact::NotAsked);
        status.pool = Fact::NotAsked;
    }),
    // one that has no health check is no service
    ("service", |_, status| status.unhealthy = vec!["op-challenger".into()]),
    ("clock", |_, status| status.l1_head_age_s = Fact::Known(-15)),
    ("l1-age", |_, status| status.l1_head_age_s = Fact::Known(60)),
    ("l1-heads", |_, status| status.l1_finalized = Fact::Known(Some(l1_block(100, 10)))),
    ("l1-finality", |_, status| status.l1_finalized = Fact::Known(Some(l1_block(30, 3600)))),
    // what is not known has no hash; a number of zero is a block
    ("node-knows-l1", |_, status| heads(status).l1_derived = l1_block(0, 34)),
    ("node-l1", |_, status| heads(status).l1_head.timestamp -= 120),
    ("derivation", |_, status| heads(status).l1_derived.timestamp = NOW - 610),
    // of a chain of which nothing is final but the first block
    ("sync-status", |_, status| {
        heads(status).finalized = head(0, 1201, 0);
        status.origins.finalized = Fact::Known(Some(l1_block(0, 1300)));
    }),
    ("safe-unsafe", |_, status| {
        heads(status).safe = head(1000, 1, 95);
        status.origins.safe = Fact::Known(Some(l1_block(95, 70)));
        status.execution_at_safe = Fact::Known(Some(hash(1000)));
    }),
    ("finalized-safe", |_, status| {
        heads(status).finalized = head(900, 201, 80);
        status.origins.finalized = Fact::Known(Some(l1_block(80, 250)));
    }),
    ("unsafe-future", |_, status| heads(status).unsafe_head.timestamp = NOW + 15),
    ("sequencing", |_, status| status.sequencing = Fact::NotAsked),
    ("peers", |_, status| status.peers = Fact::NotAsked),
    ("unsafe-age", |_, status| heads(status).unsafe_head.timestamp = NOW - 30),
    ("execution-head", |_, status| status.execution_head = Fact::Known(995)),
    ("execution-chain", |_, status| status.execution_at_safe = Fact::NotAsked),
    ("origin-order", |_, status| {
        heads(status).safe.l1_origin = Origin { number: 95, hash: hash(95) };
        status.origins.safe = Fact::Known(Some(l1_block(95, 70)));
    }),
    // made from L1's newest block
    ("origin-ahead", |_, status| {
        heads(status).unsafe_head = head(1000, 1, 100);
        status.origins.unsafe_head = Fact::Known(Some(l1_block(100, 10)));
    }),
    ("origin-known", |_, status| status.origins.finalized = Fact::NotAsked),
    ("origin-age", |_, status| status.origins.unsafe_head = Fact::Known(Some(l1_block(95, 601)))),
    ("funds", |_, status| status.accounts[0].balance_wei = Fact::Known("50000000000000000".into())),
    // of an account that has sent nothing yet
    ("nonces", |_, status| {
        (status.accounts[2].nonce, status.accounts[2].nonce_pending) = (Fact::Known(0), Fact::Known(0));
    }),
    // an hour after the last one the next is on its way
    ("stuck", |_, status| {
        status.accounts[1].nonce_pending = Fact::Known(8);
        status.accounts[1].last_post = LastPost::Ago(3610);
        status.accounts[1].pending_since_unix_s = Some(NOW - 10);
    }),
    // a challenger sends when it must, and that is new
    ("stuck", |_, status| {
        status.accounts[2].nonce_pending = Fact::Known(8);
        status.accounts[2].last_post = LastPost::OlderThan(99_999);
        status.accounts[2].pending_since_unix_s = Some(NOW);
    }),
    ("pool", |_, status| status.pool = Fact::Known(Pool { pending: 4096, queued: 1000 })),
    ("pool", |_, status| status.pool = Fact::NotAsked),
    ("disk", |_, status| status.disks[0].free_bytes = Fact::Known(5 << 30)),
    ("safe-lag", |_, status| {
        heads(status).safe.timestamp = NOW - 1801;
        heads(status).finalized.timestamp = NOW - 1801;
    }),
    ("finality-lag", |_, status| heads(status).finalized.timestamp = NOW - 4500),
    ("game-age", |_, status| {
        status.game = Fact::Known(Some(NewestGame {
            count: 3,
            game_type: 1,
            age_s: 7320,
            address: Address::ZERO,
            status: "in progress",
        }));
    }),
    ("claim", |_, status| {
        status.claims[0].claimed = Fact::Known(hash(9));
        status.claims[0].status = "challenger wins";
    }),
    ("respected", |_, status| {
        let game = NewestGame { count: 3, game_type: 8, age_s: 600, address: Address::ZERO, status: "in progress" };
        status.game = Fact::Known(Some(game));
        anchor(status).respected_game_type = Fact::Known(8);
    }),
    ("anchor-ahead", |_, status| anchor(status).block = Some(900)),
    // of a time, as super roots are, which is no block's number
    ("anchor-ahead", |_, status| anchor(status).position = 1_772_000_000),
    ("claim", |_, status| status.claims[0] = of_time(status.claims[0].clone())),
    // before the first game has moved it, it is of no block
    ("anchor-root", |_, status| {
        (anchor(status).block, anchor(status).ours) = (Some(0), Fact::NotAsked);
        anchor(status).root = Fact::Known(hash(9));
    }),
    // and of super roots none of this chain
    ("anchor-root", |_, status| {
        (anchor(status).ours, anchor(status).root) = (Fact::NotAsked, Fact::NotAsked);
    }),
    ("anchor-age", |_, status| anchor(status).age_s = Some(14 * 86_400)),
];

#[test]
fn at_the_edge_every_row_is_silent() {
    for &(name, change) in SILENT {
        let findings = found(change);
        assert_eq!(wrong(&findings), Vec::new(), "{name}");
    }
    let silent: BTreeSet<_> = SILENT.iter().map(|(name, _)| *name).collect();
    assert_eq!(silent, RELATIONS.iter().map(|row| row.name).collect::<BTreeSet<_>>(), "every row has a silent case");
}

/// Of a row, what it says and why.
fn of<'a>(findings: &'a [Finding], name: &str) -> (Level, Option<&'a str>) {
    let finding =
        findings.iter().find(|finding| finding.name() == name).unwrap_or_else(|| panic!("{name}: {findings:?}"));
    (finding.level, finding.because.as_deref())
}

#[test]
fn nothing_is_blamed_for_another_ones_fault() {
    let not_judged = |why| (Level::NotJudged, Some(why));
    // a zeroed status is a state of its own, and no halt of 57 years
    let zero = found(|_, status| {
        let nothing =
            Head { number: 0, hash: B256::ZERO, timestamp: 0, l1_origin: Origin { number: 0, hash: B256::ZERO } };
        let nowhere = L1Block { number: 0, hash: B256::ZERO, timestamp: 0 };
        *heads(status) =
            Heads { unsafe_head: nothing, safe: nothing, finalized: nothing, l1_head: nowhere, l1_derived: nowhere };
        status.origins = Origins::default();
    });
    assert!(zero.iter().all(|finding| finding.level < Level::Warning), "{:?}", wrong(&zero));
    assert_eq!(of(&zero, "unsafe-age"), not_judged("sync-status:unsafe"));
    assert_eq!(of(&zero, "safe-lag"), not_judged("sync-status:unsafe"));

    // where L1 refuses, nobody else is at fault, and what it did answer is judged
    let refused = found(|_, status| {
        status.l1_questions.limited = 20;
        (status.l1_head, status.l1_head_age_s, status.l1_finalized) = (limited(), limited(), limited());
        status.accounts[0].balance_wei = limited();
        (status.game, status.anchor) = (limited(), limited());
    });
    for name in ["l1", "l1-age", "l1-finality", "funds:batcher", "game-age", "anchor-age", "finality-lag"] {
        assert_eq!(of(&refused, name), not_judged("l1-limits"), "{name}");
    }
    assert_eq!(of(&refused, "unsafe-age").0, Level::Good);

    // a batcher that is down explains a safe head that lags, which explains finality and games
    let stopped = found(|_, status| {
        status.unhealthy = vec!["op-batcher".into()];
        heads(status).safe.timestamp = NOW - 9000;
        heads(status).finalized.timestamp = NOW - 9001;
        status.game = Fact::Known(None);
    });
    for name in ["safe-lag", "game-age"] {
        assert_eq!(of(&stopped, name), (Level::Failure, Some("service:op-batcher")), "{name}");
    }
    assert_eq!(of(&stopped, "finality-lag"), (Level::Warning, Some("service:op-batcher")));
    let lag = stopped.iter().find(|finding| finding.relation == "safe-lag").unwrap();
    assert_eq!(lag.fix, "service:op-batcher explains it: mend that first");

    // what is wrong by what is known is nobody else's fault
    let wrong_root = found(|_, status| {
        status.unhealthy = vec!["op-batcher".into()];
        heads(status).safe.timestamp = NOW - 9000;
        status.l1_questions.limited = 20;
        status.accounts[0].balance_wei = Fact::Known("0".into());
        status.claims[0].claimed = Fact::Known(hash(9));
    });
    assert_eq!(of(&wrong_root, CLAIM), (Level::Failure, None));
    assert_eq!(of(&wrong_root, "funds:batcher"), (Level::Failure, None));

    // an L1 that is silent says nothing of the L2's own heads
    let silent = found(|_, status| {
        (status.l1_head, status.l1_head_age_s, status.l1_finalized) =
            (Fact::unknown("a"), Fact::unknown("a"), Fact::unknown("a"));
        heads(status).unsafe_head.timestamp -= 60;
    });
    assert_eq!(of(&silent, "unsafe-age"), (Level::Failure, None));
    assert_eq!(of(&silent, "l1-age"), not_judged("l1"));
}

type Hush = fn(&mut Status, Silence);

/// Each question to L1 that gets no answer, and the row that then knows nothing.
const UNANSWERED: &[(&str, Hush)] = &[
    ("l1", |status, silence| {
        (status.l1_head, status.l1_head_age_s) = (Fact::Unknown(silence.clone()), Fact::Unknown(silence));
    }),
    ("l1-heads", |status, silence| status.l1_finalized = Fact::Unknown(silence)),
    ("origin-ahead:unsafe", |status, silence| status.origins.unsafe_head = Fact::Unknown(silence)),
    ("origin-ahead:safe", |status, silence| status.origins.safe = Fact::Unknown(silence)),
    ("origin-ahead:finalized", |status, silence| status.origins.finalized = Fact::Unknown(silence)),
    ("funds:batcher", |status, silence| status.accounts[0].balance_wei = Fact::Unknown(silence)),
    ("nonces:batcher", |status, silence| status.accounts[0].nonce = Fact::Unknown(silence)),
    ("nonces:proposer", |status, silence| status.accounts[1].nonce_pending = Fact::Unknown(silence)),
    ("game-age", |status, silence| status.game = Fact::Unknown(silence)),
    (CLAIM, |status, silence| status.claims[0].position = Fact::Unknown(silence)),
    (CLAIM, |status, silence| status.claims[0].claimed = Fact::Unknown(silence)),
    ("anchor-age", |status, silence| status.anchor = Fact::Unknown(silence)),
    ("respected", |status, silence| anchor(status).respected_game_type = Fact::Unknown(silence)),
];

#[test]
fn a_limit_is_blamed_for_what_it_refused_and_for_nothing_else() {
    let unanswered = |is_limit, hush: Hush| {
        let (stack, mut status) = well();
        status.l1_questions.limited = 3;
        hush(&mut status, Silence { why: "no".into(), is_limit });
        judge(&stack, &status)
    };
    for &(name, hush) in UNANSWERED {
        let refused = unanswered(true, hush);
        assert_eq!(of(&refused, name), (Level::NotJudged, Some("l1-limits")), "{name}");
        for other in refused.iter().filter(|other| other.level != Level::Good && other.relation != "l1-limits") {
            assert_eq!(other.because.as_deref(), Some("l1-limits"), "{name}: {other:?}");
        }
        // without an answer for another reason, beside others that were refused
        let silent = unanswered(false, hush);
        let (level, because) = of(&silent, name);
        assert!(level >= Level::Unknown && because.is_none(), "{name}: {:?}", wrong(&silent));
        let blamed = silent.iter().find(|finding| finding.because.as_deref() == Some("l1-limits"));
        assert_eq!(blamed, None, "{name}");
    }
    // and what is not known though L1 answered
    let answered: [(&str, Change); 3] = [
        ("l1-finality", |_, status| status.l1_finalized = Fact::Known(None)),
        (CLAIM, |_, status| (status.claims[0].block, status.claims[0].ours) = (None, Fact::NotAsked)),
        ("anchor-age", |_, status| anchor(status).age_s = None),
    ];
    for (name, change) in answered {
        let (mut stack, mut status) = well();
        status.l1_questions.limited = 3;
        change(&mut stack, &mut status);
        assert_eq!(of(&judge(&stack, &status), name), (Level::Unknown, None), "{name}");
    }
}

#[test]
fn a_fact_that_nobody_has_is_never_good() {
    // of each fact that a row asks for, one after the other
    let silences: [(&str, Change); 9] = [
        ("execution-chain", |_, status| status.execution_at_safe = Fact::unknown("no")),
        ("pool", |_, status| status.pool = Fact::unknown("no")),
        ("l1-finality", |_, status| status.l1_finalized = Fact::unknown("no")),
        ("origin-known:safe", |_, status| status.origins.safe = Fact::unknown("no")),
        ("nonces:batcher", |_, status| status.accounts[0].nonce_pending = Fact::unknown("no")),
        ("disk:op-geth", |_, status| status.disks[0].free_bytes = Fact::unknown("no")),
        (CLAIM, |_, status| status.claims[0].claimed = Fact::unknown("no")),
        ("anchor-root", |_, status| anchor(status).ours = Fact::unknown("no")),
        ("respected", |_, status| anchor(status).respected_game_type = Fact::unknown("no")),
    ];
    for (name, change) in silences {
        assert_ne!(of(&found(change), name).0, Level::Good, "{name}");
    }
}
