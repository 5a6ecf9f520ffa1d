//! Failure 6: what is kept of the past, for proofs.

use super::{Check, Facts, Finding};
use crate::stack::{Running, Stack};

/// How long a dispute game may take at most, with all its extensions, in seconds: proofs must reach back so far.
const LONGEST_GAME_S: u64 = 16 * 86_400;
/// op-reth's window of proofs, in blocks.
const PROOFS_WINDOW: u64 = 1_296_000;

pub(super) fn history(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(stack.get("op-geth").map(geth));
    findings.extend(stack.get("op-reth").into_iter().flat_map(|reth| proofs(stack, reth, facts)));
    let node = stack.get("op-node").filter(|_| stack.get("op-challenger").is_some() || proposes_super_roots(stack));
    if let Some(node) = node {
        findings.push(match node.value("safedb.path").filter(|path| !path.is_empty()) {
            Some(_) => Check::History.good("op-node records safe heads"),
            None => Check::History.failure(
                "op-node keeps no record of safe heads, which the challenger and super roots are asked from",
                "add --safedb.path=DIR to op-node; it fills from now on only",
            ),
        });
    }
    findings
}

/// Super roots come from op-node's record of safe heads.
fn proposes_super_roots(stack: &Stack) -> bool {
    stack.get("op-proposer").is_some_and(|proposer| !proposer.parsed().list("superroot-rpcs").is_empty())
        || stack.get("op-proposer").is_some_and(|proposer| {
            proposer.parsed().int("game-type").is_some_and(|kind| crate::games::is_super(kind.try_into().unwrap_or(0)))
        })
}

fn geth(geth: Running<'_>) -> Finding {
    let archive = geth.value("gcmode").as_deref() == Some("archive");
    let hashed = geth.value("state.scheme").is_none_or(|scheme| scheme == "hash");
    match (archive, hashed) {
        (true, true) => Check::History.good("op-geth keeps the state of every block"),
        (false, _) => Check::History.failure(
            "op-geth prunes state: proofs of old withdrawals and the challenger need it",
            "add --gcmode=archive before the first start; a pruned datadir must sync again",
        ),
        (_, false) => Check::History.failure(
            "op-geth's path scheme serves no old proofs",
            "initialise with --state.scheme=hash; a datadir cannot be converted",
        ),
    }
}

/// op-reth keeps no old proofs unless it is told to.
fn proofs(stack: &Stack, reth: Running<'_>, facts: &Facts) -> Vec<Finding> {
    let parsed = reth.parsed();
    let needed = ["op-challenger", "op-proposer"].iter().any(|name| stack.get(name).is_some());
    let init = "make the store once, with op-reth stopped: op-reth proofs init --chain=… --datadir=… --proofs-history.storage-path=DIR";
    if !parsed.switch("proofs-history").unwrap_or(false) {
        if parsed.is_set("proofs-history.storage-path") {
            return vec![Check::History.failure(
                "op-reth: --proofs-history.storage-path is set and --proofs-history is not: no proofs are kept",
                format!("add --proofs-history; {init}"),
            )];
        }
        let found = "op-reth keeps no old proofs: eth_getProof answers for the newest blocks only, so no withdrawal can be proven";
        let fix = format!("add --proofs-history and --proofs-history.storage-path=DIR; {init}");
        return vec![if needed { Check::History.failure(found, fix) } else { Check::History.warning(found, fix) }];
    }
    if parsed.text("proofs-history.storage-path").unwrap_or_default().is_empty() {
        return vec![Check::History.failure(
            "op-reth: --proofs-history is set without --proofs-history.storage-path",
            format!("name a directory; {init}"),
        )];
    }
    let block_time =
        facts.chain.rollup.as_ref().ok().and_then(|rollup| rollup.get::<u64>(&["block_time"])).unwrap_or(2);
    let window = parsed.int("proofs-history.window").and_then(|blocks| blocks.try_into().ok()).unwrap_or(PROOFS_WINDOW);
    let days = |blocks: u64| blocks.saturating_mul(block_time) / 86_400;
    let mut findings = vec![if window.saturating_mul(block_time) < LONGEST_GAME_S {
        Check::History.warning(
            format!(
                "op-reth keeps proofs of {window} blocks, {} days: a game may take {} days",
                days(window),
                LONGEST_GAME_S / 86_400
            ),
            "raise --proofs-history.window",
        )
    } else {
        Check::History.good(format!("op-reth keeps proofs of {window} blocks, {} days", days(window)))
    }];
    // what is there now, where the client runs already
    findings.extend(facts.proofs.as_ref().map(|reach| match reach {
        Ok((earliest, latest)) => Check::History.good(format!(
            "its proofs reach from block {earliest} to {latest}, {} days back",
            days(latest.saturating_sub(*earliest))
        )),
        Err(reason) => Check::History.warning(format!("how far back its proofs reach cannot be told: {reason}"), init),
    }));
    findings
}
