//! Failures 4 and 5: L1 and its beacon endpoint.

use super::{Check, Facts, Finding, L1Facts};
use crate::stack::{Running, Stack};

/// Above this an endpoint is too slow for a sequencer, in milliseconds.
const SLOW_MS: u128 = 500;

pub(super) fn endpoints(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    if facts.l1.is_empty() {
        return vec![Check::L1.failure("no L1 endpoint is configured", "set op-node's --l1")];
    }
    let wanted = facts.chain.rollup.as_ref().ok().and_then(|rollup| rollup.get::<u64>(&["l1_chain_id"]));
    let mut findings = facts.l1.iter().flat_map(|l1| endpoint(l1, wanted)).collect::<Vec<_>>();
    let trusts = stack.get("op-node").is_some_and(|node| node.is_on("l1.trustrpc"));
    if trusts && wanted.is_some_and(|id| id == 1 || id == 11_155_111) {
        findings.push(Check::L1.warning(
            "op-node trusts the L1 endpoint and checks no hashes",
            "remove --l1.trustrpc: it is for development chains",
        ));
    }
    findings
}

fn endpoint(l1: &L1Facts, wanted: Option<u64>) -> Vec<Finding> {
    let host = &l1.host;
    if let Some(reason) = &l1.unasked {
        return vec![Check::L1.warning(
            format!("{host} ({}): it is not judged: {reason}", l1.users.join(", ")),
            "ask it by hand: chain id, limits, and whether its answers agree",
        )];
    }
    let mut bad = Vec::new();
    if l1.rate_limited > 0 {
        bad.push(Check::L1.failure(
            format!("{host}: {} calls were rate limited (HTTP 429)", l1.rate_limited),
            "take a plan without a limit, or lower op-node's --l1.rpc-rate-limit",
        ));
    }
    if let Some(error) = &l1.error {
        bad.push(Check::L1.failure(error.clone(), "correct the URL, or wait until the endpoint works"));
    }
    if let (Some(id), Some(wanted)) = (l1.chain_id, wanted)
        && id != wanted
    {
        bad.push(Check::L1.failure(
            format!("{host}: chain id {id}, rollup.json says {wanted}"),
            "use an endpoint of the right chain",
        ));
    }
    if l1.heads.is_sorted() && l1.unknown_blocks == 0 {
        bad.extend(slow(l1));
    } else {
        bad.push(Check::L1.failure(
            format!("{host}: answers contradict each other (head went back, or a block just told is unknown): nodes behind a balancer disagree"),
            "use one node, or an endpoint with sticky sessions",
        ));
    }
    if !bad.is_empty() || l1.latencies_ms.is_empty() {
        return bad;
    }
    vec![Check::L1.good(format!(
        "{host} ({}): chain {}, median answer {} ms",
        l1.users.join(", "),
        l1.chain_id.unwrap_or_default(),
        median(l1)
    ))]
}

fn median(l1: &L1Facts) -> u128 {
    l1.latencies_ms.get(l1.latencies_ms.len() / 2).copied().unwrap_or_default()
}

fn slow(l1: &L1Facts) -> Option<Finding> {
    let median = median(l1);
    (median > SLOW_MS).then(|| {
        Check::L1.warning(
            format!("{}: the median answer takes {median} ms", l1.host),
            "use an endpoint below 500 ms: the sequencer falls behind",
        )
    })
}

pub(super) fn beacon(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let Some(node) = stack.get("op-node") else { return Vec::new() };
    let posts = stack
        .get("op-batcher")
        .map(|batcher| batcher.value("data-availability-type").unwrap_or_else(|| "calldata".to_owned()));
    let blobs = posts.as_deref().is_some_and(|kind| kind != "calldata");
    if node.is_on("l1.beacon.ignore") {
        return vec![if blobs {
            Check::Beacon.failure(
                "op-node ignores the beacon API, but op-batcher may post blobs",
                "give op-node --l1.beacon, or set --data-availability-type=calldata",
            )
        } else {
            Check::Beacon.warning(
                "op-node ignores the beacon API: batches in blobs cannot be read",
                "right only where no batch was ever posted as a blob",
            )
        }];
    }
    let mut findings = Vec::new();
    if node.value("l1.beacon").is_some_and(|url| url.contains('?')) {
        findings.push(Check::Beacon.failure(
            "op-node drops what stands behind ? in --l1.beacon: a key there is never sent",
            "use an endpoint with the key in its path, or send it by OP_NODE_L1_BEACON_HEADER",
        ));
    }
    findings.extend(facts.beacon_fallbacks.iter().filter_map(|fallback| fallback.as_ref().err()).map(|error| {
        Check::Beacon
            .warning(format!("a fallback for blobs: {error}"), "correct --l1.beacon-fallbacks, or wait until it works")
    }));
    match &facts.beacon {
        None => findings.push(Check::Beacon.failure("op-node has no beacon endpoint", "set --l1.beacon")),
        Some(Err(error)) => {
            findings.push(Check::Beacon.failure(error.clone(), "correct --l1.beacon, or wait until it works"));
        }
        Some(Ok(_)) => findings.extend(old_blobs(node, facts)),
    }
    findings
}

fn old_blobs(node: Running<'_>, facts: &Facts) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(Err(error)) = &facts.blobs {
        findings.push(Check::Beacon.failure(
            format!("the beacon endpoint answers and gives no blobs: {error}"),
            "use one that serves /eth/v1/beacon/blobs: a node that keeps all blobs, or an archiver",
        ));
    }
    if node.value("l1.beacon-fallbacks").or_else(|| node.value("l1.beacon-archiver")).is_none() {
        findings.push(Check::Beacon.warning(
            "there is no fallback for blobs, and beacon nodes drop them after about 18 days: a node that starts or stands still longer cannot follow",
            "set --l1.beacon-fallbacks to a blob archiver",
        ));
    }
    if findings.is_empty() {
        findings.push(Check::Beacon.good("the beacon endpoint gives blobs, and there is a fallback for old ones"));
    }
    findings
}
