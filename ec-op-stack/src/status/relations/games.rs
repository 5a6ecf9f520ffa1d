//! The dispute games and their anchor, beside what this node has.

use alloy::primitives::{Address, B256};

use super::{
    super::facts::{Anchor, Claim, NewestGame, Status},
    Judgement, Relation, log_of, with,
};
use crate::stack::{Running, Stack};

/// op-proposer's default proposal interval, in seconds.
const PROPOSAL_INTERVAL_S: u64 = 3600;
/// A game takes three and a half days on its clocks, and as long again until its root counts. In twice that one should have
/// become the anchor, in seconds.
const OLD_ANCHOR_S: i64 = 14 * 86_400;

/// How often a proposer proposes, in seconds.
pub(super) fn interval_s(proposer: Running<'_>) -> u64 {
    let interval = proposer.parsed().nanoseconds("proposal-interval");
    interval.and_then(|interval| u64::try_from(interval / 1_000_000_000).ok()).unwrap_or(PROPOSAL_INTERVAL_S)
}

pub(super) const GAME_AGE: Relation = Relation {
    name: "game-age",
    holds: "the newest game is younger than two of op-proposer's intervals and two minutes",
    rests_on: &["l1", "clock"],
    follows_from: &[
        "l1-limits",
        "l1-age",
        "service:op-proposer",
        "funds:proposer",
        "stuck:proposer",
        "safe-lag",
        "finality-lag",
    ],
    rule: |stack, status| game_age(stack, status).into_iter().collect(),
};

fn game_age(stack: &Stack, status: &Status) -> Option<Judgement> {
    let interval = interval_s(stack.get("op-proposer")?);
    let limit = interval.saturating_mul(2).saturating_add(120);
    let judge = |game: &Option<NewestGame>| match game {
        None => Judgement::failure("there is no dispute game yet", log_of("op-proposer")),
        Some(game) if game.age_s > limit.cast_signed() => Judgement::failure(
            format!("the newest game is {} s old, the interval is {interval} s", game.age_s),
            log_of("op-proposer"),
        ),
        Some(game) => Judgement::good(format!("{} s", game.age_s)),
    };
    with(&status.game, |game| Some(judge(game)))
}

pub(super) const CLAIM: Relation = Relation {
    name: "claim",
    holds: "each of the newest games claims the root that this node has, and is not lost or attacked",
    rests_on: &["l1", "op-node", "sync-status:safe", "safe-unsafe"],
    // a wrong root is nobody else's fault
    follows_from: &["l1-limits"],
    rule: |stack, status| status.claims.iter().map(|game| claim(stack, game).of(game.address.to_string())).collect(),
};

fn claim(stack: &Stack, game: &Claim) -> Judgement {
    let address = game.address;
    let silence = [game.position.silence(), game.claimed.silence(), game.ours.silence()].into_iter().flatten().next();
    if let Some(silence) = silence {
        return Judgement::silent(silence);
    }
    let (Some(block), Some(claimed), Some(ours)) = (game.block, game.claimed.known(), game.ours.known()) else {
        return match (game.block, game.position.known()) {
            (Some(block), _) => Judgement::unknown(
                format!("the game {address} claims a root of block {block}, which is not safe on this node yet"),
                "wait until the safe head is there, and look again",
            ),
            (None, Some(time)) => Judgement::unknown(
                format!(
                    "the game {address} claims a super root of the time {time}, and rollup.json does not tell which block \
                     this chain has there"
                ),
                "see the stack file's files",
            ),
            (None, None) => Judgement::unknown(format!("nobody tells what the game {address} claims"), ""),
        };
    };
    let defend = if stack.get("op-challenger").is_some() {
        log_of("op-challenger")
    } else {
        "run op-challenger, with the chain's prestate".to_owned()
    };
    match (game.status, claimed == ours) {
        ("challenger wins", false) => Judgement::good(format!("a wrong root of block {block} was beaten")),
        ("challenger wins", true) => Judgement::failure(
            format!("the game {address} was lost, though it claims this node's root of block {block}"),
            format!("tell the guardian, who can pause withdrawals; {defend}"),
        ),
        ("defender wins", false) => Judgement::failure(
            format!("the game {address} was won with another root of block {block} than this node has"),
            "tell the guardian, who can blacklist it; compare with another node's `optimism_outputAtBlock`",
        ),
        (_, false) => Judgement::failure(
            format!(
                "the game {address} claims another root of block {block} than this node has: {claimed:#}, not {ours:#}"
            ),
            format!("compare with another node's `optimism_outputAtBlock`; if that agrees with this one's: {defend}"),
        ),
        ("in progress", true) if game.claims.known().is_some_and(|claims| *claims > 1) => Judgement::warning(
            format!("the game {address} is attacked, though it claims this node's root of block {block}"),
            format!("it must be defended within its clocks: {defend}"),
        ),
        (_, true) => Judgement::good(format!("block {block}")),
    }
}

/// A row about the anchor.
macro_rules! of_anchor {
    ($name:literal, $holds:literal, $rests_on:expr, $follows_from:expr, $rule:expr) => {
        Relation {
            name: $name,
            holds: $holds,
            rests_on: $rests_on,
            follows_from: $follows_from,
            rule: |stack, status| {
                let rule: fn(&Stack, &Status, &Anchor) -> Option<Judgement> = $rule;
                with(&status.anchor, |anchor| rule(stack, status, anchor)).into_iter().collect()
            },
        }
    };
}

pub(super) const RESPECTED: Relation = of_anchor!(
    "respected",
    "the newest game is of the type that counts for withdrawals",
    &["l1"],
    &["l1-limits"],
    |_, status, anchor| {
        let newest = status.game.known()?.as_ref()?.game_type;
        with(&anchor.respected_game_type, |respected| Some(respected_type(newest, *respected)))
    }
);

fn respected_type(newest: u32, respected: u32) -> Judgement {
    if newest == respected {
        Judgement::good(format!("type {respected}"))
    } else {
        Judgement::warning(
            format!("the newest game is of type {newest}, and only type {respected} counts for withdrawals"),
            format!("set op-proposer's `--game-type={respected}`, or have the guardian respect type {newest}"),
        )
    }
}

pub(super) const ANCHOR_AHEAD: Relation = of_anchor!(
    "anchor-ahead",
    "the anchor is not above the safe head",
    &["l1", "op-node", "sync-status:safe", "safe-unsafe"],
    &["l1-limits", "derivation", "safe-lag"],
    |_, status, anchor| { with(&status.heads, |heads| Some(anchor_ahead(anchor.block?, heads.safe.number))) }
);

fn anchor_ahead(anchor: u64, safe: u64) -> Judgement {
    if anchor > safe {
        Judgement::failure(
            format!(
                "the anchor is of block {anchor}, this node's safe head is {safe}: the node is behind, or of another chain"
            ),
            "wait if the safe head grows; else `ec-op-stack doctor`: files, l1",
        )
    } else {
        Judgement::good(format!("block {anchor}"))
    }
}

pub(super) const ANCHOR_ROOT: Relation = of_anchor!(
    "anchor-root",
    "the anchor is the root that this node has",
    &["l1", "op-node", "sync-status:safe", "safe-unsafe", "anchor-ahead"],
    &["l1-limits"],
    |_, _, anchor| {
        let judge =
            |root: &B256| with(&anchor.ours, |ours| Some(anchor_root(anchor.registry, anchor.block?, root == ours)));
        with(&anchor.root, judge)
    }
);

fn anchor_root(registry: Address, block: u64, is_ours: bool) -> Judgement {
    if is_ours {
        Judgement::good(format!("block {block}"))
    } else {
        Judgement::failure(
            format!("the anchor has another root of block {block} than this node"),
            format!(
                "compare with another node's `optimism_outputAtBlock`; a wrong root in {registry} has passed its games"
            ),
        )
    }
}

pub(super) const ANCHOR_AGE: Relation = of_anchor!(
    "anchor-age",
    "the anchor's block is younger than 14 days",
    &["l1", "clock"],
    &["l1-limits", "game-age"],
    |_, _, anchor| Some(anchor_age(anchor))
);

fn anchor_age(anchor: &Anchor) -> Judgement {
    match anchor.age_s {
        None => Judgement::unknown(
            "rollup.json does not tell when the anchor's block was made",
            "see the stack file's files",
        ),
        Some(age) if age > OLD_ANCHOR_S => Judgement::warning(
            format!("the anchor's block is {} days old: no game was closed since", age / 86_400),
            "games that are resolved are to be closed: op-challenger does, or `cast send GAME 'closeGame()'`",
        ),
        Some(age) => Judgement::good(format!("{age} s")),
    }
}
