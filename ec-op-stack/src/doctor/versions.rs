//! Failure 3: versions that do not belong together.

use super::{Check, Facts, Finding};
use crate::{
    stack::{Running, Stack},
    version::Version,
};

/// A release, as major, minor, patch.
type Release = (u64, u64, u64);

/// op-node, and the execution client that its release notes (1.16.7: its go.mod) name.
const OP_GETH: [(Release, Release); 4] = [
    ((1, 16, 1), (1, 101_603, 4)),
    ((1, 16, 2), (1, 101_603, 5)),
    ((1, 16, 4), (1, 101_604, 0)),
    ((1, 16, 7), (1, 101_608, 0)),
];
const OP_RETH: [(Release, Release); 1] = [((1, 19, 1), (2, 3, 2))];
/// The first op-node whose default engine is op-reth.
const RETH_BY_DEFAULT: Release = (1, 19, 0);
const END_OF_SUPPORT: &str = "2026-05-31";

pub(super) fn versions(stack: &Stack, facts: &Facts) -> Vec<Finding> {
    let mut findings = stack.running().filter_map(unreadable).collect::<Vec<_>>();
    let (Some(node), Some(client)) = (stack.get("op-node"), stack.execution()) else {
        findings.push(
            Check::Versions
                .failure("op-node and an execution client must both run", "configure op-node, and op-geth or op-reth"),
        );
        return findings;
    };
    if let (Ok(node_version), Ok(client_version)) = (node.version(), client.version()) {
        findings.push(pairing(client.name, &node_version, &client_version));
        findings.extend(engine_kind(node, &node_version, client.name));
    }
    if client.name == "op-geth" {
        findings.push(op_geth(facts));
    }
    findings.extend(deployer(stack, facts));
    findings
}

fn unreadable(running: Running<'_>) -> Option<Finding> {
    let error = running.version().err()?;
    Some(
        Check::Versions
            .failure(format!("{}: {error}", running.name), "pin a release, in the stack file and in the image"),
    )
}

fn pairing(client: &str, node: &Version, version: &Version) -> Finding {
    let table = if client == "op-geth" { &OP_GETH[..] } else { &OP_RETH[..] };
    let pair = table.iter().rev().find(|(release, _)| node.is_at_least(*release));
    match pair {
        None => Check::Versions.good(format!("op-node {node} with {client} {version}: no pairing is on record")),
        Some((_, (major, minor, patch))) if !version.is_at_least((*major, *minor, *patch)) => Check::Versions.failure(
            format!("op-node {node} belongs to {client} v{major}.{minor}.{patch} or newer, not to {version}: the engine API breaks at the next fork"),
            format!("pin {client} v{major}.{minor}.{patch}"),
        ),
        Some(_) => Check::Versions.good(format!("op-node {node} with {client} {version}")),
    }
}

fn engine_kind(node: Running<'_>, version: &Version, client: &str) -> Option<Finding> {
    let default = if version.is_at_least(RETH_BY_DEFAULT) { "reth" } else { "geth" };
    let kind = node.value("l2.enginekind").unwrap_or_else(|| default.to_owned());
    let wanted = client.strip_prefix("op-").unwrap_or(client);
    (kind != wanted).then(|| {
        Check::Versions.failure(
            format!("op-node's l2.enginekind is {kind}, the execution client is {client}"),
            format!("set --l2.enginekind={wanted}"),
        )
    })
}

fn op_geth(facts: &Facts) -> Finding {
    let karst = facts.chain.rollup.as_ref().ok().and_then(|rollup| rollup.get::<u64>(&["karst_time"]));
    match karst {
        Some(time) => Check::Versions.failure(
            format!("rollup.json schedules Karst (karst_time {time}), which op-geth does not know"),
            "change to op-reth and --l2.enginekind=reth",
        ),
        None => Check::Versions.warning(
            format!("op-geth's support ended on {END_OF_SUPPORT}; it cannot follow the Karst fork"),
            "plan the change to op-reth",
        ),
    }
}

/// Each minor release of op-deployer belongs to one release of the contracts.
fn deployer(stack: &Stack, facts: &Facts) -> Option<Finding> {
    let pinned = stack.get("op-deployer")?.component.version.parse::<Version>().ok()?;
    let wrote = facts.deployer.as_ref()?.parse::<Version>().ok()?;
    (pinned != wrote).then(|| {
        Check::Versions.warning(
            format!("state.json was written by op-deployer {wrote}, pinned is {pinned}: an unknown selector would mean other contracts"),
            "use the op-deployer that deployed the chain",
        )
    })
}
