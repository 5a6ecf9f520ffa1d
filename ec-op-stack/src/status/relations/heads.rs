//! The heads of the L2: among each other, against clocks, the execution client and L1's view of their origins.

use alloy::primitives::B256;

use super::{
    super::facts::{Fact, Head, Heads, L1Block, Status},
    Judgement, Relation,
    layer1::CLOCKS_DIFFER_S,
    log_of, with,
};
use crate::stack::{Role, Stack};

/// An unsafe head older than this stands still, in seconds.
const STALE_UNSAFE_S: i64 = 30;
/// A safe head this far behind the unsafe one means that batches are missing, in seconds. The sequencing window is 12 h.
const SAFE_LAG_S: u64 = 1800;
/// A finalized head this far behind what L1 has finalized: a channel takes its time, and op-node looks every 64 L1 blocks only,
/// in seconds.
const FINALITY_LAG_S: u64 = 3600;
/// An L1 origin so much older than its block: the sequencer may drift 1800 s at most (Fjord), in seconds.
const OLD_ORIGIN_S: i64 = 600;
/// op-node and the execution client are asked one after the other, in blocks.
const BLOCKS_BETWEEN: u64 = 5;

/// A row about op-node's heads.
macro_rules! row {
    ($name:literal, $holds:literal, $rests_on:expr, $follows_from:expr, $rule:expr) => {
        Relation {
            name: $name,
            holds: $holds,
            rests_on: $rests_on,
            follows_from: $follows_from,
            rule: |stack, status| {
                let rule: fn(&Stack, &Status, &Heads) -> Vec<Judgement> = $rule;
                match &status.heads {
                    Fact::Known(heads) => rule(stack, status, heads),
                    Fact::NotAsked => Vec::new(),
                    Fact::Unknown(silence) => vec![Judgement::silent(silence)],
                }
            },
        }
    };
}

pub(super) const SYNC_STATUS: Relation = Relation {
    name: "sync-status",
    holds: "op-node knows its heads, which it does not just after its start",
    rests_on: &["op-node"],
    follows_from: &[],
    rule: |_, status| {
        let judge = |(at, name): (usize, &'static str)| {
            with(&status.heads, |heads: &Heads| Some(sync_status(name, &heads.named()[at].1)))
                .map(|judged| judged.of(name))
        };
        ["unsafe", "safe", "finalized"].into_iter().enumerate().filter_map(judge).collect()
    },
};

fn sync_status(name: &str, head: &Head) -> Judgement {
    if head.hash.is_zero() || head.timestamp == 0 {
        let fix = format!("wait a minute after its start; then {}", log_of("op-node"));
        Judgement::unknown(format!("op-node does not know its {name} head yet"), fix)
    } else {
        Judgement::good(format!("block {}", head.number))
    }
}

pub(super) const SAFE_UNSAFE: Relation = row!(
    "safe-unsafe",
    "the safe head is not above the unsafe one",
    &["sync-status:safe", "sync-status:unsafe"],
    &[],
    |_, _, heads| vec![in_order(("safe", &heads.safe), ("unsafe", &heads.unsafe_head))]
);

pub(super) const FINALIZED_SAFE: Relation = row!(
    "finalized-safe",
    "the finalized head is not above the safe one",
    &["sync-status:finalized", "sync-status:safe"],
    &[],
    |_, _, heads| vec![in_order(("finalized", &heads.finalized), ("safe", &heads.safe))]
);

fn in_order((lower_name, lower): (&str, &Head), (upper_name, upper): (&str, &Head)) -> Judgement {
    let contradiction = if lower.number > upper.number {
        "is above"
    } else if lower.number == upper.number && lower.hash != upper.hash {
        "has another hash than"
    } else if lower.timestamp > upper.timestamp {
        "is younger than"
    } else {
        return Judgement::good(format!("{lower_name} {}, {upper_name} {}", lower.number, upper.number));
    };
    Judgement::failure(
        format!(
            "op-node contradicts itself: its {lower_name} head, block {}, {contradiction} its {upper_name} head, block {}",
            lower.number, upper.number
        ),
        format!("restart op-node, which reads the heads anew from the execution client; {}", log_of("op-node")),
    )
}

pub(super) const UNSAFE_FUTURE: Relation = row!(
    "unsafe-future",
    "the unsafe head is not in the future; 15 s are allowed",
    &["sync-status:unsafe", "clock"],
    &[],
    |_, status, heads| vec![unsafe_future(age_s(status, &heads.unsafe_head))]
);

fn unsafe_future(age: i64) -> Judgement {
    if age < -CLOCKS_DIFFER_S {
        let found = format!(
            "the unsafe head is {} s in the future: the clock of the sequencer is fast, or this host's slow",
            -age
        );
        Judgement::failure(found, "`timedatectl`, on both hosts")
    } else {
        Judgement::good("it is not in the future")
    }
}

pub(super) const SEQUENCING: Relation = Relation {
    name: "sequencing",
    holds: "a sequencer makes blocks, and a verifier does not",
    rests_on: &["op-node"],
    follows_from: &[],
    rule: |stack, status| {
        with(&status.sequencing, |sequencing| Some(sequencing_of(stack.role, *sequencing))).into_iter().collect()
    },
};

fn sequencing_of(role: Role, sequencing: bool) -> Judgement {
    match (role, sequencing) {
        (Role::Sequencer, false) => Judgement::failure(
            "the sequencer is stopped",
            "`admin_startSequencer` with the hash of the unsafe head, if no other host sequences",
        ),
        (Role::Verifier, true) => Judgement::failure(
            "this host is a verifier, and sequences",
            "`admin_stopSequencer`, and take `--sequencer.enabled` from op-node: two sequencers fork the chain",
        ),
        (Role::Sequencer, true) => Judgement::good("yes"),
        (Role::Verifier, false) => Judgement::good("no, as a verifier should"),
    }
}

pub(super) const PEERS: Relation = Relation {
    name: "peers",
    holds: "a verifier has a peer",
    rests_on: &["op-node"],
    follows_from: &[],
    rule: |stack, status| with(&status.peers, |peers| peers_of(stack.role, *peers)).into_iter().collect(),
};

/// A sequencer may be without.
fn peers_of(role: Role, peers: u64) -> Option<Judgement> {
    (role == Role::Verifier).then(|| match peers {
        0 => Judgement::warning(
            "no peers: blocks come from L1 only",
            "check op-node's `--p2p.static` and the firewall; `opp2p_self` on the sequencer tells its address",
        ),
        peers => Judgement::good(format!("{peers}")),
    })
}

pub(super) const UNSAFE_AGE: Relation = row!(
    "unsafe-age",
    "the unsafe head is younger than 30 s",
    &["sync-status:unsafe", "clock", "unsafe-future"],
    &["sequencing", "execution", "peers", "derivation"],
    |stack, status, heads| vec![unsafe_age(stack.role, age_s(status, &heads.unsafe_head))]
);

fn unsafe_age(role: Role, age: i64) -> Judgement {
    let (why, fix) = match role {
        Role::Sequencer => ("the sequencer has halted", format!("{}, which tells why", log_of("op-node"))),
        Role::Verifier => (
            "the sequencer has halted, or this node does not hear of its blocks",
            format!("compare with the sequencer's own status; {}", log_of("op-node")),
        ),
    };
    if age > STALE_UNSAFE_S {
        Judgement::failure(format!("the unsafe head is {age} s old: {why}"), fix)
    } else {
        Judgement::good(format!("{age} s"))
    }
}

pub(super) const EXECUTION_HEAD: Relation = row!(
    "execution-head",
    "the execution client is where op-node is, within five blocks",
    &["execution", "sync-status:unsafe"],
    &[],
    |_, status, heads| {
        let unsafe_head = heads.unsafe_head.number;
        with(&status.execution_head, |head| Some(execution_head(*head, unsafe_head))).into_iter().collect()
    }
);

fn execution_head(head: u64, unsafe_head: u64) -> Judgement {
    if head.abs_diff(unsafe_head) > BLOCKS_BETWEEN {
        Judgement::failure(
            format!(
                "the execution client is at {head}, op-node at {unsafe_head}: the engine API fails, or the client syncs"
            ),
            "`ec-op-stack doctor`: jwt, versions",
        )
    } else {
        Judgement::good(format!("block {head}"))
    }
}

pub(super) const EXECUTION_CHAIN: Relation = row!(
    "execution-chain",
    "the execution client has op-node's safe block",
    &["execution", "sync-status:safe", "safe-unsafe", "execution-head"],
    &[],
    |_, status, heads| with(&status.execution_at_safe, |hash| Some(execution_chain(*hash, &heads.safe)))
        .into_iter()
        .collect()
);

fn execution_chain(hash: Option<B256>, safe: &Head) -> Judgement {
    let found = match hash {
        Some(hash) if hash == safe.hash => return Judgement::good(format!("block {}", safe.number)),
        Some(hash) => {
            format!(
                "the execution client has block {} as {hash:#}, op-node's safe head is {:#}",
                safe.number, safe.hash
            )
        }
        None => format!("the execution client has no block {}, op-node's safe head", safe.number),
    };
    Judgement::failure(found, "its datadir is of another chain, or was restored: `ec-op-stack doctor`: files")
}

pub(super) const ORIGIN_ORDER: Relation = row!(
    "origin-order",
    "no head has an origin above that of a newer head",
    &["safe-unsafe", "finalized-safe"],
    &[],
    |_, _, heads| vec![origin_order(heads)]
);

fn origin_order(heads: &Heads) -> Judgement {
    let [newest, safe, finalized] = heads.named().map(|(_, head)| head.l1_origin.number);
    if finalized <= safe && safe <= newest {
        return Judgement::good(format!("{finalized}, {safe}, {newest}"));
    }
    Judgement::failure(
        format!(
            "op-node contradicts itself: the L1 origins are {newest} of the unsafe, {safe} of the safe, {finalized} of the finalized head"
        ),
        format!("restart op-node; {}", log_of("op-node")),
    )
}

/// A row with a finding for each head, by L1's block at its origin's number.
macro_rules! by_origin {
    ($name:literal, $holds:literal, $rests_on:expr, $follows_from:expr, $rule:expr) => {
        row!($name, $holds, $rests_on, $follows_from, |_, status, heads| {
            let rule: fn(&Status, &Head, &str, Option<&L1Block>) -> Option<Judgement> = $rule;
            let origins = &status.origins;
            let facts: [&Fact<Option<L1Block>>; 3] = [&origins.unsafe_head, &origins.safe, &origins.finalized];
            let named = heads.named().into_iter().zip(facts);
            let judged = named.filter_map(|((name, head), fact)| {
                with(fact, |block| rule(status, &head, name, block.as_ref())).map(|judgement| judgement.of(name))
            });
            judged.collect()
        })
    };
}

pub(super) const ORIGIN_AHEAD: Relation = by_origin!(
    "origin-ahead",
    "no head was made from an L1 block that L1 has not",
    &["l1", "op-node", "sync-status"],
    &["l1-limits", "node-l1"],
    |status, head, name, block| {
        let (number, newest) = (head.l1_origin.number, *status.l1_head.known()?);
        Some(match block {
            Some(_) => Judgement::good(format!("origin {number}")),
            None if number > newest => Judgement::failure(
                format!("the {name} head was made from L1 block {number}, the endpoint's newest is {newest}"),
                "the endpoint is many nodes, or has lost blocks: give op-node's `--l1` another",
            ),
            None => Judgement::unknown(
                format!("L1's endpoint has no block {number} any more, the {name} head's origin"),
                "give op-node's `--l1` an endpoint that keeps all blocks",
            ),
        })
    }
);

pub(super) const ORIGIN_KNOWN: Relation = by_origin!(
    "origin-known",
    "L1 has the very block that a head was made from",
    &["l1", "op-node", "sync-status", "origin-ahead"],
    &["l1-limits"],
    |_, head, name, block| {
        let origin = head.l1_origin;
        let Some(block) = block else {
            return Some(Judgement::unknown(format!("L1 has no block {}", origin.number), ""));
        };
        Some(if block.hash == origin.hash {
            Judgement::good(format!("origin {}", origin.number))
        } else if name == "finalized" {
            Judgement::failure(
                format!("L1 does not know the finalized head's origin: it has another block {}", origin.number),
                "the endpoint is of another chain, `ec-op-stack doctor`: l1; or this node's data is: derive anew from L1",
            )
        } else {
            Judgement::failure(
                format!("L1 does not know the {name} head's origin: it has another block {}", origin.number),
                format!("after a reorg of L1 op-node goes back by itself, in a minute; else {}", log_of("op-node")),
            )
        })
    }
);

pub(super) const ORIGIN_AGE: Relation = by_origin!(
    "origin-age",
    "the unsafe head is younger than the L1 block it was made from, by ten minutes at most",
    &["l1", "op-node", "sync-status", "origin-ahead", "origin-known"],
    &["l1-limits", "l1-age", "node-l1"],
    |_, head, name, block| (name == "unsafe").then(|| origin_age(head, block.map_or(0, |block| block.timestamp)))
);

fn origin_age(head: &Head, origin_s: u64) -> Judgement {
    let age = head.timestamp.cast_signed().wrapping_sub(origin_s.cast_signed());
    if age < 0 {
        let found = format!(
            "the unsafe head is {} s older than the L1 block it was made from, which op-node's rules forbid",
            -age
        );
        return Judgement::failure(found, "the sequencer runs with other rules: `ec-op-stack doctor`: versions, files");
    }
    if age > OLD_ORIGIN_S {
        return Judgement::failure(
            format!(
                "the L1 origin is {age} s old at the unsafe head: op-node does not get on in L1; at 1800 s the sequencer makes empty blocks only"
            ),
            "look at op-node's L1 endpoint: `ec-op-stack doctor`: l1",
        );
    }
    Judgement::good(format!("{age} s"))
}

pub(super) const SAFE_LAG: Relation = row!(
    "safe-lag",
    "the safe head is at most half an hour behind the unsafe one",
    &["sync-status:safe", "sync-status:unsafe", "safe-unsafe", "unsafe-future"],
    &["l1-limits", "l1", "l1-age", "node-l1", "derivation", "service:op-batcher", "funds:batcher", "stuck:batcher"],
    |stack, _, heads| vec![safe_lag(stack, heads)]
);

fn safe_lag(stack: &Stack, heads: &Heads) -> Judgement {
    let lag = heads.unsafe_head.timestamp.saturating_sub(heads.safe.timestamp);
    if lag <= SAFE_LAG_S {
        return Judgement::good(format!("{lag} s"));
    }
    let (why, fix) = if stack.get("op-batcher").is_some() {
        (
            "batches are not posted, or cannot be read",
            format!("{}, and `ec-op-stack doctor`: batcher, beacon", log_of("op-batcher")),
        )
    } else {
        (
            "the sequencer's host posts no batches, or they cannot be read",
            "`ec-op-stack doctor`: beacon; ask who runs the batcher".into(),
        )
    };
    Judgement::failure(format!("the safe head lags {lag} s: {why}"), fix)
}

pub(super) const FINALITY_LAG: Relation = row!(
    "finality-lag",
    "the finalized head is at most an hour behind what L1 has finalized",
    &["sync-status:finalized", "finalized-safe", "l1-finality"],
    &["l1-limits", "node-l1", "derivation", "safe-lag"],
    |_, status, heads| with(&status.l1_finalized, |block| Some(finality_lag(block.as_ref()?, &heads.finalized)))
        .into_iter()
        .collect()
);

fn finality_lag(finalized: &L1Block, head: &Head) -> Judgement {
    let lag = finalized.timestamp.saturating_sub(head.timestamp);
    if lag > FINALITY_LAG_S {
        let found = format!("the finalized head, block {}, is {lag} s behind what L1 has finalized", head.number);
        Judgement::warning(found, format!("op-node does not finalize: {}", log_of("op-node")))
    } else {
        Judgement::good(format!("{lag} s behind L1's"))
    }
}

fn age_s(status: &Status, head: &Head) -> i64 {
    status.unix_s.cast_signed().wrapping_sub(head.timestamp.cast_signed())
}
