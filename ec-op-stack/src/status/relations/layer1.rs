//! L1's own heads and this host's clock, and what op-node makes of L1.

use super::{
    super::facts::{Heads, L1Block, Status},
    Judgement, Relation, log_of, with,
};

/// By so much clocks may differ, in seconds: more than a slot of L1.
pub(super) const CLOCKS_DIFFER_S: i64 = 15;
/// An L1 head older than this, about five slots, stands still: the chain or the endpoint, in seconds.
const STALE_L1_S: i64 = 60;
/// L1 finalizes after 13 to 19 minutes. After an hour something is wrong with it, in seconds.
const OLD_L1_FINALITY_S: i64 = 3600;
/// op-node looks for L1's head every 12 s; so much later it has not seen it, in seconds.
const UNSEEN_L1_S: u64 = 120;
/// op-node derives what L1 has within a confirmation or two; further back it catches up, in seconds.
const BEHIND_L1_S: u64 = 600;

pub(super) const CLOCK: Relation = Relation {
    name: "clock",
    holds: "L1's newest block is not in the future by this host's clock; 15 s are allowed",
    rests_on: &[],
    follows_from: &[],
    rule: |_, status| clock(status).into_iter().collect(),
};

/// Of an L1 that does not answer the row `l1` tells; the clock is then taken for right.
fn clock(status: &Status) -> Option<Judgement> {
    let age = *status.l1_head_age_s.known()?;
    Some(if age < -CLOCKS_DIFFER_S {
        let found = format!("L1's newest block is {} s ahead of this host's clock: the clock is slow", -age);
        Judgement::failure(found, "`timedatectl`")
    } else {
        Judgement::good("it is not behind L1's newest block")
    })
}

pub(super) const L1_AGE: Relation = Relation {
    name: "l1-age",
    holds: "L1's newest block is younger than a minute",
    rests_on: &["l1", "clock"],
    follows_from: &[],
    rule: |_, status| with(&status.l1_head_age_s, |age| Some(l1_age(status, *age))).into_iter().collect(),
};

fn l1_age(status: &Status, age: i64) -> Judgement {
    let head = status.l1_head.known().copied().unwrap_or_default();
    if age > STALE_L1_S {
        Judgement::failure(
            format!("L1 stands still at block {head}, {age} s old: the endpoint does not follow, or L1 has halted"),
            "ask another endpoint for its newest block; where that is older than `date`, the clock is fast: `timedatectl`",
        )
    } else {
        Judgement::good(format!("{age} s old"))
    }
}

pub(super) const L1_HEADS: Relation = Relation {
    name: "l1-heads",
    holds: "L1's finalized block is not above its newest",
    rests_on: &["l1"],
    follows_from: &["l1-limits"],
    rule: |_, status| l1_heads(status).into_iter().collect(),
};

fn l1_heads(status: &Status) -> Option<Judgement> {
    let both = |head: u64, finalized: u64| {
        if finalized > head {
            let found =
                format!("L1's finalized block {finalized} is above its newest, {head}: the endpoint is many nodes");
            Judgement::failure(found, "give op-node's `--l1` one node, or a service that answers as one")
        } else {
            Judgement::good(format!("finalized {finalized}"))
        }
    };
    let head = |head: &u64| with(&status.l1_finalized, |finalized| Some(both(*head, finalized.as_ref()?.number)));
    with(&status.l1_head, head)
}

pub(super) const L1_FINALITY: Relation = Relation {
    name: "l1-finality",
    holds: "L1's finalized block is younger than an hour",
    rests_on: &["l1", "clock", "l1-age", "l1-heads"],
    follows_from: &["l1-limits"],
    rule: |_, status| {
        with(&status.l1_finalized, |finalized| Some(l1_finality(status, finalized.as_ref()))).into_iter().collect()
    },
};

fn l1_finality(status: &Status, finalized: Option<&L1Block>) -> Judgement {
    let Some(block) = finalized else {
        return Judgement::unknown("L1 has finalized no block yet", "wait: a young L1 does so after its second epoch");
    };
    let age = status.unix_s.cast_signed().wrapping_sub(block.timestamp.cast_signed());
    if age > OLD_L1_FINALITY_S {
        let found = format!("L1's finalized block {} is {age} s old: L1 does not finalize", block.number);
        Judgement::warning(
            found,
            "ask another endpoint; where it says the same, wait: L2 blocks are final again when L1's are",
        )
    } else {
        Judgement::good(format!("{age} s ago"))
    }
}

pub(super) const NODE_KNOWS: Relation = Relation {
    name: "node-knows-l1",
    holds: "op-node knows L1's head, and how far it has derived",
    rests_on: &["op-node"],
    follows_from: &[],
    rule: |_, status| with(&status.heads, |heads| Some(node_knows(heads))).into_iter().collect(),
};

fn node_knows(heads: &Heads) -> Judgement {
    let unknown = [("L1's head", heads.l1_head), ("how far it has derived", heads.l1_derived)];
    let unknown: Vec<_> = unknown.iter().filter(|(_, block)| block.hash.is_zero()).map(|(what, _)| *what).collect();
    if unknown.is_empty() {
        Judgement::good(format!("L1 {}, derived {}", heads.l1_head.number, heads.l1_derived.number))
    } else {
        let found = format!("op-node does not know yet: {}", unknown.join(", "));
        Judgement::unknown(found, format!("wait a minute after its start; then {}", log_of("op-node")))
    }
}

pub(super) const NODE_L1: Relation = Relation {
    name: "node-l1",
    holds: "op-node sees the L1 head that its endpoint has, within two minutes",
    rests_on: &["l1", "node-knows-l1"],
    follows_from: &["l1-limits"],
    rule: |_, status| {
        let seen = |heads: &Heads| with(&status.l1_head, |number| node_l1(status, *number, &heads.l1_head));
        with(&status.heads, seen).into_iter().collect()
    },
};

fn node_l1(status: &Status, number: u64, seen: &L1Block) -> Option<Judgement> {
    let time = status.unix_s.saturating_add_signed(-*status.l1_head_age_s.known()?);
    let behind = time.saturating_sub(seen.timestamp);
    let ahead = seen.timestamp.saturating_sub(time);
    Some(if behind > UNSEEN_L1_S {
        let found =
            format!("op-node sees L1 at block {}, {behind} s behind block {number} of its endpoint", seen.number);
        Judgement::failure(found, format!("it is refused, or it hangs: {}", log_of("op-node")))
    } else if ahead > UNSEEN_L1_S {
        let found = format!(
            "the endpoint is at L1 block {number}, {ahead} s behind block {}, which op-node has seen of it",
            seen.number
        );
        Judgement::failure(found, "the endpoint is many nodes, or has lost blocks: give op-node's `--l1` another")
    } else {
        Judgement::good(format!("block {}", seen.number))
    })
}

pub(super) const DERIVATION: Relation = Relation {
    name: "derivation",
    holds: "op-node has derived what L1 has, within ten minutes",
    rests_on: &["node-knows-l1"],
    follows_from: &["l1-limits", "l1", "node-l1"],
    rule: |_, status| with(&status.heads, |heads| Some(derivation(heads))).into_iter().collect(),
};

fn derivation(heads: &Heads) -> Judgement {
    let behind = heads.l1_head.timestamp.saturating_sub(heads.l1_derived.timestamp);
    if behind > BEHIND_L1_S {
        let found = format!(
            "op-node has derived up to L1 block {} of {}, {behind} s behind: it catches up, or it cannot read blocks or blobs",
            heads.l1_derived.number, heads.l1_head.number
        );
        Judgement::warning(
            found,
            format!("wait if the number grows; else {}, and `ec-op-stack doctor`: beacon", log_of("op-node")),
        )
    } else {
        Judgement::good(format!("up to L1 block {}", heads.l1_derived.number))
    }
}
